"""A second look at what the painter paints: a small network that learnt from rendered scenes which thing it is, in
which colour and how many.

It sees no painted picture while it learns, and no scene that is held out; nothing that is shipped uses it. What it
learns from is made soft, bent and noisy first, for otherwise it would go by edges that only a renderer draws. How
often it is right about rendered held-out scenes is reported beside whatever it says of painted ones. Everything
follows from the seed.
"""

import os
import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from llmos.training.painter.draw import SIDE, drawn
from llmos.training.painter.looks import Pixels
from llmos.training.painter.scenes import Land, Logo, Pair, Scene, Things
from llmos.training.painter.shares import learnt
from llmos.training.painter.things import COLOURS, THINGS

FILE = "checker.pt"
_NUMBERS = (1, 2, 3, 4)
_KINDS = [len(THINGS), len(COLOURS), len(_NUMBERS)]
_LAYERS = ((3, 32, 2), (32, 64, 2), (64, 96, 2), (96, 128, 1), (128, 128, 2))  # into, out, stride


@dataclass(frozen=True, slots=True)
class Lesson:
    """How much it learns from: ``steps`` of ``batch`` pictures."""

    steps: int = 1200
    batch: int = 64
    rate: float = 2e-3
    seed: int = 0


class Checker(nn.Module):
    """Its answers are logits of each thing, each colour and each count, side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(*(_layer(*each) for each in _LAYERS))
        self.named = nn.Linear(2 * _LAYERS[-1][1], sum(_KINDS))

    def forward(self, pictures: Tensor) -> Tensor:
        """Of pictures ``(n, 3, 64, 64)`` from -1 to 1."""
        seen = self.layers(pictures).flatten(2)
        made: Tensor = self.named(torch.cat([seen.mean(2), seen.amax(2)], -1))
        return made

    @torch.no_grad()
    def told(self, pictures: Sequence[Pixels]) -> list[tuple[str, str, int]]:
        """The likeliest thing, colour and count of each picture."""
        if not pictures:
            return []
        best = [part.argmax(1).tolist() for part in torch.split(self(_values(pictures)), _KINDS, 1)]
        things, colours = list(THINGS), list(COLOURS)
        return [(things[n], colours[m], _NUMBERS[k]) for n, m, k in zip(*best, strict=True)]


def learn(lesson: Lesson, heard: Callable[[int, float], None] = lambda step, loss: None) -> Checker:
    """A trained checker; ``heard`` is told each step and its loss."""
    rng, chance = random.Random(f"checker {lesson.seed}"), torch.Generator().manual_seed(lesson.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(lesson.seed)
        checker = Checker()
    optimizer = torch.optim.AdamW(checker.parameters(), lesson.rate, weight_decay=0.01)
    for step in range(lesson.steps):
        scenes = learnt(rng, lesson.batch)
        pictures = _values([np.asarray(drawn(scene, rng, SIDE)) for scene in scenes])
        truth = torch.stack([shown(scene) for scene in scenes])
        loss = _missed(checker(rough(pictures, rng, chance)), truth)
        for each in optimizer.param_groups:
            each["lr"] = lesson.rate * min(1, (step + 1) / 50) * min(1, (1 - step / lesson.steps) / 0.7)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(checker.parameters(), 1.0)
        optimizer.step()
        heard(step + 1, float(loss.detach()))
    return checker.eval()


def kept(folder: Path, lesson: Lesson | None = None) -> Checker:
    """The checker of a folder; where there is none of this lesson, it is trained first, telling now and then."""
    lesson = lesson or Lesson()
    if (folder / FILE).exists():
        state = torch.load(folder / FILE, map_location="cpu", weights_only=True)
        if state["lesson"] == asdict(lesson):
            checker = Checker()
            checker.load_state_dict(state["weights"])
            return checker.eval()
    checker = learn(lesson, _telling(lesson))
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{FILE}.part"
    torch.save({"lesson": asdict(lesson), "weights": checker.state_dict()}, part)
    os.replace(part, folder / FILE)
    return checker


def shown(scene: Scene) -> Tensor:
    """Of the things, the colours and the counts, 1 for each that is in a scene; of faces, flags and charts none is."""
    things, colours, count = list[str](), list[str](), 0
    match scene:
        case Things():
            things, colours, count = [scene.thing], [scene.colour], scene.count
        case Pair():
            things, colours = [scene.thing, scene.other], [scene.colour, scene.other_colour]
        case Land() if scene.feature:
            things, colours = [scene.feature], [scene.colour]
        case Logo():
            things, colours = [scene.thing], [scene.colour]
        case _:
            pass
    marks = [name in things for name in THINGS] + [name in colours for name in COLOURS]
    return torch.tensor([*marks, *(count == number for number in _NUMBERS)], dtype=torch.float)


def rough(pictures: Tensor, rng: random.Random, chance: torch.Generator) -> Tensor:
    """Pictures ``(n, 3, side, side)`` as if they were not quite finished: soft, bent, stained, noisy, as it comes."""
    count, side = len(pictures), pictures.shape[-1]

    def part(most: float) -> Tensor:
        return torch.rand(count, 1, 1, 1, generator=chance) * most

    def slopes(kinds: int, size: int) -> Tensor:
        dots = torch.randn(count, kinds, size, size, generator=chance)
        return functional.interpolate(dots, size=side, mode="bilinear")

    coarse = functional.interpolate(pictures, size=rng.choice((26, 32, 40, 48)), mode="bilinear", antialias=True)
    soft = pictures + (functional.interpolate(coarse, size=side, mode="bilinear") - pictures) * part(1.0)
    turns = torch.randn(count, 2, 3, generator=chance) * torch.tensor([0.04, 0.04, 0.02]) + torch.eye(2, 3)
    grid = functional.affine_grid(turns, list(pictures.shape), align_corners=False)
    grid = grid + slopes(2, 6).permute(0, 2, 3, 1) * 0.025
    bent = functional.grid_sample(soft, grid, padding_mode="border", align_corners=False)
    noise = torch.randn(pictures.shape, generator=chance) * part(0.12)
    return (bent + slopes(3, 6) * part(0.1) + noise).clamp(-1, 1)


def _missed(guess: Tensor, truth: Tensor) -> Tensor:
    """How far what is told is from what is there, kind by kind, where there is any."""
    total = torch.zeros(())
    for told, there in zip(*(torch.split(each, _KINDS, 1) for each in (guess, truth)), strict=True):
        some = there.sum(1) > 0
        if some.any():
            total = total + functional.cross_entropy(told[some], there[some] / there[some].sum(1, keepdim=True))
    return total


def _values(pictures: Sequence[Pixels]) -> Tensor:
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1


def _layer(into: int, out: int, stride: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(into, out, 3, stride, 1, bias=False), nn.GroupNorm(8, out), nn.SiLU())


def _telling(lesson: Lesson) -> Callable[[int, float], None]:
    """Tells the mean loss now and then, where it is in no one's way who reads the measurement."""
    began, losses = time.monotonic(), list[float]()

    def heard(step: int, loss: float) -> None:
        losses.append(loss)
        if step % 100 == 0 or step == lesson.steps:
            mean, after = sum(losses) / len(losses), time.monotonic() - began
            line = f"checker: step {step:,} of {lesson.steps:,} after {after:.0f} s  loss {mean:.4f}"
            print(line, file=sys.stderr, flush=True)
            losses.clear()

    return heard
