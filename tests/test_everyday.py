"""Everyday sums: loans, savings, paces, kitchen measures, money of other countries, days until a feast."""

from datetime import date

import pytest

from llmos.kernel.everyday import NO_RATES, everyday
from llmos.tools.calculator import evaluate

TODAY = date(2026, 11, 28)


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        ("mortgage payment for 300000 at 5% over 30 years", "1610.46"),
        ("What would I pay each month on a $300,000 mortgage at 5 percent for thirty years?", "1610.46"),
        ("monthly payment on a 20k car loan at 6% for 5 years", "386.66"),
        ("i borrow 12000 for 36 months at 7.5%, what are the repayments", "373.27"),
        ("how much total interest on a 300000 loan at 5% over 30 years", "279767.35"),
        ("save 200 a month for 5 years at 4%", "13259.8"),
        ("if I put aside $50 every week at 3% a year for 10 years, what do I end up with", "30310.98"),
        ("investing 1,000 each year for 20 years at 6%", "36785.59"),
        ("what pace do I need to run a marathon in 3:45?", "5 minutes 20 seconds"),
        ("pace for 3:45?", "5 minutes 20 seconds"),
        ("what pace per mile for a marathon in 3:45", "8 minutes 35 seconds"),
        ("half marathon in 1:45, what pace is that", "4 minutes 59 seconds"),
        ("what pace for a 50 minute 10k", "5 minutes 0 seconds"),
        ("pace for a 5k in 25:00", "5 minutes 0 seconds"),
        ("pace needed for a sub 4 hour marathon", "5 minutes 42 seconds"),
        ("10 mile race in 1h20 pace per mile pls", "8 minutes 0 seconds"),
        ("how many cups in a gallon?", "16 cups"),
        ("How many tablespoons are there in half a cup", "8 tablespoons"),
        ("how many ounces in a cup", "8 fl oz"),
        ("how many ounces are in a pound", "16 ounces"),
        ("how many teaspoons make a tablespoon", "3 teaspoons"),
        ("100 usd at 0.92", "92"),
        ("convert 100 usd to eur at a rate of 0.92", "92"),
        ("is 3x + 5 = 20 solved by x = 6?", "false"),
        ("Is x = 5 a solution of 3x + 5 = 20?", "true"),
        ("does y = -2 satisfy y^2 + y = 2", "true"),
    ],
)
def test_the_words_fix_the_formula(request_: str, answer: str) -> None:
    made = everyday(request_, TODAY)
    assert made is not None
    assert "{result}" in made.says
    assert evaluate(made.expression, today=TODAY) == answer


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        ("how many days until new year", "34 days"),
        ("How long is it until New Year's Eve?", "33 days"),
        ("days till xmas", "27 days"),
        ("how many days until Halloween?", "337 days"),
        ("what year is it?", "2026-11-28 (Saturday)"),
        ("what day is it today", "2026-11-28 (Saturday)"),
        ("what's the date?", "2026-11-28 (Saturday)"),
    ],
)
def test_days_are_counted_from_today(request_: str, answer: str) -> None:
    made = everyday(request_, TODAY)
    assert made is not None
    assert evaluate(made.expression, today=TODAY) == answer


@pytest.mark.parametrize(
    "request_",
    [
        "convert 100 usd to eur",
        "how many dollars is 50 euros",
        "how much is 20 pounds in yen?",
        "exchange rate dollar to euro",
        "what's 1 bitcoin in usd",
    ],
)
def test_money_of_another_country_needs_a_rate(request_: str) -> None:
    assert everyday(request_, TODAY) == ("", NO_RATES)


@pytest.mark.parametrize(
    "request_",
    [
        "",
        "20000 at 5% for 3 years",
        "simple interest on a loan of 500 at 4% for 2 years",
        "my mortgage is 300000 and I pay 1200 a month at 5% for 30 years, what is left",
        "save 200 a month for 5 years",
        "put 700 in the bank at 3% yearly for 4 years",
        "invest 700 at 3% interest a year for 4 years",
        "invest 700 at 3% compounded monthly for 4 years",
        "a bank pays 4% a year. I put 200 in for 5 years",
        "how long does a marathon take at 5:20 pace",
        "remember that my pace for the 10k in 50 minutes is good",
        "plot my pace",
        "how many pounds are in a stone wall",
        "how many cups did they sell in a week",
        "how many grams in a cup",
        "3 pounds in kg",
        "a bag costs 5 dollars and a euro is 1.1 dollars",
        "a shirt is 20 dollars at 3 shops",
        "which day had the most rain",
        "what year is it in the novel",
        "how many days until 2027-03-01",
    ],
)
def test_all_else_is_left_alone(request_: str) -> None:
    assert everyday(request_, TODAY) is None
