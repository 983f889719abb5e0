"""Branches of sessions: a fork is a session whose log begins as another one's; a verdict names the answer it is on.

Knows logs and files, neither models nor tools.
"""

import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from llmos.kernel import beneath, paths
from llmos.kernel.errors import UsageError
from llmos.kernel.scrub import Scrub
from llmos.kernel.types import Answer, Branched, Event, Verdict
from llmos.memory.codec import decode, encode
from llmos.memory.log import SessionLog, SessionStore


def fork(store: SessionStore, log: SessionLog) -> str:
    """Copy a session's log and its files; the id of the new one. Raises UsageError for a session that is empty."""
    events = log.events()
    if not events:
        raise UsageError("there is nothing to fork; nothing was asked in this session")
    name = store.create()
    try:
        with store.open(name) as new:
            _copied(events, log, new)
    except BaseException:  # half a session is none
        shutil.rmtree(store.folder / name, ignore_errors=True)
        raise
    return name


def _copied(events: Sequence[Event], log: SessionLog, new: SessionLog) -> None:
    old_files, new_files = str(log.workspace.absolute()), str(new.workspace.absolute())
    beneath.copy(log.workspace, new.workspace)
    for event in events:
        told = _moved(encode(event), old_files, new_files)
        if told["type"] == "Started":
            told["session"] = new.id
        new.append(decode(told))
    parent = events[-1].id
    new.append(Branched(id=f"e{len(events) + 1}", parent=parent, time=events[-1].time, origin=log.id), durable=True)


def judged(
    events: Sequence[Event], verdict: Literal["good", "bad", "prefer"], note: str = "", answer: str = ""
) -> Verdict:
    """A verdict on an answer, the last one where none is named. Raises UsageError where it cannot be."""
    answers = [e for e in events if isinstance(e, Answer)]
    named = next((e for e in answers if e.id == answer), None) if answer else paths.last_answer(events)
    if named is None:
        there = ", ".join(e.id for e in answers)
        raise UsageError(f"there is no answer {answer}; there are: {there}" if there else "nothing was answered yet")
    over = tuple(e.id for e in paths.rivals(events, named)) if verdict == "prefer" else ()
    if verdict == "prefer" and not over:
        raise UsageError("there is no other answer to the same request; /retry makes one")
    return Verdict(id="", answer=named.id, verdict=verdict, note=note, over=over)


def keep(log: SessionLog, event: Branched | Verdict, scrub: Scrub) -> None:
    """Put an event that no model made into a log, behind the last one or behind the one that it names."""
    events = log.events()
    parent = event.parent or (events[-1].id if events else "")
    placed = replace(event, id=f"e{len(events) + 1}", parent=parent, time=round(time.time(), 3))
    log.append(scrub.event(placed), durable=True)


def _moved(value: Any, old: str, new: str) -> Any:
    """Encoded events with their artifacts in another workspace."""
    if isinstance(value, list):
        return [_moved(item, old, new) for item in value]
    if not isinstance(value, dict):
        return value
    moved = {key: _moved(item, old, new) for key, item in value.items()}
    if value.get("type") == "Artifact" and Path(value["path"]).is_relative_to(old):
        moved["path"] = str(Path(new) / Path(value["path"]).relative_to(old))
    return moved
