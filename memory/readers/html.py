"""HTML: what a person would read of it. Scripts, styles and hidden elements are left out, tables become rows."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

from llmos.memory.block import Block
from llmos.memory.readers.rows import named
from llmos.memory.workspace import open_text

_SILENT = {"script", "style", "noscript", "template", "head", "svg", "iframe", "object"}
_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
_PARTS = {"p", "div", "li", "ul", "ol", "section", "article", "header", "footer", "main", "nav", "aside", "dd", "dt"}
_PARTS |= {"blockquote", "figure", "figcaption", "body", "form", "table", "address", "details", "summary", "title"}
_HIDDEN = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(?![.\d])|opacity\s*:\s*0(?![.\d])", re.I
)


def read(path: Path, name: str) -> Iterator[Block]:
    """The visible blocks. UsageError: empty or binary."""
    with open_text(path, name) as stream:
        yield from blocks(stream.read())


def blocks(text: str, page: int = 0) -> Iterator[Block]:
    """A page's text as blocks."""
    reader = _Reader(page)
    reader.feed(text)
    reader.close()
    reader.end()
    yield from reader.made


class _Reader(HTMLParser):
    def __init__(self, page: int) -> None:
        super().__init__(convert_charrefs=True)
        self.made: list[Block] = []
        self._page = page
        self._text = ""
        self._line = 0
        self._open: list[tuple[str, bool]] = []  # element, whether it hides what is inside
        self._silent = self._pre = self._level = 0
        self._header: list[str] = []
        self._row: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {key: value or "" for key, value in attrs}
        if tag == "br":
            self._text += "\n"
        if tag in _VOID:
            return
        hides = tag in _SILENT or "hidden" in given or given.get("aria-hidden") == "true"
        hides = hides or bool(_HIDDEN.search(given.get("style", "")))
        self._begin(tag)
        self._open.append((tag, hides))
        self._silent += hides

    def handle_endtag(self, tag: str) -> None:
        if not any(name == tag for name, _ in self._open):
            return
        while self._open:  # elements that were left open end with the one around them
            name, hides = self._open.pop()
            self._finish(name)
            self._silent -= hides
            if name == tag:
                return

    def handle_data(self, data: str) -> None:
        if self._silent:
            return
        if not self._line and data.strip():
            self._line = self.getpos()[0]
        self._text += data if self._pre else re.sub(r"\s+", " ", data)

    def end(self) -> None:
        """Keep the text that waits."""
        kind = "code" if self._pre else "text"
        text = self._text.strip("\n") if self._pre else re.sub(r" *\n *", "\n", self._text).strip()
        if text.strip():
            if self._level:
                self.made.append(Block(text, "heading", self._line, self._page, self._level))
            else:
                self.made.append(Block(text, "code" if kind == "code" else "text", self._line, self._page))
        self._text, self._line = "", 0

    def _begin(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._text = ""
        elif self._row is None and (tag in _PARTS or tag in ("pre", "tr") or re.fullmatch("h[1-6]", tag)):
            self.end()
        if tag == "tr":
            self._row = []
        elif tag == "table":
            self._header = []
        elif tag == "pre":
            self._pre += 1
        elif re.fullmatch("h[1-6]", tag):
            self._level = int(tag[1])

    def _finish(self, tag: str) -> None:
        if tag in ("td", "th") and self._row is not None:
            self._row.append(self._text.strip())
            self._text = ""
        elif tag == "tr" and self._row is not None:
            if not self._header:
                self._header = self._row
            elif text := named(self._header, self._row):
                self.made.append(Block(text, "row", self._line or self.getpos()[0], self._page))
            self._row, self._line = None, 0
        elif self._row is None and (tag in _PARTS or tag == "pre" or re.fullmatch("h[1-6]", tag)):
            self.end()
        if tag == "pre":
            self._pre = max(0, self._pre - 1)
        elif re.fullmatch("h[1-6]", tag):
            self._level = 0
