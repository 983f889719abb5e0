"""Rows that teach copying alone: sequences that come again, and values looked up by their keys. Small models learn to
copy names and numbers from the context much sooner with them. Source: Olsson et al. 2022, "In-context learning and
induction heads".
"""

import random

from llmos.kernel.codec import Codec
from llmos.training.loop import Document, Family, Rows, pack
from llmos.training.phrasebook import whole
from llmos.training.tables import invented, syllables


def copy_rows(codec: Codec, count: int, seed: int) -> Rows:
    """About ``count`` rows; what is known from the context counts in the loss, its first time does not."""
    rng = random.Random(seed)
    made: list[Family] = []
    tokens = 0
    while tokens < count * 512:
        document = rng.choice([repeated, repeated, looked_up, looked_up, numbered])(codec, rng)
        made.append(Family([], [document]))
        tokens += len(document[0])
    return pack(made)


def pool(codec: Codec, rng: random.Random) -> list[int]:
    """Ids to draw from: any plain ones, or digits with a few others between them."""
    plain = [i for i in range(codec.size) if i not in codec.control_ids]
    digits = [codec.encode(d)[0] for d in "0123456789"]
    return rng.choice([plain, plain, digits + rng.sample(plain, 4)])


def repeated(codec: Codec, rng: random.Random) -> Document:
    """A random sequence, of which pieces come again; the first token of a piece cannot be known."""
    ids_from = pool(codec, rng)
    once = [rng.choice(ids_from) for _ in range(rng.randint(6, 56))]
    ids, counts = list(once), [False] * len(once)
    length = rng.choice([120, 170, 240, 500])
    while len(ids) + 20 + len(once) < length:
        gap = [rng.choice(ids_from) for _ in range(rng.randint(0, 20))]
        part = once[rng.randrange(len(once) // 2) :]
        ids += gap + part
        # Two tokens tell where in the sequence the piece begins.
        counts += [False] * (len(gap) + min(2, len(part))) + [True] * (len(part) - 2)
    return ids, counts


def looked_up(codec: Codec, rng: random.Random) -> Document:
    """Random keys with random values, then some of the keys again, each followed by its value."""
    ids_from = pool(codec, rng)
    arrow, comma = rng.sample(ids_from, 2)
    pairs = [
        ([rng.choice(ids_from) for _ in range(rng.randint(2, 3))], [rng.choice(ids_from) for _ in range(size)])
        for size in rng.choices([1, 2, 3, 4, 6], k=rng.randint(3, 9))
    ]
    ids: list[int] = []
    for key, value in pairs:
        ids += [*key, arrow, *value, comma]
    counts = [False] * len(ids)
    for key, value in rng.choices(pairs, k=rng.randint(4, 9)):
        ids += [*key, arrow, *value, comma]
        counts += [False] * (len(key) + 1) + [True] * (len(value) + 1)
    return ids, counts


def numbered(codec: Codec, rng: random.Random) -> Document:
    """Names with numbers, then some of the names again with their numbers, written without thousands commas."""
    names = {rng.choice([invented, syllables])(rng): whole(2, 10 ** rng.randint(2, 7), rng) for _ in range(7)}
    joint = rng.choice([" is ", ": ", " = ", " ", " costs "])
    ids: list[int] = []
    for name, number in names.items():
        ids += codec.encode(f"{name}{joint}{number.said}\n")
    counts = [False] * len(ids)
    for name, number in rng.choices(list(names.items()), k=6):
        asked, told = codec.encode(f"'{name}'"), codec.encode(f" {number.written}\n")
        ids += asked + told
        # A name's first letters cannot be known.
        known = min(3, len(asked))
        counts += [False] * known + [True] * (len(asked) - known + len(told))
    return ids, counts
