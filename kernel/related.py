"""What a request that goes on asks of what was asked or drawn before as a whole, with no column of its own.

How its two columns correlate, what share somebody has, what is above the number that came out, the chart before it,
the same with all rows again. Knows English and verbs, no models.
"""

import re
from collections.abc import Mapping, Sequence

from llmos.kernel.acts import Act, asked_rows, figure, portion
from llmos.kernel.going_words import BACK, BEYOND, CORRELATED, COUNTED, EVERYTHING, LARGE, NTH, ORDINALS, SHARE, THOSE
from llmos.kernel.slots import NUMBERS, Column, mentioned

_WHICH = re.compile(
    r"(?i)(?:and |so |ok |but )*(?:which|who|what)(?: ones| are they| are those| were they| were those| is it)*[\s?.!]*"
)
_SHORT = re.compile(r"(?i)(?:and |so |ok )*how many (?:are|were|is) (?:those|these|they|there of them|that)[\s?.!]*$")
_RANKED = {"most": "best", "highest": "best", "second": "best", "least": "worst", "lowest": "worst"}


def related(
    text: str, act: Act, columns: Sequence[Column], linked: Mapping[int, Sequence[str]], earlier: Sequence[Act]
) -> Act | None:
    """What is to be done; None where the request is none of that kind. ``earlier``: what was done, the latest last."""
    return (
        portion(text, act)
        or _share(text, act, linked)
        or _correlation(text, act, columns)
        or _beyond(text, act, columns)
        or _those(text, act, columns, linked)
        or _changed(text, act, columns)
        or _charted(text, act, earlier)
    )


def _share(text: str, act: Act, linked: Mapping[int, Sequence[str]]) -> Act | None:
    """The share that one has of all, in percent: of totals by town, Filey's."""
    ((column, values),) = linked.items() if len(linked) == 1 else ((0, ()),)
    groups, numbers = act.of("xc"), act.of("n")
    if len(values) != 1 or groups[:1] != [f"#{column}"] or len(numbers) > 1 or not SHARE.search(text):
        return None
    if re.search(r"\d", text) or not (numbers or act.verb in ("counts", "tally", "common", "rare")):
        return None
    told = (groups[0], f"'{values[0]}'", *numbers)
    return Act("share" if numbers else "portion", told)


def _correlation(text: str, act: Act, columns: Sequence[Column]) -> Act | None:
    numbers = [n for n in act.given if n[0] == "#" and columns[int(n[1:]) - 1].kind in NUMBERS]
    if len(numbers) != 2 or len(text.split()) > 9 or not CORRELATED.search(text):
        return None
    return Act("correlation", tuple(numbers), tuple(c for c in act.rows if c[0] == "where"))


def _beyond(text: str, act: Act, columns: Sequence[Column]) -> Act | None:
    """How many, or which, are above the number that came out."""
    found, number, of = BEYOND.search(text), figure(act), act.of("n")
    if found and found["what"][0].isdigit():
        if mentioned(text, columns):
            return None
        number = found["what"].strip(".,").replace(",", "")
    if not (found and number and len(of) == 1) or not (COUNTED.search(text) or re.search(r"(?i)\bwh(?:ich|o)\b", text)):
        return None
    typical = found["what"].lower().split()[-1] in ("average", "mean", "median")
    if typical and act.verb not in ("mean", "meanof", "median"):
        return None
    if COUNTED.search(text):
        return Act("above" if found["more"] else "below", (of[0], number), act.rows)
    named = [f"#{n}" for n, c in enumerate(columns, 1) if c.kind not in NUMBERS]
    free = [n for n in named if not columns[int(n[1:]) - 1].repeats] or named
    return Act("over" if found["more"] else "under", (free[0], of[0], number), act.rows) if free else None


_YEAR = re.compile(r"(?<![\w.,-])(?:1[5-9]|20)\d\d(?!\w)")
_GREW = re.compile(r"(?i)\bby how (?:much|many)\b|\bhow much (?:more|less|did|has)\b|\bdifference\b|\bchange\b")
_LISTS = {"over": "above", "under": "below"}


def _those(text: str, act: Act, columns: Sequence[Column], linked: Mapping[int, Sequence[str]]) -> Act | None:
    """How many were listed, or which were counted; of a sum, what one has of it: how many of those were badgers."""
    numbers = act.of("n")
    if COUNTED.search(text) and THOSE.search(text):
        one = [(n, v[0]) for n, v in linked.items() if len(v) == 1 and not columns[n - 1].repeats]
        if len(one) == len(linked) == len(numbers) == 1:
            return Act("lookup", (f"#{one[0][0]}", f"'{one[0][1]}'", numbers[0]), act.rows)
        if not linked and act.verb in _LISTS and _SHORT.match(text):
            return Act(_LISTS[act.verb], act.given[1:], act.rows)
    free = [f"#{n}" for n, c in enumerate(columns, 1) if c.kind not in NUMBERS and not c.repeats]
    if free and _WHICH.fullmatch(text.strip()):
        if back := {v: k for k, v in _LISTS.items()}.get(act.verb):
            return Act(back, (free[0], *act.given), act.rows)
        if act.verb in ("rows", "count") and (kept := asked_rows(act)):
            return Act("names", (free[0],), kept)
    return None


def _changed(text: str, act: Act, columns: Sequence[Column]) -> Act | None:
    """By how much what was drawn over the years changed from one to another."""
    years, numbers, axis = _YEAR.findall(text), act.of("n"), act.of("x")
    single = act.chart and len(numbers) == len(axis) == 1
    if not (single and len(years) == 2 and _GREW.search(text)) or SHARE.search(text):
        return None
    x = columns[int(axis[0][1:]) - 1]
    return Act("change", (axis[0], numbers[0], *years), act.rows) if x.kind == "year" and not x.repeats else None


def _charted(text: str, act: Act, earlier: Sequence[Act]) -> Act | None:
    """A chart from before as it was, or this one with all rows."""
    charts = [one for one in earlier if one.chart]
    if (back := BACK.search(text)) and charts:
        return charts[0] if back["first"] else charts[-2:][0]
    return Act(act.verb, act.given, (), act.how) if act.chart and act.rows and EVERYTHING.search(text) else None


def nth(text: str, act: Act, axis: str, small: bool) -> Act | None:
    """The second, third, … of what was the most or the least."""
    found, numbers = NTH.search(text), act.of("n")
    if not found or act.verb not in _RANKED or len(numbers) != 1 or not axis:
        return None
    rank = ORDINALS[found["n"].lower()]
    way = "worst" if small else "best" if LARGE.search(text) else _RANKED[act.verb]
    if rank == 2 and way == "best":
        return Act("second", (axis, numbers[0]), act.rows)
    return Act(way, (str(rank), axis, numbers[0]), act.rows)
