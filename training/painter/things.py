"""What can stand in a scene: thirty things, each a few polygons and ovals in a square from -1 to 1.

Knows shapes and colours, not where a thing stands. Drawing is Pillow's, three times as large as it is shown.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

Colour = tuple[int, int, int]
Point = tuple[float, float]

COLOURS: dict[str, Colour] = {
    "red": (214, 40, 40),
    "orange": (244, 140, 30),
    "yellow": (250, 214, 50),
    "green": (50, 158, 68),
    "blue": (40, 92, 210),
    "turquoise": (48, 196, 190),
    "purple": (128, 58, 168),
    "pink": (246, 140, 184),
    "brown": (124, 78, 44),
    "black": (26, 26, 30),
    "white": (246, 246, 244),
    "gray": (136, 138, 144),
}
DARK: Colour = (44, 40, 48)
LIGHT: Colour = (250, 248, 240)


def shade(colour: Colour, by: float) -> Colour:
    """The colour darker (``by`` below 0) or lighter (above), from -1 to 1."""
    end = 255 if by > 0 else 0
    red, green, blue = (round(c + (end - c) * abs(by)) for c in colour)
    return red, green, blue


@dataclass(frozen=True, slots=True)
class Pen:
    """Draws in a square of ``reach`` pixels to each side of ``(x, y)``; ``turn`` mirrors it."""

    draw: "ImageDraw"
    x: float
    y: float
    reach: float
    turn: bool = False

    def at(self, x: float, y: float) -> Point:
        """A place of the square in pixels."""
        return self.x + (-x if self.turn else x) * self.reach, self.y + y * self.reach

    def poly(self, fill: Colour, *points: float) -> None:
        """A polygon through ``x, y, x, y, …``."""
        self.draw.polygon([self.at(x, y) for x, y in zip(points[::2], points[1::2], strict=True)], fill=fill)

    def oval(self, fill: Colour, x: float, y: float, wide: float, high: float | None = None) -> None:
        """An ellipse around a place, by its half axes."""
        high = wide if high is None else high
        centre = self.at(x, y)
        wide, high = wide * self.reach, high * self.reach
        self.draw.ellipse((centre[0] - wide, centre[1] - high, centre[0] + wide, centre[1] + high), fill=fill)

    def box(self, fill: Colour, left: float, top: float, right: float, bottom: float) -> None:
        """A rectangle."""
        self.poly(fill, left, top, right, top, right, bottom, left, bottom)

    def line(self, fill: Colour, width: float, *points: float) -> None:
        """A line through places."""
        path = [self.at(x, y) for x, y in zip(points[::2], points[1::2], strict=True)]
        self.draw.line(path, fill=fill, width=max(round(width * self.reach), 1), joint="curve")

    def arc(self, fill: Colour, width: float, x: float, y: float, reach: float, start: float, end: float) -> None:
        """A piece of a circle, in degrees from the right, clockwise."""
        centre, size = self.at(x, y), reach * self.reach
        bounds = (centre[0] - size, centre[1] - size, centre[0] + size, centre[1] + size)
        self.draw.arc(bounds, start, end, fill=fill, width=max(round(width * self.reach), 1))


def star(points: int, inner: float, turn: float = -90.0) -> list[float]:
    """The outline of a star, or of a regular polygon where ``inner`` is 1."""
    made: list[float] = []
    for n in range(points * (1 if inner == 1 else 2)):
        angle = math.radians(turn + n * 360 / (points * (1 if inner == 1 else 2)))
        reach = inner if inner != 1 and n % 2 else 1.0
        made += [math.cos(angle) * reach, math.sin(angle) * reach]
    return made


def _circle(p: Pen, c: Colour) -> None:
    p.oval(c, 0, 0, 0.95)


def _square(p: Pen, c: Colour) -> None:
    p.box(c, -0.85, -0.85, 0.85, 0.85)


def _triangle(p: Pen, c: Colour) -> None:
    p.poly(c, 0, -0.95, 0.98, 0.8, -0.98, 0.8)


def _star(p: Pen, c: Colour) -> None:
    p.poly(c, *star(5, 0.42))


def _heart(p: Pen, c: Colour) -> None:
    p.oval(c, -0.45, -0.32, 0.5)
    p.oval(c, 0.45, -0.32, 0.5)
    p.poly(c, -0.9, -0.12, 0.9, -0.12, 0, 0.95)


def _diamond(p: Pen, c: Colour) -> None:
    p.poly(c, 0, -1, 0.68, 0, 0, 1, -0.68, 0)


def _hexagon(p: Pen, c: Colour) -> None:
    p.poly(c, *star(6, 1))


def _ring(p: Pen, c: Colour) -> None:
    p.arc(c, 0.38, 0, 0, 0.95, 0, 360)


def _cross(p: Pen, c: Colour) -> None:
    p.box(c, -0.3, -0.95, 0.3, 0.95)
    p.box(c, -0.95, -0.3, 0.95, 0.3)


def _arrow(p: Pen, c: Colour) -> None:
    p.poly(c, -0.95, -0.25, 0.1, -0.25, 0.1, -0.75, 0.98, 0, 0.1, 0.75, 0.1, 0.25, -0.95, 0.25)


def _house(p: Pen, c: Colour) -> None:
    p.box(c, -0.75, -0.15, 0.75, 0.95)
    p.poly(shade(c, -0.45), -1, -0.1, 0, -0.95, 1, -0.1)
    p.box(DARK, -0.15, 0.4, 0.2, 0.95)
    p.box(LIGHT, -0.58, 0.1, -0.28, 0.4)
    p.box(LIGHT, 0.34, 0.1, 0.62, 0.4)


def _tree(p: Pen, c: Colour) -> None:
    p.box((110, 72, 42), -0.14, 0.2, 0.14, 1)
    p.oval(c, 0, -0.35, 0.68, 0.62)
    p.oval(c, -0.4, -0.05, 0.42)
    p.oval(c, 0.4, -0.05, 0.42)


def _car(p: Pen, c: Colour) -> None:
    p.poly(c, -0.55, -0.1, -0.3, -0.55, 0.35, -0.55, 0.6, -0.1)
    p.poly((190, 224, 240), -0.4, -0.1, -0.22, -0.44, 0.28, -0.44, 0.45, -0.1)
    p.box(c, -0.98, -0.12, 0.98, 0.38)
    for x in (-0.55, 0.55):
        p.oval(DARK, x, 0.4, 0.27)
        p.oval((180, 180, 184), x, 0.4, 0.11)


def _boat(p: Pen, c: Colour) -> None:
    p.poly(shade(c, -0.3), -0.95, 0.35, 0.95, 0.35, 0.6, 0.85, -0.6, 0.85)
    p.box(DARK, -0.06, -0.95, 0.04, 0.35)
    p.poly(c, 0.1, -0.85, 0.8, 0.22, 0.1, 0.22)
    p.poly(shade(c, 0.35), -0.12, -0.7, -0.12, 0.22, -0.7, 0.22)


def _flower(p: Pen, c: Colour) -> None:
    p.box((50, 140, 60), -0.06, 0, 0.06, 1)
    p.oval((50, 140, 60), 0.28, 0.65, 0.26, 0.12)
    for n in range(6):
        p.oval(c, 0.38 * math.cos(n * math.pi / 3), -0.4 + 0.38 * math.sin(n * math.pi / 3), 0.27)
    p.oval((250, 200, 40) if c != COLOURS["yellow"] else (150, 90, 40), 0, -0.4, 0.22)


def _fish(p: Pen, c: Colour) -> None:
    p.poly(shade(c, -0.25), 0.35, 0, 0.98, -0.5, 0.98, 0.5)
    p.oval(c, -0.15, 0, 0.78, 0.5)
    p.oval(LIGHT, -0.55, -0.12, 0.14)
    p.oval(DARK, -0.57, -0.12, 0.07)


def _cat(p: Pen, c: Colour) -> None:
    p.poly(c, -0.8, -0.95, -0.2, -0.5, -0.75, -0.1)
    p.poly(c, 0.8, -0.95, 0.2, -0.5, 0.75, -0.1)
    p.oval(c, 0, 0.1, 0.85, 0.78)
    eye, line = (DARK, DARK) if sum(c) > 260 else (LIGHT, LIGHT)
    for x in (-0.32, 0.32):
        p.oval(eye, x, 0, 0.12, 0.17)
    p.poly((240, 130, 150), -0.12, 0.26, 0.12, 0.26, 0, 0.42)
    for y in (0.3, 0.48):
        p.line(line, 0.05, -0.85, y, -0.28, 0.38)
        p.line(line, 0.05, 0.85, y, 0.28, 0.38)


def _bird(p: Pen, c: Colour) -> None:
    p.poly(shade(c, -0.3), 0.4, 0.05, 1, -0.25, 0.95, 0.2)
    p.oval(c, 0.05, 0.15, 0.62, 0.45)
    p.oval(c, -0.48, -0.3, 0.36)
    p.poly((246, 170, 40), -0.8, -0.38, -1, -0.22, -0.78, -0.16)
    p.oval(DARK if sum(c) > 200 else LIGHT, -0.55, -0.38, 0.08)
    p.poly(shade(c, -0.3), -0.2, 0.05, 0.45, 0.05, 0.25, 0.45)
    p.line((200, 130, 40), 0.07, 0, 0.55, 0, 0.95)
    p.line((200, 130, 40), 0.07, 0.22, 0.55, 0.22, 0.95)


def _balloon(p: Pen, c: Colour) -> None:
    p.line(DARK, 0.05, 0, 0.4, 0.08, 0.7, -0.04, 1)
    p.poly(c, 0, 0.3, 0.14, 0.52, -0.14, 0.52)
    p.oval(c, 0, -0.3, 0.6, 0.68)
    p.oval(shade(c, 0.6), -0.24, -0.55, 0.12, 0.18)


def _rocket(p: Pen, c: Colour) -> None:
    p.poly((250, 190, 50), -0.22, 0.55, 0.22, 0.55, 0, 1)
    p.poly(shade(c, -0.35), -0.3, 0.1, -0.65, 0.65, -0.3, 0.55)
    p.poly(shade(c, -0.35), 0.3, 0.1, 0.65, 0.65, 0.3, 0.55)
    p.poly(c, 0, -1, 0.32, -0.4, 0.32, 0.58, -0.32, 0.58, -0.32, -0.4)
    p.oval((190, 224, 240), 0, -0.25, 0.18)


def _mushroom(p: Pen, c: Colour) -> None:
    p.poly((240, 228, 206), -0.25, 0, 0.25, 0, 0.34, 0.95, -0.34, 0.95)
    p.draw.pieslice(
        [*p.at(-0.95 if not p.turn else 0.95, -0.9), *p.at(0.95 if not p.turn else -0.95, 0.95)], 180, 360, c
    )
    for x, y, size in ((-0.5, -0.2, 0.15), (0.1, -0.5, 0.18), (0.55, -0.2, 0.13)):
        p.oval(LIGHT if c != COLOURS["white"] else (200, 60, 50), x, y, size)


def _umbrella(p: Pen, c: Colour) -> None:
    p.box(DARK, -0.05, -0.9, 0.05, 0.75)
    p.arc(DARK, 0.1, 0.2, 0.72, 0.25, 0, 180)
    p.draw.pieslice(
        [*p.at(-0.95 if not p.turn else 0.95, -0.85), *p.at(0.95 if not p.turn else -0.95, 0.95)], 180, 360, c
    )
    p.poly(shade(c, -0.3), 0, -0.85, 0.32, 0.06, -0.32, 0.06)


def _cup(p: Pen, c: Colour) -> None:
    p.arc(c, 0.16, 0.6, 0.05, 0.35, 270, 90) if not p.turn else p.arc(c, 0.16, 0.6, 0.05, 0.35, 90, 270)
    p.poly(c, -0.75, -0.5, 0.6, -0.5, 0.48, 0.8, -0.62, 0.8)
    p.oval(shade(c, -0.45), -0.075, -0.5, 0.66, 0.14)


def _lighthouse(p: Pen, c: Colour) -> None:
    p.poly((196, 196, 194), -0.24, -0.5, 0.24, -0.5, 0.42, 1, -0.42, 1)
    for top, bottom in ((-0.4, -0.08), (0.22, 0.55)):
        a, b = 0.24 + (top + 0.5) * 0.12, 0.24 + (bottom + 0.5) * 0.12
        p.poly(c, -a, top, a, top, b, bottom, -b, bottom)
    p.box((255, 226, 110), -0.18, -0.76, 0.18, -0.5)
    p.poly(c, -0.28, -0.74, 0, -1, 0.28, -0.74)


def _apple(p: Pen, c: Colour) -> None:
    p.oval(c, -0.32, 0.15, 0.55, 0.72)
    p.oval(c, 0.32, 0.15, 0.55, 0.72)
    p.line((110, 72, 42), 0.12, 0, -0.4, 0.1, -0.9)
    p.oval((70, 170, 70), 0.38, -0.76, 0.28, 0.13)


def _book(p: Pen, c: Colour) -> None:
    p.box(shade(c, -0.3), -0.7, -0.9, 0.75, 0.95)
    p.box(LIGHT, -0.55, -0.9, 0.7, 0.85)
    p.box(c, -0.7, -0.95, 0.6, 0.75)
    p.box(shade(c, 0.6), -0.35, -0.6, 0.3, -0.35)


def _crown(p: Pen, c: Colour) -> None:
    p.poly(c, -0.95, 0.7, -0.95, -0.6, -0.45, 0.05, 0, -0.8, 0.45, 0.05, 0.95, -0.6, 0.95, 0.7)
    for x in (-0.5, 0, 0.5):
        p.oval(shade(c, -0.5), x, 0.42, 0.12)


def _cactus(p: Pen, c: Colour) -> None:
    p.line(c, 0.26, -0.6, -0.3, -0.6, 0.25, 0, 0.25)
    p.line(c, 0.26, 0.6, -0.55, 0.6, 0, 0, 0)
    p.box(c, -0.24, -0.75, 0.24, 1)
    p.oval(c, 0, -0.75, 0.24)


def _snowman(p: Pen, c: Colour) -> None:
    p.oval((204, 218, 236), 0, 0.5, 0.5)
    p.oval((204, 218, 236), 0, -0.22, 0.36)
    p.box(c, -0.34, -0.58, 0.34, -0.46)
    p.box(c, -0.22, -0.98, 0.22, -0.5)
    for x in (-0.13, 0.13):
        p.oval(DARK, x, -0.3, 0.05)
    p.poly((244, 130, 30), 0, -0.2, 0.32, -0.14, 0, -0.08)
    p.box(c, -0.3, 0.06, 0.3, 0.18)


def _butterfly(p: Pen, c: Colour) -> None:
    for x in (-1, 1):
        p.oval(c, 0.48 * x, -0.35, 0.46, 0.5)
        p.oval(shade(c, -0.25), 0.4 * x, 0.45, 0.36, 0.4)
    p.oval(DARK, 0, 0, 0.1, 0.72)


def _sun(p: Pen, c: Colour) -> None:
    p.poly(c, *star(12, 0.66))
    p.oval(shade(c, 0.35), 0, 0, 0.52)


def _moon(p: Pen, c: Colour) -> None:
    outer = [(math.cos(a), math.sin(a)) for a in (math.radians(d) for d in range(50, 311, 10))]
    inner = [(0.42 + 0.75 * math.cos(a), 0.75 * math.sin(a)) for a in (math.radians(d) for d in range(285, 74, -10))]
    p.poly(c, *(v for point in outer + inner for v in point))


Painter = Callable[[Pen, Colour], None]
_DRAWN: Sequence[Painter] = (
    *(
        _circle,
        _square,
        _triangle,
        _star,
        _heart,
        _diamond,
        _hexagon,
        _ring,
        _cross,
        _arrow,
        _house,
        _tree,
        _car,
        _boat,
    ),
    *(_flower, _fish, _cat, _bird, _balloon, _rocket, _mushroom, _umbrella, _cup, _lighthouse, _apple, _book, _crown),
    *(_cactus, _snowman, _butterfly, _sun, _moon),
)
THINGS: dict[str, Painter] = {f.__name__[1:]: f for f in _DRAWN}
