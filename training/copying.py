"""Rows that teach copying alone: random tokens that come again. Small models learn to copy names and numbers from the
context much sooner with them. Source: Olsson et al. 2022, "In-context learning and induction heads".
"""

import random

from llmos.kernel.codec import Codec
from llmos.training.loop import Rows, pack


def copy_rows(codec: Codec, count: int, seed: int) -> Rows:
    """About ``count`` rows of repeated sequences; what is repeated counts in the loss, its first time does not."""
    rng = random.Random(seed)
    plain = [i for i in range(codec.size) if i not in codec.control_ids]
    digits = [codec.encode(d)[0] for d in "0123456789"]
    made: list[tuple[list[int], list[bool]]] = []
    while len(made) < 4 * count:
        pool = rng.choice([plain, plain, digits + rng.sample(plain, 4)])
        once = [rng.choice(pool) for _ in range(rng.randint(6, 56))]
        gap = [rng.choice(plain) for _ in range(rng.randint(0, 20))]
        ids, counts = list(once), [False] * len(once)
        length = rng.choice([120, 170, 240, 500])
        while len(ids) + len(gap) + len(once) < length:
            part = once[rng.randrange(len(once) // 2) :]
            ids += gap + part
            # The first token of a repeat cannot be known.
            counts += [False] * (len(gap) + 1) + [True] * (len(part) - 1)
        made.append((ids, counts))
    return pack(made)
