"""What the memory holds for one session alone: documents that came with a request, and turns that left its context."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from llmos.kernel.errors import UsageError
from llmos.kernel.labels import label_of
from llmos.kernel.reading import ATTACHED
from llmos.kernel.types import Attachment, Source
from llmos.memory import ingest, reader
from llmos.memory.files import EXTENSIONS
from llmos.memory.pictures import SUFFIXES
from llmos.memory.record import Where
from llmos.memory.shared import AT_HOME
from llmos.memory.shelf import FILE
from llmos.memory.store import FOLDER, Memory
from llmos.memory.veil import Veil

_PROSE = (".txt", ".md")  # shown as a preview, and found in passages too


def keep(
    memory: Memory,
    paths: Sequence[Path],
    session: str,
    veil: Veil = Veil(),  # noqa: B008
) -> tuple[list[Path], tuple[Attachment, ...]]:
    """The files that are attached as ever, and the documents that were taken in. UsageError for one that is unreadable.

    Tables stay files of the workspace, for Python to read. ``veil``: a name that is not to be seen is not told either;
    such a file is found by what it says.
    """
    rest: list[Path] = []
    made: list[Attachment] = []
    for path in paths:
        ending, file = path.suffix.lower(), path.is_file()
        picture = file and ending in SUFFIXES and reader.wanted(path.name)  # a picture still, and what is written in it
        document = file and reader.readable(path.name) and ending not in (*EXTENSIONS, *SUFFIXES)
        added = None
        if document or picture or (file and ending in _PROSE):
            (taken,) = ingest.add(memory, [path], session=session)
            added = taken.added
            if document and added is None:
                raise UsageError(taken.problem)
        if added is not None and ending not in _PROSE:
            made.append(_told(path, taken.name, added.chunks, veil))
        if not document:
            rest.append(path)
    return rest, tuple(made)


def documents(paths: Sequence[str | Path]) -> bool:
    """Whether there is a document among them: what is neither a table nor a picture."""
    kinds = {Path(path).suffix.lower() for path in paths}
    return any(k in _PROSE or (reader.readable(f"x{k}") and k not in (*EXTENSIONS, *SUFFIXES)) for k in kinds)


def _told(path: Path, called: str, chunks: int, veil: Veil) -> Attachment:
    """What is told of a document that was taken in."""
    name = str(veil.name(PurePosixPath(called)))
    told = f"file '{name}': {chunks} passage{'s' * (chunks != 1)} {ATTACHED}"
    told += ", open_file reads it" * (name == called)
    source = Source("file", name, str(path.resolve()))
    return Attachment(str(path.resolve()), told, source, label_of(source))


def forget(home: Path, sessions: Sequence[str]) -> int:
    """Forget what is kept for sessions that were removed; how many documents. Raises LLMOSError where it cannot be."""
    if not sessions or not (home / FOLDER / FILE).is_file():
        return 0
    with Memory(home, url="") as memory:  # what belongs to a session lies at home
        held = [d for name in sessions for d in memory.documents(Where(session=name, everyone=True))]
        return memory.forget([d.id for d in held if d.kind in AT_HOME])
