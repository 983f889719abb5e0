"""A made picture as a PNG file that says how it was made, visibly to programs and invisibly in its pixels; and the way
back: what a picture file tells of that.

What stands in a file's metadata anybody can write or take out; the mark in the pixels survives JPEG and cropping.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmos.memory import pictures
from llmos.tools import image_mark

if TYPE_CHECKING:
    from PIL.Image import Image

MAKER = "made by llmos"
KEYS = ("prompt", "negative", "seed", "model", "steps", "guidance", "size")
_MOST_TEXT = 5000  # characters of one entry


@dataclass(frozen=True, slots=True)
class Found:
    """What a picture tells: whether it holds the mark, how clearly (standard deviations), and its metadata."""

    marked: bool
    likeness: float
    told: Mapping[str, str]


def png(picture: "Image", told: Mapping[str, object]) -> bytes:
    """The picture with the mark, as PNG bytes; ``told`` becomes its metadata, empty values left out."""
    import numpy as np
    from PIL import Image, PngImagePlugin

    marked = Image.fromarray(image_mark.mark(np.asarray(picture.convert("RGB"))))
    entries = PngImagePlugin.PngInfo()
    entries.add_itxt("Software", MAKER)
    for key, value in told.items():
        if value not in (None, ""):
            entries.add_itxt(key, str(value)[:_MOST_TEXT])
    buffer = io.BytesIO()
    marked.save(buffer, "PNG", pnginfo=entries, optimize=True)
    return buffer.getvalue()


def examine(data: bytes, name: str) -> Found:
    """What a picture file tells. Raises UsageError, one line that calls it ``name``, for what is no picture."""
    import numpy as np
    from PIL import Image

    bare = Image.open(io.BytesIO(pictures.renew(data, name).png)).convert("RGB")
    likeness = image_mark.likeness(np.asarray(bare))
    return Found(likeness > image_mark.FOUND, round(likeness, 1), _entries(data))


def _entries(data: bytes) -> dict[str, str]:
    """The metadata that :func:`png` writes, where a file has it."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as picture:
            found = picture.info
    except Exception:  # it was decoded before: what is odd is in what is told
        return {}
    if found.get("Software") != MAKER:
        return {}
    return {key: str(found[key])[:_MOST_TEXT] for key in KEYS if key in found}
