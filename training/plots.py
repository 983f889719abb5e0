"""What to write for a table: plot code, changes to a plot, and questions, each with its request and its answer.

One convention each, so that a small model can learn it: ``df`` is the table, ``ax`` the last plot.
"""

import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

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


@dataclass(frozen=True)
class Question:
    """A question, its code and the answer's template with ``{r}`` for the result."""

    request: str
    code: str
    template: str
    kind: str = ""


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
    found = [c for c in table.of("cat") if repeats(table, c)]
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
    """plot_xy, plot_y, plot_topic, plot_file, plot_log: the x axis is named or natural."""
    numbers = table.of(*NUMBER_KINDS)
    x = axis(table)
    if kind in ("plot_xy", "plot_log") and rng.random() < 0.5:
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
    return Plot(
        request, load_line(table) + code, say(f"{y.name} by {x.name}"), y.name, "df", x.name, y.name, "", simple
    )


def draw_kind(kind: str, table: Table, rng: random.Random) -> Plot | None:
    """plot_bar and plot_line: the chart's type is named."""
    numbers = table.of(*NUMBER_KINDS)
    xs = table.of(*TIME_KINDS) if kind == "plot_line" else table.of("name", "cat", *TIME_KINDS)
    if not xs:
        return None
    x, y = rng.choice(xs), rng.choice(numbers)
    values = {"x": spoken(x, rng), "y": spoken(y, rng)}
    request = fill(template(kind, set(values), rng), values)
    if kind == "plot_bar":
        if repeats(table, x):
            code, simple = f"ax = df.groupby({q(x.name)})[{q(y.name)}].mean().plot(kind='bar')", False
        else:
            code, simple = f"ax = df.plot(x={q(x.name)}, y={q(y.name)}, kind='bar')", True
        options = "kind='bar'"
    else:
        code, simple = plain(table, x, y)
        options = ""
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
    return Plot(request, load_line(table) + code, f"Here is the histogram of {y.name}.", y.name)


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
    """plot_multi: two number columns in one chart."""
    numbers, x = table.of(*NUMBER_KINDS), axis(table)
    if len(numbers) < 2 or x is None or repeats(table, x):
        return None
    y, y2 = rng.sample(numbers, 2)
    values = {"x": spoken(x, rng), "y": spoken(y, rng), "y2": spoken(y2, rng)}
    kindly = "" if x.kind in TIME_KINDS else ", kind='bar'"
    code = f"ax = df.plot(x={q(x.name)}, y=[{q(y.name)}, {q(y2.name)}]{kindly})"
    request = fill(template(kind, set(values), rng), values)
    return Plot(request, load_line(table) + code, say(f"{y.name} and {y2.name} by {x.name}"), y.name)


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
    """plot_top: bars of the n largest."""
    xs = [c for c in table.of("name", "text", "cat") if not repeats(table, c)]
    if not xs:
        return None
    x, y, n = xs[0], rng.choice(table.of(*NUMBER_KINDS)), rng.choice([3, 5, 5, 10, 4, 6, 7, 8])
    values = {"x": spoken(x, rng), "y": spoken(y, rng), "n": str(n)}
    source = f"df.nlargest({n}, {q(y.name)})"
    code = f"ax = {source}.plot(x={q(x.name)}, y={q(y.name)}, kind='bar')"
    request = fill(template(kind, set(values), rng), values)
    answer = f"Here are the top {n} by {y.name}."
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
    """plot_range: since, or from .. to."""
    xs = [c for c in table.of("year", "month", "date") if not repeats(table, c)]
    ends = bounds(table, xs[0], rng) if xs else None
    if ends is None:
        return None
    x, y = xs[0], rng.choice(table.of(*NUMBER_KINDS))
    values = {"x": spoken(x, rng), "y": spoken(y, rng), "from": ends[0], "to": ends[1]}
    chosen = template(kind, set(values), rng)
    if "to" in slots(chosen):
        source = f"df[df[{q(x.name)}].between({ends[2]}, {ends[3]})]"
    elif re.search(r"\b(until|before|up to)\b", chosen):
        return None
    else:
        source = f"df[df[{q(x.name)}] >= {ends[2]}]"
    code = f"ax = {source}.plot(x={q(x.name)}, y={q(y.name)})"
    answer = say(f"{y.name} by {x.name}")
    return Plot(fill(chosen, values), load_line(table) + code, answer, y.name, source, x.name, y.name, "", True)


DRAWERS: dict[str, tuple[float, Callable[[str, Table, random.Random], Plot | None]]] = {
    "plot_xy": (0.2, draw_basic),
    "plot_y": (0.1, draw_basic),
    "plot_topic": (0.14, draw_basic),
    "plot_file": (0.09, draw_basic),
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
}


def draw(table: Table, rng: random.Random) -> Plot | None:
    """A plot request for this table, or None where the drawn kind does not fit it."""
    if not table.of(*NUMBER_KINDS):
        return None
    kind = rng.choices(list(DRAWERS), [share for share, _ in DRAWERS.values()])[0]
    return DRAWERS[kind][1](kind, table, rng)


COLORS = ["red", "green", "blue", "orange", "purple", "black", "pink", "brown", "gray", "teal", "navy", "gold"]
TITLES = [
    "Our numbers",
    "Results so far",
    "A steady climb",
    "Report for the board",
    "Ups and downs",
    "Final figures",
    "Season overview",
    "What we measured",
]
LABELS = [
    "price in euro",
    "amount",
    "million dollars",
    "how many",
    "value",
    "temperature",
    "share of all",
    "units sold",
    "year of record",
    "time",
]

DONE = {
    "follow_log": ("ax.set_yscale('log')", "The y axis is logarithmic now."),
    "follow_linear": ("ax.set_yscale('linear')", "The y axis is linear again."),
    "follow_trend": ("trend(ax)", "I added the linear trend line."),
    "follow_grid": ("ax.grid(True)", "The grid is on."),
    "follow_markers": ("ax.lines[0].set_marker('o')", "The points are marked now."),
}


def follow_simple(kind: str, last: Plot, rng: random.Random) -> Plot:
    """A change to the figure itself."""
    line, answer = DONE[kind]
    return replace(last, request=rng.choice(lines(kind)), code=f"{line}\nax.figure", answer=answer)


def follow_text(kind: str, last: Plot, rng: random.Random) -> Plot:
    """A title or an axis label given by the user."""
    text = rng.choice(TITLES if kind == "follow_title" else LABELS)
    if rng.random() < 0.4:
        text = text.lower()
    request = fill(template(kind, {"text"}, rng), {"text": text})
    setter = {"follow_title": "title", "follow_ylabel": "ylabel", "follow_xlabel": "xlabel"}[kind]
    name = {"title": "title", "ylabel": "y label", "xlabel": "x label"}[setter]
    return replace(
        last, request=request, code=f"ax.set_{setter}({q(text)})\nax.figure", answer=f"The {name} is {text} now."
    )


def follow_extrapolate(kind: str, last: Plot, rng: random.Random) -> Plot:
    """A trend line carried on to a year."""
    year = str(rng.randint(2024, 2060))
    said = rng.choice([year, year, f"the end of {year}", f"end of {year}"])
    request = fill(template(kind, {"to"}, rng), {"to": said})
    return replace(
        last,
        request=request,
        code=f"trend(ax, until={q(year)})\nax.figure",
        answer=f"The trend line runs to {year} now.",
    )


def redraw(last: Plot, y: str, options: str, source: str | None = None) -> str:
    """The last plot's code with another y, other options or other rows."""
    tail = "".join(f", {o}" for o in [options] if o)
    return f"ax = {source or last.source}.plot(x={q(last.x)}, y={q(y)}{tail})"


def follow_redraw(kind: str, table: Table, last: Plot, rng: random.Random) -> Plot | None:
    """Another chart type, colour, column or set of rows: drawn again."""
    if not last.simple:
        return None
    if kind in ("follow_bar", "follow_line", "follow_scatter"):
        word = kind.removeprefix("follow_")
        options = {"bar": "kind='bar'", "line": "", "scatter": "kind='scatter'"}[word]
        name = {"bar": "bar chart", "line": "line chart", "scatter": "scatter plot"}[word]
        code = redraw(last, last.y, options)
        return replace(
            last, request=rng.choice(lines(kind)), code=code, answer=f"Here it is as a {name}.", options=options
        )
    if kind == "follow_color":
        color = rng.choice(COLORS)
        options = ", ".join(o for o in (last.options, f"color={q(color)}") if o)
        request = fill(template(kind, {"color"}, rng), {"color": color})
        return replace(last, request=request, code=redraw(last, last.y, options), answer=f"It is {color} now.")
    if kind == "follow_other":
        others = [c for c in table.of(*NUMBER_KINDS) if c.name not in (last.y, last.x)]
        if not others:
            return None
        y = rng.choice(others)
        request = fill(template(kind, {"y"}, rng), {"y": spoken(y, rng)})
        return replace(
            last,
            request=request,
            code=redraw(last, y.name, last.options),
            answer=say(f"{y.name} by {last.x}"),
            y=y.name,
        )
    return follow_rows(kind, table, last, rng)


def follow_rows(kind: str, table: Table, last: Plot, rng: random.Random) -> Plot | None:
    """follow_filter and follow_range: the same plot of fewer rows."""
    x = next((c for c in table.columns if c.name == last.x), None)
    if last.source != "df" or x is None:
        return None
    if kind == "follow_filter":
        group = grouping(table, rng)
        if group is None or group is x:
            return None
        value = str(rng.choice(list(table.frame[group.name].dropna().unique())))
        source = f"df[df[{q(group.name)}] == {q(value)}]"
        request = fill(template(kind, {"value"}, rng), {"value": value})
        answer = say(f"{last.y} by {last.x} for {value}")
    else:
        ends = bounds(table, x, rng) if x.kind in ("year", "month", "date") else None
        if ends is None:
            return None
        source = f"df[df[{q(x.name)}] >= {ends[2]}]"
        request = fill(template(kind, {"from"}, rng), {"from": ends[0]})
        answer = say(f"{last.y} by {last.x} since {ends[0]}")
    return replace(last, request=request, code=redraw(last, last.y, last.options, source), answer=answer, source=source)


FOLLOWS = {
    "follow_log": 0.16,
    "follow_linear": 0.03,
    "follow_trend": 0.14,
    "follow_extrapolate": 0.12,
    "follow_grid": 0.02,
    "follow_markers": 0.02,
    "follow_title": 0.06,
    "follow_ylabel": 0.03,
    "follow_xlabel": 0.03,
    "follow_bar": 0.1,
    "follow_line": 0.04,
    "follow_scatter": 0.04,
    "follow_color": 0.07,
    "follow_other": 0.07,
    "follow_filter": 0.06,
    "follow_range": 0.06,
}


def follow(table: Table, last: Plot, rng: random.Random) -> Plot | None:
    """A change to the last plot, or None where the drawn one does not fit."""
    kind = rng.choices(list(FOLLOWS), list(FOLLOWS.values()))[0]
    if kind in DONE:
        return follow_simple(kind, last, rng)
    if kind in ("follow_title", "follow_ylabel", "follow_xlabel"):
        return follow_text(kind, last, rng)
    if kind == "follow_extrapolate":
        return follow_extrapolate(kind, last, rng)
    return follow_redraw(kind, table, last, rng)


# Questions on one number column: code with {y}, answer with {y} and {r}.
SIMPLE = {
    "ask_mean": ("df[{y}].mean()", "The mean of {y} is {r}."),
    "ask_sum": ("df[{y}].sum()", "The sum of {y} is {r}."),
    "ask_maxvalue": ("df[{y}].max()", "The largest {y} is {r}."),
    "ask_minvalue": ("df[{y}].min()", "The smallest {y} is {r}."),
    "ask_median": ("df[{y}].median()", "The median of {y} is {r}."),
    "ask_std": ("df[{y}].std()", "The standard deviation of {y} is {r}."),
    "ask_count": ("len(df)", "The table has {r} rows."),
    "ask_columns": ("list(df.columns)", "The columns are {r}."),
    "ask_summary": ("df.describe()", "Here is the summary:\n{r}"),
    "ask_missing": ("df.isna().sum()", "Missing values by column:\n{r}"),
    "ask_sort": ("df.sort_values({y}, ascending=False).head(10)", "Sorted by {y}, the first ten rows:\n{r}"),
    "ask_max": ("df.nlargest(1, {y})[[{x}, {y}]]", "{r0} has the highest {y}: {r1}."),
    "ask_min": ("df.nsmallest(1, {y})[[{x}, {y}]]", "{r0} has the lowest {y}: {r1}."),
    "ask_top": ("df.nlargest({n}, {y})[[{x}, {y}]]", "The top {n} by {y}:\n{r}"),
    "ask_group_mean": ("df.groupby({cat})[{y}].mean()", "The mean of {y} by {cat}:\n{r}"),
    "ask_group_sum": ("df.groupby({cat})[{y}].sum()", "The sum of {y} by {cat}:\n{r}"),
    "ask_group_count": ("df[{cat}].value_counts()", "The count by {cat}:\n{r}"),
    "ask_unique": ("df[{cat}].unique().tolist()", "The values of {cat} are {r}."),
    "ask_corr": ("df[{y}].corr(df[{y2}])", "The correlation of {y} and {y2} is {r}."),
    "ask_lookup": ("df.loc[df[{x}] == {value}, {y}].tolist()", "{y} for {value}: {r}."),
    "ask_filter_count": ("len(df[df[{y}] > {n}])", "{r} rows have {y} above {n}."),
    "ask_filter_mean": ("df[df[{cat}] == {value}][{y}].mean()", "The mean of {y} for {value} is {r}."),
    "ask_change": ("s = df.set_index({x})[{y}]\ns[{to}] - s[{from}]", "{y} changed by {r} from {from} to {to}."),
}

QUESTION_SHARES = dict.fromkeys(SIMPLE, 1.0) | {
    "ask_mean": 2.2,
    "ask_sum": 2.0,
    "ask_max": 3.0,
    "ask_min": 2.0,
    "ask_count": 1.4,
    "ask_lookup": 1.8,
    "ask_group_mean": 1.6,
    "ask_summary": 0.5,
    "ask_missing": 0.6,
    "ask_sort": 0.6,
    "ask_columns": 1.2,
}


def question(table: Table, rng: random.Random) -> Question | None:
    """A question on this table, or None where the drawn kind does not fit it."""
    numbers = table.of(*NUMBER_KINDS)
    if not numbers:
        return None
    kind = rng.choices(list(QUESTION_SHARES), list(QUESTION_SHARES.values()))[0]
    y = rng.choice(numbers)
    said = {"y": spoken(y, rng)}
    written = {"y": q(y.name)}
    plainly = {"y": y.name}
    for slot, column in question_columns(kind, table, y, rng).items():
        if column is None:
            return None
        said[slot], written[slot], plainly[slot] = spoken(column, rng), q(column.name), column.name
        if slot in ("x", "cat") and not add_values(kind, table, column, y, said, written, rng):
            return None
    if kind in ("ask_top", "ask_filter_count"):
        number = threshold(table, y, rng) if kind == "ask_filter_count" else str(rng.randint(2, 6))
        said["n"] = written["n"] = number
    values = {k: plainly.get(k, said[k]) for k in said}
    request = fill(template(kind, set(said), rng), said)
    code, answer = SIMPLE[kind]
    lookup = re.compile(r"\{(?!r)(\w+)\}")
    return Question(
        request,
        load_line(table) + fill(code, written),
        lookup.sub(lambda m: values[m.group(1)], answer),
        kind,
    )


def question_columns(kind: str, table: Table, y: Column, rng: random.Random) -> dict[str, Column | None]:
    """The further columns a kind needs; None where the table has none that fits."""
    numbers = [c for c in table.of(*NUMBER_KINDS) if c is not y]
    names = [c for c in table.columns if c.kind not in NUMBER_KINDS and not repeats(table, c)]
    years = [c for c in table.of("year") if not repeats(table, c)]
    if kind in ("ask_max", "ask_min", "ask_top", "ask_lookup"):
        return {"x": names[0] if names else None}
    if kind == "ask_change":
        return {"x": years[0] if years else None}
    if kind in ("ask_group_mean", "ask_group_sum", "ask_group_count", "ask_unique", "ask_filter_mean"):
        return {"cat": grouping(table, rng)}
    if kind == "ask_corr":
        return {"y2": rng.choice(numbers) if numbers else None}
    return {}


def add_values(
    kind: str,
    table: Table,
    column: Column,
    y: Column,
    said: dict[str, str],
    written: dict[str, str],
    rng: random.Random,
) -> bool:
    """Put {value}, {from} and {to} where a kind needs them; false where the column has none that fit."""
    found = table.frame.dropna(subset=[column.name, y.name])[column.name].unique().tolist()
    if len(found) < 2:
        return False

    def write(value: Any) -> str:
        return str(value) if column.kind == "year" else q(str(value))

    if kind in ("ask_lookup", "ask_filter_mean"):
        value = rng.choice(found)
        said["value"], written["value"] = str(value), write(value)
    if kind == "ask_change":
        low, high = sorted(rng.sample(found, 2))
        said |= {"from": str(low), "to": str(high)}
        written |= {"from": write(low), "to": write(high)}
    return True


def threshold(table: Table, y: Column, rng: random.Random) -> str:
    """A round number inside the column's range."""
    values = pd.to_numeric(table.frame[y.name], errors="coerce").dropna()
    middle = float(values.quantile(rng.uniform(0.2, 0.8))) if len(values) else 1.0
    return f"{middle:.1f}" if abs(middle) < 10 and rng.random() < 0.5 else str(round(middle))


def read_out(made: Question, result: str) -> str:
    """The answer, with what the code printed put in."""
    if "{r0}" in made.template:
        row = result.splitlines()[-1].rsplit(",", 1)
        return made.template.replace("{r0}", row[0]).replace("{r1}", row[-1])
    shown = result
    if made.kind in ("ask_columns", "ask_unique", "ask_lookup") and result.startswith("["):
        shown = re.sub(r"(?<![A-Za-z])'|'(?![A-Za-z])", "", result[1:-1])
    return made.template.replace("{r}", shown)
