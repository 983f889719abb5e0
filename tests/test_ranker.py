"""The ranker: the nearest examples vote for their answers, and without its weights words decide alone."""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from llmos.kernel import minilm
from llmos.kernel.config import WEIGHTS
from llmos.kernel.examples import LIKELY, RANKER, TAUGHT, Memory, likely
from llmos.kernel.ranker import Ranker, digest, spelled
from llmos.kernel.recall import Recall, Recalled, Taught
from llmos.kernel.turns import Turn

needs_weights = pytest.mark.skipif(bool(minilm.missing()), reason="the weights are not installed")
SUMS = [
    Taught("calculator", "what is @1 plus @2", "@1 + @2"),
    Taught("calculator", "@1 and @2 together", "@1 + @2"),
    Taught("calculator", "what is left of @1 after @2", "@1 - @2"),
    Taught("say", "who are you", "I am llmos."),
    Taught("calculator", "roots of &1(x)", "solve(&1 = 0, x)"),
]
# Where each lies, and the request: the difference is nearest, the two sums are behind it.
PLACES = np.array([[0.8, 0.6], [0.8, 0.6], [0.81, 0.58], [0.0, 1.0], [0.6, 0.8]], dtype=np.float32)


def at(*place: float) -> Ranker:
    def encode(told: Sequence[str]) -> npt.NDArray[np.float32]:
        return np.array([place] * len(told), dtype=np.float32)

    return Ranker(Recall(SUMS), PLACES, encode)


def test_the_nearest_vote_for_their_answers() -> None:
    found = at(1.0, 0.0).near("zebras @1 @2", ("calculator",), 4)
    assert [r.answer for r in found][:2] == ["@1 + @2", "@1 - @2"]
    assert len({r.answer for r in found}) == len(found)


def test_only_good_examples_of_these_kinds_that_are_near_are_found() -> None:
    def sums(found: Recalled) -> bool:
        return "+" in found.answer

    assert [r.answer for r in at(1.0, 0.0).near("zebras @1 @2", ("calculator",), 4, sums)] == ["@1 + @2"]
    assert at(1.0, 0.0).near("zebras", ("say",), 4) == []
    assert [r.answer for r in at(0.0, 1.0).near("zebras", ("say",), 4)] == ["I am llmos."]
    assert len(at(1.0, 0.0).near("zebras @1 @2", ("calculator",), 1)) == 1


def test_no_answer_is_less_like_the_request_than_the_next() -> None:
    found = at(1.0, 0.0).near("what is left of @1 after @2", ("calculator",), 4)
    assert [r.likeness for r in found] == sorted((r.likeness for r in found), reverse=True)
    ranker = at(1.0, 0.0)
    assert all(r.likeness >= LIKELY for r in likely(Recall(SUMS), "zebras @1 @2", ("calculator",), "12", ranker=ranker))


def test_an_equation_is_not_set_equal_to_nothing() -> None:
    recall = Recall(SUMS)
    assert likely(recall, "roots of &1(x)", ("calculator",), ("x^2 = 4",))[0].answer == "solve(&1, x)"
    assert likely(recall, "roots of &1(x)", ("calculator",), ("x^2 - 4",))[0].answer == "solve(&1 = 0, x)"
    # What leaves the formula out computes another one.
    assert all("&1" in r.answer for r in likely(recall, "what is &1(x) plus @2", ("calculator",), ("x^2", "3")))


def test_short_names_are_spelled_out() -> None:
    assert spelled("what is @1% of @2") == "what is 7 % of 12"
    assert spelled("&1(x,y) from ~2 by #3, @9") == "formula  from date  by column , 9"


def test_without_its_file_or_for_other_examples_there_is_none(tmp_path: Path) -> None:
    assert Ranker.load(tmp_path / RANKER, Recall(SUMS)) is None
    assert digest(SUMS) != digest(SUMS[1:])
    if (WEIGHTS / RANKER).exists():
        assert Ranker.load(WEIGHTS / RANKER, Recall(SUMS)) is None
    row = ["say", "who are you", "I am llmos."]
    (tmp_path / TAUGHT).write_bytes(gzip.compress(json.dumps(row).encode()))
    turn = Turn("Who are you?", gist="Who are you?", kinds=("say",))
    assert [r.answer for r in Memory(tmp_path / TAUGHT)(turn)] == ["I am llmos."]


@needs_weights
def test_the_ranker_that_ships_is_made_for_what_was_taught() -> None:
    recall = Recall.load(WEIGHTS / TAUGHT)
    ranker = Ranker.load(WEIGHTS / RANKER, recall)
    assert ranker is not None
    found = likely(
        recall,
        "coat is @1 quid and theres @2% off, how much do i pay",
        ("calculator", "say"),
        ("129", "30"),
        ranker=ranker,
    )
    assert found[0].answer == "@1 * (1 - @2%)"
    assert sum(f.stat().st_size for f in WEIGHTS.iterdir()) < 40 << 20
