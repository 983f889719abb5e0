"""Sympy results to text. Imports sympy: for the worker only."""

from decimal import Context, Decimal
from fractions import Fraction
from typing import Any

import sympy as sp
from sympy.printing.str import StrPrinter

from llmos.kernel.tool import ToolError
from llmos.tools.calc_format import DIGITS, show_number, show_real

MAX_TEXT = 10_000  # characters of a result
_LONGEST = 48  # characters of an exact form worth showing beside its decimals


class _Printer(StrPrinter):  # type: ignore[misc]
    """``x^2``, ``ln(x)``, ``i``, ``e^x``, ``infinity``."""

    def _print_log(self, expr: Any) -> str:
        return f"ln({self._print(expr.args[0])})"

    def _print_Abs(self, expr: Any) -> str:
        return f"abs({self._print(expr.args[0])})"

    def _print_ceiling(self, expr: Any) -> str:
        return f"ceil({self._print(expr.args[0])})"

    def _print_Min(self, expr: Any) -> str:
        return f"min({', '.join(sorted(self._print(a) for a in expr.args))})"

    def _print_Max(self, expr: Any) -> str:
        return f"max({', '.join(sorted(self._print(a) for a in expr.args))})"

    def _print_Exp1(self, expr: Any) -> str:
        return "e"

    def _print_ImaginaryUnit(self, expr: Any) -> str:
        return "i"

    def _print_Infinity(self, expr: Any) -> str:
        return "infinity"

    def _print_NegativeInfinity(self, expr: Any) -> str:
        return "-infinity"

    def _print_Order(self, expr: Any) -> str:
        return f"O({self._print(expr.expr)})"

    def _print_Float(self, expr: Any) -> str:
        return _real(expr)

    def _print_Mul(self, expr: Any) -> str:
        # ln(50)/ln(10) reads better as the logarithm it is.
        logs = {p.args[0]: p for p in expr.args if isinstance(p, sp.Pow) and p.exp == -1 and isinstance(p.base, sp.log)}
        tops = [f for f in expr.args if isinstance(f, sp.log)]
        if len(expr.args) == 2 and len(logs) == 1 and len(tops) == 1:
            base = next(iter(logs)).args[0]
            name, last = {10: ("log10", ""), 2: ("log2", "")}.get(base, ("log", f", {self._print(base)}"))
            return f"{name}({self._print(tops[0].args[0])}{last})"
        return str(super()._print_Mul(expr))


def show_expr(expr: Any, decimals: bool = False) -> str:
    """An expression in calculator notation; ``decimals`` writes its fractions as decimals."""
    if decimals and not any(not p.exp.is_Integer for p in expr.atoms(sp.Pow)):
        expr = expr.xreplace({r: sp.Float(r, 20) for r in expr.atoms(sp.Rational) if not r.is_Integer})
    text = str(_Printer({"order": None}).doprint(expr)).replace("**", "^")
    if len(text) > MAX_TEXT:
        raise ToolError(f"the result is too long to show: {len(text):,} characters")
    return text


def show_value(expr: Any, decimals: bool = False, fractions: bool = True) -> str:
    """A result: ``sqrt(2) = 1.41421356237``, ``1/2 = 0.5``, ``infinity``, or an expression with its variables.

    ToolError if it has no value (0/0, 1/0).
    """
    if expr in (sp.true, sp.false):
        return "true" if expr == sp.true else "false"
    if expr.has(sp.nan, sp.zoo):
        raise ToolError("the result is not defined")
    if expr.free_symbols or expr.is_infinite:
        return show_expr(expr, decimals)
    if expr.is_Rational:
        return show_number(Fraction(int(expr.p), int(expr.q)), decimals, fractions)
    return _constant(expr, decimals)


def _constant(expr: Any, decimals: bool) -> str:
    real, imaginary = parts(expr)
    if real.is_Rational and imaginary == 0:
        return show_value(real, decimals)
    if imaginary != 0:
        expr = real + sp.I * imaginary
    exact = show_expr(expr)
    short = decimal_text(real, imaginary)
    if len(exact) > _LONGEST or exact == short or decimals or expr.has(sp.CRootOf, sp.LambertW, sp.Integral, sp.Sum):
        return short
    if real.is_Rational and imaginary.is_Rational:
        return exact
    return f"{exact} = {short}"


def parts(expr: Any) -> tuple[Any, Any]:
    """The real and the imaginary part of a number, either exactly 0 where it is 0."""
    if expr.is_real:
        return _cleared(expr), sp.Integer(0)
    real, imaginary = sp.expand_complex(expr).as_real_imag()
    return _cleared(real), _cleared(imaginary)


def _cleared(expr: Any) -> Any:
    if expr.is_Rational:
        return expr
    value = expr.evalf(20)
    if value.is_Float and abs(value) < 1e-15 and sp.simplify(expr) == 0:
        return sp.Integer(0)
    return expr


def decimal_text(real: Any, imaginary: Any) -> str:
    """``1.5`` or ``1 + 1.73205080757*i``."""
    if imaginary == 0:
        return _real(real)
    size = _real(abs(imaginary))
    factor = "i" if size == "1" else f"{size}*i"
    negative = bool(imaginary.evalf(5) < 0)
    if real == 0:
        return f"-{factor}" if negative else factor
    return f"{_real(real)} {'-' if negative else '+'} {factor}"


def _real(expr: Any) -> str:
    value = expr.evalf(25)
    if not value.is_Float and not value.is_Rational:
        raise ToolError("the result has no decimal value")
    try:
        exact = Decimal(str(sp.sstr(value.evalf(25), full_prec=True)))
        whole = exact.adjusted() + 1
        context = Context(prec=max(DIGITS, whole + 2 if whole <= 16 else 0), Emax=10**15, Emin=-(10**15))
        return show_real(context.plus(exact))
    except ArithmeticError:
        raise ToolError("the result is too large or too small for decimals") from None
