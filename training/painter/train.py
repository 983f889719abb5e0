"""Trains the painter: a UNet over blocks of pixels that is told by words what it shall make of noise.

It predicts the velocity of the path from picture to noise (Salimans & Ho 2022), on a schedule that ends in noise alone
(Lin et al. 2024), and a running mean of its weights is what is kept. Stopped at any step it goes on from the last
state that was written, with the very batches it would have had. On a GPU a step is one graph of thousands of kernels,
and the pictures come from galleries.
"""

import json
import os
import random
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from llmos.tools.painter import PainterPipeline, blocks, values
from llmos.training.optim import halves
from llmos.training.painter.pool import Gallerist, Pool, fill, gallerist

STATE = "state.pt"


@dataclass(frozen=True, slots=True)
class Recipe:
    """How large, how long. ``block`` pixels a side are one place of the network, ``channels`` its width by level, of
    which the first reads no words; ``pool`` captions are drawn from for ``refresh`` steps."""

    steps: int = 30_000
    batch: int = 32
    rate: float = 5e-4
    side: int = 64
    block: int = 4
    channels: tuple[int, ...] = (96, 160)
    layers: int = 1
    pool: int = 24_000
    refresh: int = 6_000
    seed: int = 0


LARGE = Recipe(  # where a GPU is
    steps=24_000, batch=256, rate=8e-4, block=2, channels=(64, 96, 160), pool=60_000, refresh=400
)


def shaped(recipe: Recipe, checkpoint: Path) -> Recipe:
    """The recipe with the shape of a checkpoint's network."""
    unet = PainterPipeline.from_pretrained(checkpoint).unet
    channels, layers = tuple(unet.config.block_out_channels), unet.config.layers_per_block
    return replace(recipe, block=blocks(unet), channels=channels, layers=layers)


def network(recipe: Recipe) -> Any:
    """A new UNet, as diffusers has it."""
    from diffusers import UNet2DConditionModel

    lower = len(recipe.channels) - 1
    return UNet2DConditionModel(
        sample_size=recipe.side // recipe.block,
        in_channels=3 * recipe.block**2,
        out_channels=3 * recipe.block**2,
        block_out_channels=recipe.channels,
        down_block_types=("DownBlock2D", *("CrossAttnDownBlock2D",) * lower),
        up_block_types=(*("CrossAttnUpBlock2D",) * lower, "UpBlock2D"),
        layers_per_block=recipe.layers,
        cross_attention_dim=384,
        attention_head_dim=tuple(width // 32 for width in recipe.channels),  # heads: the name is diffusers' mistake
        norm_num_groups=16,
    )


def schedule() -> Any:
    """The noise that is learnt to be taken away, which ends in noise alone."""
    from diffusers import DDIMScheduler

    return DDIMScheduler(
        beta_schedule="squaredcos_cap_v2",
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        clip_sample=True,
        set_alpha_to_one=True,
    )


class _Captured:
    """A step as a CUDA graph. To begin with, the first batch is learnt from three times more."""

    def __init__(self, learn: Callable[..., Tensor], first: tuple[Tensor, ...]) -> None:
        self._given = [tensor.clone() for tensor in first]
        aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(3):
                learn(*self._given)
        torch.cuda.current_stream().wait_stream(aside)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._loss = learn(*self._given)

    def __call__(self, *given: Tensor) -> Tensor:
        for place, tensor in zip(self._given, given, strict=True):
            place.copy_(tensor)
        self._graph.replay()
        return self._loss.clone()


class Training:
    """The network, its running mean, its optimizer, and how far it is; ``start``: a checkpoint to begin with."""

    def __init__(self, recipe: Recipe, out: Path, start: Path | None = None) -> None:
        self.recipe, self.out, self.step, self.seconds = recipe, out, 0, 0.0
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        torch.manual_seed(recipe.seed)
        made = network(recipe)
        if start is not None:
            made.load_state_dict(PainterPipeline.from_pretrained(start).unet.state_dict())
        self.model: nn.Module = made.to(self.device, memory_format=torch.channels_last)
        self.mean = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
        rapid = self.device == "cuda"
        self.rate = torch.tensor(recipe.rate, device=self.device)  # a graph reads it anew each time
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(),
            lr=self.rate if rapid else recipe.rate,
            betas=(0.9, 0.99),
            weight_decay=0.01,
            fused=rapid,
            capturable=rapid,
        )
        self.noise = schedule()
        self._pool: tuple[int, Pool] | None = None
        self._galleries: Gallerist | None = None
        self._captured: _Captured | None = None
        if (out / STATE).exists():
            self._resume()

    def run(self, told: Callable[[int, Tensor], None], until: float = float("inf"), every: float = 300.0) -> None:
        """Train to the end, or until ``time.monotonic()`` is ``until``; the state is kept every so many seconds.

        ``told`` hears the step and its loss.
        """
        kept = began = time.monotonic()
        with ExitStack() as stack:
            if self.device == "cuda":
                drawing = gallerist(self.recipe.seed, self.recipe.pool, self.recipe.side, self.device)
                self._galleries = stack.enter_context(drawing)
            while self.step < self.recipe.steps and time.monotonic() < until:
                loss = self._one()
                told(self.step, loss)
                now = time.monotonic()
                self.seconds += now - began
                if now - kept > every:
                    self.keep()
                    kept = time.monotonic()
                began = time.monotonic()
        self.keep()

    def _one(self) -> Tensor:
        recipe = self.recipe
        pictures, words, mask, chance = self._batch()
        clean = values(pictures, recipe.block)
        when = torch.randint(0, 1000, (recipe.batch,), generator=chance, device=chance.device).to(self.device)
        dust = torch.randn(clean.shape, generator=chance, device=chance.device).to(self.device)
        noisy = self.noise.add_noise(clean, dust, when).contiguous(memory_format=torch.channels_last)
        wanted = self.noise.get_velocity(clean, dust, when)
        self.rate.fill_(recipe.rate * self._pace())
        if self.device == "cuda":
            self._captured = self._captured or _Captured(self._learn, (noisy, wanted, when, words, mask))
            loss = self._captured(noisy, wanted, when, words, mask)
        else:
            for group in self.optimizer.param_groups:
                group["lr"] = float(self.rate)
            loss = self._learn(noisy, wanted, when, words, mask)
        self.step += 1
        self._average()
        return loss

    def _learn(self, noisy: Tensor, wanted: Tensor, when: Tensor, words: Tensor, mask: Tensor) -> Tensor:
        """One step of the optimizer; its loss."""
        with torch.autocast(self.device, torch.bfloat16, enabled=halves(), cache_enabled=False):
            guess = self.model(noisy, when, words, encoder_attention_mask=mask).sample
        loss = nn.functional.mse_loss(guess.float(), wanted)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        return loss.detach()

    def _pace(self) -> float:
        """The share of the full rate: slow in the first 200 steps, falling to nothing over the last third."""
        left = 1 - self.step / self.recipe.steps
        return min((self.step + 1) / 200, 1.0) * min(left * 3, 1.0)

    @torch.no_grad()
    def _average(self) -> None:
        keep = min(0.9995, (1 + self.step) / (10 + self.step))
        now = self.model.state_dict()
        moving = [name for name, value in now.items() if value.is_floating_point()]
        torch._foreach_lerp_([self.mean[name] for name in moving], [now[name] for name in moving], 1 - keep)

    def _batch(self) -> tuple[Tensor, Tensor, Tensor, torch.Generator]:
        """The pictures of this step, their captions' states and which are no padding, where they are learnt from; and
        its chance."""
        recipe, number = self.recipe, self.step // self.recipe.refresh
        rng = random.Random(f"step {recipe.seed} {self.step}")
        chance = torch.Generator("cpu" if self._galleries is None else self.device).manual_seed(rng.getrandbits(62))
        if self._galleries is not None:
            return *self._galleries.gallery(number).batch(chance, recipe.batch), chance
        if self._pool is None or self._pool[0] != number:
            self._pool = (number, fill(recipe.seed * 1000 + number, recipe.pool))
        pictures, words, mask = self._pool[1].batch(rng, recipe.batch, recipe.side)
        return pictures.to(self.device), words.to(self.device), mask.to(self.device), chance

    def keep(self) -> None:
        """Write the state, whole or not at all."""
        self.out.mkdir(parents=True, exist_ok=True)
        state = {"recipe": asdict(self.recipe), "step": self.step, "seconds": self.seconds, "mean": self.mean}
        state |= {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        part = self.out / f"{STATE}.part"
        torch.save(state, part)
        os.replace(part, self.out / STATE)

    def _resume(self) -> None:
        state = torch.load(self.out / STATE, map_location=self.device, weights_only=True)
        ours = json.loads(json.dumps(asdict(self.recipe)))
        if {**state["recipe"], "channels": list(state["recipe"]["channels"])} != ours:
            raise SystemExit(f"{self.out / STATE} was made with another recipe; take another folder, or that recipe")
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.mean, self.step, self.seconds = state["mean"], state["step"], state["seconds"]

    def pipeline(self) -> PainterPipeline:
        """What was trained so far, by its mean weights, on the processor."""
        made = network(self.recipe)
        made.load_state_dict({name: value.cpu() for name, value in self.mean.items()})
        return PainterPipeline(made.eval(), schedule())


def save(pipeline: PainterPipeline, folder: Path) -> int:
    """Write the checkpoint directory, its weights half-length; their size in bytes."""
    pipeline.to(torch.float16)
    pipeline.save_pretrained(folder, safe_serialization=True)
    return sum(file.stat().st_size for file in folder.rglob("*.safetensors"))


def parameters(model: Any) -> int:
    """How many numbers a network has."""
    return sum(p.numel() for p in model.parameters())


def loss_of(training: Training, pool: Pool, batches: int) -> float:
    """The mean loss of the mean weights on scenes of a pool, always the same noise."""
    model: Any = training.pipeline().unet
    total = 0.0
    for n in range(batches):
        rng, chance = random.Random(f"loss {n}"), torch.Generator().manual_seed(n)
        pictures, words, mask = pool.batch(rng, 16, training.recipe.side)
        clean: Tensor = values(pictures, blocks(model))
        when, dust = torch.randint(0, 1000, (16,), generator=chance), torch.randn(clean.shape, generator=chance)
        noisy, wanted = (f(clean, dust, when) for f in (training.noise.add_noise, training.noise.get_velocity))
        with torch.inference_mode():
            guess = model(noisy, when, words, encoder_attention_mask=mask).sample
        total += float(nn.functional.mse_loss(guess, wanted))
    return total / batches
