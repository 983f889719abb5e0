"""The memory as a file of JSON lines, one document each, and back: what was kept, its labels and days included.

Vectors are not written: they are made again from the text, so that a file is small and fits any later embedder.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from llmos.kernel.errors import UsageError
from llmos.kernel.types import Label
from llmos.memory.chunks import FULL, Chunk, size
from llmos.memory.record import Added, Document, Where
from llmos.memory.store import Memory

FORM = 1


def export(memory: Memory, path: Path) -> int:
    """Write all documents, the oldest first; how many. The file is there whole or not at all."""
    draft = path.with_name(f".{path.name}.draft")
    count = 0
    with draft.open("w", encoding="utf-8") as stream:
        for document in reversed(memory.documents(Where(everyone=True))):
            told = {**asdict(document), "form": FORM, "text": [asdict(chunk) for _, chunk in memory.text(document.id)]}
            stream.write(json.dumps(told, ensure_ascii=False) + "\n")
            count += 1
    draft.replace(path)
    return count


def take_in(memory: Memory, path: Path, trusted: bool = False) -> Iterator[Added]:
    """Add the documents of an exported file; what is known already stays as it is. UsageError names a bad line.

    Anybody may have written the file: unless it is ``trusted``, so is nothing in it.
    """
    with path.open(encoding="utf-8") as stream:
        for number, line in enumerate(stream, 1):
            try:
                document, chunks = _read(json.loads(line), trusted)
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                raise UsageError(f"{path}, line {number} is no document of an export: {error}") from error
            yield memory.add(document, chunks)


def _read(told: dict[str, Any], trusted: bool) -> tuple[Document, list[Chunk]]:
    if told["form"] != FORM:
        raise ValueError(f"form {told['form']}, this llmos reads {FORM}")
    label = told["label"]
    integrity: Literal["trusted", "untrusted"] = (
        "trusted" if trusted and label["integrity"] == "trusted" else "untrusted"
    )
    names = ("key", "title", "hash", "kind", "location", "persona", "session", "said_by")
    key, title, digest, kind, location, persona, session, said_by = (_text(told[name]) for name in names)
    origins = tuple(map(_text, label["origins"]))
    chunks = [Chunk(**{**chunk, "text": _text(chunk["text"])}) for chunk in told["text"]]
    if any(size(chunk.text) > FULL + 16 for chunk in chunks):
        raise ValueError("a passage is longer than any that is cut here")
    kept = Label(origins, integrity, "user")
    made = Document(key, title, digest, kind, location, persona, session, said_by, float(told["added"]), kept)
    return made, chunks


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no text")
    return value
