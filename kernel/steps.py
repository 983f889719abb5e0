"""Arithmetic inside a step of reasoning, found and checked. What computes is given: nothing here evaluates anything.

Reads equations of plain numbers such as ``3 * (4 + 5) = 27``; what holds names, units or words is left alone.
"""

import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import pairwise

# From an expression to the line that answers it, such as ``10/3 = 3.33333333333``; raises where there is none.
Calculate = Callable[[str], str]

_PIECE = re.compile(r"[\d.,+\-*/×÷^()%\s\u2212]+")  # noqa: RUF001 (as people write them)
_NUMBER = re.compile(r"[-\u2212]?\d[\d,]*(?:\.\d+)?")
_SIGN = re.compile(r"[\d)%]\s*[+\-*/×÷^\u2212]")  # noqa: RUF001


def equations(text: str) -> Iterator[tuple[str, str]]:
    """What stands on both sides of each ``=``, where it is arithmetic on at least one."""
    sides = text.split("=")
    for left, right in pairwise(sides):
        a, b = _last(left), _first(right)
        if a and b and (_SIGN.search(a) or _SIGN.search(b)):
            yield a, b


def wrong_arithmetic(text: str, calculate: Calculate) -> str:
    """Why a step's arithmetic is wrong; empty where it is right, or there is none that could be read."""
    for left, right in equations(text):
        a, b = _value(left, calculate), _value(right, calculate)
        if a is None or b is None:
            continue
        if abs(a - b) > _slack(left) + _slack(right):
            return f"{left} is not {right}"
    return ""


def _last(text: str) -> str:
    """The arithmetic that a text ends in, its brackets in pairs."""
    found = re.search(rf"({_PIECE.pattern})$", text)
    piece = found[1].strip().strip(",.").strip() if found else ""
    # "so (1) 2 + 3": what closes more than it opens is cut from the left.
    return piece if piece and piece.count("(") == piece.count(")") and re.search(r"\d", piece) else ""


def _first(text: str) -> str:
    """The arithmetic that a text begins with; a number alone where words follow."""
    found = _PIECE.match(text)
    piece = found[0].strip() if found else ""
    # What comes after a comma, a bracket or a full stop with a space is another sentence.
    piece = re.split(r"[.,]\s|\s\(", piece)[0].strip().rstrip(".,+-*/ ")
    return piece if piece and piece.count("(") == piece.count(")") and re.search(r"\d", piece) else ""


def _value(expression: str, calculate: Calculate) -> Fraction | None:
    try:
        line = calculate(expression)
    except Exception:
        # Whatever cannot be computed is no proof of anything.
        return None
    found = _NUMBER.fullmatch(line.rsplit("=", 1)[-1].strip())
    return Fraction(found[0].replace(",", "").replace("\u2212", "-")) if found else None


def _slack(side: str) -> Fraction:
    """Half a unit in the last place of a decimal number alone, which may be rounded; what is computed is exact.

    The calculator shows twelve digits of a fraction, hence the little that all sides have.
    """
    exact = Fraction(1, 10**9)
    if not _NUMBER.fullmatch(side) or "." not in side:
        return exact
    return exact + Fraction(1, 2 * 10 ** len(side.rpartition(".")[2]))
