"""``python -m llmos.training.reward``: a small model of rewards, from comparisons.

The kernel's trunk with one number at the end of what was said, so that of two ends of a request the better one has the
higher number (Bradley & Terry 1952, "Rank analysis of incomplete block designs"; Ouyang et al. 2022, "Training language
models to follow instructions with human feedback"). Comparisons as in :mod:`prefer`. Writes ``--out`` and nothing else.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from llmos.kernel.errors import LLMOSError
from llmos.kernel.qwen3 import Qwen3
from llmos.training import comparing
from llmos.training.comparing import Compared, Plan
from llmos.training.device import device
from llmos.training.evaluate import wilson
from llmos.training.loop import Document
from llmos.training.prefer import arguments, gathered, share

FILE = "reward.safetensors"
RATE = 5e-5


class Rewards(nn.Module):
    """One number for a document: how good its end is."""

    def __init__(self, kernel: Qwen3) -> None:
        super().__init__()
        self.kernel = kernel
        self.score = nn.Linear(kernel.config.hidden_size, 1)
        nn.init.zeros_(self.score.weight)
        nn.init.zeros_(self.score.bias)

    def forward(self, documents: Sequence[Document]) -> Tensor:
        """The numbers of documents, ``(n,)``, read where each ends."""
        ids, _ = comparing.padded(documents)
        last = torch.tensor([len(tokens) - 1 for tokens, _ in documents], device=ids.device)
        hidden = self.kernel.hidden(ids)[torch.arange(len(documents), device=ids.device), last]
        scored: Tensor = self.score(hidden)[:, 0]
        return scored


def right(model: Rewards, pairs: Sequence[Compared]) -> list[bool]:
    """For each comparison whether the better end has the higher number."""
    documents = [d for one in pairs for d in (one.chosen, one.rejected)]
    found = [0.0] * len(documents)
    with torch.no_grad():
        for part in comparing.batches(documents):
            for n, value in zip(part, model([documents[n] for n in part]).tolist(), strict=True):
                found[n] = value
    return [better > worse for better, worse in zip(found[::2], found[1::2], strict=True)]


def reward(kernel: Path, pairs: Sequence[Compared], out: Path, plan: Plan) -> tuple[int, int]:
    """Train on comparisons into ``out``; how many of the held-out ones are right, of how many.

    Raises UsageError for too few, ModelError for a folder that holds no kernel.
    """
    from safetensors.torch import save_file

    out.mkdir(parents=True, exist_ok=True)
    learnt, held = comparing.apart(pairs, plan.held, plan.seed)
    model = Rewards(comparing.load(kernel)).to(device())

    def cost(batch: Sequence[Compared]) -> tuple[Tensor, Mapping[str, float]]:
        scored = model([*(o.chosen for o in batch), *(o.rejected for o in batch)])
        better, worse = scored[: len(batch)], scored[len(batch) :]
        return -F.logsigmoid(better - worse).mean(), {"right": (better > worse).float().mean().item()}

    curves = comparing.train(model, learnt, cost, out, plan)
    good = right(model, held)
    state = {k: v.cpu().contiguous() for k, v in model.state_dict().items() if not k.endswith("lm_head.weight")}
    save_file(state, out / FILE, metadata={"format": "pt"})
    for name in comparing.COPIED:
        if (kernel / name).is_file():
            shutil.copy(kernel / name, out / name)
    curves.draw()
    told = {"right": sum(good), "of": len(good), "interval": wilson(sum(good), len(good))}
    (out / "report.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    return sum(good), len(good)


def load(folder: Path) -> Rewards:
    """The model of rewards in a folder. Raises OSError where there is none."""
    from safetensors.torch import load_file

    from llmos.kernel.checkpoint import read_json
    from llmos.kernel.qwen3 import Qwen3Config

    model = Rewards(Qwen3(Qwen3Config.from_json(read_json(folder / "config.json"))))
    model.load_state_dict(load_file(folder / FILE), strict=False)
    return model.to(device())


def main() -> int:
    """Train a model of rewards; 0, or 2 for wrong usage."""
    parser = arguments(__doc__.splitlines()[0], RATE)
    options = parser.parse_args()
    try:
        pairs, plan = gathered(options)
        good, of = reward(options.model, pairs, options.out, plan)
    except LLMOSError as error:
        parser.exit(error.exit_code, f"{error}\n")
    print(f"held-out comparisons right: {share(good, of)}; {options.out / FILE}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
