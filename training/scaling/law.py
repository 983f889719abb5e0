"""Loss against parameters and tokens: L(N, D) = E + A / N^a + B / D^b, fitted, with bootstrap intervals.

Source: Hoffmann et al. 2022, "Training compute-optimal large language models", approach 3: the logarithm of the law,
Huber's loss on the difference of logarithms, L-BFGS from a grid of starts, the best of them kept. N counts the layers'
parameters without the word vectors, D the tokens trained on. Knows nothing of how the runs were made.
"""

import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

HUBER = 1e-3  # of the difference of logarithms: from there on it counts linearly
GRID = {"e": (-1.0, 0.5, 1.5), "a": (2.0, 6.0), "b": (2.0, 6.0), "alpha": (0.2, 0.7), "beta": (0.2, 0.7)}
LEAST = 9  # runs
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Point:
    """A run: its layers' parameters, its tokens, its held-out loss in nats a token, and its name."""

    parameters: int
    tokens: int
    loss: float
    name: str = ""

    def public(self) -> dict[str, Any]:
        """As written to files."""
        return asdict(self)


@dataclass(frozen=True)
class Law:
    """The five constants: the loss that stays, and what parameters and tokens take off it."""

    e: float
    a: float
    alpha: float
    b: float
    beta: float

    def loss(self, parameters: float, tokens: float) -> float:
        """Nats a token."""
        return float(self.e + self.a / parameters**self.alpha + self.b / tokens**self.beta)


def fit(points: Sequence[Point], starts: Sequence[Sequence[float]] | None = None) -> Law:
    """The law that fits best, from ``starts`` (log E, log A, alpha, log B, beta) or a grid of them.

    Raises ValueError for fewer than :data:`LEAST` runs, or where all have the same parameters or the same tokens.
    """
    if len(points) < LEAST or len({p.parameters for p in points}) < 2 or len({p.tokens for p in points}) < 2:
        raise ValueError(f"a fit needs at least {LEAST} runs of different sizes and budgets: more --sizes or --budgets")
    return _fit(_columns(points), starts)


def _columns(points: Sequence[Point]) -> tuple[Array, Array, Array]:
    made = np.log(np.array([(p.parameters, p.tokens, p.loss) for p in points], dtype=np.float64))
    return made[:, 0], made[:, 1], made[:, 2]


def _fit(columns: tuple[Array, Array, Array], starts: Sequence[Sequence[float]] | None) -> Law:
    from scipy.optimize import minimize

    n, d, loss = columns

    def objective(x: Array) -> tuple[float, Array]:
        """Huber's loss and its gradient."""
        zero = np.zeros_like(n)
        parts = np.stack([x[0] + zero, x[1] - x[2] * n, x[3] - x[4] * d])
        top = parts.max(axis=0)
        whole = top + np.log(np.exp(parts - top).sum(axis=0))
        share, gap = np.exp(parts - whole), whole - loss
        inside = np.abs(gap) <= HUBER
        value = np.where(inside, 0.5 * gap**2, HUBER * (np.abs(gap) - 0.5 * HUBER)).sum()
        slope = np.where(inside, gap, HUBER * np.sign(gap)) * share
        steps = [slope[0].sum(), slope[1].sum(), -(slope[1] * n).sum(), slope[2].sum(), -(slope[2] * d).sum()]
        # In units in which the tolerances of the minimiser are fine enough.
        return value / HUBER**2, np.array(steps) / HUBER**2

    grid = starts or list(itertools.product(GRID["e"], GRID["a"], GRID["alpha"], GRID["b"], GRID["beta"]))
    bounds = [(-10, 3), (-10, 40), (0.01, 3), (-10, 40), (0.01, 3)]
    found = [minimize(objective, np.array(s), jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 2000})
             for s in grid]  # fmt: skip
    best = min(found, key=lambda one: float(one.fun)).x
    return Law(*(float(v) for v in (np.exp(best[0]), np.exp(best[1]), best[2], np.exp(best[3]), best[4])))


def bootstrap(points: Sequence[Point], law: Law, draws: int = 200, seed: int = 0) -> list[Law]:
    """Laws fitted to runs drawn with replacement, those without two sizes and two budgets drawn again."""
    chooser = np.random.default_rng(seed)
    made: list[Law] = []
    near = [np.log(law.e), np.log(law.a), law.alpha, np.log(law.b), law.beta]
    far = [[1.0, 5.0, 0.4, 5.0, 0.4], [-1.0, 3.0, 0.2, 5.0, 0.4], [1.0, 5.0, 0.4, 3.0, 0.2]]
    while len(made) < draws:
        some = [points[i] for i in chooser.integers(len(points), size=len(points))]
        if len({p.parameters for p in some}) > 1 and len({p.tokens for p in some}) > 1:
            made.append(_fit(_columns(some), [near, *far]))
    return made


def interval(values: Sequence[float]) -> tuple[float, float]:
    """The middle 95%."""
    low, high = np.percentile(np.array(values), [2.5, 97.5])
    return float(low), float(high)


def predicted(law: Law, drawn: Sequence[Law], parameters: float, tokens: float) -> dict[str, Any]:
    """The loss that the law says, with its interval."""
    spread = interval([one.loss(parameters, tokens) for one in drawn])
    return {
        "parameters": int(parameters),
        "tokens": int(tokens),
        "loss": round(law.loss(parameters, tokens), 4),
        "interval": [round(x, 4) for x in spread],
    }
