"""The tool ``image_svg``: a logo, an icon or a diagram that the model writes as SVG; checked, kept, and drawn as PNG.

What an SVG may hold is svg_check's; the drawing is done by resvg in a process of its own (svg_worker).
"""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from llmos.kernel.tool import OwnError, Tool, ToolContext, ToolError, ToolOutput
from llmos.kernel.types import Artifact
from llmos.tools.image import write
from llmos.tools.svg_check import MAX_CHARS, Drawing, checked

INSTALL = "pip install 'llmos[image]'"
SIDE = 1024  # pixels of the PNG's longer side
_SECONDS = 60.0  # by the clock, on a busy machine
_PNG = b"\x89PNG\r\n\x1a\n"


def make_image_svg() -> Tool:
    """The tool; it needs nothing but its words."""
    return Tool(
        name="image_svg",
        description=(
            "keeps a logo, an icon or a diagram that you draw as SVG, and its PNG; shapes, text and gradients, no"
            " scripts, styles, pictures or links; give <svg> a viewBox"
        ),
        parameters={
            "type": "object",
            "properties": {
                "svg": {"type": "string", "minLength": 1, "maxLength": MAX_CHARS},
                "title": {"type": "string", "maxLength": 200},
            },
            "required": ["svg"],
            "additionalProperties": False,
        },
        run=_run,
        capabilities=frozenset(),
        available=missing,
        derives=True,
        blind=True,
    )


def missing() -> str:
    """An empty string where this host can draw SVG, else one line with what mends it."""
    return "" if importlib.util.find_spec("resvg_py") else f"resvg is not installed: {INSTALL}"


def _run(arguments: Mapping[str, Any], context: ToolContext) -> ToolOutput:
    try:
        drawing = checked(str(arguments["svg"]))
    except ToolError as error:
        raise OwnError(str(error)) from error
    png = draw(drawing)
    title = " ".join(str(arguments.get("title") or "drawing").split())
    kept = write(context.workspace, drawing.text.encode(), "drawing", "svg")
    shown = write(context.workspace, png, "drawing", "png")
    text = f"[{kept.name} and {shown.name}: {title}, {drawing.width:g} x {drawing.height:g}]"
    made = (Artifact(str(shown), "image/png", title), Artifact(str(kept), "image/svg+xml", title))
    return ToolOutput(text, artifacts=made, typed=text)


def draw(drawing: Drawing, side: int = SIDE) -> bytes:
    """The PNG of a checked drawing, ``side`` pixels on its longer side. Raises ToolError where it cannot be drawn."""
    scale = side / max(drawing.width, drawing.height)
    size = (max(round(drawing.width * scale), 1), max(round(drawing.height * scale), 1))
    environment = {k: os.environ[k] for k in ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH") if k in os.environ}
    environment["PYTHONPATH"] = os.pathsep.join(os.path.abspath(p) for p in sys.path if p)
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "llmos.tools.svg_worker"],
            input=f"{size[0]} {size[1]}\n{drawing.text}".encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            cwd=os.sep,
            timeout=_SECONDS,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired:
        raise OwnError("the SVG takes too long to draw; draw it simpler") from None
    except OSError as error:
        raise ToolError(f"no process can be started to draw it: {error.strerror}") from error
    if done.returncode or not done.stdout.startswith(_PNG):
        raise OwnError("the SVG could not be drawn, or takes too much memory or time; draw it simpler")
    return done.stdout
