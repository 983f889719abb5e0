"""What the cells of a column are: numbers, years, dates, categories of text. Knows nothing of files or of layouts."""

import re
from collections.abc import Iterable, Sequence
from typing import Literal

Kind = Literal["number", "year", "month", "date", "time", "quarter", "text", "yes/no", "empty"]

BLANK = frozenset({"", "na", "n/a", "#n/a", "nan", "null", "none", "-", "–", "—", "..", "?"})  # noqa: RUF001

_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_M, _D, YEAR = r"(?:0?[1-9]|1[0-2])", r"(?:0?[1-9]|[12]\d|3[01])", r"[12]\d{3}"
_CLOCK = r"(?:[01]?\d|2[0-4]):[0-5]\d(?::[0-5]\d(?:\.\d+)?)?(?:\s?[ap]m)?"
_DATE = "|".join((rf"{YEAR}-{_M}-{_D}", rf"{YEAR}/{_M}/{_D}", rf"{_D}\.{_M}\.{YEAR}", rf"{_D}[-/]{_D}[-/]{YEAR}"))
_DATE += rf"|{_D}[ -]{_MONTH}[ -]{YEAR}|{_MONTH} {_D},? {YEAR}"
_DIGITS = r"(?:(?:\d{1,3}(?:[, ']\d{3})+|\d+)(?:\.\d*)?|\.\d+|\d+,\d{1,2})(?:e[-+]?\d+)?"
_KINDS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("number", re.compile(rf"[-+]?[$€£¥]?[-+]?{_DIGITS}\s?[%€]?", re.IGNORECASE)),
    ("month", re.compile(rf"{YEAR}[-/]{_M}|{_MONTH}[ -]{YEAR}", re.IGNORECASE)),
    ("quarter", re.compile(rf"{YEAR}[- ]?q[1-4]|q[1-4][-/ ]?{YEAR}", re.IGNORECASE)),
    ("date", re.compile(rf"(?:{_DATE})(?:[t ]{_CLOCK}(?:z|[-+]\d\d:?\d\d)?)?", re.IGNORECASE)),
    ("time", re.compile(_CLOCK, re.IGNORECASE)),
    ("yes/no", re.compile(r"yes|no|true|false|y|n", re.IGNORECASE)),
)
_CODE = re.compile(r"0\d+")  # 00123 is a code, not a number
_YEAR_NAME = re.compile(r"year|yr|founded|built|released?|opened|born|season|vintage|jahr|année|año", re.IGNORECASE)
CENTURY = re.compile(r"(?:19|20)\d\d")


def kind_of(name: str, cells: Iterable[str]) -> Kind:
    """What the cells of column ``name`` are; empty cells (also ``NA``, ``-``) do not count."""
    filled = [text for text in (cell.strip() for cell in cells) if text.lower() not in BLANK]
    if not filled:
        return "empty"
    for kind, pattern in _KINDS:
        if pattern.fullmatch(filled[0]) and all(pattern.fullmatch(text) for text in filled):
            if kind != "number":
                return kind
            if any(_CODE.fullmatch(text) for text in filled):
                return "text"
            return "year" if _are_years(name, filled) else "number"
    return "text"


def _are_years(name: str, cells: Sequence[str]) -> bool:
    """Four-digit integers 1000 to 2200, in a column named so or in order: a rent of 1200 to 2100 is no year."""
    if not all(len(cell) == 4 and cell.isdigit() and 1000 <= int(cell) <= 2200 for cell in cells):
        return False
    ordered = list(cells) in (sorted(cells), sorted(cells, reverse=True)) and len(set(cells)) > 2
    return bool(_YEAR_NAME.search(name)) or ordered
