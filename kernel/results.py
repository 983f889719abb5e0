"""Earlier results by what they were of: ``what share of the picked ones is that?`` once both were counted.

A result is known by the words of its column, by the rows that it was of and by what was asked of them; those that it
shares with the others tell nothing. Knows no models, and no sums: see earlier.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from llmos.kernel.going_words import LARGE, MEANS, SMALL
from llmos.kernel.mentions import said
from llmos.kernel.slots import Column, words

_MOST = 8  # results that are looked back at
# What sets two results side by side.
_BESIDE = re.compile(
    r"(?i)%|\b(?:percent\w*|per cent|share|proportion|fraction|ratio|differ\w*|gap|than|compared?|versus|vs|over|more"
    r"|less|fewer|higher|lower|times|together|combined|sum|add|plus|minus|subtract|r[io]se|gr[eo]w"
    r"|f[ae]ll|dropp?(?:ed)?|chang\w*|increas\w*|decreas\w*)\b"
)
_WORD = re.compile(r"[^\W_]+")


def named(
    text: str, labels: Sequence[frozenset[str]], numbers: Sequence[str], columns: Sequence[Column]
) -> list[tuple[int, int, str]]:
    """Where ``text`` names two of the ``numbers``, or one that is not the last: start, end, number, in its order.

    Nothing where it speaks of more: of other values of the ``columns``, of other numbers, of another measure.
    """
    latest = dict(list(zip(labels, numbers, strict=True))[-_MOST:])
    if len(latest) < 2 or not _BESIDE.search(text):
        return []
    found = list(_spans(text, _own(list(latest))))
    unknown = {w for c in columns for value in said(text, c.values) for w in words(value)}
    unknown |= {m[0] for m in re.finditer(r"\d[\d.,]*\d|\d", text)} | _measures(text)
    unknown |= {w for name in re.findall(r"(?<=[a-z,] )[A-Z][a-z]+", text) for w in words(name)}
    if not 0 < len(found) < 3 or unknown - {w for one in latest for w in one}:
        return []
    alone = len(found) == 1 and found[0][2] == labels[-1]
    return [] if alone else [(start, end, latest[one]) for start, end, one in found]


def label(verb: str, names: Iterable[str], values: Iterable[str]) -> frozenset[str]:
    """The words that a result is known by: what was asked, of which columns, for which values; of days the years."""
    told = [*names, *(v[:4] if re.fullmatch(r"\d{4}-\d\d-\d\d", v) else v for v in values)]
    return frozenset({w for one in told for w in words(one) if len(w) > 1} | _ASKED.get(verb, set()))


_HIGH = set(words("highest most max maximum best largest biggest top"))
_LOW = set(words("lowest least min minimum worst smallest fewest"))
_MEAN, _SUM = set(words("average mean avg")), set(words("total sum"))
_ASKED = {
    "mean": _MEAN, "meanof": _MEAN, "topmean": _HIGH, "lowmean": _LOW, "median": {"median"}, "total": _SUM,
    "sumof": _SUM, "most": _HIGH, "highest": _HIGH, "topsum": _HIGH, "least": _LOW, "lowest": _LOW, "lowsum": _LOW,
}  # fmt: skip


def _own(labels: Sequence[frozenset[str]]) -> dict[str, frozenset[str]]:
    """The words that one label alone has, each with it."""
    return {w: one for one in labels for w in one if sum(w in other for other in labels) == 1}


def _spans(text: str, own: dict[str, frozenset[str]]) -> Iterator[tuple[int, int, frozenset[str]]]:
    seen: set[frozenset[str]] = set()
    for found in _WORD.finditer(text):
        one = own.get(next(iter(words(found[0])), ""))
        if one is not None and one not in seen:
            seen.add(one)
            yield found.start(), found.end(), one


def _measures(text: str) -> set[str]:
    """Words that ask for more than results: the highest, the average; what two results come to is none."""
    patterns = [LARGE.pattern, SMALL.pattern, *(p for p, verb in MEANS.items() if verb != "total")]
    return {w for p in patterns for m in re.finditer(p, text, re.I) for w in words(m[0])}
