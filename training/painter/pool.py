"""What the painter is trained on: scenes of the world that are not held out, in words, read by all-MiniLM once.

A pool's captions are read once and its scenes drawn anew each time, so that one caption is seen with many pictures. A
later pool has other scenes. Everything follows from the seed.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from llmos.kernel.minilm import WIDTH
from llmos.tools.painter import read
from llmos.training.painter.captions import told
from llmos.training.painter.draw import SIDE, drawn
from llmos.training.painter.scenes import Scene, held_out, made

_AT_ONCE = 256
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
    scenes: list[Scene] = []
    while len(scenes) < size:
        scene = made(rng)
        if not held_out(scene):
            scenes.append(scene)
    captions = [told(scene, rng) for scene in scenes]
    pieces, starts = [], [0]
    for first in range(0, size, _AT_ONCE):
        states, real = read(captions[first : first + _AT_ONCE])
        for row, kept in zip(states, real, strict=True):
            pieces.append(row[kept].half())
            starts.append(starts[-1] + int(kept.sum()))
    return Pool(scenes, torch.cat(pieces), starts, read([""])[0][0].half())
