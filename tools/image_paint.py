"""Runs a diffusers pipeline: from words, from a picture, or inside a mask; tells each step, shows what comes, stops.

Knows a loaded pipeline and pixels; not where it came from nor where pictures go.
"""

import inspect
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Event as Flag
from typing import TYPE_CHECKING, Any

from llmos.kernel.tool import OwnError, ToolError

if TYPE_CHECKING:
    from PIL.Image import Image

# Checkpoints that were distilled to paint in a few steps, without guidance.
_QUICK = ("turbo", "lightning", "schnell", "lcm", "hyper", "flash")
_GRAIN = 16  # pixels: every family takes sizes of so many
_PREVIEW = 1.0  # seconds between two previews
# What the four numbers of a point of Stable Diffusion's latent pictures look like, as (red, green, blue) each: measured
# by their users, published with Stable Diffusion's and ComfyUI's sources. A family that is not known is shown in the
# three colours that tell most of it apart.
_LOOKS = {
    "StableDiffusion": ((0.35, 0.23, 0.32), (0.32, 0.50, 0.24), (-0.28, 0.18, 0.27), (-0.21, -0.26, -0.72)),
    "StableDiffusionXL": ((0.39, 0.41, 0.45), (-0.26, -0.02, 0.07), (0.06, 0.17, -0.08), (-0.31, -0.24, -0.21)),
}


@dataclass(frozen=True, slots=True)
class Wish:
    """What to paint. ``None`` leaves a thing to the checkpoint. ``start`` is a picture to change, ``mask`` is white
    where; ``strength`` says how much of it, from 0 to 1."""

    prompt: str
    seed: int
    negative: str = ""
    width: int | None = None
    height: int | None = None
    steps: int | None = None
    guidance: float | None = None
    start: "Image | None" = None
    mask: "Image | None" = None
    strength: float = 0.6

    def at(self, seed: int) -> "Wish":
        """The same wish with another seed."""
        return replace(self, seed=seed)


@dataclass(frozen=True, slots=True)
class Watch:
    """Who watches: told each step (1 to ``steps``), shown a small picture now and then; stops when told or late."""

    step: Callable[[int, int], None] = lambda step, steps: None
    preview: Callable[["Image"], None] | None = None
    cancelled: Flag | None = None
    until: float = float("inf")  # of time.monotonic()


class Stopped(ToolError):
    """Painting was stopped between two steps; nothing of it is kept."""


def settled(wish: Wish, name: str, pipeline: Any) -> Wish:
    """The wish with steps, guidance and size as this checkpoint takes them."""
    quick = any(word in name.lower() for word in _QUICK)
    steps = wish.steps if wish.steps is not None else 4 if quick else getattr(pipeline, "usual_steps", 30)
    guidance = 0.0 if wish.guidance is None and quick else wish.guidance
    width, height = wish.width, wish.height
    if wish.start is not None and width is None and height is None:
        width, height = wish.start.size
    return replace(wish, steps=steps, guidance=guidance, width=_grained(width), height=_grained(height))


def paint(pipeline: Any, wish: Wish, watch: Watch) -> "Image":
    """One picture. Raises Stopped, or ToolError, one line, for what this checkpoint cannot do.

    The same wish gives the same picture on one machine.
    """
    import torch

    run = _for_task(pipeline, wish)
    arguments = _arguments(run, wish)
    # On the processor, so that a seed means the same on every device.
    arguments["generator"] = torch.Generator("cpu").manual_seed(wish.seed)
    arguments["callback_on_step_end"] = _Steps(
        watch, _steps(wish), (wish.height or 1) / (wish.width or wish.height or 1)
    )
    try:
        with torch.inference_mode():
            made = run(**arguments)
    except ToolError:
        raise
    except torch.OutOfMemoryError as error:
        raise ToolError("this picture needs more memory than there is; ask for a smaller one") from error
    except (ValueError, TypeError, RuntimeError) as error:
        raise ToolError(f"the checkpoint could not paint this: {str(error).splitlines()[0][:200]}") from error
    if any(getattr(made, "nsfw_content_detected", None) or ()):
        raise OwnError("the checkpoint's own filter withheld the picture; ask for another subject")
    picture: Image = made.images[0].convert("RGB")
    return _outside_kept(picture, wish)


def _outside_kept(picture: "Image", wish: Wish) -> "Image":
    """What was painted, where there is a mask within it alone: a checkpoint paints all of a picture anew."""
    from PIL import Image

    if wish.start is None or wish.mask is None:
        return picture
    return Image.composite(picture, wish.start.resize(picture.size), wish.mask.resize(picture.size))


def _for_task(pipeline: Any, wish: Wish) -> Any:
    """The pipeline for words alone, for a picture, or for a mask, of the same parts."""
    if wish.start is None:
        return pipeline
    from diffusers import AutoPipelineForImage2Image, AutoPipelineForInpainting

    auto = AutoPipelineForImage2Image if wish.mask is None else AutoPipelineForInpainting
    try:
        made = auto.from_pipe(pipeline)
    except (ValueError, KeyError, AttributeError) as error:
        what = "change a picture" if wish.mask is None else "paint inside a mask"
        raise OwnError(f"this checkpoint cannot {what}; leave the file out or use another checkpoint") from error
    made.set_progress_bar_config(disable=True)
    return made


def _arguments(run: Any, wish: Wish) -> dict[str, Any]:
    """What this pipeline takes of the wish."""
    known = inspect.signature(run.__call__).parameters
    given: dict[str, Any] = {"prompt": wish.prompt, "num_inference_steps": wish.steps}
    if wish.start is not None:
        size = (wish.width or wish.start.width, wish.height or wish.start.height)
        given |= {"image": wish.start.resize(size), "strength": wish.strength}
        if wish.mask is not None:
            given["mask_image"] = wish.mask.resize(size)
    optional = {
        "width": wish.width,
        "height": wish.height,
        "guidance_scale": wish.guidance,
        "negative_prompt": wish.negative or None,
    }
    return given | {key: value for key, value in optional.items() if value is not None and key in known}


def _steps(wish: Wish) -> int:
    """The steps that are really taken: a picture that is changed is not painted from the beginning."""
    steps = wish.steps or 1
    return steps if wish.start is None else max(1, min(int(steps * wish.strength), steps))


class _Steps:
    """What diffusers calls after each step."""

    def __init__(self, watch: Watch, steps: int, ratio: float) -> None:
        self.watch, self.steps, self.ratio, self.done, self.shown = watch, steps, ratio, 0, time.monotonic()

    def __call__(self, pipeline: Any, step: int, timestep: Any, values: dict[str, Any]) -> dict[str, Any]:
        self.done += 1
        self.steps = getattr(pipeline, "num_timesteps", None) or self.steps  # of those asked for, as many are taken
        watch, now = self.watch, time.monotonic()
        if watch.cancelled is not None and watch.cancelled.is_set():
            raise Stopped(f"stopped after step {self.done} of {self.steps}")
        if now > watch.until and self.done < self.steps:
            raise Stopped(
                f"out of time after step {self.done} of {self.steps}; ask for fewer steps or a smaller picture"
            )
        watch.step(self.done, max(self.steps, self.done))
        if watch.preview is not None and now - self.shown >= _PREVIEW and self.done < self.steps:
            self.shown = now
            watch.preview(look(values["latents"], type(pipeline).__name__, self.ratio))
        return {}


def look(latents: Any, family: str, ratio: float = 1.0) -> "Image":
    """A small picture of what is on its way: ``latents`` is ``(1, channels, height, width)``, or tokens
    ``(1, tokens, channels)`` of a picture ``ratio`` times as high as wide."""
    import numpy as np
    from PIL import Image

    values = latents[0].detach().float().cpu().numpy()
    if values.ndim == 2:
        rows = max(round((len(values) * ratio) ** 0.5), 1)
        columns = max(len(values) // rows, 1)
        values = values[: rows * columns].reshape(rows, columns, -1).transpose(2, 0, 1)
    flat = values.reshape(len(values), -1).T
    known = next((m for f, m in _LOOKS.items() if family in (f + end for end in _ENDS)), None)
    if flat.shape[1] == 3:
        colours = flat * 0.5 + 0.5
    elif known is not None and flat.shape[1] == len(known):
        colours = flat @ np.array(known) * 0.5 + 0.5
    else:
        centred = np.nan_to_num(flat - flat.mean(0))
        axes = np.linalg.eigh(centred.T @ centred)[1][:, ::-1][:, :3]
        colours = centred @ axes
        if colours.shape[1] < 3:
            colours = colours[:, :1].repeat(3, 1)
        colours = colours / (colours.std() * 4 + 1e-6) + 0.5
    shaped = (np.clip(np.nan_to_num(colours), 0, 1) * 255).astype(np.uint8).reshape(*values.shape[1:], 3)
    return Image.fromarray(shaped)


_ENDS = ("Pipeline", "Img2ImgPipeline", "InpaintPipeline")


def _grained(size: int | None) -> int | None:
    return None if size is None else max(size // _GRAIN, 1) * _GRAIN
