"""The Game of 24: four numbers, each used once, made into 24 with + - * /. Rules, solver, and puzzles drawn by seed.

A thought is a step such as ``4 + 9 = 13 (left: 10 13 13)``. All of it is reckoned in fractions. The list of puzzles by
human difficulty is not here: give puzzles of it as a file of ``id`` and ``numbers``.
"""

import json
import random
import re
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import combinations, combinations_with_replacement
from pathlib import Path as File

from llmos.kernel.errors import UsageError
from llmos.kernel.planner import Path

GOAL = 24
State = tuple[Fraction, ...]
_STEP = re.compile(r"(\S+) ([-+*/]) (\S+) = (\S+) \(left: ([^()]+)\)")


@dataclass(frozen=True)
class Game24:
    """One puzzle. See :class:`~llmos.training.puzzles.Puzzle`."""

    numbers: tuple[int, ...]

    @property
    def question(self) -> str:
        """What is asked, in words."""
        numbers = " ".join(map(str, self.numbers))
        return f"Make {GOAL} from {numbers}, each used once, with + - * /. Steps look like: 4 + 9 = 13 (left: 10 13 13)"

    def told(self, path: Path) -> str:
        """What is left, in a line."""
        return f"{GOAL}: {' '.join(map(str, self.state(path)))}"

    def moves(self, path: Path) -> list[str]:
        """Every step that the rules allow."""
        return [] if self.finished(path) else sorted({text for text, _ in steps(self.state(path))})

    def wrong(self, path: Path) -> str:
        """Why the last step breaks the rules: its numbers, its arithmetic, what it says is left."""
        before = self.state(path[:-1])
        found = _STEP.fullmatch(path[-1])
        if not found:
            return "it is no step"
        try:
            a, b, made = (Fraction(found[n]) for n in (1, 3, 4))
            left = sorted(map(Fraction, found[5].split()))
        except (ValueError, ZeroDivisionError):
            return "it holds what is no number"
        rest = list(before)
        for number in (a, b):
            if number not in rest:
                return f"there is no {number} left"
            rest.remove(number)
        if found[2] == "/" and b == 0:
            return "it divides by 0"
        if _apply(a, found[2], b) != made:
            return f"{a} {found[2]} {b} is not {made}"
        return "" if sorted([*rest, made]) == left else "what is left is told wrong"

    def finished(self, path: Path) -> str | None:
        """The expression, once one number is left."""
        return _expression(self.numbers, path) if len(path) == len(self.numbers) - 1 else None

    def check(self, answer: str) -> bool:
        """Whether the answer uses each number once and makes 24."""
        used = sorted(map(int, re.findall(r"\d+", answer)))
        return used == sorted(self.numbers) and _evaluate(answer) == GOAL

    def key(self, path: Path) -> Hashable:
        """What is left."""
        return self.state(path)

    def solvable(self, path: Path) -> bool:
        """Whether 24 can still be made, by full search."""
        return solvable(self.state(path))

    def state(self, path: Path) -> State:
        """What is left after steps that are right."""
        if not path:
            return tuple(sorted(map(Fraction, self.numbers)))
        found = _STEP.fullmatch(path[-1])
        assert found is not None
        return tuple(sorted(map(Fraction, found[5].split())))


def _apply(a: Fraction, sign: str, b: Fraction) -> Fraction:
    return {"+": lambda: a + b, "-": lambda: a - b, "*": lambda: a * b, "/": lambda: a / b}[sign]()


def steps(state: State) -> Iterator[tuple[str, State]]:
    """Each step from a state, and the state it leads to."""
    for i, j in combinations(range(len(state)), 2):
        rest = [n for k, n in enumerate(state) if k not in (i, j)]
        for a, b in ((state[i], state[j]), (state[j], state[i])):
            for sign in "+-*/":
                if (sign in "+*" and a > b) or (sign == "/" and b == 0):
                    continue
                made = _apply(a, sign, b)
                left = tuple(sorted([*rest, made]))
                yield f"{a} {sign} {b} = {made} (left: {' '.join(map(str, left))})", left


@cache
def solvable(state: State) -> bool:
    """Whether 24 can be made from what is left."""
    return state[0] == GOAL if len(state) == 1 else any(solvable(left) for _, left in steps(state))


def _expression(numbers: tuple[int, ...], path: Path) -> str:
    """The steps as one expression of the numbers."""
    have = [(Fraction(n), str(n)) for n in numbers]
    for line in path:
        found = _STEP.fullmatch(line)
        assert found is not None
        pair = []
        for number in (Fraction(found[1]), Fraction(found[3])):
            one = next(one for one in have if one[0] == number)
            have.remove(one)
            pair.append(one[1])
        have.append((Fraction(found[4]), f"({pair[0]} {found[2]} {pair[1]})"))
    return have[-1][1].removeprefix("(").removesuffix(")")


def _evaluate(expression: str) -> Fraction | None:
    """The value of an expression of whole numbers, signs and brackets; None for anything else."""
    tokens = re.findall(r"\d+|[-+*/()]", expression)
    if "".join(tokens) != re.sub(r"\s", "", expression):
        return None
    try:
        value, rest = _sum(tokens)
    except (IndexError, ValueError, ZeroDivisionError):
        return None
    return value if not rest else None


def _sum(tokens: list[str]) -> tuple[Fraction, list[str]]:
    value, tokens = _product(tokens)
    while tokens and tokens[0] in "+-":
        other, rest = _product(tokens[1:])
        value, tokens = _apply(value, tokens[0], other), rest
    return value, tokens


def _product(tokens: list[str]) -> tuple[Fraction, list[str]]:
    value, tokens = _atom(tokens)
    while tokens and tokens[0] in "*/":
        other, rest = _atom(tokens[1:])
        value, tokens = _apply(value, tokens[0], other), rest
    return value, tokens


def _atom(tokens: list[str]) -> tuple[Fraction, list[str]]:
    if tokens[0] == "(":
        value, rest = _sum(tokens[1:])
        if rest[0] != ")":
            raise ValueError
        return value, rest[1:]
    return Fraction(int(tokens[0])), tokens[1:]


def draw(count: int, seed: int = 0, most: int = 13) -> list[Game24]:
    """So many different puzzles that can be solved, of numbers from 1 to ``most``."""
    every = list(combinations_with_replacement(range(1, most + 1), 4))
    random.Random(seed).shuffle(every)
    found: list[Game24] = []
    for numbers in every:
        if len(found) == count:
            break
        if solvable(tuple(map(Fraction, numbers))):
            found.append(Game24(numbers))
    return found


def read(path: File) -> list[tuple[str, Game24]]:
    """Puzzles of a file, one JSON object a line: ``id`` and ``numbers``. Raises UsageError that names a wrong line."""
    found = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8'}") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            data = json.loads(line)
            numbers = data["numbers"]
            if not (isinstance(numbers, list) and numbers and all(type(n) is int and n >= 0 for n in numbers)):
                raise ValueError("numbers must be a list of whole numbers")
            found.append((str(data["id"]), Game24(tuple(numbers))))
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(f"{path}, line {number}: needs id and numbers ({error})") from error
    return found
