"""What the memory keeps and gives back: documents, and the passages found in them. Values without behaviour."""

from dataclasses import dataclass, field

from llmos.kernel.types import Label
from llmos.memory.chunks import Chunk


@dataclass(frozen=True, slots=True)
class Document:
    """A file, a note, or a part of a session that left the context.

    ``key`` is what a second one replaces: a file's path, a note's own name. ``hash`` is of its content. ``said_by`` is
    ``user`` or ``kernel`` for a note. ``persona`` is empty for what all share. ``label`` is kept for ever. ``id`` and
    ``chunks`` are given by the store; ``added`` is in seconds since the epoch.
    """

    key: str
    title: str
    hash: str
    kind: str = "file"
    location: str = ""
    persona: str = ""
    session: str = ""
    said_by: str = ""
    added: float = 0.0
    label: Label = field(default_factory=lambda: Label((), "untrusted", "user"))
    id: int = 0
    chunks: int = 0


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that was found: its number in the store, its document, and how well it fits (``score``: higher is
    better, comparable within one search; ``likeness``: the cosine to the query, 0 where it was found by words)."""

    id: int
    chunk: Chunk
    document: Document
    score: float
    likeness: float = 0.0


@dataclass(frozen=True, slots=True)
class Where:
    """Which documents to look in; what is empty or None is not asked about.

    ``persona`` always includes what all share. ``source`` is a part of a title or location. Times in seconds since the
    epoch. Examples of solved requests are found by their ``kind`` alone. ``attached_to``: of what belongs to one
    session alone (its files, its turns that left the context), only this session's; None for that of all. ``everyone``:
    of all personas.
    """

    persona: str = ""
    kind: str = ""
    source: str = ""
    session: str = ""
    integrity: str = ""
    since: float | None = None
    until: float | None = None
    documents: tuple[int, ...] = ()
    attached_to: str | None = None
    everyone: bool = False


@dataclass(frozen=True, slots=True)
class Added:
    """What became of a document: ``state`` is ``added``, ``updated`` or ``unchanged`` (then ``document`` is the one
    that was there)."""

    state: str
    document: int
    chunks: int
