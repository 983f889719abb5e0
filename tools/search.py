"""Searching behind one small protocol: words in, titles with URLs and snippets out.

Which engine is a setting: a folder of files, a site, a SearXNG server, DuckDuckGo's page, others by key. Engines reach
out by the same gate as the browser, never by themselves. Knows no pages and no model.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from llmos.tools.egress_http import Fetched, Headers

Fetch = Callable[[str, Headers | None], Fetched]


@dataclass(frozen=True, slots=True)
class Hit:
    """One result."""

    title: str
    url: str
    snippet: str = ""


class SearchError(Exception):
    """No results could be had; one line that says why and what helps."""


class Engine(Protocol):
    """What can be searched. ``hosts`` are host:port pairs that the user named with it, and that may be private."""

    @property
    def name(self) -> str: ...

    @property
    def hosts(self) -> tuple[str, ...]: ...

    def search(self, query: str, fetch: Fetch, most: int = 8) -> list[Hit]:
        """The best results. Raises SearchError."""
        ...


def choose(setting: str | None = None) -> Engine:
    """The engine of a setting: ``folder:PATH``, ``site:URL``, a SearXNG server's URL, ``duckduckgo``, or one by key.

    Without one ``$LLMOS_SEARCH``, else DuckDuckGo. Raises ValueError for what is none of these.
    """
    from llmos.tools.search_local import Folder, Site
    from llmos.tools.search_web import BY_KEY, DuckDuckGo, SearXNG, keyed

    wanted = (setting or os.environ.get("LLMOS_SEARCH") or "duckduckgo").strip()
    if wanted.startswith("folder:"):
        folder = Path(wanted.removeprefix("folder:")).expanduser()
        if not folder.is_dir():
            raise ValueError(f"{folder} is no folder to search in")
        return Folder(folder)
    if wanted.startswith("site:"):
        return Site(wanted.removeprefix("site:"))
    if wanted.startswith(("http://", "https://")):
        return SearXNG(wanted)
    if wanted.lower() == "duckduckgo":
        return DuckDuckGo()
    if engine := keyed(wanted):
        return engine
    raise ValueError(
        f"there is no search engine {wanted!r}; there are: folder:PATH, site:URL, a SearXNG URL, duckduckgo,"
        f" {', '.join(BY_KEY)}"
    )
