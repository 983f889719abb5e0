"""Which tokens may follow where an answer's text cites: after ``[`` only the numbers of what was read for it.

Works on the bytes of tokens, so that one which holds the end of a mark and the beginning of the next is seen through,
whatever the tokenizer. Code between backticks is free, and so is all else but digits in brackets. What a number stands
for is the business of citations, which looks once more at the finished text.
"""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from llmos.kernel.bits import Bits, pack

_DIGITS, _SPACES, _SEPARATORS = b"0123456789", b" \t\n\r\f\v", b",;"
# Tokens that may have to be refused somewhere; from plain text only those with digits behind a bracket of their own.
_ANYWHERE = re.compile(rb"\[\s*\d")
_INSIDE = re.compile(rb"[\s,;]*\d")


class Spot(NamedTuple):
    """Where a text stands. ``inside`` a bracket: ``[`` before a number, ``9`` in one, ``.`` behind one; empty: outside.

    ``code`` is the number of backticks that will end the code that it is in, ``ticks`` how many came in a row.
    """

    inside: str = ""
    digits: bytes = b""
    code: int = 0
    ticks: int = 0


class Brackets:
    """The tokens of a tokenizer that citing is about, of ``bytes_of`` by id; ids of ``control`` are none of them.

    Shared by all replies of a model.
    """

    def __init__(self, bytes_of: Sequence[bytes], control: frozenset[int], vocabulary: int) -> None:
        self.bytes_of, self.vocabulary = bytes_of, vocabulary
        plain = [(i, b) for i, b in enumerate(bytes_of) if b and i not in control and i < vocabulary]
        self.opening = [(i, b) for i, b in plain if _ANYWHERE.search(b)]
        self.going_on = [(i, b) for i, b in plain if _ANYWHERE.search(b) or _INSIDE.match(b)]
        self.digits = [(i, b) for i, b in plain if b[:1].isdigit()]


class Limit:
    """The limit of one answer: its marks have numbers of ``marks`` and no others."""

    def __init__(self, brackets: Brackets, marks: Iterable[int]) -> None:
        self._brackets = brackets
        self._whole = frozenset(str(n).encode() for n in marks)
        self._begun = frozenset(number[:end] for number in self._whole for end in range(1, len(number) + 1))
        self._masks: dict[Spot, Bits] = {}

    def narrow(self, spot: Spot, free: Bits) -> Bits:
        """Those of the ``free`` tokens that may come at a spot; all of them where none would be left."""
        if spot not in self._masks:
            self._masks[spot] = self._allowed(spot)
        allowed = self._masks[spot]
        size = min(len(free), len(allowed))
        left: Bits = free[:size] & allowed[:size]
        return left if left.any() else free

    def after(self, spot: Spot, token: int) -> Spot:
        """The spot behind a token; of one that was not allowed, outside all brackets."""
        found = self._over(spot, self._brackets.bytes_of[token])
        return Spot() if found is None else found

    def _allowed(self, spot: Spot) -> Bits:
        known = self._brackets
        if spot.inside == "9" and spot.digits not in self._whole:  # a number that has to go on
            return pack((i for i, b in known.digits if self._over(spot, b) is not None), known.vocabulary)
        doubtful = known.going_on if spot.inside else known.opening
        refused = pack((i for i, b in doubtful if self._over(spot, b) is None), known.vocabulary)
        allowed: Bits = np.bitwise_not(refused)
        return allowed

    def _over(self, spot: Spot, text: bytes) -> Spot | None:
        """The spot behind a text; None where it holds a number that cannot be cited."""
        for letter in text:
            found = _code(spot, letter) if spot.code or letter == 0x60 else self._plain(spot, letter)
            if found is None or (spot.inside == "9" and found.inside != "9" and spot.digits not in self._whole):
                return None
            spot = found
        return spot

    def _plain(self, spot: Spot, letter: int) -> Spot | None:
        """The spot behind a letter of plain text, which is no backtick; None where it begins no number of a mark."""
        if letter == 0x5B:
            return Spot("[")
        if letter in _DIGITS and spot.inside in ("[", "9"):
            digits = spot.digits + bytes([letter])
            return Spot("9", digits) if digits in self._begun else None
        if letter in _SPACES and spot.inside:
            return Spot("[" if spot.inside == "[" else ".")
        if letter in _SEPARATORS and spot.inside in ("9", "."):
            return Spot("[")
        return Spot()


def _code(spot: Spot, letter: int) -> Spot:
    """The spot behind a letter in code, or behind a backtick."""
    if letter != 0x60:
        return Spot() if spot.code == 1 and letter == 0x0A else spot._replace(ticks=0)  # code on a line ends with it
    if spot.code == 3:
        return Spot() if spot.ticks == 2 else spot._replace(ticks=spot.ticks + 1)
    if spot.code == 1:  # two in a row: empty, or the beginning of three
        return Spot(ticks=2 * spot.ticks)
    return Spot(code=3) if spot.ticks == 2 else Spot(code=1, ticks=1)
