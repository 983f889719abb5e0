"""Reading a unit out of tokens: ``km/h``, ``square meters``, ``m^2``, ``miles per hour``, ``fluid ounces``."""

import difflib
from dataclasses import dataclass
from fractions import Fraction

from llmos.kernel.tool import ToolError
from llmos.tools.calc_text import Token
from llmos.tools.calc_unit_table import KINDS, NO_DIMS, Unit, units

_POWER_BEFORE = {"square": 2, "sq": 2, "cubic": 3, "cu": 3}
_POWER_AFTER = {"squared": 2, "cubed": 3}


def unit_named(name: str) -> Unit | None:
    """The unit spelt ``name`` (spaces as ``_``), exactly or else in small letters; None if there is none."""
    return units().get(name) or units().get(name.lower())


def kind(unit: Unit) -> str:
    """What the unit measures: ``speed``; its SI base units where that has no name here."""
    for name, dims in KINDS.items():
        if dims == unit.dims:
            return name
    symbols = ("m", "kg", "s", "K", "bit", "rad", "A")
    return (
        "*".join(s if d == 1 else f"{s}^{d}" for s, d in zip(symbols, unit.dims, strict=True) if d) or "a plain number"
    )


def match_unit(tokens: list[Token], at: int, target: bool = False) -> tuple[Unit, int] | None:
    """The longest unit expression at ``tokens[at]`` and the index after it; None if no unit stands there.

    ``target`` admits a number under the line, as in ``l/100km``.
    """
    first = _term(tokens, at)
    if not first:
        return None
    unit, end = first
    while True:
        token = tokens[end]
        over = token.text in ("/", "per") and end + 1 < len(tokens)
        scale, skip = Fraction(1), 1
        if over and target and tokens[end + 1].kind == "num" and tokens[end + 1].number:
            scale, skip = tokens[end + 1].number, 2
        if over or (token.text == "*" and token.kind == "op"):
            more = _term(tokens, end + skip)
        else:  # kW h: side by side, but 'in' there is the word
            more = _term(tokens, end) if token.kind == "name" and token.text != "in" else None
        if not more:
            break
        power = -1 if over else 1
        unit, end = _combine(unit, more[0], power, scale), more[1]
    return Unit(
        _spelling(tokens, at, end), unit.factor, unit.dims, unit.offset if unit is first[0] else Fraction(0)
    ), end


def _term(tokens: list[Token], at: int) -> tuple[Unit, int] | None:
    if at >= len(tokens) or tokens[at].kind != "name":
        return None
    power = _POWER_BEFORE.get(tokens[at].text.lower(), 1)
    atom = _atom(tokens, at + 1 if power > 1 else at)
    if not atom:
        return None
    unit, end = atom
    after = tokens[end]
    if power == 1 and after.kind == "op" and after.text == "^" and tokens[end + 1].text in ("2", "3"):
        power, end = int(tokens[end + 1].text), end + 2
    elif power == 1 and after.kind == "name" and after.text.lower() in _POWER_AFTER:
        power, end = _POWER_AFTER[after.text.lower()], end + 1
    if power > 1:
        unit = _combine(Unit("", Fraction(1), NO_DIMS), unit, power)
    return unit, end


def _atom(tokens: list[Token], at: int) -> tuple[Unit, int] | None:
    words = []
    for token in tokens[at : at + 4]:
        if token.kind != "name":
            break
        words.append(token.text)
    if words and tokens[at + 1].text == "(" and tokens[at].kind == "name":
        return None  # min(3, 4), days(…): a function
    for count in range(len(words), 0, -1):
        unit = unit_named("_".join(words[:count]))
        if unit:
            return unit, at + count
    if words and words[0][-1:] in ("2", "3"):  # m2, ft3
        base = unit_named(words[0][:-1])
        if base:
            return _combine(Unit("", Fraction(1), NO_DIMS), base, int(words[0][-1])), at + 1
    return None


def _combine(left: Unit, right: Unit, power: int, scale: Fraction = Fraction(1)) -> Unit:
    dims = tuple(a + power * b for a, b in zip(left.dims, right.dims, strict=True))
    return Unit("", left.factor * (right.factor * scale) ** power, dims)


def _spelling(tokens: list[Token], at: int, end: int) -> str:
    text = "".join(" " * t.spaced + t.text for t in tokens[at:end]).strip()
    return text.replace(" ^ ", "^").replace(" / ", "/").replace("degC", "°C").replace("degF", "°F")


@dataclass(frozen=True, slots=True)
class Quantity:
    """``si`` in SI base units (absolute for temperatures), to be shown in ``unit``.

    ``counted`` marks a count of days or years between dates: beside a plain number it is a plain number itself.
    """

    si: Fraction
    unit: Unit
    counted: bool = False

    @property
    def value(self) -> Fraction:
        """The number in the unit shown."""
        return (self.si - self.unit.offset) / self.unit.factor


def quantity(value: Fraction, unit: Unit) -> Quantity:
    """``value`` of ``unit``."""
    return Quantity(value * unit.factor + unit.offset, unit)


def convert(what: Quantity, unit: Unit) -> Quantity:
    """The same quantity in another unit; consumption turns over into economy (mpg to l/100km). ToolError if unlike."""
    if what.unit.dims == unit.dims:
        return Quantity(what.si, unit)
    if (
        what.unit.dims == tuple(-d for d in unit.dims)
        and what.si
        and kind(unit) in ("fuel economy", "area", "frequency", "time")
    ):
        return Quantity(1 / what.si, unit)
    raise ToolError(f"cannot convert {what.unit.name} ({kind(what.unit)}) to {unit.name} ({kind(unit)})")


def unknown_unit(name: str) -> ToolError:
    """One line on a unit that is not in the table, with the nearest that is."""
    names = [n.replace("_", " ") for n in units() if len(n) > 2]
    close = difflib.get_close_matches(name.lower(), names, 1, 0.75)
    return ToolError(f"unknown unit '{name[:30]}'" + (f"; did you mean '{close[0]}'?" if close else ""))


_SHORT_WORDS = frozenset({"cup", "cups", "day", "days", "bit", "bits", "ton", "tons"})
_SYMBOLS = frozenset({"kelvin", "kelvins", "tbsp", "grad", "thou", "mmhg", "inhg", "watthour"})
_PLURALS = {"foot": "feet", "inch": "inches", "century": "centuries"}


def worded(name: str, number: str) -> str:
    """The unit's name in the singular or plural that fits: ``1 byte``, ``1.5 hours``; symbols as they are."""
    unit = units().get(name)
    if not unit or name in _SYMBOLS or (len(name) < 4 and name not in _SHORT_WORDS):
        return name
    singulars = {plural: single for single, plural in _PLURALS.items()}
    if number in ("1", "-1"):
        other = singulars.get(name) or name.removesuffix("s")
    else:
        other = _PLURALS.get(name) or (name if name in singulars or name.endswith("s") else f"{name}s")
    same = units().get(other)
    return other if len(other) > 2 and same and (same.factor, same.dims) == (unit.factor, unit.dims) else name
