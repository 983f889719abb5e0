"""Wishes: what the words of a request leave to choose from."""

import pytest

from llmos.kernel.verbs import DRAWS
from llmos.kernel.wishes import asks_picture, over_time, pictures


@pytest.mark.parametrize(
    "told", ["plot it", "a BAR chart", "bars of #1", "the histagram", "#1 over the #2", "side by side"]
)
def test_words_for_a_picture(told: str) -> None:
    assert asks_picture(told)


@pytest.mark.parametrize("told", ["the mean of #1", "median of the #3 column", "how many in #2", "the longest #1"])
def test_no_words_for_a_picture(told: str) -> None:
    assert not asks_picture(told)


@pytest.mark.parametrize(
    ("told", "verbs"),
    [
        ("scatter of #1 and #2", {"scatter", "clusters"}),
        ("histogram of #1", {"hist", "bins"}),
        ("a pie of #1", {"pie"}),
        ("box plot of #1 by #2", {"box"}),
        ("sideways bars of #1", {"barh", "bar"}),
    ],
)
def test_a_kind_that_is_named_is_drawn(told: str, verbs: set[str]) -> None:
    assert pictures(told) == verbs


def test_else_all_but_what_was_not_asked_for() -> None:
    assert pictures("plot #1 against #2") == DRAWS - {"bins"}
    assert pictures("plot #1") == DRAWS - {"bins", "scatter", "clusters"}
    assert over_time("#1 over time")
    assert not pictures("#1 over time") & {"hist", "tally", "box", "pie"}
