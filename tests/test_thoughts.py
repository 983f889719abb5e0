"""What teaches to propose and to judge thoughts: right by the rules, and nothing of what is measured on."""

import random
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from llmos.kernel.codec import Codec
from llmos.kernel.game24 import steps
from llmos.kernel.puzzles import ask
from llmos.kernel.wire import EmbeddedWire
from llmos.training import crossword, game24, river
from llmos.training.puzzles import Puzzle
from llmos.training.thoughts import (
    WRITERS,
    Said,
    held,
    of_crossword,
    of_game24,
    of_jugs,
    of_river,
    of_sums,
    thought_rows,
)

Writer = Callable[[random.Random], Iterator[tuple[str, Said]]]
WEIGHTS = Path(__file__).parent.parent / "kernel" / "weights"


def numbers(state: str) -> tuple[Fraction, ...]:
    return tuple(map(Fraction, state.removeprefix("24: ").split()))


def test_games_are_right_and_none_of_those_held_out() -> None:
    rng, seen = random.Random(5), set()
    for _ in range(150):
        for state, said in of_game24(rng):
            left = numbers(state)
            seen.add(left)
            for what, text in said:
                if what == "judge":
                    assert text == ("sure" if game24.solvable(left) else "impossible"), state
                    continue
                after = dict(steps(left))[text]
                assert game24.solvable(after), (state, text)
    assert len(held().paper) == len(held().own) == 100
    assert len(held().strict) == 40
    assert not {tuple(map(Fraction, one)) for one in held().games} & seen
    assert not held().states & seen
    assert {len(one) for one in seen} == {2, 3, 4}


def test_the_paper_s_puzzles_can_be_solved() -> None:
    assert held().paper[0].numbers == (4, 5, 6, 10)
    assert all(one.solvable(()) for one in held().paper)


@pytest.mark.parametrize("writer", [of_jugs, of_river, of_sums, of_crossword])
def test_other_puzzles_get_every_verdict_and_no_step_that_is_wrong(
    writer: Callable[[random.Random], Iterator[tuple[str, Said]]],
) -> None:
    rng, verdicts, steps = random.Random(6), set[str](), 0
    puzzles: list[Puzzle] = [*held().jugs, *held().rivers, *held().crosswords]
    fresh = {one.told(()) for one in puzzles}
    for _ in range(60 if writer is of_crossword else 200):
        for state, said in writer(rng):
            verdicts |= {text for what, text in said if what == "judge"}
            steps += sum(what == "next" for what, _ in said)
            assert state not in fresh
    assert steps > 100
    assert verdicts >= ({"sure", "likely"} if writer in (of_jugs, of_river) else {"sure", "impossible"})


def test_a_sum_the_other_way_around_is_not_taught_to_be_wrong() -> None:
    rng = random.Random(7)
    for _ in range(100):
        good = ""
        for state, said in of_sums(rng):
            if ("judge", "impossible") in said:
                last = state.partition("now? ")[2].split("; ")[-1]
                assert last.rpartition("=")[2] != good.rpartition("=")[2], state
            else:
                good = said[0][1]


def test_rows_hold_what_the_kernel_is_asked() -> None:
    codec = Codec.load(WEIGHTS)
    rows = thought_rows(codec, 12, seed=1)
    assert rows.length == 512
    asked = EmbeddedWire(codec).render(ask("judge", "24: 4 6"), ())
    assert codec.decode(asked) == "system\n24: 4 6\njudge\nassistant\n"
    # Each verdict and step counts in the loss with the end of its turn, and nothing else does.
    whole = [codec.decode(row[counts].tolist()) for row, counts in zip(rows.ids, rows.loss, strict=True)]
    assert any("impossible" in text for text in whole)
    assert not any("judge" in text or "next" in text for text in whole)
    assert np.array_equal(rows.ids, thought_rows(codec, 12, seed=1).ids)
    assert set(WRITERS) == {"game24", "jugs", "river", "sums", "crossword"}


def test_every_river_is_solved_by_its_own_moves() -> None:
    for puzzle in river.draw(12, seed=3):
        path: tuple[str, ...] = ()
        while puzzle.finished(path) is None:
            path = next((*path, move) for move in puzzle.moves(path) if puzzle.solvable((*path, move)))
            assert not puzzle.wrong(path)
        assert puzzle.check("; ".join(path))
    assert river.River(3, 3, 2).wrong(("3 cannibals cross",)) == "the boat does not take 3"
    assert river.River(3, 3, 2).wrong(("1 missionary crosses",)) == "missionaries are outnumbered"
    assert river.River(3, 3, 2).wrong(("1 cannibal cross",)) == "it is no crossing"
    assert not river.River(3, 3, 2).check("2 cannibals cross")


def test_a_crossword_is_filled_word_by_word() -> None:
    for puzzle in crossword.draw(5, seed=3):
        path: tuple[str, ...] = ()
        while puzzle.finished(path) is None:
            path = next((*path, move) for move in puzzle.moves(path) if puzzle.solvable((*path, move)))
            assert not puzzle.wrong(path)
        assert puzzle.check(str(puzzle.finished(path)))
        assert "_" not in "".join(puzzle.state(path)[row * 5 : row * 5 + 5] for row in (0, 2, 4))
    puzzle = crossword.Crossword(("apple", "angle", "eagle", "upper"))
    assert puzzle.wrong(("across 1: apple", "down 1: eagle")) == "eagle does not fit a____"
    assert puzzle.wrong(("across 1: apple", "down 1: apple")) == "apple was used before"
    assert puzzle.wrong(("across 1: apple", "across 1: angle")) == "there is a word across 1"
    assert puzzle.wrong(("across 1: river",)) == "river is not in the list"
    assert puzzle.wrong(("left 1: apple",)) == "it is no step"
    assert not puzzle.check("across 1: apple")
    assert not puzzle.solvable(())
