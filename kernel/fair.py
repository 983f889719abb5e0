"""Turns at something that only one may use at a time, shared fairly among sessions, whatever one of them asks for.

:class:`FairLock` takes the place of a lock. Who waits is known by a name (a session, a user: :func:`speaking`); a turn
costs its name the seconds it was held, and the name that has had least goes next (start-time fair queueing). So ten
threads of one session have together what a single thread of another has, a name that comes late is not made to wait
for what others had before, and one that was away saves nothing up. A turn is never cut short: somebody waits at most
for the turn that is under way and one of each other name, not for their queues. Knows nothing of models but that
:class:`Sharing` is one.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType

from llmos.kernel.engine import Delta, Model, Sampling
from llmos.kernel.tool import Tool
from llmos.kernel.types import Message

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


@dataclass(eq=False, slots=True)
class _Ticket:
    """Somebody who waits; ``gate`` is closed until the turn is theirs."""

    name: Hashable
    owner: int
    gate: threading.Lock = field(default_factory=threading.Lock)
    granted: bool = False


class FairLock:
    """A reentrant lock whose turns go to the name that has had least of it. Use it by ``with``, as an ``RLock``.

    ``clock`` gives seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._mutex = threading.Lock()  # held for moments only, never while somebody waits
        self._holder: _Ticket | None = None
        self._depth = 0
        self._began = 0.0
        self._now = 0.0  # virtual time: the start of the turn under way, in seconds had
        self._had: dict[Hashable, float] = {}  # where it ends for names that are ahead of it
        self._waiting: dict[Hashable, deque[_Ticket]] = {}
        self._starts: dict[Hashable, float] = {}  # of the first of each queue

    def waiting(self) -> int:
        """How many wait for their turn."""
        with self._mutex:
            return sum(len(queue) for queue in self._waiting.values())

    def acquire(self) -> None:
        """Wait for a turn; at once for whoever holds it. An interrupted wait leaves nothing behind."""
        me = threading.get_ident()
        with self._mutex:
            if self._holder is not None and self._holder.owner == me:
                self._depth += 1
                return
            ticket = _Ticket(speaker(), me)
            if self._holder is None:
                self._grant(ticket, self._start(ticket.name))
                return
            ticket.gate.acquire()
            if ticket.name not in self._waiting:
                self._starts[ticket.name] = self._start(ticket.name)
            self._waiting.setdefault(ticket.name, deque()).append(ticket)
        try:
            ticket.gate.acquire()
        except BaseException:
            self._forget(ticket)
            raise

    def release(self) -> None:
        """End the turn and let the next have theirs. Raises RuntimeError for whoever does not hold it."""
        with self._mutex:
            if self._holder is None or self._holder.owner != threading.get_ident():
                raise RuntimeError("a turn can be ended by its holder only")
            self._depth -= 1
            if not self._depth:
                self._pass_on()

    def __enter__(self) -> "FairLock":
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _start(self, name: Hashable) -> float:
        """The virtual time at which a name's next turn begins: now, or when those it has had end."""
        return max(self._now, self._had.get(name, 0.0))

    def _grant(self, ticket: _Ticket, start: float) -> None:
        self._holder, self._depth, self._now, self._began = ticket, 1, start, self._clock()
        ticket.granted = True

    def _pass_on(self) -> None:
        """Charge the turn that ends, and give the next to the queue with the earliest start, the first come first."""
        assert self._holder is not None
        name, self._holder = self._holder.name, None
        self._had[name] = self._now + max(self._clock() - self._began, 0.0)
        if name in self._starts:  # others of the same name wait: theirs begins where this one ends
            self._starts[name] = max(self._starts[name], self._had[name])
        if self._starts:
            following = min(self._starts, key=lambda other: self._starts[other])
            start, queue = self._starts.pop(following), self._waiting[following]
            ticket = queue.popleft()
            if queue:
                self._starts[following] = start  # put right when this turn ends
            else:
                del self._waiting[following]
            self._grant(ticket, start)
            ticket.gate.release()
        else:  # nobody wanted it: a new count begins for all
            self._now = self._had[name]
        # Nobody is remembered longer than it matters, so that this does not grow with the names there ever were.
        self._had = {name: had for name, had in self._had.items() if had > self._now}

    def _forget(self, ticket: _Ticket) -> None:
        """Take back a wait that was interrupted; a turn that came meanwhile is passed on."""
        with self._mutex:
            if ticket.granted:
                self._depth = 0
                self._pass_on()
                return
            queue = self._waiting[ticket.name]
            queue.remove(ticket)
            if not queue:
                del self._waiting[ticket.name], self._starts[ticket.name]


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
