"""What cannot carry an order: numbers, dates, truth values, and names short enough to be a table's columns.

Strict mode shows a model these of a text that others wrote, and nothing else of it. A few short names are still words
of somebody else's choice, and numbers could spell letters: both are bounded here, neither is ruled out, and policy
still treats the whole as untrusted. Pure.
"""

import re

from llmos.kernel.signals import inspect

MOST_VALUES, MOST_CHARACTERS = 24, 400  # of values that are shown together
NAME_CHARACTERS, NAME_WORDS = 32, 4
HIDDEN = "…"
_VALUE = (
    r"(?>[-+]?[$€£¥]?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d{1,15})(?:\.\d{1,15})?(?:e[-+]?\d{1,3})?(?:\s?%)?"
    r"|true|false|yes|no|nan|-?inf|none)"
)
_DATE = r"(?>\d{4}-\d{2}(?:-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?)?)?)"
_ONE = rf"(?:{_DATE}|{_VALUE})(?![\w.-])"
_CLOSED = re.compile(
    rf"\s*[\[({{]?\s*{_ONE}(?:\s*[,;\s]\s*{_ONE}){{0,{MOST_VALUES - 1}}}\s*[\])}}]?\s*", re.IGNORECASE | re.ASCII
)
_SINGLE = re.compile(rf"\s*{_ONE}\s*", re.IGNORECASE | re.ASCII)
_PLAIN = re.compile(r"[^\W_][\w .%/()#€$£&+-]*")
_WORD = re.compile(r"[^\W\d_]+")


def closed(text: str) -> bool:
    """Whether a text is numbers, dates and truth values alone, few of them."""
    return len(text) <= MOST_CHARACTERS and _CLOSED.fullmatch(text) is not None


def single(text: str) -> bool:
    """Whether a text is one number, date or truth value."""
    return len(text) <= MOST_CHARACTERS and _SINGLE.fullmatch(text) is not None


def plain(name: str) -> bool:
    """Whether a column's or file's name is short enough to be shown: a few words, no sentence, nothing odd."""
    if len(name) > NAME_CHARACTERS or len(_WORD.findall(name)) > NAME_WORDS or not _PLAIN.fullmatch(name):
        return False
    return not inspect(name)
