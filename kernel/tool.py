"""What a tool is: a name, a description the model reads, a JSON schema, what it may do, and a function.

Knows no particular tool. Tools are run by dispatch alone, after policy.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event as Flag
from typing import Any, Literal, Protocol

from llmos.kernel.types import Artifact, Label, Reading

Capability = Literal["net", "exec", "note", "write", "spend"]
# Where a call that reaches other machines leads: to what the user named; to what they allowed, what a page that was
# read leads to, or the search engine; or anywhere.
Reach = Literal["named", "found", "anywhere"]
PREVIEW = 1500  # characters of a result that enter the context


class ToolError(Exception):
    """Raised by a tool for a mistake of the model or the user; its text becomes the result, one to a few lines."""


class OwnError(ToolError):
    """A ToolError whose every word is the tool's own or the call's: strict mode shows it."""


@dataclass(frozen=True, slots=True)
class ToolContext:
    """What a running tool may see: the session's workspace, its limit in seconds, a way to tell and to be stopped.

    ``label`` is of all that was in view when it was called: what it keeps for later keeps that label. ``room`` tells
    how many characters of a result the model's window has room for beside the current turn; it is counted when asked.
    """

    workspace: Path
    timeout: float = 30.0
    progress: Callable[[str], None] = lambda text: None
    cancelled: Flag = field(default_factory=Flag)
    label: Label = field(default_factory=lambda: Label((), "untrusted", "user"))
    room: Callable[[], int] = lambda: 1 << 30


@dataclass(frozen=True, slots=True)
class ToolOutput:
    """What a tool returns: ``text`` whole (dispatch shortens it and keeps the whole as a handle), and files made.

    ``ok`` false marks an error the model can react to. ``preview`` replaces the shortened text if given. ``label`` adds
    what the tool knows of where its text came from (a host, a document); it can only make the result less trusted.
    ``typed`` is what strict mode shows of others' text: lines of numbers, dates, choices and the model's own words, and
    of nothing else.
    ``readings`` are what an answer may cite of it: the page or the passages that it shows.
    """

    text: str
    ok: bool = True
    preview: str = ""
    artifacts: tuple[Artifact, ...] = ()
    label: Label | None = None
    typed: str = ""
    readings: tuple[Reading, ...] = ()


def anywhere(arguments: Mapping[str, Any]) -> Reach:
    """What is believed of a tool that does not say where its calls lead."""
    return "anywhere"


class Run(Protocol):
    """A tool's function: JSON arguments (already valid for the schema) and the context, to output."""

    def __call__(self, arguments: Mapping[str, Any], context: ToolContext, /) -> ToolOutput: ...


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool as the kernel knows it. ``parameters`` is a JSON schema of type object.

    ``capabilities`` says what it does beyond computing; ``None`` means undeclared, which policy treats as all of them.
    ``derives``: what it returns comes from its arguments and the session's files alone. Any other tool's answers, and
    its errors, are taken to hold text that others wrote, where the output has no label of its own.
    ``blind``: it reads no file either, its arguments are all that it knows; strict mode shows its answers.
    ``available`` returns an empty string, or one line why the tool is off on this host and what mends it.
    ``close`` frees what it holds (a sandbox) at the end of the session.
    ``reach`` says where a call with these arguments leads. ``preview``: the most characters of a result that the model
    is shown. ``patience``: how many times as long as another tool's a call of this one may take.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]
    run: Run
    capabilities: frozenset[Capability] | None = None
    available: Callable[[], str] = lambda: ""
    close: Callable[[], None] = lambda: None
    derives: bool = False
    blind: bool = False
    reach: Callable[[Mapping[str, Any]], Reach] = anywhere
    preview: int = PREVIEW
    patience: float = 1.0
