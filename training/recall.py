"""Writes what the kernel was taught, for :mod:`llmos.kernel.recall`, and draws examples for training from it."""

import gzip
import json
import math
import random
import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from llmos.kernel.aliases import Aliases
from llmos.kernel.examples import likely
from llmos.kernel.honest import UNKNOWN
from llmos.kernel.literals import literals
from llmos.kernel.recall import ADAPTED, ROW, Recall, Recalled, Taught, formulas
from llmos.kernel.scene import TOOL
from llmos.kernel.turns import Turn
from llmos.kernel.types import Message, Part, Source, ToolCall
from llmos.kernel.unsaid import UNSAID
from llmos.kernel.verbs import ASKED
from llmos.training.dialogues import CALCULATOR_SHARES, intent_allows_file
from llmos.training.phrasebook import SLOT, Value, entries, fill, lines, number_slots, slots
from llmos.training.pictures import subject
from llmos.training.plots import DRAWERS
from llmos.training.programs import program
from llmos.training.questions import QUESTIONS

TRIES = 60  # fillings of a program's request until its numbers are its own
DRAWS = 3  # fillings of a phrase: some slots are spelled in several ways
TWIN = 0.9  # a phrase as like a request as this is mostly the very one that it was made of
WHOLE, FAR = 0.35, 0.25  # shares of requests that see it all the same, and that see only phrases farther away
LOST = 0.05  # share of examples left out
_RAW = re.compile(r"(?<![\w.@~&])\d+(?:\.\d+)?")
_WRITTEN = re.compile(r"\d{4}-\d\d-\d\d|\d+(?:\.\d+)?")
_GIVEN = re.compile(r"[@~]\d+")
_NAMED = re.compile(r"([@~#&])\d+")
_COLUMNS = {"x", "y", "y2", "y3", "cat"}
_NUMBERS = {"n", "n2", "from", "to"}

# What is done for each kind of phrase, in a word and what follows it; which columns it takes is for the kernel to find.
PLOTS = {
    "plot_log": "plot # # log",
    "plot_line": "line # #",
    "plot_bar": "bar # #",
    "plot_scatter": "scatter # #",
    "plot_hist": "hist #",
    "plot_pie": "pie # #",
    "plot_box": "box # #",
    "plot_multi": "plot # # #",
    "plot_group": "lines # # #",
    "plot_compare": "compare # # # '' ''",
    "plot_filter": "plot # # where # ''",
    "plot_top": "bar # # best @",
    "plot_range": "plot # # since @",
    "plot_until": "plot # # until @",
    "plot_bottom": "bar # # worst @",
    "plot_multi3": "plot # # # #",
    "plot_area": "area # #",
    "plot_barh": "barh # #",
    "plot_scatter_by": "clusters # # #",
    "plot_count": "tally #",
    "plot_total": "sums # #",
    "plot_mean": "averages # #",
}
PLAIN = "plot # #"
BETWEEN = "plot # # between @ @"
CHANGES = {
    "follow_log": "logarithmic",
    "follow_linear": "linear",
    "follow_trend": "trend",
    "follow_extrapolate": "extrapolate @",
    "follow_grid": "grid",
    "follow_markers": "markers",
    "follow_title": "title ''",
    "follow_xlabel": "xlabel ''",
    "follow_ylabel": "ylabel ''",
    "follow_bar": "bar # #",
    "follow_line": "line # #",
    "follow_scatter": "scatter # #",
    "follow_color": "plot # # color ''",
    "follow_other": "plot # #",
    "follow_filter": "plot # # where # ''",
    "follow_range": "plot # # since @",
    "follow_until": "plot # # until @",
    "follow_sort": "bar # # sorted",
    "follow_rotate": "turned",
    "follow_add": "plot # # #",
    "follow_split": "lines # # #",
    "follow_smooth": "smooth @ # #",
    "follow_barh": "barh # #",
    "follow_area": "area # #",
    "follow_again": "plot # #",
    "follow_bins": "bins @ #",
    "follow_top": "bar # # best @",
    "follow_bottom": "bar # # worst @",
    "on_max": "highest #",
    "on_min": "lowest #",
    "on_mean": "mean #",
    "on_sum": "total #",
    "on_median": "median #",
    "on_spread": "spread #",
    "on_range": "range #",
    "on_gain": "gain #",
    "on_rise": "rise #",
    "on_which_max": "most # #",
    "on_which_min": "least # #",
    "on_rows": "rows",
}


def taught(seed: int = 0) -> list[Taught]:
    """Every phrase with short names for what it names, and its answer."""
    rng = random.Random(seed)
    every = [*calculations(rng), *programs(rng), *words(), *tables(), *images(rng)]
    # What a calculation answers needs no program.
    plain = {normal(t.pattern) for t in every if t.kind == "calculator"}
    kept = (t for t in every if normal(t.pattern) and not (t.kind == "python" and normal(t.pattern) in plain))
    # An answer that spells a formula, and does not name it, answers no other request.
    kept = (t for t in kept if t.kind not in ADAPTED or formulas(t.pattern) <= formulas(t.answer))
    return list(dict.fromkeys(kept))


def normal(pattern: str) -> str:
    """A pattern without case, end mark and the numbers of its names."""
    return _NAMED.sub(r"\1", pattern.lower()).strip(" ?.!")


def calculations(rng: random.Random) -> Iterator[Taught]:
    """Phrases on calculations, each with its expression."""
    for kind in [*CALCULATOR_SHARES, "calc_on"]:
        if kind == "calc_error":
            continue
        for line in lines(kind):
            request, expression = line.split(" => ")
            fixed = {literal.value for literal in literals(SLOT.sub(" _ ", request))}
            for _ in range(DRAWS):
                values = apart(slots(request), fixed, rng)
                said = fill(request, {k: v.said for k, v in values.items()})
                written = fill(expression, {k: v.written for k, v in values.items()})
                pattern, made = told(said, "calculator", "expression", written)
                # A number drawn for this request would come out for any other; one of the phrase itself may stand.
                drawn, own = {v.written for v in values.values()}, set(_RAW.findall(SLOT.sub(" ", expression)))
                left = set(_RAW.findall(made))
                # One that equals a number of the phrase would be taken for it, and a number that was worked out from
                # those of the phrase fits no others.
                worked_out = _RAW.search(SLOT.sub(" ", request)) and left - UNSAID
                if not drawn & (own | left) and not worked_out:
                    yield Taught("calculator", pattern, made)


def apart(names: set[str], fixed: Collection[str], rng: random.Random) -> dict[str, Value]:
    """Values for slots, each number of them another one, and none a phrase's own: one name may stand for one number.

    Where they are always the same after some tries, such as in a phrase with many small numbers, as they come.
    """
    for _ in range(TRIES):
        values = number_slots(names, rng)
        numbers = [n for value in values.values() for n in set(_WRITTEN.findall(value.written))]
        if len(numbers) == len({*numbers, *fixed}) - len(set(fixed)):
            break
    return values


def programs(rng: random.Random) -> Iterator[Taught]:
    """Small programs without a table."""
    for task in entries("python"):
        for prompt in task["prompts"]:
            # A number drawn that the program has besides would come out for any other.
            own = set(_RAW.findall(SLOT.sub(" ", f"{prompt} {task['code']}")))
            made = next(
                (m for m in (program(task, str(prompt), rng) for _ in range(TRIES)) if not own & set(m.numbers)), None
            )
            if made is None:
                continue
            pattern, code = told(made.request, "python", "code", made.open)
            # A number that a formula's name hides would come out for any other.
            hidden = set(_RAW.findall(made.request)) - set(_RAW.findall(SLOT.sub(" ", str(prompt))))
            if "&" in pattern and hidden & set(_RAW.findall(code)):
                continue
            # A number that the program does not take from its request fits no others.
            if "pairs" not in dict(made.slots) and not set(_GIVEN.findall(ROW.sub("", pattern))) <= set(
                _GIVEN.findall(code)
            ):
                continue
            yield Taught("python", pattern, code, told(made.request, "python", "code", made.says)[1], made.slots)


def words() -> Iterator[Taught]:
    """What is answered without a tool."""
    for entry in [*entries("direct"), *entries("facts")]:
        # What asks for a file first is of no use where there is one.
        kind = "say" if intent_allows_file(entry) else "lack"
        for prompt in entry["prompts"]:
            yield Taught(kind, told(str(prompt))[0], str(entry["answers"][0]))
    for line in lines("unknown"):
        yield Taught("say", told(line)[0], UNKNOWN)


def tables() -> Iterator[Taught]:
    """What is asked of tables and changed in plots, columns bare."""
    for kind in DRAWERS:
        for line in lines(kind):
            answer = BETWEEN if kind == "plot_range" and "{to}" in line else PLOTS.get(kind, PLAIN)
            yield Taught("table", bare(line), f"`{answer}")
    for kind in QUESTIONS:
        for line in lines(kind):
            yield Taught("table", bare(line), f"`{asked(QUESTIONS[kind])}")
    for kind in CHANGES:
        for line in lines(kind):
            yield Taught("change", bare(line), f"`{CHANGES[kind]}")
            if kind == "follow_bins" and "hist" in line.lower():
                yield Taught("table", bare(line), f"`{CHANGES[kind]}")


def images(rng: random.Random) -> Iterator[Taught]:
    """Requests for pictures; what one shows is for the kernel to find."""
    for line in lines("image"):
        for _ in range(DRAWS if SLOT.search(line) else 1):
            yield Taught(TOOL, told(fill(line, {"scene": subject(rng)}))[0], TOOL)
    for line in lines("image_story"):
        yield Taught(TOOL, line, TOOL)


def asked(verb: str) -> str:
    """A verb of a question with what follows it, bare."""
    signs = {"x": "#", "n": "#", "c": "#", "k": "@", "v": "@" if verb == "change" else "''"}
    return " ".join([verb, *(signs[role] for role in ASKED[verb][0])])


def bare(line: str) -> str:
    """A phrase with ``#1`` for its columns and ``@1`` for its numbers, its other slots left out."""
    text = SLOT.sub(lambda m: "#1" if m[1] in _COLUMNS else "@1" if m[1] in _NUMBERS else "", line)
    return " ".join(text.split())


def told(request: str, tool: str = "", argument: str = "", written: str = "") -> tuple[str, str]:
    """A request and what a call was given, with short names."""
    asked = Message("user", (Part(request, Source("user")),))
    call = ToolCall("c", tool, {argument: written})
    heard, made = Aliases([asked, Message("assistant", (), (call,))]).messages
    (call_told,) = made.calls
    assert isinstance(call_told, ToolCall)
    return heard.text, str(call_told.arguments[argument])


class Lessons:
    """Examples as training shows them: without the very phrase that a request was made of, most of the time.

    Requests of real people are less like what was taught than phrases are like one another, so the likeliest examples
    are left out by chance, and the kernel learns when to follow one and when to write on its own.
    """

    def __init__(self, recall: Recall, seed: int) -> None:
        self._recall, self._rng = recall, random.Random(seed)

    def __call__(self, turn: Turn) -> Sequence[Recalled]:
        roll = self._rng.random()
        below = math.inf if roll < WHOLE else TWIN if roll < 1 - FAR else self._rng.uniform(0.4, TWIN)
        return [
            r
            for r in likely(self._recall, turn.gist, turn.kinds, turn.values, below, request=turn.request)
            if self._rng.random() > LOST
        ]


def write(path: Path, known: Sequence[Taught] | None = None) -> None:
    """The file that ships beside the weights: what is taught, or ``known``."""
    known = taught() if known is None else known
    rows = ([t.kind, t.pattern, t.answer, *([t.says, t.slots] if t.says else [])] for t in known)
    made = (json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows)
    lines = "".join(f"{row}\n" for row in made)
    path.write_bytes(gzip.compress(lines.encode(), mtime=0))
