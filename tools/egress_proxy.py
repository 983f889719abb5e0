"""The browser's only way out: a proxy on a Unix socket that asks the gate about each request before it is made.

The browser's own network is empty, so what does not pass here does not pass. TLS ends here: the browser is told to take
this process's one certificate, and the other side's is verified here against the system's authorities; so method, host
and size are seen for https too. Upgrades (WebSocket), prefetches and service workers are refused. One thread a
connection; all end with the listener.
"""

import contextlib
import http.client
import os
import re
import socket
import ssl
import threading
import time

from llmos.tools import egress_http as web
from llmos.tools.egress import Gate, Refused, Target, checked_port, parse, plain_host
from llmos.tools.egress_http import Headers, Line, Meter, Truncated
from llmos.tools.egress_tls import Certificate

_HEAD = 64 << 10
_IDLE = 60.0
_MOST = 128  # connections at a time
# What Chromium asks for by itself, whatever it is told on its command line; no page is fetched from there.
_OWN = re.compile(r"(?:update|optimizationguide-pa|content-autofill)\.googleapis\.com|clients\d*\.google\.com")


class Proxy:
    """Listens from the moment it is made until ``close``."""

    def __init__(self, path: str, gate: Gate, certificate: Certificate, meter: Meter | None = None) -> None:
        self.gate, self.meter = gate, meter or Meter()
        self._certificate = certificate
        self._room = threading.BoundedSemaphore(_MOST)
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(path)
        os.chmod(path, 0o666)  # the folder it lies in is private; in the box another user comes
        self._listener.listen(64)
        threading.Thread(target=self._accept, name="llmos-egress", daemon=True).start()

    def close(self) -> None:
        """Refuse all from now on and end what is under way."""
        with self._lock:
            ending = [self._listener, *self._open]
        for one in ending:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if not self._room.acquire(blocking=False):
                client.close()
                continue
            with self._lock:
                self._open.add(client)
            threading.Thread(target=self._serve, args=(client,), name="llmos-egress", daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            client.settimeout(_IDLE)
            _Talk(self, client).run()
        except (OSError, ValueError, Refused, Truncated, http.client.HTTPException):
            pass  # the connection is over; whoever waits for it sees that
        finally:
            with self._lock:
                self._open.discard(client)
            client.close()
            self._room.release()


class _Talk:
    """One connection of the browser: requests one after the other, perhaps inside a tunnel."""

    def __init__(self, proxy: Proxy, client: socket.socket) -> None:
        self._proxy, self._client = proxy, client
        self._held = b""
        self._line: Line | None = None
        self._base = ""  # the tunnel's scheme and authority

    def run(self) -> None:
        try:
            while (head := self._head()) is not None:
                method, what, headers = head
                if method == "CONNECT" and not self._base:
                    self._tunnel(what)
                elif not self._request(method, what, headers):
                    return
        finally:
            if self._line is not None:
                self._line.socket.close()

    def _head(self) -> tuple[str, str, Headers] | None:
        """A request's head; None when the browser has no more."""
        while b"\r\n\r\n" not in self._held:
            if len(self._held) > _HEAD or not (piece := self._client.recv(web.PIECE)):
                return None
            self._held += piece
        head, _, self._held = self._held.partition(b"\r\n\r\n")
        first, *rest = head.decode("latin-1").split("\r\n")
        method, what, version = first.split(" ")
        if not version.startswith("HTTP/1.") or any("\n" in line or "\0" in line for line in (first, *rest)):
            return None
        pairs = [line.partition(":") for line in rest]
        return method, what, [(name, value.strip()) for name, _, value in pairs]

    def _tunnel(self, what: str) -> None:
        host, _, port = what.rpartition(":")
        try:
            name = plain_host(host.removeprefix("[").removesuffix("]"))
            target = Target("https", name, checked_port(int(port) if port.isdigit() else 0), "/")
            if _OWN.fullmatch(name):
                self._answer(403, "not a page")
                raise ConnectionAbortedError
            self._proxy.gate.address(target)
        except Refused as error:
            self._refuse(what, error)
            raise
        self._client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        if self._client.recv(1, socket.MSG_PEEK) == b"\x16":
            plain = self._client
            self._client = self._proxy._certificate.context.wrap_socket(plain, server_side=True)
            with self._proxy._lock:
                self._proxy._open.discard(plain)
                self._proxy._open.add(self._client)
            scheme = "https"
        else:
            scheme = "http"
        self._base = f"{scheme}://{what}"

    def _request(self, method: str, what: str, headers: Headers) -> bool:
        """Serve one request; whether another may follow on this connection."""
        url = self._base + what if self._base else what
        given = {name.lower(): value for name, value in headers}
        gate = self._proxy.gate
        try:
            target = parse(url)
            if _OWN.fullmatch(target.host):
                self._answer(403, "not a page")
                return False
            _plain(given)
            gate.method(target, method)
            sent = self._sent(given, method)
            began = time.monotonic()
            return self._forward(target, method, headers, sent, began)
        except Refused as error:
            self._refuse(url, error)
        except (OSError, http.client.HTTPException, ssl.SSLError) as error:
            self._answer(502, f"{parse(url).host} did not answer: {type(error).__name__}: {error}")
        return False

    def _sent(self, given: dict[str, str], method: str) -> bytes:
        if "transfer-encoding" in given:
            raise Refused("the request's body has no length")
        size = int(given.get("content-length") or 0)
        if (size and method != "POST") or not 0 <= size <= self._proxy.meter.caps.sent:
            raise Refused("the request carries more data than it may")
        while len(self._held) < size:
            piece = self._client.recv(web.PIECE)
            if not piece:
                raise OSError("the browser broke off")
            self._held += piece
        body, self._held = self._held[:size], self._held[size:]
        return body

    def _forward(self, target: Target, method: str, headers: Headers, sent: bytes, began: float) -> bool:
        response = self._asked(target, method, headers, sent)
        coded = web.coding(response)
        kept = [(n, v) for n, v in web.passed(response.headers.items()) if n.lower() != "content-length"]
        if coded:
            kept = [(n, v) for n, v in kept if n.lower() != "content-encoding"]
        empty = method == "HEAD" or response.status in (204, 304) or response.status < 200
        length = response.headers.get("Content-Length") if not coded else None
        sized = length is not None and length.isdigit()
        if not empty:
            kept.append(("Content-Length", str(length)) if sized else ("Transfer-Encoding", "chunked"))
        reason = "".join(c for c in response.reason or "" if c.isalnum() or c == " ")
        lines = [f"HTTP/1.1 {response.status} {reason}", *(f"{n}: {v}" for n, v in kept)]
        self._client.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace"))
        if not empty:
            try:
                for piece in web.body(response, self._proxy.meter):
                    self._client.sendall(piece if sized else b"%x\r\n%b\r\n" % (len(piece), piece))
            except Truncated as error:
                self._proxy.gate.refuse(target.url, error)
                raise
            if not sized:
                self._client.sendall(b"0\r\n\r\n")
        if response.will_close and self._line is not None:
            self._line.socket.close()
            self._line = None
        return True

    def _asked(self, target: Target, method: str, headers: Headers, sent: bytes) -> http.client.HTTPResponse:
        """The head of the answer, over the connection that is there or a new one."""
        caps = self._proxy.meter.caps
        if method != "POST" and self._line is not None and self._line.serves(target):  # no POST is sent twice
            with contextlib.suppress(OSError, http.client.HTTPException):  # it was closed meanwhile
                web.send(self._line, target, method, headers, sent)
                return web.receive(self._line, method)
        if self._line is not None:
            self._line.socket.close()
            self._line = None
        self._line = web.connect(self._proxy.gate, target, caps)
        self._line.socket.settimeout(caps.seconds)
        web.send(self._line, target, method, headers, sent)
        return web.receive(self._line, method)

    def _refuse(self, what: str, why: Refused) -> None:
        line = self._proxy.gate.refuse(what, why)
        self._answer(403, line)

    def _answer(self, status: int, text: str) -> None:
        told = f"llmos: {text}".encode("utf-8", "replace")
        head = f"HTTP/1.1 {status} {'Forbidden' if status == 403 else 'Bad Gateway'}\r\nX-Llmos: {status}\r\n"
        head += f"Content-Type: text/plain; charset=utf-8\r\nContent-Length: {len(told)}\r\nConnection: close\r\n\r\n"
        with contextlib.suppress(OSError):
            self._client.sendall(head.encode() + told)


def _plain(given: dict[str, str]) -> None:
    """Raise Refused for a request that is not one for a page or a part of it."""
    if "upgrade" in given:
        raise Refused("only pages are fetched, no WebSocket")
    if "prefetch" in given.get("sec-purpose", given.get("purpose", "")):
        raise Refused("nothing is fetched beforehand")
    if "service-worker" in given or given.get("sec-fetch-dest") == "serviceworker":
        raise Refused("no service workers")
