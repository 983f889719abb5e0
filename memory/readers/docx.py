"""Word documents by python-docx: headings, paragraphs and tables in their order."""

import re
from collections.abc import Iterator
from pathlib import Path

from llmos.memory.block import Block
from llmos.memory.readers.rows import named


def read(path: Path, name: str) -> Iterator[Block]:
    """The blocks; a table's first row names its columns."""
    from docx import Document
    from docx.table import Table

    with path.open("rb") as stream:
        for item in Document(stream).iter_inner_content():
            if isinstance(item, Table):
                rows = [[cell.text for cell in row.cells] for row in item.rows]
                for row in rows[1:] or rows:
                    if text := named(rows[0] if len(rows) > 1 else [], row):
                        yield Block(text, "row")
            elif item.text.strip():
                heading = re.fullmatch(r"(?:Heading (\d)|Title)", item.style.name if item.style else "")
                if heading:
                    yield Block(item.text, "heading", level=int(heading[1] or 1))
                else:
                    yield Block(item.text)
