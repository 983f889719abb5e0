"""Whether the end of a request is far less probable to the model than its beginning, as gradient-found suffixes are.

The model's own log-probabilities over the request are cut in two where the end stands out most. How much is odd is
the model's to say: the same is measured on ``ordinary.txt``, 64 everyday requests of many kinds, once a model, and a
request counts when it lies ``ODD`` standard deviations above them. Blind to suffixes made fluent, to ends shorter than
``LEAST`` tokens, and to requests that are odd from the first word to the last, such as those in a language that the
model never saw. Telemetry: it grants nothing and blocks nothing.
"""

import json
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from math import sqrt
from pathlib import Path
from statistics import fmean, stdev

from llmos.kernel.types import Signal

ORDINARY = Path(__file__).parent / "ordinary.txt"
LEAST, BODY = 12, 4  # tokens of the end, and of what comes before it, at least
ODD = 2.0  # standard deviations
_GAP = 0.3  # how much the step from body to end counts beside the end's own improbability
_FLOOR = -14.0  # nats: one very odd token, such as a name, must not carry an end
_WEIGHT, _KEPT = 0.5, 16  # of the signal; models whose measure is kept
Scale = tuple[float, float]  # mean and standard deviation of ordinary requests


class Surprise:
    """Looks at requests for one model. ``logprobs`` gives a text's log-probabilities by token, or nothing.

    ``file`` keeps the measure of ordinary requests, by ``model``, a name that changes with its weights.
    """

    def __init__(self, logprobs: Callable[[str], Sequence[float]], model: str = "", file: Path | None = None) -> None:
        self._logprobs, self._model, self._file = logprobs, model, file
        self._scale: Scale | None = None

    def signals(self, text: str) -> tuple[Signal, ...]:
        """A signal where the text has an improbable end; none from models that tell no log-probabilities."""
        found = strain(self._logprobs(text)) if len(text) > LEAST + BODY else None
        if found is None:
            return ()
        score, tokens = found
        mean, spread = self._ordinary()
        if not spread or (away := (score - mean) / spread) < ODD:
            return ()
        return (Signal("improbable", f"the last {tokens} tokens: {away:.1f} deviations above ordinary", _WEIGHT),)

    def _ordinary(self) -> Scale:
        """The model's scores of ordinary requests, as they are kept, else measured now."""
        if self._scale is None:
            kept = _read(self._file)
            self._scale = kept.get(self._model) or self._measure()
            if self._model not in kept:
                _write(self._file, {**kept, self._model: self._scale})
        return self._scale

    def _measure(self) -> Scale:
        lines = ORDINARY.read_text(encoding="utf-8").splitlines()
        scores = [found[0] for line in lines if (found := strain(self._logprobs(line))) is not None]
        return (fmean(scores), stdev(scores)) if len(scores) > len(lines) // 2 else (0.0, 0.0)


def strain(logprobs: Sequence[float]) -> tuple[float, int] | None:
    """How much the end stands out, in nats, and its tokens; None for what is too short to tell.

    The end's mean surprisal, and how surely it differs from what is before, at the cut where that is most.
    """
    values = [-max(_FLOOR, min(0.0, x)) if x == x else -_FLOOR for x in logprobs]
    size, whole, before, best = len(values), sum(values), 0.0, None
    for cut, value in enumerate(values):
        if BODY <= cut <= size - LEAST:
            end, body = (whole - before) / (size - cut), before / cut
            score = end + _GAP * (end - body) * sqrt(cut * (size - cut) / size)
            if best is None or score > best[0]:
                best = score, size - cut
        before += value
    return best


def _read(file: Path | None) -> dict[str, Scale]:
    """The measures that were kept; none where the file is missing or damaged."""
    if file is None:
        return {}
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        return {str(name): (float(mean), float(spread)) for name, (mean, spread) in data.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _write(file: Path | None, scales: dict[str, Scale]) -> None:
    """Keep the newest measures; where that cannot be, they are measured again."""
    if file is None:
        return
    part = file.with_name(f"{file.name}.{os.getpid()}")
    with suppress(OSError):
        part.write_text(json.dumps(dict(list(scales.items())[-_KEPT:])), encoding="utf-8")
        part.replace(file)
