"""The chart that a request which goes on asks for: that of before as it has it, or one of what was asked before.

Knows English and verbs, no models.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from llmos.kernel.acts import Act, asked_rows
from llmos.kernel.asked import key
from llmos.kernel.going_words import BESIDE, COLORS, KINDS, ORDER, PLOTTED, SHADES, SPLIT, TOP
from llmos.kernel.slots import NUMBERS, TIMES, Column
from llmos.kernel.spoken_of import Ask, clean, kept_rows
from llmos.kernel.verbs import CHARTS

LINED = ("plot", "line")


def chart(ask: Ask, act: Act) -> Act | None:
    """The chart before as the request has it, or one of what was asked before."""
    base = act if act.verb in CHARTS else _plotted(act, ask)
    if base is None or base.verb not in CHARTS:
        return base if base is not None and base.verb != act.verb else None
    kind = next((verb for pattern, verb in KINDS if pattern.search(ask.text)), base.verb)
    x, *ys = base.given
    if numbers := [f"#{n}" for n in ask.numbers() if f"#{n}" != x]:
        ys = [*ys, *(n for n in numbers if n not in ys)] if BESIDE.search(ask.text) else numbers
    if others := [f"#{n}" for n in ask.others() if n not in ask.linked]:
        if (
            len(others) == 1
            and others[0] != x
            and SPLIT.search(ask.text)
            and kind in LINED
            and ask.columns[int(x[1:]) - 1].kind in TIMES
        ):
            return Act("lines", (x, others[0], ys[0]))
        if len(others) > 1 or re.search(r"(?i)\bfor (?:each|every)\b|\bsplit\b|\bcolou?r", ask.text):
            return None
        x = others[0]
    if kind in ("scatter", "pie"):
        ys = ys[:1]
    # An axis of one value is none.
    kept = tuple(c for c in kept_rows(ask, base.rows) if c[:2] != ("where", x) or x == base.given[0])
    how = [c for c in base.how if c[0] not in ("best", "worst", "sorted")] if kind in ("scatter",) else list(base.how)
    if top := TOP.search(ask.text):
        word = "worst" if top["low"] or top["least"] else "best"
        how = [c for c in how if c[0] not in ("best", "worst", "sorted")] + [(word, top["n"] or top["m"])]
        if kind not in ("bar", "barh", "pie"):
            kind = "bar"
    elif ORDER.search(ask.text):
        how = [c for c in how if c[0] not in ("best", "worst", "sorted")] + [("sorted",)]
        kind = kind if kind in ("bar", "barh") else "bar"
    if color := COLORS.search(ask.text):
        shade = f"{color['shade']}{color['plain']}".lower()
        told = shade if shade in SHADES else color["plain"].lower()
        how = [c for c in how if c[0] != "color"] + [("color", f"'{told}'")]
    if re.search(r"(?i)\blog\w*\b", ask.text):
        how = [c for c in how if c[0] != "log"] + [("log",)]
    changed = Act(kind, (x, *ys), kept, tuple(sorted(how, key=lambda c: c[0] == "color")))
    return changed if changed != replace(base, result="") or PLOTTED.search(ask.text) else None


def _plotted(act: Act, ask: Ask) -> Act | None:
    """A plain chart of the columns that a question or another chart was of."""
    numbers, axes = act.of("n"), act.of("xc")
    grouped = {"means": "averages", "totals": "sums", "counts": "tally"}.get(act.verb, "")
    if grouped == "sums" and not act.rows and next((v for p, v in KINDS if p.search(ask.text)), "") == "pie":
        return Act("pie", act.given)
    if grouped and not ask.meant and not ask.linked and not ask.free and not act.rows:
        return Act(grouped, act.given)
    if split := by_group(ask, act):
        return split
    numbers = numbers or [f"#{n}" for n in ask.numbers()[:1]]
    axis = axis_of(ask, numbers, axes)
    if not numbers or not axis or act.verb in ("correlation", "ratio"):
        return None
    before = clean(asked_rows(act), axis)
    x = ask.columns[int(axis[1:]) - 1]
    single = [c for c in before if c[0] == "where" and len(c) == 3]
    free = act.verb == "lookup" and axes and axes[0] != axis
    before = (*before, ("where", axes[0], *act.of("v"))) if free and not single else before
    verb = "plot" if x.kind in TIMES else "bar"
    return Act(verb, (axis, numbers[0]), before)


def by_group(ask: Ask, act: Act) -> Act | None:
    """The mean or the sum before for each group of a column that is named."""
    groups = [n for n in ask.others() if n not in ask.linked and ask.columns[n - 1].repeats]
    verb = {"mean": "averages", "meanof": "averages", "total": "sums", "sumof": "sums"}.get(act.verb, "")
    kept = [c for c in asked_rows(act) if c[1] != f"#{groups[0]}"] if groups else []
    if not verb or len(groups) != 1 or kept or ask.linked or ask.columns[groups[0] - 1].kind in TIMES:
        return None
    return Act(verb, (f"#{groups[0]}", (*(f"#{n}" for n in ask.numbers()), *act.of("n"))[0]))


def together(ask: Ask, earlier: Sequence[Act]) -> Act | None:
    """A chart of the two number columns that were asked of last, over the column that is named or names the rows."""
    numbers = list(dict.fromkeys(n for act in earlier[::-1] for n in act.of("n")))[1::-1]
    axis = axis_of(ask, numbers, next((act.of("xc") for act in earlier[::-1] if act.of("xc")), []))
    if len(numbers) != 2 or not axis or set(ask.numbers()) - {int(n[1:]) for n in numbers}:
        return None
    kind = next((verb for pattern, verb in KINDS if pattern.search(ask.text)), "")
    timed = ask.columns[int(axis[1:]) - 1].kind in TIMES
    return Act(kind if kind in CHARTS else "plot" if timed else "bar", (axis, *numbers))


def axis_of(ask: Ask, numbers: Sequence[str], axes: Sequence[str]) -> str:
    """The column that numbers are read over: the one spoken of, that of before, else a time, else names."""
    if others := [n for n in ask.others() if n not in ask.linked]:
        return f"#{others[0]}"
    if axes and (axes[0] not in numbers):
        return axes[0]
    return _natural(ask.columns, numbers)


def _natural(columns: Sequence[Column], numbers: Sequence[str]) -> str:
    """The column that names the rows: a time that does not repeat, names, else any time, else a number like a week."""
    order = sorted(
        (n for n, c in enumerate(columns, 1) if c.kind not in NUMBERS),
        key=lambda n: (columns[n - 1].repeats, key(columns[n - 1]), n),
    )
    if order:
        return f"#{order[0]}"
    return "#1" if columns and "#1" not in numbers else ""
