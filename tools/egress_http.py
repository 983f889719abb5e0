"""One request over one checked connection, and its answer: capped in bytes and seconds, decompressed here.

Used by the proxy for the browser's requests and by the host's own (searches, downloads), so that both go through one
gate. Content codings are taken off here, under the cap: no bomb reaches the browser. It speaks HTTP/1.1 and no more.
"""

import http.client
import re
import socket
import ssl
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import urljoin

from llmos.tools.egress import Caps, Gate, Refused, Target, parse

PIECE = 1 << 16
MAX_REDIRECTS = 10
_HOP = {
    "connection", "keep-alive", "proxy-connection", "proxy-authorization", "proxy-authenticate", "te", "trailer",
    "transfer-encoding", "upgrade", "alt-svc", "http2-settings", "expect",
}  # fmt: skip
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+\Z")
_VALUE = re.compile(r"[^\r\n\0]*\Z")
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36"

Headers = list[tuple[str, str]]


class Truncated(Exception):
    """A body that was cut at a cap, or by the other side."""


@dataclass(slots=True)
class Meter:
    """What a session has taken so far."""

    caps: Caps = field(default_factory=Caps)
    taken: int = 0

    def take(self, size: int) -> None:
        """Count bytes. Raises Truncated when the session has had its share."""
        self.taken += size
        if self.taken > self.caps.session:
            raise Truncated(f"the session has read {self.caps.session >> 20} MB, its limit")


@dataclass(slots=True)
class Line:
    """A connection to one host that was looked at."""

    target: Target
    socket: socket.socket

    def serves(self, target: Target) -> bool:
        """Whether a request of this target can go over it."""
        mine = self.target
        return (mine.scheme, mine.host, mine.port) == (target.scheme, target.host, target.port)


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer as a whole, after redirects: ``url`` is where it came from."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes


@cache
def _trust() -> ssl.SSLContext:
    return ssl.create_default_context()


def connect(gate: Gate, target: Target, caps: Caps) -> Line:
    """Connect to the address that the gate gave, and no other. Raises Refused, OSError."""
    address = gate.address(target)
    made = socket.create_connection((address, target.port), timeout=caps.connect)
    try:
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if target.scheme == "https":
            made = _trust().wrap_socket(made, server_hostname=target.host)
    except BaseException:
        made.close()
        raise
    return Line(target, made)


def passed(headers: Iterable[tuple[str, str]]) -> Headers:
    """The headers that travel on: well formed, none that is of one connection only."""
    kept = [(n, v) for n, v in headers if n.lower() not in _HOP and _NAME.match(n) and _VALUE.match(v)]
    return kept[:200]


def send(line: Line, target: Target, method: str, headers: Headers, body: bytes = b"") -> None:
    """Write a request. Host, length and codings are ours to say."""
    ours = {"host", "accept-encoding", "content-length"}
    lines = [f"{method} {target.path} HTTP/1.1", f"Host: {target.authority}", "Accept-Encoding: gzip"]
    lines += [f"{n}: {v}" for n, v in passed(headers) if n.lower() not in ours]
    if method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    line.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace") + body)


def receive(line: Line, method: str) -> http.client.HTTPResponse:
    """Read an answer's head. Raises http.client.HTTPException, OSError."""
    response = http.client.HTTPResponse(line.socket, method=method)
    response.begin()
    return response


def coding(response: http.client.HTTPResponse) -> str:
    """The answer's content coding, in small letters; empty for none."""
    return (response.headers.get("Content-Encoding") or "").strip().lower().replace("identity", "")


def body(response: http.client.HTTPResponse, meter: Meter) -> Iterator[bytes]:
    """The answer's body, decompressed, in pieces. Raises Truncated at a cap; OSError, HTTPException as they come."""
    inflate: Any = None
    coded = coding(response)
    if coded in ("gzip", "x-gzip", "deflate"):
        inflate = zlib.decompressobj(47)
    elif coded:
        raise Truncated(f"the answer is coded as {coded[:20]}, which was not asked for")
    size, until = 0, time.monotonic() + meter.caps.seconds
    while piece := response.read1(PIECE):
        meter.take(len(piece))
        for plain in _inflated(piece, inflate) if inflate else (piece,):
            size += len(plain)
            if size > meter.caps.body:
                raise Truncated(f"the answer is larger than {meter.caps.body >> 20} MB")
            yield plain
        if time.monotonic() > until:
            raise Truncated(f"the answer took more than {meter.caps.seconds:.0f} s")
    if response.length:  # the other side ended before it had said all
        raise Truncated("the answer broke off")


def _inflated(piece: bytes, inflate: Any) -> Iterator[bytes]:
    try:
        while piece:
            plain = inflate.decompress(piece, PIECE)
            if plain:
                yield plain
            piece = inflate.unconsumed_tail
            if inflate.eof or not (plain or piece):
                return
    except zlib.error as error:
        raise Truncated(f"the answer cannot be decompressed: {error}") from None


def fetch(gate: Gate, url: str, meter: Meter | None = None, headers: Headers | None = None) -> Fetched:
    """GET a URL for the host itself; each redirect is looked at anew. Raises Refused, Truncated, OSError."""
    meter = meter or Meter()
    target = parse(url)
    sent = headers or [("User-Agent", AGENT), ("Accept", "*/*"), ("Accept-Language", "en")]
    for _ in range(MAX_REDIRECTS):
        line = connect(gate, target, meter.caps)
        try:
            line.socket.settimeout(meter.caps.connect)
            send(line, target, "GET", [*sent, ("Connection", "close")])
            response = receive(line, "GET")
            if response.status in (301, 302, 303, 307, 308) and (place := response.headers.get("Location")):
                before, target = target, parse(urljoin(target.url, place).partition("#")[0])
                if (before.host, before.port) != (target.host, target.port):
                    sent = [(n, v) for n, v in sent if n.lower() not in ("cookie", "authorization")]
                continue
            held = b"".join(body(response, meter))
            return Fetched(target.url, response.status, dict(response.headers.items()), held)
        except http.client.HTTPException as error:
            raise Truncated(f"the answer is no HTTP: {type(error).__name__}") from None
        finally:
            line.socket.close()
    raise Refused(f"more than {MAX_REDIRECTS} redirects")
