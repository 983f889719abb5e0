"""Branches of sessions: what is undone is taken back, files and notes too; a fork is a session whose log begins as
another one's; a verdict names the answer it is on, a pin the request.

Knows logs and files, of models only their windows, and no tools.
"""

import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from llmos.kernel import beneath, pager, paths
from llmos.kernel.engine import Model
from llmos.kernel.errors import LLMOSError, UsageError
from llmos.kernel.scrub import Scrub
from llmos.kernel.types import (
    Answer,
    Branched,
    Call,
    Decision,
    Event,
    Pinned,
    Request,
    Result,
    Started,
    ToolCall,
    ToolResult,
    Verdict,
)
from llmos.memory.attached import documents
from llmos.memory.codec import decode, encode
from llmos.memory.log import SessionLog, SessionStore
from llmos.memory.record import Where
from llmos.memory.snapshots import Snapshots
from llmos.tools.remember import REMEMBERED

if TYPE_CHECKING:
    from llmos.memory.store import Memory


PINS = 1 / 3  # of a model's window, at most, for what is pinned
_HARMLESS = ("remember", "browser_search", "browser_open", "browser_download", "browser_back", "browser_scroll")


@dataclass(frozen=True, slots=True)
class Left:
    """A request that is taken back, on the path that led to it and beyond.

    ``persona``: whose collection of the memory its session sees; ``again``: it is asked once more, with its files.
    """

    path: Sequence[Event]
    asked: Request
    session: str
    persona: str = ""
    again: bool = False

    @property
    def before(self) -> Sequence[Event]:
        """What led to the request."""
        return self.path[: self.path.index(self.asked)]

    @property
    def after(self) -> Sequence[Event]:
        """What came of it."""
        return self.path[self.path.index(self.asked) :]


def take_back(left: Left, snapshots: Snapshots, memory: "Memory | None") -> str:
    """Bring files and notes to how they were before a request; one line on what stays, empty for nothing.

    How they are now is kept as the snapshot ``REQUEST-left``, for whoever looks at that branch later.
    """
    snapshots.take(snapshot_of_left(left.asked.id))
    earlier = {a.path for e in left.before if isinstance(e, Request) for a in e.attachments}
    came = () if left.again else [a.path for a in left.asked.attachments if a.path not in earlier]
    large = snapshots.restore(left.asked.id, without=came)
    stays = ["the files stay as they are, no snapshot of them was kept"] if large is None else []
    if large:
        more = f" and {len(large) - 3} more" if len(large) > 3 else ""
        stays.append(f"{', '.join(large[:3])}{more} could not be brought back")
    try:
        stays += _forgotten(left, memory)
    except LLMOSError as error:
        stays.append(f"what was remembered stays: {error}")
    stays += [f"what {name} did stays done" for name in _acted(left.after)]
    return "; ".join(stays)


def snapshot_of_left(request: str) -> str:
    """The name of the snapshot of a session's files as they were when a request was undone."""
    return f"{request}-left"


def _forgotten(left: Left, memory: "Memory | None") -> list[str]:
    """Forget what a request had remembered, and the documents that came with it; what stays."""
    made = sum(r.preview == REMEMBERED for name, r in _results(left.after) if name == "remember")
    if memory is not None:
        # What comes with a request is read before the request is logged, or before it was first logged and taken back.
        since = max((e.time for e in left.before if not isinstance(e, (Started, Branched))), default=0.0)
        held = memory.documents(Where(persona=left.persona, session=left.session, attached_to=left.session))
        gone = [d for d in held if d.kind == "turn" or (d.added > since and not (left.again and d.kind == "attached"))]
        memory.forget([d.id for d in gone])
        made -= sum(d.kind == "note" for d in gone)
    return [f"{made} note{'s stay' if made > 1 else ' stays'} in the memory"] if made > 0 else []


def _acted(events: Sequence[Event]) -> list[str]:
    """The tools that did more than compute, each once; a note is taken back, and a page that was read is no loss."""
    acted = {e.call_id for e in events if isinstance(e, Decision) and e.acts}
    named = (name for name, r in _results(events) if r.ok and r.call_id in acted and name not in _HARMLESS)
    return list(dict.fromkeys(named))


def kept(events: Sequence[Event], reads: bool) -> bool:
    """Whether anything was remembered in these, or, with ``reads``, a document came."""
    came = [a.path for e in events if isinstance(e, Request) for a in e.attachments] if reads else []
    return documents(came) or any(name == "remember" and r.ok for name, r in _results(events))


def _results(events: Sequence[Event]) -> Iterator[tuple[str, ToolResult]]:
    """Results, each with the name of the tool it is of."""
    names = {e.call.id: e.call.name for e in events if isinstance(e, Call) and isinstance(e.call, ToolCall)}
    results = (e.result for e in events if isinstance(e, Result))
    yield from ((names[r.call_id], r) for r in results if r.call_id in names)


def fork(store: SessionStore, log: SessionLog, snapshots: Snapshots) -> str:
    """Copy a session: log, files and their snapshots; the id of the new one. Raises UsageError for an empty one."""
    events = log.events()
    if not events:
        raise UsageError("there is nothing to fork; nothing was asked in this session")
    name = store.create()
    try:
        with store.open(name) as new:
            _copied(events, log, new)
            snapshots.copy(new.workspace.parent)
    except BaseException as error:  # half a session is none
        shutil.rmtree(store.folder / name, ignore_errors=True)
        if isinstance(error, OSError):
            raise LLMOSError(f"the session's files cannot be copied: {error.strerror or error}") from error
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
    new.append(Branched(id=paths.following(events), parent=parent, time=events[-1].time, origin=log.id), durable=True)


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


def pinned(path: Sequence[Event], model: Model, on: bool) -> tuple[Pinned, Request]:
    """The last request's turn pinned, or no longer; the request. Raises UsageError as Session.pin does."""
    asked = next((e for e in reversed(path) if isinstance(e, Request)), None)
    if asked is None:
        raise UsageError("there is nothing to pin; nothing was asked in this session")
    made = Pinned(id="", request=asked.id, on=on)
    size, most = model.count(pager.held([*path, made]), ()), int(model.context_length * PINS)
    if on and size > most:
        raise UsageError(f"what is pinned would take {size} tokens, more than {most}; unpin an earlier request first")
    return made, asked


def keep(log: SessionLog, event: Branched | Pinned | Verdict, scrub: Scrub) -> None:
    """Put an event that no model made into a log, behind the last one or behind the one that it names."""
    events = log.events()
    parent = event.parent or (events[-1].id if events else "")
    placed = replace(event, id=paths.following(events), parent=parent, time=now())
    log.append(scrub.event(placed), durable=True)


def now() -> float:
    """Seconds since the epoch, to the millisecond."""
    return round(time.time(), 3)


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
