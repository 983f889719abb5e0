"""What may be done with a table, a word each: the embedded kernel says `` `bar #1 #3 `` and Python code comes out.

A verb is followed by what it is done to: columns (``#1``), numbers and days, words in quotes; and which rows it is of
(see kept), drawings also by how. What has to be known of the table (that years repeat, that names are no axis for a
line) is settled here, so that the kernel has to know what was asked for and never how it is written. Knows no models.

Source: Yin & Neubig 2017, "A syntactic neural model for general-purpose code generation" (choose the action, then what
fills it).
"""

import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from llmos.kernel.kept import KEPT, Unkept, cut, keep, kept
from llmos.kernel.kept import quoted as _quoted
from llmos.kernel.slots import NUMBERS, TIMES, Column

# What follows a verb: x an axis, n a number column, c a column of groups, v a value of the column before it, k a number
# or a day, t words.
ASKED = {
    "mean": ("n", "df[{0}].mean()"),
    "total": ("n", "df[{0}].sum()"),
    "highest": ("n", "df[{0}].max()"),
    "lowest": ("n", "df[{0}].min()"),
    "median": ("n", "df[{0}].median()"),
    "spread": ("n", "df[{0}].std()"),
    "range": ("n", "df[{0}].max() - df[{0}].min()"),
    "growth": ("n", "df[{0}].iloc[-1] / df[{0}].iloc[0]"),
    "correlation": ("nn", "df[{0}].corr(df[{1}])"),
    "rows": ("", "len(df)"),
    "size": ("", "df.shape"),
    "columns": ("", "list(df.columns)"),
    "summary": ("", "df.describe()"),
    "missing": ("", "df.isna().sum()"),
    "head": ("k", "df.head({0})"),
    "sort": ("n", "df.sort_values({0}, ascending=False).head(10)"),
    "most": ("xn", "df.nlargest(1, {1})[[{0}, {1}]]"),
    "least": ("xn", "df.nsmallest(1, {1})[[{0}, {1}]]"),
    "best": ("kxn", "df.nlargest({0}, {2})[[{1}, {2}]]"),
    "lookup": ("xvn", "df.loc[df[{0}] == {1}, {2}].tolist()"),
    "change": ("xnvv", "s = df.set_index({0})[{1}]\ns[{3}] - s[{2}]"),
    "share": ("xvn", "100 * df.loc[df[{0}] == {1}, {2}].sum() / df[{2}].sum()"),
    "above": ("nk", "len(df[df[{0}] > {1}])"),
    "below": ("nk", "len(df[df[{0}] < {1}])"),
    "over": ("xnk", "df.loc[df[{1}] > {2}, {0}].tolist()"),
    "under": ("xnk", "df.loc[df[{1}] < {2}, {0}].tolist()"),
    "first": ("xnk", "df.loc[df[{1}] > {2}, {0}].head(1).tolist()"),
    "exceeds": ("xnn", "df.loc[df[{1}] > df[{2}], {0}].tolist()"),
    "means": ("cn", "df.groupby({0})[{1}].mean()"),
    "totals": ("cn", "df.groupby({0})[{1}].sum()"),
    "counts": ("c", "df[{0}].value_counts()"),
    "values": ("c", "df[{0}].unique().tolist()"),
    "kinds": ("c", "df[{0}].nunique()"),
    "topsum": ("cn", "df.groupby({0})[{1}].sum().nlargest(1)"),
    "lowsum": ("cn", "df.groupby({0})[{1}].sum().nsmallest(1)"),
    "topmean": ("cn", "df.groupby({0})[{1}].mean().nlargest(1)"),
    "meanof": ("cvn", "df[df[{0}] == {1}][{2}].mean()"),
    "sumof": ("cvn", "df[df[{0}] == {1}][{2}].sum()"),
    "count": ("cv", "len(df[df[{0}] == {1}])"),
    "pick": ("cv", "df[df[{0}] == {1}]"),
    "names": ("x", "df[{0}].tolist()"),
    "higher": ("nn", "int((df[{0}] > df[{1}]).sum())"),
    "second": ("xn", "df.nlargest(2, {1})[[{0}, {1}]].tail(1)"),
    "worst": ("kxn", "df.nsmallest({0}, {2})[[{1}, {2}]]"),
    "tail": ("k", "df.tail({0})"),
    "gain": ("n", "df[{0}].iloc[-1] - df[{0}].iloc[0]"),
    "rise": ("n", "100 * (df[{0}].iloc[-1] / df[{0}].iloc[0] - 1)"),
    "ratio": ("nn", "df[{0}].sum() / df[{1}].sum()"),
    "within": ("nkk", "len(df[df[{0}].between({1}, {2})])"),
    "portion": ("cv", "100 * (df[{0}] == {1}).mean()"),
    "often": ("nk", "100 * (df[{0}] > {1}).mean()"),
    "gap": ("cnvv", "s = df.groupby({0})[{1}].sum()\ns[{2}] - s[{3}]"),
    "meangap": ("cnvv", "s = df.groupby({0})[{1}].mean()\ns[{2}] - s[{3}]"),
    "lowmean": ("cn", "df.groupby({0})[{1}].mean().nsmallest(1)"),
    "common": ("c", "df[{0}].value_counts().nlargest(1)"),
    "rare": ("c", "df[{0}].value_counts().nsmallest(1)"),
    "pergroup": ("c", "df[{0}].value_counts().mean()"),
    "peaks": ("cn", "df.groupby({0})[{1}].max()"),
    "earliest": ("x", "df[{0}].min()"),
    "latest": ("x", "df[{0}].max()"),
}
DRAWN = {
    "hist": ("n", "ax = df.plot(y={0}, kind='hist')"),
    "bins": ("kn", "ax = df.plot(y={1}, kind='hist', bins={0})"),
    "smooth": ("kxn", "ax = df.set_index({1})[{2}].rolling({0}).mean().plot()"),
    "box": ("nc", "ax = df.boxplot({0}, by={1})"),
    "lines": ("xcn", "ax = df.pivot_table(index={0}, columns={1}, values={2}).plot()"),
    "compare": (
        "xcnvv",
        "ax = df[df[{1}].isin([{3}, {4}])].pivot_table(index={0}, columns={1}, values={2}).plot()",
    ),
    "clusters": (
        "nnc",
        "ax = plt.gca()\nax.set(xlabel={0}, ylabel={1})\nfor name, part in df.groupby({2}):\n"
        "    ax.scatter(part[{0}], part[{1}], label=name)\nkey = ax.legend(title={2})",
    ),
    "tally": ("c", "ax = df[{0}].value_counts().plot(kind='bar')"),
    "sums": ("cn", "ax = df.groupby({0})[{1}].sum().plot(kind='bar')"),
    "averages": ("cn", "ax = df.groupby({0})[{1}].mean().plot(kind='bar')"),
}
CHANGED = {
    "logarithmic": ("", "ax.set_yscale('log')\nax.figure"),
    "linear": ("", "ax.set_yscale('linear')\nax.figure"),
    "trend": ("", "trend(ax)\nax.figure"),
    "extrapolate": ("k", "trend(ax, until='{0}')\nax.figure"),
    "turned": ("", "ax.tick_params(axis='x', rotation=60)\nax.figure"),
    "grid": ("", "ax.grid(True)\nax.figure"),
    "markers": ("", "ax.lines[0].set_marker('o')\nax.figure"),
    "title": ("t", "ax.set_title({0})\nax.figure"),
    "xlabel": ("t", "ax.set_xlabel({0})\nax.figure"),
    "ylabel": ("t", "ax.set_ylabel({0})\nax.figure"),
}
FIXED = ASKED | DRAWN | CHANGED
# Drawings of one column or more over another; in these the rows and the manner may be told.
CHARTS = {
    "plot": "",
    "line": "",
    "bar": "kind='bar'",
    "barh": "kind='barh'",
    "area": "kind='area'",
    "scatter": "kind='scatter'",
    "pie": "kind='pie'",
}
ROWS = {"where": "cv", "since": "v", "until": "v", "between": "vv", "best": "k", "worst": "k", "sorted": ""}
MANNERS = {"log": "", "color": "t"}
VERBS = (*FIXED, *CHARTS)
DRAWS = frozenset([*DRAWN, *CHARTS])

_WORD = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|\S+")
_OPEN = re.compile(r"(?:^|\s)(['\"][^'\"]*)$")
_LOAD = re.compile(r"^df = load\(('[^']*'|\"[^\"]*\")\)\n")
_Q = r"(?:'[^']*'|\"[^\"]*\")"
_V = rf"(?:{_Q}|-?\d[\d.]*)"
_QUOTED, _GIVEN = re.compile(_Q), re.compile(_V)
_NUMBER, _BARE = re.compile(r"-?\d[\d.]*"), re.compile(r"-?\d[\d.:-]*")
_FORMS = dict.fromkeys("xnct", _Q) | {"v": _V, "k": r"-?\d[\d.:-]*"}
_ROWS = [
    ("where", re.compile(rf"\[df\[{_Q}\] == {_V}\]")),
    ("since", re.compile(rf"\[df\[{_Q}\] >= {_V}\]")),
    ("until", re.compile(rf"\[df\[{_Q}\] <= {_V}\]")),
    ("between", re.compile(rf"\[df\[{_Q}\]\.between\({_V}, {_V}\)\]")),
    ("best", re.compile(rf"\.nlargest\(\d+, {_Q}\)")),
    ("sorted", re.compile(rf"\.sort_values\({_Q}, ascending=False\)")),
    ("worst", re.compile(rf"\.nsmallest\(\d+, {_Q}\)")),
]
_CHART = re.compile(
    rf"ax = df(?P<rows>|{'|'.join(form.pattern for _, form in _ROWS)})"
    rf"\.plot\((?P<over>x={_Q}, y=(?:{_Q}|\[{_Q}(?:, {_Q})+\]))(?P<how>.*)\)"
)
_GROUPED = re.compile(
    rf"ax = df\.(?P<over>groupby\({_Q}\)\[{_Q}\]\.(?:mean|sum)\(\)|set_index\({_Q}\)\[{_Q}\]"
    rf"|pivot_table\(index={_Q}, columns={_Q}, values={_Q}\))\.plot\((?P<how>.*)\)"
)
_COLOR = re.compile(rf"color=({_Q})")
_SIGNED = re.compile(r"#\d+")


class Misspelt(Exception):
    """What was said is not a verb with all that it needs."""


@dataclass(frozen=True, slots=True)
class Place:
    """What is being said: its role as above, ``verb`` for the verb itself and empty for what may follow at will; how
    much of it there is; the verb and the columns said before. ``following`` is the role of what comes after it."""

    role: str
    begun: str
    verb: str
    used: frozenset[int]
    following: str = ""


def spell(said: str, columns: Sequence[Column]) -> str:
    """The Python code for a verb and what it is done to; numbers and words as they are, columns as ``#1``.

    Raises Misspelt.
    """
    verb, rest = split(said)
    if verb in FIXED:
        places, code = FIXED[verb]
        at = cut(rest) if verb in ASKED else len(rest)
        rest, rows = rest[:at], rest[at:]
        if len(rest) != len(places):
            raise Misspelt(said)
        filled: list[str] = []
        near = None
        for role, word in zip(places, rest, strict=True):
            column = _column(word, columns) if role in "xnc" else None
            near = column if role in "xc" else near
            filled.append(_quoted(column.name) if column else _value(role, word, near))
        try:
            return keep(code.format(*filled), rows, columns)
        except Unkept:
            raise Misspelt(said) from None
    if verb in CHARTS:
        return _chart(verb, rest, columns)
    raise Misspelt(said)


def split(said: str) -> tuple[str, list[str]]:
    """A verb, and the words that follow it."""
    verb, *rest = _WORD.findall(said) or [""]
    return verb, rest


def verbs(code: str, columns: Sequence[Column]) -> Iterator[str]:
    """The verbs whose code this is, each with what it is done to; the plainest first."""
    whole, rows = kept(code, columns)
    for verb in _guesses(whole, {c.name: n for n, c in reversed(list(enumerate(columns, 1)))}):
        guess = f"{verb} {rows}" if rows else verb
        try:
            if spell(guess, columns) == code:
                yield guess
        except Misspelt:
            pass


def gist(said: str) -> str:
    """A verb with bare columns, numbers and words, as examples tell it."""
    signs = {"#": "#", "'": "''", '"': "''"}
    return " ".join(signs.get(w[0], "@" if w[0] in "@~-" or w[0].isdigit() else w) for w in _WORD.findall(said))


def loaded(code: str) -> str:
    """Code without a line before it that loads a table."""
    return _LOAD.sub("", code, count=1)


def place(said: str) -> Place:
    """What is being said at the end of ``said``, a verb and part of what follows."""
    opened = _OPEN.search(said)
    words = _WORD.findall(said[: opened.start(1)] if opened else said)
    begun = opened[1] if opened else words.pop() if words and not said.endswith(" ") else ""
    if not words:
        return Place("verb", begun, "", frozenset(), _role([begun], ""))
    used = frozenset(int(w[1:]) for w in words if _SIGNED.fullmatch(w))
    return Place(_role(words, begun), begun, words[0], used, _role([*words, begun], ""))


def _role(done: Sequence[str], begun: str) -> str:
    verb, *rest = done
    places = FIXED[verb][0] if verb in FIXED else "xn" if verb in CHARTS else ""
    if len(rest) < len(places):
        return places[len(rest)]
    words = ROWS | MANNERS if verb in CHARTS else KEPT if verb in ASKED else {}
    last = next((n for n in range(len(rest) - 1, len(places) - 1, -1) if rest[n] in words), None)
    if last is None:
        return "n" if begun.startswith("#") and verb in CHARTS else ""
    wants = words[rest[last]]
    after = len(rest) - last - 1
    return wants[after] if after < len(wants) else ""


def _chart(verb: str, rest: list[str], columns: Sequence[Column]) -> str:
    """The code of one of :data:`CHARTS`."""
    count = next((n for n, w in enumerate(rest) if w[0] != "#"), len(rest))
    if count < 2:
        raise Misspelt(verb)
    x, *ys = [_column(w, columns) for w in rest[:count]]
    ways = {"since": "df[{}] >= {}", "until": "df[{}] <= {}", "between": "df[{}].between({}, {})"}
    kept: list[str] = []  # what rows have to be
    cut, how, several = "", "", None
    words = deque(rest[count:])
    try:
        while words:
            word = words.popleft()
            if word == "where":
                group = _column(words.popleft(), columns)
                values = [_value("v", words.popleft(), group)]
                while words and words[0] not in ROWS and words[0] not in MANNERS:
                    values.append(_value("v", words.popleft(), group))
                several = group if len(values) > 1 else several
                name = _quoted(group.name)
                kept.append(
                    f"df[{name}] == {values[0]}" if len(values) == 1 else f"df[{name}].isin([{', '.join(values)}])"
                )
            elif word in ways:
                ends = [_value("v", words.popleft(), x) for _ in ROWS[word]]
                kept.append(ways[word].format(_quoted(x.name), *ends))
            elif word in ("best", "worst"):
                most = "nlargest" if word == "best" else "nsmallest"
                cut = f".{most}({_value('k', words.popleft(), None)}, {_quoted(ys[0].name)})"
            elif word == "sorted":
                cut = f".sort_values({_quoted(ys[0].name)}, ascending=False)"
            elif word == "log":
                how += ", logy=True"
            elif word == "color":
                how += f", color={_value('t', words.popleft(), None)}"
            else:
                raise Misspelt(word)
    except IndexError:
        raise Misspelt(verb) from None
    rows = f"[{kept[0]}]" if len(kept) == 1 else f"[({') & ('.join(kept)})]" if kept else ""
    if several is not None and several is not x and x.kind in TIMES and len(ys) == 1:
        pivot = f"pivot_table(index={_quoted(x.name)}, columns={_quoted(several.name)}, values={_quoted(ys[0].name)})"
        return f"ax = df{rows}.{pivot}.plot({', '.join(o for o in (CHARTS[verb], how[2:]) if o)})"
    rows += cut
    return _drawn(verb, x, ys, rows, how, columns)


def _drawn(verb: str, x: Column, ys: Sequence[Column], rows: str, how: str, columns: Sequence[Column]) -> str:
    """A chart as suits its axis: times as a line, names as bars, numbers as dots, what repeats by its groups."""
    timed, name, y = x.kind in TIMES, _quoted(x.name), _quoted(ys[0].name)
    kind = "style='o'" if verb == "scatter" and len(ys) > 1 else CHARTS[verb]  # pandas scatters one column alone
    if verb == "plot" and not timed:
        kind = CHARTS["bar" if x.kind not in NUMBERS else "scatter" if len(ys) == 1 else "line"]
    options = ", ".join(o for o in (kind, how[2:]) if o)
    if verb == "pie":
        by = f"groupby({name})[{y}].sum()" if x.repeats else f"set_index({name})[{y}]"
        return f"ax = df{rows}.{by}.plot({options})"
    if x.repeats and len(ys) == 1 and not rows and verb != "scatter" and x.kind not in NUMBERS:
        group = next((c for c in columns if c.kind == "text" and c.repeats and c is not x), None)
        if timed and group is not None and verb in ("plot", "line"):
            return f"ax = df.pivot_table(index={name}, columns={_quoted(group.name)}, values={y}).plot({options})"
        return f"ax = df.groupby({name})[{y}].mean().plot({options})"
    several = f"[{', '.join(_quoted(c.name) for c in ys)}]" if len(ys) > 1 else y
    return f"ax = df{rows}.plot(x={name}, y={several}{', ' + options if options else ''})"


def _guesses(code: str, numbers: dict[str, int]) -> Iterator[str]:
    """What may have been said for this code."""

    def signs(text: str) -> list[str]:
        return [f"#{numbers[q[1:-1]]}" if q[1:-1] in numbers else q for q in _QUOTED.findall(text)]

    if chart := _CHART.fullmatch(code):
        over = " ".join(signs(chart["over"]))
        rows = [
            word + " ".join(["", *_told(chart["rows"], signs)]) for word, form in _ROWS if form.fullmatch(chart["rows"])
        ]
        for verb in CHARTS:
            yield " ".join([verb, over, *rows, *_how(chart["how"])])
    elif grouped := _GROUPED.fullmatch(code):
        names = signs(grouped["over"])
        for verb in CHARTS:
            yield " ".join([verb, names[0], names[-1], *_how(grouped["how"])])
    for verb, (places, _) in FIXED.items():
        if found := _pattern(verb).fullmatch(code):
            given = [(role, found[f"a{n}"]) for n, role in enumerate(places)]
            yield " ".join([verb, *(signs(g)[0] if role in "xnc" else _bare(g) for role, g in given)])


def _told(rows: str, signs: Callable[[str], list[str]]) -> list[str]:
    """What is said of the rows: the column for ``where`` alone, then the values."""
    column, *values = _GIVEN.findall(rows)
    if "==" in rows:
        return [*signs(column), *map(_bare, values)]
    if rows.startswith(".sort"):
        return []
    return [column] if rows[:1] == "." else [_bare(v) for v in values]


def _how(options: str) -> list[str]:
    color = _COLOR.search(options)
    return [*(["log"] if "logy=True" in options else []), *(["color", color[1]] if color else [])]


def _bare(value: str) -> str:
    """A value as it is said: numbers and days without quotes."""
    plain = value.strip("'\"")
    return plain if _BARE.fullmatch(plain) else value


@cache
def _pattern(verb: str) -> re.Pattern[str]:
    """What the code of a verb looks like, what it is done to in the order of its places."""
    places, code = FIXED[verb]
    text, seen = "", set[int]()
    for n, piece in enumerate(re.split(r"\{(\d)\}", code)):
        text += (
            re.escape(piece)
            if n % 2 == 0
            else f"(?P=a{piece})"
            if int(piece) in seen
            else f"(?P<a{piece}>{_FORMS[places[int(piece)]]})"
        )
        seen |= {int(piece)} if n % 2 else set()
    return re.compile(text)


def _column(word: str, columns: Sequence[Column]) -> Column:
    if not re.fullmatch(r"#\d+", word) or not 0 < int(word[1:]) <= len(columns):
        raise Misspelt(word)
    return columns[int(word[1:]) - 1]


def _value(role: str, word: str, column: Column | None) -> str:
    """A value as code writes it: a year or a number of a column as it is, all else in quotes."""
    if role == "k":
        if not _BARE.fullmatch(word):
            raise Misspelt(word)
        return word
    if word[0] in "'\"":
        return word
    plain = column is not None and (column.kind == "year" or column.kind in NUMBERS)
    return word if plain and _NUMBER.fullmatch(word) else _quoted(word)
