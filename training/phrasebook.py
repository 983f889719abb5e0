"""Reads the phrase files and fills their slots. Knows nothing of dialogues or of tools."""

import random
import re
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent / "phrases"
SLOT = re.compile(r"\{(\w+)\}")


@cache
def lines(kind: str) -> list[str]:
    """The templates of one kind (``plot_xy``, ``calc_word``, …), comments dropped."""
    text = (FOLDER / f"{kind}.txt").read_text(encoding="utf-8")
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]


@cache
def entries(name: str) -> list[dict[str, Any]]:
    """The list in one YAML file (``direct``, ``facts``, ``python``)."""
    loaded: list[dict[str, Any]] = yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    return loaded


def slots(template: str) -> set[str]:
    """The slot names a template uses."""
    return set(SLOT.findall(template))


def fill(template: str, values: dict[str, str]) -> str:
    """The template with its slots filled. Raises KeyError for a slot without a value."""
    return SLOT.sub(lambda m: values[m.group(1)], template)


def vary(text: str, rng: random.Random) -> str:
    """Now and then another case, end mark, courtesy or a slip of the finger; most requests stay as written."""
    roll = rng.random()
    if roll < 0.06:
        text = text.lower()
    elif roll < 0.10:
        text = text[:1].upper() + text[1:]
    elif roll < 0.12:
        text = text.upper() if len(text) < 40 and not re.search(r"['_]", text) else text
    if rng.random() < 0.05:
        text = text.rstrip(".?!")
    elif rng.random() < 0.05 and text[-1:].isalnum():
        text += rng.choice([".", "?", "!", " please", " pls", " thanks", "..."])
    if rng.random() < 0.04:
        text = rng.choice(["hi, ", "hey ", "ok, ", "hello! ", "please ", "now ", "so "]) + text
    if rng.random() < 0.05:
        text = slip(text, rng)
    return text


def slip(text: str, rng: random.Random) -> str:
    """One slip of the finger in a word of letters: a swap, a drop or a doubling."""
    words = list(re.finditer(r"\b[a-z]{4,}\b", text))
    if not words:
        return text
    at = rng.choice(words)
    i = rng.randrange(at.start(), at.end() - 1)
    kind = rng.randrange(3)
    if kind == 0:
        return text[:i] + text[i + 1] + text[i] + text[i + 2 :]
    if kind == 1:
        return text[:i] + text[i + 1 :]
    return text[: i + 1] + text[i] + text[i + 1 :]


@dataclass(frozen=True)
class Value:
    """A slot's value as people write it and as the expression has it."""

    said: str
    written: str


def whole(low: int, high: int, rng: random.Random) -> Value:
    """An integer, small ones likelier; sometimes with thousands commas."""
    top = high if rng.random() < 0.5 else max(low + 1, min(high, 10 ** rng.randint(1, 4)))
    number = rng.randint(low, max(low, top))
    said = f"{number:,}" if number > 999 and rng.random() < 0.35 else str(number)
    return Value(said, str(number))


def tidy(number: float, digits: int) -> str:
    """A decimal without needless zeros."""
    return f"{number:.{digits}f}".rstrip("0").rstrip(".")


def a_date(rng: random.Random, low: date = date(1950, 1, 1), span: int = 30000) -> date:
    """A day after ``low``."""
    return low + timedelta(days=rng.randint(1, span))


def said_date(day: date, rng: random.Random) -> str:
    """A day as people write it."""
    forms = [
        day.isoformat(),
        day.isoformat(),
        f"{day:%B} {day.day}, {day.year}",
        f"{day.day} {day:%B} {day.year}",
        f"{day:%b} {day.day} {day.year}",
        f"{day.day} {day:%b} {day.year}",
        f"{day:%B} {ordinal(day.day)} {day.year}",
    ]
    return rng.choice(forms)


def ordinal(n: int) -> str:
    """1st, 2nd, 3rd, 4th, …"""
    return f"{n}{'th' if 10 <= n % 100 <= 20 else {1: 'st', 2: 'nd', 3: 'rd'}.get(n % 10, 'th')}"


def polynomial(rng: random.Random) -> Value:
    """A polynomial in x of two to four terms: ``3x^2 - 4x + 1`` as people type it, with its signs of multiplication."""
    powers = sorted(rng.sample(range(5), rng.randint(2, 4) if rng.random() < 0.6 else 2), reverse=True)
    if not powers[0]:
        powers[0] = 1
    said, written = "", ""
    tight, stars = rng.random() < 0.4, rng.choice(["^", "^", "^", "**"])
    for place, power in enumerate(powers):
        factor = rng.choice([1, *[rng.randint(2, 9)] * 4, *[rng.randint(2, 30)] * 2, round(rng.uniform(0.1, 9), 1)])
        sign = rng.choice("++-") if place else rng.choice(["", "", "", "-"])
        joint = sign if not place else sign if tight else f" {sign} "
        number = "" if factor == 1 and power else tidy(factor, 1)
        said += joint + number + {0: "", 1: "x"}.get(power, f"x{stars}{power}")
        tail = {0: "", 1: "x"}.get(power, f"x^{power}")
        written += (f" {sign} " if place else sign) + "*".join(t for t in (number, tail) if t)
    return Value(said, written)


def chain(rng: random.Random, depth: int = 2) -> Value:
    """Plain arithmetic in symbols, with brackets, as people type it: ``(45+55)*3``, ``7 x 8 - 2.5``."""
    signs = {"+": ["+"], "-": ["-"], "*": ["*", "*", "x", "\u00d7"], "/": ["/", "/", "÷", ":"]}
    said = {k: rng.choice(v) for k, v in signs.items()}
    gap = rng.choice(["", " ", " "])
    if said["*"] == "x" or said["/"] == ":":
        gap = " "

    def term(level: int) -> Value:
        if level and rng.random() < 0.35:
            inner = row(level - 1)
            return Value(f"({inner.said})", f"({inner.written})")
        if rng.random() < 0.3:
            text = tidy(rng.uniform(0.1, 10 ** rng.randint(1, 3)), 2)
            return Value(text, text)
        return whole(1, 10 ** rng.randint(1, 4), rng)

    def row(level: int) -> Value:
        made = term(level)
        for _ in range(rng.choice([1, 1, 1, 2, 2])):
            sign, other = rng.choice("++--**/"), term(level)
            made = Value(made.said + gap + said[sign] + gap + other.said, f"{made.written} {sign} {other.written}")
        return made

    return row(rng.choice([0, 0, 1, 1, depth]))


def number_slots(names: set[str], rng: random.Random) -> dict[str, Value]:
    """Values for the calculator's slots; the kind is the name without its digits."""
    made: dict[str, Value] = {}
    first = a_date(rng)
    for name in sorted(names):
        kind = name.rstrip("0123456789")
        if kind in ("a", "b", "c", "n"):
            made[name] = whole(2, 9999, rng)
        elif kind == "s":
            made[name] = Value(*[str(rng.randint(2, 20))] * 2)
        elif kind == "big":
            made[name] = whole(1000, 10 ** rng.randint(4, 9), rng)
        elif kind == "p":
            number = rng.choice([rng.randint(1, 99), rng.randint(1, 99), rng.choice([2.5, 7.5, 12.5, 17.5, 0.5, 8.25])])
            made[name] = Value(str(number), str(number))
        elif kind == "m":
            number = rng.choice([rng.randint(2, 5000), round(rng.uniform(1, 300), 2), rng.randint(1, 99) * 10])
            made[name] = Value(
                f"{number:,}" if number > 999 and rng.random() < 0.4 else tidy(number, 2), tidy(number, 2)
            )
        elif kind == "d":
            text = tidy(rng.uniform(0.1, 10 ** rng.randint(1, 3)), rng.choice([1, 1, 2, 3]))
            made[name] = Value(text, text)
        elif kind == "f":
            fraction = Fraction(rng.randint(1, 12), rng.randint(2, 16))
            text = (
                f"{fraction.numerator}/{fraction.denominator}" if fraction.denominator > 1 else f"{rng.randint(1, 6)}/7"
            )
            made[name] = Value(text, text)
        elif kind == "date":
            day = first if name == "date" else first + timedelta(days=rng.randint(1, 2500))
            made[name] = Value(said_date(day, rng), day.isoformat())
        elif kind == "poly":
            made[name] = polynomial(rng)
        elif kind == "chain":
            made[name] = chain(rng)
        elif kind == "yr":
            text = str(rng.randint(1950, 2040))
            made[name] = Value(text, text)
        else:
            raise KeyError(name)
    return made
