"""A browser ends with its session, whatever ends that; without one the tools are off and say why."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from llmos import LLMOS, LLMOSError, Scripted, ToolCall, UsageError
from llmos.tools import browser_check, browser_launch
from llmos.tools.browser_chromium import Chromium
from llmos.tools.browser_tab import Tab
from llmos.tools.egress import Gate
from llmos.tools.sandbox_watch import tree

HOLD = """
import sys, time
from llmos.tools.browser_chromium import Chromium
from llmos.tools.egress import Gate
chromium = Chromium(Gate())
print(chromium.box.pid(), flush=True)
time.sleep(600)
"""


def gone(pids: list[int], patience: float = 20.0) -> bool:
    """Whether all of these processes end soon."""
    until = time.monotonic() + patience
    while time.monotonic() < until:
        if not any(os.path.exists(f"/proc/{pid}") and not zombie(pid) for pid in pids):
            return True
        time.sleep(0.1)
    return False


def zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_closing_ends_every_process(chromium: None) -> None:
    made = Chromium(Gate())
    pids = tree(made.box.pid())
    assert len(pids) > 3
    folder = made.box._folder
    made.close()
    assert gone(pids)
    assert not os.path.exists(folder)


def test_no_process_outlives_a_killed_session(chromium: None) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    pids = tree(int(holder.stdout.readline()))
    assert len(pids) > 3
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert gone(pids)


def test_no_process_outlives_a_session_that_ends(chromium: None, site: Any, tmp_path: Path) -> None:
    steps: list[ToolCall | str] = [ToolCall("1", "browser_open", {"url": site.url()}), "It is open."]
    with LLMOS(model=Scripted(steps), home=tmp_path, browser=True, allow_hosts=[site.host]) as system:
        session = system.session()
        session.run(f"open {site.url()}")
        web = next(tool for tool in session.tools if tool.name == "browser_open").close.__self__  # type: ignore[attr-defined]
        pids = tree(web._chromium.box.pid())
        assert len(pids) > 3
        session.close()
        assert gone(pids)


def test_a_browser_that_dies_is_told_and_comes_back(act: Any, site: Any) -> None:
    act("open", url=site.url())
    act.web._chromium.box.kill("test")
    time.sleep(0.5)
    with pytest.raises(Exception, match="the browser ended"):
        act("read")
    assert "Skerry" in act("open", url=site.url())


def test_the_embedded_kernel_has_the_browser_where_the_host_has_one(tmp_path: Path) -> None:
    with LLMOS(home=tmp_path, remembers=False, browser=False) as system, system.session() as session:
        assert [tool.name for tool in session.tools if tool.name != "image"] == ["calculator", "python"]
        assert not system.browses
    with LLMOS(home=tmp_path) as system:
        assert system.browses == (not browser_check.missing())
    with LLMOS(model=Scripted([]), home=tmp_path) as system:
        assert not system.browses
    with LLMOS(home=tmp_path, browser=True, remembers=False) as system, system.session() as session:
        names = [tool.name for tool in session.tools if tool.name != "image"]
    assert names[2:5] == ["browser_search", "browser_open", "browser_read"]
    assert len(names) == 13


def test_without_chromium_the_browser_is_off_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser_launch, "find", lambda extra=(): "")
    monkeypatch.setattr("importlib.util.find_spec", lambda name, package=None: object())
    browser_check.self_test.cache_clear()
    try:
        model = Scripted([ToolCall("1", "browser_open", {"url": "https://example.org"})])
        with (
            LLMOS(model=model, home=tmp_path, browser=True) as system,
            pytest.raises(LLMOSError, match="there is no Chromium"),
        ):
            system.run("what does https://example.org say?")
        assert browser_check.missing().count("\n") == 0
    finally:
        browser_check.self_test.cache_clear()


@pytest.mark.parametrize("settings", [{"allow_hosts": ["nowhere"]}, {"search": "altavista"}, {"allow_posts": ["x:y"]}])
def test_settings_that_cannot_be_used_are_told_at_once(tmp_path: Path, settings: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        LLMOS(home=tmp_path, **settings)


def test_the_filter_refuses_other_sockets_and_lets_chromium_be() -> None:
    code = browser_launch.program("x86_64")
    assert len(code) % 8 == 0
    assert browser_launch.program("aarch64") != code
    with pytest.raises(ValueError, match="riscv64"):
        browser_launch.program("riscv64")


class _Late:
    """A pipe whose Chromium tells of the page before when it has been sent to the next already."""

    def __init__(self, silent: bool = False) -> None:
        self.ended, self.tab = threading.Event(), Tab(self, "s", "t")  # type: ignore[arg-type]
        self.silent, self.to = silent, ""

    def tell(self, loader: str, url: str) -> None:
        self.tab.hear("Page.frameNavigated", {"frame": {"id": "f", "loaderId": loader, "url": url}})
        self.tab.hear("Page.frameStoppedLoading", {"frameId": "f"})

    def call(self, method: str, says: dict[str, Any], session: str, timeout: float) -> dict[str, Any]:
        if method == "Page.getFrameTree":
            return {"frameTree": {"frame": {"url": self.to, "urlFragment": "#top"}}}
        self.to = says["url"]
        self.tab.hear("Page.frameStoppedLoading", {"frameId": "f"})
        if not self.silent:
            threading.Timer(0.2, self.tell, ("new", self.to)).start()
        return {"loaderId": "new"}


def test_what_the_page_before_still_tells_is_not_taken_for_the_next_one() -> None:
    pipe = _Late()
    pipe.tell("old", "about:blank")
    pipe.tab.open("http://localhost/", 10)
    assert (pipe.tab.url, pipe.tab.error) == ("http://localhost/", "")


def test_where_chromium_did_not_tell_that_it_went_it_is_asked() -> None:
    pipe = _Late(silent=True)
    pipe.tell("old", "about:blank")
    pipe.tab.open("http://localhost/", 10)
    assert (pipe.tab.url, pipe.tab.error) == ("http://localhost/#top", "")
