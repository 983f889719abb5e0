"""Snapshots of a session's files: as they were when a request began, and as they were when it was undone.

Each content is kept once, named by its hash, in a folder beside the workspace that boxed code cannot reach. A file over
:data:`MOST_FILE`, or beyond :data:`MOST` in all, is noted and not copied: where it has changed since, it cannot be
brought back, and whoever asks is told. Links, pipes and devices are never kept, and nothing here follows one.
Knows files, not sessions.
"""

import hashlib
import json
import os
import shutil
import stat
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path, PurePath

from llmos.kernel import beneath

FOLDER = "snapshots"  # beside the workspace
_REPLAY = "replay"
MOST_FILE, MOST = 16 << 20, 256 << 20  # bytes of one file, of all contents of a session


@dataclass(frozen=True, slots=True)
class Kept:
    """One file: the hash of its content, empty for one that was not copied; ``stamp`` changes when the file does."""

    hash: str
    mode: int
    stamp: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The plain files of a workspace by their names, and its folders."""

    files: dict[str, Kept]
    folders: frozenset[str]


class Snapshots:
    """The snapshots of one session, by name. Its workspace may be written to by boxed code at the same time."""

    def __init__(self, session: Path) -> None:
        self._workspace, self._folder = session / "workspace", session / FOLDER
        self._last = Snapshot({}, frozenset())
        self._lock = threading.RLock()

    def take(self, name: str) -> None:
        """Keep how the files are now. Where that cannot be, there is no snapshot of this name: :meth:`restore` tells.

        What was kept longest ago goes where there is no more room.
        """
        with self._lock, suppress(OSError):
            self._folder.mkdir(mode=0o700, exist_ok=True)
            made, room = Snapshot({}, frozenset()), MOST
            folders = set()
            for path, status in beneath.paths(self._workspace):
                if stat.S_ISDIR(status.st_mode):
                    folders.add(str(path))
                elif stat.S_ISREG(status.st_mode) and status.st_nlink == 1:
                    fits = status.st_size <= min(MOST_FILE, room)
                    made.files[str(path)] = self._kept(str(path), status, fits)
                    room -= status.st_size * fits
            self._last = Snapshot(made.files, frozenset(folders))
            told = {"files": {n: asdict(k) for n, k in made.files.items()}, "folders": sorted(folders)}
            _write(self._folder / f"{name}.json", json.dumps(told, separators=(",", ":")).encode())
            self._make_room(name)

    def restore(self, name: str, without: Iterable[str] = ()) -> tuple[str, ...] | None:
        """Bring the files back as they were, but for those named in ``without``, which go. The names of those that
        stay as they are, since their content was not kept; None where there is no such snapshot, or the files cannot
        be looked at.
        """
        wanted = self._read(name)
        if wanted is None:
            return None
        for gone in without:
            wanted.files.pop(gone, None)
        there: dict[str, os.stat_result] = {}
        try:
            found = list(beneath.paths(self._workspace))
        except OSError:  # folders too deep
            return None
        # The deepest first, so that a folder is empty by the time it is looked at.
        for path, status in sorted(found, key=lambda one: -len(one[0].parts)):
            if stat.S_ISREG(status.st_mode) and status.st_nlink == 1 and str(path) in wanted.files:
                there[str(path)] = status
            elif str(path) not in wanted.folders or not stat.S_ISDIR(status.st_mode):
                self._remove(path, stat.S_ISDIR(status.st_mode))
        stay = []
        for file, kept in wanted.files.items():
            if file not in there or _stamp(there[file]) != kept.stamp:
                try:
                    self._put(PurePath(file), kept)
                except OSError:
                    stay.append(file)
        return tuple(stay)

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Whatever happens to the files that are there now is taken back at the end; new ones stay. No snapshot is
        taken meanwhile."""
        with self._lock:
            self.take(_REPLAY)
            try:
                yield
            finally:
                before = self._read(_REPLAY)
                for file, kept in before.files.items() if before is not None else ():
                    with suppress(OSError):
                        if self._stamp_of(file) != kept.stamp:
                            self._put(PurePath(file), kept)

    def read(self, name: str, file: str, most: int) -> bytes:
        """A file's bytes as a snapshot has it. Raises OSError where that is not to be had, or over ``most`` bytes."""
        found = self._read(name)
        kept = found.files.get(file) if found is not None else None
        if kept is None or not kept.hash:
            raise FileNotFoundError(file)
        return beneath.read(self._folder, kept.hash, most)

    def copy(self, session: Path) -> None:
        """Give another session, whose folder this is, the same snapshots."""
        if self._folder.is_dir():
            shutil.copytree(self._folder, session / FOLDER)

    def _kept(self, name: str, status: os.stat_result, fits: bool) -> Kept:
        """A file, its content copied where it fits and is not kept yet."""
        before, stamp, mode = self._last.files.get(name), _stamp(status), stat.S_IMODE(status.st_mode) & 0o777
        if before is not None and before.stamp == stamp and before.hash and (self._folder / before.hash).is_file():
            return Kept(before.hash, mode, stamp)
        if not fits:
            return Kept("", mode, stamp)
        data = beneath.read(self._workspace, name, MOST_FILE)
        digest = hashlib.sha256(data).hexdigest()
        if not (self._folder / digest).is_file():
            _write(self._folder / digest, data)
        return Kept(digest, mode, stamp)

    def _put(self, file: PurePath, kept: Kept) -> None:
        """Write a file as it was, in the place of whatever has its name. Raises OSError where it cannot be."""
        if not kept.hash:
            raise FileNotFoundError(str(file))
        data = beneath.read(self._folder, kept.hash, MOST_FILE)
        with beneath.made(self._workspace, file.parent) as here:
            with suppress(FileNotFoundError):
                os.unlink(file.name, dir_fd=here)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            with os.fdopen(os.open(file.name, flags, 0o644, dir_fd=here), "wb") as target:
                target.write(data)
                target.flush()
                os.fchmod(target.fileno(), kept.mode)
                os.utime(target.fileno(), ns=(kept.stamp[2], kept.stamp[2]))

    def _stamp_of(self, file: str) -> tuple[int, ...]:
        """The stamp of a file as it is now; nothing where it is none any more."""
        try:
            opened = beneath.open_beneath(self._workspace, file, os.O_RDONLY)
        except OSError:
            return ()
        try:
            return _stamp(os.fstat(opened))
        finally:
            os.close(opened)

    def _remove(self, path: Path, folder: bool) -> None:
        with suppress(OSError), beneath.made(self._workspace, path.parent) as here:
            (os.rmdir if folder else os.unlink)(path.name, dir_fd=here)

    def _read(self, name: str) -> Snapshot | None:
        try:
            told = json.loads((self._folder / f"{name}.json").read_bytes())
            files = {n: Kept(k["hash"], k["mode"], tuple(k["stamp"])) for n, k in told["files"].items()}
            return Snapshot(files, frozenset(told["folders"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _make_room(self, newest: str) -> None:
        """Remove the oldest snapshots, and the contents that no other one has, until the rest fits."""
        sizes = {p.name: p.stat().st_size for p in self._folder.iterdir() if p.suffix != ".json"}
        if sum(sizes.values()) <= MOST:  # a long session has many snapshots of few contents
            return
        named = sorted((p.stat().st_mtime_ns, p.stem) for p in self._folder.glob("*.json"))
        old = [name for _, name in named if name != newest]
        while sum(sizes.values()) > MOST and old:
            (self._folder / f"{old.pop(0)}.json").unlink()
            held = {k.hash for name in (*old, newest) for k in self._files(name)}
            for content in [name for name in sizes if name not in held]:
                (self._folder / content).unlink()
                del sizes[content]

    def _files(self, name: str) -> Iterator[Kept]:
        found = self._read(name)
        yield from found.files.values() if found is not None else ()


def _stamp(status: os.stat_result) -> tuple[int, ...]:
    # The change time is the kernel's own: boxed code cannot set it back.
    return (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _write(path: Path, data: bytes) -> None:
    """A file of ours, whole or not at all."""
    draft = path.with_name(f".{path.name}.draft")
    draft.write_bytes(data)
    draft.replace(path)
