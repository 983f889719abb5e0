"""The audit record: one line a decision, on disk before its tool runs, so that a change made later is found.

Lines of ``home/audit/audit.jsonl`` carry their number, the hash of the line before and a MAC; ``head`` holds the last
number and hash, so that a cut end is found as well. A full file is followed by ``audit-2.jsonl`` with the same chain.
Whoever can read ``key`` can write a record that verifies, and whoever puts back an older copy of the whole folder (or
of log and head together), or removes the folder, is not found either: against those, keep an export or its last hash
elsewhere. Nor is the loss of a last record that a crash kept from the head: its append never returned. The clock is
believed. Knows no policy and no tool; of the arguments a record holds the hash only.
"""

import errno
import fcntl
import hashlib
import hmac
import json
import os
import re
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from llmos.kernel.errors import LLMOSError

FILE_BYTES = 64 << 20  # a file that has reached this is followed by the next
_KEY_BYTES = 32
_ZEROS = "0" * 64
_NAME = re.compile(r"audit(?:-([2-9]|[1-9][0-9]{1,3}))?\.jsonl", re.ASCII)


@dataclass(frozen=True, slots=True)
class Record:
    """One decision as recorded; ``time`` in UTC seconds. Of verdict ``note`` are the audit's own records."""

    seq: int
    time: float
    session: str
    call: str
    tool: str
    arguments_sha256: str
    labels: tuple[str, ...]
    verdict: str
    rule: str
    approved: bool | None
    prev_sha256: str
    mac: str


class _Head(NamedTuple):
    """The end of the chain: the last record's number, and the hash of its line with the newline."""

    seq: int = 0
    sha256: str = _ZEROS


class _View(NamedTuple):
    """The folder at one moment: later appends do not change what a view reads."""

    key: bytes | None
    head: bytes | None
    files: tuple[tuple[Path, int], ...]


class Audit:
    """The audit record of a home folder. Threads and processes may append at the same time."""

    def __init__(self, home: Path) -> None:
        self._folder = Path(home) / "audit"

    def append(
        self,
        *,
        session: str,
        call: str,
        tool: str,
        arguments_sha256: str,
        labels: Sequence[str],
        verdict: str,
        rule: str,
        approved: bool | None,
    ) -> int:
        """Record a decision; it is on disk on return. Its number. Raises LLMOSError: then the tool must not run."""
        with _told(self._folder):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Every append opens the lock anew, which keeps threads apart as well as processes.
            with _locked(self._folder / "lock", fcntl.LOCK_EX):
                view = self._view()
                key = view.key or self._begin(view)
                last = self._settle(key)
                texts = session, call, tool, arguments_sha256
                made = Record(0, 0.0, *texts, tuple(labels), verdict, rule, approved, "", "")
                return self._add(key, last, made).seq

    def records(self) -> Iterator[Record]:
        """All records as they stand, checked only for form; raises LLMOSError at the end if lines were unreadable."""
        unread = 0
        for _, raw in _lines(self._locked_view()):
            if record := _read(raw):
                yield record
            else:
                unread += 1
        if unread:
            raise LLMOSError(f"{unread} lines of the audit record are unreadable; see llmos audit verify")

    def verify(self) -> list[str]:
        """What is wrong with the record, one line each; empty when it is sound. Changes nothing."""
        return list(_problems(self._locked_view()))

    def export(self, out: TextIO) -> bool:
        """Write the whole lines and, as the last, whether they are sound, their number and the last one's hash."""
        view, count, last = self._locked_view(), 0, _ZEROS
        sound = not any(_problems(view))
        for _, raw in _lines(view):
            if raw.endswith(b"\n"):
                out.write(raw.decode("ascii", "backslashreplace"))
                count, last = count + 1, _sha(raw)
        out.write(json.dumps({"verified": sound, "records": count, "head": last}) + "\n")
        return sound

    def _locked_view(self) -> _View:
        with _told(self._folder), ExitStack() as stack:
            with suppress(FileNotFoundError):  # without a lock file nobody has ever appended
                stack.enter_context(_locked(self._folder / "lock", fcntl.LOCK_SH))
            return self._view()

    def _view(self) -> _View:
        try:
            names = sorted(filter(_number, os.listdir(self._folder)), key=_number)
        except FileNotFoundError:
            names = []
        files = tuple((self._folder / name, (self._folder / name).stat().st_size) for name in names)
        paths = (self._folder / "key", self._folder / "head")
        key, head = (path.read_bytes() if path.exists() else None for path in paths)
        return _View(key, head, files)

    def _begin(self, view: _View) -> bytes:
        """Make the key, at first use only. The head comes before it: once there is a key, a missing head is found."""
        if view.files or (_read_head(view.head, None) or _Head()).seq:
            raise self._refused("its key is missing")
        key = secrets.token_bytes(_KEY_BYTES)
        _put(self._folder / "head", _head_line(key, _Head()))
        _put(self._folder / "key", key)
        _sync(self._folder.parent)
        return key

    def _settle(self, key: bytes) -> _Head:
        """The end of the chain, after what a crash left has been put right: a head one behind, a torn last line.

        Anything else is no crash's work, and nothing is appended to it. Reads the head and the last line only.
        """
        view = self._view()
        head = _read_head(view.head, key)
        if len(key) != _KEY_BYTES or head is None:
            raise self._refused("its key or head is missing or was changed")
        line, torn = b"", None
        for path, size in reversed(view.files):  # the last may be empty, or hold a torn line only
            line, rest = _ending(path)
            torn = (path, size - len(rest), rest) if rest and not torn else torn
            if line:
                break
        if _sha(line) != head.sha256 and (line or head.seq):
            record = _read(line)
            if not record or (record.seq - 1, record.prev_sha256) != head or _mac(key, asdict(record)) != record.mac:
                raise self._refused("its end does not agree with its head")
            head = _Head(record.seq, _sha(line))
            _put(self._folder / "head", _head_line(key, head))
        return self._set_aside(key, head, *torn) if torn else head

    def _set_aside(self, key: bytes, last: _Head, path: Path, good: int, rest: bytes) -> _Head:
        """Move a torn last line to a file of its own, and note it with the hash of what was moved."""
        taken = {p.name for p in self._folder.glob("torn-*")}
        number = next(n for n in range(1, len(taken) + 2) if f"torn-{n}" not in taken)
        _put(self._folder / f"torn-{number}", rest)
        with path.open("r+b") as stream:
            stream.truncate(good)
            os.fsync(stream.fileno())
        note = Record(0, 0.0, "", "", "audit", _sha(rest), (), "note", "torn-tail", None, "", "")
        return self._add(key, last, note)

    def _add(self, key: bytes, last: _Head, made: Record) -> _Head:
        """Write one record, then the head. A record whose head could not be written stays: the next append takes it."""
        record = replace(made, seq=last.seq + 1, time=round(time.time(), 3), prev_sha256=last.sha256)
        raw = _line(asdict(replace(record, mac=_mac(key, asdict(record)))))
        if _read(raw) is None:
            raise TypeError(f"no audit record can be made of {made}")
        files = self._view().files or ((self._folder / _name(1), 0),)
        path, size = files[-1]
        if size >= FILE_BYTES:
            path = self._folder / _name(_number(path.name) + 1)
        _write(path, raw, os.O_APPEND)
        head = _Head(last.seq + 1, _sha(raw))
        _put(self._folder / "head", _head_line(key, head))
        return head

    def _refused(self, what: str) -> LLMOSError:
        told = f"the audit record in {self._folder} is damaged and takes no more: {what}; see llmos audit verify"
        return LLMOSError(f"{told}, or move the folder away to begin a new one")


def canonical(arguments: Mapping[str, Any]) -> str:
    """Arguments as the one JSON text that stands for them: keys sorted, no spaces, ASCII, floats by repr.

    What differs stays different: 1, 1.0 and true, and -0.0 and 0.0, since a tool may tell them apart. Raises ValueError
    for what JSON cannot say: NaN, infinities, keys that are no strings, other types, nesting past Python's limit.
    """
    try:
        return _dumps(_plain(arguments))
    except RecursionError as error:
        raise ValueError("the arguments are nested too deeply") from error


def call_hash(tool: str, arguments: Mapping[str, Any]) -> str:
    """What names a call with these arguments: the SHA-256 in hex of the tool's name, a newline and their JSON."""
    return _sha(f"{tool}\n{canonical(arguments)}".encode("utf-8", "surrogatepass"))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if value is None or isinstance(value, (str, int, float)):
        return value
    raise ValueError(f"no JSON value: {type(value).__name__}")


def _problems(view: _View) -> Iterator[str]:
    """Every line and the head against the chain. ``bad`` counts the lines since ``last`` that are not genuine."""
    last, bad, prev = _Head(), 0, _ZEROS
    key = view.key if view.key and len(view.key) == _KEY_BYTES else None
    if not key and (view.key or view.files or (_read_head(view.head, None) or _Head()).seq):
        yield f"key: {'damaged' if view.key else 'missing'}, so no record can be proved genuine; the chain is checked"
    names = [path.name for path, _ in view.files]
    yield from (f"{_name(n)}: missing" for n in range(1, _number((names or [""])[-1])) if _name(n) not in names)
    for where, raw in _lines(view):
        record = _read(raw)
        if record is None:
            whole = raw.endswith(b"\n")
            yield f"{where}: {'unreadable, so it was edited' if whole else 'torn, it has no end'}"
            bad += whole
        elif key and _mac(key, asdict(record)) != record.mac:
            yield f"{where}: record {record.seq} was edited or forged: its MAC is wrong"
            bad += 1
        elif record.seq <= last.seq:
            yield f"{where}: record {record.seq} stands after record {last.seq}: reordered or duplicated"
        else:
            if record.seq > last.seq + 1 + bad:
                yield f"{where}: records are missing between {last.seq} and {record.seq}"
            elif record.seq == last.seq + 1 and record.prev_sha256 != last.sha256:
                yield f"{where}: record {record.seq} does not follow the record {last.seq} before it: edited"
            last, bad, prev = _Head(record.seq, _sha(raw)), 0, record.prev_sha256
    head = _read_head(view.head, key)
    if head is None and (view.head or view.key or view.files):
        yield "head: missing" if view.head is None else "head: unreadable, edited or forged"
    elif head and head.seq > last.seq + bad:
        yield f"head: the record was truncated: it ends at {last.seq} and went on to {head.seq}"
    # After a crash the head may be one record behind.
    elif head and not bad and head != last and head != (last.seq - 1, prev):
        yield f"head: it names another record {head.seq} than the one that stands there"


def _lines(view: _View) -> Iterator[tuple[str, bytes]]:
    """Every line of a view and where it stands, with its newline; only a torn one has none."""
    for path, size in view.files:
        with _told(path.parent), path.open("rb") as stream:
            number = 0
            while size > 0 and (raw := stream.readline(size)):
                size, number = size - len(raw), number + 1
                yield f"{path.name} line {number}", raw


def _ending(path: Path) -> tuple[bytes, bytes]:
    """The last whole line of a file, with its newline, and what stands after it; reads as little as it can."""
    with path.open("rb") as stream:
        size, span = stream.seek(0, os.SEEK_END), 1 << 16
        while True:
            stream.seek(max(0, size - span))
            whole, end, rest = stream.read().rpartition(b"\n")
            _, found, line = whole.rpartition(b"\n")
            if found or span >= size:
                return line + end, rest
            span *= 16


def _read(raw: bytes) -> Record | None:
    """The record of a line; None for any line but one that is written exactly as a record is."""
    try:
        fields = json.loads(raw)
        record = Record(**{**fields, "labels": tuple(fields["labels"])})
        texts = [value for name, value in fields.items() if name not in ("seq", "time", "labels", "approved")]
        good = all(isinstance(text, str) for text in (*texts, *record.labels)) and isinstance(record.seq, int)
        good = good and isinstance(record.time, float) and 0 <= record.time < 1e11  # what a clock can show
        good = good and record.approved in (None, True, False)
        return record if good and _line(asdict(record)) == raw else None
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _read_head(raw: bytes | None, key: bytes | None) -> _Head | None:
    """The head, if ``key`` made it; without a key, what it says."""
    try:
        fields = json.loads(raw or b"")
        head = _Head(int(fields["seq"]), str(fields["sha256"]))
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return head if key is None or raw == _head_line(key, head) else None


def _head_line(key: bytes, head: _Head) -> bytes:
    # No record has these two fields only, so that a head's MAC is never a record's.
    return _line(head._asdict() | {"mac": _mac(key, head._asdict())})


def _mac(key: bytes, fields: Mapping[str, Any]) -> str:
    text = _dumps({name: value for name, value in fields.items() if name != "mac"})
    return hmac.new(key, text.encode("ascii"), hashlib.sha256).hexdigest()


def _line(fields: Mapping[str, Any]) -> bytes:
    return f"{_dumps(fields)}\n".encode("ascii")


def _dumps(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _number(name: str) -> int:
    """A log file's place in the sequence, from 1; 0 for another file."""
    found = _NAME.fullmatch(name)
    return int(found[1] or 1) if found else 0


def _name(number: int) -> str:
    return f"audit-{number}.jsonl" if number > 1 else "audit.jsonl"


def _put(path: Path, data: bytes) -> None:
    """Put a file in place whole or not at all, on disk on return."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)  # left by a crash
    _write(new, data, os.O_EXCL)
    os.replace(new, path)
    _sync(path.parent)


def _write(path: Path, data: bytes, flag: int) -> None:
    """Write to a file, on disk on return; what could not be written whole is taken back."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | flag, 0o600)
    size = os.fstat(file).st_size
    try:
        while data:  # a full disk may take a part
            data = data[os.write(file, data) :]
        os.fsync(file)
    except OSError:
        with suppress(OSError):
            os.ftruncate(file, size)
        raise
    finally:
        os.close(file)


def _sync(folder: Path) -> None:
    """Bring a folder's own entries to disk."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


@contextmanager
def _locked(path: Path, mode: int) -> Iterator[None]:
    with path.open("ab" if mode == fcntl.LOCK_EX else "rb") as file:
        fcntl.flock(file, mode)
        try:
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)  # closing would not do while a forked child has the descriptor


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    """A disk that does not do what is asked becomes one clear line."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        why = "the disk is full; free some space and try again" if full else error.strerror or error
        raise LLMOSError(f"cannot use the audit record in {folder}: {why}") from error
