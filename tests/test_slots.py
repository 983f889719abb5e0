"""Slots: which columns fit a place in plotting code, by their kind and the words of the request."""

import pytest

from llmos.kernel.slots import Column, alike, fitting, mentioned, words

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
    assert mentioned(request_, TABLE) == found


def test_of_two_columns_with_the_same_words_the_better_covered_is_meant() -> None:
    pair = [Column("income", "number"), Column("income_tax", "number")]
    assert mentioned("income by year", pair) == {"income"}
    assert mentioned("income tax by year", pair) == {"income_tax"}


@pytest.mark.parametrize(
    ("code", "request_", "fits"),
    [
        ("ax = df.plot(x='", "cups sold per week", ["week"]),
        ("ax = df.plot(x='", "takings", ["week", "shop"]),
        ("ax = df.plot(x='", "takings of the shop", ["week", "shop"]),
        ("ax = df.plot(x='", "cakes against cups", ["week", "shop", "cups_sold", "cakesSold"]),
        ("ax = df.plot(x='week', y='", "cups sold per week", ["cups_sold"]),
        ("ax = df.plot(x='week', y=['cups_sold', '", "cups and cakes", ["cakesSold"]),
        ("ax = df.plot(x='week', y='", "plot it", ["cups_sold", "cakesSold", "Takings EUR"]),
        ("df.groupby('", "mean takings by shop", ["shop"]),
        ("df.groupby('shop')['", "mean takings by shop", ["Takings EUR"]),
        ("df.pivot_table(index='week', columns='", "takings by shop", ["shop"]),
        ("df.pivot_table(index='week', columns='shop', values='", "takings", ["Takings EUR"]),
        ("df.nlargest(3, '", "top 3 weeks by cakes", ["cakesSold"]),
        ("df[df['", "anything", [c.name for c in TABLE]),
    ],
)
def test_a_place_takes_columns_of_its_kind_that_were_mentioned(code: str, request_: str, fits: list[str]) -> None:
    assert fitting(code.encode(), TABLE, request_) == fits


def test_where_nothing_fits_everything_may_stand() -> None:
    texts = [Column("a", "text"), Column("b", "text")]
    assert fitting(b"df.plot(x='a', y='", texts, "plot b") == ["a", "b"]
    numbers = [Column("a", "number")]
    assert fitting(b"df.groupby('", numbers, "by a") == ["a"]


def test_words_and_likeness() -> None:
    assert words("NetIncomes_eur 2024") == ["net", "income", "eur", "2024"]
    assert alike("takings", "takngs")
    assert not alike("cups", "caps")
