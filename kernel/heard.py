"""What the words of a request leave out or point to, before examples of what was taught are looked for."""

import re
from collections.abc import Sequence

from llmos.kernel.mentions import spoken
from llmos.kernel.recall import Recalled
from llmos.kernel.scene import TOOL, surely
from llmos.kernel.slots import Column, words
from llmos.kernel.turns import Turn
from llmos.kernel.wishes import asks_picture

_SURELY = 0.5  # how like a request what is said without a tool has to be, where a table came with it
_NOTHING = re.compile(r"I do not (?:know|understand)|I cannot know")
_IN_YEAR = re.compile(
    r"(?i)(?:\b(?:in|of|for|during|year)|^) ?@(\d+)\b(?! (?:to|and|through|thru|until|till|on|onwards?)\b|-)"
)
_YEAR = re.compile(r"1[5-9]\d\d|20\d\d")


def one_year(turn: Turn, columns: Sequence[Column]) -> re.Match[str] | None:
    """Where a request names the one year of a table with several rows for each that it is about."""
    found = list(_IN_YEAR.finditer(turn.told)) if any(c.kind == "year" and c.repeats for c in columns) else []
    return found[0] if len(found) == 1 and _YEAR.fullmatch(turn.values[int(found[0][1]) - 1]) else None


def without(text: str, columns: Sequence[Column], blot: str = "") -> str:
    """A text without the values of a table that it speaks of, but for those that are a column's name as well.

    Which they are tells nothing of what is asked, and they are no columns: the SEC is no second.
    """
    names = {w for c in columns for w in words(c.name)}
    found = {text[start:end] for c in columns for _, start, end in spoken(text, c.values)}
    for value in sorted(found, key=len, reverse=True):
        if not names.issuperset(words(value)):
            text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", lambda m: blot * len(m[0]), text, flags=re.I)
    return text


def kinds(turn: Turn, columns: Sequence[Column], drawn: bool) -> tuple[str, ...]:
    """The kinds of what was taught that may be of use for a request."""
    if columns and turn.scene is not None and surely(turn.request):
        return ("say", TOOL)
    # What speaks of a column or a value is asked of the table.
    of_table = "#" in turn.told or len(turn.gist) < len(turn.told)
    return (
        *([] if columns and of_table else ["calculator"]),
        "say",
        *(["table"] if columns else ["python", "lack"]),
        *(["change"] if drawn else []),
        *([TOOL] if turn.scene is not None else []),
    )


def elsewhere(turn: Turn, found: Recalled) -> bool:
    """Whether an example that leaves the table aside is less than surely what is asked."""
    drawn, kind = asks_picture(turn.told), found.taught.kind
    # The library gives a table only to what is asked of one.
    unsure = turn.packaged or found.likeness < _SURELY or _NOTHING.match(found.answer) is not None
    return (kind == "calculator" and (drawn or len(turn.values) < 2)) or (kind == "say" and (drawn or unsure))
