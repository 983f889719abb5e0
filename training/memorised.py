"""Whether a model goes on with the second half of training lines, beside lines that it was never trained on.

Each line is begun as the words of a user; the model writes greedily, without grammar. Knows the engine and the wire.
"""

import random
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

from llmos.kernel.bare import around
from llmos.kernel.engine import Sampling
from llmos.kernel.local import LocalModel

SHORTEST, LONGEST = 8, 64  # tokens of a line


@dataclass(frozen=True, slots=True)
class Recited:
    """How many lines were prompted, and which of them came to their end word for word."""

    lines: int
    whole: tuple[str, ...]


def recited(model: LocalModel, lines: Sequence[str], most: int, seed: int = 0) -> Recited:
    """Prompt with the first half of at most ``most`` lines, drawn by ``seed``; see what comes."""
    codec, prompt = model.wire.codec, around(model.wire, "", ())
    told = {tuple(codec.encode(line)): line for line in dict.fromkeys(lines)}
    fit = [ids for ids in told if SHORTEST <= len(ids) <= LONGEST]
    drawn = random.Random(seed).sample(fit, min(most, len(fit)))
    whole = []
    for ids in drawn:
        half = len(ids) // 2
        with closing(model.engine.open([*prompt.before, *ids[:half]])) as branch:
            sampling = Sampling(temperature=0, max_tokens=len(ids) - half)
            said = [step.token for step in branch.decode(sampling, None, prompt.stops)]
        if said == list(ids[half:]):
            whole.append(told[ids])
    return Recited(len(drawn), tuple(whole))


def chance(trained: Recited, control: Recited) -> float:
    """How probable so many more trained lines are, were they recited as often as the others (Fisher, one-sided)."""
    from scipy.stats import fisher_exact

    a, b = len(trained.whole), len(control.whole)
    return float(fisher_exact([[a, trained.lines - a], [b, control.lines - b]], alternative="greater").pvalue)
