"""What was done in a session, for requests that go on from it: verbs with what they were done to, and calculations.

A verb is read back from its code, with all the rows and the manner of a chart. Knows verbs, no models and no requests.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from llmos.kernel.going_words import OF_ALL
from llmos.kernel.kept import KEPT, clauses, cut
from llmos.kernel.noted import content
from llmos.kernel.results import label
from llmos.kernel.slots import Column
from llmos.kernel.types import ToolCall
from llmos.kernel.verbs import ASKED, CHANGED, CHARTS, FIXED, MANNERS, ROWS, Misspelt, loaded, spell, split, verbs

Clause = tuple[str, ...]
_UNIT_OF = {"km": "km", "kg": "kg", "miles": "miles", "m": "m", "cm": "cm", "mm": "mm", "g": "g", "min": "minutes",
            "minutes": "minutes", "h": "hours", "hours": "hours", "hour": "hours", "days": "days", "seconds": "seconds",
            "litres": "litres", "liters": "litres", "m2": "m2", "mb": "mb", "weeks": "weeks"}  # fmt: skip
_Q = r"(?:'[^']*'|\"[^\"]*\")"
_V = rf"(?:{_Q}|-?\d[\d.]*)"
_CHART = re.compile(
    rf"ax = df(?:\[(?P<rows>.*?)\])?(?P<cut>\.n(?:larg|small)est\(\d+, {_Q}\)|\.sort_values\({_Q}, ascending=False\))?"
    rf"\.(?:plot\(x=(?P<x>{_Q}), y=(?P<y>{_Q}|\[{_Q}(?:, {_Q})+\])|pivot_table\(index=(?P<i>{_Q}), columns={_Q}, "
    rf"values=(?P<v>{_Q})\)\.plot\()(?P<how>.*)\)"
)
_ONE = re.compile(rf"df\[({_Q})\](?: (==|>=|<=) ({_V})|\.isin\(\[(.*?)\]\)|\.between\(({_V}), ({_V})\))")
_BARE = re.compile(r"-?\d[\d.:-]*")
_PLAIN = re.compile(r"-?\d+(?:\.\d+)?")
_MEASURED = re.compile(r"(?:[^=,]* = )?(-?\d+(?:\.\d+)?)(?: ([^\W\d][\w/^]*))?")


@dataclass(frozen=True, slots=True)
class Act:
    """A verb that was done to a table: the words of its places, which rows, how it was drawn, and what came of it."""

    verb: str
    given: tuple[str, ...]
    rows: tuple[Clause, ...] = ()
    how: tuple[Clause, ...] = ()
    result: str = ""

    @property
    def chart(self) -> bool:
        """Whether it drew."""
        return self.verb not in ASKED

    @property
    def places(self) -> str:
        """The roles of what is given; of a chart its axis, then its numbers."""
        return FIXED[self.verb][0] if self.verb in FIXED else "x" + "n" * (len(self.given) - 1)

    def of(self, roles: str) -> list[str]:
        """What is given in these roles."""
        return [word for role, word in zip(self.places, self.given, strict=False) if role in roles]

    def said(self) -> str:
        """As :func:`llmos.kernel.verbs.spell` reads it."""
        told = []
        for word, *rest in self.rows:
            if self.verb in CHARTS and word != "where":
                # A chart's times are those of its axis.
                told += [word, *rest[1:]] if rest[:1] == [self.given[0]] and word in ROWS else []
            elif self.verb in CHARTS or self.verb in ASKED:
                told += [word, *rest]
        return " ".join([self.verb, *self.given, *told, *(w for clause in self.how for w in clause)])


@dataclass
class Past:
    """What was done in a session, the latest last.

    ``numbers``: what single numbers came out, each with its unit, empty for most; ``sums``: the calculations behind
    them, empty for what a table was asked.
    """

    acts: list[Act] = field(default_factory=list)
    numbers: list[tuple[str, str]] = field(default_factory=list)
    sums: list[str] = field(default_factory=list)
    last: str = ""  # the tool of the last result
    fresh: bool = False  # whether the turn before computed something
    labels: list[frozenset[str]] = field(default_factory=list)  # the words that each number is known by (see results)
    columns: Sequence[Column] = ()  # of the last table
    _new: bool = False
    _request: str = ""

    def turn(self, request: str = "") -> None:
        """A request begins."""
        self.fresh, self._new, self._request = self._new, False, request

    def did(self, call: ToolCall | None, result: str, columns: Sequence[Column]) -> None:
        """A call was made; what failed tells nothing."""
        self.columns = columns
        if call is None or result.startswith("error"):
            return
        if call.name == "calculator":
            self.reckoned(str(call.arguments.get("expression", "")), result)
        elif call.name == "python":
            self.ran(str(call.arguments.get("code", "")), result, columns)

    def alike(self) -> bool:
        """Whether the last two things asked were the same of two things."""
        pair = self.acts[-2:]
        return len(pair) == 2 and pair[0].verb == pair[1].verb and not pair[0].chart

    def reckoned(self, expression: str, result: str) -> None:
        """A calculation was done."""
        self.last, self._new = "calculator", True
        if found := _MEASURED.fullmatch(result.strip()):
            self._came(found[1], found[2] or "", expression, label("", [], content(self._request)))

    def ran(self, code: str, result: str, columns: Sequence[Column]) -> None:
        """Code for a table was run."""
        act = read(loaded(code), columns)
        if act is None:
            return
        self.last, self._new = "python", True
        act = replace(act, result=result)
        if not act.chart and (number := figure(act)):
            of = [columns[int(n[1:]) - 1].name for n in act.of("n")]
            values = [w.strip("'\"") for clause in act.rows for w in clause[2:]] + [v.strip("'\"") for v in act.of("v")]
            self._came(number, unit_of(of[-1]) if of else "", "", label(act.verb, of, values))
        if act.verb not in CHANGED:
            self.acts.append(act)

    def _came(self, number: str, unit: str, expression: str, known: frozenset[str]) -> None:
        self.numbers.append((number, unit))
        self.sums.append(expression)
        self.labels.append(known)

    @property
    def act(self) -> Act | None:
        """The last verb that was not a mere change to a chart."""
        return self.acts[-1] if self.acts else None


def figure(act: Act) -> str:
    """The one number that came of a question; empty where there is none."""
    shown = act.result.strip()
    if _PLAIN.fullmatch(shown):
        return shown
    if found := re.fullmatch(r"\[(-?\d+(?:\.\d+)?)\]", shown):
        return found[1]
    cells = shown.splitlines()[-1].rsplit(",", 1) if shown else [""]
    single = len(shown.splitlines()) == 2 and act.verb not in ("best", "worst", "names", "head", "tail", "pick")
    return cells[-1] if single and len(cells) == 2 and _PLAIN.fullmatch(cells[-1]) else ""


def name(act: Act) -> str:
    """What was found to be the most, the least or the like; empty where nothing was."""
    lines = act.result.strip().splitlines()
    if len(lines) != 2 or act.verb not in (
        "most",
        "least",
        "second",
        "topsum",
        "lowsum",
        "topmean",
        "lowmean",
        "common",
    ):
        return ""
    return lines[1].rsplit(",", 1)[0].strip('"') if "," in lines[1] else ""


def read(code: str, columns: Sequence[Column]) -> Act | None:
    """The verb that code for a table does; None where it does none."""
    said = next((v for v in verbs(code, columns)), None)
    if said is None:
        return _drawn(code, columns)
    return parsed(said, columns)


def parsed(said: str, columns: Sequence[Column]) -> Act:
    """A verb with what it is done to, from how it is told."""
    verb, rest = split(said)
    if verb in CHARTS:
        count = next((n for n, w in enumerate(rest) if w[0] != "#"), len(rest))
        rows, how = _told(rest[0] if rest else "", rest[count:])
        return Act(verb, tuple(rest[:count]), rows, how)
    at = cut(rest) if verb in ASKED else len(rest)
    return Act(verb, tuple(rest[:at]), tuple(tuple(c) for c in clauses(rest[at:])))


def _told(axis: str, words: Sequence[str]) -> tuple[tuple[Clause, ...], tuple[Clause, ...]]:
    """Which rows a chart has and how it is drawn, from the words behind its columns."""
    rows: list[Clause] = []
    how: list[Clause] = []
    for word in words:
        if word in ("since", "until", "between"):
            rows.append((word, axis))
        elif word == "where":
            rows.append((word,))
        elif word in ROWS or word in MANNERS:
            how.append((word,))
        elif how:
            how[-1] += (word,)
        elif rows:
            rows[-1] += (word,)
    return tuple(rows), tuple(how)


def _drawn(code: str, columns: Sequence[Column]) -> Act | None:
    """A chart of some rows, whose code several words told."""
    found = _CHART.fullmatch(code)
    if found is None:
        return None
    numbers = {c.name: f"#{n}" for n, c in reversed(list(enumerate(columns, 1)))}
    x, ys = found["x"] or found["i"], re.findall(_Q, found["y"] or found["v"])
    if not {x[1:-1], *(y[1:-1] for y in ys)} <= numbers.keys():
        return None
    given = [numbers[q[1:-1]] for q in (x, *ys)]
    rows = list(_conditions(found["rows"] or "", numbers))
    words = [w for clause in rows for w in (clause if clause[0] == "where" else (clause[0], *clause[2:]))]
    if cut_ := found["cut"]:
        words += ["sorted"] if "sort" in cut_ else ["best" if "larg" in cut_ else "worst", re.findall(r"\d+", cut_)[0]]
    words += ["log"] if "logy=True" in found["how"] else []
    words += ["color", color[1]] if (color := re.search(rf"color=({_Q})", found["how"])) else []
    for verb in CHARTS:
        said = " ".join([verb, *given, *words])
        try:
            if spell(said, columns) == code:
                return parsed(said, columns)
        except Misspelt:
            pass
    return None


def _conditions(text: str, numbers: dict[str, str]) -> Iterator[Clause]:
    for column, sign, value, several, low, high in _ONE.findall(text):
        name_ = numbers.get(column[1:-1], "#0")
        if several:
            yield ("where", name_, *map(plain, re.findall(_V, several)))
        elif low:
            yield ("between", name_, plain(low), plain(high))
        else:
            yield ({"==": "where", ">=": "since", "<=": "until"}[sign], name_, plain(value))


def plain(value: str) -> str:
    """A value as it is told: numbers and days without quotes."""
    bare = value.strip("'\"")
    return bare if _BARE.fullmatch(bare) else value


def asked_rows(act: Act) -> tuple[Clause, ...]:
    """The rows that a verb is of as a question tells them: the value it was asked of is one of them."""
    rows = [clause for clause in act.rows if clause[0] in KEPT]
    if act.verb in ("meanof", "sumof", "count", "pick", "portion"):
        column, value = act.of("c")[0], act.of("v")[0]
        rows.append(("where", column, value))
    if act.verb == "compare":
        rows.append(("where", act.of("c")[0], *act.of("v")))
    return tuple(rows)


def portion(text: str, act: Act) -> Act | None:
    """Of the rows that were counted, how many of all they are in percent."""
    kept = asked_rows(act)
    if not (kept and act.verb in ("rows", "count") and OF_ALL.search(text)):
        return None
    *rest, (word, *column_and_value) = kept
    return (
        Act("portion", tuple(column_and_value), tuple(rest)) if word == "where" and len(column_and_value) == 2 else None
    )


def unit_of(column: str) -> str:
    """What a column's name says its numbers are measured in; empty where it says nothing."""
    found = [w for w in re.findall(r"[a-z]+2?", column.lower()) if w in _UNIT_OF]
    return _UNIT_OF[found[-1]] if found else ""


def code_verb(text: str) -> str:
    """The verb that is being done at the end of a text; empty where there is none, or it is not whole."""
    said = text[text.rfind("`") + 1 :]
    return said.split(" ")[0] if "`" in text else ""
