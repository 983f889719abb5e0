"""The calculator's functions of exact numbers, in this process and without sympy.

A result that is not rational raises :class:`Hard`; sizes are bounded before a number is built.
"""

import math
import statistics
from collections.abc import Callable
from decimal import Context, Decimal
from fractions import Fraction

from llmos.kernel.tool import ToolError
from llmos.tools.calc_format import Number
from llmos.tools.calc_text import MAX_BITS
from llmos.tools.calc_whole import (
    Hard,
    binomial,
    divisors,
    factorial,
    factorint,
    fibonacci,
    is_prime,
    lcm,
    perm,
    power_mod,
    too_large,
    whole,
)

_ROOT_BITS = 20_000

Value = Number | bool | str | list[Number]


def compare(op: str, x: Number, y: Number) -> bool:
    """Whether ``x op y`` holds."""
    return {"=": x == y, "!=": x != y, "<": x < y, "<=": x <= y, ">": x > y, ">=": x >= y}[op]


def power(x: Number, y: Number) -> Number:
    if y.denominator != 1:
        return _root_power(x, Fraction(y))
    power = int(y)
    if not x and power < 0:
        raise ToolError("division by zero")
    if power == 0 or x == 1:
        return 1
    if x == 0:
        return 0
    if x == -1:
        return -1 if power % 2 else 1
    bits = max(x.numerator.bit_length(), x.denominator.bit_length())
    size = (bits - 1) * abs(power)
    if size <= MAX_BITS:
        return Fraction(x) ** power
    if x.denominator == 1 or power.bit_length() > 60:
        raise too_large()
    return _rough_power(Fraction(x), power)


def _rough_power(x: Fraction, power: int) -> Fraction:
    """A fraction to a high power, to 60 digits: (1 + 0.05/365)^100000."""
    context = Context(prec=80, Emax=10**9, Emin=-(10**9))
    try:
        base = context.divide(Decimal(x.numerator), Decimal(x.denominator))
        found = context.power(base, power)
    except ArithmeticError:
        raise too_large() from None
    if not found or abs(found.adjusted()) > MAX_BITS * 0.3:
        raise too_large() if abs(x) > 1 else ToolError("the number is too small")
    # A third keeps it from looking whole or terminating: it is rounded.
    return Fraction(found) * (1 + Fraction(1, 3 * 10**70))


def _root_power(x: Number, y: Fraction) -> Number:
    if x < 0 or y.denominator > 1000:
        raise Hard
    top, bottom = iroot(x.numerator, y.denominator), iroot(x.denominator, y.denominator)
    if top is None or bottom is None:
        raise Hard
    return power(Fraction(top, bottom), y.numerator)


def iroot(n: int, k: int) -> int | None:
    """The whole k-th root of ``n >= 0`` if it is exact."""
    if n.bit_length() > _ROOT_BITS:
        raise Hard
    if k == 2:
        root = math.isqrt(n)
    else:
        root = 1 << -(-n.bit_length() // k)
        while root**k > n:  # Newton from above: it falls to the floor of the root
            root = ((k - 1) * root + n // root ** (k - 1)) // k
    return root if root**k == n else None


def _root(x: Number, n: Number) -> Number:
    k = whole(n, "root")
    if not 0 < abs(k) <= 1000:
        raise ToolError("root(x, n) needs a whole n from 1 to 1000")
    if x < 0 and k % 2:
        return -power(-x, Fraction(1, k))
    return power(x, Fraction(1, k))


def _log(x: Number, base: Number) -> Number:
    """An exact logarithm (log(8, 2), log10(0.001)), else Hard."""
    if x <= 0 or base <= 0 or base == 1:
        raise ToolError("a logarithm needs a number above 0, and a base above 0 that is not 1")
    for count in (round(_log2(x) / _log2(base)) if x != 1 else 0,):
        if abs(count) * max(base.numerator.bit_length(), base.denominator.bit_length()) <= MAX_BITS:
            exact = Fraction(base) ** count
            if exact == x:
                return count
    raise Hard


def _log2(x: Number) -> float:
    return math.log2(x.numerator) - math.log2(x.denominator)


def _ln(x: Number) -> Number:
    if not x:
        raise ToolError("the logarithm of 0 is not defined")
    if x == 1:
        return 0
    raise Hard


def _round(x: Number, places: Number = 0) -> Number:
    """To ``places`` decimals, halves away from zero, as people round."""
    n = whole(places, "round")
    if abs(n) > 1000:
        raise ToolError("round(x, n) needs n from -1000 to 1000")
    scale = Fraction(f"1e{n}")
    size = math.floor((x if x >= 0 else -x) * scale + Fraction(1, 2)) / scale
    return size if x >= 0 else -size


def _pow(x: Number, y: Number, modulus: Number | None = None) -> Number:
    if modulus is None:
        return power(x, y)
    short = power_mod(x, y, modulus)
    if short is None:
        raise ToolError("pow(a, b, m) needs whole numbers, b of at least 0 and m not 0")
    return short


def _median(*xs: Number) -> Number:
    ranked = sorted(xs)
    half = len(ranked) // 2
    return ranked[half] if len(ranked) % 2 else Fraction(ranked[half - 1] + ranked[half]) / 2


def _spread(xs: tuple[Number, ...], less: int) -> Fraction:
    if len(xs) <= less:
        raise ToolError("a sample's spread needs at least two numbers")
    mean = Fraction(sum(xs)) / len(xs)
    return Fraction(sum((x - mean) ** 2 for x in xs)) / (len(xs) - less)


LAST: dict[str, Callable[[list[Number]], Value]] = {
    "isprime": lambda args: "yes" if is_prime(whole(args[0], "isprime")) else "no",
    "factorint": factorint,
    "divisors": divisors,
    "mode": lambda args: sorted(statistics.multimode(args)),
}
FUNCTIONS: dict[str, Callable[..., Number]] = {
    "sqrt": lambda x: power(x, Fraction(1, 2)),
    "cbrt": lambda x: _root(x, 3),
    "root": _root,
    "pow": _pow,
    "abs": abs,
    "factorial": factorial,
    "binomial": binomial,
    "perm": perm,
    "fibonacci": fibonacci,
    "hypot": lambda x, y: power(x * x + y * y, Fraction(1, 2)),
    "ln": _ln,
    "log": lambda x, base=None: _ln(x) if base is None else _log(x, base),
    "log10": lambda x: _log(x, 10),
    "log2": lambda x: _log(x, 2),
    "floor": math.floor,
    "ceil": math.ceil,
    "trunc": math.trunc,
    "round": _round,
    "sign": lambda x: (x > 0) - (x < 0),
    "gcd": lambda *xs: math.gcd(*(whole(x, "gcd") for x in xs)),
    "lcm": lcm,
    "min": lambda *xs: min(xs),
    "max": lambda *xs: max(xs),
    "sum": lambda *xs: sum(xs),
    "product": lambda *xs: math.prod(xs),
    "mean": lambda *xs: Fraction(sum(xs)) / len(xs),
    "median": _median,
    "variance": lambda *xs: _spread(xs, 1),
    "pvariance": lambda *xs: _spread(xs, 0),
    "std": lambda *xs: power(_spread(xs, 1), Fraction(1, 2)),
    "pstd": lambda *xs: power(_spread(xs, 0), Fraction(1, 2)),
}
