"""The nearest vectors among many, exactly ranked: signs find the candidates, the vectors themselves order them.

One bit a dimension is held in memory (48 bytes a chunk), so that a hundred thousand open at once and are looked through
in about two milliseconds; the vectors stay on disk. Knows the tables ``packs`` and ``vectors``, nothing of text.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from llmos.kernel.minilm import Vectors

CANDIDATES = 600  # whose vectors are read and compared
_NEVER = 1000  # more bits than there are


def signs(vectors: "Vectors") -> bytes:
    """One bit a dimension, a vector after the other."""
    import numpy as np

    return np.packbits(vectors > 0, axis=1).tobytes()


def stored(vectors: "Vectors") -> list[bytes]:
    """Each vector as it lies on disk: half precision, which moves no cosine by more than a thousandth."""
    import numpy as np

    return [row.tobytes() for row in vectors.astype(np.float16)]


class Near:
    """The signs of all chunks, kept up with the database by :meth:`refresh`."""

    def __init__(self) -> None:
        import numpy as np

        self._codes = np.zeros((6, 0), dtype=np.uint64)
        self._chunks = np.zeros(0, dtype=np.int64)
        self._documents = np.zeros(0, dtype=np.int64)
        self._packs, self._last = 0, 0
        self._state = (0, 0)  # of the database: what others and what this connection wrote

    def refresh(self, database: sqlite3.Connection) -> bool:
        """Take in what was added since, by anyone; after something was removed all is read anew. Whether anything was.

        Called within a transaction, so that nobody writes meanwhile.
        """
        (others,) = database.execute("PRAGMA data_version").fetchone()
        if (others, database.total_changes) == self._state:
            return False
        self._state = (others, database.total_changes)
        self._update(database)
        return True

    def _update(self, database: sqlite3.Connection) -> None:
        count, last = database.execute("SELECT count(*), coalesce(max(document), 0) FROM packs").fetchone()
        if (count, last) == (self._packs, self._last):
            return
        rows = database.execute("SELECT document, first, codes FROM packs WHERE document > ?", (self._last,)).fetchall()
        if self._packs + len(rows) != count:
            self._packs = self._last = 0
            rows = database.execute("SELECT document, first, codes FROM packs ORDER BY document").fetchall()
        self._take(rows)

    def _take(self, rows: Sequence[tuple[int, int, bytes]]) -> None:
        import numpy as np

        counts = np.array([len(codes) // 48 for _, _, codes in rows], dtype=np.int64)
        first = np.array([first for _, first, _ in rows], dtype=np.int64)
        inside = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
        codes = np.frombuffer(b"".join(codes for _, _, codes in rows), dtype=np.uint64).reshape(-1, 6).T
        documents = np.repeat(np.array([document for document, _, _ in rows], dtype=np.int64), counts)
        chunks = np.repeat(first, counts) + inside
        if self._packs:
            codes = np.concatenate([self._codes, codes], axis=1)
            chunks = np.concatenate([self._chunks, chunks])
            documents = np.concatenate([self._documents, documents])
        self._codes = np.ascontiguousarray(codes)
        self._chunks, self._documents = chunks, documents
        self._packs += len(rows)
        self._last = max((document for document, _, _ in rows), default=self._last)

    def search(
        self, database: sqlite3.Connection, query: "Vectors", most: int, documents: Iterable[int] | None = None
    ) -> list[tuple[int, float]]:
        """The chunks nearest to a vector of unit length with their cosines, the nearest first."""
        import numpy as np

        inside = None
        if documents is not None:
            allowed = np.zeros(self._last + 1, dtype=bool)
            allowed[np.fromiter(documents, dtype=np.int64)] = True
            inside = allowed[self._documents]
        count = len(self._chunks) if inside is None else int(inside.sum())
        if count <= CANDIDATES:
            return self._ranked(database, self._chunks if inside is None else self._chunks[inside], query, most)
        apart = np.zeros(len(self._chunks), dtype=np.uint16)
        for part, bits in zip(self._codes, np.packbits(query > 0).view(np.uint64), strict=True):
            apart += np.bitwise_count(part ^ bits)
        if inside is not None:
            apart[~inside] = _NEVER
        held = np.cumsum(np.bincount(apart))
        far = int(np.searchsorted(held, CANDIDATES))  # all that are no farther: hardly more than are wanted
        nearest = np.flatnonzero(apart <= far)
        if len(nearest) > 2 * CANDIDATES:  # many alike
            nearest = nearest[np.argsort(apart[nearest], kind="stable")[: 2 * CANDIDATES]]
        return self._ranked(database, self._chunks[nearest], query, most)

    @staticmethod
    def _ranked(
        database: sqlite3.Connection, chunks: "npt.NDArray[np.int64]", query: "Vectors", most: int
    ) -> list[tuple[int, float]]:
        import numpy as np

        wanted = ",".join(map(str, sorted(chunks.tolist())))
        rows = database.execute(f"SELECT chunk, vector FROM vectors WHERE chunk IN ({wanted})").fetchall()
        if not rows:
            return []
        vectors = np.frombuffer(b"".join(vector for _, vector in rows), dtype=np.float16).reshape(len(rows), -1)
        likeness = vectors.astype(np.float32) @ query
        order = np.argsort(-likeness, kind="stable")[:most]
        return [(rows[n][0], float(likeness[n])) for n in order]
