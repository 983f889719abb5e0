"""The Game of 24: four numbers, each used once, made into 24 with + - * /. Its rules, and where a request asks for it.

A thought is a step such as ``4 + 9 = 13 (left: 10 13 13)``. All of it is reckoned in fractions. Knows no solver.
"""

import re
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

from llmos.kernel.planner import Path

GOAL = 24
State = tuple[Fraction, ...]
_STEP = re.compile(r"(\S+) ([-+*/]) (\S+) = (\S+) \(left: ([^()]+)\)")
_NUMBER = r"\d+(?:[./]\d+)*"
_LIST = re.compile(rf"{_NUMBER}(?:(?:\s*,\s*(?:and\s+)?|\s+and\s+|\s+){_NUMBER})*")
_WANTED = re.compile(
    r"\bgame\s+of\s+24\b|\b24\s+game\b|\b(?:make|makes|making|get|reach|into|equals?)\s+24\b|=\s*24\b", re.I
)


@dataclass(frozen=True)
class Game24:
    """One puzzle. See :class:`~llmos.kernel.puzzles.Rules`."""

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

    def found(self, answer: str) -> str:
        """An answer in a sentence."""
        return f"{answer} = {GOAL}"

    def sought(self) -> str:
        """What is asked, in a few words."""
        return f"make {GOAL} from {' '.join(map(str, self.numbers))}"

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


def requested(text: str) -> Game24 | None:
    """The puzzle that a request asks for: that four numbers become 24."""
    wanted = _WANTED.search(text)
    if wanted is None:
        return None
    parts = (text[: wanted.start()], text[wanted.end() :])
    lists = [re.findall(_NUMBER, one) for part in parts for one in _LIST.findall(part)]
    several = [one for one in lists if len(one) > 1]
    if len(several) != 1 or len(several[0]) != 4 or any(not n.isdecimal() or len(n) > 2 for n in several[0]):
        return None
    return Game24(tuple(map(int, several[0])))


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
