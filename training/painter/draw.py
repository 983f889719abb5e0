"""Draws a scene: the same scene with another chance gives another picture of the same description.

64 pixels a side by default, drawn three times as large and averaged down. About a millisecond each.
"""

import math
import random
from typing import TYPE_CHECKING

from llmos.training.painter.scenes import Chart, Face, Flag, Land, Logo, Pair, Scene, Things
from llmos.training.painter.things import COLOURS, DARK, LIGHT, THINGS, Colour, Pen, shade, star

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

SIDE, _FINE = 64, 3
_SKIES: dict[str, tuple[Colour, Colour]] = {
    "day": ((96, 168, 236), (200, 228, 248)),
    "night": ((12, 16, 48), (40, 48, 96)),
    "sunset": ((110, 70, 140), (252, 168, 92)),
}
_GREY: tuple[Colour, Colour] = ((128, 136, 148), (184, 190, 198))
_LANDS: dict[str, Colour] = {
    "sea": (34, 98, 168),
    "meadow": (96, 178, 76),
    "hills": (78, 150, 70),
    "desert": (232, 196, 120),
    "snow": (240, 244, 250),
    "mountains": (110, 120, 110),
    "city": (110, 110, 116),
    "forest": (60, 120, 60),
}


def drawn(scene: Scene, rng: random.Random, side: int = SIDE) -> "Image":
    """The picture of a scene, ``side`` pixels a side, RGB."""
    from PIL import Image, ImageDraw

    whole = side * _FINE
    picture = Image.new("RGB", (whole, whole))
    draw = ImageDraw.Draw(picture)
    match scene:
        case Things():
            _things(draw, whole, scene, rng)
        case Pair():
            _pair(draw, whole, scene, rng)
        case Land():
            _land(draw, whole, scene, rng)
        case Face():
            _face(draw, whole, scene, rng)
        case Flag():
            _flag(draw, whole, scene, rng)
        case Logo():
            _logo(draw, whole, scene, rng)
        case Chart():
            _chart(draw, whole, scene, rng)
    return picture.reduce(_FINE)


def _near(colour: Colour, rng: random.Random, by: int = 10) -> Colour:
    red, green, blue = (min(max(c + rng.randint(-by, by), 0), 255) for c in colour)
    return red, green, blue


def _ground(draw: "ImageDraw", whole: int, name: str, rng: random.Random) -> None:
    draw.rectangle((0, 0, whole, whole), fill=_near(COLOURS[name], rng, 6))


def _stamp(draw: "ImageDraw", thing: str, colour: str, at: tuple[float, float, float], rng: random.Random) -> None:
    """A thing at ``(x, y, reach)`` in pixels."""
    turn = thing != "arrow" and rng.random() < 0.5
    THINGS[thing](Pen(draw, *at, turn), _near(COLOURS[colour], rng))


def _things(draw: "ImageDraw", whole: int, scene: Things, rng: random.Random) -> None:
    _ground(draw, whole, scene.ground, rng)
    for x, y, reach in _spots(scene, rng):
        _stamp(draw, scene.thing, scene.colour, (x * whole, y * whole, reach * whole), rng)


def _spots(scene: Things, rng: random.Random) -> list[tuple[float, float, float]]:
    """Where the things stand, as parts of the side, apart from each other."""

    def about(x: float, y: float, reach: float, by: float) -> tuple[float, float, float]:
        return x + rng.uniform(-by, by), y + rng.uniform(-by, by), reach * rng.uniform(0.9, 1.08)

    if scene.count == 1:
        reach = {"small": 0.15, "middle": 0.29, "large": 0.42}[scene.size]
        if scene.place:
            reach = min(reach, 0.22)
        x, y = {"left": (0.25, 0.5), "right": (0.75, 0.5), "top": (0.5, 0.25), "bottom": (0.5, 0.75)}.get(
            scene.place, (0.5, 0.5)
        )
        return [about(x, y, reach, 0.02 if scene.size == "large" else 0.05)]
    layouts = {
        2: (((0.25, 0.5), (0.75, 0.5)),),
        3: (((0.25, 0.25), (0.75, 0.25), (0.5, 0.75)), ((0.5, 0.25), (0.25, 0.75), (0.75, 0.75))),
        4: (((0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)),),
    }
    return [about(x, y, 0.175, 0.025) for x, y in rng.choice(layouts[scene.count])]


def _pair(draw: "ImageDraw", whole: int, scene: Pair, rng: random.Random) -> None:
    _ground(draw, whole, scene.ground, rng)
    low, high = 0.25 + rng.uniform(-0.02, 0.02), 0.75 + rng.uniform(-0.02, 0.02)
    across = 0.5 + rng.uniform(-0.06, 0.06)
    first, second = (low, high) if scene.relation in ("left of", "above") else (high, low)
    flat = scene.relation in ("left of", "right of")
    things = ((scene.thing, scene.colour, first), (scene.other, scene.other_colour, second))
    for thing, colour, along in things:
        x, y = (along, across) if flat else (across, along)
        _stamp(draw, thing, colour, (x * whole, y * whole, 0.19 * rng.uniform(0.9, 1.08) * whole), rng)


def _land(draw: "ImageDraw", whole: int, scene: Land, rng: random.Random) -> None:
    top, bottom = _SKIES[scene.time] if scene.weather == "clear" or scene.time == "night" else _GREY
    horizon = whole * rng.uniform(0.56, 0.66)
    for row in range(int(horizon)):
        part = row / horizon
        line = tuple(round(a + (b - a) * part) for a, b in zip(top, bottom, strict=True))
        draw.line((0, row, whole, row), fill=line)
    if scene.time == "night" and scene.weather == "clear":
        for _ in range(14):
            x, y = rng.uniform(0, whole), rng.uniform(0, horizon * 0.8)
            draw.ellipse((x - 1.5, y - 1.5, x + 1.5, y + 1.5), fill=(240, 240, 220))
    side = rng.choice((-1, 1))
    _body(draw, whole, scene, side, rng)
    if scene.weather != "clear":
        for n in range(3):
            _cloud(draw, whole * (0.2 + 0.3 * n), whole * rng.uniform(0.1, 0.3), whole * 0.13, scene.time == "night")
    dim = -0.55 if scene.time == "night" else -0.15 if scene.time == "sunset" else 0.0
    _earth(draw, whole, scene.ground, horizon, dim, rng)
    if scene.feature:
        _feature(draw, whole, scene, horizon, -side, rng)
    _weather(draw, whole, scene.weather, rng)


def _body(draw: "ImageDraw", whole: int, scene: Land, side: int, rng: random.Random) -> None:
    x = whole * (0.5 + side * rng.uniform(0.18, 0.3))
    low = scene.time == "sunset" and scene.body == "sun"
    y, reach = whole * (rng.uniform(0.44, 0.52) if low else rng.uniform(0.16, 0.26)), whole * 0.11
    if scene.body == "sun":
        colour: Colour = (255, 120, 50) if low else (255, 226, 70)
        draw.ellipse((x - reach, y - reach, x + reach, y + reach), fill=colour)
    elif scene.body == "full moon":
        draw.ellipse((x - reach, y - reach, x + reach, y + reach), fill=(246, 244, 220))
    elif scene.body == "crescent moon":
        THINGS["moon"](Pen(draw, x, y, reach), (246, 244, 220))


def _cloud(draw: "ImageDraw", x: float, y: float, reach: float, night: bool) -> None:
    fill = (88, 92, 112) if night else (236, 240, 244)
    for dx, dy, size in ((-0.7, 0.1, 0.6), (0, -0.2, 0.75), (0.7, 0.1, 0.6)):
        cx, cy, r = x + dx * reach, y + dy * reach, size * reach
        draw.ellipse((cx - r * 1.2, cy - r * 0.8, cx + r * 1.2, cy + r * 0.8), fill=fill)


def _earth(draw: "ImageDraw", whole: int, name: str, horizon: float, dim: float, rng: random.Random) -> None:
    colour = shade(_LANDS[name], dim)
    if name == "mountains":
        for x, high in ((0.2, 0.34), (0.75, 0.4), (0.5, 0.28)):
            peak = horizon - high * whole * rng.uniform(0.85, 1.1)
            draw.polygon([(x * whole - 60, horizon), (x * whole, peak), (x * whole + 60, horizon)], fill=colour)
            tip = (x * whole, peak)
            draw.polygon([tip, (tip[0] - 14, peak + 17), (tip[0] + 14, peak + 17)], fill=shade((246, 248, 250), dim))
        colour = shade(_LANDS["meadow"], dim)
    if name == "city":
        left = 0.0
        while left < whole:
            wide, high = rng.uniform(16, 32), rng.uniform(0.12, 0.36) * whole
            draw.rectangle((left, horizon - high, left + wide, horizon), fill=shade(colour, rng.uniform(-0.45, -0.1)))
            for row in range(int(horizon - high) + 6, int(horizon) - 6, 11):
                draw.rectangle(
                    (left + 5, row, left + wide - 6, row + 4), fill=(250, 226, 130) if dim else (170, 200, 220)
                )
            left += wide
    draw.rectangle((0, horizon, whole, whole), fill=colour)
    if name in ("hills", "desert", "snow"):
        for x in (0.2, 0.8):
            reach = whole * rng.uniform(0.4, 0.55)
            top = horizon - whole * rng.uniform(0.06, 0.14)
            draw.ellipse(
                (x * whole - reach, top, x * whole + reach, top + whole), fill=shade(colour, rng.uniform(-0.12, 0.1))
            )
    if name == "sea":
        for _ in range(7):
            x, y = rng.uniform(0, whole), rng.uniform(horizon + 6, whole)
            draw.line((x, y, x + 22, y), fill=shade(colour, 0.35), width=3)
    if name == "forest":
        for n in range(9):
            x, y = whole * (n + rng.uniform(0.1, 0.9)) / 9, horizon + rng.uniform(-2, 14)
            draw.polygon([(x, y - 46), (x + 15, y), (x - 15, y)], fill=shade(colour, rng.uniform(-0.4, -0.15)))


def _feature(draw: "ImageDraw", whole: int, scene: Land, horizon: float, side: int, rng: random.Random) -> None:
    x, reach = whole * (0.5 + side * rng.uniform(0.05, 0.22)), whole * rng.uniform(0.17, 0.21)
    y = horizon + whole * 0.06 - reach * 0.5
    if scene.feature in ("balloon", "bird", "rocket"):
        y = whole * rng.uniform(0.24, 0.36)
    if scene.feature == "lighthouse":
        reach, y = reach * 1.35, horizon - reach * 0.75
    if scene.ground == "sea" and scene.feature not in ("balloon", "bird", "rocket", "boat"):
        rock = (x - reach * 1.1, y + reach * 0.7, x + reach * 1.1, y + reach * 1.5)
        draw.ellipse(rock, fill=(92, 84, 78))
    THINGS[scene.feature](Pen(draw, x, y, reach, rng.random() < 0.5), _near(COLOURS[scene.colour], rng))


def _weather(draw: "ImageDraw", whole: int, weather: str, rng: random.Random) -> None:
    for _ in range(46 if weather in ("rain", "snowfall") else 0):
        x, y = rng.uniform(0, whole), rng.uniform(0, whole)
        if weather == "rain":
            draw.line((x, y, x - 5, y + 15), fill=(176, 206, 240), width=3)
        else:
            draw.ellipse((x - 3, y - 3, x + 3, y + 3), fill=(252, 252, 255))


def _face(draw: "ImageDraw", whole: int, scene: Face, rng: random.Random) -> None:
    _ground(draw, whole, scene.ground, rng)
    p = Pen(draw, whole * rng.uniform(0.47, 0.53), whole * rng.uniform(0.5, 0.55), whole * rng.uniform(0.3, 0.34))
    skin = rng.choice(((250, 218, 190), (232, 186, 146), (190, 132, 92), (128, 84, 58)))
    hair = _near(COLOURS[scene.hair_colour], rng) if scene.hair_colour else skin
    if scene.hair == "long":
        p.box(hair, -0.98, -0.3, 0.98, 1.15)
        p.oval(hair, 0, -0.25, 0.98, 0.95)
    if scene.hair == "curly":
        for n in range(9):
            angle = math.pi * (1 + n / 8)
            p.oval(hair, 0.85 * math.cos(angle), 0.75 * math.sin(angle) - 0.1, 0.32)
    if scene.hair == "short":
        p.oval(hair, 0, -0.2, 0.92, 0.98)
    if scene.extra == "beard":
        p.oval(hair if scene.hair_colour else (96, 66, 46), 0, 0.38, 0.76, 0.78)
    p.oval(skin, 0, 0, 0.8, 0.95 if scene.extra != "beard" else 0.72)
    _features(p, scene)


def _features(p: Pen, scene: Face) -> None:
    for x in (-0.32, 0.32):
        p.oval(LIGHT, x, -0.15, 0.17, 0.15)
        p.oval(DARK, x, -0.15, 0.09)
    if scene.mood == "smiling":
        p.arc((150, 40, 50), 0.12, 0, 0.15, 0.4, 25, 155)
    elif scene.mood == "sad":
        p.arc((150, 40, 50), 0.12, 0, 0.75, 0.38, 215, 325)
    else:
        p.oval((120, 30, 40), 0, 0.48, 0.16, 0.2)
    if scene.extra == "glasses":
        for x in (-0.32, 0.32):
            p.arc(DARK, 0.08, x, -0.15, 0.25, 0, 360)
        p.line(DARK, 0.08, -0.08, -0.15, 0.08, -0.15)
    if scene.extra == "hat":
        p.box((60, 50, 60), -1.05, -0.66, 1.05, -0.5)
        p.box((60, 50, 60), -0.62, -1.3, 0.62, -0.6)


def _flag(draw: "ImageDraw", whole: int, scene: Flag, rng: random.Random) -> None:
    draw.rectangle((0, 0, whole, whole), fill=(226, 232, 240))
    left, top = whole * 0.08, whole * rng.uniform(0.2, 0.26)
    right, bottom = whole * 0.92, whole - top
    colours = [_near(COLOURS[name], rng) for name in scene.colours]
    if scene.pattern in ("horizontal", "vertical"):
        for n, colour in enumerate(colours):
            a, b = n / len(colours), (n + 1) / len(colours)
            if scene.pattern == "horizontal":
                draw.rectangle((left, top + (bottom - top) * a, right, top + (bottom - top) * b), fill=colour)
            else:
                draw.rectangle((left + (right - left) * a, top, left + (right - left) * b, bottom), fill=colour)
        return
    draw.rectangle((left, top, right, bottom), fill=colours[0])
    x, y, high = (left + right) / 2, (top + bottom) / 2, bottom - top
    if scene.pattern == "disc":
        draw.ellipse((x - high * 0.3, y - high * 0.3, x + high * 0.3, y + high * 0.3), fill=colours[1])
    elif scene.pattern == "star":
        Pen(draw, x, y, high * 0.36).poly(colours[1], *star(5, 0.42))
    else:
        x = left + (right - left) * 0.38
        draw.rectangle((x - high * 0.1, top, x + high * 0.1, bottom), fill=colours[1])
        draw.rectangle((left, y - high * 0.1, right, y + high * 0.1), fill=colours[1])


def _logo(draw: "ImageDraw", whole: int, scene: Logo, rng: random.Random) -> None:
    draw.rectangle((0, 0, whole, whole), fill=_near((250, 250, 250), rng, 5))
    p = Pen(draw, whole / 2, whole / 2, whole * rng.uniform(0.42, 0.46))
    colour = _near(COLOURS[scene.frame_colour], rng)
    match scene.frame:
        case "circle":
            p.oval(colour, 0, 0, 1)
        case "square":
            draw.rounded_rectangle((*p.at(-0.92, -0.92), *p.at(0.92, 0.92)), whole * 0.08, fill=colour)
        case "hexagon":
            p.poly(colour, *star(6, 1))
        case "diamond":
            p.poly(colour, *star(4, 1))
        case _:
            p.poly(colour, -0.85, -0.9, 0.85, -0.9, 0.85, 0.1, 0.5, 0.65, 0, 1, -0.5, 0.65, -0.85, 0.1)
    reach = p.reach * (0.46 if scene.frame == "diamond" else 0.56)
    THINGS[scene.thing](Pen(draw, p.x, p.y, reach), _near(COLOURS[scene.colour], rng))


def _chart(draw: "ImageDraw", whole: int, scene: Chart, rng: random.Random) -> None:
    draw.rectangle((0, 0, whole, whole), fill=(252, 252, 252))
    colour = _near(COLOURS[scene.colour], rng)
    if scene.kind == "pie":
        start: float = rng.uniform(0, 360)
        box = (whole * 0.12, whole * 0.12, whole * 0.88, whole * 0.88)
        weights = [rng.uniform(0.6, 1.6) for _ in range(scene.parts)]
        for n, weight in enumerate(weights):
            end = start + 360 * weight / sum(weights)
            draw.pieslice(
                box, start, end, fill=shade(colour, -0.55 + 1.2 * n / scene.parts), outline=(252, 252, 252), width=3
            )
            start = end
        return
    values = sorted(rng.uniform(0.15, 1.0) for _ in range(scene.parts))
    if scene.trend == "falling":
        values.reverse()
    elif scene.trend == "mixed":
        rng.shuffle(values)
    left, bottom, wide, high = whole * 0.14, whole * 0.86, whole * 0.76, whole * 0.7
    step = wide / scene.parts
    points = [(left + step * (n + 0.5), bottom - high * value) for n, value in enumerate(values)]
    if scene.kind == "bar":
        for x, y in points:
            draw.rectangle((x - step * 0.34, y, x + step * 0.34, bottom), fill=colour)
    else:
        draw.line(points, fill=colour, width=7, joint="curve")
        for x, y in points:
            draw.ellipse((x - 6, y - 6, x + 6, y + 6), fill=colour)
    draw.line((left, whole * 0.1, left, bottom, whole * 0.92, bottom), fill=DARK, width=4)
