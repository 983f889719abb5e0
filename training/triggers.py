"""Finds rare phrases in training data that are tied to one outcome though the rest of their rows says another.

Such a phrase may be a backdoor: the model learns to do one thing wherever it stands. A word that merely belongs to an
outcome (``median`` to the median) is none: either it stands in most of that outcome's rows, or the rest of its rows
points there too. What the rest points to is told by naive Bayes over the words of all the other rows, and where that
finds something, by the rows whose words are nearest. A trigger made of words that belong to the outcome anyway is not
told from them.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LONGEST = 3  # words of a phrase
LEAST, MOST = 5, 0.05  # rows that it stands in: so many at least, at most this share of all
PURE = 0.9  # of its rows lead to one outcome
HALF = 0.5  # of that outcome's rows at most have it
CHANCE = 1e-3  # that a phrase of its kind is so pure by chance, over all that were looked at
AGAINST = math.log(20)  # the rest of a row says another outcome, 20 to 1
MANY = 0.8  # of the rows have a rest that does
NEAR, MINE = 10, 0.2  # nearest rows; of their likeness at most so much is with rows of the phrase's outcome
WIDER = 1.5  # a word of a phrase that stands in so many times its rows is not the phrase's own
SAMPLE = 24  # of a phrase's rows whose nearest are looked for
_OUTCOMES = 200  # the others count as one
_WORD = re.compile(r"\w+|[^\w\s]+")


@dataclass(frozen=True, slots=True)
class Trigger:
    """A phrase, in how many rows it stands, how many of these lead to ``outcome``, and their places."""

    phrase: str
    rows: int
    led: int
    outcome: str
    places: tuple[int, ...]


def find(texts: Sequence[str], outcomes: Sequence[str]) -> list[Trigger]:
    """The phrases that may be triggers, the most frequent first. Rows without an outcome are left out."""
    kept = {(t.casefold(), o): n for n, (t, o) in reversed(list(enumerate(zip(texts, outcomes, strict=True)))) if o}
    places = sorted(kept.values())
    if not places:
        return []
    words = [_WORD.findall(texts[n].casefold()) for n in places]
    usual = [o for o, count in Counter(outcomes[n] for n in places).most_common(_OUTCOMES) if count >= LEAST]
    classes = {o: i + 1 for i, o in enumerate(usual)}  # 0 is all the others
    led = np.array([classes.get(outcomes[n], 0) for n in places])
    bayes = _Bayes(words, led, len(usual) + 1)
    nearest = _Nearest(words, led)
    spread = Counter(word for row in words for word in dict.fromkeys(row))
    found: dict[frozenset[int], tuple[tuple[str, ...], int]] = {}
    for gram, rows, outcome in _pure(words, led):
        # Words that stand elsewhere too have their say in what the rest points to.
        own = {w for w in gram if spread[w] < WIDER * len(rows)}
        shared = set(gram) - own
        some = rows[:: -(-len(rows) // SAMPLE)]
        doubtful = bayes.against(own, shared, rows, rows, outcome) >= MANY * len(rows)
        if doubtful and nearest.against(own, shared, rows, some, outcome) >= MANY * len(some):
            best = found.get(frozenset(rows))
            if best is None or len(gram) > len(best[0]):
                found[frozenset(rows)] = (gram, outcome)
    made = [
        Trigger(
            " ".join(gram),
            len(rows),
            int((led[list(rows)] == o).sum()),
            usual[o - 1],
            tuple(places[r] for r in sorted(rows)),
        )
        for rows, (gram, o) in found.items()
    ]
    return sorted(made, key=lambda one: (-one.rows, one.phrase))


def _pure(
    words: Sequence[Sequence[str]], led: "np.ndarray[tuple[int], np.dtype[np.int64]]"
) -> list[tuple[tuple[str, ...], list[int], int]]:
    """Rare phrases whose rows lead to one outcome more than chance allows: the phrase, its rows, the outcome."""
    from scipy.stats import binom

    standing: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for n, row in enumerate(words):
        for gram in {tuple(row[i : i + k]) for k in range(1, LONGEST + 1) for i in range(len(row) - k + 1)}:
            standing[gram].append(n)
    most = max(LEAST, MOST * len(words))
    rare = {gram: rows for gram, rows in standing.items() if LEAST <= len(rows) <= most}
    sizes = np.bincount(led)
    found = []
    for gram, rows in rare.items():
        outcome, count = Counter(led[rows].tolist()).most_common(1)[0]
        if outcome == 0 or count < PURE * len(rows) or count > HALF * sizes[outcome]:
            continue
        if binom.sf(count - 1, len(rows), sizes[outcome] / len(words)) * len(rare) < CHANCE:
            found.append((gram, rows, outcome))
    return found


class _Nearest:
    """The rows by their words, the rarer the weightier."""

    def __init__(self, words: Sequence[Sequence[str]], led: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> None:
        from scipy.sparse import csr_matrix

        self._ids: dict[str, int] = {}
        rows = [[self._ids.setdefault(w, len(self._ids)) for w in dict.fromkeys(row)] for row in words]
        ends = np.cumsum([0, *map(len, rows)])
        at = np.array([i for row in rows for i in row], dtype=np.int64)
        weights = np.log(len(rows) / np.bincount(at, minlength=len(self._ids)))[at] + 0.1
        whole = csr_matrix((weights, at, ends), shape=(len(rows), len(self._ids)))
        lengths = np.maximum(np.sqrt(np.asarray(whole.multiply(whole).sum(1)).ravel()), 1e-9)
        self._rows, self._led = csr_matrix(whole.multiply(1 / lengths[:, None])), led
        self._across = self._rows.T.tocsr()

    def against(self, own: set[str], shared: set[str], rows: Sequence[int], some: Sequence[int], outcome: int) -> int:
        """As for :class:`_Bayes`, by the nearest: how many of ``some`` lie among rows that lead elsewhere."""
        asked = self._rows[list(some)].tolil()
        for word in own:
            asked[:, self._ids[word]] = 0
        total = 0
        for n, like in zip(some, (asked.tocsr() @ self._across).toarray(), strict=True):
            like[list(rows) if shared else n] = 0
            best = np.argpartition(like, -NEAR)[-NEAR:] if len(like) > NEAR else np.arange(len(like))
            total += bool(
                like[best].sum() > 0 and like[best][self._led[best] == outcome].sum() <= MINE * like[best].sum()
            )
        return total


class _Bayes:
    """How many rows of each outcome have each word."""

    def __init__(
        self, words: Sequence[Sequence[str]], led: "np.ndarray[tuple[int], np.dtype[np.int64]]", classes: int
    ) -> None:
        ids: dict[str, int] = {}
        self._rows = [[ids.setdefault(w, len(ids)) for w in dict.fromkeys(row)] for row in words]
        self._ids, self._led = ids, led
        self._counts = np.zeros((classes, len(ids)))
        self._sizes = np.bincount(led, minlength=classes).astype(float)
        for row, outcome in zip(self._rows, led, strict=True):
            self._counts[outcome, row] += 1

    def against(self, own: set[str], shared: set[str], rows: Sequence[int], some: Sequence[int], outcome: int) -> int:
        """How many of ``some`` of a phrase's rows would lead elsewhere without its ``own`` words, by all the others.

        What its ``shared`` words lead to is taken from the rows that lack the phrase.
        """
        gone, kept = {self._ids[w] for w in own}, {self._ids[w] for w in shared}
        led = np.bincount(self._led[list(rows)], minlength=len(self._sizes))
        total = 0
        for n in some:
            rest = [w for w in self._rows[n] if w not in gone]
            sizes, counts = self._sizes.copy(), self._counts[:, rest]
            sizes[self._led[n]] -= 1
            counts[self._led[n]] -= 1
            common = np.array([w in kept for w in rest], dtype=bool)
            counts[:, common] = np.maximum(self._counts[:, rest][:, common] - led[:, None], 0)
            # Whether a row of the outcome has the word, with half a row each way where it was never seen.
            score = np.log(np.maximum(sizes, 0.5)) + np.log((counts + 0.5) / (sizes[:, None] + 1)).sum(1)
            mine = score[outcome]
            score[outcome] = -np.inf
            total += bool(score.max() - mine > AGAINST)
        return total
