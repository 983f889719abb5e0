"""One order for plain arithmetic: spellings of the same are one, and none is worth another number."""

import random

import pytest

from llmos.kernel.arithmetic import infix, prefix
from llmos.kernel.ordered import ordered
from llmos.training.problems import worth


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("@2 * @1", "@1 * @2"),
        ("@1 - (@3 + @2)", "@1 - @2 - @3"),
        ("@4 / (@2 * @3)", "@4 / @2 / @3"),
        ("1/2 * @1 + 0", "@1 / 2"),
        ("@1 + (@1 + @2)", "@1 * 2 + @2"),
        ("-@2 + @1", "@1 - @2"),
        ("0 - @1", "0 - @1"),
        ("floor(@2 * @1 / @3) - (@5 - @4)", "floor(@1 * @2 / @3) + @4 - @5"),
    ],
)
def test_spellings_of_the_same_are_one(written: str, told: str) -> None:
    assert infix(ordered(prefix(written))) == told


def test_what_it_is_worth_stays() -> None:
    rng = random.Random(4)

    def grown(depth: int) -> str:
        if not depth or rng.random() < 0.2:
            return rng.choice(["@1", "@2", "@3", "2", "7"])
        return f"({grown(depth - 1)} {rng.choice('+-*/')} {grown(depth - 1)})"

    def valued(expression: str) -> str:
        for name, value in (("@1", "23"), ("@2", "5"), ("@3", "11")):
            expression = expression.replace(name, value)
        return expression

    seen = 0
    for _ in range(200):
        one = grown(3)
        value = worth(valued(one))
        if value is not None:
            seen += 1
            assert worth(valued(infix(ordered(prefix(one))))) == value, one
    assert seen > 100
