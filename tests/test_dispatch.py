"""Dispatch: validate, decide, run, shorten; the model's mistakes become results."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from llmos.kernel.dispatch import Asked, Dispatcher, middle_cut
from llmos.kernel.labels import PLAIN
from llmos.kernel.policy import Grant, Grants, State
from llmos.kernel.tool import PREVIEW, Tool, ToolContext, ToolError, ToolOutput
from llmos.kernel.types import Malformed, ToolCall, ToolResult

SCHEMA = {
    "type": "object",
    "properties": {"n": {"type": "integer", "minimum": 0}},
    "required": ["n"],
    "additionalProperties": False,
}


def run(arguments: Mapping[str, Any], context: ToolContext) -> ToolOutput:
    n = arguments["n"]
    if n == 13:
        raise ToolError("thirteen is not for me")
    if n == 14:
        raise RuntimeError("a bug in the tool")
    return ToolOutput("x" * n)


@pytest.fixture
def dispatcher(tmp_path: Path) -> Dispatcher:
    return Dispatcher({"count": Tool("count", "counts", SCHEMA, run, frozenset())}, tmp_path)


def call(**arguments: Any) -> ToolCall:
    return ToolCall("r1", "count", arguments)


def carry_out(dispatcher: Dispatcher, wanted: ToolCall) -> ToolResult:
    """Decide a call and run it."""
    permit = dispatcher.rule(wanted, PLAIN, State())
    return dispatcher.run(wanted, permit, ToolContext(dispatcher.workspace), PLAIN)


def test_a_good_call_gives_its_text(dispatcher: Dispatcher, tmp_path: Path) -> None:
    result = carry_out(dispatcher, call(n=3))
    assert (result.ok, result.preview, result.handle) == (True, "xxx", "")
    assert result.source.name == "count"


@pytest.mark.parametrize("arguments", [{}, {"n": "3"}, {"n": -1}, {"n": 1, "m": 2}])
def test_arguments_that_break_the_schema_never_reach_the_tool(
    dispatcher: Dispatcher, tmp_path: Path, arguments: dict[str, Any]
) -> None:
    result = carry_out(dispatcher, call(**arguments))
    assert not result.ok
    assert result.preview.startswith("error: ")


def test_errors_and_bugs_of_a_tool_are_results(dispatcher: Dispatcher, tmp_path: Path) -> None:
    assert carry_out(dispatcher, call(n=13)).preview == "error: thirteen is not for me"
    assert "RuntimeError: a bug" in carry_out(dispatcher, call(n=14)).preview


def test_a_long_result_is_cut_and_kept_whole_as_a_handle(dispatcher: Dispatcher, tmp_path: Path) -> None:
    result = carry_out(dispatcher, call(n=PREVIEW * 3))
    assert len(result.preview) < PREVIEW + 100
    assert (tmp_path / result.handle).read_text() == "x" * PREVIEW * 3
    assert result.handle in result.preview


def test_what_may_not_run_says_why(dispatcher: Dispatcher) -> None:
    unknown = ToolCall("r1", "rm", {})
    permit = dispatcher.rule(unknown, PLAIN, State())
    assert not permit.go
    assert "there is no tool rm" in dispatcher.refuse(unknown, permit.ruling).preview
    assert "no closing brace" in dispatcher.refuse(Malformed("r2", "{", "no closing brace"), None).preview


@pytest.fixture
def netted() -> dict[str, Tool]:
    return {"web": Tool("web", "", {"type": "object"}, lambda a, c: ToolOutput("page"), frozenset({"net"}))}


WANTED = ToolCall("r1", "web", {"url": "http://x", "tags": ["a"]})


@pytest.mark.parametrize("value", ["http://x", "*"])
def test_a_tool_allowed_for_some_arguments_is_offered_though_nobody_is_there(
    tmp_path: Path, netted: dict[str, Tool], value: str
) -> None:
    """Else the model could not write the very call that was allowed."""
    granted = Dispatcher(netted, tmp_path, grants=Grants(allow=(Grant("web", (("url", value),)),)))
    assert granted.offered(PLAIN, State()) == list(netted.values())
    assert granted.offered(PLAIN, State(untrusted=True)) == []
    assert Dispatcher(netted, tmp_path, grants=Grants(allow=(Grant("mail"),))).offered(PLAIN, State()) == []


def test_an_ask_without_anybody_there_is_a_denial_and_the_tool_is_not_offered(
    tmp_path: Path, netted: dict[str, Tool]
) -> None:
    alone = Dispatcher(netted, tmp_path)
    assert alone.rule(WANTED, PLAIN, State()).ruling.verdict == "deny"
    assert alone.offered(PLAIN, State()) == []
    assert Dispatcher(netted, tmp_path, lambda asked: False).offered(PLAIN, State()) == list(netted.values())
    denied = Grants(deny=(Grant("web"),))
    assert Dispatcher(netted, tmp_path, lambda asked: True, denied).offered(PLAIN, State()) == []


def test_an_approval_shows_the_real_arguments_and_is_for_that_call_alone(
    tmp_path: Path, netted: dict[str, Tool]
) -> None:
    asked: list[Asked] = []

    def approve(call: Asked) -> bool:
        asked.append(call)
        call.arguments["tags"].append("b")  # whoever is asked cannot change what runs
        return True

    dispatcher = Dispatcher(netted, tmp_path, approve)
    permit = dispatcher.rule(WANTED, PLAIN, State())
    assert permit.go
    assert (asked[0].name, asked[0].rule, asked[0].yes) == ("web", "reaches-out", True)
    assert WANTED.arguments == {"url": "http://x", "tags": ["a"]}
    context = ToolContext(tmp_path)
    assert dispatcher.run(WANTED, permit, context, PLAIN).ok
    for other in ({"url": "http://y", "tags": ["a"]}, {"url": "http://x", "tags": ["a", "b"]}):
        refused = dispatcher.run(ToolCall("r1", "web", other), permit, context, PLAIN)
        assert "no permit" in refused.preview
    no = Dispatcher(netted, tmp_path, lambda asked: False).rule(WANTED, PLAIN, State())
    assert not no.go
    assert not dispatcher.run(WANTED, no, context, PLAIN).ok


def test_middle_cut_keeps_both_ends() -> None:
    text = "begin" + "." * 5000 + "end"
    cut = middle_cut(text)
    assert cut.startswith("begin")
    assert cut.endswith("end")
    assert len(cut) <= PREVIEW + 5


def test_a_link_planted_under_a_handles_name_is_never_followed(dispatcher: Dispatcher, tmp_path: Path) -> None:
    outside = tmp_path.parent / "outside.txt"
    outside.write_text("mine")
    (tmp_path / "r1.txt").symlink_to(outside)
    carry_out(dispatcher, call(n=PREVIEW * 3))
    assert outside.read_text() == "mine"
    assert not (tmp_path / "r1.txt").is_symlink()
