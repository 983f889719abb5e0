"""A request that goes on with what it points to put in its words: the year before, the physicists, Q1.

``and the year before?`` after 2019 is ``and in 2018?``; a word that is nearly a value of the table is that value, and
one that tells a column from its like is that column. Knows English and columns, no models.
"""

import re
from collections.abc import Iterator, Sequence

from llmos.kernel.acts import Act
from llmos.kernel.slots import NUMBERS, Column, alike, words

_BEFORE = r"(?:the )?(?:(?:year|one) (?:before(?: that| it)?|earlier|prior)|(?:previous|preceding|prior) (?:year|one))"
_AFTER = r"(?:the )?(?:(?:year|one) (?:after(?: that| it)?|later)|(?:next|following|subsequent) year)"
_SHIFTED = re.compile(rf"(?i)\b(?:in )?(?:(?P<before>{_BEFORE})|(?P<after>{_AFTER}))\b")
_YEAR = re.compile(r"(?:1[5-9]|20)\d\d")
_COUNTS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_EST = "top|best|worst|first|bottom|lowest|highest|largest|biggest|smallest|tallest|cheapest|fewest|most"
_COUNT = re.compile(rf"(?i)(?P<a>\b(?:{_EST}) )?\b(?P<n>{'|'.join(_COUNTS)})\b(?P<b> (?:{_EST})\b)?")
_WHEN = re.compile(r"(?i)\b(?:when|if|while) (?:it|there|they)(?: (?:is|was|were|are|has|had))? $")
_WORD = re.compile(r"(?<![\w'#-])[^\W\d_]{4,}(?![\w'-])")


def restated(text: str, columns: Sequence[Column], act: Act) -> str:
    """The request in such words; as it is where it points to nothing."""
    text = _COUNT.sub(_digits, text)
    if (shift := _SHIFTED.search(text)) and (year := _year(act, columns)):
        other = str(int(year) + (1 if shift["after"] else -1))
        text = f"{text[: shift.start()]}in {other}{text[shift.end() :]}"
    for start, end, value in [*_values(text, columns)][::-1]:
        text = _WHEN.sub("for ", text[:start]) + value + text[end:]
    return _siblings(text, columns, act)


def _digits(found: re.Match[str]) -> str:
    number = str(_COUNTS.index(found["n"].lower()) + 2)
    return f"{found['a'] or ''}{number}{found['b'] or ''}" if found["a"] or found["b"] else found[0]


def _year(act: Act, columns: Sequence[Column]) -> str:
    """The one year that was asked of before: of its rows, of its value, or in the name of its column."""
    told = [w.strip("'")[:4] for clause in act.rows for w in clause[2:]] + [v.strip("'")[:4] for v in act.of("v")]
    told = told or [y for n in act.of("n")[:1] for y in _YEAR.findall(columns[int(n[1:]) - 1].name)]
    years = {one for one in told if _YEAR.fullmatch(one)}
    return min(years) if len(years) == 1 else ""


def _values(text: str, columns: Sequence[Column]) -> Iterator[tuple[int, int, str]]:
    """Where a word is nearly a value of one column: physicists, cloudy."""
    names = {w for c in columns for w in words(c.name)}
    values = {v for c in columns if c.kind not in NUMBERS for v in c.values if v.isalpha() and len(v) > 2}
    exact = {v.casefold() for v in values}
    for found in _WORD.finditer(text):
        word = found[0].casefold()
        if word in exact or word.removesuffix("s") in exact or any(alike(w, n) for w in words(word) for n in names):
            continue
        near = [v for v in values if alike(v.casefold(), word) or _derived(v.casefold(), word)]
        if len(near) == 1:
            yield found.start(), found.end(), near[0]


def _derived(value: str, word: str) -> bool:
    """Whether a word is made of a value with an ending, or of the same stem: rainy, physicists."""
    begin = next((i for i, (a, b) in enumerate(zip(value, word, strict=False)) if a != b), min(len(value), len(word)))
    if begin >= 5 and begin >= 0.6 * max(len(value), len(word)):
        return True
    ending = word.removeprefix(value) if word != value else ""
    doubled = ending[1:] if ending[:1] == value[-1:] else ending
    return doubled in ("y", "ed", "ing", "ish", "ier", "ian", "n", "an", "ers", "er", "ist", "ists")


def _siblings(text: str, columns: Sequence[Column], act: Act) -> str:
    """A word that is all that tells another column from that of before is that column's name: Q1 after Deals Q2."""
    for n in act.of("n")[:1]:
        own = set(words(columns[int(n[1:]) - 1].name))
        for column in columns:
            other = set(words(column.name))
            apart = other - own
            if column.kind not in NUMBERS or len(apart) != 1 or len(own - other) != 1 or not own & other:
                continue
            (word,) = apart
            if re.fullmatch(r"[a-z]?\d+", word):
                text = re.sub(rf"(?i)(?<![\w'-])(?:in )?{word}(?![\w'-])", f"the {column.name}", text)
    return text
