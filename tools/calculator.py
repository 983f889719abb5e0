"""The calculator: exact arithmetic, algebra, calculus, units and dates behind a grammar of its own.

Plain arithmetic, units and dates are answered here with fractions and never load sympy; the rest goes to a worker
process. No text is ever evaluated: see calc_parse for the grammar, calc_algebra for how sympy objects are made.
It does not know currencies, time zones, matrices or plots.
"""

import atexit
from collections.abc import Mapping
from datetime import date
from typing import Any

from llmos.kernel.tool import Tool, ToolContext, ToolError, ToolOutput
from llmos.tools.calc_exact import Exact
from llmos.tools.calc_format import show_mixed, show_number, show_scientific
from llmos.tools.calc_functions import Value
from llmos.tools.calc_names import ALGEBRA
from llmos.tools.calc_quantity import answer
from llmos.tools.calc_read import Reading, read
from llmos.tools.calc_text import MAX_CHARS, normalise
from llmos.tools.calc_tree import Binary, Call, Node, Relation, Unary
from llmos.tools.calc_whole import Hard, whole
from llmos.tools.calc_worker import Worker

TIMEOUT = 2.0
_BASES: dict[object, str] = {"hex": "#x", "binary": "#b", "octal": "#o"}

_shared = Worker()
atexit.register(_shared.close)


def evaluate(
    expression: str, timeout: float = TIMEOUT, *, today: date | None = None, worker: Worker | None = None
) -> str:
    """The one-line answer to ``expression``, such as ``372``, ``sqrt(2) = 1.41421356237``, ``x = 4``, ``74 days``.

    ``timeout`` in seconds of computing bounds what needs sympy (see calc_worker); ``today`` stands in for the current
    date; ``worker`` is the sympy process to use (default: one kept for the whole of this process). Raises ToolError,
    one line, and nothing else.
    """
    try:
        text = normalise(expression)
        reading = read(text)
        if reading.quantities:
            return answer(reading, today or date.today())
        try:
            result = _shown(Exact().top(reading.tree), reading)
        except Hard:
            if reading.target in ("percent", "mixed", "scientific", "hex", "binary", "octal"):
                raise ToolError(f"only a plain number can be shown as {reading.target}") from None
            result = (worker or _shared).ask(text, timeout)
        return result + _note(reading.tree)
    except RecursionError:
        raise ToolError("the expression is nested too deep") from None
    except (MemoryError, OverflowError):
        raise ToolError("the numbers are too large") from None


def make_calculator() -> Tool:
    """The ``calculator`` tool. Its own sympy process starts when first needed and ends with ``close``."""
    worker = Worker()

    def run(arguments: Mapping[str, Any], context: ToolContext) -> ToolOutput:
        return ToolOutput(evaluate(arguments["expression"], min(TIMEOUT, context.timeout), worker=worker))

    return Tool(
        name="calculator",
        # Short on purpose: the embedded kernel was trained with these very words.
        description="exact maths, units and dates",
        parameters={
            "type": "object",
            "properties": {"expression": {"type": "string", "minLength": 1, "maxLength": MAX_CHARS}},
            "required": ["expression"],
            "additionalProperties": False,
        },
        run=run,
        capabilities=frozenset(),
        close=worker.close,
        derives=True,
        blind=True,
    )


def _shown(value: Value, reading: Reading) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return ", ".join(show_number(v, decimals=True) for v in value)
    if reading.target == "percent":
        return f"{show_number(value * 100, decimals=True)}%"
    if reading.target == "mixed":
        return show_mixed(value)
    if reading.target == "scientific":
        return show_scientific(value)
    if reading.target in _BASES:
        return f"{whole(value, str(reading.target)):{_BASES[reading.target]}}"
    return show_number(value, reading.decimals, reading.fractions)


def _note(tree: Node) -> str:
    """What a reader must know about a name with two meanings."""
    if isinstance(tree, Call) and tree.name == "std":
        return " (sample, n - 1)"
    if isinstance(tree, Call) and tree.name == "variance":
        return " (sample, n - 1)"
    return " (log is the natural logarithm)" if _plain_log(tree) else ""


def _plain_log(node: Node) -> bool:
    match node:
        case Call(name, args):
            return name not in ALGEBRA and ((name == "log" and len(args) == 1) or any(_plain_log(a) for a in args))
        case Binary(_, left, right) | Relation(_, left, right):
            return _plain_log(left) or _plain_log(right)
        case Unary(_, arg):
            return _plain_log(arg)
    return False
