"""A session's Chromium: started when first needed, its tabs, closed with the session.

Knows the box, the pipe and tabs; nothing of policy or of what a page says.
"""

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from llmos.tools.browser_box import BrowserOff, ChromiumBox
from llmos.tools.browser_launch import find
from llmos.tools.browser_pipe import Pipe
from llmos.tools.browser_tab import Tab
from llmos.tools.egress import Gate
from llmos.tools.egress_http import Meter

MAX_TABS = 8
START = 60.0


class Chromium:
    """One private Chromium. ``tabs`` in the order they were opened; ``now`` is the one in use."""

    def __init__(self, gate: Gate, meter: Meter | None = None, path: str = "") -> None:
        path = path or find()
        if not path:
            raise BrowserOff("there is no Chromium on this machine")
        self.tabs: list[Tab] = []
        self.gate = gate
        self.meter = meter or Meter()
        self._news = threading.Condition()
        self.box = ChromiumBox(path, gate, self.meter)
        self.pipe = Pipe(self.box.read, self.box.write, self._hear)
        follow = {"autoAttach": True, "waitForDebuggerOnStart": True, "flatten": True, "filter": [{"type": "page"}]}
        try:
            self.pipe.call("Browser.setDownloadBehavior", {"behavior": "deny"}, timeout=START)
            self.pipe.call("Target.setAutoAttach", follow, timeout=START)
            self._await_tab()
        except (TimeoutError, BrowserOff) as error:
            self.close()
            raise BrowserOff(f"Chromium did not start: {self.box.broken or error}") from error
        self.now = self.tabs[0]

    def alive(self) -> bool:
        """Whether it still runs."""
        return not self.pipe.ended.is_set() and not self.box.broken

    def new_tab(self) -> Tab:
        """Open a tab and use it. Raises BrowserOff."""
        before = len(self.tabs)
        self.pipe.call("Target.createTarget", {"url": "about:blank"})
        with self._news:
            self._news.wait_for(lambda: len(self.tabs) > before, 10)
        self.now = self.tabs[-1]
        return self.now

    def close_tab(self, tab: Tab) -> None:
        """Close a tab; the last one stays, empty."""
        if len(self.tabs) == 1:
            self.new_tab()
        self.pipe.call("Target.closeTarget", {"targetId": tab.target})
        with self._news:
            self._news.wait_for(lambda: tab.closed, 10)
        if self.now is tab:
            self.now = self.tabs[-1]

    def put_cookies(self, cookies: Sequence[Mapping[str, Any]]) -> None:
        """Have these cookies from now on. Raises PageError where one is no cookie."""
        if cookies:
            self.pipe.call("Storage.setCookies", {"cookies": list(cookies)})

    def cookies(self) -> list[dict[str, Any]]:
        """All the cookies there are. Raises PageError, BrowserOff, TimeoutError."""
        return list(self.pipe.call("Storage.getCookies").get("cookies", ()))

    def close(self) -> None:
        """End it and all its processes."""
        self.box.close()

    def _await_tab(self) -> None:
        until = time.monotonic() + START
        while not self.tabs:
            with self._news:
                self._news.wait(0.2)
            if time.monotonic() > until or self.pipe.ended.is_set():
                raise TimeoutError("it opened no window")
        while not self.tabs[0]._frame:
            tree = self.pipe.call("Page.getFrameTree", session=self.tabs[0].session)
            self.tabs[0]._frame = tree["frameTree"]["frame"]["id"]

    def _hear(self, method: str, says: Mapping[str, Any], session: str) -> None:
        if method == "Target.attachedToTarget":
            self._attached(says)
            return
        if method == "Target.detachedFromTarget":
            with self._news:
                for tab in [t for t in self.tabs if t.session == says.get("sessionId")]:
                    tab.closed = True
                    self.tabs.remove(tab)
                self._news.notify_all()
            return
        for tab in self.tabs:
            if tab.session == session:
                tab.hear(method, says)

    def _attached(self, says: Mapping[str, Any]) -> None:
        about = says["targetInfo"]
        if len(self.tabs) >= MAX_TABS:
            self.pipe.post("Target.closeTarget", {"targetId": about["targetId"]})
            return
        tab = Tab(self.pipe, str(says["sessionId"]), str(about["targetId"]))
        tab._frame = tab.target  # a page's main frame has its target's id
        tab.prepare()
        with self._news:
            self.tabs.append(tab)
            self._news.notify_all()
