"""What one cell printed, showed and returned, gathered from messages that may be forged: every value is checked.

A figure is bytes that claim to be a PNG, and a record of what is plotted; both are bounded, and the PNG's structure is
verified chunk by chunk before anybody decodes it.
"""

import base64
import binascii
import json
import re
import struct
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from llmos.tools.sandbox_watch import Limits
from llmos.tools.sandbox_wire import Message

FIGURE_MIME = "application/vnd.llmos.figure+json"
_PNG = b"\x89PNG\r\n\x1a\n"
_MAX_PNG, _MAX_SIDE, _MAX_RECORD = 5 << 20, 10_000, 1 << 20  # bytes, pixels, characters
_CONTROL = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|.)?|[\x00-\x08\x0b-\x1f\x7f-\x9f]", re.S
)


@dataclass(frozen=True, slots=True)
class Figure:
    """A plot: ``png`` bytes (verified structure), its ``title``, and ``data``, the JSON record of what it shows."""

    png: bytes = field(repr=False)
    title: str = ""
    data: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(slots=True)
class Cell:
    """Gathers one cell's messages. ``flooded`` says why no more is taken; ``reply`` is None until the kernel
    replied."""

    limits: Limits
    progress: Callable[[str], None] | None = None
    stdout: list[str] = field(default_factory=list)
    stderr: list[str] = field(default_factory=list)
    value: str = ""
    error: str = ""
    figures: list[Figure] = field(default_factory=list)
    idle: bool = False
    replied: float = 0.0  # time.monotonic() of the reply
    flooded: str = ""
    _taken: int = 0

    def add(self, message: Message) -> None:
        """Take one message that answers this cell's request; a malformed one changes nothing."""
        handler = {
            "stream": self._stream,
            "execute_result": self._result,
            "display_data": self._display,
            "error": self._error,
            "status": self._status,
            "execute_reply": self._reply,
        }.get(message.kind)
        if handler is not None:
            handler(message.content)

    def done(self, patience: float) -> bool:
        """Whether all is in: the reply, and then the idle mark or ``patience`` seconds without it."""
        return bool(self.replied) and (self.idle or time.monotonic() > self.replied + patience)

    def _take(self, text: object) -> str:
        """Text, if it is text and there is room for it."""
        if not isinstance(text, str):
            return ""
        self._taken += len(text)
        if self._taken > 4 * self.limits.output:
            self.flooded = "sent more output than it may"
            return ""
        return text

    def _stream(self, content: dict[str, Any]) -> None:
        text = self._take(content.get("text"))
        if text:
            (self.stderr if content.get("name") == "stderr" else self.stdout).append(text)
            if self.progress is not None:
                self.progress(clean(text))

    def _result(self, content: dict[str, Any]) -> None:
        if not self._figure(content):
            self.value = self._take(_data(content).get("text/plain"))

    def _display(self, content: dict[str, Any]) -> None:
        if not self._figure(content):
            text = self._take(_data(content).get("text/plain"))
            if text:
                self.stdout.append(text + "\n")

    def _error(self, content: dict[str, Any]) -> None:
        lines = content.get("traceback")
        if isinstance(lines, list):
            self.error = "\n".join(self._take(line) for line in lines[:200]).strip()
        self.error = self.error or f"{self._take(content.get('ename'))}: {self._take(content.get('evalue'))}"

    def _status(self, content: dict[str, Any]) -> None:
        self.idle = self.idle or content.get("execution_state") == "idle"

    def _reply(self, content: dict[str, Any]) -> None:
        self.replied = self.replied or time.monotonic()
        if content.get("status") == "error" and not self.error:
            self._error(content)

    def _figure(self, content: dict[str, Any]) -> bool:
        """Take a figure, if the message carries one; True when it does, valid or not."""
        data = _data(content)
        if "image/png" not in data:
            return False
        png, record = _png(data["image/png"]), data.get(FIGURE_MIME)
        if png and len(self.figures) < self.limits.figures:
            record = record if isinstance(record, dict) and _length(record) <= _MAX_RECORD else {}
            title = record.get("title")
            self.figures.append(Figure(png, clean(title)[:200] if isinstance(title, str) else "", record))
        return True


def clean(text: str) -> str:
    """Text without control characters and escape sequences; of a line rewritten by ``\\r`` only the last state
    stays."""
    lines = (line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    return _CONTROL.sub("", "\n".join(lines))


def check_png(data: bytes) -> bool:
    """Whether the bytes are one whole PNG of bounded size: signature, chunks with right checksums, nothing after."""
    if not data.startswith(_PNG) or len(data) > _MAX_PNG:
        return False
    at, kinds = len(_PNG), []
    while at + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data) or struct.unpack_from(">I", data, end - 4)[0] != zlib.crc32(data[at + 4 : end - 4]):
            return False
        if kind == b"IHDR" and (length != 13 or not _sides(data[at + 8 : at + 16])):
            return False
        kinds.append(kind)
        at = end
    return at == len(data) and kinds[:1] == [b"IHDR"] and kinds[-1:] == [b"IEND"] and kinds.count(b"IHDR") == 1


def _sides(data: bytes) -> bool:
    width, height = struct.unpack(">II", data)
    return bool(0 < width <= _MAX_SIDE and 0 < height <= _MAX_SIDE)


def _png(text: object) -> bytes:
    if not isinstance(text, str) or len(text) > 2 * _MAX_PNG:
        return b""
    try:
        data = base64.b64decode(text, validate=False)
    except (binascii.Error, ValueError):
        return b""
    return data if check_png(data) else b""


def _data(content: dict[str, Any]) -> dict[str, Any]:
    data = content.get("data")
    return data if isinstance(data, dict) else {}


def _length(record: dict[str, Any]) -> int:
    return len(json.dumps(record))
