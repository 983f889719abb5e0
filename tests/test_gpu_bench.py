"""``llmos bench gpu`` with a tiny shape: each part that needs no GPU gives its figures, whatever fails beside it."""

import json
from pathlib import Path

import pytest
import torch

from llmos.bench import gpu


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LLMOS_BENCH_SHAPE", "tiny")
    monkeypatch.setenv("LLMOS_BENCH_FOLDER", str(tmp_path))
    for name, size in {"TOKENS": 4, "WARM": 3, "BRANCHES": 3, "SHARED": 100, "PROMPT": 20, "SECONDS": 1e9}.items():
        monkeypatch.setattr(gpu, name, size)


def test_every_part_gives_its_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert gpu.main(json=True) == 0
    made = json.loads(capsys.readouterr().out)
    assert made == json.loads((tmp_path / "gpu.json").read_text())
    figures = made["figures"]
    for name in ("copy_bytes_per_s", "single_over_limit", "branches64_over_single", "no_graphs_single_tokens_per_s"):
        assert figures[name] > 0
    assert figures["limit_tokens_per_s"] == pytest.approx(
        figures["copy_bytes_per_s"] / figures["weight_bytes"], rel=1e-3
    )
    if not torch.cuda.is_available():
        assert made["not_measured"] == {"plain_graphs": "graphs need a CUDA device"}


def test_a_part_that_fails_takes_no_other(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(self: gpu.Bench, name: str) -> gpu.Figures:
        raise RuntimeError("the device is gone\nand more")

    monkeypatch.setattr(gpu.Bench, "branches", broken)
    assert gpu.main() == 0
    told = capsys.readouterr().out
    assert "not measured: branches64: the device is gone\n" in told
    assert "single_tokens_per_s" in told
