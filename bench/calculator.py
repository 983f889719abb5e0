"""The calculator against `sympy.sympify` on the same honest expressions, in the same run.

sympify is the peer because it is what most calculator tools call; it evaluates its input as Python, this one does not.
Both are warm (sympy caches results, for either side); first calls are measured in fresh processes, imports included.
Does not measure correctness: that is for the tests.
"""

import json as jsonlib
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version

from llmos.tools.calculator import evaluate

PLAIN = [  # (for the calculator, for sympify)
    ("15% * 2480", "15/100 * 2480"),
    ("3/4 + 5/6", "Rational(3, 4) + Rational(5, 6)"),
    ("80 * (1 - 20%)", "80 * (1 - 20/100)"),
    ("(85 + 90 + 92) / 4", "(85 + 90 + 92) / 4"),
    ("2^64", "2**64"),
    ("sqrt(144)", "sqrt(144)"),
    ("20!", "factorial(20)"),
    ("gcd(84, 126)", "gcd(84, 126)"),
    ("1234.5 * 1.07^5", "1234.5 * 1.07**5"),
    ("binomial(40, 12)", "binomial(40, 12)"),
]
ALGEBRA = [
    ("sqrt(2) + pi", "N(sqrt(2) + pi)"),
    ("sin(1) * ln(3)", "N(sin(1) * log(3))"),
    ("solve(x^2 - 5x + 6 = 0)", "solve(x**2 - 5*x + 6, x)"),
    ("solve(2*x + 3 = 11, x)", "solve(2*x + 3 - 11, x)"),
    ("diff(x^2 * sin(x), x)", "diff(x**2 * sin(x), x)"),
    ("integrate(x^2, x, 0, 3)", "integrate(x**2, (x, 0, 3))"),
    ("limit(sin(x)/x, x, 0)", "limit(sin(x)/x, x, 0)"),
    ("expand((x + 1)^5)", "expand((x + 1)**5)"),
    ("factor(x^3 - 1)", "factor(x**3 - 1)"),
    ("series(exp(x), x, 0, 5)", "series(exp(x), x, 0, 5)"),
]
ROUNDS = 15
FIRST = 5


def main(json: bool = False) -> int:
    """Measure and print a table, or with ``json`` one object: figures in milliseconds and ratios, 95% intervals."""
    figures: dict[str, float] = {}
    intervals: dict[str, list[float]] = {}
    for name, samples in measure().items():
        ranked = sorted(samples)
        figures[name] = statistics.median(ranked)
        intervals[name] = [ranked[round(0.025 * (len(ranked) - 1))], ranked[round(0.975 * (len(ranked) - 1))]]
    if json:
        machine = f"{platform.machine()} {platform.system()}, Python {platform.python_version()}"
        found = {"name": "calculator", "machine": machine, "version": version("llmos"), "figures": figures}
        print(jsonlib.dumps({**found, "intervals": intervals}))
    else:
        for name, value in figures.items():
            print(f"{name:28} {value:10.3f}   [{intervals[name][0]:.3f}, {intervals[name][1]:.3f}]")
    return 0


def measure() -> dict[str, list[float]]:
    """Every figure's samples, one a round; the two sides take turns within a round."""
    from sympy import sympify

    found: dict[str, list[float]] = {}
    for group, pairs in (("plain", PLAIN), ("algebra", ALGEBRA)):
        ours, theirs = [a for a, _ in pairs], [b for _, b in pairs]
        _median_ms(lambda text: evaluate(text, 60), ours)  # warm both
        _median_ms(sympify, theirs)
        for _ in range(ROUNDS):
            mine, peer = _median_ms(lambda text: evaluate(text, 60), ours), _median_ms(sympify, theirs)
            found.setdefault(f"{group}_ms", []).append(mine)
            found.setdefault(f"{group}_sympify_ms", []).append(peer)
            found.setdefault(f"{group}_speedup", []).append(peer / mine)
    for _ in range(FIRST):
        mine = _first_ms("from llmos.tools.calculator import evaluate; evaluate('15% * 2480')")
        peer = _first_ms("from sympy import sympify; sympify('15/100 * 2480')")
        found.setdefault("first_ms", []).append(mine)
        found.setdefault("first_sympify_ms", []).append(peer)
        found.setdefault("first_speedup", []).append(peer / mine)
    return found


def _median_ms(function: Callable[[str], object], texts: list[str]) -> float:
    """The median over the texts of the time for one, in milliseconds."""
    times = []
    for text in texts:
        start = time.perf_counter()
        function(text)
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1000


def _first_ms(code: str) -> float:
    """Milliseconds from within a fresh process, its own start not counted, imports counted."""
    timed = f"import time; t = time.perf_counter(); {code}; print((time.perf_counter() - t) * 1000)"
    return float(subprocess.run([sys.executable, "-c", timed], capture_output=True, text=True, check=True).stdout)


if __name__ == "__main__":
    sys.exit(main("--json" in sys.argv))
