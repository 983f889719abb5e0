"""Small programs without a table: their slots filled, and the programs with their slots left open. See python.yaml.

``{n}`` and ``{m}`` are numbers, ``{word}``, ``{word2}``, ``{text}``, ``{letter}``, ``{letter2}`` texts, ``{words}``
and ``{words2}`` rows of words, ``{list}`` and ``{list2}`` rows of numbers, ``{pairs}`` names with numbers, ``{month}``
a month, ``{day}`` a weekday, ``{date}`` a day, ``{year}`` a year, ``{hex}``, ``{roman}`` and ``{bits}`` numbers. In
code each stands for its Python literal.
"""

import random
import re
from dataclasses import dataclass
from typing import Any

from llmos.kernel.found import DAYS, MONTHS
from llmos.training.phrasebook import a_date, said_date

WORDS = """llama window planet river guitar silver banana anna level puzzle keyboard mountain radar orange velvet
tractor umbrella Copenhagen oatmeal kayak giraffe Sebastian lighthouse noodle marmalade""".split()  # noqa: SIM905
SENTENCES = [
    "the quick brown fox jumps over the lazy dog",
    "a man a plan a canal",
    "to be or not to be",
    "she sells sea shells by the sea shore",
    "hello wide world",
    "we meet again at noon",
    "Rain fell all night on the old roof",
    "my uncle paints boats in winter",
]
ROWS = [
    ["Mia", "Ben", "Zoe", "Adam", "Lena", "Oscar", "Ruth", "Ivan"],
    ["pear", "apple", "fig", "cherry", "kiwi", "mango"],
    ["Oslo", "Bern", "Rome", "Lima", "Cairo", "Quito", "Hanoi"],
    ["tiger", "zebra", "lion", "wolf", "otter", "heron"],
    ["hammer", "saw", "drill", "wrench", "level"],
    ["violin", "oboe", "harp", "cello", "flute", "drum"],
]
COUNTED = ["rent", "food", "travel", "apples", "pears", "plums", "cats", "dogs", "tea", "coffee", "bus", "train"]
HEXES = ["ff", "a3", "c0de", "beef", "b7", "fade", "d1", "e4c", "ab3f"]
ROMANS = ["XLII", "MCMXCIV", "XIV", "LXXIX", "MMXXIV", "CDXLIV", "XC", "DCCLV"]
_SLOT = re.compile(r"'\{(word2?|text|letter2?|date)\}'|\[\{(list2?|words2?)\}\]|\{(\w+)\}")
_TEXTS = frozenset(
    {"word", "word2", "text", "letter", "letter2", "words", "words2", "pairs", "month", "day", "hex", "roman"}
)
_OPEN = _TEXTS | {"list", "list2"}


@dataclass(frozen=True, slots=True)
class Program:
    """A request, its code and the answer to its result.

    ``open`` is the code and ``says`` the answer with ``$`` before the names of slots for texts and lists (see
    :mod:`llmos.kernel.fills`); ``slots`` are the texts in the request, ``numbers`` its own ones.
    """

    request: str
    code: str
    answer: str
    open: str
    says: str
    slots: tuple[tuple[str, str], ...]
    numbers: tuple[str, ...]


def program(task: dict[str, Any], prompt: str, rng: random.Random) -> Program:
    """One of a task's requests, its slots filled."""
    said, written = _values(rng, f"{prompt} {task['code']}")

    def fill(text: str, values: dict[str, str]) -> str:
        # Code has braces of its own; only these are slots.
        return _SLOT.sub(lambda m: values.get(_name(m), m[0]), text)

    def plain(text: str, values: dict[str, str]) -> str:
        return re.sub(r"\{(\w+)\}", lambda m: values.get(m[1], m[0]), text)

    code, answer = str(task["code"]).rstrip("\n"), str(task["answer"])
    kept = {name: f"${name}" for name in _OPEN}
    shown = {name: said[name] for name in re.findall(r"\{(\w+)\}", prompt) if name in _TEXTS}
    return Program(
        plain(prompt, said),
        fill(code, written),
        plain(answer, said),
        fill(code, written | kept),
        plain(answer, written | kept | {"date": said["date"]}),
        tuple(shown.items()),
        tuple(said[name] for name in re.findall(r"\{(\w+)\}", prompt) if name in ("n", "m", "year", "bits")),
    )


def _name(slot: re.Match[str]) -> str:
    return slot[1] or slot[2] or slot[3]


def _values(rng: random.Random, text: str) -> tuple[dict[str, str], dict[str, str]]:
    """Each slot's value as people write it and as code has it."""
    said = {"n": str(rng.randint(3, 40)), "m": str(rng.randint(2, 20)), "text": rng.choice(SENTENCES)}
    said["word"], said["word2"] = rng.sample(WORDS, 2)
    letters = sorted(set(said["word"].lower())) if rng.random() < 0.8 else list("bcdefghklmnoprst")
    said["letter"], said["letter2"] = rng.choice(letters), rng.choice("bcdefghklmnoprstuvw")
    written = {k: v if k in ("n", "m") else repr(v) for k, v in said.items()}
    for name in ("list", "list2"):
        numbers = [str(rng.randint(1, 60)) for _ in range(rng.randint(3, 8))]
        said[name] = row(numbers, rng) if "list2" not in text else ", ".join(numbers)
        written[name] = f"[{', '.join(numbers)}]"
    pool = rng.choice(ROWS)
    for name in ("words", "words2"):
        words = rng.sample(pool, rng.randint(3, 5))
        said[name] = row(words, rng) if "words2" not in text else ", ".join(words)
        written[name] = repr(words)
    pairs = {name: rng.randint(2, 90) for name in rng.sample(COUNTED, rng.randint(3, 4))}
    joint = rng.choice([" ", " ", ": ", " = "])
    said["pairs"] = ", ".join(f"{k}{joint}{v}" for k, v in pairs.items())
    written["pairs"] = repr(pairs)
    month, day = rng.randint(1, 12), rng.choice(DAYS).title()
    said |= {"month": MONTHS[month - 1].title(), "day": day}
    written |= {"month": str(month), "day": repr(day)}
    date = a_date(rng)
    said["date"], written["date"] = said_date(date, rng), repr(date.isoformat())
    said["hex"] = rng.choice(HEXES)
    said["roman"] = rng.choice(ROMANS)
    written |= {"hex": repr(said["hex"]), "roman": repr(said["roman"])}
    bits = f"{rng.randint(5, 200):b}"
    said["bits"] = written["bits"] = bits
    year = str(rng.randint(1950, 2040))
    return said | {"year": year}, written | {"year": year}


def row(items: list[str], rng: random.Random) -> str:
    """A row as people write it: with commas, mostly without a word before the last."""
    if rng.random() < 0.25:
        return f"{', '.join(items[:-1])} and {items[-1]}"
    return ", ".join(items)
