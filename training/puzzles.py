"""Puzzles that the planner is tried on: what a thought is, which there are, whether an answer is right.

A puzzle knows its rules. Who proposes and who judges is another matter: a model (:class:`Asked`), or a stand-in
(:class:`StandIn`) that draws legal moves at random and may ask the solver what a state is worth. What a stand-in finds
is no model's merit and is never to be told as one.
"""

import random
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from llmos.kernel.planner import Meter, Path, Problem, Proposal
from llmos.kernel.reason import Told


class Puzzle(Protocol):
    """The rules of a puzzle."""

    @property
    def question(self) -> str:
        """What is asked, in words."""

    def told(self, path: Path) -> str:
        """The state that a path leads to, in a line that says all there is to know of it."""

    def moves(self, path: Path) -> list[str]:
        """Every thought that the rules allow after a path."""

    def wrong(self, path: Path) -> str:
        """Why the last thought breaks the rules; empty where it does not."""

    def finished(self, path: Path) -> str | None:
        """The answer that a path ends in; None where it is not at an end."""

    def check(self, answer: str) -> bool | None:
        """Whether an answer is right; None where that cannot be told without knowing it."""

    def key(self, path: Path) -> Hashable:
        """The state that a path leads to."""

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


@dataclass(frozen=True)
class Asked:
    """A puzzle with a model that proposes and judges, in the words of ``told``; the rules only check."""

    puzzle: Puzzle
    told: Told

    def propose(self, paths: Sequence[Path], n: int, seed: int | None, meter: Meter) -> list[list[Proposal]]:
        """See :class:`~llmos.kernel.planner.Problem`."""
        return self.told.propose(paths, n, seed, meter)

    def value(self, paths: Sequence[Path], meter: Meter) -> list[float]:
        """See :class:`~llmos.kernel.planner.Problem`."""
        return self.told.value(paths, meter)

    def wrong(self, path: Path) -> str:
        """See :class:`~llmos.kernel.planner.Problem`."""
        return self.told.wrong(path) or self.puzzle.wrong(path)

    def finished(self, path: Path) -> str | None:
        """See :class:`~llmos.kernel.planner.Problem`."""
        return self.puzzle.finished(path)

    def check(self, answer: str) -> bool | None:
        """See :class:`~llmos.kernel.planner.Problem`."""
        return self.puzzle.check(answer)

    def key(self, path: Path) -> Hashable:
        """See :class:`~llmos.kernel.planner.Problem`."""
        return self.puzzle.key(path)

    def reframe(self, failed: Sequence[Path]) -> "Asked | None":
        """See :class:`~llmos.kernel.planner.Problem`."""
        told = self.told.reframe(failed)
        return None if told is None else replace(self, told=told)
