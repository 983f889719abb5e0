"""Word problems of the corpus, each with the expression that answers it: the ranker learns from them what problems have
in common. None of them ships."""

import re
from collections.abc import Iterator
from pathlib import Path

from llmos.kernel.recall import Taught
from llmos.training.corpus import rows
from llmos.training.recall import told

LONGEST = 60  # characters of an expression: what takes more steps is of no use as an example
_STEP = re.compile(r"<<([^<>=]*)=([^<>]*)>>")
_NUMBER = re.compile(r"\d[\d,]*\.?\d*|\.\d+")
_ARITHMETIC = re.compile(r"[\d.,+\-*/() ]+")
_LEFT = re.compile(r"(?<![\w.@~&])\d+(?:\.\d+)?")
_UNSAID = frozenset(["2", "3", "4", "7", "10", "12", "24", "30", "52", "60", "100", "365", "1000", "0.5", "1"])


def stories(corpus: Path) -> Iterator[Taught]:
    """The corpus's word problems whose numbers are all told or common, with short names as requests have."""
    for row in rows(corpus, "math"):
        written = row.get("expression") or _whole(row.get("solution") or "")
        if row["task"] != "word_problem" or not written or len(written) > LONGEST:
            continue
        pattern, made = told(row["question"], "calculator", "expression", written)
        if "@" in made and not re.search("[~&]", pattern + made) and set(_LEFT.findall(made)) <= _UNSAID:
            yield Taught("calculator", pattern, made)


def _whole(solution: str) -> str:
    """One expression for a worked solution: its steps ``<<48/2=24>>`` put into one another; empty where they cannot."""
    made: dict[float, str] = {}
    whole = ""
    for step, result in _STEP.findall(solution):
        step = step.replace("$", "").replace("x", "*").replace("%", "/100")
        if not _ARITHMETIC.fullmatch(step) or not _NUMBER.fullmatch(result.strip().lstrip("$")):
            return ""

        def earlier(number: re.Match[str]) -> str:
            value = float(number[0].replace(",", ""))
            return f"({made[value]})" if value in made else number[0].replace(",", "")

        whole = _NUMBER.sub(earlier, step).replace(" ", "")
        made[float(result.strip().lstrip("$").replace(",", ""))] = whole
    return whole
