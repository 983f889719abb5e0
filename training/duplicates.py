"""Finds rows of training data that are the same, or nearly, by MinHash over their letters. Knows rows alone."""

import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

LIKE = 0.8  # Jaccard similarity of the sets of letters from which two rows are nearly the same
_LETTERS = 5  # of a shingle
_HASHES, _BAND = 96, 4  # at a likeness of 0.8 two rows agree in one of 24 bands of 4 in more than 999 cases of 1000
_PRIME = 2**31 - 1


def plain(text: str) -> str:
    """A text without case and with single spaces."""
    return " ".join(text.casefold().split())


def same(texts: Sequence[str]) -> list[list[int]]:
    """The groups of texts that are the same but for case and spaces, by their places."""
    groups: dict[str, list[int]] = defaultdict(list)
    for n, text in enumerate(texts):
        groups[plain(text)].append(n)
    return [group for group in groups.values() if len(group) > 1]


def nearly_same(texts: Sequence[str]) -> list[tuple[int, int, float]]:
    """Pairs of texts that are not the same but nearly: the places of both, and their likeness from :data:`LIKE` on.

    A text is paired with the first that it is like; not with all of them.
    """
    first = {plain(text): n for n, text in reversed(list(enumerate(texts)))}
    kept = sorted(first.values())
    sets = [shingles(texts[n]) for n in kept]
    pairs: dict[int, tuple[int, float]] = {}
    for one, other in _candidates(sets):
        if other in pairs:
            continue
        like = len(sets[one] & sets[other]) / len(sets[one] | sets[other])
        if like >= LIKE:
            pairs[other] = (one, like)
    return sorted((kept[one], kept[other], like) for other, (one, like) in pairs.items())


def shingles(text: str) -> set[int]:
    """The hashed runs of letters of a text; at least one."""
    letters = plain(text)
    return {zlib.crc32(letters[i : i + _LETTERS].encode()) for i in range(max(1, len(letters) - _LETTERS + 1))}


def _candidates(sets: Sequence[set[int]]) -> Iterator[tuple[int, int]]:
    """Pairs of places that agree in a band of their signatures, the first of each with the others."""
    signatures = np.stack([_signature(one) for one in sets]) if sets else np.empty((0, _HASHES), dtype=np.int64)
    for band in range(0, _HASHES, _BAND):
        buckets: dict[bytes, list[int]] = {}
        for n, row in enumerate(signatures[:, band : band + _BAND]):
            held = buckets.setdefault(row.tobytes(), [])
            yield from ((one, n) for one in held)
            if len(held) < 8:  # the like of what is here are like one another
                held.append(n)


_DRAW = np.random.default_rng(20)
_SLOPES = _DRAW.integers(1, _PRIME, _HASHES, dtype=np.int64)
_STARTS = _DRAW.integers(0, _PRIME, _HASHES, dtype=np.int64)


def _signature(one: Iterable[int]) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    values = np.fromiter(one, dtype=np.int64) % _PRIME
    found: np.ndarray[tuple[int], np.dtype[np.int64]] = ((values[:, None] * _SLOPES + _STARTS) % _PRIME).min(0)
    return found
