"""``python -m llmos.training.prefer``: the kernel learns to prefer better calls and answers to worse ones.

Direct preference optimisation (Rafailov et al. 2023): the better end of a request becomes likelier than the worse one,
against how likely either was at the start; the better end's own likelihood is kept up beside that (Pang et al. 2024,
"Iterative reasoning preference optimization"). Comparisons are feedback and votes in files (``--data``), or made of the
recipe's dialogues (``--made``). Writes a kernel's folder below ``--out`` and nothing else.
"""

import argparse
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from llmos.kernel.config import WEIGHTS
from llmos.kernel.errors import LLMOSError, UsageError
from llmos.kernel.qwen3 import Qwen3
from llmos.training import comparing, gate
from llmos.training.comparing import Compared, Plan
from llmos.training.evaluate import wilson
from llmos.training.loop import Document, save_weights

BETA = 0.1  # how near to the start it stays
ANCHOR = 0.1  # weight of the better end's own loss
RATE = 1e-5


def logprobs(model: Qwen3, documents: Sequence[Document]) -> Tensor:
    """The log-probability (nats) of what counts in each document."""
    ids, own = comparing.padded(documents)
    hidden = model.hidden(ids)[:, :-1]
    row, place = torch.nonzero(own[:, 1:], as_tuple=True)
    logits = model.lm_head(hidden[row, place]).float()
    said = -F.cross_entropy(logits, ids[row, place + 1], reduction="none")
    return torch.zeros(len(documents), device=said.device).index_add(0, row, said)


@torch.no_grad()
def scores(model: Qwen3, pairs: Sequence[Compared]) -> list[tuple[float, float]]:
    """The log-probabilities of the better and the worse end of each comparison."""
    documents = [d for one in pairs for d in (one.chosen, one.rejected)]
    found = [0.0] * len(documents)
    for part in comparing.batches(documents):
        for n, value in zip(part, logprobs(model, [documents[n] for n in part]).tolist(), strict=True):
            found[n] = value
    return list(zip(found[::2], found[1::2], strict=True))


class Prefer:
    """What a batch of comparisons costs a model, by its scores at the start."""

    def __init__(self, model: Qwen3, pairs: Sequence[Compared], beta: float = BETA, anchor: float = ANCHOR) -> None:
        self._model, self._beta, self._anchor = model, beta, anchor
        self._start = {id(one): score for one, score in zip(pairs, scores(model, pairs), strict=True)}

    def cost(self, batch: Sequence[Compared]) -> tuple[Tensor, Mapping[str, float]]:
        """The loss (nats), and how many comparisons of the batch come out right by how much."""
        documents = [*(one.chosen for one in batch), *(one.rejected for one in batch)]
        said = logprobs(self._model, documents)
        better, worse = said[: len(batch)], said[len(batch) :]
        start = torch.tensor([self._start[id(one)] for one in batch], device=better.device)
        margin = self._beta * ((better - start[:, 0]) - (worse - start[:, 1]))
        words = sum(sum(one.chosen[1]) for one in batch)
        lost = -F.logsigmoid(margin).mean() - self._anchor * better.sum() / words
        return lost, {"margin": margin.mean().item(), "right": (margin > 0).float().mean().item()}


def prefer(kernel: Path, pairs: Sequence[Compared], out: Path, plan: Plan, beta: float = BETA) -> gate.Compared:
    """Train on comparisons into ``out/kernel``; how many of the held-out ones come out right before and after.

    Raises UsageError for too few, ModelError for a folder that holds no kernel.
    """
    out.mkdir(parents=True, exist_ok=True)
    learnt, held = comparing.apart(pairs, plan.held, plan.seed)
    model = comparing.load(kernel)
    before = [better > worse for better, worse in scores(model, held)]
    curves = comparing.train(model, learnt, Prefer(model, learnt, beta).cost, out, plan)
    after = [better > worse for better, worse in scores(model, held)]
    folder = out / "kernel"
    folder.mkdir(exist_ok=True)
    for path in kernel.iterdir():
        if path.is_file() and path.name != "model.safetensors":
            shutil.copy(path, folder / path.name)
    save_weights(model, folder / "model.safetensors", torch.bfloat16)
    curves.draw()
    found = gate.compared(before, after)
    (out / "report.json").write_text(json.dumps(found.public(), indent=2) + "\n", encoding="utf-8")
    return found


def arguments(about: str, rate: float) -> argparse.ArgumentParser:
    """The options of a step that learns from comparisons."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--model", type=Path, default=WEIGHTS, metavar="DIR", help="the kernel's folder to start from")
    parser.add_argument("--data", type=Path, nargs="*", default=[], metavar="FILE", help="comparisons, as JSON lines")
    parser.add_argument("--made", type=int, default=0, metavar="N", help="comparisons made of the recipe's dialogues")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where everything goes")
    parser.add_argument("--rate", type=float, default=rate)
    for name, value in vars(Plan()).items():
        if name != "rate":
            parser.add_argument(f"--{name}", type=type(value), default=value, help=f"default {value}")
    return parser


def gathered(options: argparse.Namespace) -> tuple[list[Compared], Plan]:
    """The comparisons that are asked for, and the plan. Raises UsageError where there are none."""
    plan = Plan(options.steps, options.batch, options.rate, options.held, options.seed)
    every = [*comparing.read(options.data), *(comparing.made(options.made, plan.seed) if options.made else [])]
    if not every:
        raise UsageError("there is nothing to learn from: give --data FILE of comparisons, or --made N")
    return comparing.encoded(every, options.model), plan


def share(right: int, of: int) -> str:
    """A share with its 95% interval."""
    low, high = wilson(right, of)
    return f"{right}/{of} = {right / of:.1%} [{low:.1%}, {high:.1%}]"


def main() -> int:
    """Learn from comparisons; 0, or 2 for wrong usage."""
    parser = arguments(__doc__.splitlines()[0], RATE)
    parser.add_argument("--beta", type=float, default=BETA, help="how near to the start it stays")
    options = parser.parse_args()
    try:
        pairs, plan = gathered(options)
        found = prefer(options.model, pairs, options.out, plan, options.beta)
    except LLMOSError as error:
        parser.exit(error.exit_code, f"{error}\n")
    told = f"{share(found.before, found.of)} -> {share(found.after, found.of)}"
    print(f"held-out comparisons right: {told}, p {found.chance:.2g}; {options.out / 'kernel'}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
