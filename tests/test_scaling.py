"""The scaling law: constants that are known are found again, and a tiny run works, stops and resumes."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from llmos.training.scaling.__main__ import main, size_of
from llmos.training.scaling.law import Law, Point, bootstrap, fit, interval, predicted
from llmos.training.scaling.runs import Recipe, Runs, picked
from llmos.training.tokenizer import train as train_tokenizer

KNOWN = Law(e=1.7, a=400.0, alpha=0.34, b=410.0, beta=0.28)


def points(noise: float = 0.0) -> list[Point]:
    """Sixteen runs that follow the known law."""
    chooser = np.random.default_rng(0)
    grid = [(n, d) for n in (2e5, 1e6, 5e6, 2.5e7) for d in (1e6, 1e7, 1e8, 1e9)]
    return [Point(int(n), int(d), KNOWN.loss(n, d) * float(np.exp(chooser.normal(0, noise)))) for n, d in grid]


def test_known_constants_are_found_again() -> None:
    law = fit(points())
    for name in ("e", "alpha", "beta"):
        assert getattr(law, name) == pytest.approx(getattr(KNOWN, name), rel=0.02), name
    assert law.loss(1e8, 1e10) == pytest.approx(KNOWN.loss(1e8, 1e10), rel=0.005)


def test_intervals_hold_what_is_known_and_grow_with_noise() -> None:
    widths = []
    for noise in (0.001, 0.01):
        some = points(noise)
        law = fit(some)
        drawn = bootstrap(some, law, draws=12)
        told = predicted(law, drawn, 1e8, 1e10)
        low, high = interval([one.loss(1e8, 1e10) for one in drawn])
        widths.append(high - low)
        assert told["interval"] == [round(low, 4), round(high, 4)]
        assert low - 0.1 < KNOWN.loss(1e8, 1e10) < high + 0.1
    assert widths[0] < widths[1]


def test_too_few_runs_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 9 runs"):
        fit(points()[:8])
    with pytest.raises(ValueError, match="different sizes"):
        fit([Point(1000, d, 3.0) for d in range(1, 12)])


def test_rates_rise_hold_and_fall_to_nothing() -> None:
    recipe = Recipe(peak=1.0, fall=0.5, warmup=4)
    assert [recipe.rate(s, None) for s in range(6)] == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
    assert [recipe.rate(s, 20) for s in (9, 10, 15, 19)] == [1.0, 1.0, 0.5, 0.1]
    assert recipe.branch(20) == 10


def test_every_row_is_read_once_a_pass() -> None:
    first = [int(n) for step in range(5) for n in picked(10, 2, step, 0)]
    assert sorted(first) == list(range(10))
    assert first != [int(n) for step in range(5, 10) for n in picked(10, 2, step, 0)]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("bpe")
    train_tokenizer(out, None, 1024, 0)
    return out


def test_a_size_is_the_same_when_it_was_stopped(
    tokenizer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.set_num_threads(1)
    recipe = Recipe(text=20_000, held=1024, step=512, warmup=2)
    whole = Runs(tmp_path / "whole", tokenizer, None, recipe)
    expected = whole.size(128, 2, [1024, 2048])
    assert expected[0].parameters == size_of("128x2")
    assert expected[0].loss != expected[1].loss
    monkeypatch.setattr("llmos.training.scaling.runs.SAVED", -1.0)  # save after each step
    stopped = Runs(tmp_path / "stopped", tokenizer, None, recipe)
    losses = iter([1, 2])
    monkeypatch.setattr(stopped, "held_loss", lambda model: next(losses) / 0)
    with pytest.raises(ZeroDivisionError):  # at the end of the first budget's branch
        stopped.size(128, 2, [1024, 2048])
    again = Runs(tmp_path / "stopped", tokenizer, None, recipe)
    assert [p.loss for p in again.size(128, 2, [1024, 2048])] == pytest.approx([p.loss for p in expected], rel=1e-4)
    with pytest.raises(ValueError, match="another recipe"):
        Runs(tmp_path / "stopped", tokenizer, None, Recipe(text=20_000, held=512))
    monkeypatch.setattr(Runs, "_train", None)  # what is there is not trained again
    assert again.size(128, 2, [1024, 2048]) == stopped.size(128, 2, [1024, 2048])


def test_the_command_predicts_before_it_trains_the_larger_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def size(self: Runs, hidden: int, layers: int, budgets: list[int]) -> list[Point]:
        if hidden == 256:
            assert (tmp_path / "prediction.json").exists()
        n = size_of(f"{hidden}x{layers}")
        return [Point(n, d, KNOWN.loss(n, d), f"{hidden}x{layers}") for d in budgets]

    monkeypatch.setattr(Runs, "size", size)
    main(["--out", str(tmp_path), "--draws", "5"])
    report = json.loads((tmp_path / "scaling.json").read_text())
    assert abs(report["error_of_prediction"]) < 0.005
    assert len(report["runs"]) >= 9
    assert (tmp_path / "scaling.png").read_bytes().startswith(b"\x89PNG")
    assert "predicted larger" in capsys.readouterr().out
    first = report["prediction"]["written"]
    main(["--out", str(tmp_path), "--draws", "5"])
    assert json.loads((tmp_path / "scaling.json").read_text())["prediction"]["written"] == first
    with pytest.raises(SystemExit):
        main(["--out", str(tmp_path), "--sizes", "100x2"])
