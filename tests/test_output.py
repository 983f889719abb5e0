"""Text on its way to a person: nothing is loaded, nothing moves the cursor, every link shows where it leads."""

import io
import re
import socket
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmos.flow import seen
from llmos.kernel.hygiene import clean
from llmos.kernel.types import Answer, Artifact, ArtifactMade, Event, Result, Source, Text, Thought, ToolResult
from llmos.links import Teller, host_of, told
from llmos.render import Plain, Screen

CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029]")


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM_PROGRAM", "LC_TERMINAL", "TMUX", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-kitty")  # one that shows pictures and follows links
    monkeypatch.setenv("COLUMNS", "200")


def shown(text: str, *, pieces: bool = True) -> str:
    """What a terminal gets for an answer that streams, without the styles we set ourselves."""
    out = Terminal()
    with Screen(out) as screen:
        for piece in text if pieces else [text]:
            screen.show(Text(id="", text=piece, delta=True))
        screen.show(Text(id="", text=text))
        screen.show(Answer(id="", text=text))
    return re.sub(r"\x1b\[(?:[0-9;]*m|\?25[lh])", "", out.getvalue())


@pytest.mark.parametrize(
    "text",
    [
        "![chart](https://evil.example/x.png?q=data)",
        "![](http://evil.example/1.gif)",
        '<img src="https://evil.example/x.png" onerror=alert(1)>',
        "[![a](https://evil.example/a.png)](https://evil.example/b)",
        "![a][1]\n\n[1]: https://evil.example/x.png",
        '<a href="https://evil.example">https://evil.example</a>',
        "<script>alert(1)</script> <!-- unseen --> <style>*{display:none}</style>",
        "&lt;b&gt; &amp; &#27;[2J",
        "<https://example.org/a>",
    ],
)
def test_pictures_links_and_html_are_the_text_that_they_are_and_nothing_is_loaded(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*given: Any) -> None:
        raise AssertionError("something was to be loaded")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    for pieces in (True, False):
        assert shown(text, pieces=pieces) == text.replace("`", "") + "\n"


def test_a_picture_that_is_no_file_of_the_session_is_not_drawn() -> None:
    out = Terminal()
    with Screen(out) as screen:
        screen.show(ArtifactMade(id="", artifact=Artifact("https://evil.example/x.png", "image/png")))
        screen.show(ArtifactMade(id="", artifact=Artifact("file:///etc/passwd", "image/png")))
        screen.show(ArtifactMade(id="", artifact=Artifact("/etc/passwd", "image/png")))
    assert "\x1b_G" not in out.getvalue()


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("[https://bank.com](http://evil.example/login)", "evil.example"),
        ("[your bank.com account](https://evil.example)", "evil.example"),
        ("[www.bank.com](https://bank.com.evil.example/)", "bank.com.evil.example"),
        ("[bank.com](https://notbank.com)", "notbank.com"),
        ("[bank.com](https:evil.example)", "evil.example"),
        ("[bank.com](//evil.example/x)", "evil.example"),
        ("![bank.com](https://evil.example/x.png)", "evil.example"),
        ("[bank.com](<https://evil.example> 'a title')", "evil.example"),
        ("[bank.com](https://evil.example/a_(b))", "evil.example"),
        ("go to https://bank.com@evil.example/x now", "evil.example"),
        ("https://bank.com:443@evil.example/", "evil.example"),
        ("[x](http://user:word@evil.example/)", "evil.example"),
        ("https://%65vil.example/", "evil.example"),
        ("https://p\u0430ypal.com/", "xn--pypal-4ve.com"),
        ("https://b\u00fccher.example", "xn--bcher-kva.example"),
        ("http://2130706433/", "127.0.0.1"),
        ("http://0x7f.1/", "127.0.0.1"),
        ("http://0177.0.0.1/", "127.0.0.1"),
    ],
)
def test_a_link_that_leads_elsewhere_than_it_looks_is_told_so(text: str, host: str) -> None:
    for pieces in (True, False):
        got = shown(text, pieces=pieces).rstrip("\n")
        assert f" [leads to {host}]" in got
        assert got.replace(f" [leads to {host}]", "") == text
    out = Terminal()
    Plain(out).show(Answer(id="", text=text))
    assert f"[leads to {host}]" in out.getvalue()
    piped = io.StringIO()
    Plain(piped).show(Answer(id="", text=text))
    assert piped.getvalue() == text + "\n"


@pytest.mark.parametrize("scheme", ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "vbscript:x"])
def test_a_link_that_is_no_web_page_is_told_so(scheme: str) -> None:
    assert told(f"[click]({scheme})").endswith(f" [no web page: {scheme.partition(':')[0]}]")


@pytest.mark.parametrize(
    "text",
    [
        "[the docs](https://docs.example.org/a)",
        "[example.org](https://www.example.org/a)",
        "[www.example.org](https://example.org/a)",
        "[https://example.org/a](https://example.org/a)",
        "[report.csv](https://files.example/report.csv)",
        "see https://example.org/a, https://example.org.",
        "**https://ok.example** and (https://a.example/b)",
        "http://127.0.0.1:8000/ and http://[::1]:8000/ and http://localhost:8000",
        "https://EXAMPLE.org:8080/x?y=a@b.example#z",
        "mailto:bob@example.com [mail](mailto:bob@example.com)",
        "x[0](1) and f[a](b) and [1, 2, 3] and a:b and 12:34",
        "[a](b) [c](/d/e.md) [f](#g)",
        "https://en.wikipedia.org/wiki/A_(b)",
    ],
)
def test_honest_links_and_other_brackets_are_left_alone(text: str) -> None:
    assert told(text) == text
    assert shown(text) == text.replace("**", "") + "\n"


@given(st.text(st.sampled_from("[]()<>!:/\\.@%#? \nhtpsabcexml0127\u0430"), max_size=80), st.integers(1, 9))
def test_in_pieces_a_note_comes_as_for_the_whole_and_nothing_is_lost(text: str, size: int) -> None:
    teller = Teller()
    pieces = [teller.feed(text[i : i + size]) for i in range(0, len(text), size)]
    got = "".join([*pieces, teller.end()])
    note = re.compile(r" \[(?:leads to|no web page:) [^\]]*\]")
    assert note.sub("", got) == note.sub("", text)
    assert note.sub("", told(text)) == note.sub("", text)


@given(st.text(max_size=60))
def test_no_host_raises_and_all_are_ascii(text: str) -> None:
    assert host_of(f"https://{text}").isascii()
    assert told(f"[bank.com](https://{text})").startswith("[bank.com](https://")


SEQUENCES = ["\x1b[2J", "\x1b]0;t\x07", "\x1b]8;;http://evil.example\x1b\\", "\x9b31m", "\x90q\x9c", "\x1bc", "\x1bPq"]
SINGLE = ["\r", "\b", "\x7f", "\u202e", "\u2066", "\u2028", "\x00", "\u200b", "\U000e0041", "\n", "\t"]
pieces = st.lists(st.sampled_from([*SEQUENCES, *SINGLE, "a", "**", "`", "[", "](", "http://"]), max_size=20)


@given(pieces)
def test_no_control_reaches_a_terminal_however_the_text_is_cut(parts: list[str]) -> None:
    text = "".join(parts)
    assert not CONTROLS.search(seen(text))
    events: list[Event] = [
        *(Text(id="", text=p, delta=True) for p in parts),
        Thought(id="", text=text),
        Result(id="", result=ToolResult("r1", True, text, Source("tool", text))),
        Answer(id="", text=f"x{text}"),
    ]
    out = io.StringIO()
    with Screen(out) as screen:
        for event in events:
            screen.show(event)
    Plain(out).show(events[-1])
    assert not CONTROLS.search(out.getvalue())


@given(st.text(max_size=100))
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    assert clean(clean(text)) == clean(text)
    assert not CONTROLS.search(seen(text))


def test_no_terminal_link_is_ever_made() -> None:
    out = Terminal()
    with Screen(out) as screen:
        screen.show(Answer(id="", text="[a](https://example.org) https://example.org <https://example.org>"))
    assert "\x1b]8" not in out.getvalue()
