"""Pictures by text recognition (rapidocr, whose models come inside its package): what is written in them, line by line.

The pixels are decoded in a process of their own (see pictures) before the recognizer sees them. Handwriting, and text
of which it is not sure, is left out or wrong: what comes from here is a reading, not the text itself.
"""

import io
import threading
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from llmos.kernel.errors import UsageError
from llmos.memory import pictures
from llmos.memory.block import Block

INSTALL = "pip install 'llmos[ocr]'"
_SURE = 0.6  # how sure it has to be of a line
_ALONE = threading.Lock()  # the recognizer keeps state


def available() -> bool:
    """Whether the recognizer is installed."""
    return find_spec("rapidocr") is not None and find_spec("onnxruntime") is not None


def read(path: Path, name: str) -> Iterator[Block]:
    """The paragraphs of a picture. UsageError: no picture, too large, or without any text."""
    found = recognized(path.read_bytes(), name)
    if not found:
        raise UsageError(f"{name} shows no text that could be recognized")
    yield from found


def recognized(data: bytes, name: str, page: int = 0) -> list[Block]:
    """What a picture's bytes show, a block a paragraph; ``line`` counts the lines of writing, where there is no page.

    UsageError for bytes that are no picture.
    """
    import numpy as np
    from PIL import Image

    picture = pictures.renew(data, name)
    with Image.open(io.BytesIO(picture.png), formats=("PNG",)) as opened:
        pixels = np.asarray(_flat(opened))
    with _ALONE:
        told = _recognizer()(pixels)
    if told.txts is None:
        return []
    scored = zip(told.boxes, told.txts, told.scores, strict=True)
    lines = [(box, text) for box, text, score in scored if score >= _SURE and text.strip()]
    return list(_paragraphs(lines, page))


def _flat(picture: Any) -> Any:
    """Without transparency, which would be black."""
    from PIL import Image

    if picture.mode in ("RGBA", "LA"):
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture.convert("RGBA"))
    return picture.convert("RGB")


@cache
def _recognizer() -> Any:
    import os

    from rapidocr import RapidOCR

    # It would take all processors, and report on itself.
    threads = int(os.environ.get("OMP_NUM_THREADS", "0") or 0) or -1
    return RapidOCR(params={"Global.log_level": "critical", "EngineConfig.onnxruntime.intra_op_num_threads": threads})


def _paragraphs(lines: list[tuple[Any, str]], page: int) -> Iterator[Block]:
    """Lines of writing as paragraphs: one ends where the next line is more than its own height below."""
    kept: list[str] = []
    began, bottom, height = 1, 0.0, 0.0
    for number, (box, text) in enumerate(lines, 1):
        top, low = float(min(p[1] for p in box)), float(max(p[1] for p in box))
        if kept and top - bottom > max(height, low - top):
            yield Block("\n".join(kept), line=0 if page else began, page=page)
            kept, began = [], number
        kept.append(text.strip())
        bottom, height = low, low - top
    if kept:
        yield Block("\n".join(kept), line=0 if page else began, page=page)
