"""Muon for the matrices, AdamW for the rest (torch's own Muon works in bf16 alone, which many CPUs lack).

Source: Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks".
"""

from collections import defaultdict
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from llmos.kernel.qwen3 import Qwen3

# Rates relative to the other matrices': of the attention that starts with a circuit in it, and of the word vectors.
# At the full rate, AdamW washes both away within minutes, most of all the vectors of rare words, whose gradients it
# scales up.
SLOW, WORDS = 0.15, 0.05

COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def halves() -> bool:
    """Whether this machine multiplies matrices of bf16 faster than those of fp32."""
    cpu: bool = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return cpu or torch.cuda.is_available()


def orthogonalise(matrices: Tensor, steps: int = 5) -> Tensor:
    """The nearest semi-orthogonal matrices to a stack of shape (n, rows, columns), by Newton-Schulz iteration."""
    a, b, c = COEFFICIENTS
    tall = matrices.shape[1] > matrices.shape[2]
    x: Tensor = matrices.mT if tall else matrices
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    if halves():
        x = x.bfloat16()
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.mT if tall else x).float()


class Muon(torch.optim.Optimizer):
    """Momentum whose update is orthogonalised; step sizes match AdamW's root mean square."""

    def __init__(self, params: Iterable[nn.Parameter], lr: float, momentum: float = 0.95, weight_decay: float = 0.05):
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update every matrix; those of one shape are handled in one batch."""
        for group in self.param_groups:
            shapes: dict[torch.Size, list[nn.Parameter]] = defaultdict(list)
            for p in group["params"]:
                shapes[p.shape].append(p)
            for shape, params in shapes.items():
                self._update(group, shape, params)

    def _update(self, group: dict[str, float], shape: torch.Size, params: list[nn.Parameter]) -> None:
        updates = []
        for p in params:
            assert p.grad is not None
            state = self.state[p]
            momentum = state.setdefault("momentum", torch.zeros_like(p))
            momentum.lerp_(p.grad, 1 - group["momentum"])
            updates.append(torch.lerp(p.grad, momentum, group["momentum"]))
        scale = 0.2 * max(shape) ** 0.5
        for p, update in zip(params, orthogonalise(torch.stack(updates)), strict=True):
            p.mul_(1 - group["lr"] * group["weight_decay"])
            p.add_(update, alpha=-group["lr"] * scale)


def optimizers(model: Qwen3, lr: float) -> list[torch.optim.Optimizer]:
    """Muon over the layers' matrices, AdamW over embedding and norms.

    A group's rate is ``lr`` times its ``scale``.
    """
    laid = tuple(f"model.layers.{i}.self_attn" for i in range(2))
    groups: dict[str, list[nn.Parameter]] = {"slow": [], "fast": [], "words": [], "norms": []}
    for name, p in model.named_parameters():
        kind = "norms" if p.ndim < 2 else "slow" if name.startswith(laid) else "fast"
        groups["words" if "embed" in name or "lm_head" in name else kind].append(p)
    adam = torch.optim.AdamW(groups["norms"], lr=lr, betas=(0.9, 0.95), weight_decay=0.0, fused=True)
    adam.add_param_group({"params": groups["words"], "scale": WORDS})
    muon = Muon(groups["fast"], lr=lr)
    muon.add_param_group({"params": groups["slow"], "scale": SLOW})
    return [muon, adam]
