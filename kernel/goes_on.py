"""What follows for certain from a request that goes on from an earlier one: a calculation, or a verb for the table.

Everything else is for the embedded kernel, which has the earlier results and columns before it. Knows no models.
"""

from collections.abc import Sequence

from llmos.kernel.acts import Past
from llmos.kernel.earlier import Spoken, reckoned
from llmos.kernel.going import going
from llmos.kernel.mentions import said, wanted
from llmos.kernel.slots import Column, mentioned
from llmos.kernel.turns import Turn
from llmos.kernel.verbs import Misspelt, spell


def goes_on(turn: Turn, columns: Sequence[Column], past: Past, spoken: Sequence[Spoken]) -> tuple[str, str]:
    """The tool and what it is given; both empty where nothing follows for certain."""
    if turn.attached or turn.pictured:
        return "", ""
    act = past.act
    if expression := reckoned(turn.request, past, spoken):
        return "calculator", expression
    if act is None or spoken:
        return "", ""
    named = {n: wanted(turn.request, said(turn.request, c.values)) for n, c in enumerate(columns, 1)}
    if past.last != "python" and not (mentioned(turn.bare, columns) or any(named.values())):
        return "", ""
    told = going(turn.request, turn.bare, columns, {n: v for n, v in named.items() if v}, act)
    try:
        spell(told, columns)
    except Misspelt:
        return "", ""
    return ("python", f"`{told}") if told else ("", "")
