"""Trains the painter: a UNet over blocks of pixels that is told by words what it shall make of noise.

It predicts the velocity of the path from picture to noise (Salimans & Ho 2022), on a schedule that ends in noise alone
(Lin et al. 2024), more often where there is more noise, for there is decided what is painted; and a running mean of its
weights is what is kept. Stopped at any step it goes on from the last state that was written, with the very batches it
would have had. On a GPU a step is one graph of kernels, and the pictures come from galleries.
"""

import math
import os
import random
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from llmos.kernel.minilm import WIDTH
from llmos.tools.painter import PainterPipeline, blocks, early, values
from llmos.tools.painter_words import LENGTH, gist
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
    steps=24_000, batch=256, rate=8e-4, block=2, channels=(64, 96, 160), pool=100_000, refresh=800
)
WARM, FALL = 200, 0.7  # steps in which the rate rises, the share of the training over which it falls
MEMORY = 0.998  # of the running mean


@dataclass(frozen=True, slots=True)
class Budget:
    """What a training may take: ``seconds`` in all, over which the rate falls to nothing, those of earlier runs
    counted; ``began``: when this run's clock was started, and ``until`` when it stops at the latest, to go on another
    time, by :func:`time.monotonic`. The state is kept ``every`` so many seconds, and the checkpoint in ``folder``.
    """

    seconds: float = math.inf
    began: float = field(default_factory=time.monotonic)
    until: float = math.inf
    every: float = 300.0
    folder: Path | None = None


def begun(recipe: Recipe, start: Path | None) -> Any:
    """A new network, with the weights of a checkpoint where there is one to begin with."""
    made = network(recipe)
    if start is not None:
        old = PainterPipeline.from_pretrained(start).unet.state_dict()
        own = {name: value for name, value in made.state_dict().items() if name.startswith("class_embedding.")}
        made.load_state_dict(own | old)  # an older one was not told the gist
    return made


def shaped(recipe: Recipe, checkpoint: Path) -> Recipe:
    """The recipe with the shape of a checkpoint's network."""
    unet = PainterPipeline.from_pretrained(checkpoint).unet
    channels, layers = tuple(unet.config.block_out_channels), unet.config.layers_per_block
    return replace(recipe, block=blocks(unet), channels=channels, layers=layers)


def network(recipe: Recipe) -> Any:
    """A new UNet, as diffusers has it, which does not heed the gist of the words yet."""
    from diffusers import UNet2DConditionModel

    lower = len(recipe.channels) - 1
    made = UNet2DConditionModel(
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
        class_embed_type="projection",
        projection_class_embeddings_input_dim=384,  # the gist of what was asked for, told to every layer
    )
    for weights in made.class_embedding.linear_2.parameters():
        nn.init.zeros_(weights)
    return made


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


def captured(learn: Callable[..., Tensor], first: tuple[Tensor, ...]) -> Callable[..., Tensor]:
    """A step as a graph; where none can be made of it, the step as it is."""
    try:
        return _Captured(learn, first)
    except RuntimeError as error:
        print(f"no graph ({first_line(error)})", flush=True)
        return learn


def first_line(error: Exception) -> str:
    """What an error says, in a line."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


class Training:
    """The network, its running mean, its optimizer, and how far it is; ``start``: a checkpoint to begin with."""

    def __init__(self, recipe: Recipe, out: Path, start: Path | None = None, processes: int = 0) -> None:
        self.recipe, self.out, self.step, self.seconds = recipe, out, 0, 0.0
        self.device, self._processes = "cuda" if torch.cuda.is_available() else "cpu", processes
        self._halves = halves()
        torch.manual_seed(recipe.seed)
        self.model: nn.Module = begun(recipe, start).to(self.device, memory_format=torch.channels_last)
        self.mean = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
        rapid = self.device == "cuda"
        torch.backends.cudnn.benchmark = rapid
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
        self._missed: Callable[..., Tensor] = self._miss
        self._pool: tuple[int, Pool] | None = None
        self._galleries: Gallerist | None = None
        self._captured: Callable[..., Tensor] | None = None
        if (out / STATE).exists():
            self._resume()

    def run(self, told: Callable[[int, Tensor], None], budget: Budget | None = None, compiled: bool = False) -> None:
        """Train to the end, or as long as the budget lasts; ``told`` hears the step and its loss."""
        budget = budget or Budget()
        before, kept = self.seconds, time.monotonic()
        with ExitStack() as stack:
            if self.device == "cuda":
                drawing = gallerist(self.recipe.seed, self.recipe.pool, self.recipe.side, self.device, self._processes)
                self._galleries = stack.enter_context(drawing)
                self._galleries.begin(self.step // self.recipe.refresh)
            if compiled:
                self._compile()
            while not self.done(budget) and (now := time.monotonic()) < budget.until:
                self.seconds = before + now - budget.began
                told(self.step + 1, self._one(max(self.step / self.recipe.steps, self.seconds / budget.seconds)))
                if time.monotonic() - kept > budget.every:
                    self.keep(budget.folder)
                    kept = time.monotonic()
            self.seconds = before + time.monotonic() - budget.began
        self.keep(budget.folder)

    def done(self, budget: Budget) -> bool:
        """Whether all of it is trained."""
        return self.step >= self.recipe.steps or self.seconds >= budget.seconds

    def _compile(self) -> None:
        """Have the network's arithmetic put together in fewer kernels; where that fails, go on as it is."""
        recipe, began = self.recipe, time.monotonic()
        places = (recipe.batch, 3 * recipe.block**2, *(recipe.side // recipe.block,) * 2)
        noisy = torch.randn(places, device=self.device).contiguous(memory_format=torch.channels_last)
        words = torch.randn(recipe.batch, LENGTH, WIDTH, device=self.device)
        mask = torch.ones(recipe.batch, LENGTH, dtype=torch.bool, device=self.device)
        when = torch.zeros(recipe.batch, dtype=torch.long, device=self.device)
        missed = torch.compile(self._miss, dynamic=False)
        try:
            missed(noisy, noisy.clone(), when, words, mask).backward()  # type: ignore[no-untyped-call]
            self._missed = missed
            print(f"compiled in {time.monotonic() - began:.0f} s", flush=True)
        except Exception as error:  # a compiler has many
            print(f"not compiled ({first_line(error)})", flush=True)
        self.optimizer.zero_grad(set_to_none=True)

    def _one(self, share: float) -> Tensor:
        """A step when ``share`` of the training is behind; its loss."""
        recipe = self.recipe
        pictures, words, mask, chance = self._batch()
        clean = values(pictures, recipe.block)
        when = self._when(chance)
        dust = torch.randn(clean.shape, generator=chance, device=chance.device).to(self.device)
        noisy = self.noise.add_noise(clean, dust, when).contiguous(memory_format=torch.channels_last)
        wanted = self.noise.get_velocity(clean, dust, when).contiguous(memory_format=torch.channels_last)
        self.rate.fill_(recipe.rate * self._pace(share))
        given = (noisy, wanted, when, words, mask)
        if self.device == "cuda":
            self._captured = self._captured or captured(self._learn, given)
            loss = self._captured(*given)
        else:
            for group in self.optimizer.param_groups:
                group["lr"] = float(self.rate)
            loss = self._learn(*given)
        self.step += 1
        self._average()
        return loss

    def _when(self, chance: torch.Generator) -> Tensor:
        """The moments that are learnt: evenly spread over the way as the painter goes it, wherever they begin."""
        size = self.recipe.batch
        shares = torch.rand(size, generator=chance, device=chance.device) + torch.arange(size, device=chance.device)
        return (early(shares / size) * 1000).long().clamp(max=999).to(self.device)

    def _miss(self, noisy: Tensor, wanted: Tensor, when: Tensor, words: Tensor, mask: Tensor) -> Tensor:
        """How far the network is from what is wanted, squared."""
        with torch.autocast(self.device, torch.bfloat16, enabled=self._halves, cache_enabled=False):
            told = gist(words, mask)
            guess = self.model(noisy, when, words, encoder_attention_mask=mask, class_labels=told).sample
        return nn.functional.mse_loss(guess.float(), wanted)

    def _learn(self, *given: Tensor) -> Tensor:
        """One step of the optimizer; its loss."""
        loss = self._missed(*given)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        return loss.detach()

    def _pace(self, share: float) -> float:
        """The part of the full rate: slow in the first steps, falling to nothing over the last of the training."""
        return min((self.step + 1) / WARM, 1.0) * min(max(1 - share, 0.0) / FALL, 1.0)

    @torch.no_grad()
    def _average(self) -> None:
        keep = min(MEMORY, (1 + self.step) / (10 + self.step))
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

    def keep(self, folder: Path | None = None) -> None:
        """Write the state, whole or not at all, and the checkpoint into a folder."""
        self.out.mkdir(parents=True, exist_ok=True)
        state = {"recipe": asdict(self.recipe), "step": self.step, "seconds": self.seconds, "mean": self.mean}
        state |= {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        part = self.out / f"{STATE}.part"
        torch.save(state, part)
        os.replace(part, self.out / STATE)
        if folder is not None:
            save(trained(self.out), folder)

    def _resume(self) -> None:
        state = torch.load(self.out / STATE, map_location=self.device, weights_only=True)
        if _recipe(state) != self.recipe:
            raise SystemExit(f"{self.out / STATE} was made with another recipe; take another folder, or that recipe")
        if state["model"].keys() != self.model.state_dict().keys():
            raise SystemExit(f"{self.out / STATE} is of a network of another shape; take another folder")
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.mean, self.step, self.seconds = state["mean"], state["step"], state["seconds"]


def _recipe(state: dict[str, Any]) -> Recipe:
    return Recipe(**{**state["recipe"], "channels": tuple(state["recipe"]["channels"])})


def trained(out: Path) -> PainterPipeline:
    """What was trained so far in a folder, by its mean weights, on the processor."""
    if not (out / STATE).exists():
        raise SystemExit(f"nothing was trained in {out}; train first")
    state = torch.load(out / STATE, map_location="cpu", weights_only=True)
    made = network(_recipe(state))
    made.load_state_dict(state["mean"])
    return PainterPipeline(made.eval(), schedule())


def save(pipeline: PainterPipeline, folder: Path) -> int:
    """Write the checkpoint directory, its weights half-length; their size in bytes."""
    pipeline.to(torch.float16)
    pipeline.save_pretrained(folder, safe_serialization=True)
    return sum(file.stat().st_size for file in folder.rglob("*.safetensors"))


def parameters(model: Any) -> int:
    """How many numbers a network has."""
    return sum(p.numel() for p in model.parameters())
