"""What a request that goes on from an earlier one asks of a table: ``and in 2019?``, ``which was it?``, ``as bars``.

Such a request names what is other than before; all else is as it was: the verb, the columns, which rows, how it was
drawn. Where its words say more than that it is no such request, and nothing is told. Knows English, no models.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from llmos.kernel.acts import Act, asked_rows, name, plain
from llmos.kernel.asked import deeds, rows
from llmos.kernel.charted import axis_of, by_group, chart, together
from llmos.kernel.going_words import (
    AGAIN,
    ASIDE,
    BESIDES,
    BOTH,
    CHART_WORDS,
    COLORS,
    COUNTED,
    HOW,
    INTO,
    ITS,
    LARGE,
    MAX,
    MEANS,
    NAMED,
    ORDER,
    PLOTTED,
    SMALL,
    SPLIT,
    THOSE,
    TITLED,
    TOP,
    WHEN,
    WHICH,
    leads,
)  # fmt: skip
from llmos.kernel.related import nth, related
from llmos.kernel.slots import NUMBERS, TIMES, Column
from llmos.kernel.spoken_of import Ask, asks, clean, kept_rows

MOST, LONGEST = 16, 300  # words and characters of such a request
_NUMBER = re.compile(r"(?<!\w)\d[\d.,]*")
_QUOTE = re.compile(r"['\"\\]")
_EXTREMES = {"highest": "most", "lowest": "least"}


def going(
    text: str,
    bare: str,
    columns: Sequence[Column],
    linked: Mapping[int, Sequence[str]],
    act: Act,
    earlier: Sequence[Act] = (),
) -> str:
    """What is to be done, told as a verb; empty where the request says more than what is other than in ``act``.

    ``earlier``: what was done in the session, the latest last.
    """
    if titled := TITLED.match(text) if act.chart and len(text) <= LONGEST else None:
        words_ = titled["t"].strip(" .!\"'\u201c\u201d")
        return "" if _QUOTE.search(words_) or not words_ else f"title '{words_}'"
    if len(text) > LONGEST or len(text.split()) > MOST:
        return ""
    charts = [one for one in earlier if one.chart]
    act = charts[-1] if charts and INTO.search(text) else act
    if found := related(text, act, columns, linked, earlier):
        return _told(found)
    if BOTH.search(text) and (CHART_WORDS.search(text) or PLOTTED.search(text) or BESIDES.search(text)):
        return _told(together(asks(text, bare, columns, linked, act), earlier))
    if AGAIN.search(text) or ASIDE.search(text):
        return ""
    ask = asks(text, bare, columns, linked, act)
    if len(ask.left) == 1 and ask.linked and (THOSE.search(text) or _beside_value(ask)):
        ask = replace(ask, left=())
    if ask.left and not _valued(ask, act):
        return _told(_named(ask, act)) if ITS.search(text) and len(ask.left) < 3 else ""
    ask = ask if not ask.left else replace(ask, linked={**linked, _value_column(act): [_spoken(ask)]})
    found = chart(ask, act) if _draws(ask, act) else _question(ask, act)
    return _told(found)


def _told(found: Act | None) -> str:
    said = found.said() if found else ""
    return "" if "\\" in said or '"' in said or "#0" in said else said


def _draws(ask: Ask, act: Act) -> bool:
    """Whether a chart is asked for: a word for one is said, or what was drawn is drawn otherwise."""
    if CHART_WORDS.search(ask.text) or COLORS.search(ask.text):
        return True
    if not act.chart:
        return False
    asked = NAMED.search(ask.text) or _aggregate(ask.text) or COUNTED.search(ask.text)
    return bool(ORDER.search(ask.text) or TOP.search(ask.text)) or not (asked or LARGE.search(ask.text)
        or SMALL.search(ask.text))  # fmt: skip


# --- values that the preview did not name


def _value_column(act: Act) -> int:
    """The column that a word left over is a value of, by number: the one whose value was asked for before."""
    if act.of("v") and act.of("xc"):
        return int(act.of("xc")[0][1:])
    return next((int(c[1][1:]) for c in act.rows if c[0] == "where"), 0)


def _valued(ask: Ask, act: Act) -> bool:
    """Whether the words left over are another value in place of the one before."""
    column, spoken = _value_column(act), _spoken(ask)
    if not column or ask.linked or len(ask.left) > 4 or THOSE.search(ask.text):
        return False
    if ask.columns[column - 1].kind in NUMBERS or _aggregate(ask.text) or LARGE.search(ask.text):
        return False
    stands = leads(ask.text, ask.left[0], spoken, bool(ask.meant))
    return stands and bool(spoken) and not _QUOTE.search(spoken)


def _beside_value(ask: Ask) -> bool:
    """Whether the word left over is only who or what the value beside it is of: and for law students?"""
    low, word = ask.text.lower(), re.escape(ask.left[0].lower())
    values = [re.escape(v.lower()) for of in ask.linked.values() for v in of]
    near = any(re.search(rf"\b{v} {word}\b|\b{word} {v}\b", low) for v in values)
    return near and leads(ask.text, ask.left[0], _spoken(ask), bool(ask.meant))


def _spoken(ask: Ask) -> str:
    """The words left over as they stand in the request."""
    pattern = r"[\s,]+(?:(?:of|and|the|in)\s+)*".join(map(re.escape, ask.left))
    found = re.search(pattern, ask.text.replace("\u2019", "'"), re.I)
    return found[0] if found else ""


# --- questions


def _aggregate(text: str) -> str:
    return next((verb for pattern, verb in MEANS.items() if re.search(pattern, text, re.I)), "")


def _question(ask: Ask, act: Act) -> Act | None:
    """What is asked, of what was asked or drawn before."""
    text = ask.text
    before = asked_rows(act)
    numbers = [f"#{n}" for n in ask.numbers() or deeds(text, ask.columns)[:1]]
    if (ITS.search(text) or HOW.search(text)) and name(act) and numbers and numbers[:1] != act.of("n")[:1]:
        return _named(ask, act)
    y = (numbers or act.of("n") or [""])[0]
    large, small = LARGE.search(text), SMALL.search(text)
    if ranked := nth(text, act, axis_of(ask, act.of("n"), act.of("x")), bool(small)):
        return ranked
    if SPLIT.search(text) and not (large or small) and (split := by_group(ask, act)):
        return replace(split, verb={"averages": "means", "sums": "totals"}[split.verb])
    aggregate = _aggregate(text)
    if aggregate and not (large or small) and y:
        kept = kept_rows(ask, before)
        return Act(aggregate, (y,), kept)
    if bool(large) != bool(small) and (y or act.verb in ("counts", "common", "rare", "tally")):
        return _extreme(ask, act, y, bool(small))
    if WHICH.match(text) or WHEN.search(text):
        return _which(ask, act, y)
    own = rows(text, ask.columns, ask.linked)
    if COUNTED.search(text) and (own or THOSE.search(text)) and not ask.numbers() and not ITS.search(text):
        return Act("rows", (), kept_rows(ask, before if THOSE.search(text) or act.verb in ("rows", "count") else ()))
    if HOW.search(text) and set(numbers) <= set(act.of("n")) and not own and act.verb in ("most", "least", "second"):
        return replace(act, result="")
    return _other(ask, act, numbers)


def _extreme(ask: Ask, act: Act, y: str, small: bool) -> Act | None:
    """The most or the least, with whose it is where that is asked or was."""
    before = kept_rows(ask, asked_rows(act))
    grouped = ("topsum", "lowsum", "totals", "sums", "topmean", "lowmean", "means", "averages")
    x = axis_of(ask, [y], act.of("xc") if act.verb != "lookup" else ())
    if act.verb in grouped and act.of("c"):
        verb = ("low" if small else "top") + ("mean" if "mean" in act.verb or act.verb == "averages" else "sum")
        return Act(verb, (act.of("c")[0], y), clean(before, act.of("c")[0]))
    if act.verb in ("counts", "common", "rare", "tally"):
        return Act("rare" if small else "common", (act.of("c")[0],), before)
    if ask.numbers() == [] and MAX.search(ask.text) and not NAMED.search(ask.text):
        return Act("lowest" if small else "highest", (y,), before)
    if not x or (act.verb in _EXTREMES and not NAMED.search(ask.text)):
        return Act("lowest" if small else "highest", (y,), before)
    return Act("least" if small else "most", (x, y), clean(before, x) if act.verb == "lookup" else before)


def _which(ask: Ask, act: Act, y: str) -> Act | None:
    """Which row it was, of what was the highest or the lowest."""
    verb = {"highest": "most", "lowest": "least", "most": "most", "least": "least", "second": "second"}.get(
        act.verb, ""
    )
    numbers = act.of("n")
    if not verb or not numbers or (y and y != numbers[0]):
        return None
    axis = axis_of(ask, numbers, act.of("x"))
    if WHEN.search(ask.text) and not ask.others():
        axis = next((f"#{n}" for n, c in enumerate(ask.columns, 1) if c.kind in TIMES), axis)
    return Act(verb, (axis, numbers[0]), kept_rows(ask, act.rows)) if axis else None


def _named(ask: Ask, act: Act) -> Act | None:
    """Another column of the one that was found before: ``how long was that episode``."""
    told = deeds(ask.text, ask.columns)[:1] if re.search(r"(?i)\bhow [a-z]+\b", ask.text) else []
    numbers = (
        (told if len(told) == 1 and HOW.search(ask.text) and not COUNTED.search(ask.text) else [])
        or ask.numbers()
        or [n for n in ask.others() if f"#{n}" not in act.given]
    )
    x, found = act.of("xc"), name(act)
    if act.verb == "lookup":
        found = act.of("v")[0].strip("'")
    if not (x and found and numbers) or _QUOTE.search(found):
        return None
    value = plain(found) if ask.columns[int(x[0][1:]) - 1].kind in ("year", *NUMBERS) else f"'{found}'"
    return Act("lookup", (x[0], value, f"#{numbers[0]}"), tuple(c for c in act.rows if c[1] != x[0]))


def _other(ask: Ask, act: Act, numbers: Sequence[str]) -> Act | None:
    """The question before with another column, another value, other rows."""
    if act.chart or (WHICH.match(ask.text) and not numbers):
        return None
    given = list(act.given)
    kept = rows(ask.text, ask.columns, ask.linked)
    changed = False
    for at, role in enumerate(act.places):
        near = next((g for g, r in zip(given[:at][::-1], act.places[:at][::-1], strict=False) if r in "xc"), "")
        if role == "n" and numbers and act.places.count("n") == 1:
            changed |= given[at] != numbers[0]
            given[at] = numbers[0]
        if role == "v" and act.places.count("v") == 1 and (own := [r for r in kept if f"#{r.column}" == near]):
            values = re.findall(r"'[^']*'|\S+", own[0].words)
            if values[0] not in ("where", "between") or (values[0] == "where" and len(values) != 3):
                return None
            # A day of a column of days is told by its own words.
            given[at] = values[2] if values[0] == "where" else f"'{_NUMBER.findall(ask.text)[0]}'"
            kept = [r for r in kept if r is not own[0]]
            changed = True
        if role == "k" and act.places.count("k") == 1 and len(ask.free) == 1 and not kept:
            given[at] = ask.free[0].replace(",", "")
            changed = True
    made = {c[1]: c for c in act.rows}
    for one in kept:
        word, column, *values = re.findall(r"'[^']*'|\S+", one.words)
        made[column] = (word, column, *values)
        changed = True
    if set(ask.free) - set(given) and "k" not in act.places:
        return None
    return Act(act.verb, tuple(given), tuple(made.values())) if changed else None
