"""Numbers to text: exact where that is short, else 12 significant digits."""

from decimal import Context, Decimal
from fractions import Fraction

DIGITS = 12
MAX_DIGITS = 2000  # of an integer written out

Number = int | Fraction
_WIDE = Context(prec=60, Emax=10**15, Emin=-(10**15))


def show_number(value: Number, decimals: bool = False, fractions: bool = False) -> str:
    """``372``, ``37.2``, ``7/12 = 0.583333333333``.

    ``decimals``: the input had decimals or percentages, so a fraction says nothing; ``fractions``: it was a sum of
    fractions, so the fraction is wanted even where the decimal ends.
    """
    if value.denominator == 1:
        return show_integer(int(value))
    short = show_decimal(value)
    exact = f"{value.numerator}/{value.denominator}" if max(abs(value.numerator), value.denominator) < 10**12 else ""
    if decimals or not exact or (_ends(value) and not fractions):
        return short
    return f"{exact} = {short}"


def show_mixed(value: Number) -> str:
    """``2 3/4 = 2.75``, ``-1 1/2 = -1.5``; what has no whole part, or is whole, as ever."""
    whole, rest = divmod(Fraction(value if value >= 0 else -value), 1)
    if not whole or not rest or rest.denominator >= 10**12:
        return show_number(value, fractions=True)
    return f"{'-' * (value < 0)}{whole} {rest} = {show_decimal(value)}"


def show_scientific(value: Number) -> str:
    """``4.5 * 10^4``, to 12 digits."""
    exact = Context(prec=DIGITS).divide(Decimal(value.numerator), Decimal(value.denominator))
    digits, _, power = _scientific(exact).partition("e")
    return f"{digits} * 10^{power}"


def show_integer(value: int) -> str:
    """All its digits up to MAX_DIGITS, else ``1.99506311688e3010 (rounded; 3011 digits)``."""
    if value.bit_length() <= MAX_DIGITS * 3.3219:
        return str(value)
    rounded = Context(prec=DIGITS).create_decimal(value)
    if rounded.adjusted() < MAX_DIGITS:
        return str(value)
    return f"{_scientific(rounded)} (rounded; {Decimal(value).adjusted() + 1} digits)"


def show_decimal(value: Number, exact_up_to: int = 18) -> str:
    """Plain decimals: all of them where they end within ``exact_up_to`` digits, else 12 digits (2 places at least)."""
    if value.denominator == 1:
        return show_integer(int(value))
    wide = Context(prec=30)
    exact = wide.divide(wide.create_decimal(value.numerator), wide.create_decimal(value.denominator))
    if _ends(value) and len(exact.normalize(wide).as_tuple().digits) <= exact_up_to:
        return show_real(exact.normalize(wide))
    whole = exact.adjusted() + 1
    return show_real(Context(prec=max(DIGITS, whole + 2 if whole <= 18 else 0)).plus(exact))


def show_real(value: Decimal) -> str:
    """A decimal without trailing zeros; scientific (``3.2e-9``) beyond 21 digits either way."""
    value = value.normalize(_WIDE)
    if not value:
        return "0"
    return f"{value:f}" if -7 < value.adjusted() < 21 else _scientific(value)


def _scientific(value: Decimal) -> str:
    digits, _, power = f"{value.normalize(_WIDE):e}".partition("e")
    return f"{digits}e{int(power)}"


def _ends(value: Number) -> bool:
    rest = value.denominator
    if rest.bit_length() > 200:
        return False
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    return rest == 1
