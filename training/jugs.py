"""Water jugs: fill, empty and pour until one jug holds what is wanted. Rules, solver, and puzzles drawn by seed.

A thought is a move such as ``pour A into B``; jugs are named by letters.
"""

import random
import re
from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from functools import cache
from math import gcd

from llmos.kernel.planner import Path

_MOVE = re.compile(r"(?:(fill|empty) ([A-Z])|pour ([A-Z]) into ([A-Z]))")
State = tuple[int, ...]


@dataclass(frozen=True)
class Jugs:
    """One puzzle: the jugs' sizes, and the litres wanted. See :class:`~llmos.training.puzzles.Puzzle`."""

    sizes: tuple[int, ...]
    wanted: int

    @property
    def question(self) -> str:
        """What is asked, in words."""
        jugs = ", ".join(f"{_name(n)} holds {size}" for n, size in enumerate(self.sizes))
        told = f"Jugs in litres: {jugs}. All are empty. Get exactly {self.wanted} litres into one jug."
        return f"{told} Steps: fill A, empty A, pour A into B."

    def told(self, path: Path) -> str:
        """What is in the jugs, in a line."""
        jugs = (
            f"{_name(n)} {has} of {size}"
            for n, (has, size) in enumerate(zip(self.state(path), self.sizes, strict=True))
        )
        return f"jugs: {', '.join(jugs)}, want {self.wanted}"

    def moves(self, path: Path) -> list[str]:
        """Every move that changes something."""
        return [] if self.finished(path) else [move for move, _ in _moves(self.sizes, self.state(path))]

    def wrong(self, path: Path) -> str:
        """Why the last move cannot be made, or leads back to where the path was."""
        before, after = self.state(path[:-1]), _step(self.sizes, self.state(path[:-1]), path[-1])
        if after is None:
            return "it is no move"
        if after == before:
            return "it changes nothing"
        if any(after == self.state(path[:n]) for n in range(len(path) - 1)):
            return "the jugs were like that before"
        return ""

    def finished(self, path: Path) -> str | None:
        """The moves, once a jug holds what is wanted."""
        return "; ".join(path) if path and self.wanted in self.state(path) else None

    def check(self, answer: str) -> bool:
        """Whether the moves can be made and end with what is wanted."""
        state: State | None = (0,) * len(self.sizes)
        for move in answer.split("; "):
            state = None if state is None else _step(self.sizes, state, move)
        return state is not None and self.wanted in state

    def key(self, path: Path) -> Hashable:
        """What is in the jugs."""
        return self.state(path)

    def solvable(self, path: Path) -> bool:
        """Whether the path is on a shortest way: every state can be left again, so it says more than reachable."""
        return len(path) + distance(self.sizes, self.state(path), self.wanted) == distance(
            self.sizes, self.state(()), self.wanted
        )

    def state(self, path: Path) -> State:
        """What is in the jugs after moves that can be made."""
        state = (0,) * len(self.sizes)
        for move in path:
            state = _step(self.sizes, state, move) or state
        return state


def _name(number: int) -> str:
    return chr(ord("A") + number)


def _step(sizes: State, state: State, move: str) -> State | None:
    """The state after a move; None for what is no move."""
    found = _MOVE.fullmatch(move)
    if not found:
        return None
    jugs = [ord(name) - ord("A") for name in found.groups()[1:] if name]
    if max(jugs) >= len(sizes) or len(set(jugs)) < len(jugs):
        return None
    after = list(state)
    if found[1]:
        after[jugs[0]] = sizes[jugs[0]] if found[1] == "fill" else 0
    else:
        a, b = jugs
        poured = min(state[a], sizes[b] - state[b])
        after[a], after[b] = state[a] - poured, state[b] + poured
    return tuple(after)


@cache
def _moves(sizes: State, state: State) -> tuple[tuple[str, State], ...]:
    names = [_name(n) for n in range(len(sizes))]
    told = [f"{act} {name}" for name in names for act in ("fill", "empty")]
    told += [f"pour {a} into {b}" for a in names for b in names if a != b]
    made = [(move, _step(sizes, state, move)) for move in told]
    return tuple((move, after) for move, after in made if after is not None and after != state)


@cache
def distance(sizes: State, state: State, wanted: int) -> int:
    """The fewest moves from a state to one with the wanted litres in a jug; -1 where there is no way."""
    seen, waiting = {state}, deque([(state, 0)])
    while waiting:
        here, steps = waiting.popleft()
        if wanted in here:
            return steps
        for _, after in _moves(sizes, here):
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
