"""Links that lead elsewhere than they look are told so: ``[bank.com](http://evil.example) [leads to evil.example]``.

Nothing is ever loaded, and nothing is taken out of a text: links, pictures and HTML stay the plain text that they are.
Told are a link's host where its words show another one, and a host that is hidden by a user name, by letters beyond
ASCII, by escapes, or by being one number. Knows nothing of terminals.
"""

import ipaddress
import re
from urllib.parse import unquote, urlsplit

_SCHEME = r"(?<![A-Za-z0-9])[A-Za-z][A-Za-z0-9+.-]{1,20}"
_LINK = re.compile(
    r"\[(?P<words>[^\[\]\n]{0,300}+)\]"
    r"\([ \t]*+<?(?P<target>[^\s<>()]{1,2000}+(?:\([^\s<>()]*+\)[^\s<>()]*+)?)>?[^()\n]{0,200}+\)"
    rf"|(?P<bare>{_SCHEME}:[\\/]{{2}}[^\s<>\"')\]`]{{1,2000}})"
)
# What may go on as a link: an open bracket, or the beginning of an address.
_OPEN = re.compile(
    r"(?:\[[^\[\]\n]{0,300}(?:\](?:\([^()\n]{0,2200}(?:\([^()\n]*\)?)?)?)?"
    rf"|{_SCHEME}:(?:[\\/](?:[\\/][^\s<>\"')\]`]{{0,2000}})?)?|{_SCHEME}|(?<![A-Za-z0-9])[A-Za-z])\Z"
)
_LONGEST = 2600  # characters that can wait
_NAME = re.compile(r"(?:[^\W_](?:[\w-]*[^\W_])?\.)+([^\W\d_]{2,24})(?![\w-])")
_FILES = re.compile(
    "(?i:csv|docx?|gif|html?|ipynb|jpe?g|js|jsonl?|log|md|pdf|png|py|svg|toml|tsv|txt|xlsx?|xml|ya?ml|zip)"
)
_HARMLESS = frozenset({"http", "https", "ftp", "mailto", "tel", "sms"})


def told(text: str) -> str:
    """The text, with a note after every link that leads elsewhere than it looks."""
    return _LINK.sub(lambda m: m.group() + _note(m["bare"] or m["target"], m["words"] or ""), text)


class Teller:
    """The same for a text that comes in pieces; what may become a link waits."""

    def __init__(self) -> None:
        self._held = ""

    def feed(self, piece: str) -> str:
        """What can be shown after a further piece."""
        self._held += piece
        waits = _OPEN.search(self._held, max(0, len(self._held) - _LONGEST))
        return self._take(waits.start() if waits else len(self._held))

    def end(self) -> str:
        """What is left when nothing more comes."""
        return self._take(len(self._held))

    def _take(self, cut: int) -> str:
        shown, self._held = self._held[:cut], self._held[cut:]
        return told(shown)


def host_of(url: str) -> str:
    """The host that a browser would go to, in ASCII, an address in its usual form; empty where there is none."""
    slashes = re.sub(r"^((?i:https?|ftp):)?/*(?=(?<=[:/]).)", lambda m: f"{m[1] or ''}//", url.replace("\\", "/"))
    try:
        host = unquote(urlsplit(slashes).hostname or "")
    except ValueError:
        return ""
    if number := _number(host):
        return number
    try:
        return host.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return host.encode("ascii", "backslashreplace").decode()


def _number(host: str) -> str:
    """``2130706433`` and ``0x7f.1`` as browsers read them: 127.0.0.1; empty for a name or a plain address."""
    parts = host.rstrip(".").split(".")
    if not all(re.fullmatch(r"0[xX][0-9a-fA-F]*|[0-9]+", part) for part in parts) or len(parts) > 4:
        return ""
    numbers = [int(p[2:] or "0", 16) if p[:2] in ("0x", "0X") else int(p, 8 if _octal(p) else 10) for p in parts]
    value = sum(n << 8 * (3 - i) for i, n in enumerate(numbers[:-1])) + numbers[-1]
    return str(ipaddress.IPv4Address(value)) if value < 1 << 32 else ""


def _octal(part: str) -> bool:
    return len(part) > 1 and part[0] == "0" and not set(part) - set("01234567")


def _note(url: str, words: str) -> str:
    """What is to be told of a link, with a space before it; empty where its looks say it all."""
    scheme = (re.match(r"([A-Za-z][A-Za-z0-9+.-]*):", url) or ("", ""))[1].lower()
    if scheme and scheme not in _HARMLESS and words:
        return f" [no web page: {scheme}]"
    host = host_of(url) if scheme in ("http", "https", "ftp") or re.match(r"[\\/]{2}", url) else ""
    if not host:
        return ""
    authority = re.split(r"[\\/?#]", re.sub(r"^[^:/\\]*:?[\\/]*", "", url), maxsplit=1)[0]
    plain = re.sub(r":\d{0,5}$", "", authority).strip("[]").rstrip(".,;:!?*_").lower()
    honest = plain == host.rstrip(".,;:!?*_") and all(_same(name, host) for name in _names(words))
    return "" if honest else f" [leads to {host}]"


def _names(words: str) -> list[str]:
    return [m.group().lower() for m in _NAME.finditer(words) if not _FILES.fullmatch(m[1])]


def _same(name: str, host: str) -> bool:
    """Whether a name in a link's words is its host, or what that belongs to."""
    name = name.removeprefix("www.")
    return host == name or host.endswith(f".{name}")
