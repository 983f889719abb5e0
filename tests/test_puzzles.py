"""Puzzles with a model that proposes and judges: scripted, and the embedded kernel."""

import random
from collections.abc import Callable, Iterator, Sequence

import pytest

from llmos import Scripted
from llmos.kernel.alone import Alone
from llmos.kernel.local import LocalModel
from llmos.kernel.planner import Meter, Node, solve, think
from llmos.kernel.puzzles import Asked, ask, head
from llmos.kernel.reason import Told
from llmos.kernel.strategies import beam, best_first, direct, mcts, vote
from llmos.kernel.types import Message
from llmos.training.game24 import Game24
from llmos.training.jugs import Jugs

PUZZLE = Game24((4, 9, 10, 13))
GOOD = ("13 - 9 = 4 (left: 4 4 10)", "10 - 4 = 6 (left: 4 6)", "4 * 6 = 24 (left: 24)")
BAD = "no step", "4 + 9 = 12 (left: 10 12 13)", "4 + 9 = 13 (left: 10 13 13)"


class Thinker(Scripted):
    """Scripted by what it is asked of a state, and sure of what leads to 4 and 6."""

    glances = 0

    def __init__(self, good: float = 0.5) -> None:
        self.good = good
        self.rng = random.Random(1)
        super().__init__(self._said)

    def _said(self, messages: Sequence[Message]) -> str:
        state = messages[0].text.splitlines()[0]
        good = {"24: 4 9 10 13": GOOD[0], "24: 4 4 10": GOOD[1], "24: 4 6": GOOD[2]}
        # The right step comes now and then, among such as break the rules.
        return good[state] if state in good and self.rng.random() < self.good else self.rng.choice(BAD)

    def glance(self, prompts: Sequence[Sequence[Message]], continuations: Sequence[str]) -> list[list[float]]:
        self.glances += len(prompts)
        assert list(continuations) == ["sure", "likely", "impossible"]
        return [[0.0, -5.0, -9.0] if "10 13 13" not in one[0].text else [-9.0, -9.0, 0.0] for one in prompts]

    def distinct(
        self,
        prompts: Sequence[Sequence[Message]],
        n: Sequence[int],
        most: int,
        seeds: Sequence[int | None],
        temperature: float = 1.0,
        more: Callable[[int], bool] = lambda tokens: True,
        *,
        heads: Sequence[Sequence[str]] = (),
    ) -> list[list[tuple[str, float]]]:
        assert most <= 64
        more(20 * len(prompts))
        said = [[self._said(one) for _ in range(width)] for one, width in zip(prompts, n, strict=True)]
        return [[(text, 0.0) for text in dict.fromkeys(row)] for row in said]


def nodes(problem: Asked, seed: int = 1) -> list[tuple[object, ...]]:
    return [
        (n.path, n.fate, n.why, round(n.value, 4)) for n in think(problem, beam(2, 3, rounds=1), Meter(), seed=seed)
    ]


@pytest.mark.parametrize("strategy", [beam(2, 6), best_first(6), best_first(6, deep=True), mcts(6), vote(60, batch=6)])
def test_steps_that_break_the_rules_die_and_the_others_lead_on(strategy: object) -> None:
    model = Thinker()
    found: list[Node] = []

    def watched() -> Iterator[Node]:
        for node in think(Asked(PUZZLE, model), strategy, Meter(tokens=100_000)):  # type: ignore[arg-type]
            found.append(node)
            yield node

    list(watched())
    answers = [one for one in found if one.verified]
    assert answers
    assert answers[0].path == GOOD
    whys = {one.why for one in found if one.fate == "dead"}
    assert whys & {"it is no step", "4 + 9 is not 12"}
    assert whys <= {"it is no step", "4 + 9 is not 12", "there is no 9 left", "it is judged impossible"}


def test_system_1_is_one_line_and_a_budget_ends_a_search() -> None:
    outcome = solve(Asked(PUZZLE, Thinker(0.0)), direct())
    assert (outcome.nodes, outcome.verified) == (2, False)
    outcome = solve(Asked(PUZZLE, Thinker(1.0)), direct())
    assert (outcome.path, outcome.verified) == (GOOD, True)
    outcome = solve(Asked(PUZZLE, Thinker()), beam(2, 3), Meter(tokens=20))
    assert "tokens is spent" in outcome.why


def test_checked_thoughts_begin_as_moves_do_each_once_and_legal_ones_are_moves() -> None:
    model, moves = LocalModel(), PUZZLE.moves(())
    (checked,) = Asked(PUZZLE, model, checked=True).propose([()], 64, 7, Meter())
    assert sorted(head(one.text) for one in checked) == sorted(map(head, moves))
    # What a move comes to is the kernel's own: it is right as a rule, and nobody made it so.
    assert 0.8 * len(moves) < sum(one.text in moves for one in checked) <= len(moves)
    (legal,) = Asked(PUZZLE, model, legal=True).propose([()], 64, 7, Meter())
    assert sorted(one.text for one in legal) == moves
    (few,) = Asked(PUZZLE, model, checked=True).propose([()], 5, 7, Meter())
    assert {head(one.text) for one in few} < set(map(head, moves))
    assert len(few) == 5
    assert [head(move) for move in ("4 + 9 = 13 (left: 10 13 13)", "fill A")] == ["4 + 9 =", "fill A"]


def test_what_it_is_asked_keeps_its_numbers() -> None:
    model = LocalModel()
    state = Jugs((3, 5), 4).told(("fill B",))
    assert state == "jugs: A 0 of 3, B 5 of 5, want 4"
    told = model.wire.codec.decode(model.wire.render(ask("next", state), ()))
    assert told == f"system\n{state}\nnext\nassistant\n"


def test_a_glance_is_the_score_of_the_first_token() -> None:
    model = LocalModel()
    prompts = [ask("judge", state) for state in ("24: 4 6", "24: 1 1 2", "24: 13 13")]
    words = ["sure", "likely", "impossible"]
    for prompt, found in zip(prompts, model.glance(prompts, words), strict=True):
        assert found == pytest.approx([one[0] for one in model.score(prompt, (), words)], abs=0.05)
    assert model.glance([], words) == []
    with pytest.raises(ValueError, match="same token"):
        model.glance(prompts, ["sure", "sure"])


def test_nothing_shared_gives_the_same_tree() -> None:
    model = LocalModel()
    shared = nodes(Asked(PUZZLE, model, legal=True))
    computed = model.engine.computed
    assert shared == nodes(Asked(PUZZLE, Alone(model), legal=True))
    assert model.engine.computed - computed > computed
    assert any(len(path) == 3 for path, *_ in shared)  # type: ignore[arg-type]
    told = [
        solve(Told(one, "What is 3 + 4? " * 9), beam(2, 2, 2, 1), Meter(tokens=2000)) for one in (model, Alone(model))
    ]
    assert told[0].path == told[1].path
