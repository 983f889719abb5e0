"""Exact rational arithmetic on a tree, in this process and without sympy: the fast path.

Whatever is not rational (a surd, pi, a variable) raises :class:`Hard`, and the caller asks the worker. Sizes are bounded
before a number is built, and the whole evaluation has a budget of work, so no input holds the process for long. A
fraction beyond 20,000 bits is rounded to at least 300 digits: it could not be shown exactly anyway.
"""

import math
import statistics
from collections import Counter
from collections.abc import Callable
from decimal import Context, Decimal
from fractions import Fraction

from llmos.kernel.tool import ToolError
from llmos.tools.calc_format import Number
from llmos.tools.calc_parse import Binary, Call, Name, Node, Num, Relation, Unary
from llmos.tools.calc_text import MAX_BITS

MAX_FACTORIAL = 20_000
_FRACTION_BITS = 20_000
_WORK = 1_000_000

Value = Number | bool | str | list[Number]


class Hard(Exception):
    """The tree is not rational arithmetic."""


def too_large(what: str = "the number") -> ToolError:
    """One line for a number past the bound."""
    return ToolError(f"{what} is too large: more than {int(MAX_BITS * math.log10(2)):,} digits")


class Exact:
    """One evaluation and its budget. ``value`` gives a number; ``top`` also what only a whole expression may be."""

    def __init__(self) -> None:
        self.work = 0

    def top(self, node: Node) -> Value:
        """The value of a whole expression: a number, yes/no as bool, a text, or a list."""
        if isinstance(node, Relation):
            return compare(node.op, self.value(node.left), self.value(node.right))
        if isinstance(node, Call) and node.name == "and":
            return all(self.top(a) for a in node.args)
        if isinstance(node, Call) and node.name in _LAST:
            return _LAST[node.name]([self.value(a) for a in node.args])
        return self.value(node)

    def value(self, node: Node) -> Number:
        """The number a tree stands for. Hard if it is not rational; ToolError for a mistake."""
        match node:
            case Num(value):
                return value
            case Unary(op, arg):
                return self.unary(op, self.value(arg))
            case Binary("mod", Binary("^", base, power), right):
                return self.power_mod(self.value(base), self.value(power), self.value(right))
            case Binary(op, left, right):
                return self.binary(op, self.value(left), self.value(right))
            case Call("mod", (left, right)):
                return self.value(Binary("mod", left, right))
            case Call(name, args) if name in _FUNCTIONS:
                return self.call(name, [self.value(a) for a in args])
            case Call(name) if name in _LAST:
                raise ToolError(f"{name}(...) must stand alone")
            case Name("true" | "false"):
                raise ToolError(f"'{node.text}' is not a number")
        raise Hard

    def call(self, name: str, args: list[Number]) -> Number:
        """A function of numbers."""
        if name in _FUNCTIONS:
            for arg in args:
                self.charge(arg)
            return self.tidy(_FUNCTIONS[name](*args))
        raise Hard

    def unary(self, op: str, x: Number) -> Number:
        """``-x``, ``x%`` or ``x!``."""
        if op == "-":
            return -x
        if op == "%":
            return Fraction(x) / 100
        if op == "!":
            return self.tidy(_factorial(x))
        raise Hard

    def binary(self, op: str, x: Number, y: Number) -> Number:
        """``x op y`` exactly."""
        self.charge(x)
        self.charge(y)
        if op == "^":
            return self.tidy(_power(x, y))
        if op == "+":
            return self.tidy(x + y)
        if op == "-":
            return self.tidy(x - y)
        if op == "*":
            return self.tidy(x * y)
        if op == "off":
            return self.tidy(y * (1 - x))
        if not y:
            raise ToolError("division by zero")
        return self.tidy(Fraction(x) / y if op == "/" else x % y)

    def power_mod(self, base: Number, power: Number, modulus: Number) -> Number:
        """``base^power mod modulus`` without making the power, where all three are whole."""
        if base.denominator == power.denominator == modulus.denominator == 1 and power >= 0 and modulus:
            for part in (base, power, modulus):
                if part.numerator.bit_length() > 2000:
                    raise too_large()
            return pow(int(base), int(power), int(modulus))
        return self.binary("mod", self.binary("^", base, power), modulus)

    def charge(self, x: Number) -> None:
        """Count the work of an operation on a long number: quadratic in its bits."""
        bits = x.numerator.bit_length() + x.denominator.bit_length()
        if bits > 4096:
            self.work += bits * bits // 1_000_000
            if self.work > _WORK:
                raise ToolError("the numbers are too long to work with")

    def tidy(self, x: Number) -> Number:
        """An int where whole; ToolError past MAX_BITS; a long fraction rounded."""
        top, bottom = x.numerator, x.denominator
        if bottom == 1:
            if top.bit_length() > MAX_BITS:
                raise too_large()
            return int(top)
        if top.bit_length() + bottom.bit_length() <= _FRACTION_BITS:
            return x
        self.charge(x)
        whole = top.bit_length() - bottom.bit_length()
        shift = max(1000 - whole, 64)
        if whole > MAX_BITS or shift > MAX_BITS + 1000:
            raise ToolError("the number is too large or too small")
        # The last bit is set so that the rounded number stays a fraction and is never shown as a whole number.
        return Fraction(((top << shift) // bottom) | 1, 1 << shift)


def compare(op: str, x: Number, y: Number) -> bool:
    """Whether ``x op y`` holds."""
    return {"=": x == y, "!=": x != y, "<": x < y, "<=": x <= y, ">": x > y, ">=": x >= y}[op]


def whole(x: Number, what: str) -> int:
    """``x`` as an int; ToolError naming ``what`` if it is not whole."""
    if x.denominator != 1:
        raise ToolError(f"{what} needs whole numbers")
    return int(x)


def _power(x: Number, y: Number) -> Number:
    if y.denominator != 1:
        return _root_power(x, Fraction(y))
    power = int(y)
    if not x and power < 0:
        raise ToolError("division by zero")
    if x in (0, 1) or power in (0, 1):
        return x**power
    if x == -1:
        return 1 if power % 2 == 0 else -1
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
    return _power(Fraction(top, bottom), y.numerator)


def iroot(n: int, k: int) -> int | None:
    """The whole k-th root of ``n >= 0`` if it is exact."""
    if n.bit_length() > _FRACTION_BITS:
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
        return -_power(-x, Fraction(1, k))
    return _power(x, Fraction(1, k))


def _factorial(x: Number) -> int:
    if x.denominator != 1 or not 0 <= x <= MAX_FACTORIAL:
        raise ToolError(f"factorial needs a whole number from 0 to {MAX_FACTORIAL}")
    return math.factorial(int(x))


def _binomial(n: Number, k: Number) -> int:
    top, bottom = whole(n, "binomial"), whole(k, "binomial")
    if top < 0 or bottom < 0:
        raise ToolError("binomial(n, k) needs n and k of at least 0")
    if bottom <= top and min(bottom, top - bottom) * top.bit_length() > MAX_BITS:
        raise too_large()
    return math.comb(top, bottom)


def _perm(n: Number, k: Number) -> int:
    top, bottom = whole(n, "perm"), whole(k, "perm")
    if top < 0 or bottom < 0:
        raise ToolError("perm(n, k) needs n and k of at least 0")
    if bottom * top.bit_length() > MAX_BITS and bottom <= top:
        raise too_large()
    return math.perm(top, bottom)


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
    scale = Fraction(10) ** n
    return (math.floor(abs(x) * scale + Fraction(1, 2)) / scale) * (1 if x >= 0 else -1)


def _median(*xs: Number) -> Number:
    ranked = sorted(xs)
    half = len(ranked) // 2
    return ranked[half] if len(ranked) % 2 else Fraction(ranked[half - 1] + ranked[half]) / 2


def _spread(xs: tuple[Number, ...], less: int) -> Fraction:
    if len(xs) <= less:
        raise ToolError("a sample's spread needs at least two numbers")
    mean = Fraction(sum(xs)) / len(xs)
    return Fraction(sum((x - mean) ** 2 for x in xs)) / (len(xs) - less)


def _lcm(*xs: Number) -> int:
    if sum(x.numerator.bit_length() for x in xs) > _FRACTION_BITS:
        raise too_large()
    return math.lcm(*(whole(x, "lcm") for x in xs))


def _pow(x: Number, y: Number, modulus: Number | None = None) -> Number:
    return _power(x, y) if modulus is None else Exact().power_mod(x, y, modulus)


def _fibonacci(x: Number) -> int:
    if x.denominator != 1 or not 0 <= x <= 100_000:
        raise ToolError("fibonacci needs a whole number from 0 to 100000")
    low, high = 0, 1
    for bit in f"{int(x):b}":
        low, high = low * (2 * high - low), low * low + high * high
        if bit == "1":
            low, high = high, low + high
    return low


def is_prime(n: int) -> bool:
    """Miller-Rabin with the first 13 primes, which decides every n below 3.3e24; above it, Hard."""
    if n >= 3317044064679887385961981:
        raise Hard
    primes = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41)
    if n < 2 or any(n % p == 0 for p in primes):
        return n in primes
    twos = ((n - 1) & (1 - n)).bit_length() - 1
    for base in primes:
        x = pow(base, (n - 1) >> twos, n)
        if x != 1 and all(pow(x, 1 << i, n) != n - 1 for i in range(twos)):
            return False
    return True


def factor_pairs(n: int) -> list[tuple[int, int]]:
    """Primes and powers of ``2 <= n < 1e12`` by trial division; Hard above."""
    if n >= 10**12:
        raise Hard
    found: Counter[int] = Counter()
    p = 2
    while p * p <= n:
        while n % p == 0:
            found[p] += 1
            n //= p
        p += 1 if p == 2 else 2
    if n > 1:
        found[n] += 1
    return sorted(found.items())


def _factorint(args: list[Number]) -> str:
    n = whole(args[0], "factorint")
    if n < 2:
        raise ToolError("factorint needs a whole number of at least 2")
    return " * ".join(str(p) if k == 1 else f"{p}^{k}" for p, k in factor_pairs(n))


def _divisors(args: list[Number]) -> list[Number]:
    n = whole(args[0], "divisors")
    if n < 1:
        raise ToolError("divisors needs a whole number of at least 1")
    found: list[Number] = [1]
    for p, k in factor_pairs(n):
        found = [d * p**i for d in found for i in range(k + 1)]
    return sorted(found)


_LAST: dict[str, Callable[[list[Number]], Value]] = {
    "isprime": lambda args: "yes" if is_prime(whole(args[0], "isprime")) else "no",
    "factorint": _factorint,
    "divisors": _divisors,
    "mode": lambda args: sorted(statistics.multimode(args)),
}
_FUNCTIONS: dict[str, Callable[..., Number]] = {
    "sqrt": lambda x: _power(x, Fraction(1, 2)), "cbrt": lambda x: _root(x, 3), "root": _root, "pow": _pow, "abs": abs,
    "factorial": _factorial, "binomial": _binomial, "perm": _perm, "fibonacci": _fibonacci, "hypot": lambda x, y: _power(x * x + y * y, Fraction(1, 2)),
    "ln": _ln, "log": lambda x, base=None: _ln(x) if base is None else _log(x, base), "log10": lambda x: _log(x, 10), "log2": lambda x: _log(x, 2),
    "floor": math.floor, "ceil": math.ceil, "trunc": math.trunc, "round": _round, "sign": lambda x: (x > 0) - (x < 0),
    "gcd": lambda *xs: math.gcd(*(whole(x, "gcd") for x in xs)), "lcm": _lcm, "min": min, "max": max,
    "sum": lambda *xs: sum(xs), "product": math.prod, "mean": lambda *xs: Fraction(sum(xs)) / len(xs), "median": _median,
    "variance": lambda *xs: _spread(xs, 1), "pvariance": lambda *xs: _spread(xs, 0),
    "std": lambda *xs: _power(_spread(xs, 1), Fraction(1, 2)), "pstd": lambda *xs: _power(_spread(xs, 0), Fraction(1, 2)),
}  # fmt: skip
