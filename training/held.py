"""Phrases that are left out of the ranker's training, and how often it answers them as their like are answered."""

import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

import torch
from torch.nn.functional import normalize

from llmos.kernel.arithmetic import TAKES, infix, prefix, worth
from llmos.kernel.minilm import Embedder
from llmos.kernel.ranker import spelled
from llmos.kernel.recall import Taught
from llmos.kernel.solver import LONGEST, Solver
from llmos.training.recall import normal

MOST = 1500  # phrases left out that are measured
_PART = 256  # expressions that are written at once
_BEGIN = 0
_NAMES = re.compile(r"@(\d+)")
_OTHERS = re.compile(r"[~&#]\d")

Template = Callable[[Taught], str]


def apart(taught: Sequence[Taught], share: float, template: Template, seed: int) -> tuple[list[Taught], list[Taught]]:
    """What is kept, and about ``share`` of the wordings with all their fillings; each template keeps two wordings."""
    if not share:
        return list(taught), []
    rng = random.Random(f"held-{seed}")
    of: dict[str, set[str]] = defaultdict(set)  # the templates of a wording
    for one in taught:
        of[normal(one.pattern)].add(template(one))
    left = Counter(name for names in of.values() for name in names)
    wordings = sorted(of)
    rng.shuffle(wordings)
    gone: set[str] = set()
    for wording in wordings:
        if len(gone) >= share * len(wordings):
            break
        if all(left[name] > 2 for name in of[wording]):
            gone.add(wording)
            left.subtract(of[wording])
    kept = [one for one in taught if normal(one.pattern) not in gone]
    first = {(normal(one.pattern), template(one)): one for one in reversed(taught) if normal(one.pattern) in gone}
    held = [first[name] for name in sorted(first)]
    rng.shuffle(held)
    return kept, held[:MOST]


class Measure:
    """Measures an encoder and a solver on what was left out: see :meth:`told`."""

    def __init__(self, kept: Sequence[Taught], held: Sequence[Taught], template: Template) -> None:
        self._held = held
        names = [template(t) for t in (*kept, *held)]
        self._kept_names, self._held_names = names[: len(kept)], names[len(kept) :]
        self._kept_texts = [spelled(t.pattern) for t in kept]
        self._held_texts = [spelled(t.pattern) for t in held]
        self._asked = [
            n
            for n, t in enumerate(held)
            if t.kind == "calculator" and prefix(t.answer) and not _OTHERS.search(t.pattern)
        ]

    @torch.no_grad()
    def told(self, embedder: Embedder, head: torch.Tensor, solver: Solver) -> str:
        """Of how many the nearest taught phrase has the same template, and the likeliest expression is right."""
        size = head.device
        kept, held = (
            normalize(torch.from_numpy(embedder.embed(texts)).to(size) @ head.detach().T, dim=1)
            for texts in (self._kept_texts, self._held_texts)
        )
        nearest = (held @ kept.T).argmax(1).tolist()
        right = [self._kept_names[k] == name for k, name in zip(nearest, self._held_names, strict=True)]
        kinds: dict[str, list[bool]] = defaultdict(list)
        for one, good in zip(self._held, right, strict=True):
            kinds[one.kind].append(good)
        by_kind = ", ".join(f"{kind} {_share(goods)}" for kind, goods in sorted(kinds.items()))
        return f"nearest {_share(right)} ({by_kind}), solved {_share(self._solved(embedder, solver))}"

    def _solved(self, embedder: Embedder, solver: Solver) -> list[bool]:
        made: list[bool] = []
        for start in range(0, len(self._asked), _PART):
            asked = self._asked[start : start + _PART]
            states, real = embedder.states(embedder.wordpieces([self._held_texts[n] for n in asked]))
            names = [max((int(n) for n in _NAMES.findall(self._held[k].pattern)), default=0) for k in asked]
            for n, words in zip(asked, greedy(solver, states, real, names), strict=True):
                made.append(bool(words) and worth(infix(words)) == worth(self._held[n].answer))
        return made


def greedy(solver: Solver, states: torch.Tensor, real: torch.Tensor, names: Sequence[int]) -> list[tuple[str, ...]]:
    """For each request the expression of the likeliest words one after the other; empty where it does not end."""
    places = {n: int(w[1:]) for n, w in enumerate(solver.vocabulary) if w[0] == "@"}
    barred = torch.zeros(len(names), len(solver.vocabulary), dtype=torch.bool)
    for row, most in enumerate(names):
        barred[row, [_BEGIN, *(n for n, name in places.items() if name > most)]] = True
    barred = barred.to(states.device)
    said = torch.zeros(len(names), LONGEST + 1, dtype=torch.long, device=states.device)
    for at in range(LONGEST):
        after = solver.logits(said[:, : at + 1], states, real)[:, -1].float().masked_fill(barred, -torch.inf)
        said[:, at + 1] = after.argmax(-1)
    return [_ended([solver.vocabulary[n] for n in row[1:]]) for row in said.tolist()]


def _ended(words: Sequence[str]) -> tuple[str, ...]:
    """The words up to where the expression ends by itself."""
    wanted = 1
    for n, word in enumerate(words, 1):
        wanted += TAKES.get(word, 0) - 1
        if not wanted:
            return tuple(words[:n])
    return ()


def _share(right: Sequence[bool]) -> str:
    return f"{sum(right)}/{len(right)}"
