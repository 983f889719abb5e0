"""A session as a file for others: one HTML page, Markdown, or a notebook. Each is whole in itself and loads nothing.

Knows turns and the files of a session; how each form is written is ``page``, ``written`` and ``notebook``.
"""

import base64
import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from llmos.branching import snapshot_of_left
from llmos.kernel import beneath
from llmos.kernel.errors import UsageError
from llmos.kernel.paths import path as path_of
from llmos.kernel.types import (
    Answer,
    Artifact,
    Call,
    Decision,
    Event,
    Explored,
    Failure,
    Request,
    Result,
    Started,
    Text,
    Thought,
    ToolCall,
    ToolResult,
    Verdict,
)
from llmos.memory.snapshots import Snapshots
from llmos.trees import drawn

ENDINGS = (".html", ".md", ".ipynb")
PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp", "image/svg+xml")
MOST_PICTURE, MOST_TABLE, MOST_ROWS = 8_000_000, 1_000_000, 30


@dataclass(frozen=True, slots=True)
class Step:
    """A call with what policy said and what came of it."""

    call: Call
    decision: Decision | None
    result: ToolResult | None

    @property
    def code(self) -> str:
        """The Python of the call; empty for other tools."""
        call = self.call.call
        return str(call.arguments.get("code", "")) if isinstance(call, ToolCall) and call.name == "python" else ""


@dataclass(frozen=True, slots=True)
class Turn:
    """A request and all that followed it. ``kept``: it lies on the branch that goes on."""

    request: Request
    parts: tuple[Step | Text | Thought, ...]
    end: Answer | Failure | None
    verdicts: tuple[Verdict, ...]
    kept: bool


@dataclass(frozen=True, slots=True)
class Told:
    """A session as it is written down; ``files`` reads its workspace, ``thoughts`` are its trees of text."""

    started: Started
    turns: tuple[Turn, ...]
    files: "Files"
    thoughts: str = ""


@dataclass(frozen=True, slots=True)
class Files:
    """A session's files, read without following links; ``hide`` takes secrets out of their texts.

    ``undone``: the request whose branch was left; they are read as they were then, where that was kept.
    """

    workspace: Path
    hide: Callable[[str], str]
    undone: str = ""

    def of(self, turn: Turn) -> "Files":
        """The files as a turn left them, where it was undone; else as they are."""
        return self if turn.kept else replace(self, undone=turn.request.id)

    def picture(self, artifact: Artifact) -> str:
        """A picture as a data address; empty for what is no picture, not there, or too large."""
        data = self.bytes(artifact.path, MOST_PICTURE) if artifact.mime in PICTURES else b""
        return f"data:{artifact.mime};base64,{base64.b64encode(data).decode()}" if data else ""

    def table(self, name: str) -> list[list[str]]:
        """The first rows of a table; nothing for other files."""
        if not name.endswith((".csv", ".tsv")):
            return []
        text = self.hide(self.bytes(name, MOST_TABLE).decode("utf-8", "replace"))
        try:
            rows = csv.reader(io.StringIO(text), delimiter="\t" if name.endswith(".tsv") else ",")
            return [row for row, _ in zip(rows, range(MOST_ROWS + 1), strict=False)]
        except csv.Error:
            return []

    def bytes(self, name: str, most: int) -> bytes:
        """A file's bytes, by its name or its path; nothing where it cannot be had."""
        path = Path(name)
        try:
            inner = str(path.relative_to(self.workspace)) if path.is_absolute() else name
            if self.undone:
                with suppress(FileNotFoundError):
                    return Snapshots(self.workspace.parent).read(snapshot_of_left(self.undone), inner, most)
            return beneath.read(self.workspace, inner, most)
        except (OSError, ValueError):
            return b""


def tell(events: Sequence[Event], workspace: Path, hide: Callable[[str], str] = str) -> Told:
    """A session's turns. Raises UsageError for one in which nothing was asked."""
    started = next((e for e in events if isinstance(e, Started)), None)
    on = {e.id for e in path_of(events)}
    starts = [n for n, e in enumerate(events) if isinstance(e, Request)]
    if started is None or not starts:
        raise UsageError("there is nothing to export; nothing was asked in this session")
    judged = [e for e in events if isinstance(e, Verdict)]
    spans = zip(starts, [*starts[1:], len(events)], strict=True)
    turns = tuple(_turn(events[a:b], judged, events[a].id in on) for a, b in spans)
    thoughts = "\n".join(drawn(events)) if any(isinstance(e, Explored) for e in events) else ""
    return Told(started, turns, Files(workspace, hide), thoughts)


def _turn(events: Sequence[Event], judged: Iterable[Verdict], kept: bool) -> Turn:
    request = events[0]
    assert isinstance(request, Request)
    results = {e.result.call_id: e.result for e in events if isinstance(e, Result)}
    decisions = {e.call_id: e for e in events if isinstance(e, Decision)}
    parts: list[Step | Text | Thought] = []
    for event in events:
        if isinstance(event, Call):
            parts.append(Step(event, decisions.get(event.call.id), results.get(event.call.id)))
        elif isinstance(event, (Text, Thought)):
            parts.append(event)
    end = next((e for e in reversed(events) if isinstance(e, (Answer, Failure))), None)
    verdicts = tuple(v for v in judged if end is not None and v.answer == end.id)
    return Turn(request, tuple(parts), end, verdicts, kept)


def write_each(
    events: Sequence[Event], workspace: Path, wanted: Mapping[str, Path | None], hide: Callable[[str], str] = str
) -> Iterator[Path]:
    """Write a session to each file that is wanted, by ending. Raises UsageError before the first is written where a
    file ends otherwise, and as :func:`write` does."""
    for ending, path in wanted.items():
        if path is not None and path.suffix.lower() != ending:
            raise UsageError(f"{path} has to end with {ending}")
    for path in filter(None, wanted.values()):
        yield write(events, workspace, path, hide)


def write(events: Sequence[Event], workspace: Path, out: Path, hide: Callable[[str], str] = str) -> Path:
    """Write a session to a new file; its ending says the form.

    Raises UsageError for another ending, a file that is there already, or a session in which nothing was asked.
    """
    if out.suffix.lower() not in ENDINGS:
        raise UsageError(f"{out.name} has to end with {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}")
    told = tell(events, workspace, hide)
    if out.suffix.lower() == ".html":
        from llmos.page import page as form
    elif out.suffix.lower() == ".md":
        from llmos.written import markdown as form
    else:
        from llmos.notebook import notebook as form
    return put(out, form(told))


def put(out: Path, text: str) -> Path:
    """Write a new file. Raises UsageError where it is there already, or cannot be written."""
    try:
        with out.open("x", encoding="utf-8", errors="replace") as stream:
            stream.write(text)
    except FileExistsError:
        raise UsageError(f"{out} is there already; give another name") from None
    except OSError as error:
        raise UsageError(f"cannot write {out}: {error.strerror}") from error
    return out
