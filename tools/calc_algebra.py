"""From the calculator's tree to sympy objects, by constructors alone. Imports sympy: for the worker only.

No string is ever given to sympy to read. Names of variables are letters, digits and single underscores; powers and
factorials of numbers are bounded before sympy computes them; time and memory are bounded by the worker.
"""

from collections.abc import Callable, Iterable
from typing import Any

import sympy as sp

from llmos.kernel.tool import ToolError
from llmos.tools.calc_names import is_variable
from llmos.tools.calc_text import MAX_BITS
from llmos.tools.calc_tree import Binary, Call, Name, Node, Num, Relation, Unary
from llmos.tools.calc_whole import MAX_FACTORIAL, too_large

_CONSTANTS = {
    "pi": sp.pi, "e": sp.E, "oo": sp.oo, "inf": sp.oo, "infinity": sp.oo, "i": sp.I, "tau": 2 * sp.pi,
    "phi": (1 + sp.sqrt(5)) / 2, "true": sp.true, "false": sp.false,
}  # fmt: skip
_RELATIONS: dict[str, Callable[..., Any]] = {
    # An equation stays one even where sympy sees that no real number fits: solve may look for complex ones.
    "=": lambda x, y: sp.Eq(x, y, evaluate=False), "!=": sp.Ne, "<": sp.Lt, "<=": sp.Le, ">": sp.Gt, ">=": sp.Ge,
}  # fmt: skip


class Builder:
    """Builds one tree. ``declared`` are names used as variables by solve, diff and the like; ``real`` their domain."""

    def __init__(self, declared: Iterable[str] = (), real: bool = True) -> None:
        self.declared, self.real = frozenset(declared), real
        self.commands: dict[str, Callable[..., Any]] = {}

    def symbol(self, name: str) -> Any:
        """A variable; ToolError if the name is not one (the reader has checked it: this is the second lock)."""
        if name not in self.declared and not is_variable(name):
            raise ToolError(f"unknown name '{name}'")
        return sp.Symbol(name, real=True) if self.real else sp.Symbol(name)

    def build(self, node: Node) -> Any:
        """The sympy object of a tree. ToolError for a mistake in it."""
        match node:
            case Num(value):
                return sp.Rational(value.numerator, value.denominator)
            case Name(text):
                constant = _CONSTANTS.get(text.lower())
                return constant if constant is not None and text not in self.declared else self.symbol(text)
            case Unary(op, arg):
                return self.unary(op, self.build(arg))
            case Binary(op, left, right):
                return self.binary(op, self.build(left), self.build(right))
            case Relation(op, left, right):
                return _relation(op, expression(self.build(left), op), expression(self.build(right), op))
            case Call("and", args):
                return sp.And(*(self.build(a) for a in args))
            case Call(name, args) if name in self.commands:
                return self.commands[name](*args)
            case Call(name, args) if name in _FUNCTIONS:
                return _FUNCTIONS[name](*(expression(self.build(a), name) for a in args))
        raise ToolError("units and dates cannot be mixed with algebra")

    def unary(self, op: str, x: Any) -> Any:
        x = expression(x, op)
        if op == "-":
            return -x
        if op == "%":
            return x / 100
        return _factorial(x) if op == "!" else x * sp.pi / 180

    def binary(self, op: str, x: Any, y: Any) -> Any:
        x, y = expression(x, op), expression(y, op)
        if op == "+":
            return x + y
        if op == "-":
            return x - y
        if op == "*":
            return x * y
        if op == "/":
            return _divide(x, y)
        if op == "^":
            return power(x, y)
        if op == "off":
            return y * (1 - x)
        if y == 0:
            raise ToolError("division by zero")
        return sp.Mod(x, y)


def _relation(op: str, x: Any, y: Any) -> Any:
    if op not in "!=" and (x.is_extended_real is False or y.is_extended_real is False):
        raise ToolError("complex numbers have no order")
    return _RELATIONS[op](x, y)


def power(x: Any, y: Any) -> Any:
    """``x^y``, its size bounded before it is made."""
    if x == 0 and y.is_negative:
        raise ToolError("division by zero")
    if y.is_number and y.is_comparable:
        size = abs(y.evalf(10))
        if x.is_Rational and x not in (0, 1, -1):
            if size * max(int(x.p).bit_length(), int(x.q).bit_length()) > MAX_BITS and y.is_Rational:
                raise too_large()
        elif size > 10_000 and y.is_Rational and not (x.is_Symbol or x in (0, 1, -1, sp.E)):
            raise ToolError("the exponent is too large; the most here is 10000")
    return sp.Pow(x, y)


def _divide(x: Any, y: Any) -> Any:
    if y == 0:
        raise ToolError("division by zero")
    return x / y


def expression(x: Any, where: str) -> Any:
    if not isinstance(x, sp.Expr):
        raise ToolError(f"an equation cannot stand inside {where}")
    return x


def _factorial(x: Any) -> Any:
    if x.is_number and not (x.is_Integer and 0 <= x <= MAX_FACTORIAL):
        raise ToolError(f"factorial needs a whole number from 0 to {MAX_FACTORIAL}")
    return sp.factorial(x)


def _log(x: Any, base: Any = None) -> Any:
    if x == 0 or base in (0, 1):
        raise ToolError("a logarithm needs a number above 0, and a base above 0 that is not 1")
    return sp.log(x) if base is None else sp.log(x) / sp.log(base)


def _root(x: Any, n: Any) -> Any:
    if n == 0 or (n.is_number and not (n.is_Integer and abs(n) <= 1000)):
        raise ToolError("root(x, n) needs a whole n from 1 to 1000")
    if x.is_number and x.is_negative and n.is_odd:
        return -power(-x, 1 / n)
    return power(x, 1 / n)


def _round(x: Any, places: Any = sp.S.Zero) -> Any:
    if not x.is_number or not x.is_comparable:
        raise ToolError("round needs a number")
    if not places.is_Integer or abs(places) > 1000:
        raise ToolError("round(x, n) needs n from -1000 to 1000")
    scale = sp.Integer(10) ** places
    return sp.sign(x) * sp.floor(abs(x) * scale + sp.Rational(1, 2)) / scale


def _ordered(xs: tuple[Any, ...], name: str) -> tuple[Any, ...]:
    if any(x.is_extended_real is False for x in xs):
        raise ToolError(f"{name} needs real numbers")
    return xs


def _ranked(xs: tuple[Any, ...], name: str) -> list[Any]:
    if not all(x.is_comparable for x in xs):
        raise ToolError(f"{name} needs numbers")
    return sorted(xs, key=lambda x: x.evalf(30))


def _median(*xs: Any) -> Any:
    ranked = _ranked(xs, "median")
    half = len(ranked) // 2
    return ranked[half] if len(ranked) % 2 else (ranked[half - 1] + ranked[half]) / 2


def _variance(less: int) -> Callable[..., Any]:
    def spread(*xs: Any) -> Any:
        if len(xs) <= less:
            raise ToolError("a sample's spread needs at least two numbers")
        mean = sp.Add(*xs) / len(xs)
        return sp.Add(*((x - mean) ** 2 for x in xs)) / (len(xs) - less)

    return spread


def _binomial(n: Any, k: Any) -> Any:
    if any(x.is_number and not (x.is_Integer and 0 <= x <= 10_000) for x in (n, k)):
        raise ToolError("binomial(n, k) needs n and k from 0 to 10000 here")
    return sp.binomial(n, k)


def _perm(n: Any, k: Any) -> Any:
    return _factorial(n) / _factorial(n - k)


def whole_number(x: Any, name: str) -> int:
    if not x.is_Integer:
        raise ToolError(f"{name} needs a whole number")
    return int(x)


def _no_mode(*xs: Any) -> Any:
    raise ToolError("mode needs plain numbers")


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "sqrt": lambda x: power(x, sp.Rational(1, 2)),
    "cbrt": lambda x: _root(x, sp.Integer(3)),
    "root": _root,
    "pow": lambda x, y, m=None: power(x, y) if m is None else sp.Mod(power(x, y), m),
    "abs": sp.Abs,
    "factorial": _factorial,
    "ln": _log,
    "log": _log,
    "log10": lambda x: _log(x, sp.Integer(10)),
    "log2": lambda x: _log(x, sp.Integer(2)),
    "exp": lambda x: power(sp.E, x),
    "floor": sp.floor,
    "ceil": sp.ceiling,
    "trunc": lambda x: sp.sign(x) * sp.floor(abs(x)),
    "round": _round,
    "sign": sp.sign,
    "sin": sp.sin,
    "cos": sp.cos,
    "tan": sp.tan,
    "sec": sp.sec,
    "csc": sp.csc,
    "cot": sp.cot,
    "asin": sp.asin,
    "acos": sp.acos,
    "atan": sp.atan,
    "atan2": sp.atan2,
    "sinh": sp.sinh,
    "cosh": sp.cosh,
    "tanh": sp.tanh,
    "asinh": sp.asinh,
    "acosh": sp.acosh,
    "atanh": sp.atanh,
    "degrees": lambda x: x * 180 / sp.pi,
    "radians": lambda x: x * sp.pi / 180,
    "hypot": lambda x, y: sp.sqrt(x**2 + y**2),
    "gcd": lambda *xs: sp.gcd_list(list(xs)),
    "lcm": lambda *xs: sp.lcm_list(list(xs)),
    "min": lambda *xs: sp.Min(*_ordered(xs, "min")),
    "max": lambda *xs: sp.Max(*_ordered(xs, "max")),
    "sum": sp.Add,
    "product": sp.Mul,
    "mean": lambda *xs: sp.Add(*xs) / len(xs),
    "median": _median,
    "variance": _variance(1),
    "pvariance": _variance(0),
    "mode": _no_mode,
    "mod": lambda x, y: Builder().binary("mod", x, y),
    "std": lambda *xs: sp.sqrt(_variance(1)(*xs)),
    "pstd": lambda *xs: sp.sqrt(_variance(0)(*xs)),
    "binomial": _binomial,
    "perm": _perm,
    "re": sp.re,
    "im": sp.im,
    "conjugate": sp.conjugate,
    "fibonacci": lambda x: sp.fibonacci(whole_number(x, "fibonacci")) if x <= 100_000 else _no_mode(),
    "expand": sp.expand,
    "factor": sp.factor,
    "simplify": sp.simplify,
    "apart": sp.apart,
    "together": sp.together,
    "cancel": sp.cancel,
    "rem": sp.rem,
    "quo": sp.quo,
}
