"""CSV and TSV: one row a block, its cells after their columns' names. The delimiter is found as in previews."""

import csv
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path

from llmos.kernel.errors import UsageError
from llmos.memory.block import Block
from llmos.memory.preview import sniff
from llmos.memory.readers.rows import named
from llmos.memory.workspace import open_text, text_lines


def read(path: Path, name: str) -> Iterator[Block]:
    """The rows below the header. UsageError: empty, binary, or a field beyond what csv reads."""
    with open_text(path, name) as stream:
        head = list(islice(text_lines(stream), 200))
        reader = csv.reader(chain(head, text_lines(stream)), delimiter=sniff(head)[0], skipinitialspace=True)
        try:
            header = next((row for row in reader if any(row)), [])
            for row in reader:
                if any(row):
                    yield Block(named(header, row), "row", reader.line_num)
        except csv.Error as error:
            raise UsageError(f"{name} cannot be read as a table: {error} in line {reader.line_num}") from error
        if reader.line_num and header and reader.line_num <= 1:
            yield Block(named([], header), "row", 1)
