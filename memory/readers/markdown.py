"""Markdown: headings of both styles, paragraphs, lists, fenced code and pipe tables; marks inside text stay."""

import re
from collections.abc import Generator, Iterator
from pathlib import Path

from llmos.memory.block import Block
from llmos.memory.readers.rows import named
from llmos.memory.workspace import open_text, text_lines

_HEADING = re.compile(r" {0,3}(#{1,6})\s+(.*?)\s*#*\s*$")
_UNDERLINE = re.compile(r" {0,3}(=+|-+)\s*$")
_FENCE = re.compile(r"\s*(```|~~~)")
_RULE = re.compile(r"\s*\|?\s*:?-{2,}:?\s*(\|\s*:?-{2,}:?\s*)*\|?\s*$")


def read(path: Path, name: str) -> Iterator[Block]:
    """The blocks. UsageError: empty or binary."""
    with open_text(path, name) as stream:
        yield from blocks([line.rstrip("\r\n") for line in text_lines(stream)])


def blocks(lines: list[str]) -> Iterator[Block]:
    """Markdown's lines as blocks."""
    kept: list[str] = []
    began = at = 0
    while at < len(lines):
        line = lines[at]
        heading, table = _HEADING.match(line), at + 1 < len(lines) and "|" in line and _RULE.match(lines[at + 1])
        under = _UNDERLINE.match(line) if len(kept) == 1 else None
        if under:
            yield Block(kept.pop(), "heading", began + 1, level=1 if under[1][0] == "=" else 2)
        elif heading or table or _FENCE.match(line) or not line.strip():
            if kept:
                yield Block("\n".join(kept), line=began + 1)
                kept = []
            if heading:
                yield Block(heading[2], "heading", at + 1, level=len(heading[1]))
            elif table:
                at = yield from _table(lines, at)
                continue
            elif line.strip():
                at = yield from _code(lines, at)
                continue
        else:
            began = at if not kept else began
            kept.append(line)
        at += 1
    if kept:
        yield Block("\n".join(kept), line=began + 1)


def _code(lines: list[str], at: int) -> Generator[Block, None, int]:
    mark = _FENCE.match(lines[at])
    end = at + 1
    while end < len(lines) and not (mark and lines[end].strip().startswith(mark[1])):
        end += 1
    if text := "\n".join(lines[at + 1 : end]):
        yield Block(text, "code", at + 2)
    return end + 1


def _table(lines: list[str], at: int) -> Generator[Block, None, int]:
    header, at = _cells(lines[at]), at + 2
    while at < len(lines) and "|" in lines[at]:
        yield Block(named(header, _cells(lines[at])), "row", at + 1)
        at += 1
    return at


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]
