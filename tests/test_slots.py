"""Slots: which columns fit a place in plotting code, by their kind and the words of the request."""

import pytest

from llmos.kernel.slots import Column, alike, fitting, mentioned, mentions, words

TABLE = [
    Column("week", "date"),
    Column("shop", "text"),
    Column("cups_sold", "number"),
    Column("cakesSold", "number"),
    Column("Takings EUR", "number"),
]


@pytest.mark.parametrize(
    ("request_", "found"),
    [
        ("cups sold per week", {"cups_sold", "week"}),
        ("how did the takings go", {"Takings EUR"}),
        ("cakes against cups", {"cakesSold", "cups_sold"}),
        ("takngs by shop", {"Takings EUR", "shop"}),
        ("plot it", set()),
        ("shops", {"shop"}),
    ],
)
def test_a_request_mentions_columns_by_their_words(request_: str, found: set[str]) -> None:
    assert {TABLE[n - 1].name for n in mentioned(request_, TABLE)} == found


def test_of_two_columns_with_the_same_words_the_better_covered_is_meant() -> None:
    pair = [Column("income", "number"), Column("income_tax", "number")]
    assert set(mentioned("income by year", pair)) == {1}
    assert set(mentioned("income tax by year", pair)) == {2}
    strains = [Column("Strain A (per ml)", "number"), Column("Strain B (per ml)", "number")]
    assert set(mentioned("both strains", strains)) == {1, 2}


@pytest.mark.parametrize(
    ("request_", "names", "found"),
    [
        ("how much did it rain", ["precipitation_in", "max_f"], {1}),
        ("jobless percentage", ["employed", "unemployed", "unemployed_percent"], {3}),
        ("the price of wheat", ["cost", "price"], {2}),
        ("highest population", ["max_temp", "population"], {2}),
        ("the max by day", ["max_f", "min_f"], {1}),
        ("daily highs and lows", ["mean_f", "max_f", "min_f"], {2, 3}),
        ("humidity in %", ["hum_pct", "temp_pct"], {1}),
    ],
)
def test_columns_are_found_by_what_words_mean(request_: str, names: list[str], found: set[int]) -> None:
    assert set(mentioned(request_, [Column(n, "number") for n in names])) == found


@pytest.mark.parametrize(
    ("role", "used", "request_", "fits"),
    [
        ("x", {}, "cups sold per week", [1]),
        ("x", {}, "takings", [1, 2]),
        ("x", {}, "plot shops", [1]),
        ("x", {}, "takings of the shop", [1, 2]),
        ("x", {}, "cakes against cups", [1, 2]),
        ("n", {1}, "cups sold per week", [3]),
        ("n", {1, 3}, "cups and cakes", [4]),
        ("n", {1}, "plot it", [3]),
        ("c", {}, "mean takings by shop", [2]),
        ("c", {1}, "takings by shop", [2]),
        ("n", {}, "top 3 weeks by cakes", [4]),
        ("", {}, "anything", [1, 2, 3, 4, 5]),
    ],
)
def test_a_role_takes_columns_of_its_kind_that_were_mentioned(
    role: str, used: set[int], request_: str, fits: list[int]
) -> None:
    assert fitting(role, used, TABLE, mentioned(request_, TABLE)) == fits


def test_a_later_request_leaves_open_what_was_plotted_before() -> None:
    assert fitting("n", {1}, TABLE, set(), first=False) == [3, 4, 5]
    assert fitting("x", set(), TABLE, {2}, first=False) == [1, 2]


def test_where_nothing_fits_everything_may_stand() -> None:
    texts = [Column("a", "text"), Column("b", "text")]
    assert fitting("n", {1}, texts, {2}) == [1, 2]
    numbers = [Column("a", "number")]
    assert fitting("c", set(), numbers, {1}) == [1]


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        ("cups sold per week", "<3> per <1>"),
        ("the cakes against Takings EUR", "the <4> against <5>"),
        ("takngs by shops, and shop again", "<5> by <2>, and <2> again"),
        ("cups_sold of the week", "<3> of the <1>"),
        ("plot it", "plot it"),
    ],
)
def test_mentions_stand_where_the_request_has_the_words(request_: str, told: str) -> None:
    for start, end, number in reversed(list(mentions(request_, TABLE))):
        request_ = f"{request_[:start]}<{number}>{request_[end:]}"
    assert request_ == told


def test_words_and_likeness() -> None:
    assert words("NetIncomes_eur 2024") == ["net", "income", "eur", "2024"]
    assert alike("takings", "takngs")
    assert not alike("cups", "caps")
