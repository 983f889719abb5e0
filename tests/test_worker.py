"""The thread that runs a session's tools: what they tell is seen while they run, and none can hang the session."""

import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from llmos import LLMOS, Budget, Scripted, Tool, ToolCall, ToolContext, ToolOutput
from llmos.kernel import worker
from llmos.kernel.types import Event, Failure, Progress, Result, Source, ToolResult
from llmos.kernel.worker import ToolThread

DONE = ToolResult("r1", True, "done", Source("tool", "t"))


def drain(running: Generator[str, None, ToolResult | None]) -> tuple[list[str], ToolResult | None]:
    told = []
    while True:
        try:
            told.append(next(running))
        except StopIteration as end:
            return told, end.value


def test_what_a_tool_tells_comes_while_it_runs() -> None:
    heard = threading.Event()

    def job(tell: Callable[[str], None]) -> ToolResult:
        tell("half")
        assert heard.wait(5)
        return DONE

    running = ToolThread().watch(job, ToolContext(Path()))
    assert next(running) == "half"
    heard.set()
    assert drain(running) == ([], DONE)


def test_jobs_share_one_thread_and_their_errors_come_back() -> None:
    thread, names = ToolThread(), []

    def job(tell: object) -> ToolResult:
        names.append(threading.get_ident())
        if len(names) == 2:
            raise ValueError("no")
        return DONE

    assert drain(thread.watch(job, ToolContext(Path())))[1] == DONE
    with pytest.raises(ValueError, match="no"):
        drain(thread.watch(job, ToolContext(Path())))
    assert drain(thread.watch(job, ToolContext(Path())))[1] == DONE
    assert len(set(names)) == 1
    assert names[0] != threading.get_ident()


def test_a_tool_that_never_ends_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "GRACE", 0.1)
    monkeypatch.setattr(worker, "PATIENCE", 0.1)
    thread, release, context = ToolThread(), threading.Event(), ToolContext(Path(), timeout=0.1)
    stuck = thread.watch(lambda tell: (release.wait(30), DONE)[1], context)
    assert drain(stuck) == ([], None)
    assert context.cancelled.is_set()
    assert drain(thread.watch(lambda tell: DONE, ToolContext(Path())))[1] == DONE
    release.set()


def test_closing_cancels_and_waits() -> None:
    context, ended = ToolContext(Path()), []

    def job(tell: Callable[[str], None]) -> ToolResult:
        tell("begun")
        context.cancelled.wait(5)
        ended.append(time.monotonic())
        return DONE

    running = ToolThread().watch(job, context)
    next(running)
    running.close()
    assert ended


def slow(arguments: object, context: ToolContext) -> ToolOutput:
    context.progress("1 of 2")
    context.progress("2 of 2")
    return ToolOutput("both")


def test_progress_is_shown_and_not_kept(tmp_path: Path) -> None:
    tool = Tool("slow", "", {"type": "object", "properties": {}}, slow, frozenset())
    model = Scripted([ToolCall("x", "slow", {}), "done"])
    with LLMOS(model=model, home=tmp_path, tools=[tool]) as llmos, llmos.session() as session:
        events = list(session.stream("go"))
        assert [e.text for e in events if isinstance(e, Progress)] == ["1 of 2", "2 of 2"]
        assert not [e for e in session.events() if isinstance(e, Progress)]


def test_a_hanging_tool_is_a_result_and_the_session_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "GRACE", 0.1)
    monkeypatch.setattr(worker, "PATIENCE", 0.1)
    release = threading.Event()

    def hang(arguments: object, context: ToolContext) -> ToolOutput:
        release.wait(30)
        return ToolOutput("late")

    tool = Tool("hang", "", {"type": "object", "properties": {}}, hang, frozenset())
    model = Scripted([ToolCall("x", "hang", {}), "sorry"])
    budget = Budget(tool_seconds=0.1)
    with LLMOS(model=model, home=tmp_path, tools=[tool], budget=budget) as llmos, llmos.session() as session:
        assert session.run("go").text == "sorry"
        result = next(e.result for e in session.events() if isinstance(e, Result))
    release.set()
    assert not result.ok
    assert "did not end" in result.preview


def test_leaving_a_stream_in_the_middle_of_a_call_cancels_it(tmp_path: Path) -> None:
    seen: list[bool] = []

    def patient(arguments: object, context: ToolContext) -> ToolOutput:
        context.progress("waiting")
        seen.append(context.cancelled.wait(10))
        return ToolOutput("ended")

    tool = Tool("patient", "", {"type": "object", "properties": {}}, patient, frozenset())
    with LLMOS(model=Scripted([ToolCall("x", "patient", {})]), home=tmp_path, tools=[tool]) as llmos:
        session = llmos.session()
        stream = session.stream("go")
        events: list[Event] = []
        for event in stream:
            events.append(event)
            if isinstance(event, Progress):
                break
        stream.close()  # type: ignore[attr-defined]
        assert seen == [True]
        last = session.events()[-1]
        assert isinstance(last, Failure)
        assert last.kind == "interrupted"
