"""PDF by pypdf: the text of each page, parted at empty lines. A scanned page is recognized where that is installed."""

import logging
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from llmos.kernel.errors import UsageError
from llmos.memory.block import Block
from llmos.memory.readers import picture

MOST_PAGES, MOST_SECONDS = 5_000, 300.0
_MOST_PICTURES = 20  # of a page


def read(path: Path, name: str) -> Iterator[Block]:
    """The paragraphs of each page. UsageError: encrypted, broken, without any text, or too long."""
    import pypdf

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # it warns of every oddity
    end, found = time.monotonic() + MOST_SECONDS, False
    try:
        book = pypdf.PdfReader(path)
        if book.is_encrypted and not book.decrypt(""):
            raise UsageError(f"{name} is encrypted; save a copy without its password")
        if len(book.pages) > MOST_PAGES:
            raise UsageError(f"{name} has {len(book.pages):,} pages, at most {MOST_PAGES:,}; split it")
        for number, page in enumerate(book.pages, 1):
            for block in _blocks(page, number, name):
                found = True
                yield block
            if time.monotonic() > end:
                raise UsageError(f"{name} was not read in {MOST_SECONDS:.0f} s, at page {number}; split it")
    except UsageError:
        raise
    except Exception as error:  # pypdf raises whatever a broken file makes it stumble over
        raise UsageError(f"{name} cannot be read as PDF: {type(error).__name__}: {str(error)[:120]}") from error
    if not found:
        mend = "it shows none that could be recognized" if picture.available() else f"to read scans: {picture.INSTALL}"
        raise UsageError(f"{name} holds no text (a scan?); {mend}")


def _blocks(page: Any, number: int, name: str) -> Iterator[Block]:
    """A page's paragraphs; of one without any, what its pictures show."""
    told = page.extract_text() or ""
    for text in re.split(r"\n\s*\n", told):
        if text.strip():
            yield Block(text.strip(), page=number)
    if not told.strip() and picture.available():
        for image in list(page.images)[:_MOST_PICTURES]:
            yield from picture.recognized(image.data, f"a picture of page {number} of {name}", number)
