"""A share of what the painter learns from: scenes that are not held out, in words and drawn.

It loads no network, so that the processes that draw are there at once.
"""

import random

import numpy as np
import numpy.typing as npt

from llmos.kernel.minilm import wordpieces
from llmos.tools.painter_words import LENGTH, cut
from llmos.training.painter.captions import told
from llmos.training.painter.draw import drawn
from llmos.training.painter.scenes import Scene, held_out, made

Pieces = npt.NDArray[np.uint16]


def share(name: str, count: int, side: int) -> tuple[Pieces, bytes]:
    """``count`` scenes by the chance of a name: their captions' wordpieces ``(count, LENGTH)``, padded with 0, and
    their pictures one behind the other."""
    rng = random.Random(name)
    scenes = learnt(rng, count)
    captions = [told(scene, rng, whole=False) for scene in scenes]
    return pieces(captions), b"".join(drawn(scene, rng, side).tobytes() for scene in scenes)


def learnt(rng: random.Random, count: int) -> list[Scene]:
    """Scenes of which none is held out."""
    scenes: list[Scene] = []
    while len(scenes) < count:
        scene = made(rng, learnt=True)
        if not held_out(scene):
            scenes.append(scene)
    return scenes


def pieces(captions: list[str]) -> Pieces:
    """What the painter reads of captions."""
    laid = np.zeros((len(captions), LENGTH), np.uint16)
    for place, row in enumerate(cut([wordpieces().encode(caption).ids for caption in captions])):
        laid[place, : len(row)] = row
    return laid
