"""Puzzles that the planner is tried on, with solvers: who proposes and judges is a model, or a stand-in.

A stand-in (:class:`StandIn`) draws legal moves at random and may ask the solver what a state is worth. What it finds is
no model's merit and is never to be told as one. The model's own problem is :class:`~llmos.kernel.puzzles.Asked`.
"""

import random
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol

from llmos.kernel.planner import Meter, Path, Problem, Proposal
from llmos.kernel.puzzles import Rules


class Puzzle(Rules, Protocol):
    """The rules of a puzzle, and a solver's word."""

    def solvable(self, path: Path) -> bool:
        """The solver's word on whether a path can lead to a right answer."""


@dataclass(frozen=True)
class StandIn:
    """A puzzle without a model: moves in random order; ``solver``: its word is each path's value, else all are alike.

    A move costs a token, and so does a judgement, so that budgets mean something.
    """

    puzzle: Puzzle
    solver: bool = False

    def propose(self, paths: Sequence[Path], n: int, seed: int | None, meter: Meter) -> list[list[Proposal]]:
        """See :class:`~llmos.kernel.planner.Problem`."""
        found = []
        for number, path in enumerate(paths):
            moves = self.puzzle.moves(path)
            # The path makes the draw its own: the same state reached otherwise is drawn otherwise.
            random.Random(f"{seed} {number} {path}").shuffle(moves)
            found.append([Proposal(move) for move in moves[:n]])
            meter.spend(len(found[-1]))
        return found

    def value(self, paths: Sequence[Path], meter: Meter) -> list[float]:
        """See :class:`~llmos.kernel.planner.Problem`."""
        meter.spend(len(paths))
        return [float(self.puzzle.solvable(path)) if self.solver else 0.5 for path in paths]

    def wrong(self, path: Path) -> str:
        """See :class:`~llmos.kernel.planner.Problem`."""
        return self.puzzle.wrong(path)

    def finished(self, path: Path) -> str | None:
        """See :class:`~llmos.kernel.planner.Problem`."""
        return self.puzzle.finished(path)

    def check(self, answer: str) -> bool | None:
        """See :class:`~llmos.kernel.planner.Problem`."""
        return self.puzzle.check(answer)

    def key(self, path: Path) -> Hashable:
        """See :class:`~llmos.kernel.planner.Problem`."""
        return self.puzzle.key(path)

    def reframe(self, failed: Sequence[Path]) -> Problem | None:
        """A stand-in has no other words for it."""
        return None
