"""Requests for pictures, as dialogues: what one shows, the call, and what is answered. Knows English, no pictures."""

import random
from functools import cache
from typing import TYPE_CHECKING

from llmos.kernel.scene import LACKING, TOOL, Scene, scene
from llmos.kernel.telling import topic
from llmos.kernel.types import ToolCall
from llmos.training.painter.captions import told
from llmos.training.painter.scenes import Chart, made
from llmos.training.phrasebook import fill, lines, slots, vary

if TYPE_CHECKING:
    from llmos.training.dialogues import Talk
    from llmos.training.tables import Table

PAINTER = 0.4  # share of subjects that are of the embedded painter's world
REFUSED = 0.03  # share of pictures that are not made
_OPENINGS = ("a picture of ", "a drawing of ", "an image of ", "an illustration of ")
_SIZES = (64, 96, 128, 256, 512)
_REASONS = (
    "no picture is made of pornography; ask for another subject",
    "no picture is made of forged papers or money; ask for another subject",
    "a session makes at most 50 pictures; start a new one",
    "this picture needs more memory than there is; ask for a smaller one",
    "another session was painting all the time; ask again later",
)

_WHO = """cat|dog|horse|fox|owl|bear|rabbit|penguin|elephant|lion|tiger|whale|dolphin|snail|frog|hedgehog
squirrel|dragon|unicorn|mermaid|robot|knight|wizard|witch|pirate|princess|king|astronaut|fisherman|baker
gardener|farmer|sailor|nurse|teacher|old man|old woman|little girl|little boy|ballerina|clown|detective|chef
violinist|skier|cyclist|surfer|ghost|giant|dwarf|llama|goat|cow|sheep|donkey|parrot|swan|heron|turtle|octopus
crab|bee|ladybird|mouse|wolf|deer|hamster"""
_THINGS = """lighthouse|castle|windmill|cottage|barn|bridge|tower|temple|church|greenhouse|treehouse|harbour
train station|steam train|tractor|bicycle|rowing boat|sailing ship|hot air balloon|rocket|submarine|tram|old car
fire engine|caravan|teapot|candle|guitar|piano|violin|clock|lantern|umbrella|suitcase|pair of boots
bowl of cherries|birthday cake|loaf of bread|vase of tulips|sunflower|oak tree|palm tree|apple tree|cactus
mushroom|snowman|scarecrow|kite|globe|telescope|book|letter|island|waterfall|volcano|river|village|market square
city street|garden|beach|mountain lake|field of lavender|desert|cave"""
_LOOKS = """red|blue|green|yellow|purple|orange|white|black|grey|pink|brown|golden|silver|tiny|huge|old|sleepy
happy|sad|angry|curious|fluffy|wooden|broken|shiny|striped|lonely|colourful|friendly|rusty|crooked|snow-covered
brave|elegant|round"""
_DOES = """riding a bicycle|reading a book|asleep on a cushion|playing the guitar|drinking tea|flying a kite
baking bread|looking at the stars|dancing in the rain|climbing a tree|chasing a butterfly|painting a fence
eating an ice cream|waving|wearing a hat|wearing sunglasses|holding a lantern|sitting on a bench
jumping over a puddle|catching a fish|carrying flowers|playing chess|singing|walking a dog|waiting for the bus
building a sandcastle|sailing a paper boat|juggling oranges"""
_WHERE = """in the snow|on a hill|by the sea|in a forest|under a full moon|under a starry sky|at sunset|at night
in the rain|in a garden|on the moon|in a meadow|on a small island|in front of mountains|in a big city
beside a river|behind a fence|on a beach|in the fog|in autumn|in spring|under an apple tree|at the window
in a kitchen|on a rooftop|in outer space|underwater|in the desert|at dawn|between two hills|on a frozen lake
in a library|during a thunderstorm|with a rainbow"""
_STYLES = """in watercolour|in the style of a children's book|as pixel art|in black and white
in soft pastel colours|like an old postcard|in bright colours|as a woodcut|on a white background
on a blue background|seen from above|very simple"""
_SIGNS = """a bakery|a chess club|a bicycle shop|a small brewery|our school|a hair salon|a jazz band|a pet shop
my blog|a book shop|a coffee bar|a football team|a dentist|a flower shop|a start-up for robots|a travel agency
a charity run"""


@cache
def _of(words: str) -> tuple[str, ...]:
    return tuple(word.strip() for line in words.splitlines() for word in line.split("|"))


def subject(rng: random.Random) -> str:
    """What a picture may show, in words: of the embedded painter's world or far beyond it."""
    if rng.random() < PAINTER:
        while True:
            shown = made(rng)
            words = told(shown, rng)
            if not isinstance(shown, Chart) and not words.startswith(_OPENINGS):
                return words
    return _imagined(rng)


def _a(words: str) -> str:
    plural = words.startswith("pair of")
    return f"{'an' if words[0] in 'aeiou' and not plural else 'a'} {words}"


def _imagined(rng: random.Random) -> str:
    who, thing = rng.choice(_of(_WHO)), rng.choice(_of(_THINGS))
    looks = [rng.choice(_of(_LOOKS)) for _ in range(rng.choice((0, 1, 1, 1, 2)))]
    does, where = rng.choice(_of(_DOES)), rng.choice(_of(_WHERE))
    style = f" {rng.choice(_of(_STYLES))}" if rng.random() < 0.15 else ""
    described = " ".join([*dict.fromkeys(looks), rng.choice((who, thing))])
    words = rng.choices(
        (
            _a(described),
            f"{_a(described)} {where}",
            f"{_a(' '.join([*looks[:1], who]))} {does}",
            f"{_a(' '.join([*looks[:1], who]))} {does} {where}",
            f"{_a(who)} and {_a(thing)}",
            f"{_a(who)} next to {_a(' '.join([*looks[:1], thing]))}",
            f"{rng.choice(('two', 'three', 'four', 'five', 'some', 'many'))} {who}s {where}",
            f"{rng.choice(('my', 'our', 'the'))} {' '.join([*looks[:1], thing])} {where}",
            described,
            f"{_a('logo')} for {rng.choice(_of(_SIGNS))}",
        ),
        (3, 4, 3, 3, 2, 2, 2, 1, 1, 0.6),
    )[0]
    return f"{words}{style}"


def picture(talk: "Talk", table: "Table | None") -> bool:
    """A request for a picture: painted, or answered with what is missing."""
    line = talk.rng.choice(lines("image"))
    return paint(talk, fill(line, {"scene": subject(talk.rng)} if slots(line) else {}))


def story(talk: "Talk") -> bool:
    """A picture of what the session is about."""
    codes = [str(c.arguments.get("code", "")) for m in talk.messages for c in m.calls if isinstance(c, ToolCall)]
    about = next(filter(None, map(topic, codes[::-1])), "")
    return paint(talk, talk.rng.choice(lines("image_story")), about, table=True)


def paint(talk: "Talk", request: str, about: str = "", table: bool = False) -> bool:
    """A request, its call, its result and the answer; false where it wants nothing painted."""
    said = vary(request, talk.rng)
    wanted = scene(said, about, table)
    if wanted is None:
        return False
    talk.user(said)
    if not talk.paints:
        talk.answer(LACKING)
        return True
    result = _result(wanted, talk.rng)
    talk.call(TOOL, wanted.arguments(), result)
    talk.answer(wanted.sentence(result))
    return True


def _result(wanted: Scene, rng: random.Random) -> str:
    """What the tool tells."""
    if rng.random() < REFUSED:
        return f"error: {rng.choice(_REASONS)}"
    side = rng.choice(_SIZES)
    first, seed = rng.choice((1, 1, 1, 2, 3)), rng.randrange(100) if wanted.seed is None else wanted.seed
    size = f"{wanted.width or side} x {wanted.height or side} pixels"
    steps = rng.choice((4, 20, 30))
    told = (f"[image-{first + n}.png: {size}, seed {seed + n}, {steps} steps]" for n in range(wanted.n))
    return "\n".join(told)
