"""PDF by pypdf: the text of each page, parted at empty lines. A scan has none; reading pictures is not done here."""

import logging
import re
import time
from collections.abc import Iterator
from pathlib import Path

from llmos.kernel.errors import UsageError
from llmos.memory.block import Block

MOST_PAGES, MOST_SECONDS = 5_000, 300.0


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
            for text in re.split(r"\n\s*\n", page.extract_text() or ""):
                if text.strip():
                    found = True
                    yield Block(text.strip(), page=number)
            if time.monotonic() > end:
                raise UsageError(f"{name} was not read in {MOST_SECONDS:.0f} s, at page {number}; split it")
    except UsageError:
        raise
    except Exception as error:  # pypdf raises whatever a broken file makes it stumble over
        raise UsageError(f"{name} cannot be read as PDF: {type(error).__name__}: {str(error)[:120]}") from error
    if not found:
        raise UsageError(f"{name} holds no text (a scan?); run it through text recognition first")
