"""Calculations told in words and nothing else."""

from pathlib import Path

import pytest

from llmos.kernel.examples import Memory
from llmos.kernel.spoken import spoken
from llmos.kernel.turns import Turn
from llmos.tools.calculator import evaluate


@pytest.mark.parametrize(
    ("request_", "number"),
    [
        ("What do you get when you add two hundred and seven to four hundred and sixteen?", "623"),
        ("take nineteen away from a hundred and four please", "85"),
        ("seventy five less eighteen equals what", "57"),
        ("subtract seven from twenty", "13"),
        ("minus eight times minus nine", "72"),
        ("double three hundred and sixty, then add twelve", "732"),
        ("A hundred take away forty-four, then halve it", "28"),
        ("divide 100 by 4 and multiply by 3", "75"),
        ("what is fifty-six divided by eight, plus nineteen", "26"),
        ("the product of six and the sum of eleven and four", "90"),
        ("eight times the difference of thirty and twelve", "144"),
        ("the sum of 10 and 20 divided by 3", "10"),
        ("half the sum of 12 and 30", "21"),
        ("one-half plus one third", "5/6 = 0.833333333333"),
        ("five eighths minus one quarter", "3/8 = 0.375"),
        ("three-quarters of 64", "48"),
        ("3 1/2 divided by 1/4", "14"),
        ("one and a quarter plus two and a half", "15/4 = 3.75"),
        ("add a half, a quarter and an eighth", "7/8 = 0.875"),
        ("difference between two and a half and one and a quarter", "5/4 = 1.25"),
        ("square 14 then take 50", "146"),
        ("three to the sixth power", "729"),
        ("the sum of the square root of 49 and nine squared", "88"),
        ("1 250 000 / 5", "250000"),
    ],
)
def test_a_calculation_in_words_is_read_as_it_is_meant(request_: str, number: str) -> None:
    assert evaluate(spoken(request_)) == number


@pytest.mark.parametrize(
    "request_",
    [
        "",
        "what is 5",
        "7/8",
        "2024-01-05",
        "24/12/2025",
        "7 less than 12",
        "plus 5",
        "take 5",
        "half past nine",
        "two thirds of 12 apples",
        "add 5 to my list",
        "sum of two and a half",
        "what's 10% of 50",
        "days between 3 and 5",
        "a over b",
    ],
)
def test_what_says_anything_else_is_left_alone(request_: str) -> None:
    assert spoken(request_) == ""


def test_it_stands_before_what_is_alike_but_not_where_a_result_goes_on(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "none.jsonl")

    def first(told: str, values: list[str], request: str, kinds: tuple[str, ...] = ("calculator",)) -> list[str]:
        turn = Turn(request)
        turn.gist, turn.values, turn.kinds = told, values, kinds
        return [found.answer for found in memory(turn)]

    assert first("@1 over @2", ["612", "9"], "six hundred and twelve over nine") == ["612 / 9"]
    assert first("@1 minus @2 times @3", ["40", "5", "2"], "minus 5 times 2") == []
    assert first("@1 over @2", ["6", "3"], "6 over 3", ("table",)) == []
