"""One tab: goes somewhere, waits until there is something to see, tells it, and uses it as a hand and keys would.

Knows Chromium's protocol; what a page's text becomes is page_view's business. Waiting has an end: a page that never
finishes is shown as far as it came.
"""

import base64
import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from llmos.tools.browser_frame import Download, Frame, walker
from llmos.tools.browser_pipe import PageError, Pipe

QUIET = 0.06  # seconds without a request after which a page counts as settled
SETTLE = 3.0  # at most so many seconds for that
MAX_FRAMES = 20
TALL = 10_000  # pixels that are laid out at once, so that what loads lazily does
SHOWN = (
    *("text/html", "application/xhtml+xml", "text/plain", "text/xml", "application/xml"),
    *("image/", "application/json"),
)
_NO_WAIT = {"EventSource", "WebSocket", "Media", "Ping", "Prefetch"}


@dataclass(slots=True)
class Tab:
    """A tab of a Chromium, by its session on the pipe."""

    pipe: Pipe
    session: str
    target: str
    url: str = "about:blank"
    title: str = ""
    status: int = 0
    error: str = ""
    download: Download | None = None
    dialogs: list[str] = field(default_factory=list)
    last: int = 0  # the highest number given to an element
    closed: bool = False
    _loading: set[str] = field(default_factory=set)
    _document: str = ""  # the request of what the main frame shows
    _changed: float = 0.0
    _news: threading.Condition = field(default_factory=threading.Condition)
    _frame: str = ""
    _shown: set[str] = field(default_factory=set)  # the documents that the main frame has shown since it was sent away
    _loaded: bool = False
    _worlds: dict[str, int] = field(default_factory=dict)
    _where: dict[int, str] = field(default_factory=dict)  # the frame of each number that is not in the main one

    # --- what Chromium tells, on the pipe's thread ---

    def prepare(self) -> None:
        """Turn on what is listened to; called on the pipe's thread, waits for nothing."""
        post = self.pipe.post
        post("Page.enable", session=self.session)
        post("Page.setLifecycleEventsEnabled", {"enabled": True}, self.session)
        post("Network.enable", {"maxTotalBufferSize": 100 << 20, "maxResourceBufferSize": 60 << 20}, self.session)
        post("Network.setBypassServiceWorker", {"bypass": True}, self.session)
        patterns = [{"urlPattern": "*", "resourceType": "Document", "requestStage": "Response"}]
        post("Fetch.enable", {"patterns": patterns}, self.session)
        self.size()
        post("Runtime.runIfWaitingForDebugger", session=self.session)

    def size(self, height: int = 900) -> None:
        """Set the window's height."""
        shape = {"width": 1280, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.pipe.post("Emulation.setDeviceMetricsOverride", shape, self.session)

    def hear(self, method: str, says: Mapping[str, Any]) -> None:
        """Take one event."""
        handle = _EVENTS.get(method)
        if handle is not None:
            with self._news:
                handle(self, says)
                self._news.notify_all()

    def _navigated(self, says: Mapping[str, Any]) -> None:
        frame = says["frame"]
        if not frame.get("parentId"):
            self._frame = frame["id"]
            self._shown.add(str(frame.get("loaderId", "")))
            self.url = str(frame.get("url", "")) + str(frame.get("urlFragment", ""))
            self._worlds.clear()
            self._where.clear()
        else:
            self._worlds.pop(frame["id"], None)

    def _lifecycle(self, says: Mapping[str, Any]) -> None:
        if says["frameId"] == self._frame:
            if says["name"] == "init":
                self._loaded = False
            elif says["name"] == "load":
                self._loaded = True

    def _going(self, says: Mapping[str, Any]) -> None:
        if says["frameId"] == self._frame:
            self._loaded = False

    def _started(self, says: Mapping[str, Any]) -> None:
        if says["frameId"] == self._frame and says.get("navigationType") not in ("sameDocument", "historySameDocument"):
            self._loaded = False

    def _stopped(self, says: Mapping[str, Any]) -> None:
        if says["frameId"] == self._frame:  # at its end, or since it led to no page
            self._loaded = True

    def _requested(self, says: Mapping[str, Any]) -> None:
        if says.get("type") == "Document" and says.get("frameId") == self._frame:
            self._document = says["requestId"]
        if says.get("type") not in _NO_WAIT and not str(says["request"]["url"]).startswith(("data:", "blob:")):
            self._loading.add(says["requestId"])
        self._changed = time.monotonic()

    def _failed(self, says: Mapping[str, Any]) -> None:
        self._finished(says)
        if says.get("requestId") == self._document and not says.get("canceled") and self.download is None:
            self.error = "not all of it came: the connection broke off"

    def _finished(self, says: Mapping[str, Any]) -> None:
        self._loading.discard(says["requestId"])
        self._changed = time.monotonic()

    def _answered(self, says: Mapping[str, Any]) -> None:
        if says.get("type") == "Document" and says.get("frameId") in (self._frame, ""):
            self.status = int(says["response"].get("status", 0))

    def _within(self, says: Mapping[str, Any]) -> None:
        if says["frameId"] == self._frame:
            self.url = str(says["url"])

    def _dialog(self, says: Mapping[str, Any]) -> None:
        leaving = says.get("type") == "beforeunload"
        if not leaving:
            self.dialogs.append(str(says.get("message", ""))[:300])
        self.pipe.post("Page.handleJavaScriptDialog", {"accept": leaving}, self.session)

    def _paused(self, says: Mapping[str, Any]) -> None:
        """A document's answer has come: a page goes on, anything else of the main frame is kept as a download."""
        number = {"requestId": says["requestId"]}
        headers = {str(h["name"]).lower(): str(h["value"]) for h in says.get("responseHeaders") or ()}
        mime = headers.get("content-type", "").partition(";")[0].strip().lower()
        status = int(says.get("responseStatusCode") or 0)
        attached = headers.get("content-disposition", "").lower().lstrip().startswith("attachment")
        page = not attached and (not mime or mime.startswith(SHOWN))
        if "responseErrorReason" in says or 300 <= status < 400 or page or "x-llmos" in headers:
            self.pipe.post("Fetch.continueRequest", number, self.session)
            return
        if says.get("frameId") != self._frame:
            self.pipe.post("Fetch.failRequest", {**number, "errorReason": "Aborted"}, self.session)
            return
        url, name = str(says["request"]["url"]), headers.get("content-disposition", "")

        def keep(answer: Mapping[str, Any]) -> None:
            result = answer.get("result") or {}
            text = str(result.get("body", ""))
            body = base64.b64decode(text) if result.get("base64Encoded") else text.encode()
            with self._news:
                self.download = Download(url, name, mime, body)
                self._news.notify_all()
            self.pipe.post("Fetch.failRequest", {**number, "errorReason": "Aborted"}, self.session)

        self.pipe.post("Fetch.getResponseBody", number, self.session, keep)

    # --- going and waiting ---

    def open(self, url: str, timeout: float) -> None:
        """Go to a URL and wait until there is something to see. ``error`` says what went wrong, if anything did."""
        self.download, self.error, self.status, self.dialogs, self._document = None, "", 0, [], ""
        with self._news:
            self._loaded = False
            self._loading.clear()
            self._shown.clear()
        until = time.monotonic() + timeout
        try:
            done = self.pipe.call("Page.navigate", {"url": url}, self.session, timeout)
        except TimeoutError:
            self.error = f"did not answer within {timeout:.0f} s"
            self.pipe.post("Page.stopLoading", session=self.session)
            return
        if done.get("errorText") and self.download is None:
            self.error = str(done["errorText"])
            return
        if self.download is None and "loaderId" in done:
            with self._news:  # what was there before may still tell that it has loaded
                self._news.wait_for(lambda: done["loaderId"] in self._shown or self.download or self.closed, SETTLE)
            self._load(until)  # what comes after that, see() waits for
            if done["loaderId"] not in self._shown and self.download is None:
                self._placed()

    def _placed(self) -> None:
        """Ask where this is: a cold Chromium does not tell of the first document that it shows."""
        with contextlib.suppress(PageError, TimeoutError):
            frame = self.pipe.call("Page.getFrameTree", {}, self.session, SETTLE)["frameTree"]["frame"]
            self.url = str(frame.get("url", "")) + str(frame.get("urlFragment", ""))

    def settle(self, until: float) -> None:
        """Wait for the page's load, then for its requests to end."""
        self._load(until)
        self._quiet(until, time.monotonic() - QUIET / 2)

    def _load(self, until: float) -> None:
        with self._news:
            while not self._loaded and self.download is None and not self._over(until):
                self._news.wait(min(0.5, max(until - time.monotonic(), 0.0)))
            if not self._loaded and self.download is None:
                self.error = "not all of it came: it was still loading"
                self.pipe.post("Page.stopLoading", session=self.session)

    def _quiet(self, until: float, since: float) -> None:
        """Wait until no request has been under way for a moment; that of ``since`` counts as one."""
        with self._news:
            end = min(until, time.monotonic() + SETTLE)
            self._changed = max(self._changed, since)
            while not self._over(end):
                left = self._changed + QUIET - time.monotonic()
                if not self._loading and left <= 0:
                    break
                self._news.wait(0.05 if self._loading else max(left, 0.001))

    def _over(self, until: float) -> bool:
        return time.monotonic() >= until or self.closed or self.pipe.ended.is_set()

    def acted(self, act: Callable[[], Any], timeout: float) -> Any:
        """Do something that may lead elsewhere, then wait for where it leads."""
        self.download, self.error, self.dialogs = None, "", []
        before, self._changed = self.url, time.monotonic()
        with self._news:
            self._loading.clear()
        done = act()
        until = time.monotonic() + timeout
        with self._news:  # a click's navigation or request begins soon after it
            self._news.wait_for(lambda: self._loading or not self._loaded or self.download or self.url != before, 0.1)
        self.settle(until)
        return done

    # --- seeing ---

    def see(self) -> Frame:
        """All that a person can see of the page, frames in their places."""
        asked, now = "document.documentElement", time.monotonic()
        height, view = self.script(f"{asked} ? [{asked}.scrollHeight, innerHeight] : [0, 0]")
        if tall := view + 50 < height < 50 * TALL:
            # Once as a tall window: what loads when it comes into view does so now.
            self.size(min(height, TALL))
            self.painted()
        self._quiet(time.monotonic() + SETTLE, now - QUIET / 2)
        if tall:
            self.size()
        seen = self._snapshot(self._frame)
        self._splice(seen, self._frame, 0, [MAX_FRAMES])
        self.title = seen.title
        return seen

    def _splice(self, seen: Frame, frame: str, depth: int, left: list[int]) -> None:
        blocks: list[dict[str, Any]] = []
        inner_frames: list[tuple[int, str]] = []
        for block in seen.blocks:
            if block.get("t") == "frame":
                inner_frames.append((len(blocks), self._frame_of(frame, int(block["k"]))))
            else:
                blocks.append(block)
        for place, name in reversed(inner_frames):
            if not name or left[0] <= 0 or depth > 3:
                continue
            left[0] -= 1
            try:
                inner = self._snapshot(name)
                self._splice(inner, name, depth + 1, left)
            except (PageError, TimeoutError):
                continue
            for block in inner.blocks:
                if block.get("t") == "table":
                    block["k"] += len(seen.tables)
            seen.tables += inner.tables
            seen.links += inner.links
            blocks[place:place] = inner.blocks
            for why, number in inner.omitted.items():
                seen.omitted[why] = seen.omitted.get(why, 0) + number
            seen.over |= inner.over
        seen.blocks = blocks

    def _snapshot(self, frame: str) -> Frame:
        first = self.last
        told = self.script(f"__llmos.snapshot({{last: {self.last}}})", frame)
        until = time.monotonic() + SETTLE
        while not told["rooted"] and not self._over(until):  # between two documents, as after a broken answer
            time.sleep(0.05)
            told = self.script(f"__llmos.snapshot({{last: {self.last}}})", frame)
        self.last = max(self.last, int(told["last"]))
        if frame != self._frame:
            self._where.update(dict.fromkeys(range(first + 1, self.last + 1), frame))
        keep = ("url", "title", "blocks", "tables", "omitted", "over", "links", "height", "top", "view")
        return Frame(**{key: told[key] for key in keep})

    def _frame_of(self, frame: str, index: int) -> str:
        found = self._evaluate(f"__llmos.frames[{index}]", frame, by_value=False)
        node = self.pipe.call("DOM.describeNode", {"objectId": found["objectId"]}, self.session)
        return str(node["node"].get("frameId", ""))

    def painted(self) -> None:
        """Wait until the page has been drawn anew, and its scripts were told."""
        drawn = "new Promise(r => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(r, 20))))"
        limit = "new Promise(r => setTimeout(r, 1500))"  # a page that is not drawn at all
        asked = {"expression": f"Promise.race([{drawn}, {limit}])", "contextId": self._world(self._frame)}
        with contextlib.suppress(PageError, TimeoutError):
            self.pipe.call("Runtime.evaluate", {**asked, "awaitPromise": True}, self.session, 10)

    def script(self, expression: str, frame: str = "") -> Any:
        """What a call of the walker gives, in the frame's isolated world."""
        return self._evaluate(expression, frame or self._frame).get("value")

    def _evaluate(self, expression: str, frame: str, by_value: bool = True) -> dict[str, Any]:
        for attempt in (1, 2, 3):
            try:
                return self._run(expression, self._world(frame), by_value)
            except PageError:  # the page went elsewhere meanwhile
                self._worlds.pop(frame, None)
                if attempt == 3 or frame != self._frame:
                    raise
                time.sleep(0.1)
                frame = self._frame
        raise AssertionError

    def _world(self, frame: str) -> int:
        if frame not in self._worlds:
            made = self.pipe.call("Page.createIsolatedWorld", {"frameId": frame, "worldName": "llmos"}, self.session)
            world = int(made["executionContextId"])
            self._run(walker(), world, by_value=True)
            self._worlds[frame] = world
        return self._worlds[frame]

    def _run(self, expression: str, world: int, by_value: bool) -> dict[str, Any]:
        asked = {"expression": expression, "contextId": world, "returnByValue": by_value, "awaitPromise": False}
        done = self.pipe.call("Runtime.evaluate", asked, self.session)
        if "exceptionDetails" in done:
            told = done["exceptionDetails"].get("exception", {}).get("description", "the page could not be read")
            raise PageError(str(told)[:300])
        result = done["result"]
        assert isinstance(result, dict)
        return result

    # --- using ---

    def frame_of(self, number: int) -> str:
        """The frame in which an element with this number is."""
        return self._where.get(number, self._frame)

    def on(self, number: int, act: str, *arguments: str) -> Any:
        """What a function of the walker says of an element."""
        given = ", ".join([str(number), *arguments])
        return self.script(f"__llmos.{act}({given})", self.frame_of(number))

    def centre(self, number: int) -> tuple[float, float]:
        """Where an element's middle is in the window. Raises PageError for one without a place."""
        found = self._evaluate(f"__llmos.element({number})", self.frame_of(number), by_value=False)
        quads = self.pipe.call("DOM.getContentQuads", {"objectId": found["objectId"]}, self.session)["quads"]
        if not quads:
            raise PageError("it has no place on the page")
        quad = quads[0]
        return sum(quad[0::2]) / 4, sum(quad[1::2]) / 4

    def click(self, x: float, y: float) -> None:
        """Press and let go."""
        for kind, held in (("mouseMoved", 0), ("mousePressed", 1), ("mouseReleased", 0)):
            button = "none" if kind == "mouseMoved" else "left"
            shape = {"type": kind, "x": x, "y": y, "button": button, "buttons": held}
            # Answered when the page has taken it: what a click begins has begun then.
            self._press("Input.dispatchMouseEvent", {**shape, "clickCount": int(kind != "mouseMoved")})

    def key(self, name: str, code: int, text: str = "") -> None:
        """Press a key."""
        shape = {"key": name, "code": name, "windowsVirtualKeyCode": code}
        self._press("Input.dispatchKeyEvent", {"type": "keyDown", **shape, "text": text})
        self._press("Input.dispatchKeyEvent", {"type": "keyUp", **shape})

    def _press(self, method: str, shape: Mapping[str, Any]) -> None:
        # No answer comes from a page that went elsewhere by it, or is busy: what it did is seen all the same.
        with contextlib.suppress(PageError, TimeoutError):
            self.pipe.call(method, shape, self.session, 5)


_EVENTS: dict[str, Callable[[Tab, Mapping[str, Any]], None]] = {
    "Page.frameNavigated": Tab._navigated,
    "Page.lifecycleEvent": Tab._lifecycle,
    "Page.navigatedWithinDocument": Tab._within,
    "Page.frameRequestedNavigation": Tab._going,
    "Page.frameStartedNavigating": Tab._started,
    "Page.frameStoppedLoading": Tab._stopped,
    "Page.javascriptDialogOpening": Tab._dialog,
    "Network.requestWillBeSent": Tab._requested,
    "Network.loadingFinished": Tab._finished,
    "Network.loadingFailed": Tab._failed,
    "Network.responseReceived": Tab._answered,
    "Fetch.requestPaused": Tab._paused,
}
