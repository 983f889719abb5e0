"""Attention of many branches at once, over what each has of its own and over what they share.

Keys that several branches have in common are read once for all of them; the parts are put together by the logarithms
of their sums, which gives what attention over all the keys would have given. Source: Hydragen, arXiv:2402.05099.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from llmos.kernel.rows import Rows


@dataclass(frozen=True, slots=True)
class Piece:
    """Ids that continue a branch: what is in ``row`` follows what is in ``path``.

    Each of ``path`` holds the keys and values of a run of tokens, (layers, 2, kv heads, tokens, head_dim), and may be
    others' as well. ``every`` asks for the logits after each id instead of after the last.
    """

    row: int
    ids: Sequence[int]
    path: tuple[Tensor, ...] = ()
    every: bool = False


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Attention of (…, queries, head_dim) over (…, keys, head_dim), and the logarithm of its sums, (…, queries).

    ``mask`` is added to the scores.
    """
    scores = torch.matmul(q * q.shape[-1] ** -0.5, k.transpose(-1, -2)).float()
    if mask is not None:
        scores = scores + mask
    weights = scores.softmax(-1)
    # The largest weight is exp(largest score) over the sum: cheaper than to sum again.
    return torch.matmul(weights.to(v.dtype), v), scores.amax(-1) - weights.amax(-1).log()


def merge(one: tuple[Tensor, Tensor], two: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """What attention over the keys of both would have given."""
    total = torch.logaddexp(one[1], two[1])
    shares = [(part[1] - total).exp()[..., None] for part in (one, two)]
    return one[0] * shares[0] + two[0] * shares[1], total


class Plan:
    """How the tokens of one pass attend: made once, followed in every layer.

    Tokens are numbered through all pieces. Branches with one new token each go together; the others one by one.
    """

    def __init__(self, pieces: Sequence[Piece], rows: Rows, device: torch.device) -> None:
        self.pieces, self.rows, self.device = pieces, rows, device
        self.past = [rows.lengths[p.row] for p in pieces]
        starts = [sum(run.shape[3] for run in p.path) + past for p, past in zip(pieces, self.past, strict=True)]
        ends = [start + len(p.ids) for p, start in zip(pieces, starts, strict=True)]
        rows.reserve(max(past + len(p.ids) for p, past in zip(pieces, self.past, strict=True)))
        self.ids = torch.tensor([i for p in pieces for i in p.ids], device=device)
        spans = [range(start, end) for start, end in zip(starts, ends, strict=True)]
        self.positions = torch.tensor([n for span in spans for n in span], device=device)
        self.firsts = [0]
        for p in pieces:
            self.firsts.append(self.firsts[-1] + len(p.ids))
        wanted = [
            range(self.firsts[n] if p.every else self.firsts[n + 1] - 1, self.firsts[n + 1])
            for n, p in enumerate(pieces)
        ]
        self.counts = [len(w) for w in wanted]
        self.wanted = torch.tensor([i for w in wanted for i in w], device=device)
        together = self._together()
        self.batch = (
            _Batch([pieces[n] for n in together], [self.firsts[n] for n in together], self) if together else None
        )
        self.apart = [n for n in range(len(pieces)) if n not in set(together)]
        self._masks = {n: self._mask(n) for n in self.apart}

    def _together(self) -> list[int]:
        """The pieces of one token that are attended as one: those whose rows lie close and are of like length."""
        ones = sorted((n for n, p in enumerate(self.pieces) if len(p.ids) == 1), key=lambda n: self.pieces[n].row)
        if len(ones) < 2:
            return []
        middle = sorted(self.past[n] for n in ones)[len(ones) // 2]
        close = [n for n in ones if self.past[n] <= 2 * middle + 128]
        span = self.pieces[close[-1]].row - self.pieces[close[0]].row + 1
        return close if len(close) > 1 and span <= 2 * len(close) + 2 else []

    def _mask(self, n: int) -> Tensor | None:
        """True where a token of piece ``n`` may look, (tokens, keys of its row); None where all, or causal from 0."""
        tokens, past = len(self.pieces[n].ids), self.past[n]
        if tokens == 1 or not past:
            return None
        return torch.ones(tokens, past + tokens, dtype=torch.bool, device=self.device).tril(past)

    def attend(self, layer: int, qk: Tensor, v: Tensor) -> Tensor:
        """Store the tokens' keys and values and attend: (tokens, heads * head_dim), in ``qk``'s dtype.

        ``qk`` is (tokens, heads + kv heads, head_dim), ``v`` (tokens, kv heads, head_dim).
        """
        kv, groups = self.rows.layers[layer], v.shape[1]
        q, k = qk[:, :-groups], qk[:, -groups:]
        if self.batch is None and len(self.apart) == 1:
            return self._apart(0, layer, kv, q, k, v)
        out = torch.empty(q.shape[0], q.shape[1] * q.shape[2], dtype=qk.dtype, device=qk.device)
        if self.batch is not None:
            found = self.batch.attend(layer, kv, q, k, v)
            if self.batch.whole:
                return found
            out[self.batch.tokens] = found
        for n in self.apart:
            span = slice(self.firsts[n], self.firsts[n + 1])
            out[span] = self._apart(n, layer, kv, q[span], k[span], v[span])
        return out

    def _apart(self, n: int, layer: int, kv: Tensor, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """One piece alone; its keys and values are what ``k`` and ``v`` end with."""
        piece, start, tokens, groups = self.pieces[n], self.past[n], q.shape[0], k.shape[1]
        end = start + tokens
        kv[0, piece.row, :, start:end] = k.transpose(0, 1)
        kv[1, piece.row, :, start:end] = v.transpose(0, 1)
        keys, values = kv[0, piece.row, None, :, :end], kv[1, piece.row, None, :, :end]
        if piece.path:
            return self._merged(n, layer, keys, values, q)
        if tokens == 1:
            # The heads of a group are as many queries on the same keys.
            one = F.scaled_dot_product_attention(q.reshape(1, groups, -1, q.shape[2]).to(kv.dtype), keys, values)
            return one.reshape(1, -1).to(q.dtype)
        mask = self._masks[n]
        y = F.scaled_dot_product_attention(
            q.transpose(0, 1)[None].to(kv.dtype),
            keys,
            values,
            attn_mask=mask,
            is_causal=mask is None,
            enable_gqa=q.shape[1] != groups,
        )
        return y[0].transpose(0, 1).reshape(tokens, -1).to(q.dtype)

    def _merged(self, n: int, layer: int, keys: Tensor, values: Tensor, q: Tensor) -> Tensor:
        """One piece over its path and its row."""
        tokens, heads, size = q.shape
        groups = keys.shape[1]
        # (kv heads, queries of a group * tokens, head_dim)
        folded = q.transpose(0, 1).reshape(groups, -1, size)
        look = torch.ones(tokens, keys.shape[2], dtype=torch.bool, device=q.device).tril(keys.shape[2] - tokens)
        mask = torch.zeros_like(look, dtype=torch.float32).masked_fill(~look, -torch.inf)
        part = attend(folded.to(keys.dtype), keys[0], values[0], mask.repeat(heads // groups, 1))
        for run in self.pieces[n].path:
            part = merge(part, attend(folded.to(run.dtype), run[layer, 0], run[layer, 1]))
        return part[0].to(q.dtype).view(heads, tokens, size).transpose(0, 1).reshape(tokens, -1)


class _Batch:
    """The branches with one new token each."""

    def __init__(self, pieces: Sequence[Piece], tokens: Sequence[int], plan: Plan) -> None:
        lengths = [plan.rows.lengths[p.row] for p in pieces]
        self._low = low = pieces[0].row
        self._high = high = pieces[-1].row + 1
        self._keys = longest = max(lengths) + 1
        device = plan.device
        self.tokens = torch.tensor(tokens, device=device)
        # Whether it is all tokens of the pass, in their order.
        self.whole = list(tokens) == list(range(len(plan.ids)))
        self._row = torch.tensor([p.row for p in pieces], device=device)
        self._at = torch.tensor(lengths, device=device)
        self._dense = high - low == len(pieces)
        size = [0] * (high - low)
        for p, length in zip(pieces, lengths, strict=True):
            size[p.row - low] = length
        ends = torch.tensor(size, device=device)[:, None]
        beyond = torch.arange(longest, device=device)[None] > ends
        self._mask = torch.zeros(beyond.shape, device=device).masked_fill(beyond, -torch.inf)[:, None, None]
        if min(size) + 1 == longest:
            self._mask = torch.zeros((), device=device)
        self._shared = _shared(pieces, device)

    def attend(self, layer: int, kv: Tensor, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """As :meth:`Plan.attend`, for these tokens."""
        if not self.whole:
            q, k, v = q[self.tokens], k[self.tokens], v[self.tokens]
        kv[0][self._row, :, self._at] = k.to(kv.dtype)
        kv[1][self._row, :, self._at] = v.to(kv.dtype)
        q = q.reshape(q.shape[0], k.shape[1], -1, q.shape[2])  # (branches, kv heads, queries of a group, head_dim)
        part = self._own(kv, q.to(kv.dtype))
        for run, members in self._shared:
            part = self._with(part, run[layer], members, q)
        return part[0].to(q.dtype).reshape(q.shape[0], -1)

    def _own(self, kv: Tensor, q: Tensor) -> tuple[Tensor, Tensor]:
        """Attention of each branch over its own row."""
        keys, values = (kv[n, self._low : self._high, :, : self._keys] for n in (0, 1))
        if self._dense:
            return attend(q, keys, values, self._mask)
        at = self._row - self._low
        wide = q.new_zeros(self._high - self._low, *q.shape[1:])
        wide[at] = q
        out, total = attend(wide, keys, values, self._mask)
        return out[at], total[at]

    def _with(
        self, part: tuple[Tensor, Tensor], run: Tensor, members: Tensor | None, q: Tensor
    ) -> tuple[Tensor, Tensor]:
        """``part`` and attention of ``members`` (all, where None) over what they share."""
        q = q if members is None else q[members]
        branches, groups, queries, size = q.shape
        # All of the branches' queries on the same keys: one product for each kv head.
        folded = q.transpose(0, 1).reshape(groups, -1, size).to(run.dtype)
        out, total = attend(folded, run[0], run[1])
        found = (
            out.view(groups, branches, queries, size).transpose(0, 1),
            total.view(groups, branches, queries).transpose(0, 1),
        )
        if members is None:
            return merge(part, found)
        mixed = merge((part[0][members], part[1][members]), found)
        return part[0].index_copy(0, members, mixed[0].to(part[0].dtype)), part[1].index_copy(0, members, mixed[1])


def _shared(pieces: Sequence[Piece], device: torch.device) -> list[tuple[Tensor, Tensor | None]]:
    """Each run of tokens that some of the branches have, and which of them (None for all)."""
    runs: dict[int, tuple[Tensor, list[int]]] = {}
    for n, piece in enumerate(pieces):
        for run in piece.path:
            runs.setdefault(id(run), (run, []))[1].append(n)
    return [
        (run, None if len(members) == len(pieces) else torch.tensor(members, device=device))
        for run, members in runs.values()
    ]
