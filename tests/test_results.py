"""Earlier results by what they were of: shares, changes and what is left of numbers that a request names."""

import pytest

from llmos.kernel.acts import Past
from llmos.kernel.earlier import reckoned, references
from llmos.kernel.memo import Memo
from llmos.kernel.results import label, named
from llmos.kernel.slots import Column
from llmos.kernel.turns import Turn

HALLS = [Column("hall", "text", False, ("Odeon", "Roxy")), Column("chairs", "number"), Column("Tickets sold", "number")]
COUNTED = [label("lookup", ["chairs"], ["Roxy"]), label("lookup", ["Tickets sold"], ["Roxy"])]
YEARS = [label("total", ["cost"], [f"{y}-01-01", f"{y}-12-31"]) for y in (2023, 2024)]


def past(numbers: list[str], labels: list[frozenset[str]], sums: list[str] | None = None) -> Past:
    """What was asked of the halls, or reckoned where there are ``sums``."""
    last = "calculator" if sums else "python"
    done = Past([], [(n, "") for n in numbers], sums or [""] * len(numbers), last, fresh=True)
    done.labels, done.columns = labels, HALLS
    return done


@pytest.mark.parametrize(
    ("labels", "request_", "sum_"),
    [
        (COUNTED, "so what percentage of the chairs were sold", "80 / 200 * 100"),
        (COUNTED, "what share is that of the chairs", "80 / 200 * 100"),
        (COUNTED, "how many more chairs than sold ones?", "200 - 80"),
        (COUNTED, "what percentage of the chairs were sold at the Odeon", ""),  # that was not asked
        (COUNTED, "how many chairs are there", ""),
        (COUNTED, "the highest number of chairs, and the average of those sold", ""),
        (YEARS, "how much more is that in percent, 2024 over 2023?", "(80 - 200) / 200 * 100"),
        (YEARS, "by how much did it fall from 2023 to 2024", "200 - 80"),
        (YEARS, "and from 2023 to 2025?", ""),
    ],
)
def test_two_results_that_are_named_are_reckoned_with(labels: list[frozenset[str]], request_: str, sum_: str) -> None:
    done = past(["200", "80"], labels)
    assert reckoned(request_, done, references(request_, done)) == sum_


@pytest.mark.parametrize(
    ("sums", "request_", "sum_"),
    [
        (["", "15% * 200"], "and what's left for us after that", "200 - 30"),
        (["", "200 * 3 / 20"], "what remains?", "200 - 30"),
        (["2 * 100", "200 - 170"], "how much more is that", "30 - 200"),
        (["2 * 100", "90 / 3"], "each costs 3.80, total?", "30 * 3.80"),
        (["2 * 100", "90 / 3"], "one bag holds 4 of them, how many bags do i need", "30 / 4"),
        (["2 * 100", "90 / 3"], "at 22 cents each, what is that?", "30 * 22 / 100"),
        (["2 * 100", "90 / 3"], "round it to 1 decimal", "round(30, 1)"),
        (["2 * 100", "90 / 3"], "how much is that a week over 6 weeks", "30 / 6"),
        (["2 * 100", "90 / 3"], "a car is 4 m long", ""),
    ],
)
def test_a_calculation_goes_on(sums: list[str], request_: str, sum_: str) -> None:
    done = past(["200", "30"], [frozenset(), frozenset({"x"})], sums)
    assert reckoned(request_, done, references(request_, done)) == sum_


def test_a_chart_is_no_calculation() -> None:
    done = past(["200", "80"], COUNTED)
    assert references("plot it with the tickets sold as a percentage of the chairs", done) == []


def test_a_name_that_no_column_shows_is_something_else() -> None:
    assert named("what share of the chairs is that in Alma", COUNTED, ["200", "80"], HALLS) == []


def test_a_number_that_was_told_stands_for_what_names_it() -> None:
    memo = Memo()
    memo.hear(Turn("remember that my rent is 1,450 a month"))
    assert memo.filled("what is 20% of my rent?") == "what is 20% of 1,450?"
    assert memo.filled("what is my rent?") == "what is my rent?"
    assert memo.filled("20% of my wage") == "20% of my wage"
