"""Where a conversation's lines are typed: a prompt with keys, history and completion; and lines without any of it.

Enter sends, Alt-Enter begins a new line, pasted lines stay together, Ctrl-R searches what was typed before. Completed
are commands, what they take, and files behind an @. Knows names and files, not what commands do.
"""

import os
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.enums import DEFAULT_BUFFER
from prompt_toolkit.filters import Condition, has_focus
from prompt_toolkit.formatted_text import AnyFormattedText
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

from llmos.turn import say

MOST_HISTORY = 4 << 20  # bytes of typed lines that are kept
_MOST_FILES = 200  # of a folder that are offered
_AT = re.compile(r'(?<!\S)@(?:"([^"\n]+)"|(\S+))')

Offers = Mapping[str, Callable[[], Iterable[str]] | None]  # by command: what it may be given; None is files


class Words(Completer):
    """Completes ``/command``, what a command takes, and ``@file`` anywhere."""

    def __init__(self, offers: Offers) -> None:
        self._offers = offers

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        """What the word before the cursor may become."""
        text = document.text_before_cursor
        name, space, rest = text[1:].partition(" ") if text.startswith("/") else ("", "", "")
        word = re.split(r"\s", text)[-1]
        if text.startswith("/") and not space:
            yield from (Completion(f"/{n}", -len(text)) for n in self._offers if n.startswith(name))
        elif word.startswith("@"):
            for path in beginning(word[1:].lstrip('"')):
                yield Completion(f'@"{path}"' if " " in path else f"@{path}", -len(word))
        elif name in self._offers:
            known = self._offers[name]
            if known is None:
                yield from (Completion(shlex.quote(p), -len(word)) for p in beginning(word))
            else:
                yield from (Completion(one, -len(rest)) for one in known() if one.startswith(rest))


def beginning(start: str) -> list[str]:
    """The paths that begin so, folders with a slash; hidden ones only where a dot is typed."""
    folder, _, name = start.rpartition("/")
    root = Path(f"{folder}/" if folder or start.startswith("/") else ".").expanduser()
    before = f"{folder}/" if "/" in start else ""
    try:
        with os.scandir(root) as entries:
            found = [e.name + "/" * e.is_dir() for e in entries if e.name.startswith(name)]
    except OSError:
        return []
    return [before + f for f in sorted(found) if name.startswith(".") or not f.startswith(".")][:_MOST_FILES]


def dropped(line: str) -> list[Path]:
    """The files that a line is made of, as a terminal writes them where some are dropped on it; nothing for others."""
    try:
        words = shlex.split(line)
    except ValueError:
        return []
    paths = [Path(unquote(urlsplit(w).path) if w.startswith("file://") else w).expanduser() for w in words]
    return paths if paths and all(p.is_absolute() and _there(p) for p in paths) else []


def with_files(line: str) -> tuple[str, list[Path]]:
    """A line with ``@file`` as the file's name, and those files; what is no file there stays as it is."""
    found: list[Path] = []

    def named(match: re.Match[str]) -> str:
        path = Path(match[1] or match[2]).expanduser()
        if not _there(path):
            return match[0]
        found.append(path)
        return path.name

    return _AT.sub(named, line), found


def _there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # too long for a name
        return False


def make_prompt(home: Path, offers: Offers | None = None) -> PromptSession[str]:
    """A prompt with a history in ``home``; Enter sends, also when several lines were pasted."""
    keys = KeyBindings()

    typing = has_focus(DEFAULT_BUFFER)  # and not in the field of a search, where Enter takes what was found

    @keys.add("enter", filter=typing)
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.validate_and_handle()

    @keys.add("escape", "enter", filter=typing)
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    home.mkdir(parents=True, exist_ok=True)
    kept = home / "history"
    kept.touch(mode=0o600)
    history: History = FileHistory(str(kept))
    if kept.stat().st_size > MOST_HISTORY:
        say(f"{kept} is full and not added to; move it away to begin a new one")
        history = InMemoryHistory()

    def named() -> bool:
        text = made.default_buffer.document.text_before_cursor
        return text.startswith("/") or re.split(r"\s", text)[-1].startswith("@")

    made: PromptSession[str] = PromptSession(
        history=history,
        multiline=True,
        key_bindings=keys,
        prompt_continuation="  ",
        completer=Words(offers or {}),
        complete_while_typing=Condition(named),
    )
    return made


class Lines:
    """Reads lines without drawing anything: for screen readers and terminals that can do little.

    A line that ends with a backslash goes on with the next.
    """

    def prompt(self, message: AnyFormattedText = "", *, default: str = "") -> str:
        """A line; Raises EOFError at the end of input."""
        if default:
            print(f"before: {default}")
        line = input(str(message))
        while line.endswith("\\"):
            line = f"{line[:-1]}\n{input('  ')}"
        return line
