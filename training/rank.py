"""Trains the encoder that ranks what was taught: phrases with the same answer are brought near each other.

Contrastive learning with in-batch negatives and hard ones (Karpukhin et al. 2020, "Dense passage retrieval"; the loss
is InfoNCE, van den Oord et al. 2018): a phrase, another one with the same answer, and one that is like it by words and
has another answer. Only the last layers of all-MiniLM-L6-v2 and a projection are trained, so that what ships is small.
At the same time the solver learns to write the expressions of all these from what the encoder makes of them.
"""

import json
import math
import random
import re
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import cross_entropy, normalize

from llmos.kernel import ranker
from llmos.kernel.adapt import SIGN
from llmos.kernel.arithmetic import TAKES, prefix, worth
from llmos.kernel.errors import ModelError
from llmos.kernel.minilm import WIDTH, Embedder, pooled
from llmos.kernel.ordered import ordered
from llmos.kernel.ranker import VOCABULARY, WHOLE, digest, spelled
from llmos.kernel.recall import ADAPTED, Taught
from llmos.kernel.solver import Solver
from llmos.training.device import accelerated, device
from llmos.training.held import Measure, apart
from llmos.training.neighbours import neighbours
from llmos.training.optim import halves
from llmos.training.phrasebook import slip
from llmos.training.recall import normal

LAYERS = (3, 4, 5)  # that are trained, of six
SOLVING, SOLVER_RATE = 1.0, 8e-4  # weight of the solver's loss, and its rate
STORIES = 0.6  # word problems a step that only the solver learns from, as a share of the triples
DROPPED = 0.1  # of the solver's numbers, while it learns
RARE = 4  # what stands in fewer expressions the solver does not write
NUMBERS = 128  # of a vector
WARM = 20  # steps
HEAT = 0.05  # temperature of the loss
BACK = 0.3  # weight of the loss from the others to the phrase
SLIPS = 0.12  # share of phrases with a slip of the finger
CLOSE = 0.5  # share of the phrases with the same answer that are like the phrase by words, where there are any
HARD = 12  # of the phrases that are like one by words, those with another answer that are drawn from
SHARES = {"calculator": 0.42, "story": 0.1, "python": 0.09, "say": 0.1, "table": 0.2, "change": 0.09, "image": 0.06}
STORY = "story"  # a word problem of the corpus: it teaches the encoder and does not ship
OTHERS = re.compile(r"[~&#]\d")
_NAME = re.compile(r"[@~&]\d+|[A-Za-z]+")


@dataclass(frozen=True)
class Recipe:
    """How long is trained, on how many triples a step, at which rate.

    ``minutes``: it ends then, whatever the steps, and at the time ``until`` in any case; ``saved``: steps from one
    checkpoint to the next; ``left_out``: share of the phrases that are not trained on and on which it is measured every
    ``measured`` steps; ``start``: a file of weights to go on from.
    """

    steps: int = 800
    batch: int = 44
    rate: float = 1.5e-4
    minutes: float = math.inf
    saved: int = 25
    left_out: float = 0.0
    measured: int = 100
    until: float = math.inf
    start: Path | None = None


def recipe() -> Recipe:
    """The recipe for this machine."""
    return Recipe(6000, 256, 3e-4, saved=200, measured=500) if accelerated() else Recipe()


@cache
def template(one: Taught) -> str:
    """What taught requests that are answered alike have in common: the answer without its own words and numbers."""
    if one.kind not in ADAPTED:
        return f"{one.kind} {one.answer}"
    places = {sign: f"{sign[0]}{n}" for n, sign in enumerate(dict.fromkeys(SIGN.findall(one.pattern)), 1)}
    said = {w for w in re.findall(r"[a-z]+", one.pattern.lower()) if len(w) > 1}

    def plain(name: re.Match[str]) -> str:
        return places.get(name[0], "w" if name[0].lower() in said else name[0])

    answer = _NAME.sub(plain, one.answer.replace(" = 0", ""))
    return f"{one.kind} {worth(answer) if one.kind == 'calculator' else ''.join(answer.split())}"


class Drawn:
    """Draws triples for training: the places of a phrase, of one with its template, and of a hard negative.

    The places are those in what was taught, with the ``stories`` behind it. These learn from what was taught, which
    learns from its like.
    """

    def __init__(
        self, taught: Sequence[Taught], stories: Sequence[Taught], rng: random.Random, kept: Path | None = None
    ) -> None:
        self._rng, self._taught = rng, len(taught)
        every = [*taught, *stories]
        kinds = [*(t.kind for t in taught), *(STORY for _ in stories)]
        self.templates = [template(t) for t in every]
        self._normal = [normal(t.pattern) for t in every]
        self._near = neighbours([t.pattern for t in every], kept)
        alike: dict[str, dict[str, int]] = defaultdict(dict)  # one of each phrase's fillings
        for n, name in enumerate(self.templates):
            alike[name].setdefault(self._normal[n], n)
        self._alike = {name: list(numbers.values()) for name, numbers in alike.items()}
        self._of: dict[str, list[int]] = defaultdict(list)
        for numbers in self._alike.values():
            for n in numbers if len(numbers) > 1 else ():
                self._of[kinds[n]].append(n)

    def triple(self) -> tuple[int, int, int]:
        """One triple."""
        kinds = [kind for kind in SHARES if self._of[kind]]
        while True:
            (kind,) = self._rng.choices(kinds, [SHARES[k] for k in kinds])
            n = self._rng.choice(self._of[kind])
            mine = self.templates[n]
            others = [m for m in self._near[n].tolist() if self._normal[m] != self._normal[n]]
            hard = [m for m in others if self.templates[m] != mine][:HARD]
            same = self._known([m for m in others if self.templates[m] == mine], kind)
            far = self._known([m for m in self._alike[mine] if self._normal[m] != self._normal[n]], kind)
            if hard and far:
                close = bool(same) and self._rng.random() < CLOSE
                return n, self._rng.choice(same if close else far), self._rng.choice(hard)

    def _known(self, places: list[int], kind: str) -> list[int]:
        """Those of what was taught; where there is none and a story asks, the stories."""
        return [m for m in places if m < self._taught] or (places if kind == STORY else [])


def loss(vectors: torch.Tensor, first: Sequence[str], others: Sequence[str]) -> torch.Tensor:
    """InfoNCE of phrases to the others and, with less weight, back; what has the same template is no negative."""
    asked, held = vectors[: len(first)], vectors[len(first) :]
    places = {name: n for n, name in enumerate({*first, *others})}
    one, other = (torch.tensor([places[name] for name in names], device=vectors.device) for names in (first, others))
    alike = one[:, None] == other
    alike &= ~torch.eye(len(first), len(others), dtype=torch.bool, device=vectors.device)
    scores = (asked @ held.T / HEAT).masked_fill(alike, -1e9)
    own = torch.arange(len(first), device=vectors.device)
    return cross_entropy(scores, own) + BACK * cross_entropy(scores[:, : len(first)].T, own)


def begun(start: Path, vocabulary: Sequence[str]) -> dict[str, torch.Tensor]:
    """The weights in a file that ships, by name; what the solver can write now and could not then is new.

    Raises OSError or SafetensorError where it cannot be read.
    """
    from safetensors import safe_open

    with safe_open(start, framework="np") as file:
        before = json.loads((file.metadata() or {}).get(VOCABULARY, "[]"))
        had = ranker.plain({name: file.get_tensor(name) for name in file.keys() if name != "vectors"})  # noqa: SIM118
    words, places = had.pop("solver.words"), {word: n for n, word in enumerate(before)}
    new = Solver.fresh(vocabulary)["words"]
    had["solver.words"] = torch.stack([words[places[w]] if w in places else new[n] for n, w in enumerate(vocabulary)])
    return had


class Trainee:
    """The weights that are trained, and what they are trained by."""

    def __init__(self, taught: Sequence[Taught], plan: Recipe) -> None:
        base, vocabulary = Embedder.load(), written(taught)
        had = begun(plan.start, vocabulary) if plan.start else {}
        fresh = {k: had.get(f"solver.{k}", v) for k, v in Solver.fresh(vocabulary).items()}
        solver = {k: v.to(device()).requires_grad_() for k, v in fresh.items()}
        self.solver = Solver(vocabulary, solver)
        layers = {
            n: {k: had.get(f"layer.{n}.{k}", v).clone().to(device()).requires_grad_() for k, v in base.layer(n).items()}
            for n in LAYERS
        }
        self.tuned = base.to(device()).tuned(layers)
        turned = had.get("head", torch.linalg.qr(torch.randn(WIDTH, NUMBERS))[0].T.contiguous())
        self.head = torch.nn.Parameter(turned.to(device()))
        own = {"head": self.head, **{f"layer.{n}.{k}": v for n, layer in layers.items() for k, v in layer.items()}}
        groups = [{"params": list(own.values()), "lr": plan.rate}]
        groups.append({"params": list(solver.values()), "lr": SOLVER_RATE})
        self.optimiser = torch.optim.AdamW(groups, weight_decay=0.01)
        self._rates = [plan.rate, SOLVER_RATE]
        self.weights: dict[str, torch.Tensor] = own | {f"solver.{name}": value for name, value in solver.items()}

    def step(self, cost: torch.Tensor, share: float) -> None:
        """One step at this share of the full rates."""
        for group, rate in zip(self.optimiser.param_groups, self._rates, strict=True):
            group["lr"] = rate * share
        self.optimiser.zero_grad()
        cost.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.weights.values(), 1.0)
        self.optimiser.step()

    def plain(self) -> dict[str, torch.Tensor]:
        """The weights by name."""
        return {name: value.detach().cpu() for name, value in self.weights.items()}

    def save(self, path: Path, step: int, spent: float, rng: random.Random) -> None:
        """Write everything needed to go on, whole or not at all."""
        state = {"step": step, "spent": spent, "rng": rng.getstate(), "optimiser": self.optimiser.state_dict()}
        state["vocabulary"] = [*self.solver.vocabulary]
        torch.save({**state, "weights": self.plain()}, path.with_suffix(".new"))
        path.with_suffix(".new").replace(path)

    def resume(self, path: Path, rng: random.Random) -> tuple[int, float]:
        """Take up a checkpoint if there is one; return its step and the seconds already spent.

        Raises ModelError where it was made with other phrases: its solver's words are not these.
        """
        if not path.exists():
            return 0, 0.0
        state = torch.load(path, map_location="cpu", weights_only=True)
        if state.get("vocabulary", vocabulary := [*self.solver.vocabulary]) != vocabulary:
            raise ModelError(f"{path} was trained on other phrases; take another folder, or remove it")
        rng.setstate(state["rng"])
        self.optimiser.load_state_dict(state["optimiser"])
        with torch.no_grad():
            for name, value in state["weights"].items():
                self.weights[name].copy_(value)
        return state["step"], state["spent"]


def train(
    taught: Sequence[Taught], out: Path, seed: int, plan: Recipe | None = None, stories: Sequence[Taught] = ()
) -> dict[str, torch.Tensor]:
    """The trained weights, by name; goes on from ``out/rank.pt`` where it was stopped."""
    plan = plan or recipe()
    torch.manual_seed(seed)
    rng, saved, made = random.Random(seed), out / "rank.pt", Trainee(taught, plan)
    kept, held = apart(taught, plan.left_out, template, seed)
    lessons, measure = Lessons([*kept], stories, made, rng, out), Measure(kept, held, template)
    step, spent = made.resume(saved, rng)
    began = time.monotonic() - spent
    whole = min(plan.minutes * 60, spent + plan.until - time.time())
    while step < plan.steps and spent < whole:
        cost, solving = lessons.cost(plan.batch)
        done = max(step / plan.steps, spent / whole)
        made.step(cost, min(1, (step + 1) / WARM) * (0.5 + 0.5 * math.cos(math.pi * done)))
        step, spent = step + 1, time.monotonic() - began
        last = step == plan.steps or spent >= whole
        if step % plan.saved == 0 or last:
            said = f"loss {cost.item():.2f}, solving {solving.item():.2f}"
            print(f"  rank: {spent / 60:.1f} min, step {step} of {plan.steps}, {said}", flush=True)
            made.save(saved, step, spent, rng)
        if held and (step % plan.measured == 0 or last):
            print(f"  left out: {measure.told(made.tuned, made.head, made.solver)}", flush=True)
    return made.plain()


class Lessons:
    """Draws what is trained on, and says what a step costs.

    Most word problems have an expression that no other has, so that they are in no triple: the solver alone learns from
    all of them, in turn.
    """

    def __init__(
        self,
        taught: Sequence[Taught],
        stories: Sequence[Taught],
        made: Trainee,
        rng: random.Random,
        kept: Path | None = None,
    ) -> None:
        self._made, self._rng, self._drawn = made, rng, Drawn(taught, stories, rng, kept)
        every = [*taught, *stories]
        self._patterns = [spelled(t.pattern) for t in every]
        self._pieces = made.tuned.wordpieces(self._patterns)
        self._targets = [self._target(t) for t in every]
        self._solved = [n for n in range(len(taught), len(every)) if self._targets[n]]
        self._left: list[int] = []

    def _target(self, one: Taught) -> list[int]:
        """What the solver says of one; nothing where it has nothing to say."""
        asked = one.kind == "calculator" and not OTHERS.search(one.pattern)
        return self._made.solver.numbers(ordered(prefix(one.answer))) if asked else []

    def _stories(self, many: int) -> list[int]:
        """So many word problems, each before any comes again."""
        while self._solved and len(self._left) < many:
            self._left = [*self._rng.sample(self._solved, len(self._solved)), *self._left]
        return [self._left.pop() for _ in range(many if self._solved else 0)]

    def cost(self, batch: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The loss over so many triples, and the solver's part of it."""
        first, second, third = zip(*(self._drawn.triple() for _ in range(batch)), strict=True)
        places = [*first, *second, *third, *self._stories(round(batch * STORIES))]
        rows = [self._pieces[n] for n in places]
        for k, n in enumerate(places):
            if not batch <= k < 3 * batch and self._rng.random() < SLIPS:
                rows[k] = self._made.tuned.wordpieces([slip(self._patterns[n], self._rng)])[0]
        names = [self._drawn.templates[n] for n in places[: 3 * batch]]
        with torch.autocast(device().type, torch.bfloat16, enabled=halves()):
            targets = [self._targets[n] for n in places]
            made, solving = encoded(self._made.tuned, rows, self._made.solver, targets, batch * 3 // 4)
            vectors = normalize((made[: 3 * batch] @ self._made.head.T).float(), dim=1)
        return loss(vectors, names[:batch], names[batch:]) + SOLVING * solving, solving


def encoded(
    tuned: Embedder, rows: Sequence[Sequence[int]], solver: Solver, targets: Sequence[Sequence[int]], together: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """The vectors of texts in wordpieces, and the solver's loss on those that have an expression.

    Short ones and long ones go apart, so many ``together``, so that little is padded.
    """
    order = sorted(range(len(rows)), key=lambda n: len(rows[n]))
    vectors, losses, words = [], [], 0
    for part in (order[i : i + together] for i in range(0, len(order), together)):
        states, real = tuned.states([rows[n] for n in part])
        vectors.append(pooled(states, real))
        solved = [k for k, n in enumerate(part) if targets[n]]
        if solved:
            asked = [targets[part[k]] for k in solved]
            losses.append(_solving(solver, states[solved], real[solved], asked))
            words += sum(map(len, asked))
    every = torch.cat(vectors)
    whole = torch.stack(losses).sum() / words if losses else torch.zeros((), device=every.device)
    return every[torch.tensor(order, device=every.device).argsort()], whole


def _solving(
    solver: Solver, states: torch.Tensor, real: torch.Tensor, targets: Sequence[Sequence[int]]
) -> torch.Tensor:
    """The solver's loss, summed over the words of all expressions."""
    longest = max(map(len, targets))
    said, after = torch.zeros(len(targets), longest, dtype=torch.long), torch.full((len(targets), longest), -100)
    for n, row in enumerate(targets):
        said[n, 1 : len(row)] = torch.tensor(row[:-1], dtype=torch.long)
        after[n, : len(row)] = torch.tensor(row)
    said, after = said.to(states.device), after.to(states.device)
    logits = solver.logits(said, states, real, dropped=DROPPED).float()
    return cross_entropy(logits.flatten(0, 1), after.flatten(), label_smoothing=0.05, reduction="sum")


def written(taught: Sequence[Taught]) -> list[str]:
    """What the solver can write: operators and functions, the first names, and numbers that are not rare."""
    counts = Counter(word for t in taught if t.kind == "calculator" for word in set(ordered(prefix(t.answer))))
    fixed = ["<begin>", *TAKES, "pi", *(f"@{n}" for n in range(1, 9))]
    return fixed + sorted(w for w, count in counts.items() if count >= RARE and w not in fixed and w[0] != "@")


def write(weights: Mapping[str, torch.Tensor], taught: Sequence[Taught], path: Path) -> None:
    """The file that ships: matrices with a byte a weight and a scale a row, and the vectors of what was taught."""
    from safetensors.numpy import save_file

    state: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]] = {}
    for name, value in weights.items():
        if name == "head" or value.dim() < 2:
            state[name] = value.half().numpy()
            continue
        scale = value.abs().amax(1, keepdim=True).clamp_min(1e-8) / 127
        state[name] = (value / scale).round().to(torch.int8).numpy()
        state[f"{name}.scale"] = scale.half().numpy()
    read = ranker.plain(state)
    vectors = ranker.encoder(ranker.tuned(read).to(device()), read)([t.pattern for t in taught])
    state["vectors"] = np.rint(vectors * WHOLE).astype(np.int8)
    told = {"taught": digest(taught), VOCABULARY: json.dumps(written(taught))}
    save_file(state, path.with_suffix(".part"), metadata=told)
    path.with_suffix(".part").replace(path)
