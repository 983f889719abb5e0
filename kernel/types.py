"""The values that flow through llmos: frozen, without behaviour.

Knows nothing of models, tools or storage. Every part of every message carries a :class:`Source`;
every event has an ``id`` and a ``parent``, so undo, fork and replay are one mechanism.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Role = Literal["system", "user", "assistant", "tool"]
Origin = Literal["system", "persona", "user", "kernel", "file", "library", "tool", "memory", "web"]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a piece of text came from. It is the ground of provenance and policy, and is never dropped.

    ``name`` is a tool's, file's or document's name; ``location`` a URL, path or licence line where there is one.
    """

    origin: Origin
    name: str = ""
    location: str = ""


@dataclass(frozen=True, slots=True)
class Label:
    """What is known of a text: where it comes from, whether others may have written it, who may read it.

    ``origins`` are sorted, each an origin with a name where there is one (``file:notes.txt``); ``readers`` is ``user``
    for private data.
    """

    origins: tuple[str, ...] = ()
    integrity: Literal["trusted", "untrusted"] = "trusted"
    readers: Literal["anyone", "user"] = "anyone"


@dataclass(frozen=True, slots=True)
class Signal:
    """Something odd about a text that came in: its kind, what was found, and how much it should count (0 to 1)."""

    kind: str
    detail: str
    weight: float


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file in the session's workspace that a tool made: a plot, a table, a page.

    ``path`` is absolute; ``mime`` such as ``image/png``.
    """

    path: str
    mime: str
    title: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a message: text or an artifact, with its source."""

    content: str | Artifact
    source: Source


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call as the model made it; ``arguments`` is JSON data, valid or not for the tool's schema."""

    id: str
    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Malformed:
    """A call that opened but could not be read: its raw text and one line on what is wrong."""

    id: str
    text: str
    problem: str


@dataclass(frozen=True, slots=True)
class Reading:
    """A page, or a passage of a document, that a result shows: the number it is cited by and where it is from.

    ``location`` is a URL or a path, ``place`` what of the document it is (``page 3``); ``time`` is when a page was read
    (seconds since 1970). ``text`` is what was shown of it: of a page, text that a person can see there.
    """

    number: int
    title: str
    location: str
    time: float = 0.0
    text: str = ""
    place: str = ""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a call gave back. ``preview`` goes into the context; ``handle`` names the workspace file with the whole.

    ``readings``: the page or the passages that it shows, where it does.
    """

    call_id: str
    ok: bool
    preview: str
    source: Source
    handle: str = ""
    artifacts: tuple[Artifact, ...] = ()
    seconds: float = 0.0
    label: Label = field(default_factory=Label)
    readings: tuple[Reading, ...] = ()


@dataclass(frozen=True, slots=True)
class Message:
    """One turn, or one result, of the conversation as the model sees it."""

    role: Role
    parts: tuple[Part, ...] = ()
    calls: tuple[ToolCall | Malformed, ...] = ()
    call_id: str = ""

    @property
    def text(self) -> str:
        """The text parts, joined by newlines."""
        return "\n".join(p.content for p in self.parts if isinstance(p.content, str))


@dataclass(frozen=True, slots=True)
class Usage:
    """What an answer cost."""

    prompt_tokens: int = 0
    generated_tokens: int = 0
    calls: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Citation:
    """A source an answer rests on: a page's URL, a document's path and place, or a table's origin.

    ``number`` is its mark in the answer (``[2]``), ``quote`` words that stand in it, ``time`` when a page was read, in
    seconds since 1970; a table has none of them.
    """

    title: str
    location: str
    quote: str = ""
    number: int = 0
    time: float = 0.0

    @property
    def url(self) -> str:
        """The location, where it is a page's."""
        return self.location if self.location.startswith(("http://", "https://")) else ""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file given to the kernel: its name in the workspace and the preview that enters the context."""

    path: str
    preview: str
    source: Source
    label: Label = field(default_factory=Label)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Event:
    id: str
    parent: str = ""
    time: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Started(_Event):
    """A session began. ``strict``: others' text stays behind handles, from here to its end. ``persona`` is its name or
    file; ``foreign``: others wrote its instructions."""

    session: str
    model: str
    persona: str = "llmos"
    seed: int = 0
    version: str = ""
    strict: bool = False
    foreign: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Request(_Event):
    """What the user asked, with the files that came with it."""

    text: str
    attachments: tuple[Attachment, ...] = ()
    label: Label = field(default_factory=lambda: Label(("user",)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Noticed(_Event):
    """Signals found in what came in: ``where`` is ``request``, a file's name or a call's id. They block nothing."""

    where: str
    signals: tuple[Signal, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Text(_Event):
    """Assistant text: a streamed piece (``delta``; shown, not logged) or a finished segment (logged).

    ``by`` tells the model's words from a line the kernel adds, such as where a library table's numbers come from.
    """

    text: str
    delta: bool = False
    by: Literal["model", "kernel"] = "model"
    label: Label = field(default_factory=Label)


@dataclass(frozen=True, slots=True, kw_only=True)
class Thought(_Event):
    """Reasoning kept apart from the answer."""

    text: str
    delta: bool = False
    label: Label = field(default_factory=Label)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explored(_Event):
    """A thought of a search, as it came or as it changed: ``node`` grew under ``under``. Node 0 is the whole search.

    An open node 0 begins one, and ``why`` says why; one that is not ends it, with its answer. ``value`` is how hopeful
    the thought is, from 0 to 1; ``tokens`` and ``seconds`` are what the search had used by then. Of a drawn reply
    ``said``, ``mused``, ``calls`` and ``cut`` are the whole of it, for going on with a search that was cut off.
    """

    node: int
    text: str
    under: int = -1
    value: float = 0.0
    fate: Literal["open", "dead", "finished"] = "open"
    why: str = ""
    answer: str = ""
    logprob: float = 0.0
    tokens: int = 0
    seconds: float = 0.0
    label: Label = field(default_factory=Label)
    said: str = ""
    mused: str = ""
    calls: tuple[ToolCall | Malformed, ...] = ()
    cut: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(_Event):
    """A tool call, on disk before its tool runs; its label is of all that was in view when it was made."""

    call: ToolCall | Malformed
    label: Label = field(default_factory=Label)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision(_Event):
    """What policy decided about a call, and by which rule; ``approved`` answers an ask.

    ``call_hash`` binds it to the call's name and arguments; ``acts``: the call does more than compute in the box.
    """

    call_id: str
    verdict: Literal["allow", "ask", "deny"]
    rule: str
    approved: bool | None = None
    call_hash: str = ""
    acts: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress(_Event):
    """A sign of life from a long step (model load, a running tool); shown, never logged."""

    text: str
    call_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result(_Event):
    """A tool's result, on disk before the next token is decoded."""

    result: ToolResult


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactMade(_Event):
    """A tool made a file."""

    artifact: Artifact
    call_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paged(_Event):
    """Earlier turns left the context to make room: ``dropped`` messages, ``tokens`` freed."""

    dropped: int
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(_Event):
    """The end of a request that was answered."""

    text: str
    calls: tuple[ToolCall, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    citations: tuple[Citation, ...] = ()
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure(_Event):
    """The end of a request that was not: ``kind`` such as ``budget``, ``model``, ``denied``, ``interrupted``.

    ``budget`` names the budget or quota that was reached, where one was.
    """

    kind: str
    message: str
    usage: Usage = field(default_factory=Usage)
    budget: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Branched(_Event):
    """The session goes on from ``parent``, which is not the event before: what lies between was undone, and stays in
    the log. ``origin`` names the session that this one was forked from, where it was."""

    origin: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict(_Event):
    """What the user thinks of an answer: ``answer`` is its event. ``prefer``: it is better than ``over``, other answers
    to the same request."""

    answer: str
    verdict: Literal["good", "bad", "prefer"]
    note: str = ""
    over: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinned(_Event):
    """The turn of ``request`` (its event) stays in the context, however long the session grows; or, not ``on``, it no
    longer does."""

    request: str
    on: bool = True


Event = (
    Started
    | Request
    | Noticed
    | Text
    | Thought
    | Explored
    | Call
    | Decision
    | Progress
    | Result
    | ArtifactMade
    | Paged
    | Answer
    | Failure
    | Branched
    | Verdict
    | Pinned
)
