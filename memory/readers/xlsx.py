"""Excel workbooks by openpyxl: each sheet a heading, each row a block, with the sheet's own row numbers as lines."""

from collections.abc import Iterator
from pathlib import Path

from llmos.memory.block import Block
from llmos.memory.readers.rows import named

_MOST_CELLS = 5_000_000  # a sheet may claim a million empty rows


def read(path: Path, name: str) -> Iterator[Block]:
    """The rows of every sheet, below the first that is not empty."""
    import openpyxl

    seen = 0
    with path.open("rb") as stream:
        book = openpyxl.load_workbook(stream, read_only=True, data_only=True)
        for sheet in book.worksheets:
            yield Block(sheet.title, "heading", level=1)
            header: list[str] = []
            for number, values in enumerate(sheet.values, 1):
                seen += len(values)
                if seen > _MOST_CELLS:
                    return
                cells = ["" if value is None else str(value) for value in values]
                if any(cells) and not header:
                    header = cells
                elif any(cells):
                    yield Block(named(header, cells), "row", number)
