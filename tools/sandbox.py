"""A persistent Python that code of a hijacked model may run in: a Jupyter kernel in bubblewrap, without network.

Covered, and attacked on purpose in ``tests/test_sandbox_attacks.py``: the network and every service of the host; files
outside the session's folder; the host's processes and ``/proc``; other users' rights (no capability, no set-id file, no
new namespace, a system-call filter); memory, processes, disk and inodes (limits inside, a watchdog outside); endless
code, ignored interrupts and floods of output; forged or malformed messages; links planted for the host to follow. Every
such end is one line of text and a fresh Python; the host goes on.

Not covered: bugs of the Linux kernel itself; timing and cache side channels; the names (not the contents) of host
folders in ``/proc/self/mountinfo``, and the host's CPU, memory size and load in ``/proc``; kernel memory behind sockets
and pipes beyond what the process and descriptor limits bound (under 1.5 GB); disk held by files that are deleted yet
open, beyond ``Limits.written``; files within the session's folder, which the code may change or delete; and the truth
of what the code prints. There is no fallback: without bubblewrap and user namespaces nothing runs, and
:func:`self_test` says what mends it.
"""

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from llmos.kernel import beneath
from llmos.kernel.beneath import Usage
from llmos.tools import sandbox_launch
from llmos.tools.sandbox_box import Box, SandboxError
from llmos.tools.sandbox_cell import Cell, Figure, clean
from llmos.tools.sandbox_check import self_test
from llmos.tools.sandbox_turn import Turn
from llmos.tools.sandbox_watch import Limits
from llmos.tools.sandbox_wire import Wire

__all__ = ["Execution", "Figure", "Limits", "Sandbox", "SandboxError", "self_test"]


@dataclass(frozen=True, slots=True)
class Execution:
    """What one cell gave. ``value`` is the text of the last expression; ``error`` a short traceback, empty without one.

    ``stopped`` is one line when the cell was ended from outside; ``lost`` then says whether the variables went with it.
    """

    stdout: str = ""
    stderr: str = ""
    value: str = ""
    error: str = ""
    figures: tuple[Figure, ...] = ()
    stopped: str = ""
    lost: bool = False
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether the cell ran to its end without an error."""
        return not (self.error or self.stopped)


class Sandbox:
    """A Python whose variables last from cell to cell, in ``workspace``. One cell at a time; safe to call from
    threads."""

    def __init__(self, workspace: Path, limits: Limits | None = None) -> None:
        self.workspace = Path(workspace)
        self.limits = limits or Limits()
        self._lock = threading.RLock()
        self._plan: sandbox_launch.Plan | None = None
        self._base = Usage()
        self._box: Box | None = None
        self._wire: Wire | None = None
        self._greeted = False
        self._interrupted = threading.Event()
        self._closing = threading.Event()

    def start(self) -> None:
        """Start the box unless it runs: some 30 ms, while its Python gets ready on its own. Raises
        :class:`SandboxError`.

        The first cell waits for what is not ready yet, so call this early, such as while a model loads.
        """
        with self._lock:
            if self._box is not None and self._box.alive():
                return
            self._drop()
            if sys.platform != "linux":
                raise SandboxError(self_test())
            try:
                if self._plan is None:
                    self._base = beneath.usage(self.workspace)
                    self._plan = sandbox_launch.plan(self.workspace)
                self._adopt()
                self._box = Box(self._plan, self.limits, self._base)
                self._wire = Wire(self._box.sockets, self._box.key.encode())
                self._wire.watch(self._box.ended)
            except (OSError, ValueError) as error:
                self._drop()
                raise SandboxError(f"the sandbox did not start: {error}") from error

    def execute(
        self,
        code: str,
        timeout: float = 30.0,
        progress: Callable[[str], None] | None = None,
        *,
        cancelled: threading.Event | None = None,
        quiet: bool = False,
    ) -> Execution:
        """Run a cell for at most ``timeout`` seconds, then interrupt it, then kill it.

        ``progress`` gets what is printed as it comes; ``cancelled`` stops the cell when set; ``quiet`` leaves figures
        out.
        Raises :class:`SandboxError` only when no box can be had.
        """
        with self._lock:
            if not self._closing.is_set():
                self._interrupted.clear()
            box, wire = self._ready()
            since, began = time.time(), time.monotonic()
            cell = Cell(self.limits, progress)
            box.busy(True)
            try:
                stopped = Turn(box, wire, cell, self.limits, self._interrupted, cancelled).run(code, timeout, quiet)
            finally:
                if box.alive():
                    box.busy(False)
                    lost = False
                else:
                    stopped += self._recover(since)
                    lost = True
            return _execution(cell, stopped, lost, time.monotonic() - began)

    def interrupt(self) -> None:
        """Stop the running cell as Ctrl-C would; it is killed if it does not heed. From any thread; without one:
        nothing."""
        self._interrupted.set()
        wire = self._wire
        if wire is not None:
            wire.wake()

    def restore(self, codes: Sequence[str], timeout: float = 60.0) -> int:
        """Run earlier cells again without their figures, to have their variables back; the number that failed."""
        until = time.monotonic() + timeout
        failed = 0
        with self._lock:  # all of it: close() interrupts, and must find no next cell
            for code in codes:
                left = until - time.monotonic()
                if self._closing.is_set():
                    break
                failed += left <= 0 or not self.execute(code, left, quiet=True).ok
        return failed

    def close(self) -> None:
        """End the box and all in it, a running cell too. The workspace stays, readable and removable by its owner."""
        self._closing.set()
        self.interrupt()
        with self._lock:
            self._closing.clear()
            self._drop()
            with contextlib.suppress(OSError):  # walking it opens the folders that code in the box closed
                beneath.usage(self.workspace)

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        box = getattr(self, "_box", None)
        if box is not None:
            with contextlib.suppress(Exception):  # half of Python may be gone by now
                box.kill("forgotten")

    def _ready(self) -> tuple[Box, Wire]:
        """The box and its wire, its Python listening and outputs subscribed to."""
        self.start()
        box, wire = self._box, self._wire
        assert box is not None
        assert wire is not None
        until = time.monotonic() + self.limits.start
        while not self._greeted:
            message = wire.next(until)
            self._greeted = message is not None and message.kind == "iopub_welcome"
            if not box.alive() or (not self._greeted and time.monotonic() > until):
                self._drop()
                raise SandboxError(f"Python did not start in the sandbox: {box.diagnosis or box.broken or 'too slow'}")
        self._adopt()
        return box, wire

    def _recover(self, since: float) -> str:
        """After a kill: make room if that was why, and start the next box while nobody waits; what was removed."""
        removed = 0
        try:
            self._drop()
            removed = self._make_room(since)
            self.start()
        except (OSError, SandboxError):
            self._drop()  # the next cell tries again, and tells
        return f"; {removed} file{'s' * (removed != 1)} that it wrote went with it" if removed else ""

    def _make_room(self, since: float) -> int:
        """Remove what the last cell wrote, where it filled the workspace; a new box would be ended at once
        otherwise. The number of files removed."""
        most = self.limits.room(self._base)
        try:
            held = beneath.usage(self.workspace)
        except beneath.TooDeep:
            beneath.cut(self.workspace)
            held = beneath.usage(self.workspace)
        if held.size > most.size or held.files > most.files:
            return beneath.prune(self.workspace, since, self.limits.room(self._base, 2))
        return 0

    def _adopt(self) -> None:
        """As root the box runs as nobody: what lies in the workspace must be its own to be readable there."""
        if not os.getuid():
            beneath.give(self.workspace, sandbox_launch.NOBODY, sandbox_launch.NOBODY)

    def _drop(self) -> None:
        box, wire = self._box, self._wire
        self._box = self._wire = None
        self._greeted = False
        if wire is not None:
            wire.close()
        if box is not None:
            box.close()


def _execution(cell: Cell, stopped: str, lost: bool, seconds: float) -> Execution:
    return Execution(
        clean("".join(cell.stdout)),
        clean("".join(cell.stderr)),
        clean(cell.value),
        clean(cell.error),
        tuple(cell.figures),
        stopped,
        lost,
        seconds,
    )
