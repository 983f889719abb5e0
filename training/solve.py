"""``python -m llmos.training solve``: trains the solver of a kernel on, with the encoder under it as it is.

What the encoder makes of a request's words is computed once, so that an epoch costs a tenth of what it costs
``training.rank``, which trains both. It learns from what is taught and from the word problems beside it, half and half.
"""

import math
import random
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from llmos.kernel.arithmetic import prefix
from llmos.kernel.examples import RANKER
from llmos.kernel.ordered import ordered
from llmos.kernel.recall import Taught
from llmos.training.optim import halves
from llmos.training.rank import DROPPED, OTHERS
from llmos.training.solving import SMOOTHING, Solving, padded

BATCH, RATE, WARM = 128, 5e-4, 50
TOLD = 50  # steps from one line to the next
TOGETHER = 8  # batches that are drawn at once and laid by length, so that little is padded


def solve(
    folder: Path, taught: Sequence[Taught], stories: Sequence[Taught], minutes: float, seed: int, rate: float = RATE
) -> None:
    """Train for so long and write ``folder/ranker.safetensors`` anew. Raises ModelError where it holds no solver."""
    made, rng = Solving(folder), random.Random(seed)
    kinds = [_asked(made, taught), _asked(made, stories)]
    kinds = [kind for kind in kinds if kind]
    print(f"solve: {', '.join(f'{len(kind):,}' for kind in kinds)} expressions", flush=True)
    heard = [made.states([pattern for pattern, _ in kind]) for kind in kinds]
    weights = [w.requires_grad_() for w in made.weights.values()]
    optimiser = torch.optim.AdamW(weights, lr=rate, weight_decay=0.01)
    queues: list[list[int]] = [[] for _ in kinds]
    began, step, lost = time.monotonic(), 0, 0.0
    while (done := (time.monotonic() - began) / (minutes * 60)) < 1:
        drawn = [(k, _next(queues[k], len(kinds[k]), rng)) for k in rng.choices(range(len(kinds)), k=BATCH * TOGETHER)]
        drawn.sort(key=lambda one: len(heard[one[0]][one[1]]))
        batches = [drawn[i : i + BATCH] for i in range(0, len(drawn), BATCH)]
        rng.shuffle(batches)
        for batch in batches:
            for group in optimiser.param_groups:
                group["lr"] = rate * min(1, (step + 1) / WARM) * (0.5 + 0.5 * math.cos(math.pi * min(1, done)))
            loss = _loss(made, [heard[k][n] for k, n in batch], [kinds[k][n][1] for k, n in batch])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(weights, 1.0)
            optimiser.step()
            step, lost = step + 1, lost + float(loss.detach())
            if step % TOLD == 0:
                print(
                    f"solve: {(time.monotonic() - began) / 60:.1f} min, step {step}, loss {lost / TOLD:.3f}", flush=True
                )
                lost = 0.0
    made.write(folder / RANKER)


def _asked(made: Solving, some: Sequence[Taught]) -> list[tuple[str, list[int]]]:
    """Those that the solver can spell, each with the numbers of its words."""
    rows = [
        (t.pattern, made.solver.numbers(ordered(prefix(t.answer))))
        for t in some
        if t.kind == "calculator" and not OTHERS.search(t.pattern)
    ]
    return [row for row in rows if row[1]]


def _next(queue: list[int], size: int, rng: random.Random) -> int:
    """Each before any comes again."""
    if not queue:
        queue += rng.sample(range(size), size)
    return queue.pop()


def _loss(made: Solving, states: Sequence[torch.Tensor], rows: Sequence[Sequence[int]]) -> torch.Tensor:
    """Mean cross-entropy (nats a word)."""
    longest = max(map(len, rows))
    said, after = torch.zeros(len(rows), longest, dtype=torch.long), torch.full((len(rows), longest), -100)
    for n, row in enumerate(rows):
        said[n, 1 : len(row)] = torch.tensor(row[:-1], dtype=torch.long)
        after[n, : len(row)] = torch.tensor(row)
    with torch.autocast("cpu", torch.bfloat16, enabled=halves()):
        logits = made.solver.logits(said, *padded(states), dropped=DROPPED).flatten(0, 1).float()
    return torch.nn.functional.cross_entropy(logits, after.flatten(), label_smoothing=SMOOTHING)
