"""The solver: whole expressions likeliest first, their probabilities, and how its say joins the examples' votes."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from llmos.kernel.arithmetic import infix
from llmos.kernel.minilm import WIDTH
from llmos.kernel.ranker import Ranker
from llmos.kernel.recall import Recall, Taught
from llmos.kernel.solver import LONGEST, Solver

VOCABULARY = ["<begin>", "+", "*", "ceil", "@1", "@2", "2"]


@pytest.fixture(scope="module")
def solver() -> Solver:
    torch.manual_seed(3)
    return Solver(VOCABULARY, Solver.fresh(VOCABULARY))


def test_each_expression_is_whole_and_names_only_what_there_is(solver: Solver) -> None:
    with torch.inference_mode():
        found = solver.likeliest(torch.randn(5, WIDTH), names=1)
    assert found
    assert [score for _, score in found] == sorted((score for _, score in found), reverse=True)
    for words, _ in found:
        infix(words)
        assert "@2" not in words


def test_a_score_is_the_probability_that_the_search_found(solver: Solver) -> None:
    states = torch.randn(4, WIDTH)
    with torch.inference_mode():
        found = solver.likeliest(states, names=2)
        again = solver.score(states, [words for words, _ in found] + [["/", "@1", "@2"], ["+"] * (LONGEST + 1)])
    assert again[: len(found)] == pytest.approx([score for _, score in found], abs=1e-3)
    assert again[len(found) :] == [-math.inf, -math.inf]


def test_a_request_without_a_voice_for_it_has_no_scores(solver: Solver) -> None:
    assert solver.score(torch.randn(4, WIDTH), []) == []


@pytest.mark.parametrize(("sure", "first"), [(0.05, "@1 + @2"), (0.99, "@1 * @2")])
def test_the_solver_outvotes_examples_that_disagree(sure: float, first: str) -> None:
    taught = [
        Taught("calculator", "sum: @1 @2", "@1 + @2"),
        Taught("calculator", "both: @1 @2", "@1 * @2"),
    ]
    vectors = np.array([[0.8, 0.6], [0.78, 0.626]], dtype=np.float32)

    def encode(told: Sequence[str]) -> "np.ndarray[tuple[int, int], np.dtype[np.float32]]":
        return np.array([[1.0, 0.0]] * len(told), dtype=np.float32)

    def solve(told: str, expressions: Sequence[Sequence[str]]) -> list[tuple[tuple[str, ...], float]]:
        assert ("+", "@1", "@2") in expressions
        return [(("*", "@2", "@1"), sure), (("+", "@1", "@2"), 0.001)]

    ranker = Ranker(Recall(taught), vectors, encode, solve)
    assert ranker.near("@1 boxes of @2 eggs", ("calculator",), 2)[0].answer == first
