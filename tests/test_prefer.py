"""Comparisons for the embedded kernel: how they are met, DPO and a model of rewards on a tiny kernel, and resuming."""

import contextlib
import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from llmos import LLMOS, Scripted
from llmos.cli import run_command
from llmos.kernel.codec import Codec
from llmos.kernel.errors import UsageError
from llmos.kernel.types import ToolCall
from llmos.training import comparing, prefer, reward
from llmos.training.comparing import Compared, Plan

PAIRS = [
    {"prompt": f"take 15% of {n} for the tax", "chosen": "The answer is 372.", "rejected": "The mean of the price."}
    for n in range(2480, 2492)
]


@pytest.fixture
def tiny(qwen3_folder: Callable[..., Path], tmp_path: Path) -> Path:
    return qwen3_folder(tmp_path / "tiny", max_position_embeddings=1536)


@pytest.fixture
def pairs(tiny: Path, tmp_path: Path) -> list[Compared]:
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(p) + "\n" for p in PAIRS))
    return comparing.encoded(comparing.read([path]), tiny)


def test_a_comparison_is_met_with_short_names_and_only_its_end_counts(pairs: list[Compared], tiny: Path) -> None:
    assert len(pairs) == len(PAIRS)
    codec = Codec.load(tiny)
    for (ids, own), says in ((pairs[0].chosen, "The answer is 372."), (pairs[0].rejected, "The mean of the price.")):
        text = codec.decode(ids)
        assert "@1% of @2" in text
        assert "2480" not in text.split("user", 1)[1].split("assistant", 1)[0]
        assert says in codec.decode([i for i, counts in zip(ids, own, strict=True) if counts])
        assert own.index(True) > len(ids) // 2


def test_preferring_makes_the_better_end_likelier(pairs: list[Compared], tiny: Path, tmp_path: Path) -> None:
    before = (tiny / "model.safetensors").read_bytes()
    plan = Plan(steps=12, batch=4, rate=3e-3, held=0.3)
    model = comparing.load(tiny)
    _, held = comparing.apart(pairs, plan.held, plan.seed)
    start = prefer.scores(model, held)
    found = prefer.prefer(tiny, pairs, tmp_path / "out", plan)
    end = prefer.scores(comparing.load(tmp_path / "out" / "kernel"), held)
    rises = [(b - w) - (b0 - w0) for (b, w), (b0, w0) in zip(end, start, strict=True)]
    assert min(rises) > 1
    assert found.of == len(held)
    assert found.after >= found.before
    assert (tiny / "model.safetensors").read_bytes() == before
    points = [json.loads(line) for line in (tmp_path / "out" / "log.jsonl").read_text().splitlines()]
    assert points[-1]["margin"] > points[0]["margin"]
    assert (tmp_path / "out" / "curves.png").is_file()


def test_a_run_that_was_stopped_ends_as_one_that_was_not(
    pairs: list[Compared], tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparing, "SAVED", 2)

    def run(out: Path, stop: int = 99) -> torch.Tensor:
        model, done = comparing.load(tiny), 0
        prefers = prefer.Prefer(model, pairs)

        def cost(batch: list[Compared]) -> object:
            nonlocal done
            done += 1
            if done > stop:
                raise KeyboardInterrupt
            return prefers.cost(batch)

        with contextlib.suppress(KeyboardInterrupt):
            comparing.train(model, pairs, cost, out, Plan(steps=4, batch=2, rate=1e-3))  # type: ignore[arg-type]
        return model.lm_head.weight.detach()

    whole = run(tmp_path / "whole")
    run(tmp_path / "parts", stop=2)
    assert torch.allclose(run(tmp_path / "parts"), whole, atol=1e-6)


def test_rewards_are_higher_for_better_ends(pairs: list[Compared], tiny: Path, tmp_path: Path) -> None:
    good, of = reward.reward(tiny, pairs, tmp_path / "out", Plan(steps=12, batch=4, rate=3e-3, held=0.3))
    assert (good, of) == (of, len(comparing.apart(pairs, 0.3, 0)[1]))
    model = reward.load(tmp_path / "out")
    assert all(reward.right(model, pairs))


def test_worse_ends_are_made_of_the_recipe_s_dialogues() -> None:
    made = comparing.made(12, 3)
    assert len(made) == 12
    for one in made:
        assert one.prompt[0].role == "user"
        assert one.chosen != one.rejected
        better, worse = one.chosen[0], one.rejected[0]
        if comparing._kind(better) == comparing._kind(worse):
            calls = [m.calls[0] for m in (better, worse)]
            assert all(isinstance(c, ToolCall) and c.name == "calculator" for c in calls)
    assert comparing._wrong(made[0].prompt[0], random.Random(0)) is None


def test_too_few_comparisons_are_said(pairs: list[Compared], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="too few comparisons"):
        comparing.apart(pairs[:1], 0.2, 0)
    path = tmp_path / "talks.jsonl"
    path.write_text('{"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]}\n')
    with pytest.raises(UsageError, match="holds no comparison"):
        comparing.read([path])


def test_feedback_becomes_a_comparison_with_its_calls(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMOS_HOME", str(tmp_path / "home"))
    model = Scripted([ToolCall("x", "calculator", {"expression": "6 + 7"}), "It is 13.",
                      ToolCall("x", "calculator", {"expression": "6 * 7"}), "It is 42."])  # fmt: skip
    with LLMOS(model=model, home=tmp_path / "home") as system, system.session() as session:
        session.run("six times seven")
        list(session.retry())
    out = tmp_path / "traces.jsonl"
    assert run_command(["feedback", "last", "prefer"]) == 0
    assert run_command(["traces", "export", "--out", str(out)]) == 0
    (ends,) = comparing.read([out])
    assert [m.text for m in ends.prompt] == ["six times seven"]
    (call,) = ends.chosen[0].calls
    assert isinstance(call, ToolCall)
    assert call.arguments == {"expression": "6 * 7"}
    assert ends.rejected[-1].text == "It is 13."
    (pair,) = comparing.encoded([ends], tiny)
    text = Codec.load(tiny).decode(pair.chosen[0])
    assert '"expression": "`1"' in text  # the example that says the same is named
    assert "13" not in text
