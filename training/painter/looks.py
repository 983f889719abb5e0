"""Looks at a picture of things on a plain ground: what they are, their colour, how many, and where.

It knows rendered scenes alone and never saw a painted one: a piece of a picture is what the rendered pieces nearest to
it are. How often it is right about rendered held-out scenes is reported beside whatever it says of painted ones.
"""

import random
from collections import Counter
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from llmos.training.painter.draw import SIDE, drawn
from llmos.training.painter.scenes import Things
from llmos.training.painter.things import COLOURS, THINGS

Pixels = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.float32]

_FAR = 36  # grey levels from the ground, in the channel that differs most
_LEAST = 0.006  # of the picture's area: smaller pieces are specks
_CROP, _SHOTS, _NEAREST = 20, 4, 5


@dataclass(frozen=True, slots=True)
class Piece:
    """Something on the ground: its middle as parts of the side, its share of the picture, and how it looks."""

    x: float
    y: float
    area: float
    shape: Numbers
    colours: Numbers


def pieces(picture: Pixels) -> list[Piece]:
    """What stands on the ground of a square picture ``(side, side, 3)``, the largest first."""
    from scipy import ndimage

    side = len(picture)
    edge = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
    ground = np.median(edge, axis=0)
    mask = np.abs(picture.astype(np.int32) - ground).max(-1) > _FAR
    # Lines of a pixel or two do not part a thing, nor join two.
    joined = ndimage.binary_closing(np.pad(mask, 4), np.ones((3, 3)))[4:-4, 4:-4]
    labels, count = ndimage.label(joined, np.ones((3, 3)))
    found = []
    for number, box in enumerate(ndimage.find_objects(labels, count), 1):
        own = (labels == number) & mask
        area = float(own.mean())
        if area >= _LEAST:
            y, x = ndimage.center_of_mass(own)
            found.append(Piece(float(x) / side, float(y) / side, area, _shape(picture, own, box), _hues(picture[own])))
    return sorted(found, key=lambda piece: -piece.area)


def what(piece: Piece) -> tuple[str, str]:
    """The thing and its colour, by most of the rendered pieces that look most like it."""
    things, colours, shapes, hues = _known()
    near = np.argsort(((shapes - piece.shape) ** 2).sum(-1))[:_NEAREST]
    thing = Counter(things[n] for n in near).most_common(1)[0][0]
    same = [n for n, name in enumerate(things) if name == thing]
    best = same[int(np.argmin(np.abs(hues[same] - piece.colours).sum(-1)))]
    return thing, colours[best]


def unlike(piece: Piece, thing: str, colour: str) -> float:
    """How little a piece looks like a thing in a colour."""
    things, colours, shapes, hues = _known()
    same = [n for n, name in enumerate(things) if name == thing and colours[n] == colour]
    shape = float(((shapes[same] - piece.shape) ** 2).mean(-1).min())
    return shape + float(np.abs(hues[same] - piece.colours).sum(-1).min())


def _shape(picture: Pixels, own: npt.NDArray[np.bool_], box: tuple[slice, slice]) -> Numbers:
    """The piece in a square of its own: where it is, and how bright."""
    from PIL import Image

    high, wide = (part.stop - part.start for part in box)
    size = max(high, wide)
    canvas = np.zeros((size, size, 2), np.uint8)
    top, left = (size - high) // 2, (size - wide) // 2
    grey = picture[box].astype(np.float32) @ np.array([0.3, 0.59, 0.11], np.float32)
    canvas[top : top + high, left : left + wide, 0] = own[box] * 255
    canvas[top : top + high, left : left + wide, 1] = grey * own[box]
    small = [
        np.asarray(Image.fromarray(canvas[..., n]).resize((_CROP, _CROP), Image.Resampling.BOX), np.float32) / 255
        for n in (0, 1)
    ]
    return np.concatenate([small[0].ravel(), 0.5 * small[1].ravel()])


def _hues(seen: Pixels) -> Numbers:
    """The shares of the named colours in some pixels, each counted to the nearest."""
    palette = np.array(list(COLOURS.values()), np.int32)
    nearest = ((seen[:, None, :].astype(np.int32) - palette) ** 2).sum(-1).argmin(-1)
    counts = np.bincount(nearest, minlength=len(palette)).astype(np.float32)
    return counts / max(float(counts.sum()), 1.0)


@cache
def _known() -> tuple[list[str], list[str], Numbers, Numbers]:
    """Rendered pieces of every thing in every colour."""
    rng = random.Random("looks")
    things, colours, shapes, hues = [], [], [], []
    for thing in THINGS:
        for colour in COLOURS:
            for _ in range(_SHOTS):
                ground = rng.choice([name for name in COLOURS if name != colour])
                scene = Things(thing, colour, 1, ground, rng.choice(("middle", "middle", "small")))
                found = pieces(np.asarray(drawn(scene, rng, SIDE)))
                if found:
                    things.append(thing)
                    colours.append(colour)
                    shapes.append(found[0].shape)
                    hues.append(found[0].colours)
    return things, colours, np.stack(shapes), np.stack(hues)
