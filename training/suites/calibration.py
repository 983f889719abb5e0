"""Calibration: the model's own probability of its first reply, a call or an answer, against the request's being right.

The probability is that of the whole reply, token by token, before the grammar rules anything out. Expected calibration
error: the mean distance of probability and share right over ten bins of equal width, weighted by their items (Guo et
al. 2017, "On calibration of modern neural networks"). The embedded kernel names what its ranker found: the
probability is that of naming it, so it does not hold the ranker's own doubt.
"""

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import exp
from pathlib import Path
from typing import Any

from llmos.app import LLMOS
from llmos.kernel.engine import Delta, Finished, Model, Sampling
from llmos.kernel.tool import Tool
from llmos.kernel.types import Message
from llmos.training.evaluate import Item, Progress, read_items, run_item
from llmos.training.suites.measured import Measured, resampled
from llmos.training.suites.questions import FOLDER

FILE = FOLDER / "requests.jsonl"
BINS = 10


class Heard:
    """A model whose replies' log-probabilities are written down, in order, in ``told``."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self.told: list[float] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def reply(
        self,
        messages: Sequence[Message],
        tools: Sequence[Tool],
        sampling: Sampling = Sampling(),  # noqa: B008
        n: int = 1,
    ) -> Iterator[Delta]:
        """See :class:`~llmos.kernel.engine.Model`."""
        for delta in self._model.reply(messages, tools, sampling, n):
            if isinstance(delta, Finished) and delta.branch == 0:
                self.told.append(delta.logprob)
            yield delta


@dataclass(frozen=True, slots=True)
class Judged:
    """A reply's probability, and whether the request came out right."""

    probability: float
    right: bool


def calibration(
    model: Model, home: Path, progress: Progress, file: Path | None = None, limit: int | None = None
) -> Measured:
    """Run the requests of a file, or ``limit`` of them from all over it, and compare."""
    items = [i for i in read_items(file or FILE) if len(i.asked) == 1]
    if limit is not None and limit < len(items):
        items = [items[n * len(items) // limit] for n in range(limit)]
    heard = Heard(model)
    judged: list[Judged] = []
    with LLMOS(model=heard, home=home) as system:
        for item in items:
            heard.told.clear()
            done: Item = run_item(system, item)
            if heard.told:
                judged.append(Judged(exp(heard.told[0]), done.passed))
            progress(len(judged), len(items), sum(j.right for j in judged))
    return report(judged, model.name)


def report(judged: Sequence[Judged], model: str) -> Measured:
    """The figures. Needs at least one reply."""

    def interval(figure: Any) -> tuple[float, float]:
        return resampled(len(judged), lambda numbers: figure([judged[n] for n in numbers]))

    values: dict[str, tuple[float, tuple[float, float] | None]] = {
        "expected_calibration_error": (error(judged), interval(error)),
        "mean_probability": (confidence(judged), interval(confidence)),
        "brier": (brier(judged), interval(brier)),
    }
    if (told := ranking(judged)) is not None:
        values["right_more_probable_than_wrong"] = told, None
    shares = {"right": (sum(j.right for j in judged), len(judged))}
    return Measured("calibration", model, shares, values, {"bins": bins(judged)})


def bins(judged: Sequence[Judged]) -> list[dict[str, float]]:
    """Ten bins of equal width: from, items, mean probability, share right; empty ones left out."""
    found = []
    for number in range(BINS):
        some = [j for j in judged if min(int(j.probability * BINS), BINS - 1) == number]
        if some:
            row = {"from": number / BINS, "items": len(some), "probability": round(confidence(some), 4)}
            found.append({**row, "right": round(sum(j.right for j in some) / len(some), 4)})
    return found


def error(judged: Sequence[Judged]) -> float:
    """The expected calibration error."""
    return sum(b["items"] * abs(b["probability"] - b["right"]) for b in bins(judged)) / len(judged)


def confidence(judged: Sequence[Judged]) -> float:
    """The mean probability."""
    return statistics.fmean(j.probability for j in judged)


def brier(judged: Sequence[Judged]) -> float:
    """Brier's score: the mean square of what the probability is off."""
    return statistics.fmean((j.probability - j.right) ** 2 for j in judged)


def ranking(judged: Sequence[Judged]) -> float | None:
    """How often a right reply is more probable than a wrong one (0.5 is chance); None without one of either."""
    right, wrong = ([j.probability for j in judged if j.right is side] for side in (True, False))
    if not right or not wrong:
        return None
    return sum((r > w) + 0.5 * (r == w) for r in right for w in wrong) / (len(right) * len(wrong))


def draw(measured: Measured, path: Path) -> None:
    """Write the reliability plot, a PNG."""
    from matplotlib.figure import Figure

    found = measured.details["bins"]
    figure = Figure(figsize=(4.5, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], "--", color="grey", label="as right as probable")
    axes.plot([b["probability"] for b in found], [b["right"] for b in found], "o-", label=measured.model)
    for b in found:
        axes.annotate(str(b["items"]), (b["probability"], b["right"]), textcoords="offset points", xytext=(5, -10))
    axes.set(xlabel="the model's own probability of its reply", ylabel="share right", xlim=(0, 1.02), ylim=(0, 1.05))
    axes.legend(loc="lower right", fontsize=8)
    figure.savefig(path, dpi=110)
