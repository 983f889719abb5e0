"""Which columns a request speaks of, and which fit what is done to a table: by their kinds and by shared words.

A small model knows what code to write long before it knows which of seven columns is meant; the words that columns and
request share tell most of it. Knows neither tables nor models.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache

from llmos.kernel.thesaurus import known, measure, same_measure, synonyms

TIMES = frozenset({"year", "month", "date", "time", "quarter"})
NUMBERS = frozenset({"number"})
_KEY = re.compile(r"(?i)(?:rank|id|no|nr|number|index|code)")
_CHARTS = frozenset(["area", "bar", "box", "dot", "hist", "line", "pie", "plot"])  # never a column in other words
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
        "was",
        "were",
        "with",
    ]
)


@dataclass(frozen=True, slots=True)
class Column:
    """A column as its preview tells of it.

    ``repeats``: several rows may have the same value. ``values`` are those that its preview names: all, where they are
    few, else those that the request speaks of.
    """

    name: str
    kind: str
    repeats: bool = False
    values: tuple[str, ...] = ()


def fitting(
    role: str, used: Collection[int], columns: Sequence[Column], meant: Collection[int], first: bool = True
) -> list[int]:
    """The columns, by number from 1, that fit a role: ``x`` an axis, ``n`` a number, ``c`` a column of groups.

    All of them where nothing tells. ``used`` are those said before, ``meant`` those that the request speaks of; where
    it speaks of none, the ``first`` request on a table means what tables are about, and a later one what was plotted
    before.
    """
    everything = list(range(1, len(columns) + 1))
    numbers = [n for n in everything if columns[n - 1].kind in NUMBERS]
    others = [n for n in everything if n not in numbers]
    if role == "n":
        free = [n for n in numbers if n not in used]
        plain = [n for n in free if not _KEY.fullmatch(columns[n - 1].name)]
        return [n for n in free if n in meant] or (plain[:1] if first else []) or free or everything
    if role == "x":
        times = [n for n in others if columns[n - 1].kind in TIMES]
        if first and times and not set(meant) & set(numbers):
            # No number is spoken of, so a word of the subject may happen to be a column's: funding rounds by round.
            return times
        # A time is the natural axis, also where a word of the subject happens to be a column's.
        if set(meant) & set(others):
            return [n for n in others if n in meant or columns[n - 1].kind in TIMES]
        return others or [n for n in everything if n not in meant and n not in used][:1] or everything
    if role == "c":
        free = [n for n in others if n not in used]
        return [n for n in free if n in meant] or [n for n in free if columns[n - 1].repeats] or free or everything
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
        best = [n for n in best if len(words(columns[n - 1].name)) == longest] or best
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
        for n, w in same or [
            (n, w)
            for n, of in nouns.items()
            for w in of
            if word not in _CHARTS and (synonyms(w, word) or (of is own[n] and same_measure(w, word)))
        ]:
            by[n].add(word)
            has[n].add(w)
    found = {n for n in own if any(len(w) > 2 for w in has[n]) or (has[n] and has[n] >= set(own[n]))}
    for word in asked:
        for n in found:
            more = {w for w in own[n] if alike(w, word) or same_measure(w, word)}
            by[n] |= {word} if more else set()
            has[n] |= more
    # A letter that tells columns of one name apart is no word of it: strain A, strain B.
    share = {n: len(has[n]) / max(1, sum(len(w) > 1 for w in own[n])) for n in found}
    worse = {n for n in found for m in found if has[n] < has[m] or (has[n] == has[m] and share[n] < share[m])}
    return {n: by[n] for n in own if n in found - (worse - _named(request, columns))}


def _named(request: str, columns: Sequence[Column]) -> set[int]:
    """The columns, by number from 1, whose very names stand in a request, those in longer names apart."""
    text, found = f" {' '.join(words(request))} ", set()
    for n, column in sorted(enumerate(columns, 1), key=lambda pair: -len(pair[1].name)):
        left = text.replace(f" {' '.join(words(column.name))} ", "  ")
        if left != text:
            found.add(n)
        text = left
    return found


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
    if 3 <= len(short) == begin and len(long) >= 2 * len(short) and not known(short) and short not in _CHARTS:
        return True
    return begin > 0 and len(short) >= 5 and SequenceMatcher(None, one, other).ratio() >= 0.85
