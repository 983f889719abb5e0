"""A calculation that is told in words and nothing but words, as the calculator's expression: no model needs to guess.

``the difference of thirty and twelve, then halve it`` is ``abs(30 - 12) / 2``, ``three and a half over a quarter`` is
``(3 + 1/2) / (1/4)``, ``root 2 to three decimals`` is ``round(sqrt(2), 3)``. A request that says anything else besides
is left alone. Knows no models and no tools.
"""

import re

from llmos.kernel.spoken_named import Other
from llmos.kernel.spoken_reader import Reader
from llmos.kernel.spoken_words import Asked, asked, words

_LONGEST = 400  # characters of a request that is nothing but a calculation
_DATE = re.compile(r"\d{4}-\d\d?-\d|\d/\d\d?/\d{2}")
_SAID = re.compile(r"[a-z]|\d \d|\d - \d+/\d|/\d+ - \d|[+*^!%\u00d7\u00f7\u221a\u00b2\u00b3]|\) ?[-/]|[-/] ?\(|- -\d")


# What is said around a calculation, and asks for nothing else than its result.
_AROUND = re.compile(
    r"(?:what|how much)(?: (?:should|does|do|would|will|is|are|'s))?(?: (?:that|this|it|the (?:answer|result"
    r"|total)|i|we|you))?"
    r"(?: (?:come|comes|make|makes|get|be|come to|come out|have|left|add up to|equal))?(?: (?:out|to))?"
    r"|(?:is (?:that|this|it) right|can (?:you|u) help(?: me)?|help(?: me)?|i (?:forgot|lost|need|have no"
    r"|don't have) [a-z' ]+"
    r"|answer(?: please| fast| quickly)*|(?:be )?(?:quick|fast|asap|urgent)|it'?s for [a-z' ]+|for (?:my|the|a"
    r"|our) [a-z' ]+"
    r"|(?:my|our) (?:son|daughter|kid|teacher|boss|wife|husband|friend)[a-z' ]*|please(?: answer)?(?: fast"
    r"| quickly)?|thank(?:s| you)[a-z' ]*"
    r"|(?:no|without a) calculator[a-z' ]*|in total|altogether|i always forget|lol|no idea)"
)
_CLAUSE = re.compile(r"(?:\s*[?!.;,:]+\s+|\s+-+\s+(?=[a-z]))(?=[a-z][^?!.;,:]*[?!.]*$)")
# What makes another request of one that a calculation stands in, or of the calculation.
_ELSE = re.compile(
    r"\b(?:python|code|program|script|plot|chart|graph|draw|paint|picture|image|remember|remind|note|save|search"
    r"|open|page|file"
    r"|series|sequence|next|digits?|letters?|primes?|divisors?|count|random|roll|dice|words?|hex|hexadecimal"
    r"|binary|octal|roman"
    r"|reverse|sort|perimeter|diagonal|volume|hypotenuse|circumference|radius|diameter|triangle|won|score|played"
    r"|page|chapter"
    r"|geometric|harmonic|weighted|quadratic|median|mode|range|variance|standard|deviation|solve|derivative"
    r"|derive|differentiate|integral|integrate|limit|x|y|per|each|every|share|split|between|round|nearest|estimate"
    r"|how many (?!is\b|are\b|do\b|does\b)|than|without|except|not|never|until|since|before|after|ago|date|clock"
    r"|people|friends|kids)\b"
)
_OPENS = re.compile(
    r"\d|[(\u221a]|\b(?:half|double|twice|triple|treble|thrice|quadruple|halve|square|cube|cubed?|root|sqrt|cbrt"
    r"|radical|sum|difference"
    r"|product|quotient|add|subtract|take|minus|negative|multiply|divide|increase|decrease|reduce|quarter"
    r"|a (?:third|fifth|sixth"
    r"|seventh|eighth|ninth|tenth)|average|mean|factorial|log|log2|log10|ln|natural log|remainder|absolute value"
    r"|reciprocal"
    r"|greatest|highest|lowest|least|largest|gcd|gcf|hcf|lcm|fourth|fifth|sixth|seventh|tenth|what (?:percent"
    r"|fraction)|simplify)\b"
)
_MEANT = re.compile(r"[a-z]|[+*^!%\u00d7\u00f7\u221a\u00b2\u00b3]|\d .* [-/] .*\d|/\d+ [-+] \d|\d - \d+/")


def spoken(request: str) -> str:
    """The expression for a request that is a calculation in words and nothing else; empty where it is not."""
    if len(request) > _LONGEST or _DATE.search(request):
        return ""
    text = request.strip()
    if made := _read(text):
        return made
    # Small talk behind it, and before it.
    for _ in range(2):
        clause = _CLAUSE.search(text)
        if clause and _AROUND.fullmatch(text[clause.end() :].lower().strip(" ?!.")):
            text = text[: clause.start()]
            if made := _read(text):
                return made
    opens = _OPENS.search(text.lower())
    if (
        opens is None
        or text[opens.start() - 1 : opens.start()] not in (" ", ":")
        or _ELSE.search(text[: opens.start()].lower())
    ):
        return ""
    rest = text[opens.start() :]
    return _read(rest) if _MEANT.search(rest.lower()) else ""


def _read(text: str) -> str:
    one = asked(text)
    said = words(one.text)
    if not said or not (one.shown or _SAID.search(text.lower())):
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
    return f"{Reader.unheld(made)} to {form}" if form else made
