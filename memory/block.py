"""A piece of a document as its reader found it: a heading, a paragraph, a table row, code. Knows no format."""

from dataclasses import dataclass
from typing import Literal

BlockKind = Literal["heading", "text", "row", "code"]


@dataclass(frozen=True, slots=True)
class Block:
    """Text that belongs together. ``line`` and ``page`` count from 1, 0 where the format has none.

    ``level`` is a heading's depth from 1. A ``row`` names its columns, so that it can be understood alone.
    """

    text: str
    kind: BlockKind = "text"
    line: int = 0
    page: int = 0
    level: int = 0
