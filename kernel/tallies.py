"""What is asked of a list of numbers, as the calculator's expression: no model needs to copy them.

``median of 3, 9 and 4`` is ``median(3, 9, 4)``, ``i ran 5, 7 and 6 km, on average?`` is ``mean(5, 7, 6)``. One list,
one thing asked of it, and no number besides; a request that asks anything else is left alone. Knows no models.
"""

import re

from llmos.kernel.literals import literals

_LONGEST = 1_000  # characters of a request
_SHORT = 8  # words around a list that may be of two numbers
_FEWEST = 3  # numbers of a list that stands among other words
_UNITS = (
    "kg|kgs|g|grams?|lbs?|pounds?|km|kms|m|metres?|meters?|cm|mm|miles?|feet|inches|min|mins|minutes?|h|hours?"
    "|hrs|s|sec"
    "|secs|seconds?|days?|weeks?|years?|euros?|dollars?|bucks|rupees|points?|marks?|degrees?|c|f|l|ml|litres?|liters?"
    "|pages|steps|percent|years old|mph|kph|kwh|kcal|calories|bpm|goals|runs"
)
_NUMBER = (
    r"(?:-|\u2212|minus |negative )?[$\u00a3\u20ac\u20b9]?(?:\d+ \d+/\d+|\d+/\d+"
    r"|\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)"
)
_ITEM = rf"{_NUMBER}(?: ?(?:%|\u00b0[cf]?|[$\u00a3\u20ac]|(?:{_UNITS})\b))?"
_JOINT = r"(?: ?(?:, ?and|, ?then|, ?&|[,;&/|+]|\band\b|\bthen\b|\bor\b) ?|\s+)"
_LIST = re.compile(rf"(?<![\w.,/^*-]){_ITEM}(?:{_JOINT}{_ITEM})+(?![\w/^*]|\.\d| ?[*^=\u00d7]| x \d)")
_NAMES = (
    "mon(?:day)? tue(?:s|sday)? wed(?:s|nesday)? thu(?:rs|rsday)? fri(?:day)? sat(?:urday)? sun(?:day)? jan(?:uary)?"
    " feb(?:ruary)? mar(?:ch)? apr(?:il)? may june? july? aug(?:ust)? sept?(?:ember)? oct(?:ober)? nov(?:ember)?"
    " dec(?:ember)? maths? english science history geography physics chemistry biology french german spanish art music"
    " first second third fourth fifth"
)
_NAMED = _NAMES.replace(" ", "|")
# A name before each number, and a word behind it that is the same for all: monday 14 cakes, tuesday 22, friday 17.
_LABEL = re.compile(rf",? ?(?:and |then )?(?:on |in |the )?(?:{_NAMED})(?: (?:i |we )?(?:\w+ )?|: ?)(?={_NUMBER})")
_NOUN = re.compile(rf"(?<=\d) [a-z]+(?=,? ?(?:and |then )?(?:on |in |the )?(?:{_NAMED})\b)")
_ONE = re.compile(_NUMBER)
_STD = (
    r"(?:standard|std\.?|stand?ard|stdandard) ?dev(?:iation|iations|iaton|ation)?\b|\bstd(?:dev|ev)?\b"
    r"|\bst\.? dev\b|\bs\.d\.|\bsd\b|\bsigma\b"
)
_WHOLE = r"\bpopulation\b|\bpstdev\b|\bwhole group\b|\bdivid\w* by n\b(?! ?-)"
_TALLIES = [
    ("std", _STD),
    ("variance", r"\bvari[ae]n[cs]e\b"),
    ("median", r"\bmed[ia]{2}n\b|\bmiddle (?:value|number|one|score|mark)\b|\bin the middle\b|\bmidpoint value\b"),
    ("mode", r"\bmode\b|\bmost (?:often|common|frequent(?:ly)?)\b|\b(?:repeats?|appears?|occurs?|comes? up|shows? up)"
     r"(?: the)? most\b"),
    ("range", r"\brange\b|\bspread between\b|\b(?:highest|biggest|largest|max(?:imum)?|top) (?:value |number "
        r"|one )?(?:and|minus|to|less|-)"
     r"(?: the)? (?:lowest|smallest|min(?:imum)?|bottom)\b|\b(?:lowest|smallest) (?:and|to)(?: the)? (?:highest"
     r"|biggest|largest)\b"),
    ("geometric", r"\bgeometric (?:mean|average)\b"),
    ("harmonic", r"\bharmonic (?:mean|average)\b"),
    ("mean", r"\bmean\b|\bav[ea]r[ae]?ge?\b|\bavrage\b|\bavg\b|\bavarage\b|\bdivide (?:it )?by how many\b"
        r"|\bper (?:\w+ )?on average\b"),
    ("product", r"\bproduct of\b|\bmultiply (?:all|these|them|together)\b"),
    ("sum", r"\bsum\b|\btotal\b|\badd (?:up |all |these |them |together )|\badded (?:up|together)\b"
        r"|\baltogether\b|\bin all\b"),
    ("max", r"\b(?:biggest|largest|highest|greatest|max(?:imum)?|top)\b"),
    ("min", r"\b(?:smallest|lowest|least|min(?:imum)?)\b"),
    ("gcd", r"\b(?:gcd|gcf|hcf)\b|\b(?:greatest|highest|largest|biggest) common (?:divisor|factor)\b"),
    ("lcm", r"\blcm\b|\b(?:least|lowest|smallest) common (?:multiple|denominator)\b"),
]  # fmt: skip
_FOUND = [(name, re.compile(pattern)) for name, pattern in _TALLIES]
# What takes in the words of others.
_OVER = {
    "geometric": {"mean"}, "harmonic": {"mean"}, "range": {"max", "min"}, "gcd": {"max"}, "lcm": {"min"},
    "mode": {"max"}, "mean": {"sum"}, "max": {"sum"}, "min": {"sum"}, "std": {"mean"},
}  # fmt: skip
_ELSE = re.compile(
    r"\b(?:plot|chart|graph|draw|histogram|python|code|program|script|function|pandas|numpy|weight(?:s|ed)?|worth"
    r"|rolling"
    r"|moving|running|cumulative|each of|above|below|more than|less than|greater|over|under|without|except"
    r"|exclud\w*|ignor\w*"
    r"|remov\w*|drop\w*|trim\w*|outliers?|percentile|quartiles?|quantile|iqr|z-?scores?|sort\w*|rank\w*|order\w*"
    r"|normali[sz]\w*"
    r"|percent(?:age)?|probability|chance|needs? to|must|should|missing|change|grows?|differ\w*|twice|double|half"
    r"|times|squared?"
    r"|root|next|remember|save|random|tax|tip|vat|discount|interest|deviations? from|standard error|confidence"
    r"|how many|how often|count|shuffle|reverse|unique|digits?|primes?|factors(?! of)|pairs?|left|cost|pay|change"
    r"|index|position|where|which (?:day|month|one|player|person|team|shop|student))\b"
)
_ALLOWED = re.compile(r"\bhow many (?:there are|numbers)\b|\bsalar|\bdecimal digits?\b|\bin order\b")
_ROUND = re.compile(
    r",? ?\(?(?:rounded )?(?:to|with) (\d|one|two|three|four) (?:decimal places?|decimals?|dp|places)\)?"
)


def tally(request: str) -> str:
    """The expression for what a request asks of its one list of numbers; empty for all else."""
    if len(request) > _LONGEST:
        return ""
    text = _digits(request.strip().lower().replace("\u2019", "'"))
    places = _ROUND.search(text)
    text = _ROUND.sub(" ", text)
    numbers, rest = _listed(_LABEL.sub(_unlabelled, _NOUN.sub("", text)))
    # Two numbers among many words, and speeds, may be anything.
    few = (len(numbers) < _FEWEST and len(rest.split()) > _SHORT) or (len(numbers) <= _FEWEST and "speed" in rest)
    name = _asked(rest) if numbers and not few else ""
    if not name:
        return ""
    made = _spelled(name, numbers, re.search(_WHOLE, rest) is not None)
    count = places and (int(places[1]) if places[1].isdigit() else ["one", "two", "three", "four"].index(places[1]) + 1)
    return f"round({made}, {count})" if places and name != "mode" else made


def _listed(text: str) -> tuple[list[str], str]:
    """The numbers of the one list, and the text around it; none where there are more lists or other numbers."""
    found = max(_LIST.finditer(text), key=lambda m: len(_ONE.findall(m[0])), default=None)
    if found is None:
        return [], text
    if len(_ONE.findall(found[0])) == 1:  # 120,118,125
        return found[0].split(","), text.replace(found[0], " _ ")
    numbers = [_plain(m[0]) for m in _ONE.finditer(found[0])]
    before, after = text[: found.start()], text[found.end() :]
    # How many there are may be said before.
    before = re.sub(rf"\b{len(numbers)} (?=(?:\w+ ){{0,3}}\w*\W*$|\w+)", "", before, count=1)
    if re.search(r"\d", before + after) or re.search(r"[-+*/^%]\s*$", before):
        return [], text
    return numbers, f"{before} _ {after}"


def _asked(rest: str) -> str:
    """The one thing that is asked; empty where there are more, or something else is."""
    if _ELSE.search(_ALLOWED.sub(" ", rest)):
        return ""
    names = [name for name, pattern in _FOUND if pattern.search(rest)]
    taken = {other for name in names for other in _OVER.get(name, ())}
    left = [name for name in names if name not in taken]
    return left[0] if len(left) == 1 else ""


def _spelled(name: str, numbers: list[str], whole: bool) -> str:
    row, count = ", ".join(numbers), len(numbers)
    if name == "range":
        return f"max({row}) - min({row})"
    if name == "geometric":
        return f"root({' * '.join(numbers)}, {count})"
    if name == "harmonic":
        return f"{count} / ({' + '.join(f'1 / {n}' if '/' not in n else f'1 / ({n})' for n in numbers)})"
    return f"{'p' * (whole and name in ('std', 'variance'))}{name}({row})"


def _plain(number: str) -> str:
    """A number of a list as the calculator has it."""
    sign = "-" if re.match(r"-|\u2212|minus|negative", number) else ""
    digits = re.sub(r"^(?:-|\u2212|minus |negative )?[$\u00a3\u20ac\u20b9]?", "", number).replace(",", "")
    whole, _, part = digits.partition(" ")
    return f"{sign}({whole} + {part})" if part else f"{sign}{digits}"


def _unlabelled(label: re.Match[str]) -> str:
    return ", " if label.start() and label.string[: label.start()].rstrip()[-1:].isalnum() else " "


def _digits(text: str) -> str:
    """A text with digits for its number words."""
    for number in reversed([*literals(text)]):
        begins = text[number.start : number.end]
        if re.search(r"[a-z]", begins) and not begins.startswith(("half", "a ")) and not number.day:
            text = f"{text[: number.start]}{number.value}{text[number.end :]}"
    return text
