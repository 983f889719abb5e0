"""The scenes of the painter's world, as values, and how one is drawn by chance. No pictures and no words here.

:func:`held_out` keeps one scene in sixteen, by what it is composed of, from ever being trained on.
"""

import hashlib
import random
from collections.abc import Callable
from dataclasses import astuple, dataclass

from llmos.training.painter.things import COLOURS, THINGS

SIZES = ("small", "middle", "large")
PLACES = ("", "left", "right", "top", "bottom")
RELATIONS = ("left of", "right of", "above", "below")
GROUNDS = ("sea", "meadow", "hills", "desert", "snow", "mountains", "city", "forest")
TIMES = ("day", "night", "sunset")
WEATHERS = ("clear", "cloudy", "rain", "snowfall")
BODIES = ("sun", "full moon", "crescent moon", "")
FEATURES = ("lighthouse", "house", "boat", "tree", "cactus", "car", "balloon", "rocket", "snowman", "bird", "")
MOODS = ("smiling", "sad", "surprised")
HAIRS = ("short", "long", "curly", "bald")
EXTRAS = ("", "glasses", "hat", "beard")
FLAGS = ("horizontal", "vertical", "cross", "disc", "star")
CHARTS = ("bar", "line", "pie")
TRENDS = ("rising", "falling", "mixed")
FRAMES = ("circle", "square", "hexagon", "diamond", "shield")
_HELD = 16


@dataclass(frozen=True, slots=True)
class Things:
    """``count`` (1 to 4) of a thing in a colour, on a plain ground; a single one may have a place."""

    thing: str
    colour: str
    count: int
    ground: str
    size: str = "middle"
    place: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    """One thing ``relation`` another."""

    thing: str
    colour: str
    relation: str
    other: str
    other_colour: str
    ground: str


@dataclass(frozen=True, slots=True)
class Land:
    """A landscape: its ground, the time of day, the weather, what stands in the sky and in front."""

    ground: str
    time: str
    weather: str
    body: str
    feature: str
    colour: str


@dataclass(frozen=True, slots=True)
class Face:
    """A face of simple style."""

    mood: str
    hair: str
    hair_colour: str
    extra: str
    ground: str


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag of two or three colours; of a cross, a disc or a star the first is the ground."""

    pattern: str
    colours: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Logo:
    """A thing in a frame."""

    frame: str
    frame_colour: str
    thing: str
    colour: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart as a picture: ``parts`` bars, points or slices."""

    kind: str
    colour: str
    parts: int
    trend: str


Scene = Things | Pair | Land | Face | Flag | Logo | Chart


def made(rng: random.Random, learnt: bool = False) -> Scene:
    """A scene by chance; kinds as often as they are asked for, or as often as their composition is hard to learn."""
    return rng.choices([maker for maker, *_ in _MAKERS], [often[learnt] for _, *often in _MAKERS])[0](rng)


def held_out(scene: Scene) -> bool:
    """Whether this composition is kept for measuring; sizes, places and grounds of single things do not count."""
    core: tuple[object, ...]
    match scene:
        case Things():
            core = (scene.thing, scene.colour, scene.count)
        case Pair():
            core = (scene.thing, scene.colour, scene.relation, scene.other, scene.other_colour)
        case _:
            core = astuple(scene)
    digest = hashlib.sha256(repr((type(scene).__name__, core)).encode()).digest()
    return digest[0] % _HELD == 0


def _colour(rng: random.Random, *but: str) -> str:
    return rng.choice([name for name in COLOURS if name not in but])


def _things(rng: random.Random) -> Things:
    colour, count = _colour(rng), rng.choices((1, 2, 3, 4), (4, 3, 3, 3))[0]
    size = rng.choice(SIZES) if count == 1 and rng.random() < 0.4 else "middle"
    place = rng.choice(PLACES[1:]) if count == 1 and rng.random() < 0.3 else ""
    ground = rng.choice(["white", "white", _colour(rng, colour)]) if colour != "white" else _colour(rng, colour)
    return Things(rng.choice(list(THINGS)), colour, count, ground, size, place)


def _pair(rng: random.Random) -> Pair:
    one, other = rng.sample(list(THINGS), 2)
    first, second = _colour(rng), _colour(rng)
    ground = "white" if "white" not in (first, second) and rng.random() < 0.5 else _colour(rng, first, second)
    return Pair(one, first, rng.choice(RELATIONS), other, second, ground)


def _land(rng: random.Random) -> Land:
    time, weather = rng.choice(TIMES), rng.choices(WEATHERS, (4, 2, 1, 1))[0]
    bodies = {"night": ("full moon", "crescent moon", ""), "sunset": ("sun", "sun", "")}.get(time, ("sun", "sun", ""))
    body = rng.choice(bodies) if weather in ("clear", "cloudy") else ""
    feature = rng.choice(FEATURES)
    return Land(rng.choice(GROUNDS), time, weather, body, feature, _colour(rng) if feature else "")


def _face(rng: random.Random) -> Face:
    hair = rng.choice(HAIRS)
    colour = "" if hair == "bald" else rng.choice(("black", "brown", "yellow", "red", "gray", "orange"))
    return Face(rng.choice(MOODS), hair, colour, rng.choice(EXTRAS), _colour(rng, "black", "brown"))


def _flag(rng: random.Random) -> Flag:
    pattern = rng.choice(FLAGS)
    count = rng.choice((2, 3, 3)) if pattern in FLAGS[:2] else 2
    return Flag(pattern, tuple(rng.sample(list(COLOURS), count)))


def _logo(rng: random.Random) -> Logo:
    frame_colour = _colour(rng, "white")
    return Logo(rng.choice(FRAMES), frame_colour, rng.choice(list(THINGS)), _colour(rng, frame_colour))


def _chart(rng: random.Random) -> Chart:
    kind = rng.choice(CHARTS)
    trend = "mixed" if kind == "pie" else rng.choice(TRENDS)
    return Chart(kind, _colour(rng, "white"), rng.randint(2, 5) if kind == "pie" else rng.randint(3, 7), trend)


_MAKERS: tuple[tuple[Callable[[random.Random], Scene], int, int], ...] = (
    *((_things, 10, 14), (_pair, 6, 9), (_land, 6, 5)),
    *((_face, 2, 1), (_flag, 2, 1), (_logo, 2, 2), (_chart, 2, 1)),
)
