"""What a call of the embedded kernel may name: short names that stand for something, files and words that were said.

Works on the short names of :mod:`llmos.kernel.aliases`, for the embedded kernel alone; a larger model computes numbers
and invents names of its own. Knows how the embedded kernel writes its code and expressions; not what any of it means.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property

from llmos.kernel.aliases import Aliases
from llmos.kernel.bits import Bits, pack
from llmos.kernel.recall import Recall, fits
from llmos.kernel.slots import fitting, mentioned

# What stands before a column.
_PLACE = re.compile(
    r"(?:\b(?:x|y|index|columns|values|by|column)=\[?(?:#\d+, )*|df\[|\]\[|\)\[|\[\[(?:#\d+, )*"
    r"|(?:groupby|set_index|boxplot|sort_values)\(|n(?:largest|smallest)\([@\d]+, )$"
)
_SIGN = re.compile(r"([@~#])(\d*)$")
_LOAD = re.compile(r"\bload\('([^']*)$")
_VALUE = re.compile(r"(?:== |isin\(\[(?:'[^']*', )*)'([^']*)$")
_CODE, _EXPRESSION = '"code": "', '"expression": "'
_NUMBER = re.compile(r"(?<![\w.@~])(\d[\d.]*|)$")

# A request that is this like one that was taught is answered as that one was; one that is a little less so by one of
# several, which the model chooses. Measured by bench/recall.py.
SURE, LIKELY, NEARLY, MOST = 0.6, 0.4, 0.8, 4

# Numbers that nobody needs to say: small ones, clocks, calendars, parts and powers of ten.
_ROUND = (36, 40, 45, 48, 50, 52, 60, 64, 72, 75, 80, 90, 96, 100, 144, 180, 200, 273, 360, 365, 366, 500, 1000, 1440)
_PARTS = ("0.1", "0.2", "0.25", "0.5", "0.75", "0.01", "0.001", "1.5", "2.5", "273.15")
UNSAID = frozenset(
    [*_PARTS, *map(str, _ROUND), "3600", "10000", "86400", "1000000"]
    + [f"{n:{w}}" for n in range(32) for w in ("", "02")]
)


class Vocabulary:
    """The plain tokens of a tokenizer, by their bytes. Shared by all replies of a model."""

    def __init__(self, bytes_of: Sequence[bytes], control: frozenset[int]) -> None:
        self.ids = {b: i for i, b in enumerate(bytes_of) if b and i not in control}
        self.size = len(bytes_of)
        self._signless: dict[str, Bits] = {}
        self.ending = {c: [(b, i) for b, i in self.ids.items() if c in b] for c in (b"'", b'"')}
        self.digits = {chr(b[0]): i for b, i in self.ids.items() if len(b) == 1 and b.isdigit()}
        self.point = self.ids.get(b".")
        # Tokens that do not go on with a number.
        self.others = self.without(lambda b: b[:1].isdigit() or b[:1] == b".")
        self.unquoted = self.without(lambda b: b"'" in b)

    def without(self, unwanted: Callable[[bytes], bool]) -> Bits:
        """The plain tokens but these."""
        return pack((i for b, i in self.ids.items() if not unwanted(b)), self.size)

    def signless(self, signs: str) -> Bits:
        """The plain tokens without these signs."""
        if signs not in self._signless:
            self._signless[signs] = self.without(lambda b: any(s.encode() in b for s in signs))
        return self._signless[signs]


class Pointers:
    """What one request's calls may name."""

    def __init__(self, vocabulary: Vocabulary, aliases: Aliases, recall: Callable[[], Recall] | None = None) -> None:
        self._vocabulary = vocabulary
        self._files = list(aliases.files)
        self._columns = aliases.columns
        self._meant = mentioned(aliases.turn.request, aliases.columns)
        self._signs: dict[str, list[int]] = {"@": [], "~": [], "#": list(range(1, len(aliases.columns) + 1))}
        for n, value in enumerate(aliases.turn.values, 1):
            if value not in aliases.turn.whole:
                self._signs["~" if value.count("-") == 2 else "@"].append(n)
        self._constants = UNSAID | {v[:4] for v in aliases.turn.values if re.match(r"(?:1[89]|20)\d\d(?!\d)", v)}
        unused = "".join(sign for sign, numbers in self._signs.items() if not numbers)
        self._known = vocabulary.signless(unused) if unused else None
        self._values = sorted(_spans(aliases.turn.request))
        self._turn = aliases.turn
        self._recall = recall if aliases.turn.fresh else None

    def narrow(self, written: bytes, bits: Bits) -> Bits:
        """The allowed ids, of those in ``bits``, after ``written`` of a call; ``bits`` where it names nothing."""
        text = written.decode("utf-8", "replace")
        code, expression = text.rfind(_CODE), text.rfind(_EXPRESSION)
        if code < 0 and expression < 0:
            return bits
        wanted = [self._known, self._sign(text)]
        if code >= 0:
            wanted += self._in_code(text[code + len(_CODE) :])
        else:
            wanted += [self._constant(text), self._spelled(text[expression + len(_EXPRESSION) :], self._recalled, '"')]
        for some in wanted:
            if some is not None:
                size = min(len(bits), len(some))
                both = bits[:size] & some[:size]
                bits = both if both.any() else bits
        return bits

    def _sign(self, text: str) -> Bits | None:
        found = _SIGN.search(text)
        if found is None:
            return None
        sign, begun = found[1], found[2]
        fits = self._signs[sign]
        if sign == "#":
            fits = fitting(text, self._columns, self._meant, self._turn.attached)
        return self._number(begun, {str(n) for n in fits})

    def _in_code(self, code: str) -> list[Bits | None]:
        if self._columns and _PLACE.search(code):
            return [self._vocabulary.unquoted]
        load, value = _LOAD.search(code), _VALUE.search(code)
        if load:
            return [self._spelled(load[1], self._files)]
        return [self._spelled(value[1], self._values)] if value else []

    def _spelled(self, begun: str, names: Iterable[str], quote: str = "'") -> Bits | None:
        """How one of ``names`` goes on to its closing quote; None where none begins so."""
        start, ids = begun.encode(), set[int]()
        for name in names:
            spelled = name.encode()
            if spelled.startswith(start):
                rest = spelled[len(start) :] + quote.encode()
                ids.update(i for k in range(1, len(rest)) if (i := self._vocabulary.ids.get(rest[:k])) is not None)
                ids.update(i for b, i in self._vocabulary.ending[quote.encode()] if b.startswith(rest))
        return pack(ids, self._vocabulary.size) if ids else None

    @cached_property
    def _recalled(self) -> list[str]:
        """The expressions one of which is to be written; none where no request that was taught is like this one."""
        turn = self._turn
        found = self._recall().near(turn.told, MOST, lambda e: fits(e, turn.values, turn.whole)) if self._recall else []
        if not found or found[0].likeness < LIKELY:
            return []
        best = found[0].likeness
        return [r.expression for r in found if r.likeness >= NEARLY * best] if best < SURE else [found[0].expression]

    def _constant(self, text: str) -> Bits | None:
        found = _NUMBER.search(text)
        return None if found is None else self._number(found[1], self._constants, optional=not found[1])

    def _number(self, begun: str, numbers: Iterable[str], optional: bool = False) -> Bits:
        """How one of ``numbers`` may go on, or end where it is whole; none need come where it is ``optional``."""
        known = set(numbers)
        going = {n[len(begun)] for n in known if len(n) > len(begun) and n.startswith(begun)}
        ids = [i for d, i in self._vocabulary.digits.items() if d in going]
        if "." in going and self._vocabulary.point is not None:
            ids.append(self._vocabulary.point)
        wanted = pack(ids, self._vocabulary.size)
        return wanted | self._vocabulary.others if optional or begun in known else wanted


def _spans(request: str, most: int = 5) -> set[str]:
    """Every run of words of a request, for the values it may name."""
    found = [(m.start(), m.end()) for m in re.finditer(r"[^\s,;:?!.'\"()]+(?:\.[^\s,;:?!.'\"()]+)*", request)]
    return {request[a : found[j][1]] for i, (a, _) in enumerate(found) for j in range(i, min(i + most, len(found)))}
