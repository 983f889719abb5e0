"""Pictures inside the terminal: the kitty graphics protocol, iTerm2's, and sixel.

What a terminal can is guessed from the environment alone; nothing is asked of it, so nothing can hang. A picture is
decoded and encoded anew here, so that a terminal never meets bytes that a sandbox wrote. Inside tmux and screen there
are no pictures: they would need their own passthrough.
"""

import io
import os
from base64 import b64encode
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from PIL.Image import Image

Protocol = Literal["kitty", "iterm2", "sixel", ""]

MAX_BYTES = 20_000_000
MAX_SIDE = 1200
_CHUNK = 4096
_COLOURS = 64


def protocol(environment: Mapping[str, str] = os.environ) -> Protocol:
    """What this terminal can show, by its environment; empty for none."""
    term = environment.get("TERM", "").lower()
    program = environment.get("TERM_PROGRAM", "").lower()
    if "TMUX" in environment or term.startswith(("screen", "tmux")) or term in ("", "dumb"):
        return ""
    if "KITTY_WINDOW_ID" in environment or "kitty" in term or "ghostty" in (program + term):
        return "kitty"
    if program in ("iterm.app", "wezterm", "mintty") or environment.get("LC_TERMINAL", "").lower() == "iterm2":
        return "iterm2"
    if "sixel" in term or term.split("-")[0] in ("foot", "mlterm"):
        return "sixel"
    return ""


def picture(path: str | Path, kind: Protocol, columns: int = 60) -> str:
    """The escape sequence that draws the PNG at ``path`` about ``columns`` wide; empty where that cannot be."""
    if not kind:
        return ""
    try:
        image = _open(Path(path))
    except Exception:  # Pillow raises many kinds for a broken picture; a missing picture is no reason to stop
        return ""
    if kind == "sixel":
        return _sixel(image)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    data = b64encode(buffer.getvalue()).decode()
    if kind == "kitty":
        return _kitty(data, columns)
    # iTerm2 and those who follow it; the height is worked out from the width.
    size = len(buffer.getvalue())
    return f"\x1b]1337;File=inline=1;size={size};width={columns};preserveAspectRatio=1:{data}\x07\n"


def _open(path: Path) -> "Image":
    from PIL import Image

    if path.stat().st_size > MAX_BYTES:
        raise ValueError("too large")
    with Image.open(path, formats=["PNG"]) as image:
        if image.width * image.height > 50_000_000:
            raise ValueError("too many pixels")
        flat = Image.new("RGB", image.size, "white")
        rgba = image.convert("RGBA")
        flat.paste(rgba, mask=rgba.getchannel("A"))
    flat.thumbnail((MAX_SIDE, MAX_SIDE))
    return flat


def _kitty(data: str, columns: int) -> str:
    pieces = [data[i : i + _CHUNK] for i in range(0, len(data), _CHUNK)]
    last = len(pieces) - 1
    keys = [f"a=T,f=100,q=2,c={columns},m={int(last > 0)}"] + [f"m={int(i < last)}" for i in range(1, last + 1)]
    return "".join(f"\x1b_G{key};{piece}\x1b\\" for key, piece in zip(keys, pieces, strict=True)) + "\n"


def _sixel(image: "Image") -> str:
    image.thumbnail((800, 800))
    indexed = image.quantize(_COLOURS)
    palette = indexed.getpalette() or []
    width, height = indexed.size
    pixels = indexed.tobytes()
    out = [f'\x1bPq"1;1;{width};{height}']
    for colour in range(len(palette) // 3):
        red, green, blue = (round(v * 100 / 255) for v in palette[3 * colour : 3 * colour + 3])
        out.append(f"#{colour};2;{red};{green};{blue}")
    for top in range(0, height, 6):
        rows = [pixels[y * width : (y + 1) * width] for y in range(top, min(top + 6, height))]
        out.append("$".join(_band(rows, width)) + "-")
    return "".join(out) + "\x1b\\\n"


def _band(rows: list[bytes], width: int) -> Iterator[str]:
    """Six rows of pixels, one string a colour: each character is a column of six bits, runs shortened."""
    for colour in sorted(set().union(*rows)):
        columns = bytearray(width)
        for bit, row in enumerate(rows):
            at = row.find(colour)
            while at >= 0:
                columns[at] |= 1 << bit
                at = row.find(colour, at + 1)
        out, start = [f"#{colour}"], 0
        for at in range(1, width + 1):
            if at == width or columns[at] != columns[start]:
                letter, run = chr(63 + columns[start]), at - start
                out.append(f"!{run}{letter}" if run > 3 else letter * run)
                start = at
        yield "".join(out)
