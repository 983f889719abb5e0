"""Does the painter paint what was said? Held-out prompts, painted once with seeds in order, looked at twice: by their
pixels (``looks``), and by a checker that learnt from rendered scenes (``checker``).

Colour, object and count are of prompts for one to four of a thing, relations of prompts for two things, by pixels
alone. Beside each share stands the same for rendered pictures of the same scenes: what the looking itself gets right.
"""

import random
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from llmos.training.painter.captions import kept_back
from llmos.training.painter.checker import Checker
from llmos.training.painter.draw import SIDE, drawn
from llmos.training.painter.looks import Piece, Pixels, pieces, unlike, what
from llmos.training.painter.scenes import Pair, Scene, Things

if TYPE_CHECKING:
    from PIL.Image import Image

PAIRS = 0.4  # of the prompts
SHEET = 40


def prompts(count: int, seed: int) -> list[tuple[Scene, str]]:
    """Held-out scenes of things and of pairs with a caption each, pairs last."""
    found = kept_back(seed, count * 12)
    pairs = [one for one in found if isinstance(one[0], Pair)][: round(count * PAIRS)]
    things = [one for one in found if isinstance(one[0], Things) and _tellable(one[0])][: count - len(pairs)]
    return [*things, *pairs]


def report(painter: Any, checker: Checker, count: int = 200, seed: int = 0) -> dict[str, dict[str, dict[str, float]]]:
    """Shares that are right by either way of looking, painted and rendered, with how many they are of."""
    asked = prompts(count, seed)
    rng = random.Random(f"rendered {seed}")
    pictures = {
        "painted": [small(painter, words, seed + n) for n, (_, words) in enumerate(asked)],
        "rendered": [np.asarray(drawn(scene, rng, SIDE)) for scene, _ in asked],
    }
    return {
        "by pixels": {name: judged(asked, each) for name, each in pictures.items()},
        "by the checker": {name: checked(asked, each, checker) for name, each in pictures.items()},
    }


def checked(asked: Sequence[tuple[Scene, str]], pictures: Sequence[Pixels], checker: Checker) -> dict[str, float]:
    """The shares that a checker finds right of pictures of these scenes; pairs are not its matter."""
    things = [(scene, seen) for (scene, _), seen in zip(asked, pictures, strict=True) if isinstance(scene, Things)]
    marks: dict[str, list[bool]] = {"colour": [], "object": [], "count": []}
    for (scene, _), (thing, colour, count) in zip(things, checker.told([seen for _, seen in things]), strict=True):
        marks["object"].append(thing == scene.thing)
        marks["colour"].append(colour == scene.colour)
        marks["count"].append(count == scene.count)
    return _shares(marks)


def judged(asked: Sequence[tuple[Scene, str]], pictures: Sequence[Pixels]) -> dict[str, float]:
    """The shares that are right, by their pixels, of pictures of these scenes."""
    marks: dict[str, list[bool]] = {"colour": [], "object": [], "count": [], "relation": []}
    for (scene, _), picture in zip(asked, pictures, strict=True):
        found = pieces(picture)
        if isinstance(scene, Things):
            thing, colour = what(found[0]) if found else ("", "")
            marks["object"].append(thing == scene.thing)
            marks["colour"].append(colour == scene.colour)
            marks["count"].append(len(found) == scene.count)
        elif isinstance(scene, Pair):
            marks["relation"].append(related(found, scene))
    return _shares(marks)


def _shares(marks: dict[str, list[bool]]) -> dict[str, float]:
    shares = {name: sum(each) / len(each) for name, each in marks.items() if each}
    return shares | {f"{name}_of": len(each) for name, each in marks.items()}


def related(found: Sequence[Piece], scene: Pair) -> bool:
    """Whether there are two things, each as it was asked for rather than as the other was, in the asked relation."""
    if len(found) < 2:
        return False
    one, other = found[:2]
    straight = unlike(one, scene.thing, scene.colour) + unlike(other, scene.other, scene.other_colour)
    crossed = unlike(other, scene.thing, scene.colour) + unlike(one, scene.other, scene.other_colour)
    if crossed < straight:
        one, other = other, one
    apart = {
        "left of": other.x - one.x,
        "right of": one.x - other.x,
        "above": other.y - one.y,
        "below": one.y - other.y,
    }
    across = abs(one.y - other.y) if scene.relation in ("left of", "right of") else abs(one.x - other.x)
    return apart[scene.relation] > max(across, 0.1)


def small(painter: Any, words: str, seed: int, side: int = SIDE) -> Pixels:
    """What the painter makes of words, ``side`` pixels a side, as its network left it."""
    made = painter(words, width=side, height=side, generator=torch.Generator().manual_seed(seed))
    return np.asarray(made.images[0])


def sheet(painter: Any, seed: int = 0) -> "Image":
    """Forty held-out prompts of every kind with what was painted of them, in order, none left out."""
    from PIL import Image, ImageDraw

    cell, wide = (160, 208), 8
    whole = Image.new("RGB", (cell[0] * wide, cell[1] * (SHEET // wide)), "white")
    draw = ImageDraw.Draw(whole)
    for n, (_, words) in enumerate(kept_back(seed, SHEET)):
        x, y = n % wide * cell[0], n // wide * cell[1]
        picture = Image.fromarray(small(painter, words, seed + n))
        whole.paste(picture.resize((152, 152), Image.Resampling.NEAREST), (x + 4, y + 2))
        for line, part in enumerate(textwrap.wrap(words, 26)):
            draw.text((x + 4, y + 156 + line * 12), part, fill="black")
    return whole


def _tellable(scene: Things) -> bool:
    """Colours that differ enough from the ground to be seen by :func:`pieces`."""
    return scene.colour != scene.ground
