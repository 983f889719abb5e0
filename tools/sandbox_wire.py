"""The host's end of a boxed Jupyter kernel: the messaging protocol over Unix sockets, with every message distrusted.

Code in the box can forge any message (it can read the key, it can write to the sockets). So nothing here depends on
what a message says: sizes are bounded, shapes are checked, anything odd is counted and skipped, a socket that broke is
not connected again. The worst that a forged message does is to lie about the output of its own cell.
"""

import hashlib
import hmac
import json
import os
import threading
import time
import uuid
from dataclasses import dataclass
from typing import Any

MAX_MESSAGE = 8 << 20  # bytes; a longer one breaks the connection, and so ends the box
_DELIMITER = b"<IDS|MSG>"


@dataclass(frozen=True, slots=True)
class Message:
    """A well-formed message: its kind (``stream``, ``status``, ``execute_reply``, …), the request it answers,
    content."""

    kind: str
    parent: str
    content: dict[str, Any]


class Wire:
    """Sockets to one kernel. Not thread-safe: its owner holds a lock; only :meth:`wake` may be called from anywhere."""

    def __init__(self, paths: dict[str, str], key: bytes) -> None:
        """``paths``: socket files of ``shell``, ``control`` and ``iopub``, already listening."""
        import zmq as zeromq

        zmq: Any = zeromq
        self._zmq = zmq
        self._key = key
        self._session = uuid.uuid4().hex
        # The process' own context, never ended: ending one waits for sockets, and a forgotten one would wait for ever.
        self._context: Any = zmq.Context.instance()
        self._waker = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.malformed = 0
        kinds = {"shell": zmq.DEALER, "control": zmq.DEALER, "iopub": zmq.SUB}
        self._sockets = {name: self._connect(kinds[name], path) for name, path in paths.items()}
        self._poller = zmq.Poller()
        for fd in (self._sockets["shell"], self._sockets["iopub"], self._waker):
            self._poller.register(fd, zmq.POLLIN)
        self._waking = threading.Lock()

    def _connect(self, kind: int, path: str) -> Any:
        zmq = self._zmq
        socket = self._context.socket(kind)
        socket.linger = 0
        # Once broken, for ever broken: the box could have put something else behind the name.
        socket.setsockopt(zmq.RECONNECT_IVL, -1)
        socket.setsockopt(zmq.HANDSHAKE_IVL, 0)
        socket.setsockopt(zmq.MAXMSGSIZE, MAX_MESSAGE)
        socket.setsockopt(zmq.SNDTIMEO, 1000)
        socket.setsockopt(zmq.RCVHWM, 64)
        if kind == zmq.SUB:
            socket.subscribe(b"")
        socket.connect(f"ipc://{path}")
        return socket

    def send(self, channel: str, kind: str, content: dict[str, Any], metadata: dict[str, Any] | None = None) -> str:
        """Send a request; its id comes back. Raises ``OSError`` when the kernel does not take it within a second."""
        identity = uuid.uuid4().hex
        header = {
            "msg_id": identity,
            "msg_type": kind,
            "session": self._session,
            "username": "llmos",
            "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "version": "5.3",
        }
        frames = [json.dumps(part).encode() for part in (header, {}, metadata or {}, content)]
        try:
            self._sockets[channel].send_multipart([_DELIMITER, self._sign(frames), *frames])
        except self._zmq.ZMQError as error:
            raise OSError(f"the kernel takes no more messages ({error})") from error
        return identity

    def watch(self, fd: int) -> None:
        """Let :meth:`next` return when this descriptor is readable."""
        self._poller.register(fd, self._zmq.POLLIN)

    def next(self, deadline: float) -> Message | None:
        """The next message, outputs before replies; ``None`` at the deadline (``time.monotonic()``), when woken, when a
        watched descriptor is ready, or for a malformed one."""
        left = max(0.0, deadline - time.monotonic())
        ready = dict(self._poller.poll(left * 1000))
        if self._waker in ready:
            os.eventfd_read(self._waker)
        for name in ("iopub", "shell"):
            if self._sockets[name] in ready:
                return self._read(self._sockets[name])
        return None

    def _read(self, socket: Any) -> Message | None:
        try:
            frames = socket.recv_multipart(self._zmq.NOBLOCK)
        except self._zmq.ZMQError:
            return None
        message = self._parse(frames)
        self.malformed += message is None
        return message

    def _parse(self, frames: list[bytes]) -> Message | None:
        try:
            start = frames.index(_DELIMITER)
            signature, *parts = frames[start + 1 : start + 6]
            if len(parts) != 4 or not hmac.compare_digest(signature, self._sign(parts)):
                return None
            header, parent, _, content = (json.loads(part) for part in parts)
            kind, answers = header["msg_type"], parent.get("msg_id", "")
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
            return None
        if not (isinstance(kind, str) and isinstance(answers, str) and isinstance(content, dict)):
            return None
        return Message(kind, answers, content)

    def _sign(self, frames: list[bytes]) -> bytes:
        return hmac.new(self._key, b"".join(frames), hashlib.sha256).hexdigest().encode()

    def wake(self) -> None:
        """Make a waiting :meth:`next` return ``None``; from any thread, at any time."""
        with self._waking:
            if self._waker >= 0:
                os.eventfd_write(self._waker, 1)

    def close(self) -> None:
        """Close the sockets at once; unsent messages are dropped."""
        for socket in self._sockets.values():
            socket.close()
        with self._waking:
            os.close(self._waker)
            self._waker = -1
