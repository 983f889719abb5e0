"""Engines without the web: the files of a folder, or the pages of one site, ranked by BM25.

Works offline, and the same every time. A folder's results are named by ``file:`` addresses, which the browser does not
open: their text comes with the result. A site is read once, by its links, through the gate.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urldefrag, urljoin, urlsplit

from llmos.kernel.hygiene import clean
from llmos.tools.egress import PORTS, Refused
from llmos.tools.egress_http import Truncated
from llmos.tools.search import Fetch, Hit, SearchError

MAX_FILES, MAX_FILE = 5_000, 5 << 20
MAX_PAGES = 200
KINDS = (".html", ".htm", ".md", ".txt", ".rst", ".csv")
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Document:
    """What can be found."""

    title: str
    url: str
    text: str


class Index:
    """Documents ranked by how well they fit some words (BM25, k1 = 1.2, b = 0.75; a title counts three times)."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self._documents = list(documents)
        self._counts = [Counter(_stems(f"{d.title} " * 3 + d.text)) for d in self._documents]
        self._sizes = [sum(c.values()) for c in self._counts]
        self._mean = sum(self._sizes) / max(len(self._sizes), 1) or 1.0
        self._in = Counter(word for c in self._counts for word in c)

    def best(self, query: str, most: int) -> list[Document]:
        """The documents that fit best, none that does not fit at all."""
        words, total = set(_stems(query)), len(self._documents)
        scored = []
        for place, counts in enumerate(self._counts):
            score = 0.0
            for word in words & counts.keys():
                rare = math.log(1 + (total - self._in[word] + 0.5) / (self._in[word] + 0.5))
                size = 0.25 + 0.75 * self._sizes[place] / self._mean
                score += rare * counts[word] * 2.2 / (counts[word] + 1.2 * size)
            if score > 0:
                scored.append((-score, place))
        return [self._documents[place] for _, place in sorted(scored)[:most]]


def snippet(text: str, query: str, size: int = 240) -> str:
    """The stretch of a text that holds most of the words."""
    wanted = set(_stems(query))
    spots = [m.start() for m in _WORD.finditer(text) if _stem(m[0]) in wanted]
    best = max(spots, key=lambda at: sum(at <= other < at + size for other in spots), default=0)
    start = text.rfind(" ", 0, max(best - 40, 0)) + 1
    return " ".join(text[start : start + size].split())


class Folder:
    """The readable files below a folder."""

    name = "folder"
    hosts: tuple[str, ...] = ()

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._index: Index | None = None

    def search(self, query: str, fetch: Fetch, most: int = 8) -> list[Hit]:
        """As Engine says."""
        if self._index is None:
            files = [p for p in sorted(self._folder.rglob("*"))[:MAX_FILES] if p.suffix.lower() in KINDS]
            self._index = Index(d for p in files if (d := self._document(p)) is not None)
        found = self._index.best(query, most)
        return [Hit(d.title, d.url, snippet(d.text, query, 600)) for d in found]

    def _document(self, path: Path) -> Document | None:
        try:
            if not path.resolve().is_relative_to(self._folder.resolve()) or path.stat().st_size > MAX_FILE:
                return None
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None
        title, plain = _read(text) if path.suffix.lower() in (".html", ".htm") else ("", text)
        return Document(title or path.stem, f"file:{path.relative_to(self._folder).as_posix()}", clean(plain))


class Site:
    """The pages of one site, from its first page on by its links; at most 200."""

    name = "site"

    def __init__(self, url: str) -> None:
        self._url = url
        parts = urlsplit(url)
        if parts.scheme not in PORTS or not parts.hostname:
            raise ValueError(f"{url!r} is no site to search in; give its http address")
        self._host = parts.netloc
        self.hosts = (f"{parts.hostname}:{parts.port or PORTS[parts.scheme]}",)
        self._index: Index | None = None

    def search(self, query: str, fetch: Fetch, most: int = 8) -> list[Hit]:
        """As Engine says."""
        if self._index is None:
            self._index = Index(self._documents(fetch))
        return [Hit(d.title, d.url, snippet(d.text, query)) for d in self._index.best(query, most)]

    def _documents(self, fetch: Fetch) -> list[Document]:
        from lxml import html

        queue, seen = [self._url], {self._url}
        made: list[Document] = []
        while queue and len(made) < MAX_PAGES:
            url = queue.pop(0)
            try:
                found = fetch(url, None)
            except (OSError, Refused, Truncated) as error:
                if url == self._url:
                    raise SearchError(f"{self._url} cannot be reached: {error}; there may be no network") from error
                continue
            if found.status != 200 or "html" not in found.headers.get("Content-Type", ""):
                continue
            title, text = _read(found.body.decode("utf-8", "replace"))
            made.append(Document(title or url, found.url, text))
            for link in html.fromstring(found.body or b"<p></p>").xpath("//a/@href"):
                led = urldefrag(urljoin(found.url, str(link)))[0]
                if urlsplit(led).netloc == self._host and led not in seen and len(seen) < 4 * MAX_PAGES:
                    seen.add(led)
                    queue.append(led)
        return made


def _read(page: str) -> tuple[str, str]:
    """An HTML page's title and text, without scripts; hidden text is the browser's business."""
    from lxml import html

    if not page.strip():
        return "", ""
    tree = html.fromstring(page.encode())
    for node in tree.xpath("//script|//style|//noscript|//template|//*[@hidden]"):
        node.drop_tree()
    title = tree.findtext(".//title") or ""
    body = tree.find("body")
    text = " ".join(t.strip() for t in (tree if body is None else body).itertext() if t.strip())
    return clean(" ".join(title.split())), clean(text)


def _stem(word: str) -> str:
    word = word.casefold()
    for end in ("ings", "ing", "edly", "ed", "es", "s"):
        if word.endswith(end) and len(word) - len(end) > 3:
            return word[: -len(end)]
    return word


def _stems(text: str) -> list[str]:
    return [_stem(w) for w in _WORD.findall(text)]
