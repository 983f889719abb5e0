"""The plot of a scaling law: the runs, the law through them, the larger run beside what was predicted of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from llmos.training.scaling.law import Law, Point


def draw(points: Sequence[Point], law: Law, larger: Point, told: dict[str, Any], path: Path) -> None:
    """Write a PNG: loss over tokens, a line a size."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    span = np.geomspace(min(p.tokens for p in points), larger.tokens, 60)
    for number, size in enumerate(sorted({p.parameters for p in points})):
        some = [p for p in points if p.parameters == size]
        axes.plot([p.tokens for p in some], [p.loss for p in some], "o", color=f"C{number}",
                  label=f"{some[0].name}: {size / 1e6:.2f} M")  # fmt: skip
        axes.plot(span, [law.loss(size, d) for d in span], color=f"C{number}", linewidth=1)
    axes.plot(span, [law.loss(larger.parameters, d) for d in span], "k--", linewidth=1)
    low, high = told["interval"]
    gaps = [[max(0.0, told["loss"] - low)], [max(0.0, high - told["loss"])]]
    axes.errorbar([larger.tokens], [told["loss"]], yerr=gaps, fmt="kx", capsize=4, label="predicted, 95%")
    axes.plot([larger.tokens], [larger.loss], "k*", label=f"{larger.name}: {larger.parameters / 1e6:.2f} M, outcome")
    axes.set_xscale("log")
    axes.set_xlabel("tokens of pretraining")
    axes.set_ylabel("held-out loss, nats a token")
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=110)
