"""Secrets for tests, and the ways in which one may be spelled: what the scanner promises to find."""

import base64
import codecs
import html
from collections.abc import Callable
from urllib.parse import quote

from llmos.kernel.secrets import Scanner, Secret

VALUE = "sk-live-7Qp2Zx9LmT4vBn81"
PHRASE = "correct-horse-4711"
MARKED = "p@$$w0rd!!##"  # more punctuation than letters
SCANNER = Scanner([Secret("KEY", VALUE), Secret("PHRASE", PHRASE), Secret("MARKED", MARKED)])


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


SPELLINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "lower": str.lower,
    "upper": str.upper,
    "mixed case": lambda s: "".join(c.upper() if i % 2 else c.lower() for i, c in enumerate(s)),
    "spaced": " ".join,
    "dotted": ".".join,
    "lines": "\n".join,
    "zero width": "\u200b".join,
    "mixed separators": " \u200d-\n".join,
    "full width": lambda s: "".join(chr(ord(c) + 0xFEE0) if c.isalnum() else c for c in s),
    "tags": lambda s: "".join(chr(0xE0000 + ord(c)) for c in s),
    "percent": lambda s: "".join(f"%{ord(c):02x}" for c in s),
    "percent in part": lambda s: quote(s, safe="") + "",
    "percent every third": lambda s: "".join(f"%{ord(c):02X}" if i % 3 else c for i, c in enumerate(s)),
    "percent twice": lambda s: quote("".join(f"%{ord(c):02x}" for c in s)),
    "base64": b64,
    "base64 shifted by one": lambda s: b64("x" + s),
    "base64 shifted by two": lambda s: b64("xy" + s),
    "base64 inside": lambda s: b64("abcd" + s + "efg"),
    "base64 unpadded": lambda s: b64(s).rstrip("="),
    "base64 url": lambda s: base64.urlsafe_b64encode(b"\xfb" + s.encode()).decode(),
    "base64 in lines": lambda s: "\n".join(b64(s)[i : i + 7] for i in range(0, 99, 7)),
    "base64 of upper": lambda s: b64(s.upper()),
    "base32": lambda s: base64.b32encode(s.encode()).decode(),
    "base32 shifted": lambda s: base64.b32encode(b"abc" + s.encode()).decode().lower().rstrip("="),
    "hex": lambda s: s.encode().hex(),
    "hex upper": lambda s: s.encode().hex().upper(),
    "hex colons": lambda s: s.encode().hex(":"),
    "hex with x": lambda s: "".join(f"\\x{ord(c):02x}" for c in s),
    "hex with 0x": lambda s: ", ".join(f"0x{ord(c):02X}" for c in s),
    "hex with 0x, joined": lambda s: "".join(f"0x{ord(c):02x}" for c in s),
    "codes": lambda s: " ".join(str(ord(c)) for c in s),
    "octal": lambda s: "".join(f"\\{ord(c):03o}" for c in s),
    "rot13": lambda s: codecs.encode(s, "rot13"),
    "reversed": lambda s: s[::-1],
    "rot13 reversed": lambda s: codecs.encode(s[::-1], "rot13"),
    "html decimal": lambda s: "".join(f"&#{ord(c)};" for c in s),
    "html hex": lambda s: "".join(f"&#x{ord(c):x};" for c in s),
    "html names": lambda s: html.escape(s).replace("-", "&hyphen;").replace("$", "&dollar;"),
    "html twice": lambda s: "".join(f"&amp;#{ord(c)};" for c in s),
    "unicode": lambda s: "".join(f"\\u{ord(c):04x}" for c in s),
    "unicode in part": lambda s: "".join(f"\\u{ord(c):04x}" if i % 2 else c for i, c in enumerate(s)),
    "unicode braces": lambda s: "".join(f"\\u{{{ord(c):x}}}" for c in s),
    "unicode long": lambda s: "".join(f"\\U{ord(c):08x}" for c in s),
    "json in json": lambda s: "".join(f"\\\\u{ord(c):04x}" for c in s),
    "code points": lambda s: " ".join(f"U+{ord(c):04X}" for c in s),
}
