"""The numbers by which a session's answers cite: pages and passages draw from one count.

They go on through a session and none is given twice, so that ``[3]`` of an earlier turn is not something else in this
one.
"""

from collections.abc import Iterable
from itertools import count

from llmos.kernel.types import Event, Result


class Marks:
    """The next free number of a session."""

    def __init__(self, first: int = 1) -> None:
        self._next = count(first)

    @classmethod
    def after(cls, events: Iterable[Event]) -> "Marks":
        """The numbers that nothing in a log has."""
        given = (r.number for e in events if isinstance(e, Result) for r in e.result.readings)
        return cls(max(given, default=0) + 1)

    def take(self) -> int:
        """A number nobody had."""
        return next(self._next)
