"""One life of a box: its processes from start to kill, and the thread that watches them.

The watching thread also starts the process: bubblewrap dies with the *thread* that started it, so whatever ends the
watch ends the box. Nothing survives :meth:`Box.kill`: the box is a process namespace, and its first process is killed.
"""

import contextlib
import json
import math
import os
import platform
import secrets
import select
import shutil
import signal
import socket
import subprocess
import threading
import time

from llmos.kernel.beneath import Usage
from llmos.tools import sandbox_launch, seccomp
from llmos.tools.sandbox_watch import Limits, Watch

_CHANNELS = ("shell", "control", "iopub")
_BUSY, _IDLE = 0.05, 0.5  # seconds between two looks
_PATIENCE = 5.0  # seconds for a killed box to be gone


class SandboxError(RuntimeError):
    """No box could be started, or it broke; the text is one line for the user, with the mend where there is one."""


class Box:
    """A running sandbox process. ``broken`` says why it was killed, empty while it lives or when it ended by itself."""

    def __init__(self, plan: sandbox_launch.Plan, limits: Limits, base: Usage) -> None:
        """Start it; returns when bubblewrap has made the box, long before Python in it is ready.

        ``base`` is what the workspace held at first: limits of disk and files come on top of it.
        """
        self.key = secrets.token_hex(16)
        self.broken = ""
        self.diagnosis = ""
        self._plan, self._limits, self._base = plan, limits, base
        self._folder = sandbox_launch.socket_folder()
        self.sockets = {name: f"{self._folder}/{name}" for name in _CHANNELS}
        self._made, self._cells = threading.Event(), threading.Event()
        self._signal = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._first = -1  # pidfd of the first process in the box
        self.ended = -1  # pidfd of bubblewrap, readable once all is over
        self._thread = threading.Thread(target=self._live, name="llmos-sandbox", daemon=True)
        self._thread.start()
        self._made.wait()
        if self.diagnosis:
            self.kill("")
            raise SandboxError(self.diagnosis)

    def busy(self, running: bool) -> None:
        """Tell the watch whether a cell runs: it looks more often then, and counts no idle CPU time."""
        (self._cells.set if running else self._cells.clear)()
        os.eventfd_write(self._signal, 1)

    def alive(self) -> bool:
        """Whether the box still runs."""
        return not self.broken and not _readable(self.ended)

    def kill(self, why: str) -> None:
        """End every process of the box; ``why`` is kept in ``broken`` unless something is there already."""
        self.broken = self.broken or why
        # Only the first process: the rest ends with it, and bubblewrap, its parent, takes it off the process table.
        with contextlib.suppress(OSError):
            if self._first >= 0 or self.ended >= 0:
                signal.pidfd_send_signal(self._first if self._first >= 0 else self.ended, signal.SIGKILL)

    def close(self) -> None:
        """Kill it, wait for the end, remove what it left outside its workspace."""
        self.kill("closed")
        with contextlib.suppress(OSError):
            os.eventfd_write(self._signal, 1)
        self._thread.join(_PATIENCE)
        if self._thread.is_alive():
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(self.ended, signal.SIGKILL)
            self._thread.join(_PATIENCE)
        for fd in (self._first, self.ended, self._signal):
            if fd >= 0:
                os.close(fd)
        self._first = self.ended = self._signal = -1
        shutil.rmtree(self._folder, ignore_errors=True)

    def _live(self) -> None:
        process = None
        try:
            process, status = self._spawn()
            child = self._first_process(process, status)
            self._made.set()
            if child:
                self._watch(child)
        except (OSError, ValueError) as error:
            self.diagnosis = self.diagnosis or f"the sandbox did not start: {error}"
        finally:
            self.kill("")
            if process is not None:
                process.wait()
                self.diagnosis = self.diagnosis or self.broken or _last_line(process)
            self._made.set()

    def _spawn(self) -> tuple["subprocess.Popen[bytes]", int]:
        listeners = [self._listen(path) for path in self.sockets.values()]
        filter_read, filter_write = os.pipe()
        os.write(filter_write, seccomp.program(platform.machine()))
        os.close(filter_write)
        status_read, status_write = os.pipe()
        main = f"{sandbox_launch.INSIDE}/llmos/tools/sandbox_main.py"
        run = [self._plan.python, "-I", "-S", "-B", main]
        inherited = [filter_read, status_write, *(listener.fileno() for listener in listeners)]
        try:
            process = subprocess.Popen(
                sandbox_launch.command(self._plan, run, filter_read, status_write),
                env=sandbox_launch.environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=inherited,
                cwd="/",
            )
        except OSError:
            os.close(status_read)
            raise
        finally:
            for listener in listeners:
                listener.close()
            os.close(filter_read)
            os.close(status_write)
        self.ended = os.pidfd_open(process.pid)
        assert process.stdin is not None
        with contextlib.suppress(OSError):
            process.stdin.write(self._configuration(inherited[2:]))
            process.stdin.close()
        return process, status_read

    def _listen(self, path: str) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(path)
        listener.listen(8)
        return listener

    def _configuration(self, sockets: list[int]) -> bytes:
        names = ("file", "tasks", "address_space", "cpu")
        limits = {name: getattr(self._limits, name) for name in names}
        shape = {"path": self._plan.path, "sockets": sockets, "key": self.key, "limits": limits}
        return json.dumps({**shape, "output": self._limits.output, "figures": self._limits.figures}).encode()

    def _first_process(self, process: "subprocess.Popen[bytes]", status: int) -> int:
        """The pid of the box's first process, or 0 after a failure, whose text is then in ``diagnosis``."""
        with os.fdopen(status) as lines:
            line = lines.readline()
        child = json.loads(line).get("child-pid", 0) if line.strip() else 0
        if child:
            self._first = os.pidfd_open(child)
        else:
            process.wait()
            self.diagnosis = _last_line(process)
        return int(child)

    def _watch(self, child: int) -> None:
        watch = Watch(child, self._plan.workspace, self._limits, self._base)
        idle_since = math.inf  # no cell ran yet: what is computed now is the box's own start
        poller = select.poll()
        for fd in (self.ended, self._signal):
            poller.register(fd, select.POLLIN)
        while not self.broken:
            began = time.monotonic()
            self.broken = watch.violation()
            if self._cells.is_set():
                idle_since = -1.0
            elif idle_since < 0:
                idle_since = watch.cpu()
            elif watch.cpu() - idle_since > self._limits.idle_cpu:
                self.broken = f"computed for {self._limits.idle_cpu:.0f} s after its cell had ended"
            pause = max(_BUSY if self._cells.is_set() else _IDLE, 4 * (time.monotonic() - began))
            ready = dict(poller.poll(0 if self.broken else pause * 1000))
            if self.ended in ready:
                return
            if self._signal in ready:
                os.eventfd_read(self._signal)


def _readable(fd: int) -> bool:
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    return bool(poller.poll(0))


def _last_line(process: "subprocess.Popen[bytes]") -> str:
    assert process.stderr is not None
    os.set_blocking(process.stderr.fileno(), False)
    text = (process.stderr.read() or b"")[-4000:].decode("utf-8", "replace").strip()
    return text.splitlines()[-1] if text else "the sandbox ended while it started"
