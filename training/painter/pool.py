"""What the painter is trained on: scenes of the world that are not held out, in words, read by all-MiniLM once.

A pool's captions are read once and its scenes drawn anew each time, so that one caption is seen with many pictures. A
later pool has other scenes. A GPU learns from more pictures than one processor draws: its galleries are drawn ahead, by
processes, and lie on it whole. Everything follows from the seed.
"""

import os
import random
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np
import torch

from llmos.kernel.minilm import WIDTH, Embedder
from llmos.tools.painter_words import LENGTH, read
from llmos.training.painter.captions import told
from llmos.training.painter.draw import SIDE, drawn
from llmos.training.painter.scenes import Scene
from llmos.training.painter.shares import Pieces, learnt, pieces, share

_AT_ONCE = 256
_SHARE = 500  # scenes that one process draws at a time
UNTOLD = 0.1  # share of captions left out, so that the network also paints without words: guidance needs both


@dataclass(frozen=True, slots=True)
class Pool:
    """Scenes, and of each the states of its caption's wordpieces: ``words[starts[n] : starts[n + 1]]``, half-length."""

    scenes: Sequence[Scene]
    words: torch.Tensor
    starts: Sequence[int]
    untold: torch.Tensor

    def batch(self, rng: random.Random, size: int, side: int = SIDE) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Pictures ``(size, side, side, 3)`` of bytes, states ``(size, longest, 384)``, and which are no padding."""
        chosen = [rng.randrange(len(self.scenes)) for _ in range(size)]
        pictures = np.stack([np.asarray(drawn(self.scenes[n], rng, side)) for n in chosen])
        rows = [self.untold if rng.random() < UNTOLD else self._words(n) for n in chosen]
        states, real = torch.zeros(size, max(map(len, rows)), WIDTH), torch.zeros(size, max(map(len, rows)))
        for place, row in enumerate(rows):
            states[place, : len(row)] = row.float()
            real[place, : len(row)] = 1
        return torch.from_numpy(pictures), states, real.bool()

    def _words(self, n: int) -> torch.Tensor:
        return self.words[self.starts[n] : self.starts[n + 1]]


def fill(seed: int, size: int) -> Pool:
    """A pool of ``size`` scenes, none of them held out."""
    rng = random.Random(f"pool {seed}")
    scenes = learnt(rng, size)
    captions = [told(scene, rng, whole=False) for scene in scenes]
    rows, starts = [], [0]
    for first in range(0, size, _AT_ONCE):
        states, real = read(captions[first : first + _AT_ONCE])
        for row, kept in zip(states, real, strict=True):
            rows.append(row[kept].half())
            starts.append(starts[-1] + int(kept.sum()))
    return Pool(scenes, torch.cat(rows), starts, read([""])[0][0].half())


@dataclass(frozen=True, slots=True)
class Gallery:
    """Drawn scenes on a device: pictures ``(n, side, side, 3)`` of bytes, their captions' states ``(n, LENGTH, 384)``,
    half-length, and which of these are no padding; the last row of both is the caption that says nothing."""

    pictures: torch.Tensor
    words: torch.Tensor
    real: torch.Tensor

    def batch(self, chance: torch.Generator, size: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """As of a pool, every caption :data:`LENGTH` long."""
        last, device = len(self.pictures), self.pictures.device
        chosen = torch.randint(last, (size,), generator=chance, device=device)
        told = torch.where(torch.rand(size, generator=chance, device=device) < UNTOLD, last, chosen)
        return self.pictures[chosen], self.words[told].float(), self.real[told]


class Gallerist:
    """Makes galleries ``0, 1, …`` of ``size`` scenes each; while one is learnt from the next is drawn."""

    def __init__(self, executor: ProcessPoolExecutor, seed: int, size: int, side: int, device: str) -> None:
        self._executor, self._seed, self._size, self._side = executor, seed, size, side
        self._encoder, self._device = Embedder.load().to(device), device
        self._begun: dict[int, list[Future[tuple[Pieces, bytes]]]] = {}
        self._last: tuple[int, Gallery] | None = None

    def gallery(self, number: int) -> Gallery:
        """One of the galleries."""
        if self._last is None or self._last[0] != number:
            self.begin(number)
            shares = self._begun.pop(number)
            self._last = None  # two do not lie there at once
            self._last = (number, self._hung(shares))
            self.begin(number + 1)
        return self._last[1]

    def begin(self, number: int) -> None:
        """Have a gallery drawn."""
        if number not in self._begun:
            names = [f"gallery {self._seed} {number} {first}" for first in range(0, self._size, _SHARE)]
            self._begun[number] = [self._executor.submit(share, name, _SHARE, self._side) for name in names]

    def _hung(self, shares: list[Future[tuple[Pieces, bytes]]]) -> Gallery:
        count, device = len(shares) * _SHARE, self._device
        pictures = torch.empty(count, self._side, self._side, 3, dtype=torch.uint8, device=device)
        words = torch.zeros(count + 1, LENGTH, WIDTH, dtype=torch.half, device=device)
        real = torch.zeros(count + 1, LENGTH, dtype=torch.bool, device=device)
        for first in range(0, count, _SHARE):
            laid, drawings = shares.pop(0).result()
            place = slice(first, first + _SHARE)
            seen = np.frombuffer(drawings, dtype=np.uint8).reshape(pictures[place].shape).copy()
            pictures[place] = torch.from_numpy(seen).to(device)
            words[place], real[place] = self._read(laid)
        words[-1:], real[-1:] = self._read(pieces([""]))
        return Gallery(pictures, words, real)

    def _read(self, laid: Pieces) -> tuple[torch.Tensor, torch.Tensor]:
        """The states of wordpieces, nothing where there is padding, and which are no padding."""
        with torch.inference_mode():
            states, real = self._encoder.laid(torch.from_numpy(laid.astype(np.int64)).to(self._device))
        return states.half() * real[..., None], real


@contextmanager
def gallerist(seed: int, size: int, side: int, device: str, processes: int = 0) -> Iterator[Gallerist]:
    """A gallerist with so many processes; by default one for each core but two."""
    count = processes or max(1, (os.cpu_count() or 1) - 2)
    executor = ProcessPoolExecutor(count, get_context("spawn"))
    try:
        yield Gallerist(executor, seed, size, side, device)
    finally:
        executor.shutdown(cancel_futures=True)
