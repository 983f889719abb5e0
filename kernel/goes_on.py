"""What follows for certain from a request that goes on from an earlier one: a calculation, or a verb for the table.

Everything else is for the embedded kernel, which has the earlier results and columns before it. Knows no models.
"""

from collections.abc import Sequence

from llmos.kernel.acts import Past
from llmos.kernel.earlier import Spoken, reckoned
from llmos.kernel.going import going
from llmos.kernel.heard import without
from llmos.kernel.mentions import said, wanted
from llmos.kernel.restated import restated
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
    text = restated(turn.request, columns, act)
    bare = turn.bare if text == turn.request else without(text, columns, "_")
    named = {n: wanted(text, said(text, c.values)) for n, c in enumerate(columns, 1)}
    if past.last != "python" and not (mentioned(bare, columns) or any(named.values())):
        return "", ""
    told = going(text, bare, columns, {n: v for n, v in named.items() if v}, act, past.acts)
    try:
        spell(told, columns)
    except Misspelt:
        return "", ""
    return ("python", f"`{told}") if told else ("", "")
