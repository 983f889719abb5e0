"""The scan of the solver's share of the say: other shares rank other answers, and what was asked once is kept."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from llmos.kernel.recall import Recall, Taught
from llmos.training.shares import Once, answered, sets
from llmos.training.solving import heard

QUESTION = "Ann has 3 boxes of 8 pens in her cupboard at school. How many pens?"
KNOWN = [
    Taught("calculator", "@1 boxes of @2 pens in a cupboard, pens?", "@1 + @2"),
    Taught("calculator", "@1 boxes and @2 pens at school, what is there?", "@1 + @2"),
]


def test_the_share_decides_between_examples_and_solver_and_each_is_asked_once() -> None:
    asked: list[str] = []

    def encode(told: Sequence[str]) -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
        asked.append("encoded")
        return np.array([[1, 0]] * len(told), dtype=np.float32)

    def solve(told: str, expressions: Sequence[Sequence[str]]) -> list[tuple[tuple[str, ...], float]]:
        asked.append("solved")
        return [(("*", "@1", "@2"), 0.9), (("+", "@1", "@2"), 0.1)]

    recall = Recall(KNOWN)
    ranker = Once(recall, np.array([[1, 0], [0.9, 0.1]], dtype=np.float32), encode, solve)
    ranker.keep()
    one = heard(QUESTION)
    found = []
    for ranker.shares in ((0.0, 0.0), (0.9, 0.9)):
        found.append([answered(ranker, recall, one, Fraction(number)) for number in (11, 24)])
    assert found == [[True, False], [False, True]]
    assert asked == ["encoded", "solved"]


def test_the_sets_are_those_of_development_and_no_larger_than_asked(tmp_path: Path) -> None:
    found = sets(None, 5)
    assert {name: len(asked) for name, asked in found.items()} == {"requests": 5, "held": 5}
    assert found == sets(None, 5)
    assert sets(tmp_path, 5)["stories"] == []
