"""Equations, systems and inequalities. Imports sympy: for the worker only.

Real solutions are looked for first; complex ones are given where there is no real one. An equation without a closed
form is solved numerically by looking for changes of sign between -100 and 100, so a double root may be missed.
"""

import contextlib
import math
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

import sympy as sp

from llmos.kernel.tool import ToolError
from llmos.tools.calc_algebra import Builder
from llmos.tools.calc_clock import TooSlow, at_most
from llmos.tools.calc_format import show_real
from llmos.tools.calc_show import show_expr, show_value
from llmos.tools.calc_tree import Name, Node

_SHOWN = 8
_NONE = "no solution"


def solve(args: Iterable[Node], declared: frozenset[str], decimals: bool) -> str:
    """The answer to ``solve(equations..., variables...)``: ``x = -2, x = 2``, ``x > 3``, ``no solution``."""
    nodes = list(args)
    names: list[str] = []
    while len(nodes) > 1 and isinstance(nodes[-1], Name):
        names.insert(0, nodes.pop().text)  # type: ignore[union-attr]
    builder = Builder(declared)
    relations = [_relation(builder.build(n)) for n in nodes]
    parts = [p for r in relations for p in (r.args if isinstance(r, sp.And) else [r])]
    if sp.false in parts:
        return _NONE
    parts = [p for p in parts if p != sp.true]
    free = sorted({s for p in parts for s in p.free_symbols}, key=str)
    variables = [builder.symbol(n) for n in names] or _guess(free, len(parts))
    if not parts:
        return f"true for every {variables[0]}" if variables else "always true"
    if not variables:
        return "always true" if all(sp.simplify(p.lhs - p.rhs) == 0 for p in parts) else _NONE
    if any(not isinstance(p, sp.Eq) for p in parts):
        return _inequality(parts, variables, decimals)
    if len(parts) > 1 or len(variables) > 1:
        return _system(parts, variables, decimals)
    return _single(parts[0], variables[0], decimals, lambda: Builder(declared, real=False).build(nodes[0]))


def _relation(built: Any) -> Any:
    if isinstance(built, sp.Expr):
        return sp.Eq(built, 0)
    return built


def _guess(free: list[Any], count: int) -> list[Any]:
    """The variables of ``count`` equations: all of them, or x, y, z first."""
    if len(free) <= count:
        return free
    by_name = {str(s): s for s in free}
    usual = [by_name[n] for n in ("x", "y", "z") if n in by_name][:count]
    if len(usual) < count:
        raise ToolError(f"say which variable to solve for: {', '.join(by_name)}")
    return usual


def _single(equation: Any, x: Any, decimals: bool, complex_form: Callable[[], Any]) -> str:
    if not equation.has(x):
        raise ToolError(f"there is no {x} in the equation")
    difference = equation.lhs - equation.rhs
    try:
        with at_most(0.5):
            found = sp.solve(equation, x) or _unchecked(equation, x)
    except (NotImplementedError, TooSlow):
        return _numeric(difference, x)
    found = [f for f in found if not f.has(sp.nan, sp.zoo)]
    if found:
        period = (
            " (in one period)" if difference.has(sp.sin, sp.cos, sp.tan) and not difference.is_polynomial(x) else ""
        )
        return _listed(x, _sorted(found), decimals) + period
    if sp.simplify(difference) == 0:
        return f"true for every {x}"
    form = _relation(complex_form())
    unknown = sp.Symbol(str(x))
    if isinstance(form, sp.Eq) and (form.lhs - form.rhs).is_polynomial(unknown):
        found = sp.solve(form, unknown)
        if found:
            return f"no real solution; {_listed(x, _sorted(found), decimals)}"
    # Empty hands are not a proof: "no solution" is only said when a search finds none either.
    if not difference.is_polynomial(x) and difference.free_symbols == {x}:
        with contextlib.suppress(ToolError):
            return _numeric(difference, x)
    return _NONE


def _unchecked(equation: Any, x: Any) -> list[Any]:
    """Solutions that sympy found but could not verify, where putting them in shows that they hold."""
    candidates = [c for c in sp.solve(equation, x, check=False) if c.is_number and c.is_real]
    return [c for c in candidates if _holds(equation.lhs.subs(x, c).evalf(30), equation.rhs.subs(x, c).evalf(30))]


def _holds(left: Any, right: Any) -> bool:
    return bool(left.is_Float or left.is_Rational) and bool(
        abs(left - right) <= sp.Float("1e-12") * (1 + abs(left) + abs(right))
    )


def _listed(x: Any, found: list[Any], decimals: bool) -> str:
    texts = [_assignment(x, f, decimals) for f in found[:_SHOWN]]
    return ", ".join(texts) + (f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else "")


def _assignment(x: Any, value: Any, decimals: bool) -> str:
    if not value.is_number:
        value = min((value, sp.simplify(value)), key=sp.count_ops)
    elif value.has(sp.log):
        value = min((value, sp.expand_log(value, force=True)), key=lambda v: len(show_expr(v)))
    return f"{x} = {show_value(value, decimals)}"


def _sorted(found: list[Any]) -> list[Any]:
    if all(f.is_number and f.is_comparable for f in found):
        return sorted(found, key=lambda f: f.evalf(20))
    return sorted(found, key=str)


def _system(equations: list[Any], variables: list[Any], decimals: bool) -> str:
    found = sp.solve(equations, variables, dict=True)
    if not found:
        return _NONE
    lines = [", ".join(_assignment(v, f[v], decimals) for v in variables if v in f) for f in found[:_SHOWN]]
    return "; or ".join(sorted(lines)) + (f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else "")


def _inequality(parts: list[Any], variables: list[Any], decimals: bool) -> str:
    x = variables[0]
    if any(p.free_symbols - {x} for p in parts):
        raise ToolError("an inequality needs exactly one variable")
    result = sp.S.Reals
    for part in parts:
        result = result.intersect(part.as_set())
    pieces = result.args if isinstance(result, sp.Union) else (result,)
    return " or ".join(_piece(p, x, decimals) for p in pieces)


def _piece(piece: Any, x: Any, decimals: bool) -> str:
    if piece == sp.S.EmptySet:
        return _NONE
    if piece == sp.S.Reals:
        return f"true for every {x}"
    if isinstance(piece, sp.FiniteSet):
        return " or ".join(f"{x} = {_bound(v, decimals)}" for v in piece)
    if isinstance(piece, sp.Complement) and isinstance(piece.args[1], sp.FiniteSet):
        return f"{_piece(piece.args[0], x, decimals)} except " + ", ".join(_bound(v, decimals) for v in piece.args[1])
    if not isinstance(piece, sp.Interval):
        raise ToolError("the inequality has no simple answer")
    low, high = _bound(piece.start, decimals), _bound(piece.end, decimals)
    if piece.end.is_infinite:
        return f"{x} {'>' if piece.left_open else '>='} {low}"
    if piece.start.is_infinite:
        return f"{x} {'<' if piece.right_open else '<='} {high}"
    return f"{low} {'<' if piece.left_open else '<='} {x} {'<' if piece.right_open else '<='} {high}"


def _bound(value: Any, decimals: bool) -> str:
    if value.is_Rational:
        return show_value(value, decimals, fractions=False).split(" = ")[0]
    return show_expr(value)


def _numeric(difference: Any, x: Any) -> str:
    """Roots by sign changes on a fine grid, then bisection to 12 digits."""
    if difference.free_symbols != {x}:
        raise ToolError("no closed form found for this equation")
    f = _compiled(difference)
    points = [n / 16 - 1 / 97 for n in range(-1600, 1601)]  # off the round numbers, where poles like to be
    values = [_safe(f, p) for p in points]
    found = [
        _bisect(f, a, b, fa)
        for a, b, fa, fb in zip(points, points[1:], values, values[1:], strict=False)
        if fa * fb < 0
    ]
    roots = sorted((r for r in found if r is not None), key=abs)
    if not roots:
        raise ToolError("no closed form found for this equation, and no root between -100 and 100")
    more = f" and {len(roots) - _SHOWN} more" if len(roots) > _SHOWN else ""
    return ", ".join(f"{x} = {show_real(Decimal(f'{r:.12g}'))}" for r in sorted(roots[:_SHOWN])) + f"{more} (numeric)"


_FLOATS: dict[Any, Callable[..., float]] = {
    sp.sin: math.sin, sp.cos: math.cos, sp.tan: math.tan, sp.exp: math.exp, sp.log: math.log, sp.Abs: abs,
    sp.asin: math.asin, sp.acos: math.acos, sp.atan: math.atan, sp.sinh: math.sinh, sp.cosh: math.cosh,
    sp.tanh: math.tanh, sp.Pow: math.pow, sp.Add: lambda *xs: math.fsum(xs), sp.Mul: lambda *xs: math.prod(xs),
}  # fmt: skip


def _compiled(expr: Any) -> Callable[[float], float]:
    """The expression as closures over floats; no code is generated. ToolError for a function not in the table."""
    if expr.is_Symbol:
        return lambda v: v
    if expr.is_number:
        constant = float(expr)
        return lambda v: constant
    function = _FLOATS.get(expr.func)
    if function is None:
        raise ToolError("no closed form found for this equation")
    parts = [_compiled(a) for a in expr.args]
    return lambda v: function(*(p(v) for p in parts))


def _safe(f: Callable[[float], float], v: float) -> float:
    try:
        return f(v)
    except (ValueError, ArithmeticError):
        return math.nan


def _bisect(f: Callable[[float], float], low: float, high: float, at_low: float) -> float | None:
    """The root between two points of different sign; None at a pole, where the value grows instead of vanishing."""
    for _ in range(80):
        middle = (low + high) / 2
        value = _safe(f, middle)
        if value == 0:
            return middle
        low, high = (middle, high) if value * at_low > 0 else (low, middle)
    near = round(low, 8)  # a flat root such as that of tan(x) = x at 0 is found a little beside
    low = near if abs(_safe(f, near)) <= abs(_safe(f, low)) else low
    return low if abs(_safe(f, low)) < 1e-6 * (1 + abs(at_low)) else None
