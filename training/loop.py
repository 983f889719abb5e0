"""The training loop: packed rows in, weights out; bounded by minutes, resumable, logged.

Knows nothing of where the rows come from: :class:`Rows` holds token ids, what counts in the loss, and which
document each token belongs to.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor

from llmos.kernel.qwen3 import Qwen3
from llmos.training.optim import optimizers

LENGTH = 1024


@dataclass(frozen=True)
class Rows:
    """Packed training rows, each array of shape (rows, LENGTH): ids, loss mask, number of the document in the row."""

    ids: NDArray[np.uint16]
    loss: NDArray[np.bool_]
    segment: NDArray[np.uint16]

    def batches(self, size: int, seed: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Endless shuffled batches of ids, loss mask and segments."""
        chooser = np.random.default_rng(seed)
        while True:
            order = chooser.permutation(len(self.ids))
            for i in range(0, len(order) - size + 1, size):
                pick = np.sort(order[i : i + size])
                yield (
                    torch.from_numpy(self.ids[pick].astype(np.int64)),
                    torch.from_numpy(self.loss[pick]),
                    torch.from_numpy(self.segment[pick].astype(np.int32)),
                )


def pack(documents: list[tuple[list[int], list[bool]]], waiting: int = 48) -> Rows:
    """Lay (ids, loss mask) documents into rows, never cutting one that fits; longer ones lose their end.

    A document goes into the fullest of the ``waiting`` open rows that has room for it, so that little is padding.
    """
    rows: list[list[tuple[list[int], list[bool]]]] = []
    room: list[int] = []
    first = 0
    for tokens, counts in documents:
        tokens, counts = tokens[:LENGTH], counts[:LENGTH]
        fits = [i for i in range(first, len(rows)) if room[i] >= len(tokens)]
        if fits:
            at = min(fits, key=room.__getitem__)
        else:
            at = len(rows)
            rows.append([])
            room.append(LENGTH)
            first = max(0, len(rows) - waiting)
        rows[at].append((tokens, counts))
        room[at] -= len(tokens)
    return _arrays(rows)


def _arrays(rows: list[list[tuple[list[int], list[bool]]]]) -> Rows:
    """Documents laid into rows, as arrays; padding belongs to document 0."""
    ids = np.zeros((len(rows), LENGTH), np.uint16)
    loss = np.zeros((len(rows), LENGTH), np.bool_)
    segment = np.zeros((len(rows), LENGTH), np.uint16)
    for r, row in enumerate(rows):
        at = 0
        for number, (tokens, counts) in enumerate(row, 1):
            end = at + len(tokens)
            ids[r, at:end], loss[r, at:end], segment[r, at:end] = tokens, counts, number
            at = end
    return Rows(ids, loss, segment)


def loss_of(model: Qwen3, features: Callable[[Tensor, Tensor], Tensor], batch: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """Mean next-token cross-entropy (nats) over the positions that count."""
    ids, counts, segment = batch
    hidden = features(ids, segment)
    wanted = counts[:, 1:] & (segment[:, 1:] == segment[:, :-1])
    return F.cross_entropy(model.lm_head(hidden[:, :-1][wanted]), ids[:, 1:][wanted])


def feature_function(model: Qwen3, compiled: bool) -> Callable[[Tensor, Tensor], Tensor]:
    """The trunk over packed rows: each token sees its own document only."""
    causal = torch.ones(LENGTH, LENGTH, dtype=torch.bool).tril()

    def features(ids: Tensor, segment: Tensor) -> Tensor:
        mask = (segment[:, None, :, None] == segment[:, None, None, :]) & causal
        return model.hidden(ids, mask=mask)

    return torch.compile(features, dynamic=False) if compiled else features


def learning_rate(progress: float, peak: float, warmup: float = 0.02, floor: float = 0.05) -> float:
    """Warm up over the first part of the budget, hold, then fall linearly over its last 60%."""
    if progress < warmup:
        return peak * max(progress / warmup, 0.02)
    return peak * max(floor, min(1.0, (1.0 - progress) / 0.6))


def save_weights(model: Qwen3, path: Path, dtype: torch.dtype = torch.float32) -> None:
    """Write the checkpoint's ``model.safetensors`` whole or not at all."""
    state = {k: v.detach().to(dtype).contiguous() for k, v in model.state_dict().items() if k != "lm_head.weight"}
    part = path.with_suffix(".part")
    save_file(state, part, metadata={"format": "pt"})
    part.rename(path)


@dataclass
class Budget:
    """Minutes of training, the peak learning rate, rows a step, and how often to save."""

    minutes: float
    peak: float = 3e-3
    rows: int = 4
    save_every: float = 180.0


def train(model: Qwen3, data: Rows, out: Path, budget: Budget, seed: int, compiled: bool = True) -> None:
    """Train until the minutes are spent; resumes from ``out/state.pt``; logs to ``out/log.jsonl``.

    Leaves ``out/model.safetensors``.
    """
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    steppers = optimizers(model, budget.peak)
    step, spent = resume(model, steppers, out / "state.pt")
    features = feature_function(model, compiled)
    batches = data.batches(budget.rows, seed + step)
    saved = time.monotonic()
    with (out / "log.jsonl").open("a", encoding="utf-8") as log:
        while spent < budget.minutes * 60:
            began = time.monotonic()
            rate = learning_rate(spent / (budget.minutes * 60), budget.peak)
            for stepper in steppers:
                for group in stepper.param_groups:
                    group["lr"] = rate
            loss = loss_of(model, features, next(batches))
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for stepper in steppers:
                stepper.step()
                stepper.zero_grad(set_to_none=True)
            seconds = time.monotonic() - began
            # Compilation happens in the first step; it is not training time.
            spent += min(seconds, 20.0)
            step += 1
            if step % 20 == 0 or seconds > 20:
                speed = budget.rows * LENGTH / seconds
                line = {"step": step, "minutes": round(spent / 60, 2), "loss": round(loss.item(), 4)}
                log.write(json.dumps({**line, "lr": round(rate, 6), "tokens_per_s": round(speed)}) + "\n")
                log.flush()
                print(
                    f"{spent / 60:6.1f} min  step {step:5d}  loss {loss.item():.3f}  {speed:,.0f} tokens/s", flush=True
                )
            if time.monotonic() - saved > budget.save_every:
                checkpoint(model, steppers, out / "state.pt", step, spent)
                save_weights(model, out / "model.safetensors")
                saved = time.monotonic()
    checkpoint(model, steppers, out / "state.pt", step, spent)
    save_weights(model, out / "model.safetensors")


def checkpoint(model: Qwen3, steppers: list[torch.optim.Optimizer], path: Path, step: int, spent: float) -> None:
    """Write everything needed to go on, whole or not at all."""
    part = path.with_suffix(".part")
    state = {
        "model": model.state_dict(),
        "optimizers": [s.state_dict() for s in steppers],
        "step": step,
        "spent": spent,
    }
    torch.save(state, part)
    part.rename(path)


def resume(model: Qwen3, steppers: list[torch.optim.Optimizer], path: Path) -> tuple[int, float]:
    """Take up a checkpoint if there is one; return its step and the seconds already spent."""
    if not path.exists():
        return 0, 0.0
    state = torch.load(path, weights_only=True)
    model.load_state_dict(state["model"])
    for stepper, saved in zip(steppers, state["optimizers"], strict=True):
        stepper.load_state_dict(saved)
    return int(state["step"]), float(state["spent"])
