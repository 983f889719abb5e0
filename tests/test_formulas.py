"""Formulas: what of a request is one, and how the calculator and Python are given it."""

import math

import numpy as np
import pytest

from llmos.kernel.formulas import formulas, pythonic, told


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("roots of x^2 - 7x + 12 = 0, all of them", ["x^2 - 7x + 12 = 0"]),
        ("2p + 3q = 12 and 4p - q = 9, p please", ["2p + 3q = 12", "4p - q = 9"]),
        ("draw y = 3x^2 - 1", ["3x^2 - 1"]),
        ("f(t) = t^2, find f'", ["t^2"]),
        ("the integral of sin(x) dx from 0 to pi", ["sin(x)"]),
        ("lim of ln(x)/x as x->0", ["ln(x)/x"]),
        ("differentiate (2x - 3)^2.", ["(2x - 3)^2"]),
        ("x\u00b2 \u2212 9", ["x\u00b2 \u2212 9"]),
        ("E = 1/2 m v^2, E = 8", ["1/2 m v^2"]),
        ("what is 84.6 / (3.2 - 1.7)?", ["84.6 / (3.2 - 1.7)"]),
        ("7 x 8 - 2.5 = ", ["7 x 8 - 2.5"]),
    ],
)
def test_a_formula_is_found_whole(text: str, found: list[str]) -> None:
    assert [f.text for f in formulas(text)] == found
    assert all(text[f.start : f.end] == f.text for f in formulas(text))


@pytest.mark.parametrize(
    "text",
    [
        "20 m^2 in ft^2",
        "3.6 m/s for 5 s",
        "100 F in C",
        "12 x 4",
        "12/05/2024",
        "call 555-123-4567",
        "2024-01-05",
        "from 9 - 17",
        "3/4 and 2/5",
        "plot x by y",
        "x = 5",
        "a 5 k run",
        "vitamin B12",
        "(what?)",
        "room 4 b",
    ],
)
def test_what_is_none(text: str) -> None:
    assert list(formulas(text)) == []


def test_its_variables_are_told() -> None:
    assert [f.variables for f in formulas("2p + 3q = 12 and e^t = 5")] == [("p", "q"), ("t",)]


@pytest.mark.parametrize(
    ("formula", "value"),
    [
        ("3x^2 sin(x)", 12 * math.sin(2)),
        ("2(x+1)(x-1)", 6),
        ("e^(2x)", math.e**4),
        ("-x\u00b2", -4),
        ("ln(x)/x", math.log(2) / 2),
        ("arctan(x)", math.atan(2)),
        ("2 pi x", 4 * math.pi),
        ("sin x", math.sin(2)),
        ("cos 3x + 1", math.cos(6) + 1),
    ],
)
def test_python_computes_it(formula: str, value: float) -> None:
    assert eval(pythonic(formula), {"np": np, "x": 2}) == pytest.approx(value)


@pytest.mark.parametrize(
    ("expression", "formula", "short"),
    [
        ("solve(3*x + 2*y = 12, x - y = 1, x, y)", "3x+2y=12", "solve(&1, x - y = 1, x, y)"),
        ("subs(diff(x^2 - 4*x + 1, x), x, 5)", "x^2 - 4x + 1", "subs(diff(&1, x), x, 5)"),
        ("plt.plot(x, x**2 - 3)", pythonic("x^2 - 3"), "plt.plot(x, &1)"),
        ("2*x^2 + x^2", "x^2", "2*x^2 + &1"),
        ("13*x", "3x", "13*x"),
    ],
)
def test_it_is_known_again_however_it_is_spelled(expression: str, formula: str, short: str) -> None:
    assert told(expression, formula, "&1") == short
