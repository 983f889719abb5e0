"""What of a question on a table its words settle: which rows it is of, which column it asks for, and what it cannot be.

The likeliest examples tell the verb; the words that name values, years and amounts say more of it. ``how many`` wants a
count and never a list, and a verb that takes a number needs one that is for nothing else. Knows verbs, not models.
"""

import re
from calendar import monthrange
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from llmos.kernel.literals import literals
from llmos.kernel.slots import NUMBERS, TIMES, Column, words
from llmos.kernel.verbs import ASKED
from llmos.kernel.wording import Known, summed, turned

_CENTURY = r"(?<![\w.,-])((?:1[5-9]|20)\d\d)"
_YEAR = rf"{_CENTURY}(?![\w-]|[.,]\d)"
_TO = r"\s*(?:to|and|until|till|through|thru|up to|-|\u2013)\s*"
_SPAN = re.compile(rf"(?i)(?:between|from)?\s*{_CENTURY}(?!\w){_TO}((?:1[5-9]|20)\d\d)(?!\w|[.,]\d)")
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_MONTH = re.compile(rf"(?i)\b({'|'.join(_MONTHS)})[a-z]*\.?,? (?:of )?{_YEAR}")
_SINGLE = re.compile(
    r"(?i)(?:\b(?P<word>since|after|from|before|until|till|up to|prior to|later than|earlier than|starting(?: in)?"
    rf"|by the end of|in|of|for|during|over|all of|year)\s+(?:the )?(?:year )?)?{_YEAR}"
    r"(?P<on>\s+(?:on|onwards?|and later)\b)?"
)
_WAYS = {
    "since": "since",
    "from": "since",
    "starting": "since",
    "starting in": "since",
    "after": "after",
    "later than": "after",
    "before": "before",
    "prior to": "before",
    "earlier than": "before",
    "until": "until",
    "till": "until",
    "up to": "until",
    "by the end of": "until",
}
_DATED_BY = re.compile(r"(?i)\b(?:is|are|was|were|come|comes|came|date|dates|those|ones|one)\s*$")
_HOW_MANY = re.compile(r"(?i)\b(?:how (?:many|often)|(?:the )?(?:number|count) of|count)\b")
_LISTED = re.compile(r"(?i)\b(?:which|who|whose|list|show|name (?:them|all|the|those|every)|names|what are)\b")
_ROWS = re.compile(r"(?i)\b(?:rows?|entries|records?|lines)\b")
_KINDS = re.compile(r"(?i)\b(?:different|distinct|unique|kinds?|types?|sorts?|various|which|values)\b")
_EACH = re.compile(r"(?i)\b(?:per|each|every|by|grouped?|break ?down|split)\b")
_WHICH = re.compile(r"(?i)\b(?:which|what|whose|(?:after|in|on|for) how many|at what) (?:[a-z]+ )?#(\d+)")
_KEYS = re.compile(r"(?i)(?:.*[_\W])?(?:id|key|code|uuid|nr|no)|.*[a-z]I[dD]|rank|index|number")
_COUNTED = {"over": "above", "under": "below", "exceeds": "higher", "pick": "count", "names": "rows", "values": "kinds"}
_NUMBERLESS = {
    "above": "rows",
    "below": "rows",
    "within": "rows",
    "over": "names",
    "under": "names",
    "best": "most",
    "worst": "least",
    "first": "names",
}
_WHOLE = {"meanof": "mean", "sumof": "total", "count": "rows", "pick": "names", "portion": "", "share": ""}
_UNGROUPED = {"means": "mean", "totals": "total", "counts": "rows", "peaks": "highest"}
_UNCUT = frozenset({"columns", "size", "missing", "summary"})
# What people say of amounts in other words than a column's: a line's left side tells of columns named as its right.
_DEEDS = """
old older oldest young younger youngest: age
heavy heavier heaviest light lighter lightest weigh weighs weighed: weight mass
long longer longest short shorter shortest lasted lasts last: length duration minutes seconds distance
tall taller tallest: height
cheap cheaper cheapest expensive dear dearer dearest pricey priciest pricier: price cost rent fee fare
fast faster fastest slow slower slowest quick quickest: speed time pace
far farther farthest further furthest: distance
ran run runs walked walk rode ride drove drive cycled swam travelled: km distance miles
deep deeper deepest: depth
wide wider widest: width
big bigger biggest large larger largest small smaller smallest: size diameter area population
hot hotter hottest warm warmer warmest cold colder coldest cool coolest: temperature temp
wet wetter wettest dry drier driest rained: rain rainfall precipitation
rich richer richest poor poorest: income gdp
busy busier busiest quiet quietest: visitors passengers customers guests
earn earned earns take took takes taking: revenue sales takings income turnover
made make makes brought bring money: revenue sales takings income turnover amount
spend spent spends pay paid pays: cost price expense amount spending award grant salary wage fee bonus
sell sold sells shifted: sold units quantity sales
scored score scores: points goals score
"""
_SAYS = [tuple(set(side.split()) for side in line.split(":")) for line in _DEEDS.strip().splitlines()]
_DATED = frozenset({"week", "day", "month", "year", "hour", "quarter", "no", "nr"})


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows that a request keeps to: the number of a column, the words behind a verb, and the numbers that tell them."""

    column: int
    words: str
    numbers: frozenset[str] = frozenset()


def rows(request: str, columns: Sequence[Column], linked: Mapping[int, Sequence[str]]) -> list[Rows]:
    """The rows that ``request`` keeps to: values of columns that are ``linked``, and years."""
    found = []
    for n, values in linked.items():
        plain = [v for v in values if "'" not in v]
        if plain:
            found.append(Rows(n, f"where #{n} " + " ".join(f"'{v}'" for v in plain)))
    times = [n for n, c in enumerate(columns, 1) if c.kind in TIMES and c.kind != "time"]
    if times:
        found += list(_years(request, times[0], columns[times[0] - 1].kind == "year"))[:1]
    return found


def filters(columns: Sequence[Column], year: int, linked: Mapping[int, Sequence[str]]) -> Iterator[tuple[str, str]]:
    """The rows that a request keeps a chart to, each with its column: values that it speaks of, and one ``year``."""
    for n, values in linked.items():
        plain = [v for v in values if "'" not in v]
        if plain:
            yield f"#{n}", f" where #{n} " + " ".join(f"'{v}'" for v in plain)
    years = [n for n, c in enumerate(columns, 1) if c.kind == "year" and c.repeats]
    if years and year:
        yield f"#{years[0]}", f" where #{years[0]} @{year}"


def _years(request: str, n: int, plain: bool) -> Iterator[Rows]:
    """The years that a request is of; in a column of days they are told as days."""

    def start(year: str) -> str:
        return year if plain else f"{year}-01-01"

    def end(year: str) -> str:
        return year if plain else f"{year}-12-31"

    if not plain and (days := [one for one in literals(request) if one.day]):
        values = sorted(one.value for one in days)
        before = re.search(r"(?i)([a-z]+)(?: the)?\s*$", request[: days[0].start])
        way = _WAYS.get(before[1].lower(), "") if before else ""
        told = f"{way} #{n} {values[0]}" if way and len(values) == 1 else f"between #{n} {values[0]} {values[-1]}"
        yield Rows(n, told, frozenset(values))
        return
    if span := _SPAN.search(request):
        low, high = sorted(span.groups())
        yield Rows(n, f"between #{n} {start(low)} {end(high)}", frozenset({low, high}))
        return
    if (month := _MONTH.search(request)) and not plain:
        first = f"{month[2]}-{_MONTHS.index(month[1].lower()) + 1:02}"
        yield Rows(n, f"between #{n} {first}-01 {first}-{_days(first)}", frozenset({month[2]}))
        return
    years = list(_SINGLE.finditer(request))
    if len(years) == 1:
        year, word = years[0][2], re.sub(r"\s+", " ", (years[0]["word"] or "").lower())
        way = "since" if years[0]["on"] else _WAYS.get(word, "")
        if word == "from" and way and not years[0]["on"] and _DATED_BY.search(request[: years[0].start()]):
            way = ""
        ends = {"since": start, "before": start, "until": end, "after": end}
        told = f"{way} #{n} {ends[way](year)}" if way else ""
        told = told or (f"where #{n} {year}" if plain else f"between #{n} {start(year)} {end(year)}")
        yield Rows(n, told, frozenset({year}))
    elif len(years) > 1 and plain:
        named = dict.fromkeys(y[2] for y in years)
        yield Rows(n, f"where #{n} " + " ".join(named), frozenset(named))


def _days(month: str) -> int:
    year, number = map(int, month.split("-"))
    return monthrange(year, number)[1]


def settled(
    verbs: Sequence[str],
    request: str,
    linked: Mapping[int, Sequence[str]],
    numbers: int,
    columns: Sequence[Column],
    meant: Collection[int] = (),
    which: Sequence[int] = (),
) -> list[str]:
    """The verbs as the words of a request leave them, the likeliest first.

    ``linked`` are the values that it speaks of, by column; ``numbers`` how many numbers it has that are for nothing
    else; ``meant`` the columns that it speaks of, and ``which`` those that it asks for.
    """
    many = bool(_HOW_MANY.search(request) and not _LISTED.search(request))
    pair = any(len(values) > 1 for values in linked.values())
    others = [n for n in meant if columns[n - 1].kind not in NUMBERS and n not in linked]
    asks = [n for n in which if columns[n - 1].kind not in NUMBERS]
    amount = any(columns[n - 1].kind in NUMBERS for n in meant) or bool(deeds(request, columns))
    known = Known(
        pair=pair,
        named=bool(asks),
        amount=amount,
        things=bool(set(others) - set(asks[:1])),
        repeats=any(columns[n - 1].repeats for n in (asks or linked)),
        many=many,
    )
    # Groups are named as such, by a value of theirs, or not meant.
    grouped = _EACH.search(request) or pair or (not linked and any(columns[n - 1].repeats for n in others))
    one_row = any(len(v) == 1 and not columns[n - 1].repeats for n, v in linked.items())
    many_rows = _KINDS.search(request) is not None
    found: dict[str, None] = {}
    for likely in verbs:
        verb = _fitted(likely, linked, numbers, columns, pair)
        if not grouped:
            verb = _UNGROUPED.get(verb, verb)
        if many:
            verb = _COUNTED.get(verb, verb)
        if verb in ("earliest", "latest", "names", "kinds", "first") and amount and one_row and not many_rows:
            verb = "lookup"
        if verb in ("rows", "count", "pick", "portion", "names") and one_row and (amount or verb != "names"):
            # There is one such row: it is asked for what it has.
            verb = verb if _ROWS.search(request) else "share" if verb == "portion" else "lookup"
        if verb in ("common", "rare") and asks and not any(columns[n - 1].repeats for n in asks):
            verb = {"common": "most", "rare": "least"}[verb]
        if verb == "means" and others and not any(columns[n - 1].repeats for n in others):
            verb = "mean"
        if verb in ("higher", "exceeds") and sum(columns[n - 1].kind in NUMBERS for n in meant) < 2:
            verb = "total" if many and amount else ""
        if verb in ("kinds", "values", "counts") and amount and not _KINDS.search(request) and not grouped:
            verb = "rows"
        if verb in ("rows", "names", "lookup") and amount and not numbers and not (verb == "lookup" and linked):
            verb = "total" if summed(request) else verb
        found[turned(verb, request, known) if verb else ""] = None
    return [verb for verb in found if verb]


def _fitted(verb: str, linked: Mapping[int, Sequence[str]], numbers: int, columns: Sequence[Column], pair: bool) -> str:
    """A verb that needs no value and no number that there is not; empty where there is none like it."""
    if not linked and verb in _WHOLE:
        verb = _WHOLE[verb]
    elif verb in ("gap", "meangap") and not pair:
        return ""
    elif verb == "lookup" and not linked and not any(c.kind in TIMES for c in columns):
        verb = "names"
    places = ASKED[verb][0] if verb in ASKED else ""
    return _NUMBERLESS.get(verb, verb) if places.count("k") > numbers else verb


def about(verb: str, given: Sequence[str], kept: Sequence[Rows]) -> str:
    """The words about rows behind a verb and what it is done to; none for columns that it has a value of already."""
    if verb in _UNCUT:
        return ""
    places = ASKED[verb][0]
    own = {word for role, word in zip(places, given, strict=False) if role in "xc"}
    told = []
    for one in kept:
        # The verb has the value itself, or its groups are all of one.
        single = "c" in places and one.words.startswith("where") and len(one.words.split("'")) < 4
        if f"#{one.column}" in own and ("v" in places or single):
            continue
        told.append(one.words)
    return " ".join(told)


def amounts(request: str, columns: Sequence[Column], meant: Collection[int]) -> list[int]:
    """The number columns that are meant, else those that deeds and degrees tell of, else the first that is no date."""
    numbers = [n for n, c in enumerate(columns, 1) if c.kind in NUMBERS]
    if found := [n for n in numbers if n in meant]:
        return found
    return deeds(request, columns) or [n for n in numbers if _names(columns[n - 1]).isdisjoint(_DATED)][:1]


def deeds(request: str, columns: Sequence[Column]) -> list[int]:
    """The number columns that words for deeds and degrees tell of: what was earned, how heavy."""
    numbers = [n for n, c in enumerate(columns, 1) if c.kind in NUMBERS]
    asked = set(re.findall(r"[a-z]+", request.lower()))
    for said, names in _SAYS:
        told = [n for n in numbers if not names.isdisjoint(_names(columns[n - 1]))]
        if told and not asked.isdisjoint(said):
            return told
    return []


def _names(column: Column) -> set[str]:
    return {w.lower() for w in re.findall(r"[A-Za-z][a-z]*|[A-Z]+", column.name)} | set(words(column.name))


def dated(column: Column) -> bool:
    """Whether a column of numbers counts weeks, hours or the like, and so names its rows."""
    return column.kind in NUMBERS and bool(_names(column) & _DATED)


def naming(numbers: Sequence[int], columns: Sequence[Column]) -> list[int]:
    """Of number columns those that name the rows, such as weeks, where there is another that tells of an amount."""
    named = [n for n in numbers if dated(columns[n - 1])]
    return named if len(named) < len(numbers) else []


def key(column: Column) -> bool:
    """Whether a column only numbers its rows."""
    return _KEYS.fullmatch(column.name) is not None


def asked_for(told: str) -> list[int]:
    """The columns, by number, that a request with short names asks for: ``which #2``."""
    return [int(n) for n in _WHICH.findall(told)]


def groups(fits: Sequence[int], columns: Sequence[Column]) -> list[int]:
    """The columns of these that have groups: those that repeat before others, never a key."""
    named = [n for n in fits if not key(columns[n - 1])]
    return [n for n in named if columns[n - 1].repeats] or named or list(fits)


def ordered(request: str, values: Collection[str]) -> list[str]:
    """Values in the order in which a request speaks of them."""
    low = request.lower()
    places = {v: low.find(v.lower()) for v in values}
    return sorted(values, key=lambda v: places[v] if places[v] >= 0 else low.find(v.lower()[:4]) % (len(low) + 1))
