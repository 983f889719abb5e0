"""A column of texts as what it means: numbers, dates, truth values, or texts after all. Runs inside the sandbox.

It does not guess units, currencies or time zones: ``12%`` is 12, ``$3.5M`` is 3500000, times become UTC. Codes such as
``00501`` stay texts, years stay integers.
"""

import re
from collections.abc import Callable
from typing import Any

import pandas as pd

_MISSING = {"", "na", "n/a", "n.a.", "nan", "null", "none", "nil", "-", "--", "–", "—", "?", "#n/a", "nat"}  # noqa: RUF001
_NUMBER = re.compile(
    r"(?P<open>\()?\s*(?P<sign>[-+−])?\s*(?:(?P<code>USD|EUR|GBP|CHF|JPY|US\$)\s*|[$€£¥₹]\s*)?(?P<sign2>[-+−])?"  # noqa: RUF001
    r"(?P<digits>\d{1,3}(?:[, '’\u00a0\u202f]\d{3})+(?:\.\d*)?|\d+(?:\.\d*)?(?:[eE][-+]?\d+)?|\.\d+)"  # noqa: RUF001
    r"\s*(?P<scale>k|K|m|M|mn|mm|MM|b|B|bn|Bn|BN)?\s*(?:%|[$€£¥₹]|USD|EUR|GBP|CHF|JPY)?\s*(?P<close>\))?"
)
_PLAIN = re.compile(r"-?\d+(?:\.\d+)?")
_CODE = re.compile(r"0\d+")
_GROUPS = re.compile(r"[, '’\u00a0\u202f]")  # noqa: RUF001
_DAY_OR_MONTH = re.compile(r"(\d{1,2})[-/.]\d{1,2}[-/.]\d{2,4}")
_SCALES = {"": 1, "k": 1e3, "m": 1e6, "mn": 1e6, "mm": 1e6, "b": 1e9, "bn": 1e9}
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|sept|oct|nov|dec)[a-z]*\.?"
_CLOCK = r"[T ]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z| ?[-+]\d{2}:?\d{2})?"
_QUARTER = re.compile(r"(?:(?P<y1>\d{4})[ -]?Q(?P<q1>[1-4])|Q(?P<q2>[1-4])[ -/]?(?P<y2>\d{4}))", re.I)
_DATES = tuple(
    re.compile(pattern, re.I)
    for pattern in (
        rf"\d{{4}}[-/.]\d{{1,2}}[-/.]\d{{1,2}}(?:{_CLOCK})?",
        r"\d{4}[-/.]\d{1,2}",
        rf"\d{{1,2}}[-/.]\d{{1,2}}[-/.]\d{{4}}(?:{_CLOCK})?",
        r"\d{1,2}[-/]\d{1,2}[-/]\d{2}",
        r"\d{1,2}[-/.]\d{4}",
        rf"{_MONTH}[ -]?'?\d{{4}}",
        rf"{_MONTH}[-']\d{{2}}",
        rf"\d{{4}}[ -]{_MONTH}",
        rf"{_MONTH} \d{{1,2}},? \d{{4}}",
        rf"\d{{1,2}}[ -]{_MONTH}[ -]\d{{4}}",
    )
)


def convert(values: list[str | None], notes: list[str] | None = None, label: str = "") -> "pd.Series[Any]":
    """A column of texts as numbers, dates, truth values or texts: what at least nine in ten of them are.

    Each distinct text is looked at once. ``notes`` gets a line when cells were left empty for it.
    """
    cleaned = {value: _clean(value) for value in set(values)}
    distinct = [value for value in set(cleaned.values()) if value is not None]
    column = pd.Series(values, dtype="object")
    present = sum(cleaned[value] is not None for value in values)
    if not distinct:
        return pd.Series([None] * len(values), dtype="object")
    if {value.casefold() for value in distinct} <= {"true", "false"}:
        return column.map({raw: None if text is None else text.casefold() == "true" for raw, text in cleaned.items()})
    for attempt, kind in ((_numbers, "number"), (_dates, "date")):
        found = attempt(distinct) if _promising(distinct, kind) else {}
        lost = present - sum(cleaned[value] in found for value in values)
        if found and (lost == 0 or (lost <= present // 10 and present >= 10)):
            if lost and notes is not None:
                notes.append(f"{lost} cell{'s' * (lost > 1)} of {label or 'a column'} without a {kind} left empty")
            meant = column.map({raw: found.get(text) for raw, text in cleaned.items() if text is not None})
            return _typed(meant, distinct, kind, complete=present == len(values) and not lost)
    return pd.Series([cleaned[value] for value in values])


def _clean(value: str | None) -> str | None:
    text = value.strip() if value is not None else ""
    return None if text.casefold() in _MISSING else text


def _promising(distinct: list[str], kind: str) -> bool:
    """Whether a sample of a long column is worth the work on all of it. Codes such as 00501 are no numbers."""
    if kind == "number":
        return not any(_CODE.fullmatch(value) for value in distinct) and _share(distinct, _is_number) >= 0.5
    return _share(distinct, _is_date) >= 0.5


def _share(distinct: list[str], test: Callable[[str], bool]) -> float:
    sample = distinct[:100]
    return sum(map(test, sample)) / len(sample)


def _typed(meant: "pd.Series[Any]", distinct: list[str], kind: str, complete: bool) -> "pd.Series[Any]":
    if kind == "date":
        return pd.to_datetime(meant)
    # "3.0" stays a float: only what was written without a point is an integer.
    whole = complete and not any("." in value or "e" in value.lower() for value in distinct)
    if whole and bool((meant % 1 == 0).all()) and bool((meant.abs() < 2**53).all()):
        return meant.astype("int64")
    return meant.astype("float64")


def _numbers(distinct: list[str]) -> dict[str, float]:
    found = {value: _number(value) for value in distinct}
    return {value: number for value, number in found.items() if number is not None}


def _is_number(text: str) -> bool:
    return _number(text) is not None


def _number(text: str) -> float | None:
    if _PLAIN.fullmatch(text):
        return float(text)
    match = _NUMBER.fullmatch(text)
    if match is None or bool(match["open"]) != bool(match["close"]):
        return None
    value = float(_GROUPS.sub("", match["digits"])) * _SCALES[(match["scale"] or "").lower()]
    negative = match["open"] or any(sign in ("-", "−") for sign in (match["sign"], match["sign2"]))  # noqa: RUF001
    return -value if negative else value


def _dates(distinct: list[str]) -> dict[str, Any]:
    texts = [value for value in distinct if _is_date(value)]
    tidied = [_tidy(value) for value in texts]
    first = [int(match[1]) for text in tidied if (match := _DAY_OR_MONTH.match(text))]
    day_first = any(day > 12 for day in first) or (bool(first) and any("." in text for text in tidied))
    column = pd.Series(tidied, dtype="object")
    parsed = pd.to_datetime(column, format="mixed", dayfirst=day_first, errors="coerce", utc=True).dt.tz_localize(None)
    return {text: moment for text, moment in zip(texts, parsed, strict=True) if pd.notna(moment)}


def _is_date(text: str) -> bool:
    return any(pattern.fullmatch(text) for pattern in (*_DATES, _QUARTER))


def _tidy(text: str) -> str:
    """What ``to_datetime`` reads with certainty: months and quarters get a first day, odd spellings the usual one."""
    if match := _QUARTER.fullmatch(text):
        return f"{match['y1'] or match['y2']}-{3 * int(match['q1'] or match['q2']) - 2:02d}-01"
    if match := re.fullmatch(r"(\d{4})[-/.](\d{1,2})", text):
        return f"{match[1]}-{int(match[2]):02d}-01"
    if match := re.fullmatch(r"(\d{1,2})[-/.](\d{4})", text):
        return f"{match[2]}-{int(match[1]):02d}-01"
    if match := re.fullmatch(r"(\d{4})[/.](\d{1,2})[/.](.+)", text):
        return f"{match[1]}-{int(match[2]):02d}-{match[3]}"
    if match := re.fullmatch(rf"({_MONTH})[ -]?'?(\d{{4}}|\d{{2}})", text, re.I):
        return f"1 {match[1][:3]} {match[2] if len(match[2]) == 4 else '20' + match[2]}"
    if match := re.fullmatch(rf"(\d{{4}})[ -]({_MONTH})", text, re.I):
        return f"1 {match[2][:3]} {match[1]}"
    return re.sub(r"(?i)\b(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?", r"\1", text)


def looks_like_data(cell: str) -> bool:
    """Whether a cell is a number or a date rather than a heading."""
    return _number(cell) is not None or _is_date(cell)
