"""A quantity that is asked for in other units, as the calculator's expression: no model needs to guess.

``how many feet is 1.83 m`` is ``1.83 m to feet``, ``my baby weighs 7 lb 6, in kilos?`` is ``7 pounds 6 ounces to kg``.
One quantity, and units of the same kind with no number before them; all else is left alone. Knows no models.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise

from llmos.kernel.adapt import UNITS
from llmos.kernel.literals import literals

_LONGEST = 250  # characters of a request
_TOKEN = re.compile(
    r"(?P<number>(?:\d+ \d+/\d+|\d+/\d+(?=[ a-z])|\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?(?:e[-+]?\d+)?"
    r"|\.\d+)(?!\d))"
    r"|(?P<word>[a-z]+)|(?P<sign>\S)"
)
_LARGER = {"feet": "inches", "stone": "pounds", "pounds": "ounces", "kg": "grams", "m": "cm", "hours": "minutes",
           "minutes": "seconds"}  # fmt: skip
_POWERS = {"square": "2", "sq": "2", "cubic": "3", "cu": "3"}
_RAISED = {"\u00b2": "2", "\u00b3": "3", "squared": "2", "cubed": "3"}
_KINDS = {
    ("length", "time"): "speed", ("data", "time"): "data rate", ("volume", "length"): "fuel",
    ("length", "volume"): "fuel", ("volume", "time"): "flow", ("length3", "time"): "flow",
    ("mass", "volume"): "density", ("mass", "length3"): "density",
}  # fmt: skip
_CALLED = {"length2": "area", "length3": "volume"}
# Names of two words, and what they measure.
_TWO = {
    ("light", "years"): ("light years", "length"), ("light", "year"): ("light years", "length"),
    ("metric", "tons"): ("metric tons", "mass"), ("metric", "ton"): ("metric tons", "mass"),
    ("short", "tons"): ("short tons", "mass"), ("long", "tons"): ("long tons", "mass"),
    ("long", "ton"): ("long tons", "mass"), ("metric", "horsepower"): ("PS", "power"),
    ("metric", "cups"): ("metric cups", "volume"), ("metric", "cup"): ("metric cups", "volume"),
    ("kilowatt", "hours"): ("kWh", "energy"), ("kilowatt", "hour"): ("kWh", "energy"), ("kw", "h"): ("kWh", "energy"),
    ("watt", "hours"): ("Wh", "energy"), ("ft", "lbs"): ("ft_lbs", "energy"), ("foot", "pounds"): ("ft_lbs", "energy"),
}  # fmt: skip
_IMPERIAL = {"gallons": "imperial gallons", "pints": "imperial pints", "quarts": "imperial quarts",
             "mpg": "imperial mpg", "fl oz": "imperial fluid ounces"}  # fmt: skip
_BRITISH = re.compile(r"\b(?:imperial|imp|uk|british|english|in (?:england|britain))\b")
_METRIC = re.compile(r"\bmetric\b")
_LETTERS = frozenset(["min", "in", "c", "f", "k", "g", "h", "l", "m", "s", "b", "t", "w", "j", "n", "a", "v"])
_COMMON = frozenset(["second", "bar", "cal", "pa", "ha", "mw", "ps", "au", "pound", "rad", "st"])  # of other meanings
_AIM = frozenset(["to", "in", "into", "as", "=", ">", "many", "much", "for", "and", ",", "/", "of"])
_ELSE = re.compile(
    r"[%$\u00a3\u20ac\u20b9]|\b(?:per (?:person|head|day|unit|item)|cost|costs|price|pay|paid|each|every|save"
    r"|left|minus(?! \d)|add"
    r"|times|twice|double|half of|remember|area of|perimeter|speed of|rate|usd|eur|gbp|inr|dollars?|euros?"
    r"|rupees?|yen|bucks"
    r"|plot|chart|draw|python|code|program|remind|timer|square root|sum|difference|average|mean|from now|ago|until|date"
    r"|clock|o'clock|am|pm|today|tomorrow|yesterday)\b"
)
_PARTS = [
    (re.compile(r"\b(\d+) and (?:a|1) half\b"), r"\1.5"),
    (re.compile(r"\b(\d+) and (?:a|1) quarter\b"), r"\1.25"),
    (re.compile(r"\b(\d+) and 3 quarters\b"), r"\1.75"),
    (re.compile(r"\b3 quarters (?:of )?(?:an? )?"), "0.75 "),
    (re.compile(r"\b(\d+) thirds? of (?:an? )?"), r"\1/3 "),
    (re.compile(r"\b(\d+) fifths? of (?:an? )?"), r"\1/5 "),
    (re.compile(r"\b(\d+) eighths? of (?:an? )?"), r"\1/8 "),
    (re.compile(r"(\d/\d+) of (?:an? )?(?=[a-z])"), r"\1 "),
    (re.compile(r"\b(?:a |1 )?half (?:of )?(?:an? )?(?=[a-z])"), "0.5 "),
    (re.compile(r"\b(?:a |1 )?quarter (?:of )?(?:an? )?(?=[a-z])"), "0.25 "),
    (re.compile(r"(\d+(?:\.\d+)?) ?(?:'|\u2032|\u2019)(?: ?(\d+(?:\.\d+)?) ?(?:\"|''|\u2033|\u201d)?)(?![\d.])"),
     r"\1 feet \2 inches"),
    (re.compile(r"(\d+(?:\.\d+)?) ?(?:'|\u2032)(?![a-z\d])"), r"\1 feet"),
    (re.compile(r"(\d+(?:\.\d+)?) ?(?:\"|\u2033|\u201d)(?!\w)"), r"\1 inches"),
    (re.compile(r"(?:\u00b0|\u00ba) ?(?=[cfk]\b)"), " degrees "),
    (re.compile(r"\bdeg(?:s|\.)? (?=[cfk]\b)"), "degrees "),
    (re.compile(r"(?<=[a-z])\. (?=[a-z])|(?<=\b(?:ft|in|oz|sq|cu|fl))\.(?= |$)|(?<=\blbs)\.(?= |$)"), " "),
    (re.compile(r"\b(?:miles|mi) (?:per|to the|a|/) (?:gallon|gal)\b"), "mpg"),
    (re.compile(r"\b(?:km|kilomet(?:re|er)s?)s? ?(?:per|an|/|p) ?(?:hour|hr|h)\b"), "km/h"),
    (re.compile(r"\bmiles? ?(?:per|an|a|/) ?(?:hour|hr|h)\b"), "mph"),
    (re.compile(r"\b(?:knots?|kts?)\b"), "knots"),
    (re.compile(r"\bmega ?bits? (?:per|a|/) ?(?:second|sec|s)\b"), "mbps"),
    (re.compile(r"\bmm ?hg\b"), "mmhg"),
    (re.compile(r"\b(?:pounds?|lbs?) (?:per|/) ?(?:square|sq) inch\b"), "psi"),
    (re.compile(r"\bst\b(?= \d|$| in\b| to\b| into\b)"), "stone"),
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Unit:
    name: str
    kind: str
    end: int
    start: int = 0


def conversion(request: str) -> str:
    """The expression for a quantity that a request wants in other units; empty for all else."""
    if len(request) > _LONGEST:
        return ""
    text = _digits(request.strip().lower().replace("\u2019", "'"))
    if _ELSE.search(text):
        return ""
    british = _BRITISH.search(text) is not None
    for pattern, made in _PARTS:
        text = pattern.sub(made, text)
    quantities, aims = _read(list(_TOKEN.finditer(text)), british)
    if len(quantities) != 1 or not aims or any(not aim.kind for aim in aims):
        return ""
    parts = quantities[0]
    if [kind for _, _, kind in parts] == ["mass"] and parts[0][1] == "ounces" and aims[0].kind == "volume":
        # What is poured comes in fluid ounces.
        parts = [(parts[0][0], _IMPERIAL["fl oz"] if british else "fl oz", "volume")]
    if _METRIC.search(text):
        parts = [(number, "tonnes" if unit == "tons" else unit, kind) for number, unit, kind in parts]
    if {kind for _, _, kind in parts} != {aim.kind for aim in aims} or aims[0].name in {
        unit for _, unit, _ in parts[:1]
    }:
        return ""
    # Of several units each goes on from the one before: hours, minutes and seconds.
    if any(after.start - one.end > 2 for one, after in pairwise(aims)):
        return ""
    wanted = " and ".join(dict.fromkeys(aim.name for aim in aims))
    return f"{' '.join(f'{number} {unit}' for number, unit, _ in parts)} to {wanted}"


_Parts = list[tuple[str, str, str]]  # a number, its unit and what that measures


def _read(tokens: Sequence[re.Match[str]], british: bool) -> tuple[list[_Parts], list[_Unit]]:
    """The quantities of a text, each of one number or several, and the units without a number; nothing if unclear."""
    quantities: list[_Parts] = []
    aims: list[_Unit] = []
    n, ends = 0, -1  # where the last quantity ends
    while n < len(tokens):
        word = tokens[n][0]
        single = word in ("a", "an", "1") and (
            not n or tokens[n - 1][0] in ("in", "is", "does", "make", "makes", "of", "into")
        )
        number = tokens[n]["number"]
        if number or single:
            unit = _unit(tokens, n + 1, True, british)
            if unit is None and number is None:
                n += 1
                continue
            last = quantities[-1] if quantities and ends == n else None
            if unit is None:
                # The smaller unit of two may go without saying: 5 feet 11.
                small = _LARGER.get(last[-1][1], "") if last else ""
                if not last or not small:
                    return [], []
                last.append((_written(number), small, last[-1][2]))
                n = ends = n + 1
                continue
            sign = "-" if n and tokens[n - 1][0] in ("-", "\u2212", "minus", "negative") else ""
            one = (sign + _written(number or "1"), unit.name, unit.kind)
            joined = quantities[-1] if n and n == ends + 1 and tokens[n - 1][0] in ("+", "plus") else None
            if last and last[-1][2] == unit.kind:
                last.append(one)
            elif joined and joined[-1][2] == unit.kind:
                joined.append((f"+ {one[0]}", *one[1:]))
            else:
                quantities.append([one])
            n = ends = unit.end
            if n + 1 < len(tokens) and tokens[n][0] in ("and", ",") and tokens[n + 1]["number"]:
                n = ends = n + 1
            continue
        before = tokens[n - 1][0] if n else ""
        unit = _unit(tokens, n, before in _AIM, british)
        if unit is None:
            n += 1
            continue
        plain = word in _COMMON or len(word) == 1
        if not plain or before in _AIM or not n:
            aims.append(replace(unit, start=n))
        n = unit.end
    return quantities, aims


def _unit(tokens: Sequence[re.Match[str]], n: int, letters: bool, british: bool) -> _Unit | None:
    """The unit that begins at a token: ``square feet``, ``km/h``, ``litres per 100 km``; ``letters``: it may be one."""
    one = _atom(tokens, n, letters, british)
    if one is None or one.end + 1 >= len(tokens) or tokens[one.end][0] not in ("/", "per", "p"):
        return one
    at, scale = one.end + 1, ""
    if tokens[at][0] == "100":
        at, scale = at + 1, "100"
    under = _atom(tokens, at, True, british)
    kind = _KINDS.get((one.kind, under.kind), "") if under else ""
    if under is None or bool(scale) != (kind == "fuel" and one.kind == "volume"):
        return _Unit(one.name, "", one.end + 1)
    small = {"hours": "h", "seconds": "s", "minutes": "min", "liters": "l"}
    return _Unit(f"{one.name}/{scale}{small.get(under.name, under.name)}", kind, under.end)


def _atom(tokens: Sequence[re.Match[str]], n: int, letters: bool, british: bool) -> _Unit | None:
    words = [tokens[k][0] for k in range(n, min(n + 3, len(tokens)))]
    if not words:
        return None
    first, second = words[0], words[1] if len(words) > 1 else ""
    if first in _POWERS and (base := _names().get(second)):
        kind = f"{base[1]}{_POWERS[first]}"
        name = "meters" if base[0] == "m" else base[0]
        return _Unit(f"{'square' if first[0] == 's' else 'cubic'} {name}", _CALLED.get(kind, kind), n + 2)
    if first in ("degrees", "degree", "deg") and second in ("c", "f", "k", *_temperatures()):
        return _atom(tokens, n + 1, True, british)
    if (first, second) in _TWO:
        return _Unit(*_TWO[first, second], n + 2)
    if first == "nautical" and second in ("miles", "mile"):
        return _Unit("nautical miles", "length", n + 2)
    if first in ("fluid", "fl") and second in ("ounces", "ounce", "oz"):
        return _Unit(_IMPERIAL["fl oz"] if british else "fl oz", "volume", n + 2)
    if first in ("uk", "us", "imperial", "imp", "british", "american", "troy", "metric") and second:
        inner = _atom(tokens, n + 1, False, first not in ("us", "american", "troy", "metric"))
        if inner is None:
            return None
        name = f"troy {inner.name}" if first == "troy" else inner.name
        return _Unit(name, inner.kind, inner.end)
    found = _names().get(first)
    if found is None or (first in _LETTERS and not letters):
        return None
    name, kind = found
    if british and name in _IMPERIAL:
        name = _IMPERIAL[name]
    raised = _RAISED.get(second, "")
    close = len(words) > 1 and tokens[n + 1].start() == tokens[n].end()
    if not raised and close and second in ("2", "3") and kind == "length":
        raised = second
    if not raised and second == "^" and len(words) > 2 and words[2] in ("2", "3"):
        return _Unit(f"{name}^{words[2]}", _CALLED.get(f"{kind}{words[2]}", ""), n + 3)
    if raised:
        return _Unit(f"{name}^{raised}", _CALLED.get(f"{kind}{raised}", ""), n + 2)
    return _Unit(name, kind, n + 1)


def _temperatures() -> list[str]:
    return [name for name, (_, kind) in _names().items() if kind == "temperature"]


@cache
def _names() -> dict[str, tuple[str, str]]:
    """Every spelling of a unit, with its first and what it measures."""
    found: dict[str, tuple[str, str]] = {}
    kind = ""
    for line in UNITS.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            kind = line[2:]
        elif line:
            found |= {name: (line.split()[0], kind) for name in line.lower().split()}
    return found


def _written(number: str) -> str:
    """``1,200`` as 1200, ``3/4`` in brackets and ``2 1/2`` as their sum."""
    whole, _, part = number.replace(",", "").partition(" ")
    return f"({whole} + {part})" if part else f"({whole})" if "/" in whole else whole


def _digits(text: str) -> str:
    """A text with digits for its number words, ``one`` too."""
    for number in reversed([*literals(text)]):
        begins = text[number.start : number.end]
        if re.search(r"[a-z]", begins) and not begins.startswith(("half", "a ")) and not number.day:
            text = f"{text[: number.start]}{number.value}{text[number.end :]}"
    return re.sub(r"\bone\b", "1", text)
