"""Reads training data of any of the usual forms into rows of text with what each leads to, for the checks on it.

JSON lines, CSV, and plain lines; a folder's files one after the other. Knows nothing of what is looked for in them.
"""

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmos.kernel.errors import UsageError

TEXTS = ("prompt", "text", "question", "instruction", "request", "input", "query", "messages", "turns")
OUTCOMES = (
    "label", "category", "outcome", "verdict", "tool", "completion", "response", "answer", "output", "chosen"
)  # fmt: skip
PLAIN = (".txt", ".md")
KINDS = (".jsonl", ".json", ".csv", ".yaml", ".yml", *PLAIN)


@dataclass(frozen=True, slots=True)
class Row:
    """A row of training data: its text, what it leads to (empty where that is not told), and ``file:line``."""

    text: str
    outcome: str
    where: str

    @property
    def whole(self) -> str:
        """All that is trained on."""
        return f"{self.text}\n{self.outcome}"


def read_rows(path: Path) -> list[Row]:
    """The rows of a file, or of all files of a folder that hold data.

    The outcome of a plain line in a folder is its file's name, else what stands behind `` => ``. Raises UsageError
    where there are none, or a file cannot be read.
    """
    files = sorted(f for f in path.rglob("*") if f.suffix in KINDS and f.is_file()) if path.is_dir() else [path]
    rows = [row for file in files for row in _read(file, file.stem if path.is_dir() else "")]
    if not rows:
        raise UsageError(f"{path} holds no training data: give JSON lines, CSV or text, or a folder of such files")
    return rows


def _read(file: Path, name: str) -> Iterator[Row]:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8'}") from error
    if file.suffix == ".csv":
        for n, record in enumerate(csv.DictReader(text.splitlines()), 2):
            yield _row(dict(record), f"{file}:{n}")
        return
    if file.suffix == ".json":
        data = _parsed(text, str(file))
        for n, one in enumerate(data if isinstance(data, list) else [data], 1):
            yield _row(one, f"{file}:{n}")
        return
    if file.suffix in (".yaml", ".yml"):
        yield from _yaml(text, file, name)
        return
    for n, line in enumerate(text.split("\n"), 1):
        if not line.strip() or (file.suffix in PLAIN and line.startswith("#")):
            continue
        where = f"{file}:{n}"
        if file.suffix == ".jsonl":
            yield _row(_parsed(line, where), where)
        else:
            asked, _, made = line.strip().partition(" => ")
            yield Row(asked, name or made, where)


def _yaml(text: str, file: Path, name: str) -> Iterator[Row]:
    """A list of records; one with ``prompts`` is a row for each, which lead to the rest of it."""
    import yaml

    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UsageError(f"{file} is not YAML: {str(error).splitlines()[0]}") from error
    for n, one in enumerate(data if isinstance(data, list) else [data], 1):
        prompts = one.get("prompts") if isinstance(one, Mapping) else None
        if isinstance(prompts, list):
            rest = _flat([v for k, v in one.items() if k != "prompts"])
            yield from (Row(_flat(prompt), rest or name, f"{file}:{n}") for prompt in prompts)
        else:
            yield _row(one, f"{file}:{n}")


def _parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise UsageError(f"{where} is not JSON: {error}") from error


def _row(data: Any, where: str) -> Row:
    """A record: a mapping with the usual names, or a list of texts of which the last is what the others lead to."""
    if isinstance(data, list) and data:
        return Row("\n".join(map(_flat, data[:-1])), _flat(data[-1]), where)
    if not isinstance(data, Mapping):
        return Row(_flat(data), "", where)
    told = next((data[k] for k in TEXTS if data.get(k)), None)
    outcome = next((_flat(data[k]) for k in OUTCOMES if data.get(k)), "")
    if told is None:
        told = [v for k, v in data.items() if k not in OUTCOMES]
    if isinstance(told, list) and all(isinstance(m, Mapping) for m in told):
        own = [m for m in told if m.get("role") == "assistant"]
        outcome = outcome or (_flat(own[-1].get("tool_calls") or own[-1].get("content") or "") if own else "")
        told = [m for m in told if m is not (own[-1] if own else None)]
    return Row(_flat(told), outcome, where)


def _flat(data: Any) -> str:
    """All texts of some data, a line each."""
    if isinstance(data, Mapping):
        return "\n".join(filter(None, (_flat(v) for k, v in data.items() if k != "role")))
    if isinstance(data, list):
        return "\n".join(filter(None, map(_flat, data)))
    return "" if data is None else str(data)
