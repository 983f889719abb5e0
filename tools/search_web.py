"""Engines of the web: a SearXNG server, DuckDuckGo's HTML page, Brave by key. Their answers are others' text."""

import json
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


class Brave:
    """Brave's search interface, by key."""

    name = "Brave"
    hosts: tuple[str, ...] = ()

    def __init__(self, key: str) -> None:
        self._key = key

    def search(self, query: str, fetch: Fetch, most: int = 8) -> list[Hit]:
        """As Engine says."""
        url = f"https://api.search.brave.com/res/v1/web/search?count={most}&q={quote_plus(query)}"
        found = _get(fetch, url, self.name, [("X-Subscription-Token", self._key), ("Accept", "application/json")])
        data = _data(found, self.name)
        web = data.get("web") if isinstance(data, dict) else None
        rows = web.get("results") if isinstance(web, dict) else None
        return _hits(rows, "title", "url", "description", most)


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
