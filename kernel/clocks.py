"""Times of day in a request, and what is asked of them, as the calculator's expression: no model needs to guess.

``how long from 10:15 to 11:30`` is ``(11 hours + 30 minutes) - (10 hours + 15 minutes)``, ``95 minutes after half past
two`` is ``clock(2 hours + 30 minutes + 95 minutes)``. A request that asks anything else is left alone. Knows no models.
"""

import re
from dataclasses import dataclass

from llmos.kernel.literals import literals

_LONGEST = 400  # characters of a request
_NUMBER = r"\d+(?:\.\d+)?"
_HALF = r"(?:am|pm|a\.m\.?|p\.m\.?|in the (?:morning|afternoon|evening)|at night)"
_CLOCK = re.compile(
    r"(?P<noon>\bnoon\b|\bmidday\b)|(?P<midnight>\bmidnight\b)"
    r"|\b(?P<part>half|(?:a )?quarter|(?<!from )(?<!between )(?:5|10|20|25|\d\d? minutes))"
    rf" (?P<side>past|to|after|before) (?P<of>\d|1[0-2])\b(?!:)(?: (?P<h1>{_HALF}))?"
    rf"|(?<![\d:/.-])(?P<hour>[01]?\d|2[0-4])(?::(?P<minute>[0-5]\d)(?![\d:])(?: ?(?P<h2>{_HALF})| ?o'?clock)?"
    rf"|(?:\.(?P<dotted>[0-5]\d))? ?(?P<h3>{_HALF})| ?o'?clock(?: (?P<h4>{_HALF}))?)"
)
_SPAN = re.compile(
    r"(?P<half>half an hour)|(?P<third>3 quarters of an hour)|(?P<quarter>a quarter of an hour)"
    rf"|(?<![\d:.])(?P<h>{_NUMBER}|an)(?P<more> and a half)?[ -]?(?:hours?|hrs?|h)(?![a-z])"
    r"(?:(?:,| and)? ?(?P<hm>\d\d?)(?: ?(?:minutes?|mins?|m)(?![a-z])|(?<=h\d\d))| and (?P<hp>a half|a quarter))?"
    rf"|(?<![\d:.])(?P<m>{_NUMBER})[ -]?(?:minutes?|mins?)(?![a-z])"
)
_TIME = re.compile(
    r"what time|when\b|which time|clock|\bends?\b|\bfinish|\barriv|\bover\b|\bready\b|\bout\b|\bthere\b|\bplus\b"
    r"|\bminus\b|\blater\b|\bearlier\b|\bago\b|\bahead\b|\bbehind\b|[+-] ?\d"
)
_BACK = re.compile(
    r"\bbefore\b|\bearlier\b|\bminus\b|\bago\b|\bbehind\b|\bback from\b|\bsubtract|\bwest\b|\blatest\b"
    r"|\bleave (?:at )?when"
    r"|(?:when|what time) (?:do|should|must|does|shall|to|can) .*\b(?:leave|go|start|set off|begin|put|get up)"
)
_LONG = re.compile(
    r"how (?:long|many|much time)|\bhours\b|\bminutes\b|\bmins?\b|\bduration|\bdifference|\bapart\b|time between"
)
_ELSE = re.compile(
    r"how (?:far|fast|old|many(?! (?:hours|minutes|hrs|mins))|much(?! time))|\bkm\b|\bmiles?\b|\bspeed|\bper\b|\bcost"
    r"|\bearn|\bpaid\b|\bpay\b|[$\u00a3\u20ac%]|\bangle|\bdays?\b|\bweeks?\b|\bremind|\bremember|\bplot|\bdraw|\d{4}-\d\d"
)
_REST = re.compile(r"\bbreak|\blunch|\bpause|\brest\b|\bunpaid|\bminus\b|\bwithout\b")
_MINUTES = re.compile(r"\b(?:in|how many|number of|the) min|\bminutes of\b|[,.:] ?min(?:ute)?s?\W*$")
_HOURS = re.compile(r"\b(?:in|how many|number of|the) (?:hours|hrs)|\bhours of\b|[,.:] ?(?:hours|hrs)\W*$")
_AWAY = re.compile(r"([a-z]+)(?:,? which|,? that)? is (?:about |always |\d+(?:\.\d+)? ?(?:hours?|h) )+(?:ahead|behind)")
_JOINED = re.compile(
    r"(?:add|plus|and|total|sum|of|what is|what's|whats|is|the|together|altogether|how long|in|hours|minutes|minus|less"
    r"|please|pls|take|subtract|from|how many|in all|a film|1|another|one|\W)*"
)


@dataclass(frozen=True, slots=True)
class _Found:
    start: int
    end: int
    minutes: str  # since midnight, or how long: an expression of hours and minutes
    size: float
    said: bool = True  # whether it is said which half of the day it is, or need not be


def clocks(request: str) -> str:
    """The expression for what a request asks of times of day or of spans of hours and minutes; empty for all else."""
    if len(request) > _LONGEST:
        return ""
    text = _digits(request.strip().lower().replace("\u2019", "'"))
    times = [_clock(m) for m in _CLOCK.finditer(text)]
    bare = "".join("_" if any(t.start <= n < t.end for t in times) else c for n, c in enumerate(text))
    spans = [_span(m) for m in _SPAN.finditer(bare)]
    if _ELSE.search(text):
        return ""
    if len(times) == 2 and _LONG.search(text) and (not spans or (len(spans) == 1 and _REST.search(text))):
        return _between(times[0], times[1], spans, text)
    if len(times) == 1 and spans and _TIME.search(text):
        place = re.match(r" in (\w+(?: \w+)?)", text[times[0].end :])
        away = _AWAY.search(text)
        # What is said of the place whose time is known is the other way round for the other one.
        turned = bool(place and away and away[1] in place[1].split())
        sign = "-" if bool(_BACK.search(text)) != turned else "+"
        return f"clock({times[0].minutes} {sign} {_sum(spans, sign == '-')})"
    left = bare
    for one in reversed(spans):
        left = f"{left[: one.start]} {left[one.end :]}"
    if not times and len(spans) > 1 and _JOINED.fullmatch(left):
        return _joined(spans, text)
    return ""


def _joined(spans: list[_Found], text: str) -> str:
    first, *more = (f"({one.minutes})" for one in spans)
    if re.search(r"\b(?:minus|less|take|subtract)\b|\d ?(?:h|m|min|mins|minutes|hours)? - ?\d", text):
        if len(spans) != 2:
            return ""
        first, more = (more[0], [first]) if re.search(r"\bfrom\b", text) else (first, more)
        return f"{first} - {more[0]} to {_unit(text)}"
    return f"{' + '.join([first, *more])} to {_unit(text)}"


def _between(one: _Found, other: _Found, spans: list[_Found], text: str) -> str:
    late = other.minutes
    if other.size < one.size:
        # Nine to five is in the afternoon; else it is the next day.
        half = not (one.said or other.said) and other.size < 12 * 60 and one.size <= 12 * 60
        late = f"{other.minutes} + {12 if half else 24} hours"
    less = f" - ({_sum(spans, False)})" if spans else ""
    return f"({late}) - ({one.minutes}){less} to {_unit(text)}"


def _unit(text: str) -> str:
    if re.search(r"hours and min", text):
        return "hours and minutes"
    return "minutes" if _MINUTES.search(text) else "hours" if _HOURS.search(text) else "hours and minutes"


def _sum(spans: list[_Found], held: bool) -> str:
    made = " + ".join(one.minutes for one in spans)
    return f"({made})" if held and "+" in made else made


def _digits(text: str) -> str:
    """A text with digits for its number words, ``one`` too."""
    for number in reversed([*literals(text)]):
        if text[number.start].isalpha() and not text[number.start :].startswith("half") and not number.day:
            text = f"{text[: number.start]}{number.value}{text[number.end :]}"
    return re.sub(r"\bone\b", "1", text)


def _clock(found: re.Match[str]) -> _Found:
    half = next((found[k] for k in ("h1", "h2", "h3", "h4") if found[k]), "")
    if found["noon"] or found["midnight"]:
        hour, minute, said = (12 if found["noon"] else 0), 0, True
    elif found["part"]:
        size = {"half": 30, "quarter": 15, "a quarter": 15}.get(found["part"]) or int(found["part"].split()[0])
        hour, minute, said = int(found["of"]), size, bool(half)
        if found["side"] in ("to", "before"):
            hour, minute = (hour - 1) % 12 or 12, 60 - size
    else:
        hour, minute, said = int(found["hour"]), int(found["minute"] or found["dotted"] or 0), bool(half)
        said = said or hour > 12 or (found["hour"].startswith("0") and len(found["hour"]) == 2)
    if half and hour <= 12:
        late = half[0] == "p" or half.endswith(("afternoon", "evening")) or (half == "at night" and hour > 5)
        hour = hour % 12 + 12 * late
    return _Found(found.start(), found.end(), _written(hour, minute), hour * 60 + minute, said)


def _span(found: re.Match[str]) -> _Found:
    if found["half"] or found["third"] or found["quarter"]:
        minutes = 30 if found["half"] else 45 if found["third"] else 15
        return _Found(found.start(), found.end(), f"{minutes} minutes", minutes)
    if found["m"]:
        return _Found(found.start(), found.end(), f"{found['m']} minutes", float(found["m"]))
    hours = "1" if found["h"] == "an" else found["h"]
    minutes = int(found["hm"] or {"a half": 30, "a quarter": 15}.get(found["hp"] or "", 0)) + 30 * bool(found["more"])
    made = f"{hours} hours" + (f" + {minutes} minutes" if minutes else "")
    return _Found(found.start(), found.end(), made, float(hours) * 60 + minutes)


def _written(hour: int, minute: int) -> str:
    return f"{hour} hours + {minute} minutes" if minute else f"{hour} hours"
