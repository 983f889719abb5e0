"""Zip archives that others made: what is in one is looked at before anything of it is unpacked, and in bounded memory.

Nothing is ever written under a name from an archive. Refused: bombs, names that point outside, links, encryption.
"""

import re
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile, ZipFile, ZipInfo

from llmos.kernel.errors import UsageError

MOST_BYTES, MOST_FILES, MOST_RATIO = 1_000_000_000, 20_000, 200
_SMALL = 1_000_000  # a file below this may be packed as tightly as it likes


def check(path: Path, name: str) -> None:
    """Raise UsageError, one line, for an archive that is broken, encrypted or unpacks to far too much."""
    try:
        with ZipFile(path) as archive:
            infos = archive.infolist()
    except (BadZipFile, ValueError, NotImplementedError, OSError, RecursionError) as error:
        raise UsageError(f"{name} is broken or no zip file: {error}") from error
    if any(info.flag_bits & 1 for info in infos):
        raise UsageError(f"{name} is encrypted; unpack it and give the folder")
    total = sum(info.file_size for info in infos)
    tight = any(i.file_size > _SMALL and i.file_size > MOST_RATIO * max(i.compress_size, 1) for i in infos)
    if tight or total > MOST_BYTES or len(infos) > MOST_FILES:
        raise UsageError(f"{name} unpacks to {total:,} bytes in {len(infos):,} files and is not read (a zip bomb?)")


def members(archive: ZipFile) -> Iterator[tuple[ZipInfo, str]]:
    """The files inside, each with an empty line or with one that says why it is not read."""
    for info in archive.infolist():
        if info.is_dir():
            continue
        parts = PurePosixPath(info.filename).parts
        if ".." in parts or info.filename.startswith("/") or re.search(r"\\|^[A-Za-z]:|[\0-\x1f]", info.filename):
            yield info, "its name points outside of the archive"
        elif stat.S_ISLNK(info.external_attr >> 16):
            yield info, "it is a link"
        else:
            yield info, ""


def content(archive: ZipFile, name: str, most: int = 100_000_000) -> bytes:
    """A file's bytes. Raises UsageError where it is missing, broken, or larger than ``most`` whatever it claims."""
    try:
        with archive.open(name) as stream:
            data = stream.read(most + 1)
    except (KeyError, BadZipFile, RuntimeError, NotImplementedError, EOFError, OSError, zlib.error) as error:
        raise UsageError(f"{PurePosixPath(name).name} inside the archive cannot be read: {error}") from error
    if len(data) > most:
        raise UsageError(f"{PurePosixPath(name).name} inside the archive is larger than {most // 1_000_000} MB")
    return data
