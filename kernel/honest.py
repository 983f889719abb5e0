"""Whether what was taught answers a request, or is only of the same kind: the symbol of tin is none of zinc.

A fact is known by few phrases. A request that has words of its own which neither they nor the answer have, and lacks
one that both share, names it, or has half of its words so, is of something else; then it is better to say so than to
tell the wrong thing. What is answered to many phrases is no fact, and is left alone. Knows words, no meanings.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from llmos.kernel.recall import Recalled, Taught

UNKNOWN = "I do not know that for sure. I am a small model without a reference library; I would rather not guess."
_REFUSED = re.compile(r"I will not help with that|I am sorry you feel this way")  # how what was taught refuses harm
# Deeds that harm, near whom or what they would.
_DEED = (
    r"(?:poison|drug|stab|strangl|suffocat|chok|murder|kill|hurt|harm|beat up|attack|kidnap|rape|stalk|blackmail"
    r"|blow up|burn down|bomb|spy on|hack|threaten|drown|starve)\w*"
)
_WHOM = (
    r"(?:some(?:one|body)|people|a person|him|her|myself|(?:my|his|her|the|our|an?) (?:\w+ )?(?:wife|husband|ex"
    r"|boss|neighbou?r|flat ?mate|room ?mate|teacher|colleague|co-?worker|girlfriend|boyfriend|sister|brother"
    r"|mother|father|parents|friend|child|kid|baby|woman|man|girl|boy|crowd|school|church|mosque|synagogue|bridge|building|plane"
    r"|train|station|hospital|stranger|journalist|landlord)s?)\b"
)
_HARM = re.compile(rf"(?i)\b{_DEED}\b.{{0,30}}\b{_WHOM}|\b{_WHOM}.{{0,20}}\bwith(?:out)? (?:a )?(?:poison|knife|gun)")
_FACT = 9  # phrases at most that a fact is known by
_STEM = 4  # letters that tell a word: capital, French and France by their beginnings
_WORD = re.compile(r"[^\W_]+(?:['\u2019][a-z]+)?")
_NAME = re.compile(r"(?<=[a-z,] )[A-Z]\w+")
_COMMON = """
a about actually again all am an and any are as at be been big by call called came can come could dear did do does
each ever every exactly far for from get give go got had has have he hello her here hey hi his how i in into is it its
just know let like list long made make many may me mean meaning means might more most much must my name need no not of
ok okay old on one ones or our please pls plz question quick really remind say shall she should sir so some tell than
thank thanks that the their them then there these they think this those to us very want was we went were what whats
when where which who whole whom whose why will with wonder wondering world would you your
"""
_PLAIN = frozenset(_COMMON.split())


def refuses(answer: str) -> bool:
    """Whether an answer that was taught refuses a harmful request."""
    return _REFUSED.match(answer) is not None


def harms(request: str) -> bool:
    """Whether a request names a deed that harms and near it a person or a place; it may be a game's or a saying's."""
    return _HARM.search(request) is not None


class Facts:
    """The words of every fact that was taught."""

    def __init__(self, taught: Iterable[Taught]) -> None:
        phrases: dict[str, list[str]] = defaultdict(list)
        for one in taught:
            if one.kind == "say":
                phrases[one.answer].append(one.pattern)
        self._of = {answer: _known(answer, said) for answer, said in phrases.items() if len(said) <= _FACT}

    def other(self, told: str, found: Recalled) -> bool:
        """Whether a fact is of something else than a request."""
        if found.taught.kind != "say" or found.answer not in self._of:
            return False
        known, key = self._of[found.answer]
        asked = _stems(told)
        own = asked - known
        named = own & {_stem(name.lower()) for name in _NAME.findall(told)}
        return bool(own) and (not key <= asked or bool(named) or 2 * len(own) >= len(asked))

    def honest(self, told: str, found: Sequence[Recalled]) -> list[Recalled]:
        """What was found, the likeliest first, without a fact of something else as the first: then none is known."""
        if not found or not self.other(told, found[0]):
            return list(found)
        better = next((n for n, r in enumerate(found) if r.answer in self._of and not self.other(told, r)), 0)
        if better:
            return [found[better], *found[:better], *found[better + 1 :]]
        first = found[0]
        return [replace(first, taught=replace(first.taught, answer=UNKNOWN), answer=UNKNOWN), *found[1:]]


def _known(answer: str, phrases: Sequence[str]) -> tuple[set[str], set[str]]:
    """The words of a fact's answer and phrases, and those that most of the phrases share with the answer."""
    told = [_stems(p) for p in phrases]
    said = _stems(answer)
    key = {w for w in said if 2 * sum(w in words for words in told) > len(told)}
    return said.union(*told), key


def _stems(text: str) -> set[str]:
    words = (w.split("'")[0].split("\u2019")[0] for w in _WORD.findall(text.lower()))
    return {_stem(w) for w in words if w not in _PLAIN}


def _stem(word: str) -> str:
    return word[:_STEM] if len(word) > _STEM else word.rstrip("s") or word
