"""Sampling in a batch: draws, penalties and masks of many rows at once against the same worked out one by one."""

import math
import random

import numpy as np
import pytest
import torch
from torch import Tensor

from llmos.kernel.bits import barred, pack
from llmos.kernel.engine import Sampling
from llmos.kernel.sampler import Sampler, pick

ROWS = 5


def penalised(row: Tensor, how: Sampling, prompt: list[int], written: list[int]) -> Tensor:
    """As the papers say it, a token at a time."""
    out = row.clone()
    for token in {*prompt, *written}:
        old = float(out[token])
        out[token] = old / how.repetition_penalty if old > 0 else old * how.repetition_penalty
    for token in set(written):
        out[token] -= how.presence_penalty
    for token, nats in how.bias:
        out[token] += nats
    return out


@pytest.mark.parametrize("width", [1, 60, 128, 1000, 4096])
def test_a_draw_is_where_the_sum_passes_it(width: int) -> None:
    generator = torch.Generator().manual_seed(width)
    logits = torch.randn(ROWS, width, generator=generator) * 3
    samplers = [Sampler(Sampling(temperature=0.8, seed=n), []) for n in range(ROWS)]
    chances = [random.Random(n) for n in range(ROWS)]
    p = (logits.double() / 0.8).softmax(1)
    for _ in range(40):
        for row, step, chance in zip(p, pick(samplers, logits, [None] * ROWS), chances, strict=True):
            drawn = chance.random()
            upto = float(row[: step.token + 1].sum())
            # In single precision a sum may be off by a little.
            assert upto - float(row[step.token]) - 1e-5 <= drawn <= upto + 1e-5


def test_what_has_no_probability_is_never_drawn() -> None:
    logits = torch.full((ROWS, 700), -torch.inf)
    allowed = {0, 127, 128, 300, 699}
    logits[:, sorted(allowed)] = torch.tensor([0.0, -20.0, 3.0, -60.0, 1.0])
    samplers = [Sampler(Sampling(temperature=1.5, seed=n), []) for n in range(ROWS)]
    found = {step.token for _ in range(400) for step in pick(samplers, logits, [None] * ROWS)}
    assert {128, 699} <= found <= allowed
    with pytest.raises(ValueError, match="no token may come next"):
        pick(samplers, logits, [pack([5], 700)] * ROWS)


def test_penalties_of_many_rows_are_each_rows_own() -> None:
    how = Sampling(repetition_penalty=1.7, presence_penalty=0.9, bias=((3, 1.5), (7, -math.inf)))
    prompts = [[n, 2 * n, 2 * n, 9] for n in range(ROWS)]
    samplers = [Sampler(how, prompt) for prompt in prompts]
    written: list[list[int]] = [[] for _ in prompts]
    generator = torch.Generator().manual_seed(3)
    for _ in range(30):
        logits = torch.randn(ROWS, 20, generator=generator)
        before = logits.clone()
        steps = pick(samplers, logits, [None] * ROWS)
        assert torch.equal(logits, before)
        for row, step, prompt, said in zip(logits, steps, prompts, written, strict=True):
            assert step.token == int(penalised(row, how, prompt, said).argmax())
            assert step.logprob == pytest.approx(float(row.log_softmax(0)[step.token]), abs=1e-5)
            said.append(step.token)
    assert all(len(set(said)) > 5 for said in written)


@pytest.mark.parametrize("width", [5, 32, 70])
def test_masks_bar_all_but_what_they_hold_and_what_is_past_their_end(width: int) -> None:
    some = {1, 4, 31, 33, 69}
    masks = [pack(some, width), None, pack(some, 32), pack(some, 200)]
    found = barred(masks, width)
    assert found.shape == (4, width)
    for row, allowed in zip(found, [some, set(range(width)), some & set(range(32)), some], strict=True):
        assert set(np.flatnonzero(row == 0)) == {i for i in allowed if i < width}
        assert set(row.tolist()) <= {0.0, -math.inf}
