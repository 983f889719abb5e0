"""What a file looks like, in a few typed lines that fit a small model's context.

A table (csv, tsv, JSON records, JSON lines, a sheet) becomes a :class:`Table`; :func:`render` is the one place that
turns a Table into text, so that training data and real files look the same. Everything streams: types come from the
first 2,000 rows, rows are counted for at most two seconds. It does not know units, foreign keys or free-form layouts:
a number is what reads as one (also ``$1,200`` and ``12%``), and a row with another number of fields is broken.
"""

import csv
import json
import math
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.util import find_spec
from itertools import chain, islice
from pathlib import Path, PurePosixPath
from typing import Any, TextIO

from llmos.kernel import mentions
from llmos.kernel.errors import UsageError
from llmos.kernel.hygiene import clean
from llmos.memory.kinds import BLANK, CENTURY, Kind, kind_of
from llmos.memory.workspace import open_text, text_lines

SECONDS = 2.0  # after this, "at least N rows"
HEAD_ROWS = 2_000  # rows that decide the types
MAX_COLUMNS, MAX_VALUES, SHOWN_ROWS = 24, 6, 2
MOST_DISTINCT = 2_000  # beyond, values are taken not to repeat
CELL, VALUE, NAME, LINE, OPENING = 24, 20, 60, 160, 400
_JSON_BYTES = 50_000_000  # JSON has to be read whole; above this only its size is told
_HEAD_CELLS = 500_000  # and no more cells than this for very wide tables
_KEPT = 100  # characters of a cell that are kept
_UNREADABLE = ["?", *[""] * 9_999]  # stands for a row csv gave up on: no real table is that wide


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name, what its cells are, all its values where they are few and repeat (a category).

    ``distinct`` counts the values of a text or time column that repeat, 0 where they do not: it tells a long table
    (one row for each country and year) from a plain series. ``cells`` are the different values of a text column, where
    they could all be looked at; of these only those are shown that a request speaks of.
    """

    name: str
    kind: Kind
    values: tuple[str, ...] = ()
    distinct: int = 0
    cells: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """A table in short. ``exact`` is false when counting stopped early; ``broken`` rows had other field counts.

    ``source`` is shown on the last line: where the numbers come from and as of when. ``header`` is false when the
    file has no header row (the columns are then called ``column_1`` and so on).
    """

    name: str
    rows: int
    columns: tuple[Column, ...]
    sample_rows: tuple[tuple[str, ...], ...] = ()
    source: str = ""
    broken: int = 0
    exact: bool = True
    header: bool = True


def render(table: Table, request: str = "") -> str:
    """The table as it enters the context, with values that ``request`` speaks of."""
    count = ("" if table.exact else "at least ") + f"{table.rows} row{'' if table.rows == 1 else 's'}"
    notes = [] if table.header else ["no header row"]
    if table.broken:
        notes.append(f"{table.broken} broken row{'' if table.broken == 1 else 's'} skipped")
    shown = ", ".join(_column_text(column, request) for column in table.columns[:MAX_COLUMNS])
    more = len(table.columns) - MAX_COLUMNS
    lines = [
        f"file {_name(table.name)}: {count}" + "".join(f" ({note})" for note in notes),
        f"columns: {shown}" + (f", … {more} more" if more > 0 else ""),
    ]
    if table.sample_rows:
        lines.append("first rows:")
        for row in table.sample_rows[:SHOWN_ROWS]:
            lines.append(_cut(",".join(_quoted(_cut(cell, CELL)) for cell in row[:MAX_COLUMNS]), LINE))
    if table.source:
        lines.append(f"source: {_plain(table.source)}")
    return "\n".join(lines)


def _column_text(column: Column, request: str) -> str:
    values = ", ".join(_quoted(_cut(value, VALUE)) for value in column.values)
    told = f": {values}" if values else ""
    if column.distinct and not values:
        told = f", {column.distinct} values" if column.kind == "text" else ", repeated"
    named = mentions.said(request, column.cells) if request and not values else ()
    if named:
        told += f", has {', '.join(_quoted(_cut(value, NAME)) for value in named)}"
    return f"{_name(_cut(column.name, NAME))} ({column.kind}{told})"


def _name(text: str) -> str:
    """A file's or column's name as Python writes it: the model copies it into code token by token."""
    return f"'{_plain(text)}'" if "'" not in text else f'"{_plain(text)}"'


def _plain(text: str) -> str:
    """One line without control, zero-width or bidi characters: outside text must not draw on a terminal."""
    return " ".join(clean(text).split())


def _cut(text: str, length: int) -> str:
    text = _plain(text[: 4 * length])
    return text if len(text) <= length else text[: length - 1] + "…"


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if "," in cell or '"' in cell else cell


def tabulate(
    name: str,
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    source: str = "",
    seconds: float = math.inf,
    has_header: bool = True,
) -> Table:
    """A Table from rows of cells, read once and not kept; counting stops after ``seconds``.

    Rows with another number of cells than ``header`` are counted as broken, empty rows not at all.
    """
    names = _distinct(header)
    head: list[Sequence[str]] = []
    tally: dict[int, dict[str, int]] = {i: {} for i in range(len(names))}  # without columns of too many values
    most = min(HEAD_ROWS, max(50, _HEAD_CELLS // max(1, len(names))))
    count, broken, exact, end = 0, 0, True, time.monotonic() + seconds
    for row in rows:
        if not any(row):
            continue
        if len(row) != len(names):
            broken += 1
        else:
            count += 1
            if count <= most:
                head.append([cell[:_KEPT] for cell in row])
            if tally:
                _tally(tally, row)
        if (count + broken) % 512 == 0 and time.monotonic() > end:
            exact = False
            break
    kinds = [kind_of(column, (row[i] for row in head)) for i, column in enumerate(names)]
    columns = tuple(
        _column(column, kind, tally.get(i) if exact else None)
        for i, (column, kind) in enumerate(zip(names, kinds, strict=True))
    )
    sample = tuple(tuple(row) for row in head[:SHOWN_ROWS])
    return Table(name, count, columns, sample, source, broken, exact, has_header)


def _distinct(header: Sequence[str]) -> list[str]:
    """Names as pandas makes them distinct: ``a``, ``a.1``; an empty one is called after its place."""
    names: dict[str, None] = {}
    for place, cell in enumerate(header, 1):
        name = base = _plain(cell) or f"column_{place}"
        again = 0
        while name in names:
            again += 1
            name = f"{base}.{again}"
        names[name] = None
    return list(names)


def _tally(tally: dict[int, dict[str, int]], row: Sequence[str]) -> None:
    for i, seen in tuple(tally.items()):
        cell = row[i].strip()[:_KEPT]
        if cell in seen or cell.lower() not in BLANK:
            seen[cell] = seen.get(cell, 0) + 1
            if len(seen) > MOST_DISTINCT:
                del tally[i]


def _column(name: str, kind: Kind, seen: dict[str, int] | None) -> Column:
    """A text column repeats when its values come about three times in two; a time column when any comes twice."""
    filled = sum(seen.values()) if seen else 0
    if not seen or kind not in ("text", "year", "month", "date", "quarter"):
        return Column(name, kind)
    repeats = len(seen) <= 0.7 * filled if kind == "text" else len(seen) < filled
    few = repeats and kind == "text" and len(seen) <= MAX_VALUES
    values = tuple(seen) if few and len({_cut(value, VALUE) for value in seen}) == len(seen) else ()
    return Column(name, kind, values, len(seen) if repeats else 0, tuple(seen) if kind == "text" else ())


def preview(path: Path, name: str, source: str = "", request: str = "") -> str:
    """The short typed preview of the file ``path``, called ``name``; ``source`` is a table's last line.

    ``request``: what it comes with, so that the values it speaks of are told.
    """
    seen = look(path, name, source)
    return render(seen, request) if isinstance(seen, Table) else seen


def look(path: Path, name: str, source: str = "") -> Table | str:
    """The file as a Table, or as preview text where it is none. UsageError: empty or binary."""
    suffix = PurePosixPath(name).suffix.lower()  # the path may be a descriptor's
    if suffix == ".xlsx":
        return _sheet(path, name, source)
    with open_text(path, name) as stream:
        if suffix in (".csv", ".tsv"):
            return _delimited(stream, name, source)
        if suffix in (".jsonl", ".ndjson"):
            return _json_lines(stream, name, source)
        if suffix == ".json":
            return _json(stream, path.stat().st_size, name, source)
        return _prose(stream, name)


def _delimited(stream: TextIO, name: str, source: str) -> Table:
    head = list(islice(text_lines(stream), 200))
    delimiter, width = sniff(head)
    rows = _rows(chain(head, text_lines(stream)), delimiter)
    skipped, first = 0, next(rows, [])
    while len(first) != width and (following := next(rows, None)) is not None:  # a title above the table
        skipped, first = skipped + any(first), following
    sample = list(islice(rows, 50))
    rows = chain(sample, rows)
    if _is_header(first, [row for row in sample if len(row) == len(first)]):
        table = tabulate(name, first, rows, source=source, seconds=SECONDS)
    else:
        names = [f"column_{i}" for i in range(1, len(first) + 1)]
        table = tabulate(name, names, chain([first], rows), source=source, seconds=SECONDS, has_header=False)
    return replace(table, broken=table.broken + skipped)


def _rows(lines: Iterator[str], delimiter: str) -> Iterator[list[str]]:
    """The rows; one that csv cannot read (a field beyond its limit) comes as a row of no known width."""
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error:
            row = _UNREADABLE
        yield row


def sniff(head: Sequence[str]) -> tuple[str, int]:
    """The delimiter and the number of columns: the reading in which most rows have the same, larger, width."""
    best = (0.0, 1, "\x1f")
    for delimiter in ",;\t|":
        widths = [len(row) for row in _rows(iter(head), delimiter) if row]
        for width in set(widths) - {1}:
            share = widths.count(width) / len(widths) + (0.3 if widths[0] == width else 0.0)
            if share >= 0.6 and (share, width) > best[:2]:
                best = (share, width, delimiter)
    return best[2], best[1]


def _is_header(first: Sequence[str], sample: Sequence[Sequence[str]]) -> bool:
    """Whether the first row names the columns: words above numbers, or words that do not come again below."""
    if not any(first):
        return False
    data = 0
    for i, cell in enumerate(first):
        column = [row[i] for row in sample]
        above, below = kind_of("", [cell]), kind_of("", column)
        if above in ("text", "yes/no") and below not in (above, "text", "empty"):
            return True
        if CENTURY.fullmatch(cell.strip()) and not any(CENTURY.fullmatch(other.strip()) for other in column):
            return True  # a wide table: one column a year
        data += above not in ("text", "empty", "yes/no") or above == below == "yes/no"
    repeats = any(cell and cell in {row[i] for row in sample} for i, cell in enumerate(first))
    return not data and not repeats


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def _json(stream: TextIO, size: int, name: str, source: str) -> Table | str:
    if size > _JSON_BYTES:
        return f"file {_name(name)}: {size // 1_000_000} MB of JSON"
    text = stream.read().lstrip("\ufeff")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        stream.seek(0)
        return _json_lines(stream, name, source)  # many call JSON lines .json
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        return _records(name, value, source)
    if isinstance(value, dict) and _are_columns(value):
        rows = ([_cell(cell) for cell in row] for row in zip(*value.values(), strict=True))
        return tabulate(name, list(value), rows, source=source, seconds=SECONDS)
    return _outline(value, name)


def _are_columns(value: dict[str, Any]) -> bool:
    lists = [column for column in value.values() if isinstance(column, list)]
    flat = all(not isinstance(cell, (list, dict)) for column in lists for cell in column[:100])
    return flat and len(lists) == len(value) > 0 and len({len(column) for column in lists}) == 1


def _records(name: str, records: Iterable[dict[str, Any]], source: str) -> Table:
    """Objects as rows; the columns are the keys of the first hundred, in order of appearance."""
    first = list(islice(iterator := iter(records), 100))
    names = list(dict.fromkeys(key for record in first for key in record))
    rows = ([_cell(record.get(key)) for key in names] if record else _UNREADABLE for record in chain(first, iterator))
    return tabulate(name, names, rows, source=source, seconds=SECONDS)


def _json_lines(stream: TextIO, name: str, source: str) -> Table | str:
    records = (_object(line) for line in text_lines(stream) if line.strip())
    table = _records(name, records, source)
    if table.rows:
        return table
    stream.seek(0)
    return _prose(stream, name, "not valid JSON")


def _object(line: str) -> dict[str, Any]:
    """The object on a line of JSON lines; empty (a broken row) where there is none."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _outline(value: Any, name: str) -> str:
    """What JSON that is no table holds: its keys, or its first items."""
    if isinstance(value, dict):
        shown = ", ".join(f"{_cut(key, NAME)} ({_shape(item)})" for key, item in islice(value.items(), MAX_COLUMNS))
        more = f", … {len(value) - MAX_COLUMNS} more" if len(value) > MAX_COLUMNS else ""
        return f"file {_name(name)}: JSON object with {len(value)} keys\nkeys: {shown}{more}"
    start = _cut(json.dumps(value[:50] if isinstance(value, list) else value, ensure_ascii=False), OPENING)
    return f"file {_name(name)}: JSON {_shape(value)}\n{start}"


def _shape(value: Any) -> str:
    if isinstance(value, dict):
        return "object: " + _cut(", ".join(value), CELL) if value else "empty object"
    if isinstance(value, list):
        return f"list of {len(value)}"
    if value is None:
        return "empty"
    return "text" if isinstance(value, str) else "yes/no" if isinstance(value, bool) else "number"


def _prose(stream: TextIO, name: str, note: str = "") -> str:
    """Lines, words and the opening of a text."""
    lines, words, opening, end, least = 0, 0, "", time.monotonic() + SECONDS, ""
    for line in text_lines(stream):
        lines, words = lines + 1, words + len(line.split())
        if len(opening) <= OPENING:
            opening += line[: 2 * OPENING]
        if lines % 512 == 0 and time.monotonic() > end:
            least = "at least "
            break
    start = "\n".join(filter(None, map(_plain, opening.splitlines())))
    if len(start) > OPENING:
        start = start[:OPENING].rsplit(" ", 1)[0] + "…"
    counts = f"{least}{lines} line{'' if lines == 1 else 's'}, {words} word{'' if words == 1 else 's'}"
    return f"file {_name(name)}: {counts}{f' ({note})' if note else ''}\n{start}"


def _sheet(path: Path, name: str, source: str) -> Table | str:
    """The first sheet of an Excel workbook, where openpyxl is installed."""
    if find_spec("openpyxl") is None:
        return f"file {_name(name)}: Excel workbook, not read; save it as csv, or: pip install openpyxl"
    try:
        with path.open("rb") as stream:
            book = import_module("openpyxl").load_workbook(stream, read_only=True, data_only=True)
            rows = (["" if cell is None else str(cell) for cell in row] for row in book.worksheets[0].values)
            return tabulate(name, next(rows, []), rows, source=source, seconds=SECONDS)
    except Exception as error:  # openpyxl raises whatever its zip and XML readers raise
        raise UsageError(f"{name} cannot be read as an Excel workbook: {error}; save it as csv") from error
