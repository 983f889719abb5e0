"""Files, folders and zip archives into the memory, one document each; what cannot be read is one line, not the end."""

import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from zipfile import ZipFile

from llmos.kernel.errors import UsageError
from llmos.kernel.hygiene import clean
from llmos.kernel.types import Label
from llmos.memory import reader, zips
from llmos.memory.chunks import cut
from llmos.memory.record import Added, Document
from llmos.memory.store import Memory

MOST_FILES = 100_000
_SKIPPED = {"node_modules", "__pycache__"}


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one file: ``added`` says it, or ``problem`` is one line why not. ``name`` is fit to be shown."""

    name: str
    added: Added | None = None
    problem: str = ""


def add(memory: Memory, paths: Sequence[str | Path], *, persona: str = "", session: str = "") -> Iterator[Taken]:
    """Take files in, yielding each as it is safely kept; with ``session``, for that session alone.

    Raises UsageError for a path that does not exist.
    """
    for given in paths:
        path = Path(given).expanduser()
        if not path.exists():
            raise UsageError(f"no such file: {path}; check its path")
    for given in paths:
        path = Path(given).expanduser()
        for file in _files(path):
            yield from _taken(memory, file, str(file.resolve()), persona, session)


def count(paths: Sequence[str | Path]) -> int:
    """How many files there are to read, for telling how far it is."""
    return sum(1 for path in paths for _ in _files(Path(path).expanduser()))


def _files(path: Path) -> Iterator[Path]:
    """The file, or the readable files of a folder: hidden ones not, and links only to files inside it."""
    if not path.is_dir():
        yield path
        return
    root, seen = path.resolve(), 0
    for here, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in _SKIPPED)
        for name in sorted(names):
            file = Path(here, name)
            if name.startswith(".") or not (reader.wanted(name) or name.lower().endswith(".zip")):
                continue
            if file.is_symlink() and not file.resolve().is_relative_to(root):
                continue
            seen += 1
            if seen > MOST_FILES:
                raise UsageError(f"{path} holds more than {MOST_FILES:,} files; give a smaller folder")
            if file.is_file():
                yield file


def _taken(memory: Memory, file: Path, location: str, persona: str, session: str) -> Iterator[Taken]:
    name = _shown(file.name)
    try:
        if not file.is_file():
            raise UsageError(f"{name} is not a regular file")
        if file.suffix.lower() == ".zip":
            zips.check(file, name)
            yield from _unpacked(memory, file, location, persona, session)
        else:
            yield Taken(name, _kept(memory, file, name, location, persona, session))
    except UsageError as error:
        yield Taken(name, problem=str(error))
    except OSError as error:
        yield Taken(name, problem=f"cannot read {name}: {error.strerror or error}")


def _unpacked(memory: Memory, file: Path, location: str, persona: str, session: str) -> Iterator[Taken]:
    """The files of an archive; each is read from a file of our own name, whatever it is called inside."""
    with ZipFile(file) as archive, tempfile.TemporaryDirectory() as folder:
        for info, problem in zips.members(archive):
            inner = PurePosixPath(info.filename)
            name = _shown(inner.name)
            if any(part.startswith((".", "__MACOSX")) and part != ".." for part in inner.parts):
                continue
            try:
                if problem:
                    raise UsageError(f"{name} in {_shown(file.name)} is not read: {problem}")
                if not reader.readable(name):
                    raise UsageError(f"{name} in {_shown(file.name)} has no reader")
                copy = Path(folder, f"file{inner.suffix.lower()}")
                copy.write_bytes(zips.content(archive, info.filename))
                place = f"{location}!{_shown(info.filename)}"
                yield Taken(name, _kept(memory, copy, name, place, persona, session))
            except UsageError as error:
                yield Taken(name, problem=str(error))


def _kept(memory: Memory, file: Path, name: str, location: str, persona: str, session: str) -> Added:
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    label = Label((f"file:{name}",), "untrusted", "user")
    made = Document(f"file:{location}", name, digest, "file", location, persona, label=label)
    if session:  # of this session alone, whoever else has the same file
        made = replace(made, key=f"{session}:{location}", hash=f"{digest}:{session}", kind="attached", session=session)
    if (known := memory.known(made)) is not None:  # before the work of reading it
        return known
    return memory.add(made, cut(reader.read(file, name)))


def _shown(name: str) -> str:
    """A name on one line without control characters or broken bytes."""
    return " ".join(clean(name.encode(errors="replace").decode()).split()) or "file"
