"""What strict mode costs in usefulness, on everyday tasks with and without it: ``llmos bench strict``.

``strict/tasks.jsonl`` holds tasks with the calls that answer them, made by a script that plans well and sees no more
than a model would. The same calls run with strict off and on; for each task is looked at

- ``done``: no call failed, was denied or asked about, and the user was given what is wanted: a number, a text, a plot;
- ``seen``: the model itself has it in its context, and so could go on from it in its own words.

What is wanted is what the calls gave without strict mode; of a document it is what the task says. It measures the mode,
not a model: whether a model finds these calls, and reads a document rightly behind the scenes, is not measured.
"""

import json as jsonlib
import os
import platform
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmos.app import LLMOS, VERSION, Session
from llmos.kernel.budget import Budget
from llmos.kernel.scripted import Reply, Scripted
from llmos.kernel.types import Answer, ArtifactMade, Event, Message, Request, Result, ToolCall
from llmos.prompts import load
from llmos.training.evaluate import wilson

TASKS = Path(__file__).parent / "strict" / "tasks.jsonl"
FILES = Path(__file__).parent.parent / "training" / "eval" / "files"
Task = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A task's kind, and in one of the modes: what its calls gave, whether it was done, whether the model has it."""

    kind: str
    gave: str
    done: bool
    seen: bool
    calls: int


class Planner:
    """The script: the calls of the task at hand, then an end; a reading of a document is answered as the task says."""

    def __init__(self, strict: bool) -> None:
        self._strict = strict
        self._read = ""
        self._left: list[Reply] = []

    def take(self, task: Task) -> None:
        """Plan for a task."""
        form = {"handle": "note.txt", "fields": task.get("form", [])}
        reads = [ToolCall("", "extract", form)] if self._strict and "form" in task else []
        calls = [ToolCall("", call["name"], call["arguments"]) for call in task["calls"]]
        self._read = jsonlib.dumps(task.get("read", {}), ensure_ascii=False)
        self._left = [*calls, *reads, "done"]

    def say(self, messages: Sequence[Message]) -> Reply:
        """The next reply."""
        return self._read if messages[0].text == load("extract.md") else self._left.pop(0)


def main(json: bool = False) -> int:
    """Measure and print a table, or with ``json`` one object."""
    tasks = [jsonlib.loads(line) for line in TASKS.read_text(encoding="utf-8").splitlines()]
    with tempfile.TemporaryDirectory(prefix="llmos-strict-", ignore_cleanup_errors=True) as folder:
        off = run(tasks, Path(folder, "off"), strict=False)
        on = run(tasks, Path(folder, "on"), strict=True, wanted=[outcome.gave for outcome in off])
    figures = {"tasks": len(tasks), **shares("off", off), **shares("on", on)}
    if json:
        machine = f"{platform.machine()} {platform.system()}, {os.cpu_count()} cores"
        names = [f"{key}.{mode}" for key in ("done", "seen") for mode in ("off", "on")]
        intervals = {name: list(wilson(round(figures[name] * len(tasks)), len(tasks))) for name in names}
        head = {"name": "strict", "machine": machine, "version": VERSION}
        print(jsonlib.dumps({**head, "figures": figures, "intervals": intervals}))
        return 0
    print(f"{'':10}  tasks   done off/on   seen off/on   calls off/on")
    for kind in [*dict.fromkeys(outcome.kind for outcome in off), ""]:
        print(_line(kind, *([o for o in side if kind in ("", o.kind)] for side in (off, on))))
    return 0


def run(tasks: Sequence[Task], home: Path, strict: bool, wanted: Sequence[str] = ()) -> list[Outcome]:
    """Every task as a turn of one session; ``wanted`` is what their calls gave without strict mode."""
    planner, asked, outcomes = Planner(strict), [], []

    def approve(call: object) -> bool:
        asked.append(call)
        return True

    model = Scripted(planner.say, context_length=10_000_000)
    patient = Budget(tool_seconds=600, seconds=6000, sandbox_seconds=6000)  # what is measured is not speed
    made = LLMOS(model=model, home=home, strict=strict, approve=approve, budget=patient)
    with made as system, system.session() as session:
        for number, task in enumerate(tasks):
            before = len(asked)
            planner.take(task)
            events = _turn(session, task, home)
            outcomes.append(judge(task, events, wanted[number] if wanted else "", len(asked) > before))
    return outcomes


def _turn(session: Session, task: Task, home: Path) -> list[Event]:
    files = [FILES / name for name in task.get("files", ())]
    if "text" in task:
        note = home / "note.txt"
        note.write_text(task["text"], encoding="utf-8")
        files.append(note)
        # A name is used again with another content: the session's file is the newest.
        session.workspace.joinpath("data", "note.txt").unlink(missing_ok=True)
    return list(session.stream(task["request"], files))


def judge(task: Task, events: Sequence[Event], wanted: str, asked: bool) -> Outcome:
    """What came of a task."""
    results = [e.result for e in events if isinstance(e, Result)]
    gave = results[-1].preview if results else ""
    shown = "\n".join(e.text for e in events if isinstance(e, Answer))
    previews = [a.preview for e in events if isinstance(e, Request) for a in e.attachments]
    wanted = str(task.get("wants", wanted or gave))
    plotted = any(isinstance(e, ArtifactMade) for e in events)
    # Of a plot the model needs its name; a document that it sees it can read by itself.
    have = "\n".join([*previews, gave])
    seen = plotted if task.get("artifact") else wanted in have or str(task.get("text", "\0")) in have
    got = plotted if task.get("artifact") else seen or wanted in shown
    fine = bool(shown) and all(result.ok for result in results) and not asked
    return Outcome(task["kind"], gave, fine and got, seen, len(results))


def shares(mode: str, outcomes: Sequence[Outcome]) -> dict[str, float]:
    """The shares of tasks done and seen, and the calls for a task."""
    of = len(outcomes)
    return {
        f"done.{mode}": sum(o.done for o in outcomes) / of,
        f"seen.{mode}": sum(o.seen for o in outcomes) / of,
        f"calls.{mode}": sum(o.calls for o in outcomes) / of,
    }


def _line(kind: str, off: Sequence[Outcome], on: Sequence[Outcome]) -> str:
    def both(key: str) -> str:
        return " / ".join(f"{sum(getattr(o, key) for o in side):3}" for side in (off, on))

    return f"{kind or 'all':10}  {len(off):5}   {both('done'):>11}   {both('seen'):>11}   {both('calls'):>12}"


if __name__ == "__main__":
    raise SystemExit(main())
