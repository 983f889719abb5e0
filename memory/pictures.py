"""Pictures that come with a request: decoded in a process of their own and written anew, as PNG without metadata.

What was hidden in a picture file (places, comments, thumbnails, appended data, what a decoder stumbles over) so stays
behind; the pixels are kept. The decoding process is bounded in memory, time and files, and has no secrets in its
environment; it is no sandbox against a decoder that was taken over. What a picture shows is not looked at.
"""

import json
import os
import struct
import subprocess
import sys
from dataclasses import dataclass

from llmos.kernel.errors import LLMOSError, UsageError

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif")
MAX_BYTES, MAX_PIXELS, MAX_SIDE, MAX_FRAMES = 50_000_000, 40_000_000, 20_000, 10_000
SECONDS = 120.0  # by the clock, on a busy machine; the process itself ends after PROCESSOR seconds of computing
_PNG = b"\x89PNG\r\n\x1a\n"
_HEAD = struct.Struct(">I4sII")  # of the first chunk: size, name, width, height


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture written anew: its ``png`` bytes, size in pixels, mode as Pillow calls it, frames it had."""

    png: bytes
    width: int
    height: int
    mode: str
    frames: int = 1

    def told(self, name: str) -> str:
        """What is told of it, ``name`` as it is called."""
        frames = f" (the first of {self.frames} frames)" if self.frames > 1 else ""
        return f"file {name!r}: picture, {self.width} x {self.height} pixels, {self.mode}{frames}"


def renew(data: bytes, name: str) -> Picture:
    """The picture ``data`` written anew. Raises UsageError, one line that calls it ``name``, for what is none."""
    if len(data) > MAX_BYTES:
        raise UsageError(f"{name} is larger than {MAX_BYTES // 1_000_000} MB; give a smaller picture")
    head, _, png = _decoded(data, name).partition(b"\n")
    try:
        told = json.loads(head)
        if "error" in told:
            raise UsageError(f"{name} {told['error']}; give a whole png, jpg, webp or gif")
        picture = Picture(png, told["width"], told["height"], told["mode"], told["frames"])
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{name} could not be decoded; give another picture") from error
    if png[:8] != _PNG or _HEAD.unpack(png[8:24]) != (13, b"IHDR", picture.width, picture.height):
        raise UsageError(f"{name} could not be decoded; give another picture")
    return picture


def _decoded(data: bytes, name: str) -> bytes:
    """What the decoding process says: a line of JSON, then the PNG."""
    environment = {k: os.environ[k] for k in ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH") if k in os.environ}
    environment["PYTHONPATH"] = os.pathsep.join(os.path.abspath(p) for p in sys.path if p)
    command = [sys.executable, "-P", "-m", "llmos.memory.picture_worker"]
    try:
        done = subprocess.run(
            command,
            input=data,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            cwd=os.sep,
            timeout=SECONDS,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired:
        raise UsageError(f"{name} takes too long to decode; give a smaller picture") from None
    except OSError as error:
        raise LLMOSError(f"{name} cannot be decoded, no process can be started: {error.strerror}") from error
    if done.returncode or not done.stdout:
        raise UsageError(f"{name} takes too much memory or time to decode; give a smaller picture")
    return done.stdout
