"""Slides by python-pptx: a slide is a page, its title the heading; tables as rows, and the speaker's notes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from llmos.memory.block import Block
from llmos.memory.readers.rows import named


def read(path: Path, name: str) -> Iterator[Block]:
    """The blocks of each slide."""
    from pptx import Presentation

    with path.open("rb") as stream:
        for number, slide in enumerate(Presentation(stream).slides, 1):
            title = slide.shapes.title
            told = title.text_frame.text if title is not None else ""
            yield Block(told or f"Slide {number}", "heading", page=number, level=1)
            for shape in slide.shapes:
                if title is None or shape.shape_id != title.shape_id:
                    yield from _shape(shape, number)
            if slide.has_notes_slide and (notes := slide.notes_slide.notes_text_frame):
                yield Block(notes.text, page=number)


def _shape(shape: Any, page: int) -> Iterator[Block]:
    if shape.has_text_frame and shape.text_frame.text.strip():
        yield Block(shape.text_frame.text, page=page)
    elif getattr(shape, "has_table", False):
        rows = [[cell.text for cell in row.cells] for row in shape.table.rows]
        for row in rows[1:]:
            if text := named(rows[0], row):
                yield Block(text, "row", page=page)
    for inner in getattr(shape, "shapes", ()):  # a group
        yield from _shape(inner, page)
