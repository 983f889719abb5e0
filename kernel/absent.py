"""What a request asks of a table that has no such column: the profit of a table of prices.

Nouns that people measure or group by count anywhere, others where a column has to stand: ``the highest …``, ``plot the
… by``. Only where neither the words of any column or value nor their meaning comes near; what is vague ("the results")
is never such. Else another column would be taken for it without a word. Knows English nouns and columns, not what is
done to them.
"""

import re
from collections.abc import Collection, Sequence
from functools import cache

from llmos.kernel.asked import deeds, key
from llmos.kernel.going_words import FILLERS
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


# Where a column has to stand: what is the most or the mean, and what is drawn.
_ENDS = (
    r"(?= (?:by|per|over|against|for|in|of|at|on|from|is|was|were|did|does|has|have|and|vs|versus|with|too)\b"
    r"|[\s?.!]*$|,)"
)
_PLACES = [
    re.compile(
        r"\b(?:most|fewest|highest|lowest|least|largest|smallest|biggest|average|mean|median|total|maximum|minimum) "
        rf"(?:of )?(?:the |all |our |my )*((?:[a-z]+ ){{0,2}}?[a-z]+){_ENDS}"
    ),
    re.compile(
        r"\b(?:plot|show|draw|chart|graph|add) (?:me )?(?:the |all |our |my )*((?:[a-z]+ ){0,2}?[a-z]+)"
        rf"{_ENDS.replace('of|', '')}"
    ),
]
# Words that are no column's, whatever stands beside them.
_VAGUE = frozenset(
    """
again all also amount amounts anything area average axes axis bar bars best both bottom case cases category change
changes chart charts color colors colour colours column columns comparison correlation count counts curve curves data
date dates day days development difference distribution dots each entries entry every everything evolution figure
figures file fine first graph graphs grid group groups growth highest histogram history hour hours image item items
kind kinds label labels last least legend less level levels line lines lot lowest max mean median min minute month
months more most name names number numbers often once one ones order others overview part parts people percent
percentage person picture pie place places please plot plots point points proportion quantity quarter range rate rates
ratio record records relation relationship result results row rows same scatter second share shares size spread sum
table text thing things third time times title top total trend trendline type types value values week weeks year years
""".split()  # noqa: SIM905
)
_SMALL = FILLERS | _VAGUE


def absent(told: str, columns: Sequence[Column], files: Collection[str]) -> str:
    """The noun by which a request names a column that the table has not; empty where there is none.

    ``told`` is the request with the columns that it speaks of by their signs, and without values.
    """
    text = _QUOTED.sub(" ", told.lower())
    named = [(c, words(c.name)) for c in columns]
    if any(all(len(w) < 3 or w in _UNITS for w in of) and not key(c) for c, of in named):
        return ""  # nobody knows what those are of
    known = {w for _, of in named for w in of} | {w for f in files for w in words(f.rsplit(".", 1)[0])}
    meant = tuple(" ".join(of) for _, of in named)

    def near(noun: str) -> bool:
        """Whether a column may be meant."""
        (word,) = words(noun)
        alike_ = any(alike(w, word) or synonyms(w, word) or same_measure(w, word) for w in known)
        return alike_ or bool(deeds(noun, columns)) or _means(noun, meant)

    for found in _NOUN.finditer(text):
        noun = found[0]
        if noun not in _NOUNS or _NEXT.match(text[found.end() :]) or _BEFORE.search(text[: found.start()]):
            continue
        if not near(noun):
            return noun
    known |= {w for c in columns for value in c.values for w in words(value)}
    for phrase in (found[1] for place in _PLACES for found in place.finditer(text)):
        some = phrase.split()
        if any(w in _SMALL or w.endswith("ly") or len(w) < 3 for w in some):
            continue
        if not any(map(near, some)) and not _means(phrase, meant):
            return phrase
    return ""


def lacking(turn: Turn, columns: Sequence[Column], files: Collection[str]) -> str:
    """What is answered to a request for a column that its table has not; empty for any other."""
    of_table = turn.attached or (turn.examples[:1] and turn.examples[0][0] in ("table", "change"))
    if not columns or not of_table or turn.packaged or turn.memo or turn.scene is not None:
        return ""
    noun = absent(turn.gist, columns, files)
    # A name is a value that the preview does not show.
    noun = "" if re.search(rf"\b{re.escape(noun.title())}\b", turn.request[1:]) else noun
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
