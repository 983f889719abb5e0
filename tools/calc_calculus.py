"""Calculus and the answer to a whole tree. Imports sympy: for the worker only.

Variables are real. An integral without a closed form is done numerically where its limits are numbers.
"""

from typing import Any

import sympy as sp

from llmos.kernel.tool import ToolError
from llmos.tools.calc_algebra import Builder, expression, whole_number
from llmos.tools.calc_clock import TooSlow, at_most
from llmos.tools.calc_names import ALGEBRA
from llmos.tools.calc_show import show_expr, show_value
from llmos.tools.calc_solve import solve
from llmos.tools.calc_tree import Call, Name, Node, Relation
from llmos.tools.calc_whole import show_factors


class Told(Exception):
    """A command whose answer is a sentence, wherever it stood in the expression."""


def answer(tree: Node, declared: frozenset[str], decimals: bool, fractions: bool) -> str:
    """The one-line answer to a whole expression (fields as in ``Reading``). ToolError for a mistake in it."""
    builder = _Calculus(declared)
    try:
        if isinstance(tree, Call) and tree.name in ("isprime", "factorint", "divisors"):
            return _number_theory(tree.name, whole_number(builder.build(tree.args[0]), tree.name))
        if isinstance(tree, Call) and tree.name == "solve":
            return solve(tree.args, declared, decimals)
        if isinstance(tree, Relation) or (isinstance(tree, Call) and tree.name == "and"):
            built = builder.build(tree)
            return solve((tree,), declared, decimals) if built.free_symbols else show_value(sp.simplify(built))
        found = builder.build(tree)
    except Told as told:
        return str(told)
    calculus = isinstance(tree, Call) and tree.name in ALGEBRA
    if not calculus and found.free_symbols:
        found = _tidy(found)
    spread = isinstance(tree, Call) and tree.name in ("std", "pstd")
    text = show_value(found, decimals or spread, fractions or calculus)
    indefinite = isinstance(tree, Call) and tree.name == "integrate" and len(tree.args) <= 2
    return f"{text} + C" if indefinite else text


def _number_theory(name: str, n: int) -> str:
    if name == "isprime":
        return "yes" if sp.isprime(n) else "no"
    if n < 1:
        raise ToolError(f"{name} needs a whole number of at least 1")
    if name == "divisors":
        return ", ".join(str(d) for d in sp.divisors(n))
    return show_factors(sorted(sp.factorint(n).items()))


class _Calculus(Builder):
    """The builder with the commands that bind a variable."""

    def __init__(self, declared: frozenset[str]) -> None:
        super().__init__(declared)
        self.commands = {
            "diff": self.diff, "integrate": self.integrate, "limit": self.limit, "series": self.series,
            "summation": self.summation, "subs": self.subs, "sum": self.sum, "product": self.product,
            "solve": self.solve,
        }  # fmt: skip

    def function(self, node: Node) -> Any:
        return expression(self.build(node), "this function")

    def variable(self, function: Any, given: tuple[Node, ...]) -> Any:
        """The variable named first in ``given``, else the only one in the function."""
        if given:
            if not isinstance(given[0], Name):
                raise ToolError("the second argument must be a variable")
            return self.symbol(given[0].text)
        free = sorted(function.free_symbols, key=str)
        if len(free) > 1:
            raise ToolError(f"say which variable: {', '.join(map(str, free))}")
        return free[0] if free else self.symbol("x")

    def diff(self, f: Node, *rest: Node) -> Any:
        function = self.function(f)
        found = self.variable(function, rest)
        steps: list[tuple[Any, int]] = [] if rest else [(found, 1)]
        for node in rest:
            if isinstance(node, Name):
                steps.append((self.symbol(node.text), 1))
                continue
            count = whole_number(self.build(node), "the order of a derivative")
            if not steps or not 0 <= count <= 20:
                raise ToolError("write diff(f, x) or diff(f, x, n) with n up to 20")
            steps[-1] = (steps[-1][0], count)
        for symbol, count in steps:
            function = sp.diff(function, symbol, count)
        return _tidy(function, 12)

    def integrate(self, f: Node, *rest: Node) -> Any:
        if len(rest) == 2 and not isinstance(rest[0], Name):  # integrate(f, 0, 3)
            rest = (Name(str(self.variable(self.function(f), ()))), *rest)
        if len(rest) == 2:
            raise ToolError("write integrate(f, x) or integrate(f, x, from, to)")
        function = self.function(f)
        symbol = self.variable(function, rest[:1])
        limits = [self.function(node) for node in rest[1:]]
        span = (symbol, *limits) if limits else symbol
        try:
            with at_most(0.5):
                found = sp.integrate(function, span)
        except TooSlow:
            found = sp.Integral(function, span)
        if not found.has(sp.Integral):
            return found if limits and found.is_number else _tidy(found, 12)
        if limits and not found.free_symbols:
            return found.evalf(16)
        raise ToolError("no closed form found for this integral")

    def limit(self, f: Node, x: Node, to: Node, side: Node | None = None) -> Any:
        function = self.function(f)
        symbol, point = self.variable(function, (x,)), self.function(to)
        if not point.is_number and not point.is_infinite:
            raise ToolError("a limit needs a number, infinity or -infinity to approach")
        if side is not None:
            if not isinstance(side, Name) or side.text.lower() not in ("left", "right"):
                raise ToolError("the fourth argument of limit is left or right")
            return sp.limit(function, symbol, point, "-" if side.text.lower() == "left" else "+")
        right = sp.limit(function, symbol, point, "+")
        left = right if point.is_infinite else sp.limit(function, symbol, point, "-")
        if left != right and sp.simplify(left - right) != 0:
            raise Told(f"does not exist (left: {show_expr(left)}, right: {show_expr(right)})")
        if isinstance(right, sp.AccumBounds):
            raise Told(f"does not exist (stays between {show_expr(right.min)} and {show_expr(right.max)})")
        return right

    def series(self, f: Node, *rest: Node) -> Any:
        function = self.function(f)
        symbol = self.variable(function, rest[:1])
        point = self.function(rest[1]) if len(rest) > 1 else sp.Integer(0)
        order = whole_number(self.build(rest[2]), "series") if len(rest) > 2 else 6
        if not 1 <= order <= 30:
            raise ToolError("series(f, x, at, n) needs n from 1 to 30")
        if point == 0 or point.is_infinite:
            return sp.series(function, symbol, point, order)
        # Around another point the terms are kept together by a symbol that prints as the distance from it.
        step = sp.Symbol(f"({show_expr(symbol - point)})", real=True)
        return sp.series(function.subs(symbol, step + point), step, 0, order)

    def summation(self, f: Node, k: Node, start: Node, end: Node) -> Any:
        function = self.function(f)
        found = sp.summation(function, (self.variable(function, (k,)), self.function(start), self.function(end)))
        return found.evalf(20) if found.has(sp.Sum) and found.is_number else sp.factor(found)

    def sum(self, *args: Node) -> Any:
        """The sum of its arguments, or sum(k^2, k, 1, 10)."""
        if len(args) == 4 and isinstance(args[1], Name):
            return self.summation(*args)
        return sp.Add(*(self.function(a) for a in args))

    def product(self, *args: Node) -> Any:
        """The product of its arguments, or product(k, k, 1, 5)."""
        if len(args) == 4 and isinstance(args[1], Name):
            function = self.function(args[0])
            return sp.product(
                function, (self.variable(function, args[1:2]), self.function(args[2]), self.function(args[3]))
            )
        return sp.Mul(*(self.function(a) for a in args))

    def subs(self, f: Node, x: Node, value: Node) -> Any:
        function = self.function(f)
        return function.subs(self.variable(function, (x,)), self.function(value))

    def solve(self, *args: Node) -> Any:
        raise ToolError("solve(...) must stand alone")


def _tidy(expr: Any, short: int = 1) -> Any:
    """The simplified form where it is much shorter; else as it came, so that x^2*cos(x) + 2*x*sin(x) stays a sum.

    Up to ``short`` operations it is left alone: simplifying is slow.
    """
    if not short <= sp.count_ops(expr) <= 60:
        return expr
    try:
        with at_most(0.5):
            simple = sp.simplify(expr)
    except TooSlow:
        return expr
    return simple if sp.count_ops(simple) < 0.75 * sp.count_ops(expr) else expr
