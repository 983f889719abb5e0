"""For each phrase those that are like it by words: what the ranker's training draws hard cases from.

Knows nothing of what the phrases are answered with.
"""

import hashlib
import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from llmos.kernel.recall import tokens

NEAR = 40  # phrases that are like one by words


def neighbours(patterns: Sequence[str], kept: Path | None = None) -> "np.ndarray[tuple[int, int], np.dtype[np.int32]]":
    """For each pattern the :data:`NEAR` that share most of its words and pairs of words, the likeliest first.

    Found once for the same patterns, where they are ``kept`` in a folder.
    """
    if kept is None:
        return _neighbours(patterns)
    path = kept / f"near-{hashlib.sha256(json.dumps(patterns).encode()).hexdigest()[:16]}.npz"
    if not path.exists():
        with path.with_suffix(".part").open("wb") as file:
            np.savez_compressed(file, near=_neighbours(patterns))
        path.with_suffix(".part").replace(path)
    with np.load(path) as saved:
        near: np.ndarray[tuple[int, int], np.dtype[np.int32]] = saved["near"]
        return near


def _neighbours(patterns: Sequence[str]) -> "np.ndarray[tuple[int, int], np.dtype[np.int32]]":
    from scipy.sparse import csr_matrix

    known: dict[str, int] = {}
    rows, columns = [], []
    for n, pattern in enumerate(patterns):
        said = tokens(pattern)
        for feature in {*said, *map(" ".join, pairwise(said))}:
            rows.append(n)
            columns.append(known.setdefault(feature, len(known)))
    counts = np.bincount(columns, minlength=len(known))
    weights = np.sqrt(np.log((len(patterns) + 1) / (counts[columns] + 0.5)))
    matrix = csr_matrix((weights, (rows, columns)), shape=(len(patterns), len(known)), dtype=np.float32)
    lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(1))).clip(1e-6)
    matrix = csr_matrix(matrix.multiply(1 / lengths))
    found, turned = [], matrix.T.tocsr()
    for start in range(0, len(patterns), 256):
        likeness = (matrix[start : start + 256] @ turned).toarray()
        few = np.argpartition(-likeness, min(NEAR, len(patterns) - 1), axis=1)[:, :NEAR]
        for row, some in zip(likeness, few, strict=True):
            found.append(some[np.argsort(-row[some], kind="stable")])
    return np.stack(found).astype(np.int32)
