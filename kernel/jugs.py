"""Water jugs: fill, empty and pour until one jug holds what is wanted. The rules, and where a request asks for it.

A thought is a move such as ``pour A into B``; jugs are named by letters. Knows no solver.
"""

import re
from collections.abc import Hashable
from dataclasses import dataclass
from functools import cache

from llmos.kernel.planner import Path

_MOVE = re.compile(r"(?:(fill|empty) ([A-Z])|pour ([A-Z]) into ([A-Z]))")
_JUGS = re.compile(r"\b(?:jug|bucket|pitcher|container|pail|can|bottle)s?\b", re.I)
_NUMBER = r"(?<![\d.,/-])(\d{1,2})"
_LITRES = re.compile(_NUMBER + r"\s*(?:-\s*)?(?:lit(?:re|er)s?|l|gallons?|gal|quarts?|pints?|cups?)\b", re.I)
_PAIR = re.compile(_NUMBER + r"\s+(?:and|or)\s+(?:an?\s+)?(?=\d)", re.I)
_GET = re.compile(
    r"\b(?:measur(?:e|ing)|get(?:ting)?|exactly|obtain|end up with)\s+(?:out\s+)?(?:exactly\s+)?(?=\d)", re.I
)
State = tuple[int, ...]


@dataclass(frozen=True)
class Jugs:
    """One puzzle: the jugs' sizes, and the litres wanted. See :class:`~llmos.kernel.puzzles.Rules`."""

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
        return [] if self.finished(path) else [move for move, _ in moves(self.sizes, self.state(path))]

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

    def found(self, answer: str) -> str:
        """An answer in a sentence."""
        return f"{self._jugs()}: {answer}."

    def sought(self) -> str:
        """What is asked, in a few words."""
        return f"get {self.wanted} where {self._jugs()}"

    def _jugs(self) -> str:
        return ", ".join(f"{_name(n)} holds {size}" for n, size in enumerate(self.sizes))

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
def moves(sizes: State, state: State) -> tuple[tuple[str, State], ...]:
    names = [_name(n) for n in range(len(sizes))]
    told = [f"{act} {name}" for name in names for act in ("fill", "empty")]
    told += [f"pour {a} into {b}" for a in names for b in names if a != b]
    made = [(move, _step(sizes, state, move)) for move in told]
    return tuple((move, after) for move, after in made if after is not None and after != state)


def requested(text: str) -> Jugs | None:
    """The puzzle that a request asks for: two jugs, and the litres wanted."""
    if not _JUGS.search(text):
        return None
    goals = [match.end() for match in _GET.finditer(text)]
    sizes: list[int] = []
    wanted: list[int] = []
    found = {match.start(1): int(match[1]) for one in (_LITRES, _PAIR) for match in one.finditer(text)}
    for at, litres in sorted(found.items()):
        (wanted if at in goals else sizes).append(litres)
    if len(sizes) != 2 or len(set(wanted)) != 1 or sizes[0] == sizes[1] or 0 in sizes:
        return None
    small, large = sorted(sizes)
    return Jugs((small, large), wanted[0]) if 0 < wanted[0] < large and wanted[0] != small else None
