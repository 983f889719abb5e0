"""What comes back from a tab: a frame's text as the walker gives it, or a document that is no page; and the walker."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any


@dataclass(slots=True)
class Download:
    """A document that is no page: what it is called, what it is, its bytes."""

    url: str
    name: str
    mime: str
    body: bytes


@dataclass(slots=True)
class Frame:
    """The page's text as the walker gives it, with those of its frames in their places."""

    url: str
    title: str
    blocks: list[dict[str, Any]]
    tables: list[dict[str, Any]]
    omitted: dict[str, int]
    over: bool
    links: list[list[Any]]
    height: int = 0
    top: int = 0
    view: int = 0


@cache
def walker() -> str:
    """The script that reads a frame."""
    return (Path(__file__).parent / "page_walk.js").read_text(encoding="utf-8")
