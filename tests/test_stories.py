"""Word problems of a corpus: worked solutions become one expression, and what cannot be told is left out."""

import json
import lzma
from collections import Counter
from pathlib import Path

import pytest

from llmos.kernel.arithmetic import infix, prefix
from llmos.kernel.ordered import ordered
from llmos.training import phrasebook
from llmos.training.phrasebook import FOLDER, lines
from llmos.training.problems import worth
from llmos.training.recall import normal
from llmos.training.stories import stories, written

ROWS = [
    {
        "question": "Ada packs 6 jars into each of 4 crates and drops 3 jars. How many are whole?",
        "solution": "She packs 6*4=<<6*4=24>>24 jars. Whole are 24-3=<<24-3=21>>21.",
        "answer": "21",
    },
    {"question": "Bo walks 2 miles and then 5 more. How far?", "expression": "2+5", "answer": "7"},
    {"question": "Cy has 7 hens laying 2 eggs for 11 days.", "expression": "7*2*11+17", "answer": "171"},  # whose 17?
    {"question": "Di has 7 pens.", "solution": "<<x=7>>", "answer": "7"},
    {"question": "What is 3 times 8?", "expression": "3*8", "answer": "24", "task": "drill"},
    {"question": "Ed ate 3 of 9 figs.", "solution": "9-3=<<9-3=6>>6 are left, a third of 18.", "answer": "18"},
    {
        "question": "A tap loses 2.50 litres in an hour, 20% of it into a pot. How much does the pot get in 4 hours?",
        "solution": "That is 2.5*4=<<2.5*4=10>>10 litres.\nThe pot gets 10 litres * .2 = 2 litres.",
        "answer": "2",
    },
    {
        "question": "Flo buys 4 pens at $3 and a card for $12. What does she pay?",
        "solution": "The pens are $<<4*3=12>>12. She pays 12+12=$<<12+12=24>>24.",
        "answer": "24",
    },
]


def test_a_worked_solution_is_one_expression_over_the_question_s_numbers(tmp_path: Path) -> None:
    with lzma.open(tmp_path / "math.jsonl.xz", "wt") as file:
        file.writelines(json.dumps({"task": "word_problem", **row}) + "\n" for row in ROWS)
    found = list(stories(tmp_path))
    assert [infix(ordered(prefix(one.answer))) for one in found] == [
        "@1 * @2 - @3",
        "@1 + @2",
        "@1 * @2 * @3 / 100",
        "@1 * @2 + @3",
    ]
    assert found[0].pattern.startswith("Ada packs @1 jars into each of @2 crates and drops @3")


def test_without_the_corpus_there_are_none(tmp_path: Path) -> None:
    assert list(stories(tmp_path)) == []


def test_every_problem_written_for_it_has_an_expression_that_is_worth_a_number_over_its_numbers() -> None:
    told, found = [line for path in FOLDER.glob("stories_*.txt") for line in lines(path.stem)], list(written())
    assert len(found) == len(told) > 0
    for line in told:
        question, expression = line.split(" => ")
        value = worth(expression)
        assert value is not None, line
        assert value > 0, line
        assert "@" not in question
    twice = [one for one, n in Counter(normal(one.pattern) for one in found).items() if n > 1]
    assert not twice


def test_a_problem_with_a_number_that_is_nobody_s_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "stories_x.txt").write_text("# one\nGus has 3 hens and 5 geese. Birds? => 3 + 17\n")
    monkeypatch.setattr(phrasebook, "FOLDER", tmp_path)
    monkeypatch.setattr("llmos.training.stories.FOLDER", tmp_path)
    with pytest.raises(ValueError, match=r"stories_x\.txt: no expression over the numbers of the question: Gus"):
        list(written())
