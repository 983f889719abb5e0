"""Whether answers from documents are cited, quote what stands there, and are declined where no document says it.

Over the questions of ``tests/retrieval`` and 50 that its documents do not answer. The model is a script: it asks
``recall`` and reads as is done for the embedded kernel (kernel/reading.py): it copies the sentence that is nearest to
the question with the number of its passage, and declines where recall finds nothing, tells that what is named is
missing, or no sentence is near enough. ``answered`` tells how often so simple a reader found a sentence to copy.
"""

import json as jsonlib
import platform
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from llmos.app import LLMOS
from llmos.bench.memory import QUESTIONS
from llmos.kernel.citations import plain
from llmos.kernel.reading import DECLINED, NAME, answer, question
from llmos.kernel.scripted import Scripted
from llmos.kernel.types import Answer, Message, Result, ToolCall
from llmos.memory import ingest

UNANSWERABLE = QUESTIONS.with_name("unanswerable.jsonl")


@dataclass(slots=True)
class Counted:
    """What became of the questions."""

    asked: int = 0
    answered: int = 0
    cited: int = 0
    right: int = 0  # the cited passage is the one that answers
    wrong_marks: int = 0  # citations of what was not retrieved, or quotations that do not stand there
    declined: int = 0


def main(json: bool = False) -> int:
    """Measure and print a table, or with ``json`` one object."""
    if not UNANSWERABLE.is_file():
        print("the questions are in the repository alone: tests/retrieval")
        return 1
    with tempfile.TemporaryDirectory() as home:
        figures = measure(Path(home))
    if json:
        machine = f"{platform.machine()} {platform.system()}, Python {platform.python_version()}"
        print(jsonlib.dumps({"name": "answers", "machine": machine, "version": version("llmos"), "figures": figures}))
    else:
        for name, value in figures.items():
            print(f"{name:28} {value:10.3f}")
    return 0


def measure(home: Path, every: int = 1) -> dict[str, float]:
    """The figures, of every n-th question."""
    rows = [jsonlib.loads(line) for line in QUESTIONS.read_text(encoding="utf-8").splitlines()]
    without = [jsonlib.loads(line)["question"] for line in UNANSWERABLE.read_text(encoding="utf-8").splitlines()]
    files = home / "files"
    files.mkdir(parents=True)
    for row in rows:
        (files / row["file"]).write_text(row["text"], encoding="utf-8")
    said, unsaid = Counted(), Counted()
    with LLMOS(model=Scripted(_reply), home=home / "home", remembers=True) as system:
        for taken in ingest.add(system.memory, [files]):
            if taken.problem:
                raise ValueError(taken.problem)
        for question, span in [pair for row in rows for pair in row["questions"]][::every]:
            _ask(system, question, span, said)
        for question in without[::every]:
            _ask(system, question, "", unsaid)
    claims = max(said.answered + unsaid.answered, 1)
    return {
        "questions": float(said.asked),
        "answered": said.answered / max(said.asked, 1),
        "claims_cited": (said.cited + unsaid.cited) / claims,
        "wrong_citations": float(said.wrong_marks + unsaid.wrong_marks),
        "cited_passage_right": said.right / max(said.cited, 1),
        "unanswerable": float(unsaid.asked),
        "unanswerable_declined": float(unsaid.declined),
    }


def _ask(system: LLMOS, question: str, span: str, into: Counted) -> None:
    with system.session() as session:
        answer: Answer = session.run(question)
        readings = {r.number: r for e in session.events() if isinstance(e, Result) for r in e.result.readings}
    into.asked += 1
    if answer.text == DECLINED:
        into.declined += 1
        return
    into.answered += 1
    into.cited += bool(answer.citations)
    for citation in answer.citations:
        reading = readings.get(citation.number)
        into.wrong_marks += reading is None or citation.quote not in plain(reading.text)
    into.right += any(c.number in readings and span and span in readings[c.number].text for c in answer.citations)


def _reply(messages: Sequence[Message]) -> str | ToolCall:
    """As the module says."""
    last = messages[-1]
    return ToolCall("x", NAME, {"query": last.text}) if last.role == "user" else answer(question(messages), last.text)


if __name__ == "__main__":
    raise SystemExit(main())
