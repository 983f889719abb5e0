"""Questions that a table's numbers answer: code that computes it, and how the result is read out."""

import random
import re
from dataclasses import dataclass
from typing import Any

import pandas as pd

from llmos.training.phrasebook import fill
from llmos.training.plots import grouping, load_line, q, repeats, template
from llmos.training.tables import NUMBER_KINDS, Column, Table, spoken


@dataclass(frozen=True)
class Question:
    """A question, its code and the answer's template with ``{r}`` for the result."""

    request: str
    code: str
    template: str
    kind: str = ""


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
