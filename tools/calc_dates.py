"""Calendar dates for the calculator: reading them, adding to them, counting between them.

Proleptic Gregorian calendar, years 1 to 9999, no times of day and no time zones. A numeric ``a/b/year`` is read
month first (``12/25/2026``) unless the first number is above 12 (``25/12/2026``); day first is otherwise never assumed.
"""

import calendar
import re
from datetime import date, timedelta

from llmos.kernel.tool import ToolError

_MONTHS = {name[:3].lower(): i for i, name in enumerate(calendar.month_name) if name}
_MONTH = (
    r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\b\.?"
)
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?\b"
_YEAR = r"(?P<year>\d{4})(?![\d.])"
_SURE = [
    re.compile(r"(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})(?![\d.])"),
    re.compile(rf"{_MONTH}\s*{_DAY}(?:\s*,\s*|\s+){_YEAR}", re.I),
    re.compile(rf"{_DAY}\s*(?:of\s+)?{_MONTH}\s*,?\s*{_YEAR}", re.I),
]
_LOOSE = [
    re.compile(r"(?P<year>\d{4})/(?P<month>\d{1,2})/(?P<day>\d{1,2})(?![\d.])"),
    re.compile(rf"(?P<a>\d{{1,2}})/(?P<b>\d{{1,2}})/{_YEAR}"),
]
_HINT = re.compile(
    r"\b(?:days|weekdays?|workdays|weeks|months|years|age|date|week|leap|today|tomorrow|yesterday)\b|\d{4}-\d{1,2}-\d"
    rf"|{_MONTH}\s*\d|\d\s*(?:of\s+)?{_MONTH.replace('?P<month>', '?:')}",
    re.I,
)
_ONLY = re.compile(r"\s*(?:\d{1,2}/\d{1,2}/\d{4}|\d{4}/\d{1,2}/\d{1,2})\s*")


def speaks_of_dates(text: str) -> bool:
    """Whether ``text`` is about dates, so that ``12/25/2026`` in it is a day and not two divisions."""
    return bool(_HINT.search(text) or _ONLY.fullmatch(text))


def match_date(text: str, at: int, loose: bool) -> tuple[date, int] | None:
    """The date literal at position ``at`` of ``text`` and where it ends; None if there is none.

    ``loose`` admits the forms with slashes. ToolError for a day that does not exist (``2024-02-30``).
    """
    for pattern in _SURE + _LOOSE if loose else _SURE:
        found = pattern.match(text, at)
        if found:
            return _make(found.groupdict(), found.group()), found.end()
    return None


def _make(fields: dict[str, str], literal: str) -> date:
    if "a" in fields:
        first, second = int(fields["a"]), int(fields["b"])
        month, day = (second, first) if first > 12 else (first, second)
    else:
        name = fields["month"]
        month, day = int(name) if name.isdigit() else _MONTHS[name[:3].lower()], int(fields["day"])
    try:
        return date(int(fields["year"]), month, day)
    except ValueError:
        raise ToolError(f"there is no such date: {literal}") from None


def shift(start: date, months: int, days: int) -> date:
    """``start`` moved by months (clamped to the month's last day), then by days; ToolError outside 1-9999."""
    try:
        year, month0 = divmod(start.year * 12 + start.month - 1 + months, 12)
        day = min(start.day, calendar.monthrange(year, month0 + 1)[1])
        return date(year, month0 + 1, day) + timedelta(days=days)
    except (ValueError, OverflowError, IndexError):
        raise ToolError("the date falls outside the years 1 to 9999") from None


def full_months(start: date, end: date) -> int:
    """Completed months from ``start`` to ``end``; negative if ``end`` is earlier."""
    if end < start:
        return -full_months(end, start)
    months = (end.year - start.year) * 12 + end.month - start.month
    # A start on the 31st completes its month on a 30th: ask the calendar, not the day numbers.
    return months if shift(start, months, 0) <= end else months - 1


def full_years(start: date, end: date) -> int:
    """Completed years from ``start`` to ``end`` (an age); negative if ``end`` is earlier."""
    months = full_months(start, end)
    return months // 12 if months >= 0 else -(-months // 12)


def workdays(start: date, end: date) -> int:
    """Mondays to Fridays from ``start`` up to, not counting, ``end``; holidays unknown."""
    if end < start:
        return -workdays(end, start)
    weeks, rest = divmod((end - start).days, 7)
    return weeks * 5 + sum((start.weekday() + i) % 7 < 5 for i in range(rest))


def show(day: date) -> str:
    """``2024-02-15 (Thursday)``."""
    return f"{day.isoformat()} ({weekday(day)})"


def weekday(day: date) -> str:
    """``Saturday``."""
    return calendar.day_name[day.weekday()]
