"""Attacks on the calculator: none runs code, none holds it up, and each ends in one clear line or a plain result."""

# ruff: noqa: RUF001 (letters that look like others are among the attacks)
import re
import sys
import threading
import time
from pathlib import Path

import pytest

from llmos.kernel.tool import ToolError
from llmos.tools import calc_worker
from llmos.tools.calc_answer import algebra
from llmos.tools.calc_text import normalise
from llmos.tools.calc_worker import Worker
from llmos.tools.calculator import evaluate

CODE = [
    "__import__('os').system('id')",
    "__import__",
    "__builtins__",
    "import os",
    "os.system('id')",
    "eval('1+1')",
    "exec('x=1')",
    "open('/etc/passwd').read()",
    "().__class__.__bases__[0].__subclasses__()",
    "(1).__class__",
    "x.__class__",
    "x._assumptions",
    "lambda x: x",
    "lambda: 0",
    "[x for x in (1,2)]",
    "(y := 5)",
    "f'{1}'",
    "'abc'",
    '"abc" + "def"',
    "`id`",
    "$(id)",
    "1; import os",
    "1 if 1 else 2",
    "print(1)",
    "getattr(x, y)",
    "globals()",
    "Symbol('x')",
    "Symbol(x)",
    "Function('f')(x)",
    "sympify(x)",
    "parse_expr(x)",
    "lambdify(x, x)",
    "S(x)",
    "N(x, 100)",
    "Integer(5)",
    "solve('__import__(1)', x)",
    "diff(x.__class__, x)",
    "solve(__import__ = 1, __import__)",
    "solve(x__y = 1, x__y)",
    "solve(_ = 1, _)",
    "sqrt.__globals__",
    "x\\n",
    "x@y",
    "#comment",
    "1 # 2",
    "x?y:z",
    "~5",
    "5 & 3",
    "{x: 1}",
]
BOMBS = [
    "10**10**10",
    "9^9^9^9",
    "2^(2^(2^(2^100)))",
    "10^(10^10)",
    "1e999999999",
    "1e-999999999",
    "(10^-10)^(10^10)",
    "999999999999!",
    "(10!)!",
    "5!!!!!!",
    "binomial(10^9, 5*10^8)",
    "perm(10^9, 10^8)",
    "fibonacci(10^12)",
    "factorial(factorial(20))",
    "sqrt(10)^(10^9)",
    "(2*x)^(10^9)",
    "(1/3)^(10^12)",
    "2^(10^18)",
    "lcm(10^19999 + 1, 10^19998 + 7)",
    "x^(10^(10^10))",
    "diff(x^2, x, 10^9)",
    "series(sin(x), x, 0, 10^6)",
    "root(2, 10^9)",
    "round(2/3, 10^9)",
    "root(10^50000, 999)",
    "+".join(["20000!"] * 60),
    "*".join(["7^90000"] * 50),
    "mod(" * 40 + "3^90000" + ", 7^40000)" * 40,
]
SHAPES = [
    "(" * 400 + "1" + ")" * 90,
    "(" * 240 + "1" + ")" * 240,
    "[" * 200,
    "|" * 300,
    "-" * 499 + "1",
    "2^" * 200 + "1",
    "5" + "!" * 300,
    "5" + "%" * 300,
    "sin(" * 120 + "x" + ")" * 120,
    "sqrt " * 90 + "2",
    "1" * 501,
    "1+" * 500_000,
    "\x00",
    "1\x00+1",
    "1 + \x1b[31m",
    "",
    "   ",
    "= ?",
    "\u202e1+1",
    "ｅｖａｌ(1)",
    "х + 1",  # Cyrillic
    "𝓍 + 1",
    "١ + ١",  # Arabic digits
    "1 + ²",
    "a" * 30,
    "a_b_c_d",
    "1__2_",
    "<|im_start|>system",
    "<|im_end|>",
    "<tool_call>{}</tool_call>",
    "\n\n<think>",
    ",,,",
    "()",
    "max(,)",
    "1,,2",
    "to to to",
    "in in in in",
    "of of",
    "% % %",
    "2024-99-99",
    "0000-01-01",
    "2024-01-01 + 10^30 days",
    "9999-12-31 + 9999 years",
    "date(10^30, 1, 1)",
    "leap(1.5)",
    "5 km^99",
    "5 kilokilometers to m",
    "x = = 3",
    "solve()",
    "solve(3, 4)",
    "solve(x, 2)",
    "diff(x, 3)",
    "integrate(x, 1, 2, 3)",
    "limit(x, y, z)",
    "solve(x = 1 = 2, x)",
    "solve(solve(x = 1), x)",
    "sqrt(x = 1)",
    "isprime(x)",
    "1 < i",
]


@pytest.mark.parametrize("attack", CODE + BOMBS + SHAPES, ids=lambda a: repr(a)[:40])
def test_attack_ends_in_one_line(attack: str) -> None:
    start = time.process_time()
    try:
        text = evaluate(attack)
    except ToolError as error:
        text = str(error)
        assert 5 < len(text) < 160
    assert "\n" not in text
    assert text.isprintable()
    assert len(text) < 500
    # What runs in this process has no clock but its budget of work. (CPU time: the machine may be busy.)
    assert time.process_time() - start < 4
    assert evaluate("6 * 7") == "42"


@pytest.mark.parametrize("attack", [c for c in CODE if c not in ("Symbol(x)", "S(x)", "N(x, 100)")])
def test_code_is_no_expression(attack: str) -> None:
    with pytest.raises(ToolError):
        evaluate(attack)


_seen: list[str] = []
_listening = False


def _hook(event: str, args: tuple[object, ...]) -> None:
    if _listening and event in ("os.system", "subprocess.Popen", "compile", "os.exec", "socket.connect", "open"):
        _seen.append(f"{event} {args!r}"[:200])


def test_not_a_byte_of_the_text_is_compiled_or_run() -> None:
    """The child's whole work, in this process, under an audit hook: sympy too gets no string to read."""
    global _listening
    honest = ["diff(x^2*sin(x), x)", "solve(x^2 = 2)", "integrate(x^2, x)", "limit(sin(x)/x, x, 0)", "theta + lambda"]
    for text in honest * 2:
        algebra(normalise(text), 60)  # the first round imports what it needs
    sys.addaudithook(_hook)
    _listening = True
    try:
        for text in honest + CODE + ["solve(id = 3, id)", "solve(os*2 = 3, os)", "diff(system^2, system)"]:
            try:
                algebra(normalise(text), 60)
            except ToolError:
                continue
    finally:
        _listening = False
    assert _seen == []


# The product of two primes of 50 digits (RSA-100): minutes of work in one short line.
LONG = "factorint(1522605027922533360535618378132637429718068114961380688657908494580122963258952897654000350692006139)"


def test_worker_keeps_its_limits_and_is_replaced_when_it_dies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    worker = Worker()
    try:
        assert worker.ask("x + x", 30) == "2*x"
        first = worker._process
        assert first
        if sys.platform == "linux":
            limits = Path(f"/proc/{first.pid}/limits").read_text()
            assert re.search(rf"Max address space +{calc_worker.MEMORY} ", limits)
            assert re.search(r"Max file size +0 ", limits)
            assert "hunter2" not in Path(f"/proc/{first.pid}/environ").read_text()
        with pytest.raises(ToolError, match=r"memory|longer|too long"):
            worker.ask("expand((a+b+c+d+f+g+h+k)^40)", 2)
        assert worker.ask("x + x", 30) == "2*x"
        start = time.monotonic()
        with pytest.raises(ToolError, match=r"^the calculation took longer than 0\.5 seconds; try something simpler$"):
            worker.ask(LONG, 0.5)
        assert 0.5 <= time.monotonic() - start < 10  # wall time; a busy machine has PATIENCE
        assert worker.ask("x + x", 30) == "2*x"
        second = worker._process
        assert second is not first
        assert second
        threading.Timer(0.3, second.kill).start()
        with pytest.raises(ToolError, match="ran out of memory or crashed"):
            worker.ask(LONG, 30)
        assert worker.ask("x + x", 30) == "2*x"
        last = worker._process
        worker.close()
        assert last
        assert last.poll() is not None
    finally:
        worker.close()
