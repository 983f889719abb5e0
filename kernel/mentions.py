"""Which values of a table a request speaks of, so that its preview can name them: ``weekly hours in france``.

Whole words in any case, also in the plural or with one letter wrong; no adjectives of places.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

MOST = 4
_LONGEST = 5  # words of a value
_SLIP = 6  # letters from which on a value is known with one of them wrong
_BUT = r"(?:without|except|exclud\w+|leav\w+ out|skip|ignor\w+|other than|but not|(?:not|n't|dont) (?:includ|count)\w*)"
_WORD = re.compile(r"[^\W_]+")


def said(request: str, values: Iterable[str]) -> tuple[str, ...]:
    """The values that stand in ``request``, at most :data:`MOST`, in the table's order; short ones only in capitals."""
    found = []
    for value, _, _ in spoken(request, values):
        found.append(value)
        if len(found) == MOST:
            break
    return tuple(found)


def wanted(request: str, values: Sequence[str]) -> tuple[str, ...]:
    """Those of the values that the request does not leave out: ``without the World``."""
    left_out = [v for v in values if re.search(rf"(?i)\b{_BUT}\b[^.,;:?!]{{0,25}}(?<!\w){re.escape(v)}(?!\w)", request)]
    return tuple(v for v in values if v not in left_out)


def spoken(request: str, values: Iterable[str]) -> Iterator[tuple[str, int, int]]:
    """The values that stand in ``request``, each with where it first does: start and end. In the table's order.

    One that stands there with a letter wrong counts only where none stands there as it is.
    """
    runs, folded = _runs(request)
    known = [(value, " ".join(_WORD.findall(value))) for value in values]
    close: list[tuple[str, int, int]] = []
    exact = False
    for value, told in known:
        at = runs.get(told) if len(told) < 3 and told.isupper() else None
        if len(told) >= 3:
            low = told.casefold()
            forms = [
                low,
                f"{low}s",
                f"{low}es",
                f"{low[:-1]}ies",
                *([low[:-1]] if low[-1] == "s" and len(low) > 3 else []),
            ]
            at = next((folded[form] for form in forms if form in folded), None)
        if at:
            exact = True
            yield value, *at
        elif len(told) >= _SLIP and not exact:
            low = told.casefold()
            slips = (place for run, place in folded.items() if len(run) >= _SLIP - 1 and slip(low, run))
            close += [(value, *place) for place in slips][:1]
    if not exact and len(close) == 1:
        yield close[0]


@lru_cache(maxsize=64)
def _runs(request: str) -> tuple[dict[str, tuple[int, int]], dict[str, tuple[int, int]]]:
    """Every run of a few words of a request and where it stands, as it is and in small letters."""
    words = list(_WORD.finditer(request))
    runs: dict[str, tuple[int, int]] = {}
    folded: dict[str, tuple[int, int]] = {}
    for n in range(1, _LONGEST + 1):
        for i in range(len(words) - n + 1):
            some = words[i : i + n]
            place = some[0].start(), some[-1].end()
            run = " ".join(w[0] for w in some)
            runs.setdefault(run, place)
            folded.setdefault(run.casefold(), place)
    return runs, folded


def slip(one: str, other: str) -> bool:
    """Whether two words that begin alike differ by a letter that is wrong, missing, too much or changed with the
    next."""
    if one[:1] != other[:1] or abs(len(one) - len(other)) > 1 or one == other:
        return False
    at = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    a, b = one[at:], other[at:]
    if a == f"{b}s" or b == f"{a}s":
        return False
    return a[1:] == b[1:] or a[1:] == b or a == b[1:] or (a[:2] == b[1::-1] and a[2:] == b[2:])


def spans(request: str, most: int = 8) -> set[str]:
    """Every run of words of a request, for the values it may name."""
    found = [(m.start(), m.end()) for m in re.finditer(r"[^\s,;:?!.'\"()]+(?:\.[^\s,;:?!.'\"()]+)*", request)]
    return {request[a : found[j][1]] for i, (a, _) in enumerate(found) for j in range(i, min(i + most, len(found)))}
