"""One order for plain arithmetic: ``@2 * @1`` is ``@1 * @2``, and ``@1 - (@2 + @3)`` is ``@1 - @2 - @3``.

The solver learns and is asked for this order alone, so that its trust is not shared out among spellings of the same
(Wang et al. 2018, "Translating a math word problem to an expression tree", equation normalisation). Knows nothing of
what an expression is worth; words are in prefix order (see arithmetic).
"""

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from llmos.kernel.arithmetic import TAKES

Words = tuple[str, ...]
_CHAINS = {"+": ("+", "-"), "-": ("+", "-"), "*": ("*", "/"), "/": ("*", "/")}
_NONE = 99  # behind all names
_NOTHING = {"+": "0", "*": "1"}  # what adds or multiplies nothing


@lru_cache(maxsize=65536)
def ordered(words: Words) -> Words:
    """An expression in that order; nothing for nothing."""
    made = _ordered(words) if words else ()
    return made if made == words else ordered(made)


def _ordered(words: Words) -> Words:
    if words[0] not in _CHAINS:
        at, made = 1, words[:1]
        while at < len(words):
            end = _end(words, at)
            made, at = (*made, *ordered(words[at:end])), end
        return made
    sign, turned = _CHAINS[words[0]]
    found = [(ordered(one), ordered(other)) for one, other in _chain(sign, turned, words)]
    kept = [one for one, other in found if not other and one != (_NOTHING[sign],)]
    taken = [other for _, other in found if other and other != (_NOTHING[sign],)]
    if sign == "+":
        kept = [one if n == 1 else ("*", *one, str(n)) for one, n in Counter(kept).items()]
    made = () if kept else (_NOTHING[sign],)
    for one in sorted(kept, key=_place):
        made = (sign, *made, *one) if made else one
    for one in sorted(taken, key=_place):
        made = (turned, *made, *one)
    return made


def _chain(sign: str, turned: str, words: Words) -> list[tuple[Words, Words]]:
    """The terms of a sum or the factors of a product, each as what is kept or as what is taken away."""
    if words[0] not in (sign, turned):
        return [(words, ())]
    at = _end(words, 1)
    first, second = _chain(sign, turned, words[1:at]), _chain(sign, turned, words[at:])
    return [*first, *(second if words[0] == sign else [(other, one) for one, other in second])]


def _end(words: Sequence[str], at: int) -> int:
    """Where the expression that begins at a place ends."""
    wanted = 1
    while wanted:
        wanted += TAKES.get(words[at], 0) - 1
        at += 1
    return at


def _place(words: Words) -> tuple[int, int, Words]:
    """By the first name that is told in it, plain numbers last."""
    told = [int(word[1:]) for word in words if word[0] == "@"]
    return min(told, default=_NONE), len(words), words
