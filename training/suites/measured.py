"""What a suite measured: figures with their 95% intervals, as one object and as a table. Knows no suite."""

import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from llmos.app import VERSION
from llmos.training.evaluate import wilson

DRAWS = 1000  # of a bootstrap


@dataclass(frozen=True, slots=True)
class Measured:
    """``shares``: how many of how many; ``values``: other figures with their intervals; ``details``: anything more."""

    name: str
    model: str
    shares: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    values: Mapping[str, tuple[float, tuple[float, float] | None]] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)

    def public(self) -> dict[str, Any]:
        """The one object that ``--json`` prints: figures and intervals by name, then the details."""
        figures = {key: round(good / of, 6) for key, (good, of) in self.shares.items() if of}
        figures |= {key: round(value, 6) for key, (value, _) in self.values.items()}
        intervals = {key: [round(x, 6) for x in wilson(good, of)] for key, (good, of) in self.shares.items() if of}
        intervals |= {key: [round(x, 6) for x in spread] for key, (_, spread) in self.values.items() if spread}
        return {
            "name": self.name,
            "machine": f"{platform.machine()} {platform.system()}, {os.cpu_count()} cores",
            "version": VERSION,
            "model": self.model,
            "figures": figures,
            "intervals": intervals,
            "counts": {key: list(pair) for key, pair in self.shares.items()},
            **self.details,
        }

    def text(self) -> str:
        """A table: figure, interval, count."""
        width = max(len(key) for key in (*self.shares, *self.values))
        lines = [f"{self.name} on {self.model}"]
        for key, (good, of) in self.shares.items():
            low, high = wilson(good, of)
            share = f"{good / of:6.1%}  [{low:6.1%}, {high:6.1%}]" if of else "     -" + " " * 20
            lines.append(f"{key:{width}}  {share}  {good}/{of}")
        for key, (value, spread) in self.values.items():
            told = f"  [{spread[0]:6.3f}, {spread[1]:6.3f}]" if spread else ""
            lines.append(f"{key:{width}}  {value:6.3f}{told}")
        return "\n".join(lines)


def resampled(count: int, figure: Callable[[Sequence[int]], float], seed: int = 0) -> tuple[float, float]:
    """The 95% interval of a figure of ``count`` things, given their numbers drawn with replacement."""
    chooser = np.random.default_rng(seed)
    drawn = [figure(chooser.integers(count, size=count).tolist()) for _ in range(DRAWS)]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(low), float(high)
