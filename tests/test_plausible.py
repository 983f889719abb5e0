"""What number an answer to a story can be: the ranker puts one that leaves fewer than none behind."""

import numpy as np
import pytest

from llmos.kernel.plausible import COINS, NEVER, ODD, plausible, told_story
from llmos.kernel.ranker import Ranker
from llmos.kernel.recall import Recall, Taught

STORY = "Ann has @1 pens in a box and Bo has @2 pens in his old bag. How many more has Bo?"


@pytest.mark.parametrize(
    ("expression", "likely"),
    [
        ("@1 + @2", 1.0),
        ("@1 - @2", NEVER),
        ("@2 - @2", NEVER),
        ("@1 / @2", ODD),
        ("@2 / 8", COINS),
        ("@3 + @1", 1.0),
        ("days from @1", 1.0),
    ],
)
def test_a_number_is_as_likely_as_such_answers_are(expression: str, likely: float) -> None:
    assert plausible(expression, ["5", "22"]) == likely


def test_the_likeliest_answer_to_a_story_leaves_something() -> None:
    recall = Recall([Taught("calculator", STORY, "@1 - @2"), Taught("calculator", STORY + " Please.", "@2 - @1")])
    vectors = np.array([[1, 0], [0.9, 0.1]], dtype=np.float32)
    ranker = Ranker(recall, vectors, lambda told: np.array([[1, 0]] * len(told), dtype=np.float32))
    assert told_story(STORY)
    assert ranker.near(STORY, ("calculator",), 4, values=["5", "22"])[0].answer == "@2 - @1"
    assert ranker.near(STORY, ("calculator",), 4, values=["22", "5"])[0].answer == "@1 - @2"


def test_a_bare_difference_may_be_below_nothing() -> None:
    assert not told_story("what is @1 minus @2")
