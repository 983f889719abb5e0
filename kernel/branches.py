"""The engine: branches of token ids over a network, with their keys and values kept and shared.

A slot holds the keys and values of a run of ids; branches refer to slots and write to their own tip only. Whoever
would overwrite another's tokens copies the shared part first. Prompts that begin alike are computed once. Knows
nothing of text or tools, nor what the network is.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Protocol

from torch import Tensor

from llmos.kernel.engine import Branch, EngineInfo, Grammar, Sampling, Step
from llmos.kernel.errors import BudgetError
from llmos.kernel.fair import FairLock
from llmos.kernel.sampler import Sampler

# Slots nobody uses that are kept for prompts to come.
KEEP = 4


class Net(Protocol):
    """A network that reads one sequence; ``store`` is its keys and values (``length``, ``copy``, ``truncate``)."""

    info: EngineInfo
    rewindable: bool

    def store(self) -> Any: ...

    def run(self, ids: Sequence[int], store: Any) -> Tensor:
        """Append one or more ``ids`` to ``store``; the last position's logits, fp32 of shape (vocabulary,)."""


@dataclass(eq=False)
class _Slot:
    """Keys and values and the ids they are of; ``users`` branches refer to it. ``broken``: good for copies only."""

    store: Any
    ids: list[int] = field(default_factory=list)
    users: int = 0
    used: int = 0
    broken: bool = False


class TorchEngine:
    """An :class:`~llmos.kernel.engine.Engine` over a :class:`Net`. Threads take turns, a token at a time.

    ``context_length`` narrows the network's own window.
    """

    def __init__(self, net: Net, context_length: int | None = None) -> None:
        self.net = net
        self.window = min(context_length or net.info.context_length, net.info.context_length)
        self.lock = FairLock()
        self._slots: list[_Slot] = []
        self._clock = count(1)
        self.computed = 0

    @property
    def info(self) -> EngineInfo:
        """What the network is."""
        return self.net.info

    def open(self, ids: Sequence[int]) -> "TorchBranch":
        """A branch over ``ids``. Raises BudgetError when they leave no room for a reply."""
        if len(ids) >= self.window:
            raise BudgetError(
                f"the prompt has {len(ids)} tokens, the model's window holds {self.window}: "
                "shorten the request, attach less, or use a model with a longer window",
                "context",
            )
        if not ids:
            raise ValueError("a branch needs at least one id")
        with self.lock:
            slot, shared = self._nearest(list(ids))
            return TorchBranch(self, list(ids), slot, shared)

    def close(self) -> None:
        """Free all that is kept; open branches stay usable."""
        with self.lock:
            self._slots.clear()

    def _nearest(self, ids: list[int]) -> tuple[_Slot | None, int]:
        """The slot with the longest common prefix, and its length: never the last id, whose logits are needed."""
        best, length = None, 0
        for slot in self._slots:
            common = min(common_prefix(slot.ids, ids), len(ids) - 1)
            if not self.net.rewindable and common < len(slot.ids):
                continue
            if common > length:
                best, length = slot, common
        return best, length

    def acquire(self, slot: _Slot | None, filled: int) -> _Slot:
        """A slot whose ids are the first ``filled`` of ``slot`` and which its caller, who is counted, may write.

        Where the network cannot go back it may be an empty one instead.
        """
        if slot is not None and not slot.broken:
            if filled == len(slot.ids):
                return slot
            if self.net.rewindable and slot.users == 1 and len(slot.ids) - filled <= max(256, filled // 4):
                # Nobody else needs the rest: it was the end of an earlier turn.
                slot.store.truncate(filled)
                del slot.ids[filled:]
                return slot
        if slot is not None and self.net.rewindable:
            made = _Slot(slot.store.copy(filled), slot.ids[:filled], users=1)
        else:
            made = _Slot(self.net.store(), users=1)
        if slot is not None:
            slot.users -= 1
        self._slots.append(made)
        self._evict()
        return made

    def touch(self, slot: _Slot) -> None:
        """Count a use, for eviction."""
        slot.used = next(self._clock)

    def drop(self, slot: _Slot) -> None:
        """Stop using a slot that a pass left half-written; branches that share it copy what they have of it."""
        slot.broken = True
        if slot in self._slots:
            self._slots.remove(slot)

    def _evict(self) -> None:
        idle = sorted((s for s in self._slots if s.users <= 0), key=lambda s: s.used)
        for slot in idle[: max(0, len(idle) - KEEP)]:
            self._slots.remove(slot)


class TorchBranch:
    """See :class:`~llmos.kernel.engine.Branch`. ``filled`` of its ids are in its slot."""

    def __init__(self, engine: TorchEngine, ids: list[int], slot: _Slot | None, filled: int) -> None:
        self._engine = engine
        self._ids = ids
        self._slot = slot
        self._filled = filled
        self._logits: Tensor | None = None
        if slot is not None:
            slot.users += 1

    @property
    def ids(self) -> Sequence[int]:
        """All ids so far, given and sampled."""
        return self._ids

    def fork(self, n: int) -> list[Branch]:
        """``n`` branches that go on from here; what is shared is computed now, once."""
        with self._engine.lock:
            logits = self._next()
            made = [TorchBranch(self._engine, list(self._ids), self._slot, self._filled) for _ in range(n)]
            for branch in made:
                branch._logits = logits
            return list(made)

    def extend(self, ids: Sequence[int]) -> None:
        """Append given ids. Raises BudgetError past the window."""
        if len(self._ids) + len(ids) >= self._engine.window:
            raise BudgetError(
                f"the branch would have {len(self._ids) + len(ids)} tokens of {self._engine.window}", "context"
            )
        if ids:
            self._ids.extend(ids)
            self._logits = None

    def decode(self, sampling: Sampling, grammar: Grammar | None = None, stop: Sequence[int] = ()) -> Iterator[Step]:
        """Sample until a stop id (yielded and kept), ``max_tokens`` or the window's end."""
        sampler = Sampler(sampling, self._ids)
        room = min(sampling.max_tokens, self._engine.window - len(self._ids))
        while room > 0:
            for step in self._steps(sampler, grammar, room):
                room -= 1
                yield step
                if step.token in stop:
                    return

    def _steps(self, sampler: Sampler, grammar: Grammar | None, room: int) -> Iterator[Step]:
        """The ids that the grammar forces, at most ``room``; where it forces none, one that is sampled."""
        forced = grammar.forced()[:room] if grammar is not None else []
        for token in forced:
            # Their keys and values are computed in one pass, with the next id that is a choice.
            self._push(sampler.note(token), grammar)
            yield Step(token, 0.0)
        if not forced:
            with self._engine.lock:
                step = sampler.pick(self._next(), grammar.mask(room) if grammar is not None else None)
            self._push(step.token, grammar)
            yield step

    def _push(self, token: int, grammar: Grammar | None) -> None:
        self._ids.append(token)
        self._logits = None
        if grammar is not None:
            grammar.accept(token)

    def close(self) -> None:
        """Let go of the keys and values; they stay a while for prompts that begin alike."""
        with self._engine.lock:
            if self._slot is not None:
                self._slot.users -= 1
                self._slot = None
                self._filled = 0
                self._engine._evict()
            self._logits = None

    def _next(self) -> Tensor:
        """Logits after the last id; computes whatever of the ids is not in the slot yet."""
        if self._logits is None:
            self._slot = slot = self._engine.acquire(self._slot, self._filled)
            pending = self._ids[len(slot.ids) :]
            try:
                self._logits = self._engine.net.run(pending, slot.store)
            except BaseException:
                # Interrupted half-way: nobody may rely on this slot again.
                self._engine.drop(slot)
                slot.users -= 1
                self._slot, self._filled = None, 0
                raise
            slot.ids += pending
            self._filled = len(self._ids)
            self._engine.computed += len(pending)
            self._engine.touch(slot)
        return self._logits


def common_prefix(a: Sequence[int], b: Sequence[int]) -> int:
    """How many leading ids two lists share (halving over slices, which compare in C)."""
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
