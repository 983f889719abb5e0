"""What the words of a request leave to choose from: a picture or a number, and which kinds of picture."""

import re

from llmos.kernel.verbs import DRAWS

_DRAWN = re.compile(
    r"(?i)\b(?:re)?(?:plot|graph|chart|draw|diagram|curve|hist[aeo]gr|hist\b|scatter|pie|boxplot|slide|visuali[sz]"
    r"|(?:box|barh?|dot|line|area)s?\b|columns$)|\b(?:through|thru) (?:time|history)\b|\bside by side\b|\bpicture\b"
)
_KINDS = [
    (re.compile(r"(?i)\bcurves?\b"), frozenset({"plot", "line", "lines", "compare", "smooth"})),
    (re.compile(r"(?i)\bscatter"), frozenset({"scatter", "clusters"})),
    (re.compile(r"(?i)\bhist(?:[aeo]gr|s?\b)|\bbins\b"), frozenset({"hist", "bins"})),
    (re.compile(r"(?i)\bpies?\b"), frozenset({"pie"})),
    (re.compile(r"(?i)\bbox[ -]?(?:plot|and|chart|whisker)|\bwhisker"), frozenset({"box"})),
    (re.compile(r"(?i)\bsideways|\bhorizontal(?:ly)? ?(?:bar|column)"), frozenset({"barh", "bar"})),
]
# Words for dots, or for two numbers that are set against each other.
_DOTS = re.compile(
    r"(?i)\b(?:dots?|points?|against|versus|vs?|relat\w*|correlat\w*|connect\w*|depend\w*|link\w*|together|colou?r\w*)\b"
)
_OVER_TIME = re.compile(r"(?i)\b(?:over|through|thru) (?:the )?(?:time\b|history\b|years\b|#\d)")
_TIMELESS = frozenset({"hist", "bins", "tally", "box", "pie"})


def asks_picture(told: str) -> bool:
    """Whether a word for a picture is said: what is asked with one of them is no mere number."""
    return _DRAWN.search(told) is not None or over_time(told)


def over_time(told: str) -> bool:
    """Whether something is asked for over time."""
    return _OVER_TIME.search(told) is not None


def pictures(told: str) -> frozenset[str]:
    """The verbs that draw what is asked for: those of the kind that is named, else all but what fits no time."""
    named = next((verbs for word, verbs in _KINDS if word.search(told)), None)
    if named is None:
        named = DRAWS - {"bins"} - (frozenset() if _DOTS.search(told) else {"scatter", "clusters"})
    return named - _TIMELESS if over_time(told) else named
