"""Changes to a plot that was drawn: scales, titles, trend lines, other types, other columns, fewer rows."""

import random
import re
from dataclasses import replace

from llmos.training.phrasebook import fill, lines
from llmos.training.plots import Plot, bounds, grouping, plain, q, repeats, say, spell, template
from llmos.training.tables import NUMBER_KINDS, TIME_KINDS, Table, spoken

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
    "follow_rotate": ("ax.tick_params(axis='x', rotation=60)", "The labels of the x axis are turned now."),
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


CHARTS = {
    "follow_bar": ("kind='bar'", "bar chart"),
    "follow_barh": ("kind='barh'", "horizontal bar chart"),
    "follow_area": ("kind='area'", "area chart"),
    "follow_line": ("", "line chart"),
    "follow_scatter": ("kind='scatter'", "scatter plot"),
}


def follow_redraw(kind: str, table: Table, last: Plot, rng: random.Random) -> Plot | None:
    """Another chart type, colour, column or set of rows: drawn again."""
    if not last.simple:
        return None
    if kind in CHARTS:
        options, name = CHARTS[kind]
        code = redraw(last, last.y, options)
        return replace(
            last, request=rng.choice(lines(kind)), code=code, answer=f"Here it is as a {name}.", options=options
        )
    if kind == "follow_color":
        color = rng.choice(COLORS)
        kept = re.sub(r"(, )?color='\w+'", "", last.options)
        options = ", ".join(o for o in (kept, f"color={q(color)}") if o)
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
    if kind in ("follow_add", "follow_split", "follow_smooth", "follow_again"):
        return follow_whole(kind, table, last, rng)
    return follow_rows(kind, table, last, rng)


def follow_whole(kind: str, table: Table, last: Plot, rng: random.Random) -> Plot | None:
    """follow_add, follow_split, follow_smooth, follow_again: the plot of the whole table, drawn in another way."""
    x = next(c for c in table.columns if c.name == last.x)
    y = next(c for c in table.columns if c.name == last.y)
    if last.source != "df" or x.kind in NUMBER_KINDS:
        return None
    if kind == "follow_again":
        code, _ = plain(table, x, y)
        return replace(
            last, request=rng.choice(lines(kind)), code=code, answer=say(f"{y.name} by {x.name}"), options=""
        )
    if kind == "follow_add":
        others = [c for c in table.of(*NUMBER_KINDS) if c.name not in (last.y, last.x)]
        if not others or repeats(table, x):
            return None
        more = rng.choice(others)
        values = {"y": spoken(more, rng)}
        options = ", kind='bar'" if "bar" in last.options else ""
        code = f"ax = df.plot(x={q(x.name)}, y=[{q(y.name)}, {q(more.name)}]{options})"
        answer = say(f"{y.name} and {more.name} by {x.name}")
    elif kind == "follow_split":
        group = grouping(table, rng)
        if group is None or group is x or x.kind not in TIME_KINDS:
            return None
        values = {"cat": spoken(group, rng)}
        code = spell("lines", table, x, group, y)
        answer = say(f"{y.name} by {x.name} for each {group.name}")
    else:
        values = {"n": str(rng.choice([3, 5, 5, 7, 7, 10, 12, 20, 30]))}
        code = f"ax = df.set_index({q(x.name)})[{q(y.name)}].rolling({values['n']}).mean().plot()"
        answer = f"It is smoothed over {values['n']} rows now."
    return replace(last, request=fill(template(kind, set(values), rng), values), code=code, answer=answer, simple=False)


def follow_bins(last: Plot, rng: random.Random) -> Plot | None:
    """A histogram with another number of bins."""
    if "kind='hist'" not in last.code:
        return None
    n = str(rng.choice([4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50]))
    code = f"ax = df.plot(y={q(last.y)}, kind='hist', bins={n})"
    return replace(
        last, request=fill(template("follow_bins", {"n"}, rng), {"n": n}), code=code, answer=f"It has {n} bins now."
    )


def follow_rows(kind: str, table: Table, last: Plot, rng: random.Random) -> Plot | None:
    """follow_filter, follow_range, follow_until, follow_sort: the same plot of fewer rows, or of sorted ones."""
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
    elif kind == "follow_sort":
        if "bar" not in last.options:
            return None
        source = f"df.sort_values({q(last.y)}, ascending=False)"
        request, answer = rng.choice(lines(kind)), "The bars are sorted now."
    else:
        ends = bounds(table, x, rng) if x.kind in ("year", "month", "date") else None
        if ends is None:
            return None
        if kind == "follow_until":
            source = f"df[df[{q(x.name)}] <= {ends[3]}]"
            request = fill(template(kind, {"to"}, rng), {"to": ends[1]})
            answer = say(f"{last.y} by {last.x} until {ends[1]}")
        else:
            source = f"df[df[{q(x.name)}] >= {ends[2]}]"
            request = fill(template(kind, {"from"}, rng), {"from": ends[0]})
            answer = say(f"{last.y} by {last.x} since {ends[0]}")
    return replace(last, request=request, code=redraw(last, last.y, last.options, source), answer=answer, source=source)


HISTOGRAM = 0.5  # share of a histogram's changes that are to its bins
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
    "follow_until": 0.03,
    "follow_sort": 0.05,
    "follow_rotate": 0.03,
    "follow_add": 0.05,
    "follow_split": 0.04,
    "follow_smooth": 0.04,
    "follow_barh": 0.03,
    "follow_area": 0.02,
    "follow_again": 0.02,
}


def follow(table: Table, last: Plot, rng: random.Random) -> Plot | None:
    """A change to the last plot, or None where the drawn one does not fit."""
    if "kind='hist'" in last.code and rng.random() < HISTOGRAM:
        return follow_bins(last, rng)
    kind = rng.choices(list(FOLLOWS), list(FOLLOWS.values()))[0]
    if kind in DONE:
        return follow_simple(kind, last, rng)
    if kind in ("follow_title", "follow_ylabel", "follow_xlabel"):
        return follow_text(kind, last, rng)
    if kind == "follow_extrapolate":
        return follow_extrapolate(kind, last, rng)
    return follow_redraw(kind, table, last, rng)
