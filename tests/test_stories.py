"""Word problems of a corpus: worked solutions become one expression, and what cannot be told is left out."""

import json
import lzma
from pathlib import Path

from llmos.training.stories import stories

ROWS = [
    {
        "question": "Ada packs 6 jars into each of 4 crates and drops 3 jars. How many are whole?",
        "solution": "She packs 6*4=<<6*4=24>>24 jars. Whole are 24-3=<<24-3=21>>21.",
        "answer": "21",
    },
    {"question": "Bo walks 2 miles and then 5 more. How far?", "expression": "2+5", "answer": "7"},
    {"question": "Cy has 7 hens laying 2 eggs for 11 days.", "expression": "7*2*11+9", "answer": "163"},  # whose 9?
    {"question": "Di has 7 pens.", "solution": "<<x=7>>", "answer": "7"},
    {"question": "What is 3 times 8?", "expression": "3*8", "answer": "24", "task": "drill"},
]


def test_a_worked_solution_is_one_expression_over_the_question_s_numbers(tmp_path: Path) -> None:
    with lzma.open(tmp_path / "math.jsonl.xz", "wt") as file:
        file.writelines(json.dumps({"task": "word_problem", **row}) + "\n" for row in ROWS)
    found = list(stories(tmp_path))
    assert [one.answer for one in found] == ["(@1*@2)-@3", "@1+@2"]
    assert found[0].pattern.startswith("Ada packs @1 jars into each of @2 crates and drops @3")


def test_without_the_corpus_there_are_none(tmp_path: Path) -> None:
    assert list(stories(tmp_path)) == []
