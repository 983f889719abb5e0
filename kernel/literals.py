"""Numbers and days as people write them: ``2,400``, ``2.4 million``, ``five hundred and six``, ``March 3rd, 2025``.

Knows nothing of models or tools; what a number is for stands elsewhere.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

_NAMES = (
    "jan january|feb february|mar march|apr april|may|jun june|jul july|aug august|sep sept september|oct october"
    "|nov november|dec december"
)
_MONTHS = {name: n for n, names in enumerate(_NAMES.split("|"), 1) for name in names.split()}
_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
    " eighteen nineteen"
)
_DIGITS = "one|two|three|four|five|six|seven|eight|nine"
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_WORDS = {
    **{w: n for n, w in enumerate(_SMALL.split())},
    **{w: 10 * n for n, w in enumerate(_TENS.split(), 2)},
    **{"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9},
}
_ZEROS = {"k": 3, "thousand": 3, "mio": 6, "mn": 6, "million": 6, "bn": 9, "billion": 9}


def _either(words: dict[str, int]) -> str:
    return "|".join(sorted(words, key=len, reverse=True))


_DAY, _MONTH = r"(\d{1,2})(?:st|nd|rd|th)?", rf"({_either(_MONTHS)})\b\.?"
# Words of one number: "thirty and twelve" are two, "three hundred and twelve" is one.
_HUNDRED = rf"(?:(?:{_TENS.replace(' ', '|')})(?:[\s-]+(?:{_DIGITS}))?|{_either(dict.fromkeys(_SMALL.split(), 0))})\b"
_THOUSAND = (
    rf"(?:(?:a|{_HUNDRED})[\s-]+hundred\b(?:(?:\s+and\s+|[\s-]+){_HUNDRED})?"
    rf"|hundred\b(?:(?:\s+and\s+|[\s-]+){_HUNDRED})?|{_HUNDRED})"
)
_SAID = rf"(?:(?:(?:a|{_THOUSAND})[\s-]+)?(?:thousand|million|billion)\b(?:\s+and\s+|[\s-]+)?)+"
# In the order of trial: a longer form stands before its beginning.
_FORMS = {
    "iso": r"(?<![\w.-])(\d{4})-(\d{1,2})-(\d{1,2})(?![\w-])",
    "dotted": r"(?<![\w.])(\d{1,2})\.\s?(\d{1,2})\.\s?(\d{4})(?!\w|\.\d)",
    "day_first": rf"\b{_DAY}\s+(?:of\s+)?{_MONTH},?\s+(\d{{4}})\b",
    "month_first": rf"\b{_MONTH}\s+{_DAY},?\s+(\d{{4}})\b",
    "day_only": rf"\b{_DAY}\s+(?:of\s+)?{_MONTH}(?!\w)",
    "month_only": rf"\b{_MONTH}\s+{_DAY}\b(?![.:/]?\d)",
    "number": r"(?<![A-Za-z_\d.])(?!\d{4}-?[Qq][1-4])(\d{1,3}(?:[,\u00a0\u202f]\d{3})+|\d+|(?=\.\d))(\.\d+)?"
    r"(?:\s?(thousand|million|billion|mio|mn|bn)\b|(k)\b)?",
    "words": rf"\b(?:half\s+)?(?:{_SAID}(?<=[\s-])(?:{_THOUSAND})|{_SAID}(?<![\s-])|{_THOUSAND})",
}
_ANY = re.compile("|".join(f"(?P<{name}>{form})" for name, form in _FORMS.items()), re.I)
_EACH = {name: re.compile(form, re.I) for name, form in _FORMS.items()}
_YEAR = re.compile(r"(?<![\w.,])(?:1[89]|20)\d\d(?![\w,]|\.\d)")


@dataclass(frozen=True, slots=True)
class Literal:
    """A number (``2400000``, ``0.5``) or a day (``2025-03-03``) at ``start:end`` of a text."""

    start: int
    end: int
    value: str

    @property
    def day(self) -> bool:
        """Whether it is a day."""
        return self.value.count("-") == 2


def literals(text: str) -> Iterator[Literal]:
    """The numbers and days of ``text``, in order. Signs, percents and units are not part of them.

    A day without a year takes the one year that the text names besides; without one its number is a number.
    """
    years = set(_YEAR.findall(text))
    at = 0
    while found := _ANY.search(text, at):
        at = found.end()
        kind = str(found.lastgroup)
        # Groups are numbered from one within each form.
        parts = _EACH[kind].match(text, found.start())
        if parts is None:
            continue
        value = _value(kind, parts, *(years if len(years) == 1 else ()))
        if value:
            yield Literal(found.start(), at, value)
        elif kind in ("day_first", "day_only"):
            # No day of the calendar: its number is a number.
            at = parts.end(1)
            yield Literal(parts.start(1), at, parts[1])
        elif kind == "month_only":
            at = parts.end(1)


def _value(kind: str, parts: re.Match[str], year: str = "") -> str:
    if kind == "iso":
        return _date(parts[1], parts[2], parts[3])
    if kind == "dotted":
        return _date(parts[3], parts[2], parts[1])
    if kind in ("day_first", "day_only"):
        return _date(parts[3] if kind == "day_first" else year, parts[2], parts[1])
    if kind in ("month_first", "month_only"):
        return _date(parts[3] if kind == "month_first" else year, parts[1], parts[2])
    if kind == "words":
        if parts[0].lower().startswith("half"):
            return str(spoken(parts[0]) // 2)
        return "" if parts[0].lower() == "one" else str(spoken(parts[0]))
    return number(parts[1], (parts[2] or "")[1:], parts[3] or parts[4] or "")


def number(whole: str, part: str, unit: str) -> str:
    """``2,400`` and ``5`` as ``2400.5``; ``2``, ``4`` and ``million`` as ``2400000``."""
    digits = re.sub(r"\D", "", whole) or "0"
    places = _ZEROS.get(unit.lower(), 0)
    if places and len(part) <= places:
        return (digits + part.ljust(places, "0")).lstrip("0") or "0"
    return f"{digits}.{part}" if part else digits


def spoken(words: str) -> int:
    """``five hundred and six`` as 506."""
    total = current = 0
    for word in re.findall(r"[a-z]+", words.lower()):
        value = _WORDS.get(word, 0)
        if value == 100:
            current = max(current, 1) * 100
        elif value >= 1000:
            total, current = total + max(current, 1) * value, 0
        else:
            current += value
    return total + current


def _date(year: str, month: str, day: str) -> str:
    try:
        return date(int(year), _MONTHS.get(month.lower()) or int(month), int(day)).isoformat()
    except ValueError:
        return ""
