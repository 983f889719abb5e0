"""The training loop: packed rows in, weights out; bounded by minutes, resumable, logged.

Knows nothing of where the rows come from: :class:`Rows` holds token ids, what counts in the loss, and what each token
sees.
"""

import json
import math
import random
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
from llmos.training.device import accelerated, device, moved
from llmos.training.optim import halves, optimizers

LENGTH = 512  # tokens of most rows
LONG = 1536  # tokens of the rows that hold long dialogues: the window the kernel is trained for
STEP, GPU_STEP = 4096, 32_768  # tokens a step, on a processor and on a GPU
TOLD, GPU_TOLD = 20, 200  # steps from one line of the log to the next

Document = tuple[list[int], list[bool]]
"""Token ids, and which of them count in the loss."""

Batch = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]
"""Ids, the places (rows laid end to end) whose next token counts in the loss, families, branches, positions."""


@dataclass(frozen=True)
class Rows:
    """Packed training rows, each array of shape (rows, length).

    A row is a forest laid flat: family 0 is a prefix that all its documents share, branch 0 of another family a stem
    that its branches share. A token sees the prefix, its family's stem and its own branch, at the position it would
    have if nothing else stood in the row: what is shared is computed once and learnt from as often as it is used.
    """

    ids: NDArray[np.uint16]
    loss: NDArray[np.bool_]
    family: NDArray[np.uint8]
    branch: NDArray[np.uint8]
    position: NDArray[np.uint16]

    @property
    def length(self) -> int:
        """Tokens a row."""
        return int(self.ids.shape[1])

    def batches(self, seed: int) -> Iterator[Batch]:
        """Endless shuffled batches of about :func:`step_tokens` tokens, all of one size."""
        chooser = np.random.default_rng(seed)
        size = max(1, min(step_tokens() // self.length, len(self.ids)))
        while True:
            order = chooser.permutation(len(self.ids))
            for i in range(0, len(order) - size + 1, size):
                yield self.batch(np.sort(order[i : i + size]))

    def batch(self, pick: NDArray[np.int64]) -> Batch:
        """These rows, on the device."""
        family, branch = self.family[pick], self.branch[pick]
        asked = np.zeros(family.shape, np.bool_)
        same = (family[:, 1:] == family[:, :-1]) & (branch[:, 1:] == branch[:, :-1])
        asked[:, :-1] = self.loss[pick][:, 1:] & same
        return (
            moved(torch.from_numpy(self.ids[pick].astype(np.int64))),
            # Counted here, so that the device has no shape to tell.
            moved(torch.from_numpy(np.flatnonzero(asked))),
            moved(torch.from_numpy(family.astype(np.int32))),
            moved(torch.from_numpy(branch.astype(np.int32))),
            moved(torch.from_numpy(self.position[pick].astype(np.int64))),
        )


def step_tokens() -> int:
    """Tokens a step."""
    return GPU_STEP if accelerated() else STEP


def joined(parts: list[Rows]) -> Rows:
    """Rows of one length put together."""
    names = ("ids", "loss", "family", "branch", "position")
    return Rows(*(np.concatenate([getattr(p, name) for p in parts]) for name in names))


@dataclass(frozen=True)
class Family:
    """Documents that begin with the same stem; none counts in the loss before its own part begins."""

    stem: list[int]
    branches: list[Document]

    def __len__(self) -> int:
        return len(self.stem) + sum(len(ids) for ids, _ in self.branches)


def families(documents: list[Document], prefix: int, room: int) -> list[Family]:
    """Documents that share their beginning, as families of at most ``room`` tokens beyond the prefix.

    The first ``prefix`` tokens are left out. A document that does not fit loses its end.
    """
    stem = shared_stem(documents) if len(documents) > 1 else prefix
    made: list[Family] = []
    for ids, counts in documents:
        branch = ids[stem : prefix + room], counts[stem : prefix + room]
        if made and len(made[-1]) + len(branch[0]) <= room:
            made[-1].branches.append(branch)
        else:
            made.append(Family(documents[0][0][prefix:stem], [branch]))
    return made


def shared_stem(documents: list[Document]) -> int:
    """How many first tokens all the documents share, short of any that counts in the loss."""
    first = documents[0][0]
    ends = [counts.index(True) - 1 if True in counts else len(counts) for _, counts in documents]
    limit = min(ends)
    for ids, _ in documents[1:]:
        limit = next((i for i in range(min(limit, len(ids))) if ids[i] != first[i]), min(limit, len(ids)))
    return limit


def pack(
    items: list[Family], length: int = LENGTH, prefix: list[int] | None = None, waiting: int = 48, seed: int = 0
) -> Rows:
    """Lay families into rows behind the shared ``prefix``.

    A family goes into the fullest of the ``waiting`` open rows that has room for it, so that little is padding. Half
    of the rows begin further on in the window, where they fit, so that later positions are met too.
    """
    shared = prefix or []
    rows: list[list[Family]] = []
    room: list[int] = []
    first = 0
    for item in items:
        fits = [i for i in range(first, len(rows)) if room[i] >= len(item) and len(rows[i]) < 250]
        if fits:
            at = min(fits, key=room.__getitem__)
        else:
            at = len(rows)
            rows.append([])
            room.append(length - len(shared))
            first = max(0, len(rows) - waiting)
        rows[at].append(item)
        room[at] -= len(item)
    return _arrays(rows, length, shared, np.random.default_rng(seed))


def _arrays(rows: list[list[Family]], length: int, shared: list[int], chooser: np.random.Generator) -> Rows:
    """Families laid into rows, as arrays; padding is a family of its own."""
    shape = (len(rows), length)
    ids, loss = np.zeros(shape, np.uint16), np.zeros(shape, np.bool_)
    family, branch = np.full(shape, 255, np.uint8), np.zeros(shape, np.uint8)
    position = np.zeros(shape, np.uint16)
    for r, row in enumerate(rows):
        jump = int(chooser.integers(LONG - length + 1)) if shared and chooser.random() < 0.5 else 0
        at = len(shared)
        ids[r, :at], family[r, :at], position[r, :at] = shared, 0, np.arange(at)
        for number, item in enumerate(row, 1):
            begin = len(shared) + jump
            after = begin + len(item.stem)
            pieces = [(item.stem, [False] * len(item.stem), begin)]
            pieces += [(tokens, counts, after) for tokens, counts in item.branches]
            for twig, (tokens, counts, start) in enumerate(pieces):
                end = at + len(tokens)
                ids[r, at:end], loss[r, at:end] = tokens, counts
                family[r, at:end], branch[r, at:end] = number, twig
                position[r, at:end] = np.arange(start, start + len(tokens))
                at = end
    return Rows(ids, loss, family, branch, position)


def loss_of(model: Qwen3, features: Callable[..., Tensor], batch: Batch) -> Tensor:
    """Mean next-token cross-entropy (nats) over the positions that count."""
    ids, asked, family, branch, position = batch
    hidden = features(ids, family, branch, position).flatten(0, 1)
    return F.cross_entropy(model.lm_head(hidden.index_select(0, asked)), ids.flatten()[asked + 1])


def visible(family: Tensor, branch: Tensor) -> Tensor:
    """Which tokens each token sees, of shape (batch, 1, tokens, tokens): see :class:`Rows`."""
    tokens = family.shape[1]
    causal = torch.ones(tokens, tokens, dtype=torch.bool, device=family.device).tril()
    kin = family[:, :, None] == family[:, None, :]
    seen = (branch[:, None, :] == 0) | (branch[:, :, None] == branch[:, None, :])
    return (((family == 0)[:, None, :] | (kin & seen)) & causal)[:, None]


def feature_function(model: Qwen3, compiled: bool) -> Callable[..., Tensor]:
    """The trunk over packed rows."""

    def features(ids: Tensor, family: Tensor, branch: Tensor, position: Tensor) -> Tensor:
        return model.hidden(ids, mask=visible(family, branch), position=position)

    return torch.compile(features, dynamic=False) if compiled else features


def learning_rate(progress: float, peak: float, fall: float, warmup: float = 0.02, floor: float = 0.02) -> float:
    """Warm up over the first part of the budget, hold, then fall linearly over its last share ``fall``."""
    if progress < warmup:
        return peak * max(progress / warmup, 0.02)
    return peak * max(floor, min(1.0, (1.0 - progress) / fall)) if fall else peak


def save_weights(model: Qwen3, path: Path, dtype: torch.dtype = torch.float32) -> None:
    """Write the checkpoint's ``model.safetensors`` whole or not at all."""
    state = {
        k: v.detach().to("cpu", dtype).contiguous() for k, v in model.state_dict().items() if k != "lm_head.weight"
    }
    part = path.with_suffix(".part")
    save_file(state, part, metadata={"format": "pt"})
    part.rename(path)


@dataclass
class Budget:
    """Minutes of training or steps, whichever end first; the peak learning rate, the share of the time over which it
    falls, and how often to save (seconds). ``until``: when it ends at the latest, by :func:`time.monotonic`."""

    minutes: float
    peak: float = 3e-3
    fall: float = 0.6
    save_every: float = 180.0
    steps: float = math.inf
    until: float = math.inf


def train(
    model: Qwen3,
    data: list[Rows],
    out: Path,
    budget: Budget,
    seed: int,
    compiled: bool = True,
    batches: Iterator[Batch] | None = None,
) -> None:
    """Train until the minutes are spent; resumes from ``out/state.pt``; logs to ``out/log.jsonl``.

    ``data`` holds rows of different lengths; each is drawn from by its share of the tokens, where no ``batches`` of
    those lengths are given.

    Leaves ``out/model.safetensors``.
    """
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    model.to(device())
    steppers = optimizers(model, budget.peak)
    step, spent = resume(model, steppers, out / "state.pt")
    features = feature_function(model, compiled)
    if accelerated():
        warm(model, features, data)
    batches = batches or mixed(data, seed + step)
    saved = time.monotonic()
    whole = min(budget.minutes * 60, spent + budget.until - saved)
    progress = Log(out / "log.jsonl")
    while spent < whole and step < budget.steps:
        began = time.monotonic()
        rate = learning_rate(spent / whole, budget.peak, budget.fall)
        batch = next(batches)
        loss = update(model, features, batch, steppers, rate)
        step += 1
        told = progress.due(step)
        value = loss.item() if told else 0.0  # a GPU is waited for only then
        seconds = time.monotonic() - began
        # Compilation happens in the first step; it is not training time.
        spent += min(seconds, 20.0)
        progress.count(batch[0].numel(), seconds)
        if told:
            progress.tell(step, spent, value, rate)
        if time.monotonic() - saved > budget.save_every:
            checkpoint(model, steppers, out / "state.pt", step, spent)
            save_weights(model, out / "model.safetensors")
            saved = time.monotonic()
            whole = min(budget.minutes * 60, spent + budget.until - saved)
    checkpoint(model, steppers, out / "state.pt", step, spent)
    save_weights(model, out / "model.safetensors")


def update(
    model: Qwen3, features: Callable[..., Tensor], batch: Batch, steppers: list[torch.optim.Optimizer], rate: float
) -> Tensor:
    """One step; its loss."""
    for stepper in steppers:
        for group in stepper.param_groups:
            group["lr"] = rate * group.get("scale", 1.0)
    # Weights, gradients and sums stay in fp32.
    with torch.autocast(device().type, torch.bfloat16, enabled=halves()):
        loss = loss_of(model, features, batch)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for stepper in steppers:
        stepper.step()
        stepper.zero_grad(set_to_none=True)
    return loss.detach()


def warm(model: Qwen3, features: Callable[..., Tensor], data: list[Rows]) -> None:
    """Compile for each length of rows before the clock runs; nothing is learnt."""
    for rows in data:
        with torch.autocast(device().type, torch.bfloat16, enabled=halves()):
            loss = loss_of(model, features, next(rows.batches(0)))
        loss.backward()  # type: ignore[no-untyped-call]
        print(f"  warm for rows of {rows.length} tokens: loss {loss.item():.3f}", flush=True)
        model.zero_grad(set_to_none=True)


class Log:
    """``log.jsonl`` and the terminal: now and then a line, with the speed since the last one."""

    def __init__(self, path: Path) -> None:
        self._path, self._every = path, GPU_TOLD if accelerated() else TOLD
        self._tokens, self._seconds = 0, 0.0

    def due(self, step: int) -> bool:
        """Whether this step is told."""
        return step % self._every == 0 or step == 1

    def count(self, tokens: int, seconds: float) -> None:
        """A step was done."""
        self._tokens += tokens
        self._seconds += seconds

    def tell(self, step: int, spent: float, loss: float, rate: float) -> None:
        """Write a line."""
        speed = self._tokens / max(self._seconds, 1e-9)
        self._tokens, self._seconds = 0, 0.0
        line = {"step": step, "minutes": round(spent / 60, 2), "loss": round(loss, 4)}
        with self._path.open("a", encoding="utf-8") as log:
            log.write(json.dumps({**line, "lr": round(rate, 6), "tokens_per_s": round(speed)}) + "\n")
        print(f"{spent / 60:6.1f} min  step {step:5d}  loss {loss:.3f}  {speed:,.0f} tokens/s", flush=True)


def mixed(data: list[Rows], seed: int) -> Iterator[Batch]:
    """Endless batches, each of one of the row lengths."""
    chooser = random.Random(seed)
    sources = [rows.batches(seed) for rows in data]
    weights = [rows.ids.size for rows in data]
    while True:
        yield next(chooser.choices(sources, weights)[0])


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
    state = torch.load(path, map_location=device(), weights_only=True)
    model.load_state_dict(state["model"])
    for stepper, saved in zip(steppers, state["optimizers"], strict=True):
        stepper.load_state_dict(saved)
    return int(state["step"]), float(state["spent"])
