"""Files that come with a request: given, named in its words, or from standard input.

Each is copied below the session's ``data/`` under its own name, as UTF-8, and described by a short typed preview; a
picture is written anew as PNG.
What cannot be used raises UsageError: one line that names the file and says what to do. Formats are preview's business.
"""

import codecs
import csv
import errno
import json
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from difflib import get_close_matches
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from llmos.kernel.errors import LLMOSError, UsageError
from llmos.kernel.hygiene import clean
from llmos.kernel.types import Attachment, Source
from llmos.memory.kinds import kind_of
from llmos.memory.pictures import SUFFIXES, Picture, renew
from llmos.memory.preview import sniff
from llmos.memory.quotas import Quotas
from llmos.memory.veil import Veil
from llmos.memory.workspace import DATA, LINE_BYTES, encoding_for, kept

EXTENSIONS = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".txt", ".md", ".xlsx")
MAX_FILES, MAX_BYTES = 200, 200_000_000
_KINDS = "csv, tsv, json, txt, md or xlsx"
_NAMED = re.compile(r"\.(?:csv|tsv|jsonl?|ndjson|txt|md|xlsx)(?![\w-]|\.\w)", re.IGNORECASE)
_MAX_ENTRIES = 20_000  # looked at in a folder: "/" given by mistake must not be walked for hours
_FULL_PREVIEWS = 6  # of more files than this only the first line is shown, or they would fill the context
_MAX_NAMED, _MAX_NAME_WORDS = 50, 10


def attach(
    paths: Sequence[str | Path],
    workspace: Path,
    quotas: Quotas = Quotas(),  # noqa: B008
    veil: Veil = Veil(),  # noqa: B008
) -> tuple[Attachment, ...]:
    """Copy files, and the readable files of folders, into the workspace. ``veil``: what is shown of them.

    UsageError for what cannot be used, QuotaError for what the session's quota has no room for.
    """
    found = [file for path in paths for file in _expanded(Path(path).expanduser())]
    if len(found) > MAX_FILES:
        raise UsageError(f"that is more than {MAX_FILES} files; give fewer, or a smaller folder")
    total, made = 0, []
    for file, relative, in_folder in found:
        total += _size(file)
        if total > MAX_BYTES:
            raise UsageError(f"the files are larger than {MAX_BYTES // 1_000_000} MB together, at {file}; give a part")
        try:
            made.append(_attached(file, relative, workspace, quotas, veil=veil))
        except UsageError:
            if not in_folder:  # a folder may hold an empty or binary file among good ones
                raise
    if paths and not made:
        raise UsageError(f"{paths[0]} holds no file that can be read; give {_KINDS}")
    rest = (replace(file, preview=file.preview.partition("\n")[0]) for file in made[_FULL_PREVIEWS:])
    return (*made[:_FULL_PREVIEWS], *rest)


def attach_stdin(
    data: bytes,
    workspace: Path,
    quotas: Quotas = Quotas(),  # noqa: B008
    veil: Veil = Veil(),  # noqa: B008
) -> Attachment:
    """Keep standard input as ``stdin.csv`` (or tsv, json, jsonl, txt, as it looks) in the workspace.

    Raises as :func:`attach` does.
    """
    if not data.strip():
        raise UsageError("standard input is empty; pipe data into it, such as: cat data.csv | llmos run ...")
    if len(data) > MAX_BYTES:
        raise UsageError(f"standard input is larger than {MAX_BYTES // 1_000_000} MB; give a part of it")
    encoding = encoding_for(data[:LINE_BYTES], "standard input")
    text = data.decode(encoding, errors="replace").removeprefix("\ufeff")
    name = f"stdin.{_guess(text)}"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_text(text, encoding="utf-8", newline="")
        return _attached(path, PurePosixPath(name), workspace, quotas, "standard input", veil)


def named_in(request: str, cwd: Path) -> list[Path]:
    """The existing files with a known extension that the request's words name; quoted or not, with spaces, ``~``."""
    found: dict[Path, Path] = {}
    for match in list(_NAMED.finditer(request))[:_MAX_NAMED]:
        line = request[: match.end()].rpartition("\n")[2]
        for words in _endings(line):
            path = _existing(words, cwd)
            if path is not None:
                found.setdefault(path.resolve(), path)
                break
    return list(found.values())


def _endings(line: str) -> Iterator[str]:
    """The ends of a line that could be a path, the longest first: the last quotation, then the last words."""
    quote = re.search(r"""["'`\u201c\u2018]([^"'`\u201c\u2018]+)$""", line)
    if quote:
        yield quote[1]
    starts = [0, *(match.end() for match in re.finditer(r"[\s(\[<:,;=\"']+", line))]
    for start in starts[-_MAX_NAME_WORDS:]:
        yield line[start:]


def _existing(words: str, cwd: Path) -> Path | None:
    if "\0" in words or "://" in words:
        return None
    try:
        path = cwd / Path(words.strip()).expanduser()
        return path if path.is_file() else None
    except (OSError, RuntimeError, ValueError):  # a name too long, or the home of an unknown user
        return None


def _expanded(path: Path) -> list[tuple[Path, PurePosixPath, bool]]:
    """A file as itself, a folder as its files: the path, its name below ``data/``, and whether it is from a folder."""
    if not path.is_dir():
        return [(path, PurePosixPath(path.name), False)]
    try:
        inside = sorted(islice(_walk(path), MAX_FILES + 1))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}; check its permissions") from error
    if not inside:
        raise UsageError(f"{path} is a folder without {_KINDS} files; give a file, or another folder")
    name = path.resolve().name
    return [(file, PurePosixPath(name, *file.relative_to(path).parts), True) for file in inside]


def _walk(folder: Path) -> Iterator[Path]:
    """Files with a known extension; hidden ones not, links only to files inside the folder."""
    root, seen = folder.resolve(), 0
    for here, folders, names in os.walk(folder):  # does not follow links to folders
        folders[:] = [name for name in folders if not name.startswith(".")]
        seen += len(names) + len(folders)
        if seen > _MAX_ENTRIES:
            raise UsageError(f"{folder} holds too many files to look through; give a smaller folder")
        for name in names:
            path = Path(here, name)
            if name.startswith(".") or path.suffix.lower() not in EXTENSIONS:
                continue
            if path.is_symlink() and not path.resolve().is_relative_to(root):
                continue
            if path.is_file():
                yield path


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        raise UsageError(_missing(path)) from None
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error


def _missing(path: Path) -> str:
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        names = []
    near = get_close_matches(path.name, names, 1)
    return f"no such file: {path}; " + (f"did you mean {path.with_name(near[0])}?" if near else "check its path")


def _attached(
    file: Path,
    relative: PurePosixPath,
    workspace: Path,
    quotas: Quotas,
    origin: str = "",
    veil: Veil = Veil(),  # noqa: B008
) -> Attachment:
    """Copy one file; one that already lies there with the same content is used as it is."""
    relative = PurePosixPath(*(_safe(part) for part in relative.parts))
    relative = veil.name(relative)
    suffix, called = relative.suffix.lower(), origin or str(file)
    picture: Picture | None = None

    def fill(target: BinaryIO) -> None:
        if picture is not None:
            target.write(picture.png)
        else:
            shutil.copyfileobj(stream, target) if suffix == ".xlsx" else _copy_text(stream, target, called)

    try:
        with _opened(file) as stream:
            if suffix in SUFFIXES:
                picture = renew(stream.read(), called)
                relative = relative.with_suffix(".png")
            with kept(workspace, relative, fill, quotas) as (name, path):
                told = picture.told(name) if picture is not None else veil.preview(path, name)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise LLMOSError(f"no space left on the disk for {file}; free some and try again") from error
        raise UsageError(f"cannot read {file}: {error.strerror}; check its permissions") from error
    return Attachment(f"{DATA}/{name}", told, Source("file", name, origin or str(file.resolve())))


@contextmanager
def _opened(file: Path) -> Iterator[BinaryIO]:
    """The file, if it is a regular one: a FIFO or device is refused without waiting for it."""
    handle = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as stream:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise UsageError(f"{file} is not a regular file; give {_KINDS}, or pipe it into llmos run")
        yield stream


def _copy_text(stream: BinaryIO, target: BinaryIO, name: str) -> None:
    """Copy text as UTF-8, so that every tool can read it; what claims to be UTF-8 and is not, is read as cp1252."""
    encoding = encoding_for(stream.read(LINE_BYTES), name)
    for attempt in (encoding, "cp1252"):
        stream.seek(0)
        target.seek(0)
        target.truncate()
        errors = "strict" if attempt == "utf-8-sig" else "replace"
        decoder = codecs.getincrementaldecoder(attempt)(errors)
        try:
            while chunk := stream.read(LINE_BYTES):
                target.write(decoder.decode(chunk).encode())
            target.write(decoder.decode(b"", final=True).encode())
            return
        except UnicodeDecodeError:
            continue


def _safe(part: str) -> str:
    """A file's name without control characters or broken bytes."""
    return clean(part.encode(errors="replace").decode()).replace("\n", " ").strip() or "file"


def _guess(text: str) -> str:
    """The extension that standard input would have as a file."""
    if text.lstrip()[:1] in ("{", "["):
        try:
            json.loads(text)
            return "json"
        except (ValueError, RecursionError):
            return "jsonl" if text.lstrip()[:1] == "{" else "txt"
    head = text.splitlines()[:200]
    delimiter, width = sniff(head)
    widths = [len(row) for row in csv.reader(head, delimiter=delimiter)]
    # prose has commas too, but not the same number of them on line after line
    if width > 1 and len(head) > 1 and widths.count(width) >= 0.9 * len(widths):
        return "tsv" if delimiter == "\t" else "csv"
    return "csv" if _is_column(head) else "txt"


def _is_column(lines: Sequence[str]) -> bool:
    """Whether it is one column of numbers, with or without a name above."""
    return len(lines) > 2 and kind_of("", lines[1:]) not in ("text", "empty")
