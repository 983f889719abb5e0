"""Properties of the calculator that hold for every input: exact arithmetic, one line, no other exception."""

import math
import string
from collections.abc import Callable
from datetime import date
from fractions import Fraction

import hypothesis.strategies as st
from hypothesis import HealthCheck, given, settings

from llmos.kernel.tool import ToolError
from llmos.tools.calc_worker import Worker
from llmos.tools.calculator import evaluate

quick = settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))


class NoWorker(Worker):
    """Stands in for sympy, so that only this process is tried."""

    def ask(self, text: str, timeout: float) -> str:
        raise ToolError("this would need sympy")


NOBODY = NoWorker()

Pair = tuple[str, Fraction]


def _leaf() -> st.SearchStrategy[Pair]:
    whole = st.integers(0, 10**6).map(lambda n: (str(n), Fraction(n)))
    places = st.tuples(st.integers(0, 9999), st.integers(1, 4)).map(lambda t: (f"{Fraction(t[0], 10 ** t[1])}", *t))
    decimal = places.map(lambda t: (f"{t[1] / 10 ** t[2]:.{t[2]}f}", Fraction(t[1], 10 ** t[2])))
    percent = st.integers(0, 300).map(lambda n: (f"({n}%)", Fraction(n, 100)))
    return whole | decimal | percent


def _grow(inner: st.SearchStrategy[Pair]) -> st.SearchStrategy[Pair]:
    operations: dict[str, Callable[[Fraction, Fraction], Fraction]] = {
        "+": lambda a, b: a + b,
        "-": lambda a, b: a - b,
        "*": lambda a, b: a * b,
        "/": lambda a, b: a / b if b else Fraction(0),
    }

    def join(left: Pair, op: str, right: Pair) -> Pair:
        if op == "/" and not right[1]:
            op = "*"
        return f"(({left[0]}) {op} (({right[0]}) + 0))", operations[op](left[1], right[1])

    power = st.tuples(inner, st.integers(0, 4)).map(lambda t: (f"(({t[0][0]})^{t[1]})", t[0][1] ** t[1]))
    return st.builds(join, inner, st.sampled_from("+-*/"), inner) | power | inner.map(lambda p: (f"(-{p[0]})", -p[1]))


@quick
@given(st.recursive(_leaf(), _grow, max_leaves=6))
def test_arithmetic_is_that_of_fractions(pair: Pair) -> None:
    text, value = pair
    if len(text) > 500:
        return
    assert evaluate(f"{text} = {value.numerator}/{value.denominator}") == "true"
    shown = evaluate(text, worker=NOBODY).split(" = ")
    if value.denominator == 1:
        assert Fraction(shown[0]) == value
    else:
        assert math.isclose(Fraction(shown[-1]), value, rel_tol=1e-11)
        assert len(shown) == 1 or Fraction(shown[0]) == value


@quick
@given(
    st.text(max_size=80) | st.text(string.printable, max_size=80) | st.text("0123456789+-*/^%!().,| xe", max_size=60)
)
def test_any_text_gives_one_line_or_a_tool_error(text: str) -> None:
    try:
        answer = evaluate(text, worker=NOBODY)
    except ToolError as error:
        answer = str(error)
    assert answer
    assert answer.isprintable()


VOCABULARY = """15% of 80 km to miles + - * / ^ ! ( ) , = < days( 2024-01-01 today weeks solve( x sqrt max( 3 0.5 in
    cups 1,234 | F C pi e deg sin( per m/s and as % square [ ] mod 1/2 oo - isprime( diff( hours"""
WORDS = st.sampled_from(VOCABULARY.split())


@quick
@given(st.lists(WORDS, max_size=12).map(" ".join))
def test_any_words_of_the_language_give_one_line_or_a_tool_error(text: str) -> None:
    test_any_text_gives_one_line_or_a_tool_error.hypothesis.inner_test(text)  # type: ignore[attr-defined]


@quick
@given(st.dates(date(1, 1, 1), date(9999, 12, 31)), st.dates(date(1, 1, 1), date(9999, 12, 31)))
def test_days_between_dates_lead_back(start: date, end: date) -> None:
    days = evaluate(f"days({start}, {end})").split()[0]
    assert evaluate(f"{start} + {days} days") == f"{end} ({end:%A})"


@quick
@given(
    st.integers(-(10**9), 10**9), st.sampled_from(["km miles", "lb kg", "celsius fahrenheit", "gallons l", "acres m2"])
)
def test_conversions_lead_back(value: int, pair: str) -> None:
    one, other = pair.split()
    there = evaluate(f"{value} {one} to {other}").split()[0]
    back = float(evaluate(f"{there} {other} to {one}").split()[0])
    assert math.isclose(back, value, rel_tol=1e-9, abs_tol=1e-6)
