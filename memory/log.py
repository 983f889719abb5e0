"""The event log: one append-only JSON-lines file a session, and the store of all sessions.

Each line carries a checksum that runs on from the line before, so a changed, lost or moved line is noticed, and the
number of requests so far, so that a listing needs head and tail only. A Call is on disk before its tool runs, a
Result before the next decode. A line torn by a kill is cut off and kept aside; of a file damaged in the middle the
part before is read and the whole file kept as ``.damaged``. It guards against accidents, not against an attacker.
At its quota a log takes no further Request or Call; whatever ends one that has begun is still written.

    home/sessions/20261121-0315-k7f2/log.jsonl, log.jsonl.torn, log.jsonl.damaged, workspace/data/…
"""

import builtins
import contextlib
import errno
import fcntl
import json
import os
import secrets
import threading
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, BinaryIO

from llmos.kernel import beneath
from llmos.kernel.errors import LLMOSError, UsageError
from llmos.kernel.types import Call, Decision, Event, Progress, Request, Result, Started, Text, Thought
from llmos.memory.codec import decode, encode
from llmos.memory.quotas import Quotas

LOG = "log.jsonl"
CLEAN = "go on in a new session, or make room: llmos clean"
_REMOVED = "session {} was removed by llmos clean; begin a new one"
_PREFIX, _CRC = b'{"crc":"', 8
_HEAD_LINES, _TAIL, _SHOWN = 4, 1 << 16, 200
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that reads as another


@dataclass(frozen=True, slots=True)
class LogDamage:
    """What was wrong with a log that was opened: ``text`` is one line for the user, ``kept`` the untouched copy."""

    text: str
    kept: Path


@dataclass(frozen=True, slots=True)
class Summary:
    """A session at a glance; times in seconds since the epoch."""

    id: str
    started: float
    requests: int
    first_request: str
    last_activity: float
    model: str


class SessionLog:
    """The open log of one session; only one writer at a time, in any process. Threads may share it."""

    def __init__(self, folder: Path, quotas: Quotas = Quotas()) -> None:  # noqa: B008
        self.id = folder.name
        self.workspace = folder / "workspace"
        self.damage: LogDamage | None = None
        self._path = folder / LOG
        self._quotas = quotas
        self._thread = threading.Lock()
        self._size = self._requests = self._crc = 0
        self._events: list[Event] = []
        self._file = _locked(self._path, self.id)
        try:
            self.workspace.mkdir(parents=True, exist_ok=True)
            self._read()
        except BaseException:
            self.close()
            raise

    def events(self) -> tuple[Event, ...]:
        """All events so far."""
        return tuple(self._events)

    def append(self, event: Event, durable: bool = False) -> None:
        """Add an event; with ``durable``, and always for a Call, Decision or Result, it is on disk on return.

        Text deltas and Progress are for the screen only and are not logged. Raises LLMOSError when the disk is full,
        QuotaError for a Request or Call that would take the log over its quota.
        """
        if isinstance(event, Progress) or (isinstance(event, (Text, Thought)) and event.delta):
            return
        with self._thread:
            if self._file < 0:
                raise LLMOSError(f"session {self.id} is closed; open it again to go on")
            requests = self._requests + isinstance(event, Request)
            line, crc = _line(event, requests, self._crc)
            if isinstance(event, (Call, Request)):
                self._check(len(line))
            self._write(line, durable or isinstance(event, (Call, Decision, Result)))
            self._crc, self._requests = crc, requests
            self._size += len(line)
            self._events.append(event)

    def check(self) -> None:
        """Raise QuotaError when the log has reached its quota, so that it takes no further request."""
        self._check(1)

    def check_files(self) -> None:
        """Raise QuotaError when the session's files are at their quota, so that no tool may write any more."""
        held = beneath.usage(self.workspace, strict=False)
        what = f"the files of session {self.id} hold"
        self._quotas.check("workspace", held.size + 1, what, CLEAN)
        self._quotas.check("files", held.files + 1, f"session {self.id} holds", CLEAN)

    def _check(self, more: int) -> None:
        self._quotas.check("log", self._size + more, f"the log of session {self.id} would hold", CLEAN)

    def close(self) -> None:
        """Bring everything to disk and let another process have the session. Closing twice does nothing."""
        with self._thread:
            if self._file >= 0:
                with contextlib.suppress(OSError):
                    os.fsync(self._file)
                # Closing alone would not do while a child that is being started still has the descriptor.
                fcntl.flock(self._file, fcntl.LOCK_UN)
                os.close(self._file)
                self._file = -1

    def __enter__(self) -> "SessionLog":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self) -> None:
        data = self._path.read_bytes()
        read = _parse(data, self.id)
        self._events, self._crc, self._requests, self._size = read.events, read.crc, read.requests, read.good
        if read.good < len(data):
            self._mend(data, read.good)

    def _mend(self, data: bytes, good: int) -> None:
        """Keep what follows the last good line aside, and cut it off."""
        torn = b"\n" not in data[good:]
        kept = _free(self._path.with_name(f"{LOG}.{'torn' if torn else 'damaged'}"))
        try:
            _keep(kept, data[good:] if torn else data)
            os.ftruncate(self._file, good)
            os.fsync(self._file)
        except OSError as error:
            raise LLMOSError(f"cannot mend the log of session {self.id}: {error.strerror}") from error
        if not torn:
            line, read = data[:good].count(b"\n") + 1, len(self._events)
            told = f"the log of session {self.id} is damaged at line {line}: the {read} events before it were read"
            self.damage = LogDamage(f"{told}; the whole file is kept as {kept}", kept)

    def _write(self, line: bytes, durable: bool) -> None:
        try:
            written = 0
            while written < len(line):  # a full disk may take a part of the line
                written += os.write(self._file, line[written:])
            if durable:
                os.fsync(self._file)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._size)
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            why = "the disk is full; free some space and try again" if full else error.strerror
            raise LLMOSError(f"cannot write the log of session {self.id}: {why}") from error


class SessionStore:
    """All sessions below a home folder."""

    def __init__(self, home: Path, quotas: Quotas = Quotas()) -> None:  # noqa: B008
        self.home = Path(home)
        self.folder = self.home / "sessions"
        self.quotas = quotas

    def create(self) -> str:
        """Make an empty session and return its id: the UTC minute and four letters, such as 20261121-0315-k7f2."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            while True:
                letters = "".join(secrets.choice(_LETTERS) for _ in range(4))
                folder = self.folder / f"{time.strftime('%Y%m%d-%H%M', time.gmtime())}-{letters}"
                with contextlib.suppress(FileExistsError):
                    folder.mkdir(mode=0o700)
                    break
            (folder / "workspace").mkdir()
            (folder / LOG).touch(mode=0o600)
            _sync_folder(folder)
            _sync_folder(self.folder)
        except OSError as error:
            raise LLMOSError(f"cannot make a session in {self.folder}: {error.strerror}; see LLMOS_HOME") from error
        return folder.name

    def open(self, id: str) -> SessionLog:
        """Open a session by its id, a unique part of it (beginning or end), or ``last``, the one used last.

        Raises UsageError for an unknown id, or a session that is open already; ``damage`` tells of a damaged log.
        """
        return SessionLog(self.folder / self.find(id), self.quotas)

    def read(self, id: str) -> tuple[Event, ...]:
        """The events of a session without opening it: it may be in use, and nothing is mended."""
        name = self.find(id)
        try:
            return tuple(_parse((self.folder / name / LOG).read_bytes(), name).events)
        except FileNotFoundError:
            raise UsageError(_REMOVED.format(name)) from None

    def find(self, id: str) -> str:
        """The full id. Raises UsageError, with the nearest ids, where there is none or more than one."""
        names = self._names()
        if id in names:
            return id
        if id == "last":
            logs = {name: _status(self.folder / name / LOG) for name in names}
            used = {name: log for name, log in logs.items() if log is not None and log.st_size}
            if not used:
                raise UsageError("there is no session yet; begin one with: llmos run ...")
            return max(used, key=lambda name: (used[name].st_mtime_ns, name))
        found = [name for name in names if id and (name.startswith(id) or name.endswith(id))]
        if len(found) == 1:
            return found[0]
        if found:
            raise UsageError(f"{len(found)} sessions match {id}: {', '.join(found[:3])}…; give more of the id")
        near = get_close_matches(id, names, 3, 0.4) or names[:3]
        raise UsageError(f"no session {id}; " + (f"nearest: {', '.join(near)}" if near else "there is none yet"))

    def list(self) -> builtins.list[Summary]:
        """All sessions with at least one event, the one used last first; reads only head and tail of each log."""
        found = (_summary(self.folder / name) for name in self._names())
        return sorted((s for s in found if s is not None), key=lambda s: (s.last_activity, s.id), reverse=True)

    def last(self) -> Summary | None:
        """The session used last; None where there is none yet. Looks into that one alone."""
        try:
            return _summary(self.folder / self.find("last"))
        except UsageError:
            return None

    def _names(self) -> builtins.list[str]:
        """The ids of all sessions, the newest first."""
        try:
            with os.scandir(self.folder) as entries:
                names = [entry.name for entry in entries if os.path.isfile(os.path.join(entry.path, LOG))]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise LLMOSError(f"cannot read {self.folder}: {error.strerror}") from error
        return sorted(names, reverse=True)


@dataclass(slots=True)
class _Read:
    """What could be read of a log: its events, the running checksum and the length of the good part."""

    events: list[Event]
    crc: int = 0
    requests: int = 0
    good: int = 0


def _line(event: Event, requests: int, crc: int) -> tuple[bytes, int]:
    """A log line and its checksum, which runs on from ``crc``. ASCII: no character can end a line but its end."""
    body = f'"requests":{requests},"event":{json.dumps(encode(event), separators=(",", ":"))}}}'.encode("ascii")
    crc = zlib.crc32(body, crc)
    return _PREFIX + f'{crc:08x}",'.encode() + body + b"\n", crc


def _parse(data: bytes, id: str) -> _Read:
    """Read lines up to the first that is torn or damaged."""
    read = _Read([])
    start = 0
    while (end := data.find(b"\n", start)) >= 0:
        line = data[start:end]
        body = line[len(_PREFIX) + _CRC + 2 :]
        crc = zlib.crc32(body, read.crc)
        if line != _PREFIX + f'{crc:08x}",'.encode() + body:
            break
        fields = json.loads(line)
        try:
            read.events.append(decode(fields["event"]))
        except (ValueError, KeyError) as error:  # the line is whole, so it is not damage: another version wrote it
            raise LLMOSError(f"session {id} was written by another version of llmos: {error}") from error
        read.crc, read.requests, read.good = crc, fields["requests"], end + 1
        start = end + 1
    return read


def _locked(path: Path, id: str) -> int:
    """The log's descriptor with the writer's lock, which ends with the process, however it ends."""
    try:
        file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise LLMOSError(f"cannot open session {id}: {error.strerror}") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(file)
        raise UsageError(f"session {id} is in use by another llmos; end that one, or go on in a new session") from error
    if not _is(path, file):  # removed, or moved to be removed, while it was opened
        os.close(file)
        raise UsageError(_REMOVED.format(id))
    return file


def _is(path: Path, file: int) -> bool:
    """Whether the descriptor is of what lies at the path now."""
    there = _status(path)
    return there is not None and os.path.samestat(there, os.fstat(file))


def _status(path: Path) -> os.stat_result | None:
    """The file's status; None where it is not, or no longer."""
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _free(path: Path) -> Path:
    """The path, or the first ``path.2``, ``path.3``, … that is not taken: earlier copies are never overwritten."""
    taken = (path.with_name(f"{path.name}.{n}") for n in range(2, 1_000_000))
    return path if not path.exists() else next(other for other in taken if not other.exists())


def _keep(path: Path, data: bytes) -> None:
    with path.open("xb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Bring the folder's own entries to disk."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _summary(folder: Path) -> Summary | None:
    """From the first lines and the last whole line; None for a session without events."""
    try:
        with (folder / LOG).open("rb") as stream:
            head = list(_whole(stream.readline() for _ in range(_HEAD_LINES)))
            last = _last(stream) if head else None
    except OSError:
        return None
    if last is None:
        return None
    events = [line["event"] for line in head]
    model = next((str(e.get("model", "")) for e in events if e["type"] == Started.__name__), "")
    first = next((str(e.get("text", "")) for e in events if e["type"] == Request.__name__), "")
    began, ended = float(events[0].get("time", 0.0)), float(last["event"].get("time", 0.0))
    return Summary(folder.name, began, last["requests"], first[:_SHOWN], ended, model)


def _last(stream: BinaryIO) -> dict[str, Any] | None:
    """The last whole line; more is read only where it is longer than the tail."""
    size, tail = stream.seek(0, os.SEEK_END), _TAIL
    while True:
        stream.seek(max(0, size - tail))
        found = next(_whole(reversed(stream.read().splitlines())), None)
        if found is not None or tail >= size:
            return found
        tail *= 16


def _whole(lines: Iterator[bytes]) -> Iterator[dict[str, Any]]:
    """The lines that are whole JSON; a listing does not check sums."""
    for line in lines:
        try:
            data = json.loads(line)
            if isinstance(data["event"]["type"], str) and isinstance(data["requests"], int):
                yield data
        except (ValueError, KeyError, TypeError):
            continue
