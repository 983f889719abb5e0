"""Expressions that answered requests like this one: what the embedded kernel was taught, found again by likeness.

Works on requests told with short names (see aliases): ``what is @1% of @2`` was answered by ``@1% * @2``. A request is
like another by the words, pairs and triples of words that they share, rare ones first, and by its numbers. Knows
nothing of models; the file is written by ``training``.
"""

import json
import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property
from heapq import nlargest
from pathlib import Path

_PIECE = re.compile(r"[@~]\d+|[a-z]+|[^\sa-z]")
_SIGN = re.compile(r"[@~]\d+")
_NAME = re.compile(r"[@~]\d+|[A-Za-z]+")
_SHORT = re.compile(r"\b(what|how|where|that)['\u2019]?s\b")
_SHORTLIST = 300  # patterns that share the rarest words are compared whole
_PAIR, _TRIPLE, _LETTERS = 0.7, 0.5, 0.3  # weights beside that of a word
_OTHER_NUMBERS = 0.1  # less for another count of numbers, and again for another count of different ones


@dataclass(frozen=True, slots=True)
class Recalled:
    """An expression, and how like the request is to the one it answered (0 to 1)."""

    expression: str
    likeness: float


class Recall:
    """The patterns that were taught, each with its expression."""

    def __init__(self, taught: Sequence[tuple[str, str]]) -> None:
        self._taught = list(taught)
        self._words = [[_stem(p) for p in _pieces(pattern)] for pattern, _ in self._taught]
        self._with: dict[str, list[int]] = defaultdict(list)
        for n, words in enumerate(self._words):
            for word in set(words):
                self._with[word].append(n)

    @classmethod
    def load(cls, path: Path) -> "Recall":
        """Read a file of JSON lines, each a pattern and its expression; nothing where there is none."""
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except OSError:
            return cls([])
        return cls([(pattern, expression) for pattern, expression in map(json.loads, lines)])

    def near(self, told: str, most: int = 5, good: Callable[[str], bool] = lambda expression: True) -> list[Recalled]:
        """The ``most`` likeliest expressions that are ``good``, the likeliest first."""
        found: dict[str, float] = {}
        for n, likeness in self._ranked(told):
            pattern, expression = self._taught[n]
            expression = adapted(told, pattern, expression)
            if expression not in found and good(expression):
                found[expression] = likeness
                if len(found) == most:
                    break
        return [Recalled(e, max(0.0, min(1.0, likeness))) for e, likeness in found.items()]

    def _ranked(self, told: str) -> Iterator[tuple[int, float]]:
        words = [_stem(p) for p in _pieces(told)]
        shared: dict[int, float] = defaultdict(float)
        for word in set(words):
            weight = self._rarity(word)
            for n in self._with.get(word, ()):
                shared[n] += weight
        asked = self._features(words)
        size = math.sqrt(sum(w * w for w in asked.values())) or 1.0
        scores = {}
        for n in nlargest(_SHORTLIST, shared, key=shared.__getitem__):
            other = self._features(self._words[n])
            length = math.sqrt(sum(w * w for w in other.values())) or 1.0
            likeness = sum(w * other[k] for k, w in asked.items() if k in other) / (size * length)
            scores[n] = likeness - _OTHER_NUMBERS * _unlike(told, self._taught[n][0])
        yield from sorted(scores.items(), key=lambda item: -item[1])

    def _features(self, words: Sequence[str]) -> dict[str, float]:
        rare = [self._rarity(w) for w in words]
        found: dict[str, float] = defaultdict(float)
        for n, word in enumerate(words):
            found[word] += rare[n]
            if n:
                found[" ".join(words[n - 1 : n + 1])] += _PAIR * sum(rare[n - 1 : n + 1]) / 2
            if n > 1:
                found[" ".join(words[n - 2 : n + 1])] += _TRIPLE * sum(rare[n - 2 : n + 1]) / 3
            if len(word) > 3:
                whole = f"<{word}>"
                for i in range(len(whole) - 2):
                    found["_" + whole[i : i + 3]] += _LETTERS * self._common
        return {k: math.sqrt(w) for k, w in found.items()}

    def _rarity(self, word: str) -> float:
        return math.log((len(self._taught) + 1) / (len(self._with.get(word, ())) + 0.5))

    @cached_property
    def _common(self) -> float:
        """What a piece of a word weighs: as much as a word that is neither rare nor common."""
        return math.log(len(self._taught) + 1) / 2


def adapted(told: str, pattern: str, expression: str) -> str:
    """The expression for ``told``: words and numbers of the pattern replaced by those that stand in their places."""
    old, new = _pieces(pattern), _pieces(told)
    changed: dict[str, str] = {}
    for kind, i, j, k, end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "replace" and j - i == end - k:
            for one, other in zip(old[i:j], new[k:end], strict=True):
                if (one.isalpha() and other.isalpha()) or (_SIGN.match(one) and one[0] == other[0]):
                    changed[one] = other
    return _NAME.sub(lambda name: changed.get(name[0], name[0]), expression)


def fits(expression: str, values: Sequence[str], whole: Mapping[str, object] | set[str]) -> bool:
    """Whether each short name in an expression stands for a value of its kind."""
    for sign in _SIGN.findall(expression):
        n = int(sign[1:])
        if n > len(values) or values[n - 1] in whole or (sign[0] == "~") != (values[n - 1].count("-") == 2):
            return False
    return True


def _pieces(text: str) -> list[str]:
    return _PIECE.findall(_SHORT.sub(r"\1 is", text.lower()))


def _stem(piece: str) -> str:
    """A word without its plural ending, a number by its kind alone."""
    if piece[0] in "@~" and len(piece) > 1:
        return piece[0]
    return piece[:-1] if len(piece) > 3 and piece.endswith("s") else piece


def _unlike(one: str, other: str) -> int:
    """In how many ways the numbers of two requests differ: how many there are, and how many different ones."""
    a, b = _SIGN.findall(one), _SIGN.findall(other)
    return (len(a) != len(b)) + 2 * (len(set(a)) != len(set(b)))
