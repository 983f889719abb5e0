"""Pages that try to reach this machine and its network from inside the browser: none does. In real Chromium."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from llmos.kernel.tool import ToolError

pytestmark = pytest.mark.usefixtures("chromium")


class _Inside(BaseHTTPRequestHandler):
    hits: list[str] = []  # noqa: RUF012

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self.hits.append(f"{self.command} {self.path}")
        self.send_response(200)
        self.send_header("Access-Control-Allow-Origin", "*")
        self.end_headers()
        self.wfile.write(b"INTERNALWORD")

    do_POST = do_PUT = do_OPTIONS = do_GET


@pytest.fixture(scope="module")
def inside() -> Iterator[int]:
    """A service of this machine that nobody allowed."""
    server = ThreadingHTTPServer(("0.0.0.0", 0), _Inside)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


# What the model asks to be opened. P is the port of the service.
OPENED = [
    "http://127.0.0.1:P/", "http://localhost:P/", "http://LOCALHOST:P/", "http://localhost.:P/", "http://127.1:P/",
    "http://2130706433:P/", "http://0x7f000001:P/", "http://0177.0.0.1:P/", "http://0.0.0.0:P/", "http://0:P/",
    "http://[::1]:P/", "http://[::ffff:127.0.0.1]:P/", "http://127.0.0.1.nip.example:P/", "http://user@127.0.0.1:P/",
    "http://169.254.169.254/latest/meta-data/", "http://10.0.0.1/", "http://192.168.0.1/", "https://127.0.0.1:P/",
    "file:///etc/hostname", "file:///usr/share/doc/", "data:text/html,INTERNALWORD", "chrome://version",
    "chrome://settings", "view-source:http://127.0.0.1:P/", "javascript:fetch('http://127.0.0.1:P/')", "about:blank",
    "devtools://devtools/bundled/inspector.html", "ftp://127.0.0.1:P/", "filesystem:http://127.0.0.1:P/x",
    "http://localhost:P\\@example.org/",
]  # fmt: skip
# What a page does. U is the service's address, W its WebSocket address, S the test site.
TRIED = {
    "picture": '<img src="U/img">',
    "source set": '<img srcset="U/srcset 1x">',
    "script": '<script src="U/script"></script>',
    "module": '<script type=module>import "U/module"</script>',
    "style sheet": '<link rel=stylesheet href="U/css">',
    "style import": "<style>@import 'U/import';</style>",
    "background": '<div style="background:url(U/background);width:9px;height:9px"></div>',
    "font": "<style>@font-face{font-family:x;src:url(U/font)}</style><p style='font-family:x'>x",
    "frame": '<iframe src="U/frame"></iframe>',
    "object": '<object data="U/object"></object>',
    "embed": '<embed src="U/embed">',
    "video": '<video src="U/video" autoplay></video>',
    "audio": '<audio src="U/audio" autoplay></audio>',
    "track": '<video><track src="U/track" default></video>',
    "prefetch": '<link rel=prefetch href="U/prefetch">',
    "preload": '<link rel=preload as=fetch href="U/preload">',
    "prerender": '<link rel=prerender href="U/prerender">',
    "preconnect": '<link rel=preconnect href="U">',
    "dns prefetch": '<link rel=dns-prefetch href="U">',
    "speculation": '<script type=speculationrules>{"prefetch":[{"source":"list","urls":["U/speculation"]}]}</script>',
    "favicon": '<link rel=icon href="U/icon">',
    "manifest": '<link rel=manifest href="U/manifest">',
    "fetch": "<script>fetch('U/fetch').catch(()=>0)</script>",
    "fetch without cors": "<script>fetch('U/nocors',{mode:'no-cors'}).catch(()=>0)</script>",
    "post": "<script>fetch('U/post',{method:'POST',mode:'no-cors',body:'x'}).catch(()=>0)</script>",
    "xhr": "<script>x=new XMLHttpRequest;x.open('GET','U/xhr');x.send()</script>",
    "beacon": "<script>navigator.sendBeacon('U/beacon','x')</script>",
    "event source": "<script>new EventSource('U/events')</script>",
    "WebSocket": "<script>new WebSocket('W/socket')</script>",
    "WebTransport": "<script>try{new WebTransport('https://127.0.0.1:P/t')}catch(e){}</script>",
    "WebRTC": "<script>p=new RTCPeerConnection({iceServers:[{urls:'stun:127.0.0.1:P'},{urls:'turn:127.0.0.1:P?transport=tcp',username:'a',credential:'b'}]});p.createDataChannel('x');p.createOffer().then(o=>p.setLocalDescription(o))</script>",
    "worker": "<script>new Worker(URL.createObjectURL(new Blob([\"fetch('U/worker')\"])))</script>",
    "service worker": "<script>navigator.serviceWorker&&navigator.serviceWorker.register('/sw.js')</script>",
    "refresh": "<iframe srcdoc=\"<meta http-equiv=refresh content='0;url=U/refresh'>\"></iframe>",
    "redirected picture": '<img src="S/redirect?to=U/redirected">',
    "redirected fetch": "<script>fetch('S/redirect?to=U/refetched').catch(()=>0)</script>",
    "redirected frame": '<iframe src="S/redirect?to=U/reframed"></iframe>',
    "form": '<form target=f action="U/form"><input name=a value=b></form><iframe name=f></iframe><script>document.forms[0].submit()</script>',
    "window": "<script>window.open('U/window')</script>",
    "ping": '<a id=p href="#x" ping="U/ping">x</a><script>document.getElementById("p").click()</script>',
    "svg": '<svg><image href="U/svg" width=9 height=9 /></svg>',
    "other spellings": "<img src='http://localhost:P/name'><img src='http://[::1]:P/six'><img src='http://2130706433:P/dec'><img src='http://0x7f.1:P/hex'><img src='http://0:P/zero'>",
}


@pytest.mark.parametrize("url", OPENED)
def test_no_address_of_this_machine_is_opened(act: Any, inside: int, url: str) -> None:
    with pytest.raises(ToolError) as caught:
        act("open", url=url.replace("P", str(inside), 1) if ":P" in url else url)
    assert "\n" not in str(caught.value)
    assert _Inside.hits == []


@pytest.fixture(scope="module")
def tried(act: Any, inside: int, site: Any) -> list[str]:
    """All that pages do, four pages of it; what reached the service."""
    pieces = list(TRIED.values())
    for start in range(0, len(pieces), 11):
        body = "".join(pieces[start : start + 11])
        body = body.replace("U", f"http://127.0.0.1:{inside}").replace("S/", site.url()).replace(":P", f":{inside}")
        body = body.replace("W/socket", f"ws://127.0.0.1:{inside}/socket")
        site.pages_extra = {"tries": f"<!doctype html><title>Tries</title><p>Tries are made here.</p>{body}"}
        assert "Tries are made here" in act("open", url=site.url("extra/tries"))
        time.sleep(1.0)
        act("read")
        for tab in range(len(act("tabs").splitlines()), 1, -1):
            act("tabs", close=tab)
    return list(_Inside.hits)


def test_nothing_that_a_page_does_reaches_this_machine(tried: list[str]) -> None:
    assert len(TRIED) + len(OPENED) >= 70
    assert tried == []


def test_the_proxy_is_what_said_no(tried: list[str], act: Any) -> None:
    refused = " ".join(act.web.gate.refusals)
    for path in ("/img", "/script", "/frame", "/fetch", "/xhr", "/redirected", "/css", "/window"):
        assert path in refused, path


def test_a_name_that_changes_its_address_reaches_nothing(act: Any, site: Any, inside: int) -> None:
    answers = iter(["93.184.216.34"])
    kept = act.web.gate.resolve
    act.web.gate.resolve = lambda host, port: [next(answers, "127.0.0.1")] if "rebind" in host else kept(host, port)
    try:
        # The first look was public; whoever connects looks again and finds this machine.
        act.web.gate.address(
            __import__("llmos.tools.egress", fromlist=["parse"]).parse(f"http://rebind.example:{inside}/")
        )
        with pytest.raises(ToolError, match="private network"):
            act("open", url=f"http://rebind.example:{inside}/")
    finally:
        act.web.gate.resolve = kept
    assert _Inside.hits == []


def test_links_to_files_and_inner_pages_lead_nowhere(act: Any, site: Any) -> None:
    site.pages_extra = {
        "links": '<title>Links</title><p>Start here.</p><a href="file:///etc/hostname">file</a> <a href="chrome://version">chrome</a>'
        ' <a href="data:text/html,INTERNALWORD">data</a> <a href="view-source:http://localhost/">source</a>'
    }
    for place in range(4):
        shown = act("open", url=site.url("extra/links"))
        numbers = sorted(int(n) for n in __import__("re").findall(r"\{(\d+)\}", shown))
        after = act("click", ref=numbers[place])
        assert "INTERNALWORD" not in after
        assert "Start here." in after
