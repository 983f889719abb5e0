"""Giving up on a slow exact method in time for a numeric one. For the worker's main thread only.

Counts CPU time, so that a busy machine changes how soon an answer comes but not which. Uses a timer of POSIX;
where there is none the method simply runs on, and the parent's clock decides.
"""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

_end = [float("inf")]


class TooSlow(BaseException):
    """Not an Exception, so that sympy's own broad catches let it through."""


def start(seconds: float) -> None:
    """A question has come in that must be answered within ``seconds``."""
    _end[0] = time.process_time() + seconds


@contextmanager
def at_most(share: float) -> Iterator[None]:
    """Raise TooSlow inside the block once it has used ``share`` of the time that is left. Blocks do not nest."""

    def stop(signum: int, frame: object) -> None:
        raise TooSlow

    left = (_end[0] - time.process_time()) * share
    if left == float("inf") or not hasattr(signal, "setitimer"):
        yield
        return
    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, max(left, 0.001))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
