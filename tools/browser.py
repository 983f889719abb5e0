"""The browser's tools: search, open, read, click, type, choose, scroll, back, picture, download, tabs.

Each is a short name over one method of the session's :class:`Web`. What comes back is what a person can see, labelled
as text of its host. Where a call leads is told to policy: to what the user named, to what was found on the way, or to
an address that the model made up. A page that came with a profile's cookies is the user's own, and private.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from llmos.kernel.tool import Capability, Reach, Tool, ToolContext, ToolError, ToolOutput
from llmos.kernel.types import Label, Reading
from llmos.tools import page_view
from llmos.tools.browser_check import self_test
from llmos.tools.browser_profile import Profile
from llmos.tools.browser_session import Keep, Web
from llmos.tools.egress import Gate, Refused, parse
from llmos.tools.marks import Marks
from llmos.tools.page_view import Page
from llmos.tools.search import Engine, SearchError

SHOWN = 6_000  # characters of a result that the model is shown: a part of a page and its heading
_REF = {"type": "integer", "minimum": 1}
_URL = re.compile(r"https?://[^\s<>\"'`\u201c\u201d]+", re.IGNORECASE)
_HOST = re.compile(
    r"(?<![\w@./-])(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}(?::\d+)?(?:/[^\s<>\"'`]*)?", re.IGNORECASE
)


def _schema(required: Iterable[str] = (), **properties: Any) -> dict[str, Any]:
    shape: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**shape, "required": list(required)} if required else shape


class BrowserTools:
    """One session's tools. ``words`` gives what the user wrote so far; ``engine`` is what is searched."""

    def __init__(
        self,
        workspace: Path,
        gate: Gate,
        engine: Engine,
        keep: Keep,
        marks: Marks,
        words: Callable[[], Iterable[str]] = lambda: (),
        profile: Profile | None = None,
    ) -> None:
        hosts = gate.allowed | Gate.of(engine.hosts).allowed
        # What the user allowed beyond the engine's own host counts as found; the engine's only for the engine.
        self._allowed = gate.allowed
        self._gate = Gate(hosts, gate.posts, gate.resolve, gate.refusals)
        self.web = Web(workspace, self._gate, keep, marks, profile)
        self._engine, self._words = engine, words

    def tools(self) -> list[Tool]:
        """The tools as dispatch and the model know them."""
        text, number = {"type": "string", "minLength": 1, "maxLength": 2000}, {"type": "integer", "minimum": 0}
        flag, to = {"type": "boolean"}, {"type": "string", "enum": ["down", "up", "top", "end"]}
        made: list[tuple[str, str, dict[str, Any], Any, bool, Callable[[Mapping[str, Any]], Reach]]] = [
            (
                "search",
                "searches the web: titles, URLs, snippets",
                _schema(["query"], query=text),
                self._search,
                True,
                _found,
            ),
            ("open", "opens a page and shows its text", _schema(["url"], url=text), self._open, True, self._reach_url),
            (
                "read",
                "reads on in the page: more, or find words, or its main article",
                _schema(more=flag, find=text, article=flag),
                self._read,
                False,
                _found,
            ),
            ("click", "clicks {ref}", _schema(["ref"], ref=_REF), self._click, True, _found),
            (
                "type",
                "types text into field {ref}; submit sends the form",
                _schema(["ref", "text"], ref=_REF, text={"type": "string", "maxLength": 5000}, submit=flag),
                self._type,
                True,
                _found,
            ),
            (
                "select",
                "chooses an option of {ref}",
                _schema(["ref", "option"], ref=_REF, option=text),
                self._select,
                True,
                _found,
            ),
            ("scroll", "scrolls and shows the page again", _schema(["to"], to=to), self._scroll, True, _found),
            ("back", "goes back to the page before", _schema(), self._back, True, _found),
            ("screenshot", "makes a picture of the page", _schema(), self._screenshot, False, _found),
            (
                "download",
                "keeps a file, by its URL or a link's ref",
                _schema(["url"], url=text),
                self._download,
                True,
                self._reach_download,
            ),
            ("tabs", "lists tabs; use or close one", _schema(use=number, close=number), self._tabs, False, _found),
        ]
        return [self._tool(*row) for row in made]

    def _tool(
        self,
        name: str,
        told: str,
        shape: dict[str, Any],
        run: Any,
        net: bool,
        reach: Callable[[Mapping[str, Any]], Reach],
    ) -> Tool:
        does: frozenset[Capability] = frozenset({"net"} if net else ())
        close = self.web.close if name == "open" else lambda: None
        off = _nothing if name == "search" else self_test
        return Tool(f"browser_{name}", told, shape, run, does, off, close, reach=reach, preview=SHOWN)

    # --- where calls lead ---

    def _reach_url(self, arguments: Mapping[str, Any]) -> Reach:
        try:
            return self._leads(self.web.address(str(arguments.get("url", ""))))
        except ToolError:
            return "found"  # it leads nowhere: the tool says what is wrong with it

    def _reach_download(self, arguments: Mapping[str, Any]) -> Reach:
        try:
            return self._leads(self.web.target(str(arguments.get("url", ""))))
        except ToolError:
            return "found"

    def _leads(self, url: str) -> Reach:
        if url in named(self._words()):
            return "named"
        target = parse(url)
        return "found" if url in self.web.found or (target.host, target.port) in self._allowed else "anywhere"

    # --- acts ---

    def _search(self, arguments: Mapping[str, Any], context: ToolContext) -> ToolOutput:
        query = str(arguments["query"])
        try:
            hits = self._engine.search(query, self.web.fetch)
        except SearchError as error:
            raise ToolError(str(error)) from None
        private = self._engine.name == "folder"
        label = Label((f"web:{self._engine.name}",), "untrusted", "user" if private else "anyone")
        if not hits:
            return ToolOutput(f"nothing was found for {query!r}", label=label)
        self.web.find(hit.url for hit in hits)
        rows = [f"{i}. {h.title}\n   {h.url}\n   {h.snippet}" for i, h in enumerate(hits, 1)]
        return ToolOutput("\n".join(rows), label=label)

    def _open(self, arguments: Mapping[str, Any], context: ToolContext) -> ToolOutput:
        context.progress(f"opening {str(arguments['url'])[:100]}")
        return show(self.web.open(str(arguments["url"])))

    def _read(self, arguments: Mapping[str, Any], context: ToolContext) -> ToolOutput:
        page = self.web.page
        if page is None or not any(arguments.values()):
            return show(self.web.read())
        if words := str(arguments.get("find") or ""):
            found = page_view.find(page, words)
            return _told(
                page, "\n…\n".join(found), [f"passages with {words!r}"] if found else [f"{words!r} is not on this page"]
            )
        if arguments.get("article"):
            text = page_view.article(page)
            return _told(
                page,
                text[: page_view.PART] or "",
                ["its main text" if text else "no main text stands out on this page"],
            )
        if page.at + 1 >= len(page.parts):
            return _told(page, "", ["that was the end of the page"])
        page.at += 1
        return show(page, whole=False)

    def _click(self, arguments: Mapping[str, Any], context: ToolContext) -> ToolOutput:
        return show(self.web.click(int(arguments["ref"])))

    def _type(self, arguments: Mapping[str, Any], context: ToolContext) -> ToolOutput:
        return show(self.web.type(int(arguments["ref"]), str(arguments["text"]), bool(arguments.get("submit"))))

    def _select(self, arguments: Mapping[str, Any], context: ToolContext) -> ToolOutput:
        return show(self.web.select(int(arguments["ref"]), str(arguments["option"])))

    def _scroll(self, arguments: Mapping[str, Any], context: ToolContext) -> ToolOutput:
        before = self.web.page.text if self.web.page else ""
        page = self.web.scroll(str(arguments["to"]))
        if (
            arguments["to"] in ("down", "end")
            and before
            and page.text.startswith(before[:-200])
            and len(page.text) > len(before)
        ):
            # What came on is what was asked for.
            known = sum(len(part) < len(before) for part in _sums(page.parts))
            page.at = max(min(known, len(page.parts) - 1), 0)
        return show(page)

    def _back(self, arguments: Mapping[str, Any], context: ToolContext) -> ToolOutput:
        return show(self.web.back())

    def _screenshot(self, arguments: Mapping[str, Any], context: ToolContext) -> ToolOutput:
        if self.web.page is None:
            raise ToolError("no page is open; browser_open one first")
        made = self.web.screenshot()
        return ToolOutput(
            f"[{Path(made.path).name}: picture of the page]",
            artifacts=(made,),
            label=_label(self.web.page.url, self.web.page.private),
        )

    def _download(self, arguments: Mapping[str, Any], context: ToolContext) -> ToolOutput:
        line = self.web.download(str(arguments["url"]))
        return ToolOutput(line, label=_label(line.split()[1], self.web.kept_cookies()))

    def _tabs(self, arguments: Mapping[str, Any], context: ToolContext) -> ToolOutput:
        if self.web.page is None and not (arguments.get("use") or arguments.get("close")):
            raise ToolError("no page is open; browser_open one first")
        rows = self.web.tabs(int(arguments.get("use") or 0), int(arguments.get("close") or 0))
        return ToolOutput(
            "\n".join(rows), label=Label(("web",), "untrusted", "user" if self.web.kept_cookies() else "anyone")
        )


def show(page: Page, whole: bool = True) -> ToolOutput:
    """A page's part in view, with what is to be known of it; its whole text becomes a file where it is longer."""
    more = [f"part {page.at + 1} of {len(page.parts)}; browser_read with more goes on"] if len(page.parts) > 1 else []
    if page.number == 0:
        return ToolOutput(page.text, label=_label(page.url, page.private))
    out = _told(page, page.parts[page.at], [*page.notes, *more] if whole else more)
    if whole and len(page.parts) > 1:
        return ToolOutput(
            f"{page.title}\n{page.url}\n\n{page.text}", preview=out.text, label=out.label, readings=out.readings
        )
    return out


def _told(page: Page, text: str, notes: Iterable[str]) -> ToolOutput:
    head = f"[{page.number}] {' '.join(page.title.split())[:200]}\n{page.url[:500]}"
    told = "\n".join([head, *(f"({note})" for note in notes), "", text]).rstrip()
    readings = (Reading(page.number, " ".join(page.title.split())[:200], page.url, page.time, text),) if text else ()
    return ToolOutput(told, label=_label(page.url, page.private), readings=readings)


def named(words: Iterable[str]) -> set[str]:
    """The addresses in the user's words: URLs as they stand, hosts' first pages."""
    found: set[str] = set()
    for text in words:
        for match in (*_URL.findall(text), *_HOST.findall(text)):
            for end in (match, match.rstrip(".,;:!?)]}")):
                full = end if "://" in end else f"https://{end}"
                for url in (full, full.replace("https://", "http://", 1)):
                    try:
                        found.add(parse(url.partition("#")[0]).url)
                    except Refused:
                        continue
    return found


def _found(arguments: Mapping[str, Any]) -> Reach:
    return "found"


def _nothing() -> str:
    return ""


def _label(url: str, private: bool = False) -> Label:
    return Label((f"web:{urlsplit(url).hostname or 'page'}",), "untrusted", "user" if private else "anyone")


def _sums(parts: list[str]) -> list[str]:
    """The text up to the end of each part."""
    return ["\n".join(parts[: i + 1]) for i in range(len(parts))]
