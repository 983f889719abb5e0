"""The ranker's training: templates, neighbours, triples, the loss, and a run that stops, resumes and is written."""

import random
from pathlib import Path

import pytest
import torch

from llmos.kernel import minilm
from llmos.kernel.ranker import Ranker
from llmos.kernel.recall import Recall, Taught
from llmos.training import rank

TAUGHT = [
    *(
        Taught("calculator", f"{how} @1 {word} @2", "@1 + @2")
        for how in ("what is", "compute")
        for word in ("plus", "and")
    ),
    *(
        Taught("calculator", f"{how} @1 {word} @2", "@1 - @2")
        for how in ("what is", "compute")
        for word in ("less", "minus")
    ),
    Taught("calculator", "how many ounces in @1 pounds", "@1 pounds to ounces"),
    Taught("say", "who are you", "I am llmos."),
]


def test_what_is_answered_alike_has_one_template() -> None:
    assert rank.template(TAUGHT[8]) == rank.template(Taught("calculator", "@2 feet in miles", "@2 feet to miles"))
    assert rank.template(TAUGHT[0]) == rank.template(TAUGHT[3]) != rank.template(TAUGHT[4])
    assert rank.template(TAUGHT[9]) == "say I am llmos."


def test_a_triple_is_a_phrase_one_alike_and_one_that_only_looks_so() -> None:
    drawn = rank.Drawn(TAUGHT, [], random.Random(0))
    for _ in range(50):
        first, second, third = drawn.triple()
        assert first != second
        assert drawn.templates[first] == drawn.templates[second] != drawn.templates[third]


def test_what_is_answered_alike_is_no_negative() -> None:
    same = torch.nn.functional.normalize(torch.ones(4, 3), dim=1)
    apart = torch.nn.functional.normalize(torch.tensor([[1.0, 0, 0], [0, 1, 0], [1, 0, 0], [0, 1, 0]]), dim=1)
    assert rank.loss(same, "aa", "aa").item() == pytest.approx(0, abs=1e-4)
    assert rank.loss(apart, "ab", "ab") < 0.01 < rank.loss(same, "ab", "ab")


@pytest.mark.skipif(bool(minilm.missing()), reason="the weights are not installed")
def test_a_run_resumes_and_ships_a_ranker(tmp_path: Path) -> None:
    rank.train(TAUGHT, tmp_path, seed=1, steps=1)
    weights = rank.train(TAUGHT, tmp_path, seed=1, steps=2)
    assert torch.load(tmp_path / "rank.pt", weights_only=True)["step"] == 2
    rank.write(weights, TAUGHT, tmp_path / "ranker.safetensors")
    ranker = Ranker.load(tmp_path / "ranker.safetensors", Recall(TAUGHT))
    assert ranker is not None
    assert ranker.near("what is @1 plus @2", ("calculator",), 1)[0].taught == TAUGHT[0]
