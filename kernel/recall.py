"""What the embedded kernel was taught, found again by likeness: requests, and how each was answered.

Works on requests told with short names (see aliases): ``what is @1% of @2`` was answered by ``@1% * @2``. A request is
like another by the words, pairs and triples of words that they share, rare ones first, and by its numbers. What is
found stands before the kernel as examples; it decides. Knows nothing of models; the file is written by ``training``.
"""

import gzip
import json
import math
import re
import zlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from heapq import nlargest
from pathlib import Path
from typing import Any, TextIO

from llmos.kernel.adapt import SIGN as _SIGN
from llmos.kernel.adapt import adapted
from llmos.kernel.fills import filled, vocabulary

ADAPTED = frozenset({"calculator", "python"})  # whose answers hold numbers and words of the request
_PIECE = re.compile(r"[@~&#]\d+|[a-z]+|[^\sa-z]")
_FORMULA = re.compile(r"&\d+")
ROW = re.compile(r"-?@\d+(?:(?:, and|, or|[,;&]| and| or|) *-?@\d+)+")  # a list's numbers
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_NUMBER = re.compile(r"[\d.]+")
_SHORT = re.compile(r"\b(what|how|where|that)['\u2019]?s\b")
_SHORTLIST = 300  # patterns that share the rarest words are compared whole
_PAIR, _TRIPLE, _LETTERS = 0.7, 0.5, 0.3  # weights beside that of a word
_OTHER_NUMBERS = 0.1  # less for another count of numbers, and again for another count of different ones


@dataclass(frozen=True, slots=True)
class Taught:
    """A request that was taught, and its answer.

    By ``kind`` the answer is an expression (``calculator``), a program (``python``), words (``say``, and ``lack`` where
    there is no table), a verb for a table (``table``) or for a plot that was drawn (``change``), or the tool's name for
    a picture (``image``). A program may have slots in its answer; ``slots`` are what filled those for texts in the
    pattern (see fills), ``says`` is what is answered to its result.
    """

    kind: str
    pattern: str
    answer: str
    says: str = ""
    slots: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Recalled:
    """What was taught, its answer with the words and numbers of this request, and how like the two are (0 to 1).

    ``says``: what is answered to a program's result, the same way.
    """

    taught: Taught
    answer: str
    likeness: float
    says: str = ""


class Recall:
    """All that was taught."""

    def __init__(self, taught: Sequence[Taught]) -> None:
        self._taught = list(taught)
        self._with: dict[str, list[int]] = defaultdict(list)
        for n, one in enumerate(self._taught):
            for word in set(tokens(one.pattern)):
                self._with[word].append(n)
        self._known: dict[int, tuple[dict[str, float], float]] = {}

    @classmethod
    def load(cls, path: Path) -> "Recall":
        """Read a file of JSON lines, each a kind, a pattern and its answer; nothing where there is none."""
        try:
            with opened(path) as lines:
                # As one list: to read them line by line takes twice as long.
                return cls([_read(row) for row in json.loads(f"[{','.join(lines)}]")])
        except (OSError, EOFError, zlib.error):
            return cls([])

    @property
    def taught(self) -> Sequence[Taught]:
        """What was taught, in the order of its file."""
        return self._taught

    def near(
        self,
        told: str,
        kinds: Collection[str],
        most: int = 4,
        good: Callable[[Recalled], bool] = lambda found: True,
        below: float = math.inf,
        request: str = "",
    ) -> list[Recalled]:
        """The ``most`` likeliest different answers of these kinds that are ``good``, the likeliest first.

        Patterns as like the request as ``below``, or more, are passed over. ``request`` is the user's own words, which
        the slots of programs are filled with.
        """
        found: dict[tuple[str, str], Recalled] = {}
        for n, likeness in self._ranked(told, kinds):
            if likeness >= below:
                continue
            taught = self._taught[n]
            one = self.answered(taught, told, request, max(0.0, min(1.0, likeness)))
            if one is not None and (taught.kind, one.answer) not in found and good(one):
                found[taught.kind, one.answer] = one
                if len(found) == most:
                    break
        return list(found.values())

    def answered(self, taught: Taught, told: str, request: str, likeness: float = 0.0) -> Recalled | None:
        """What was taught, with its answer for a request; None for a program that the request does not fill."""
        if taught.kind == "python" and taught.says:
            made = filled(request or told, told, taught.pattern, taught.answer, taught.says, taught.slots, self._frames)
            return None if made is None else Recalled(taught, made.code, likeness, made.says)
        adapts = taught.kind in ADAPTED
        return Recalled(taught, adapted(told, taught.pattern, taught.answer) if adapts else taught.answer, likeness)

    @cached_property
    def _frames(self) -> frozenset[str]:
        """The words of requests for programs outside of their texts."""
        return vocabulary((t.pattern, t.slots) for t in self._taught if t.kind == "python")

    def _ranked(self, told: str, kinds: Collection[str]) -> Iterator[tuple[int, float]]:
        shared: dict[int, float] = defaultdict(float)
        for word in set(tokens(told)):
            weight = self.rarity(word)
            for n in self._with.get(word, ()):
                shared[n] += weight
        fits = {n: weight for n, weight in shared.items() if self._taught[n].kind in kinds}
        shortlist = nlargest(_SHORTLIST, fits, key=fits.__getitem__)
        scores = zip(shortlist, self.likenesses(told, shortlist), strict=True)
        yield from sorted(scores, key=lambda item: -item[1])

    def likenesses(self, told: str, numbers: Iterable[int]) -> list[float]:
        """How like a request each of these taught ones is, by words and numbers: at most 1, below 0 for no word."""
        asked = self._features(tokens(told))
        size = math.sqrt(sum(w * w for w in asked.values())) or 1.0
        found = []
        for n in numbers:
            other, length = self._pattern(n)
            likeness = sum(w * other[k] for k, w in asked.items() if k in other) / (size * length)
            taught = self._taught[n]
            if "$list" in taught.answer:
                unlike = _unlike(ROW.sub("", told), ROW.sub("", taught.pattern))
            else:
                unlike = _unlike(told, taught.pattern) if taught.kind in ADAPTED else 0
            found.append(likeness - _OTHER_NUMBERS * unlike)
        return found

    def _pattern(self, n: int) -> tuple[dict[str, float], float]:
        """A pattern's features and their length."""
        if n not in self._known:
            features = self._features(tokens(self._taught[n].pattern))
            self._known[n] = features, math.sqrt(sum(w * w for w in features.values())) or 1.0
        return self._known[n]

    def _features(self, words: Sequence[str]) -> dict[str, float]:
        rare = [self.rarity(w) for w in words]
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

    def rarity(self, word: str) -> float:
        """How rare a word is among what was taught (inverse document frequency)."""
        return math.log((len(self._taught) + 1) / (len(self._with.get(word, ())) + 0.5))

    @cached_property
    def _common(self) -> float:
        """What a piece of a word weighs: as much as a word that is neither rare nor common."""
        return math.log(len(self._taught) + 1) / 2


def opened(path: Path) -> TextIO:
    """A file of lines, packed by gzip, to be read. Raises OSError, and EOFError or zlib.error where it was cut."""
    return gzip.open(path, "rt", encoding="utf-8")


def _read(row: list[Any]) -> Taught:
    kind, pattern, answer, *more = row
    says, slots = more if more else ("", ())
    return Taught(kind, pattern, answer, says, tuple((name, value) for name, value in slots))


def fits(expression: str, values: Sequence[str], whole: Mapping[str, object] | set[str]) -> bool:
    """Whether each short name in an expression stands for a value of its kind."""
    for sign in _SIGN.findall(expression):
        n = int(sign[1:])
        if n > len(values) or values[n - 1] in whole or sign[0] != kind_of(values[n - 1]):
            return False
    return True


def formulas(text: str) -> set[str]:
    """The short names of formulas in a text."""
    return set(_FORMULA.findall(text))


def kind_of(value: str) -> str:
    """The sign of a value's kind: ``~`` a day, ``@`` a number, ``&`` a formula."""
    return "~" if _DAY.fullmatch(value) else "@" if _NUMBER.fullmatch(value) else "&"


def tokens(text: str) -> list[str]:
    """The words of a request without their plural endings, and its numbers by their kind alone."""
    return [_stem(piece) for piece in _PIECE.findall(_SHORT.sub(r"\1 is", text.lower()))]


@lru_cache(1 << 16)
def _stem(piece: str) -> str:
    """A word without its plural ending, a number by its kind alone."""
    if piece[0] in "@~&#":
        return piece[0]
    return piece[:-1] if len(piece) > 3 and piece.endswith("s") else piece


def _unlike(one: str, other: str) -> int:
    """In how many ways the numbers of two requests differ: how many there are, and how many different ones."""
    a, b = _SIGN.findall(one), _SIGN.findall(other)
    return (len(a) != len(b)) + 2 * (len(set(a)) != len(set(b)))
