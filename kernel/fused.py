"""The small steps of a decode on a CUDA device as a few Triton kernels, so that it takes as long as the weights.

A norm, the residual and the gate go into the products they stand beside; queries and keys are normed, turned and stored
in one go; a branch's row is read by several blocks at once, which ``join`` puts together with what it shares. Lengths
and rows are read from the device, so that a captured graph serves every step. Needs Triton, which comes with torch for
CUDA. Knows nothing of layers: that is ``steady``.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

try:
    import triton
    import triton.language as tl

    jit: Any = triton.jit
except ImportError:  # a torch without CUDA
    triton = tl = None

    def jit(kernel: Any) -> Any:
        """Nothing: without Triton nothing here is run."""
        return kernel


# Blocks that read a branch's row side by side, by the most branches; the first is for one alone.
SPLITS = ((1, 32), (4, 16), (16, 8), (64, 4))
# Keys and queries taken at once; blocks that fill a device.
KEYS, BLOCK, FULL = 64, 64, 200
# Rows and columns of a weight that a block takes at once, and its warps: which is fastest depends on the device.
WAYS = ((4, 1024, 4), (2, 2048, 4), (1, 4096, 4), (4, 2048, 8), (8, 512, 8))


def available(size: int) -> bool:
    """Whether these kernels can be used for heads of ``size`` features."""
    return triton is not None and size >= 16 and size & (size - 1) == 0


@jit
def _product(
    x, w, bias, plus, out, n, k, skip, eps,
    NORM: tl.constexpr, GATE: tl.constexpr, BIAS: tl.constexpr, PLUS: tl.constexpr, EVEN: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    inside = rows < n
    # Times 0 where a block goes past the end, so that no mask is needed for rows.
    first = w + tl.where(inside, rows, 0).to(tl.int64)[:, None] * k
    total = tl.zeros((ROWS, COLUMNS), tl.float32)
    gate = tl.zeros((ROWS, COLUMNS), tl.float32)
    square = tl.zeros((COLUMNS,), tl.float32)
    for start in range(0, k, COLUMNS):
        columns = start + tl.arange(0, COLUMNS)
        if EVEN:
            values = tl.load(x + columns).to(tl.float32)
            weights = tl.load(first + columns[None, :]).to(tl.float32)
        else:
            values = tl.load(x + columns, mask=columns < k, other=0.0).to(tl.float32)
            weights = tl.load(first + columns[None, :], mask=columns[None, :] < k, other=0.0).to(tl.float32)
        total += weights * values[None, :]
        if GATE:
            second = first + skip + columns[None, :]
            if EVEN:
                gate += tl.load(second).to(tl.float32) * values[None, :]
            else:
                gate += tl.load(second, mask=columns[None, :] < k, other=0.0).to(tl.float32) * values[None, :]
        if NORM:
            square += values * values
    made = tl.sum(total, 1)
    other = tl.sum(gate, 1)
    if NORM:
        scale = 1.0 / tl.sqrt(tl.sum(square, 0) / k + eps)
        made = made * scale
        other = other * scale
    if GATE:
        made = made / (1.0 + tl.exp(-made)) * other
    if BIAS:
        made += tl.load(bias + rows, mask=inside, other=0.0).to(tl.float32)
    if PLUS:
        made += tl.load(plus + rows, mask=inside, other=0.0).to(tl.float32)
    tl.store(out + rows, made.to(out.dtype.element_ty), mask=inside)


@jit
def _store(
    qkv, norm, cos, sin, state, kv, queries, branches, half, room, eps,
    HEADS: tl.constexpr, GROUPS: tl.constexpr, SIZE: tl.constexpr, NORM: tl.constexpr,
):  # fmt: skip
    branch = tl.program_id(0)
    head = tl.program_id(1)
    here = tl.arange(0, SIZE)
    across = (here + SIZE // 2) % SIZE
    place = tl.load(state + branches + branch)
    row = tl.load(state + 2 * branches + branch)
    at = tl.load(state + 3 * branches + branch)
    start = qkv + (branch * (HEADS + 2 * GROUPS) + head) * SIZE
    value = tl.load(start + here).to(tl.float32)
    if head < HEADS + GROUPS:
        turned = tl.load(start + across).to(tl.float32)
        if NORM:
            scale = 1.0 / tl.sqrt(tl.sum(value * value, 0) / SIZE + eps)
            value = value * scale * tl.load(norm + head * SIZE + here).to(tl.float32)
            turned = turned * scale * tl.load(norm + head * SIZE + across).to(tl.float32)
        value = value * tl.load(cos + place * SIZE + here).to(tl.float32)
        value += turned * tl.load(sin + place * SIZE + here).to(tl.float32)
    if head < HEADS:
        tl.store(queries + (branch * HEADS + head) * SIZE + here, value.to(queries.dtype.element_ty))
    else:
        # Keys first, then values, each (rows, kv heads, room, features).
        which = (head - HEADS) // GROUPS
        group = (head - HEADS) % GROUPS
        target = kv + which * half + ((row * GROUPS + group) * room + at) * SIZE
        tl.store(target + here, value.to(kv.dtype.element_ty))


@jit
def _over(q, keys, values, start, end, scale, WIDE: tl.constexpr, SIZE: tl.constexpr, KEYS: tl.constexpr):
    here = tl.arange(0, SIZE)
    most = tl.full((WIDE,), -float("inf"), tl.float32)
    total = tl.zeros((WIDE,), tl.float32)
    made = tl.zeros((WIDE, SIZE), tl.float32)
    for first in range(start, end, KEYS):
        at = first + tl.arange(0, KEYS)
        known = at < end
        k = tl.load(keys + at[:, None] * SIZE + here[None, :], mask=known[:, None], other=0.0)
        v = tl.load(values + at[:, None] * SIZE + here[None, :], mask=known[:, None], other=0.0)
        scores = tl.dot(q, tl.trans(k), input_precision="ieee") * scale
        scores = tl.where(known[None, :], scores, -float("inf"))
        new = tl.maximum(most, tl.max(scores, 1))
        shares = tl.exp(scores - new[:, None])
        less = tl.exp(most - new)
        total = total * less + tl.sum(shares, 1)
        made = made * less[:, None] + tl.dot(shares.to(v.dtype), v, input_precision="ieee")
        most = new
    found = total > 0
    sure = tl.where(found, total, 1.0)
    return made / sure[:, None], tl.where(found, most + tl.log(sure), -float("inf"))


@jit
def _look(
    queries, kv, state, parts, sums, branches, half, room, scale,
    HEADS: tl.constexpr, GROUPS: tl.constexpr, SIZE: tl.constexpr, WIDE: tl.constexpr, SPLITS: tl.constexpr,
    KEYS: tl.constexpr,
):  # fmt: skip
    branch = tl.program_id(0) // GROUPS
    group = tl.program_id(0) % GROUPS
    split = tl.program_id(1)
    row = tl.load(state + 2 * branches + branch)
    length = tl.load(state + 3 * branches + branch) + 1
    per = tl.cdiv(tl.cdiv(length, SPLITS), KEYS) * KEYS
    start = split * per
    end = tl.minimum(start + per, length)
    head = tl.arange(0, WIDE)
    here = tl.arange(0, SIZE)
    real = head < HEADS // GROUPS
    which = branch * HEADS + group * (HEADS // GROUPS) + head
    q = tl.load(queries + which[:, None] * SIZE + here[None, :], mask=real[:, None], other=0.0)
    keys = kv + (row * GROUPS + group) * room * SIZE
    made, told = _over(q, keys, keys + half, start, end, scale, WIDE, SIZE, KEYS)
    tl.store(sums + which * SPLITS + split, told, mask=real)
    tl.store(parts + (which[:, None] * SPLITS + split) * SIZE + here[None, :], made, mask=real[:, None])


@jit
def _share(
    queries, keys, values, parts, sums, many, length, key_group, value_group, scale,
    SIZE: tl.constexpr, WIDE: tl.constexpr, SPLITS: tl.constexpr, KEYS: tl.constexpr,
):  # fmt: skip
    group = tl.program_id(1)
    split = tl.program_id(2)
    query = tl.program_id(0) * WIDE + tl.arange(0, WIDE)
    here = tl.arange(0, SIZE)
    per = tl.cdiv(tl.cdiv(length, SPLITS), KEYS) * KEYS
    start = split * per
    end = tl.minimum(start + per, length)
    real = query < many
    which = group * many + query
    q = tl.load(queries + which[:, None] * SIZE + here[None, :], mask=real[:, None], other=0.0)
    made, told = _over(
        q, keys + group * key_group, values + group * value_group, start, end, scale, WIDE, SIZE, KEYS
    )  # fmt: skip
    tl.store(sums + which * SPLITS + split, told, mask=real)
    tl.store(parts + (which[:, None] * SPLITS + split) * SIZE + here[None, :], made, mask=real[:, None])


@jit
def _join(
    parts, sums, shared, total, out, told, queries,
    HEADS: tl.constexpr, GROUPS: tl.constexpr, SIZE: tl.constexpr, SPLITS: tl.constexpr, SHARED: tl.constexpr,
    TOLD: tl.constexpr,
):  # fmt: skip
    which = tl.program_id(0)
    here = tl.arange(0, SIZE)
    split = tl.arange(0, SPLITS)
    each = tl.load(sums + which * SPLITS + split)
    made = tl.load(parts + (which * SPLITS + split)[:, None] * SIZE + here[None, :])
    most = tl.max(each, 0)
    branch = which // HEADS
    group = (which % HEADS) // (HEADS // GROUPS)
    query = branch * (HEADS // GROUPS) + which % (HEADS // GROUPS)
    if SHARED:
        # Those are kept by kv heads, then branches.
        at = group * queries + query
        theirs = tl.load(total + at).to(tl.float32)
        most = tl.maximum(most, theirs)
    weight = tl.exp(each - most)
    value = tl.sum(made * weight[:, None], 0)
    whole = tl.sum(weight, 0)
    if SHARED:
        share = tl.exp(theirs - most)
        value += tl.load(shared + at * SIZE + here).to(tl.float32) * share
        whole += share
    tl.store(out + which * SIZE + here, (value / whole).to(out.dtype.element_ty))
    if TOLD:
        tl.store(told + which, most + tl.log(whole))


@jit
def _gate(x, out, inner, BLOCK: tl.constexpr):
    at = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    start = x + tl.program_id(0) * 2 * inner
    one = tl.load(start + at, mask=at < inner, other=0.0).to(tl.float32)
    two = tl.load(start + inner + at, mask=at < inner, other=0.0).to(tl.float32)
    made = one / (1.0 + tl.exp(-one)) * two
    tl.store(out + tl.program_id(0) * inner + at, made.to(out.dtype.element_ty), mask=at < inner)


def product(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    plus: Tensor | None = None,
    norm: float | None = None,
    gate: bool = False,
    way: tuple[int, int, int] = WAYS[0],
) -> Tensor:
    """``weight`` times one token's features (1, in), to (1, out).

    ``norm``: an epsilon, where the features are to be normed first. ``plus`` is added. ``gate``: the weight holds the
    gate's rows and those that it opens; half as many come out.
    """
    n, k = weight.shape[0] // (2 if gate else 1), weight.shape[1]
    out = torch.empty(1, n, device=x.device, dtype=x.dtype)
    rows, columns, warps = way
    nothing = x  # a pointer that is never read
    _product[((n + rows - 1) // rows,)](
        x, weight, nothing if bias is None else bias, nothing if plus is None else plus, out, n, k, n * k,
        norm or 0.0,
        NORM=norm is not None, GATE=gate, BIAS=bias is not None, PLUS=plus is not None, EVEN=k % columns == 0,
        ROWS=rows, COLUMNS=columns, num_warps=warps,
    )  # fmt: skip
    return out


def store(
    qkv: Tensor, norm: Tensor | None, tables: tuple[Tensor, Tensor], state: Tensor, kv: Tensor, heads: int, eps: float
) -> Tensor:
    """Norm and turn queries and keys; keys and values go into ``kv``, the queries come back: (branches, heads, size).

    ``state`` (4, branches) tells each branch's id, position, row and its tokens; ``tables`` are cosines and sines.
    """
    _, _, groups, room, size = kv.shape
    branches = state.shape[1]
    queries = torch.empty(branches, heads, size, device=qkv.device, dtype=qkv.dtype)
    _store[(branches, heads + 2 * groups)](
        qkv, qkv if norm is None else norm, *tables, state, kv, queries, branches, kv.stride(0), room, eps,
        HEADS=heads, GROUPS=groups, SIZE=size, NORM=norm is not None, num_warps=1,
    )  # fmt: skip
    return queries


def look(queries: Tensor, kv: Tensor, state: Tensor, shared: tuple[Tensor, Tensor] | None = None) -> Tensor:
    """Attention of each branch over its row, and what it found in what all share: (branches, heads * size).

    ``shared``: attention over that, (kv heads, branches * queries of a group, size), and the logarithm of its sums.
    """
    _, _, groups, room, size = kv.shape
    branches, heads = queries.shape[:2]
    splits = next(s for most, s in SPLITS if branches <= most)
    parts = torch.empty(branches, heads, splits, size, device=kv.device)
    sums = torch.empty(branches, heads, splits, device=kv.device)
    wide = max(16, triton.next_power_of_2(heads // groups))
    _look[(branches * groups, splits)](
        queries, kv, state, parts, sums, branches, kv.stride(0), room, size**-0.5,
        HEADS=heads, GROUPS=groups, SIZE=size, WIDE=wide, SPLITS=splits, KEYS=KEYS, num_warps=4,
    )  # fmt: skip
    out = torch.empty(branches, heads * size, device=kv.device, dtype=queries.dtype)
    theirs, total = (parts, sums) if shared is None else (part.contiguous() for part in shared)
    _join[(branches * heads,)](
        parts, sums, theirs, total, out, sums, branches * (heads // groups),
        HEADS=heads, GROUPS=groups, SIZE=size, SPLITS=splits, SHARED=shared is not None, TOLD=False, num_warps=4,
    )  # fmt: skip
    return out


def share(queries: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """Attention of (kv heads, queries, size) over (kv heads, keys, size), and the logarithm of its sums, both fp32."""
    groups, many, size = queries.shape
    blocks = (many + BLOCK - 1) // BLOCK
    splits = 1
    while splits * groups * blocks < FULL and splits * KEYS < keys.shape[1]:
        splits *= 2
    parts = torch.empty(groups, many, splits, size, device=queries.device)
    sums = torch.empty(groups, many, splits, device=queries.device)
    _share[(blocks, groups, splits)](
        queries, keys, values, parts, sums, many, keys.shape[1], keys.stride(0), values.stride(0), size**-0.5,
        SIZE=size, WIDE=BLOCK, SPLITS=splits, KEYS=KEYS, num_warps=4,
    )  # fmt: skip
    out, total = (
        torch.empty(groups, many, size, device=queries.device),
        torch.empty(groups, many, device=queries.device),
    )
    _join[(groups * many,)](
        parts, sums, parts, sums, out, total, many,
        HEADS=1, GROUPS=1, SIZE=size, SPLITS=splits, SHARED=False, TOLD=True, num_warps=4,
    )  # fmt: skip
    return out, total


def gate(x: Tensor) -> Tensor:
    """The first half of each token's features, through SiLU, times the second: (tokens, half)."""
    tokens, inner = x.shape[0], x.shape[1] // 2
    out = torch.empty(tokens, inner, device=x.device, dtype=x.dtype)
    _gate[(tokens, (inner + 1023) // 1024)](x, out, inner, BLOCK=1024, num_warps=4)
    return out
