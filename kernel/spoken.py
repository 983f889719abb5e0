"""A calculation that is told in words and nothing but words, as the calculator's expression: no model needs to guess.

``the difference of thirty and twelve, then halve it`` is ``abs(30 - 12) / 2``, ``three and a half over a quarter`` is
``(3 + 1/2) / (1/4)``, ``root 2 to three decimals`` is ``round(sqrt(2), 3)``. A request that says anything else besides
is left alone. Knows no models and no tools.
"""

import re

from llmos.kernel.spoken_reader import Other, Reader
from llmos.kernel.spoken_words import Asked, asked, words

_LONGEST = 400  # characters of a request that is nothing but a calculation
_DATE = re.compile(r"\d{4}-\d\d?-\d|\d/\d\d?/\d{2}")
_SAID = re.compile(r"[a-z]|\d \d|\d - \d+/\d|/\d+ - \d|[+*^!%\u00d7\u00f7\u221a\u00b2\u00b3]|\) ?/")


def spoken(request: str) -> str:
    """The expression for a request that is a calculation in words and nothing else; empty where it is not."""
    if len(request) > _LONGEST or _DATE.search(request):
        return ""
    one = asked(request)
    said = words(one.text)
    if not said or not (one.shown or _SAID.search(request.lower())):
        return ""
    try:
        reader = Reader(said)
        made = reader.whole(one.shown)
    except (Other, IndexError, RecursionError):
        return ""
    return _shown(made, one, reader.fractions)


def _shown(made: str, one: Asked, fractions: bool) -> str:
    """An expression with how its result is to be shown."""
    if one.places is not None:
        made = f"round({made}, {one.places})" if one.form != "percent" else f"round(({made}) * 100, {one.places})"
        return made if one.form in ("", "fraction", "percent", "decimal") else f"{made} to {one.form}"
    form = one.form or ("fraction" if fractions and not re.search(r"\.\d|%", made) else "")
    return f"{made} to {form}" if form else made
