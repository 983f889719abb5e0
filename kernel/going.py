"""What a request that goes on from an earlier one asks of a table: ``and in 2019?``, ``which was it?``, ``as bars``.

Such a request names what is other than before; all else is as it was: the verb, the columns, which rows, how it was
drawn. Where its words say more than that it is no such request, and nothing is told. Knows English, no models.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from llmos.kernel.acts import Act, Clause, asked_rows, name, plain, portion
from llmos.kernel.asked import dated, deeds, key, rows
from llmos.kernel.going_words import (
    AGAIN,
    ASIDE,
    BESIDE,
    CHART_WORDS,
    CLASSES,
    COLORS,
    COUNTED,
    FILLERS,
    HOW,
    ITS,
    KINDS,
    LARGE,
    MAX,
    MEANS,
    NAMED,
    ORDER,
    PARTS,
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
from llmos.kernel.slots import NUMBERS, TIMES, Column, mentioned, words
from llmos.kernel.verbs import CHARTS

MOST, LONGEST = 16, 300  # words and characters of such a request
_NUMBER = re.compile(r"\d[\d.,]*")
_TOKEN = re.compile(r"[^\s,;:?!()\"]+")
_QUOTE = re.compile(r"['\"\\]")
LINED = ("plot", "line")
_EXTREMES = {"highest": "most", "lowest": "least"}


@dataclass(frozen=True)
class Ask:
    """A request and what of a table it speaks of: columns by number, values by column, numbers that tell no time."""

    text: str
    columns: Sequence[Column]
    meant: Sequence[int]
    linked: Mapping[int, Sequence[str]]
    free: Sequence[str]
    left: Sequence[str]  # words that nothing explains
    axes: frozenset[int] = frozenset()  # columns of numbers that name rows: weeks, hours, what was the axis before

    def numbers(self) -> list[int]:
        """The number columns it speaks of."""
        return [n for n in self.meant if self.columns[n - 1].kind in NUMBERS and n not in self.axes]

    def others(self) -> list[int]:
        """The columns of names and times that it speaks of."""
        return [n for n in self.meant if n not in self.numbers()]


def asks(text: str, bare: str, columns: Sequence[Column], linked: Mapping[int, Sequence[str]], act: Act) -> Ask:
    """What a request speaks of; ``bare`` is its text with the values of the table blotted out."""
    meant = mentioned(PARTS.sub(" ", bare), columns)
    explained = {w for of in meant.values() for w in of}
    explained |= {w for n in act.of("n") for w in words(columns[int(n[1:]) - 1].name)}
    # Words of a column's name are no measure: the median wait.
    names = {w for n in meant for w in words(columns[n - 1].name)} & explained
    text = re.sub(
        r"[^\W\d_]+",
        lambda m: "_" if words(m[0])[:1] and words(m[0])[0] in names and CLASSES.fullmatch(m[0].lower()) else m[0],
        text,
    )
    left = []
    told = CLASSES.sub(" ", PARTS.sub(" ", bare).lower().replace("\u2019", "'"))
    for token in _TOKEN.findall(told):
        word = token.strip("'.-").removesuffix("'s")
        if not word.strip("_") or word in FILLERS or _NUMBER.fullmatch(word) or set(words(word)) <= explained:
            continue
        left.append(token.strip("'.-"))
    # A word that one column alone has speaks of it: the second quarter of faults_q1 and faults_q2.
    for word in list(left):
        own = [n for n, c in enumerate(columns, 1) if word in words(c.name)]
        if len(own) == 1:
            meant.setdefault(own[0], {word})
            left.remove(word)
    spent = {number for one in rows(text, columns, linked) for number in one.numbers}
    free = [n for n in _NUMBER.findall(text) if n.strip(".,") not in spent]
    before = {int(n[1:]) for n in act.of("x") + ([] if act.chart else act.of("c"))}
    axes = frozenset(n for n in meant if n in before or (dated(columns[n - 1]) and len(meant) > 1) or (
        dated(columns[n - 1]) and (NAMED.search(text) or re.search(r"(?i)\b(?:by|per|each) ", text))))  # fmt: skip
    return Ask(text, columns, list(meant), linked, [n.strip(".,") for n in free], left, axes)


def going(
    text: str, bare: str, columns: Sequence[Column], linked: Mapping[int, Sequence[str]], act: Act, verb: str = ""
) -> str:
    """What is to be done, told as a verb; empty where the request says more than what is other than in ``act``.

    ``verb`` is what the likeliest example does.
    """
    if titled := TITLED.match(text) if act.chart and len(text) <= LONGEST else None:
        words_ = titled["t"].strip(" .!\"'\u201c\u201d")
        return "" if _QUOTE.search(words_) or not words_ else f"title '{words_}'"
    if len(text.split()) <= MOST and (share := portion(text, act)):
        return _told(share)
    if len(text) > LONGEST or len(text.split()) > MOST or AGAIN.search(text) or ASIDE.search(text):
        return ""
    ask = asks(text, bare, columns, linked, act)
    if len(ask.left) == 1 and ask.linked and THOSE.search(text):
        ask = replace(ask, left=())
    if ask.left and not _valued(ask, act):
        return _told(_named(ask, act)) if ITS.search(text) and len(ask.left) < 3 else ""
    ask = ask if not ask.left else replace(ask, linked={**linked, _value_column(act): [_spoken(ask)]})
    found = _chart(ask, act) if _draws(ask, act, verb) else _question(ask, act, verb)
    return _told(found)


def _told(found: Act | None) -> str:
    said = found.said() if found else ""
    return "" if "\\" in said or '"' in said or "#0" in said else said


def _draws(ask: Ask, act: Act, verb: str) -> bool:
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


def _spoken(ask: Ask) -> str:
    """The words left over as they stand in the request."""
    pattern = r"[\s,]+(?:(?:of|and|the|in)\s+)*".join(map(re.escape, ask.left))
    found = re.search(pattern, ask.text.replace("\u2019", "'"), re.I)
    return found[0] if found else ""


# --- rows


def _rows(ask: Ask, before: Sequence[Clause]) -> tuple[Clause, ...]:
    """The rows as before, those of a column that the request speaks of as it has them."""
    made: dict[str, Clause] = {clause[1]: clause for clause in before}
    for one in rows(ask.text, ask.columns, ask.linked):
        word, column, *values = re.findall(r"'[^']*'|\S+", one.words)
        if BESIDE.search(ask.text) and column in made and made[column][0] == word == "where":
            values = [*made[column][2:], *(v for v in values if v not in made[column])]
        made[column] = (word, column, *values)
    return tuple(made.values())


def _clean(clauses: Sequence[Clause], *columns: str) -> tuple[Clause, ...]:
    return tuple(c for c in clauses if c[1] not in columns)


# --- charts


def _chart(ask: Ask, act: Act) -> Act | None:
    """The chart before as the request has it, or one of what was asked before."""
    base = act if act.verb in CHARTS else _plotted(act, ask)
    if base is None or base.verb not in CHARTS:
        return base if base is not None and base.verb != act.verb else None
    kind = next((verb for pattern, verb in KINDS if pattern.search(ask.text)), base.verb)
    x, *ys = base.given
    if numbers := [f"#{n}" for n in ask.numbers() if f"#{n}" != x]:
        ys = [*ys, *(n for n in numbers if n not in ys)] if BESIDE.search(ask.text) else numbers
    if others := [f"#{n}" for n in ask.others() if n not in ask.linked]:
        if (
            len(others) == 1
            and others[0] != x
            and SPLIT.search(ask.text)
            and kind in LINED
            and ask.columns[int(x[1:]) - 1].kind in TIMES
        ):
            return Act("lines", (x, others[0], ys[0]))
        if len(others) > 1 or re.search(r"(?i)\bfor (?:each|every)\b|\bsplit\b|\bcolou?r", ask.text):
            return None
        x = others[0]
    if kind in ("scatter", "pie"):
        ys = ys[:1]
    # An axis of one value is none.
    kept = tuple(c for c in _rows(ask, base.rows) if c[:2] != ("where", x) or x == base.given[0])
    how = [c for c in base.how if c[0] not in ("best", "worst", "sorted")] if kind in ("scatter",) else list(base.how)
    if top := TOP.search(ask.text):
        word = "worst" if top["low"] else "best"
        how = [c for c in how if c[0] not in ("best", "worst", "sorted")] + [(word, top["n"] or top["m"])]
        if kind not in ("bar", "barh", "pie"):
            kind = "bar"
    elif ORDER.search(ask.text):
        how = [c for c in how if c[0] not in ("best", "worst", "sorted")] + [("sorted",)]
        kind = kind if kind in ("bar", "barh") else "bar"
    if color := COLORS.search(ask.text):
        how = [c for c in how if c[0] != "color"] + [("color", f"'{color[0].lower()}'")]
    if re.search(r"(?i)\blog\w*\b", ask.text):
        how = [c for c in how if c[0] != "log"] + [("log",)]
    changed = Act(kind, (x, *ys), kept, tuple(sorted(how, key=lambda c: c[0] == "color")))
    return changed if changed != replace(base, result="") or PLOTTED.search(ask.text) else None


def _plotted(act: Act, ask: Ask) -> Act | None:
    """A plain chart of the columns that a question or another chart was of."""
    numbers, axes = act.of("n"), act.of("xc")
    grouped = {"means": "averages", "totals": "sums", "counts": "tally"}.get(act.verb, "")
    if grouped and not ask.meant and not ask.linked and not ask.free and not act.rows:
        return Act(grouped, act.given)
    numbers = numbers or [f"#{n}" for n in ask.numbers()[:1]]
    axis = _axis(ask, numbers, axes)
    if not numbers or not axis or act.verb in ("correlation", "ratio"):
        return None
    before = _clean(asked_rows(act), axis)
    x = ask.columns[int(axis[1:]) - 1]
    single = [c for c in before if c[0] == "where" and len(c) == 3]
    free = act.verb == "lookup" and axes and axes[0] != axis
    before = (*before, ("where", axes[0], *act.of("v"))) if free and not single else before
    verb = "plot" if x.kind in TIMES else "bar"
    return Act(verb, (axis, numbers[0]), before)


def _axis(ask: Ask, numbers: Sequence[str], axes: Sequence[str]) -> str:
    """The column that numbers are read over: the one spoken of, that of before, else a time, else names."""
    if others := [n for n in ask.others() if n not in ask.linked]:
        return f"#{others[0]}"
    if axes and (axes[0] not in numbers):
        return axes[0]
    return _natural(ask.columns, numbers)


def _natural(columns: Sequence[Column], numbers: Sequence[str]) -> str:
    """The column that names the rows: a time that does not repeat, names, else any time, else a number like a week."""
    order = sorted(
        (n for n, c in enumerate(columns, 1) if c.kind not in NUMBERS),
        key=lambda n: (columns[n - 1].repeats, key(columns[n - 1]), n),
    )
    if order:
        return f"#{order[0]}"
    return "#1" if columns and "#1" not in numbers else ""


# --- questions


def _aggregate(text: str) -> str:
    return next((verb for pattern, verb in MEANS.items() if re.search(pattern, text, re.I)), "")


def _question(ask: Ask, act: Act, verb: str) -> Act | None:
    """What is asked, of what was asked or drawn before."""
    text = ask.text
    before = asked_rows(act)
    numbers = [f"#{n}" for n in ask.numbers() or deeds(text, ask.columns)[:1]]
    if (ITS.search(text) or HOW.search(text)) and name(act) and numbers and numbers[:1] != act.of("n")[:1]:
        return _named(ask, act)
    y = (numbers or act.of("n") or [""])[0]
    large, small = LARGE.search(text), SMALL.search(text)
    aggregate = _aggregate(text)
    if aggregate and not (large or small) and y:
        kept = _rows(ask, before)
        return Act(aggregate, (y,), kept)
    if bool(large) != bool(small) and (y or act.verb in ("counts", "common", "rare", "tally")):
        return _extreme(ask, act, y, bool(small))
    if WHICH.match(text) or WHEN.search(text):
        return _which(ask, act, y)
    own = rows(text, ask.columns, ask.linked)
    if COUNTED.search(text) and (own or THOSE.search(text)) and not ask.numbers() and not ITS.search(text):
        return Act("rows", (), _rows(ask, before if THOSE.search(text) or act.verb in ("rows", "count") else ()))
    if HOW.search(text) and set(numbers) <= set(act.of("n")) and not own and act.verb in ("most", "least", "second"):
        return replace(act, result="")
    return _other(ask, act, numbers)


def _extreme(ask: Ask, act: Act, y: str, small: bool) -> Act | None:
    """The most or the least, with whose it is where that is asked or was."""
    before = _rows(ask, asked_rows(act))
    grouped = ("topsum", "lowsum", "totals", "sums", "topmean", "lowmean", "means", "averages")
    x = _axis(ask, [y], act.of("xc") if act.verb != "lookup" else ())
    if act.verb in grouped and act.of("c"):
        verb = ("low" if small else "top") + ("mean" if "mean" in act.verb or act.verb == "averages" else "sum")
        return Act(verb, (act.of("c")[0], y), _clean(before, act.of("c")[0]))
    if act.verb in ("counts", "common", "rare", "tally"):
        return Act("rare" if small else "common", (act.of("c")[0],), before)
    if ask.numbers() == [] and MAX.search(ask.text) and not NAMED.search(ask.text):
        return Act("lowest" if small else "highest", (y,), before)
    if not x or (act.verb in _EXTREMES and not NAMED.search(ask.text)):
        return Act("lowest" if small else "highest", (y,), before)
    return Act("least" if small else "most", (x, y), _clean(before, x) if act.verb == "lookup" else before)


def _which(ask: Ask, act: Act, y: str) -> Act | None:
    """Which row it was, of what was the highest or the lowest."""
    verb = {"highest": "most", "lowest": "least", "most": "most", "least": "least", "second": "second"}.get(
        act.verb, ""
    )
    numbers = act.of("n")
    if not verb or not numbers or (y and y != numbers[0]):
        return None
    axis = _axis(ask, numbers, act.of("x"))
    if WHEN.search(ask.text) and not ask.others():
        axis = next((f"#{n}" for n, c in enumerate(ask.columns, 1) if c.kind in TIMES), axis)
    return Act(verb, (axis, numbers[0]), _rows(ask, act.rows)) if axis else None


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
