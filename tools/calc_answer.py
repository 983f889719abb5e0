"""What the sympy worker does with a text: parse it with the calculator's grammar and answer. Imports sympy."""

from llmos.tools import calc_clock
from llmos.tools.calc_calculus import answer
from llmos.tools.calc_read import read


def algebra(text: str, seconds: float) -> str:
    """The answer to a normalised text that is not plain arithmetic; ToolError for a mistake in it.

    ``seconds`` is what the caller will wait: the slow exact methods get part of it, so that a numeric one still fits.
    """
    reading = read(text)
    calc_clock.start(seconds)
    return answer(reading.tree, reading.declared, reading.decimals, reading.fractions)
