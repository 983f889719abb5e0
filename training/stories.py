"""Word problems, each with the expression that answers it: the ranker and its solver learn from them what problems have
in common. None of them ships.

Those in ``phrases/stories_*.txt`` were written for it, a line each, ``question => expression``, with the real numbers
in both; the corpus's have worked solutions, which become one expression (Cobbe et al. 2021, "Training verifiers to
solve math word problems").
"""

import re
import zlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from llmos.kernel.arithmetic import prefix
from llmos.kernel.literals import literals
from llmos.kernel.recall import Taught
from llmos.training.corpus import rows
from llmos.training.phrasebook import FOLDER, lines
from llmos.training.problems import worth
from llmos.training.recall import told

LONGEST = 100  # characters of an expression: what takes more steps is of no use as an example
_STEP = re.compile(r"<<([^<>=]*)=([^<>]*)>>|(?<![\w<.])([\d.,$][^=<>\n;:?]*?)=\s*(\$?\d[\d,]*(?:\.\d+)?)(?![\d<])")
_NUMBER = re.compile(r"\d+\.?\d*|\.\d+")
_OPERATOR = re.compile(r"[+\-*/]")
_ARITHMETIC = re.compile(r"[\d.+\-*/() ]+")
_LAST = re.compile(r"[\d.(][\d.+\-*/() ]*$")
_LEFT = re.compile(r"(?<![\w.@~&])\d+(?:\.\d+)?")
_WORDS = re.compile(r"[A-Za-z][A-Za-z'/-]*")
_OTHERS = re.compile(r"[~&]\d")
_PARTS = {2, 4, 5, 10, 20, 100}  # of a whole, that words tell: half, a quarter, a nickel
_ONE_IN, _MOST_STEPS = 30, 3  # of the corpus's that is set apart to measure with, and its steps
_ROUNDED = Fraction(1, 100)
_COMMON = (*range(1, 11), 12, 15, 16, 24, 30, 36, 48, 50, 52, 60, 90, 100, 180, 360, 365, 1000, 3600, 0.5, 1.5)
UNSAID = frozenset(map(str, _COMMON))
"""Numbers that an expression may have without being told: days of a week, minutes, months, what words like half say."""


def written() -> Iterator[Taught]:
    """The word problems of the phrase files with short names as requests have. Raises ValueError for a wrong line."""
    for path in sorted(FOLDER.glob("stories_*.txt")):
        for line in lines(path.stem):
            question, _, expression = line.partition(" => ")
            one = _short(question, expression)
            if one is None:
                raise ValueError(f"{path.name}: no expression over the numbers of the question: {line}")
            yield one


def stories(corpus: Path) -> Iterator[Taught]:
    """The corpus's word problems whose numbers are all told or common, with short names as requests have."""
    for row in rows(corpus, "math"):
        if row["task"] != "word_problem" or _apart(row["question"]):
            continue
        made = row.get("expression") or _whole(row.get("solution") or "", row["answer"], row["question"])
        if not made or len(made) > LONGEST:
            continue
        one = _short(row["question"], made)
        if one is not None:
            yield one


def set_apart(corpus: Path) -> Iterator[tuple[str, Fraction]]:
    """Word problems of one to three steps that are never trained on, each with its answer: they measure."""
    for row in rows(corpus, "math"):
        steps = len(_OPERATOR.findall(row.get("expression") or "")) or (row.get("solution") or "").count("<<")
        if row["task"] == "word_problem" and _apart(row["question"]) and 1 <= steps <= _MOST_STEPS:
            yield row["question"], Fraction(_plain(row["answer"]).rstrip("."))


def _apart(question: str) -> bool:
    return zlib.crc32(question.encode()) % _ONE_IN == 0


def _short(question: str, expression: str) -> Taught | None:
    """A question and its expression with short names; nothing where a number is neither told nor common."""
    pattern, made = told(question, "calculator", "expression", _spelled(expression, question))
    plain = "@" in made and not _OTHERS.search(pattern + made) and prefix(made)
    return Taught("calculator", pattern, made) if plain and set(_LEFT.findall(made)) <= UNSAID else None


def _spelled(expression: str, question: str) -> str:
    """The expression with its numbers as the question spells them: ``2.5`` as ``2.50``, ``0.2`` by the 20 of 20%."""
    known = {Fraction(one.value): one.value for one in literals(question) if not one.day}

    def number(found: re.Match[str]) -> str:
        value = Fraction(found[0])
        if value in known or value.denominator == 1:
            return known.get(value, str(value))
        for spelling, percent in (("{}/100", value), ("1-{}/100", 1 - value), ("1+{}/100", value - 1)):
            if percent * 100 in known:
                return f"({spelling.format(known[percent * 100])})"
        return f"({value})" if value.denominator in _PARTS else found[0]

    return _NUMBER.sub(number, expression.replace(",", ""))


def _whole(solution: str, answer: str, question: str) -> str:
    """One expression for a worked solution: its steps ``<<48/2=24>>`` put into one another, and those that its text
    tells alone. Empty where they cannot be, or where the last is not the answer."""
    made: dict[Fraction, str] = {}
    last, fresh = Fraction(-1), {Fraction(one.value) for one in literals(question) if not one.day}

    def earlier(number: re.Match[str]) -> str:
        """What made a number; one that is told too is the told one when it is used first."""
        value = Fraction(number[0])
        percent = value == 100 and number.string[: number.start()].endswith("/")
        if value in made and value not in fresh and not percent:
            return made[value]
        fresh.discard(value)
        return number[0]

    for found in _STEP.finditer(solution):
        step, result = _plain(found[1] or _ended(found[3])), _plain(found[2] or found[4])
        value = worth(step) if _ARITHMETIC.fullmatch(step) and _NUMBER.fullmatch(result) else None
        if value is None and found[1]:
            return ""
        if value is None or abs(value - Fraction(result)) >= _ROUNDED or not _OPERATOR.search(step):
            continue
        last = Fraction(result)
        if last not in made or found[1]:  # what the text tells is mostly told by the marks too
            made[last] = f"({_NUMBER.sub(earlier, step)})".replace(" ", "")
    return made[last][1:-1] if last == Fraction(_plain(answer).rstrip(".")) else ""


def _ended(text: str) -> str:
    """The arithmetic at the end of a text, without its words."""
    found = _LAST.search(_plain(_WORDS.sub("", text)))
    return found[0] if found else ""


def _plain(step: str) -> str:
    """A step of a solution with plain operators and digits."""
    for sign, plain in (("$", ""), ("x", "*"), ("\u00d7", "*"), ("\u00f7", "/"), ("%", "/100")):
        step = step.replace(sign, plain)
    return re.sub(r"(?<=\d),(?=\d{3})", "", step).strip()
