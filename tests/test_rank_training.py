"""The ranker's training: templates, neighbours, triples, the loss, and a run that stops, resumes and is written."""

import random
from pathlib import Path

import pytest
import torch

from llmos.kernel import minilm
from llmos.kernel.errors import ModelError
from llmos.kernel.minilm import WIDTH
from llmos.kernel.ranker import Ranker
from llmos.kernel.recall import Recall, Taught
from llmos.kernel.solver import Solver
from llmos.training import rank
from llmos.training.held import Measure, apart, greedy
from llmos.training.neighbours import neighbours
from llmos.training.recall import normal

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
    rank.train(TAUGHT, tmp_path, 1, rank.Recipe(steps=1))
    weights = rank.train(TAUGHT, tmp_path, 1, rank.Recipe(steps=2))
    assert torch.load(tmp_path / "rank.pt", weights_only=True)["step"] == 2
    rank.write(weights, TAUGHT, tmp_path / "ranker.safetensors")
    ranker = Ranker.load(tmp_path / "ranker.safetensors", Recall(TAUGHT))
    assert ranker is not None
    assert ranker.near("what is @1 plus @2", ("calculator",), 1)[0].taught == TAUGHT[0]


@pytest.mark.skipif(bool(minilm.missing()), reason="the weights are not installed")
def test_a_run_on_other_phrases_is_not_gone_on_with(tmp_path: Path) -> None:
    rank.train(TAUGHT, tmp_path, 1, rank.Recipe(steps=1))
    others = [Taught("calculator", f"@1 and {n}", "@1 + 77") for n in range(rank.RARE)]
    with pytest.raises(ModelError, match="trained on other phrases"):
        rank.train([*TAUGHT, *others], tmp_path, 1, rank.Recipe(steps=2))


def test_neighbours_that_are_kept_are_whole_and_the_same(tmp_path: Path) -> None:
    patterns = ["add @1 and @2", "add @1 to @2", "who are you", "who is that"]
    found = [neighbours(patterns, tmp_path).tolist() for _ in range(2)]
    assert found == [neighbours(patterns).tolist()] * 2
    assert [path.suffix for path in tmp_path.iterdir()] == [".npz"]


def test_wordings_are_left_out_with_all_their_fillings_and_each_template_keeps_two() -> None:
    taught = [
        Taught("say", f"{how} are {whom}{mark}", f"{whom}")
        for whom in ("you", "they")
        for how in ("who", "what", "which ones", "how")
        for mark in ("", "?")
    ]
    kept, held = apart(taught, 0.4, rank.template, seed=0)
    gone = {normal(t.pattern) for t in held}
    assert 0 < len(gone) <= 4
    assert len(held) == len(gone)
    assert [t for t in taught if normal(t.pattern) not in gone] == kept
    for whom in ("you", "they"):
        assert len({normal(t.pattern) for t in kept if t.answer == whom}) >= 2
    assert apart(taught, 0.0, rank.template, seed=0) == (taught, [])


@pytest.mark.skipif(bool(minilm.missing()), reason="the weights are not installed")
def test_what_was_left_out_is_measured_against_what_was_kept() -> None:
    torch.manual_seed(0)
    left_out = Taught("calculator", "What is @1 plus @2?", "@1 + @2")
    made = rank.Trainee(TAUGHT, rank.Recipe())
    told = Measure(TAUGHT, [left_out], rank.template).told(made.tuned, made.head, made.solver)
    assert told == "nearest 1/1 (calculator 1/1), solved 0/1"


def test_the_likeliest_words_are_the_likeliest_expression_and_name_nothing_unsaid() -> None:
    torch.manual_seed(3)
    vocabulary = ["<begin>", "+", "@1", "@2", "7"]
    solver = Solver(vocabulary, Solver.fresh(vocabulary))
    states, real = torch.randn(6, 4, WIDTH), torch.ones(6, 4, dtype=torch.bool)
    for one, words in zip(states, greedy(solver, states, real, [1] * 6), strict=True):
        assert words == next((w for w, _ in solver.likeliest(one, 1, most=1)), ())
        assert "@2" not in words


@pytest.mark.skipif(bool(minilm.missing()), reason="the weights are not installed")
def test_the_solver_learns_from_every_story_before_one_comes_again() -> None:
    alone = [Taught("calculator", f"{n} and @1 hens, @2 cows", f"@1 * {n} + @2") for n in range(2, 9)]
    made = rank.Trainee([*TAUGHT, *alone * rank.RARE], rank.Recipe())
    lessons = rank.Lessons(TAUGHT, alone, made, random.Random(2))
    drawn = lessons._stories(3) + lessons._stories(4)
    assert sorted(drawn) == list(range(len(TAUGHT), len(TAUGHT) + len(alone)))
    _, solving = lessons.cost(8)
    assert solving.item() > 0
