"""Whole numbers: factorials, primes, factors, and the bounds that keep every exact number small enough to make."""

import math
from collections import Counter

from llmos.kernel.tool import ToolError
from llmos.tools.calc_format import Number
from llmos.tools.calc_text import MAX_BITS

MAX_FACTORIAL = 20_000
_SHORT_BITS = 20_000


class Hard(Exception):
    """The tree is not rational arithmetic."""


def too_large(what: str = "the number") -> ToolError:
    """One line for a number past the bound."""
    return ToolError(f"{what} is too large: more than {int(MAX_BITS * math.log10(2)):,} digits")


def whole(x: Number, what: str) -> int:
    """``x`` as an int; ToolError naming ``what`` if it is not whole."""
    if x.denominator != 1:
        raise ToolError(f"{what} needs whole numbers")
    return int(x)


def factorial(x: Number) -> int:
    if x.denominator != 1 or not 0 <= x <= MAX_FACTORIAL:
        raise ToolError(f"factorial needs a whole number from 0 to {MAX_FACTORIAL}")
    return math.factorial(int(x))


def binomial(n: Number, k: Number) -> int:
    top, bottom = whole(n, "binomial"), whole(k, "binomial")
    if top < 0 or bottom < 0:
        raise ToolError("binomial(n, k) needs n and k of at least 0")
    if bottom <= top and min(bottom, top - bottom) * top.bit_length() > MAX_BITS:
        raise too_large()
    return math.comb(top, bottom)


def perm(n: Number, k: Number) -> int:
    top, bottom = whole(n, "perm"), whole(k, "perm")
    if top < 0 or bottom < 0:
        raise ToolError("perm(n, k) needs n and k of at least 0")
    if bottom * top.bit_length() > MAX_BITS and bottom <= top:
        raise too_large()
    return math.perm(top, bottom)


def lcm(*xs: Number) -> int:
    if sum(x.numerator.bit_length() for x in xs) > _SHORT_BITS:
        raise too_large()
    return math.lcm(*(whole(x, "lcm") for x in xs))


def power_mod(base: Number, exponent: Number, modulus: Number) -> int | None:
    """``base^exponent mod modulus`` without making the power; None where one of them is not whole or is negative."""
    if not base.denominator == exponent.denominator == modulus.denominator == 1 or exponent < 0 or not modulus:
        return None
    if any(part.numerator.bit_length() > 2000 for part in (base, exponent, modulus)):
        raise too_large()
    return pow(int(base), int(exponent), int(modulus))


def fibonacci(x: Number) -> int:
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


def factorint(args: list[Number]) -> str:
    n = whole(args[0], "factorint")
    if n < 2:
        raise ToolError("factorint needs a whole number of at least 2")
    return show_factors(factor_pairs(n))


def show_factors(pairs: list[tuple[int, int]]) -> str:
    """``2^3 * 3^2 * 5``, ``97 (prime)``."""
    text = " * ".join(str(p) if k == 1 else f"{p}^{k}" for p, k in pairs)
    return f"{text} (prime)" if len(pairs) == 1 and pairs[0][1] == 1 else text or "1"


def divisors(args: list[Number]) -> list[Number]:
    n = whole(args[0], "divisors")
    if n < 1:
        raise ToolError("divisors needs a whole number of at least 1")
    found: list[Number] = [1]
    for p, k in factor_pairs(n):
        found = [d * p**i for d in found for i in range(k + 1)]
    return sorted(found)
