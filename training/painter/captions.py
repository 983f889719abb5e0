"""A scene in words, in one of many wordings, as people ask for pictures. Knows English, not pictures."""

import random
from dataclasses import replace

from llmos.training.painter.scenes import Chart, Face, Flag, Land, Logo, Pair, Scene, Things, held_out, made

LOOSE = 0.3  # share of captions that leave something unsaid
NUMBERS = ("", "one", "two", "three", "four")
_SAME: dict[str, tuple[str, ...]] = {
    "car": ("car", "car", "automobile"),
    "boat": ("boat", "sailboat", "ship", "sailing boat"),
    "house": ("house", "house", "home", "cottage"),
    "cup": ("cup", "mug"),
    "circle": ("circle", "circle", "disc", "dot"),
    "moon": ("moon", "crescent"),
    "cat": ("cat", "cat face", "kitten"),
    "gray": ("gray", "grey"),
    "purple": ("purple", "violet"),
    "turquoise": ("turquoise", "teal", "cyan"),
    "large": ("large", "big", "huge"),
    "small": ("small", "little", "tiny"),
    "left of": ("to the left of", "left of"),
    "right of": ("to the right of", "right of"),
    "above": ("above", "over"),
    "below": ("below", "under"),
    "smiling": ("smiling", "happy", "laughing"),
    "sad": ("sad", "unhappy"),
    "full moon": ("full moon", "moon"),
    "yellow hair": ("blond hair", "yellow hair"),
    "rising": ("rising", "growing", "that goes up"),
    "falling": ("falling", "shrinking", "that goes down"),
}
_PLURALS = {"fish": "fish", "cross": "crosses", "cactus": "cacti", "snowman": "snowmen", "butterfly": "butterflies"}
_LANDS = {
    "sea": ("at sea", "by the sea", "on the ocean", "at the coast"),
    "meadow": ("on a meadow", "in a green field", "on the grass"),
    "hills": ("in the hills", "in front of green hills"),
    "desert": ("in the desert", "on sand dunes"),
    "snow": ("in the snow", "in a snowy landscape"),
    "mountains": ("in the mountains", "in front of mountains"),
    "city": ("in a city", "in front of a skyline"),
    "forest": ("in a forest", "in front of a forest"),
}
_TIMES = {"day": ("by day", "in daylight", ""), "night": ("at night", "by night"), "sunset": ("at sunset", "at dusk")}
_WEATHERS = {
    "clear": ("under a clear sky", "", ""),
    "cloudy": ("under a cloudy sky", "with clouds"),
    "rain": ("in the rain", "while it rains"),
    "snowfall": ("while it snows", "with snow falling"),
}


def told(scene: Scene, rng: random.Random, whole: bool = True) -> str:
    """One line that describes the scene, in lower case; where not ``whole`` now and then without some of what is there,
    as people leave it to the painter."""
    if not whole and rng.random() < LOOSE:
        scene = _loosened(scene, rng)
    match scene:
        case Things():
            words = _things(scene, rng)
        case Pair():
            words = _pair(scene, rng)
        case Land():
            words = _land(scene, rng)
        case Face():
            words = _face(scene, rng)
        case Flag():
            words = _flag(scene, rng)
        case Logo():
            words = _logo(scene, rng)
        case Chart():
            words = _chart(scene, rng)
    opening = rng.choice(("", "", "", "a picture of ", "a drawing of ", "an image of ", "an illustration of "))
    return f"{opening}{words}"


def _loosened(scene: Scene, rng: random.Random) -> Scene:
    """The scene with some of it unsaid: what is empty is not told."""

    def kept(words: str) -> str:
        return words if rng.random() < 0.5 else ""

    match scene:
        case Things() if scene.count == 1:
            return replace(scene, colour=kept(scene.colour), ground=kept(scene.ground))
        case Land() if scene.feature:
            ground, time, weather = kept(scene.ground), kept(scene.time), kept(scene.weather)
            return replace(scene, ground=ground, time=time, weather=weather, colour=kept(scene.colour))
        case Face():
            return replace(scene, hair=kept(scene.hair), ground=kept(scene.ground))
        case Logo():
            return replace(scene, colour=kept(scene.colour), frame_colour=kept(scene.frame_colour))
        case _:
            return scene


def kept_back(seed: int, size: int) -> list[tuple[Scene, str]]:
    """Held-out scenes with a caption each, for measuring."""
    rng = random.Random(f"held {seed}")
    found: list[tuple[Scene, str]] = []
    while len(found) < size:
        scene = made(rng)
        if held_out(scene):
            found.append((scene, told(scene, rng)))
    return found


def _said(name: str, rng: random.Random) -> str:
    return rng.choice(_SAME.get(name, (name,)))


def _a(words: str) -> str:
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def _plural(thing: str, rng: random.Random) -> str:
    if thing in _PLURALS:
        return _PLURALS[thing]
    return f"{_said(thing, rng)}s"


def _on(ground: str, rng: random.Random) -> str:
    """The ground's words; a white one is mostly left out, as people do."""
    if not ground or (ground == "white" and rng.random() < 0.6):
        return ""
    colour = _said(ground, rng)
    return rng.choice((f" on {_a(colour)} background", f" on {colour}", f", {colour} background"))


def _things(scene: Things, rng: random.Random) -> str:
    colour = _said(scene.colour, rng)
    if scene.count > 1:
        number = rng.choice((NUMBERS[scene.count], NUMBERS[scene.count], str(scene.count)))
        return f"{number} {colour} {_plural(scene.thing, rng)}{_on(scene.ground, rng)}"
    words = f"{colour} {_said(scene.thing, rng)}".strip()
    if scene.size != "middle":
        words = f"{_said(scene.size, rng)} {words}"
    where = ""
    if scene.place:
        side = "side" if scene.place in ("left", "right") else "edge"
        where = rng.choice((f" on the {scene.place}", f" at the {scene.place}", f" near the {scene.place} {side}"))
    return f"{rng.choice((_a(words), _a(words), _a(words), f'one {words}', words))}{where}{_on(scene.ground, rng)}"


def _pair(scene: Pair, rng: random.Random) -> str:
    one = _a(f"{_said(scene.colour, rng)} {_said(scene.thing, rng)}")
    other = _a(f"{_said(scene.other_colour, rng)} {_said(scene.other, rng)}")
    return f"{one} {_said(scene.relation, rng)} {other}{_on(scene.ground, rng)}"


def _land(scene: Land, rng: random.Random) -> str:
    where, when, weather = (rng.choice(table[key]) if key else "" for table, key in _land_words(scene))
    body = _said(scene.body, rng) if scene.body and rng.random() < 0.85 else ""
    sky = (
        rng.choice((f"under {_a(body)}", f"with {_a(body)}"))
        if body and body != "sun"
        else "with the sun"
        if body
        else ""
    )
    if scene.feature:
        what = _a(f"{_said(scene.colour, rng)} {_said(scene.feature, rng)}".strip())
    else:
        what, where = _a(rng.choice(("landscape", "view"))), where
    pieces = [where, when, weather, sky]
    rng.shuffle(pieces)
    return " ".join(piece for piece in (what, *pieces) if piece)


def _land_words(scene: Land) -> tuple[tuple[dict[str, tuple[str, ...]], str], ...]:
    return (_LANDS, scene.ground), (_TIMES, scene.time), (_WEATHERS, scene.weather)


def _face(scene: Face, rng: random.Random) -> str:
    mood = _said(scene.mood, rng)
    who = rng.choice((f"{mood} face", f"{mood} person", f"portrait of a {mood} person", f"{mood} face"))
    hair = "no hair" if scene.hair == "bald" else f"{scene.hair} {_said(f'{scene.hair_colour} hair', rng)}"
    parts = [hair] if scene.hair else []
    if scene.extra:
        parts.append(scene.extra if scene.extra == "glasses" else _a(scene.extra))
    return f"{_a(who)}{' with ' * bool(parts)}{' and '.join(parts)}{_on(scene.ground, rng)}"


def _flag(scene: Flag, rng: random.Random) -> str:
    colours = [_said(name, rng) for name in scene.colours]
    if scene.pattern in ("horizontal", "vertical"):
        every = f"{', '.join(colours[:-1])} and {colours[-1]}"
        return rng.choice((f"a flag with {scene.pattern} {every} stripes", f"a {scene.pattern} striped flag, {every}"))
    sign = f"{colours[1]} {scene.pattern}"
    return rng.choice((f"{_a(colours[0])} flag with {_a(sign)}", f"a flag: {_a(sign)} on {colours[0]}"))


def _logo(scene: Logo, rng: random.Random) -> str:
    thing = f"{_said(scene.colour, rng)} {_said(scene.thing, rng)}".strip()
    frame = f"{_said(scene.frame_colour, rng)} {scene.frame}".strip()
    kind = rng.choice(("logo", "logo", "icon", "badge"))
    return rng.choice((f"a {kind} of {_a(thing)} in {_a(frame)}", f"{_a(frame)} {kind} with {_a(thing)}"))


def _chart(scene: Chart, rng: random.Random) -> str:
    colour = _said(scene.colour, rng)
    if scene.kind == "pie":
        return f"{_a(colour)} pie chart with {scene.parts} slices"
    trend = "" if scene.trend == "mixed" else _said(scene.trend, rng)
    parts = rng.choice(("", f" with {scene.parts} {'bars' if scene.kind == 'bar' else 'points'}"))
    words = f"{colour} {scene.kind} chart"
    return f"{_a(words)}{parts} {trend}" if trend.startswith("that") else f"{_a(f'{trend} {words}'.strip())}{parts}"
