"""The gate, the host's own requests and the proxy, without a browser: what is refused, pinned, capped."""

import gzip
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from llmos.tools.egress import Caps, Gate, Refused, is_public, parse, parse_allowed
from llmos.tools.egress_http import Meter, Truncated, fetch
from llmos.tools.egress_proxy import Proxy

NEVER = [
    "file:///etc/passwd",
    "data:text/html,hello",
    "javascript:alert(1)",
    "chrome://version",
    "view-source:http://example.org/",
    "ftp://example.org/",
    "about:blank",
    "blob:http://example.org/1",
    "ws://example.org/",
    "http://user@example.org/",
    "http://user:secret@example.org/",
    "http://example.org@localhost/",
    "http://exa mple.org/",
    "http://example.org/\r\nHost: evil",
    "http://example.org/\0",
    "http://example.org\\@localhost/",
    "http://127.1/",
    "http://2130706433/",
    "http://0x7f.0.0.1/",
    "http://0177.0.0.1/",
    "http://127.0.0.1.0x0/",
    "http://[::1/",
    "http:///etc/passwd",
    "http://example.org:99999/",
    "http://ex_am$ple.org/",
    "//example.org/",
    "example.org",
    "http://" + "a" * 9000,
]
PRIVATE = [
    "http://localhost/",
    "http://localhost.:80/",
    "http://LOCALHOST/",
    "http://127.0.0.1/",
    "http://127.9.9.9/",
    "http://0.0.0.0/",
    "http://10.0.0.1/",
    "http://172.16.0.1/",
    "http://192.168.1.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://100.64.0.1/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
    "http://240.0.0.1/",
    "http://198.18.0.1/",
    "http://[::1]/",
    "http://[::]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[::127.0.0.1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[2002:7f00:1::]/",
    "http://[fe80::1]/",
    "http://[fc00::1]/",
    "http://[ff02::1]/",
    "http://intranet/",
    "http://8.8.8.8:22/",
    "http://8.8.8.8:25/",
]


@pytest.mark.parametrize("url", NEVER)
def test_what_is_no_plain_web_address_is_refused(url: str) -> None:
    with pytest.raises(Refused):
        parse(url)


@pytest.mark.parametrize("url", PRIVATE)
def test_what_is_not_public_is_refused(url: str) -> None:
    with pytest.raises(Refused):
        Gate().address(parse(url))


def test_one_host_has_one_spelling() -> None:
    assert parse("HTTP://EXAMPLE.org.:80/a?b=c#d").url == "http://example.org/a?b=c"
    assert parse("http://m\u00fcnchen.de/\u00fc").url == "http://xn--mnchen-3ya.de/%C3%BC"
    assert parse("http://[2606:4700:0:0::1111]/").host == "2606:4700::1111"
    assert parse("https://example.org").url == "https://example.org/"


@pytest.mark.parametrize(
    ("answers", "good"),
    [(["93.184.216.34"], True), (["127.0.0.1"], False), (["93.184.216.34", "10.0.0.1"], False), ([], False)],
)
def test_a_name_is_as_good_as_all_its_addresses(answers: list[str], good: bool) -> None:
    gate = Gate(resolve=lambda host, port: answers)
    if good:
        assert gate.address(parse("http://example.org/")) == answers[0]
    else:
        with pytest.raises(Refused):
            gate.address(parse("http://example.org/"))


def test_what_the_user_allowed_is_that_host_and_port_alone() -> None:
    gate = Gate.of(["localhost:8000"])
    assert gate.address(parse("http://localhost:8000/x"))
    for other in ("http://localhost:8001/", "http://127.0.0.1:8000/", "http://localhost/"):
        with pytest.raises(Refused, match="--allow-host"):
            gate.address(parse(other))
    assert parse_allowed("[::1]:80") == ("::1", 80)
    for wrong in ("localhost", "localhost:", "localhost:0", "local host:80", ":80", "127.1:80"):
        with pytest.raises(ValueError, match=":"):
            parse_allowed(wrong)


def test_sending_needs_leave() -> None:
    gate = Gate.of([], ["localhost:8000"])
    gate.method(parse("http://localhost:8000/"), "POST")
    for url, method in (
        ("http://example.org/", "POST"),
        ("http://localhost:8000/", "PUT"),
        ("http://e.org/", "OPTIONS"),
    ):
        with pytest.raises(Refused):
            gate.method(parse(url), method)


def test_public_is_what_the_internet_routes() -> None:
    assert is_public("93.184.216.34")
    assert is_public("2606:4700::1111")
    assert not is_public("fe80::1%eth0")
    assert not is_public("nonsense")


class _Server(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    seen: list[tuple[str, str, dict[str, str]]] = []  # noqa: RUF012

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self.seen.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
        if self.path.startswith("/to?"):
            self.send_response(302)
            self.send_header("Location", self.path[4:])
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body, headers = b"hello", {}
        if self.path == "/bomb":
            body, headers = gzip.compress(b"0" * (8 << 20)), {"Content-Encoding": "gzip"}
        elif self.path == "/br":
            headers = {"Content-Encoding": "br"}
        elif self.path == "/large":
            body = b"0" * (3 << 20)
        self.send_response(200)
        for name, value in {**headers, "Content-Length": str(len(body)), "Alt-Svc": "h3=':443'"}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_HEAD = do_POST = do_GET


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def test_the_hosts_own_requests_go_through_the_gate(port: int) -> None:
    gate = Gate.of([f"localhost:{port}"])
    assert fetch(gate, f"http://localhost:{port}/").body == b"hello"
    assert fetch(gate, f"http://localhost:{port}/to?/x").url.endswith("/x")
    with pytest.raises(Refused, match=r"127\.0\.0\.1"):
        fetch(gate, f"http://localhost:{port}/to?http://127.0.0.1:{port}/")
    with pytest.raises(Refused, match="file"):
        fetch(gate, f"http://localhost:{port}/to?file:///etc/passwd")
    with pytest.raises(Refused, match="redirects"):
        fetch(gate, f"http://localhost:{port}/to?/to?/to?/to?/to?/to?/to?/to?/to?/to?/to?/to?/x")


def test_bodies_end_at_their_caps(port: int) -> None:
    gate, meter = Gate.of([f"localhost:{port}"]), Meter(Caps(body=1 << 20))
    for path in ("/bomb", "/large"):
        with pytest.raises(Truncated, match="larger than 1 MB"):
            fetch(gate, f"http://localhost:{port}{path}", meter)
    with pytest.raises(Truncated, match="not asked for"):
        fetch(gate, f"http://localhost:{port}/br")
    with pytest.raises(Truncated, match="its limit"):
        fetch(gate, f"http://localhost:{port}/large", Meter(Caps(session=1 << 20)))


class Rebinding:
    """A name server that says public first, private after."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, host: str, port: int) -> list[str]:
        self.asked += 1
        return ["127.0.0.1"] if self.asked > 1 else ["93.184.216.34"]


def test_the_address_that_was_looked_at_is_the_one_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    names, reached = Rebinding(), []

    def connect(address: tuple[str, int], timeout: float) -> socket.socket:
        reached.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", connect)
    gate = Gate(resolve=names)
    with pytest.raises(ConnectionRefusedError):
        fetch(gate, "http://rebind.example/")
    assert reached == [("93.184.216.34", 80)]
    assert names.asked == 1
    with pytest.raises(Refused):
        fetch(gate, "http://rebind.example/")
    assert len(reached) == 1


@pytest.fixture
def proxy(port: int, tmp_path: Path) -> Iterator[Any]:
    """``ask(bytes)`` gives what the proxy answers; for a host that the user allowed and one they did not."""
    _Server.seen.clear()
    made = Proxy(str(tmp_path / "p"), Gate.of([f"localhost:{port}"]), certificate=None, meter=Meter(Caps(body=1 << 20)))  # type: ignore[arg-type]

    def ask(request: str) -> str:
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(10)
            line.connect(str(tmp_path / "p"))
            line.sendall(request.replace("PORT", str(port)).encode())
            line.shutdown(socket.SHUT_WR)
            told = b""
            while piece := line.recv(65536):
                told += piece
        return told.decode("latin-1")

    ask.gate = made.gate  # type: ignore[attr-defined]
    yield ask
    made.close()


def test_the_proxy_fetches_what_is_allowed_and_says_no_to_the_rest(proxy: Any) -> None:
    good = proxy(
        "GET http://localhost:PORT/a HTTP/1.1\r\nHost: elsewhere\r\nProxy-Connection: keep-alive\r\nCookie: a=b\r\n\r\n"
    )
    assert good.startswith("HTTP/1.1 200")
    assert good.endswith("hello")
    assert "alt-svc" not in good.lower()
    _, path, headers = _Server.seen[-1]
    assert path == "/a"
    assert headers["host"].startswith("localhost:")
    assert headers["cookie"] == "a=b"
    assert "proxy-connection" not in headers
    asked = len(_Server.seen)
    for request in (
        "GET http://127.0.0.1:PORT/ HTTP/1.1\r\n\r\n",
        "GET http://[::1]:PORT/ HTTP/1.1\r\n\r\n",
        "GET http://localhost:PORT@example.org/ HTTP/1.1\r\n\r\n",
        "GET file:///etc/passwd HTTP/1.1\r\n\r\n",
        "POST http://localhost:PORT/ HTTP/1.1\r\nContent-Length: 1\r\n\r\nx",
        "OPTIONS http://localhost:PORT/ HTTP/1.1\r\n\r\n",
        "GET http://localhost:PORT/ HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
        "GET http://localhost:PORT/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET http://localhost:PORT/ HTTP/1.1\r\nUpgrade: websocket\r\n\r\n",
        "GET http://localhost:PORT/ HTTP/1.1\r\nSec-Purpose: prefetch\r\n\r\n",
        "GET http://localhost:PORT/ HTTP/1.1\r\nService-Worker: script\r\n\r\n",
        "CONNECT 127.0.0.1:PORT HTTP/1.1\r\n\r\n",
        "CONNECT localhost:22 HTTP/1.1\r\n\r\n",
        "CONNECT localhost:PORT HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n",
    ):
        assert " 403 " in proxy(request), request
    for request in (
        "nonsense\r\n\r\n",
        "GET http://localhost:PORT/ HTTP/3\r\n\r\n",
        "GET / HTTP/1.1\n\n",
        "X" * 70_000,
    ):
        assert " 200 " not in proxy(request)
    assert len(_Server.seen) == asked


def test_the_proxy_takes_codings_off_under_the_cap(proxy: Any) -> None:
    assert len(proxy("GET http://localhost:PORT/bomb HTTP/1.1\r\n\r\n")) < (1 << 20) + 100_000
    assert any("larger than" in line for line in proxy.gate.refusals)
