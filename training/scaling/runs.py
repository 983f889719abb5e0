"""Small pretraining runs over parameters and tokens; each is saved, and what is there is not trained again.

The recipe is pretraining's own: its text, its rows that teach copying, its start, its optimisers. A size is trained
once at a steady rate; at each budget a branch leaves it whose rate falls to nothing over the budget's last part, so
that every budget has a schedule of its own at less than two thirds of the price (Hägele et al. 2024, "Scaling laws and
compute-optimal training beyond fixed training durations"). Batches follow from the step alone: a run that was stopped
goes on as if it had not been. What it does not know: which law the losses follow; that is ``law``'s.
"""

import copy
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from llmos.kernel.codec import Codec
from llmos.kernel.qwen3 import Qwen3, Qwen3Config
from llmos.training.__main__ import shape
from llmos.training.copying import copy_rows
from llmos.training.device import device
from llmos.training.embed import vectors
from llmos.training.loop import Rows, feature_function, joined, loss_of, update
from llmos.training.optim import halves, optimizers
from llmos.training.pretrain import COPYING, english
from llmos.training.scaling.law import Point
from llmos.training.start import start

HELD_OUT = 50  # every so many-th document of a file is held out
SAVED = 60.0  # seconds from one save to the next


@dataclass(frozen=True)
class Recipe:
    """What all runs share: tokens of text, of a step and of the held-out text; rates; the seed.

    ``fall`` is the last share of a budget over which its rate falls, ``warmup`` the steps over which it rises.
    """

    text: int = 4_000_000
    step: int = 1024
    held: int = 32_768
    peak: float = 3e-3
    fall: float = 0.3
    warmup: int = 20
    seed: int = 0

    def rate(self, step: int, budget: int | None) -> float:
        """The rate of a step of a run that ends after ``budget`` steps, or that is steady."""
        rise = min(1.0, (step + 1) / self.warmup)
        return self.peak * (rise if budget is None else min(rise, (budget - step) / (self.fall * budget)))

    def branch(self, budget: int) -> int:
        """The step at which a budget's branch leaves the steady run."""
        return int((1 - self.fall) * budget)


@dataclass(frozen=True)
class Text:
    """What is learnt from, what is held out of it, and the token ids that words are counted in."""

    rows: Rows
    held: Rows
    words: NDArray[np.uint16]
    vocabulary: int


def text(tokenizer: Path, corpus: Path | None, recipe: Recipe) -> Text:
    """Rows of text and of copying, as in pretraining, without the documents that are held out."""
    bpe = Tokenizer.from_file(str(tokenizer / "tokenizer.json"))
    plain = english(bpe, corpus, recipe.text, recipe.seed, lambda number: bool(number % HELD_OUT))
    held = english(bpe, corpus, recipe.held, recipe.seed, lambda number: not number % HELD_OUT)
    copied = copy_rows(Codec.load(tokenizer), int(len(plain.ids) * COPYING), recipe.seed + 1)
    return Text(joined([plain, copied]), held, plain.ids[plain.family < 255], bpe.get_vocab_size())


def write(made: Text, path: Path) -> None:
    """Keep the text, so that a run that goes on need not read the corpus again."""
    arrays = {
        f"{name}.{field}": array for name in ("rows", "held") for field, array in vars(getattr(made, name)).items()
    }
    part = path.with_suffix(".part.npz")
    np.savez(part, words=made.words, vocabulary=np.array(made.vocabulary), **arrays)
    part.rename(path)


def read(path: Path) -> Text:
    """The text that was kept."""
    with np.load(path) as found:
        rows, held = (
            Rows(*(found[f"{name}.{field}"] for field in ("ids", "loss", "family", "branch", "position")))
            for name in ("rows", "held")
        )
        return Text(rows, held, found["words"], int(found["vocabulary"]))


@dataclass
class State:
    """A model in training, with its optimisers and the steps that it has done."""

    model: Qwen3
    recipe: Recipe
    step: int = 0
    steppers: list[torch.optim.Optimizer] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.model.to(device())
        self.steppers = optimizers(self.model, self.recipe.peak)

    def save(self, path: Path) -> None:
        """Write all that is needed to go on, whole or not at all."""
        part = path.with_suffix(".part")
        steppers = [s.state_dict() for s in self.steppers]
        torch.save({"model": self.model.state_dict(), "steppers": steppers, "step": self.step}, part)
        part.rename(path)

    def load(self, path: Path) -> bool:
        """Take up what was saved; whether there was any."""
        if not path.exists():
            return False
        state = torch.load(path, map_location=device(), weights_only=True)
        self.take(state["model"], state["steppers"], state["step"])
        return True

    def kept(self) -> tuple[dict[str, Any], list[dict[str, Any]], int]:
        """A copy of all of it, to be taken up again."""
        return copy.deepcopy((self.model.state_dict(), [s.state_dict() for s in self.steppers], self.step))

    def take(self, model: dict[str, Any], steppers: list[dict[str, Any]], step: int) -> None:
        """Take up what was kept."""
        self.model.load_state_dict(model)
        for stepper, saved in zip(self.steppers, steppers, strict=True):
            stepper.load_state_dict(saved)
        self.step = step


class Runs:
    """Runs on one text, which is read when first needed; they lie in the folder ``out``.

    Raises ValueError where that folder holds runs of another recipe.
    """

    def __init__(self, out: Path, tokenizer: Path, corpus: Path | None, recipe: Recipe) -> None:
        self._out, self._tokenizer, self._corpus, self._recipe = out, tokenizer, corpus, recipe
        self._text: Text | None = None
        out.mkdir(parents=True, exist_ok=True)
        told = json.dumps({**asdict(recipe), "corpus": corpus is not None}, indent=1)
        kept = out / "recipe.json"
        if kept.exists() and kept.read_text(encoding="utf-8") != told:
            raise ValueError(f"{out} holds runs of another recipe; give another folder with --out")
        kept.write_text(told, encoding="utf-8")

    @property
    def text(self) -> Text:
        """The text of all runs."""
        if self._text is None:
            kept = self._out / "text.npz"
            self._text = read(kept) if kept.exists() else text(self._tokenizer, self._corpus, self._recipe)
            if not kept.exists():
                write(self._text, kept)
            learnt, held = self._text.rows.ids.size, self._text.held.ids.size
            print(f"{learnt:,} tokens to learn from, {held:,} held out", flush=True)
        return self._text

    def size(self, hidden: int, layers: int, budgets: Sequence[int]) -> list[Point]:
        """The held-out loss (nats a token) of one size after each budget (tokens, rising)."""
        files = {budget: self._out / f"{hidden}x{layers}-{budget}.json" for budget in budgets}
        if any(not f.exists() for f in files.values()):
            self._train(hidden, layers, files)
        return [Point(**json.loads(f.read_text(encoding="utf-8"))) for f in files.values()]

    def _train(self, hidden: int, layers: int, files: dict[int, Path]) -> None:
        """Train what is missing of a size."""
        config = shape(hidden, layers)
        made = Qwen3Config(**{**{n: getattr(config, n) for n in config.__slots__}, "vocab_size": self.text.vocabulary})
        state = State(Qwen3(made), self._recipe)
        trunk = self._out / f"{hidden}x{layers}.pt"
        if not state.load(trunk):
            start(state.model, vectors(self.text.words, self.text.vocabulary, hidden, self._recipe.seed), 0)
        for budget, file in files.items():
            if file.exists():
                continue
            branch = file.with_suffix(".pt")
            began, steps = time.process_time(), budget // self._recipe.step
            self._go_on(state, self._recipe.branch(steps), None, trunk)
            state.save(trunk)
            kept = state.kept()
            state.load(branch)
            self._go_on(state, steps, steps, branch)
            found = Point(parameters(state.model), budget, self.held_loss(state.model), f"{hidden}x{layers}")
            file.write_text(json.dumps(found.public()), encoding="utf-8")
            branch.unlink(missing_ok=True)
            state.take(*kept)
            spent = f"{time.process_time() - began:.0f} s of the CPU"
            print(f"{hidden} x {layers}, {budget:,} tokens: loss {found.loss:.4f}, {spent}", flush=True)
        trunk.unlink(missing_ok=True)

    def _go_on(self, state: State, until: int, budget: int | None, path: Path) -> None:
        """Train to a step, saving now and then."""
        features = feature_function(state.model, compiled=False)
        saved = time.monotonic()
        size = max(1, self._recipe.step // self.text.rows.length)
        while state.step < until:
            pick = picked(len(self.text.rows.ids), size, state.step, self._recipe.seed)
            rate = self._recipe.rate(state.step, budget)
            update(state.model, features, self.text.rows.batch(pick), state.steppers, rate)
            state.step += 1
            if time.monotonic() - saved > SAVED:
                state.save(path)
                saved = time.monotonic()

    def held_loss(self, model: Qwen3) -> float:
        """Mean nats a token of the held-out text."""
        features, total, count = feature_function(model, compiled=False), 0.0, 0
        with torch.no_grad(), torch.autocast(device().type, torch.bfloat16, enabled=halves()):
            for i in range(len(self.text.held.ids)):
                batch = self.text.held.batch(np.array([i]))
                total += float(loss_of(model, features, batch)) * len(batch[1])
                count += len(batch[1])
        return total / count


def picked(rows: int, size: int, step: int, seed: int) -> NDArray[np.int64]:
    """The rows of a step: all of them in one order, then in another."""
    per_pass = max(1, rows // size)
    order = np.random.default_rng((seed, step // per_pass)).permutation(rows)
    at = step % per_pass * size
    return np.sort(order[at : at + size])


def parameters(model: Qwen3) -> int:
    """Parameters of the layers, without the word vectors."""
    return sum(p.numel() for name, p in model.named_parameters() if "embed" not in name and "lm_head" not in name)
