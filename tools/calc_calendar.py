"""The calculator's date functions, and the values that unit and date arithmetic works on."""

from datetime import date
from fractions import Fraction

from llmos.kernel.tool import ToolError
from llmos.tools import calc_dates as dates
from llmos.tools.calc_format import Number
from llmos.tools.calc_unit_table import Unit, units
from llmos.tools.calc_units import Quantity
from llmos.tools.calc_whole import whole

Value = Number | Quantity | date | str | bool


def calendar(name: str, args: list[Value], today: date) -> Value:
    """The date function ``name``; ``today`` stands in for a missing second date. ToolError for anything but dates."""
    if name == "today":
        return today
    if name == "leap":
        year = args[0].year if isinstance(args[0], date) else whole(plain_number(args[0]), "leap")
        return "yes" if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else "no"
    if name == "date":
        return _made_date(args)
    if name == "clock":
        return _clock(args[0])
    given = [a for a in args if isinstance(a, date)]
    if len(given) < len(args):
        raise ToolError(f"{name} needs dates such as 2024-03-15")
    if name == "weekday":
        return dates.weekday(given[0])
    if name == "week":
        return given[0].isocalendar().week
    return _between(name, given[0], given[1] if len(given) > 1 else today)


def _clock(since: Value) -> str:
    """What a clock of 24 hours shows so long after midnight: ``09:05``, ``23:59:30``."""
    if not isinstance(since, Quantity) or since.unit.dims != units()["seconds"].dims:
        raise ToolError("clock needs a time since midnight, such as 9 hours + 15 minutes")
    seconds = round(since.si % 86400) % 86400
    shown = f"{seconds // 3600:02}:{seconds // 60 % 60:02}"
    return f"{shown}:{seconds % 60:02}" if seconds % 60 else shown


def _between(name: str, start: date, end: date) -> Quantity:
    """``days``, ``weeks``, ``months``, ``years``, ``age`` or ``workdays`` from one date to another."""
    span = (end - start).days
    if name == "days":
        return day_count(span)
    if name == "weeks":
        return _count(Fraction(span, 7), units()["weeks"])
    if name == "months":
        return _count(dates.full_months(start, end), units()["months"])
    if name == "workdays":
        return _count(dates.workdays(start, end), Unit("workdays", units()["days"].factor, units()["days"].dims))
    return _count(dates.full_years(start, end), units()["years"])


def _made_date(args: list[Value]) -> date:
    if len(args) == 1 and isinstance(args[0], date):
        return args[0]
    if len(args) != 3:
        raise ToolError("write date(2024, 3, 15) or just 2024-03-15")
    year, month, day = (whole(plain_number(a), "date") for a in args)
    try:
        return date(year, month, day)
    except (ValueError, OverflowError):
        raise ToolError("there is no such date") from None


def day_count(count: Number) -> Quantity:
    """A count of days."""
    return _count(count, units()["days"])


def _count(count: Number, unit: Unit) -> Quantity:
    return Quantity(count * unit.factor, unit, counted=True)


def plain(value: Value) -> Value:
    """A count of days as the number it is."""
    return value.value if isinstance(value, Quantity) and value.counted else value


def plain_number(value: Value) -> Number:
    """The number a value is; ToolError for a date or a quantity."""
    value = plain(value)
    if isinstance(value, int | Fraction) and not isinstance(value, bool):
        return value
    what = "a date" if isinstance(value, date) else value.unit.name if isinstance(value, Quantity) else "this"
    raise ToolError(f"{what} cannot stand where a plain number is needed")
