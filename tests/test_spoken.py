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
        ("what's 10% of 50", "5"),
        ("30% off $89.90", "62.93"),
        ("15 percent less than 360", "306"),
        ("add 20% to 150", "180"),
        ("5% of 5% of 10000", "25"),
        ("45 is what percent of 180", "25%"),
        ("sqrt(225) + sqrt(64)", "23"),
        ("square root of the sum of 25 and 144", "13"),
        ("sqrt of 3 squared plus 4 squared", "5"),
        ("square root of 144 divided by 3", "4"),
        ("the fourth root of 1296", "6"),
        ("raise 7 to the 4th", "2401"),
        ("minus 45 plus 18", "-27"),
        ("ten to the minus 3", "0.001"),
        ("log base 3 of 243", "5"),
        ("what is 5!", "120"),
        ("5! + 4!", "144"),
        ("e^2 as a decimal", "7.38905609893"),
        ("add 7 to the product of 8 and 9", "79"),
        ("subtract the sum of 14 and 9 from 50", "27"),
        ("what is 15 less than 40", "25"),
        ("how many 8s are in 56", "7"),
        ("45 shared equally between 9", "5"),
        ("2 and 1/2 plus 1 and 3/4", "17/4 = 4.25"),
        ("2(3 + 4)", "14"),
        ("3 + 4!", "7"),
        ("(2.5 x 10^4) times (4 x 10^2)", "10000000"),
        ("write 3.2e-4 as an ordinary number", "0.00032"),
        ("45000 in scientific notation", "4.5 * 10^4"),
        ("remainder when 1000 is divided by 37", "1"),
        ("highest common factor of 96 and 144", "48"),
        ("sum of squares of 3, 4 and 5", "50"),
        ("root 2 to 3 decimal places", "1.414"),
        ("round 7846 to the nearest hundred", "7800"),
        ("simplify 36/48", "3/4 = 0.75"),
        ("3/5 squared", "9/25 = 0.36"),
        ("7/8 of 245", "214.375"),
        ("turn 7/16 into a decimal", "0.4375"),
        ("23/6 as a mixed number", "3 5/6 = 3.83333333333"),
        ("how many eighths are in 3/4", "6"),
        ("how many times does 18 go into 450", "25"),
        ("hey there, quick one: what's 386 plus 1,249 minus 75?", "1560"),
        ("my homework says (45 - 17) x 6, what should come out", "168"),
        ("can you tell my son what the square root of 324 is", "18"),
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
        "what's 10%",
        "who won 3 - 2",
        "plot 3 times 4",
        "perimeter of 3 x 4",
        "write python for 3 + 4",
        "log of 50",
        "a room is 4 x 5, what is its perimeter",
        "remember 3 plus 4",
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
