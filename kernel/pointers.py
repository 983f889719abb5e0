"""Names and numbers in a call that stand in the context are copied from it whole: a small model chooses which, the
grammar spells it.

For the embedded kernel alone; a larger model computes numbers and invents names of its own. Knows how the embedded
kernel writes its code and expressions, and how previews name files and columns; not what any of it means.
"""

import re
from collections.abc import Sequence

from llmos.kernel.bits import Bits, pack
from llmos.kernel.slots import Column, fitting
from llmos.kernel.types import Message

_FILE = re.compile(r"^file '([^'\"\\]+)'", re.M)
_COLUMNS = re.compile(r"^columns: (.*)$", re.M)
_NAME = re.compile(r"'([^'\"\\\u2026]+)' \(([\w/]+)")
# What stands before a quoted column name, or before one in a list of them.
_TAKES = rb"\b(?:x|y|index|columns|values|by|column)=|df\[|\]\[|\)\["
_CALLS = rb"(?:groupby|set_index|boxplot|sort_values)\(|n(?:largest|smallest)\(\d+, "
_ONE = re.compile(rb"(?:%b|%b)'([^']*)$" % (_TAKES, _CALLS))
_LIST = re.compile(rb"(?:%b)\[(?:'[^']*', )*'([^']*)$" % _TAKES)
_LOAD = re.compile(rb"\bload\('([^']*)$")
_CODE, _EXPRESSION = b'"code": "', b'"expression": "'
_NUMBER = re.compile(rb"(?<![\w.])(\d[\d.]*|)$")

_SAID = re.compile(
    r"(?<![\w.])(\d{1,3}(?:[,\u00a0\u202f ]\d{3})+|\d+)(\.\d+)?(?:\s*(thousand|k|million|mio|m|billion|bn)\b)?", re.I
)
_TIMES = {"thousand": 3, "k": 3, "million": 6, "mio": 6, "m": 6, "billion": 9, "bn": 9}
# Numbers that nobody needs to say: small ones, clocks, calendars, parts and powers of ten.
_ROUND = (36, 40, 45, 48, 50, 52, 60, 64, 72, 75, 80, 90, 96, 100, 144, 180, 200, 360, 365, 366, 500, 1000, 1440)
_PARTS = ("0.1", "0.2", "0.25", "0.5", "0.75", "0.01", "0.001", "1.5", "2.5")
UNSAID = frozenset(
    [*_PARTS, *map(str, _ROUND), "3600", "10000", "86400", *(f"{n:{w}}" for n in range(32) for w in ("", "02"))]
)
_WORDS = {
    "twenty": range(20, 30), "thirty": range(30, 40), "forty": range(40, 50), "fifty": range(50, 60),
    "sixty": range(60, 70), "seventy": range(70, 80), "eighty": range(80, 90), "ninety": range(90, 100),
    "hundred": range(100, 1000, 100), "thousand": range(1000, 10000, 1000), "million": (10**6,), "billion": (10**9,),
}  # fmt: skip


class Vocabulary:
    """The plain tokens of a tokenizer, by their bytes. Shared by all replies of a model."""

    def __init__(self, bytes_of: Sequence[bytes], control: frozenset[int]) -> None:
        self.ids = {b: i for i, b in enumerate(bytes_of) if b and i not in control}
        self.size = len(bytes_of)
        self.quotes = [i for b, i in self.ids.items() if b[:1] == b"'"]
        # Tokens that go on with a number, and all others.
        self.digits = {b: i for b, i in self.ids.items() if b in b"0123456789" and len(b) == 1}
        self.point = self.ids.get(b".")
        other = [i for b, i in self.ids.items() if not b[:1].isdigit() and b[:1] != b"."]
        self.others = pack(other, self.size)


class Pointers:
    """What one request's calls may name."""

    def __init__(self, vocabulary: Vocabulary, messages: Sequence[Message]) -> None:
        self._vocabulary = vocabulary
        self._files, self._columns = named(messages)
        asked = [m for m in messages if m.role == "user"]
        parts = asked[-1].parts if asked else ()
        self._request = " ".join(p.content for p in parts if p.source.origin == "user" and isinstance(p.content, str))
        self._numbers = UNSAID | said(messages)

    def narrow(self, written: bytes, bits: Bits) -> Bits:
        """The allowed ids, of those in ``bits``, after ``written`` of a call; ``bits`` where it names nothing."""
        at = written.rfind(_CODE)
        if at >= 0:
            wanted = self._in_code(written[at + len(_CODE) :])
        else:
            at = written.rfind(_EXPRESSION)
            wanted = self._in_expression(written[at + len(_EXPRESSION) :]) if at >= 0 else None
        if wanted is None:
            return bits
        size = min(len(bits), len(wanted))
        both = bits[:size] & wanted[:size]
        return both if both.any() else bits

    def _in_code(self, code: bytes) -> Bits | None:
        load = _LOAD.search(code)
        found = load or _ONE.search(code) or _LIST.search(code)
        if found is None:
            return None
        names = self._files if load else fitting(code, self._columns, self._request)
        if not names:
            return None
        begun, ids = found[1], set[int]()
        for name in names:
            spelled = name.encode()
            if spelled.startswith(begun):
                rest = spelled[len(begun) :] + b"'"
                ids.update(i for k in range(1, len(rest) + 1) if (i := self._vocabulary.ids.get(rest[:k])) is not None)
                if rest == b"'":
                    ids.update(self._vocabulary.quotes)
        return pack(ids, self._vocabulary.size) if ids else None

    def _in_expression(self, text: bytes) -> Bits | None:
        found = _NUMBER.search(text)
        if found is None:
            return None
        begun = found[1].decode()
        going = {n[len(begun)] for n in self._numbers if len(n) > len(begun) and n.startswith(begun)}
        ids = [i for b, i in self._vocabulary.digits.items() if b.decode() in going]
        if "." in going and self._vocabulary.point is not None:
            ids.append(self._vocabulary.point)
        wanted = pack(ids, self._vocabulary.size)
        # A number may end where one is whole; where none has begun anything else may come.
        return wanted | self._vocabulary.others if not begun or begun in self._numbers else wanted


def named(messages: Sequence[Message]) -> tuple[list[str], list[Column]]:
    """The files and the columns that previews in the context name."""
    files: dict[str, None] = {}
    columns: dict[str, Column] = {}
    for message in messages:
        for part in message.parts:
            if part.source.origin in ("file", "library") and isinstance(part.content, str):
                files |= dict.fromkeys(_FILE.findall(part.content))
                for line in _COLUMNS.findall(part.content):
                    columns |= {name: Column(name, kind) for name, kind in _NAME.findall(line)}
    return list(files), list(columns.values())


def said(messages: Sequence[Message]) -> set[str]:
    """The numbers that stand in the conversation, without separators of thousands."""
    found: set[str] = set()
    for message in messages:
        if message.role == "system":
            continue
        for whole, part, unit in _SAID.findall(message.text):
            number = re.sub(r"\D", "", whole)
            found |= {number + part, number, *number_words(number, part, unit)}
            # "12 500" may be two numbers.
            found |= set(re.findall(r"\d+", whole))
        words = set(re.findall(r"[a-z]+", message.text.lower()))
        found |= {str(n) for word in words & _WORDS.keys() for n in _WORDS[word]}
    return found


def number_words(number: str, part: str, unit: str) -> list[str]:
    """``2``, ``.4`` and ``million`` as ``2400000``; nothing where there is no such word, or digits are left over."""
    places, after = _TIMES.get(unit.lower(), -1), part[1:]
    return [(number + after.ljust(places, "0")).lstrip("0") or "0"] if len(after) <= places else []
