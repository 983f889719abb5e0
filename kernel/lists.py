"""Lists of numbers in a request, and a taught answer for a list of another length: ``mean(@1, @2)`` for four numbers.

Works on the short names of :mod:`llmos.kernel.aliases`. Knows no models.
"""

import re

_UNITS = (
    "kg|g|lbs?|km|m|cm|mm|miles|min|mins|minutes|h|hours|hrs|s|sec|seconds|days|weeks|years|euros?|pounds?|dollars?|bucks"
    "|rupees|points|degrees|c|l|ml|litres|liters|pages|steps|percent"
)
_ONE = rf"(?:-|minus )?[$\u00a3\u20ac\u20b9]?@\d+(?: ?(?:\u00b0c?|%|(?:{_UNITS})\b))?"
_JOINT = r"(?:(?:, and|, or|, then|[,;&]| and| or| then| versus| vs) *| +)"
_LIST = re.compile(rf"(?i){_ONE}(?:{_JOINT}{_ONE})+")
# What stands in a sum, a clock, a date or a mixed number is no list.
_BEFORE = re.compile(r"(?:[\w@/^*+.-]|@\d+:|[-+*/^=\u00d7] )$")
_AFTER = re.compile(r"(?i) ?[/^*+=\u00d7]|:@|\w| ?x ?@")
_NUMBER = re.compile(r"(-|minus )?[$\u00a3\u20ac\u20b9]?(@\d+)", re.I)
_RAW = re.compile(r"(?<![\w.@~&])(?<!, )\d+(?:\.\d+)?")
PLACE = "&900"  # stands for a list while the rest of an answer is adapted


def listed(told: str) -> tuple[str, list[str]]:
    """A request with its one list of numbers as ``&900``, and these; as it is, and none, where there are more or none.

    A number may be negative: ``-@2``.
    """
    found = [m for m in _LIST.finditer(told) if not (_BEFORE.search(told[: m.start()]) or _AFTER.match(told, m.end()))]
    if len(found) != 1 or "&" in told:
        return told, []
    numbers = [("-" if m[1] else "") + m[2] for m in _NUMBER.finditer(found[0][0])]
    return told[: found[0].start()] + PLACE + told[found[0].end() :], numbers


def taken(expression: str, numbers: list[str], same: bool) -> str:
    """An expression with ``&900`` for a list that its functions take whole; empty where it takes one apart.

    Where the length is not the ``same``, neither may its count stand there: ``std(…) / sqrt(4)``.
    """
    made = expression.replace(f"({', '.join(numbers)})", f"({PLACE})")
    rest = set(re.findall(r"@\d+", made))
    apart = made == expression or rest & {n.lstrip("-") for n in numbers}
    counts = {str(len(numbers)), str(len(numbers) - 1)} & set(_RAW.findall(made))
    return "" if apart or (counts and not same) else made
