"""Source code: one block a definition at the left margin, named by its first line; the lines between belong above."""

import re
from collections.abc import Iterator
from pathlib import Path

from llmos.memory.block import Block
from llmos.memory.workspace import open_text, text_lines

_BEGINS = re.compile(
    r"(?:export |public |private |static |async |pub |abstract |final )*"
    r"(?:def|class|function|func|fn|struct|enum|trait|impl|interface|type|module|namespace|const|let|var)\b"
    r"|@\w|[A-Za-z_][\w<>,*&: ]*\([^;]*\)\s*\{"
)


def read(path: Path, name: str) -> Iterator[Block]:
    """The definitions. UsageError: empty or binary."""
    kept: list[str] = []
    began, decorated = 1, False
    with open_text(path, name) as stream:
        for number, line in enumerate((line.rstrip("\r\n") for line in text_lines(stream)), 1):
            if _BEGINS.match(line) and not decorated and kept:
                yield from _named(kept, began)
                kept, began = [], number
            decorated = line.startswith("@")
            kept.append(line)
    yield from _named(kept, began)


def _named(lines: list[str], began: int) -> Iterator[Block]:
    first = next((line for line in lines if line.strip() and not line.startswith("@")), "")
    if not first:
        return
    if _BEGINS.match(first):
        yield Block(first.strip().rstrip(":{ "), "heading", began, level=1)
    yield Block("\n".join(lines).rstrip(), "code", began)
