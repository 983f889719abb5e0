"""llmos models: what is listed, chosen and told."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from llmos.cli import run_command
from llmos.kernel import config


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LLMOS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.delenv("LLMOS_MODEL", raising=False)
    return tmp_path


def test_a_model_is_chosen_for_good_and_taken_back(
    qwen3_folder: Callable[..., Path], home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = qwen3_folder(home / "tiny")
    assert config.model_name() == "embedded"
    monkeypatch.chdir(home)
    assert run_command(["models", "use", "tiny"]) == 0
    assert config.model_name() == str(folder)
    capsys.readouterr()
    assert run_command(["models", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["models"]
    assert [(m["name"], m["chosen"]) for m in listed] == [("embedded", False), (str(folder), True)]
    assert run_command(["models", "info", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["model"], told["forward"], told["context"]) == (str(folder), "lean qwen3", 512)
    monkeypatch.setenv("LLMOS_MODEL", "http://localhost:1/v1")
    assert config.model_name() == "http://localhost:1/v1"
    assert config.model_name("embedded") == "embedded"
    monkeypatch.delenv("LLMOS_MODEL")
    assert run_command(["models", "use", "embedded"]) == 0
    assert config.model_name() == "embedded"


def test_what_cannot_be_loaded_is_not_chosen(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["models", "use", str(home / "nowhere")]) == 1
    assert "no checkpoint at" in capsys.readouterr().err
    assert config.model_name() == "embedded"


def test_the_hubs_cache_is_listed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    snapshot = home / "hub" / "models--Qwen--Qwen3-4B" / "snapshots" / "1"
    snapshot.mkdir(parents=True)
    (snapshot / "model.safetensors").write_bytes(b"x" * 2_000_000)
    (home / "hub" / "models--half--done" / "snapshots").mkdir(parents=True)
    assert run_command(["models", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("* embedded")
    assert [line.split() for line in lines[1:]] == [["Qwen/Qwen3-4B", "2", "MB"]]
