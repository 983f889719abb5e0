"""Skill memory: what was judged good stands before a like request; off by default, and nothing of others is kept."""

from pathlib import Path

import pytest

from llmos import LLMOS, Scripted, Tool, ToolCall, ToolOutput
from llmos.kernel import minilm
from llmos.memory.record import Where
from llmos.memory.skills import KIND

pytestmark = pytest.mark.skipif(bool(minilm.missing()), reason="the weights are not installed")
PAGE = Tool("page", "", {"type": "object"}, lambda a, c: ToolOutput("Buy our soap."), frozenset())


def system(home: Path, *replies: object, skills: bool = True) -> LLMOS:
    return LLMOS(model=Scripted(list(replies)), home=home, remembers=True, skills=skills, tools=[PAGE])  # type: ignore[arg-type]


def kept(llmos: LLMOS) -> list[str]:
    found = llmos.memory.documents(Where(kind=KIND))
    return [chunk.text for d in found for _, chunk in llmos.memory.text(d.id)]


def told(llmos: LLMOS) -> str:
    assert isinstance(llmos.model, Scripted)
    return llmos.model.seen[-1][0].text


def test_a_solved_request_stands_before_a_like_one_and_no_other(tmp_path: Path) -> None:
    call = ToolCall("x", "calculator", {"expression": "80 * 1.19"})
    with system(tmp_path, call, "95.2 euros", "58.31", "Hello!") as llmos:
        with llmos.session() as session:
            session.run("what is 80 euros with 19% tax on top?")
            session.judge("good")
        (text,) = kept(llmos)
        assert text.splitlines() == [
            "request: what is 80 euros with 19% tax on top?",
            'calculator {"expression": "80 * 1.19"} -> 95.2',
            "answer: 95.2 euros",
        ]
        llmos.run("what is 49 euros with 19% tax on top?")
        assert text in told(llmos)
        llmos.run("hello, who are you?")
        assert "request:" not in told(llmos)
        # It is no passage of the memory, and is listed and forgotten as all that is kept.
        assert llmos.memory.search("80 euros with tax") == []
        (document,) = llmos.memory.documents(Where(everyone=True))
        assert llmos.memory.forget([document.id]) == 1


def test_a_bad_verdict_takes_it_back_and_the_newest_way_stays(tmp_path: Path) -> None:
    with system(tmp_path, "one", "two", "three") as llmos, llmos.session() as session:
        for _ in range(2):
            session.run("say a number")
            session.judge("good")
        assert kept(llmos) == ["request: say a number\nanswer: two"]
        session.run("say a number")
        session.judge("bad")
        assert kept(llmos) == []


def test_it_is_off_by_default_and_keeps_nothing_of_others(tmp_path: Path) -> None:
    with system(tmp_path, "one", skills=False) as llmos, llmos.session() as session:
        session.run("say a number")
        session.judge("good")
        assert kept(llmos) == []
    assert not LLMOS(home=tmp_path).skills
    with system(tmp_path, ToolCall("x", "page", {}), "soap") as llmos, llmos.session() as session:
        session.run("what does the page say?")
        session.judge("good")
        assert kept(llmos) == []
