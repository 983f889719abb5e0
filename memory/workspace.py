"""A session's workspace: the folder its tools read and write, and how text files in it are opened.

User files lie below ``data/`` under their own names; what tools make lies beside it. It knows nothing of formats.
"""

import codecs
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TextIO

from llmos.kernel.errors import UsageError

DATA = "data"
LINE_BYTES = 1 << 20  # a longer line is read in pieces, so that memory stays bounded


def no_links(folder: Path, relative: PurePosixPath) -> None:
    """Raise UsageError when boxed code has put a link where ``folder / relative`` is to be written."""
    for path in (folder, *(folder / part for part in relative.parents), folder / relative):
        if path.is_symlink():
            raise UsageError(f"{path.name} in the session's files was replaced by a link; start a new session")


def free_path(folder: Path, relative: PurePosixPath) -> Path:
    """A path below ``folder`` for ``relative`` that does not exist yet: ``a.csv``, ``a-2.csv``, …"""
    wanted = folder / relative
    path, again = wanted, 1
    while path.exists() or path.is_symlink():
        again += 1
        path = wanted.with_name(f"{wanted.stem}-{again}{wanted.suffix}")
    return path


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
