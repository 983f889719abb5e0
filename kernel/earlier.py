"""Earlier results that a request speaks of: ``half of that``, ``add those two up``, ``and 22%?`` after a calculation.

They are numbers like those the request has itself; where so few words are said that nothing else can be meant, the
calculation follows from them. Knows English and calculations, no models.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from llmos.kernel.acts import Past
from llmos.kernel.adapt import pieces
from llmos.kernel.literals import literals
from llmos.kernel.results import named

BRIEF, LONGEST = 14, 300  # words and characters of a request that may speak of an earlier result
_SHORT = 13  # words of one that says no more than its calculation
_PLAIN = re.compile(r"\d+(?:\.\d+)?")
# Words for the last result, and beginnings that leave it out.
_THAT = re.compile(
    r"(?i)(?:\b(?:it|that|this|(?:the|your) (?:last |previous )?(?:result|answer|number|total|sum)|the latter)\b"
    r"(?! (?:is|was|looks|helps|works)\b)|\bits\b(?= (?:square|cube|root|half|double|third|quarter))"
    r"|^(?:(?:and|now|then|ok|so),? )*(?=(?:plus|minus|times|divided by|multiplied by|to the power)\b))"
)
_PAIR = re.compile(
    r"(?i)\b(?:the|those|these|that|my|your)? ?(?:last )?(?:two|both)(?: of (?:them|those|these))?"
    r"(?: (?:numbers?|results?|values?|figures?|amounts?|years?|answers?|totals?|counts?|averages?"
    r"|of them))?(?=[\s?.!,]*$|"
    r" (?:up|together|in|as|and|then|please|pls|combined|differ|times|times?|years?|make|come)\b)"
    r"|\b(?:(?<=between )|(?<=sum of )|(?<=total of )|(?<=add )|(?<=average of )|(?<=difference of ))(?:them|those"
    r"|these)\b"
    r"(?=[\s?.!,]*$| (?:up|together|then|please|pls)\b)"
)
_ORDINAL = re.compile(
    r"(?i)\bthe (?:(?P<b>second|latter|last|later|other)|(?P<a>first|former|earlier))(?: (?:one|number|result"
    r"|value))?\b"
)
_ALONE = re.compile(
    r"(?i)^(?:(?:and|so|ok|now|then|hm+|what(?:'s| is| was|s)|whats|give me|tell me),? )*(?:the |their )?"
    r"(?P<what>difference|ratio|gap|increase|decrease|(?:percent(?:age)?|%) (?:change|increase|growth|difference"
    r"|rise|drop|decrease)"
    r"|(?:change|increase|growth|difference|rise|drop|decrease) (?:in|as a?) ?(?:percent|%|per cent)"
    r"|(?:difference|change|increase|decrease|growth|rise|drop) in (?:dollars|euros|pounds|money|numbers|absolute"
    r" (?:terms|numbers))"
    r"|(?:is|was) (?:that|it|this) (?:up|more|higher|an? increase|a gain) or (?:down|less|lower|an? decrease|a loss)"
    r"(?:,? (?:and )?by how (?:much|many))?"
    r"|how (?:much|many) (?:more|less|higher|lower|extra|fewer) (?:is|was|are|were|would) (?:that|it|they|this)(?: be)?"
    r"(?: now| than before| then| a (?:year|month))?"
    r"|together|combined|both together|all together|both|(?:how many|how much|by how many) (?:percent|per cent"
    r"|%) (?:more|less|higher|lower|bigger|smaller) (?:is|was) (?:that|it)|by how (?:much|many)(?: percent"
    r"| per cent|%)?"
    r"(?: (?:more|less|higher|lower|bigger) (?:is that|was that|was it|is it)| (?:did|has) (?:it|that"
    r"|they) \w+(?: up| down)?| is that)?)"
    r"[\s?.!]*$"
)
_PERCENT = r"(?:percent(?:age)?|per ?cent|pct|%)"
_DOWN = re.compile(
    r"(?i)\b(?:drop\w*|fall|fell|fallen|decreas\w*|shr[aiu]nk\w*|declin\w*|lower|less|fewer|smaller|lost|los[es]\w*"
    r"|down)\b"
)
_GREW = re.compile(
    r"(?i)\b(?:r[io]se\w*|risen|gr[eo]w\w*|increas\w*|chang\w*|clim\w*|gain\w*|up|more|higher|bigger|larger|greater"
    r"|growth|above)\b"
)
_FILL = re.compile(
    r"(?i)\b(?:and|what|about|how|for|the|now|then|ok|okay|please|pls|plz|same|with|is|of|if|it|were|was|be|would"
    r"|also|too|do|just|but"
    r"|at|in|that|thanks|so|again|make|instead|to|a|only|on|much|whats|hmm)\b|what's|[?.!,;:]"
)
_IN_UNIT = re.compile(
    r"(?i)(?:(?:and|so|now|ok|please|can you|could you|what(?:'s| is)(?: that| it)?|how (?:much|many) is (?:that"
    r"|it)|that|it|give me|show me"
    r"|convert|tell me|as|expressed|or),? )*(?=(?:in|to|into|as|how many) \|)"
)
_CURRENCY = r"(?:euros?|eur|dollars?|usd|pounds?|gbp|francs?|chf|yen|rupees?|crowns?|kroner|kronor|pesos?|\w{3})"


@dataclass(frozen=True, slots=True)
class Spoken:
    """Where a request speaks of earlier results: start, end, and the numbers that stand for it, with words before."""

    start: int
    end: int
    numbers: tuple[str, ...]
    before: str = ""
    after: str = ""


def references(text: str, past: Past) -> list[Spoken]:
    """Where a request speaks of earlier results. After a table was asked, what is plainly a calculation alone does."""
    if len(text) > LONGEST or len(text.split()) > BRIEF or not past.numbers or not past.fresh:
        return []
    if past.columns and _DRAWN.search(text):
        return []
    cued = past.last == "python"
    last = [n for n, _ in past.numbers][-2:]
    if spoken := _named(text, past):
        return spoken
    if len(last) == 2:
        if found := _PAIR.search(text):
            return [Spoken(found.start() + (found[0][:1] == " "), found.end(), tuple(last))]
        found_two = {k: m for m in _ORDINAL.finditer(text) for k, v in m.groupdict().items() if v}
        if len(found_two) == 2:
            return [Spoken(m.start(), m.end(), (last[k == "b"],)) for k, m in found_two.items()]
        if len(found_two) == 1 and _TIMES_AS.search(text):
            ((k, m),) = found_two.items()
            return [Spoken(m.start(), m.end(), (last[k == "b"],)), _after(text, last[k != "b"])]
        if (found := _ALONE.search(text)) and (not cued or past.alike()):
            return [replace(_after(text, *last), before=" of " if "together" not in text else " ")]
    if _LEFT.search(text) and (whole := _whole(past)):
        return [_after(text, whole, last[-1])]
    if (
        cued
        and (_DRAWN.search(text) or not _CUE.search(text))
        and not _measured(text, past)
        and not _LEFT_OUT.match(text)
    ):
        return []
    if cued and re.search(_PERCENT, text) and not re.search(r"\d", text):
        return []  # of all rows, which the table tells
    if found := _THAT.search(text):
        blank = not found[0].strip() or found[0].endswith(" ")
        return [Spoken(found.start(), found.end(), (last[-1],), "", " " if blank else "")]
    if (found := _LEFT_OUT.match(text)) or (found := _measured(text, past)):
        return [Spoken(found.end(), found.end(), (last[-1],), "", " ")]
    return []


def _named(text: str, past: Past) -> list[Spoken]:
    """Two results that are named; one beside the last, which is told by ``that`` or left out."""
    numbers = [n for n, _ in past.numbers]
    if len(past.labels) != len(numbers):
        return []
    found = [Spoken(a, b, (n,)) for a, b, n in named(text, past.labels, numbers, past.columns)]
    if len(found) != 1:
        return found
    that = next((m for m in _THAT.finditer(text) if m[0].strip()), None)
    return [*found, Spoken(that.start(), that.end(), (numbers[-1],)) if that else _after(text, numbers[-1])]


def _after(text: str, *numbers: str) -> Spoken:
    """Numbers that are meant and not spoken of: they stand behind the text."""
    end = len(text.rstrip(" ?.!"))
    return Spoken(end, end, numbers, " ")


def _whole(past: Past) -> str:
    """The number that the last one is a part of, or was taken for: it stands in its calculation; empty without one."""
    expression = past.sums[-1]
    before = past.numbers[-2][0] if len(past.numbers) > 1 else ""
    part, of = float(past.numbers[-1][0]), re.findall(r"(?<![\w.])\d+(?:\.\d+)?(?![\w.%])", expression)
    if before and (before in expression or not expression):
        return before if float(before) > part else ""
    return of[0] if "%" in expression and len(of) == 1 else ""


# What a thing is worth, and how many of the last number fit into it.
_ONE = r"(?:each|every|one|per)(?: (?:of (?:them|those|these)|[a-z]+))?"
_WORTH, _ROOM = r"costs?|sells for|goes for|earns|brings(?: in)?|weighs", r"covers|holds|takes|fits|seats|carries|lasts"
_DOES = rf"{_WORTH}|{_ROOM}"
_EACH_IS = rf"\b(?:{_ONE} (?:is|was)|(?:{_ONE}|an? [a-z]+) (?:{_WORTH}))\b"
_HOLDS = re.compile(rf"\b(?:{_ONE}|an? [a-z]+) (?:{_ROOM})\b.*\bhow many\b")
_DRAWN = re.compile(r"(?i)\b(?:re)?(?:plot|draw|chart|graph|diagram|visuali[sz]e|bars?|pie|lines?|scatter)\w*\b")
_LEFT = re.compile(
    r"(?i)^(?:(?:and|so|then|ok|now),? )*(?:(?:what(?:'s|s)?|how much(?: money)?)(?: is| would be| will be)?"
    r"|(?:what|how much) (?:do|would|will) (?:i|we|they) have)"
    r" (?:then )?(?:still )?(?:left|remain\w*|the (?:rest|remainder))\b|^(?:and )?(?:the rest|the remainder)\b"
)
_TIMES_AS = re.compile(r"(?i)\bhow many times\b|\btimes (?:as|more|bigger|larger|higher)\b")
# What a share or a change is of stands behind these.
_BASE = re.compile(r"(?i)\b(?:of|from|than|over)(?: (?:all|the|those|these|that|what|in|was|were|what we|our|my))*\s*$")
_CUE = re.compile(
    rf"(?i)\bhal(?:f|ve)\b|\bdoubled?\b|\btwice\b|\btriple\b|\bthird of\b|\bquarter of\b|{_PERCENT} of|\bof \d"
    r"|\d ?%|\btimes\b|\bdivid|\bmultipl"
    r"|\bplus \d|\bminus \d|\bsubtract|\badd \d|\bsquared?\b|\bsquare root\b|\bconvert\b|\b(?:in|to"
    rf"|into) {_CURRENCY} at\b|\bround"
    rf"|\bsplit (?:it |that )?(?:between|among|by \d)|\bshared?\b|\bat \d|\bas a {_PERCENT}"
    r"|\b(?:over|for) \d+ (?:years|months|weeks|days|nights|hours)\b"
    r"|\beach\b|\bapiece\b|\ba piece\b|\bper (?:person|head)\b"
)
_LEFT_OUT = re.compile(
    rf"(?i)(?:(?:and|now|then|ok|so|what(?:'s| is)),? )*(?=(?:as (?:a )?{_PERCENT}|in {_CURRENCY} at|half\b(?! of)"
    r"|doubled|halved|squared|tripled"
    r"|rounded|with (?:another |a further |an? \w+ of )?\d|(?:if )?"
    rf"(?:{_ONE} (?:is|was)|(?:{_ONE}|an? [a-z]+) (?:{_DOES})) \d|(?:multiply|divide) by \d|(?:add|subtract"
    r"|take (?:away|off)|less|deduct|knock off|take) \d[\d.,]*%?(?: (?:off|away|from (?:that|it)))?[\s.?!]*$|(?:the )?"
    r"(?:square|cube) root[\s?!.]*$|split (?:between|among|by)|divided\b|at \d))"
)


def _measured(text: str, past: Past) -> re.Match[str] | None:
    """Where another unit is asked for and nothing else."""
    unit = past.numbers[-1][1]
    units = [p for p in pieces(text) if p.unit]
    if not unit or len(units) != 1 or units[0].unit in (unit, ""):
        return None
    rest = re.sub(
        r"(?i)^\s*(?:is|are|was|were|does|would) (?:that|it|they|those)(?: be| make)?", "", text[units[0].end :]
    )
    return _IN_UNIT.match(f"{text[: units[0].start]}|") if not rest.strip(" ?.!") else None


def reckoned(text: str, past: Past, spoken: Sequence[Spoken]) -> str:
    """The calculation that follows from so few words; empty where more may be meant."""
    if len(text) > LONGEST or len(text.split()) > _SHORT:
        return ""
    free = [one for one in literals(text) if not any(s.start < one.end and one.start < s.end for s in spoken)]
    if any(one.day for one in free):
        return ""
    numbers = [(one.value, bool(re.match(rf"(?i)\s?{_PERCENT}", text[one.end :]))) for one in free]
    if not spoken:
        return _other(text, past, numbers)
    told = [_bracketed(n) for s in sorted(spoken, key=lambda s: s.start) for n in s.numbers]
    if len(told) == 2:
        if _LEFT.search(text):
            return f"{told[0]} - {told[1]}"
        based = len(spoken) == 2 and _BASE.search(text[: min(s.start for s in spoken)]) is not None
        return _of_two(text, told[::-1] if based else told, len(spoken) == 2) if not numbers else ""
    first = bool(free) and free[0].end <= spoken[0].start and spoken[0].end > spoken[0].start
    return _of_one(text, told[0], numbers, past.numbers[-1][1], first)


def _bracketed(number: str) -> str:
    return f"({number})" if number[0] == "-" else number


def _of_two(text: str, named: Sequence[str], ordered: bool) -> str:
    a, b = named
    low = text.lower()
    percent = re.search(rf"{_PERCENT}|\b(?:share|proportion|fraction|portion)\b", low)
    if re.search(r"\bratio\b", low) or _TIMES_AS.search(low):
        return f"{a} / {b}"
    if ordered:  # the one than the other
        a, b = b, a
    if re.search(r"\b(?:average|mean|avg)\b", low):
        return f"({a} + {b}) / 2"
    if percent and ordered and re.search(r"\bof\b", low) and not (_GREW.search(low) or _DOWN.search(low)):
        return f"{b} / {a} * 100"
    if percent and (_DOWN.search(low) and not _GREW.search(low)):
        return f"({a} - {b}) / {a} * 100"
    if percent and (_GREW.search(low) or re.search(r"\bdifferen|\bbetween\b", low)):
        return f"({b} - {a}) / {a} * 100"
    if percent:
        return ""
    if re.search(r"\b(?:up|more|higher|an? increase|a gain) or\b", low):
        return f"abs({a} - {b})"
    if re.search(r"\bdifferen\w*|\bgap\b|\bapart\b|\bdiffer\b", low):
        return f"abs({a} - {b})"
    if re.search(r"\bproduct\b|\bmultipl", low):
        return f"{a} * {b}"
    if re.search(r"\b(?:add|adding|sum|together|combined|total|altogether|in all|come to)\b", low):
        return f"{a} + {b}"
    if re.search(r"\b(?:how (?:much|many)|increase|decrease|rise|drop)\b", low) and not re.search(r"\btimes\b", low):
        if _DOWN.search(low) and not _GREW.search(low):
            return f"{a} - {b}"
        return f"{b} - {a}" if _GREW.search(low) else ""
    return ""


def _of_one(text: str, r: str, numbers: Sequence[tuple[str, bool]], unit: str, first: bool = False) -> str:
    """``first``: the number stands before what stands for the result, and is what is divided or taken from."""
    low = text.lower()
    if re.search(r"\bround", low) and (not numbers or re.search(r"\bdecimal|\bplaces?\b|\bdigits?\b|\bd\.?p\b", low)):
        return f"round({r}, {numbers[0][0]})" if numbers else f"round({r})"
    if not numbers:
        found = next((made for pattern, made in _PLAINLY if re.search(pattern, low)), "")
        return found.format(r) if found else _converted(text, r, unit)
    if len(numbers) > 1:
        return ""
    k, percent = numbers[0]
    if percent:
        if re.search(r"\boff\b|\bless\b|\bminus\b|discount|\bcut\b|reduc|\bdrop|\bfall|\bdown\b|lower", low):
            return f"{r} * (1 - {k}%)"
        if re.search(
            r"\bplus\b|\badd|\bmore\b|\bon top\b|\btip\b|\btax\b|\bvat\b|increas|\brise|\bup\b|extra|rais", low
        ):
            return f"{r} * (1 + {k}%)"
        return f"{k}% * {r}" if re.search(r"\bof\b", low) else ""
    if re.search(rf"\b(?:{_PERCENT}) of {re.escape(k)}\b|{_PERCENT} of (?:the )?\d|out of|share of \d", low):
        return f"{r} / {k} * 100"
    if re.search(_PERCENT, low):
        return ""
    if _HOLDS.search(low) or (re.search(r"\bhow long\b.*\bat \d", low) and unit):
        return f"{r} / {k}"
    if re.search(
        rf"\b(?:in|to|into) {_CURRENCY} (?:at|with)\b|\btimes\b|\bmultipl|{_EACH_IS}"
        r"|\bat \S+ (?:\w+ )?(?:each|apiece|an? \w+|per \w+)\b",
        low,
    ):
        return f"{r} * {k} / 100" if re.search(r"\d ?(?:cents?|pence|p)\b", low) else f"{r} * {k}"
    if re.search(
        r"\bdivid|\bsplit\b|\bshar|\bbetween \d+ (?:people|persons|of us|friends)|\bper \d"
        r"|\b(?:over|for) \d+ (?:years|months|weeks|days|nights|hours)\b",
        low,
    ):
        turned = first and re.search(r"\bdivided? \S+ by\b|\d \S*divided by\b", low)
        return f"{k} / {r}" if turned else f"{r} / {k}"
    if re.search(r"\b(?:minus|subtract|take|less|without|deduct|remove)\b", low):
        turned = re.search(r"from \d", low) or (first and re.search(r"\d minus\b", low))
        return f"{k} - {r}" if turned else f"{r} - {k}"
    if re.search(r"\bhow much of \d.* (?:is|will be|would be|remains) ?(?:left|over)?", low):
        return f"{k} - {r}"
    if re.search(r"\b(?:plus|add)\b", low):
        return f"{r} + {k}"
    return ""


_PLAINLY = [
    (r"\b(?:square root|sqrt)\b", "sqrt({0})"),
    (r"\bhal(?:f|ve|ved)\b", "{0} / 2"),
    (r"\b(?:double|doubled|twice)\b", "2 * {0}"),
    (r"\b(?:triple|tripled|thrice|three times)\b", "3 * {0}"),
    (r"\b(?:a|one) third\b", "{0} / 3"),
    (r"\b(?:a|one) quarter\b", "{0} / 4"),
    (r"\b(?:square|squared)\b", "{0}^2"),
    (r"\b(?:cube|cubed)\b", "{0}^3"),
]


def _converted(text: str, r: str, unit: str) -> str:
    """The last number in the unit that a request names, and nothing else."""
    units = [p for p in pieces(text) if p.unit]
    asked = re.search(r"(?i)\b(?:in|to|into|as)\b|\bhow many\b|\bconvert", text)
    if len(units) != 1 or not asked or not unit or units[0].unit == unit:
        return ""
    return f"{r} {unit} to {units[0].text}"


def _other(text: str, past: Past, numbers: Sequence[tuple[str, bool]]) -> str:
    """The last calculation with other numbers: ``and 22%?``; with another unit: ``and in feet?``."""
    if past.last != "calculator" or not past.sums or not past.sums[-1]:
        return ""
    before = past.sums[-1]
    left = _FILL.sub(" ", re.sub(rf"\d[\d.,]*\d|\d|(?i:\b{_PERCENT[3:-1]})|%", " ", text)).split()
    given = list(_numbers(before))
    to = re.search(r" (?:to|in) ([^\d\s+*()-]+)$", before)
    if left:
        units = [p.text for p in pieces(text) if p.unit]
        if numbers or not to or " ".join(units) != " ".join(left):
            if (
                len(numbers) == 1
                and to
                and units
                and [u.lower() for u in left] == [units[0].lower()]
                and len(given) == 1
            ):
                return f"{numbers[0][0]} {units[0]}{before[to.start() :]}"
            return ""
        return f"{before[: to.start(1)]}{units[0]}"
    if not numbers or not re.match(
        r"(?i)(?:ok(?:ay)?,? |so )?(?:and|what about|how about|now|same|what if|or|then|for|with)\b", text
    ):
        return ""
    signs = [(start, end) for start, end, percent in given if percent == numbers[0][1]]
    if (
        len({p for _, p in numbers}) != 1
        or len(numbers) > len(signs)
        or (len(numbers) > 1 and len(numbers) != len(signs))
    ):
        return ""
    made, at = "", 0
    for (start, end), (number, _) in zip(signs, numbers, strict=False):
        made += before[at:start] + number
        at = end
    return made + before[at:]


def _numbers(expression: str) -> Iterator[tuple[int, int, bool]]:
    """Where an expression has numbers, and whether they are percentages; those of ``(1 - 25%)`` that are ones apart."""
    for m in re.finditer(r"(?<![\w.])\d+(?:\.\d+)?(?![\w.])", expression):
        percent = expression[m.end() : m.end() + 1] == "%"
        if not (m[0] in ("1", "100") and re.match(r" [-+] |$", expression[m.end() :])):
            yield m.start(), m.end(), percent
