"""A tree of computed runs of tokens: what prompts and branches begin alike with is computed once, and kept in a budget.

Each node holds the keys and values of a run of ids. A branch is a path of nodes, which others may share, and a row of
its own behind it. Nodes that nobody is on go by age when the budget is full. Knows nothing of text or sampling.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count

from torch import Tensor

from llmos.kernel.attend import Piece
from llmos.kernel.engine import EngineInfo
from llmos.kernel.holds import Hold, Work, common_prefix
from llmos.kernel.lean import Lean

# Branches read in one pass.
BATCH = 64
# Bytes of keys and values kept for prompts to come.
BUDGET = 512 * 1024 * 1024
# Fewer tokens than this are not kept of a branch that ends.
SHORT = 16
# Up to so many are copied for each fork: what is shared costs some operations in every layer of each pass to come.
COPIED = 64


@dataclass(eq=False, slots=True)
class Run:
    """Keys and values of ``ids`` after those of ``parent``: (layers, 2, kv heads, tokens, head_dim).

    ``users`` branches go through it.
    """

    ids: list[int]
    kv: Tensor | None
    parent: "Run | None" = None
    children: dict[int, "Run"] = field(default_factory=dict)
    users: int = 0
    used: int = 0

    @property
    def size(self) -> int:
        """Bytes."""
        return 0 if self.kv is None else self.kv.numel() * self.kv.element_size()


@dataclass(eq=False, slots=True)
class _Place:
    """Where a hold is: behind ``run``, which ends at ``shared`` tokens, in ``row`` (-1 for none yet)."""

    run: Run
    shared: int = 0
    row: int = -1


class Tree:
    """A :class:`~llmos.kernel.holds.Keep` over a lean network. ``budget`` is in bytes."""

    batch = BATCH
    drafts = True
    share = True  # whether a prompt takes over what was computed of others that begin alike

    def __init__(self, net: Lean, budget: int = BUDGET) -> None:
        self.net, self.budget = net, budget
        self.root = Run([], None)
        self.rows = net.rows()
        self.computed = 0
        self.held = 0  # bytes
        self._live: set[Hold] = set()
        self._clock = count(1)

    @property
    def info(self) -> EngineInfo:
        """What the network is."""
        return self.net.info

    def attach(self, hold: Hold, ids: Sequence[int]) -> None:
        """See :class:`~llmos.kernel.holds.Keep`. What is found is copied into a row, which is read fastest."""
        if not self.share:
            return
        wanted = list(ids[:-1])
        found, length = self._match(wanted)
        runs = [run.kv[..., :most, :] for run, most in found if run.kv is not None]
        for other in self._live:
            common = common_prefix(other.ids, wanted)
            if common >= length + SHORT:
                runs, length = self._of(other, common), common
        if not length:
            return
        for run, _ in found:
            run.used = next(self._clock)
        hold.place = _Place(self.root, row=self.rows.take())
        for kv in runs:
            self.rows.append(hold.place.row, kv)
        hold.ids = wanted[:length]
        self._live.add(hold)

    def fork(self, hold: Hold, n: int) -> list[Hold]:
        """See :class:`~llmos.kernel.holds.Keep`. A short row is copied, a longer one becomes a node that all share."""
        if hold.place is None:
            return [Hold() for _ in range(n)]
        if n > 1 and self._own(hold) > COPIED:
            self._seal(hold)
            self.rows.shrink()
        made = []
        for _ in range(n):
            place = _Place(hold.place.run, hold.place.shared)
            if self._own(hold):
                place.row = self.rows.take()
                self.rows.copy(hold.place.row, place.row)
            made.append(Hold(list(hold.ids), hold.logits, place))
        self._count(hold.place.run, n)
        self._live.update(made)
        return made

    def truncate(self, hold: Hold, length: int) -> None:
        """See :class:`~llmos.kernel.holds.Keep`."""
        if length >= len(hold.ids):
            return
        if hold.place is not None:
            if length < hold.place.shared:
                self._inline(hold)
            self.rows.lengths[hold.place.row] = length - hold.place.shared
        del hold.ids[length:]
        hold.logits = None

    def release(self, hold: Hold, keep: bool = True) -> None:
        """See :class:`~llmos.kernel.holds.Keep`."""
        if hold.place is not None:
            if keep and self._own(hold) >= SHORT:
                self._seal(hold)
            if hold.place.row >= 0:
                self.rows.give(hold.place.row)
            self._count(hold.place.run, -1)
            hold.place.run.used = next(self._clock)
            self._live.discard(hold)
            self._evict()
        hold.place, hold.logits = None, None
        hold.ids.clear()

    def run(self, works: Sequence[Work]) -> list[Tensor]:
        """See :class:`~llmos.kernel.holds.Keep`. All works in one pass."""
        self.rows.spare(sum(work.hold.place is None or work.hold.place.row < 0 for work in works))
        for work in works:
            self._ready(work.hold)
        # In the order of their rows they need not be sorted anew in every layer.
        order = sorted(range(len(works)), key=lambda n: works[n].hold.place.row)
        paths = {run: self._path(run) for run in {work.hold.place.run for work in works}}
        pieces = [Piece(w.hold.place.row, w.ids, paths[w.hold.place.run], w.every) for w in (works[n] for n in order)]
        out = self.net.run(pieces, self.rows)
        logits: list[Tensor] = [out[0]] * len(works)
        for n, one in zip(order, out, strict=True):
            hold = works[n].hold
            hold.ids += works[n].ids
            hold.logits = one[-1]
            logits[n] = one
            self.computed += len(works[n].ids)
        return logits

    def clear(self) -> None:
        """See :class:`~llmos.kernel.holds.Keep`."""
        self._evict(0)
        if not self._live:
            self.rows = self.net.rows()

    def _ready(self, hold: Hold) -> None:
        """Give a hold a row; what it shares with nobody any more goes into it."""
        if hold.place is None:
            hold.place = _Place(self.root)
            self._live.add(hold)
        if hold.place.row < 0:
            hold.place.row = self.rows.take()
        if hold.place.shared and all(run.users == 1 for run in self._up(hold.place.run)):
            self._inline(hold)

    def _inline(self, hold: Hold) -> None:
        """Copy all that a hold shares into its row."""
        place, old = hold.place, hold.place.row
        row = self.rows.take()
        for kv in self._of(hold, len(hold.ids)):
            self.rows.append(row, kv)
        if old >= 0:
            self.rows.give(old)
        self._count(place.run, -1)
        hold.place = _Place(self.root, row=row)

    def _own(self, hold: Hold) -> int:
        """How many tokens are in a hold's row."""
        return len(hold.ids) - int(hold.place.shared)

    def _of(self, hold: Hold, length: int) -> list[Tensor]:
        """The first ``length`` tokens of a hold, as runs."""
        runs, at = [], 0
        for kv in self._path(hold.place.run):
            runs.append(kv[..., : length - at, :])
            at += runs[-1].shape[3]
            if at == length:
                return runs
        return [*runs, self.rows.read(hold.place.row, 0, length - at, self.net.dtype)]

    def _seal(self, hold: Hold) -> None:
        """Make a hold's row part of the tree, where its beginning may be already."""
        place = hold.place
        found, length = self._match(hold.ids)
        deepest, most = found[-1] if found else (self.root, 0)
        if most < len(deepest.ids):
            deepest = self._split(deepest, most)
        if length < len(hold.ids):
            kv = self.rows.read(place.row, length - place.shared, len(hold.ids) - place.shared, self.net.dtype)
            made = Run(hold.ids[length:], kv, deepest)
            deepest.children[made.ids[0]] = made
            self.held += made.size
            deepest = made
        self._count(place.run, -1)
        self._count(deepest, 1)
        deepest.used = next(self._clock)
        self.rows.give(place.row)
        hold.place = _Place(deepest, len(hold.ids))
        self._evict()

    def _match(self, ids: list[int]) -> tuple[list[tuple[Run, int]], int]:
        """The runs that ``ids`` begin with, how much of each, and how many tokens that is."""
        found: list[tuple[Run, int]] = []
        node, at = self.root, 0
        while at < len(ids) and (child := node.children.get(ids[at])) is not None:
            most = common_prefix(child.ids, ids[at : at + len(child.ids)])
            found.append((child, most))
            at += most
            if most < len(child.ids):
                break
            node = child
        return found, at

    def _split(self, run: Run, most: int) -> Run:
        """Part a run after ``most`` tokens; the new node is the head, so that whoever is on the run stays on it."""
        assert run.parent is not None
        assert run.kv is not None
        # Copies, so that each part can be let go of by itself.
        head = Run(run.ids[:most], run.kv[..., :most, :].clone(), run.parent, {run.ids[most]: run}, run.users, run.used)
        run.parent.children[head.ids[0]] = head
        run.ids, run.kv, run.parent = run.ids[most:], run.kv[..., most:, :].clone(), head
        return head

    def _up(self, run: Run | None) -> Iterator[Run]:
        while run is not None and run.kv is not None:
            yield run
            run = run.parent

    def _path(self, run: Run) -> tuple[Tensor, ...]:
        return tuple(one.kv for one in self._up(run) if one.kv is not None)[::-1]

    def _count(self, run: Run, n: int) -> None:
        for one in self._up(run):
            one.users += n

    def _evict(self, budget: int | None = None) -> None:
        """Let go of the oldest ends that nobody is on, until what is held fits the budget."""
        most = self.budget if budget is None else budget
        while self.held > most:
            ends = [run for run in self._all(self.root) if not run.children and not run.users and run.kv is not None]
            if not ends:
                return
            oldest = min(ends, key=lambda run: run.used)
            assert oldest.parent is not None
            del oldest.parent.children[oldest.ids[0]]
            self.held -= oldest.size

    def _all(self, run: Run) -> Iterator[Run]:
        waiting = [run]
        while waiting:
            one = waiting.pop()
            yield one
            waiting += one.children.values()
