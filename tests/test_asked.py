"""Questions on tables: which rows they are of, and what single words say of the verb."""

import pytest

from llmos.kernel.asked import about, amounts, rows, settled
from llmos.kernel.slots import Column
from llmos.kernel.wording import timeless, unmeant

TABLE = [
    Column("year", "year", True),
    Column("fish", "text", True, ("cod", "eel")),
    Column("week", "number"),
    Column("weight", "number"),
]


@pytest.mark.parametrize(
    ("request_", "linked", "words"),
    [
        ("mean weight of cod", {2: ["cod"]}, "where #2 'cod'"),
        ("weight since 1990", {}, "since #1 1990"),
        ("caught before 1990", {}, "before #1 1990"),
        ("weight from 1990 to 1999", {}, "between #1 1990 1999"),
        ("eels in 1990", {2: ["eel"]}, "where #2 'eel' where #1 1990"),
        ("weight of all", {}, ""),
    ],
)
def test_a_question_is_kept_to_what_it_names(request_: str, linked: dict[int, list[str]], words: str) -> None:
    assert about("mean", ["#4"], rows(request_, TABLE, linked)) == words


@pytest.mark.parametrize(
    ("verb", "request_", "linked", "numbers", "left"),
    [
        ("over", "how many fish weigh more than 5", {}, 1, "above"),
        ("above", "how many were caught", {}, 0, "rows"),
        ("above", "how many weigh less than 5", {}, 1, "below"),
        ("under", "which weigh more than 5", {}, 1, "over"),
        ("means", "average weight of the cod", {2: ["cod"]}, 0, "mean"),
        ("meanof", "average weight", {}, 0, "mean"),
        ("most", "which year had the lightest weight", {}, 0, "least"),
        ("total", "difference in weight between cod and eel", {2: ["cod", "eel"]}, 0, "gap"),
    ],
)
def test_words_turn_a_verb(verb: str, request_: str, linked: dict[int, list[str]], numbers: int, left: str) -> None:
    assert settled([verb], request_, linked, numbers, TABLE, [4] if "weight" in request_ else []) == [left]


def test_amounts_are_told_by_degrees_and_never_a_week() -> None:
    assert amounts("which is the heaviest", TABLE, []) == [4]
    assert amounts("how much", TABLE, []) == [4]


def test_numbers_that_are_no_amounts() -> None:
    assert unmeant("2", "the mean, ", " decimals", ())
    assert unmeant("16", "in those ", " weeks", {"16"})
    assert not unmeant("16", "over ", " kg", {"15"})
    assert timeless("total #1 for @1", ["2024"]) == "total #1"


@pytest.mark.parametrize(
    ("request_", "left"),
    [
        ("which fish brought in the most weight", "topsum"),
        ("which fish made the least weight?", "lowsum"),
        ("which fish had the most weight in a single week", "most"),
        ("which fish sold the most weight in one week", "most"),
        ("which fish has the highest weight", "most"),
    ],
)
def test_what_is_done_adds_up_over_the_rows_of_a_group(request_: str, left: str) -> None:
    assert settled(["most"], request_, {}, 0, TABLE, [2, 4], [2]) == [left]
