"""Word problems of one to four steps, put together by seed from parts: what begins, what happens, what is asked.

A problem is told twice, with other numbers: an expression that is right for both is right, and not by accident. What
it is worth is reckoned by the calculator; the expression itself is not told. The parts that are trained on stand in
``phrases/problems.yaml``, other ones to measure with in ``held/problems.yaml``.
"""

import json
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from llmos.kernel.tool import ToolError
from llmos.training.phrasebook import SLOT, fill
from llmos.training.recall import told

FOLDER = Path(__file__).parent
TRAINED, HELD = FOLDER / "phrases" / "problems.yaml", FOLDER / "held" / "problems.yaml"
STEPS = (0.3, 0.4, 0.3)  # how often one, two and three things happen
TRIES = 60  # fillings of one telling
MOST = 5000  # what no amount is above
_NAMES = ("Ada", "Bruno", "Chidi", "Dana", "Elif", "Goran", "Hana", "Igor", "Joana", "Kofi", "Lin", "Mateo", "Noor")
_PERCENT = (5, 10, 20, 25, 30, 40, 50, 60, 75)
_FROM_TO = {"a": (2, 60), "b": (2, 60), "c": (80, 900), "s": (2, 9)}
_BEFORE = re.compile(r"\bx\b")


@dataclass(frozen=True)
class Problem:
    """The same words with different numbers, each with its answer."""

    cases: tuple[tuple[str, Fraction], ...]

    @property
    def question(self) -> str:
        """As it is asked."""
        return self.cases[0][0]

    @property
    def answer(self) -> Fraction:
        """What it is worth."""
        return self.cases[0][1]


def worth(expression: str) -> Fraction | None:
    """What the calculator says that an expression is worth; None where that is no exact number."""
    from llmos.tools.calculator import evaluate

    try:
        return Fraction(evaluate(expression).split(" = ")[0].replace(",", ""))
    except (ToolError, ValueError, ZeroDivisionError):
        return None


def draw(count: int, seed: int, parts: Path = TRAINED) -> list[Problem]:
    """So many problems, no two alike in words; the same ones for the same seed. Raises ValueError where the parts do
    not make as many."""
    rng, found = random.Random(seed), dict[str, Problem]()
    for _ in range(count * 60):
        if len(found) == count:
            return list(found.values())
        one = _draw(rng, themes(parts))
        if one is not None:
            found.setdefault(told(one.question)[0], one)
    raise ValueError(f"{parts} makes {len(found)} different problems, not {count}")


@cache
def themes(path: Path) -> Sequence[dict[str, Any]]:
    """The parts in a file, by theme."""
    loaded: list[dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return loaded


def _draw(rng: random.Random, every: Sequence[dict[str, Any]]) -> Problem | None:
    """One problem; None where the draw does not come out."""
    theme = rng.choices(every, [len(t["begin"]) * len(t["then"]) for t in every])[0]
    steps = rng.choices([1, 2, 3], STEPS)[0]
    parts = [rng.choice(theme["begin"]), *rng.sample(theme["then"], min(steps, len(theme["then"])))]
    parts.append(rng.choice(theme["ask"]))
    who, other = rng.sample(_NAMES, 2)
    texts, effects = zip(*(_numbered(part, n).split(" => ") for n, part in enumerate(parts)), strict=True)
    names = {"who": who, "other": other, "things": str(rng.choice(theme["things"]))}
    cases = [_filled(" ".join(texts), effects, names, rng) for _ in range(2)]
    if cases[0] is None or cases[1] is None or told(cases[0][0])[0] != told(cases[1][0])[0]:
        return None
    return Problem((cases[0], cases[1]))


def _numbered(part: str, place: int) -> str:
    """A part whose slots for numbers have names of their own."""
    return SLOT.sub(lambda m: f"{{{m[1]}{place}}}" if m[1] in (*_FROM_TO, "p") else m[0], part)


def _filled(
    text: str, effects: Sequence[str], names: dict[str, str], rng: random.Random
) -> tuple[str, Fraction] | None:
    """A telling with numbers, all different, whose amounts are whole and above nothing at each step."""
    wanted = sorted({m for m in SLOT.findall(" ".join([text, *effects])) if m not in names})
    for _ in range(TRIES):
        values = {n: rng.choice(_PERCENT) if n[0] == "p" else rng.randint(*_FROM_TO[n[0]]) for n in wanted}
        if len(set(values.values())) < len(values):
            continue
        numbers = {name: str(value) for name, value in values.items()}
        amount: Fraction | None = Fraction(0)
        for effect in effects:
            amount = worth(_BEFORE.sub(f"({amount})", fill(effect, numbers)))
            if amount is None or amount.denominator != 1 or not 0 < amount <= MOST:
                amount = None
                break
        if amount is not None:
            return fill(text, numbers | names), amount
    return None


def write(problems: Sequence[Problem], path: Path, name: str) -> None:
    """The problems as ``llmos eval`` takes them."""
    rows = (
        {"id": f"{name}-{n}", "category": name, "prompt": p.question, "expect": {"number": float(p.answer)}}
        for n, p in enumerate(problems)
    )
    path.write_text("".join(json.dumps(_whole(row)) + "\n" for row in rows), encoding="utf-8")


def _whole(row: dict[str, Any]) -> dict[str, Any]:
    number = row["expect"]["number"]
    return {**row, "expect": {"number": int(number) if number == int(number) else number}}
