"""River crossing: all want to get across in one boat, and at neither bank may some be left with others.

Rules, solver, and puzzles drawn by seed. A thought is a crossing such as ``2 missionaries and 1 cannibal cross``. On no
bank that has missionaries may cannibals outnumber them; the boat takes a few and never goes empty.
"""

import random
import re
from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from functools import cache

from llmos.kernel.planner import Path

_MOVE = re.compile(r"(?:(\d+) missionar(?:y|ies))?(?: and )?(?:(\d+) cannibals?)? cross(?:es)?")
State = tuple[int, int, int]  # missionaries and cannibals on the first bank, and whether the boat is there


@dataclass(frozen=True)
class River:
    """One puzzle: how many of either, and how many the boat takes. See :class:`~llmos.training.puzzles.Puzzle`."""

    missionaries: int
    cannibals: int
    boat: int

    @property
    def question(self) -> str:
        """What is asked, in words."""
        return (
            f"{_many(self.missionaries, 'missionary')} and {_many(self.cannibals, 'cannibal')} want to cross a river. "
            f"The boat takes {self.boat} at most and never crosses empty. On no bank may cannibals outnumber the "
            "missionaries there, if there are any. Steps: 1 missionary and 1 cannibal cross"
        )

    def told(self, path: Path) -> str:
        """The state that a path leads to, in a line."""
        m, c, near = self.state(path)
        return f"river: {m} {c} of {self.missionaries} {self.cannibals}, boat {self.boat} {'here' if near else 'there'}"

    def moves(self, path: Path) -> list[str]:
        """Every crossing that leaves nobody in danger."""
        return [] if self.finished(path) else [move for move, _ in _moves(self, self.state(path))]

    def wrong(self, path: Path) -> str:
        """Why the last crossing cannot be made, or leads back to where the path was."""
        before = self.state(path[:-1])
        crossing = _read(path[-1])
        if crossing is None:
            return "it is no crossing"
        m, c = crossing
        if not 1 <= m + c <= self.boat:
            return f"the boat does not take {m + c}"
        after = _step(before, m, c)
        if not (0 <= after[0] <= self.missionaries and 0 <= after[1] <= self.cannibals):
            return "there are not so many"
        if not _safe(self, after):
            return "missionaries are outnumbered"
        return "it was like that before" if any(after == self.state(path[:n]) for n in range(len(path))) else ""

    def finished(self, path: Path) -> str | None:
        """The crossings, once all are across."""
        return "; ".join(path) if path and self.state(path) == (0, 0, 0) else None

    def check(self, answer: str) -> bool:
        """Whether the crossings can be made and bring all across."""
        path = tuple(answer.split("; "))
        fine = all(not self.wrong(path[:n]) for n in range(1, len(path) + 1))
        return fine and self.state(path) == (0, 0, 0)

    def key(self, path: Path) -> Hashable:
        """Who is where."""
        return self.state(path)

    def solvable(self, path: Path) -> bool:
        """Whether the path is on a shortest way."""
        whole, rest = distance(self, self.state(())), distance(self, self.state(path))
        return rest >= 0 and len(path) + rest == whole

    def state(self, path: Path) -> State:
        """Who is where after crossings that can be made."""
        state = (self.missionaries, self.cannibals, 1)
        for move in path:
            state = _step(state, *(_read(move) or (0, 0)))
        return state


def _many(n: int, one: str) -> str:
    several = one[:-1] + "ies" if one.endswith("y") else f"{one}s"
    return f"{n} {one if n == 1 else several}"


def _crossing(m: int, c: int) -> str:
    who = [_many(n, one) for n, one in ((m, "missionary"), (c, "cannibal")) if n]
    return f"{' and '.join(who)} cross{'es' if m + c == 1 else ''}"


def _read(move: str) -> tuple[int, int] | None:
    """How many of either cross; None for what is no crossing."""
    found = _MOVE.fullmatch(move)
    if not found or not (found[1] or found[2]):
        return None
    m, c = int(found[1] or 0), int(found[2] or 0)
    return (m, c) if _crossing(m, c) == move else None


def _step(state: State, m: int, c: int) -> State:
    sign = -1 if state[2] else 1
    return state[0] + sign * m, state[1] + sign * c, 1 - state[2]


def _safe(puzzle: River, state: State) -> bool:
    m, c, _ = state
    far = puzzle.missionaries - m, puzzle.cannibals - c
    return all(not a or a >= b for a, b in ((m, c), far))


@cache
def _moves(puzzle: River, state: State) -> tuple[tuple[str, State], ...]:
    made = []
    for m in range(puzzle.boat + 1):
        for c in range(puzzle.boat + 1 - m):
            after = _step(state, m, c)
            fits = 0 <= after[0] <= puzzle.missionaries and 0 <= after[1] <= puzzle.cannibals
            if m + c and fits and _safe(puzzle, after):
                made.append((_crossing(m, c), after))
    return tuple(made)


@cache
def distance(puzzle: River, state: State) -> int:
    """The fewest crossings from a state until all are across; -1 where there is no way."""
    seen, waiting = {state}, deque([(state, 0)])
    while waiting:
        here, steps = waiting.popleft()
        if here == (0, 0, 0):
            return steps
        for _, after in _moves(puzzle, here):
            if after not in seen:
                seen.add(after)
                waiting.append((after, steps + 1))
    return -1


def every(most: int = 9) -> list[River]:
    """All puzzles of at most so many of either that take from four to eleven crossings."""
    found = [River(m, c, b) for m in range(2, most + 1) for c in range(1, m + 1) for b in (2, 3, 4)]
    return [one for one in found if 4 <= distance(one, one.state(())) <= 11]


def draw(count: int, seed: int = 0, most: int = 9) -> list[River]:
    """So many different puzzles, or as many as there are."""
    found = every(most)
    random.Random(seed).shuffle(found)
    return found[:count]
