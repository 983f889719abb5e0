"""E-books: the chapters of an EPUB in their reading order, each read as HTML; a chapter is a page."""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote
from zipfile import ZipFile

from llmos.kernel.errors import UsageError
from llmos.memory.block import Block
from llmos.memory.readers.html import blocks
from llmos.memory.zips import content

_ITEM = re.compile(r"<(?:\w+:)?item\b[^>]*>", re.I)
_REF = re.compile(r"<(?:\w+:)?itemref\b[^>]*>", re.I)


def read(path: Path, name: str) -> Iterator[Block]:
    """The chapters' blocks. UsageError where the book does not say what it consists of."""
    with ZipFile(path) as book:
        container = content(book, "META-INF/container.xml").decode("utf-8", "replace")
        root = _attribute(re.sub(r"\s+", " ", container), "full-path")
        if not root:
            raise UsageError(f"{name} is no EPUB: it does not say where its contents are")
        package = content(book, root).decode("utf-8", "replace")
        places = {_attribute(item, "id"): _attribute(item, "href") for item in _ITEM.findall(package)}
        known = set(book.namelist())
        for number, ref in enumerate(_REF.findall(package), 1):
            href = unquote(places.get(_attribute(ref, "idref"), "")).partition("#")[0]
            inside = posixpath.normpath(posixpath.join(posixpath.dirname(root), href))
            if href and inside in known:
                yield from blocks(content(book, inside).decode("utf-8", "replace"), page=number)


def _attribute(tag: str, name: str) -> str:
    found = re.search(rf"""\b{name}\s*=\s*["']([^"']*)["']""", tag)
    return found[1] if found else ""
