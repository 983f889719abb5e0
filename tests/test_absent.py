"""A column that a table has not is said to be missing; what may be one by another name is left alone."""

from pathlib import Path

import pytest

from llmos import LLMOS
from llmos.kernel.absent import absent, missing
from llmos.kernel.minilm import missing as unavailable
from llmos.kernel.slots import Column

SHOP = [Column("order", "number"), Column("city", "text", True), Column("price", "number"), Column("ordered", "date")]
needs_weights = pytest.mark.skipif(bool(unavailable()), reason="the embedder is not installed")


@needs_weights
@pytest.mark.parametrize(
    ("told", "noun"),
    [
        ("plot the humidity by #2", "humidity"),
        ("what is the average salary?", "salary"),
        ("#3 against rainfall", "rainfall"),
        ("which #2 has the most sea urchins?", "sea urchins"),
        ("plot the crossword scores by #2", "crossword scores"),
    ],
)
def test_a_noun_that_no_column_is_like_is_missing(told: str, noun: str) -> None:
    assert absent(told, SHOP, ["shop.csv"]) == noun


@needs_weights
@pytest.mark.parametrize(
    "told",
    [
        "plot it",
        "show the results over time",
        "bars of #3 for each town",
        "what did the dearest cost",
        "plot #3 titled 'humidity of the shop'",
        "how many passengers are there",
        "I'd like to see #3",
        "draw price levels",
        "which #2 has the most? a bar graph would be lovely",
        "the highest of all",
        "plot it nicely for my notice board",
    ],
)
def test_what_is_vague_or_another_name_is_not(told: str) -> None:
    assert absent(told, SHOP, ["shop.csv"]) == ""


@needs_weights
def test_a_column_by_another_name_is_known_by_its_meaning() -> None:
    runs = [Column("day", "date"), Column("heart_rate", "number")]
    assert absent("show my pulse over time", runs, ["runs.csv"]) == ""
    assert absent("show my altitude over time", runs, ["runs.csv"]) == "altitude"


def test_columns_that_nobody_knows_may_be_anything() -> None:
    assert absent("plot the humidity", [Column("t", "number"), Column("h", "number")], ["x.csv"]) == ""
    assert absent("plot the salary", [Column("name", "text"), Column("euro", "number")], ["x.csv"]) == ""


def test_the_columns_that_there_are_are_named() -> None:
    assert "order, city, price, ordered" in missing("humidity", SHOP)
    assert "and 8 more" in missing("humidity", [Column(f"c{n}", "number") for n in range(20)])


@needs_weights
def test_no_other_column_is_plotted_for_it(tmp_path: Path) -> None:
    table = tmp_path / "shop.csv"
    table.write_text("order,city,price,ordered\n1,Oslo,3.5,2024-01-02\n2,Rome,4,2024-01-05\n3,Oslo,6,2024-01-07\n")
    with LLMOS(home=tmp_path / "home") as system:
        answer = system.run("plot the humidity over time", [table])
        assert answer.artifacts == ()
        assert answer.calls == ()
        assert "no column for humidity" in answer.text
        assert "price" in answer.text
        assert system.run("plot the price over time", [table]).artifacts
