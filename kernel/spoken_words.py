"""The words of a calculation that is told in words, and how its result is to be shown. See spoken."""

import re
from typing import NamedTuple

from llmos.kernel.literals import literals

ORDINALS = ["third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth"]
PART = {name: n for n, name in enumerate(ORDINALS, 3)}
PART |= {"half": 2, "quarter": 4, "sixteenth": 16, "twentieth": 20, "hundredth": 100, "thousandth": 1000}
PART |= {f"{name}s": n for name, n in PART.items()} | {"halves": 2}
ORDER = {"second": "2"} | {name: str(n) for n, name in enumerate(ORDINALS, 3)}

_LEAD = re.compile(
    r"(?:hi|hello|hey|ok|so|now|well|sir|please|pls|kindly|just|exactly|quick|quickly"
    r"|(?:can|could|would|will) (?:you|u|someone)(?: please| pls| kindly)?|tell me|let me know|give me|show me|help me"
    r"|i need|i want(?: to know)?|find|calculate|calc|compute|work out|evaluate|figure out|determine|get"
    r"|wh?at(?:'?s| is| are| do| does| would be)?|how much (?:is|are|do|does|would be)"
    r"|(?:you|we|i|u) get (?:if|when|for|from) (?:you|we|i|u)|if (?:you|we|i|u)"
    r"|the difference if (?:you|we|i)"
    r"|(?:comes out|do (?:you|we|i) get|is left|remains|happens) (?:when|if) (?:you|we|i|u)"
    r"|the (?:answer to|result of|value of)|start (?:with|at|from)|do)(?:\b|(?<=')),? *:? *"
)
_TAIL = re.compile(
    r"[ ,]*(?:\bplease|\bpls|\bplz|\bthanks|\bthx|\bthank you|\bsir|\bfor me|\bequals?(?: to)?(?: what)?|\bis what"
    r"|\bis|\bmakes?|\bcomes? to|\bgives?|\bexactly|[=?!.])+ *$"
)
_PLACES = (
    r"(?:decimal(?: place| digit)?s?|d\.? ?p\.?s?|places"
    r"|digits?(?: after (?:the )?(?:decimal )?(?:point|comma)| of decimals)"
    r"|places after (?:the )?(?:point|comma))"
)
_LOWEST = r"(?:in|to|into) (?:its |the |their )?(?:lowest|simplest|smallest|reduced) (?:terms?|forms?)"
_TERMS = rf"(?: {_LOWEST}|,? simplified|,? reduced)?"
_NEAREST = {"whole number": 0, "integer": 0, "whole": 0, "unit": 0, "10": -1, "100": -2, "1000": -3, "million": -6,
            "tenth": 1, "hundredth": 2, "thousandth": 3, "cent": 2, "penny": 2, "ten": -1, "hundred": -2,
            "thousand": -3}  # fmt: skip
# What is said behind a calculation of how to show its result.
_SHOWN = [
    ("places", re.compile(
        rf"[ ,(]+(?:(?:rounded|round|correct|accurate|rounding)(?: off| it)? ?)?(?:(?:to|with|at|in|up to) )?"
        rf"(?P<n>\d) {_PLACES}\)?$")),
    ("nearest", re.compile(
        rf"[ ,(]+(?:rounded|round|correct)? ?(?:off |it )?to (?:the )?(?:nearest|next|closest)"
        rf" (?P<of>{'|'.join(_NEAREST)})\)?$")),
    ("fraction", re.compile(
        rf"[ ,(]+(?:(?:as|in|into|to|to be) (?:an? )?(?:(?:simple|proper|improper|single|exact|common|reduced"
        rf"|simplified|simplest|lowest) )*fractions?(?: form)?{_TERMS}|{_LOWEST}|simplified"
        r"|(?:simplest|lowest) (?:form|terms))\)?$")),
    ("decimal", re.compile(
        r"[ ,(]+(?:(?:as|in|into|to) (?:an? )?decimals?(?: number| form| fraction)?|decimal(?: form)?)\)?$")),
    ("percent", re.compile(r"[ ,(]+(?:as|in|into|to) (?:an? )?(?:percentages?|percents?|per cents?|%)(?: form)?\)?$")),
    ("mixed", re.compile(r"[ ,(]+(?:as|in|into|to) (?:an? )?mixed (?:number|fraction|numeral)s?(?: form)?\)?$")),
    ("scientific", re.compile(
        r"[ ,(]+(?:as|in|into|to|using) (?:a )?(?:scientific|standard|exponential) (?:notation|form)\)?$")),
    ("", re.compile(
        r"[ ,(]+(?:written |expressed )?(?:(?:as|in|into|to) (?:an? )?"
        r"(?:normal|ordinary|plain|regular|usual) (?:digits?|numbers?|notation|form)"
        r"|(?:written )?(?:out )?in full|written out|without (?:an |the )?exponents?)\)?$")),
]  # fmt: skip
_SHARED = re.compile(r"\b(?:shared|split|divided)(?: up)?(?: equally| evenly)? (?:between|among|amongst|by|into) ")
_WRITE = re.compile(r"(?:convert|turn|change|write|express|rewrite|put|show|round(?: off)?|give)\b *")
_REDUCE = re.compile(r"(?:simplify|reduce|cancel down|shorten)\b *(?:the fraction )?(?!.* by )")
_AS_DECIMAL = re.compile(r"(?:the )?decimal(?: form| value| number)? (?:of|for) ")
_WORD = re.compile(
    r"\d+ \d+/\d+(?![\d/])|\d+/\d+(?![\d/])|\d{1,3}(?:[ ,]\d{3})+(?![\d,])(?:\.\d+)?"
    r"|\d+(?:\.\d+)?e[-+]?\d+(?!\w)|\d+(?:\.\d+)?(?:st|nd|rd|th)?|\.\d+|[a-z]+"
    r"|\*\*|[-+*/^!%&()\u00d7\u00f7\u2212\u221a\u00b2\u00b3\u03c0,;]"
)
_SYMBOLS = {"\u00d7": "*", "\u00f7": "/", "\u2212": "-", "x": "*", "plus": "+", "minus": "-", "less": "-", "times": "*",
            "over": "/", "subtract": "-", "deduct": "-", "**": "^", "\u221a": "sqrt", "percent": "%", "pct": "%",
            "modulo": "mod", "\u00b2": "squared", "\u03c0": "pi", "&": "and", "\u00b3": "cubed", "halved": "halve",
            "doubled": "double", "sqare": "square",
            "squre": "square", "squareroot": "sqrt", "mutiplied": "multiplied", "devided": "divided"}  # fmt: skip
_LONGER = {("multiplied", "by"): "*", ("divided", "by"): "/", ("take", "away"): "-", ("added", "to"): "+",
           ("out", "of"): "/", ("per", "cent"): "%"}  # fmt: skip
_MONEY = re.compile(r"[$\u00a3\u20ac\u20b9](?= ?[\d.])")
_ANYTHING = r"(.+?)"
_PERCENT = r"(?:%|percent(?:age)?|per cent)"
_WHICH = r"(?:which|what)(?: one| fraction| number)?"
_WHAT = r"(?:what(?:'?s| is)?|how much is)(?: number)?(?: is)?"
# What is asked the other way round, as it is worked out, and how its result is shown.
_TURNED = [
    (rf"(?:what|which) (?:fraction|part) of {_ANYTHING} (?:is|are) (.+)", r"(\2) / (\1)", "fraction"),
    (rf"{_ANYTHING} (?:is|are) (?:what|which) (?:fraction|part) of (.+)", r"(\1) / (\2)", "fraction"),
    (rf"{_ANYTHING} as a fraction of (.+)", r"(\1) / (\2)", "fraction"),
    (rf"(?:what|which|how many) {_PERCENT} of {_ANYTHING} (?:is|are) (.+)", r"(\2) / (\1)", "percent"),
    (rf"(?:what|which|how many) {_PERCENT} (?:is|are) {_ANYTHING} (?:out )?of (.+)", r"(\1) / (\2)", "percent"),
    (rf"{_ANYTHING} (?:is|are) (?:what|which|how many) {_PERCENT} of (.+)", r"(\1) / (\2)", "percent"),
    (rf"{_ANYTHING} as an? {_PERCENT} of (.+)", r"(\1) / (\2)", "percent"),
    (rf"how (?:many times|often) (?:does|do|will|can|would) {_ANYTHING} (?:go|fit|divide) (?:in|into) (.+)",
     r"(\2) / (\1)", ""),
    (rf"how many ({'|'.join(n for n in PART if n.endswith('s'))})"
     r" (?:are there |are |is |fit |make |go )?(?:up |in |into )?(.+)",
     r"(\2) / (one \1)", ""),
    (rf"{_WHICH} is (?:bigger|larger|greater|more|the bigger|the larger),?:? {_ANYTHING} or (.+)",
     r"max(\1, \2)", ""),
    (rf"{_WHICH} is (?:smaller|less|the smaller),?:? {_ANYTHING} or (.+)", r"min(\1, \2)", ""),
    (rf"{_WHAT} (\d[\d.,]*) (?:less|fewer|smaller) than (.+)", r"\2 - \1", ""),
    (rf"{_WHAT} (\d[\d.,]*) (?:more|greater|bigger) than (.+)", r"\2 + \1", ""),
    (r"how many (\d+)'?s (?:are there |are |is |go |fit )?(?:in|into) (.+)", r"\2 / \1", ""),
    (r"(?:how much is |what is )?(\d+) into (\d[\d.,]*)", r"\2 / \1", ""),
    (rf"how much (?:more|bigger|larger|greater|less|smaller) is {_ANYTHING} than (.+)", r"difference of \1 and \2", ""),
]  # fmt: skip
_TURNS = [(re.compile(pattern), made, form) for pattern, made, form in _TURNED]


class Asked(NamedTuple):
    """The words of a calculation; ``form``: how its result is shown, ``places``: to how many decimals it is rounded."""

    text: str
    form: str = ""
    places: int | None = None
    shown: bool = False  # whether anything is said of how


def asked(request: str) -> Asked:
    """What a request asks to work out, without its trimmings, in small letters and digits."""
    text = _trimmed(_digits(_SHARED.sub("divided by ", _MONEY.sub("", request.strip().lower().replace("\u2019", "'")))))
    form, places, shown = "", None, False
    for name, pattern in _SHOWN * 2:
        if found := pattern.search(text):
            text, shown = text[: found.start()].strip(" ,("), True
            groups = found.groupdict()
            if name == "places":
                places = int(groups["n"])
            elif name == "nearest":
                places = _NEAREST[groups["of"]]
            else:
                form = name
    for pattern, name in ((_REDUCE, "fraction"), (_AS_DECIMAL, "decimal")):
        if found := pattern.match(text):
            text, form, shown = text[found.end() :], form or name, True
    if shown and (found := _WRITE.match(text)):
        text = text[found.end() :]
    for turn, made, name in _TURNS:
        if found := turn.fullmatch(text):
            return Asked(_digits(found.expand(made)), form or name, places, True)
    return Asked(_trimmed(text), form, places, shown)


def words(text: str) -> list[str] | None:
    """The words of a text, several words for a sign as the sign; None where it holds anything else."""
    if re.sub(r"\s+", "", _WORD.sub("", text)):
        return None
    found: list[str] = []
    for word in _WORD.findall(text):
        if found and (found[-1], word) in _LONGER:
            found[-1] = _LONGER[found[-1], word]
        else:
            found.append(_SYMBOLS.get(word, word))
    return found


def _trimmed(text: str) -> str:
    while text != (text := _LEAD.sub("", text, count=1) if _LEAD.match(text) and not _turned(text) else text):
        pass
    end = _TAIL.search(text)
    if end is None:
        return text
    cut = text[: end.start()]
    # The mark behind a number alone, or behind another factorial, is a factorial's and none of the end.
    return f"{cut}!" if end[0].startswith("!") and (cut.isdigit() or re.search(r"!.*\d$", cut)) else cut


def _turned(text: str) -> bool:
    return any(turn.match(text) for turn, _, _ in _TURNS)


def _digits(text: str) -> str:
    """A text with digits for its number words, ``one`` too."""
    for number in reversed([*literals(text)]):
        begins = text[number.start : number.end]
        if re.search(r"[a-z]", begins) and not begins.startswith("half") and not number.day:
            text = f"{text[: number.start]}{number.value}{text[number.end :]}"
    text = re.sub(r"(\d)-(?=(?:st|nd|rd|th)\b)", r"\1", text)
    return re.sub(r"\bone\b", "1", re.sub(r"(?<=\w)-(?=[a-z])", " ", text))
