"""Which taught examples answer a request, by meaning and by words.

A bi-encoder, all-MiniLM-L6-v2 (see minilm) with its last layers trained anew, puts requests with the same answer near
each other (Reimers & Gurevych 2019, "Sentence-BERT"; van den Oord et al. 2018 for the contrastive loss). Each of the
nearest examples then votes for its answer, with a weight that falls with its distance (Dudani 1976, "The
distance-weighted k-nearest-neighbor rule"); on which expression answers a request the solver has its say too (see
solver). Written by ``training.rank``. Where the encoder's package is missing, or
what was taught is not what the file was made for, there is no ranker: the likeness by words decides alone (see recall).
"""

import hashlib
import json
import math
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from llmos.kernel import minilm
from llmos.kernel.arithmetic import infix, prefix, worth
from llmos.kernel.honest import harms, refuses
from llmos.kernel.ordered import ordered
from llmos.kernel.plausible import plausible, told_story
from llmos.kernel.recall import Recall, Recalled, Taught
from llmos.kernel.solver import Solver

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import torch

    Floats = npt.NDArray[np.float32]
    Encode = Callable[[Sequence[str]], Floats]
    # Of a request, and expressions in prefix order: these and the likeliest, each with its probability.
    Solve = Callable[[str, Sequence[Sequence[str]]], list[tuple[tuple[str, ...], float]]]

WHOLE = 127  # what 1 is in a vector of a byte a number
LOOKED = 400  # nearest examples that are looked at
NEAREST, VOTERS = 60, 40  # good ones that are compared by words too, and those of them that vote
FAR = 0.3  # an example with a smaller cosine has nothing to do with the request
BY_WORDS = 0.2  # the share of the likeness by words in an example's score
WIDTH = 0.03  # an example whose score is less by this has a vote less by a factor of e
FAMILIAR = 0.72  # score of an example that is much like the request
GRAVE = 3  # times that a refusal weighs where a deed that harms is named
KNOWN, NEW = 0.25, 0.5  # the solver's share of the say on expressions, with such an example and without one
VOCABULARY = "vocabulary"  # of the solver, in the file's metadata
_SOLVER = "solver."  # what its weights' names begin with
_NUMBERS = ("7", "12", "25", "40", "60", "85", "130", "350")  # for the first ones; of others the place itself
_SIGNS = {"~": "date", "&": "formula", "#": "column"}
_OTHERS = re.compile(r"[~&#]\d")  # names of days, formulas and columns
_NAMED = re.compile(r"([@~&#])(\d*)(?:\([a-z](?:,[a-z])*\))?")


def spelled(told: str) -> str:
    """A request with plain words and numbers for its short names, as the encoder reads it."""

    def thing(name: re.Match[str]) -> str:
        if name[1] != "@":
            return f"{_SIGNS[name[1]]} "
        place = int(name[2] or 0)
        return f"{_NUMBERS[place - 1] if 0 < place <= len(_NUMBERS) else place} "

    return _NAMED.sub(thing, told).strip()


class Ranker:
    """What was taught, a vector for each, and the encoder that made the vectors."""

    def __init__(self, recall: Recall, vectors: "Floats", encode: "Encode", solve: "Solve | None" = None) -> None:
        self._recall, self._vectors, self._encode, self._solve = recall, vectors, encode, solve
        self.shares = KNOWN, NEW
        self._names = sorted({t.kind for t in recall.taught})
        self._kinds = [self._names.index(t.kind) for t in recall.taught]
        self._verbs: dict[tuple[str, str], list[int]] = defaultdict(list)
        for n, t in enumerate(recall.taught):
            if t.kind in ("table", "change"):
                self._verbs[t.kind, t.answer].append(n)

    @classmethod
    def load(cls, path: Path, recall: Recall) -> "Ranker | None":
        """The ranker in a file, for what was taught; None where it cannot be had."""
        if not path.is_file() or minilm.missing():
            return None
        import numpy as np
        from safetensors import safe_open

        with safe_open(path, framework="np") as file:
            if (file.metadata() or {}).get("taught") != digest(recall.taught):
                return None
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            vocabulary = json.loads((file.metadata() or {}).get(VOCABULARY, "[]"))
        vectors = state.pop("vectors").astype(np.float32) / WHOLE
        weights = plain(state)
        embedder = tuned(weights)
        solve = solver(embedder, weights, vocabulary) if vocabulary else None
        return cls(recall, vectors, encoder(embedder, weights), solve)

    def near(
        self,
        told: str,
        kinds: Collection[str],
        most: int,
        good: Callable[[Recalled], bool] = lambda found: True,
        request: str = "",
        values: Sequence[str] = (),
    ) -> list[Recalled]:
        """The ``most`` likeliest different answers of these kinds that are ``good``, the likeliest first.

        The likeness of each is that of its likeliest example by words, and at least that of the answers after it.
        ``values``: of the short names; what they make of an answer to a story has to be likely too.
        """
        scored = sorted(self._scored(told, kinds, good, request), key=lambda pair: -pair[0])
        votes: dict[tuple[str, str], float] = defaultdict(float)
        first: dict[tuple[str, str], Recalled] = {}
        for score, one in scored[:VOTERS]:
            name = one.taught.kind, worth(one.answer) if one.taught.kind == "calculator" else one.answer
            votes[name] += math.exp((score - scored[0][0]) / WIDTH)
            first.setdefault(name, one)
        if self._solve and "calculator" in kinds:
            best = max((score for score, one in scored if one.taught.kind == "calculator"), default=0.0)
            self._hear(self._solve, told, votes, first, good, self.shares[best < FAMILIAR])
        if told_story(told):
            _reweigh(votes, {name: plausible(first[name].answer, values) for name in votes if name[0] == "calculator"})
        _weighed(votes, told)
        ranked: list[Recalled] = []
        for name in sorted(sorted(votes, key=votes.__getitem__, reverse=True)[:most], key=votes.__getitem__):
            least = ranked[-1].likeness if ranked else 0.0
            ranked.append(replace(first[name], likeness=max(least, first[name].likeness)))
        return ranked[::-1]

    def _hear(
        self,
        solve: "Solve",
        told: str,
        votes: dict[tuple[str, str], float],
        first: dict[tuple[str, str], Recalled],
        good: Callable[[Recalled], bool],
        share: float,
    ) -> None:
        """Give the votes for expressions anew, the solver its share of them; it may bring others."""
        voted = [name for name in votes if name[0] == "calculator"]
        spelt = {name: prefix(first[name].answer) for name in voted}
        whole = sum(votes[name] for name in voted)
        if "@" not in told or _OTHERS.search(told) or sum(votes[n] for n in voted if spelt[n]) <= whole / 2:
            return
        likeness = max(first[name].likeness for name in voted)
        chance: dict[tuple[str, str], float] = defaultdict(float)
        # Its trust in an answer is that in all spellings of it.
        spellings = {way for name in voted if spelt[name] for way in (spelt[name], ordered(spelt[name]))}
        for words, probability in dict(solve(told, sorted(spellings))).items():
            answer = infix(words)
            name = "calculator", worth(answer)
            one = Recalled(Taught("calculator", told, answer), answer, likeness)
            if name in first or good(one):
                first.setdefault(name, one)
                chance[name] += probability
        for name in {*voted, *chance}:
            votes[name] = (1 - share) * votes.get(name, 0.0) + share * whole * chance.get(name, 0.0)

    def _scored(
        self, told: str, kinds: Collection[str], good: Callable[[Recalled], bool], request: str
    ) -> list[tuple[float, Recalled]]:
        """The nearest good examples of these kinds, each adapted to the request and with its score."""
        import numpy as np

        allowed = np.isin(self._kinds, [n for n, kind in enumerate(self._names) if kind in kinds])
        # What is done to a table is a few verbs: those that are no good are left out of the nearest from the start.
        for places in self._verbs.values():
            taught = self._recall.taught[places[0]]
            if taught.kind in kinds and not good(Recalled(taught, taught.answer, 0.0)):
                allowed[places] = False
        cosines = np.where(allowed, self._vectors @ self._encode([told])[0], -1)
        few = np.argpartition(-cosines, min(LOOKED, len(cosines) - 1))[:LOOKED]
        found: dict[int, Recalled] = {}
        for n in few[np.argsort(-cosines[few], kind="stable")].tolist():
            taught = self._recall.taught[n]
            if taught.kind not in kinds or cosines[n] < FAR or len(found) == NEAREST:
                break
            one = self._recall.answered(taught, told, request)
            if one is not None and good(one):
                found[n] = one
        scored = []
        for (n, one), likeness in zip(found.items(), self._recall.likenesses(told, found), strict=True):
            score = BY_WORDS * likeness + (1 - BY_WORDS) * float(cosines[n])
            scored.append((score, replace(one, likeness=max(0.0, min(1.0, likeness)))))
        return scored


def _reweigh(votes: dict[tuple[str, str], float], likely: Mapping[tuple[str, str], float]) -> None:
    """Give the votes for some answers by how likely each is; together they have as many as before."""
    before = sum(votes[name] for name in likely)
    after = sum(votes[name] * weight for name, weight in likely.items())
    for name, weight in likely.items():
        votes[name] *= weight * before / after if after else 1.0


def _weighed(votes: dict[tuple[str, str], float], told: str) -> None:
    """Put all answers that refuse harm before all others, or after them, as the votes for all of each say.

    There are few such answers and hundreds of others: one for one, a harmless request that sounds like harm is refused
    for the votes that its many answers share. Where ``told`` names what would harm somebody, refusals weigh more.
    """
    refused = {name for name in votes if name[0] == "say" and refuses(name[1])}
    others = votes.keys() - refused
    if not refused or not others:
        return
    harm = sum(votes[n] for n in refused) * (GRAVE if harms(told) else 1)
    first, last = (refused, others) if harm > sum(votes[n] for n in others) else (others, refused)
    scale = max(votes[n] for n in first) / max(votes[n] for n in last) / 2
    for name in last if scale < 1 else ():
        votes[name] *= scale


def plain(state: "Mapping[str, npt.NDArray[np.generic]]") -> "dict[str, torch.Tensor]":
    """The weights of a file by name: a row of whole numbers times its scale."""
    import numpy as np
    import torch

    made = {}
    for name, value in state.items():
        if not name.endswith(".scale"):
            scale = state.get(f"{name}.scale")
            made[name] = torch.from_numpy(value.astype(np.float32) * (1 if scale is None else scale.astype(np.float32)))
    return made


def tuned(weights: "Mapping[str, torch.Tensor]") -> minilm.Embedder:
    """all-MiniLM-L6-v2 with the layers that were trained anew."""
    layers: dict[int, minilm.Layer] = defaultdict(dict)
    for name, value in weights.items():
        kind, _, rest = name.partition(".")
        if kind == "layer":
            number, _, key = rest.partition(".")
            layers[int(number)][key] = value
    return minilm.Embedder.load().tuned(layers)


def encoder(embedder: minilm.Embedder, weights: "Mapping[str, torch.Tensor]") -> "Encode":
    """What makes vectors of requests: the embedder's, projected."""
    import numpy as np

    head = weights["head"].numpy()

    def encode(told: Sequence[str]) -> "Floats":
        made = embedder.embed([spelled(text) for text in told]) @ head.T
        vectors: Floats = made / np.maximum(np.linalg.norm(made, axis=1, keepdims=True), 1e-9)
        return vectors

    return encode


def solver(embedder: minilm.Embedder, weights: "Mapping[str, torch.Tensor]", vocabulary: Sequence[str]) -> "Solve":
    """The solver, which reads what the embedder makes of a request's words."""
    import torch

    made = Solver(vocabulary, {k.removeprefix(_SOLVER): v for k, v in weights.items() if k.startswith(_SOLVER)})

    def solve(told: str, expressions: Sequence[Sequence[str]]) -> list[tuple[tuple[str, ...], float]]:
        with torch.inference_mode():
            states = embedder.states(embedder.wordpieces([spelled(told)]))[0][0]
            names = max(int(n) for n in re.findall(r"@(\d+)", told))
            found = [*made.likeliest(states, names)]
            found += zip(map(tuple, expressions), made.score(states, expressions), strict=True)
        return [(words, math.exp(score)) for words, score in found]

    return solve


def digest(taught: Sequence[Taught]) -> str:
    """A name for what was taught that changes with it."""
    whole = hashlib.sha256()
    for one in taught:
        whole.update(f"{one.kind}\0{one.pattern}\0{one.answer}\0".encode())
    return whole.hexdigest()
