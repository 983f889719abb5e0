"""Which reader reads which file, and what a file must be before one does.

A file that cannot be read raises UsageError: one line that names it and says what to do. Content decides, not the name:
a PDF called ``.txt`` is told apart. Knows nothing of the store.
"""

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from zipfile import ZipFile

from llmos.kernel.errors import UsageError
from llmos.kernel.hygiene import clean
from llmos.memory import pictures, zips
from llmos.memory.block import Block

MOST_BYTES = 500_000_000
CODE = ".py .js .ts .jsx .tsx .java .c .h .cpp .hpp .cc .cs .go .rs .rb .php .sh .sql .r .swift .kt .scala .lua .toml"
# Ending: the module of readers/, its function, the package it needs.
_READERS: dict[str, tuple[str, str, str]] = {
    ".txt": ("text", "read", ""),
    ".log": ("text", "read", ""),
    ".rst": ("text", "read", ""),
    ".md": ("markdown", "read", ""),
    ".markdown": ("markdown", "read", ""),
    ".html": ("html", "read", ""),
    ".htm": ("html", "read", ""),
    ".xhtml": ("html", "read", ""),
    ".csv": ("table", "read", ""),
    ".tsv": ("table", "read", ""),
    ".json": ("data", "read", ""),
    ".jsonl": ("data", "lines", ""),
    ".ndjson": ("data", "lines", ""),
    ".pdf": ("pdf", "read", "pypdf"),
    ".docx": ("docx", "read", "docx"),
    ".pptx": ("pptx", "read", "pptx"),
    ".xlsx": ("xlsx", "read", "openpyxl"),
    ".epub": ("epub", "read", ""),
    **dict.fromkeys(pictures.SUFFIXES, ("picture", "read", "rapidocr")),
    **dict.fromkeys(CODE.split(), ("code", "read", "")),
}
_ZIPPED = {".docx": "word/", ".pptx": "ppt/", ".xlsx": "xl/", ".epub": "META-INF/container.xml"}
_MAGIC = ((b"%PDF-", "PDF", ".pdf"), (b"PK\x03\x04", "zip", ".zip"), (b"\xd0\xcf\x11\xe0", "old Office", ".doc"))
KINDS = (
    "txt, md, html, csv, tsv, json, jsonl, pdf, docx, pptx, xlsx, epub, source code, pictures of text, or a zip or"
    " folder of these"
)


def readable(name: str) -> bool:
    """Whether a file of this name has a reader."""
    return PurePosixPath(name).suffix.lower() in _READERS


def wanted(name: str) -> bool:
    """Whether a file that nobody named, one of a folder, is to be read: pictures are where text is recognized."""
    picture = PurePosixPath(name).suffix.lower() in pictures.SUFFIXES
    return readable(name) and not (picture and _lacking("rapidocr"))


def read(path: Path, name: str) -> Iterator[Block]:
    """The blocks of a file, without control and invisible characters. Raises UsageError as said above."""
    ending = PurePosixPath(name).suffix.lower()
    if ending not in _READERS:
        raise UsageError(f"{name} has no reader; give {KINDS}")
    module, function, package = _READERS[ending]
    if package and _lacking(package):
        extra = "ocr" if package == "rapidocr" else "memory"
        raise UsageError(f"{name} needs a reader that is not installed: pip install 'llmos[{extra}]'")
    _check(path, name, ending)
    found = False
    try:
        for block in getattr(import_module(f"llmos.memory.readers.{module}"), function)(path, name):
            text = clean(block.text)
            if text.strip():
                found = True
                yield Block(text, block.kind, block.line, block.page, block.level)
    except (UsageError, MemoryError):
        raise
    except OSError as error:
        raise UsageError(f"cannot read {name}: {error.strerror or error}") from error
    except Exception as error:  # the libraries raise whatever a broken file makes them stumble over
        raise UsageError(
            f"{name} cannot be read as {ending[1:]}: {type(error).__name__}: {str(error)[:120]}"
        ) from error
    if not found:
        raise UsageError(f"{name} holds no text")


def _lacking(package: str) -> bool:
    """Whether a reader's package is not installed; the recognizer of text computes with another."""
    return any(find_spec(name) is None for name in (package, *["onnxruntime"] * (package == "rapidocr")))


def _check(path: Path, name: str, ending: str) -> None:
    """Raise UsageError for what is too large, empty, or something else than its name says."""
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            start = stream.read(8)
    except OSError as error:
        raise UsageError(f"cannot read {name}: {error.strerror}") from error
    if not size:
        raise UsageError(f"{name} is empty")
    if size > MOST_BYTES:
        raise UsageError(f"{name} is larger than {MOST_BYTES // 1_000_000} MB; split it")
    kind, right = next(((kind, right) for magic, kind, right in _MAGIC if start.startswith(magic)), ("", ""))
    if ending in _ZIPPED:
        if kind != "zip":
            raise UsageError(
                f"{name} is no {ending[1:]} file{f' but {kind}' if kind else ''}; save it anew, or rename it"
            )
        zips.check(path, name)
        with ZipFile(path) as archive:
            if not any(inner.startswith(_ZIPPED[ending]) for inner in archive.namelist()):
                raise UsageError(f"{name} is a zip file but no {ending[1:]}; rename it to .zip")
    elif ending == ".pdf":
        if kind != "PDF":
            raise UsageError(f"{name} is no PDF{f' but {kind}' if kind else ''}; rename it to what it is")
    elif kind:
        raise UsageError(f"{name} is {kind} by its content; rename it to {right}")
