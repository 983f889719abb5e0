"""What a request asks of a table that has no such column: the profit of a table of prices.

Only nouns that people measure or group by count, and only where neither the words of any column or value nor their
meaning comes near; what is vague ("the results") is never such. Else another column would be taken for it without a
word. Knows English nouns and columns, not what is done to them.
"""

import re
from collections.abc import Collection, Sequence
from functools import cache

from llmos.kernel.asked import deeds, key
from llmos.kernel.slots import Column, alike, words
from llmos.kernel.thesaurus import same_measure, synonyms
from llmos.kernel.turns import Turn

LIKE = 0.47  # a cosine of meanings from which on a noun may be another name of a column
_LISTED = 12  # names of columns
# What is measured, and what things are grouped by; without what also tells of charts, times or tables as such.
_MEASURED = """
acceleration acidity age airline airport allergy altitude amplitude assists attendance author balance bandwidth
bathrooms bedrooms birthday births bmi bonus brand breed brightness budget cadence calories capacity captain carbs
cholesterol commission consumption continent country courier crew crime currency cylinders deaths debt delay delays
density department deposit depth diagnosis diet director discount distance district dividend dosage duration earnings
elevation emissions ethnicity expense expenses fat fertiliser fertility fertilizer fever followers fouls fuel gdp
gender genre goals groundwater happiness headcount heartbeat height hemisphere horsepower humidity impressions income
infections inflation insulin interest irrigation language latency latitude length lifespan lifetime literacy longitude
loss losses magnitude margin medals medication methane mileage mood mortality mpg nationality nitrogen noise
occupation oxygen pain passengers payment ph pollen pollution population postcode precipitation premium pressure price
priority profession profit protein publisher pulse radiation rain rainfall rating referee region religion rent
reputation revenue reviews runtime salary sales salinity satisfaction sleep snow snowfall species speed spending
stadium stock storage subscribers sugar sunshine supplier surname symptom tariff tax taxes teacher temperature
temperatures throughput torque turnover unemployment uptime vaccinations velocity visibility voltage volume wage wages
warehouse warranty wavelength wealth weight wind
"""
_NOUNS = frozenset(words(_MEASURED)) | frozenset(_MEASURED.split())
# A column with the name of a unit alone may be of many things.
_UNITS = frozenset(
    {
        "kmh",
        "mph",
        "hpa",
        "kwh",
        "litre",
        "liter",
        "tonne",
        "tons",
        "euro",
        "dollar",
        "pound",
        "percent",
        "pct",
        "gram",
        "metre",
        "meter",
        "degree",
        "deg",
    }
)
_NOUN = re.compile(r"(?<![\w#@~&'-])[a-z]+(?![\w'-])")
_NEXT = re.compile(r"^\s*[#\"\u201c]|^[ -](?:levels?|rates?|index|scale|axis|colou?rs?)\b")
# What modifies a column, and who is counted: how many passengers.
_BEFORE = re.compile(
    r"#\d+[ -]$|\b(?:how many|number of|count of|most of|list|all|every|each|which|other) (?:of )?(?:the )?$"
)
_QUOTED = re.compile(
    r"'[^']*'|\"[^\"]*\"|\u201c[^\u201d]*\u201d|\b(?:titled?|called|named|labell?ed|for (?:my|our|the|a)) .*"
)


def absent(told: str, columns: Sequence[Column], files: Collection[str]) -> str:
    """The noun by which a request names a column that the table has not; empty where there is none.

    ``told`` is the request with the columns that it speaks of by their signs, and without values.
    """
    text = _QUOTED.sub(" ", told.lower())
    named = [(c, words(c.name)) for c in columns]
    if any(all(len(w) < 3 or w in _UNITS for w in of) and not key(c) for c, of in named):
        return ""  # nobody knows what those are of
    known = {w for _, of in named for w in of} | {w for f in files for w in words(f.rsplit(".", 1)[0])}
    for found in _NOUN.finditer(text):
        noun = found[0]
        (word,) = words(noun)
        if noun not in _NOUNS or _NEXT.match(text[found.end() :]) or _BEFORE.search(text[: found.start()]):
            continue
        near = any(alike(w, word) or synonyms(w, word) or same_measure(w, word) for w in known)
        if not near and not deeds(noun, columns) and not _means(noun, tuple(" ".join(of) for _, of in named)):
            return noun
    return ""


def lacking(turn: Turn, columns: Sequence[Column], files: Collection[str]) -> str:
    """What is answered to a request for a column that its table has not; empty for any other."""
    of_table = turn.attached or (turn.examples[:1] and turn.examples[0][0] in ("table", "change"))
    if not columns or not of_table or turn.packaged or turn.memo or turn.scene is not None:
        return ""
    noun = absent(turn.gist, columns, files)
    turn.memo = "say" if noun else turn.memo
    return missing(noun, columns) if noun else ""


def missing(noun: str, columns: Sequence[Column]) -> str:
    """What is answered where a table has no such column."""
    names = [c.name for c in columns]
    shown = ", ".join(names[:_LISTED])
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"There is no column for {noun} in this table. Its columns are: {shown}{more}. Which one do you mean?"


@cache
def _means(noun: str, columns: tuple[str, ...]) -> bool:
    """Whether a column may mean a noun; also where nothing can tell."""
    from llmos.kernel import minilm

    if minilm.missing():
        return True
    vectors = minilm.Embedder.load().embed([noun, *columns])
    return bool((vectors[1:] @ vectors[0]).max() >= LIKE)
