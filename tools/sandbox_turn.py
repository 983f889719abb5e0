"""One cell's turn in a box: sent, gathered, and stopped when its time is up or somebody asks for it.

An interrupt first, as Ctrl-C would; a box that does not heed it is killed.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from llmos.tools.sandbox_box import Box
from llmos.tools.sandbox_cell import Cell
from llmos.tools.sandbox_watch import Limits
from llmos.tools.sandbox_wire import Wire

_AFTERWARDS = 3.0  # seconds that the last outputs may come after the reply
_AGAIN = 0.25  # seconds between two interrupts: one that comes between cells is lost
_CANCEL = 0.1  # seconds between two looks at a flag that cannot wake us


@dataclass(slots=True)
class Turn:
    """A cell, its box, and who may ask it to stop: ``asked`` (which wakes the wire) and ``cancelled`` (does not)."""

    box: Box
    wire: Wire
    cell: Cell
    limits: Limits
    asked: threading.Event
    cancelled: threading.Event | None = None
    request: str = ""

    def run(self, code: str, timeout: float, quiet: bool) -> str:
        """Run the cell to its end; why it was stopped from outside, or an empty string."""
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False, "stop_on_error": True}
        try:
            self.request = self.wire.send("shell", "execute_request", content, {"llmos": {"quiet": quiet}})
            return self._finish(timeout)
        except OSError as error:
            self.box.kill(f"broke its connection ({error})")
            return self.box.broken

    def _finish(self, timeout: float) -> str:
        try:
            why = self._gather(time.monotonic() + timeout, self._stop_asked)
        except BaseException:
            self._halt("was interrupted")
            raise
        if why and self.box.alive():
            self._halt(why)
        return self.box.broken or why

    def _gather(self, deadline: float, stop: Callable[[], bool]) -> str:
        """Take messages until the cell is done (empty string), or say why it must be stopped or was ended."""
        box, cell = self.box, self.cell
        while True:
            now = time.monotonic()
            if cell.flooded:
                box.kill(cell.flooded)
            if cell.done(_AFTERWARDS):
                if cell.idle and box.alive():
                    return ""
                box.kill("broke its connection")  # or its outputs would be lost from here on, unnoticed
            if not box.alive():
                return box.broken or "ended Python"
            if stop():
                return "was interrupted"
            if now >= deadline:
                return "ran into the time limit"
            until = min(deadline, cell.replied + _AFTERWARDS) if cell.replied else deadline
            message = self.wire.next(until if self.cancelled is None else min(until, now + _CANCEL))
            if message is not None and message.parent == self.request:
                cell.add(message)

    def _halt(self, why: str) -> None:
        """Interrupt the cell until it ends; kill the box when the grace is over."""
        until = time.monotonic() + self.limits.grace
        while time.monotonic() < until:
            self.wire.send("control", "interrupt_request", {})
            again = min(until, time.monotonic() + _AGAIN)
            if not self._gather(again, lambda: False) or not self.box.alive():
                return
        self.box.kill(f"{why} and ignored the interrupt")

    def _stop_asked(self) -> bool:
        return self.asked.is_set() or (self.cancelled is not None and self.cancelled.is_set())
