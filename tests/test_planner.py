"""The planner on puzzles with known answers: every strategy, budgets, stops, reframing, and what is wrong dying."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import pytest

from llmos.kernel.planner import Meter, Node, Outcome, Path, Problem, Proposal, Spent, solve, think
from llmos.kernel.steps import wrong_arithmetic
from llmos.kernel.strategies import STRATEGIES, beam, best_first, direct, mcts, vote
from llmos.tools.calculator import evaluate
from llmos.training import game24, jugs, sums
from llmos.training.puzzles import Puzzle, StandIn

TREES = ("beam", "best", "deep", "mcts")


@dataclass(frozen=True)
class Letters:
    """A problem of one or two letters: ``drawn`` are the first thoughts by draw, ``worth`` their values."""

    drawn: tuple[str, ...]
    worth: dict[str, float]
    right: str = ""

    def propose(self, paths: Sequence[Path], n: int, seed: int | None, meter: Meter) -> list[list[Proposal]]:
        meter.spend(n * len(paths))
        first = 0 if seed is None else seed // 1_000_003
        return [[Proposal(text) for text in self.drawn[first : first + n]] for _ in paths]

    def value(self, paths: Sequence[Path], meter: Meter) -> list[float]:
        meter.spend(len(paths))
        return [self.worth[path[-1]] for path in paths]

    def wrong(self, path: Path) -> str:
        return "no letter" if path[-1] == "?" else ""

    def finished(self, path: Path) -> str | None:
        return path[-1]

    def check(self, answer: str) -> bool | None:
        return answer == self.right if self.right else None

    def key(self, path: Path) -> Hashable:
        return path

    def reframe(self, failed: Sequence[Path]) -> Problem | None:
        return None


def test_a_vote_takes_what_most_lines_end_in_and_stops_when_it_is_settled() -> None:
    outcome = solve(Letters(tuple("abaaab??"), {}), vote(8, batch=2))
    assert (outcome.answer, outcome.verified) == ("a", False)
    assert "settled" not in outcome.why
    early = solve(Letters(tuple("aaaaaaab"), {}), vote(8, batch=2))
    assert early.answer == "a"
    assert "settled" in early.why
    assert early.tokens == 6  # 5 of 8 would do; lines are drawn two by two


def test_a_verifier_outvotes_the_many_and_a_check_outvotes_both() -> None:
    drawn, worth = tuple("aaab"), {"a": 0.1, "b": 0.9}
    assert solve(Letters(drawn, worth), vote(4)).answer == "a"
    assert solve(Letters(drawn, worth), vote(4, verifier=True)).answer == "b"
    checked = solve(Letters(tuple("aaba"), worth, right="b"), vote(4, batch=1))
    assert (checked.answer, checked.verified, checked.why) == ("b", True, "the answer is verified")
    assert checked.tokens == 3


def test_a_wrong_step_dies_and_says_why() -> None:
    nodes: list[Node] = []
    thoughts = think(Letters(tuple("?a"), {"a": 0.5}), beam(rounds=1, depth=1))
    nodes.extend(thoughts)
    dead = [one for one in nodes if one.fate == "dead"]
    assert [(one.path, one.why) for one in dead] == [(("?",), "no letter")]


def test_a_level_that_dies_whole_makes_the_problem_be_told_anew() -> None:
    seen: list[tuple[Path, ...]] = []

    @dataclass(frozen=True)
    class Once(Letters):
        def reframe(self, failed: Sequence[Path]) -> Problem | None:
            seen.append(tuple(failed))
            return Letters(tuple("b" * 9), {"b": 0.5})

    for strategy in (beam(), best_first(), best_first(deep=True), mcts()):
        assert solve(Once(tuple("??"), {}), strategy).answer == "b"
        assert seen.pop() == (("?",), ("?",))


@pytest.mark.parametrize("name", TREES)
def test_every_tree_solves_the_game_of_24_with_the_solver_as_value(name: str) -> None:
    for puzzle in game24.draw(4, seed=3):
        outcome = solve(StandIn(puzzle, solver=True), STRATEGIES[name], Meter(tokens=3000), seed=1)
        assert outcome.verified, puzzle
        assert puzzle.check(outcome.answer)


@pytest.mark.parametrize("name", TREES)
def test_every_tree_solves_jugs_without_any_value(name: str) -> None:
    for puzzle in jugs.draw(3, seed=5):
        outcome = solve(StandIn(puzzle), STRATEGIES[name], Meter(tokens=5000), seed=1)
        assert outcome.verified, puzzle
        assert puzzle.check(outcome.answer)


@dataclass(frozen=True)
class Doubtful(StandIn):
    """Judges three numbers to be hopeless, whatever they are, and is right about two."""

    def value(self, paths: Sequence[Path], meter: Meter) -> list[float]:
        found = super().value(paths, meter)
        return [max(value, 0.005) if len(path) > 1 else 0.001 for path, value in zip(paths, found, strict=True)]


def test_of_the_hopeless_the_shallow_come_first() -> None:
    puzzle = game24.draw(1, seed=3)[0]
    nodes = {one.id: one for one in think(Doubtful(puzzle, solver=True), best_first(64), Meter(tokens=20000), seed=1)}
    assert any(one.verified for one in nodes.values())
    # Two numbers that lead nowhere are judged better than any three, and are gone into after them nevertheless.
    assert any(len(one.path) == 2 and one.value == 0.005 for one in nodes.values())
    assert {nodes[one.parent].value for one in nodes.values() if len(one.path) == 3} == {1.0}


def test_without_a_judge_nobody_is_asked_and_the_likeliest_is_gone_into() -> None:
    @dataclass(frozen=True)
    class Unjudged(StandIn):
        def value(self, paths: Sequence[Path], meter: Meter) -> list[float]:
            raise AssertionError("nobody judges here")

    for way in (best_first(5, judge=False), best_first(5, deep=True, judge=False)):
        outcome = solve(Unjudged(jugs.draw(1, seed=5)[0]), way, Meter(tokens=5000), seed=1)
        assert outcome.verified


@pytest.mark.parametrize("name", list(STRATEGIES))
def test_a_larger_budget_never_ends_with_a_lower_score_and_begins_alike(name: str) -> None:
    puzzles: list[Puzzle] = [*game24.draw(2, seed=8), *sums.draw(2, seed=8)]
    for number, puzzle in enumerate(puzzles):
        problem: Problem = StandIn(puzzle, solver=number % 2 == 0)
        before: Outcome | None = None
        for tokens in (1, 7, 30, 60, 150, 400):
            now = solve(problem, STRATEGIES[name], Meter(tokens=tokens), seed=2)
            assert before is None or now.score >= before.score
            assert before is None or now.nodes >= before.nodes
            before = now


def test_the_same_seed_thinks_the_same_and_another_does_not() -> None:
    problem = StandIn(game24.draw(1, seed=4)[0])
    once, twice, other = (
        [(n.path, n.fate) for n in think(problem, mcts(), Meter(tokens=200), seed)] for seed in (1, 1, 2)
    )
    assert once == twice
    assert once != other


def test_ctrl_c_and_a_spent_clock_give_the_best_so_far() -> None:
    class Stopped(Letters):
        def propose(self, paths: Sequence[Path], n: int, seed: int | None, meter: Meter) -> list[list[Proposal]]:
            if seed:
                raise KeyboardInterrupt
            return super().propose(paths, n, seed, meter)

    outcome = solve(Stopped(tuple("aabb"), {}), vote(4, batch=2))
    assert (outcome.answer, outcome.why) == ("a", "stopped by the user")
    times = iter(range(100))
    meter = Meter(seconds=3, clock=lambda: float(next(times)))
    late = solve(Letters(tuple("abababab"), {}), vote(8, batch=1), meter)
    assert late.answer == "a"
    assert "3 s is spent" in late.why


def test_a_meter_counts_and_says_which_limit() -> None:
    meter = Meter(tokens=10)
    meter.spend(9)
    with pytest.raises(Spent, match="10 tokens"):
        meter.spend(1)
    assert meter.used == 10


def test_direct_is_one_line() -> None:
    outcome = solve(StandIn(sums.draw(1, seed=1)[0]), direct())
    assert outcome.nodes == outcome.depth + 1


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("3 * 4 = 12", ""),
        ("3 * 4 = 13", "3 * 4 is not 13"),
        ("She has 12 + 12 = 24 apples.", ""),
        ("She has 12 + 12 = 25 apples.", "12 + 12 is not 25"),
        ("4 + 9 = 13 (left: 10 13 13)", ""),
        ("10 / 3 = 3.33", ""),
        ("10 / 3 = 3.34", "10 / 3 is not 3.34"),
        ("2 + 3 = 5 = 6 - 1", ""),
        ("2 + 3 = 5 = 6 - 2", "5 is not 6 - 2"),
        ("1,204 × 2 = 2,408.", ""),  # noqa: RUF001
        ("x = 3 + 4", ""),
        ("let n = 5", ""),
        ("12 eggs = 1 dozen", ""),
        ("no sum at all", ""),
        ("5 / 0 = 1", ""),
        ("20% of 50 = 10", ""),
    ],
)
def test_arithmetic_in_a_step_is_checked_where_it_can_be_read(text: str, wrong: str) -> None:
    assert wrong_arithmetic(text, evaluate) == wrong


def test_the_rules_of_24() -> None:
    puzzle = game24.Game24((4, 9, 10, 13))
    assert puzzle.wrong(("13 - 9 = 4 (left: 4 4 10)",)) == ""
    assert puzzle.wrong(("13 - 9 = 5 (left: 4 5 10)",)) == "13 - 9 is not 5"
    assert puzzle.wrong(("13 - 9 = 4 (left: 4 10 10)",)) == "what is left is told wrong"
    assert puzzle.wrong(("12 - 9 = 3 (left: 3 4 10)",)) == "there is no 12 left"
    assert puzzle.wrong(("so what",)) == "it is no step"
    assert puzzle.check("(10 - 4) * (13 - 9)")
    assert not puzzle.check("(10 - 4) * 4")
    assert not puzzle.check("__import__('os')")
    assert not puzzle.check("4 + 9 + 10 + 13 (")
    assert all(puzzle.wrong((move,)) == "" for move in puzzle.moves(()))
    assert game24.solvable(tuple(map(Fraction, (3, 3, 8, 8))))
    assert not game24.solvable(tuple(map(Fraction, (1, 1, 1, 1))))


def test_the_rules_of_jugs_and_sums() -> None:
    puzzle = jugs.Jugs((3, 5), 4)
    way = ("fill B", "pour B into A", "empty A", "pour B into A", "fill B", "pour B into A")
    assert puzzle.check("; ".join(way))
    assert puzzle.finished(way) == "; ".join(way)
    assert puzzle.wrong(("empty A",)) == "it changes nothing"
    assert puzzle.wrong(("fill A", "empty A")) == "the jugs were like that before"
    assert puzzle.wrong(("drink A",)) == "it is no move"
    assert not puzzle.check("fill B; drink B")
    for problem in sums.draw(20, seed=3):
        path = (*problem.steps, f"Answer: {problem.number}")
        assert all(problem.wrong(path[: n + 1]) == "" for n in range(len(path)))
        assert problem.finished(path) == str(problem.number)
        assert problem.right(str(problem.number))
    assert sums.draw(1)[0].wrong(("1 + 1 = 2",)) == "1 comes from nowhere"
