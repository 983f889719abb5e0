"""Each budget by itself, through the public door: which one it was is told by the error, the log and the exit code."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from llmos import LLMOS, Budget, BudgetError, QuotaError, Scripted, Tool, ToolCall, ToolContext, ToolOutput, cli
from llmos.kernel.engine import Finished
from llmos.kernel.scripted import Reply
from llmos.kernel.types import Failure, Malformed, Result
from llmos.memory.codec import decode, encode, to_public


def calculate(expression: str = "1 + 1") -> ToolCall:
    return ToolCall("x", "calculator", {"expression": expression})


def slow(arguments: object, context: ToolContext) -> ToolOutput:
    until = time.monotonic() + min(context.timeout, 0.15)
    while time.monotonic() < until and not context.cancelled.is_set():
        time.sleep(0.01)
    return ToolOutput(f"had {context.timeout:g} s")


CODE = Tool("code", "runs", {"type": "object"}, slow, frozenset({"exec"}))
UNDECLARED = Tool("odd", "who knows", {"type": "object"}, slow)
PURE = Tool("pure", "computes", {"type": "object"}, slow, frozenset())


def call(name: str) -> ToolCall:
    return ToolCall("x", name, {})


@pytest.mark.parametrize(
    ("name", "budget", "replies", "says"),
    [
        ("calls", Budget(calls=2), [calculate(), calculate(), calculate(), "2"], "2 tool calls"),
        ("tokens", Budget(tokens=3), ["one two three four five"], "3 new tokens"),
        ("seconds", Budget(seconds=-1.0), ["late"], "-1 seconds"),
        ("prompt_tokens", Budget(prompt_tokens=600), [calculate()] * 20, "of 600 prompt tokens"),
        ("sandbox_seconds", Budget(sandbox_seconds=0.1), [call("code")] * 9, "0.1 seconds of running code"),
    ],
)
def test_a_budget_of_a_request_says_which_it_was(
    tmp_path: Path, name: str, budget: Budget, replies: list[Reply], says: str
) -> None:
    with (
        LLMOS(model=Scripted(replies), home=tmp_path, budget=budget, tools=[CODE]) as llmos,
        llmos.session() as session,
    ):
        with pytest.raises(BudgetError, match=says) as caught:
            session.run("go on and on")
        ended = session.events()[-1]
    assert (caught.value.budget, caught.value.exit_code, type(caught.value)) == (name, 1, BudgetError)
    assert name in {field.name for field in fields(Budget)}
    assert "\n" not in str(caught.value)
    assert isinstance(ended, Failure)
    assert (ended.kind, ended.budget, ended.message) == ("budget", name, str(caught.value))
    assert to_public(ended)["budget"] == name
    assert decode(json.loads(json.dumps(encode(ended)))) == ended


def test_the_models_window_is_called_context(tmp_path: Path) -> None:
    llmos = LLMOS(model=Scripted(["never"], context_length=60), home=tmp_path)
    with llmos, pytest.raises(BudgetError, match="window holds 60") as caught:
        llmos.run("word " * 200)
    assert caught.value.budget == "context"


def test_a_reply_that_is_cut_is_called_so(tmp_path: Path) -> None:
    class Cut(Scripted):
        def reply(self, *given: Any, **more: Any) -> Iterator[Any]:
            for delta in super().reply(*given, **more):
                yield replace(delta, reason="length") if isinstance(delta, Finished) else delta

    with LLMOS(model=Cut(["half a"]), home=tmp_path) as llmos, pytest.raises(BudgetError) as caught:
        llmos.run("tell")
    assert caught.value.budget == "reply_tokens"


def test_a_call_over_its_own_time_is_a_result_and_not_an_end(tmp_path: Path) -> None:
    budget = Budget(tool_seconds=0.05)
    with LLMOS(model=Scripted([call("code"), "done"]), home=tmp_path, budget=budget, tools=[CODE]) as llmos:
        assert llmos.run("go").text == "done"


def test_only_tools_that_run_code_or_do_not_say_use_the_sandboxs_seconds(tmp_path: Path) -> None:
    budget = Budget(sandbox_seconds=0.2)
    tools = [CODE, UNDECLARED, PURE]
    replies: list[Reply] = [call("pure"), call("pure"), call("code"), call("code"), "done"]
    with LLMOS(model=Scripted(replies), home=tmp_path, budget=budget, tools=tools) as llmos, llmos.session() as session:
        assert session.run("go").text == "done"
        told = [e.result.preview for e in session.events() if isinstance(e, Result)]
    assert told[:3] == ["had 30 s", "had 30 s", "had 0.2 s"]
    assert float(told[3].split()[1]) < 0.06  # what was left
    replies = [call("odd")] * 4
    llmos = LLMOS(model=Scripted(replies), home=tmp_path, budget=budget, tools=tools, approve=lambda asked: True)
    with llmos, pytest.raises(BudgetError) as caught:
        llmos.run("go")
    assert caught.value.budget == "sandbox_seconds"


def test_a_result_may_not_fill_the_context_and_is_kept_all_the_same(tmp_path: Path) -> None:
    long = Tool("long", "tells", {"type": "object"}, lambda a, c: ToolOutput("w " * 600), frozenset())
    budget, model = Budget(result_share=0.5), Scripted([call("long"), "after it", "later"], context_length=1000)
    with LLMOS(model=model, home=tmp_path, budget=budget, tools=[long]) as llmos, llmos.session() as session:
        with pytest.raises(BudgetError, match="601 tokens, more than 50% of the model's window of 1000") as caught:
            session.run("go")
        assert caught.value.budget == "result_share"
        kept = next(e.result for e in session.events() if isinstance(e, Result))
        assert kept.ok
        assert session.run("go on").text == "after it"  # the session is whole, and goes on
        assert session.run("and on").text == "later"


def test_a_result_of_a_fair_share_is_no_trouble(tmp_path: Path) -> None:
    long = Tool("long", "tells", {"type": "object"}, lambda a, c: ToolOutput("w " * 600), frozenset())
    with LLMOS(model=Scripted([call("long"), "fine"]), home=tmp_path, tools=[long]) as llmos:
        assert llmos.run("go").text == "fine"


def test_the_command_line_tells_it_in_one_line_and_exits_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LLMOS_HOME", str(tmp_path))
    monkeypatch.setattr("llmos.app.open_model", lambda name: Scripted([calculate()] * 40))
    assert cli.run_command(["run", "loop", "--json"]) == 1
    shown = capsys.readouterr()
    assert json.loads(shown.out.splitlines()[-1])["budget"] == "calls"
    assert shown.err == "llmos: stopped after 25 tool calls, the budget of one request\n"


def test_a_malformed_call_spends_nothing_of_the_sandbox(tmp_path: Path) -> None:
    broken = Malformed("x", "{", "no closing brace")
    with LLMOS(model=Scripted([broken, "ok"]), home=tmp_path, budget=Budget(sandbox_seconds=0)) as llmos:
        assert llmos.run("go").text == "ok"


def test_a_quota_is_a_budget_and_told_apart_by_type() -> None:
    error: BudgetError = QuotaError("full", "log")
    raised: Callable[[], str] = lambda: error.budget  # noqa: E731
    assert (raised(), error.exit_code, BudgetError("x").budget) == ("log", 1, "")
