"""Thinking about a request through the public door: replies vote by what their calls come to, and the log tells."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from llmos import LLMOS, Budget, Persona, Scripted, Tool, ToolCall, ToolOutput, UsageError
from llmos.kernel.engine import Delta, Finished, Sampling
from llmos.kernel.local import LocalModel
from llmos.kernel.planner import Meter, Spent, solve, think
from llmos.kernel.ponder import parse
from llmos.kernel.reason import Told, verdict
from llmos.kernel.strategies import beam, direct, vote
from llmos.kernel.types import Answer, Call, Decision, Event, Explored, Failure, Message, Result
from llmos.memory.codec import to_public
from llmos.tools.calculator import evaluate
from llmos.trees import drawn


def calculate(expression: str) -> ToolCall:
    return ToolCall("x", "calculator", {"expression": expression})


def events(tmp_path: Path, *replies: object, think: object = 30.0, **settings: object) -> list[Event]:
    with LLMOS(model=Scripted(list(replies)), home=tmp_path / "home", **settings) as system:  # type: ignore[arg-type]
        return list(system.stream("what is 2 and 2?", think=think))  # type: ignore[arg-type]


def first_call(found: Sequence[Event]) -> ToolCall:
    call = next(e.call for e in found if isinstance(e, Call))
    assert isinstance(call, ToolCall)
    return call


WRONG, FAILS = calculate("2 - 2"), calculate("2 +* 2")


def test_results_vote_and_not_the_ways_to_write_them(tmp_path: Path) -> None:
    ways = [WRONG, calculate("2 + 2"), calculate("2 * 2"), FAILS, calculate("8 / 2")]
    found = events(tmp_path, *ways, "It is 4.", budget=Budget(tokens=512 * 6))
    # The first of those that won is the one that is run, logged and answered from.
    assert first_call(found).arguments == {"expression": "2 + 2"}
    assert [e.result.preview for e in found if isinstance(e, Result)] == ["4"]
    assert isinstance(found[-1], Answer)
    assert found[-1].text == "It is 4."
    assert len([e for e in found if isinstance(e, Call)]) == len([e for e in found if isinstance(e, Decision)]) == 1
    dead = [e for e in found if isinstance(e, Explored) and e.fate == "dead"]
    assert len(dead) == 1
    assert dead[0].why.startswith("error:")
    last = [e for e in found if isinstance(e, Explored)][-1]
    assert (last.node, last.fate, last.answer, last.value) == (0, "finished", "4", 3 / 5)
    assert found[-1].usage.generated_tokens >= 5 + 3  # what was drawn counts


def test_a_tie_goes_to_system_1(tmp_path: Path) -> None:
    found = events(tmp_path, WRONG, calculate("2 + 2"), "0", budget=Budget(tokens=512 * 3))
    assert first_call(found) == ToolCall("r1", "calculator", {"expression": "2 - 2"})


def test_a_vote_ends_when_it_is_settled(tmp_path: Path) -> None:
    found = events(tmp_path, *[calculate("2 + 2")] * 9, "4", budget=Budget(tokens=512 * 16))
    assert "settled" in [e.why for e in found if isinstance(e, Explored)][-1]
    assert isinstance(found[-1], Answer)


def test_auto_asks_system_1_and_stops_where_it_is_sure(tmp_path: Path) -> None:
    # A scripted reply has the log-probability 0: it could not be more sure.
    found = events(tmp_path, calculate("2 + 2"), "4", think="auto")
    assert "System 1 is sure" in [e.why for e in found if isinstance(e, Explored)][-1]
    assert isinstance(found[-1], Answer)


class Doubting(Scripted):
    """Scripted, and never sure."""

    def reply(
        self,
        messages: Sequence[Message],
        tools: Sequence[Tool],
        sampling: Sampling = Sampling(),  # noqa: B008
        n: int = 1,
    ) -> Iterator[Delta]:
        for delta in super().reply(messages, tools, sampling, n):
            yield Finished("stop", 1, 1, -3.0, delta.branch) if isinstance(delta, Finished) else delta


def test_auto_thinks_where_system_1_is_not_sure_until_all_agree(tmp_path: Path) -> None:
    for others, why in (([calculate("2 * 2")] * 4, "all of 5 replies"), ([WRONG, *[calculate("4")] * 9], "settled")):
        model = Doubting([calculate("2 + 2"), *others, "4"], context_length=10_000)
        with LLMOS(model=model, home=tmp_path / why[:3], budget=Budget(tokens=512 * 13)) as system:
            found = list(system.stream("?", think="auto"))
        assert why in [e.why for e in found if isinstance(e, Explored)][-1]
        assert first_call(found).arguments == {"expression": "2 + 2"}


def test_a_persona_thinks_as_long_as_its_file_says(tmp_path: Path) -> None:
    slow = Persona(name="Slow", think=30)
    for speaks, thought in ((slow, True), (Persona(name="Quick"), False)):
        script: list[Any] = [calculate("2 + 2"), *[calculate("4")] * 9 * thought, "4"]
        with LLMOS(model=Scripted(script, context_length=10_000), home=tmp_path / speaks.key) as system:
            found = list(system.stream("?", persona=speaks))
        assert any(isinstance(e, Explored) for e in found) is thought


def test_text_votes_too_and_acts_are_not_tried(tmp_path: Path) -> None:
    ran: list[str] = []

    def run(arguments: object, context: object) -> ToolOutput:
        ran.append("x")
        return ToolOutput("done")

    schema = {"type": "object", "properties": {}}
    act = Tool("act", "acts", schema, run, frozenset({"write"}), blind=True)
    pure = Tool("read", "reads files", schema, run, frozenset(), derives=True)
    script = [ToolCall("x", "act", {}), ToolCall("x", "read", {}), "No.", "no.", "no."]
    found = events(tmp_path, *script, tools=[act, pure], budget=Budget(tokens=512 * 6))
    assert not ran
    assert isinstance(found[-1], Answer)
    assert found[-1].text == "No."


def test_where_every_reply_is_wrong_system_1_answers_as_without_thinking(tmp_path: Path) -> None:
    found = events(tmp_path, FAILS, FAILS, calculate("2 + 2"), "4", budget=Budget(tokens=512 * 3))
    assert [e.fate for e in found if isinstance(e, Explored)][-1] == "dead"
    assert isinstance(found[-1], Answer)


def test_ctrl_c_gives_the_best_so_far_or_ends_the_request(tmp_path: Path) -> None:
    class Stopped(Scripted):
        stop = 2
        told = 0

        def reply(
            self,
            messages: Sequence[Message],
            tools: Sequence[Tool],
            sampling: Sampling = Sampling(),  # noqa: B008
            n: int = 1,
        ) -> Iterator[Delta]:
            self.told += 1
            if self.told == self.stop:
                raise KeyboardInterrupt
            yield from super().reply(messages, tools, sampling, n)

    model = Stopped([calculate("2 + 2"), "4"])
    with LLMOS(model=model, home=tmp_path) as system:
        assert system.run("?", think=30).text == "4"
        model.told, model.stop = 0, 1
        with system.session() as session:
            with pytest.raises(KeyboardInterrupt):
                session.run("?", think=30)
            assert isinstance(session.events()[-1], Failure)


def test_a_search_is_in_the_log_and_drawn_from_it(tmp_path: Path) -> None:
    with LLMOS(model=Scripted([WRONG, calculate("4"), calculate("2 + 2"), FAILS, "4"]), home=tmp_path) as system:
        system.budget = Budget(tokens=512 * 5)
        with system.session() as session:
            session.run("what is 2 and 2?", think=30)
            kept = session.events()
        again = system.store.read(session.id)
    assert tuple(again) == kept
    lines = list(drawn(again))
    assert lines[0] == "> what is 2 and 2?"
    assert "30 s were asked for" in lines[1]
    assert lines[2].startswith("|- 0: calculator 2 - 2")
    assert lines[2].endswith("=> 0")
    assert lines[-1].startswith("`- 3: calculator 2 +* 2")
    assert " x error:" in lines[-1]
    assert "nothing was thought about" in next(drawn([]))
    told = [to_public(e) for e in kept if isinstance(e, Explored)]
    assert json.loads(json.dumps(told[-1]))["answer"] == "4"


@pytest.mark.parametrize(("text", "means"), [("auto", "auto"), ("30", 30.0), ("0.5", 0.5)])
def test_what_think_takes(text: str, means: object) -> None:
    assert parse(text) == means


@pytest.mark.parametrize("text", ["", "long", "0", "-1", "nan", "inf"])
def test_what_think_does_not_take(text: str) -> None:
    with pytest.raises(UsageError, match="takes seconds, such as 10, or auto"):
        parse(text)


class Judging(Scripted):
    """Scripted, and with a word on what is said last: sure of what holds an ``ok``, else it is impossible."""

    def score(
        self, messages: Sequence[Message], tools: Sequence[Tool], continuations: Sequence[str]
    ) -> list[list[float]]:
        said = [part.content for part in messages[0].parts]
        worth = (0.0, -4.0, -40.0) if "ok" in str(said[-2]) else (-40.0, -40.0, 0.0)
        return [[one] for one in worth]


def test_a_problem_in_words_is_proposed_judged_and_checked() -> None:
    model = Judging(["3 + 4 = 8", "ok 3 + 4 = 7", "hm", "Answer: 7 ok", "The answer is 8."])
    told = Told(model, "What is 3 plus 4?", evaluate)
    nodes = list(think(told, beam(width=1, breadth=3, depth=1, rounds=1), Meter(tokens=10_000)))
    fates = {n.path[0]: (n.fate, n.why) for n in nodes if n.path}
    assert fates["3 + 4 = 8"] == ("dead", "3 + 4 is not 8")
    assert fates["hm"] == ("dead", "it is judged impossible")
    assert fates["ok 3 + 4 = 7"][0] == "open"
    assert told.finished(("Answer: 7 ok",)) == "7 ok"
    assert told.finished(("The answer is 8.",)) == "8"
    assert told.finished(("so 3",)) is None
    # The question is the user's, the rest the kernel's.
    assert [part.source.origin for part in model.seen[0][0].parts] == ["user", "kernel"]


def test_a_problem_told_anew_shows_what_failed() -> None:
    told = Told(Judging(lambda messages: "hm"), "Why?")
    again = told.reframe([("a", "b"), ("c",)])
    assert again is not None
    assert again.reframe([]) is None
    again.propose([("x",)], 1, 1, Meter())
    assert isinstance(again.model, Judging)
    text = again.model.seen[0][0].text
    assert "a; b\nc" in text
    assert text.index("Why?") < text.index("a; b") < text.index("x")


def test_lines_of_a_vote_and_a_model_that_tells_nothing() -> None:
    told = Told(Scripted(["Answer: 1", "Answer: 2", "Answer: 1"]), "?")
    assert solve(told, vote(3, batch=3), Meter(tokens=1000)).answer == "1"
    with pytest.raises(UsageError, match="log-probabilities"):
        told.value([("x",)], Meter())
    assert [n.answer for n in think(Told(Scripted(["Answer: 5"]), "?"), direct())][-1] == "5"


def test_what_was_written_before_the_budget_ended_counts() -> None:
    told = Told(Scripted(["Answer: 1", "Answer: 2"]), "?")
    asked = told.model.count(told._ask("think_step.md", ()), ())
    outcome = solve(told, vote(2, batch=2), Meter(tokens=asked + 1))
    assert (outcome.answer, outcome.nodes) == ("1", 2)
    assert "tokens is spent" in outcome.why or outcome.why == "everything was tried"
    with pytest.raises(Spent):
        told.propose([()], 1, 1, Meter(tokens=1))


def test_verdicts_are_weighed() -> None:
    assert verdict([[0.0], [-50.0], [-50.0]]) == pytest.approx(1.0)
    assert verdict([[-50.0], [0.0, 0.0], [-50.0]]) == pytest.approx(0.5)
    assert verdict([[-50.0], [-50.0], [0.0]]) == 0.0
    assert verdict([[-1.0], [-1.0], [-1.0]]) == pytest.approx(0.5)


def test_a_real_network_thinks_alike_twice_and_shares_its_past(
    qwen3_folder: Callable[..., Path], tmp_path: Path
) -> None:
    folder = qwen3_folder(tmp_path / "tiny", max_position_embeddings=2048)
    question = "Tom has 3 boxes of 4 apples, and eats 5 of them. How many are left? " * 4
    outcomes = []
    for _ in range(2):
        model = LocalModel(folder)
        opened, prompts = model.engine.open, set[tuple[int, ...]]()

        def noting(ids: Sequence[int], opened: Any = opened, prompts: set[tuple[int, ...]] = prompts) -> Any:
            prompts.update(tuple(ids[: n + 1]) for n in range(len(ids)))
            return opened(ids)

        model.engine.open = noting  # type: ignore[method-assign]
        counted = Counted(model)
        told = Told(counted, question, evaluate)
        outcomes.append([(n.path, n.value, n.fate) for n in think(told, beam(2, 3, 3, 1), Meter(tokens=6000), seed=5)])
        # Of the prompts nearly all is computed once: what is shared, and less than 16 tokens at each end.
        computed = model.engine.computed - counted.written
        assert computed <= 1.2 * len(prompts), (computed, len(prompts), counted.written)
        model.close()
    assert outcomes[0] == outcomes[1]
    assert len(outcomes[0]) > 6


class Counted:
    """A model that counts what it computes beyond prompts: replies but for their last token, and verdicts."""

    def __init__(self, model: LocalModel) -> None:
        self.model, self.name, self.context_length, self.written = model, model.name, model.context_length, 0
        self.count, self.close = model.count, model.close

    def reply(
        self,
        messages: Sequence[Message],
        tools: Sequence[Tool],
        sampling: Sampling = Sampling(),  # noqa: B008
        n: int = 1,
    ) -> Iterator[Delta]:
        for delta in self.model.reply(messages, tools, sampling, n):
            self.written += delta.generated_tokens - 1 if isinstance(delta, Finished) else 0
            yield delta

    def score(
        self, messages: Sequence[Message], tools: Sequence[Tool], continuations: Sequence[str]
    ) -> list[list[float]]:
        scores = self.model.score(messages, tools, continuations)
        self.written += sum(len(one) - 1 for one in scores)
        return scores


def cut(home: Path, replies: int) -> str:
    """A session whose search is killed after so many replies; its id."""
    program = f"""
import os, signal
from pathlib import Path
from llmos import LLMOS, Scripted, ToolCall

class Killed(Scripted):
    drawn = 0
    def reply(self, *arguments, **more):
        for delta in super().reply(*arguments, **more):
            yield delta
            self.drawn += type(delta).__name__ == "Finished"
            if self.drawn > {replies}:
                os.kill(os.getpid(), signal.SIGKILL)

script = [ToolCall("x", "calculator", {{"expression": e}}) for e in ("2 - 2", "4 + 0", "2 + 2", "3 - 3", "8 / 2")]
with LLMOS(model=Killed([*script, *script]), home=Path({str(home)!r})) as system, system.session() as session:
    print(session.id, flush=True)
    session.run("what is 2 and 2?", think=60)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.returncode == -signal.SIGKILL, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("again", ["retry", "ask"])
def test_a_search_that_was_killed_goes_on_where_it_was(tmp_path: Path, again: str) -> None:
    name = cut(tmp_path, 6)
    # Five replies are whole in the log; the next are drawn by another process.
    model = Scripted([*[calculate("2 * 2")] * 3, "It is 4."])
    with LLMOS(model=model, home=tmp_path, budget=Budget(tokens=512 * 9)) as system, system.session(name) as session:
        assert sum(isinstance(e, Explored) and bool(e.calls) for e in session.events()) == 5
        how = session.retry(think=60) if again == "retry" else session.stream("what is 2 and 2?", think=60)
        found = list(how)
    opening, *_, last = [e for e in found if isinstance(e, Explored)]
    assert "5 of a search that was cut off" in opening.why
    assert (last.answer, last.fate) == ("4", "finished")
    drawn_again = {e.node: e for e in found if isinstance(e, Explored) and e.calls}
    assert [str(e.calls[0].arguments["expression"]) for e in drawn_again.values()][:3] == ["2 - 2", "4 + 0", "2 + 2"]  # type: ignore[union-attr]
    assert first_call(found).arguments == {"expression": "4 + 0"}
    assert isinstance(found[-1], Answer)
    assert len(model.seen) <= 5


def test_another_request_starts_anew(tmp_path: Path) -> None:
    name = cut(tmp_path, 6)
    model = Scripted([*[calculate("5")] * 8, "It is 5."])
    with LLMOS(model=model, home=tmp_path, budget=Budget(tokens=512 * 9)) as system, system.session(name) as session:
        found = list(session.stream("what is 2 and 3?", think=60))
        assert "cut off" not in next(e for e in found if isinstance(e, Explored)).why
        assert isinstance(found[-1], Answer)
        # What was asked in between may have changed what is meant.
        found = list(session.stream("what is 2 and 2?", think=60))
    assert "cut off" not in next(e for e in found if isinstance(e, Explored)).why
