"""A column of texts as what it means: numbers, dates, truth values, or texts after all. Runs inside the sandbox.

It does not guess units, currencies or time zones: ``12%`` is 12, ``$3.5M`` is 3500000, times become UTC. Codes such as
``00501`` stay texts, years stay integers.
"""

import re
from typing import Any

import pandas as pd

_MISSING = {"", "na", "n/a", "n.a.", "nan", "null", "none", "nil", "-", "--", "–", "—", "?", "#n/a", "nat"}  # noqa: RUF001
_NUMBER = re.compile(
    r"(?P<open>\()?\s*(?P<sign>[-+−])?\s*(?:(?P<code>USD|EUR|GBP|CHF|JPY|US\$)\s*|[$€£¥₹]\s*)?(?P<sign2>[-+−])?"  # noqa: RUF001
    r"(?P<digits>\d{1,3}(?:[, '’\u00a0\u202f]\d{3})+(?:\.\d*)?|\d+(?:\.\d*)?(?:[eE][-+]?\d+)?|\.\d+)"  # noqa: RUF001
    r"\s*(?P<scale>k|K|m|M|mn|mm|MM|b|B|bn|Bn|BN)?\s*(?:%|[$€£¥₹]|USD|EUR|GBP|CHF|JPY)?\s*(?P<close>\))?"
)
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
    """A column of texts as numbers, dates, truth values or texts: what at least nine in ten of them are."""
    cleaned = [None if value is None or value.strip().casefold() in _MISSING else value.strip() for value in values]
    present = [value for value in cleaned if value is not None]
    if not present:
        return pd.Series(cleaned, dtype="object")
    if {value.casefold() for value in present} <= {"true", "false"}:
        return pd.Series([None if v is None else v.casefold() == "true" for v in cleaned])
    for attempt in (_numbers, _dates):
        series = attempt(cleaned)
        if series is None:
            continue
        lost = int(series.isna().sum()) - (len(cleaned) - len(present))
        if lost == 0 or (lost <= len(present) // 10 and len(present) >= 10):
            if lost and notes is not None:
                kind = "number" if attempt is _numbers else "date"
                notes.append(f"{lost} cell{'s' * (lost > 1)} of {label or 'a column'} without a {kind} left empty")
            return series
    return pd.Series(cleaned)


def _numbers(values: "list[str | None]") -> "pd.Series[Any] | None":
    present = [value for value in values if value is not None]
    if any(re.fullmatch(r"0\d+", value) for value in present):  # codes such as 00501
        return None
    known = {value: _number(value) for value in set(present)}
    parsed = [None if value is None else known[value] for value in values]
    if sum(value is not None for value in parsed) < 0.9 * len(present):
        return None
    whole = all(value is not None and value == int(value) and abs(value) < 2**53 for value in parsed)
    # "3.0" stays a float: only what was written without a point is an integer.
    if whole and not any("." in value or "e" in value.lower() for value in present):
        return pd.Series([int(value) for value in parsed if value is not None])
    return pd.Series(parsed, dtype="float64")


def _number(text: str) -> float | None:
    match = _NUMBER.fullmatch(text)
    if match is None or bool(match["open"]) != bool(match["close"]):
        return None
    value = float(re.sub(r"[, '’\u00a0\u202f]", "", match["digits"]))  # noqa: RUF001
    value *= _SCALES[(match["scale"] or "").lower()]
    negative = match["open"] or any(sign in ("-", "−") for sign in (match["sign"], match["sign2"]))  # noqa: RUF001
    return -value if negative else value


def _dates(values: "list[str | None]") -> "pd.Series[Any] | None":
    present = [value for value in values if value is not None]
    quarters = [_QUARTER.fullmatch(value) for value in present]
    if sum(match is not None for match in quarters) >= 0.9 * len(present):
        return pd.Series(pd.to_datetime(pd.Series([_quarter(v) for v in values], dtype="object"), format="%Y-%m-%d"))
    tidied = {value: _tidy(value) for value in set(present) if _is_date(value)}
    if sum(value in tidied for value in present) < 0.9 * len(present):
        return None
    texts = [tidied.get(value) if value is not None else None for value in values]
    first = [int(m[1]) for text in texts if text and (m := re.match(r"(\d{1,2})[-/.]\d{1,2}[-/.]\d{2,4}", text))]
    day_first = any(day > 12 for day in first) or (bool(first) and any("." in (text or "") for text in texts))
    parsed = pd.to_datetime(
        pd.Series(texts, dtype="object"), format="mixed", dayfirst=day_first, errors="coerce", utc=True
    )
    return parsed.dt.tz_localize(None)


def _is_date(text: str) -> bool:
    return any(pattern.fullmatch(text) for pattern in _DATES)


def _tidy(text: str) -> str:
    """What ``to_datetime`` reads with certainty: month and year get a first day, odd spellings the usual one."""
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


def _quarter(text: str | None) -> str | None:
    match = _QUARTER.fullmatch(text or "")
    if match is None:
        return None
    year, quarter = match["y1"] or match["y2"], int(match["q1"] or match["q2"])
    return f"{year}-{3 * quarter - 2:02d}-01"


def looks_like_data(cell: str) -> bool:
    """Whether a cell is a number or a date rather than a heading."""
    return _number(cell) is not None or _is_date(cell) or _QUARTER.fullmatch(cell) is not None
