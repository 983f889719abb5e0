"""Picks tokens from logits: greedy or at random, under masks, penalties, biases and cut-offs. One sampler per branch.

Branches that sample alike are done in one go. The random numbers of each depend on its seed alone, so a branch's reply
does not depend on what else is running.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from llmos.kernel.bits import barred
from llmos.kernel.engine import MaskBits, Sampling, Step

# Of so many likeliest tokens are those within top_p sought first: to sort all takes long.
HEAD = 128
# Probabilities are summed in blocks of so many tokens, and one by one only in the block that is drawn.
BLOCK = 128


class Sampler:
    """``prompt`` are the ids that came before; they count for the repetition penalty, not for the presence penalty."""

    def __init__(self, sampling: Sampling, prompt: Sequence[int]) -> None:
        self.sampling = sampling
        self.manner = replace(sampling, seed=0, max_tokens=0, stop=(), choices=(), schema="", marks=None, calls=True)
        self.seen = _Ids(prompt if sampling.repetition_penalty != 1.0 else ())
        self.written = _Ids(())
        self._random = random.Random(sampling.seed)

    def pick(self, logits: Tensor, mask: MaskBits | None = None) -> Step:
        """Choose from fp32 ``logits`` of shape (vocabulary,), which are left as they are."""
        return pick([self], logits[None], [mask])[0]

    def note(self, token: int) -> int:
        """Count ``token`` as written, for the penalties; returns it."""
        if self.sampling.repetition_penalty != 1.0:
            self.seen.add(token)
        if self.sampling.presence_penalty != 0.0:
            self.written.add(token)
        return token

    def draw(self) -> float:
        """A random number of at least 0, and so far below 1 that in fp32 it stays below."""
        return min(self._random.random(), 1 - 1e-6)


class _Ids:
    """Different ids, which grow."""

    def __init__(self, ids: Iterable[int]) -> None:
        self._known = set(ids)
        self._array = np.fromiter(self._known, np.int64)

    def add(self, token: int) -> None:
        """One more, if it is not there."""
        if token not in self._known:
            self._known.add(token)
            self._array = np.append(self._array, token)

    @property
    def array(self) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
        """All of them."""
        return self._array


def pick(samplers: Sequence[Sampler], logits: Tensor, masks: Sequence[MaskBits | None]) -> list[Step]:
    """A step of each sampler from its row of fp32 ``logits`` of shape (samplers, vocabulary), left as they are."""
    steps: list[Step | None] = [None] * len(samplers)
    manners: dict[Sampling, list[int]] = {}
    for n, sampler in enumerate(samplers):
        manners.setdefault(sampler.manner, []).append(n)
    for manner, rows in manners.items():
        some = logits if len(rows) == len(samplers) else logits[rows]
        for n, step in zip(
            rows, _pick(manner, [samplers[n] for n in rows], some, [masks[n] for n in rows]), strict=True
        ):
            steps[n] = step
    return cast(list[Step], steps)


def masked(scores: Tensor, masks: Sequence[MaskBits | None]) -> Tensor:
    """``scores`` of shape (masks, vocabulary), minus infinity where a token may not come."""
    return scores + torch.from_numpy(barred(masks, scores.shape[1])).to(scores.device)


def _pick(s: Sampling, samplers: Sequence[Sampler], logits: Tensor, masks: Sequence[MaskBits | None]) -> list[Step]:
    """As :func:`pick`, for samplers of one manner."""
    scores = _adjusted(s, samplers, logits)
    if any(mask is not None for mask in masks):
        scores = masked(scores, masks)
    if s.temperature <= 0:
        tokens = scores.argmax(1, keepdim=True)
    else:
        p = _probabilities(s, scores)
        chances = torch.tensor([sampler.draw() for sampler in samplers], device=scores.device)
        tokens = _drawn(_cut(s, p), chances[:, None])
    if s.temperature == 1.0 and scores is logits and not s.top_k:
        logprobs = p.gather(1, tokens).log()
    else:
        logprobs = logits.log_softmax(1).gather(1, tokens)
    pairs = zip(samplers, tokens[:, 0].tolist(), logprobs[:, 0].tolist(), strict=True)
    return [Step(sampler.note(token), logprob) for sampler, token, logprob in pairs]


def _adjusted(s: Sampling, samplers: Sequence[Sampler], logits: Tensor) -> Tensor:
    """With penalties and biases."""
    if s.repetition_penalty == 1.0 and s.presence_penalty == 0.0 and not s.bias:
        return logits
    scores = logits.clone()
    if s.repetition_penalty != 1.0:
        where = _places([sampler.seen for sampler in samplers], scores.device)
        old = scores[where]
        scores[where] = torch.where(old > 0, old / s.repetition_penalty, old * s.repetition_penalty)
    if s.presence_penalty != 0.0:
        scores[_places([sampler.written for sampler in samplers], scores.device)] -= s.presence_penalty
    if s.bias:
        ids, nats = zip(*dict(s.bias).items(), strict=True)
        scores[:, list(ids)] += torch.tensor(nats, device=scores.device)
    return scores


def _places(ids: Sequence[_Ids], device: torch.device) -> tuple[Tensor, Tensor]:
    """Rows and columns of what each row has."""
    rows = np.repeat(np.arange(len(ids)), [len(one.array) for one in ids])
    columns = np.concatenate([one.array for one in ids])
    return torch.from_numpy(rows).to(device), torch.from_numpy(columns).to(device)


def _probabilities(s: Sampling, scores: Tensor) -> Tensor:
    """(rows, vocabulary), of the likeliest ``top_k``."""
    if s.temperature != 1.0:
        scores = scores / s.temperature
    if 0 < s.top_k < scores.shape[1]:
        least = scores.topk(s.top_k).values[:, -1:]
        scores = scores.masked_fill(scores < least, -torch.inf)
    return scores.softmax(1)


def _cut(s: Sampling, p: Tensor) -> Tensor:
    """Without the unlikely; what is left need not sum to 1."""
    if s.min_p > 0:
        p = p * (p >= s.min_p * p.amax(1, keepdim=True))
    if s.top_p < 1:
        p = _within(p, s.top_p)
    return p


def _within(p: Tensor, top_p: float) -> Tensor:
    """The likeliest tokens that hold ``top_p`` of each row together; at least one."""
    total = p.sum(1, keepdim=True)
    ordered, index = p.topk(min(HEAD, p.shape[1]))
    if bool((ordered.sum(1, keepdim=True) < top_p * total).any()):
        ordered, index = p.sort(descending=True)
    # A token stays while those before it hold less than top_p; the first always stays.
    stays = ordered.cumsum(1) - ordered < top_p * total
    stays[:, 0] = True
    return torch.zeros_like(p).scatter(1, index, ordered * stays)


def _drawn(p: Tensor, chances: Tensor) -> Tensor:
    """Of each row the first token at which the sum goes past its chance, (rows, 1), of the whole.

    One without probability never is.
    """
    rows, width = p.shape
    blocks = (F.pad(p, (0, -width % BLOCK)) if width % BLOCK else p).view(rows, -1, BLOCK)
    sums = blocks.sum(2).cumsum(1)
    if not bool((sums[:, -1] > 0).all()):
        raise ValueError("no token may come next")
    wanted = chances * sums[:, -1:]
    block = torch.searchsorted(sums, wanted, right=True)
    inner = blocks[torch.arange(rows, device=p.device), block[:, 0]].cumsum(1)
    before = F.pad(sums, (1, 0)).gather(1, block)
    # Rounding must not carry it past the block's end.
    rest = torch.minimum(wanted - before, inner[:, -1:] * (1 - 1e-6))
    return block * BLOCK + torch.searchsorted(inner, rest, right=True)
