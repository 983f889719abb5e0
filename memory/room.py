"""What in llmos' home takes how much room, and how sessions and caches are removed from it.

Nothing here follows a link: all is reached from the home by descriptors. A session is removed under its own lock, so
never while a process has it open; it is first moved to ``sessions/.trash`` in one step and then removed there, so that
a kill half-way leaves either the whole session or a rest that the next clean finds. The audit record, the grants, the
quotas and what is not known are shown, never removed.
"""

import fcntl
import os
import shutil
import stat
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Literal

from llmos.kernel import beneath
from llmos.kernel.errors import UsageError
from llmos.memory.log import LOG, SessionStore
from llmos.memory.quotas import Quotas

SESSIONS, TRASH, AUDIT, CRASHES = "sessions", ".trash", "audit", "crashes"
CACHES = (CRASHES,)  # of the home: what only llmos makes and nobody needs to keep; a "cache" may be a stranger's
EMPTY_AGE = 3600.0  # seconds after which a session without any event is left over, not just begun

_HELD = ".held"  # below sessions: what they held in bytes, and when that was measured
_FRESH, _BELIEVED = 10.0, 600.0  # seconds

Kind = Literal["session", "cache", "rest", "other"]


@dataclass(frozen=True, slots=True)
class Held:
    """One thing that takes room: ``size`` in bytes on disk, ``files`` with folders, ``used`` last (seconds, epoch).

    ``kind``: a ``session``, a ``cache``, the ``rest`` of a removal that was ended, or ``other``, which is never
    removed. ``title`` is a session's first request; ``empty`` one in which nothing happened; ``written`` is when its
    log was written last, by the file system's clock.
    """

    kind: Kind
    name: str
    size: int
    files: int
    used: float = 0.0
    title: str = ""
    empty: bool = False
    written: float = 0.0


class Total:
    """The room that all sessions take together, against their quota.

    Walking thousands of sessions takes a while: a measurement is believed for :data:`_FRESH` seconds, and one that
    found less than half of the quota for :data:`_BELIEVED`, by other processes too (``sessions/.held``).
    """

    def __init__(self, home: Path, quotas: Quotas) -> None:
        self._home, self._quotas = home, quotas
        self._folder = home / SESSIONS
        self._size, self._due = 0, 0.0

    def check(self) -> None:
        """Raise QuotaError when the sessions have reached their quota, so that no request can begin."""
        if time.monotonic() >= self._due:
            self._size = self._known() or self._measure()
            self._due = time.monotonic() + _FRESH
        self._quotas.check("sessions", self._size, f"the sessions in {self._home} hold", "make room: llmos clean")

    def _known(self) -> int:
        """What another process measured, if that will do; else 0."""
        try:
            size, when = map(int, (self._folder / _HELD).read_text(encoding="ascii").split())
        except (OSError, ValueError):
            return 0
        return size if 2 * size < self._quotas.sessions and 0 <= time.time() - when < _BELIEVED else 0

    def _measure(self) -> int:
        try:
            size = beneath.usage(self._folder.resolve(), strict=False, mend=False).size
        except OSError:  # there are none yet
            return 0
        with suppress(OSError):  # a note for others, no more
            note = self._folder / f"{_HELD}.{os.getpid()}"
            note.write_text(f"{size} {int(time.time())}", encoding="ascii")
            note.replace(self._folder / _HELD)
        return size


def survey(home: Path) -> list[Held]:
    """All that lies in the home, the largest first. Raises UsageError where its sessions are behind a link."""
    home = home.resolve()
    known = {summary.id: summary for summary in SessionStore(home).list()}
    found: list[Held] = []
    for name, folder in _inside(home, SESSIONS):
        if name == TRASH or name.startswith(_HELD):
            continue
        size, log = _measured(home / SESSIONS / name), _log(home, name) if folder else None
        if log is None:  # it counts, so it is told of
            found.append(Held("other", f"{SESSIONS}/{name}", size.size, size.files))
        else:
            seen = known.get(name)
            used, title = (seen.last_activity, seen.first_request) if seen else (log.st_mtime, "")
            empty = seen is None and not log.st_size and not _damaged(home, name)
            found.append(Held("session", name, size.size, size.files, used, title, empty, log.st_mtime))
    for name, _ in _inside(home, SESSIONS, TRASH):
        size = _measured(home / SESSIONS / TRASH / name)
        found.append(Held("rest", name, size.size, size.files))
    for name, _ in _inside(home):
        if name != SESSIONS:
            size = _measured(home / name)
            found.append(Held("cache" if name in CACHES else "other", name, size.size, size.files))
    return sorted(found, key=lambda held: (-held.size, held.name))


def chosen(
    found: Sequence[Held], older_than: float | None = None, keep: int | None = None, ids: Sequence[str] = ()
) -> list[Held]:
    """What a clean would remove: caches, rests and sessions in which nothing ever happened; and what is asked for.

    That is sessions not used for ``older_than`` seconds, all but the ``keep`` used last, or both at once; and ``ids``.
    """
    sessions = sorted((h for h in found if h.kind == "session"), key=lambda h: (h.used, h.name), reverse=True)
    full = [held for held in sessions if not held.empty]
    now = time.time()
    asked = full[keep or 0 :] if older_than is not None or keep is not None else []
    if older_than is not None:
        asked = [held for held in asked if now - held.used > older_than]
    names = {*ids, *(h.name for h in asked), *(h.name for h in sessions if h.empty and now - h.used > EMPTY_AGE)}
    return [h for h in found if (h.name in names if h.kind == "session" else h.kind in ("rest", "cache") and h.files)]


def remove(home: Path, held: Held) -> bool:
    """Remove it whole; false when a process has the session open, or had it since it was looked at.

    Raises OSError for what the disk does not do.
    """
    home = home.resolve()
    if held.kind == "rest":
        _sweep(home, held.name)
        return True
    if held.kind == "cache":
        _sweep(home, _into_trash(home, ".", held.name))
        return True
    if held.kind != "session":
        raise ValueError(f"{held.name} is not to be removed")
    try:
        # Not made anew if it is gone: then there is nothing to lock, and nothing that anybody could have open.
        lock = beneath.open_beneath(home, f"{SESSIONS}/{held.name}/{LOG}", os.O_RDWR)
    except FileNotFoundError:
        return True
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        if os.fstat(lock).st_mtime != held.written:  # an old one was gone on with while the user thought about it
            return False
        _sweep(home, _into_trash(home, SESSIONS, held.name))  # the lock goes along, until all is gone
    finally:
        os.close(lock)
    return True


def check_caches(home: Path, quotas: Quotas) -> None:
    """Raise QuotaError when the caches and crash reports take all the room they may."""
    held = sum(_measured(home / name).size for name in CACHES)
    quotas.check("caches", held + 1, f"caches and crash reports in {home} hold", "remove them: llmos clean")


def check_audit(home: Path, quotas: Quotas) -> None:
    """Raise QuotaError when the record of decisions takes all the room it may: then no call may be decided."""
    remedy = f"keep a copy (llmos audit export FILE), then move {home / AUDIT} away"
    quotas.check("audit", _measured(home / AUDIT).size, "the audit record holds", remedy)


def _into_trash(home: Path, parent: str, name: str) -> str:
    """Move a folder out of the way in one step; its name in the trash."""
    moved = f"{name}-{time.time_ns():x}"
    with beneath.made(home, PurePath(SESSIONS, TRASH)) as trash:
        here = beneath.open_beneath(home, parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.rename(name, moved, src_dir_fd=here, dst_dir_fd=trash)
            os.fsync(here)
        finally:
            os.close(here)
    return moved


def _sweep(home: Path, name: str) -> None:
    """Remove something in the trash, however deep it is and whatever its owner closed. Another clean may help."""
    path = home / SESSIONS / TRASH / name
    with suppress(FileNotFoundError, NotADirectoryError):
        try:
            beneath.usage(path)  # walking opens folders that their owner closed
        except beneath.TooDeep:
            beneath.cut(path)
    with beneath.made(home, PurePath(SESSIONS, TRASH)) as trash:
        try:
            folder = stat.S_ISDIR(os.stat(name, dir_fd=trash, follow_symlinks=False).st_mode)
        except FileNotFoundError:
            return
        if folder:
            shutil.rmtree(name, onerror=_report, dir_fd=trash)
        else:  # a link, or a file that somebody put there
            os.unlink(name, dir_fd=trash)


def _report(function: object, path: str, error: tuple[type[BaseException], BaseException, object]) -> None:
    if not isinstance(error[1], FileNotFoundError):  # another clean was quicker
        raise error[1]


def _inside(home: Path, *parts: str) -> list[tuple[str, bool]]:
    """The names in a folder of the home, and which are folders and no links. Raises UsageError for a linked one."""
    try:
        here = beneath.open_beneath(home, "/".join(parts) or ".", os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return []
    except OSError as error:
        told = f"{home.joinpath(*parts)} is a link or no folder, and is not followed"
        raise UsageError(f"{told}; set LLMOS_HOME to where it is") from error
    try:
        with os.scandir(here) as entries:
            return [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    finally:
        os.close(here)


def _damaged(home: Path, name: str) -> bool:
    """Whether a session keeps what was cut off its log: then an empty log does not say that nothing happened."""
    return any(inner.startswith(f"{LOG}.") for inner, _ in _inside(home, SESSIONS, name))


def _log(home: Path, name: str) -> os.stat_result | None:
    """The status of a session's log; None where there is no log, so no session."""
    try:
        file = beneath.open_beneath(home, f"{SESSIONS}/{name}/{LOG}", os.O_RDONLY)
    except OSError:
        return None
    try:
        return os.fstat(file)
    finally:
        os.close(file)


def _measured(path: Path) -> beneath.Usage:
    """What a folder holds with itself, or a file's own size; of a link the link's. Nothing is changed by looking."""
    try:
        status = os.lstat(path)
        inside = beneath.usage(path, strict=False, mend=False) if stat.S_ISDIR(status.st_mode) else beneath.Usage()
    except OSError:
        return beneath.Usage()
    return beneath.Usage(status.st_blocks * 512 + inside.size, 1 + inside.files)
