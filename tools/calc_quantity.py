"""Arithmetic with units and dates on a tree, exactly, without sympy.

Values are plain numbers, quantities, dates and counts of days. Months and years are added to a date by the calendar;
as units they are averages. Differences of temperatures are not known: temperatures can be converted, not added.
"""

from datetime import date
from fractions import Fraction

from llmos.kernel.tool import ToolError
from llmos.tools import calc_dates as dates
from llmos.tools.calc_calendar import Value, calendar, day_count, plain, plain_number
from llmos.tools.calc_exact import Exact
from llmos.tools.calc_format import DIGITS, Number, show_decimal, show_number
from llmos.tools.calc_functions import compare
from llmos.tools.calc_names import DATE_FUNCTIONS, DAY_WORDS
from llmos.tools.calc_read import Reading
from llmos.tools.calc_tree import Binary, Call, Compound, Day, Measure, Name, Node, Num, Relation, Unary
from llmos.tools.calc_unit_table import NO_DIMS, PI, Unit, units
from llmos.tools.calc_units import Quantity, convert, kind, quantity, unknown_unit, worded
from llmos.tools.calc_whole import Hard

_E = Fraction("2.71828182845904523536028747135266249775724709369996")
_STEPS = {"day": (0, 1), "week": (0, 7), "fortnight": (0, 14), "month": (1, 0), "quarter": (3, 0), "year": (12, 0),
          "decade": (120, 0), "century": (1200, 0)}  # fmt: skip


def answer(reading: Reading, today: date) -> str:
    """The one-line answer: ``3.10685596119 miles``, ``2024-02-15 (Thursday)``, ``74 days``. ToolError for a mistake."""
    try:
        value = _Evaluator(today).value(reading.tree)
    except Hard:
        raise ToolError("units and dates go with plain numbers only") from None
    if isinstance(reading.target, tuple):
        return _converted(value, reading.target)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, date):
        return dates.show(value)
    if isinstance(value, Quantity):
        return _shown(value)
    if isinstance(value, str):
        return value
    return show_number(value, reading.decimals, reading.fractions)


def _shown(value: Quantity) -> str:
    number = show_decimal(value.value, DIGITS)
    return f"{number} {worded(value.unit.name, number)}"


def _converted(value: Value, targets: tuple[Unit, ...]) -> str:
    if not isinstance(value, Quantity):
        if isinstance(value, int | Fraction) and not isinstance(value, bool):
            raise ToolError(f"the number has no unit to convert to {targets[0].name}")
        raise ToolError(f"this cannot be converted to {targets[0].name}")
    if len(targets) == 1:
        return _shown(convert(value, targets[0]))
    ordered = sorted(targets, key=lambda u: u.factor, reverse=True)
    rest, parts = value.si, []
    for unit in ordered:
        step = convert(Quantity(rest, value.unit), unit).value
        if unit is not ordered[-1]:
            step = Fraction(int(step))
        rest -= step * unit.factor
        number = show_decimal(step, DIGITS)
        parts.append(f"{number} {worded(unit.name, number)}")
    return " ".join(parts)


class _Evaluator:
    def __init__(self, today: date) -> None:
        self.today, self.exact = today, Exact()

    def value(self, node: Node) -> Value:
        match node:
            case Day(day):
                return day
            case Measure(value, unit):
                return quantity(value, unit)
            case Compound(parts):
                return self.compound(parts)
            case Name(text):
                return self.named(text.lower())
            case Num(value):
                return value
            case Unary(op, arg):
                return self.unary(op, self.value(arg))
            case Binary("+" | "-" as op, left, right):
                return self.sum(op, self.value(left), right)
            case Binary(op, left, right):
                return self.product(op, self.value(left), self.value(right))
            case Relation(op, left, right):
                return self.relation(op, self.value(left), self.value(right))
            case Call(name, args) if name in DATE_FUNCTIONS:
                return calendar(name, [self.value(a) for a in args], self.today)
            case Call(name, args):
                return self.function(name, [self.value(a) for a in args])
        raise Hard

    def compound(self, parts: tuple[Measure, ...]) -> Quantity:
        first = quantity(parts[0].value, parts[0].unit)
        for part in parts[1:]:
            first = _add(first, quantity(part.value, part.unit), 1)
        return first

    def named(self, name: str) -> Value:
        if name in DAY_WORDS:
            return dates.shift(self.today, 0, DAY_WORDS[name])
        if name == "pi":
            return PI
        if name == "e":
            return _E
        raise unknown_unit(name)

    def unary(self, op: str, value: Value) -> Value:
        if isinstance(value, Quantity) and op == "-":
            return quantity(-value.value, value.unit)
        return self.exact.unary(op, plain_number(value))

    def sum(self, op: str, left: Value, right: Node) -> Value:
        sign = 1 if op == "+" else -1
        if isinstance(left, date):
            other = None if isinstance(right, Measure | Compound) else self.value(right)
            if isinstance(other, date):
                if sign > 0:
                    raise ToolError("two dates cannot be added; subtract them for the days between")
                return day_count((left - other).days)
            months, days = self.period(right)
            return dates.shift(left, sign * months, sign * days)
        value = self.value(right)
        if isinstance(value, date) and sign > 0:
            return self.sum("+", value, _as_node(left))
        if isinstance(left, Quantity) and isinstance(value, Quantity):
            return _add(left, value, sign)
        left, value = plain(left), plain(value)
        if isinstance(left, Quantity) != isinstance(value, Quantity):
            named = left if isinstance(left, Quantity) else value
            assert isinstance(named, Quantity)
            raise ToolError(f"a plain number cannot be added to {named.unit.name} ({kind(named.unit)})")
        return self.exact.binary(op, plain_number(left), plain_number(value))

    def period(self, node: Node) -> tuple[int, int]:
        """Months and days to move a date by: ``1 year 2 months``, ``45 days``; a plain number is days."""
        if isinstance(node, Compound):
            steps = [self.period(part) for part in node.parts]
            return sum(s[0] for s in steps), sum(s[1] for s in steps)
        if isinstance(node, Binary) and node.op in "+-":
            (m1, d1), (m2, d2), sign = self.period(node.left), self.period(node.right), 1 if node.op == "+" else -1
            return m1 + sign * m2, d1 + sign * d2
        value = self.value(node)
        if isinstance(value, int | Fraction) and not isinstance(value, bool):
            value = day_count(value)
        if not isinstance(value, Quantity):
            raise ToolError("only days, weeks, months or years can be added to a date")
        step = _STEPS.get(_singular(value.unit.name))
        if step is None or value.value.denominator != 1:
            step, value = (0, 1), convert(value, units()["days"])
        if value.value.denominator != 1:
            raise ToolError("a date moves by whole days")
        count = int(value.value)
        if abs(count) > 10**7:
            raise ToolError("the date falls outside the years 1 to 9999")
        return step[0] * count, step[1] * count

    def product(self, op: str, left: Value, right: Value) -> Value:
        if isinstance(left, date) or isinstance(right, date):
            raise ToolError("a date can only be moved by a time or subtracted from a date")
        if not (isinstance(left, Quantity) and isinstance(right, Quantity)):
            left, right = plain(left), plain(right)
        if op in "*/" and (isinstance(left, Quantity) or isinstance(right, Quantity)):
            return _multiply(left, right, 1 if op == "*" else -1, self.exact)
        if isinstance(left, Quantity) and op == "^":
            return _raise(left, plain_number(right), self.exact)
        if isinstance(right, Quantity) and op == "off":
            return quantity(self.exact.binary("*", right.value, 1 - plain_number(left)) + Fraction(0), right.unit)
        return self.exact.binary(op, plain_number(left), plain_number(right))

    def relation(self, op: str, left: Value, right: Value) -> bool:
        if isinstance(left, date) and isinstance(right, date):
            return compare(op, left.toordinal(), right.toordinal())
        if isinstance(left, Quantity) and isinstance(right, Quantity):
            return compare(op, left.si, convert(right, left.unit).si)
        return compare(op, plain_number(left), plain_number(right))

    def function(self, name: str, args: list[Value]) -> Value:
        if args and all(isinstance(a, Quantity) for a in args):
            kept = [a for a in args if isinstance(a, Quantity)]
            if name in ("sum", "mean", "median", "min", "max", "abs", "round", "floor", "ceil"):
                numbers = [convert(a, kept[0].unit).value for a in kept]
                return quantity(Fraction(self.exact.call(name, list(numbers))), kept[0].unit)
        if name == "round" and len(args) == 2 and isinstance(args[0], Quantity):
            return quantity(Fraction(self.exact.call(name, [args[0].value, plain_number(args[1])])), args[0].unit)
        return self.exact.call(name, [plain_number(a) for a in args])


def _as_node(value: Value) -> Node:
    return Measure(value.value, value.unit) if isinstance(value, Quantity) else Num(Fraction(plain_number(value)))


def _singular(name: str) -> str:
    return {"centuries": "century"}.get(name.lower(), name.lower().rstrip("s"))


def _add(left: Quantity, right: Quantity, sign: int) -> Quantity:
    if left.unit.offset or right.unit.offset:
        raise ToolError("temperatures can be converted, not added")
    if left.unit.dims != right.unit.dims:
        raise ToolError(f"cannot add {left.unit.name} ({kind(left.unit)}) and {right.unit.name} ({kind(right.unit)})")
    return Quantity(left.si + sign * right.si, left.unit)


def _multiply(left: Value, right: Value, power: int, exact: Exact) -> Value:
    op = "*" if power > 0 else "/"
    if isinstance(left, Quantity) and not isinstance(right, Quantity):
        return quantity(Fraction(exact.binary(op, left.value, plain_number(right))), left.unit)
    if isinstance(right, Quantity) and not isinstance(left, Quantity) and power > 0:
        return quantity(Fraction(exact.binary(op, right.value, plain_number(left))), right.unit)
    one = Unit("", Fraction(1), NO_DIMS)
    a = left if isinstance(left, Quantity) else Quantity(Fraction(plain_number(left)), one)
    b = right if isinstance(right, Quantity) else Quantity(Fraction(plain_number(right)), one)
    if a.unit.offset or b.unit.offset:
        raise ToolError("temperatures can be converted, not multiplied")
    dims = tuple(x + power * y for x, y in zip(a.unit.dims, b.unit.dims, strict=True))
    si = Fraction(exact.binary(op, a.si, b.si))
    if dims == NO_DIMS:
        return si
    return Quantity(si, Unit(_joined(a.unit.name, b.unit.name, power), a.unit.factor * b.unit.factor**power, dims))


def _joined(left: str, right: str, power: int) -> str:
    if power > 0:
        return f"{left}^2" if left == right else f"{left}*{right}"
    return f"{left or 1}/{right}" if not set(right) & set("*/") else f"{left or 1}/({right})"


def _raise(base: Quantity, power: Number, exact: Exact) -> Quantity:
    if power.denominator != 1 or not 1 <= power <= 6 or base.unit.offset:
        raise ToolError("a quantity can be raised to whole powers from 1 to 6")
    n = int(power)
    unit = Unit(
        f"{base.unit.name}^{n}" if n > 1 else base.unit.name, base.unit.factor**n, tuple(d * n for d in base.unit.dims)
    )
    return Quantity(Fraction(exact.binary("^", base.si, n)), unit)
