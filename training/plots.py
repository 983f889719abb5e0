"""What to write for a plot request: code, request and answer, for each kind of plot.

One convention each, so that a small model can learn it: ``df`` is the table, ``ax`` the last plot.
"""

import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass

from llmos.kernel import verbs
from llmos.kernel.slots import Column as Named
from llmos.training.phrasebook import fill, lines, slots
from llmos.training.tables import NUMBER_KINDS, TIME_KINDS, Column, Table, spoken


@dataclass(frozen=True)
class Plot:
    """A request, its code and answer; and what a change needs to know of the plot."""

    request: str
    code: str
    answer: str
    subject: str = ""
    source: str = "df"
    x: str = ""
    y: str = ""
    options: str = ""
    simple: bool = False


def q(text: str) -> str:
    """A Python string literal, single-quoted where that needs no escape."""
    return f"'{text}'" if "'" not in text else json.dumps(text, ensure_ascii=False)


def repeats(table: Table, column: Column) -> bool:
    """Whether a column repeats, as the preview tells it: any value twice for times, many for text."""
    values = table.frame[column.name].dropna()
    if column.kind in TIME_KINDS:
        return bool(values.duplicated().any())
    return bool(values.nunique() <= 0.7 * len(values))


def grouping(table: Table, rng: random.Random) -> Column | None:
    """A text column with repeated values, by which lines can be told apart."""
    found = [c for c in table.of("cat", "name", "text") if repeats(table, c)]
    return found[0] if found else None


def axis(table: Table) -> Column | None:
    """The natural x: the first time column, else the first name, else the first text that does not repeat."""
    times = table.of(*TIME_KINDS)
    names = [c for c in table.of("name", "cat", "text") if not repeats(table, c)]
    return next(iter(times + names), None)


def main_number(table: Table, topic: str) -> Column:
    """The number column that a topic speaks of, else the first that is no rank or key."""
    numbers = table.of(*NUMBER_KINDS)
    said = set(re.findall(r"[a-z]{3,}", topic.lower()))
    for column in numbers:
        if said & set(re.findall(r"[a-z]{3,}", " ".join([column.name, *column.words]).lower())):
            return column
    return next((c for c in numbers if not re.fullmatch(r"(?i)(rank|id|no|nr|number|index|code)", c.name)), numbers[0])


def load_line(table: Table) -> str:
    """The first line of every cell that meets a table."""
    return f"df = load({q(table.file)})\n"


def plain(table: Table, x: Column, y: Column, options: str = "") -> tuple[str, bool]:
    """Code that plots y over x: lines by group for a long table, bars for names, a line otherwise."""
    timed = x.kind in TIME_KINDS
    group = grouping(table, random.Random(0))
    if timed and repeats(table, x) and group is not None and group is not x:
        return (
            f"ax = df.pivot_table(index={q(x.name)}, columns={q(group.name)}, values={q(y.name)}).plot({options})",
            False,
        )
    if repeats(table, x):
        tail = "" if timed else "kind='bar'"
        both = ", ".join(o for o in (tail, options) if o)
        return f"ax = df.groupby({q(x.name)})[{q(y.name)}].mean().plot({both})", False
    kind = "" if timed or "kind=" in options else "kind='bar'"
    extra = "".join(f", {o}" for o in (kind, options) if o)
    return f"ax = df.plot(x={q(x.name)}, y={q(y.name)}{extra})", True


def named(table: Table) -> list[Named]:
    """The columns as a preview tells of them."""

    def kind(column: Column) -> str:
        return "number" if column.kind in NUMBER_KINDS else column.kind if column.kind in TIME_KINDS else "text"

    return [Named(c.name, kind(c), c.kind not in NUMBER_KINDS and repeats(table, c)) for c in table.columns]


def sign(table: Table, column: Column) -> str:
    """The short name of a column."""
    return f"#{[c.name for c in table.columns].index(column.name) + 1}"


def spell(verb: str, table: Table, *columns: Column) -> str:
    """The code of a verb done to columns."""
    return verbs.spell(" ".join([verb, *(sign(table, c) for c in columns)]), named(table))


def say(subject: str) -> str:
    """The answer to a plot."""
    return f"Here is the plot of {subject}."


def template(kind: str, need: set[str], rng: random.Random) -> str:
    """A phrase of this kind whose slots can all be filled."""
    while True:
        chosen = rng.choice(lines(kind))
        if slots(chosen) <= need:
            return chosen


def draw_basic(kind: str, table: Table, rng: random.Random) -> Plot | None:
    """plot_xy, plot_y, plot_question, plot_topic, plot_file, plot_log: the x axis is named or natural."""
    numbers = table.of(*NUMBER_KINDS)
    x = axis(table)
    if kind in ("plot_xy", "plot_log", "plot_question") and rng.random() < 0.5:
        x = rng.choice(table.of(*TIME_KINDS, "name", "cat") or [x])
    topic = rng.choice(table.topics)
    y = (
        main_number(table, topic if kind == "plot_topic" else "")
        if kind in ("plot_topic", "plot_file")
        else rng.choice(numbers)
    )
    if x is None:
        return None
    values = {"x": spoken(x, rng), "y": spoken(y, rng), "topic": topic, "file": table.file}
    request = fill(template(kind, set(values), rng), values)
    code, simple = plain(table, x, y, "logy=True" if kind == "plot_log" else "")
    options = ", ".join(o for o in ("kind='bar'", "logy=True") if o in code)
    return Plot(
        request, load_line(table) + code, say(f"{y.name} by {x.name}"), y.name, "df", x.name, y.name, options, simple
    )


def draw_kind(kind: str, table: Table, rng: random.Random) -> Plot | None:
    """plot_bar, plot_barh, plot_line and plot_area: the chart's type is named."""
    numbers = table.of(*NUMBER_KINDS)
    xs = table.of(*TIME_KINDS) if kind in ("plot_line", "plot_area") else table.of("name", "cat", *TIME_KINDS)
    if not xs:
        return None
    x, y = rng.choice(xs), rng.choice(numbers)
    values = {"x": spoken(x, rng), "y": spoken(y, rng)}
    request = fill(template(kind, set(values), rng), values)
    if kind == "plot_line":
        code, simple = plain(table, x, y)
        options = ""
    else:
        options = f"kind='{kind.removeprefix('plot_')}'"
        simple = not repeats(table, x)
        if simple:
            code = f"ax = df.plot(x={q(x.name)}, y={q(y.name)}, {options})"
        else:
            code = f"ax = df.groupby({q(x.name)})[{q(y.name)}].mean().plot({options})"
    return Plot(
        request, load_line(table) + code, say(f"{y.name} by {x.name}"), y.name, "df", x.name, y.name, options, simple
    )


def draw_scatter(kind: str, table: Table, rng: random.Random) -> Plot | None:
    """plot_scatter: two number columns, y against x."""
    numbers = table.of(*NUMBER_KINDS)
    if len(numbers) < 2:
        return None
    y, x = rng.sample(numbers, 2)
    values = {"x": spoken(x, rng), "y": spoken(y, rng)}
    code = f"ax = df.plot(x={q(x.name)}, y={q(y.name)}, kind='scatter')"
    request = fill(template(kind, set(values), rng), values)
    answer = f"Here is the scatter plot of {y.name} against {x.name}."
    return Plot(request, load_line(table) + code, answer, y.name, "df", x.name, y.name, "kind='scatter'", True)


def draw_hist(kind: str, table: Table, rng: random.Random) -> Plot | None:
    """plot_hist: one number column's distribution."""
    y = rng.choice(table.of(*NUMBER_KINDS))
    request = fill(template(kind, {"y"}, rng), {"y": spoken(y, rng)})
    code = f"ax = df.plot(y={q(y.name)}, kind='hist')"
    return Plot(request, load_line(table) + code, f"Here is the histogram of {y.name}.", y.name, y=y.name)


def draw_pie(kind: str, table: Table, rng: random.Random) -> Plot | None:
    """plot_pie: shares of y by a name."""
    xs = table.of("name", "cat", "text")
    if not xs:
        return None
    x, y = xs[0], rng.choice(table.of(*NUMBER_KINDS))
    values = {"x": spoken(x, rng), "y": spoken(y, rng)}
    if repeats(table, x):
        code = f"ax = df.groupby({q(x.name)})[{q(y.name)}].sum().plot(kind='pie')"
    else:
        code = f"ax = df.set_index({q(x.name)})[{q(y.name)}].plot(kind='pie')"
    answer = f"Here is the pie chart of {y.name} by {x.name}."
    return Plot(fill(template(kind, set(values), rng), values), load_line(table) + code, answer, y.name)


def draw_box(kind: str, table: Table, rng: random.Random) -> Plot | None:
    """plot_box: y's spread for each group."""
    group = grouping(table, rng)
    if group is None:
        return None
    y = rng.choice(table.of(*NUMBER_KINDS))
    values = {"cat": spoken(group, rng), "y": spoken(y, rng)}
    code = f"ax = df.boxplot({q(y.name)}, by={q(group.name)})"
    answer = f"Here is the box plot of {y.name} by {group.name}."
    return Plot(fill(template(kind, set(values), rng), values), load_line(table) + code, answer, y.name)


def draw_multi(kind: str, table: Table, rng: random.Random) -> Plot | None:
    """plot_multi, plot_multi3: two or three number columns in one chart."""
    numbers, x, count = table.of(*NUMBER_KINDS), axis(table), 3 if kind == "plot_multi3" else 2
    if len(numbers) < count or x is None or repeats(table, x):
        return None
    ys = rng.sample(numbers, count)
    values = {"x": spoken(x, rng)} | {slot: spoken(y, rng) for slot, y in zip(("y", "y2", "y3"), ys, strict=False)}
    kindly = "" if x.kind in TIME_KINDS else ", kind='bar'"
    code = f"ax = df.plot(x={q(x.name)}, y=[{', '.join(q(y.name) for y in ys)}]{kindly})"
    request = fill(template(kind, set(values), rng), values)
    subject = ", ".join(y.name for y in ys[:-1])
    return Plot(request, load_line(table) + code, say(f"{subject} and {ys[-1].name} by {x.name}"), ys[0].name)


def draw_clusters(kind: str, table: Table, rng: random.Random) -> Plot | None:
    """plot_scatter_by: dots of two number columns, each group in a colour."""
    numbers, group = table.of(*NUMBER_KINDS), grouping(table, rng)
    if len(numbers) < 2 or group is None:
        return None
    y, x = rng.sample(numbers, 2)
    values = {"x": spoken(x, rng), "y": spoken(y, rng), "cat": spoken(group, rng)}
    code = spell("clusters", table, x, y, group)
    answer = f"Here is the scatter plot of {y.name} against {x.name} for each {group.name}."
    return Plot(fill(template(kind, set(values), rng), values), load_line(table) + code, answer, y.name)


def draw_groups(kind: str, table: Table, rng: random.Random) -> Plot | None:
    """plot_count, plot_total, plot_mean: bars of how many rows a group has, or of a number's sum or mean."""
    group = grouping(table, rng)
    if group is None:
        return None
    y = rng.choice(table.of(*NUMBER_KINDS))
    values = {"cat": spoken(group, rng), "y": spoken(y, rng)}
    verb, what = {
        "plot_count": ("tally", "the count"),
        "plot_total": ("sums", f"the total {y.name}"),
        "plot_mean": ("averages", f"the mean {y.name}"),
    }[kind]
    code = spell(verb, table, group, *([] if verb == "tally" else [y]))
    request = fill(template(kind, set(values), rng), values)
    return Plot(request, load_line(table) + code, say(f"{what} by {group.name}"), y.name)


def draw_group(kind: str, table: Table, rng: random.Random) -> Plot | None:
    """plot_group, plot_compare: a long table, a line for each group or for two of them."""
    times, group = table.of(*TIME_KINDS), grouping(table, rng)
    if not times or group is None:
        return None
    x, y = times[0], rng.choice(table.of(*NUMBER_KINDS))
    found = [str(v) for v in table.frame[group.name].dropna().unique()]
    values = {"x": spoken(x, rng), "y": spoken(y, rng), "cat": spoken(group, rng)}
    pivot = f"pivot_table(index={q(x.name)}, columns={q(group.name)}, values={q(y.name)}).plot()"
    if kind == "plot_group":
        request = fill(template(kind, set(values), rng), values)
        return Plot(
            request, load_line(table) + f"ax = df.{pivot}", say(f"{y.name} by {x.name} for each {group.name}"), y.name
        )
    if len(found) < 2:
        return None
    first, second = rng.sample(found, 2)
    values |= {"value": first, "value2": second}
    chosen = f"df[df[{q(group.name)}].isin([{q(first)}, {q(second)}])]"
    request = fill(template(kind, set(values), rng), values)
    return Plot(request, load_line(table) + f"ax = {chosen}.{pivot}", say(f"{y.name} for {first} and {second}"), y.name)


def draw_filter(kind: str, table: Table, rng: random.Random) -> Plot | None:
    """plot_filter: only the rows of one group."""
    group = grouping(table, rng)
    x = next(iter(table.of(*TIME_KINDS) + table.of("name")), None)
    if group is None or x is None or group is x:
        return None
    y = rng.choice(table.of(*NUMBER_KINDS))
    value = str(rng.choice(list(table.frame[group.name].dropna().unique())))
    values = {"x": spoken(x, rng), "y": spoken(y, rng), "value": value, "cat": spoken(group, rng)}
    source = f"df[df[{q(group.name)}] == {q(value)}]"
    bar = "" if x.kind in TIME_KINDS else ", kind='bar'"
    code = f"ax = {source}.plot(x={q(x.name)}, y={q(y.name)}{bar})"
    request = fill(template(kind, set(values), rng), values)
    answer = say(f"{y.name} by {x.name} for {value}")
    return Plot(request, load_line(table) + code, answer, y.name, source, x.name, y.name, bar[2:], True)


def draw_top(kind: str, table: Table, rng: random.Random) -> Plot | None:
    """plot_top, plot_bottom: bars of the n largest or smallest."""
    xs = [c for c in table.of("name", "text", "cat") if not repeats(table, c)]
    if not xs:
        return None
    x, y, n = xs[0], rng.choice(table.of(*NUMBER_KINDS)), rng.choice([3, 5, 5, 10, 4, 6, 7, 8])
    values = {"x": spoken(x, rng), "y": spoken(y, rng), "n": str(n)}
    most, word = ("nlargest", "top") if kind == "plot_top" else ("nsmallest", "lowest")
    source = f"df.{most}({n}, {q(y.name)})"
    code = f"ax = {source}.plot(x={q(x.name)}, y={q(y.name)}, kind='bar')"
    request = fill(template(kind, set(values), rng), values)
    answer = f"Here are the {word} {n} by {y.name}."
    return Plot(request, load_line(table) + code, answer, y.name, source, x.name, y.name, "kind='bar'", True)


def bounds(table: Table, x: Column, rng: random.Random) -> tuple[str, str, str, str] | None:
    """Two x values from low to high: as said and as written in code."""
    found = sorted(table.frame[x.name].dropna().unique().tolist())
    if len(found) < 6:
        return None
    low, high = found[len(found) // 4 + rng.randrange(2)], found[-2 - rng.randrange(2)]
    if x.kind == "year":
        return str(low), str(high), str(low), str(high)
    return str(low), str(high), q(str(low)), q(str(high))


def draw_range(kind: str, table: Table, rng: random.Random) -> Plot | None:
    """plot_range, plot_until: since, from .. to, or up to."""
    xs = [c for c in table.of("year", "month", "date") if not repeats(table, c)]
    ends = bounds(table, xs[0], rng) if xs else None
    if ends is None:
        return None
    x, y = xs[0], rng.choice(table.of(*NUMBER_KINDS))
    values = {"x": spoken(x, rng), "y": spoken(y, rng), "from": ends[0], "to": ends[1]}
    chosen = template(kind, set(values), rng)
    if kind == "plot_until":
        source = f"df[df[{q(x.name)}] <= {ends[3]}]"
    elif "to" in slots(chosen):
        source = f"df[df[{q(x.name)}].between({ends[2]}, {ends[3]})]"
    elif re.search(r"\b(until|before|up to)\b", chosen):
        return None
    else:
        source = f"df[df[{q(x.name)}] >= {ends[2]}]"
    code = f"ax = {source}.plot(x={q(x.name)}, y={q(y.name)})"
    answer = say(f"{y.name} by {x.name}")
    return Plot(fill(chosen, values), load_line(table) + code, answer, y.name, source, x.name, y.name, "", True)


DRAWERS: dict[str, tuple[float, Callable[[str, Table, random.Random], Plot | None]]] = {
    "plot_xy": (0.16, draw_basic),
    "plot_y": (0.09, draw_basic),
    "plot_question": (0.06, draw_basic),
    "plot_topic": (0.12, draw_basic),
    "plot_file": (0.08, draw_basic),
    "plot_log": (0.03, draw_basic),
    "plot_bar": (0.08, draw_kind),
    "plot_line": (0.06, draw_kind),
    "plot_scatter": (0.06, draw_scatter),
    "plot_hist": (0.05, draw_hist),
    "plot_pie": (0.03, draw_pie),
    "plot_box": (0.02, draw_box),
    "plot_multi": (0.05, draw_multi),
    "plot_group": (0.04, draw_group),
    "plot_compare": (0.03, draw_group),
    "plot_filter": (0.04, draw_filter),
    "plot_top": (0.04, draw_top),
    "plot_range": (0.04, draw_range),
    "plot_until": (0.015, draw_range),
    "plot_bottom": (0.02, draw_top),
    "plot_multi3": (0.02, draw_multi),
    "plot_area": (0.02, draw_kind),
    "plot_barh": (0.02, draw_kind),
    "plot_scatter_by": (0.03, draw_clusters),
    "plot_count": (0.025, draw_groups),
    "plot_total": (0.025, draw_groups),
    "plot_mean": (0.025, draw_groups),
}


def draw(table: Table, rng: random.Random) -> Plot | None:
    """A plot request for this table, or None where the drawn kind does not fit it."""
    if not table.of(*NUMBER_KINDS):
        return None
    kind = rng.choices(list(DRAWERS), [share for share, _ in DRAWERS.values()])[0]
    return DRAWERS[kind][1](kind, table, rng)
