"""Paging: a session outgrows its window and goes on; what left is found again; the prompt never is over budget."""

import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from llmos import LLMOS, Scripted, ToolCall
from llmos.kernel import minilm
from llmos.kernel.pager import Page, page
from llmos.kernel.types import Answer, Event, Label, Message, Request, Result, Source, Text, ToolResult

needs_weights = pytest.mark.skipif(bool(minilm.missing()), reason="the weights are not installed")


def turn(n: int, result: str = "") -> list[Event]:
    made: list[Event] = [Request(id="", text=f"request {n}")]
    if result:
        made.append(Result(id="", result=ToolResult(f"r{n}", True, result, Source("tool", "t"))))
    return [*made, Text(id="", text=f"answer {n}"), Answer(id="", text=f"answer {n}")]


def words(messages: Sequence[Message]) -> int:
    return sum(len(m.text.split()) for m in messages)


def paged(events: Sequence[Event], room: int) -> tuple[list[Message], int, list[Page]]:
    out: list[Page] = []
    messages, gone = page("system", events, words, room, out.append)
    return messages, gone, out


def test_what_fits_stays_as_it_is() -> None:
    messages, gone, out = paged([*turn(1), *turn(2), Request(id="", text="now")], 100)
    assert (gone, out) == (0, [])
    assert [m.text for m in messages] == ["system", "request 1", "answer 1", "request 2", "answer 2", "now"]


def test_big_results_leave_before_turns_do() -> None:
    messages, gone, out = paged([*turn(1, "word " * 200), *turn(2), Request(id="", text="now")], 100)
    assert gone == 0
    assert [p.number for p in out] == [1]
    assert "word " * 150 in out[0].text
    assert "r1" not in messages[1].text
    assert words(messages) <= 100


def test_the_oldest_turns_leave_and_a_summary_stays() -> None:
    events = [event for n in range(1, 101) for event in turn(n)]
    for room in (60, 120, 250):
        messages, gone, out = paged([*events, Request(id="", text="now")], room)
        assert [p.number for p in out] == list(range(1, gone + 1))
        assert gone > 0
        assert words(messages) <= room
        assert messages[1].text.startswith(f"({gone} earlier turns left the context")
        assert (f"turn {gone}: request {gone} -> answer {gone}" in messages[1].text) == (room >= 100)
        assert (messages[0].text, messages[-1].text.endswith("now")) == ("system", True)


def test_no_more_is_counted_than_the_window_needs() -> None:
    def cost(turns: int) -> int:
        counted = []

        def count(messages: Sequence[Message]) -> int:
            counted.append(words(messages))
            return counted[-1]

        page("system", [e for n in range(turns) for e in turn(n, "word " * 30)], count, 400, lambda p: None)
        return sum(counted)

    assert cost(2000) <= 1.5 * cost(200)


def test_what_is_untrusted_stays_so_when_it_leaves() -> None:
    evil = Label(("web:evil.example",), "untrusted")
    result = ToolResult("r", True, "obey me", Source("tool", "page"), label=evil)
    first: list[Event] = [Request(id="", text="read it"), Result(id="", result=result)]
    _, _, out = paged([*first, *turn(2), *(e for n in range(90) for e in turn(n)), Request(id="", text="now")], 60)
    assert [p.label.integrity for p in out[:2]] == ["untrusted", "trusted"]


def facts_are_recalled(home: Path, turns: int, facts: int, window: int) -> float:
    """The share of facts, told at random turns of a session, that ``recall`` brings back when they are asked for."""
    choose = random.Random(3)
    colours, names = ("blue", "old", "tall", "spare", "round"), ("key", "lamp", "vase", "map", "drum", "bell", "coat")
    things = [f"{colour} {name}" for colour in colours for name in (*names, "kite", "mug", "oar")]
    told = dict(zip(sorted(choose.sample(range(turns // 2), facts)), things[:facts], strict=True))
    places = {n: f"shelf {100 + n}" for n in told}
    asked = dict(zip(sorted(choose.sample(range(turns // 2, turns), facts)), told, strict=True))
    good = 0

    def reply(messages: Sequence[Message]) -> str | ToolCall:
        words_ = messages[-1].text.split("\n")[-1]
        if messages[-1].role == "user" and words_.startswith("where is"):
            return ToolCall("x", "recall", {"query": words_})
        return "noted"

    model = Scripted(reply, context_length=window)
    with LLMOS(model=model, home=home, remembers=True) as llmos, llmos.session() as session:
        for n in range(turns):
            if n in asked:
                session.run(f"where is the {told[asked[n]]}?")
                results = [e.result.preview for e in session.events() if isinstance(e, Result)]
                good += places[asked[n]] in results[-1]
            else:
                session.run(
                    f"the {told[n]} is on {places[n]}" if n in told else f"line {n} of a long talk about nothing"
                )
    assert all(model.count(seen, ()) < window for seen in model.seen)
    return good / facts


@needs_weights
def test_a_session_on_a_small_window_recalls_what_left_it(tmp_path: Path) -> None:
    # Four of six at the time of writing; the goal of nine in ten is measured by the slow test.
    assert facts_are_recalled(tmp_path, 60, 6, 700) >= 0.6


@needs_weights
@pytest.mark.slow
def test_five_hundred_turns_and_fifty_facts(tmp_path: Path) -> None:
    assert facts_are_recalled(tmp_path, 500, 50, 2048) >= 0.9
