"""Replies drawn without replacement: each once, the likelier as a rule first, as likely as the model has it."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
import torch

from llmos.kernel.alone import Alone
from llmos.kernel.branches import TorchEngine
from llmos.kernel.draws import Drawn, Heads, draw
from llmos.kernel.local import LocalModel
from llmos.kernel.puzzles import ask

STOP = 0
# What follows the last id: 1 goes on to 2 or 3, each of these to 2, 3 or the end.
CHANCES = {1: [0.0, 0.0, 0.7, 0.3], 2: [0.8, 0.0, 0.1, 0.1], 3: [0.5, 0.0, 0.3, 0.2]}


class Branch:
    """As much of a branch as a draw needs."""

    def __init__(self, ids: Sequence[int]) -> None:
        self.ids, self.open = list(ids), True

    def fork(self, n: int) -> list["Branch"]:
        return [make(self.ids) for _ in range(n)]

    def extend(self, ids: Sequence[int]) -> None:
        self.ids += ids

    def close(self, keep: bool = True) -> None:
        self.open = False


MADE: list[Branch] = []


def make(ids: Sequence[int]) -> Branch:
    MADE.append(Branch(ids))
    return MADE[-1]


class Engine:
    def open(self, ids: Sequence[int]) -> Branch:
        return make(ids)

    def logits(self, branches: Sequence[Branch]) -> torch.Tensor:
        return torch.tensor([CHANCES[one.ids[-1]] for one in branches]).log()


@pytest.fixture(autouse=True)
def branches(monkeypatch: pytest.MonkeyPatch) -> None:
    MADE.clear()
    monkeypatch.setattr("llmos.kernel.draws.TorchBranch", Branch)


def drawn(n: int, seed: int | None, most: int = 6, **how: Any) -> list[Drawn]:
    return draw(Engine(), [[1]], [n], most, [STOP], [seed], **how)[0]  # type: ignore[arg-type]


def chance(ids: Sequence[int]) -> float:
    return math.prod(CHANCES[a][b] for a, b in zip((1, *ids), ids, strict=False))


def test_none_comes_twice_and_each_has_its_probability() -> None:
    for seed in (None, *range(20)):
        found = drawn(6, seed)
        assert 1 <= len(found) <= 6
        assert len({one.ids for one in found}) == len(found)
        for one in found:
            assert one.ids[-1] == STOP
            assert one.logprob == pytest.approx(math.log(chance(one.ids)), abs=1e-5)
    assert all(not one.open for one in MADE)


def test_the_likeliest_are_what_a_beam_finds() -> None:
    assert [one.ids for one in drawn(3, None)] == [(2, 0), (3, 0), (3, 2, 0)]
    assert [one.ids for one in drawn(1, None)] == [(2, 0)]


def test_one_is_drawn_as_likely_as_it_is_and_the_first_of_several_too() -> None:
    for n in (1, 4):
        first = Counter(drawn(n, seed, 40)[0].ids for seed in range(600))
        for ids in ((2, 0), (3, 0)):
            assert first[ids] / 600 == pytest.approx(chance(ids), abs=0.07)


def test_two_are_drawn_as_without_replacement() -> None:
    pairs = Counter(frozenset(one.ids for one in drawn(2, seed, 40)) for seed in range(600))
    a, b = chance((2, 0)), chance((3, 0))
    wanted = a * b / (1 - a) + b * a / (1 - b)
    assert pairs[frozenset([(2, 0), (3, 0)])] / 600 == pytest.approx(wanted, abs=0.07)


def test_replies_held_to_beginnings_have_each_once_and_go_on_with_the_likeliest() -> None:
    for seed in (None, *range(20)):
        found = drawn(6, seed, heads=[Heads([(2, 3), (3, 2), (3, 3)])])
        assert {one.ids for one in found} == {(2, 3, 0), (3, 2, 0), (3, 3, 0)}
        for one in found:
            assert one.logprob == pytest.approx(math.log(chance(one.ids)), abs=1e-5)
    first = Counter(drawn(1, seed, heads=[Heads([(2, 3), (3, 2), (3, 3)])])[0].ids for seed in range(600))
    # Token by token as likely as it is: where nothing else is left it is taken.
    assert first[(2, 3, 0)] / 600 == pytest.approx(0.7, abs=0.07)
    assert first[(3, 2, 0)] / 600 == pytest.approx(0.3 * 0.3 / 0.5, abs=0.07)
    assert all(not one.open for one in MADE)


def test_a_spent_budget_leaves_what_is_whole() -> None:
    told: list[int] = []

    def more(tokens: int) -> bool:
        told.append(tokens)
        return len(told) < 4

    found = drawn(6, 3, more=more)
    assert told[0] == 1
    assert all(one.ids[-1] == STOP and len(one.ids) <= 3 for one in found)
    assert drawn(6, 3, more=lambda tokens: False) == []
    assert all(not one.open for one in MADE)


def test_the_embedded_kernels_thoughts_differ_and_computed_apart_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    model = LocalModel()
    prompts = [ask("next", state) for state in ("24: 4 9 10 13", "24: 4 4 10")]
    found = model.distinct(prompts, [8, 4], 40, [5, 6])
    assert [len(row) for row in found] == [8, 4]
    assert all(len({text for text, _ in row}) == len(row) for row in found)
    # Rounding differs with what is computed together, and so may an unlikely one.
    again = model.distinct(prompts, [8, 4], 40, [5, 6])
    assert len({text for text, _ in again[0]} & {text for text, _ in found[0]}) >= 5
    assert isinstance(model.engine, TorchEngine)
    computed = model.engine.computed
    apart = Alone(model).distinct(prompts, [8, 4], 40, [5, 6])
    spent = model.engine.computed - computed
    assert len({text for text, _ in apart[0]} & {text for text, _ in found[0]}) >= 5
    computed = model.engine.computed
    model.distinct(prompts, [8, 4], 40, [7, 8])
    assert spent > 1.5 * (model.engine.computed - computed)
