"""Requests for pictures: what they want painted, and how the embedded kernel comes to call for it."""

import gzip
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from llmos.app import LLMOS
from llmos.kernel.aliases import Aliases
from llmos.kernel.codec import Codec
from llmos.kernel.examples import knows
from llmos.kernel.pointers import Pointers
from llmos.kernel.recall import Recall, Recalled, Taught
from llmos.kernel.scene import LACKING, SCENE, TOOL, Scene, scene
from llmos.kernel.types import Message, Part, Source, ToolCall
from llmos.kernel.vocabulary import Vocabulary
from llmos.kernel.wire import tool_line
from llmos.tools import image_checkpoint
from llmos.tools.image import make_image
from llmos.training.dialogues import TABLES, Talk, dialogues, tools
from llmos.training.phrasebook import fill, lines, slots
from llmos.training.pictures import paint, picture, subject

LIGHTHOUSE = "draw a red lighthouse under a full moon"
TABLE = "file 'funding_rounds.csv': 2 rows\ncolumns: 'year' (year), 'amount' (number)"
PAINTED = [Taught(TOOL, "draw a green cottage by the sea", TOOL)]


def asked(text: str, *files: str) -> Message:
    return Message("user", (*(Part(f, Source("file")) for f in files), Part(text, Source("user"))))


@pytest.mark.parametrize(
    ("request_", "wanted"),
    [
        (LIGHTHOUSE, Scene("a red lighthouse under a full moon")),
        ("can u make a pic of two cats on a sofa pls", Scene("two cats on a sofa")),
        ("three pictures of a green car, please", Scene("a green car", n=3)),
        ("generate an image of a castle, 512x256", Scene("a castle", width=512, height=256)),
        ("paint a blue boat with seed 7", Scene("a blue boat", seed=7)),
        ("a logo for a bakery", Scene("a logo for a bakery")),
        ("make a realistic picture of a dog", Scene("a realistic picture of a dog")),
        ("a house on the moon, could you paint it?", Scene("a house on the moon")),
        ("darw a hosue", Scene("a hosue")),
        ("I need a lighthouse picture", Scene("a lighthouse")),
    ],
)
def test_a_request_is_read_for_what_it_wants_painted(request_: str, wanted: Scene) -> None:
    assert scene(request_) == wanted


@pytest.mark.parametrize(
    "request_",
    [
        "draw a bar chart of 3, 5 and 7",
        "plot sin(x)",
        "draw the graph of x^2",
        "sketch sales by month",
        "what does a lighthouse look like",
        "crop the photo of my garden",
        "who painted the night watch",
        "what is 12% of 80",
        "draw it",
    ],
)
def test_charts_questions_and_nothing_are_no_pictures(request_: str) -> None:
    assert scene(request_) is None


@pytest.mark.parametrize(
    ("request_", "prompt"),
    [
        ("generate an image to represent the company", "the company, funding rounds"),
        ("now make a picture that goes with it", "a picture of funding rounds"),
        ("draw a logo for it", "a logo for funding rounds"),
        ("draw a red lighthouse", "a red lighthouse"),
    ],
)
def test_in_a_session_on_a_table_its_name_is_what_is_meant(request_: str, prompt: str) -> None:
    call = ToolCall("c", "python", {"code": "df = load('funding_rounds.csv')\nax = df.plot(x='year', y='amount')"})
    gave = Message("tool", (Part("[plot-1.png]", Source("tool")),), (), "c")
    before = [asked("plot it", TABLE), Message("assistant", (), (call,)), gave]
    turn = Aliases([*before, asked(request_)]).turn
    assert turn.scene is not None
    assert turn.scene.prompt == prompt
    assert TOOL in turn.kinds


def test_what_comes_with_a_table_or_speaks_of_its_columns_is_asked_of_it() -> None:
    for request_ in ("draw a picture of the amount", "draw the amounts", "paint it blue", "draw only 2019"):
        assert Aliases([asked("plot it", TABLE), asked(request_)]).turn.scene is None
    assert Aliases([asked("make an image of this", TABLE)]).turn.scene is None


def test_every_phrase_wants_what_it_was_filled_with() -> None:
    rng = random.Random(5)
    for line in lines("image"):
        shown = subject(rng)
        made = scene(fill(line, {"scene": shown}) if slots(line) else line)
        assert made is not None, line
        assert not slots(line) or shown.removeprefix("a ") in made.prompt, line
    for line in lines("image_story"):
        made = scene(line, "funding rounds", table=True)
        assert made is not None, line
        assert "funding rounds" in made.prompt


def likeliest(turn: object) -> list[Recalled]:
    return [Recalled(t, t.answer, 0.2) for t in PAINTED]


def test_the_likeliest_example_decides_and_the_call_is_told_whole(codec: Codec) -> None:
    aliases = Aliases([asked("two pictures of a red lighthouse, 64x32")], likeliest, paints=True)
    assert aliases.messages[0].text.endswith(f"-> {TOOL} {SCENE}")
    made = Pointers(Vocabulary(codec.bytes_of, codec.control_ids), aliases)
    assert made.tool == TOOL
    told = aliases.call(ToolCall("c", TOOL, {"prompt": SCENE}))
    assert isinstance(told, ToolCall)
    assert told.arguments == {"prompt": "a red lighthouse", "n": 2, "width": 64, "height": 32}
    gave = Message("tool", (Part("[image-1.png]\n[image-2.png]", Source("tool")),), (), "c")
    whole = [asked("two pictures of a red lighthouse, 64x32"), Message("assistant", (), (told,)), gave]
    after = Aliases(whole, likeliest, paints=True)
    assert after.messages[1].calls == (ToolCall("c", TOOL, {"prompt": SCENE}),)
    assert after.outward(after.sentence) == "Here are 2 pictures: a red lighthouse."


def test_what_was_not_painted_is_said_in_one_line() -> None:
    call = ToolCall("c", TOOL, {"prompt": "a fake passport"})
    failed = Message("tool", (Part("error: no picture is made of forged papers", Source("tool")),), (), "c")
    talk = [asked("draw a fake passport"), Message("assistant", (), (call,)), failed]
    assert Aliases(talk, likeliest, paints=True).sentence == "No picture was made: no picture is made of forged papers."


def test_without_the_tool_one_line_says_what_to_install(codec: Codec) -> None:
    aliases = Aliases([asked(LIGHTHOUSE)], likeliest)
    made = Pointers(Vocabulary(codec.bytes_of, codec.control_ids), aliases)
    assert made.silent
    assert aliases.sentence == LACKING
    assert "pip install" in LACKING
    assert "\n" not in LACKING


def test_dialogues_paint_where_they_may() -> None:
    rng = random.Random(2)
    talk, without = Talk(rng, paints=True), Talk(rng)
    assert picture(talk, None)
    assert [c.name for m in talk.messages for c in m.calls if isinstance(c, ToolCall)] == [TOOL]
    assert paint(without, LIGHTHOUSE)
    assert without.messages[-1].text == LACKING
    assert not paint(Talk(rng), "plot sin(x)")
    groups = [messages for group in dialogues(900, 1) for messages in group]
    named = [c.name for messages in groups for m in messages for c in m.calls if isinstance(c, ToolCall)]
    assert 0 < named.count(TOOL) < len(named) * (1 - TABLES)


def test_the_tool_is_told_to_the_kernel_as_it_was_taught() -> None:
    shown = make_image("some/checkpoint", brief=True)
    assert tool_line(shown) == tool_line(tools(paints=True)[-1])
    assert [t.name for t in tools()] == ["calculator", "python"]


def test_the_kernel_has_the_tool_where_it_was_taught_and_a_checkpoint_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taught = tmp_path / "taught.jsonl.gz"
    taught.write_bytes(gzip.compress(b'["say", "who are you", "I am llmos."]\n'))
    assert not knows(TOOL, taught)
    (tmp_path / "more.jsonl.gz").write_bytes(gzip.compress(b'["image", "draw a cat", "image"]\n'))
    assert knows(TOOL, tmp_path / "more.jsonl.gz")
    monkeypatch.setattr(image_checkpoint, "missing", lambda: "")
    names: Callable[[LLMOS], set[str]] = lambda llmos: {tool.name for tool in llmos.session().tools}  # noqa: E731
    for known in (True, False):
        monkeypatch.setattr("llmos.hands.knows", lambda kind, known=known: known)
        with LLMOS(home=tmp_path / f"home-{known}", image_model=str(tmp_path)) as llmos:
            assert (TOOL in names(llmos)) == known
            assert "image_svg" not in names(llmos)


def test_pictures_are_recalled_by_words_and_calculations_are_not() -> None:
    recall = Recall([*PAINTED, Taught("calculator", "what is @1% of @2", "@1% * @2")])
    (found,) = recall.near(LIGHTHOUSE, ("calculator", TOOL), 1)
    assert (found.taught.kind, found.answer) == (TOOL, TOOL)
