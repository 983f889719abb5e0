"""Dialogues with the memory's tools: notes kept and found again, answers that cite a passage, and such as say no.

For models that are told of these tools; the embedded kernel is not, and its own training leaves them out. The results
are those of the real tools over made-up passages. ``python -m llmos.training.memories --count 1000`` writes them as
chat templates take them, one JSON object a line.
"""

import argparse
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from llmos.kernel.tool import Tool, ToolContext
from llmos.kernel.types import Label, Message, Part, Source, ToolCall
from llmos.memory.chunks import Chunk
from llmos.memory.record import Document, Hit
from llmos.memory.traces import spelled
from llmos.prompts import load
from llmos.tools.marks import Marks
from llmos.tools.recall import make_recall
from llmos.tools.remember import make_remember

USER, KERNEL, TOOL = Source("user"), Source("kernel"), Source("tool")
SHARES = {"remember": 0.3, "cite": 0.4, "note": 0.15, "unsaid": 0.15}
WHEN = 1_750_000_000.0  # of notes, in seconds since the epoch: a dialogue is the same each time

_WORDS = {
    "a": "Mara Jonte Ludo Priya Oskar Wen Sabine Tomas Yara Ebbe Noor Felix",
    "b": "Hollow Lane|Weir Street|Mason Yard|Juniper Close|Tide Row|Chapel Mews",
    "c": "Brightwell Tools|Okan Textiles|Fenway Seeds|Marlow Optics|Stern Ceramics",
    "d": "walnuts|shellfish|celery|mustard|sesame|penicillin",
}
# What a document says of a subject, and questions of it; {x} is drawn anew for each passage.
_FILES = (
    ("lease", "b", "The rent of {s} is {x} euros a month.", ("how much is the rent of {s}?", "what do I pay for {s}?")),
    ("report", "c", "{s} had {x} employees at the end of the year.", ("how many people work at {s}?", "staff of {s}?")),
    ("manual", "c", "The pump of {s} runs at {x} watts.", ("which power has the pump of {s}?", "how many watts, {s}?")),
)
# What somebody asks to have kept, the note, and how it is asked for later.
_NOTES = (
    ("remember that {a} must not eat {d}", "{a} must not eat {d}.", "what can {a} not eat?"),
    ("please keep in mind: my sister is called {a}", "The user's sister is called {a}.", "what is my sister's name?"),
    ("note that the spare key is at {b} {n}", "The spare key is at {b} {n}.", "where is the spare key?"),
    ("for later: {a} wears shoes of size {n}", "{a} wears shoes of size {n}.", "which shoe size has {a}?"),
)
_UNSAID = ("None of what you keep says that.", "I found nothing on that in your files and notes.")


def dialogues(seed: int = 0) -> Iterator[list[Message]]:
    """Dialogues without end."""
    choose = random.Random(seed)
    makers = {"remember": _remember, "cite": _cite, "note": _note, "unsaid": _unsaid}
    while True:
        (kind,) = choose.choices(list(SHARES), list(SHARES.values()))
        yield [Message("system", (Part(load("system.md"), Source("system")),)), *makers[kind](choose)]


def _remember(choose: random.Random) -> list[Message]:
    asked, note, _ = _filled(choose)
    tool = make_remember(lambda text, label: "added")
    return _dialogue(asked, tool, {"text": note}, f"I will remember: {note[0].lower()}{note[1:]}")


def _note(choose: random.Random) -> list[Message]:
    _, note, question = _filled(choose)
    found = Document("note:1", note[:60], "1", "note", said_by="user", added=WHEN, label=Label(("user",)))
    return _found(question, [Hit(1, Chunk(note), found, 1.0, 0.7)], f"{note.rstrip('.')} [1].")


def _cite(choose: random.Random) -> list[Message]:
    question, hits, right = _documents(choose)
    return _found(question, hits, f"{hits[right].chunk.text.rstrip('.')} [{right + 1}].")


def _unsaid(choose: random.Random) -> list[Message]:
    """The passages are of other things than the one that is asked about, or there are none."""
    question, hits, right = _documents(choose)
    return _found(question, [h for n, h in enumerate(hits) if n != right] * choose.randrange(2), choose.choice(_UNSAID))


def _found(question: str, hits: Sequence[Hit], answer: str) -> list[Message]:
    return _dialogue(question, make_recall(lambda query, most: hits[:most], Marks()), {"query": question}, answer)


def _documents(choose: random.Random) -> tuple[str, list[Hit], int]:
    """A question, passages of like documents, and which of them answers it."""
    name, kind, told, questions = choose.choice(_FILES)
    subjects = choose.sample(_WORDS[kind].split("|"), 3)
    hits = []
    for n, subject in enumerate(subjects):
        file = f"{name}-{subject.split()[0].lower()}.md"
        text = told.format(s=subject, x=choose.randrange(20, 2000))
        document = Document(f"file:{file}", file, str(n), location=f"/home/me/{file}")
        hits.append(Hit(n, Chunk(text, heading=name.title(), line=choose.randrange(3, 40)), document, 1.0, 0.6))
    right = choose.randrange(3)
    return choose.choice(questions).format(s=subjects[right]), hits, right


def _filled(choose: random.Random) -> tuple[str, str, str]:
    drawn = {k: choose.choice(v.split("|") if "|" in v else v.split()) for k, v in _WORDS.items()}
    drawn["n"] = str(choose.randrange(30, 47))
    asked, note, question = choose.choice(_NOTES)
    return asked.format(**drawn), note.format(**drawn), question.format(**drawn)


def _dialogue(asked: str, tool: Tool, arguments: dict[str, Any], answer: str) -> list[Message]:
    """A request, its one call with the real result, and the answer."""
    output = tool.run(arguments, ToolContext(Path()))
    return [
        Message("user", (Part(asked, USER),)),
        Message("assistant", (), (ToolCall("r1", tool.name, arguments),)),
        Message("tool", (Part(output.text, TOOL),), (), "r1"),
        Message("assistant", (Part(answer, KERNEL),)),
    ]


def main() -> None:
    """Write dialogues to standard output."""
    parser = argparse.ArgumentParser(
        prog="python -m llmos.training.memories", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for _, messages in zip(range(options.count), dialogues(options.seed), strict=False):
        print(json.dumps({"messages": [spelled(m) for m in messages]}, ensure_ascii=False))


if __name__ == "__main__":
    main()
