"""JSON and JSON lines: each record a block in words, its keys as paths (``address.city: Bern``)."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from llmos.kernel.errors import UsageError
from llmos.memory.block import Block
from llmos.memory.workspace import open_text, text_lines

_MOST = 100_000_000  # bytes: JSON has to be read whole
_DEEP = 20


def read(path: Path, name: str) -> Iterator[Block]:
    """The items of a list, the entries of an object. UsageError for what is no JSON."""
    if path.stat().st_size > _MOST:
        raise UsageError(f"{name} is larger than {_MOST // 1_000_000} MB; give it as JSON lines")
    with open_text(path, name) as stream:
        text = stream.read()
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        yield from lines(path, name)  # many call JSON lines .json
        return
    items = value if isinstance(value, list) else value.items() if isinstance(value, dict) else [value]
    for item in items:
        told = dict([item]) if isinstance(item, tuple) else item
        yield Block(spelled(told), "row")


def lines(path: Path, name: str) -> Iterator[Block]:
    """Each line of JSON lines. UsageError for one that is no JSON, with its number."""
    with open_text(path, name) as stream:
        for number, line in enumerate(text_lines(stream), 1):
            if not line.strip():
                continue
            try:
                yield Block(spelled(json.loads(line)), "row", number)
            except (ValueError, RecursionError) as error:
                raise UsageError(f"{name} is no JSON: line {number} cannot be read") from error


def spelled(value: Any) -> str:
    """A JSON value in words."""
    return ", ".join(_pairs("", value, 0)) or json.dumps(value)


def _pairs(path: str, value: Any, depth: int) -> Iterator[str]:
    if depth > _DEEP:
        yield f"{path}: …"
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _pairs(f"{path}.{key}" if path else str(key), item, depth + 1)
    elif isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value):
        for item in value:
            yield from _pairs(path, item, depth + 1)
    else:
        told = ", ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
        if told:
            yield f"{path}: {told}" if path else told
