"""Which columns fit a place in plotting code: by their kind, and by the words of the request.

A small model knows what code to write long before it knows which of seven columns is meant; the words that columns and
request share tell most of it. Knows how the embedded kernel writes its code, not tables or models.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

TIMES = frozenset({"year", "month", "date", "time", "quarter"})
NUMBERS = frozenset({"number"})
# What a place takes, by what stands before its quote.
_VALUE = re.compile(rb"(?:\b(?:y|values)=\[?(?:'[^']*', )*|\)\[|n(?:largest|smallest)\(\d+, |boxplot\()'[^']*$")
_AXIS = re.compile(rb"\bx='[^']*$")
_GROUP = re.compile(rb"(?:\b(?:index|columns|by)=|groupby\(|set_index\()'[^']*$")
_USED = re.compile(rb"'([^']*)'")


@dataclass(frozen=True, slots=True)
class Column:
    """A column as its preview tells of it."""

    name: str
    kind: str


def fitting(code: bytes, columns: Sequence[Column], request: str) -> list[str]:
    """The columns that may stand at the end of ``code``, which is an open quote; all where nothing tells."""
    everything = [c.name for c in columns]
    used = {name.decode("utf-8", "replace") for name in _USED.findall(code)}
    said = mentioned(request, columns)
    numbers = [c.name for c in columns if c.kind in NUMBERS]
    others = [c.name for c in columns if c.kind not in NUMBERS]
    if _VALUE.search(code):
        meant = [n for n in numbers if n in said and n not in used]
        return meant or [n for n in numbers if n not in used] or everything
    if _AXIS.search(code):
        # A time is the natural axis, also where a word of the subject happens to be a column's.
        meant = [c.name for c in columns if c.name in others and (c.name in said or c.kind in TIMES)]
        if said & set(others):
            return meant
        pair = [n for n in numbers if n in said]
        return [*others, *(pair if len(pair) > 1 else [])] or everything
    if _GROUP.search(code):
        meant = [n for n in others if n in said and n not in used]
        return meant or [n for n in others if n not in used] or everything
    return everything


def mentioned(request: str, columns: Sequence[Column]) -> set[str]:
    """The columns whose words the request has; of two that share them the one it says more of."""
    asked = words(request)
    found: dict[str, tuple[frozenset[str], float]] = {}
    for column in columns:
        own = words(column.name)
        same = frozenset(w for w in own if any(alike(w, other) for other in asked))
        if any(len(w) > 2 for w in same) or (same and same == frozenset(own)):
            found[column.name] = (same, len(same) / len(own))
    return {
        name
        for name, (same, share) in found.items()
        if not any(same < other or (same == other and share < more) for n, (other, more) in found.items() if n != name)
    }


def words(text: str) -> list[str]:
    """The words of a request or a name, in small letters, without plural endings."""
    parts = re.findall(r"[^\W\d_]+|\d+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text))
    return [p.lower()[:-1] if len(p) > 3 and p.lower().endswith("s") else p.lower() for p in parts]


def alike(one: str, other: str) -> bool:
    """Whether two words are the same but for a slip of the finger."""
    if one == other:
        return True
    return min(len(one), len(other)) >= 5 and SequenceMatcher(None, one, other).ratio() >= 0.85
