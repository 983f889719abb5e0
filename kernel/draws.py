"""Several different replies to each of several prompts, drawn without replacement, all of them side by side.

Drawing again and again from a model that is sure of itself gives the same reply again and again; here none comes twice,
and the likelier ones come first. Source: Kool, van Hoof & Welling 2019, "Stochastic beams and where to find them". Of
each next token the :data:`LIKELIEST` are looked at. Replies can be held to some beginnings, of which none comes twice
either; what follows one is then the likeliest. Knows nothing of text.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from llmos.kernel.branches import TorchBranch, TorchEngine

LIKELIEST = 32


@dataclass(frozen=True, slots=True)
class Drawn:
    """A reply's ids with its stop id, and the sum of their log-probabilities (nats)."""

    ids: tuple[int, ...]
    logprob: float


@dataclass(frozen=True, slots=True, eq=False)
class _Line:
    """A reply as it is written. ``luck`` is its log-probability with the noise that decides what is drawn."""

    branch: TorchBranch | None  # None once it is whole
    ids: tuple[int, ...] = ()
    logprob: float = 0.0
    luck: float = 0.0


class Heads:
    """The beginnings that replies to a prompt may have, none of which begins another."""

    def __init__(self, heads: Iterable[Sequence[int]]) -> None:
        self._next: dict[tuple[int, ...], list[int]] = {}
        for ids in map(tuple, heads):
            for n, token in enumerate(ids):
                known = self._next.setdefault(ids[:n], [])
                if token not in known:
                    known.append(token)

    def after(self, ids: tuple[int, ...]) -> list[int]:
        """What may follow; nothing where the beginning is whole."""
        return self._next.get(ids, [])


def draw(
    engine: TorchEngine,
    prompts: Sequence[Sequence[int]],
    n: Sequence[int],
    most: int,
    stop: Sequence[int],
    seeds: Sequence[int | None],
    temperature: float = 1.0,
    more: Callable[[int], bool] = lambda tokens: True,
    apart: bool = False,
    heads: Sequence[Heads | None] = (),
) -> list[list[Drawn]]:
    """At most so many (``n``) whole replies of at most ``most`` tokens to each prompt, the likelier as a rule first.

    A seed of None gives what a beam of that width finds. ``more`` is told of each pass how many ids it read, and says
    whether to go on; where it does not, what is whole by then is given. ``apart``: a line at a time, each from its
    first token on, as if nothing could be shared. ``heads``: for each prompt the beginnings that its replies are held
    to. Raises BudgetError past the window.
    """
    lines: list[list[_Line]] = []
    noises = [None if seed is None else torch.Generator().manual_seed(seed) for seed in seeds]
    read = 0
    try:
        for ids in prompts:
            root = engine.open(ids)
            lines.append([_Line(root)])
            if not apart:
                # The prompt itself stays for others that begin alike; what is written behind it does not.
                (own,) = root.fork(1)
                root.close()
                assert isinstance(own, TorchBranch)
                lines[-1] = [_Line(own)]
            read += len(ids)
        for _ in range(most):
            live = [one.branch for row in lines for one in row if one.branch is not None]
            if not more(read) or not live:
                break
            read = len(live)
            logits = torch.cat([engine.logits([one]) for one in live]) if apart else engine.logits(live)
            after = torch.split(logits / temperature, [sum(one.branch is not None for one in row) for row in lines])
            lines = [
                _grown(row, told, width, stop, noise, engine if apart else None, held)
                for row, told, width, noise, held in zip(lines, after, n, noises, heads or [None] * len(n), strict=True)
            ]
    finally:
        for branch in (one.branch for row in lines for one in row):
            if branch is not None:
                branch.close(keep=False)
    return [[Drawn(one.ids, one.logprob) for one in row if one.branch is None] for row in lines]


def _grown(
    row: Sequence[_Line],
    logits: Tensor,
    n: int,
    stop: Sequence[int],
    noise: torch.Generator | None,
    apart: TorchEngine | None,
    heads: Heads | None,
) -> list[_Line]:
    """The ``n`` luckiest of what is whole and of what the others go on to."""
    live = [one for one in row if one.branch is not None]
    if not live:
        return list(row)
    chances, tokens = _ways(live, logits, heads)
    sums = chances + torch.tensor([[one.logprob] for one in live])
    lucks = sums if noise is None else _lucky(sums, torch.tensor([[one.luck] for one in live]), noise)
    width = tokens.shape[1]
    best = lucks.flatten().topk(min(n, lucks.numel()))
    # Luck, the place among the live (-1 for what is whole, then its place in the row), id, log-probability.
    found = [(one.luck, -1, place, one.logprob) for place, one in enumerate(row) if one.branch is None]
    chosen = (best.values, best.indices, tokens.flatten()[best.indices], sums.flatten()[best.indices])
    for luck, at, token, total in zip(*(one.tolist() for one in chosen), strict=True):
        if luck > -math.inf:
            found.append((luck, at // width, token, total))
    kept = sorted(found, key=lambda f: -f[0])[:n]
    made = [row[place] for _, parent, place, _ in kept if parent < 0]
    for number, parent in enumerate(live):
        ways = [_Line(None, (*parent.ids, token), total, luck) for luck, p, token, total in kept if p == number]
        made += _branched(parent, ways, stop, apart)
    return sorted(made, key=lambda one: -one.luck)


def _ways(live: Sequence[_Line], logits: Tensor, heads: Heads | None) -> tuple[Tensor, Tensor]:
    """What may follow each line: log-probabilities, -inf where there is no way more, and ids, both (lines, ways)."""
    if heads is None:
        values, tokens = logits.topk(min(LIKELIEST, logits.shape[1]))
        return values.log_softmax(1), tokens
    likeliest = logits.argmax(1).tolist()
    ways = [heads.after(one.ids) or [best] for one, best in zip(live, likeliest, strict=True)]
    width = max(map(len, ways))
    tokens = torch.tensor([[*some, *[-1] * (width - len(some))] for some in ways])
    chances = logits.gather(1, tokens.clamp(min=0)) - logits.logsumexp(1, keepdim=True)
    return chances.masked_fill(tokens < 0, -math.inf), tokens


def _branched(parent: _Line, ways: Sequence[_Line], stop: Sequence[int], apart: TorchEngine | None) -> list[_Line]:
    """The ways a line goes on, those that have not ended each with a branch; the last of them has the line's own."""
    assert parent.branch is not None
    going = [one for one in ways if one.ids[-1] not in stop]
    others = max(0, len(going) - 1)
    if apart is not None:
        branches = [*(apart.open(parent.branch.ids) for _ in range(others)), parent.branch]
    else:
        branches = [*(parent.branch.fork(others) if others else ()), parent.branch]
    if not going:
        parent.branch.close(keep=False)
    for one, branch in zip(going, branches, strict=False):
        branch.extend([one.ids[-1]])
    own = dict(zip(map(id, going), branches, strict=False))
    return [replace(one, branch=own.get(id(one))) for one in ways]


def _lucky(sums: Tensor, luck: Tensor, noise: torch.Generator) -> Tensor:
    """Gumbel variables around ``sums`` of which the greatest of each row is that row's ``luck``."""
    even = torch.rand(sums.shape, generator=noise).clamp_(1e-20, 1 - 1e-7)
    gumbel = sums - (-even.log()).log()
    greatest = gumbel.amax(1, keepdim=True)
    gap = luck - gumbel + torch.log1p(-(gumbel - greatest).exp().clamp(max=1.0))
    # What log(exp(-luck) - exp(-greatest) + exp(-gumbel)) is without overflow; the greatest itself has a gap of -inf.
    return luck - gap.clamp(min=0) - torch.log1p((-gap.abs()).exp())
