"""The painter: a small diffusion model of drawn scenes, as a pipeline that runs like any other of diffusers.

It paints squares of 64 pixels from words that all-MiniLM reads, and shows them larger. It knows the world that it was
trained on (training/painter): simple things in plain colours, landscapes, faces, flags, logos, charts. Its numbers are
pixels, taken in blocks of a few a side; nothing is encoded and nothing has to be decoded.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from diffusers import DiffusionPipeline, ImagePipelineOutput
from torch import Tensor
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from llmos.tools.painter_words import completed, gist, read

if TYPE_CHECKING:
    from PIL.Image import Image

Place = TypeVar("Place", float, Tensor)

SHOWN = 512  # pixels a side, where nothing else is asked for
STEPS, GUIDANCE = 20, 3.0
EARLY = 3.0  # how much closer to each other the first steps are than the last: the first decide what is painted


class PainterPipeline(DiffusionPipeline):  # type: ignore[misc]
    """``unet`` takes blocks of pixels ``(n, 3 * block², side, side)`` and the states of wordpieces; see diffusers."""

    _callback_tensor_inputs = ("latents",)
    usual_steps = STEPS  # where none are asked for: as it is measured with

    def __init__(self, unet: Any, scheduler: Any) -> None:
        super().__init__()
        self.register_modules(unet=unet, scheduler=scheduler)

    @torch.no_grad()
    def __call__(
        self,
        prompt: str,
        width: int | None = None,
        height: int | None = None,
        num_inference_steps: int = STEPS,
        guidance_scale: float = GUIDANCE,
        negative_prompt: str | None = None,
        generator: torch.Generator | None = None,
        callback_on_step_end: Callable[[Any, int, Any, dict[str, Any]], object] | None = None,
    ) -> ImagePipelineOutput:
        """One picture of ``prompt``, ``width`` pixels a side. Raises ValueError where that is no square."""
        if (width or SHOWN) != (height or width or SHOWN):
            raise ValueError("the painter paints squares; ask for a width that is the height")
        block, side = blocks(self.unet), self.unet.config.sample_size
        words, mask = read([negative_prompt or "", completed(prompt)])
        given = asked(self.unet, words.to(self.device, self.unet.dtype), mask.to(self.device))
        shape = (1, self.unet.config.in_channels, side, side)
        values = torch.randn(shape, generator=generator).to(self.device)
        times = moments(num_inference_steps, self.scheduler.config.num_train_timesteps)
        left = [*(float(self.scheduler.alphas_cumprod[time]) for time in times), 1.0]
        for step, time in enumerate(times):
            twice = values.to(self.unet.dtype).expand(2, *shape[1:])
            plain, meant = self.unet(twice, time, **given).sample.float().chunk(2)
            values = stepped(values, plain + guidance_scale * (meant - plain), left[step], left[step + 1])
            if callback_on_step_end is not None:
                callback_on_step_end(self, step, time, {"latents": pixel_shuffle(values, block)})
        return ImagePipelineOutput(images=[shown(pixels(values, block)[0], width or SHOWN)])


def blocks(unet: Any) -> int:
    """How many pixels a side of a block has."""
    return int((unet.config.in_channels // 3) ** 0.5)


def asked(unet: Any, words: Tensor, mask: Tensor) -> dict[str, Tensor]:
    """What the network is given of words: the state of each, and their gist where it was trained to read that too."""
    given = {"encoder_hidden_states": words, "encoder_attention_mask": mask}
    return given | ({"class_labels": gist(words, mask)} if unet.config.class_embed_type == "projection" else {})


def moments(steps: int, last: int) -> list[int]:
    """The moments of ``steps`` looks on the way from noise alone, ``last - 1``, to the picture."""
    even = (1 - step / steps for step in range(steps))
    return [max(round(last * early(part)), 1) - 1 for part in even]


def early(part: Place) -> Place:
    """A part of the way, from 0 to 1, moved to where there is more noise."""
    return EARLY * part / (1 + (EARLY - 1) * part)


def stepped(values: Tensor, velocity: Tensor, left: float, then: float) -> Tensor:
    """A step of DDIM from ``left`` of the picture (in parts of its variance) to ``then``.

    The noise is what remains when the picture is kept within its bounds, as in Glide: else whatever goes beyond them,
    and under guidance much does, would be painted into the noise and come back.
    """
    clean = (left**0.5 * values - (1 - left) ** 0.5 * velocity).clamp(-1, 1)
    dust = (values - left**0.5 * clean) / (1 - left) ** 0.5
    made: Tensor = then**0.5 * clean + (1 - then) ** 0.5 * dust
    return made


def values(pictures: Tensor, block: int) -> Tensor:
    """Pictures ``(n, side, side, 3)`` of bytes as the network takes them, from -1 to 1."""
    return pixel_unshuffle(pictures.permute(0, 3, 1, 2).float() / 127.5 - 1, block)


def pixels(made: Tensor, block: int) -> Tensor:
    """What the network made as pictures ``(n, side, side, 3)`` of bytes."""
    whole = pixel_shuffle(made.float(), block).clamp(-1, 1)
    return ((whole + 1) * 127.5).round().byte().permute(0, 2, 3, 1)


def shown(picture: Tensor, side: int) -> "Image":
    """A picture at the size it is shown: enlarged smoothly, its edges then drawn together."""
    from PIL import Image, ImageFilter

    small = Image.fromarray(picture.cpu().numpy())
    if side <= small.width:
        return small if side == small.width else small.resize((side, side), Image.Resampling.BOX)
    large = small.resize((side, side), Image.Resampling.BICUBIC)
    scale = side / small.width
    return large.filter(ImageFilter.UnsharpMask(radius=scale / 2, percent=120, threshold=0))
