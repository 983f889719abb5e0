"""Improving by reward: problems, the checker, the gate, and the whole loop on a solver that knows half of it."""

import json
import random
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch

from llmos.kernel import examples, minilm
from llmos.kernel.errors import ModelError, UsageError
from llmos.kernel.recall import Taught
from llmos.training import exam, gate, improve, problems, rank, recall, solving
from llmos.training.improve import Plan, Run
from llmos.training.problems import Problem
from llmos.training.recall import told
from llmos.training.solving import Solving, heard, right

TAUGHT = [
    Taught("calculator", "what is @1 plus @2", "@1 + @2"),
    Taught("calculator", "what is @1 and @2", "@1 + @2"),
    Taught("calculator", "what is @1 less @2", "@1 - @2"),
    Taught("calculator", "what is @1 minus @2", "@1 - @2"),
    Taught("say", "who are you", "I am llmos."),
]
WORDS = [("+", "@1", "@2"), ("-", "@1", "@2")]
needs_weights = pytest.mark.skipif(bool(minilm.missing()), reason="the weights are not installed")


def test_problems_are_reproducible_told_twice_and_come_out_whole() -> None:
    first, again = problems.draw(40, 3), problems.draw(40, 3)
    assert first == again
    assert len({told(p.question)[0] for p in first}) == 40
    for one in first:
        (question, answer), (twin, other) = one.cases
        assert told(question) == told(twin)
        assert answer > 0
        assert other > 0
        assert question != twin
        assert answer.denominator == other.denominator == 1


def test_held_out_parts_are_other_parts() -> None:
    trained, held = ({p for t in problems.themes(path) for key in ("begin", "then", "ask") for p in t[key]}
                     for path in (problems.TRAINED, problems.HELD))  # fmt: skip
    assert not {p.split(" => ")[0].lower() for p in trained} & {p.split(" => ")[0].lower() for p in held}
    things = [{n for t in problems.themes(path) for n in t["things"]} for path in (problems.TRAINED, problems.HELD)]
    assert not things[0] & things[1]


def test_an_expression_that_is_right_by_accident_is_not_rewarded() -> None:
    cases = [(heard("2 bags of 2 plums. How many?"), Fraction(4))]
    assert right(("+", "@1", "@1"), cases)
    cases.append((heard("3 bags of 5 plums. How many?"), Fraction(15)))
    assert not right(("+", "@1", "@1"), cases)
    assert right(("*", "@1", "@2"), cases[1:])
    assert solving.valued("@3 + 1", ("1", "2")) is None
    assert solving.valued("@1 / @2", ("1", "0")) is None


@pytest.mark.parametrize(
    ("won", "lost", "better", "worse"),
    [(10, 1, True, False), (3, 2, False, False), (0, 0, False, False), (1, 10, False, True), (0, 3, False, True)],
)
def test_the_gate_opens_for_what_is_better_beyond_chance(won: int, lost: int, better: bool, worse: bool) -> None:
    before = [False] * won + [True] * lost + [True] * 87
    after = [True] * won + [False] * lost + [True] * 87
    one = gate.compared(before, after)
    assert (one.better, one.worse) == (better, worse)
    rise, low, high = one.difference
    assert low < rise < high
    assert gate.verdict({"aim": one, "other": gate.compared([True], [True])}, "aim")[0] is better
    assert gate.verdict({"aim": gate.compared([False] * 9, [True] * 9), "other": one}, "aim")[0] is not worse


def test_the_chance_of_the_gate_is_that_of_a_fair_coin() -> None:
    one = gate.compared([False] * 5 + [True], [True] * 5 + [False])
    assert one.chance == pytest.approx(7 / 64)
    with pytest.raises(ValueError, match="the same questions"):
        gate.compared([True], [])


@pytest.fixture
def kernel(qwen3_folder: Callable[..., Path], tmp_path: Path) -> Path:
    """A kernel's folder whose solver can add and subtract and does not know when."""
    torch.manual_seed(0)
    folder = qwen3_folder(tmp_path / "kernel")
    recall.write(folder / examples.TAUGHT, TAUGHT)
    made = rank.Trainee(TAUGHT, rank.Recipe())
    rank.write(made.plain(), TAUGHT, folder / "ranker.safetensors")
    solver, rng = Solving(folder), random.Random(0)
    for weight in solver.weights.values():
        weight.requires_grad_()
    optimiser = torch.optim.AdamW(solver.weights.values(), lr=1e-3)
    states = solver.states([told(p.question)[0] for p in worded(12, 5)])
    for _ in range(30):
        some = rng.choices(states, k=8)
        cost = solver.cost(some, [rng.choice(WORDS) for _ in some], [1.0] * len(some))
        optimiser.zero_grad()
        cost.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    solver.write(folder / "ranker.safetensors")
    return folder


def worded(count: int, seed: int) -> list[Problem]:
    """Problems of one step, half of them sums and half differences."""
    rng, found = random.Random(seed), []
    for n in range(count):
        who, thing = rng.choice(["Ada", "Lin", "Noor"]), rng.choice(["nuts", "pens", "cups", "maps"])
        text = f"{who} has {{}} {thing} and {'finds' if n % 2 else 'loses'} {{}}. How many {thing} are there?"
        cases = []
        for _ in range(2):
            a, b = rng.sample(range(3, 90), 2)
            a, b = max(a, b), min(a, b)
            cases.append((text.format(a, b), Fraction(a + b if n % 2 else a - b)))
        found.append(Problem((cases[0], cases[1])))
    return found


@needs_weights
def test_the_loop_learns_from_rewards_alone_and_the_gate_opens(
    kernel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = [exam.Question(p.question, p.answer) for p in worded(40, 9)]
    monkeypatch.setattr(exam, "solver_sets", lambda count, seed, corpus: {exam.AIM: asked})
    plan, before = (
        Plan(rounds=1, draws=6, steps=30, batch=16, rate=1e-3, replay=0.0, blend=1.0, firsts=0),
        snapshot(kernel),
    )
    out = tmp_path / "out"
    run = Run(plan, kernel, out)
    good, why = run.go(worded(24, 1))
    report = json.loads((out / "report.json").read_text())
    assert good, (why, report)
    assert report["sets"][exam.AIM]["after"][0] > 0.9
    assert 0.2 < next(p["reward"] for p in map(json.loads, (out / "log.jsonl").open()) if "reward" in p) < 0.8
    assert snapshot(kernel) == before
    assert exam.ask_solver(Solving(out / "kernel"), {"aim": asked})["aim"].count(True) > 36
    assert (out / "curves.png").is_file()
    with pytest.raises(UsageError, match="other options"):
        Run(Plan(rounds=2), kernel, out)
    # What is there already is not done again.
    assert (Run(plan, kernel, out).go(worded(24, 1)))[0]


@needs_weights
def test_a_run_that_was_stopped_ends_as_one_that_was_not(
    kernel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = [exam.Question(p.question, p.answer) for p in worded(8, 9)]
    monkeypatch.setattr(exam, "solver_sets", lambda count, seed, corpus: {exam.AIM: asked})
    monkeypatch.setattr(improve, "SAVED", 1)
    plan, made = Plan(rounds=2, draws=4, steps=2, batch=4, replay=0.5, firsts=0), worded(12, 1)
    Run(plan, kernel, tmp_path / "whole").go(made)
    run, steps = Run(plan, kernel, tmp_path / "parts"), iter(range(3))
    cost = run.solving.cost

    def stops(*batch: Any) -> torch.Tensor:
        if next(steps, None) is None:
            raise KeyboardInterrupt
        return cost(*batch)

    monkeypatch.setattr(run.solving, "cost", stops)
    with pytest.raises(KeyboardInterrupt):
        run.go(made)
    again = Run(plan, kernel, tmp_path / "parts")
    again.go(made)
    ends = [Solving(tmp_path / name / "trial").weights for name in ("whole", "parts")]
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])


def snapshot(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir()}


@needs_weights
def test_nothing_goes_in_that_is_no_better(kernel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [exam.Question(p.question, p.answer) for p in worded(20, 9)]
    monkeypatch.setattr(exam, "solver_sets", lambda count, seed, corpus: {exam.AIM: asked})
    plan = Plan(rounds=1, draws=2, steps=1, batch=4, rate=0.0, replay=0.5, firsts=0)
    good, why = Run(plan, kernel, tmp_path / "out").go(worded(8, 1))
    assert (good, why) == (False, "not better on problems beyond chance")
    assert not (tmp_path / "out" / "kernel").exists()


def test_a_folder_without_a_kernel_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="takes a folder of the kernel"):
        Run(Plan(), tmp_path, tmp_path / "out")
    assert improve.Plan().rounds > 1


@needs_weights
def test_what_goes_in_lies_between_the_old_weights_and_the_new(kernel: Path, tmp_path: Path) -> None:
    run = Run(Plan(blend=0.25), kernel, tmp_path / "out")
    old = run.solving.weights["words"].detach().clone()
    with torch.no_grad():
        run.solving.weights["words"].add_(0.4)
    made = Solving(run._trial()).weights["words"]
    assert torch.allclose(made, old + 0.1, atol=0.01)


@needs_weights
def test_measured_problems_of_the_corpus_are_not_replayed(
    kernel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = "Bo has 3 hens and 4 cows. How many is that?"
    known = [Taught("calculator", heard(asked).told, "@1 + @2"), Taught("calculator", "@1 pens and @2 cups", "@1 + @2")]
    monkeypatch.setattr(improve, "stories", lambda corpus: known)
    monkeypatch.setattr(exam, "stories", lambda corpus, count, seed: [exam.Question(asked, Fraction(7))])
    replayed: set[str] = set()
    monkeypatch.setattr(improve, "taught", lambda solving, every, seed: replayed.update(t.pattern for t in every))
    Run(Plan(), kernel, tmp_path / "out", tmp_path)._replayed()
    assert known[1].pattern in replayed
    assert known[0].pattern not in replayed
