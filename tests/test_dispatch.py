"""Dispatch: validate, decide, run, shorten; the model's mistakes become results."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from llmos.kernel.dispatch import PREVIEW, Dispatcher, middle_cut
from llmos.kernel.tool import Tool, ToolContext, ToolError, ToolOutput
from llmos.kernel.types import Malformed, ToolCall

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


def test_a_good_call_gives_its_text(dispatcher: Dispatcher, tmp_path: Path) -> None:
    result = dispatcher.run(call(n=3), ToolContext(tmp_path))
    assert (result.ok, result.preview, result.handle) == (True, "xxx", "")
    assert result.source.name == "count"


@pytest.mark.parametrize("arguments", [{}, {"n": "3"}, {"n": -1}, {"n": 1, "m": 2}])
def test_arguments_that_break_the_schema_never_reach_the_tool(
    dispatcher: Dispatcher, tmp_path: Path, arguments: dict[str, Any]
) -> None:
    result = dispatcher.run(call(**arguments), ToolContext(tmp_path))
    assert not result.ok
    assert result.preview.startswith("error: ")


def test_errors_and_bugs_of_a_tool_are_results(dispatcher: Dispatcher, tmp_path: Path) -> None:
    assert dispatcher.run(call(n=13), ToolContext(tmp_path)).preview == "error: thirteen is not for me"
    assert "RuntimeError: a bug" in dispatcher.run(call(n=14), ToolContext(tmp_path)).preview


def test_a_long_result_is_cut_and_kept_whole_as_a_handle(dispatcher: Dispatcher, tmp_path: Path) -> None:
    result = dispatcher.run(call(n=PREVIEW * 3), ToolContext(tmp_path))
    assert len(result.preview) < PREVIEW + 100
    assert (tmp_path / result.handle).read_text() == "x" * PREVIEW * 3
    assert result.handle in result.preview


def test_what_may_not_run_says_why(dispatcher: Dispatcher) -> None:
    unknown = ToolCall("r1", "rm", {})
    ruling, go = dispatcher.rule(unknown)
    assert not go
    assert "there is no tool rm" in dispatcher.refuse(unknown, ruling).preview
    assert "no closing brace" in dispatcher.refuse(Malformed("r2", "{", "no closing brace"), None).preview


def test_an_ask_without_anybody_there_is_a_denial_and_approval_is_for_that_call(tmp_path: Path) -> None:
    asked: list[ToolCall] = []
    netted = {"web": Tool("web", "", {"type": "object"}, lambda a, c: ToolOutput("page"), frozenset({"net"}))}
    wanted = ToolCall("r1", "web", {"url": "http://x"})
    assert Dispatcher(netted, tmp_path).rule(wanted)[1] is False

    def approve(call: ToolCall) -> bool:
        asked.append(call)
        return True

    assert Dispatcher(netted, tmp_path, approve).rule(wanted)[1] is True
    assert asked == [wanted]


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
    dispatcher.run(call(n=PREVIEW * 3), ToolContext(tmp_path))
    assert outside.read_text() == "mine"
    assert not (tmp_path / "r1.txt").is_symlink()
