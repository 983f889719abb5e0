"""A session's workspace: the folder its tools read and write, how files come into it, how text files are opened.

User files lie below ``data/`` under their own names; what tools make lies beside it. Boxed code may change anything in
it at any moment: a file is written, compared and read again by its descriptor, reached from the workspace without
following a link, and gets its name in one step that replaces nothing. It knows nothing of formats.
"""

import codecs
import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import BinaryIO, TextIO

from llmos.kernel import beneath
from llmos.kernel.errors import UsageError
from llmos.memory.quotas import Quotas

DATA = "data"
LINE_BYTES = 1 << 20  # a longer line is read in pieces, so that memory stays bounded
_FILES = "/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"
_ANSWERS = {errno.ELOOP, errno.EXDEV, errno.ENOTDIR, errno.ENXIO, errno.ENOENT}  # of a path that was changed under us


@contextmanager
def kept(
    workspace: Path, relative: PurePosixPath, fill: Callable[[BinaryIO], object], quotas: Quotas
) -> Iterator[tuple[str, Path]]:
    """Put what ``fill`` writes below ``data/``, whole or not at all: its name there, and a path to read that very file.

    A file of that name and content is used as it is; another content gets a free name (``a-2.csv``). The path holds
    while the context does, whatever happens to the name. Raises UsageError when boxed code has put a link or another
    thing in the way, QuotaError when the workspace would hold more than it may; other trouble with the disk is OSError.
    """
    try:
        workspace.mkdir(parents=True, exist_ok=True)
        with beneath.made(workspace, PurePosixPath(DATA, relative).parent) as here:
            file, name = _placed(here, relative.name, fill, lambda: _check(workspace, quotas))
    except OSError as error:
        if error.errno not in _ANSWERS:
            raise
        told = f"{DATA}/{relative} in the session's files was replaced by a link, or is no file"
        raise UsageError(f"{told}; start a new session") from error
    try:
        yield relative.with_name(name).as_posix(), Path(_FILES, str(file))
    finally:
        os.close(file)


def _check(workspace: Path, quotas: Quotas) -> None:
    held = beneath.usage(workspace, strict=False)
    remedy = "attach less, go on in a new session, make room (llmos clean)"
    quotas.check("workspace", held.size, "with this file the session would hold", remedy)
    quotas.check("files", held.files, "with this file the session would hold", remedy)


def _placed(here: int, wanted: str, fill: Callable[[BinaryIO], object], check: Callable[[], None]) -> tuple[int, str]:
    """The descriptor and the name of a file in the folder ``here``, new or of the same content."""
    draft = f".draft-{secrets.token_hex(8)}"
    file = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644, dir_fd=here)
    try:
        with os.fdopen(os.dup(file), "w+b") as target:
            fill(target)
        os.fchmod(file, 0o644)  # whatever the umask: the box may run as another user
        same = _same(here, wanted, file)
        if same >= 0:
            os.close(file)
            return same, wanted
        check()
        return file, _named(here, file, draft, wanted)
    except BaseException:
        os.close(file)
        raise
    finally:
        with suppress(OSError):
            os.unlink(draft, dir_fd=here)


def _same(here: int, name: str, file: int) -> int:
    """The descriptor of the plain file ``name`` if it holds what ``file`` does, else -1."""
    try:
        other = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=here)
    except (FileNotFoundError, PermissionError):
        return -1
    status = os.fstat(other)
    if stat.S_ISREG(status.st_mode) and status.st_nlink == 1 and _equal(other, file):
        return other
    os.close(other)
    return -1


def _equal(one: int, other: int) -> bool:
    at = 0
    while (piece := os.pread(one, LINE_BYTES, at)) == os.pread(other, LINE_BYTES, at):
        if not piece:
            return True
        at += len(piece)
    return False


def _named(here: int, file: int, draft: str, wanted: str) -> str:
    """Give the file the first free name: ``a.csv``, ``a-2.csv``, … It is the file that is named, not its draft."""
    path, name, again = PurePosixPath(wanted), wanted, 1
    while True:
        try:
            _link(here, file, draft, name)
            return name
        except FileExistsError:
            again += 1
            name = f"{path.stem}-{again}{path.suffix}"


def _link(here: int, file: int, draft: str, name: str) -> None:
    try:
        os.link(f"{_FILES}/{file}", name, dst_dir_fd=here, follow_symlinks=True)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK):
            raise
        # A file system without second names. Nothing is followed here either: what is moved is a name. It is taken
        # first, so that no file of that name is replaced.
        os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=here))
        os.rename(draft, name, src_dir_fd=here, dst_dir_fd=here)


def encoding_of(sample: bytes) -> str:
    """The text encoding of a file's first bytes, or ``""`` for binary data (NUL bytes)."""
    if sample.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if b"\0" in sample:
        odd = sample[1::2]
        return "utf-16-le" if odd.count(0) > 0.4 * len(odd) and b"\0" not in sample[::2] else ""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)  # incremental: the sample may end inside a character
        return "utf-8-sig"
    except UnicodeDecodeError:
        return "cp1252"


def encoding_for(sample: bytes, name: str) -> str:
    """As :func:`encoding_of`; UsageError, one line that names the file, where it is empty or binary."""
    if not sample.strip():
        raise UsageError(f"{name} is empty; give a file with data in it")
    encoding = encoding_of(sample)
    if not encoding:
        raise UsageError(f"{name} is binary, not text; give csv, tsv, json, txt or md")
    return encoding


def open_text(path: Path, name: str) -> TextIO:
    """Open a text file in whatever encoding it has; UsageError where it is empty or binary."""
    with path.open("rb") as stream:
        encoding = encoding_for(stream.read(LINE_BYTES), name)
    return path.open(encoding=encoding, errors="replace", newline="")


def text_lines(stream: TextIO) -> Iterator[str]:
    """The stream's lines, in bounded memory."""
    return iter(lambda: stream.readline(LINE_BYTES), "")
