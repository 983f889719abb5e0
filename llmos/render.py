"""Events made visible: a live screen, plain text for pipes, one JSON object a line.

Every text of a model or a tool is cleaned of terminal controls before it is written. Markdown is shown as it streams,
lightly (bold, code, headings, bullets, fences); links and remote pictures stay the plain text that they are.
Knows nothing of how events come about.
"""

import json
import re
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self, TextIO

from rich.cells import cell_len, chop_cells
from rich.console import Console
from rich.padding import Padding
from rich.status import Status
from rich.syntax import Syntax
from rich.text import Text as Styled

from llmos.inline import picture, protocol
from llmos.kernel.hygiene import clean
from llmos.kernel.types import (
    Answer,
    Artifact,
    ArtifactMade,
    Call,
    Decision,
    Event,
    Failure,
    Malformed,
    Paged,
    Progress,
    Request,
    Result,
    Started,
    Text,
    Thought,
    ToolCall,
    ToolResult,
)
from llmos.memory.codec import to_public

FOLD = 12  # lines of a call that are shown


class View(Protocol):
    """Something that shows events. It is a context: leaving it puts the terminal back in order."""

    def show(self, event: Event) -> None: ...

    def ask(self, call: ToolCall) -> bool:
        """Whether the user lets this call happen; no where nobody can be asked."""

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None: ...


def view(*, as_json: bool = False, quiet: bool = False, out: TextIO | None = None) -> View:
    """The view fit for where the output goes: JSON lines, the answer alone, or a screen if it is a terminal."""
    out = out or sys.stdout
    if as_json:
        return Lines(out)
    return Screen(out) if out.isatty() and not quiet else Plain(out, paths=not quiet)


def seen(text: str) -> str:
    """``text`` as it may be written to a terminal: no control characters but newline and tab, none invisible."""
    return re.sub("[\u2028\u2029]", "\n", clean(text))


def one_line(text: str, width: int) -> str:
    """``text`` cleaned, on one line, at most ``width`` cells wide."""
    line = " ".join(seen(text).split())
    return line if cell_len(line) <= width else chop_cells(line, max(width - 1, 1))[0] + "…"


class _Still:
    """What views without a live part share."""

    def ask(self, call: ToolCall) -> bool:
        return False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        return None


class Lines(_Still):
    """One JSON object a line, each flushed as it happens."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def show(self, event: Event) -> None:
        public = to_public(event)
        if public is not None:
            # ASCII, so that nothing in it can be read as a terminal's control or break a line.
            print(json.dumps(public, ensure_ascii=True, default=str), file=self._out, flush=True)


class Plain(_Still):
    """The answer's text, then the paths of its files; nothing else, no control sequences."""

    def __init__(self, out: TextIO, paths: bool = True) -> None:
        self._out = out
        self._paths = paths

    def show(self, event: Event) -> None:
        if isinstance(event, Answer):
            lines = [seen(event.text).rstrip("\n")]
            if self._paths:
                lines += [seen(a.path) for a in event.artifacts]
            print("\n".join(line for line in lines if line), file=self._out, flush=True)


class Flow:
    """Text that streams onto a console: whole words at the right margin, light Markdown where there is style."""

    def __init__(self, console: Console, style: str = "") -> None:
        self._console = console
        self._base = style
        self._marks = console.color_system is not None and not style
        self._word = ""
        self._last = ""  # the character before the next piece: joiners are judged by it
        self._column = 0
        self._style = ""
        self._bold = self._code = self._fence = False
        self.started = False

    def feed(self, piece: str) -> None:
        """Show a further piece; its last word waits until it is whole."""
        piece = seen(self._last + piece)[len(self._last) :]
        if not piece:
            return
        self._last = piece[-1]
        for part in re.split(r"(\s)", piece):
            if part.isspace():
                self._flush()
                self._space(part)
            else:
                self._word += part
                if len(self._word) > 40 and self._word[-1] not in "*`":
                    self._flush()

    def end(self) -> None:
        """Show what waits and end the line."""
        self._flush()
        if self._column:
            self._space("\n")
        self._fence = False
        self.started = False

    def _space(self, char: str) -> None:
        if char == "\n":
            self._write("\n")
            self._column, self._style, self._bold, self._code = 0, "", False, False
        elif self._column or self._fence or not self.started or char == "\t":
            self._write("    " if char == "\t" else " ")
        elif self._column == 0:
            self._write(" ")

    def _flush(self) -> None:
        word, self._word = self._word, ""
        if not word:
            return
        at_start = self._column == 0
        self.started = True
        if self._marks and word.startswith("```") and at_start:
            self._fence = not self._fence
            self._put(word, "dim")
        elif self._fence:
            self._put(word, "cyan", wrap=False)
        elif self._marks and not self._code and at_start and re.fullmatch(r"#{1,6}", word):
            self._style = "bold"
        elif self._marks and not self._code and word in ("*", "-", "+") and at_start:
            self._put("•", "")
        else:
            self._spans(word)

    def _spans(self, word: str) -> None:
        """A word, its ** and ` taken as marks where they open or close; ``2**10`` stays what it is."""
        room = self._console.width - self._column
        if cell_len(word) > room and cell_len(word) <= self._console.width and self._column:
            self._write("\n")
            self._column = 0
        if not self._marks:
            self._put(word, "")
            return
        for mark in re.split(r"(\*\*|`)", word):
            if mark == "`":
                self._code = not self._code
            elif mark == "**" and not self._code and self._turns(word):
                self._bold = not self._bold
            elif mark:
                self._put(mark, " ".join(filter(None, [self._style, "bold" * self._bold, "cyan" * self._code])))

    def _turns(self, word: str) -> bool:
        if self._bold:
            return bool(re.search(r"\*\*\W*$", word))
        return bool(re.match(r"\W*?\*\*\S", word)) and not re.match(r"\W*?\*\*\*", word)

    def _put(self, text: str, style: str, wrap: bool = True) -> None:
        width = self._console.width
        while wrap and self._column + cell_len(text) > width:
            head = chop_cells(text, max(width - self._column, 2))[0]
            self._write(head + "\n", style)
            self._column, text = 0, text[len(head) :]
        self._write(text, style)

    def _write(self, text: str, style: str = "") -> None:
        self._column += cell_len(text.replace("\n", ""))
        self._console.print(Styled(text, style=style or self._base), end="", soft_wrap=True)


class Screen:
    """A terminal: answers stream, calls are cards, pictures appear where the terminal can show them.

    ``transcript`` shows a session that is over: requests and failures too, no spinner.
    """

    def __init__(self, out: TextIO | None = None, *, transcript: bool = False) -> None:
        self._console = Console(file=out or sys.stdout, highlight=False, markup=False, emoji=False, legacy_windows=False)
        self._transcript = transcript
        self._plain = "utf" not in (self._console.encoding or "").lower()
        self._live = self._console.is_terminal and not self._console.is_dumb_terminal and not transcript
        self._inline = protocol() if self._console.is_terminal else ""
        self._status: Status | None = None
        self._flow = Flow(self._console)
        self._thought = Flow(self._console, "dim italic")
        self._streamed = ""
        self._made: set[str] = set()
        self._names: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.rest()

    def rest(self) -> None:
        """Stop whatever moves and end an open line."""
        self._still()
        self._thought.end()
        self._flow.end()

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

    def ask(self, call: ToolCall) -> bool:
        """Ask on the terminal itself, since standard input may be a file."""
        self.rest()
        try:
            with open("/dev/tty", "r+b", buffering=0) as terminal:
                terminal.write(f"Allow {one_line(call.name, 64)}? [y/N] ".encode())
                return terminal.readline(100).strip().lower() in (b"y", b"yes")
        except OSError:
            return False

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
        self.rest()
        handler = getattr(self, f"_on_{type(event).__name__.lower()}", None)
        if handler is not None:
            handler(event)

    def _text(self, event: Text) -> None:
        self._still()
        self._thought.end()
        if event.delta:
            self._streamed += event.text
            self._flow.feed(event.text)
            return
        if not self._streamed:
            self._flow.feed(event.text)
        self._streamed = event.text
        self._flow.end()

    def _on_started(self, event: Started) -> None:
        if self._transcript:
            when = datetime.fromtimestamp(event.time).strftime("%Y-%m-%d %H:%M") if event.time else ""
            self._line(f"session {event.session}  {when}  {event.model}", "dim")
        else:
            self.wait("thinking")

    def _on_request(self, event: Request) -> None:
        self._streamed = ""
        if self._transcript:
            self._console.print()
            self._console.print(Styled(f"> {seen(event.text)}", style="bold"))
            for attachment in event.attachments:
                self._line(f"  with {attachment.path}", "dim")
        self.wait("thinking")

    def _on_call(self, event: Call) -> None:
        self._streamed = ""
        call = event.call
        if isinstance(call, Malformed):
            self._line(f"{self._mark('✗')} a call that cannot be read: {call.problem}", "red")
            return
        self._names[call.id] = call.name
        self._card(call.name, call.arguments)
        self.wait(f"{call.name} is running")

    def _on_decision(self, event: Decision) -> None:
        if event.verdict == "deny" or event.approved is False:
            self._line(f"  {self._mark('✗')} not allowed: {event.rule}", "red")
        elif event.verdict == "ask" and event.approved:
            self._line(f"  allowed by you: {event.rule}", "dim")

    def _on_result(self, event: Result) -> None:
        self._outcome(event.result)
        self.wait("thinking")

    def _on_artifactmade(self, event: ArtifactMade) -> None:
        self._artifact(event.artifact)

    def _on_paged(self, event: Paged) -> None:
        self._line(f"({event.dropped} earlier messages left the context)", "dim")

    def _on_answer(self, event: Answer) -> None:
        if event.text.strip() != self._streamed.strip():
            self._flow.feed(event.text)
            self._flow.end()
        self._streamed = ""
        for number, citation in enumerate(event.citations, 1):
            self._line(f"[{number}] {citation.title}  {citation.location}", "dim")
        for artifact in event.artifacts:
            self._artifact(artifact)

    def _on_failure(self, event: Failure) -> None:
        self._streamed = ""
        if self._transcript:
            self._line(f"{self._mark('✗')} {event.kind}: {event.message}", "red")

    def _card(self, name: str, arguments: Mapping[str, Any]) -> None:
        width = self._console.width
        code = arguments.get("code")
        rest = {key: value for key, value in arguments.items() if not (key == "code" and isinstance(code, str))}
        head = Styled(f"{self._mark('●')} {one_line(name, 64)}", style="bold blue")
        shown = one_line(_arguments(rest), max(width - len(head) - 2, 10))
        self._console.print(head + Styled(f"  {shown}" if shown else "", style="not bold default"), soft_wrap=True)
        if not isinstance(code, str):
            return
        lines = seen(code).strip("\n").split("\n")
        # One line over the fold is shown rather than announced.
        kept = lines if len(lines) <= FOLD + 1 else lines[:FOLD]
        kept = [line if len(line) <= 400 else line[:400] + "…" for line in kept]
        block = Syntax("\n".join(kept), "python", theme="ansi_dark", background_color="default", word_wrap=True)
        self._console.print(Padding(block, (0, 0, 0, 2)))
        if len(lines) > len(kept):
            self._line(f"  {self._mark('…')} {len(lines) - len(kept)} more lines", "dim")

    def _outcome(self, result: ToolResult) -> None:
        mark = self._mark("✓" if result.ok else "✗")
        head = f"  {mark} {result.seconds:.1f} s  "
        tail = f"  ({result.handle})" if result.handle else ""
        said = one_line(result.preview, max(self._console.width - cell_len(head + tail), 10))
        line = Styled(head, style="green" if result.ok else "red") + Styled(said) + Styled(seen(tail), style="dim")
        self._console.print(line, soft_wrap=True)

    def _artifact(self, artifact: Artifact) -> None:
        if artifact.path in self._made:
            return
        self._made.add(artifact.path)
        # Unbroken, so that it can be copied.
        self._console.print(Styled(f"  {self._mark('→')} {one_line(artifact.path, 4096)}"), soft_wrap=True)
        if self._inline and artifact.mime == "image/png" and Path(artifact.path).is_file():
            drawn = picture(artifact.path, self._inline, min(self._console.width - 4, 80))
            self._console.file.write(drawn)
            self._console.file.flush()

    def _line(self, text: str, style: str) -> None:
        self._console.print(Styled(one_line(text, 2000), style=style))

    def _mark(self, mark: str) -> str:
        ascii_marks = {"✓": "ok", "✗": "x", "●": "*", "→": "->", "…": "..."}
        return ascii_marks[mark] if self._plain else mark

    def _still(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None


def _arguments(arguments: Mapping[str, Any]) -> str:
    """Arguments in a line: a lone text as it is, others as ``name: value``."""
    values = {k: v if isinstance(v, str) else json.dumps(v, ensure_ascii=False, default=str) for k, v in arguments.items()}
    if len(values) == 1 and isinstance(next(iter(arguments.values())), str):
        return next(iter(values.values()))
    return ", ".join(f"{key}: {value}" for key, value in values.items())
