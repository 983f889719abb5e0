"""Exact rational arithmetic on a tree, in this process and without sympy: the fast path.

Whatever is not rational (a surd, pi, a variable) raises ``Hard``, and the caller asks the worker. Sizes are bounded
before a number is built, and the whole evaluation has a budget of work, so no input holds the process for long. A
fraction beyond 20,000 bits is rounded to at least 300 digits: it could not be shown exactly anyway.
"""

from fractions import Fraction

from llmos.kernel.tool import ToolError
from llmos.tools.calc_format import Number
from llmos.tools.calc_functions import FUNCTIONS, LAST, Value, compare, power
from llmos.tools.calc_text import MAX_BITS
from llmos.tools.calc_tree import Binary, Call, Name, Node, Num, Relation, Unary
from llmos.tools.calc_whole import Hard, factorial, power_mod, too_large

_FRACTION_BITS = 20_000
_WORK = 1_000_000


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
        if isinstance(node, Call) and node.name in LAST:
            return LAST[node.name]([self.value(a) for a in node.args])
        return self.value(node)

    def value(self, node: Node) -> Number:
        """The number a tree stands for. Hard if it is not rational; ToolError for a mistake."""
        match node:
            case Num(value):
                return value
            case Unary(op, arg):
                return self.unary(op, self.value(arg))
            case Binary("mod", Binary("^", base, exponent), right):
                return self.remainder(self.value(base), self.value(exponent), self.value(right))
            case Binary(op, left, right):
                return self.binary(op, self.value(left), self.value(right))
            case Call("mod", (left, right)):
                return self.value(Binary("mod", left, right))
            case Call(name, args) if name in FUNCTIONS:
                return self.call(name, [self.value(a) for a in args])
            case Call(name) if name in LAST:
                raise ToolError(f"{name}(...) must stand alone")
            case Name("true" | "false"):
                raise ToolError(f"'{node.text}' is not a number")
        raise Hard

    def call(self, name: str, args: list[Number]) -> Number:
        """A function of numbers."""
        if name in FUNCTIONS:
            for arg in args:
                self.charge(arg)
            if sum(a.numerator.bit_length() for a in args) > 2 * MAX_BITS:
                raise too_large()
            return self.tidy(FUNCTIONS[name](*args))
        raise Hard

    def unary(self, op: str, x: Number) -> Number:
        """``-x``, ``x%`` or ``x!``."""
        if op == "-":
            return -x
        if op == "%":
            return Fraction(x) / 100
        if op == "!":
            return self.tidy(factorial(x))
        raise Hard

    def binary(self, op: str, x: Number, y: Number) -> Number:
        """``x op y`` exactly."""
        self.charge(x)
        self.charge(y)
        if op == "^":
            return self.tidy(power(x, y))
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

    def remainder(self, base: Number, exponent: Number, modulus: Number) -> Number:
        """``base^exponent mod modulus``, by the short way where all are whole."""
        short = power_mod(base, exponent, modulus)
        return self.binary("mod", self.binary("^", base, exponent), modulus) if short is None else short

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
