"""What the engine keeps of a branch's past, whatever network it is over: the protocol of its two kinds of keeping.

``tree`` shares runs of tokens among branches and reads many branches in one pass; ``stores`` is for networks that read
one sequence at a time. All of it belongs to the engine's thread.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor

from llmos.kernel.engine import EngineInfo


@dataclass(eq=False, slots=True)
class Hold:
    """What of a branch is computed: keys and values of ``ids``, and the logits after the last, where they are known.

    ``place`` is where, for whoever keeps it; None before anything is.
    """

    ids: list[int] = field(default_factory=list)
    logits: Tensor | None = None
    place: Any = None


@dataclass(frozen=True, slots=True)
class Work:
    """Ids to compute after those of a hold; ``every`` asks for the logits after each of them."""

    hold: Hold
    ids: Sequence[int]
    every: bool = False


class Keep(Protocol):
    """Keeps what is computed. ``batch`` holds fit one pass; ``drafts``: it can give the logits after every id."""

    batch: int
    drafts: bool
    computed: int

    @property
    def info(self) -> EngineInfo: ...

    def attach(self, hold: Hold, ids: Sequence[int]) -> None:
        """Give an empty hold the longest beginning of ``ids`` that is computed, but for the last: its logits count."""

    def fork(self, hold: Hold, n: int) -> list[Hold]:
        """``n`` holds of the same, which share what there is."""

    def truncate(self, hold: Hold, length: int) -> None:
        """Forget all but the first ``length`` ids."""

    def release(self, hold: Hold, keep: bool = True) -> None:
        """Let go of a hold; what it has stays a while for prompts to come, unless ``keep`` is false."""

    def run(self, works: Sequence[Work]) -> list[Tensor]:
        """Compute; the logits of each, (1 or as many as its ids, vocabulary). An interrupted pass changes no hold."""

    def clear(self) -> None:
        """Forget all that no hold has."""


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
