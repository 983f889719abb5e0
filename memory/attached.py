"""Documents that come with a request and are too long for a context: into the memory, for their session alone."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from llmos.kernel.errors import UsageError
from llmos.kernel.labels import label_of
from llmos.kernel.types import Attachment, Source
from llmos.memory import ingest, reader
from llmos.memory.files import EXTENSIONS
from llmos.memory.store import Memory
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
        ending = path.suffix.lower()
        document = reader.readable(path.name) and ending not in EXTENSIONS and path.is_file()
        if document or (ending in _PROSE and path.is_file()):
            (taken,) = ingest.add(memory, [path], session=session)
            if document and taken.added is None:
                raise UsageError(taken.problem)
        if document and taken.added is not None:
            many = f"{taken.added.chunks} passage{'s' * (taken.added.chunks != 1)}"
            name = str(veil.name(PurePosixPath(taken.name)))
            told = f"file '{name}': {many} in the memory; recall finds what it says"
            told += ", open_file reads it" * (name == taken.name)
            source = Source("file", name, str(path.resolve()))
            made.append(Attachment(str(path.resolve()), told, source, label_of(source)))
        else:
            rest.append(path)
    return rest, tuple(made)
