"""Plots for ``llmos bench think``: what share of puzzles is solved by when, with 95% intervals, on log axes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from llmos.training.evaluate import wilson

Rows = Mapping[str, Sequence[Mapping[str, Any]]]
LEAST = {"seconds": 0.01, "tokens": 10.0}


def curves(rows: Rows, path: Path) -> None:
    """Two panels, seconds and tokens, with a line for each way; stand-ins, which are no model's, are left out."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    told = {name: one for name, one in rows.items() if "standin" not in name}
    if not told:
        return
    figure, panels = pyplot.subplots(1, 2, figsize=(11, 4.5), sharey=True)
    for what, axes in zip(LEAST, panels, strict=True):
        for name, one in told.items():
            x, share, low, high = curve(one, what)
            axes.plot(x, share, label=name, drawstyle="steps-post")
            axes.fill_between(x, low, high, step="post", alpha=0.12)
        axes.set(xscale="log", xlabel=f"{what} a puzzle", ylim=(0, 1.02))
    panels[0].set_ylabel("solved by then")
    panels[0].legend(fontsize="small")
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def curve(rows: Sequence[Mapping[str, Any]], what: str) -> tuple[list[float], list[float], list[float], list[float]]:
    """Where the share of solved puzzles rises, the share there, and its interval."""
    ends = sorted(max(one[what], LEAST[what]) for one in rows if one["right"])
    last = max((max(one[what], LEAST[what]) for one in rows), default=LEAST[what])
    x = [LEAST[what], *ends, last]
    solved = [0, *range(1, len(ends) + 1), len(ends)]
    spans = [wilson(n, len(rows)) for n in solved]
    return x, [n / len(rows) for n in solved], [low for low, _ in spans], [high for _, high in spans]
