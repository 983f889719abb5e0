"""Documents that are no pages: PDFs as text, anything else as a file of the workspace with a line on what it is.

A PDF is read here, by pypdf, in pure Python, page by page and no longer than it may take. What is only a picture in it
stays unseen.
"""

import io
import re
import time
from collections.abc import Callable
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from llmos.kernel.hygiene import clean

SECONDS = 15.0
PAGES = 300
_KINDS = {
    "application/pdf": ".pdf", "text/csv": ".csv", "application/json": ".json", "text/plain": ".txt",
    "application/zip": ".zip", "image/png": ".png", "image/jpeg": ".jpg", "text/tab-separated-values": ".tsv",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
}  # fmt: skip
_QUOTED = re.compile(r"filename\s*=\s*\"([^\"]+)\"|filename\s*=\s*([^;\s]+)", re.IGNORECASE)
_STARRED = re.compile(r"filename\*\s*=\s*(?:utf-8|iso-8859-1)'[^']*'([^;\s]+)", re.IGNORECASE)


def is_pdf(mime: str, body: bytes) -> bool:
    """Whether it is a PDF, by what it says and how it begins."""
    return body[:1024].lstrip().startswith(b"%PDF-") or (mime == "application/pdf" and b"%PDF-" in body[:1024])


def pdf_lines(body: bytes, cancelled: Callable[[], bool] = lambda: False) -> tuple[str, list[str]]:
    """A PDF's title and its lines of text, a heading before each page. Raises ValueError where it cannot be read."""
    from pypdf import PdfReader

    until = time.monotonic() + SECONDS
    try:
        reader = PdfReader(io.BytesIO(body), strict=False)
        if reader.is_encrypted and not reader.decrypt(""):
            raise ValueError("the PDF is locked by a password")
        title = clean(str(reader.metadata.title if reader.metadata and reader.metadata.title else "")).strip()
        found: list[str] = []
        total = len(reader.pages)
        for number, page in enumerate(reader.pages, 1):
            found.append(f"## Page {number} of {total}")
            found += [" ".join(line.split()) for line in clean(page.extract_text() or "").splitlines() if line.strip()]
            if time.monotonic() > until or number >= PAGES or cancelled():
                found.append(f"(only the first {number} pages were read)")
                break
    except ValueError:
        raise
    except Exception as error:  # pypdf raises all kinds on broken files
        raise ValueError(f"the PDF cannot be read: {type(error).__name__}") from error
    return title, found


def file_name(disposition: str, url: str, mime: str) -> str:
    """A safe name for a download: as its server says, else as its URL ends."""
    starred, quoted = _STARRED.search(disposition), _QUOTED.search(disposition)
    said = unquote(starred[1]) if starred else (quoted[1] or quoted[2]) if quoted else ""
    name = PurePosixPath((said or unquote(urlsplit(url).path)).replace("\\", "/")).name
    name = re.sub(r"[^\w.() -]+", "_", clean(name)).strip(" .")[-80:].lstrip(".-")
    if not name:
        name = "download"
    if "." not in name:
        name += _KINDS.get(mime, ".bin")
    return name
