"""The evaluation set of version 1: what it holds, that its answers follow, and how near it comes to training."""

import csv
import json
import re
from collections import Counter
from datetime import date
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from llmos.tools.calculator import evaluate
from llmos.training import overlap
from llmos.training.evaluate import read_items
from llmos.training.scoring import numbers, same_number

FOLDER = Path(overlap.__file__).parent / "eval"
NAMES = ("kernel", "word_problems", "steps")


@cache
def rows(name: str) -> list[dict[str, Any]]:
    """The lines of one file."""
    return [json.loads(line) for line in (FOLDER / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


@cache
def known() -> overlap.Phrases:
    """The phrases of training."""
    return overlap.Phrases(overlap.phrases())


def exactly(expression: str) -> Fraction:
    """The value of an expression of ours, with no rounding on the way unless a root is in it."""
    if "date(" in expression:
        return Fraction(eval(expression, {"date": date}))
    written = re.sub(r"(?<![\w.])(?:\d+\.\d+|\d+)(?!\w)", r"F('\g<0>')", expression)
    return Fraction(eval(written, {"F": Fraction, "sqrt": lambda x: Fraction(float(x) ** 0.5)}))


def test_it_is_large_enough_and_no_request_comes_twice() -> None:
    assert len(rows("kernel")) >= 600
    assert len(rows("word_problems")) >= 300
    assert len(rows("steps")) >= 40
    prompts = [prompt for name in NAMES for row in rows(name) if "prompt" in row for prompt in [row["prompt"]]]
    assert [p for p, n in Counter(prompts).items() if n > 1] == []
    many = Counter(row["category"] for row in rows("kernel"))
    for category, least in {"impossible": 60, "sounds-dangerous": 60, "harmful": 30, "something-missing": 20}.items():
        assert many[category] >= least


@pytest.mark.parametrize("name", ["kernel", "word_problems"])
def test_every_number_follows_from_its_expression_by_two_ways_of_reckoning(name: str) -> None:
    wrong: list[tuple[object, ...]] = []
    reckoned = [row for row in rows(name) if "expression" in row]
    for row in reckoned:
        value, expected = exactly(row["expression"]), row["expect"]["number"]
        near = abs(value - Fraction(str(expected))) <= abs(value) / 10**10
        if not near or (isinstance(expected, int) and value != expected):
            wrong.append((row["id"], float(value), expected))
        elif "date(" not in row["expression"]:
            shown = evaluate(re.sub(r"([-+/])", r" \1 ", row["expression"]))  # 7200/2/2 would be a day
            if not any(same_number(n, expected) for n in numbers(shown)):
                wrong.append((row["id"], shown, expected))
    assert wrong == []
    assert len(reckoned) >= 100
    assert name != "word_problems" or len(reckoned) == len(rows(name))


def test_the_columns_that_are_expected_stand_in_the_files() -> None:
    wrong = []
    for row in (*rows("kernel"), *rows("steps"), *rows("steps_dev")):
        for file in row.get("files", ()):
            text = (FOLDER / file).read_text(encoding="utf-8")
            names = set(json.loads(text)[0]) if file.endswith(".json") else header(text)
            turns = row.get("turns", [row])
            wrong += [(row["id"], c) for t in turns for c in t["expect"].get("columns", ()) if c not in names]
    assert wrong == []


def header(text: str) -> set[str]:
    """The names of a table's columns, whatever parts them."""
    first = text.splitlines()[0]
    return set(next(csv.reader([first], delimiter=next(d for d in ("\t", ";", ",") if d in first))))


def test_words_are_compared_without_numbers_slots_and_columns() -> None:
    assert overlap.words("What's 12,5 + 3?") == ["what's", "#", "#"]
    assert overlap.words("Plot {y} by {x}") == ["plot", "_", "by", "_"]
    assert overlap.words("plot Hit rate % by player", ["Hit rate %", "Player"]) == ["plot", "_", "by", "_"]


def test_the_nearest_phrase_and_the_longest_run_are_found() -> None:
    phrases = overlap.Phrases(["add {n} to {n}", "how many days until {date}", "draw a cat on a mat"])
    near = phrases.near("how many days are left until May")
    assert near.phrase == "how many days until {date}"
    assert near.likeness == pytest.approx(4 / 8)
    assert (near.run, near.words) == (3, 7)
    assert phrases.near("zzz").likeness == 0.0
    assert phrases.near("add _ to _").likeness == 1.0
    assert "1.00  'draw a cat on a mat'" in overlap.report("x", [phrases.near("draw a cat on a mat")])


def test_a_copied_phrase_is_told_by_the_exit_status(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copied = next(p for p in overlap.phrases() if len(overlap.words(p)) > 6 and "{" not in p)
    file = tmp_path / "copied.jsonl"
    file.write_text(json.dumps({"id": "1", "prompt": copied, "expect": {}}) + "\n", encoding="utf-8")
    assert overlap.main([str(file)]) == 1
    assert "1.00" in capsys.readouterr().out


@pytest.mark.parametrize("name", NAMES)
def test_it_is_worded_unlike_training(name: str) -> None:
    sample = read_items(FOLDER / f"{name}.jsonl")[::7]
    assert [n for n in overlap.nearest(sample, known()) if n.likeness > overlap.OVER and not n.trivial] == []
