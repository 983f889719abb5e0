"""The numbers of a filled phrase: one short name stands for one number."""

import random
import re

from llmos.training.recall import apart


def test_numbers_of_a_phrase_are_told_apart() -> None:
    rng = random.Random(3)
    for _ in range(200):
        values = apart({"s", "s2", "s3", "f", "date"}, {"5", "7"}, rng)
        numbers = [n for name in ("s", "s2", "s3", "f") for n in re.findall(r"\d+", values[name].written)]
        fraction = values["f"].written.split("/")
        assert len(set(numbers)) == len(numbers) - (fraction[0] == fraction[1])
        assert not {"5", "7"} & set(numbers)


def test_a_phrase_with_more_numbers_than_there_are_is_filled_all_the_same() -> None:
    values = apart({f"s{n}" for n in range(30)}, set(), random.Random(3))
    assert len(values) == 30
