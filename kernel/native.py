"""A small C library for the CPU: where a compiler is, it is built once, and ``lean`` computes its passes with it.

``python -m llmos.kernel.native`` builds it now. A process that finds none starts the build in the background and does
without: the next one has it. Without a compiler, on another processor, or with ``LLMOS_NATIVE=0`` all works on torch
alone. Knows nothing of what the library computes.
"""

import contextlib
import ctypes
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
SOURCES = ("native.c", "native_pool.c", "native_avx512.c", "native_avx2.c")
HEADERS = ("native.h", "native_plan.h", "native_pass.h")
FLAGS = ("-std=gnu11", "-O3", "-Wall", "-Wextra", "-fPIC", "-shared", "-fvisibility=hidden", "-pthread")
COMPILERS = ("cc", "gcc", "clang")
LEVELS = ("", "AVX2", "AVX-512 with bf16")
DIGEST = 32  # bytes at the end of the file: what the others must come to
SECONDS = 300  # for a compiler
DAY = 24 * 3600  # seconds until one that failed is tried again


class Library:
    """The library as it is loaded. ``level`` is the place in ``LEVELS`` of what this processor has."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.calls = ctypes.CDLL(str(path))
        self.calls.llmos_packed.restype = ctypes.c_int64
        self.level = int(self.calls.llmos_level())


@functools.cache
def library() -> Library | None:
    """The library, where there is one for this processor; looked for once in a process."""
    if not wanted():
        return None
    with contextlib.suppress(OSError):  # where its source is not
        found = find()
        if found is None and compiler() and not _failed():
            _start_build()
        return found if found and found.level else None
    return None


def wanted() -> bool:
    """Whether there may be one: by the processor, and by ``LLMOS_NATIVE``."""
    able = platform.machine() in ("x86_64", "AMD64") and sys.platform != "win32"
    return able and os.environ.get("LLMOS_NATIVE", "") not in ("0", "off", "no")


def places() -> list[Path]:
    """Where it may be: beside its source, or in the user's cache."""
    from platformdirs import user_cache_path

    # Without a home, the user's is a folder of that name in the current one: anybody's.
    return [place for place in (HERE, user_cache_path("llmos", appauthor=False)) if place.is_absolute()]


def find() -> Library | None:
    """A library that was built from this source and is whole."""
    for place in places():
        path = place / _name(".so")
        with contextlib.suppress(OSError, AttributeError):
            if (place == HERE or _ours(place)) and _trusted(path) and _whole(path.read_bytes()):
                return Library(path)
    return None


def compiler() -> str | None:
    """The first C compiler there is."""
    return next((path for name in COMPILERS if (path := shutil.which(name))), None)


def build() -> Path:
    """Build it in the first place that can be written; where it is. Raises OSError and subprocess.SubprocessError."""
    command = compiler()
    if command is None:
        raise FileNotFoundError(f"no C compiler ({', '.join(COMPILERS)}) was found")
    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch) / "native.so"
        sources = [str(HERE / name) for name in SOURCES]
        call = [command, *FLAGS, *sources, "-lm", "-o", str(made)]
        try:
            subprocess.run(call, check=True, capture_output=True, text=True, timeout=SECONDS)
            data = made.read_bytes()
            path = _put(_name(".so"), data + hashlib.sha256(data).digest())
            Library(path)
        except (OSError, subprocess.SubprocessError) as error:
            # Also a compiler that takes too long, and a folder from which nothing may be loaded.
            _put(_name(".failed"), (getattr(error, "stderr", None) or str(error)).encode())
            raise
    path.with_suffix(".failed").unlink(missing_ok=True)
    if path.parent == HERE:
        # Of sources that are no more; a cache may serve several versions.
        for old in {*HERE.glob("native-*.so"), *HERE.glob("native-*.failed")} - {path}:
            old.unlink(missing_ok=True)
    return path


def _put(name: str, data: bytes) -> Path:
    """Write a file into the first place that takes it; under its name it is whole from the first moment on."""
    refused = OSError("there is no place for it")
    for place in places():
        try:
            _open(place)
            with tempfile.NamedTemporaryFile(dir=place, prefix="native-", suffix=".part", delete=False) as part:
                part.write(data)
                os.fchmod(part.fileno(), 0o644)  # the package may be others' as well
            os.replace(part.name, place / name)
            return place / name
        except OSError as error:
            refused = error
    raise refused


def _open(place: Path) -> None:
    """Make it, if need be. Raises OSError where it is none to put something to be run."""
    if place != HERE:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _ours(place):
            raise PermissionError(f"{place} may be written by others: chmod 700 it")


def _ours(place: Path) -> bool:
    """Whether nobody else may put something there to be run."""
    status = place.stat()
    return status.st_uid == os.getuid() and not status.st_mode & 0o022


def _trusted(file: Path) -> bool:
    """Whether it is from this user or from who put the package here: others may add files to some folders."""
    status = file.stat()
    return status.st_uid in (os.getuid(), _owner()) and not status.st_mode & 0o022


def _owner() -> int:
    return (HERE / SOURCES[0]).stat().st_uid


def _failed() -> bool:
    """Whether a build failed within the last day: what it lacked may be there by tomorrow."""
    for place in places():
        with contextlib.suppress(OSError):
            if time.time() - (place / _name(".failed")).stat().st_mtime < DAY:
                return True
    return False


def _whole(data: bytes) -> bool:
    return hashlib.sha256(data[:-DIGEST]).digest() == data[-DIGEST:]


@functools.cache
def _name(ending: str) -> str:
    """A file's name: another source, other flags, another kind of machine have another."""
    parts = [(HERE / name).read_bytes() for name in (*SOURCES, *HEADERS)]
    told = "\0".join((*FLAGS, platform.machine(), platform.system(), *platform.libc_ver())).encode()
    return f"native-{hashlib.sha256(b''.join((*parts, told))).hexdigest()[:16]}{ending}"


def _start_build() -> None:
    """In a process of its own, which goes on when this one ends; a thread waits for it, so that nothing is left."""
    command = [sys.executable, "-P", "-m", "llmos.kernel.native", "--behind"]

    def run() -> None:
        with contextlib.suppress(OSError):
            nothing = subprocess.DEVNULL
            subprocess.run(command, stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True, check=False)

    threading.Thread(target=run, daemon=True, name="llmos-native-build").start()


@contextlib.contextmanager
def _alone() -> Iterator[bool]:
    """Whether no other process is building it; until the end of the block none does.

    Raises OSError where it could be put nowhere: nothing need be built then.
    """
    import fcntl

    refused = OSError("there is no place for it")
    for place in places():
        try:
            _open(place)
            lock = os.open(place / _name(".lock"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            break
        except OSError as error:
            refused = error
    else:
        raise refused
    with open(lock, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
        else:
            yield True


def main(behind: bool = False) -> int:
    """Build it, unless it is there. Says what came of it; never fails: without it all works, slower."""
    if not wanted():
        print("no native library: not for this processor, or LLMOS_NATIVE is 0")
        return 0
    if behind:
        os.nice(19)
    try:
        found = find()
        if found is None:
            with _alone() as free:
                if not free:
                    print("another process is building the native library")
                    return 0
                # Another may have just done it.
                found = find() or Library(build())
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or str(error)
        print(f"no native library: {said.strip().splitlines()[0] if said.strip() else error}")
        return 0
    print(f"native library: {LEVELS[found.level] or 'not for this processor'}, {found.path}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main("--behind" in sys.argv[1:]))
