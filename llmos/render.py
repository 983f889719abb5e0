"""Events made visible: a live screen, plain text for pipes, one JSON object a line.

Every text of a model or a tool is cleaned of terminal controls before it is written. Markdown is shown as it streams,
lightly (bold, code, headings, bullets, fences); links, HTML and remote pictures stay the plain text that they are, and
nothing is loaded for them; a link that leads elsewhere than it looks is told so (``links``).
Knows nothing of how events come about.
"""

import json
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Protocol, Self, TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.status import Status
from rich.syntax import Syntax
from rich.text import Text as Styled

from llmos.flow import Flow, one_line, seen
from llmos.inline import picture, protocol
from llmos.kernel.dispatch import Asked
from llmos.kernel.types import (
    Answer,
    Artifact,
    ArtifactMade,
    Branched,
    Call,
    Decision,
    Event,
    Explored,
    Failure,
    Malformed,
    Paged,
    Pinned,
    Progress,
    Request,
    Result,
    Source,
    Started,
    Text,
    Thought,
    ToolResult,
    Verdict,
)
from llmos.links import told
from llmos.terminal import question
from llmos.trees import ended

Why = tuple[type[BaseException] | None, BaseException | None, TracebackType | None]
FOLD = 12  # lines of a call that are shown


class View(Protocol):
    """Something that shows events. It is a context: leaving it puts the terminal back in order."""

    def show(self, event: Event) -> None: ...

    def ask(self, call: Asked) -> bool:
        """Whether the user lets this call happen; no where nobody can be asked."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None: ...


def view(*, as_json: bool = False, quiet: bool = False, out: TextIO | None = None) -> View:
    """The view fit for where the output goes: JSON lines, the answer alone, or a screen if it is a terminal."""
    out = out or sys.stdout
    if as_json:
        return Lines(out)
    return Screen(out) if out.isatty() and not quiet else Plain(out, paths=not quiet)


class _Still:
    """What views without a live part share."""

    def ask(self, call: Asked) -> bool:
        return False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *why: *Why) -> None:
        return None


class Lines(_Still):
    """One JSON object a line, each flushed as it happens."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def show(self, event: Event) -> None:
        from llmos.memory.codec import to_public

        # ASCII, so that nothing in it can be read as a terminal's control or break a line.
        print(json.dumps(to_public(event), ensure_ascii=True, default=str), file=self._out, flush=True)


class Plain(_Still):
    """The answer's text, then the paths of its files; nothing else, no control sequences."""

    def __init__(self, out: TextIO, paths: bool = True) -> None:
        self._out = out
        self._paths = paths

    def show(self, event: Event) -> None:
        if isinstance(event, Answer):
            text = seen(event.text).rstrip("\n")
            # A program that reads it gets what was said, a person also where links lead.
            lines = [told(text) if self._out.isatty() else text]
            if self._paths:
                lines += [seen(a.path) for a in event.artifacts]
            print("\n".join(line for line in lines if line), file=self._out, flush=True)


class Screen:
    """A terminal: answers stream, calls are cards, pictures appear where the terminal can show them.

    ``transcript`` shows a session that is over: requests and failures too, no spinner; ``labels`` also what is known
    of each text. ``theme`` is ``dark``, ``light`` or ``none``; ``plain`` has words instead of signs, and nothing moves.
    """

    def __init__(
        self,
        out: TextIO | None = None,
        *,
        transcript: bool = False,
        labels: bool = False,
        theme: str = "auto",
        plain: bool = False,
    ) -> None:
        colours: Literal["auto"] | None = None if plain or theme == "none" else "auto"
        self._console = Console(
            file=out or sys.stdout,
            highlight=False,
            markup=False,
            emoji=False,
            legacy_windows=False,
            color_system=colours,
        )
        self._transcript = transcript
        self._labels = labels
        self._words = plain
        self._plain = "utf" not in (self._console.encoding or "").lower()
        self._code_theme = "ansi_light" if theme == "light" else "ansi_dark"
        self._live = self._console.is_terminal and not (self._console.is_dumb_terminal or transcript or plain)
        self._inline = protocol() if self._console.is_terminal and not plain else ""
        self._status: Status | None = None
        self._flow = Flow(self._console)
        self._thought = Flow(self._console, "dim italic")
        self._streamed = ""  # what came in pieces since the last finished segment
        self._shown = ""  # the finished segments of this request
        self._made: set[str] = set()
        self._names: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *why: *Why) -> None:
        self.rest()

    def rest(self) -> None:
        """Stop whatever moves and end an open line."""
        self._still()
        self._thought.end()
        self._flow.end()
        self._streamed = ""

    def wait(self, text: str) -> None:
        """Show that something goes on, where that can be shown without leaving traces."""
        if not self._live or self._flow.started or self._thought.started:
            return
        label = Styled(one_line(text, max(self._console.width - 4, 10)), style="dim")
        if self._status is None:
            self._status = self._console.status(label, spinner="dots")
            self._status.start()
        else:
            self._status.update(label)

    def ask(self, call: Asked) -> bool:
        """Ask on the terminal itself, since standard input may be a file; the arguments are shown whole."""
        return self.question(f"{asking(call)}\nAllow it, this once? [y/N] ") in ("y", "yes")

    def question(self, text: str) -> str:
        """What is typed at the terminal in answer, in small letters; nothing where there is no terminal.

        What was typed before the question could be read is no answer to it.
        """
        self.rest()
        return question(text)

    def show(self, event: Event) -> None:
        """Show one event."""
        if isinstance(event, Text):
            self._text(event)
            return
        if isinstance(event, Thought):
            self._still()
            if event.delta or not self._thought.started:
                self._thought.feed(event.text)
            if not event.delta:
                self._thought.end()
            return
        if isinstance(event, Progress):
            self.wait(event.text)
            return
        if isinstance(event, Explored) and (event.node or event.fate == "open"):
            self.wait(f"thinking: {event.node} thoughts, {event.tokens} tokens, {event.seconds:.1f} s  {event.text}")
            return
        self.rest()
        if self._labels:
            self._label(event)
        handler = getattr(self, f"_on_{type(event).__name__.lower()}", None)
        if handler is not None:
            handler(event)

    def _label(self, event: Event) -> None:
        from llmos.kernel.labels import label_of, spell

        labels = {
            Request: lambda e: [label_of(Source("user")), *(a.label for a in e.attachments)],
            Call: lambda e: [e.label],
            Result: lambda e: [e.result.label],
        }
        for label in labels.get(type(event), lambda e: [])(event):
            self._line(spell(label), "dim", "  ")

    def _text(self, event: Text) -> None:
        self._still()
        self._thought.end()
        if event.delta:
            self._streamed += event.text
            self._flow.feed(event.text)
            return
        if self._streamed.strip() != event.text.strip():
            self._flow.end()
            self._flow.feed(event.text)
        self._streamed = ""
        self._shown += event.text.strip() + "\n"
        self._flow.end()

    def _on_started(self, event: Started) -> None:
        if self._transcript:
            when = datetime.fromtimestamp(event.time).strftime("%Y-%m-%d %H:%M") if event.time else ""
            self._line(f"session {event.session}  {when}  {event.model}", "dim")
        else:
            self.wait("thinking")

    def _on_request(self, event: Request) -> None:
        self._shown = ""
        if self._transcript:
            self._console.print()
            self._console.print(Styled(f"> {seen(event.text)}", style="bold"))
            for attachment in event.attachments:
                self._line(f"with {attachment.path}", "dim", "  ")
        self.wait("thinking")

    def _on_explored(self, event: Explored) -> None:
        self._line(ended(event), "dim")
        self.wait("thinking")

    def _on_call(self, event: Call) -> None:
        call = event.call
        if isinstance(call, Malformed):
            self._line(f"{self._mark('✗')} a call that cannot be read: {call.problem}", "red")
            return
        self._names[call.id] = call.name
        self._card(call.name, call.arguments)
        self.wait(f"{call.name} is running")

    def _on_decision(self, event: Decision) -> None:
        if event.verdict == "deny" or event.approved is False:
            self._line(f"{self._mark('✗')} not allowed: {event.rule}", "red", "  ")
        elif event.verdict == "ask" and event.approved:
            self._line(f"allowed by you: {event.rule}", "dim", "  ")

    def _on_result(self, event: Result) -> None:
        self._outcome(event.result)
        self.wait("thinking")

    def _on_artifactmade(self, event: ArtifactMade) -> None:
        self._artifact(event.artifact)

    def _on_paged(self, event: Paged) -> None:
        self._line(f"({event.dropped} earlier messages left the context)", "dim")

    def _on_answer(self, event: Answer) -> None:
        if not self._shown.strip().endswith(event.text.strip()):
            self._flow.feed(event.text)
            self._flow.end()
        for number, citation in enumerate(event.citations, 1):
            if citation.location not in event.text:
                self._line(f"[{number}] {citation.title}  {citation.location}", "dim")
        for artifact in event.artifacts:
            self._artifact(artifact)

    def _on_failure(self, event: Failure) -> None:
        if self._transcript:
            self._line(f"{self._mark('✗')} {event.kind}: {event.message}", "red")

    def _on_branched(self, event: Branched) -> None:
        told = f"forked from {event.origin}" if event.origin else "undone; the session went back to before this request"
        self._line(f"({told})", "dim")

    def _on_verdict(self, event: Verdict) -> None:
        self._line(f"(you said of answer {event.answer}: {event.verdict}{event.note and f', {event.note}'})", "dim")

    def _on_pinned(self, event: Pinned) -> None:
        self._line(f"(request {event.request} {'stays in' if event.on else 'may leave'} the context)", "dim")

    def _card(self, name: str, arguments: Mapping[str, Any]) -> None:
        code = arguments.get("code")
        rest = {key: value for key, value in arguments.items() if not (key == "code" and isinstance(code, str))}
        title = f"{self._mark('●')} {one_line(name, 64)}"
        shown = one_line(_arguments(rest), max(self._console.width - cell_len(title) - 2, 10))
        self._print((title, "bold blue"), (f"  {shown}" if shown else "", ""))
        if isinstance(code, str):
            self._code(seen(code).strip("\n").split("\n"))

    def _code(self, lines: list[str]) -> None:
        # One line over the fold is shown rather than announced.
        kept = lines if len(lines) <= FOLD + 1 else lines[:FOLD]
        kept = [line if len(line) <= 400 else line[:400] + "…" for line in kept]
        coloured = Syntax("", "python", theme=self._code_theme, background_color="default").highlight("\n".join(kept))
        for line in coloured.split("\n", allow_blank=False):
            for piece in line.wrap(self._console, max(self._console.width - 2, 10)) or [line]:
                self._print("  ", piece)
        if len(lines) > len(kept):
            self._print((f"  {self._mark('…')} {len(lines) - len(kept)} more lines", "dim"))

    def _outcome(self, result: ToolResult) -> None:
        mark = self._mark("✓" if result.ok else "✗")
        head = f"  {mark} {result.seconds:.1f} s  "
        tail = f"  ({result.handle})" if result.handle else ""
        said = one_line(result.preview, max(self._console.width - cell_len(head + tail), 10))
        self._print((head, "green" if result.ok else "red"), said, (seen(tail), "dim"))

    def _artifact(self, artifact: Artifact) -> None:
        if artifact.path in self._made:
            return
        self._made.add(artifact.path)
        # Unbroken, so that it can be copied.
        self._print(f"  {self._mark('→')} {one_line(artifact.path, 4096)}")
        if self._inline and artifact.mime == "image/png" and Path(artifact.path).is_file():
            drawn = picture(artifact.path, self._inline, min(self._console.width - 4, 80))
            self._console.file.write(drawn)
            self._console.file.flush()

    def _line(self, text: str, style: str, indent: str = "") -> None:
        self._console.print(Styled(indent + one_line(text, 2000), style=style))

    def _print(self, *pieces: str | Styled | tuple[str, str]) -> None:
        """Pieces, each with its own style, as one line that the console leaves as it is."""
        self._console.print(Styled.assemble(*pieces), soft_wrap=True)

    def _mark(self, mark: str) -> str:
        if self._words:
            return {"✓": "ok", "✗": "failed:", "●": "tool", "→": "file", "…": "and"}[mark]
        ascii_marks = {"✓": "ok", "✗": "x", "●": "*", "→": "->", "…": "..."}
        return ascii_marks[mark] if self._plain else mark

    def _still(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None


def asking(call: Asked) -> str:
    """The question that a call is put to the user with: its arguments to the last letter, none of them unseen."""
    shown = json.dumps(dict(call.arguments), ensure_ascii=False, indent=2)
    if seen(shown) != shown:
        shown = json.dumps(dict(call.arguments), ensure_ascii=True, indent=2)
    return f"{one_line(call.name, 64)} {shown}\n{one_line(call.why, 200)}."


def _arguments(arguments: Mapping[str, Any]) -> str:
    """Arguments in a line: a lone text as it is, others as ``name: value``."""
    values = {
        k: v if isinstance(v, str) else json.dumps(v, ensure_ascii=False, default=str) for k, v in arguments.items()
    }
    if len(values) == 1 and isinstance(next(iter(arguments.values())), str):
        return next(iter(values.values()))
    return ", ".join(f"{key}: {value}" for key, value in values.items())
