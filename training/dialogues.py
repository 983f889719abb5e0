"""Makes assistant dialogues with tool calls: phrases x tables x numbers, results by the real tools.

A dialogue is a list of messages exactly as the kernel will meet them. Knows nothing of token ids.
"""

import json
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from llmos.kernel.fills import told_whole
from llmos.kernel.honest import UNKNOWN
from llmos.kernel.tool import Tool, ToolError, ToolOutput
from llmos.kernel.types import Message, Part, Source, ToolCall
from llmos.prompts import load
from llmos.tools.calculator import evaluate, make_calculator
from llmos.tools.image import make_image
from llmos.training import follows, pictures, plots, questions
from llmos.training.phrasebook import entries, fill, lines, number_slots, slots, vary
from llmos.training.programs import program
from llmos.training.simulate import Box, preview_of
from llmos.training.tables import Table, real_tables, synthetic

USER, KERNEL, FILE, TOOL = Source("user"), Source("kernel"), Source("file"), Source("tool")

# Share of groups that ask several things of one table, each in a dialogue of its own.
TABLES = 0.17

# What the other dialogues are made of.
SHARES = {
    "calculator": 0.43,
    "plot": 0.11,
    "ask": 0.07,
    "direct": 0.16,
    "facts": 0.06,
    "unknown": 0.03,
    "python": 0.14,
    "image": 0.05,
}
STORIES = 0.06  # share of plots that a picture of the same subject follows

# What is asked of a table.
TABLE_SHARES = {"plot": 0.6, "ask": 0.37, "direct": 0.015, "calculator": 0.015}

CALCULATOR_SHARES = {
    "calc_arith": 0.12,
    "calc_percent": 0.13,
    "calc_fraction": 0.07,
    "calc_root_power": 0.08,
    "calc_stats": 0.025,
    "calc_solve": 0.09,
    "calc_calculus": 0.09,
    "calc_units": 0.1,
    "calc_dates": 0.1,
    "calc_word": 0.2,
    "calc_school": 0.09,
    "calc_error": 0.012,
}

PAINTS = 0.6  # share of dialogues that have a tool for pictures
GOES_ON = 0.12  # share of calculations that are gone on with
PLAIN = re.compile(r"\d+(?:\.\d+)?")

ANSWERS = {
    "calc_solve": "The solution is {r}.",
    "calc_calculus": "The result is {r}.",
    "calc_units": "That is {r}.",
    "calc_dates": "That is {r}.",
}


@dataclass
class Talk:
    """A dialogue being made: its messages, and the box its Python calls run in."""

    rng: random.Random
    messages: list[Message] = field(default_factory=list)
    box: Box = field(default_factory=Box)
    calls: int = 0
    paints: bool = False  # whether there is a tool for pictures

    def user(self, request: str, table: Table | None = None) -> None:
        """A request, with a file's preview before it when one is attached."""
        parts = [Part(request, USER)]
        if table is not None:
            self.box.attach(table)
            parts.insert(0, Part(preview_of(table), FILE))
        self.messages.append(Message("user", tuple(parts)))

    def call(self, tool: str, arguments: dict[str, Any], result: str) -> None:
        """A call and its result."""
        self.calls += 1
        made = ToolCall(f"call-{self.calls}", tool, arguments)
        self.messages.append(Message("assistant", (), (made,)))
        self.messages.append(Message("tool", (Part(result, TOOL),), (), made.id))

    def python(self, code: str) -> str:
        """Run code in the box and record it; returns what it printed."""
        result = self.box.run(code)
        self.call("python", {"code": code}, result)
        return result

    def answer(self, text: str) -> None:
        """The assistant's words."""
        self.messages.append(Message("assistant", (Part(text, KERNEL),)))


def pick(shares: dict[str, float], rng: random.Random) -> str:
    """A key drawn by its share."""
    return rng.choices(list(shares), list(shares.values()))[0]


def calculator(talk: Talk, table: Table | None) -> bool:
    """A calculation in words or symbols; the result is the calculator's own."""
    kind = pick(CALCULATOR_SHARES, talk.rng)
    request, expression = talk.rng.choice(lines(kind)).split(" => ")
    if "today" in expression and talk.rng.random() < 0.5:
        return False
    values = number_slots(slots(request), talk.rng)
    said = fill(request, {k: v.said for k, v in values.items()})
    written = fill(expression, {k: v.written for k, v in values.items()})
    try:
        result = evaluate(written)
    except ToolError as error:
        if kind != "calc_error":
            return False
        result = f"error: {error}"
    if len(result) > 160 or (len(result) > 90 and kind != "calc_error"):
        return False
    talk.user(vary(said, talk.rng), table)
    talk.call("calculator", {"expression": written}, result)
    if result.startswith("error: "):
        talk.answer(f"The calculator could not do this: {result[7:].rstrip('.')}.")
    else:
        talk.answer(ANSWERS.get(kind, "The answer is {r}.").format(r=result))
        if PLAIN.fullmatch(result) and talk.rng.random() < GOES_ON:
            return go_on(talk, result)
    return True


def go_on(talk: Talk, result: str) -> bool:
    """A calculation with the last result."""
    request, expression = talk.rng.choice(lines("calc_on")).split(" => ")
    values = number_slots(slots(request) - {"a"}, talk.rng)
    word = talk.rng.choice(["that", "that", "it", "this", "the result", "the answer"])
    said = fill(request, {"a": word} | {k: v.said for k, v in values.items()})
    written = fill(expression, {"a": result} | {k: v.written for k, v in values.items()})
    try:
        further = evaluate(written)
    except ToolError:
        return True
    if len(further) <= 90:
        talk.user(said)
        talk.call("calculator", {"expression": written}, further)
        talk.answer(f"The answer is {further}.")
    return True


def plot(talk: Talk, table: Table | None) -> bool:
    """A plot of a table, and now and then up to three changes to it."""
    table = table or a_table(talk.rng)
    made = plots.draw(table, talk.rng)
    if made is None:
        return False
    talk.user(vary(made.request, talk.rng), table)
    result = talk.python(made.code)
    if result.startswith("error"):
        return False
    talk.answer(made.answer)
    steps = talk.rng.choice([0, 0, 0, 1, 1, 2, 3])
    for _ in range(steps):
        change = follows.follow(table, made, talk.rng)
        if change is None:
            break
        talk.user(vary(change.request, talk.rng))
        talk.python(change.code)
        talk.answer(change.answer)
        made = change
    if talk.rng.random() < STORIES:
        return pictures.story(talk)
    if talk.rng.random() < 0.15:
        return ask_again(talk, table)
    return True


def ask_again(talk: Talk, table: Table) -> bool:
    """A question on the table that is already there."""
    made = questions.question(table, talk.rng)
    return made is None or put(talk, made, None)


def ask(talk: Talk, table: Table | None) -> bool:
    """A question that the table's numbers answer."""
    table = table or a_table(talk.rng)
    made = questions.question(table, talk.rng)
    if made is None or not put(talk, made, table):
        return False
    if talk.rng.random() < 0.15:
        return ask_again(talk, table)
    return True


def put(talk: Talk, made: questions.Question, table: Table | None) -> bool:
    """Ask, compute and read out; false when the result is not fit to be read out."""
    talk.user(vary(made.request, talk.rng), table)
    result = talk.python(made.code)
    if result.startswith("error") or "nan" in result.lower() or len(result) > 400:
        return False
    talk.answer(made.answer(result))
    return True


def direct(talk: Talk, table: Table | None) -> bool:
    """A request that needs no tool."""
    # Intents with more prompts are met more often.
    intent = talk.rng.choices(entries("direct"), [len(e["prompts"]) for e in entries("direct")])[0]
    talk.user(vary(str(talk.rng.choice(intent["prompts"])), talk.rng), table if intent_allows_file(intent) else None)
    talk.answer(str(intent["answers"][0]))
    return True


def intent_allows_file(intent: dict[str, Any]) -> bool:
    """Whether the answer stays true with a file attached (not for "attach a file first")."""
    return not re.search(r"missing|attach|no_data|file|plot_my|own_data", str(intent["intent"]))


def facts(talk: Talk, table: Table | None) -> bool:
    """A simple fact, known by heart."""
    intent = talk.rng.choice(entries("facts"))
    talk.user(vary(str(talk.rng.choice(intent["prompts"])), talk.rng), table)
    talk.answer(str(intent["answers"][0]))
    return True


def unknown(talk: Talk, table: Table | None) -> bool:
    """A fact that a small model cannot know."""
    talk.user(vary(talk.rng.choice(lines("unknown")), talk.rng), table)
    talk.answer(UNKNOWN)
    return True


def python(talk: Talk, table: Table | None) -> bool:
    """A small program without a table."""
    rng = talk.rng
    task = rng.choice(entries("python"))
    made = program(task, str(rng.choice(task["prompts"])), rng)
    if "secrets" in made.code:
        return False  # what it prints differs each time: nothing to learn, nothing to reproduce
    # A slip of the finger in a text would be another text.
    talk.user(made.request if made.slots or "'" in made.request else vary(made.request, rng), table)
    result = talk.python(made.code)
    if result.startswith("error") or len(result) > 300:
        return False
    talk.answer(told_whole(made.answer, result))
    return True


MAKERS: dict[str, Callable[[Talk, Table | None], bool]] = {
    "calculator": calculator,
    "plot": plot,
    "ask": ask,
    "direct": direct,
    "facts": facts,
    "unknown": unknown,
    "python": python,
    "image": pictures.picture,
}

CORPUS: list[Path | None] = [None]


def a_table(rng: random.Random) -> Table:
    """A synthetic table mostly, a real one of the corpus at times."""
    real = real_tables(CORPUS[0])
    return rng.choice(real) if real and rng.random() < 0.12 else synthetic(rng)


def dialogue(rng: random.Random) -> list[Message] | None:
    """One dialogue, or None when the draw did not fit. Some go on with other things in the same session."""
    talk = Talk(rng, paints=rng.random() < PAINTS)
    parts = rng.choices([1, 2, 3, 5], [0.7, 0.18, 0.07, 0.05])[0]
    for i in range(parts):
        kind = pick(SHARES, rng)
        distractor = a_table(rng) if i == 0 and kind not in ("plot", "ask") and rng.random() < 0.06 else None
        if not MAKERS[kind](talk, distractor):
            return None
    return talk.messages


def around_a_table(rng: random.Random) -> list[list[Message]]:
    """Dialogues that each begin with the same table."""
    table, made = a_table(rng), []
    for _ in range(rng.randint(3, 5)):
        talk = Talk(rng, paints=rng.random() < PAINTS)
        if MAKERS[pick(TABLE_SHARES, rng)](talk, table):
            made.append(talk.messages)
    return made


def dialogues(count: int, seed: int, corpus: Path | None = None) -> Iterator[list[list[Message]]]:
    """``count`` dialogues or a few more, in groups that begin alike; the same ones for the same seed (dates apart that
    depend on today)."""
    CORPUS[0] = corpus
    rng = random.Random(seed)
    made = 0
    while made < count:
        # Programs of the phrase files may draw numbers of their own.
        random.seed(rng.random())
        np.random.seed(rng.randrange(2**32))
        if rng.random() < TABLES:
            group = around_a_table(rng)
        else:
            one = dialogue(rng)
            group = [one] if one is not None else []
        if group:
            made += len(group)
            yield group


def describe_python() -> Tool:
    """The python tool as the kernel is told of it."""
    properties = {"code": {"type": "string", "minLength": 1, "maxLength": 20000}}
    schema = {"type": "object", "properties": properties, "required": ["code"], "additionalProperties": False}
    about = "pandas and plots: load(name), trend(ax, until), np, pd, plt"
    return Tool("python", about, schema, lambda arguments, context: ToolOutput(""), frozenset({"exec"}))


def tools(paints: bool = False) -> list[Tool]:
    """The tools of a session, as the kernel is told of them."""
    return [make_calculator(), describe_python(), *([make_image("embedded", brief=True)] if paints else [])]


def system_message() -> Message:
    """The system turn every dialogue begins with."""
    return Message("system", (Part(load("system.md"), Source("system")),))


if __name__ == "__main__":
    for talk in (talk for group in dialogues(12, 7) for talk in group):
        for m in talk:
            print(
                m.role,
                "|",
                m.text,
                json.dumps([dict(c.arguments) for c in m.calls if isinstance(c, ToolCall)]) if m.calls else "",
            )
        print("-" * 60, date.today())
