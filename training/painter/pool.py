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
from llmos.tools.painter import LENGTH, cut, read
from llmos.training.painter.captions import told
from llmos.training.painter.draw import SIDE, drawn
from llmos.training.painter.scenes import Scene, held_out, made

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
    scenes = _scenes(rng, size)
    captions = [told(scene, rng, whole=False) for scene in scenes]
    pieces, starts = [], [0]
    for first in range(0, size, _AT_ONCE):
        states, real = read(captions[first : first + _AT_ONCE])
        for row, kept in zip(states, real, strict=True):
            pieces.append(row[kept].half())
            starts.append(starts[-1] + int(kept.sum()))
    return Pool(scenes, torch.cat(pieces), starts, read([""])[0][0].half())


def _scenes(rng: random.Random, count: int) -> list[Scene]:
    """Scenes of which none is held out."""
    scenes: list[Scene] = []
    while len(scenes) < count:
        scene = made(rng)
        if not held_out(scene):
            scenes.append(scene)
    return scenes


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
        self._begun: dict[int, list[Future[tuple[list[str], bytes]]]] = {}
        self._last: tuple[int, Gallery] | None = None

    def gallery(self, number: int) -> Gallery:
        """One of the galleries."""
        if self._last is None or self._last[0] != number:
            self._begin(number)
            shares = [share.result() for share in self._begun.pop(number)]
            self._last = None  # two do not lie there at once
            self._last = (number, self._hung(shares))
            self._begin(number + 1)
        return self._last[1]

    def _begin(self, number: int) -> None:
        if number not in self._begun:
            names = [f"gallery {self._seed} {number} {first}" for first in range(0, self._size, _SHARE)]
            self._begun[number] = [self._executor.submit(share, name, _SHARE, self._side) for name in names]

    def _hung(self, shares: Sequence[tuple[list[str], bytes]]) -> Gallery:
        captions = [caption for some, _ in shares for caption in some]
        drawings = np.frombuffer(b"".join(pictures for _, pictures in shares), dtype=np.uint8)
        shape = (len(captions), self._side, self._side, 3)
        pictures = torch.from_numpy(drawings.reshape(shape).copy()).to(self._device)
        rows = cut(self._encoder.wordpieces([*captions, ""]))
        words = torch.zeros(len(rows), LENGTH, WIDTH, dtype=torch.half, device=self._device)
        real = torch.zeros(len(rows), LENGTH, dtype=torch.bool, device=self._device)
        with torch.inference_mode():
            for first in range(0, len(rows), 2048):
                states, there = self._encoder.states(rows[first : first + 2048])
                words[first : first + 2048, : states.shape[1]] = states.half()
                real[first : first + 2048, : states.shape[1]] = there
        return Gallery(pictures, words, real)


@contextmanager
def gallerist(seed: int, size: int, side: int, device: str) -> Iterator[Gallerist]:
    """A gallerist with a process for each core but two."""
    executor = ProcessPoolExecutor(max(1, (os.cpu_count() or 1) - 2), get_context("spawn"))
    try:
        yield Gallerist(executor, seed, size, side, device)
    finally:
        executor.shutdown(cancel_futures=True)


def share(name: str, count: int, side: int) -> tuple[list[str], bytes]:
    """``count`` scenes by the chance of a name: their captions, and their pictures one behind the other."""
    rng = random.Random(name)
    scenes = _scenes(rng, count)
    captions = [told(scene, rng, whole=False) for scene in scenes]
    return captions, b"".join(drawn(scene, rng, side).tobytes() for scene in scenes)
