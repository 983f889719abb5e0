"""What of a table a request that goes on speaks of: columns, values, numbers, and the words that nothing explains.

Knows English and columns, no models.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from llmos.kernel.acts import Act, Clause, unit_of
from llmos.kernel.asked import dated, rows
from llmos.kernel.going_words import BESIDE, CLASSES, FILLERS, NAMED, PARTS
from llmos.kernel.slots import NUMBERS, Column, mentioned, words

_NUMBER = re.compile(r"(?<!\w)\d[\d.,]*")
_TOKEN = re.compile(r"[^\s,;:?!()\"]+")


@dataclass(frozen=True)
class Ask:
    """A request and what of a table it speaks of: columns by number, values by column, numbers that tell no time."""

    text: str
    columns: Sequence[Column]
    meant: Sequence[int]
    linked: Mapping[int, Sequence[str]]
    free: Sequence[str]
    left: Sequence[str]  # words that nothing explains
    axes: frozenset[int] = frozenset()  # columns of numbers that name rows: weeks, hours, what was the axis before

    def numbers(self) -> list[int]:
        """The number columns it speaks of."""
        return [n for n in self.meant if self.columns[n - 1].kind in NUMBERS and n not in self.axes]

    def others(self) -> list[int]:
        """The columns of names and times that it speaks of."""
        return [n for n in self.meant if n not in self.numbers()]


def asks(text: str, bare: str, columns: Sequence[Column], linked: Mapping[int, Sequence[str]], act: Act) -> Ask:
    """What a request speaks of; ``bare`` is its text with the values of the table blotted out."""
    meant = mentioned(PARTS.sub(" ", bare), columns)
    explained = {w for of in meant.values() for w in of}
    numbers = [columns[int(n[1:]) - 1].name for n in act.of("n")]
    explained |= {w for name in numbers for w in (*words(name), *words(unit_of(name)))}
    # Words of a column's name are no measure: the median wait.
    names = {w for n in meant for w in words(columns[n - 1].name)} & explained
    text = re.sub(
        r"[^\W\d_]+",
        lambda m: "_" if words(m[0])[:1] and words(m[0])[0] in names and CLASSES.fullmatch(m[0].lower()) else m[0],
        text,
    )
    left = []
    told = CLASSES.sub(" ", PARTS.sub(" ", bare).lower().replace("\u2019", "'"))
    for token in _TOKEN.findall(told):
        word = token.strip("'.-").removesuffix("'s")
        if not word.strip("_") or word in FILLERS or _NUMBER.fullmatch(word) or set(words(word)) <= explained:
            continue
        left.append(token.strip("'.-"))
    # A word that one column alone has speaks of it: the second quarter of faults_q1 and faults_q2.
    for word in list(left):
        own = [n for n, c in enumerate(columns, 1) if word in words(c.name)]
        if len(own) == 1:
            meant.setdefault(own[0], {word})
            left.remove(word)
    spent = {number for one in rows(text, columns, linked) for number in one.numbers}
    free = [n for n in _NUMBER.findall(text) if n.strip(".,") not in spent]
    before = {int(n[1:]) for n in act.of("x") + ([] if act.chart else act.of("c"))}
    axes = frozenset(n for n in meant if n in before or (dated(columns[n - 1]) and len(meant) > 1) or (
        dated(columns[n - 1]) and (NAMED.search(text) or re.search(r"(?i)\b(?:by|per|each) ", text))))  # fmt: skip
    return Ask(text, columns, list(meant), linked, [n.strip(".,") for n in free], left, axes)


def kept_rows(ask: Ask, before: Sequence[Clause]) -> tuple[Clause, ...]:
    """The rows as before, those of a column that the request speaks of as it has them."""
    made: dict[str, Clause] = {clause[1]: clause for clause in before}
    for one in rows(ask.text, ask.columns, ask.linked):
        word, column, *values = re.findall(r"'[^']*'|\S+", one.words)
        if BESIDE.search(ask.text) and column in made and made[column][0] == word == "where":
            values = [*made[column][2:], *(v for v in values if v not in made[column])]
        made[column] = (word, column, *values)
    return tuple(made.values())


def clean(clauses: Sequence[Clause], *columns: str) -> tuple[Clause, ...]:
    """The clauses of other columns."""
    return tuple(c for c in clauses if c[1] not in columns)
