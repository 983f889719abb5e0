"""``load(name)``: a session's table by name, as a DataFrame whose numbers are numbers and whose dates are dates.

Runs inside the sandbox. It guesses delimiter, encoding and types, and says in one
printed line
what it left out. It does not guess units, currencies or time zones: ``12%`` is 12, ``$3.5M`` is 3500000, times become
UTC.
"""

import csv
import io
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd

from llmos.tools.sandbox_convert import convert, looks_like_data
from llmos.tools.sandbox_names import letters, meant

_DELIMITERS = ",;\t|"
_SAMPLE = 200  # rows looked at to guess the delimiter
_TABLES = {".csv", ".tsv", ".txt", ".tab", ".dat", ""}
_COMMA = re.compile(r"-?\d{1,3}(?:\.\d{3})+,\d+|-?\d+,\d+")


def load(name: str) -> pd.DataFrame:
    """The session's file ``name`` as a DataFrame; folder, extension and capitals may be left out.

    Raises ``FileNotFoundError`` naming the files that exist, ``ValueError`` for a file that is no table.
    """
    path = find(name)
    suffix = path.suffix.lower()
    if suffix in (".json", ".jsonl", ".ndjson"):
        frame = _read_json(path)
    elif suffix in (".xlsx", ".xls", ".xlsm", ".ods"):
        frame = pd.read_excel(path)
    elif suffix == ".parquet":
        frame = pd.read_parquet(path)
    elif suffix in _TABLES:
        return read_text(decode(path.read_bytes()), path.name)
    else:
        raise ValueError(f"{path.name} is not a table (csv, tsv, txt, json, jsonl or xlsx)")
    notes: list[str] = []
    for column in frame.columns:
        if not pd.api.types.is_numeric_dtype(frame[column]) and frame[column].map(_is_text).all():
            frame[column] = convert([None if v is None or v != v else str(v) for v in frame[column]], notes)
    _tell(path.name, notes)
    return frame


def find(name: str, root: Path = Path()) -> Path:
    """The path of the file that is meant by ``name``. Raises ``FileNotFoundError`` naming those that exist."""
    wanted = str(name).strip().removeprefix("./")
    if (root / wanted).is_file():
        return root / wanted
    files = sorted(p for p in (*root.glob("*"), *root.glob("data/**/*")) if p.is_file() and not p.name.startswith("."))
    plain = Path(wanted).name.casefold()
    for same in (
        lambda p: p.name.casefold() == plain,
        lambda p: p.stem.casefold() == plain or p.stem.casefold() == Path(plain).stem,
        lambda p: letters(p.stem) == letters(Path(plain).stem),
    ):
        found = [p for p in files if same(p)]
        if found:
            # An attached file is meant before one that code made.
            return next((p for p in found if "data" in p.parts), found[0])
    near = meant(Path(plain).stem, sorted({p.stem for p in files if "data" in p.parts}), close=0.5)
    if near is not None:
        path = next(p for p in files if p.stem == near and "data" in p.parts)
        print(f"(there is no file {name!r}; {path.name!r} was taken)")
        return path
    have = ", ".join(p.relative_to(root).name for p in files) or "none"
    raise FileNotFoundError(f"no file named {name!r}; the files are: {have}")


def decode(data: bytes) -> str:
    """Text in UTF-8 or UTF-16, else as Windows-1252 has it."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def read_text(text: str, name: str = "the file") -> pd.DataFrame:
    """A delimited text as a DataFrame; prints one line when rows or cells were left out. Raises ``ValueError`` if
    empty."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    delimiter = _delimiter(lines)
    rows = [(number, row) for number, row in _rows(lines, delimiter) if any(map(str.strip, row))]
    if not rows:
        raise ValueError(f"{name} is empty")
    width = _width([row for _, row in rows[:_SAMPLE]])
    while len(rows) > 1 and len(rows[0][1]) != width:  # lines before the table: a title, a comment
        rows.pop(0)
    head = [cell.strip() for cell in rows[0][1]]
    if all(looks_like_data(cell) for cell in head if cell):
        head = [f"column_{index + 1}" for index in range(width)]
    else:
        rows.pop(0)
    notes: list[str] = []
    kept = _whole(rows, len(head), notes)
    columns = list(zip(*kept, strict=True)) if kept else [() for _ in head]
    comma = delimiter != "," and _uses_comma(columns)
    data = {
        label: convert([_cell(value, comma) for value in column], notes, label)
        for label, column in zip(_labels(head), columns, strict=True)
    }
    _tell(name, notes)
    return pd.DataFrame(data)


def _rows(text: str, delimiter: str) -> "list[tuple[int, list[str]]]":
    csv.field_size_limit(1 << 24)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True)
    rows: list[tuple[int, list[str]]] = []
    while True:
        try:
            rows.append((reader.line_num + 1, next(reader)))
        except StopIteration:
            return rows
        except csv.Error:
            continue


def _delimiter(text: str) -> str:
    """The delimiter under which most of the first lines have the same number (at least two) of cells."""
    sample = "\n".join(text.split("\n", _SAMPLE)[:_SAMPLE])
    best, choice = (0.0, 0), ","
    for delimiter in _DELIMITERS:
        rows = [row for _, row in _rows(sample, delimiter) if any(row)]
        width = _width(rows)
        if width > 1:
            score = (round(sum(len(row) == width for row in rows) / len(rows), 1), width)
            if score > best:
                best, choice = score, delimiter
    if best == (0.0, 0) and re.search(r"^\S+ +\S+", sample):
        return " " if len({len(line.split()) for line in sample.splitlines() if line.strip()}) == 1 else ","
    return choice


def _width(rows: "list[list[str]]") -> int:
    return Counter(len(row) for row in rows).most_common(1)[0][0] if rows else 0


def _whole(rows: "list[tuple[int, list[str]]]", width: int, notes: list[str]) -> list[list[str]]:
    """The rows with every cell. Where many are short, cells left out at the end are the file's habit: they get
    filled."""
    short = sum(len(row) < width for _, row in rows)
    fill = short > max(2, 0.2 * len(rows))
    kept, broken = [], []
    for number, row in rows:
        if len(row) > width and not any(map(str.strip, row[width:])):
            row = row[:width]
        if len(row) == width or (fill and len(row) < width):
            kept.append(row + [""] * (width - len(row)))
        else:
            broken.append(number)
    if broken:
        where = ", ".join(map(str, broken[:5])) + (", …" if len(broken) > 5 else "")
        plural = len(broken) > 1
        notes.append(f"{len(broken)} broken row{'s' * plural} skipped (line{'s' * plural} {where})")
    return kept


def _labels(head: list[str]) -> list[str]:
    seen: Counter[str] = Counter()
    labels = []
    for index, cell in enumerate(head):
        label = " ".join(cell.split()) or f"column_{index + 1}"
        seen[label] += 1
        labels.append(label if seen[label] == 1 else f"{label}_{seen[label]}")
    return labels


def _uses_comma(columns: "list[Any]") -> bool:
    """Whether numbers are written with a decimal comma: some are, and none with a decimal point."""
    cells = [cell.strip() for column in columns for cell in column[:_SAMPLE]]
    return any(_COMMA.fullmatch(cell) for cell in cells) and not any(re.fullmatch(r"-?\d+\.\d+", c) for c in cells)


def _cell(text: str, comma: bool) -> str:
    text = text.strip()
    return text.replace(".", "").replace(",", ".") if comma and _COMMA.fullmatch(text) else text


def _read_json(path: Path) -> pd.DataFrame:
    text = decode(path.read_bytes())
    try:
        data = json.loads(text)
    except json.JSONDecodeError:
        data = [json.loads(line) for line in text.splitlines() if line.strip()]
    if isinstance(data, dict):
        lists = [value for value in data.values() if isinstance(value, list) and value and isinstance(value[0], dict)]
        if len(lists) == 1:
            data = lists[0]
        elif data and all(isinstance(value, list) for value in data.values()):
            return pd.DataFrame(data)
        else:
            data = [data]
    if data and isinstance(data[0], dict):
        return pd.json_normalize(data)
    return pd.DataFrame(data)


def _is_text(value: object) -> bool:
    return value is None or isinstance(value, str) or value != value


def _tell(name: str, notes: list[str]) -> None:
    if notes:
        print(f"{name}: {'; '.join(notes)}.")
