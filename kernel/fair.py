"""Turns at something that only one may use at a time, shared fairly among sessions, whatever one of them asks for.

Who asks is known by a name (a session, a user: :func:`speaking`), and the name that has had least goes next. So ten
branches of one session have together what the only one of another has. Knows nothing of models but that
:class:`Sharing` is one.
"""

import heapq
import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from llmos.kernel.engine import Delta, Model, Sampling
from llmos.kernel.tool import Tool
from llmos.kernel.types import Message

T = TypeVar("T")

_local = threading.local()


@contextmanager
def speaking(name: Hashable) -> Iterator[None]:
    """Within, this thread's turns are ``name``'s. A generator must not yield within it."""
    before = getattr(_local, "name", None)
    _local.name = name
    try:
        yield
    finally:
        _local.name = before


def speaker() -> Hashable:
    """The name that this thread's turns are for; without one every thread is a name of its own."""
    name = getattr(_local, "name", None)
    return ("thread", threading.get_ident()) if name is None else name


class Shares:
    """Who is next of those that want something, when each turn has its cost (start-time fair queueing).

    Every name has as much as any other, however many of its own ask; one that comes late is not made to wait for what
    others had before, and one that was away saves nothing up.
    """

    def __init__(self) -> None:
        self._now = 0.0  # virtual time: the start of the turn given last
        self._had: dict[Hashable, float] = {}  # where it ends for names that are ahead of it

    def pick(
        self, asking: Iterable[T], name: Callable[[T], Hashable], cost: Callable[[T], float], most: int
    ) -> list[T]:
        """At most ``most`` of ``asking``, the most deserving first, within a name as given. They are charged."""
        queues: dict[Hashable, deque[T]] = {}
        for one in asking:
            queues.setdefault(name(one), deque()).append(one)
        picked: list[T] = []
        # The first to ask goes first among those that have had as much.
        waiting = [(self._start(who), n, who) for n, who in enumerate(queues)]
        heapq.heapify(waiting)
        while waiting and len(picked) < most:
            self._now, n, following = waiting[0]
            one = queues[following].popleft()
            self._had[following] = self._now + max(cost(one), 0.0)
            picked.append(one)
            if queues[following]:
                heapq.heapreplace(waiting, (self._had[following], n, following))
            else:
                heapq.heappop(waiting)
        if not waiting:
            # Nobody else wants anything: a new count begins for all.
            self._now = max(self._had.values(), default=self._now)
        # Nobody is remembered longer than it matters, so that this does not grow with the names there ever were.
        self._had = {name: had for name, had in self._had.items() if had > self._now}
        return picked

    def _start(self, name: Hashable) -> float:
        """The virtual time at which a name's next turn begins: now, or when those it has had end."""
        return max(self._now, self._had.get(name, 0.0))


class Sharing:
    """A Model as one session sees it: whatever it does, it does in that session's name."""

    def __init__(self, model: Model, name: Hashable) -> None:
        self._model, self._who = model, name

    @property
    def name(self) -> str:
        """The model's."""
        return self._model.name

    @property
    def context_length(self) -> int:
        """The model's, in tokens."""
        return self._model.context_length

    def count(self, messages: Sequence[Message], tools: Sequence[Tool]) -> int:
        """The model's count of tokens."""
        return self._model.count(messages, tools)

    def reply(
        self,
        messages: Sequence[Message],
        tools: Sequence[Tool],
        sampling: Sampling = Sampling(),  # noqa: B008
        n: int = 1,
    ) -> Iterator[Delta]:
        """The model's reply; raises what it raises. Each step is taken in the session's name."""
        with speaking(self._who):
            deltas = iter(self._model.reply(messages, tools, sampling, n))
        try:
            while True:
                with speaking(self._who):
                    delta = next(deltas, None)
                if delta is None:
                    return
                yield delta
        finally:
            close = getattr(deltas, "close", None)
            if close is not None:
                with speaking(self._who):
                    close()

    def close(self) -> None:
        """Nothing: the model is the system's, and others speak to it."""
