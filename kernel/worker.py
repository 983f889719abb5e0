"""Runs a session's tools in one thread of their own, so that what they tell is shown while they run and none can hang
the session. One thread, since some libraries (Playwright's) may be used only where they were started.
"""

import threading
import time
from collections.abc import Callable, Generator
from queue import Empty, SimpleQueue

from llmos.kernel.tool import ToolContext
from llmos.kernel.types import ToolResult

GRACE = 15.0  # seconds past its limit in which a tool may clean up: a sandbox is ended and started anew
PATIENCE = 5.0  # seconds that a tool has to heed a cancellation

Job = Callable[[Callable[[str], None]], ToolResult]
_News = SimpleQueue[str | ToolResult | BaseException]


class ToolThread:
    """A thread that starts with the first job; one that is stuck is left behind and replaced."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[tuple[Job, _News] | None] | None = None

    def watch(self, job: Job, context: ToolContext) -> Generator[str, None, ToolResult | None]:
        """Run ``job``: yields what it tells, returns its result, or None when it outstays its limit by :data:`GRACE`.

        Closing the generator, or Ctrl-C, cancels the job and waits a little for it.
        """
        news: _News = SimpleQueue()
        if self._jobs is None:
            self._jobs = SimpleQueue()
            threading.Thread(target=_work, args=(self._jobs,), name="llmos-tools", daemon=True).start()
        self._jobs.put((job, news))
        ended = False
        end = time.monotonic() + context.timeout + GRACE
        try:
            while True:
                try:
                    told = news.get(timeout=max(end - time.monotonic(), 0.0))
                except Empty:
                    return None
                if isinstance(told, str):
                    yield told
                    continue
                ended = True
                if isinstance(told, BaseException):
                    raise told
                return told
        finally:
            if not ended:
                context.cancelled.set()
                if not _ends(news):
                    self.close()

    def close(self) -> None:
        """Let the thread end after what it does; the next job gets a new one."""
        if self._jobs is not None:
            self._jobs.put(None)
            self._jobs = None


def _work(jobs: "SimpleQueue[tuple[Job, _News] | None]") -> None:
    while (item := jobs.get()) is not None:
        job, news = item
        try:
            news.put(job(news.put))
        except BaseException as error:  # shown to whoever waits
            news.put(error)


def _ends(news: _News) -> bool:
    """Whether a cancelled job ends soon."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            if not isinstance(news.get(timeout=max(until - time.monotonic(), 0.0)), str):
                return True
        except Empty:
            return False
