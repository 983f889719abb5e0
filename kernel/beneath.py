"""The host's hand in a workspace that boxed code may write to at the same time: nothing here follows a link.

Every open is ``openat2`` relative to the workspace, beneath it, without symbolic or magic links, so that a link planted
by the box (``plot-1.png -> ~/.bashrc``) is an error and never a file outside. Reads take regular files with one name
only.
"""

import contextlib
import ctypes
import errno
import os
import shutil
import stat
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath

MAX_DEPTH = 64  # folders within folders; deeper is treated as an attack on whoever walks them
_OPENAT2 = 437  # on every architecture
_RESOLVE = 0x02 | 0x04 | 0x08  # NO_MAGICLINKS, NO_SYMLINKS, BENEATH
# Linux has them all; elsewhere this module is imported and not used.
_LOOK = os.O_RDONLY
for _flag in ("O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC"):
    _LOOK |= getattr(os, _flag, 0)


class TooDeep(OSError):
    """Folders nested deeper than :data:`MAX_DEPTH`."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a workspace holds: ``size`` in bytes on disk, ``files`` of any kind, folders included."""

    size: int = 0
    files: int = 0


def open_beneath(root: Path, name: str, flags: int, mode: int = 0) -> int:
    """A file descriptor of ``name`` (relative) below ``root``. Raises ``OSError``: ELOOP for a link, EXDEV for a way
    out."""
    with _folder(root) as folder:
        return _open(folder, name, flags, mode)


@contextmanager
def made(root: Path, name: PurePath) -> Iterator[int]:
    """The descriptor of the folder ``name`` below ``root``, made with all on its way. Raises ``OSError`` as
    :func:`open_beneath` does."""
    here = os.open(root, _LOOK)
    try:
        for part in name.parts:
            with contextlib.suppress(FileExistsError):
                os.mkdir(part, 0o755, dir_fd=here)
            inner = _open(here, part, os.O_RDONLY | os.O_DIRECTORY)
            os.close(here)
            here = inner
        yield here
    finally:
        os.close(here)


def _open(folder: int, name: str, flags: int, mode: int = 0) -> int:
    flags |= os.O_CLOEXEC | os.O_NONBLOCK
    if sys.platform == "linux":
        how = struct.pack("=QQQ", flags, mode, _RESOLVE)
        libc = ctypes.CDLL(None, use_errno=True)
        fd: int = libc.syscall(_OPENAT2, folder, os.fsencode(name), how, len(how))
        if fd >= 0:
            return fd
        error = ctypes.get_errno()
        if error != errno.ENOSYS:
            raise OSError(error, os.strerror(error), name)
    return _walked(folder, name, flags, mode)


def _walked(folder: int, name: str, flags: int, mode: int = 0) -> int:
    """As ``openat2`` does it, folder by folder: for kernels before 5.6 and systems that refuse the call."""
    *parents, last = PurePath(name).parts or (".",)
    if ".." in (*parents, last) or name.startswith("/"):
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), name)
    here = os.dup(folder)
    try:
        for part in parents:
            inner = os.open(part, _LOOK, dir_fd=here)
            os.close(here)
            here = inner
        return os.open(last, flags | os.O_NOFOLLOW, mode, dir_fd=here)
    finally:
        os.close(here)


def read(root: Path, name: str, limit: int) -> bytes:
    """A regular file's bytes. Raises ``OSError`` for anything else, for a file with two names, or over ``limit``
    bytes."""
    with os.fdopen(open_beneath(root, name, os.O_RDONLY), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
            raise OSError(f"{name} is not a plain file")
        data = file.read(limit + 1)
    if len(data) > limit:
        raise OSError(f"{name} is larger than {limit} bytes")
    return data


def create(root: Path, name: str, data: bytes) -> Path:
    """Write a new file. Raises ``FileExistsError`` when anything, a link included, has that name."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with os.fdopen(open_beneath(root, name, flags, 0o644), "wb") as file:
        file.write(data)
    return root / name


def replace(root: Path, name: str, data: bytes) -> Path:
    """Write a file, in the place of whatever has its name (a link is removed, not followed). Raises ``OSError``."""
    with _folder(root) as folder, contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)
    return create(root, name, data)


def copy(root: Path, to: Path) -> int:
    """Copy the plain files below ``root`` into an empty folder; links, pipes and devices are left out. How many."""
    count = 0
    with _folder(root) as top:
        for folder, name, status, inner in _below(top, Path(), strict=False):
            if not stat.S_ISREG(status.st_mode):
                continue
            try:
                source = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
            except OSError:
                continue
            with open(source, "rb") as stream:
                if stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                    (to / inner).mkdir(parents=True, exist_ok=True)
                    with (to / inner / name).open("xb") as out:
                        shutil.copyfileobj(stream, out)
                    count += 1
    return count


def usage(root: Path, strict: bool = True, mend: bool = True) -> Usage:
    """Bytes and inodes in use. Raises :class:`TooDeep` or, unless ``strict``, leaves out what is deeper. A folder that
    its owner made unreadable is opened up for good or, unless ``mend``, left as it is and not looked into."""
    size = files = 0
    for _, _, status in _walk(root, strict, mend):
        size += status.st_blocks * 512
        files += 1
    return Usage(size, files)


def give(root: Path, uid: int, gid: int) -> None:
    """Hand the workspace to another user (only root can), links not followed; files with a second name stay as they
    are."""
    os.chown(root, uid, gid)
    for folder, name, status in _walk(root):
        linked = stat.S_ISREG(status.st_mode) and status.st_nlink > 1
        if status.st_uid != uid and not linked:
            os.chown(name, uid, gid, dir_fd=folder, follow_symlinks=False)


def prune(root: Path, since: float, room: Usage) -> int:
    """Remove files changed after ``since`` (``time.time()``), largest first, until ``room`` suffices; the number
    removed.

    The change time is the kernel's own: the box cannot set it back.
    """
    files = [
        (status.st_blocks, str(path))
        for path, status in paths(root)
        if not stat.S_ISDIR(status.st_mode) and status.st_ctime >= since
    ]
    held = usage(root)
    size, count, removed = held.size, held.files, 0
    for blocks, name in sorted(files, reverse=True):
        if size <= room.size and count <= room.files:
            break
        head, _, tail = name.rpartition("/")
        folder = open_beneath(root, head or ".", os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.unlink(tail, dir_fd=folder)
        finally:
            os.close(folder)
        size, count, removed = size - blocks * 512, count - 1, removed + 1
    return removed


def cut(root: Path) -> None:
    """Remove what lies deeper than :data:`MAX_DEPTH`, however deep it is; for when nothing writes there any more.

    Folders at the limit are moved up, which makes the depth of theirs finite, and then removed like any other.
    """
    moved: list[str] = []
    with _folder(root) as top:
        while True:
            before = len(moved)
            _lift(top, top, 0, moved)
            if len(moved) == before:
                break
        for name in moved:
            shutil.rmtree(name, ignore_errors=True, dir_fd=top)


def _lift(top: int, folder: int, depth: int, moved: list[str]) -> None:
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    for name in names:
        if depth == MAX_DEPTH - 2:
            moved.append(f".cut-{len(moved)}")
            os.rename(name, moved[-1], src_dir_fd=folder, dst_dir_fd=top)
            continue
        inner = _enter(folder, name)
        if inner >= 0:
            try:
                _lift(top, inner, depth + 1, moved)
            finally:
                os.close(inner)


@contextmanager
def _folder(path: Path) -> Iterator[int]:
    fd = os.open(path, _LOOK)
    try:
        yield fd
    finally:
        os.close(fd)


def _walk(root: Path, strict: bool = True, mend: bool = True) -> Iterator[tuple[int, str, os.stat_result]]:
    """Everything below ``root``: (descriptor of its folder, name, status); what vanishes meanwhile is skipped."""
    with _folder(root) as fd:
        for folder, name, status, _ in _below(fd, Path(), strict, mend):
            yield folder, name, status


def paths(root: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Everything below ``root``: its path there and its status; what vanishes meanwhile is skipped."""
    with _folder(root) as fd:
        for _, name, status, path in _below(fd, Path()):
            yield path / name, status


def _below(
    folder: int, path: Path, strict: bool = True, mend: bool = True
) -> Iterator[tuple[int, str, os.stat_result, Path]]:
    if len(path.parts) >= MAX_DEPTH:
        if not strict:
            return
        raise TooDeep(f"folders nested more than {MAX_DEPTH} deep")
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            yield folder, entry.name, status, path
            if stat.S_ISDIR(status.st_mode):
                inner = _enter(folder, entry.name, mend)
                if inner >= 0:
                    try:
                        yield from _below(inner, path / entry.name, strict, mend)
                    finally:
                        os.close(inner)


def _enter(folder: int, name: str, mend: bool = True) -> int:
    """Open a folder, or -1. One that its owner closed (``chmod 0``) is opened up where ``mend`` lets it be changed, by
    descriptor and not by name."""
    try:
        return os.open(name, _LOOK, dir_fd=folder)
    except PermissionError:
        if not mend:
            return -1
    except OSError:
        return -1
    try:
        fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        return -1
    try:
        os.chmod(f"/proc/self/fd/{fd}", 0o700)
        return os.open(name, _LOOK, dir_fd=folder)
    except OSError:
        return -1
    finally:
        os.close(fd)
