"""What words of a question say of its verb: the smallest and not the largest, who and not how much, A less B.

The likeliest examples are like a request as a whole; a single word may turn what they are about. Knows verbs, not
models.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

_SMALL = re.compile(
    r"(?i)\b(?:lowest|smallest|fewest|least|minim\w+|lightest|youngest|shortest|cheapest|slowest|coldest|coolest|driest"
    r"|poorest|narrowest|quietest|weakest|worst|nearest|rarest)\b"
)
_LARGE = re.compile(
    r"(?i)\b(?:highest|largest|biggest|greatest|most|maxim\w+|heaviest|oldest|longest|tallest|priciest|dearest|fastest"
    r"|quickest|hottest|warmest|wettest|richest|widest|busiest|strongest|best|farthest|furthest|deepest|top)\b"
)
_DOWN = {
    "most": "least",
    "highest": "lowest",
    "best": "worst",
    "topsum": "lowsum",
    "topmean": "lowmean",
    "common": "rare",
}
_UP = {small: large for large, small in _DOWN.items()}
_LESS = re.compile(r"(?i)\b(?:below|under|before|less|fewer|lower|smaller|earlier|cheaper|at most|up to|until)\b")
_MORE = re.compile(r"(?i)\b(?:above|over|after|more|higher|larger|bigger|later|at least|since|exceed\w*|beyond)\b")
_OTHER_SIDE = {"above": "below", "over": "under", "below": "above", "under": "over"}
_SECOND = re.compile(r"(?i)\b(?:second|2nd)[ -](?:most|best|\w+est)\b|\brunner[ -]?up\b")
_RANKED = re.compile(
    r"(?i)\b(?:rank(?:ing)?|league table|standings|in (?:descending )?order of|(?:sort|order)(?:ed)? (?:all|the|by))\b"
)
_BETWEEN = re.compile(r"(?i)\bdifferen\w+|\bgap\b|\bthan\b|\bcompared\b|\bminus\b|\bless than\b")
_MEAN = re.compile(r"(?i)\b(?:average|avg|mean|typical\w*)\b")
_NAMED = re.compile(r"(?i)\b(?:who|whose|which|when|what)\b")
_AMOUNT = re.compile(r"(?i)\b(?:how (?:much|many|far)|totals?|sum|bill|altogether|all in all|in all|overall|add up)\b")


# What somebody does adds up over the rows that are theirs; the highest of a level does not.
_ADDS_UP = re.compile(
    r"(?i)\b(?:sold|sells?|earn\w*|made|makes?|brought|brings?|spent|spends?|scor\w+|produc\w+|ship\w*|us(?:ed?|es)"
    r"|consum\w+|order\w*|bought|buys?|paid|pays?|generat\w+|collect\w*|rais\w+|lost|loses?|wins?|won|deliver\w*|caught)\b"
    r".*\b(?:most|least|fewest)\b"
)
_ONCE = re.compile(r"(?i)\b(?:single|once|ever|record|in (?:an?|one)|on (?:an?|one)|expensive|recent\w*|often)\b")


@dataclass(frozen=True, slots=True)
class Known:
    """What a request speaks of.

    ``pair``: two values of a column; ``named``: it asks for a column of names or times; ``amount``: a number column;
    ``things``: a column of names beside the one it asks for; ``repeats``: what it asks for, or the value that it names,
    stands in many rows; ``many``: it asks how many.
    """

    pair: bool = False
    named: bool = False
    amount: bool = False
    things: bool = False
    repeats: bool = False
    many: bool = False


def turned(verb: str, request: str, known: Known) -> str:
    """A verb as words of the request turn it."""
    small, large = _SMALL.search(request) is not None, _LARGE.search(request) is not None
    if known.pair and _BETWEEN.search(request) and not re.search(r"(?i)\b(?:which|who)\b", request):
        return "meangap" if _MEAN.search(request) else "gap"
    if small != large and verb == "first":
        verb = "best"
    if small != large and verb in ("range", "growth", "sort", "missing", "summary"):
        verb = "most"
    if small and not large:
        verb = _DOWN.get(verb, verb)
    elif large and not small:
        verb = _UP.get(verb, verb)
    less, more = _LESS.search(request) is not None, _MORE.search(request) is not None
    if (verb in ("above", "over") and less and not more) or (verb in ("below", "under") and more and not less):
        verb = _OTHER_SIDE[verb]
    if (known.named or known.things) and verb in ("highest", "lowest") and (_NAMED.search(request) or known.things):
        verb = {"highest": "most", "lowest": "least"}[verb]
    if verb in ("most", "best", "names", "highest") and _RANKED.search(request):
        verb = "sort"
    if known.named and known.repeats and known.amount and _ADDS_UP.search(request) and not _ONCE.search(request):
        verb = {"most": "topsum", "least": "lowsum"}.get(verb, verb)
    if _SECOND.search(request) and verb in ("most", "highest", "best", "growth"):
        verb = "second"
    if not known.amount:
        counted = {"totals": "counts", "share": "portion", "means": "counts"}
        if known.things and known.repeats:
            counted |= {"most": "common", "topsum": "common", "least": "rare", "lowsum": "rare"}
        if known.many and not small and not large:
            counted |= dict.fromkeys(("most", "least", "topsum", "lowsum", "exceeds", "sort", "missing"), "rows")
        verb = counted.get(verb, verb)
    if verb == "lookup" and known.repeats and _AMOUNT.search(request):
        verb = "sumof"
    return verb


def summed(request: str) -> bool:
    """Whether an amount is asked for, and no names."""
    return _AMOUNT.search(request) is not None and not re.search(r"(?i)\bwhich|\bwho\b|\bwhen\b", request)


_ROUNDED = re.compile(r"(?i)\s*-?(?:decimals?|digits?|(?:decimal )?places?|d\.?p\.?|significant)\b")
_ALL = re.compile(r"(?i)\b(?:these|those|the|all|over|in|across|whole|my|our|last|past)\s+$")
_THINGS = re.compile(r"(?i)\s*[a-z#]")
_TIMED = re.compile(
    r"(?i)(?:\b(?:since|after|from|before|until|till|in|of|for|during|over|between|and|to|through|by the end of|year)"
    r"\s+)?"
    r"(?:(?:jan|feb|mar|apr|may|june?|july?|aug|sep|oct|nov|dec)\w*\s+)?@(\d+)(?!\w)"
)
_CHANGES = re.compile(r"(?i)\b(?:chang|gr[eo]w|ris|rose|fall|fell|increas|decreas|differ|drop|gain|more .* than)")
_YEAR = re.compile(r"1[5-9]\d\d|20\d\d")


def unmeant(value: str, before: str, after: str, rows: Collection[str]) -> bool:
    """Whether a number is no amount of a table: how exact the answer is to be, or how many ``rows`` there are."""
    counted = value in rows and _ALL.search(before) and _THINGS.match(after)
    return bool(_ROUNDED.match(after) or counted)


def timeless(told: str, values: Sequence[str]) -> str:
    """A question with short names for its ``values`` without the years that keep it to some rows.

    Changes from one year to another keep theirs.
    """
    if _CHANGES.search(told):
        return told

    def cut(time: re.Match[str]) -> str:
        return "" if _YEAR.fullmatch(values[int(time[1]) - 1]) else time[0]

    return " ".join(_TIMED.sub(cut, told).split())
