"""Plain arithmetic over short names (``@1 * (@2 + @3)``): what it is worth, and its words in prefix order.

``@1*@2`` and ``@2 * @1`` are the same answer: expressions that agree at numbers drawn once are the same but for an
accident (Schwartz 1980, "Fast probabilistic algorithms for verification of polynomial identities"). In prefix order an
expression ends where all its operators have what they take, so that none is ever ill formed. Nothing here is an answer.
"""

import ast
import math
import operator
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

_SIGN = re.compile(r"@(\d+)")
_PERCENT = re.compile(r"(@\d+|\d[\d.]*)\s*%")
_PLAIN = re.compile(r"[@\d.\s()+*/^,a-z-]{1,200}")
_DRAWN = (23.71, 5.33, 17.19, 3.97, 41.13, 2.61, 11.83, 7.43, 13.37, 19.61)  # for the first names
_OPERATORS: dict[type, tuple[str, Callable[[Any, Any], Any]]] = {
    ast.Add: ("+", operator.add),
    ast.Sub: ("-", operator.sub),
    ast.Mult: ("*", operator.mul),
    ast.Div: ("/", operator.truediv),
    ast.Pow: ("^", math.pow),
}
_FUNCTIONS: dict[str, tuple[int, Callable[..., Any]]] = {
    "floor": (1, math.floor),
    "ceil": (1, math.ceil),
    "sqrt": (1, math.sqrt),
    "abs": (1, abs),
    "factorial": (1, lambda n: math.gamma(n + 1)),
    "min": (2, min),
    "max": (2, max),
    "mod": (2, operator.mod),
    "binomial": (2, lambda n, k: math.exp(math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(abs(n - k) + 1))),
}
TAKES = {name: 2 for name, _ in _OPERATORS.values()} | {name: n for name, (n, _) in _FUNCTIONS.items()}
"""How many operands each operator and function takes; any other word of an expression takes none."""


@lru_cache(maxsize=65536)
def worth(expression: str) -> str:
    """The same text for expressions that mean the same; of any but plain arithmetic its own text without blanks."""
    try:
        return f"={_worth(_parsed(expression)):.8g}"
    except (SyntaxError, ValueError, TypeError, KeyError, IndexError, ArithmeticError, RecursionError):
        return "".join(expression.split())


def value(expression: str, values: Sequence[str]) -> float | None:
    """What it is worth where the short names have these values; None for any but plain arithmetic that has a value."""
    try:
        made = _worth(_parsed(expression), [float(text) for text in values])
    except (SyntaxError, ValueError, TypeError, KeyError, IndexError, ArithmeticError, RecursionError):
        return None
    return made if math.isfinite(made) else None


@lru_cache(maxsize=65536)
def prefix(expression: str) -> tuple[str, ...]:
    """Its operators, functions, names and numbers in prefix order; nothing for any but plain arithmetic."""
    try:
        return tuple(_prefix(_parsed(expression)))
    except (SyntaxError, ValueError, TypeError, KeyError, RecursionError):
        return ()


def infix(words: Sequence[str]) -> str:
    """The expression for words in prefix order. Raises ValueError where these are not one whole expression."""
    left = list(reversed(words))
    made = _infix(left)[0]
    if left:
        raise ValueError("more than one expression")
    return made


def _parsed(expression: str) -> ast.expr:
    plain = _PERCENT.sub(r"(\1/100)", expression)
    if not _PLAIN.fullmatch(plain):
        raise ValueError
    return ast.parse(_SIGN.sub(r"n\1", plain).replace("^", "**").strip(), mode="eval").body


def _worth(node: ast.expr, drawn: Sequence[float] = _DRAWN) -> float:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return float(node.value)
    if isinstance(node, ast.Name):
        return math.pi if node.id == "pi" else drawn[int(node.id[1:]) - 1]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_worth(node.operand, drawn)
    if isinstance(node, ast.BinOp):
        return float(_OPERATORS[type(node.op)][1](_worth(node.left, drawn), _worth(node.right, drawn)))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        return float(_FUNCTIONS[node.func.id][1](*(_worth(part, drawn) for part in node.args)))
    raise ValueError


def _prefix(node: ast.expr) -> list[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return [f"{node.value:.12g}"]
    if isinstance(node, ast.Name):
        return [node.id if node.id == "pi" else f"@{int(node.id[1:])}"]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return ["-", "0", *_prefix(node.operand)]
    if isinstance(node, ast.BinOp):
        return [_OPERATORS[type(node.op)][0], *_prefix(node.left), *_prefix(node.right)]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        takes, _ = _FUNCTIONS[node.func.id]
        if takes == len(node.args):
            return [node.func.id, *(word for part in node.args for word in _prefix(part))]
    raise ValueError


_BINDS = {"+": 1, "-": 1, "*": 2, "/": 2, "^": 3}
_LOOSE = 9


def _infix(left: list[str]) -> tuple[str, int]:
    """The expression that the words at the end of ``left`` begin, and how tightly its outermost operator binds."""
    if not left:
        raise ValueError("an expression is not whole")
    word = left.pop()
    if word in _FUNCTIONS:
        return f"{word}({', '.join(_infix(left)[0] for _ in range(TAKES[word]))})", _LOOSE
    if word not in _BINDS:
        return word, _LOOSE
    (one, first), (other, second) = _infix(left), _infix(left)
    own = _BINDS[word]
    one = f"({one})" if first < own or (word == "^" and first == own) else one
    other = f"({other})" if second < own or (second == own and word in "-/^") else other
    return f"{one} {word} {other}", own
