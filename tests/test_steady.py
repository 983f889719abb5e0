"""Decode steps of fixed shapes: the same as transformers computes, and as the lean forward without them.

Recording is replaced by running: what a graph replays is what runs here. Triton's kernels are tried where Triton is, on
a CPU with ``TRITON_INTERPRET=1``.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from llmos.kernel import fused, matrix, steady
from llmos.kernel.attend import Piece, attend
from llmos.kernel.branches import TorchEngine
from llmos.kernel.engine import Sampling
from llmos.kernel.lean import Lean
from llmos.kernel.steady import Steady

PROMPT = [(7 * n) % 300 for n in range(150)]


def kept(step: Callable[[], torch.Tensor]) -> Callable[[], torch.Tensor]:
    """A step as a graph would have it: what it gives lies where it lay."""
    out = step()

    def replay() -> torch.Tensor:
        out.copy_(step())
        return out

    return replay


@pytest.fixture
def made(tmp_path: Path) -> tuple[Any, Lean]:
    """transformers' model and ours, whose decode steps are recorded."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(3)
    sizes = {"vocab_size": 300, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "head_dim": 16}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 512}
    model = transformers.Qwen3ForCausalLM(transformers.Qwen3Config(**sizes, **heads, tie_word_embeddings=False))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    model.eval().save_pretrained(tmp_path)
    net = Lean(tmp_path)
    net.steady = Steady(net, kept, kernels=False)
    return model, net


def decode(branch: Any, tokens: int = 20, **how: Any) -> list[int]:
    return [s.token for s in branch.decode(Sampling(max_tokens=tokens, **how))]


def theirs(model: Any, prompt: list[int], tokens: int = 20) -> list[int]:
    ids = torch.tensor([prompt])
    how = {"attention_mask": torch.ones_like(ids), "do_sample": False, "eos_token_id": None, "pad_token_id": 0}
    out = model.generate(ids, max_new_tokens=tokens, **how)
    said: list[int] = out[0, len(prompt) :].tolist()
    return said


def test_one_stream_says_what_transformers_says(made: tuple[Any, Lean]) -> None:
    model, net = made
    assert decode(TorchEngine(net).open(PROMPT)) == theirs(model, PROMPT)
    assert net.steady is not None
    assert net.steady.notes == {"step of 1": "plain"}


def test_branches_over_one_prompt_say_what_each_says_alone(made: tuple[Any, Lean]) -> None:
    model, net = made
    engine = TorchEngine(net)
    branches = engine.open(PROMPT).fork(11)
    for n, branch in enumerate(branches):
        branch.extend([n + 1])
    streams = [b.decode(Sampling(max_tokens=20)) for b in branches]
    said: list[list[int]] = [[] for _ in streams]
    for _ in range(20):
        for one, stream in zip(said, streams, strict=True):
            one.append(next(stream).token)
    for n in (0, 5, 10):
        assert said[n] == theirs(model, [*PROMPT, n + 1])
    assert net.steady is not None
    assert "step of 16" in net.steady.notes


def steps(net: Lean, count: int, shared: int, own: list[int]) -> list[torch.Tensor]:
    """The logits of some steps of branches on one path of two runs."""
    rows = net.rows()
    row = rows.take()
    net.run([Piece(row, PROMPT[: shared or 1])], rows)
    whole = rows.read(row, 0, shared, net.dtype)
    path = (whole[..., : shared // 3, :].contiguous(), whole[..., shared // 3 :, :].contiguous()) if shared else ()
    rows.give(row)
    places = [rows.take() for _ in range(count)]
    for place, length in zip(places, own, strict=False):
        if length:
            net.run([Piece(place, PROMPT[:length], path)], rows)
    out = []
    for n in range(steady.AFTER + 2):
        out.append(torch.cat(net.run([Piece(r, [(r + n) % 300], path) for r in places], rows)))
    return out


@pytest.mark.parametrize(("count", "shared"), [(1, 0), (1, 60), (2, 0), (3, 60), (5, 60), (16, 60)])
def test_a_recorded_step_is_the_lean_one(made: tuple[Any, Lean], count: int, shared: int) -> None:
    _, net = made
    own = [(5 * n) % 40 for n in range(count)]
    recorded = steps(net, count, shared, own)
    assert net.steady is not None
    assert net.steady.notes
    net.steady = None
    for got, wanted in zip(recorded, steps(net, count, shared, own), strict=True):
        torch.testing.assert_close(got, wanted, atol=1e-4, rtol=1e-4)


def test_rows_that_grow_are_recorded_anew(made: tuple[Any, Lean]) -> None:
    model, net = made
    branch = TorchEngine(net).open(PROMPT[:50])
    assert decode(branch, 100) == theirs(model, PROMPT[:50], 100)


def test_branches_on_paths_of_their_own_are_left_to_others(made: tuple[Any, Lean]) -> None:
    _, net = made
    assert net.steady is not None
    rows = net.rows()
    run = torch.zeros(2, 2, 2, 4, 16)
    one, two = rows.take(), rows.take()
    for _ in range(steady.AFTER + 1):
        assert net.steady.run([Piece(one, [1], (run,)), Piece(two, [1], (run.clone(),))], rows) is None
        assert net.steady.run([Piece(one, [1, 2])], rows) is None


def test_where_nothing_can_be_recorded_the_answer_is_the_same(made: tuple[Any, Lean]) -> None:
    model, net = made

    def refuse(step: Callable[[], torch.Tensor]) -> Callable[[], torch.Tensor]:
        raise RuntimeError("no graphs here\nat all")

    net.steady = Steady(net, refuse, kernels=False)
    assert decode(TorchEngine(net).open(PROMPT)) == theirs(model, PROMPT)
    assert net.steady.notes == {"no graphs": "no graphs here"}


def test_kernels_that_compute_something_else_are_not_used(
    made: tuple[Any, Lean], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, net = made
    net.steady = Steady(net, kept, kernels=False)
    net.steady.kernels = True
    monkeypatch.setattr(steady, "_step", lambda still, ways: still.step() * 1.5)
    monkeypatch.setattr(Steady, "_choose", lambda self: None)
    assert decode(TorchEngine(net).open(PROMPT)) == theirs(model, PROMPT)
    assert net.steady.notes["no kernels"] == "the kernels are 0.5 off"


triton = pytest.mark.skipif(not fused.available(16), reason="no Triton")


@triton
@pytest.mark.parametrize(("count", "shared"), [(1, 0), (1, 60), (3, 0), (5, 60)])
def test_the_kernels_compute_the_lean_step(
    made: tuple[Any, Lean], count: int, shared: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(matrix._works, torch.float32, False)
    monkeypatch.setattr(fused, "WAYS", ((64, 64, 4), (32, 64, 4)))
    net = Lean(tmp_path)
    own = [(5 * n) % 40 for n in range(count)]
    wanted = steps(net, count, shared, own)
    times = iter(range(10**6, 0, -1))
    net.steady = Steady(net, kept, timed=lambda run: float(next(times)))
    for got, one in zip(steps(net, count, shared, own), wanted, strict=True):
        torch.testing.assert_close(got, one, atol=1e-3, rtol=1e-3)
    assert all(note.startswith("kernels") for name, note in net.steady.notes.items() if name != "ways")
    assert net.steady.notes


@triton
@pytest.mark.parametrize("way", [(4, 64, 4), (2, 128, 4), (8, 32, 4)])
def test_a_product_norms_opens_and_adds(way: tuple[int, int, int]) -> None:
    random = torch.Generator().manual_seed(0)
    x, weight, bias, plus = (torch.randn(*s, generator=random) for s in ((1, 100), (46, 100), (46,), (1, 46)))
    linear, silu = torch.nn.functional.linear, torch.nn.functional.silu
    close = torch.testing.assert_close
    close(fused.product(x, weight, bias, plus, way=way), linear(x, weight, bias) + plus, atol=1e-4, rtol=1e-4)
    normed = linear(torch.nn.functional.rms_norm(x, (100,), None, 1e-6), weight)
    close(fused.product(x, weight, norm=1e-6, way=way), normed, atol=1e-4, rtol=1e-4)
    opened = silu(normed[:, :23]) * normed[:, 23:]
    close(fused.product(x, weight, norm=1e-6, gate=True, way=way), opened, atol=1e-4, rtol=1e-4)
    close(fused.gate(torch.cat((normed, normed))), torch.cat((opened, opened)), atol=1e-4, rtol=1e-4)


@triton
@pytest.mark.parametrize("length", [1, 63, 64, 700])
def test_what_all_share_is_read_in_parts(length: int) -> None:
    random = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(2, n, 16, generator=random) for n in (70, length, length))
    for got, wanted in zip(fused.share(q, k, v), attend(q, k, v), strict=True):
        torch.testing.assert_close(got, wanted, atol=1e-4, rtol=1e-4)
