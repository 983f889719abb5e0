"""A taught answer with the numbers, units and words of another request in the places of its own.

Numbers go by their order where there are as many, and so do units of measurement; else, as other words do, by an
alignment of the two requests (Ratcliff & Metzener 1988, through difflib). The name of a function gives way to another
function alone, so that ``days(~1, ~2)`` becomes ``weeks(~1, ~2)`` and never ``visa(~1, ~2)``. Knows no models.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path

from llmos.kernel.lists import PLACE, listed, taken

UNITS = Path(__file__).parent / "units.txt"
SIGN = re.compile(r"[@~&]\d+")
_TOKEN = re.compile(r"[@~&#]\d+|[A-Za-z]+|[^\sA-Za-z]")
_SHORT = re.compile(r"(?i)\b(what|how|where|that)['\u2019]?s\b")
_BEFORE = re.compile(r"square|sq|cubic|cu|us|uk|imperial|metric|fluid|fl|troy|nautical")
_LETTER = re.compile(r"in|to|into|as|@\d+")  # what a unit of one letter stands behind
_CODE, _QUOTED = re.compile(r"\bprint\(|\bplt\.|'"), re.compile(r"'[^'\n]*'|\"[^\"\n]*\"")
_POWERS = {"2": "2", "3": "3", "\u00b2": "2", "\u00b3": "3"}
_UNDER = {"hours": "h", "seconds": "s"}  # as they are spelled under a line
_COUNTS = frozenset({"days", "weeks", "months", "years"})  # units that are functions of two days
_FUNCTION = re.compile(
    r"sqrt|cbrt|abs|factorial|ln|log|exp|a?(?:sin|cos|tan)h?|mean|median|mode|max|min|sum|product|gcd|lcm|std|variance"
    r"|floor|ceil|round|expand|factor|simplify"
)
_KEPT = frozenset({"to", "pi", "oo", "today"})


@dataclass(frozen=True, slots=True)
class Piece:
    """A word, number or unit at ``start:end`` of a text; pieces of the same ``kind`` can stand in the same place.

    ``unit``: the unit's one spelling, empty for all else. ``called``: a bracket follows, or a dot stands before.
    """

    text: str
    kind: str
    start: int
    end: int
    unit: str = ""
    called: bool = False


@lru_cache(maxsize=65536)
def pieces(text: str) -> tuple[Piece, ...]:
    """The pieces of a request, in order; ``what's`` as two words."""
    return tuple(_pieces(_SHORT.sub(r"\1 is", text)))


def adapted(told: str, pattern: str, expression: str) -> str:
    """The expression for ``told``: numbers, units and words of the pattern replaced by those in their places.

    What functions take whole is a list, and may be of another length.
    """
    if "(" in expression:
        asked, numbers = listed(told)
        taught, others = listed(pattern) if numbers else ("", [])
        made = taken(expression, others, len(others) == len(numbers)) if others else ""
        if made:
            return _adapted(asked, taught, made).replace(PLACE, ", ".join(numbers))
    return _adapted(told, pattern, expression)


def _adapted(told: str, pattern: str, expression: str) -> str:
    old, new = pieces(pattern), pieces(told)
    parts = tuple(_pieces(expression))
    signs = _in_order(_signs(old), _signs(new))
    words: dict[str, str] = {}
    measured: dict[str, str] = {}
    if signs is None or any(_open(p) for p in parts):
        placed, measured, words = _aligned(old, new)
        signs = placed if signs is None else signs
    units = _measured(old, new, signs, measured)
    texts = [m.span() for m in _QUOTED.finditer(expression)] if _CODE.search(expression) else [(0, len(expression))]
    made, at = "", 0
    for part in parts:
        # Words of a program stand in its texts, all else is Python's.
        free = len(part.text) == 1 or any(start <= part.start < end for start, end in texts)
        made += expression[at : part.start] + _replaced(part, signs, units, words if free else {})
        at = part.end
    return made + expression[at:]


def signs_for(told: str, pattern: str) -> dict[str, str]:
    """Each short name of the pattern with the one in its place in ``told``, where there is one for certain."""
    old, new = pieces(pattern), pieces(told)
    signs = _in_order(_signs(old), _signs(new))
    return _aligned(old, new)[0] if signs is None else signs


def _replaced(
    part: Piece,
    signs: Mapping[str, str],
    units: Mapping[str, str],
    words: Mapping[str, str],
) -> str:
    text = part.text
    if SIGN.match(text):
        return signs.get(text, text)
    if part.called and text in _COUNTS:
        other = units.get(text, text)
        return other if other in _COUNTS else text
    if part.unit and not part.called:
        other = units.get(part.unit, part.unit)
        return text if other == part.unit else other
    if not text.isalpha() or text in _KEPT:
        return text
    other = words.get(text.lower() if len(text) > 1 else text, text)
    if part.called or _FUNCTION.fullmatch(text):
        return other.lower() if _FUNCTION.fullmatch(text) and _FUNCTION.fullmatch(other.lower()) else text
    return other if (len(other) == 1) == (len(text) == 1) else text


def _open(part: Piece) -> bool:
    """Whether a word of an expression may have to give way to another."""
    text = part.text
    fixed = text in _KEPT or part.unit or (part.called and not _FUNCTION.fullmatch(text))
    return text.isalpha() and not fixed


def _measured(
    old: Sequence[Piece], new: Sequence[Piece], signs: Mapping[str, str], aligned: Mapping[str, str]
) -> dict[str, str]:
    """Each unit of ``old`` with the one for it: that of the same number, the others by their order or alignment."""
    theirs = {a.text: b.unit for a, b in pairwise(new) if b.unit and SIGN.match(a.text)}
    found: dict[str, str] = {}
    for number, unit in pairwise(old):
        other = theirs.get(signs.get(number.text, ""))
        if unit.unit and other and SIGN.match(number.text):
            found.setdefault(unit.unit, other)
    left = [u for u in _units(old) if u not in found]
    right = [u for u in _units(new) if u not in found.values()]
    rest = dict(zip(left, right, strict=True)) if len(left) == len(right) else {u: aligned.get(u, u) for u in left}
    return {**rest, **found}


def _aligned(old: Sequence[Piece], new: Sequence[Piece]) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """Numbers, units and words of ``old``, each with what stands in its place in ``new``."""
    signs: dict[str, set[str]] = {}
    units: dict[str, set[str]] = {}
    words: dict[str, str] = {}
    matcher = SequenceMatcher(None, [p.kind for p in old], [p.kind for p in new], autojunk=False)
    for does, i, j, k, end in matcher.get_opcodes():
        if does != "equal" and (does != "replace" or j - i != end - k):
            continue
        for one, other in zip(old[i:j], new[k:end], strict=True):
            if SIGN.match(one.text) and one.kind == other.kind:
                signs.setdefault(one.text, set()).add(other.text)
            elif one.unit and other.unit:
                units.setdefault(one.unit, set()).add(other.unit)
            elif one.text.isalpha() and other.text.isalpha() and not one.unit and not other.unit:
                words[one.text.lower() if len(one.text) > 1 else one.text] = other.text
    return _certain(signs), _certain(units), words


def _certain(found: Mapping[str, set[str]]) -> dict[str, str]:
    return {one: min(others) for one, others in found.items() if len(others) == 1}


def _in_order(old: Sequence[str], new: Sequence[str]) -> dict[str, str] | None:
    """The first for the first, where they are as many, each always for the same and of its kind; else None."""
    pairs = dict(zip(old, new, strict=False))
    same = len(old) == len(new) and all(pairs[a] == b and a[0] == b[0] for a, b in zip(old, new, strict=True))
    return pairs if same else None


def _signs(found: Sequence[Piece]) -> list[str]:
    return [p.text for p in found if SIGN.match(p.text)]


def _units(found: Sequence[Piece]) -> list[str]:
    """The different units of a request, in the order of their appearance."""
    return list(dict.fromkeys(p.unit for p in found if p.unit))


def _pieces(text: str) -> list[Piece]:
    tokens = list(_TOKEN.finditer(text))
    found: list[Piece] = []
    n = 0
    while n < len(tokens):
        unit, end = _unit(tokens, n)
        start = tokens[n].start()
        called = text[tokens[end - 1].end() : tokens[end - 1].end() + 1] == "(" or text[start - 1 : start] == "."
        word = text[start : tokens[end - 1].end()]
        kind = "unit" if unit else word[0] if word[0] in "@~&#" and len(word) > 1 else word.lower()
        found.append(Piece(word, kind, start, tokens[end - 1].end(), unit, called))
        n = end
    return found


def _unit(tokens: Sequence[re.Match[str]], n: int) -> tuple[str, int]:
    """The unit that begins at a token and the token behind it; an empty one and the next token where there is none."""
    unit, end = _term(tokens, n)
    if unit and end + 1 < len(tokens) and tokens[end][0].lower() in ("/", "per"):
        # Consumption is told for a hundred kilometres.
        hundred = "".join(t[0] for t in tokens[end + 1 : end + 4]) == "100"
        skip = 3 if hundred else int(bool(SIGN.fullmatch(tokens[end + 1][0])))
        under, after = _term(tokens, end + 1 + skip, True) if end + 1 + skip < len(tokens) else ("", 0)
        if under:
            return f"{unit}/{'100' if skip else ''}{_UNDER.get(under, under)}", after
    return (unit, end) if unit else ("", n + 1)


def _term(tokens: Sequence[re.Match[str]], n: int, letter: bool = False) -> tuple[str, int]:
    word, first = tokens[n][0].lower(), n
    if _BEFORE.fullmatch(word) and n + 1 < len(tokens):
        n += 1
    name = tokens[n][0].lower()
    before = tokens[first - 1][0].lower() if first else ""
    unit = _names().get(name, "")
    if not unit or ((len(name) == 1 or name == "min") and not (letter or n > first or _LETTER.fullmatch(before))):
        return "", first + 1
    power = {"square": "2", "sq": "2", "cubic": "3", "cu": "3"}.get(word, "") if n > first else ""
    if n > first and not power and word != "us":
        unit = f"{word} {unit}"
    after = tokens[n + 1] if n + 1 < len(tokens) else None
    if after is not None and after[0] == "^" and n + 2 < len(tokens) and tokens[n + 2][0] in _POWERS:
        return unit + _POWERS[tokens[n + 2][0]], n + 3
    if after is not None and after[0] in _POWERS and after.start() == tokens[n].end():
        return unit + _POWERS[after[0]], n + 2
    return unit + power, n + 1


@cache
def _names() -> dict[str, str]:
    """Every spelling of a unit, with its first."""
    lines = UNITS.read_text(encoding="utf-8").splitlines()
    return {name: line.split()[0] for line in lines if line and line[0] != "#" for name in line.lower().split()}
