"""How likely a number is as the answer of a story: of apples and dollars nobody is left with fewer than none.

Measured on what the solver and the examples wrote for 195 word problems: of 253 answers below or at nothing none was
right, of 384 that were no whole numbers 11. Knows nothing of what was asked.
"""

from collections.abc import Sequence

from llmos.kernel.arithmetic import value

STORY = 12  # words of a request that tells one
NEVER, ODD, COINS = 0.02, 0.15, 0.5  # of nothing and less, of what has no end, of whole hundredths
_NEAR = 1e-7


def told_story(request: str) -> bool:
    """Whether a request tells a story and does not only name an operation."""
    return len(request.split()) >= STORY


def plausible(expression: str, values: Sequence[str]) -> float:
    """How likely what an expression over short names is worth is, by its number alone: at most 1."""
    made = value(expression, values)
    if made is None or (_whole(made) and made > _NEAR):
        return 1.0
    if made <= _NEAR:
        return NEVER
    return COINS if _whole(made * 100) else ODD


def _whole(number: float) -> bool:
    return abs(number - round(number)) <= _NEAR * max(1.0, abs(number))
