"""Keeps the past of branches over a network that reads one sequence at a time, as an opaque store for each.

A slot holds a store and the ids it is of; branches refer to slots. Whoever would overwrite what another has copies the
shared part first. Knows nothing of text, nor what the network is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Protocol

from torch import Tensor

from llmos.kernel.engine import EngineInfo
from llmos.kernel.holds import Hold, Work, common_prefix

# Slots nobody uses that are kept for prompts to come.
KEEP = 4


class Net(Protocol):
    """A network that reads one sequence; ``store`` is its keys and values (``copy``, ``truncate``)."""

    info: EngineInfo
    rewindable: bool

    def store(self) -> Any: ...

    def run(self, ids: Sequence[int], store: Any) -> Tensor:
        """Append one or more ``ids`` to ``store``; the last position's logits, fp32 of shape (vocabulary,)."""


@dataclass(eq=False)
class Slot:
    """Keys and values and the ids they are of; ``users`` holds refer to it. ``broken``: good for nothing more."""

    store: Any
    ids: list[int] = field(default_factory=list)
    users: int = 0
    used: int = 0
    broken: bool = False


class Stores:
    """A :class:`~llmos.kernel.holds.Keep` over a :class:`Net`."""

    batch = 1
    drafts = False

    def __init__(self, net: Net) -> None:
        self.net = net
        self.slots: list[Slot] = []
        self.computed = 0
        self._clock = count(1)

    @property
    def info(self) -> EngineInfo:
        """What the network is."""
        return self.net.info

    def attach(self, hold: Hold, ids: Sequence[int]) -> None:
        """See :class:`~llmos.kernel.holds.Keep`."""
        best, length = None, 0
        for slot in self.slots:
            common = min(common_prefix(slot.ids, ids), len(ids) - 1)
            if not self.net.rewindable and common < len(slot.ids):
                continue
            if common > length:
                best, length = slot, common
        if best is not None:
            best.users += 1
            hold.place, hold.ids = best, list(ids[:length])

    def fork(self, hold: Hold, n: int) -> list[Hold]:
        """See :class:`~llmos.kernel.holds.Keep`."""
        if hold.place is not None:
            hold.place.users += n
        return [Hold(list(hold.ids), hold.logits, hold.place) for _ in range(n)]

    def truncate(self, hold: Hold, length: int) -> None:
        """See :class:`~llmos.kernel.holds.Keep`. The slot is cut when it is written next."""
        if length < len(hold.ids):
            del hold.ids[length:]
            hold.logits = None

    def release(self, hold: Hold, keep: bool = True) -> None:
        """See :class:`~llmos.kernel.holds.Keep`."""
        if hold.place is not None:
            hold.place.users -= 1
            if not keep and hold.place.users <= 0 and hold.place in self.slots:
                self.slots.remove(hold.place)
        hold.place, hold.logits = None, None
        hold.ids.clear()
        self._evict()

    def run(self, works: Sequence[Work]) -> list[Tensor]:
        """See :class:`~llmos.kernel.holds.Keep`."""
        return [self._run(work.hold, list(work.ids)) for work in works]

    def clear(self) -> None:
        """See :class:`~llmos.kernel.holds.Keep`."""
        self.slots = [slot for slot in self.slots if slot.users > 0]

    def _run(self, hold: Hold, ids: list[int]) -> Tensor:
        hold.place = slot = self._writable(hold.place, len(hold.ids))
        pending = [*hold.ids, *ids][len(slot.ids) :]
        try:
            logits = self.net.run(pending, slot.store)
        except BaseException:
            # Interrupted half-way: nobody may rely on this slot again.
            slot.broken = True
            self.slots.remove(slot)
            hold.place = None
            hold.ids.clear()
            raise
        slot.ids += pending
        slot.used = next(self._clock)
        hold.ids += ids
        hold.logits = logits
        self.computed += len(pending)
        return logits[None]

    def _writable(self, slot: Slot | None, filled: int) -> Slot:
        """A slot whose ids are the first ``filled`` of ``slot``, and which its caller may write.

        Where the network cannot go back, or a pass was interrupted, it is an empty one instead.
        """
        usable = slot is not None and not slot.broken
        if slot is not None and usable:
            if filled == len(slot.ids):
                return slot
            if self.net.rewindable and slot.users == 1 and len(slot.ids) - filled <= max(256, filled // 4):
                # Nobody else needs the rest: it was the end of an earlier turn.
                slot.store.truncate(filled)
                del slot.ids[filled:]
                return slot
        if slot is not None and usable and self.net.rewindable:
            made = Slot(slot.store.copy(filled), slot.ids[:filled], users=1)
        else:
            made = Slot(self.net.store(), users=1)
        if slot is not None:
            slot.users -= 1
        self.slots.append(made)
        self._evict()
        return made

    def _evict(self) -> None:
        idle = sorted((s for s in self.slots if s.users <= 0), key=lambda s: s.used)
        for slot in idle[: max(0, len(idle) - KEEP)]:
            self.slots.remove(slot)
