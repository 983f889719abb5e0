"""Picks tokens from logits: greedy or at random, under masks, penalties, biases and cut-offs. One sampler per branch.

Branches that sample alike are done in one go. The random numbers of each depend on its seed alone, so a branch's reply
does not depend on what else is running.
"""

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np
import torch
from torch import Tensor

from llmos.kernel.engine import MaskBits, Sampling, Step

# Of so many likeliest tokens are those within top_p sought first: to sort all takes long.
HEAD = 128


class Sampler:
    """``prompt`` are the ids that came before; they count for the repetition penalty, not for the presence penalty."""

    def __init__(self, sampling: Sampling, prompt: Sequence[int]) -> None:
        self.sampling = sampling
        self.manner = replace(sampling, seed=0, max_tokens=0, stop=(), choices=(), schema="", marks=None, calls=True)
        self._seen = set(prompt) if sampling.repetition_penalty != 1.0 else set()
        self._written: set[int] = set()
        self._random = random.Random(sampling.seed)
        bias = dict(sampling.bias)
        self._biased = torch.tensor(list(bias)), torch.tensor(list(bias.values()))

    def pick(self, logits: Tensor, mask: MaskBits | None = None) -> Step:
        """Choose from fp32 ``logits`` of shape (vocabulary,), which are left as they are."""
        return pick([self], logits[None], [mask])[0]

    def note(self, token: int) -> int:
        """Count ``token`` as written, for the penalties; returns it."""
        self._seen.add(token)
        self._written.add(token)
        return token

    def draw(self) -> float:
        """A random number of at least 0, and so far below 1 that in fp32 it stays below."""
        return min(self._random.random(), 1 - 1e-6)

    def adjust(self, scores: Tensor) -> None:
        """Apply penalties and biases to ``scores`` of shape (vocabulary,), in place."""
        s = self.sampling
        if s.repetition_penalty != 1.0 and self._seen:
            seen = torch.tensor(sorted(self._seen), device=scores.device)
            old = scores[seen]
            scores[seen] = torch.where(old > 0, old / s.repetition_penalty, old * s.repetition_penalty)
        if s.presence_penalty != 0.0 and self._written:
            scores[torch.tensor(sorted(self._written), device=scores.device)] -= s.presence_penalty
        if s.bias:
            ids, nats = (one.to(scores.device) for one in self._biased)
            scores[ids] += nats


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


def _pick(s: Sampling, samplers: Sequence[Sampler], logits: Tensor, masks: Sequence[MaskBits | None]) -> list[Step]:
    """As :func:`pick`, for samplers of one manner."""
    scores = logits
    if s.repetition_penalty != 1.0 or s.presence_penalty != 0.0 or s.bias:
        scores = logits.clone()
        for row, sampler in zip(scores, samplers, strict=True):
            sampler.adjust(row)
    if any(mask is not None for mask in masks):
        width = logits.shape[1]
        free = torch.zeros(width, dtype=torch.bool)
        barred = torch.stack([free if mask is None else blocked(mask, width) for mask in masks])
        scores = scores.masked_fill(barred.to(scores.device), -torch.inf)
    if s.temperature <= 0:
        tokens = scores.argmax(1)
    else:
        cumulated = _probabilities(s, scores).cumsum(1)
        if not bool((cumulated[:, -1] > 0).all()):
            raise ValueError("no token may come next")
        drawn = torch.tensor([sampler.draw() for sampler in samplers]).to(scores.device)[:, None] * cumulated[:, -1:]
        # The first token at which the sum goes past what was drawn: one without probability never is.
        tokens = torch.searchsorted(cumulated, drawn, right=True)[:, 0]
    logprobs = logits.gather(1, tokens[:, None])[:, 0] - logits.logsumexp(1)
    pairs = zip(samplers, tokens.tolist(), logprobs.tolist(), strict=True)
    return [Step(sampler.note(token), logprob) for sampler, token, logprob in pairs]


def _probabilities(s: Sampling, scores: Tensor) -> Tensor:
    """(rows, vocabulary), after the cut-offs; they need not sum to 1."""
    scores = scores / s.temperature
    if 0 < s.top_k < scores.shape[1]:
        least = scores.topk(s.top_k).values[:, -1:]
        scores = scores.masked_fill(scores < least, -torch.inf)
    p = scores.softmax(1)
    if s.min_p > 0:
        p = p.masked_fill(p < s.min_p * p.amax(1, keepdim=True), 0.0)
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


def blocked(mask: MaskBits, vocabulary: int) -> Tensor:
    """Packed bits to a bool tensor of shape (vocabulary,), true where a token is not allowed (nor past the bits)."""
    words = np.asarray(cast("np.ndarray[tuple[int], np.dtype[np.int32]]", mask), dtype=np.int32)
    bits = np.unpackbits(words.view(np.uint8), bitorder="little")[:vocabulary]
    out = np.ones(vocabulary, dtype=np.bool_)
    np.equal(bits, 0, out=out[: len(bits)])
    return torch.from_numpy(out)
