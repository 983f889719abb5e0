"""Chromium's debugging protocol over a pipe: calls with answers, and events to whoever listens.

No port, no address: only this process holds the pipe, and Chromium ends when it closes. One thread reads; listeners are
called on it and must not wait for answers. What Chromium says is untrusted: odd messages are dropped.
"""

import contextlib
import json
import os
import threading
from collections.abc import Callable, Mapping
from typing import Any

from llmos.tools.browser_box import BrowserOff

PATIENCE = 60.0  # seconds for an answer to a call that is no navigation
_MOST = 256 << 20  # bytes of one message

Listen = Callable[[str, Mapping[str, Any], str], None]
Then = Callable[[Mapping[str, Any]], None]


class PageError(Exception):
    """Chromium refused a call; its own words."""


class Pipe:
    """The two ends of a Chromium's pipe. ``listen`` gets each event: its name, what it says, the session's id."""

    def __init__(self, read: int, write: int, listen: Listen) -> None:
        self._read, self._write, self._listen = read, write, listen
        self._lock = threading.Lock()
        self._next = 0
        self._waiting: dict[int, Then] = {}
        self.ended = threading.Event()
        threading.Thread(target=self._run, name="llmos-browser-pipe", daemon=True).start()

    def post(
        self, method: str, params: Mapping[str, Any] | None = None, session: str = "", then: Then | None = None
    ) -> None:
        """Send a call and go on; ``then`` gets the whole answer. Raises BrowserOff where Chromium is gone."""
        with self._lock:
            self._next += 1
            number = self._next
            if then is not None:
                self._waiting[number] = then
            message: dict[str, Any] = {"id": number, "method": method, "params": params or {}}
            if session:
                message["sessionId"] = session
            data = json.dumps(message).encode() + b"\0"
            try:
                while data:
                    data = data[os.write(self._write, data) :]
            except OSError as error:
                raise BrowserOff(f"Chromium is gone ({error.strerror})") from error

    def call(
        self, method: str, params: Mapping[str, Any] | None = None, session: str = "", timeout: float = PATIENCE
    ) -> dict[str, Any]:
        """Send a call and wait for its result. Raises PageError, BrowserOff, TimeoutError."""
        done = threading.Event()
        held: list[Mapping[str, Any]] = []

        def keep(answer: Mapping[str, Any]) -> None:
            held.append(answer)
            done.set()

        self.post(method, params, session, keep)
        if not done.wait(timeout):
            raise TimeoutError(f"Chromium did not answer {method} within {timeout:.0f} s")
        error = held[0].get("error")
        if error is not None:
            raise PageError(str(error.get("message", error) if isinstance(error, dict) else error)[:300])
        result = held[0].get("result")
        return result if isinstance(result, dict) else {}

    def _run(self) -> None:
        held = bytearray()
        try:
            while piece := os.read(self._read, 1 << 20):
                held += piece
                while (cut := held.find(b"\0")) >= 0:
                    line = bytes(held[:cut])
                    del held[: cut + 1]
                    self._take(line)
                if len(held) > _MOST:
                    break
        except OSError:
            pass
        self.ended.set()
        with self._lock:
            waiting, self._waiting = list(self._waiting.values()), {}
        for then in waiting:
            then({"error": {"message": "Chromium is gone"}})

    def _take(self, line: bytes) -> None:
        try:
            message = json.loads(line)
        except ValueError:
            return
        if not isinstance(message, dict):
            return
        if "id" in message:
            then = self._waiting.pop(message["id"], None)
            if then is not None:
                then(message)
            return
        params = message.get("params")
        with contextlib.suppress(KeyError, TypeError, ValueError, BrowserOff):  # an event that is not what it should be
            self._listen(
                str(message.get("method", "")),
                params if isinstance(params, dict) else {},
                str(message.get("sessionId", "")),
            )
