"""The Game of 24 to train and to measure on: a solver, and puzzles drawn by seed. Its rules are the kernel's.

The list of puzzles by human difficulty is not here: give puzzles of it as a file of ``id`` and ``numbers``.
"""

import json
import random
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import combinations_with_replacement
from pathlib import Path as File

from llmos.kernel import game24
from llmos.kernel.errors import UsageError
from llmos.kernel.game24 import GOAL, State, steps
from llmos.kernel.planner import Path


@dataclass(frozen=True)
class Game24(game24.Game24):
    """One puzzle, with a solver. See :class:`~llmos.training.puzzles.Puzzle`."""

    def solvable(self, path: Path) -> bool:
        """Whether 24 can still be made, by full search."""
        return solvable(self.state(path))


@cache
def solvable(state: State) -> bool:
    """Whether 24 can be made from what is left."""
    return state[0] == GOAL if len(state) == 1 else any(solvable(left) for _, left in steps(state))


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
