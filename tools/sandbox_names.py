"""Names nearly right: in the sandbox ``df['Amount USD']`` finds ``amount_usd``, and says so.

Runs inside. A name that exists is never touched; one that does not is taken for the column it must mean, where only one
can be meant, with a printed line that tells. Otherwise the error is pandas' own. A value that a column of text is
compared with and does not hold is found too, but in another case or spacing alone: ``df['country'] == 'peru'`` finds
``Peru``, and 'male' never 'female'.
"""

import re
from collections.abc import Callable, Sequence
from difflib import SequenceMatcher
from functools import wraps
from typing import Any

MOST_VALUES = 2_000  # of a column are looked through
CLOSE, AHEAD = 0.72, 0.08  # likeness that is enough, and how far the next best must be behind

# Methods that take column names: the arguments that do, in order of position (after self).
_METHODS: dict[str, tuple[str, ...]] = {
    "groupby": ("by",),
    "set_index": ("keys",),
    "sort_values": ("by",),
    "nlargest": ("n", "columns"),
    "nsmallest": ("n", "columns"),
    "pivot_table": ("values", "index", "columns"),
    "pivot": ("columns", "index", "values"),
    "boxplot": ("column", "by"),
    "hist": ("column", "by"),
    "drop_duplicates": ("subset",),
    "dropna": ("axis", "how", "thresh", "subset"),
    "explode": ("column",),
}
_NAMED = frozenset({"by", "keys", "columns", "values", "index", "column", "subset"})


def meant(name: str, names: Sequence[str], close: float = CLOSE) -> str | None:
    """The one of ``names`` that ``name`` must mean, or None."""
    plain = letters(name)
    spelled = {other: letters(other) for other in names}
    same = [other for other, spelling in spelled.items() if spelling == plain]
    if same or not plain:
        return same[0] if len(same) == 1 else None
    likeness = sorted(((SequenceMatcher(None, plain, s).ratio(), n) for n, s in spelled.items() if s), reverse=True)
    if likeness and likeness[0][0] >= close and (len(likeness) == 1 or likeness[0][0] - likeness[1][0] >= AHEAD):
        return likeness[0][1]
    holding = [n for n, s in spelled.items() if len(plain) >= 4 and len(s) >= 4 and (plain in s or s in plain)]
    return holding[0] if len(holding) == 1 else None


def letters(text: str) -> str:
    """Letters and digits alone, in small letters."""
    return re.sub(r"[\W_]", "", str(text).casefold())


def install(pandas: Any, plotting: Any) -> None:
    """Teach DataFrames and their plots to find columns whose names are nearly right."""
    frame = pandas.DataFrame
    groups = pandas.api.typing.DataFrameGroupBy
    frame.__getitem__ = _item(frame.__getitem__, lambda self: self)
    groups.__getitem__ = _item(groups.__getitem__, lambda self: self.obj)
    for method, places in _METHODS.items():
        setattr(frame, method, _finding(getattr(frame, method), places))
    plotting.__call__ = _plot(plotting.__call__)
    series = pandas.Series
    series.__eq__ = _comparing(series.__eq__)
    series.isin = _comparing(series.isin)


def _item(original: Callable[..., Any], frame_of: Callable[[Any], Any]) -> Callable[..., Any]:
    @wraps(original)
    def item(self: Any, key: Any) -> Any:
        try:
            return original(self, key)
        except KeyError:
            found = _found(frame_of(self), key)
            if found is key:
                raise
            return original(self, found)

    return item


def _finding(original: Callable[..., Any], places: tuple[str, ...]) -> Callable[..., Any]:
    @wraps(original)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        given = [_found(self, a) if p in _NAMED else a for a, p in zip(args, places, strict=False)]
        named = {k: _found(self, v) if k in _NAMED else v for k, v in kwargs.items()}
        return original(self, *given, *args[len(given) :], **named)

    return method


def _plot(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def plot(self: Any, *args: Any, **kwargs: Any) -> Any:
        data = self._parent
        if hasattr(data, "columns"):
            kwargs = {k: _found(data, v) if k in ("x", "y", "c", "s") else v for k, v in kwargs.items()}
        return original(self, *args, **kwargs)

    return plot


def _comparing(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def compared(self: Any, other: Any) -> Any:
        if self.dtype.kind not in "biufcmM":
            if isinstance(other, str):
                other = _values(self, [other])[0]
            elif isinstance(other, list) and all(isinstance(v, str) for v in other):
                other = _values(self, other)
        return original(self, other)

    return compared


def _values(column: Any, wanted: list[str]) -> list[str]:
    """The wanted values as the column spells them, where that differs in case or spacing alone and in one way only."""
    try:
        there = [v for v in column.unique().tolist() if isinstance(v, str)]
    except TypeError:  # lists in it
        return wanted
    if len(there) > MOST_VALUES:
        return wanted
    spelled: dict[str, list[str]] = {}
    for value in there:
        spelled.setdefault(_loose(value), []).append(value)
    alike = [spelled.get(_loose(v), ()) for v in wanted]
    found = [same[0] if v not in there and len(same) == 1 else v for v, same in zip(wanted, alike, strict=True)]
    for old, new in zip(wanted, found, strict=True):
        if old != new:
            print(f"(there is no {old!r} in {column.name!r}; {new!r} was taken)")
    return found


def _loose(value: str) -> str:
    return re.sub(r"(?<=\w)[\s_-]+(?=\w)", " ", value.strip().casefold())


def _found(frame: Any, key: Any) -> Any:
    """The key with names that do not exist replaced by those they must mean; the very key where nothing is."""
    if isinstance(key, str):
        return _one(frame, key)
    if isinstance(key, list) and key and all(isinstance(k, str) for k in key):
        found = [_one(frame, k) for k in key]
        return key if found == key else found
    return key


def _one(frame: Any, name: str) -> str:
    columns = [c for c in frame.columns if isinstance(c, str)]
    if name in columns or name in frame.index.names:
        return name
    found = meant(name, columns)
    if found is None:
        return name
    print(f"(there is no column {name!r}; {found!r} was taken)")
    return found
