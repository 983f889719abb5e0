"""Keys and values of the branches that are being decoded: a row each, so that one operation reads them all.

Knows nothing of ids, nor of what is shared: that is ``tree``.
"""

import heapq
import math

import numpy as np
import torch
from torch import Tensor

from llmos.kernel.shape import Shape

# Tokens that a row has room for at first; more where graphs are recorded, which must be anew when rows grow.
ROOM, WIDE = 64, 256


class Rows:
    """Per layer a tensor of shape (2, rows, kv heads, room, head_dim). ``lengths`` are the tokens that a row holds."""

    def __init__(self, shape: Shape, device: str, dtype: torch.dtype) -> None:
        self._size = (2, 1, shape.kv_heads, WIDE if device.startswith("cuda") else ROOM, shape.head_dim)
        # Zeros, since a masked place still takes part: nothing times what is no number is no number.
        self.layers = [torch.zeros(self._size, device=device, dtype=dtype) for _ in range(shape.layers)]
        self.lengths = [0]
        self._free = [0]

    @property
    def bytes(self) -> int:
        """What all of it takes."""
        return sum(t.numel() * t.element_size() for t in self.layers)

    def shrink(self) -> None:
        """Begin anew where no row is in use: many short rows need not each have the room that a long one had."""
        if len(self._free) == len(self.lengths):
            self.layers = [old.new_zeros(self._size) for old in self.layers]
            self.lengths, self._free = [0], [0]

    def take(self) -> int:
        """An empty row, the lowest that is free."""
        self.spare(1)
        return heapq.heappop(self._free)

    def spare(self, wanted: int) -> None:
        """Have so many rows free."""
        if wanted <= len(self._free):
            return
        count = len(self.lengths)
        more = max(count, wanted - len(self._free))
        self._grow(count + more, self.layers[0].shape[3])
        self.lengths += [0] * more
        self._free += range(count, count + more)  # the highest, so that it stays a heap

    def give(self, row: int) -> None:
        """Let another have it."""
        self.lengths[row] = 0
        heapq.heappush(self._free, row)

    def reserve(self, length: int) -> None:
        """Make room for ``length`` tokens in every row; in all layers alike, though it failed in one of them before."""
        rows, room = self.layers[0].shape[1], self.layers[0].shape[3]
        if length > room:
            # More than is asked for: after a prompt come the tokens of its reply.
            self._grow(rows, max(length + length // 4, 2 * room))
        elif self.layers[-1].shape != self.layers[0].shape:
            self._grow(rows, room)

    def read(self, row: int, start: int, end: int, dtype: torch.dtype) -> Tensor:
        """A copy of a row's tokens ``start`` to ``end``, of shape (layers, 2, kv heads, end - start, head_dim)."""
        return torch.stack([t[:, row, :, start:end] for t in self.layers]).to(dtype)

    def append(self, row: int, run: Tensor) -> None:
        """Put what ``read`` gave behind a row's tokens."""
        start = self.lengths[row]
        end = start + run.shape[3]
        self.reserve(end)
        for layer, one in zip(self.layers, run, strict=True):
            layer[:, row, :, start:end] = one
        self.lengths[row] = end

    def copy(self, source: int, target: int) -> None:
        """Make a row hold what another does."""
        length = self.lengths[source]
        for layer in self.layers:
            layer[:, target, :, :length] = layer[:, source, :, :length]
        self.lengths[target] = length

    def _grow(self, rows: int, room: int) -> None:
        """Layer by layer, as memory for all of them twice may be too much: the first is never behind the others."""
        longest = max(self.lengths)
        for n, old in enumerate(self.layers):
            if old.shape[1] != rows or old.shape[3] != room:
                new = _zeros(old, 2, rows, old.shape[2], room, old.shape[4])
                new[:, : old.shape[1], :, :longest] = old[:, :, :, :longest]
                self.layers[n] = new


def _zeros(like: Tensor, *size: int) -> Tensor:
    """Zeros, on the CPU in memory that costs nothing until it is written to."""
    if like.device.type != "cpu":
        return like.new_zeros(size)
    plain = np.zeros(math.prod(size) * like.element_size(), dtype=np.uint8)
    return torch.from_numpy(plain).view(like.dtype).view(size)
