"""The lean network as the native library computes it: weights packed for it, a whole pass in one call.

In bf16, with sums in fp32. A token's logits do not depend on what else is in the pass, nor on how its past is kept.
"""

import contextlib
import ctypes
import mmap
from collections.abc import Iterator, Sequence
from ctypes import POINTER, c_double, c_int64, c_void_p
from typing import Any, NamedTuple

import torch
from torch import Tensor

from llmos.kernel.attend import Piece
from llmos.kernel.errors import ModelError
from llmos.kernel.native import Library
from llmos.kernel.rows import Rows
from llmos.kernel.shape import Shape, frequencies

WIDEST, LANES = 256, 16
_NO_MEMORY, _BAD_ID = 1, 2


class Weights(NamedTuple):
    """Of a layer: matrices (out, in) with their biases, the norms before them folded in; gates and ups apart."""

    qkv: tuple[Tensor, Tensor | None]
    out: tuple[Tensor, Tensor | None]
    gate: Tensor
    up: Tensor
    down: Tensor
    q_norm: Tensor | None
    k_norm: Tensor | None


class _Matrix(ctypes.Structure):
    _fields_ = (("weight", c_void_p), ("bias", c_void_p), ("rows", c_int64), ("columns", c_int64))


class _Layer(ctypes.Structure):
    _fields_ = (
        *((name, _Matrix) for name in ("qkv", "out", "gate_up", "down")),
        ("q_norm", c_void_p),
        ("k_norm", c_void_p),
    )


_SIZES = ("vocabulary", "hidden", "inner", "layers", "heads", "kv_heads", "head_dim", "window")


class _Net(ctypes.Structure):
    _fields_ = (
        *((name, c_int64) for name in _SIZES),
        ("eps", c_double),
        *((name, c_void_p) for name in ("embed", "norm", "frequency")),
        ("layer", POINTER(_Layer)),
        ("head", _Matrix),
    )


class _Pass(ctypes.Structure):
    _fields_ = (
        *((name, c_int64) for name in ("tokens", "pieces", "wanted", "row_count", "room", "threads", "products")),
        *((name, POINTER(c_int64)) for name in ("ids", "first", "row", "past", "path", "length", "want")),
        ("run", POINTER(c_void_p)),
        ("rows", POINTER(c_void_p)),
        ("logits", c_void_p),
    )


def suits(shape: Shape) -> bool:
    """Whether the library takes a network of that shape."""
    whole = shape.hidden % (2 * LANES) == 0 and shape.inner % LANES == 0 and shape.head_dim % LANES == 0
    return whole and shape.head_dim <= WIDEST and shape.heads % shape.kv_heads == 0


class NativeNet:
    """``layers`` are packed one by one as they come; ``embed`` is bf16 and stays as it is."""

    def __init__(
        self, library: Library, shape: Shape, embed: Tensor, layers: Iterator[Weights], norm: Tensor, head: Tensor
    ) -> None:
        self.shape, self._library = shape, library
        self._kept: list[Any] = []  # what the structures point to
        self._memory = _Memory(self._room(shape))
        made = [self._layer(one) for one in layers]
        sizes = (getattr(shape, name) for name in _SIZES)
        vocabulary, hidden = shape.vocabulary, shape.hidden
        pointers = (
            self._keep(_sized(embed, vocabulary, hidden).contiguous()),
            self._numbers(norm, hidden),
            self._numbers(frequencies(shape), shape.head_dim // 2),
        )
        last = self._matrix(head, None, vocabulary, hidden)
        self._net = _Net(*sizes, shape.eps, *pointers, (_Layer * len(made))(*made), last)

    def run(self, pieces: Sequence[Piece], rows: Rows, threads: int) -> list[Tensor]:
        """As :meth:`Lean.run`, but for the rows' lengths."""
        # Those that share runs beside each other: what they share is read once.
        order = sorted(range(len(pieces)), key=lambda n: [run.data_ptr() for run in pieces[n].path])
        some = [pieces[n] for n in order]
        past = [rows.lengths[p.row] for p in some]
        rows.reserve(max(length + len(p.ids) for p, length in zip(some, past, strict=True)))
        first, path, counts = [0], [0], []
        want: list[int] = []
        for p in some:
            end = first[-1] + len(p.ids)
            want += range(first[-1] if p.every else end - 1, end)
            counts.append(len(p.ids) if p.every else 1)
            first.append(end)
            path.append(path[-1] + len(p.path))
        runs = [run.to(torch.bfloat16).contiguous() for p in some for run in p.path]
        logits = self._logits(len(want))
        row = rows.layers[0]
        given = _Pass(
            *(first[-1], len(some), len(want), row.shape[1], row.shape[3], threads, 0),
            _list([i for p in some for i in p.ids]),
            *map(_list, (first, [p.row for p in some], past, path, [run.shape[3] for run in runs], want)),
            (c_void_p * len(runs))(*(run.data_ptr() for run in runs)),
            (c_void_p * len(rows.layers))(*(layer.data_ptr() for layer in rows.layers)),
            logits.data_ptr(),
        )
        problem = self._library.calls.llmos_run(self._library.level, ctypes.byref(self._net), ctypes.byref(given))
        if problem:
            raise {_NO_MEMORY: MemoryError, _BAD_ID: IndexError}.get(problem, IndexError)(
                f"a pass over {first[-1]} ids cannot be computed: " + _PROBLEMS[problem]
            )
        found: list[Tensor] = [logits] * len(pieces)
        for n, one in zip(order, torch.split(logits, counts), strict=True):
            found[n] = one
        return found

    def products(self, tokens: int, threads: int) -> None:
        """Compute a pass's products of weights alone, on zeros: to see how long they take."""
        logits = self._logits(tokens)
        every, one = list(range(tokens + 1)), [0] * (tokens + 1)
        given = _Pass(
            *(tokens, tokens, tokens, 1, 1, threads, 1),
            *map(_list, (one, every, one, one, one, one, every)),
            *((c_void_p * 1)(), (c_void_p * 1)(), logits.data_ptr()),
        )
        self._library.calls.llmos_run(self._library.level, ctypes.byref(self._net), ctypes.byref(given))

    def _logits(self, count: int) -> Tensor:
        """Where they go: in fp32, whatever others make torch's default."""
        return torch.empty(count, self.shape.vocabulary, dtype=torch.float32, device="cpu")

    def _layer(self, one: Weights) -> _Layer:
        shape = self.shape
        gate, up = (_sized(w, shape.inner, shape.hidden).view(-1, LANES, shape.hidden) for w in (one.gate, one.up))
        gate_up = torch.stack((gate, up), 1).flatten(0, 2)
        tensors = (one.qkv, one.out, (gate_up, None), (one.down, None))
        matrices = (self._matrix(*pair, *size) for pair, size in zip(tensors, _sizes(shape), strict=True))
        norms = (None if norm is None else self._numbers(norm, shape.head_dim) for norm in (one.q_norm, one.k_norm))
        return _Layer(*matrices, *norms)

    def _matrix(self, weight: Tensor, bias: Tensor | None, rows: int, columns: int) -> _Matrix:
        calls, size = self._library.calls, (c_int64(rows), c_int64(columns))
        weight = _sized(weight, rows, columns).to(torch.bfloat16).contiguous()
        to = self._memory.take(2 * calls.llmos_packed(*size))
        calls.llmos_pack(self._library.level, c_void_p(weight.data_ptr()), *size, c_void_p(to))
        return _Matrix(to, None if bias is None else self._numbers(bias, rows), rows, columns)

    def _room(self, shape: Shape) -> int:
        """Bytes of all packed weights."""
        every = [*_sizes(shape) * shape.layers, (shape.vocabulary, shape.hidden)]
        packed = self._library.calls.llmos_packed
        return sum(_Memory.size(2 * packed(c_int64(rows), c_int64(columns))) for rows, columns in every)

    def _numbers(self, tensor: Tensor, count: int) -> int:
        return self._keep(_sized(tensor, count).float().contiguous())

    def _keep(self, tensor: Tensor) -> int:
        self._kept.append(tensor)
        return tensor.data_ptr()


class _Memory:
    """Hands out parts of one block, in large pages where there are: a pass reads all of it."""

    def __init__(self, size: int) -> None:
        # Not shared, as it would be by default: shared memory has no large pages on most machines.
        self._block = mmap.mmap(-1, max(size, 1), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        if hasattr(mmap, "MADV_HUGEPAGE"):
            with contextlib.suppress(OSError):  # a kernel without them
                self._block.madvise(mmap.MADV_HUGEPAGE)
        self._at = ctypes.addressof(ctypes.c_char.from_buffer(self._block))

    @staticmethod
    def size(wanted: int) -> int:
        """What a part takes."""
        return (wanted + 63) // 64 * 64

    def take(self, wanted: int) -> int:
        """The address of a part."""
        at = self._at
        self._at += self.size(wanted)
        return at


def _sizes(shape: Shape) -> list[tuple[int, int]]:
    """Of a layer's matrices: qkv, out, gates and ups, down."""
    heads, kv = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    attention = [(heads + 2 * kv, shape.hidden), (shape.hidden, heads)]
    return [*attention, (2 * shape.inner, shape.hidden), (shape.hidden, shape.inner)]


def _sized(tensor: Tensor, *size: int) -> Tensor:
    """The tensor, if it has that size: the library reads as many numbers as the configuration says that there are."""
    if tensor.shape != size:
        told, found = ("x".join(map(str, one)) for one in (size, tensor.shape))
        raise ModelError(f"the weights do not fit config.json: {found} numbers where it says {told}")
    return tensor


def _list(numbers: Sequence[int]) -> Any:
    return (c_int64 * len(numbers))(*numbers)


_PROBLEMS = ("", "not enough memory", "an id is not in the vocabulary", "a position is past the window")
