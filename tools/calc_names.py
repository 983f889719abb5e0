"""The names the calculator knows: functions with their number of arguments, their other spellings, and constants."""

import re
from collections.abc import Sequence

MANY = 200


def _words(text: str) -> Sequence[str]:
    return text.split()


# name: (fewest, most) arguments
FUNCTIONS: dict[str, tuple[int, int]] = {
    **dict.fromkeys(_words("""sqrt cbrt abs factorial ln log10 log2 exp floor ceil trunc sign sin cos tan sec csc cot
        asin acos atan sinh cosh tanh asinh acosh atanh degrees radians isprime factorint divisors fibonacci re im
        conjugate expand factor simplify apart together cancel"""), (1, 1)),
    **dict.fromkeys(_words("gcd lcm min max sum product mean median mode std pstd variance pvariance"), (1, MANY)),
    **dict.fromkeys(_words("root mod binomial perm atan2 hypot rem quo"), (2, 2)),
    "eq": (2, 2), "round": (1, 2), "log": (1, 2), "pow": (2, 3), "solve": (1, 20), "diff": (1, 5), "integrate": (1, 4),
    "limit": (3, 4), "series": (2, 4), "summation": (4, 4), "subs": (3, 3),
}  # fmt: skip
ALGEBRA = frozenset(
    _words("solve diff integrate limit series summation subs expand factor simplify apart together cancel rem quo")
)
DATE_FUNCTIONS: dict[str, tuple[int, int]] = {
    "days": (2, 2), "weeks": (2, 2), "months": (2, 2), "years": (2, 2), "age": (1, 2), "workdays": (2, 2),
    "weekday": (1, 1), "date": (1, 3), "leap": (1, 1), "week": (1, 1), "today": (0, 0),
    "clock": (1, 1),
}  # fmt: skip
ALIASES = {
    "arcsin": "asin", "arccos": "acos", "arctan": "atan", "average": "mean", "avg": "mean", "ncr": "binomial",
    "comb": "binomial", "choose": "binomial", "npr": "perm", "permutations": "perm", "combinations": "binomial",
    "stdev": "std", "stddev": "std", "stdevp": "pstd", "pstdev": "pstd", "var": "variance", "pvar": "pvariance",
    "derivative": "diff", "differentiate": "diff", "integral": "integrate", "lim": "limit", "taylor": "series",
    "modulo": "mod", "ceiling": "ceil", "fact": "factorial", "sgn": "sign", "nthroot": "root", "gcf": "gcd",
    "hcf": "gcd", "prod": "product", "prime": "isprime", "is_prime": "isprime", "primefactors": "factorint",
    "prime_factors": "factorint", "factorize": "factorint", "factorise": "factor", "simplify_fraction": "simplify",
    "lg": "log10", "log_10": "log10", "log_2": "log2",
    "maximum": "max", "minimum": "min", "fib": "fibonacci", "absolute": "abs", "int": "trunc",
    "days_between": "days", "weeks_between": "weeks", "months_between": "months",
    "years_between": "years", "day_of_week": "weekday", "dayofweek": "weekday", "isleap": "leap", "is_leap": "leap",
    "networkdays": "workdays",
}  # fmt: skip
CONSTANTS = frozenset({"pi", "e", "oo", "inf", "infinity", "i", "tau", "phi", "true", "false"})
DAY_WORDS = {"today": 0, "now": 0, "tomorrow": 1, "yesterday": -1}
SIGNATURES = {**FUNCTIONS, **DATE_FUNCTIONS}
CALLABLE = frozenset(SIGNATURES) | frozenset(ALIASES)
BINDERS = frozenset({"solve", "diff", "integrate", "limit", "series", "summation", "subs", "sum", "product"})
_VARIABLE = re.compile(r"[A-Za-z](?:_?\d{1,3}|_[A-Za-z])?")
_GREEK = frozenset(
    _words("alpha beta gamma delta epsilon theta lambda mu omega sigma rho kappa eta zeta psi chi xi nu")
)


def is_variable(name: str) -> bool:
    """Whether ``name`` may be a variable without being named as one: ``x``, ``x_1``, ``theta``."""
    return bool(_VARIABLE.fullmatch(name)) or name.lower() in _GREEK
