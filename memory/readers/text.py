"""Plain text: paragraphs between empty lines, with the line that each begins on."""

from collections.abc import Iterator
from pathlib import Path

from llmos.memory.block import Block
from llmos.memory.workspace import open_text, text_lines


def read(path: Path, name: str) -> Iterator[Block]:
    """The paragraphs. UsageError: empty or binary."""
    with open_text(path, name) as stream:
        yield from paragraphs(line.rstrip("\r\n") for line in text_lines(stream))


def paragraphs(lines: Iterator[str]) -> Iterator[Block]:
    """Lines as paragraphs; form feeds part pages, as programs that print text write them."""
    kept: list[str] = []
    began = 1
    for number, line in enumerate(lines, 1):
        if line.strip():
            if not kept:
                began = number
            kept.append(line)
            if len(kept) < 200:  # a text without any empty line
                continue
        if kept:
            yield Block("\n".join(kept), line=began)
            kept = []
    if kept:
        yield Block("\n".join(kept), line=began)
