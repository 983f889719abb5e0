"""The terminal itself: a question that is typed an answer to, and keys that are typed ahead. Knows no events."""

import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any


def question(text: str) -> str:
    """What is typed at the terminal in answer, in small letters; nothing where there is no terminal.

    What was typed before the question could be read is no answer to it.
    """
    try:
        with open("/dev/tty", "r+b", buffering=0) as terminal, _set(terminal, termios.ICANON | termios.ECHO, 0):
            with suppress(termios.error):
                termios.tcflush(terminal.fileno(), termios.TCIFLUSH)
            terminal.write(text.encode())
            return terminal.readline(100).decode(errors="replace").strip().lower()
    except OSError:
        return ""


@contextmanager
def typed_ahead() -> Iterator[None]:
    """What is typed meanwhile waits, whole and unseen, for the next prompt; Ctrl-C still stops."""
    # By lines, Ctrl-D would be the end of one, and gone.
    with _set(sys.stdin, 0, termios.ICANON | termios.ECHO):
        yield


@contextmanager
def _set(terminal: Any, on: int, off: int) -> Iterator[None]:
    """The terminal's local modes, changed for as long; what is no terminal stays as it is."""
    try:
        before, meanwhile = termios.tcgetattr(terminal), termios.tcgetattr(terminal)
        meanwhile[3] = (meanwhile[3] | on) & ~off
        termios.tcsetattr(terminal, termios.TCSANOW, meanwhile)
    except (termios.error, OSError, ValueError):
        yield
        return
    try:
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSANOW, before)
