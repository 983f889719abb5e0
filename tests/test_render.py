"""What the user sees: on a terminal, in a pipe, as JSON, and as pictures."""

import base64
import io
import json
import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from PIL import Image

from llmos.flow import Flow, one_line, seen
from llmos.inline import picture, protocol
from llmos.kernel.dispatch import Asked
from llmos.kernel.types import (
    Answer,
    Artifact,
    ArtifactMade,
    Call,
    Citation,
    Decision,
    Event,
    Explored,
    Failure,
    Malformed,
    Paged,
    Progress,
    Request,
    Result,
    Source,
    Started,
    Text,
    Thought,
    ToolCall,
    ToolResult,
)
from llmos.render import Plain, Screen, view
from llmos.trees import drawn
from llmos.turn import fitted

EVIL = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202egnp.exe\x08\u2066"
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "KITTY_WINDOW_ID", "TERM_PROGRAM", "LC_TERMINAL", "TMUX", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "60")


def turn(path: str = "/tmp/none/plot-1.png") -> list[Event]:
    """A request with every kind of event in it."""
    code = "\n".join(f"x{i} = {i}  # {'long ' * 20}" for i in range(30))
    answer = "Rounds grew from 5 to 65.\nSource: rounds: https://example.org/rounds"
    return [
        Started(id="e1", session="s1", model="embedded", time=1.7e9),
        Request(id="e2", text="plot funding rounds"),
        Thought(id="", text="hm", delta=True),
        Thought(id="e3", text="hm"),
        Explored(id="", node=0, text="a vote", why="5 s were asked for"),
        Explored(id="", node=1, under=0, text="0: plot it", fate="finished", answer="plotted"),
        Explored(id="", node=0, text="a vote", fate="finished", why="the vote is settled", answer="plotted", value=1.0),
        Text(id="", text="Let me ", delta=True),
        Text(id="", text="plot that.", delta=True),
        Text(id="e4", text="Let me plot that."),
        Call(id="e5", call=ToolCall("r1", "python", {"code": code})),
        Decision(id="e6", call_id="r1", verdict="allow", rule="boxed"),
        Progress(id="", text="half way", call_id="r1"),
        Result(id="e7", result=ToolResult("r1", True, "saved plot-1.png", Source("tool"), "r1.txt", (), 0.84)),
        ArtifactMade(id="e8", artifact=Artifact(path, "image/png", "rounds"), call_id="r1"),
        Call(id="e9", call=ToolCall("r2", "calculator", {"expression": "15% of 2480"})),
        Result(id="e10", result=ToolResult("r2", False, "error: no such thing", Source("tool", "calculator"))),
        Call(id="e11", call=Malformed("r3", "{", "no closing brace")),
        Decision(id="e12", call_id="r4", verdict="deny", rule="unknown-tool"),
        Paged(id="", dropped=4, tokens=900),
        Text(id="e13", text="Rounds grew from 5 to 65."),
        Text(id="e14", text="Source: rounds: https://example.org/rounds", by="kernel"),
        Answer(
            id="e15",
            text=answer,
            citations=(Citation("rounds", "https://example.org/rounds"),),
            artifacts=(Artifact(path, "image/png", "rounds"),),
        ),
    ]


def shown(
    events: Iterable[Event], out: io.StringIO | None = None, transcript: bool = False, plain: bool = False
) -> str:
    out = out or io.StringIO()
    with Screen(out, transcript=transcript, plain=plain) as screen:
        for event in events:
            screen.show(event)
    return out.getvalue()


def test_a_screen_shows_each_part_once_within_sixty_columns() -> None:
    text = shown(turn())
    for part in ("Let me plot that.", "● python", "✓ 0.8 s  saved plot-1.png", "→ /tmp/none/plot-1.png", "15% of 2480"):
        assert text.count(part) == 1, part
    for part in ("Rounds grew", "Source: rounds", "✗ 0.0 s  error: no such thing", "no closing brace", "unknown-tool"):
        assert text.count(part) == 1, part
    assert "x11 = 11" in text
    assert "x12 = 12" not in text
    assert "18 more lines" in text
    assert all(len(line) <= 60 for line in text.splitlines())


def test_a_terminal_gets_style_and_a_cursor_left_in_order() -> None:
    text = shown(turn(), Terminal())
    assert "\x1b[1;34m● python" in text
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") > 0


def test_no_colour_and_dumb_terminals_are_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert not re.search(r"\x1b\[[0-9;]*3\dm", shown(turn(), Terminal(), transcript=True))
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert "\x1b" not in shown(turn(), Terminal())


def test_what_models_and_tools_say_cannot_reach_the_terminal() -> None:
    path = f"/tmp/{EVIL}.png"
    events: list[Event] = [
        Started(id="", session=EVIL, model=EVIL),
        Request(id="", text=EVIL),
        *(Text(id="", text=c, delta=True) for c in EVIL),
        Text(id="", text=EVIL),
        Thought(id="", text=EVIL),
        Explored(id="", node=0, text=EVIL, why=EVIL),
        Explored(id="", node=1, under=0, text=EVIL, fate="dead", why=EVIL),
        Explored(id="", node=2, under=0, text=EVIL, fate="finished", answer=EVIL),
        Explored(id="", node=0, text=EVIL, fate="finished", why=EVIL, answer=EVIL),
        Call(id="", call=ToolCall("r1", EVIL, {"code": EVIL, EVIL: EVIL})),
        Call(id="", call=ToolCall("r2", "image", {"prompt": EVIL})),
        Call(id="", call=Malformed("r3", EVIL, EVIL)),
        Decision(id="", call_id="r1", verdict="deny", rule=EVIL),
        Progress(id="", text=EVIL),
        Result(id="", result=ToolResult("r1", True, EVIL, Source("tool", EVIL), EVIL)),
        ArtifactMade(id="", artifact=Artifact(path, "image/png", EVIL)),
        Answer(id="", text="x" + EVIL, citations=(Citation(EVIL, EVIL),), artifacts=(Artifact(path, "image/png"),)),
        Failure(id="", kind=EVIL, message=EVIL),
    ]
    assert not CONTROLS.search(shown(events, transcript=True))
    out = io.StringIO()
    for event in events:
        Plain(out).show(event)
    assert not CONTROLS.search(out.getvalue())
    lines = list(drawn(events))
    assert len(lines) == 4
    assert not CONTROLS.search("".join(lines))
    assert one_line(EVIL + "a\nb", 99).endswith("a b")


def test_a_pipe_gets_the_answer_and_its_files_alone() -> None:
    out, quiet = io.StringIO(), io.StringIO()
    piped, silent = view(out=out), view(out=quiet, quiet=True)
    for event in turn():
        piped.show(event)
        silent.show(event)
    answer = "Rounds grew from 5 to 65.\nSource: rounds: https://example.org/rounds\n"
    assert out.getvalue() == answer + "/tmp/none/plot-1.png\n"
    assert quiet.getvalue() == answer
    assert not piped.ask(Asked("r1", "weather", {}))


def test_a_transcript_tells_requests_and_failures() -> None:
    failed = Failure(id="", kind="budget", message="stopped after 25 tool calls")
    text = shown([*turn(), Request(id="", text="again"), failed], transcript=True)
    assert "> plot funding rounds" in text
    assert "✗ budget: stopped after 25 tool calls" in text


def test_json_lines_are_whole_flushed_and_ascii() -> None:
    out = io.StringIO()
    lines = view(as_json=True, out=out)
    for event in turn():
        lines.show(event)
    rows = [json.loads(line) for line in out.getvalue().splitlines()]
    assert out.getvalue().isascii()
    kinds = [row["type"] for row in rows]
    assert kinds[-1] == "answer"
    call = rows[kinds.index("call")]
    assert call["name"] == "python"
    assert set(call["arguments"]) == {"code"}
    assert rows[kinds.index("artifact")]["mime"] == "image/png"
    assert {"text", "citations", "artifacts", "usage"} <= set(rows[-1])


def flowed(*pieces: str, width: str = "60", terminal: bool = True) -> str:
    out = Terminal() if terminal else io.StringIO()
    screen = Screen(out)
    flow = Flow(screen._console)
    for piece in pieces:
        flow.feed(piece)
    flow.end()
    return out.getvalue()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2**10 is 1024, a*b and x**2**3", "2**10 is 1024, a*b and x**2**3\n"),
        ("it is **very good**.", "it is \x1b[1mvery\x1b[0m \x1b[1mgood\x1b[0m.\n"),
        ("call `f(x)` now", "call \x1b[36mf(x)\x1b[0m now\n"),
        ("- one\n* two", "• one\n• two\n"),
        ("## Two words\nthen", "\x1b[1mTwo\x1b[0m \x1b[1mwords\x1b[0m\nthen\n"),
        ("**never closed\nnext", "\x1b[1mnever\x1b[0m \x1b[1mclosed\x1b[0m\nnext\n"),
        ("![a](http://evil.example/x.png) [bank](http://evil.example)", None),
        ("", ""),
    ],
)
def test_markdown_lite_styles_without_eating_characters(text: str, expected: str | None) -> None:
    for pieces in ([text], list(text)):
        got = flowed(*pieces)
        assert got == (text + "\n" if expected is None else expected)


def test_fences_keep_their_lines_and_indents() -> None:
    code = "```python\nif x:\n    y = '**no** `marks`'\n```\nafter **it**"
    plain = re.sub(r"\x1b\[[0-9;]*m", "", flowed(code))
    assert plain == code.replace("**it**", "it") + "\n"


def test_long_text_wraps_at_words_in_any_script() -> None:
    text = flowed("word " * 40, terminal=False)
    assert {len(line) for line in text.splitlines()[:-1]} == {59}
    chinese = flowed("\u4e2d\u6587" * 100, terminal=False)
    assert all(len(line) <= 30 for line in chinese.splitlines())
    assert chinese.replace("\n", "") == "\u4e2d\u6587" * 100
    assert flowed("x" * 150, terminal=False).replace("\n", "") == "x" * 150


def test_our_own_lines_break_between_words_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    name = "/tmp/" + "x" * 60
    text = f"  /files [PATH]  list files, or attach some to the next request\n\nwritten: {name}"
    lines = fitted(text, Terminal(), indent=17).split("\n")
    assert lines[:3] == [
        "  /files [PATH]  list files, or attach",
        "                 some to the next",
        " " * 17 + "request",
    ]
    assert lines[3] == ""
    assert name in "".join(lines)  # it can be copied
    assert fitted(text, io.StringIO()) == text


def test_emoji_that_arrive_in_pieces_stay_whole() -> None:
    family = "\U0001f469\u200d\U0001f4bb"
    assert seen(family) == family
    assert flowed(*family, terminal=False) == family + "\n"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"TERM": "xterm-256color"}, ""),
        ({"TERM": "xterm-kitty"}, "kitty"),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1"}, "kitty"),
        ({"TERM": "xterm-ghostty"}, "kitty"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, "iterm2"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, "iterm2"),
        ({"TERM": "foot"}, "sixel"),
        ({"TERM": "mlterm-256color"}, "sixel"),
        ({"TERM": "xterm-sixel"}, "sixel"),
        ({"TERM": "xterm-kitty", "TMUX": "/tmp/x"}, ""),
        ({"TERM": "screen-256color", "KITTY_WINDOW_ID": "1"}, ""),
        ({"TERM": "dumb", "KITTY_WINDOW_ID": "1"}, ""),
        ({}, ""),
    ],
)
def test_what_a_terminal_can_show_is_read_from_its_environment(environment: dict[str, str], expected: str) -> None:
    assert protocol(environment) == expected


def png(path: Path, size: tuple[int, int] = (40, 14)) -> Path:
    """A picture, its left half red and its right half blue."""
    image = Image.new("RGB", size, "red")
    image.paste((0, 0, 255), (size[0] // 2, 0, *size))
    image.save(path)
    return path


def test_kitty_and_iterm_get_a_png_of_our_own_making(tmp_path: Path) -> None:
    path = png(tmp_path / "a.png", (2000, 1000))
    pieces = re.findall("\x1b_G([^;]*);([^\x1b]*)\x1b\\\\", picture(path, "kitty", 40))
    assert "c=40" in pieces[0][0]
    assert pieces[-1][0].endswith("m=0")
    assert all(len(data) <= 4096 for _, data in pieces)
    image = Image.open(io.BytesIO(base64.b64decode("".join(data for _, data in pieces))))
    assert image.size == (1200, 600)
    found = re.fullmatch("\x1b]1337;File=inline=1;([^:]*):([^\x07]*)\x07\n", picture(path, "iterm2"))
    assert found
    assert f"size={len(base64.b64decode(found[2]))};" in found[1]


def test_sixel_holds_every_pixel(tmp_path: Path) -> None:
    text = picture(png(tmp_path / "a.png"), "sixel")
    assert text.startswith('\x1bPq"1;1;40;14')
    assert text.endswith("\x1b\\\n")
    colours = {m[1]: m[2] for m in re.finditer(r"#(\d+);2;(\d+;\d+;\d+)", text)}
    counts = {"100;0;0": 0, "0;0;100": 0}
    for number, columns in re.findall(r"#(\d+)((?:!\d+)?[?-~][!0-9?-~]*)", text):
        bits = [(int(run or 1), ord(letter) - 63) for run, letter in re.findall(r"(?:!(\d+))?([?-~])", columns)]
        counts[colours[number]] += sum(run * bit.bit_count() for run, bit in bits)
    assert counts == {"100;0;0": 20 * 14, "0;0;100": 20 * 14}


def test_what_is_no_picture_is_not_drawn(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    (tmp_path / "b.png").write_text("\x1b[2J")
    assert picture(tmp_path / "a.png", "kitty") == ""
    assert picture(tmp_path / "b.png", "sixel") == ""
    assert picture(tmp_path / "none.png", "iterm2") == ""
    assert picture(png(tmp_path / "c.png"), "") == ""


@pytest.mark.parametrize(
    ("environment", "begins"),
    [
        ({"TERM": "xterm-kitty"}, "\x1b_Ga=T,f=100,q=2,c="),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, "\x1b]1337;File=inline=1;size="),
        ({"TERM": "foot"}, '\x1bPq"1;1;40;14'),
        ({"TERM": "xterm-256color"}, ""),
        ({"TERM": "xterm-kitty", "TMUX": "/tmp/tmux-0/default,1,0"}, ""),
        ({"TERM": "screen.xterm-256color", "KITTY_WINDOW_ID": "1"}, ""),
    ],
)
def test_a_plot_is_drawn_where_the_terminal_can_and_named_everywhere(
    environment: dict[str, str], begins: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TERM", "TERM_PROGRAM", "LC_TERMINAL", "KITTY_WINDOW_ID", "TMUX"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    path = png(tmp_path / "a.png")
    made = ArtifactMade(id="", artifact=Artifact(str(path), "image/png"))
    drawn = re.compile("\x1b_G|\x1b]1337|\x1bP")
    out = shown([made], Terminal())
    assert str(path) in out.replace("\n", "")
    assert begins in out
    assert bool(drawn.search(out)) == bool(begins)
    for plain in (shown([made]), shown([made], Terminal(), plain=True)):  # a pipe; a screen reader
        assert str(path) in plain.replace("\n", "")
        assert not drawn.search(plain)
