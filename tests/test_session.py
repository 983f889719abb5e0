"""The kernel loop, driven by a scripted model through the public door."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from llmos import LLMOS, Budget, BudgetError, LLMOSError, Scripted, Tool, ToolCall, ToolContext, ToolOutput, UsageError
from llmos.kernel.engine import Sampling
from llmos.kernel.types import Answer, ArtifactMade, Call, Decision, Event, Failure, Malformed, Request, Result, Text


def calculate(expression: str) -> ToolCall:
    return ToolCall("x", "calculator", {"expression": expression})


def python(code: str) -> ToolCall:
    return ToolCall("x", "python", {"code": code})


def system(tmp_path: Path, *replies: object, **settings: object) -> LLMOS:
    return LLMOS(model=Scripted(list(replies)), home=tmp_path / "home", **settings)  # type: ignore[arg-type]


def kinds(events: Iterator[Event]) -> list[str]:
    return [type(e).__name__ for e in events if not (isinstance(e, Text) and e.delta)]


def test_a_call_is_decided_run_and_answered_from(tmp_path: Path) -> None:
    with system(tmp_path, calculate("15% * 2480"), "It is 372.") as llmos:
        answer = llmos.run("what is 15% of 2480?")
    assert answer.text == "It is 372."
    assert [c.name for c in answer.calls] == ["calculator"]
    assert answer.usage.calls == 1


def test_the_events_come_in_the_order_of_the_design(tmp_path: Path) -> None:
    with system(tmp_path, calculate("1 + 1"), "2") as llmos:
        seen = kinds(llmos.stream("add"))
    assert [k for k in seen if k != "Progress"] == [
        "Started",
        "Request",
        "Call",
        "Decision",
        "Result",
        "Text",
        "Answer",
    ]


def test_several_calls_of_one_reply_all_run(tmp_path: Path) -> None:
    with system(tmp_path, [calculate("2 + 2"), calculate("3 * 3")], "4 and 9") as llmos, llmos.session() as session:
        answer = session.run("two sums")
        results = [e.result.preview for e in session.events() if isinstance(e, Result)]
    assert results == ["4", "9"]
    assert len(answer.calls) == 2
    assert len({c.id for c in answer.calls}) == 2


def test_a_malformed_call_becomes_a_result_the_model_can_react_to(tmp_path: Path) -> None:
    broken = Malformed("x", '{"name": "calculator"', "no closing brace")
    with system(tmp_path, broken, calculate("5"), "5") as llmos, llmos.session() as session:
        assert session.run("?").text == "5"
        first = next(e.result for e in session.events() if isinstance(e, Result))
    assert not first.ok
    assert "no closing brace" in first.preview


def test_unknown_tools_and_bad_arguments_are_results(tmp_path: Path) -> None:
    calls = [ToolCall("x", "format_disk", {}), ToolCall("x", "calculator", {"expr": "1"}), "sorry"]
    with system(tmp_path, *calls) as llmos, llmos.session() as session:
        session.run("?")
        previews = [e.result.preview for e in session.events() if isinstance(e, Result)]
    assert "no tool format_disk" in previews[0]
    assert "expression" in previews[1]


def test_the_budget_of_calls_ends_a_loop(tmp_path: Path) -> None:
    forever = Scripted(lambda messages: calculate("1 + 1"))
    with LLMOS(model=forever, home=tmp_path, budget=Budget(calls=3)) as llmos:
        with pytest.raises(BudgetError, match="3 tool calls"):
            llmos.run("loop")
        events = list(llmos.stream("loop"))
    assert isinstance(events[-1], Failure)
    assert events[-1].kind == "budget"


def test_a_tool_with_effects_is_denied_when_nobody_is_there_and_asked_for_otherwise(tmp_path: Path) -> None:
    sent: list[str] = []

    def send(arguments: object, context: ToolContext) -> ToolOutput:
        sent.append("sent")
        return ToolOutput("sent")

    mail = Tool("mail", "sends", {"type": "object", "properties": {}}, send, frozenset({"net"}))
    call = ToolCall("x", "mail", {})
    with system(tmp_path, call, "done", tools=[mail]) as llmos, llmos.session() as session:
        session.run("send it")
        verdict = next(e for e in session.events() if isinstance(e, Decision))
        assert (verdict.verdict, verdict.approved, sent) == ("deny", None, [])
    with system(tmp_path, call, "done", tools=[mail], approve=lambda call: True) as llmos:
        llmos.run("send it")
    assert sent == ["sent"]


def test_a_plot_is_an_artifact_and_the_library_says_where_the_numbers_come_from(tmp_path: Path) -> None:
    code = "df = load('funding_rounds_scale_ai.csv')\nax = df.plot(x='date', y='amount_musd')"
    with system(tmp_path, python(code), "Here is the plot.") as llmos:
        answer = llmos.run("plot funding rounds")
        assert [a.mime for a in answer.artifacts] == ["image/png"]
        assert Path(answer.artifacts[0].path).read_bytes().startswith(b"\x89PNG")
    assert [c.title for c in answer.citations] == ["funding_rounds_scale_ai.csv"]
    assert "press reports" in answer.text.lower()
    assert "as of 2024-05" in answer.text


def test_a_session_goes_on_with_its_context_and_its_python_state(tmp_path: Path) -> None:
    with system(tmp_path, python("a = 20"), "set") as llmos, llmos.session() as session:
        session.run("set a")
        name = session.id
    with system(tmp_path, python("a + 1"), "21") as llmos, llmos.session(name) as session:
        session.run("a plus one?")
        results = [e.result.preview for e in session.events() if isinstance(e, Result)]
        requests = [e.text for e in session.events() if isinstance(e, Request)]
    assert results[-1] == "21"
    assert requests == ["set a", "a plus one?"]


def test_closing_the_stream_keeps_the_session_whole(tmp_path: Path) -> None:
    with system(tmp_path, calculate("1"), "one") as llmos, llmos.session() as session:
        stream = session.stream("?")
        for event in stream:
            if isinstance(event, Call):
                break
        stream.close()  # type: ignore[attr-defined]
        assert isinstance(session.events()[-1], Failure)
        assert session.run("again").text == "one"


@pytest.mark.parametrize("request_", ["", "  \n", "x" * 100_001, "a\0b"])
def test_requests_that_cannot_be_used_are_usage_errors(tmp_path: Path, request_: str) -> None:
    with system(tmp_path, "never") as llmos, pytest.raises(UsageError):
        llmos.run(request_)


def test_an_empty_turn_is_an_error_that_says_so(tmp_path: Path) -> None:
    with system(tmp_path, "") as llmos, pytest.raises(LLMOSError, match="without an answer"):
        llmos.run("hello")


def test_files_named_in_the_request_are_attached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rain.csv").write_text("month,mm\n2024-01,50\n2024-02,61\n")
    monkeypatch.chdir(tmp_path)
    with system(tmp_path, "two rows") as llmos, llmos.session() as session:
        session.run("how many rows has rain.csv?")
        asked = next(e for e in session.events() if isinstance(e, Request))
        assert asked.attachments[0].preview.startswith("file 'rain.csv': 2 rows")
        assert (session.workspace / "data" / "rain.csv").exists()


def test_artifacts_and_answers_are_events_too(tmp_path: Path) -> None:
    with system(tmp_path, python("ax = pd.DataFrame({'a': [1, 2]}).plot()"), "drawn") as llmos:
        events = list(llmos.stream("draw"))
    assert any(isinstance(e, ArtifactMade) for e in events)
    assert isinstance(events[-1], Answer)


def test_after_the_same_call_told_the_same_twice_the_reply_makes_none(tmp_path: Path) -> None:
    class Stuck(Scripted):
        def reply(self, messages, tools, sampling=Sampling(), n=1):  # type: ignore[no-untyped-def]  # noqa: B008
            bars.append(sampling.calls)
            return super().reply(messages, tools, sampling, n)

    bars: list[bool] = []
    model = Stuck([calculate("1 + 1"), calculate("2 + 2"), calculate("2 + 2"), "It is 4.", calculate("2 + 2"), "4."])
    with LLMOS(model=model, home=tmp_path) as llmos, llmos.session() as session:
        assert session.run("add").text == "It is 4."
        assert bars == [True, True, True, False]
        session.run("again")  # a new request may make the same call
    assert bars[4:] == [True, True]
