"""Everyday sums whose formula a word or two fix: loans, regular savings, race paces, kitchen measures, feasts.

``mortgage payment for 300000 at 5% over 30 years`` is an annuity, ``marathon pace for 3:45`` a time by 42.195 km. What
else is asked, or leaves a number out, is left alone. Knows English, no models and no rates of exchange.
"""

import re
from datetime import date
from typing import NamedTuple

from llmos.kernel.literals import literals

NO_RATES = 'I have no exchange rates here. Tell me the rate, as in "100 usd at 0.92", and I will work it out.'


class Sum(NamedTuple):
    """What answers a request: an expression, or words where there is none; and how its result is told."""

    expression: str
    says: str


_LONGEST = 200  # characters of a request
_N = r"\d+(?:\.\d+)?"
_RATE = re.compile(rf"(?<![\d.])({_N}) ?(?:%|per ?cent\b|pct\b)")
_TERM = re.compile(rf"(?<![\d.])({_N})[ -]?(year|yr|month)s?\b")
_LOAN = re.compile(r"\b(?:mortgage|loan|borrow\w*|amorti[sz]\w+)\b")
_PAYMENT = re.compile(
    r"\b(?:(?:re)?payments?|instal?lments?|monthly|emi|pay|costs?)\b|\b(?:an?|per|each|every) month\b"
    r"|^(?:mortgage|loan)\b"
)
_INTEREST = re.compile(r"\binterest (?:\w+ )*(?:total|altogether|overall|in all|pay|paid)\b|\btotal interest\b")
_OTHER_LOAN = re.compile(
    r"\b(?:simple|flat|down payment|deposit|left|owe|extra|fees?|afford|only|compound\w*|annual|yearly|year's|first)\b"
)
_SAVED = re.compile(
    r"\b(?:sav\w+|put\w*|pay(?:ing)? in|deposit\w*|invest\w*|set(?:ting)? aside|stash\w*|contribut\w+)\b"
)
_YEARLY = re.compile(
    r"(?:%|per ?cent|pct) ?(?:interest )?(?:(?:an?|per|each|every) (?:year|month)|yearly|monthly)"
    r"|\bcompound\w* (?:\w+ly)?"
)
_EVERY = re.compile(r"\b(?:an?|each|every|per) (week|month|quarter|year)\b|\b(week|month|quarter|year)ly\b")
_TIMES = {"week": 52, "month": 12, "quarter": 4, "year": 1}
_CLOCK = re.compile(r"(?<![\d:.])(\d{1,3}):([0-5]\d)(?::([0-5]\d))?(?![\d:])")
_HOURS = re.compile(
    rf"(?<![\d:.])({_N})[ -]?(?:hours?|hrs?|h)(?![a-z])(?:(?:,| and)? ?(\d\d?)(?: ?(?:minutes?|mins?|m)\b|\b))?"
)
_MINUTES = re.compile(rf"(?<![\d:.])({_N})[ -]?(?:minutes?|mins?)\b(?! ?(?:per|an?|/))")
_SUB = re.compile(r"\b(?:sub|under|below)[ -](\d)\b(?![:.\d])")
_PACE = re.compile(r"\bpace\b|\bmin\w* ?(?:per|an?|/) ?(?:km|kilom\w+|mile)\b|\bhow fast\b.*\brun\b")
_OTHER_PACE = re.compile(
    r"\bhow long\b|\bwhat time\b|\bwhen\b|(?<!what )\bpace (?:of|is|was)\b|\bat (?:an? )?[\d:]+"
    r"|\bsplits?\b|\bplan\b|\bfaster\b"
    r"|\bplot\b|\bdraw\b|\bremember\b"
)
_RACE = re.compile(
    r"(?P<half>\bhalf[- ]?marathon\b|\bhalf\b(?! an?\b))|(?P<full>\bmarathon\b)"
    rf"|(?<![\d:.])(?P<far>{_N}|five|ten)[ -]?(?P<unit>kms?|k|kilomet\w+|miles?|met(?:re|er)s?)\b"
)
_PER = re.compile(r"(?:per|an?|/) ?(?:km|mile)\b")
_PER_MILE = re.compile(r"(?:per|a|/) ?mile\b|\bmile pace\b")
_FULL, _HALF, _MILE = 42.195, 21.0975, 1.609344
_QUICK, _SLOW = 140, 900  # seconds a kilometre that people run
_COINS = (
    r"(?:us )?dollars?|usd|bucks|\$", r"euros?|eur|\u20ac", r"(?:british )?pounds?(?: sterling)?|gbp|quid|\u00a3",
    r"(?:japanese )?yen|jpy", r"(?:swiss )?francs?|chf", r"(?:indian )?rupees?|inr", r"canadian dollars?|cad",
    r"australian dollars?|aud", r"(?:chinese )?yuan|rmb|cny", r"(?:mexican )?pesos?|mxn", r"reais|brl",
    r"swedish kron\w+|sek", r"norwegian kron\w+|nok", r"danish kron\w+|dkk", r"zloty\w*|pln", r"bitcoins?|btc",
)  # fmt: skip
_COIN = f"(?:{'|'.join(_COINS)})"
_CHANGE = re.compile(
    rf"(?<![a-z])(?P<one>{_COIN}) ?(?:{_N} )?(?:to|in|into|as|is how many|are how many|worth in"
    rf"|=) ?(?P<other>{_COIN})(?!\w)"
    rf"|\bhow (?:many|much) (?P<wanted>{_COIN}) (?:is|are|for|in|do i get for|will i get for|can i get for)"
    rf" (?:{_N} |an? )?(?P<given>{_COIN})(?!\w)"
)
_AT_RATE = re.compile(
    rf"(?:(?:please |can you )?(?:convert|change|exchange|how much is"
    rf"|what is) )?[$\u20ac\u00a3]?(?P<sum>{_N}) ?(?P<one>{_COIN})?"
    rf"(?: (?:to|in|into) (?P<other>{_COIN}))?,? (?:at|with|using)(?: an?| the)?(?: exchange)?(?: rate)?(?: of)?"
    rf" (?P<rate>{_N})[?.! ]*"
)
_RATES = re.compile(r"\bexchange rates?\b|\bcurrency convert\w+")
_TODAY = re.compile(
    r"(?:(?:so|hi|hey|please|pls|tell me|can you tell me|do you know|and) )*(?:what|which)(?:'?s"
    r"| is)? ?(?:the )?(?:current )?"
    r"(?:year|month|date|day)(?: of the week)?(?: is it| is this| are we in| do we have| is| it is)?"
    r"(?: (?:now|today|currently|right now|please|again))*[?.! ]*"
)
_FEASTS = {
    r"new year'?s eve": (12, 31),
    r"(?:the )?new year(?:'?s?(?: day)?)?": (1, 1),
    r"christmas eve": (12, 24),
    r"boxing day": (12, 26),
    r"(?:christmas|xmas)(?: day)?": (12, 25),
    r"valentine'?s?(?: day)?": (2, 14),
    r"hallow(?:e'?)?en": (10, 31),
    r"(?:the )?(?:4th|fourth) of july": (7, 4),
    r"(?:the )?end of the year": (12, 31),
}
_UNTIL = re.compile(
    r"(?:how (?:many|much) (?:days|weeks|time|sleeps)|how (?:long|far)|days)(?: (?:is it|are there|are|is"
    r"|left|to go|do we have"
    r"|remain\w*|away|now|more|there))* (?:until|till|til|to|before) (?:it is |it's |the next |next "
    r"|this )?(.+?)[?.! ]*"
)
_LIQUIDS = (
    "ml milliliters millilitres liters litres liter litre gallons gallon quarts quart pints pint cups cup tablespoons"
    " tablespoon tbsp teaspoons teaspoon tsp floz ounces ounce oz"
)
_WEIGHTS = "grams gram g kg kilos kilo kilograms kilogram pounds pound lb lbs ounces ounce oz stone"
_MEASURES = tuple(frozenset(names.split()) for names in (_LIQUIDS, _WEIGHTS))
_SOLVES = re.compile(
    rf"(?:is|are) (?P<of>[^?=]+=[^?=]+?) (?:solved|satisfied) (?:by|for|with|when)"
    rf" (?P<name>[a-z]) ?= ?(?P<value>-?{_N})\W*"
    rf"|(?:is|does|do|would|will) (?P<name2>[a-z]) ?= ?(?P<value2>-?{_N})"
    rf" (?:(?:an?|the) (?:solution|root) (?:of|to|for)"
    r"|solves?|satisf(?:y|ies)|work (?:in|for)|fit) (?:the equation )?(?P<of2>[^?=]+=[^?=]+?)[?.! ]*"
)
_IN = re.compile(
    r"(?:(?:so|hi|hey|please|pls|tell me|ok|um|and) )*how many (?P<to>[a-z]+)(?: (?:is|are|there|does|do"
    r"|it|in|to|make|makes"
    r"|per|equals?|fit|into|go))* (?:(?P<many>half an?|half|an?|the|up an?|"
    + _N
    + r") )?(?:us |american )?(?P<of>[a-z]+)[?.! ]*"
)


def everyday(request: str, today: date) -> Sum | None:
    """What answers an everyday request; None for all else."""
    text = " ".join(request.strip().lower().replace("\u2019", "'").split())
    text = re.sub(r"\b(?:fluid|fl) (?:ounces?|oz)\b", "floz", text)
    if len(text) > _LONGEST:
        return None
    digits = _digits(text)
    return (
        _paced(text)
        or _loan(digits)
        or _savings(digits)
        or _measure(digits)
        or _exchange(digits)
        or _feast(text, today)
        or _solves(text)
    )


def _digits(text: str) -> str:
    """A text with digits for its numbers, without marks between thousands."""
    for number in reversed([*literals(text)]):
        if not number.day and not text[number.start :].startswith("half"):
            text = f"{text[: number.start]}{number.value}{text[number.end :]}"
    return text


def _interest(text: str) -> tuple[str, str, str, str] | None:
    """The one sum, rate and number of years or months that a text is about."""
    rates, terms = [*_RATE.finditer(text)], [*_TERM.finditer(text)]
    if len(rates) != 1 or len(terms) != 1:
        return None
    left = [m[0] for m in re.finditer(_N, text) if m.start() not in (rates[0].start(1), terms[0].start(1))]
    return (left[0], rates[0][1], terms[0][1], terms[0][2]) if len(left) == 1 else None


def _loan(text: str) -> Sum | None:
    found = _interest(text) if _LOAN.search(text) and not _OTHER_LOAN.search(text) else None
    if not found or float(found[1]) == 0:
        return None
    much, rate, term, unit = found
    months = term if unit == "month" else f"12 * {term}"
    payment = f"{much} * ({rate}% / 12) / (1 - (1 + {rate}% / 12)^(-{months}))"
    if _INTEREST.search(text):
        return Sum(f"round({payment} * {months} - {much}, 2)", "The interest comes to {result} in all.")
    if not _PAYMENT.search(text):
        return None
    return Sum(f"round({payment}, 2)", "The payment is {result} a month.")


def _savings(text: str) -> Sum | None:
    every = [*_EVERY.finditer(_RATE.sub(" ", _YEARLY.sub(" ", text)))]
    found = _interest(text) if _SAVED.search(text) and len(every) == 1 else None
    if not found or _LOAN.search(text) or float(found[1]) == 0:
        return None
    much, rate, term, unit = found
    times = _TIMES[every[0][1] or every[0][2]]
    if unit == "month" and times != 12:
        return None
    many = term if unit == "month" else f"({times} * {term})"
    each = f"{rate}% / {times}"
    return Sum(f"round({much} * ((1 + {each})^{many} - 1) / ({each}), 2)", "You will have saved {result}.")


def _paced(text: str) -> Sum | None:
    if not _PACE.search(text) or _OTHER_PACE.search(text):
        return None
    races = [*_RACE.finditer(_PER.sub(" ", text))]
    if len(races) > 1:
        return None
    far, race = _far(races[0]) if races else (_FULL, "the marathon")
    meant = [t for t in _seconds(text, races[0][0] if races else "") if _QUICK <= t / far <= _SLOW]
    if len(meant) != 1 or (not races and text.count(":") == 0):
        return None
    unit, length = ("mile", far / _MILE) if _PER_MILE.search(text) else ("kilometre", far)
    says = f"That is {{result}} a {unit} for {race}."
    return Sum(f"ceil({meant[0]:g} / {round(length, 4)}) seconds to minutes and seconds", says)


def _far(race: re.Match[str]) -> tuple[float, str]:
    if race["half"]:
        return _HALF, "the half marathon"
    if race["full"]:
        return _FULL, "the marathon"
    number = {"five": 5.0, "ten": 10.0}.get(race["far"]) or float(race["far"])
    unit = race["unit"]
    name = "km" if unit[0] == "k" else "miles" if unit.startswith("mi") else "m"
    return number * {"km": 1, "miles": _MILE, "m": 0.001}[name], f"{number:g} {name}"


def _seconds(text: str, race: str) -> list[float]:
    """What the one time that is said may be, in seconds: 3:45 is of hours for one race and of minutes for another."""
    text = text.replace(race, " ", 1) if race else text
    if len(clocks := _CLOCK.findall(text)) == 1:
        first, second, third = clocks[0]
        if third:
            return [int(first) * 3600 + int(second) * 60 + int(third)]
        return [int(first) * 3600 + int(second) * 60, int(first) * 60 + int(second)]
    if hours := _HOURS.search(text):
        return [float(hours[1]) * 3600 + 60 * int(hours[2] or 0)]
    if minutes := _MINUTES.search(text):
        return [float(minutes[1]) * 60]
    return [int(sub[1]) * 3600] if (sub := _SUB.search(text)) else []


def _measure(text: str) -> Sum | None:
    found = _IN.fullmatch(text)
    kind = next((m for m in _MEASURES if found and {found["to"], found["of"]} <= m), None)
    if not found or not kind or found["to"] == found["of"]:
        return None
    many = found["many"] or "1"
    many = "1/2" if many.startswith("half") else many if many[0].isdigit() else "1"
    liquid = kind is _MEASURES[0]
    of, to = ("floz" if liquid and u in ("ounces", "ounce", "oz") else u for u in (found["of"], found["to"]))
    return Sum(f"{many} {of} to {to}".replace("floz", "fl oz"), "That is {result}.")


def _exchange(text: str) -> Sum | None:
    at = _AT_RATE.fullmatch(text)
    if at and (at["one"] or at["other"] or text[0] in "$\u20ac\u00a3"):
        other = f" {at['other'].upper() if len(at['other']) == 3 else at['other']}" if at["other"] else ""
        return Sum(f"{at['sum']} * {at['rate']}", f"That is {{result}}{other}.")
    found = _CHANGE.search(text)
    pair = [_coin(found[k]) for k in ("one", "other", "wanted", "given") if found[k]] if found else []
    numbers = len(re.findall(_N, text))
    if numbers <= 1 and (len(set(pair)) == 2 or (_RATES.search(text) and not numbers)):
        return Sum("", NO_RATES)
    return None


def _coin(word: str) -> int:
    return next(n for n, names in enumerate(_COINS) if re.fullmatch(names, word))


def _feast(text: str, today: date) -> Sum | None:
    if _TODAY.fullmatch(text):
        return Sum("today", "Today is {result}.")
    asked = _UNTIL.fullmatch(text)
    for name, (month, day) in _FEASTS.items():
        if asked and re.fullmatch(name, asked[1]):
            then = date(today.year, month, day)
            then = then if then >= today else date(today.year + 1, month, day)
            return Sum(f"days until {then}", f"It is {{result}} until {then.day} {then:%B %Y}.")
    return None


def _solves(text: str) -> Sum | None:
    found = _SOLVES.fullmatch(text)
    if not found:
        return None
    equation, name, value = (found[k] or found[f"{k}2"] for k in ("of", "name", "value"))
    put = re.sub(rf"(?<![a-z]){name}(?![a-z])", f"({value})", equation)
    if put == equation or re.search(r"[a-z]{2}", put):
        return None
    return Sum(put, f"That {name} = {value} solves {equation} is {{result}}.")
