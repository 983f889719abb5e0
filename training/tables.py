"""Tables for training: schemas of everyday subjects filled with random values, and real tables of a corpus.

A :class:`Table` here is a frame plus what people call its columns. A third of the corpus's tables is held out and never
read here; the reserved ones are another folder.
"""

import random
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

PHRASES = Path(__file__).parent / "phrases"

# Every third table of the corpus, by name: never used in training.
HELD_OUT = frozenset(
    [
        "wheat_prices_england",
        "fight_songs",
        "human_height",
        "us_employment_annual",
        "nfl_ticket_prices_2014",
        "us_jobs_by_sector",
        "mobile_money_accounts",
        "weather_new_york_2014",
        "renewable_energy_costs",
        "working_hours_history",
        "film_review_scores",
        "fifa_tv_audience",
        "exchange_rates_annual",
    ]
)

# Share of columns and files that get names of other words: otherwise a small model learns the schemas by heart
# instead of reading the preview.
RENAMED = 0.3

TIME_KINDS = ("year", "month", "date", "quarter")
NUMBER_KINDS = ("int", "float", "pct")


@dataclass
class Column:
    """A column's exact name, its kind (as in domains.yaml) and what people call it."""

    name: str
    kind: str
    words: list[str] = field(default_factory=list)
    spec: dict[str, Any] = field(default_factory=dict)


@dataclass
class Table:
    """A training table: file name, subject, columns and values; its preview and its loaded form once they were made."""

    file: str
    topics: list[str]
    columns: list[Column]
    frame: pd.DataFrame
    source: str = ""
    preview: str = ""
    typed: pd.DataFrame | None = None

    def of(self, *kinds: str) -> list[Column]:
        """Its columns of these kinds, in order."""
        return [c for c in self.columns if c.kind in kinds]


@cache
def domains() -> list[dict[str, Any]]:
    """The bank of schemas."""
    loaded: list[dict[str, Any]] = yaml.safe_load((PHRASES / "domains.yaml").read_text(encoding="utf-8"))
    return loaded


def restyle(name: str, rng: random.Random) -> str:
    """The same words in another naming style: snake_case, CamelCase, Spaced, CAPS."""
    words = [w for w in re.split(r"[\s_]+|(?<=[a-z])(?=[A-Z])", name) if w]
    style = rng.randrange(6)
    if style == 0:
        return "".join(w[:1].upper() + w[1:] for w in words)
    if style == 1:
        return " ".join(w.capitalize() for w in words)
    if style == 2:
        return "_".join(words).upper()
    if style == 3:
        return "-".join(w.lower() for w in words)
    return "_".join(w.lower() for w in words)


@cache
def nouns() -> list[str]:
    """Words that columns may be renamed to, from schemas and phrases: copying must not depend on the subject."""
    found = {w.lower() for d in domains() for c in d["columns"] for w in re.findall(r"[A-Za-z]{3,12}", c["name"])}
    for path in sorted(PHRASES.iterdir()):
        found |= set(re.findall(r"\b[a-z]{4,11}\b", path.read_text(encoding="utf-8").lower()))
    return sorted(found)


def invented(rng: random.Random) -> str:
    """A column or file name of words that have nothing to do with the subject."""
    word = syllables(rng) if rng.random() < 0.25 else rng.choice(nouns())
    return word + rng.choice(
        ["", "", "", f"_{rng.choice(nouns())}", f" {rng.choice(nouns())}", "_total", "_pct", "_eur", "_km"]
    )


def syllables(rng: random.Random) -> str:
    """An invented word, so that names never seen before are copied letter by letter."""
    return "".join(
        rng.choice("bcdfghklmnprstvz") + rng.choice("aeiou") + rng.choice(["", "", "n", "r", "l", "s"])
        for _ in range(rng.randint(2, 3))
    )


def times(kind: str, rows: int, rng: random.Random) -> list[Any]:
    """Consecutive years, months, days or quarters as text or integers."""
    if kind == "year":
        first = rng.randint(1880, 2024 - rows) if rows < 140 else 1850
        return list(range(first, first + rows))
    code = {"month": "MS", "date": rng.choice(["D", "D", "W", "MS", "SMS"]), "quarter": "QS"}[kind]
    start = pd.Timestamp(rng.randint(1990, 2024), rng.randint(1, 12), 1)
    stamps = pd.date_range(start, periods=rows, freq=code)
    if kind == "month":
        return [f"{t:%Y-%m}" for t in stamps]
    if kind == "quarter":
        return [f"{t.year} Q{t.quarter}" for t in stamps]
    return [f"{t:%Y-%m-%d}" for t in stamps]


def numbers(spec: dict[str, Any], rows: int, rng: random.Random) -> list[Any]:
    """Values between lo and hi: a drifting walk half of the time, independent otherwise; some may be missing."""
    lo, hi = float(spec.get("lo", 0)), float(spec.get("hi", 100))
    noise = np.random.default_rng(rng.randrange(2**32))
    if rng.random() < 0.5:
        walk = np.cumsum(noise.normal(0.2, 1, rows))
        values = lo + (hi - lo) * (walk - walk.min()) / (np.ptp(walk) or 1)
    else:
        values = noise.uniform(lo, hi, rows)
    if spec["kind"] == "int":
        made: list[Any] = [int(v) for v in values]
    else:
        digits = rng.choice([1, 1, 2])
        made = [round(float(v), digits) for v in values]
    if rng.random() < 0.06:
        made = [None if rng.random() < 0.1 else v for v in made]
    return made


def fill(columns: list[Column], rng: random.Random) -> pd.DataFrame:
    """Values for a schema; a time column and a category make a long table, each pair once."""
    timed = [c for c in columns if c.kind in TIME_KINDS]
    cats = [c for c in columns if c.kind == "cat" and c.spec.get("values")]
    named = [c for c in columns if c.kind == "name" and c.spec.get("values")]
    rows = rng.randint(6, 40)
    if named:
        rows = len(named[0].spec["values"])
    data: dict[str, list[Any]] = {}
    if timed and cats and not named:
        values = cats[0].spec["values"]
        span = max(3, rows // len(values))
        stamps = times(timed[0].kind, span, rng)
        rows = span * len(values)
        if rng.random() < 0.5:
            data[timed[0].name], data[cats[0].name] = stamps * len(values), [v for v in values for _ in stamps]
        else:
            data[timed[0].name], data[cats[0].name] = [s for s in stamps for _ in values], list(values) * span
    for c in columns:
        if c.name in data:
            continue
        if c.kind in TIME_KINDS:
            data[c.name] = times(c.kind, rows, rng)
        elif c.kind in NUMBER_KINDS:
            data[c.name] = numbers(c.spec, rows, rng)
        elif c.kind == "bool":
            data[c.name] = [rng.choice(["yes", "no"]) for _ in range(rows)]
        elif c.kind == "name" and c.spec.get("values"):
            chosen = list(c.spec["values"])
            rng.shuffle(chosen)
            data[c.name] = (chosen * (rows // len(chosen) + 1))[:rows]
        elif c.kind == "cat" and c.spec.get("values"):
            data[c.name] = [rng.choice(c.spec["values"]) for _ in range(rows)]
        else:
            data[c.name] = [f"{syllables(rng)} {rng.choice(nouns())}" for _ in range(rows)]
    return pd.DataFrame({c.name: data[c.name] for c in columns})


def synthetic(rng: random.Random) -> Table:
    """A table of a random schema: names restyled, some renamed to words it never had, columns now and then dropped."""
    domain = rng.choice(domains())
    columns = [Column(c["name"], c["kind"], [str(w) for w in c.get("words", [])], c) for c in domain["columns"]]
    if len(columns) > 3 and rng.random() < 0.3:
        columns.remove(rng.choice(columns[1:]))
    restyled = rng.random() < 0.35
    for c in columns:
        if rng.random() < (0.05 if c.kind in TIME_KINDS else RENAMED):
            c.name, c.words = invented(rng), []
        if restyled:
            c.name = restyle(c.name, rng)
    if len({c.name for c in columns}) < len(columns):
        return synthetic(rng)
    stem = domain["file"].rsplit(".", 1)[0]
    if rng.random() < RENAMED:
        stem = rng.choice(["data", "export", "sheet1", *(re.sub(r"\W", "_", invented(rng)) for _ in range(6))])
    file = f"{stem}.{rng.choice(['csv'] * 8 + ['tsv', 'json'])}"
    source = f"{domain['source']}; as of {rng.randint(2005, 2026)}" if rng.random() < 0.25 else ""
    return Table(file, [str(t) for t in domain["topic"]], columns, fill(columns, rng), source)


@cache
def real_tables(corpus: Path | None) -> list[Table]:
    """The corpus's tables that are not held out, with kinds guessed from the values."""
    if corpus is None or not (corpus / "tables" / "INDEX.csv").exists():
        return []
    index = pd.read_csv(corpus / "tables" / "INDEX.csv")
    made = []
    for row in index.itertuples():
        if str(row.file).removesuffix(".csv") in HELD_OUT:
            continue
        frame = pd.read_csv(corpus / "tables" / str(row.file))
        columns = [Column(str(n), guess_kind(str(n), frame[n])) for n in frame.columns]
        topic = re.split(r"[,:(]", str(row.title))[0].strip()
        topics = [topic, topic.lower(), str(row.file)[:-4].replace("_", " ")]
        made.append(Table(str(row.file), topics, columns, frame, f"{row.source}; as of 2024"))
    return made


def guess_kind(name: str, values: "pd.Series[Any]") -> str:
    """A column's kind from its values."""
    text = values.dropna().astype(str)
    if values.dtype.kind in "if":
        return "year" if "year" in name and values.dropna().between(1000, 2200).all() else "float"
    if text.str.fullmatch(r"\d{4}-\d{2}-\d{2}").all():
        return "date"
    if text.str.fullmatch(r"\d{4}-\d{2}").all():
        return "month"
    return "name" if text.nunique() == len(text) else "cat"


UNITS = r"_?(usd|eur|gbp|musd|pct|percent|km|cm|mm|kg|g|c|f|m|mg|kwh|kw|min|s|h|ml|l|ppm|in|deg|count|total)$"


def spoken(column: Column, rng: random.Random) -> str:
    """What a person might call the column: its name, its words, or its words without the unit."""
    plain = re.sub(r"[_\-]+|(?<=[a-z])(?=[A-Z])", " ", column.name).strip()
    short = re.sub(UNITS, "", re.sub(r"[\s\-]+", "_", column.name.lower())).replace("_", " ").strip()
    choices = [column.name, column.name, plain, plain.lower(), plain.lower(), short or plain]
    choices += [w for w in column.words for _ in range(2)]
    return rng.choice(choices)
