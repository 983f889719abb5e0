"""Formulas as people type them: ``3x^2 - 4x + 1``, ``2p + 3q = 13``, ``sin(x)/x``. Does not know what they are for.

What stands for a formula has a variable in it, or is a calculation of several signs. A bare ``x = 5`` is a value and no
formula, ``5 m^2`` is a quantity.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_FUNCTIONS = r"(?:a(?:rc)?)?(?:sin|cos|tan)h?|ln|log(?:10|2)?|exp|sqrt|abs"
_LETTER = r"(?<![A-Za-z\\'\u2019])[b-zB-HJ-Z](?![A-Za-z])"
_TOKEN = (
    rf"(?:(?<![A-Za-z])(?:{_FUNCTIONS}|pi)(?![A-Za-z])|{_LETTER}|\d+(?:\.\d+)?|\.\d+"
    r"|\*\*|[<>]=|-(?!>)|(?<!-)>|[+*/^=<()\u00f7\u00b2\u00b3\u00b7\u00d7\u2212\u03c0])"
)
_RUN = re.compile(rf"{_TOKEN}(?:\s*{_TOKEN})*")
_NAMED = re.compile(r"[A-Za-z]\s*(?:\([A-Za-z]\))?\s*=\s*")
_VALUE = re.compile(r"[A-Za-z]\s*[=<>]=?\s*[-\u2212]?\s*[\d.]+(?:\s*/\s*\d+)?")
_FUNCTION = re.compile(rf"(?<![A-Za-z])(?:{_FUNCTIONS})(?![A-Za-z])")
_VARIABLE = re.compile(_LETTER)
_TIMES = re.compile(r"(?<=\d)\s*[xX]\s*(?=[\d.])")  # a sign of multiplication
_SIGNS = re.compile(r"(?<=[\d)])\s*(?:[-+*/^\u2212\u00b7\u00d7\u00f7]|[xX](?=\s*[\d.(]))")
_CHAIN = re.compile(r"[+*(^\u00d7\u00f7\u00b7]|\s[-/\u2212xX]\s")  # what dates and telephone numbers have none of
_UNITS = frozenset("mMsgGhlLFCKVWNJdTBA")  # letters that stand for units as often as for a variable
_EDGE = " \t\n+*/^=<>\u00b7\u00d7\u00f7"


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula at ``start:end`` of a text, as it stands there, and its variables in the order of their appearance."""

    start: int
    end: int
    text: str
    variables: tuple[str, ...]


def formulas(text: str) -> Iterator[Formula]:
    """The formulas of ``text``, in order, without the ``y =`` or ``f(x) =`` before them."""
    for run in _RUN.finditer(text):
        found = _formula(run[0], run.start())
        if found is not None:
            yield found


def _formula(run: str, at: int) -> Formula | None:
    named = _NAMED.match(run)
    if named and named[0].lstrip()[0] not in _variables(run[named.end() :]) and _variables(run[named.end() :]):
        at, run = at + named.end(), run[named.end() :]
    run, at = _trimmed(run, at)
    names = _variables(_TIMES.sub("*", run))
    if not names and len(_SIGNS.findall(run)) > 1 and _CHAIN.search(run):
        return Formula(at, at + len(run), run, ())
    if not names or _VALUE.fullmatch(run) or not re.search(r"[-+*/^=<>\u00b2\u00b3]|\d|\(", run):
        return None
    equation, applied = bool(re.search(r"[=<>]", run)), bool(_FUNCTION.search(run))
    free = [n for n in names if n not in _UNITS]
    clear = any(n in "xyz" for n in names) or (free and re.search(r"[\^\u00b2\u00b3]|\*\*", run))
    return Formula(at, at + len(run), run, tuple(names)) if equation or applied or clear else None


def _variables(run: str) -> list[str]:
    """The letters of a run, constants (e) apart."""
    return list(dict.fromkeys(m[0] for m in _VARIABLE.finditer(run) if m[0] != "e"))


def _trimmed(run: str, at: int) -> tuple[str, int]:
    """Without operators that hang over and brackets that are not closed."""
    while True:
        short = run.lstrip(_EDGE)
        at, run = at + len(run) - len(short), short.rstrip(_EDGE + "-\u2212")
        odd = ")" if run.count("(") < run.count(")") else "(" if run.count("(") > run.count(")") else ""
        if odd and run.endswith(odd):
            run = run[:-1]
        elif odd and run.startswith(odd):
            at, run = at + 1, run[1:]
        else:
            return run, at


_DROPPED = str.maketrans({"\u2212": "-", "\u03c0": "pi", **dict.fromkeys("\u00b7\u00d7 *\t\n", "")})


def plain(formula: str) -> str:
    """One spelling for many: without spaces and signs of multiplication, powers by ``^``."""
    return formula.replace("**", "^").replace("\u00b2", "^2").replace("\u00b3", "^3").translate(_DROPPED)


_PARTS = re.compile(rf"{_FUNCTIONS}|pi|[A-Za-z]|\d+(?:\.\d+)?|\.\d+|\*\*|[<>]=|\S")
_BARE = re.compile(rf"(?<![A-Za-z])({_FUNCTIONS})\s+((?:\d+(?:\.\d+)?\s*)?(?:pi|[A-Za-z])(?:\^\d+)?)(?![A-Za-z])")
_NUMPY = {"ln": "np.log", "asin": "np.arcsin", "acos": "np.arccos", "atan": "np.arctan"}
_NUMPY |= {"pi": "np.pi", "e": "np.e", "^": "**", "=": "=="}
_WRITTEN = str.maketrans({"\u2212": "-", "\u00b7": "*", "\u00d7": "*", "\u00f7": "/", "\u03c0": "pi"})


def pythonic(formula: str) -> str:
    """The formula as Python computes it with numpy: ``3x^2 sin(x)`` is ``3*x**2*np.sin(x)``."""
    text = formula.translate(_WRITTEN).replace("\u00b2", "^2").replace("\u00b3", "^3")
    text = _BARE.sub(r"\1(\2)", text)
    made, ends = "", False
    for part in _PARTS.findall(text):
        function = re.fullmatch(_FUNCTIONS, part) is not None
        begins = function or part == "(" or part == "pi" or part[0].isalnum() or part[0] == "."
        if ends and begins:
            made += "*"
        named = _NUMPY.get(part, f"np.{part}" if function else part)
        made += f" {named} " if named in ("+", "-", "<", ">", "==", "<=", ">=") and ends else named
        ends = not function and (part == ")" or part == "pi" or part[0].isalnum() or part[0] == ".")
    return made


def told(expression: str, formula: str, sign: str) -> str:
    """``expression`` or code with ``sign`` wherever it holds the formula, however its multiplications are written."""
    kept = [(i, c) for i, c in enumerate(expression.replace("**", " ^")) if c not in " *"]
    flat, wanted = "".join(c for _, c in kept), plain(formula)
    start = 0
    while wanted and (at := flat.find(wanted, start)) >= 0:
        end = at + len(wanted)
        before, after = flat[at - 1 : at], flat[end : end + 1]
        if any(c.isalnum() or c in ".^" for c in before + after):
            start = at + 1
            continue
        first, last = kept[at][0], kept[end - 1][0] + 1
        return expression[:first] + sign + told(expression[last:], formula, sign)
    return expression
