"""One request from the command line or the conversation: its text and standard input checked, its events shown.

Knows nothing of commands and options. Imports lightly, since the command line's help does.
"""

import os
import select
import shutil
import sys
import textwrap
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, cast

from llmos.kernel.errors import UsageError

if TYPE_CHECKING:
    from llmos.app import Session
    from llmos.kernel.ponder import Think
    from llmos.kernel.types import Event
    from llmos.memory.log import Summary
    from llmos.render import View

EXITS = {"usage": 2, "denied": 3, "interrupted": 130}
MAX_STDIN = 200_000_000  # bytes
# Names and paths stay whole, so that they can be copied.
_WHOLE: dict[str, Any] = {"break_long_words": False, "break_on_hyphens": False, "replace_whitespace": False}
PATIENCE = 0.5  # seconds a silent standard input is waited for; ``--file -`` waits for its end


def say(line: str) -> None:
    """One line to the user on standard error, without control characters."""
    from llmos.kernel.hygiene import clean

    print(fitted("llmos: " + " ".join(clean(line).split()), sys.stderr), file=sys.stderr)


def fitted(text: str, out: TextIO | None = None, indent: int = 2) -> str:
    """A text whose lines break between words where ``out`` (standard output) is a terminal, the rest indented."""
    out = out or sys.stdout
    if not out.isatty():
        return text
    width = max(shutil.get_terminal_size().columns - 1, 20)
    rest = " " * min(indent, width // 2)
    lines = (textwrap.wrap(line, width, subsequent_indent=rest, **_WHOLE) or [""] for line in text.split("\n"))
    return "\n".join(line for wrapped in lines for line in wrapped)


def hidden(text: str) -> str:
    """A text of our own errors without registered secrets; where those cannot be read, that is what is told."""
    from llmos.kernel import vault
    from llmos.kernel.config import home
    from llmos.kernel.errors import LLMOSError
    from llmos.kernel.secrets import Scanner

    try:
        return Scanner(vault.known(home())).redact(text)
    except LLMOSError as unreadable:
        return str(unreadable)


def shown(text: str) -> str:
    """A text fit for a terminal: no control characters, no registered secrets."""
    from llmos.kernel.hygiene import clean

    return hidden(clean(text))


def checked(request: str) -> str:
    """The request, if it can be used. Raises UsageError with one line if not."""
    # Python gives bytes that are no UTF-8 as lone surrogates.
    if any("\ud800" <= c <= "\udfff" for c in request):
        raise UsageError("the request is not valid UTF-8; give other encodings and binary data by --file")
    from llmos.given import check_request

    return check_request(request)


def turn(
    talk: "Session",
    screen: "View",
    request: str,
    files: Sequence[str | Path] = (),
    stdin: bytes | None = None,
    stopped: str = 'stopped; continue with: llmos run --session {id} "…"',
    think: "Think" = None,
) -> int:
    """Run one request and show its events; the exit code that its end calls for. ``stopped`` is said at Ctrl-C."""
    return watch(talk.stream(request, files, stdin=stdin, think=think), screen, stopped.format(id=talk.id))


def watch(events: "Iterator[Event]", screen: "View", stopped: str) -> int:
    """Show the events of a request until its end; the exit code that this calls for."""
    from llmos.kernel.types import Failure

    stream = cast("Generator[Event]", events)
    end: Event | None = None
    try:
        with screen:
            for event in stream:
                screen.show(event)
                end = event
    except KeyboardInterrupt:
        stream.close()
        say(stopped)
        return 130
    finally:
        stream.close()
    if isinstance(end, Failure):
        say(end.message)
        return EXITS.get(end.kind, 1)
    return 0


def summary_line(summary: "Summary", width: int = 60, hide: Callable[[str], str] = str) -> str:
    """A kept session on one line: its id, when it was used last, its first words as ``hide`` leaves them."""
    from llmos.kernel.hygiene import clean

    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(summary.last_activity))
    first = " ".join(clean(hide(summary.first_request)).split())
    first = first if len(first) <= width else first[: width - 1] + "…"
    return f"{summary.id}  {when}  {summary.requests:>3} request{'s' if summary.requests != 1 else ' '}  {first}"


def read_stdin(patience: float | None, quiet: bool = False) -> bytes | None:
    """What is piped in, whole; None for a terminal, nothing, or a pipe that stays silent for ``patience`` seconds.

    Raises UsageError above MAX_STDIN.
    """
    try:
        stream = sys.stdin.buffer
        handle = stream.fileno()
        if patience is not None:
            if os.isatty(handle):
                return None
            if not select.select([handle], [], [], patience)[0]:
                if not quiet:
                    say("standard input was silent and is not used; --file - waits for it")
                return None
        data = stream.read(MAX_STDIN + 1)
    except (AttributeError, OSError, ValueError):  # closed, or not a real file
        return None
    if len(data) > MAX_STDIN:
        raise UsageError(f"standard input is over {MAX_STDIN // 10**6} MB; give the data as a file by --file")
    return None if not data or data.isspace() else data
