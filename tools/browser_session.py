"""What one session does on the web: its Chromium, the pages it read and their numbers, the addresses it came by.

Acts are methods that return a page or a line; browser.py makes tools of them. Knows nothing of policy: it only
remembers which addresses were found where, and says so when asked.
"""

import contextlib
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from llmos.kernel import beneath
from llmos.kernel.hygiene import clean
from llmos.kernel.tool import ToolError
from llmos.kernel.types import Artifact
from llmos.tools import page_file, page_view
from llmos.tools.browser_box import BrowserOff
from llmos.tools.browser_chromium import Chromium
from llmos.tools.browser_frame import Download
from llmos.tools.browser_pipe import PageError
from llmos.tools.browser_profile import Profile, ProfileError
from llmos.tools.browser_tab import Tab
from llmos.tools.egress import Gate, Refused, parse
from llmos.tools.egress_http import Fetched, Headers, Meter, Truncated, fetch
from llmos.tools.marks import Marks
from llmos.tools.page_view import Page

OPEN = 25.0  # seconds for a page to come
ACT = 10.0
MAX_FOUND = 50_000
TIDY = 10  # pages after which Chromium is told to free what it has left
Keep = Callable[[str, bytes], str]  # a download's name and bytes, to the name it is kept under


class Web:
    """A session's browser. ``keep`` puts a download among the session's files; pages are numbered by ``marks``.

    With a ``profile`` its cookies are there, and kept; without one none outlive the session.
    """

    def __init__(self, workspace: Path, gate: Gate, keep: Keep, marks: Marks, profile: Profile | None = None) -> None:
        self.workspace, self.gate, self._keep, self._marks = workspace, gate, keep, marks
        self._profile = profile
        self.meter = Meter()
        self.page: Page | None = None
        self.found: set[str] = set()
        self.links: dict[int, str] = {}
        self._numbers: dict[str, int] = {}
        self._chromium: Chromium | None = None
        self._shots = self._looks = 0

    def close(self) -> None:
        """End the browser; nothing of it stays but what is in the workspace, and a profile's cookies."""
        if self._chromium is not None:
            with contextlib.suppress(PageError, BrowserOff, TimeoutError, OSError):
                self._keep_cookies()
        self._end()

    def _end(self) -> None:
        if self._chromium is not None:
            self._chromium.close()
            self._chromium = None
        if self._profile is not None:
            self._profile.give_back()

    # --- a profile's cookies ---

    def kept_cookies(self) -> bool:
        """Whether there is a profile, and the page in use came with cookies of it: then it may be the user's own."""
        if self._profile is None or self._chromium is None:
            return False
        tab = self._chromium.now
        return bool(tab.pipe.call("Network.getCookies", session=tab.session).get("cookies"))

    def _keep_cookies(self) -> None:
        if self._profile is not None and self._chromium is not None and self._chromium.alive():
            self._profile.keep(self._chromium.cookies())

    # --- addresses ---

    def address(self, given: str) -> str:
        """An address as it will be opened: its scheme may be left out. Raises ToolError."""
        wanted = given.strip()
        if "://" not in wanted and not wanted.lower().startswith(("data:", "javascript:", "file:", "about:", "blob:")):
            wanted = f"https://{wanted}"
            try:
                named = parse(wanted)
            except Refused as error:
                raise ToolError(str(error)) from None
            if self.gate.allows(named):
                wanted = wanted.replace("https:", "http:", 1)
        try:
            return parse(wanted.partition("#")[0]).url
        except Refused as error:
            raise ToolError(str(error)) from None

    def find(self, urls: Iterable[str]) -> None:
        """Remember addresses that a page or a search led to."""
        for url in urls:
            try:
                if len(self.found) < MAX_FOUND:
                    self.found.add(parse(url.partition("#")[0]).url)
            except Refused:
                continue

    def fetch(self, url: str, headers: Headers | None) -> Fetched:
        """A request of our own, through the gate; redirects and all."""
        return fetch(self.gate, url, self.meter, headers)

    # --- acts ---

    def open(self, url: str) -> Page:
        """Open an address in the tab in use."""
        wanted = self.address(url)
        tab = self._tab()
        refusals = len(self.gate.refusals)
        tab.open(wanted, OPEN)
        if tab.download is None and tab.error.startswith("net::"):
            raise ToolError(f"{wanted} cannot be opened: {self._why(wanted, tab.error, refusals)}")
        if tab.status in (403, 502) and (mine := self._mine((wanted, tab.url), refusals)):
            raise ToolError(f"{wanted} cannot be opened: {mine}")
        return self._look(tab, asked=wanted)

    def read(self) -> Page:
        """Look at the page anew, as it is now."""
        if self._chromium is None or not self._tab().url.startswith("http"):
            raise ToolError("no page is open; browser_open one first")
        return self._look(self._tab())

    def click(self, number: int) -> Page:
        """Click what has this number."""
        tab, about = self._about(number)
        if about["disabled"]:
            raise ToolError(f"{{{number}}} is switched off on the page")
        ready = tab.on(number, "ready")
        if ready["covered"]:
            raise ToolError(f"{{{number}}} lies behind something else; close that first")
        tabs = list(self._running().tabs)
        refusals = len(self.gate.refusals)

        def press() -> None:
            tab.click(*tab.centre(number))

        try:
            tab.acted(press, OPEN)
        except PageError as error:
            raise ToolError(f"{{{number}}} cannot be clicked: {error}") from None
        return self._after(tab, tabs, refusals)

    def type(self, number: int, text: str, submit: bool) -> Page:
        """Write into a field, in the place of what is there; with ``submit`` send its form."""
        tab, about = self._about(number)
        if about["tag"] not in ("INPUT", "TEXTAREA") and not about["editable"]:
            raise ToolError(f"{{{number}}} is no field to type into")
        tabs, refusals = list(self._running().tabs), len(self.gate.refusals)
        tab.on(number, "focus")
        if about["type"] in ("date", "time", "month", "week", "datetime-local", "color", "range"):
            tab.on(number, "fill", _quoted(text))
        else:
            tab.pipe.call("Input.insertText", {"text": text}, tab.session)

        def send() -> None:
            if about["tag"] == "TEXTAREA" or about["editable"]:
                tab.on(number, "submit")
            else:
                tab.key("Enter", 13, "\r")

        tab.acted(send if submit else lambda: None, OPEN if submit else ACT)
        return self._after(tab, tabs, refusals)

    def select(self, number: int, option: str) -> Page:
        """Choose an option of a list."""
        tab, about = self._about(number)
        if about["tag"] != "SELECT":
            raise ToolError(f"{{{number}}} is no list to choose from")
        refusals = len(self.gate.refusals)
        done = tab.acted(lambda: tab.on(number, "choose", _quoted(option)), ACT)
        if isinstance(done, list):
            raise ToolError(f"there is no option {option!r}; there are: {', '.join(map(str, done))[:600]}")
        return self._after(tab, list(self._running().tabs), refusals)

    def scroll(self, to: str) -> Page:
        """Scroll a window up or down, or to an end; what loads then is read."""
        tab = self._tab()
        moves = {"down": "scrollY + innerHeight * 0.9", "up": "scrollY - innerHeight * 0.9", "top": "0"}
        place = moves.get(to, "document.documentElement.scrollHeight")
        tab.acted(lambda: tab.script(f"scrollTo({{top: {place}, behavior: 'instant'}})"), ACT)
        tab.painted()  # what the page does on scrolling begins with the next frame
        tab.settle(time.monotonic() + 3)
        return self._look(tab)

    def back(self) -> Page:
        """Go back to the page before."""
        tab = self._tab()
        past = tab.pipe.call("Page.getNavigationHistory", session=tab.session)
        at = int(past["currentIndex"])
        entries = [e for e in past["entries"][:at] if str(e["url"]).startswith(("http://", "https://"))]
        if not entries:
            raise ToolError("there is no page before this one")
        to = {"entryId": entries[-1]["id"]}
        tab.acted(lambda: tab.pipe.call("Page.navigateToHistoryEntry", to, tab.session), OPEN)
        return self._look(tab)

    def screenshot(self) -> Artifact:
        """A picture of the window, kept in the workspace."""
        import base64

        tab = self._tab()
        shot = tab.pipe.call("Page.captureScreenshot", {"format": "png"}, tab.session)
        png = base64.b64decode(str(shot["data"]))
        while True:
            self._shots += 1
            try:
                path = beneath.create(self.workspace, f"screen-{self._shots}.png", png)
                return Artifact(str(path.absolute()), "image/png", tab.title)
            except FileExistsError:
                continue

    def download(self, wanted: str) -> str:
        """Fetch a file, by its address or a link's number; one line on where it is kept."""
        url = self.target(wanted)
        cookies: list[str] = []
        if self._chromium is not None:
            tab = self._tab()
            held = tab.pipe.call("Network.getCookies", {"urls": [url]}, tab.session)
            cookies = [f"{c['name']}={c['value']}" for c in held.get("cookies", ())]
        try:
            got = self.fetch(url, [("Accept", "*/*"), *([("Cookie", "; ".join(cookies))] if cookies else [])])
        except (OSError, Refused, Truncated) as error:
            raise ToolError(f"{url} cannot be fetched: {error}") from None
        if got.status >= 400:
            raise ToolError(f"{url} cannot be fetched: the server says {got.status}")
        mime = got.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        return self.kept(Download(got.url, got.headers.get("Content-Disposition", ""), mime, got.body))

    def target(self, wanted: str) -> str:
        """The address that a download means: a link's number, or an address. Raises ToolError."""
        number = wanted.strip().strip("{}")
        if number.isdigit():
            if int(number) not in self.links:
                raise ToolError(f"{{{number}}} is no link on this page")
            return self.address(self.links[int(number)])
        return self.address(wanted)

    def tabs(self, use: int, close: int) -> list[str]:
        """The open tabs, a line each; ``use`` and ``close`` are numbers from 1, 0 for none."""
        chromium = self._running()
        for number in (use, close):
            if number > len(chromium.tabs):
                raise ToolError(f"there is no tab {number}; there are {len(chromium.tabs)}")
        if close:
            chromium.close_tab(chromium.tabs[close - 1])
            self._forget()
        elif use:
            chromium.now = chromium.tabs[use - 1]
            chromium.pipe.call("Page.bringToFront", session=chromium.now.session)
            self._forget()
        return [
            f"{i}. {clean(t.title) or '(empty)'} {t.url}{' (in use)' * (t is chromium.now)}"
            for i, t in enumerate(chromium.tabs, 1)
        ]

    def kept(self, download: Download) -> str:
        """Put a download among the session's files."""
        name = page_file.file_name(download.name, download.url, download.mime)
        name = self._keep(name, download.body)
        return (
            f"downloaded {download.url} as {name} ({len(download.body):,} bytes, {download.mime or 'of unknown kind'})"
        )

    # --- inside ---

    def _running(self) -> Chromium:
        if self._chromium is not None and not self._chromium.alive():
            why = self._chromium.box.broken
            self.close()
            self._forget()
            raise ToolError(f"the browser ended ({why or 'Chromium is gone'}); open the page again")
        if self._chromium is None:
            try:
                cookies = self._profile.take() if self._profile is not None else []
                self._chromium = Chromium(self.gate, self.meter)
                self._chromium.put_cookies(cookies)
            except (BrowserOff, ProfileError, PageError) as error:
                self._end()
                raise ToolError(str(error)) from None
        return self._chromium

    def _tab(self) -> Tab:
        return self._running().now

    def _forget(self) -> None:
        self.page = None
        self.links = {}

    def _about(self, number: int) -> tuple[Tab, dict[str, Any]]:
        """The tab, and what the element with this number is. Raises ToolError where it is gone."""
        if self.page is None:
            raise ToolError("no page is open; browser_open one first")
        tab = self._tab()
        about = tab.on(number, "describe") if number <= tab.last else None
        if not isinstance(about, dict):
            raise ToolError(f"{{{number}}} is not on the page any more; browser_read shows it as it is now")
        return tab, about

    def _after(self, tab: Tab, before: Sequence[Tab], refusals: int) -> Page:
        """What is there after an act: the page, or a tab that it opened."""
        chromium = self._running()
        opened = [t for t in chromium.tabs if t not in before]
        if opened:
            chromium.now = tab = opened[-1]
            tab.settle(time.monotonic() + OPEN)
        if tab.status in (403, 502) and (mine := self._mine((tab.url,), refusals)):
            raise ToolError(f"{tab.url[:200]} cannot be opened: {mine}")
        page = self._look(tab)
        page.notes += [f"opened in a new tab, {len(chromium.tabs)} are open"] * bool(opened)
        sent = [r for r in self.gate.refusals[refusals:] if "data would be sent" in r]
        page.notes += [f"not done: {r.partition(': ')[2]}" for r in sent[:1]]
        return page

    def _mine(self, urls: Sequence[str], refusals: int) -> str:
        """The gate's own words, where the answer that came was its refusal."""
        said = self.gate.refusals[refusals:]
        fitting = [r for r in said if r.startswith(tuple(url[:150] for url in urls if url))]
        # Chromium asks for hosts of its own accord too, without a page's address.
        fitting = fitting or [r for r in said if r.startswith("http")][-1:]
        return fitting[0].partition(": ")[2] if fitting else ""

    def _why(self, url: str, error: str, refusals: int) -> str:
        host = parse(url).host
        mine = [r for r in self.gate.refusals[refusals:] if host in r.partition(": ")[0]]
        return mine[-1].partition(": ")[2] if mine else error.removeprefix("net::").replace("_", " ").lower()

    def _look(self, tab: Tab, asked: str = "") -> Page:
        page = self._seen(tab, asked)
        self._looks += 1
        if self._looks % TIDY == 0:  # pages that were left wait for room to run short, which takes some fifty of them
            with contextlib.suppress(BrowserOff):
                tab.pipe.post("HeapProfiler.collectGarbage", session=tab.session)
        if self._profile is not None:
            page.private = self.kept_cookies()
            with contextlib.suppress(OSError):  # a full disk: what was there before stays
                self._keep_cookies()
        return page

    def _seen(self, tab: Tab, asked: str) -> Page:
        if tab.download is not None:
            return self._document(tab.download)
        try:
            seen = tab.see()
        except (PageError, TimeoutError) as error:
            raise ToolError(f"the page cannot be read: {error}") from None
        tables = page_view.keep_tables(seen.tables, self.workspace)
        self.links = {int(n): str(url) for n, url in seen.links if str(url).startswith(("http://", "https://"))}
        self.find(self.links.values())
        url = tab.url.partition("#")[0]
        page = self._page(url, clean(seen.title), page_view.lines(seen.blocks, tables), self._notes(tab, seen, asked))
        page.blocks = seen.blocks
        return page

    def _notes(self, tab: Tab, seen: Any, asked: str) -> list[str]:
        notes = [f"the page asked to be opened at {asked} led here"] * bool(
            asked and asked != tab.url.partition("#")[0]
        )
        notes += [f"the server says {tab.status}"] * (tab.status >= 400)
        notes += [tab.error] * bool(tab.error)
        notes += [f"the page said: {clean(said)}" for said in tab.dialogs[:3]]
        notes += ["the page is very long, only its first part was read"] * seen.over
        if seen.omitted:
            told = ", ".join(f"{n} {why}" for why, n in sorted(seen.omitted.items(), key=lambda item: -item[1]))
            notes.append(f"left out as nobody can see it: {told}")
        return notes

    def _document(self, download: Download) -> Page:
        if page_file.is_pdf(download.mime, download.body):
            try:
                title, lines = page_file.pdf_lines(download.body)
            except ValueError as error:
                raise ToolError(f"{download.url}: {error}") from None
            name = page_file.file_name(download.name, download.url, download.mime)
            return self._page(download.url, title or name, lines, [])
        line = self.kept(download)
        page = self._page(download.url, page_file.file_name(download.name, download.url, download.mime), [line], [])
        page.number = 0  # nothing of it was read
        return page

    def _page(self, url: str, title: str, lines: Sequence[str], notes: list[str]) -> Page:
        number = self._numbers.get(url) or self._numbers.setdefault(url, self._marks.take())
        self.page = Page(number, url, title or url, round(time.time(), 3), page_view.parts(lines), notes)
        return self.page


def _quoted(text: str) -> str:
    import json

    return json.dumps(text)
