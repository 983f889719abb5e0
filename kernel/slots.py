"""Which columns a request speaks of, and which fit a place in plotting code: by their kinds and by shared words.

A small model knows what code to write long before it knows which of seven columns is meant; the words that columns and
request share tell most of it. Knows how the embedded kernel writes its code, not tables or models.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache

from llmos.kernel.thesaurus import known, measure, same_measure, synonyms

TIMES = frozenset({"year", "month", "date", "time", "quarter"})
NUMBERS = frozenset({"number"})
# What a place takes, by what stands before its column's sign.
_VALUE = re.compile(r"(?:\b(?:y|values)=\[?(?:#\d+, )*|\)\[|n(?:largest|smallest)\([@\d]+, |boxplot\()#\d*$")
_AXIS = re.compile(r"\bx=#\d*$")
_GROUP = re.compile(r"(?:\b(?:index|columns|by)=|groupby\(|set_index\()#\d*$")
_USED = re.compile(r"#(\d+)(?=\D)")
_KEY = re.compile(r"(?i)(?:rank|id|no|nr|number|index|code)")
_COMMON = frozenset(
    [
        "a",
        "an",
        "and",
        "as",
        "at",
        "by",
        "for",
        "from",
        "in",
        "is",
        "it",
        "no",
        "of",
        "on",
        "or",
        "per",
        "the",
        "to",
        "with",
    ]
)


@dataclass(frozen=True, slots=True)
class Column:
    """A column as its preview tells of it."""

    name: str
    kind: str


def fitting(code: str, columns: Sequence[Column], meant: Collection[int], first: bool = True) -> list[int]:
    """The columns, by number from 1, that may stand at the end of ``code``, which is ``#``; all where nothing tells.

    ``meant`` are those that the request speaks of; where it speaks of none, the ``first`` request on a table means what
    tables are about, and a later one what was plotted before.
    """
    everything = list(range(1, len(columns) + 1))
    used = {int(n) for n in _USED.findall(code)}
    numbers = [n for n in everything if columns[n - 1].kind in NUMBERS]
    others = [n for n in everything if n not in numbers]
    if _VALUE.search(code):
        free = [n for n in numbers if n not in used]
        plain = [n for n in free if not _KEY.fullmatch(columns[n - 1].name)]
        return [n for n in free if n in meant] or (plain[:1] if first else []) or free or everything
    times = [n for n in others if columns[n - 1].kind in TIMES]
    if first and _AXIS.search(code) and times and not set(meant) & set(numbers):
        # No number is spoken of, so a word of the subject may happen to be a column's: funding rounds by round.
        return times
    if _AXIS.search(code):
        # A time is the natural axis, also where a word of the subject happens to be a column's.
        if set(meant) & set(others):
            return [n for n in others if n in meant or columns[n - 1].kind in TIMES]
        pair = [n for n in numbers if n in meant]
        return [*others, *(pair if len(pair) > 1 else [])] or everything
    if _GROUP.search(code):
        free = [n for n in others if n not in used]
        return [n for n in free if n in meant] or free or everything
    return everything


def mentions(request: str, columns: Sequence[Column]) -> Iterator[tuple[int, int, int]]:
    """Where ``request`` speaks of a column: start, end and the column's number from 1, in order."""
    meant = mentioned(request, columns)
    spans = [(m.start(), m.end(), _word(m[0])) for m in _WORD.finditer(request)]
    at = 0
    while at < len(spans):
        runs = {n: _run(spans[at:], of, request) for n, of in meant.items()}
        longest = max(runs.values(), default=0)
        best = [n for n, run in runs.items() if run == longest and run]
        if len(best) == 1:
            yield spans[at][0], spans[at + longest - 1][1], best[0]
        at += max(1, longest)


def _run(spans: Sequence[tuple[int, int, str]], of: Collection[str], request: str) -> int:
    """How many words from the first on speak of one column, whose words in the request are ``of``."""
    end = spans[0][0]
    for count, (start, stop, word) in enumerate(spans):
        if word not in of or request[end:start].strip("_- /()[]"):
            return count
        end = stop
    return len(spans)


def mentioned(request: str, columns: Sequence[Column]) -> dict[int, set[str]]:
    """The columns spoken of, by number from 1, each with the words of the request that speak of it.

    Of two with the same words it is the one that the request says more of. A word that a column has speaks of no other
    by its meaning, and a measure (``max``, ``percent``) of none by itself that has a noun.
    """
    asked = [w for w in dict.fromkeys(words(request)) if w not in _COMMON]
    own = {n: [w for w in words(c.name) if w not in _COMMON] for n, c in enumerate(columns, 1)}
    nouns = {n: [w for w in of if len(w) > 2 and not measure(w)] or of for n, of in own.items()}
    by: dict[int, set[str]] = {n: set() for n in own}
    has: dict[int, set[str]] = {n: set() for n in own}
    for word in asked:
        same = [(n, w) for n, of in nouns.items() for w in of if alike(w, word)]
        for n, w in same or [(n, w) for n, of in nouns.items() for w in of if synonyms(w, word)]:
            by[n].add(word)
            has[n].add(w)
    found = {n for n in own if any(len(w) > 2 for w in has[n]) or (has[n] and has[n] >= set(own[n]))}
    for word in asked:
        for n in found:
            more = {w for w in own[n] if alike(w, word) or same_measure(w, word)}
            by[n] |= {word} if more else set()
            has[n] |= more
    share = {n: len(has[n]) / len(own[n]) for n in found}
    worse = {n for n in found for m in found if has[n] < has[m] or (has[n] == has[m] and share[n] < share[m])}
    return {n: by[n] for n in own if n in found - worse}


_WORD = re.compile(r"[^\W_]+|%")


def words(text: str) -> list[str]:
    """The words of a request or a name, in small letters, without plural endings."""
    return [_word(w) for w in _WORD.findall(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text))]


def _word(text: str) -> str:
    text = text.lower()
    return text[:-1] if len(text) > 3 and text.endswith("s") else text


@lru_cache(maxsize=100_000)
def alike(one: str, other: str) -> bool:
    """Whether two words are the same but for a slip of the finger, an ending or a cut: ``temp`` is ``temperature``."""
    if one == other:
        return True
    short, long = sorted((one, other), key=len)
    begin = next((i for i, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    if begin >= 5 and begin >= 0.65 * len(long):
        return True
    if 3 <= len(short) == begin and len(long) >= 2 * len(short) and not known(short):
        return True
    return begin > 0 and len(short) >= 5 and SequenceMatcher(None, one, other).ratio() >= 0.85
