"""The process that decodes one picture: bytes on standard input, a line of JSON and a PNG on standard output.

Its limits are set before Pillow sees a byte. Only PNG, JPEG, WebP and GIF are tried, size and frames are looked at
before anything is decoded, and the new picture is made from the pixels alone.
"""

import contextlib
import io
import json
import os
import sys
from typing import Any

from llmos.memory.pictures import MAX_FRAMES, MAX_PIXELS, MAX_SIDE

MEMORY, PROCESSOR = 1 << 30, 30  # bytes of address space, seconds
FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
_KEPT = ("1", "L", "LA", "RGB", "RGBA", "I;16")  # modes that PNG has


def limit() -> None:
    """Bound memory, time, files and processes; where the system has no limits, the parent's clock alone holds."""
    try:
        import resource
    except ImportError:
        return
    bounds = [("AS", MEMORY), ("CPU", PROCESSOR), ("FSIZE", 0), ("CORE", 0), ("NPROC", 0)]
    for name, most in bounds:
        with contextlib.suppress(AttributeError, ValueError, OSError):
            resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (most, most))


def renew(data: bytes) -> tuple[dict[str, Any], bytes]:
    """What is told of a picture, and the picture anew; or what is wrong with it, and nothing."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            width, height = picture.size
            frames = int(getattr(picture, "n_frames", 1))
            if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
                return {"error": f"has {width} x {height} pixels, more than {MAX_PIXELS // 1_000_000} million"}, b""
            if frames > MAX_FRAMES:
                return {"error": f"has {frames} frames, more than {MAX_FRAMES}"}, b""
            picture.seek(0)
            picture.load()
            # Turned as its camera said, since that goes with the metadata.
            upright = ImageOps.exif_transpose(picture)
            mode = upright.mode if upright.mode in _KEPT else _mode(upright)
            plain = upright if upright.mode == mode else upright.convert(mode)
            bare = Image.frombytes(mode, plain.size, plain.tobytes())
    except UnidentifiedImageError:
        return {"error": "is no picture that can be read"}, b""
    except Image.DecompressionBombError:
        return {"error": f"has more than {MAX_PIXELS // 1_000_000} million pixels"}, b""
    except MemoryError:
        return {"error": "needs too much memory"}, b""
    except Exception:  # decoders raise what they like for broken data, and their words may be the data's
        return {"error": "is broken or cut off"}, b""
    out = io.BytesIO()
    bare.save(out, "PNG")
    return {"width": bare.width, "height": bare.height, "mode": mode, "frames": frames}, out.getvalue()


def _mode(picture: Any) -> str:
    """The mode that keeps what a picture of another has: its transparency, where it has any."""
    return "RGBA" if picture.mode in ("PA", "RGBa", "La") or "transparency" in picture.info else "RGB"


def main() -> None:
    """Decode standard input, once."""
    sys.dont_write_bytecode = True
    import PIL.GifImagePlugin
    import PIL.ImageOps
    import PIL.JpegImagePlugin
    import PIL.PngImagePlugin
    import PIL.WebPImagePlugin  # noqa: F401

    limit()
    told, png = renew(sys.stdin.buffer.read())
    with os.fdopen(1, "wb") as out:
        out.write(json.dumps(told).encode() + b"\n" + png)


if __name__ == "__main__":
    main()
