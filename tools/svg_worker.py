"""The process that draws one SVG: its size and its text on standard input, a PNG on standard output.

It is bounded in memory and time before it reads anything, so that a drawing that takes forever takes nobody else's.
Drawn by resvg, with matplotlib's fonts alone, so that a drawing looks alike everywhere. No file is read for a drawing.
"""

import contextlib
import importlib.util
import os
import sys
from pathlib import Path

MEMORY, PROCESSOR = 1 << 30, 10  # bytes of address space, seconds


def limit() -> None:
    """Bound memory, time, files and processes; where the system has no limits, the parent's clock alone holds."""
    try:
        import resource
    except ImportError:
        return
    for name, most in (("AS", MEMORY), ("CPU", PROCESSOR), ("FSIZE", 0), ("CORE", 0)):
        with contextlib.suppress(AttributeError, ValueError, OSError):
            resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (most, most))


def fonts() -> list[str]:
    """DejaVu's files, which come with matplotlib."""
    spec = importlib.util.find_spec("matplotlib")
    places = spec.submodule_search_locations if spec is not None else None
    return [str(f) for place in places or [] for f in sorted(Path(place).glob("mpl-data/fonts/ttf/DejaVuSans*.ttf"))]


def main() -> None:
    """Draw standard input, once."""
    sys.dont_write_bytecode = True
    import resvg_py

    names = fonts()
    limit()
    head, _, text = sys.stdin.buffer.read().partition(b"\n")
    width, height = (int(number) for number in head.split())
    png = resvg_py.svg_to_bytes(
        svg_string=text.decode("utf-8"),
        width=width,
        height=height,
        skip_system_fonts=True,
        font_files=names,
        font_family="DejaVu Sans",
        serif_family="DejaVu Sans",
        sans_serif_family="DejaVu Sans",
        cursive_family="DejaVu Sans",
        fantasy_family="DejaVu Sans",
        monospace_family="DejaVu Sans Mono",
    )
    with os.fdopen(1, "wb") as out:
        out.write(bytes(png))


if __name__ == "__main__":
    main()
