"""Picks a token from logits: greedy or at random, under a mask, penalties and cut-offs. One sampler per branch.

Its random numbers depend on its seed alone, so a branch's reply does not depend on what else is running.
"""

from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from torch import Tensor

from llmos.kernel.engine import MaskBits, Sampling, Step


class Sampler:
    """``prompt`` are the ids that came before; they count for the repetition penalty, not for the presence penalty."""

    def __init__(self, sampling: Sampling, prompt: Sequence[int]) -> None:
        self.sampling = sampling
        self._seen = set(prompt) if sampling.repetition_penalty != 1.0 else set()
        self._written: set[int] = set()
        self._random = torch.Generator().manual_seed(sampling.seed)

    def pick(self, logits: Tensor, mask: MaskBits | None = None) -> Step:
        """Choose from fp32 ``logits`` of shape (vocabulary,), which are left as they are."""
        scores = self._penalised(logits)
        if mask is not None:
            scores = scores.masked_fill(blocked(mask, len(scores)), -torch.inf)
        if self.sampling.temperature <= 0:
            token = int(scores.argmax())
        else:
            token = int(torch.multinomial(self._probabilities(scores), 1, generator=self._random))
        return Step(self.note(token), float(logits[token] - logits.logsumexp(0)))

    def note(self, token: int) -> int:
        """Count ``token`` as written, for the penalties; returns it."""
        self._seen.add(token)
        self._written.add(token)
        return token

    def _penalised(self, logits: Tensor) -> Tensor:
        s = self.sampling
        if s.repetition_penalty == 1.0 and s.presence_penalty == 0.0:
            return logits
        scores = logits.clone()
        if s.repetition_penalty != 1.0:
            seen = torch.tensor(sorted(self._seen))
            old = scores[seen]
            scores[seen] = torch.where(old > 0, old / s.repetition_penalty, old * s.repetition_penalty)
        if s.presence_penalty != 0.0 and self._written:
            scores[torch.tensor(sorted(self._written))] -= s.presence_penalty
        return scores

    def _probabilities(self, scores: Tensor) -> Tensor:
        s = self.sampling
        scores = scores / s.temperature
        if 0 < s.top_k < len(scores):
            least = scores.topk(s.top_k).values[-1]
            scores = scores.masked_fill(scores < least, -torch.inf)
        p = scores.softmax(0)
        if s.min_p > 0:
            p = p.masked_fill(p < s.min_p * p.max(), 0.0)
        if s.top_p < 1:
            ordered, index = p.sort(descending=True)
            # A token stays while those before it hold less than top_p; the first always stays.
            drop = ordered.cumsum(0) - ordered >= s.top_p * ordered.sum()
            drop[0] = False
            p = p.index_fill(0, index[drop], 0.0)
        return p


def blocked(mask: MaskBits, vocabulary: int) -> Tensor:
    """Packed bits to a bool tensor of shape (vocabulary,), true where a token is not allowed (nor past the bits)."""
    words = np.asarray(cast("np.ndarray[tuple[int], np.dtype[np.int32]]", mask), dtype=np.int32)
    bits = np.unpackbits(words.view(np.uint8), bitorder="little")[:vocabulary]
    out = np.ones(vocabulary, dtype=np.bool_)
    np.equal(bits, 0, out=out[: len(bits)])
    return torch.from_numpy(out)
