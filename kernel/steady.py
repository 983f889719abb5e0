"""Decoding on a device whose launches cost more than they compute: one new token a branch, at fixed shapes, recorded
once as a graph and then replayed.

A pass of another kind (a prompt, branches on different paths) is left to ``lean``, and so is all where a graph cannot
be recorded. What branches share is read once for all of them. Triton's kernels (``fused``) are used where they are
there, compute the same, and are faster. Knows nothing of text, sampling or ids.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from llmos.kernel import fused
from llmos.kernel.attend import Piece, attend, merge
from llmos.kernel.matrix import Matrix
from llmos.kernel.rows import Rows

if TYPE_CHECKING:
    from llmos.kernel.lean import Lean, _Layer

# Branches that a graph is made for; a pass with fewer is filled up with its last.
SIZES = (1, 2, 4, 8, 16, 24, 32, 48, 64)
# A pass of a kind is recorded when it has come so often: many come only a few times.
AFTER = 3
KEPT = 12  # graphs
COUNTED = 1000  # kinds whose passes are counted
# How far logits may be from those of the plain operations, as a share of their size: in bf16 rounding alone makes 0.05
# over 36 layers, a kernel that computes something else 1.
FAR = {torch.float32: 1e-3}
ROUGH = 0.2
# Layers that a way of multiplying is timed on: more than a cache holds.
TIMED = 6

Step = Callable[[], Tensor]
Record = Callable[[Step], Step]


def recorder() -> Record:
    """Of CUDA graphs, which share their memory: each is replayed to its end before another is."""
    pool, side = torch.cuda.graph_pool_handle(), torch.cuda.Stream()  # type: ignore[no-untyped-call]

    def record(step: Step) -> Step:
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            step()
            step()
        torch.cuda.current_stream().wait_stream(side)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=pool, capture_error_mode="thread_local"):
            out = step()

        def replay() -> Tensor:
            graph.replay()
            return out

        return replay

    return record


def seconds(run: Callable[[], Any], times: int = 5) -> float:
    """The shortest time of a run on the device."""
    best = float("inf")
    for _ in range(times):
        torch.cuda.synchronize()
        began = time.perf_counter()
        run()
        torch.cuda.synchronize()
        best = min(best, time.perf_counter() - began)
    return best


@dataclass(frozen=True, slots=True, eq=False)
class _Made:
    """A step as it is kept. ``path`` is held, so that nothing else comes to lie where the step reads."""

    state: Tensor
    replay: Step
    path: tuple[Tensor, ...]


class Steady:
    """The decode steps of a lean network. ``notes`` tell how they are run, and why no better.

    ``record`` turns a step into one that can be run again and again, ``timed`` tells how long one takes.
    """

    def __init__(
        self, net: Lean, record: Record, kernels: bool = True, timed: Callable[[Callable[[], Any]], float] = seconds
    ) -> None:
        self.net = net
        self.notes: dict[str, str] = {}
        self.off = False
        self.kernels = kernels and fused.available(net.shape.head_dim) and _plain(net)
        self._record, self._timed = record, timed
        self._made: dict[tuple[Any, ...], _Made] = {}
        self._seen: dict[tuple[Any, ...], int] = {}
        self._ways: dict[str, tuple[int, int, int]] = {}
        self._storage: Tensor | None = None

    def run(self, pieces: Sequence[Piece], rows: Rows) -> Tensor | None:
        """Append each piece's id to its row: logits (pieces, vocabulary), or None where this is no pass of that kind.

        ``rows.lengths`` stay for the caller to move on.
        """
        if self.off or not pieces or len(pieces) > SIZES[-1] or any(len(p.ids) != 1 for p in pieces):
            return None
        path = pieces[0].path
        if any(len(p.path) != len(path) or any(a is not b for a, b in zip(p.path, path, strict=True)) for p in pieces):
            return None
        rows.reserve(max(rows.lengths[p.row] for p in pieces) + 1)
        if rows.layers[0] is not self._storage:
            # Graphs know where the rows lay.
            self._made.clear()
            self._seen.clear()
            self._storage = rows.layers[0]
        made = self._find(pieces, rows, path)
        if made is None:
            return None
        made.state.copy_(_state(pieces, rows, made.state.shape[1]))
        return made.replay()[: len(pieces)].clone()

    def _find(self, pieces: Sequence[Piece], rows: Rows, path: tuple[Tensor, ...]) -> _Made | None:
        """The graph for these, made now where they have come often enough."""
        size = next(s for s in SIZES if s >= len(pieces))
        first = pieces[0].row
        dense = size == len(pieces) and [p.row for p in pieces] == list(range(first, first + size))
        start = first if dense and not self.kernels else None
        key = (size, start, *map(id, path))
        made = self._made.pop(key, None)
        if made is None:
            if len(self._seen) >= COUNTED:
                self._seen.clear()
            self._seen[key] = self._seen.get(key, 0) + 1
            if self._seen[key] < AFTER:
                return None
            state = _state(pieces, rows, size).to(self.net.embed.device)
            try:
                made = _Made(state, self._make(Still(self.net, rows, path, state, start)), path)
            except Exception as error:  # whatever a driver, a compiler or a graph refuses: it works without, slower
                self._tell("graphs", error)
                self.off = True
                self._made.clear()
                return None
            while len(self._made) >= KEPT:
                del self._made[next(iter(self._made))]
        self._made[key] = made  # the newest last
        return made

    def _make(self, still: Still) -> Step:
        """The fastest of the ways to compute a step that agree with the plain one."""
        size = still.state.shape[1]
        plain = self._record(still.step)
        if not self.kernels:
            self.notes[f"step of {size}"] = "plain"
            return plain
        try:
            if size == 1 and not self._ways:
                self._choose()
            quick = self._record(lambda: _step(still, self._ways))
            wanted = plain().clone()
            far = float((quick() - wanted).norm() / wanted.norm())
            if not far <= FAR.get(self.net.dtype, ROUGH):
                raise RuntimeError(f"the kernels are {far:.2g} off")
        except Exception as error:  # a compiler's, a driver's: the plain graph is there
            self._tell("kernels", error)
            self.kernels = False
            return plain
        times = self._timed(plain), self._timed(quick)
        kind = "kernels" if times[1] < times[0] else "plain"
        self.notes[f"step of {size}"] = (
            f"{kind}: {times[0] * 1e3:.2f} ms plain, {times[1] * 1e3:.2f} ms with kernels, {far:.1g} apart"
        )
        return quick if kind == "kernels" else plain

    def _choose(self) -> None:
        """Of each kind of product find the fastest way, on weights that no cache holds."""
        for name in _KINDS:
            times: dict[tuple[int, int, int], float] = {}
            for way in fused.WAYS:
                self._ways[name] = way
                times[way] = self._timed(self._record(lambda name=name: self._some(name)))  # type: ignore[misc]
            self._ways[name] = min(times, key=lambda way: times[way])
        self.notes["ways"] = ", ".join(f"{name} {way}" for name, way in self._ways.items())

    def _some(self, name: str) -> Tensor:
        """The products of one kind in some layers, which are of no use."""
        net = self.net
        few: Sequence[_Layer | None] = [None] if name == "head" else net.layers[:TIMED]
        wide = net.shape.hidden if name == "head" else getattr(net.layers[0], name).weight.shape[1]
        x = torch.ones(1, wide, device=net.embed.device, dtype=net.dtype)
        return [_product(net, layer, name, x, self._ways)[0] for layer in few][-1]

    def _tell(self, what: str, error: Exception) -> None:
        line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        self.notes[f"no {what}"] = line
        logging.getLogger(__name__).warning("decoding without %s: %s", what, line)


class Still:
    """A pass of fixed shapes: what :class:`~llmos.kernel.attend.Plan` is for others, all that changes on the device.

    ``start``: the first row, where the branches' rows are one after the other.
    """

    def __init__(self, net: Lean, rows: Rows, path: tuple[Tensor, ...], state: Tensor, start: int | None) -> None:
        self.net, self.layers, self.path, self.state = net, rows.layers, path, state
        self.ids, self.positions, self._row, self._at = state.unbind()
        self._rows = None if start is None else slice(start, start + state.shape[1])
        self._room = torch.arange(rows.layers[0].shape[3], device=state.device)[None]
        self._mask = torch.zeros((), device=state.device)

    def step(self) -> Tensor:
        """With plain operations: logits (branches, vocabulary), fp32."""
        beyond = self._room > self._at[:, None]
        self._mask = torch.zeros(beyond.shape, device=beyond.device).masked_fill(beyond, -torch.inf)[:, None, None]
        net = self.net
        return net.head(net.normed(net.body(self)) * net.norm).float()

    def attend(self, layer: int, qk: Tensor, v: Tensor) -> Tensor:
        """As :meth:`Plan.attend`."""
        kv, groups = self.layers[layer], v.shape[1]
        kv[0][self._row, :, self._at] = qk[:, -groups:].to(kv.dtype)
        kv[1][self._row, :, self._at] = v.to(kv.dtype)
        keys, values = kv.index_select(1, self._row) if self._rows is None else kv[:, self._rows]
        q = qk[:, :-groups].reshape(qk.shape[0], groups, -1, qk.shape[2]).to(kv.dtype)
        part = attend(q, keys, values, self._mask)
        if self.path:
            out, total = self.shared(layer, q)
            split = (groups, q.shape[0], q.shape[2])
            part = merge(part, (out.view(*split, -1).transpose(0, 1), total.view(split).transpose(0, 1)))
        return part[0].to(qk.dtype).reshape(qk.shape[0], -1)

    def shared(self, layer: int, q: Tensor, quick: bool = False) -> tuple[Tensor, Tensor]:
        """Attention of all branches' queries (branches, kv heads, of a group, size) over what all share.

        (kv heads, branches * queries of a group, size), and the logarithm of its sums.
        """
        folded = q.transpose(0, 1).reshape(q.shape[1], -1, q.shape[3])
        look = fused.share if quick else attend
        part = look(folded, self.path[0][layer, 0], self.path[0][layer, 1])
        for run in self.path[1:]:
            part = merge(part, look(folded, run[layer, 0], run[layer, 1]))
        return part


# The products of a layer and the head.
_KINDS = ("qkv", "out", "gate_up", "down", "head")


def _step(still: Still, ways: dict[str, tuple[int, int, int]]) -> Tensor:
    """As :meth:`Still.step`, with the kernels."""
    net, shape = still.net, still.net.shape
    x: Tensor = net.embed[still.ids]
    for n, layer in enumerate(net.layers):
        qkv = _product(net, layer, "qkv", x, ways)
        kv = still.layers[n]
        q = fused.store(qkv, layer.qk_norm, (net.cos, net.sin), still.state, kv, shape.heads, shape.eps)
        shared = still.shared(n, q.view(q.shape[0], shape.kv_heads, -1, q.shape[2]), True) if still.path else None
        x = _product(net, layer, "out", fused.look(q, kv, still.state, shared), ways, x)
        x = _product(net, layer, "down", _product(net, layer, "gate_up", x, ways), ways, x)
    return _product(net, None, "head", net.normed(x) * net.norm, ways).float()


def _product(
    net: Lean,
    layer: _Layer | None,
    name: str,
    x: Tensor,
    ways: dict[str, tuple[int, int, int]],
    plus: Tensor | None = None,
) -> Tensor:
    """One of a layer's products with the norm before it, or the gate behind it, and ``plus``."""
    matrix: Matrix = net.head if layer is None else getattr(layer, name)
    normed, gated = name in ("qkv", "gate_up"), name == "gate_up"
    if x.shape[0] == 1:
        norm = net.shape.eps if normed else None
        way = ways.get(name, fused.WAYS[0])
        return fused.product(x, matrix.weight, matrix.bias, plus, norm, gated, way)
    made = matrix(net.normed(x) if normed else x, plus)
    return fused.gate(made) if gated else made


def _state(pieces: Sequence[Piece], rows: Rows, size: int) -> Tensor:
    """Each branch's id, position, row and how many tokens are in it: (4, size), the last one's again where there are
    fewer."""
    shared = sum(run.shape[3] for run in pieces[0].path)
    past = [rows.lengths[p.row] for p in pieces]
    told = [[p.ids[0] for p in pieces], [shared + n for n in past], [p.row for p in pieces], past]
    return torch.tensor([[*one, *[one[-1]] * (size - len(one))] for one in told])


def _plain(net: Lean) -> bool:
    """Whether every weight is a matrix as torch has it."""
    return net.head.plain and all(getattr(one, name).plain for one in net.layers for name in _KINDS[:-1])
