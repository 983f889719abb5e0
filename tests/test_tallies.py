"""What is asked of a list of numbers."""

import pytest

from llmos.kernel.examples import reckoned
from llmos.kernel.tallies import tally
from llmos.tools.calculator import evaluate


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        ("mean of 4, 8, 15, 16, 23, 42", "18"),
        ("Find the median: 12, 7, 3, 9, 21, 14, 2", "9"),
        ("i have heights 160 172 158 181 169 175 166 178 and i need median", "170.5"),
        ("what number shows up most often in 11 12 11 14 12 11 19", "11"),
        ("How far apart are the highest and lowest of 19, 4, 27, 11, 36?", "32"),
        ("standard deviation of 2, 4, 4, 4, 5, 5, 7, 9 (population)", "2"),
        ("sample variance: 6, 7, 9, 10 and 13", "7.5 (sample, n - 1)"),
        ("my marks were 67, 74, 81, 59, 90, 88, 73 and 62. what's my average mark?", "74.25"),
        ("we had 132, 118, 127, 140, 99, 151, 134, 122, 130, 147, 160 and 108 guests. total?", "1568"),
        ("average of 3/4, 1/2 and 1/4", "1/2 = 0.5"),
        ("mean of 5 numbers: 3, 5, 8, 12, 6", "6.8"),
        ("average of -3, -5 and 2", "-2"),
        ("avg 120,118,125", "121"),
        ("average these prices: $1,299, $850 and $1,525", "3674/3 = 1224.66666667"),
        ("what is the total of seven, eight and twelve", "27"),
        ("monday 14 cakes, tuesday 22, wednesday 17, friday 28. avg per day", "20.25"),
        ("average of 3.5, 4.25 to 1 decimal", "3.9"),
        ("geometric mean of 4 and 25", "10"),
        ("harmonic mean of 40 and 60", "48"),
    ],
)
def test_all_numbers_of_a_list_are_taken(request_: str, answer: str) -> None:
    assert evaluate(tally(request_)) == answer


@pytest.mark.parametrize(
    "request_",
    [
        "mean and median of 3, 4, 5",
        "plot 3, 4, 5 and the mean",
        "which of 3, 5 and 9 are above the mean",
        "rolling mean of 3, 5, 9, 12",
        "the average of four numbers is 12. three of them are 10, 11 and 14. the fourth?",
        "i bought 3 apples for 2 dollars and 5 pears for 4 dollars, total?",
        "weighted mean of 70 (weight 2), 85 (weight 3)",
        "average speed of 40, 50 and 60",
        "3, 4, 5",
        "mean of the column",
    ],
)
def test_what_is_no_list_or_asks_for_more_is_left_alone(request_: str) -> None:
    assert tally(request_) == ""


def test_a_list_may_be_of_a_tables_years() -> None:
    assert reckoned("average of 2019, 2020 and 2021")
    assert reckoned("average of 2019, 2020 and 2021", table=True) == ""
