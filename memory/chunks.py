"""Cuts a document's blocks into chunks that the embedder reads whole, each with its heading, page and lines.

Neighbours under one heading and on one page share a chunk until it is full; rows and code do not mix with prose. A text
that is too long is cut at sentences, lines or words, and the end of one chunk begins the next. Knows no formats.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from llmos.kernel.minilm import wordpieces
from llmos.memory.block import Block, BlockKind

FULL = 176  # wordpieces of a chunk's text: with its heading it stays below what the embedder reads
_OVERLAP = 32  # at most so many are repeated at the beginning of the next chunk
_HEADING = 48  # wordpieces of title and headings before the text
_ENDS = re.compile(r"(?<=[.!?;:\u3002\uff01\uff1f])\s+|\n+")
_LINES = re.compile(r"\n+")


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage: what is found, shown and cited. ``heading`` is its path (``Leave > Notice``)."""

    text: str
    kind: BlockKind = "text"
    heading: str = ""
    page: int = 0
    line: int = 0
    last_line: int = 0

    @property
    def place(self) -> str:
        """Where it stands: ``page 3``, ``lines 5-9``, or nothing."""
        if self.page:
            return f"page {self.page}"
        if not self.line:
            return ""
        return f"line {self.line}" if self.last_line <= self.line else f"lines {self.line}-{self.last_line}"


def embedded_text(chunk: Chunk, title: str) -> str:
    """What is embedded of a chunk: its title and heading, which its own words may not repeat, and the text."""
    head = _first(f"{title} > {chunk.heading}" if chunk.heading else title, _HEADING)
    return f"{head}\n{chunk.text}"


def cut(blocks: Iterable[Block]) -> list[Chunk]:
    """The chunks of a document, in order."""
    path: list[tuple[int, str]] = []
    made: list[Chunk] = []
    group: list[Block] = []

    def close() -> None:
        made.extend(_packed(group, " > ".join(text for _, text in path)))
        group.clear()

    for block in blocks:
        if block.kind == "heading":
            close()
            path = [*(p for p in path if p[0] < block.level), (block.level, " ".join(block.text.split())[:200])]
        elif block.text.strip():
            if group and (block.kind, block.page) != (group[0].kind, group[0].page):
                close()
            group.append(block)
    close()
    return made


def size(text: str) -> int:
    """Its wordpieces, without the marks at the ends."""
    return len(wordpieces().encode(text, add_special_tokens=False).ids)


def _packed(group: Sequence[Block], heading: str) -> Iterator[Chunk]:
    """Blocks of one kind, page and heading as chunks of at most :data:`FULL` wordpieces."""
    if not group:
        return
    kind, page = group[0].kind, group[0].page
    pieces = [piece for block in group for piece in _small(block)]
    counts = [len(e.ids) for e in wordpieces().encode_batch([p.text for p in pieces], add_special_tokens=False)]
    begin = 0
    while begin < len(pieces):
        end, total = begin + 1, counts[begin]
        while end < len(pieces) and total + counts[end] <= FULL:
            total += counts[end]
            end += 1
        taken = pieces[begin:end]
        text = _joined(taken)
        yield Chunk(text, kind, heading, page, taken[0].line, _last_line(taken[-1]))
        if end == len(pieces):
            return
        begin = end - 1 if end - begin > 1 and counts[end - 1] <= _OVERLAP and kind != "row" else end


def _joined(pieces: Sequence[Block]) -> str:
    """Pieces of one line by a space, others each on its own line."""
    text = pieces[0].text
    for before, piece in pairwise(pieces):
        same = piece.kind == "text" and piece.line == before.line and piece.level == before.level
        text += (" " if same else "\n") + piece.text
    return text


def _last_line(piece: Block) -> int:
    return piece.line + piece.text.count("\n") if piece.line else 0


def _small(block: Block) -> Iterator[Block]:
    """The block, or its sentences or lines where it is too long for one chunk; ``level`` tells blocks apart."""
    if size(block.text) <= FULL // 2:
        yield block
        return
    at, ends = 0, _LINES if block.kind == "code" else _ENDS
    for match in [*ends.finditer(block.text), None]:
        end = match.start() if match else len(block.text)
        text = block.text[at:end].strip("\n") if block.kind == "code" else block.text[at:end].strip()
        if text.strip():
            line = block.line + block.text.count("\n", 0, at) if block.line else 0
            for part in _words(text):
                yield replace(block, text=part, line=line)
        at = match.end() if match else end


def _words(text: str) -> Iterator[str]:
    """The text in parts that fit, cut between words, or inside one that is itself too long."""
    while True:
        encoding = wordpieces().encode(text, add_special_tokens=False)
        if len(encoding.ids) <= FULL:
            yield text
            return
        end = encoding.offsets[FULL][0]
        space = text.rfind(" ", end // 2, end)
        end = space if space > 0 else max(end, 1)
        yield text[:end].strip()
        text = text[end:].strip()


def _first(text: str, most: int) -> str:
    """At most so many wordpieces of a text."""
    encoding = wordpieces().encode(text, add_special_tokens=False)
    return text if len(encoding.ids) <= most else text[: encoding.offsets[most][0]].rstrip()
