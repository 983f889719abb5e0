"""Mentions: the values of a table that a request speaks of, and how a preview tells of them."""

from pathlib import Path

import pytest

from llmos.kernel.mentions import MOST, said, wanted
from llmos.memory.preview import preview

PLACES = ["France", "New Zealand", "U.S. Virgin Islands", "US", "no", "NFC West"]


@pytest.mark.parametrize(
    ("request_", "found"),
    [
        ("weekly hours in france", ("France",)),
        ("NEW ZEALAND or France?", ("France", "New Zealand")),
        ("the u.s. virgin islands", ("U.S. Virgin Islands",)),
        ("the nfc west's games", ("NFC West",)),
        ("tell us", ()),
        ("in the US", ("US",)),
        ("no, the French", ()),
        ("", ()),
    ],
)
def test_values_are_found_as_whole_words(request_: str, found: tuple[str, ...]) -> None:
    assert said(request_, PLACES) == found


def test_only_a_few_are_named() -> None:
    names = [f"place{n}" for n in range(20)]
    assert said(" ".join(names), names) == tuple(names[:MOST])


def test_a_preview_names_the_values_that_the_request_speaks_of(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    rows = [f"{year},place {n},{n}" for year in (1990, 1991) for n in range(30)]
    path.write_text("\n".join(["year,place,pay", *rows, '1992,"x, y",3', '1993,"x, y",4']) + "\n")
    assert "'place' (text, 31 values)," in preview(path, "a.csv")
    assert "'place' (text, 31 values, has place 7)," in preview(path, "a.csv", request="pay at Place 7")
    assert "'place' (text, 31 values, has \"x, y\")," in preview(path, "a.csv", request="pay at x y")


@pytest.mark.parametrize(
    ("request_", "left"),
    [
        ("cod and eel by year", ("cod", "eel")),
        ("all fish but not the eel, cod too", ("cod",)),
        ("dont include cod totals", ("eel",)),
        ("cod. skip nothing", ("cod", "eel")),
    ],
)
def test_values_that_are_left_out_are_not_wanted(request_: str, left: tuple[str, ...]) -> None:
    assert wanted(request_, ("cod", "eel")) == left
