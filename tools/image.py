"""The tool ``image``: a picture from words, from a picture and words, or inside a mask, by a diffusers checkpoint.

The checkpoint is one that the user named; nothing is fetched here. A picture is written when it is whole, with how it
was made in its metadata and a mark in its pixels (image_file). What a picture shows is not looked at, its words are
(image_subjects). Knows the workspace; how a checkpoint is loaded and run is image_checkpoint's and image_paint's.
"""

import contextlib
import io
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmos.kernel import beneath
from llmos.kernel.errors import LLMOSError
from llmos.kernel.tool import OwnError, Tool, ToolContext, ToolError, ToolOutput
from llmos.kernel.types import Artifact
from llmos.memory import pictures
from llmos.tools import image_checkpoint, image_file
from llmos.tools.image_paint import Watch, Wish, paint, settled
from llmos.tools.image_subjects import refused

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PROMPT, MIN_SIDE, MAX_SIDE, MAX_PIXELS, MAX_STEPS, MAX_PICTURES = 2000, 16, 2048, 2_400_000, 150, 8
PICTURES = 50  # that one session may make
PATIENCE = 15.0  # times as long as another tool's call
_SPARE = 3.0  # seconds before its end that a call stops by itself
PARAMETERS: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "prompt": {"type": "string", "maxLength": MAX_PROMPT},
        "negative": {"type": "string", "maxLength": MAX_PROMPT},
        "width": {"type": "integer"},
        "height": {"type": "integer"},
        "steps": {"type": "integer"},
        "guidance": {"type": "number"},
        "seed": {"type": "integer"},
        "n": {"type": "integer"},
        "file": {"type": "string", "maxLength": 300},
        "mask": {"type": "string", "maxLength": 300},
        "strength": {"type": "number"},
    },
    "required": ["prompt"],
    "additionalProperties": False,
}
DESCRIPTION = (
    "paints pictures of what prompt describes; n of them; file: a picture to start from, mask: a picture that is white"
    " where it is painted anew, strength: how much is changed (0 to 1)"
)

# What the embedded kernel is shown: the least that it names, each word of it is read at the start of every session.
BRIEF: Mapping[str, Any] = {
    **PARAMETERS,
    "properties": {k: PARAMETERS["properties"][k] for k in ("prompt", "n", "width", "height", "seed")},
}
BRIEFLY = "pictures"

_LOADING, _PAINTING = threading.Lock(), threading.Lock()  # a pipeline keeps what it is at: one picture at a time
_loaded: tuple[str, Any] | None = None  # one checkpoint a process: they are large


def make_image(model: str, made: Callable[[], int] = lambda: 0, seed: int | None = None, brief: bool = False) -> Tool:
    """The tool over the checkpoint ``model``. ``made`` tells how many pictures the session has; ``seed`` is where the
    seeds of calls that name none begin, each call's its own; without it they are random. ``brief``: as the embedded
    kernel is shown it."""

    def run(arguments: Mapping[str, Any], context: ToolContext) -> ToolOutput:
        count, already = _count(arguments), made()
        if already + count > PICTURES:
            left = f"{max(PICTURES - already, 0)} more can be made" if already < PICTURES else "start a new one"
            raise OwnError(f"a session makes at most {PICTURES} pictures; {left}")
        wish = _wish(arguments, context, secrets.randbelow(1 << 31) if seed is None else seed + already)
        return _made(model, wish, count, context)

    return Tool(
        name="image",
        description=BRIEFLY if brief else DESCRIPTION,
        parameters=BRIEF if brief else PARAMETERS,
        run=run,
        capabilities=frozenset(),
        available=image_checkpoint.missing,
        derives=True,
        patience=PATIENCE,
    )


def _count(arguments: Mapping[str, Any]) -> int:
    return int(_within(arguments, "n", 1, MAX_PICTURES, "1 to {most} pictures can be made at once") or 1)


def _wish(arguments: Mapping[str, Any], context: ToolContext, seed: int) -> Wish:
    """What the call asks for. Raises ToolError, one line, for what cannot be."""
    prompt = " ".join(str(arguments["prompt"]).split())
    if not prompt:
        raise OwnError("the prompt is empty; say what the picture shows")
    if problem := refused(prompt):
        raise OwnError(problem)
    sides = [
        _within(arguments, k, MIN_SIDE, MAX_SIDE, "{key} is {least} to {most} pixels") for k in ("width", "height")
    ]
    if all(sides) and sides[0] * sides[1] > MAX_PIXELS:
        raise OwnError(
            f"{sides[0]} x {sides[1]} pixels are too many, at most {MAX_PIXELS:,}; ask for a smaller picture"
        )
    mask, start = (_picture(context, arguments, key) for key in ("mask", "file"))
    if mask is not None and start is None:
        raise OwnError("a mask needs a file, the picture that it belongs to")
    if start is not None and (start.width * start.height > MAX_PIXELS or max(start.size) > MAX_SIDE) and not all(sides):
        start.thumbnail((1024, 1024))
    strength = _within(arguments, "strength", 0.05, 1.0, "strength is {least} to {most:g}")
    return Wish(
        prompt=prompt,
        seed=int(_within(arguments, "seed", 0, (1 << 53) - 1, "a seed is a whole number from 0") or 0)
        if "seed" in arguments
        else seed,
        negative=" ".join(str(arguments.get("negative", "")).split()),
        width=sides[0],
        height=sides[1],
        steps=_within(arguments, "steps", 1, MAX_STEPS, "{least} to {most} steps can be taken"),
        guidance=_within(arguments, "guidance", 0.0, 50.0, "guidance is {least:g} to {most:g}"),
        start=start,
        mask=mask,
        strength=0.6 if strength is None else strength,
    )


def _within(arguments: Mapping[str, Any], key: str, least: float, most: float, told: str) -> Any:
    """A number of the call, where it has it. Raises OwnError for one that is out of bounds."""
    value = arguments.get(key)
    if value is not None and not least <= value <= most:
        line = told.format(key=key, least=least, most=f"{most:,}" if isinstance(most, int) else most)
        raise OwnError(f"{line}, not {value:,}")
    return int(value) if value is not None and isinstance(most, int) else value


def _picture(context: ToolContext, arguments: Mapping[str, Any], key: str) -> "Image | None":
    """A picture of the session's files, decoded apart and written anew first. Raises ToolError where it is none."""
    name = str(arguments.get(key) or "")
    if not name:
        return None
    from PIL import Image

    for place in (name, f"data/{name}"):
        try:
            data = beneath.read(context.workspace, place, pictures.MAX_BYTES)
        except (OSError, ValueError):
            continue
        try:
            return Image.open(io.BytesIO(pictures.renew(data, name).png)).convert("L" if key == "mask" else "RGB")
        except LLMOSError as error:
            raise ToolError(str(error)) from error
    raise ToolError(f"there is no file {name} in this session; give it with --file")


def _made(model: str, wish: Wish, count: int, context: ToolContext) -> ToolOutput:
    """Paint, then write: nothing is kept of a call that fails on its way."""
    until = time.monotonic() + max(context.timeout - _SPARE, 1.0)
    context.progress(f"loading {model}")
    pipeline = _pipeline(model)
    wish = settled(wish, model, pipeline)
    preview = f".preview-{secrets.token_hex(4)}.png"
    done: list[tuple[Wish, Image]] = []
    try:
        for place in range(count):
            one, of = wish.at(wish.seed + place), f"picture {place + 1} of {count}, " if count > 1 else ""
            watch = Watch(
                step=lambda step, steps, of=of: context.progress(f"{of}step {step} of {steps}"),  # type: ignore[misc]
                preview=lambda small: _show(small, preview, context),
                cancelled=context.cancelled,
                until=until,
            )
            with _turn(context, until):
                done.append((one, paint(pipeline, one, watch)))
    finally:
        with contextlib.suppress(OSError):
            (context.workspace / preview).unlink()
    return _kept(model, done, context)


@contextlib.contextmanager
def _turn(context: ToolContext, until: float) -> Iterator[None]:
    """Wait until no other session paints. Raises ToolError where that takes too long, or nobody waits any more."""
    while not _PAINTING.acquire(timeout=0.2):
        if context.cancelled.is_set() or time.monotonic() > until:
            raise ToolError("another session was painting all the time; ask again later")
    try:
        yield
    finally:
        _PAINTING.release()


def _kept(model: str, done: "list[tuple[Wish, Image]]", context: ToolContext) -> ToolOutput:
    artifacts, lines = [], []
    for wish, picture in done:
        size = f"{picture.width} x {picture.height}"
        told = {"prompt": wish.prompt, "negative": wish.negative, "seed": wish.seed, "model": model}
        more = {"steps": wish.steps, "guidance": wish.guidance, "size": size}
        path = write(context.workspace, image_file.png(picture, told | more), "image", "png")
        artifacts.append(Artifact(str(path), "image/png", wish.prompt[:80]))
        lines.append(f"[{path.name}: {size} pixels, seed {wish.seed}, {wish.steps} steps]")
    text = "\n".join(lines)
    return ToolOutput(text, artifacts=tuple(artifacts), typed=text)


def write(workspace: Path, data: bytes, stem: str, suffix: str) -> Path:
    """A new file ``stem-1.suffix``, the first free number. Raises ToolError where it cannot be written."""
    number = 0
    while True:
        number += 1
        name = f"{stem}-{number}.{suffix}"
        try:
            return beneath.create(workspace, name, data).absolute()
        except FileExistsError:
            continue
        except OSError as error:
            with contextlib.suppress(OSError):
                (workspace / name).unlink()
            raise ToolError(f"{name} could not be written: {error.strerror or error}") from error


def _show(small: "Image", name: str, context: ToolContext) -> None:
    """A preview into the workspace, told of; trouble with it is no reason to stop."""
    buffer = io.BytesIO()
    small.resize((max(small.width * 4, 64), max(small.height * 4, 64))).save(buffer, "PNG")
    with contextlib.suppress(OSError):
        path = beneath.replace(context.workspace, name, buffer.getvalue())
        context.progress(f"preview: {path}")


def _pipeline(model: str) -> Any:
    """The checkpoint, loaded once a process. Raises ToolError, one line."""
    global _loaded
    with _LOADING:
        if _loaded is None or _loaded[0] != model:
            _loaded = None  # its memory is needed
            try:
                _loaded = (model, image_checkpoint.load(model))
            except LLMOSError as error:
                raise ToolError(str(error)) from error
        return _loaded[1]
