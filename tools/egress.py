"""Where the browser may reach: the one place that decides, for each request, redirect and sub-resource.

A host is parsed once, resolved once, and the very address that was looked at is connected to. Only http and https; only
addresses of the public internet, or a host and port that the user allowed. Knows nothing of pages or of the model; what
travels is the business of egress_http and egress_proxy.
"""

import ipaddress
import re
import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

PORTS = {"http": 80, "https": 443}
_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_](?:[a-z0-9_-]{0,62}))*\Z")
_NUMBER = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)\Z")
_CONTROL = re.compile(r"[\x00-\x20\x7f]")
# Addresses that carry another one inside, or lead to it: what they hold is not looked into, they are refused.
_WRAPPED = tuple(
    ipaddress.ip_network(net)
    for net in ("::/96", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/32", "2002::/16")
)
MAX_URL = 8_000

Address = str
Resolve = Callable[[str, int], Sequence[Address]]


class Refused(Exception):
    """A request that does not happen; the text is one line that says why."""


@dataclass(frozen=True, slots=True)
class Caps:
    """What one response, and one session, may take: bytes after decompression, seconds."""

    body: int = 40 << 20
    session: int = 1 << 30
    seconds: float = 30.0
    connect: float = 10.0
    sent: int = 1 << 20  # of a request's body, where one is granted


@dataclass(frozen=True, slots=True)
class Target:
    """A parsed URL: what is connected to, and what is asked for. ``host`` is in its one plain form."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """Host and port as a Host header has them."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == PORTS[self.scheme] else f"{name}:{self.port}"

    @property
    def url(self) -> str:
        """The URL in its one plain form, without a fragment."""
        return f"{self.scheme}://{self.authority}{self.path}"


def parse(url: str) -> Target:
    """Read a URL. Raises Refused for anything but a plain http or https one."""
    if len(url) > MAX_URL:
        raise Refused(f"the address is longer than {MAX_URL} characters")
    if _CONTROL.search(url) or "\\" in url:
        raise Refused("the address holds spaces, control characters or backslashes")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Refused(f"the address cannot be read: {error}") from error
    if parts.scheme not in PORTS:
        raise Refused(f"only http and https are opened, not {parts.scheme or 'an address without a scheme'}:")
    if "@" in parts.netloc:
        raise Refused("the address holds a user name or password")
    wanted = PORTS[parts.scheme] if port is None else port
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._") + (
        "?" + quote(parts.query, safe="/%:@!$&'()*+,;=~-._?[]|^`{}") if parts.query else ""
    )
    return Target(parts.scheme, plain_host(parts.hostname or ""), checked_port(wanted), path)


def checked_port(port: int) -> int:
    """The port if something may be asked there at all. Raises Refused."""
    if not 0 < port < 65536:
        raise Refused(f"there is no port {port}")
    return port


def plain_host(host: str) -> str:
    """A host in its one plain form. Raises Refused for what is neither a name nor a plainly written address."""
    if ":" in host:
        try:
            return str(ipaddress.IPv6Address(host))
        except ValueError:
            raise Refused(f"{host!r} is no address") from None
    name = host.removesuffix(".").lower()
    if not name.isascii():
        try:
            name = name.encode("idna").decode()
        except UnicodeError:
            raise Refused(f"{host!r} is no host name") from None
    if _NUMBER.match(name.rpartition(".")[2]):
        # 127.1, 0x7f.0.0.1, 2130706433, 0177.0.0.1: one address has one spelling here.
        try:
            return str(ipaddress.IPv4Address(name))
        except ValueError:
            raise Refused(f"{host!r} is no plainly written address") from None
    if not _NAME.match(name):
        raise Refused(f"{host!r} is no host name")
    return name


def is_public(address: Address) -> bool:
    """Whether an address is one of the public internet."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if ip.version == 6 and ("%" in address or any(ip in net for net in _WRAPPED)):
        return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def system_resolve(host: str, port: int) -> Sequence[Address]:
    """The system's answer for a host."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def parse_allowed(text: str) -> tuple[str, int]:
    """``localhost:8000`` as a host and a port. Raises ValueError."""
    name, colon, port = text.strip().rpartition(":")
    if not colon or not port.isascii() or not port.isdigit():
        raise ValueError(f"{text!r} is not of the form HOST:PORT, such as localhost:8000")
    try:
        return plain_host(name.removeprefix("[").removesuffix("]")), checked_port(int(port))
    except Refused as error:
        raise ValueError(f"{text!r}: {error}") from None


@dataclass(slots=True)
class Gate:
    """What the user allowed, and the decision. ``allowed`` may be private hosts; ``posts`` are hosts that data may be
    sent to; everything else is read, on the public internet."""

    allowed: frozenset[tuple[str, int]] = frozenset()
    posts: frozenset[tuple[str, int]] = frozenset()
    resolve: Resolve = system_resolve
    refusals: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, hosts: Iterable[str] = (), posts: Iterable[str] = ()) -> "Gate":
        """A gate from the user's words. Raises ValueError for one that cannot be read."""
        sent = frozenset(map(parse_allowed, posts))
        return cls(frozenset(map(parse_allowed, hosts)) | sent, sent)

    def allows(self, target: Target) -> bool:
        """Whether the user allowed this host and port by name."""
        return (target.host, target.port) in self.allowed

    def address(self, target: Target) -> Address:
        """The one address to connect to. Raises Refused; whoever connects resolves no more."""
        named = self.allows(target)
        if not named and target.port < 1024 and target.port not in PORTS.values():
            raise Refused(f"port {target.port} is no port of web pages")
        if not named and "." not in target.host and ":" not in target.host:
            raise Refused(f"{target.host} is no host of the public internet; allow it: --allow-host {_spelt(target)}")
        try:
            found = [target.host] if _is_address(target.host) else list(self.resolve(target.host, target.port))
        except (OSError, UnicodeError) as error:
            raise Refused(f"{target.host} was not found: {getattr(error, 'strerror', None) or error}") from None
        if not found:
            raise Refused(f"{target.host} was not found")
        # One private answer among public ones is a trick: all must be public.
        if not named and not all(map(is_public, found)):
            raise Refused(
                f"{target.host} is on this machine or a private network; allow it: --allow-host {_spelt(target)}"
            )
        return found[0]

    def method(self, target: Target, method: str) -> None:
        """Raise Refused for a request that would send more than an address."""
        if method in ("GET", "HEAD"):
            return
        if method != "POST" or (target.host, target.port) not in self.posts:
            raise Refused(
                f"data would be sent to {target.authority} ({method[:16]}); allow it: --allow-post {_spelt(target)}"
            )

    def refuse(self, what: str, why: object) -> str:
        """Keep a refusal to be told, and give its line."""
        line = f"{what[:200]}: {why}"
        if len(self.refusals) < 200:
            self.refusals.append(line)
        return line


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _spelt(target: Target) -> str:
    name = f"[{target.host}]" if ":" in target.host else target.host
    return f"{name}:{target.port}"
