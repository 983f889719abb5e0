"""Recall: expressions that answered requests like this one."""

import json
from pathlib import Path

import pytest

from llmos.kernel.recall import Recall, adapted, fits

TAUGHT = [
    ("what is @1% of @2?", "@1% * @2"),
    ("what is @1 plus @2?", "@1 + @2"),
    ("take @1% off @2", "@2 * (1 - @1%)"),
    ("how many ounces are in @1 pounds", "@1 pounds to ounces"),
    ("days from ~1 to ~2", "days(~1, ~2)"),
    ("the square root of @1", "sqrt(@1)"),
    ("@1 people share @2 sweets, how many does each get", "@2 / @1"),
]


@pytest.fixture
def recall() -> Recall:
    return Recall(TAUGHT)


@pytest.mark.parametrize(
    ("told", "expression"),
    [
        ("What is @1% of @2?", "@1% * @2"),
        ("please take @1% off @2", "@2 * (1 - @1%)"),
        ("squre root of @1", "sqrt(@1)"),
        ("how many grams are in @1 pounds", "@1 pounds to grams"),
        ("how many days from ~1 to ~2?", "days(~1, ~2)"),
        ("@1 kids share @2 sweets; how many for each", "@2 / @1"),
    ],
)
def test_a_request_finds_what_answered_one_like_it(recall: Recall, told: str, expression: str) -> None:
    assert recall.near(told)[0].expression == expression


def test_the_same_request_is_as_like_as_can_be_and_others_less(recall: Recall) -> None:
    best, *others = recall.near("what is @1% of @2?")
    assert best.likeness == pytest.approx(1)
    assert all(o.likeness < best.likeness for o in others)
    assert recall.near("zebra") == []


def test_only_what_is_good_is_found(recall: Recall) -> None:
    assert recall.near("what is @1% of @2?", good=lambda e: "+" in e)[0].expression == "@1 + @2"
    assert len(recall.near("what is @1% of @2?", most=1)) == 1


def test_what_stands_in_a_place_goes_into_its_place() -> None:
    assert adapted("how many grams in @1 stone", "how many ounces in @1 pounds", "@1 pounds to ounces") == (
        "@1 stone to grams"
    )
    assert adapted("x", "what is @1", "@1") == "@1"


def test_short_names_must_stand_for_values_of_their_kind() -> None:
    values = ["15", "2024-01-05", "whole"]
    assert fits("@1 + 2", values, {"whole"})
    assert fits("days(~2, today)", values, {"whole"})
    assert not fits("@2 + 1", values, {"whole"})
    assert not fits("~1", values, {"whole"})
    assert not fits("@3", values, {"whole"})
    assert not fits("@4", values, {"whole"})


def test_a_file_is_read_and_a_missing_one_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "taught.jsonl"
    path.write_text("".join(json.dumps(pair) + "\n" for pair in TAUGHT), encoding="utf-8")
    assert Recall.load(path).near("what is @1% of @2?")[0].expression == "@1% * @2"
    assert Recall.load(tmp_path / "none.jsonl").near("what is @1% of @2?") == []
