"""Engines of the web: a SearXNG server, DuckDuckGo's HTML page, and others by key. Their answers are others' text.

Those by key are a table: where each is asked, how it takes its key, and what its results are called.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, quote_plus, urlsplit

from llmos.kernel.hygiene import clean
from llmos.tools.egress import PORTS, Refused
from llmos.tools.egress_http import Fetched, Headers, Truncated
from llmos.tools.search import Fetch, Hit, SearchError


def _get(fetch: Fetch, url: str, who: str, headers: Headers | None = None) -> Fetched:
    try:
        found = fetch(url, headers)
    except (OSError, Refused, Truncated) as error:
        raise SearchError(f"the search engine cannot be reached ({who}: {error}); there may be no network") from error
    if found.status != 200:
        raise SearchError(f"the search engine answered with an error ({who}: {found.status}); try again later")
    return found


def _data(found: Fetched, who: str) -> Any:
    try:
        return json.loads(found.body)
    except ValueError:
        raise SearchError(f"the search engine's answer is no JSON ({who})") from None


def _hits(rows: Any, title: str, url: str, snippet: str, most: int) -> list[Hit]:
    made = []
    for row in rows if isinstance(rows, list) else []:
        if isinstance(row, dict) and str(row.get(url, "")).startswith(("http://", "https://")):
            told = [" ".join(clean(str(row.get(key) or "")).split()) for key in (title, snippet)]
            made.append(Hit(told[0][:200], str(row[url]), told[1][:400]))
    return made[:most]


class SearXNG:
    """A SearXNG server that answers in JSON (``formats: [html, json]`` in its settings)."""

    name = "SearXNG"

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/").removesuffix("/search")
        parts = urlsplit(self._url)
        self.hosts = (f"{parts.hostname}:{parts.port or PORTS[parts.scheme]}",)

    def search(self, query: str, fetch: Fetch, most: int = 8) -> list[Hit]:
        """As Engine says."""
        found = _get(fetch, f"{self._url}/search?format=json&q={quote_plus(query)}", self.name)
        data = _data(found, self.name)
        return _hits(data.get("results") if isinstance(data, dict) else None, "title", "url", "content", most)


@dataclass(frozen=True, slots=True)
class Kind:
    """An engine that wants a key, or two: the variables these are in, and ``{0}``, ``{1}`` where they are sent.

    ``url`` has ``{query}`` and ``{most}`` too. ``rows`` is the way to the results in its JSON, ``names`` what title,
    address and snippet are called there.
    """

    name: str
    url: str
    rows: tuple[str, ...]
    names: tuple[str, str, str]
    variables: tuple[str, ...]
    headers: tuple[tuple[str, str], ...] = ()


BY_KEY: Mapping[str, Kind] = {
    "brave": Kind(
        "Brave",
        "https://api.search.brave.com/res/v1/web/search?count={most}&q={query}",
        ("web", "results"),
        ("title", "url", "description"),
        ("BRAVE_API_KEY",),
        (("X-Subscription-Token", "{0}"),),
    ),
    "kagi": Kind(
        "Kagi",
        "https://kagi.com/api/v0/search?limit={most}&q={query}",
        ("data",),
        ("title", "url", "snippet"),
        ("KAGI_API_KEY",),
        (("Authorization", "Bot {0}"),),
    ),
    "mojeek": Kind(
        "Mojeek",
        "https://api.mojeek.com/search?fmt=json&t={most}&api_key={0}&q={query}",
        ("response", "results"),
        ("title", "url", "desc"),
        ("MOJEEK_API_KEY",),
    ),
    "google": Kind(
        "Google",
        "https://www.googleapis.com/customsearch/v1?num={most}&key={0}&cx={1}&q={query}",
        ("items",),
        ("title", "link", "snippet"),
        ("GOOGLE_API_KEY", "GOOGLE_CSE_ID"),
    ),
}


class Keyed:
    """An engine of :data:`BY_KEY`, with its keys."""

    hosts: tuple[str, ...] = ()

    def __init__(self, kind: Kind, *keys: str) -> None:
        self._kind, self._keys = kind, keys
        self.name = kind.name

    def search(self, query: str, fetch: Fetch, most: int = 8) -> list[Hit]:
        """As Engine says."""
        url = self._kind.url.format(*map(quote_plus, self._keys), query=quote_plus(query), most=most)
        headers = [(name, value.format(*self._keys)) for name, value in self._kind.headers]
        try:
            found: Any = _data(_get(fetch, url, self.name, [*headers, ("Accept", "application/json")]), self.name)
        except SearchError as error:
            raise SearchError(_without(str(error), self._keys)) from None
        for step in self._kind.rows:
            found = found.get(step) if isinstance(found, dict) else None
        return _hits(found, *self._kind.names, most)


def keyed(name: str) -> Keyed | None:
    """The engine of this name, with the keys of the environment; None for no name of one.

    Raises ValueError where a key is not set.
    """
    kind = BY_KEY.get(name.lower())
    if kind is None:
        return None
    keys = [os.environ.get(variable, "") for variable in kind.variables]
    if not all(keys):
        told = " ".join(f"{variable}=…" for variable in kind.variables)
        raise ValueError(f"{kind.name} needs a key: export {told}")
    return Keyed(kind, *keys)


def _without(text: str, keys: tuple[str, ...]) -> str:
    """A line without the keys that an address in it may hold."""
    for key in keys:
        text = text.replace(f"={quote_plus(key)}&", "=…&")
    return text


class DuckDuckGo:
    """DuckDuckGo's page without scripts."""

    name = "DuckDuckGo"
    hosts: tuple[str, ...] = ()

    def __init__(self, url: str = "https://html.duckduckgo.com/html/") -> None:
        self._url = url

    def search(self, query: str, fetch: Fetch, most: int = 8) -> list[Hit]:
        """As Engine says."""
        found = _get(fetch, f"{self._url}?q={quote_plus(query)}", self.name)
        return parse_duckduckgo(found.body)[:most]


def parse_duckduckgo(page: bytes) -> list[Hit]:
    """The results on DuckDuckGo's page; advertisements are left out."""
    from lxml import html

    tree = html.fromstring(page or b"<html></html>")
    made = []
    for box in tree.xpath('//div[contains(concat(" ", @class, " "), " result ")]'):
        links = box.xpath('.//a[contains(@class, "result__a")]')
        if not links or "result--ad" in box.get("class", ""):
            continue
        told = box.xpath('.//*[contains(@class, "result__snippet")]')
        url = _led(links[0].get("href", ""))
        if url.startswith(("http://", "https://")):
            title, snippet = (" ".join(clean(n[0].text_content()).split()) if n else "" for n in (links, told))
            made.append(Hit(title[:200], url, snippet[:400]))
    return made


def _led(href: str) -> str:
    """Where a result leads, without DuckDuckGo's own step."""
    parts = urlsplit(href if not href.startswith("//") else f"https:{href}")
    if parts.path == "/l/":
        return (parse_qs(parts.query).get("uddg") or [""])[0]
    return parts.geturl()
