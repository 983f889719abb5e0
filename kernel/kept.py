"""Which rows a question is of: ``where #2 'cod' since #1 1990`` behind its verb, and the code that keeps to them.

The rows are a line of their own, ``part = df[…]``, and what is asked is asked of ``part``. So the same few words serve
every question. Knows nothing of models, nor of what is asked.
"""

import re
from collections.abc import Sequence

from llmos.kernel.slots import NUMBERS, Column

# What follows each word: c a column, v values of it, k a number.
KEPT = {
    "where": "cv",
    "since": "cv",
    "until": "cv",
    "before": "cv",
    "after": "cv",
    "between": "cvv",
    "more": "ck",
    "less": "ck",
}
_SIGNS = {"since": ">=", "until": "<=", "before": "<", "after": ">", "more": ">", "less": "<"}
SENTENCES = {
    "where": " for {}",
    "since": " since {}",
    "until": " until {}",
    "before": " before {}",
    "after": " after {}",
    "between": " from {} to {}",
    "more": " with {c} above {}",
    "less": " with {c} below {}",
}
_Q = r"(?:'[^']*'|\"[^\"]*\")"
_V = rf"(?:{_Q}|-?\d[\d.]*)"
_TOKEN = re.compile(rf"{_Q}|(?<!\w)(?:df|part)(?!\w)")
_PART = re.compile(r"part = df\[(.*)\]\n((?:.|\n)*)")
_ONE = re.compile(rf"df\[({_Q})\](?: (==|>=|<=|<|>) ({_V})|\.isin\(\[(.*?)\]\)|\.between\(({_V}), ({_V})\))")
_DAY = re.compile(r"-?\d[\d.:-]*")


class Unkept(Exception):
    """Words that do not tell which rows."""


def cut(rest: Sequence[str]) -> int:
    """Where the words about rows begin among those after a verb; their number where there are none."""
    return next((n for n, word in enumerate(rest) if word in KEPT), len(rest))


def clauses(words: Sequence[str]) -> list[list[str]]:
    """The words about rows, each word of :data:`KEPT` with what follows it."""
    found: list[list[str]] = []
    for word in words:
        if word in KEPT:
            found.append([word])
        elif found:
            found[-1].append(word)
    return found


def keep(code: str, words: Sequence[str], columns: Sequence[Column]) -> str:
    """The code of a question for some rows only. Raises Unkept."""
    made = [_condition(clause, columns) for clause in clauses(words)]
    if not made:
        return code
    joined = made[0] if len(made) == 1 else f"({') & ('.join(made)})"
    return f"part = df[{joined}]\n" + _TOKEN.sub(lambda m: "part" if m[0] == "df" else m[0], code)


def kept(code: str, columns: Sequence[Column]) -> tuple[str, str]:
    """The code as it were for all rows, and the words about rows; the code itself and nothing where it has none."""
    found = _PART.fullmatch(code)
    if found is None:
        return code, ""
    numbers = {c.name: n for n, c in reversed(list(enumerate(columns, 1)))}
    told = []
    for name, sign, value, several, low, high in _ONE.findall(found[1]):
        column = f"#{numbers.get(name[1:-1], 0)}"
        if several:
            told += ["where", column, *re.findall(_V, several)]
        elif low:
            told += ["between", column, _bare(low), _bare(high)]
        elif sign == "==":
            told += ["where", column, _bare(value)]
        else:
            of = columns[int(column[1:]) - 1]
            measured = of.kind in NUMBERS and sign in "<>"
            names = {">": "more", "<": "less"} if measured else {s: w for w, s in _SIGNS.items() if len(w) > 4}
            told += [names[sign], column, _bare(value)]
    return _TOKEN.sub(lambda m: "df" if m[0] == "part" else m[0], found[2]), " ".join(told)


def sentence(words: Sequence[str], plain: Sequence[str]) -> str:
    """The words about rows as an answer tells them; ``plain`` are the same words with the things' own names."""
    told, at = "", 0
    for clause in clauses(words):
        column, *values = plain[at + 1 : at + len(clause)]
        many = [" or ".join(values)] if clause[0] == "where" else values
        told += SENTENCES[clause[0]].format(*many, c=column)
        at += len(clause)
    return told


def _condition(clause: Sequence[str], columns: Sequence[Column]) -> str:
    word, *given = clause
    least = len(KEPT[word])
    if len(given) < least or (len(given) > least and word != "where"):
        raise Unkept(word)
    if not re.fullmatch(r"#\d+", given[0]) or not 0 < int(given[0][1:]) <= len(columns):
        raise Unkept(word)
    column = columns[int(given[0][1:]) - 1]
    name = quoted(column.name)
    values = [_value(v, column) for v in given[1:]]
    if word == "between":
        return f"df[{name}].between({values[0]}, {values[1]})"
    if word != "where":
        return f"df[{name}] {_SIGNS[word]} {values[0]}"
    return f"df[{name}] == {values[0]}" if len(values) == 1 else f"df[{name}].isin([{', '.join(values)}])"


def _value(word: str, column: Column) -> str:
    if word[0] in "'\"":
        return word
    plain = column.kind == "year" or column.kind in NUMBERS
    return word if plain and re.fullmatch(r"-?\d[\d.]*", word) else quoted(word)


def _bare(value: str) -> str:
    plain = value.strip("'\"")
    return plain if _DAY.fullmatch(plain) else value


def quoted(text: str) -> str:
    """A Python string literal, in single quotes where it can be."""
    return repr(text) if "'" in text else f"'{text}'"
