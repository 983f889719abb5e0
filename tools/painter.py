"""The painter: a small diffusion model of drawn scenes, as a pipeline that runs like any other of diffusers.

It paints squares of 64 pixels from words that all-MiniLM reads, and shows them larger. It knows the world that it was
trained on (training/painter): simple things in plain colours, landscapes, faces, flags, logos, charts. Its numbers are
pixels, taken in blocks of a few a side; nothing is encoded and nothing has to be decoded.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from diffusers import DiffusionPipeline, ImagePipelineOutput
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from llmos.kernel.minilm import Embedder

if TYPE_CHECKING:
    from PIL.Image import Image

LENGTH = 40  # wordpieces of a prompt that are read
SHOWN = 512  # pixels a side, where nothing else is asked for
STEPS, GUIDANCE = 20, 3.0


class PainterPipeline(DiffusionPipeline):  # type: ignore[misc]
    """``unet`` takes blocks of pixels ``(n, 3 * block², side, side)`` and the states of wordpieces; see diffusers."""

    _callback_tensor_inputs = ("latents",)

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
        block = blocks(self.unet)
        words, mask = read([negative_prompt or "", prompt])
        words, mask = words.to(self.device, self.unet.dtype), mask.to(self.device)
        self.scheduler.set_timesteps(num_inference_steps, device=self.device)
        side = self.unet.config.sample_size
        shape = (1, self.unet.config.in_channels, side, side)
        values = torch.randn(shape, generator=generator).to(self.device) * self.scheduler.init_noise_sigma
        for step, time in enumerate(self.scheduler.timesteps):
            twice = values.to(self.unet.dtype).expand(2, *shape[1:])
            plain, meant = self.unet(twice, time, words, encoder_attention_mask=mask).sample.float().chunk(2)
            guess = plain + guidance_scale * (meant - plain)
            values = self.scheduler.step(guess, time, values, generator=generator).prev_sample
            if callback_on_step_end is not None:
                callback_on_step_end(self, step, time, {"latents": pixel_shuffle(values, block)})
        return ImagePipelineOutput(images=[shown(pixels(values, block)[0], width or SHOWN)])


def blocks(unet: Any) -> int:
    """How many pixels a side of a block has."""
    return int((unet.config.in_channels // 3) ** 0.5)


def read(prompts: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
    """The states of the prompts' wordpieces ``(n, longest, 384)``, and which of them are no padding. Raises ModelError
    where the encoder is not installed."""
    encoder = Embedder.load()
    with torch.inference_mode():
        states, real = encoder.states(cut(encoder.wordpieces(prompts)))
    return states.clone(), real


def cut(rows: Sequence[list[int]]) -> list[list[int]]:
    """Wordpieces of prompts, at most what the painter reads of each, its end mark kept."""
    return [[*row[: LENGTH - 1], row[-1]] if len(row) > LENGTH else row for row in rows]


def values(pictures: torch.Tensor, block: int) -> torch.Tensor:
    """Pictures ``(n, side, side, 3)`` of bytes as the network takes them, from -1 to 1."""
    return pixel_unshuffle(pictures.permute(0, 3, 1, 2).float() / 127.5 - 1, block)


def pixels(made: torch.Tensor, block: int) -> torch.Tensor:
    """What the network made as pictures ``(n, side, side, 3)`` of bytes."""
    whole = pixel_shuffle(made.float(), block).clamp(-1, 1)
    return ((whole + 1) * 127.5).round().byte().permute(0, 2, 3, 1)


def shown(picture: torch.Tensor, side: int) -> "Image":
    """A picture at the size it is shown: enlarged smoothly, its edges then drawn together."""
    from PIL import Image, ImageFilter

    small = Image.fromarray(picture.cpu().numpy())
    if side <= small.width:
        return small if side == small.width else small.resize((side, side), Image.Resampling.BOX)
    large = small.resize((side, side), Image.Resampling.BICUBIC)
    scale = side / small.width
    return large.filter(ImageFilter.UnsharpMask(radius=scale / 2, percent=120, threshold=0))
