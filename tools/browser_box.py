"""One life of a boxed Chromium: from start to kill, its debugging pipe, and the thread that watches it.

bubblewrap dies with the thread that started it, which is the watching one; the box is a process namespace whose first
process is killed: nothing of it outlives :meth:`ChromiumBox.close`, nor this process, however that ends.
"""

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import threading
from pathlib import Path

from llmos.tools import browser_launch, sandbox_launch
from llmos.tools.egress import Gate
from llmos.tools.egress_http import Meter
from llmos.tools.egress_proxy import Proxy
from llmos.tools.egress_tls import Certificate
from llmos.tools.sandbox_watch import Limits, Watch

MEMORY = 2 << 30  # of all of Chromium's processes together
PROCESSES = 40
_LIMITS = Limits(memory=MEMORY, processes=PROCESSES, disk=1 << 40, files=1 << 30)
_LOOK = 1.0  # seconds between two looks
_PATIENCE = 5.0


class BrowserOff(RuntimeError):
    """Chromium could not be started, or is gone; one line for the user."""


class ChromiumBox:
    """A running Chromium. ``broken`` says why it was killed. ``read`` and ``write`` are the pipe to it."""

    def __init__(self, path: str, gate: Gate, meter: Meter | None = None) -> None:
        self.broken = self.diagnosis = ""
        self._path = path
        self._folder = sandbox_launch.socket_folder()
        os.chmod(self._folder, 0o700)
        certificate = Certificate()
        self.pin = certificate.pin
        self._out = f"{self._folder}/out"
        os.mkdir(self._out, 0o755)
        self.proxy = Proxy(f"{self._out}/proxy", gate, certificate, meter)
        self._made = threading.Event()
        self._stop = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._first = self._ended = -1
        self.read = self.write = -1
        self._thread = threading.Thread(target=self._live, name="llmos-browser", daemon=True)
        self._thread.start()
        self._made.wait()
        if self.diagnosis:
            self.close()
            raise BrowserOff(f"Chromium did not start: {self.diagnosis}")

    def pid(self) -> int:
        """The first process of the box as the host numbers it; 0 when it is gone."""
        return self._child if self._first >= 0 else 0

    def kill(self, why: str) -> None:
        """End every process of the box."""
        self.broken = self.broken or why
        with contextlib.suppress(OSError):
            if self._first >= 0 or self._ended >= 0:
                signal.pidfd_send_signal(self._first if self._first >= 0 else self._ended, signal.SIGKILL)

    def close(self) -> None:
        """Kill it, wait for the end, remove what it left."""
        self.kill("closed")
        self.proxy.close()
        with contextlib.suppress(OSError):
            os.eventfd_write(self._stop, 1)
        self._thread.join(_PATIENCE)
        for fd in (self._first, self._ended, self._stop, self.read, self.write):
            if fd >= 0:
                with contextlib.suppress(OSError):
                    os.close(fd)
        self._first = self._ended = self._stop = self.read = self.write = -1
        shutil.rmtree(self._folder, ignore_errors=True)

    def _live(self) -> None:
        process = None
        try:
            process, status = self._spawn()
            with os.fdopen(status) as lines:
                line = lines.readline()
            self._child = int(json.loads(line).get("child-pid", 0)) if line.strip() else 0
            if self._child:
                self._first = os.pidfd_open(self._child)
                self._made.set()
                self._watch(self._child)
            else:
                process.wait()
                self.diagnosis = _last_line(process)
        except (OSError, ValueError) as error:
            self.diagnosis = self.diagnosis or str(error)
        finally:
            self.kill("")
            if process is not None:
                process.wait()
                self.broken = self.broken or _last_line(process)
            self._made.set()

    def _spawn(self) -> tuple["subprocess.Popen[bytes]", int]:
        to_read, self.write = os.pipe()
        self.read, to_write = os.pipe()
        filter_read, filter_write = os.pipe()
        os.write(filter_write, browser_launch.filter_for_this_machine())
        os.close(filter_write)
        status_read, status_write = os.pipe()
        inherited = [to_read, to_write, filter_read, status_write]
        try:
            process = subprocess.Popen(
                browser_launch.command(self._path, self.pin, self._out, (to_read, to_write), filter_read, status_write),
                env=sandbox_launch.environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=inherited,
                cwd="/",
            )
        except OSError:
            os.close(status_read)
            raise
        finally:
            for fd in inherited:
                os.close(fd)
        self._ended = os.pidfd_open(process.pid)
        self._drain = threading.Thread(target=_drained, args=(process,), daemon=True)
        self._drain.start()
        return process, status_read

    def _watch(self, child: int) -> None:
        watch = Watch(child, Path(self._folder), _LIMITS)
        poller = select.poll()
        for fd in (self._ended, self._stop):
            poller.register(fd, select.POLLIN)
        while not self.broken:
            if poller.poll(_LOOK * 1000):
                return
            self.broken = watch.violation()


_TAILS: dict[int, bytes] = {}


def _drained(process: "subprocess.Popen[bytes]") -> None:
    """Read what Chromium says on its error stream, so that it never waits; the end of it is kept."""
    assert process.stderr is not None
    with contextlib.suppress(OSError, ValueError):
        while piece := os.read(process.stderr.fileno(), 1 << 16):
            _TAILS[process.pid] = (_TAILS.get(process.pid, b"") + piece)[-4000:]


def _last_line(process: "subprocess.Popen[bytes]") -> str:
    text = _TAILS.pop(process.pid, b"").decode("utf-8", "replace").strip()
    return text.splitlines()[-1][-300:] if text else "it ended while it started"
