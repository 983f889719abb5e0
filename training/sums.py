"""Small word problems of several steps, with their solutions, drawn by seed.

A thought is an equation of one step, such as ``3 * 4 = 12``; the last is ``Answer: 19``. The answer cannot be checked
without knowing it (``number`` is for whoever scores), the arithmetic of a step can.
"""

import random
import re
from collections.abc import Hashable
from dataclasses import dataclass
from fractions import Fraction

from llmos.kernel.planner import Path

_STEP = re.compile(r"(\d+) ([-+*]) (\d+) = (-?\d+)")
_ANSWER = re.compile(r"Answer: (-?\d+)")
_NAMES = ("Ann", "Ben", "Cleo", "Dev", "Ela", "Finn")
_THINGS = ("apples", "stamps", "marbles", "pencils", "shells", "cards")


@dataclass(frozen=True)
class WordProblem:
    """One problem: its words, the steps that solve it, its number. See :class:`~llmos.training.puzzles.Puzzle`."""

    question: str
    steps: tuple[str, ...]
    number: int

    def told(self, path: Path) -> str:
        """The problem and what was found, in a line."""
        return " ".join([self.question, "; ".join(path)]).strip()

    def moves(self, path: Path) -> list[str]:
        """Every step of two numbers that are told or were found, and the last number found as the answer."""
        if self.finished(path) is not None:
            return []
        known = self._known(path)
        made = {
            f"{a} {sign} {b} = {_reckon(a, sign, b)}"
            for i, a in enumerate(known)
            for j, b in enumerate(known)
            for sign in "+-*"
            if i != j and (sign == "-" or a <= b) and _reckon(a, sign, b) >= 0
        }
        found = [_STEP.fullmatch(line) for line in path[-1:]]
        return sorted([*made, *(f"Answer: {one[4]}" for one in found if one)])

    def wrong(self, path: Path) -> str:
        """Why the last step cannot stand: its arithmetic, or numbers that come from nowhere."""
        if found := _ANSWER.fullmatch(path[-1]):
            return "" if int(found[1]) in self._known(path[:-1]) else f"{found[1]} was not found"
        found = _STEP.fullmatch(path[-1])
        if not found:
            return "it is no step"
        a, sign, b, made = int(found[1]), found[2], int(found[3]), int(found[4])
        if strange := [n for n in (a, b) if n not in self._known(path[:-1])]:
            return f"{strange[0]} comes from nowhere"
        return "" if _reckon(a, sign, b) == made else f"{a} {sign} {b} is not {made}"

    def finished(self, path: Path) -> str | None:
        """The number after ``Answer:``."""
        found = _ANSWER.fullmatch(path[-1]) if path else None
        return found[1] if found else None

    def check(self, answer: str) -> bool | None:
        """It cannot be told."""
        return None

    def key(self, path: Path) -> Hashable:
        """What is known, and whether it is answered."""
        return (tuple(sorted(self._known(path))), self.finished(path))

    def solvable(self, path: Path) -> bool:
        """Whether the path is the beginning of the solution."""
        return path == (*self.steps, f"Answer: {self.number}")[: len(path)]

    def right(self, answer: str) -> bool:
        """For whoever scores: whether it is the number."""
        try:
            return Fraction(answer) == self.number
        except (ValueError, ZeroDivisionError):
            return False

    def _known(self, path: Path) -> list[int]:
        told = [int(n) for n in re.findall(r"\d+", self.question)]
        found = [_STEP.fullmatch(line) for line in path]
        return [*told, *(int(one[4]) for one in found if one)]


def _reckon(a: int, sign: str, b: int) -> int:
    return {"+": a + b, "-": a - b, "*": a * b}[sign]


def draw(count: int, seed: int = 0) -> list[WordProblem]:
    """So many problems of two to four steps."""
    rng = random.Random(seed)
    return [_draw(rng) for _ in range(count)]


def _draw(rng: random.Random) -> WordProblem:
    name, thing = rng.choice(_NAMES), rng.choice(_THINGS)
    have = rng.randint(5, 60)
    told, steps = [f"{name} has {have} {thing}."], []
    for _ in range(rng.randint(1, 2)):
        kind = rng.choice(("boxes", "buys", "gives"))
        # Who has next to nothing gives nothing away.
        kind = "buys" if kind == "gives" and have < 3 else kind
        if kind == "boxes":
            boxes, each = rng.randint(2, 9), rng.randint(2, 12)
            told.append(f"{name} gets {boxes} boxes of {each} {thing}.")
            steps += [f"{boxes} * {each} = {boxes * each}", f"{have} + {boxes * each} = {have + boxes * each}"]
            have += boxes * each
            continue
        some = rng.randint(2, have - 1 if kind == "gives" else 40)
        after = have + some if kind == "buys" else have - some
        told.append(f"{name} {'buys' if kind == 'buys' else 'gives away'} {some}.")
        steps.append(f"{have} {'+' if kind == 'buys' else '-'} {some} = {after}")
        have = after
    told.append(f"How many {thing} does {name} have now?")
    return WordProblem(" ".join(told), tuple(steps), have)
