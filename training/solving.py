"""The solver of a kernel's folder, opened to be trained: it hears problems, draws expressions, and is written back.

The encoder under it stays as it is, so the vectors of what was taught stay true, and what is computed of a problem's
words is computed once. See :mod:`llmos.kernel.solver`.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from llmos.kernel import ranker
from llmos.kernel.aliases import Aliases
from llmos.kernel.arithmetic import TAKES, infix
from llmos.kernel.errors import ModelError
from llmos.kernel.examples import RANKER
from llmos.kernel.minilm import Embedder
from llmos.kernel.ranker import VOCABULARY, spelled
from llmos.kernel.solver import LONGEST, Solver
from llmos.kernel.types import Message, Part, Source
from llmos.training.optim import halves
from llmos.training.problems import worth

SOLVER = "solver."  # what the names of its weights begin with in the file
TOGETHER = 256  # expressions that are drawn at once
SMOOTHING = 0.05  # of the targets, as the solver was trained
_BEGIN = 0
_NAME = re.compile(r"@(\d+)")
Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Heard:
    """A request as the kernel meets it: with short names, and what these stand for."""

    told: str
    values: tuple[str, ...]

    @property
    def names(self) -> int:
        """As many of ``@1``, ``@2``, … stand in it."""
        return max((int(n) for n in _NAME.findall(self.told)), default=0)


def heard(question: str) -> Heard:
    """A question as the kernel meets it."""
    turn = Aliases([Message("user", (Part(question, Source("user")),))]).turn
    return Heard(turn.gist, tuple(turn.values))


def valued(expression: str, values: Sequence[str]) -> Fraction | None:
    """What an expression over short names is worth by the calculator; None for a name of nothing and no number."""
    if any(int(n) > len(values) for n in _NAME.findall(expression)):
        return None
    return worth(_NAME.sub(lambda name: f"({values[int(name[1]) - 1]})", expression))


class Solving:
    """The solver in a folder of the kernel. Raises ModelError where the folder holds none."""

    def __init__(self, folder: Path) -> None:
        from safetensors import SafetensorError, safe_open

        self.path = folder / RANKER
        try:
            with safe_open(self.path, framework="np") as file:
                self._metadata = dict(file.metadata() or {})
                self._state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            raise ModelError(f"{self.path} cannot be read ({error}); --model takes a folder of the kernel") from error
        vocabulary = json.loads(self._metadata.get(VOCABULARY, "[]"))
        if not vocabulary:
            raise ModelError(f"{self.path} holds no solver")
        weights = ranker.plain({k: v for k, v in self._state.items() if k != "vectors"})
        self.embedder: Embedder = ranker.tuned(weights)
        self.weights = {k.removeprefix(SOLVER): v.clone() for k, v in weights.items() if k.startswith(SOLVER)}
        self.solver = Solver(vocabulary, self.weights)

    def states(self, told: Sequence[str]) -> list[Tensor]:
        """What the encoder makes of each request's wordpieces, ``(pieces, 384)`` in half precision."""
        rows = self.embedder.wordpieces([spelled(text) for text in told])
        order, made = sorted(range(len(rows)), key=lambda n: len(rows[n])), dict[int, Tensor]()
        with torch.no_grad():
            for part in (order[i : i + 32] for i in range(0, len(order), 32)):
                states, real = self.embedder.states([rows[n] for n in part])
                made |= {n: states[k, : int(real[k].sum())].half() for k, n in enumerate(part)}
        return [made[n] for n in range(len(rows))]

    def draws(
        self, states: Sequence[Tensor], names: Sequence[int], count: int, heat: float, generator: torch.Generator
    ) -> list[list[Words]]:
        """``count`` expressions for each request, drawn at temperature ``heat``; those that end in time."""
        rows = [n for n in range(len(states)) for _ in range(count)]
        rows.sort(key=lambda n: len(states[n]))
        found: list[list[Words]] = [[] for _ in states]
        for part in (rows[i : i + TOGETHER] for i in range(0, len(rows), TOGETHER)):
            # The likeliest one is asked for as it is in use, in single precision.
            with torch.autocast("cpu", torch.bfloat16, enabled=halves() and heat > 0):
                for n, words in self._drawn(part, states, [names[n] for n in part], heat, generator):
                    found[part[n]].append(words)
        return found

    @torch.no_grad()
    def _drawn(
        self,
        part: Sequence[int],
        states: Sequence[Tensor],
        names: Sequence[int],
        heat: float,
        generator: torch.Generator,
    ) -> list[tuple[int, Words]]:
        """One expression each, by its place in the part; what has ended is no longer computed."""
        vocabulary = self.solver.vocabulary
        takes = torch.tensor([TAKES.get(word, 0) - 1 for word in vocabulary])
        barred = torch.zeros(len(part), len(vocabulary), dtype=torch.bool)
        for row, most in enumerate(names):
            barred[row, [_BEGIN, *(k for k, w in enumerate(vocabulary) if w[0] == "@" and int(w[1:]) > most)]] = True
        # What is held of a request is computed once for all expressions that are drawn for it.
        first = list(dict.fromkeys(part))
        asked, there = padded([states[n] for n in first])
        which = torch.tensor([first.index(n) for n in part])
        held, real = [one[which] for one in self.solver.held(asked)], there[which]
        said, wanted = torch.zeros(len(part), 1, dtype=torch.long), torch.ones(len(part), dtype=torch.long)
        places, done = torch.arange(len(part)), list[tuple[int, Words]]()
        for _ in range(LONGEST):
            after = self.solver.logits(said, asked, real, held)[:, -1].float().masked_fill(barred, -torch.inf)
            word = after.argmax(-1, keepdim=True)  # without heat the likeliest
            if heat:
                word = torch.multinomial((after / heat).softmax(-1), 1, generator=generator)
            said, wanted = torch.cat([said, word], dim=1), wanted + takes[word[:, 0]]
            for row in torch.nonzero(wanted == 0)[:, 0].tolist():
                done.append((int(places[row]), tuple(vocabulary[k] for k in said[row, 1:].tolist())))
            going = wanted > 0
            if not going.any():
                break
            places, said, wanted, real, barred = (x[going] for x in (places, said, wanted, real, barred))
            held = [one[going] for one in held]
        return done

    def cost(self, states: Sequence[Tensor], targets: Sequence[Words], weights: Sequence[float]) -> Tensor:
        """The mean cross-entropy (nats a word) of expressions, each with its weight."""
        rows = [self.solver.numbers(words) for words in targets]
        longest = max(map(len, rows))
        said, after = torch.zeros(len(rows), longest, dtype=torch.long), torch.full((len(rows), longest), -100)
        for n, row in enumerate(rows):
            said[n, 1 : len(row)] = torch.tensor(row[:-1], dtype=torch.long)
            after[n, : len(row)] = torch.tensor(row)
        with torch.autocast("cpu", torch.bfloat16, enabled=halves()):
            logits = self.solver.logits(said, *padded(states)).flatten(0, 1).float()
        lost = cross_entropy(logits, after.flatten(), label_smoothing=SMOOTHING, reduction="none").view_as(after)
        share = torch.tensor(weights)[:, None] * (after >= 0)
        return (lost * share).sum() / share.sum()

    def write(self, path: Path) -> None:
        """The file with this solver and all else as it was: a byte a weight and a scale a row."""
        from safetensors.numpy import save_file

        state: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]] = dict(self._state)
        for name, weight in self.weights.items():
            value = weight.detach()
            if value.dim() < 2:
                state[SOLVER + name] = value.half().numpy()
                continue
            scale = value.abs().amax(1, keepdim=True).clamp_min(1e-8) / 127
            state[SOLVER + name] = (value / scale).round().to(torch.int8).numpy()
            state[f"{SOLVER}{name}.scale"] = scale.half().numpy()
        save_file(state, path.with_suffix(".part"), metadata=self._metadata)
        path.with_suffix(".part").replace(path)


def padded(states: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """States of one batch, ``(n, longest, 384)``, and which of them are there."""
    lengths = torch.tensor([len(s) for s in states])
    held = torch.nn.utils.rnn.pad_sequence(list(states), batch_first=True).float()
    return held, torch.arange(held.shape[1]) < lengths[:, None]


def right(words: Words, cases: Sequence[tuple[Heard, Fraction]]) -> bool:
    """Whether an expression comes to the answer of every case."""
    expression = infix(words)
    return all(valued(expression, one.values) == answer for one, answer in cases)
