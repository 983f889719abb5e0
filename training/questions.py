"""Questions that a table's numbers answer: code that computes it, and how the result is read out."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from llmos.kernel.answers import answer
from llmos.kernel.slots import Column as Named
from llmos.kernel.verbs import ASKED, spell
from llmos.training.phrasebook import fill
from llmos.training.plots import grouping, load_line, named, q, repeats, sign, template
from llmos.training.tables import NUMBER_KINDS, TIME_KINDS, Column, Table, spoken


@dataclass(frozen=True)
class Question:
    """A question, the verb that answers it with what it is done to, and the code."""

    request: str
    said: str
    code: str
    columns: Sequence[Named]

    def answer(self, result: str) -> str:
        """What is answered, with what the code printed put in."""
        return answer(self.said, self.columns, result)


# The verb for each kind of phrase.
QUESTIONS = {
    "ask_mean": "mean",
    "ask_sum": "total",
    "ask_maxvalue": "highest",
    "ask_minvalue": "lowest",
    "ask_median": "median",
    "ask_std": "spread",
    "ask_count": "rows",
    "ask_columns": "columns",
    "ask_summary": "summary",
    "ask_missing": "missing",
    "ask_sort": "sort",
    "ask_max": "most",
    "ask_min": "least",
    "ask_top": "best",
    "ask_group_mean": "means",
    "ask_group_sum": "totals",
    "ask_group_count": "counts",
    "ask_unique": "values",
    "ask_corr": "correlation",
    "ask_lookup": "lookup",
    "ask_filter_count": "above",
    "ask_filter_mean": "meanof",
    "ask_range": "range",
    "ask_growth": "growth",
    "ask_size": "size",
    "ask_head": "head",
    "ask_max_when": "most",
    "ask_min_when": "least",
    "ask_share": "share",
    "ask_filter_below": "below",
    "ask_list_above": "over",
    "ask_list_below": "under",
    "ask_first_above": "first",
    "ask_list_more": "exceeds",
    "ask_nunique": "kinds",
    "ask_top_group": "topsum",
    "ask_low_group": "lowsum",
    "ask_top_group_mean": "topmean",
    "ask_sum_where": "sumof",
    "ask_count_where": "count",
    "ask_rows_where": "pick",
    "ask_change": "change",
    "ask_second": "second",
    "ask_bottom": "worst",
    "ask_tail": "tail",
    "ask_gain": "gain",
    "ask_rise": "rise",
    "ask_ratio": "ratio",
    "ask_within": "within",
    "ask_portion": "portion",
    "ask_often": "often",
    "ask_gap": "gap",
    "ask_mean_gap": "meangap",
    "ask_low_group_mean": "lowmean",
    "ask_common": "common",
    "ask_rare": "rare",
    "ask_per_group": "pergroup",
    "ask_peaks": "peaks",
    "ask_earliest": "earliest",
    "ask_latest": "latest",
    "ask_names": "names",
    "ask_higher": "higher",
}

_FEW = frozenset({"ask_top", "ask_head", "ask_bottom", "ask_tail"})  # of so many rows
QUESTION_SHARES = dict.fromkeys(QUESTIONS, 1.0) | {
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
    said, written = {"y": spoken(y, rng)}, {"y": sign(table, y)}
    for slot, column in question_columns(kind, table, y, rng).items():
        if column is None:
            return None
        said[slot], written[slot] = spoken(column, rng), sign(table, column)
        if slot in ("x", "cat") and not add_values(kind, column, table, y, said, written, rng):
            return None
    if "k" in ASKED[QUESTIONS[kind]][0]:
        number = str(rng.randint(2, 8)) if kind in _FEW else threshold(kind, table, y, rng)
        said["n"] = written["n"] = number
        if kind == "ask_within":
            low, high = sorted([number, threshold(kind, table, y, rng)], key=float)
            said |= {"n": low, "n2": high}
            written |= {"n": low, "n2": high}
    chosen = template(kind, set(said), rng)
    if kind in ("ask_head", "ask_tail") and "{n}" not in chosen:
        written["n"] = "5"
    told = " ".join([QUESTIONS[kind], *(written[slot] for slot in places(QUESTIONS[kind]))])
    columns = named(table)
    return Question(fill(chosen, said), told, load_line(table) + spell(told, columns), columns)


def places(verb: str) -> list[str]:
    """The slots of phrases that fill the places of a verb, in their order."""
    slots = {
        "x": ["x"],
        "c": ["cat"],
        "n": ["y", "y2"],
        "k": ["n", "n2"],
        "v": ["from", "to"] if verb == "change" else ["value", "value2"],
    }
    return [slots[role].pop(0) for role in ASKED[verb][0]]


def question_columns(kind: str, table: Table, y: Column, rng: random.Random) -> dict[str, Column | None]:
    """The further columns a kind needs; None where the table has none that fits."""
    numbers = [c for c in table.of(*NUMBER_KINDS) if c is not y]
    names = [c for c in table.columns if c.kind not in NUMBER_KINDS and not repeats(table, c)]
    times = [c for c in table.of(*TIME_KINDS) if not repeats(table, c)]
    found: dict[str, Column | None] = {}
    if kind == "ask_change":
        years = [c for c in times if c.kind == "year"]
        found["x"] = years[0] if years else None
    elif kind in ("ask_first_above", "ask_max_when", "ask_min_when", "ask_earliest", "ask_latest"):
        found["x"] = times[0] if times else None
    elif "x" in places(QUESTIONS[kind]):
        found["x"] = names[0] if names else None
    if "cat" in places(QUESTIONS[kind]):
        found["cat"] = grouping(table, rng)
    if "y2" in places(QUESTIONS[kind]):
        found["y2"] = rng.choice(numbers) if numbers else None
    return found


def add_values(
    kind: str,
    column: Column,
    table: Table,
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

    if "value" in places(QUESTIONS[kind]):
        value = rng.choice(found)
        said["value"], written["value"] = str(value), write(value)
    if "value2" in places(QUESTIONS[kind]):
        other = rng.choice([v for v in found if str(v) != said["value"]] or found)
        said["value2"], written["value2"] = str(other), write(other)
    if kind == "ask_change":
        low, high = sorted(rng.sample(found, 2))
        said |= {"from": str(low), "to": str(high)}
        written |= {"from": write(low), "to": write(high)}
    return True


def threshold(kind: str, table: Table, y: Column, rng: random.Random) -> str:
    """A round number inside the column's range; near its end where rows are to be listed."""
    values = pd.to_numeric(table.frame[y.name], errors="coerce").dropna()
    low, high = {"ask_list_above": (0.7, 0.95), "ask_list_below": (0.05, 0.3)}.get(kind, (0.2, 0.8))
    middle = float(values.quantile(rng.uniform(low, high))) if len(values) else 1.0
    return f"{middle:.1f}" if abs(middle) < 10 and rng.random() < 0.5 else str(round(middle))
