"""Water jugs to train and to measure on: a solver, and puzzles drawn by seed. The rules are the kernel's."""

import random
from collections import deque
from dataclasses import dataclass
from functools import cache
from math import gcd

from llmos.kernel import jugs
from llmos.kernel.jugs import State, moves
from llmos.kernel.planner import Path


@dataclass(frozen=True)
class Jugs(jugs.Jugs):
    """One puzzle, with a solver. See :class:`~llmos.training.puzzles.Puzzle`."""

    def solvable(self, path: Path) -> bool:
        """Whether the path is on a shortest way: every state can be left again, so it says more than reachable."""
        return len(path) + distance(self.sizes, self.state(path), self.wanted) == distance(
            self.sizes, self.state(()), self.wanted
        )


@cache
def distance(sizes: State, state: State, wanted: int) -> int:
    """The fewest moves from a state to one with the wanted litres in a jug; -1 where there is no way."""
    seen, waiting = {state}, deque([(state, 0)])
    while waiting:
        here, steps = waiting.popleft()
        if wanted in here:
            return steps
        for _, after in moves(sizes, here):
            if after not in seen:
                seen.add(after)
                waiting.append((after, steps + 1))
    return -1


def draw(count: int, seed: int = 0, least: int = 4, most: int = 8) -> list[Jugs]:
    """So many different puzzles of two jugs that take from ``least`` to ``most`` moves."""
    rng = random.Random(seed)
    found: dict[Jugs, None] = {}
    while len(found) < count:
        a, b = sorted(rng.sample(range(3, 14), 2))
        wanted = rng.randrange(1, b)
        if wanted % gcd(a, b) == 0 and least <= distance((a, b), (0, 0), wanted) <= most:
            found[Jugs((a, b), wanted)] = None
    return list(found)
