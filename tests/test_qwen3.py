"""Our two Qwen3 forward passes against transformers' own, on random checkpoints; and what cannot be loaded."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from llmos.kernel.attend import Piece
from llmos.kernel.checkpoint import choose_dtype
from llmos.kernel.errors import ModelError
from llmos.kernel.lean import KERNELS, Lean, keep_few_kernels
from llmos.kernel.qwen3 import KVCache, Qwen3, Qwen3Config

SHAPES: list[dict[str, Any]] = [
    {"num_key_value_heads": 4, "tie_word_embeddings": True},
    {"num_key_value_heads": 2, "tie_word_embeddings": False},
    {"num_key_value_heads": 1, "tie_word_embeddings": True, "head_dim": 24, "rope_theta": 1e6, "rms_norm_eps": 1e-5},
]


@pytest.fixture(params=SHAPES, ids=["tied", "grouped, untied", "one kv head"])
def folder(request: pytest.FixtureRequest, qwen3_folder: Callable[..., Path], tmp_path: Path) -> Path:
    return qwen3_folder(tmp_path, **request.param)


def after(net: Lean, ids: list[int]) -> torch.Tensor:
    """The logits after ``ids``."""
    rows = net.rows()
    return net.run([Piece(rows.take(), ids)], rows)[0][0]


def reference(folder: Path, ids: list[int]) -> torch.Tensor:
    """Logits of transformers, of shape (tokens, vocabulary)."""
    transformers = pytest.importorskip("transformers")
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, use_safetensors=True)
    assert type(model).__name__ == "Qwen3ForCausalLM"
    with torch.inference_mode():
        logits: torch.Tensor = model.eval()(torch.tensor([ids])).logits[0]
    return logits


def test_both_forwards_equal_transformers_with_and_without_cache(folder: Path) -> None:
    ids = torch.randint(0, 400, (70,), generator=torch.Generator().manual_seed(2)).tolist()
    wanted = reference(folder, ids)
    module_equals(folder, ids, wanted)
    lean_equals(folder, ids, wanted)


def module_equals(folder: Path, ids: list[int], wanted: torch.Tensor) -> None:
    config = Qwen3Config.from_json(json.loads((folder / "config.json").read_text(encoding="utf-8")))
    model = Qwen3(config)
    from safetensors.torch import load_file

    missing, unexpected = model.load_state_dict(load_file(folder / "model.safetensors"), strict=False)
    assert not unexpected
    assert set(missing) <= {"lm_head.weight"}
    cache = KVCache(config, room=8)
    with torch.inference_mode():
        torch.testing.assert_close(model(torch.tensor([ids]))[0], wanted, atol=1e-4, rtol=1e-4)
        for start, end in ((0, 40), (40, 41), (41, 70)):
            out = model(torch.tensor([ids[start:end]]), cache)[0]
            torch.testing.assert_close(out, wanted[start:end], atol=1e-4, rtol=1e-4)


def lean_equals(folder: Path, ids: list[int], wanted: torch.Tensor) -> None:
    net = Lean(folder)
    rows = net.rows()

    def close(row: int, some: list[int], at: int) -> None:
        torch.testing.assert_close(net.run([Piece(row, some)], rows)[0][0], wanted[at], atol=1e-4, rtol=1e-4)

    close(rows.take(), ids, 69)
    row = rows.take()
    close(row, ids[:40], 39)
    for at in range(40, 50):
        close(row, [ids[at]], at)
    close(row, ids[50:], 69)
    copy = rows.take()
    rows.append(copy, rows.read(row, 0, 45, net.dtype))
    close(copy, [ids[45]], 45)
    rows.lengths[row] = 60
    close(row, ids[60:61], 60)
    assert (rows.lengths[copy], rows.lengths[row]) == (46, 61)


def test_bfloat16_weights_load_and_run_in_fp32_where_the_cpu_has_none(
    qwen3_folder: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors.torch import load_file, save_file

    folder = qwen3_folder(tmp_path)
    weights = {k: v.bfloat16() for k, v in load_file(folder / "model.safetensors").items()}
    save_file(weights, folder / "model.safetensors")
    monkeypatch.setattr("llmos.kernel.checkpoint.cpu_has_bf16", lambda: False)
    net = Lean(folder)
    assert net.info.dtype == "float32"
    torch.testing.assert_close(after(net, [1, 2, 3]), reference(folder, [1, 2, 3])[2], atol=1e-4, rtol=1e-4)
    assert choose_dtype("cuda", torch.bfloat16) == torch.bfloat16
    assert choose_dtype("cpu", torch.float32) == torch.float32


def test_sharded_weights_are_found(qwen3_folder: Callable[..., Path], tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    whole = qwen3_folder(tmp_path / "whole")
    shards = qwen3_folder(tmp_path / "shards")
    weights = load_file(shards / "model.safetensors")
    (shards / "model.safetensors").unlink()
    for n, names in enumerate((sorted(weights)[::2], sorted(weights)[1::2])):
        save_file({k: weights[k] for k in names}, shards / f"model-{n}.safetensors")
    a, b = Lean(whole), Lean(shards)
    assert torch.equal(after(a, [5, 6]), after(b, [5, 6]))


def test_what_cannot_be_loaded_says_why_in_one_line(qwen3_folder: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"config\.json cannot be read"):
        Lean(tmp_path)
    folder = qwen3_folder(tmp_path / "a")
    (folder / "config.json").write_text("{oops", encoding="utf-8")
    with pytest.raises(ModelError, match="is not JSON"):
        Lean(folder)
    folder = qwen3_folder(tmp_path / "b")
    (folder / "model.safetensors").write_bytes(b"\x00" * 100)
    with pytest.raises(ModelError, match="cannot be read"):
        Lean(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="no safetensors"):
        Lean(folder)
    folder = qwen3_folder(tmp_path / "c", num_hidden_layers=1)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 2}), encoding="utf-8")
    with pytest.raises(ModelError, match=r"lack model\.layers\.1\."):
        Lean(folder)


def test_an_interrupted_pass_leaves_the_rows_as_they_were(
    qwen3_folder: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = Lean(qwen3_folder(tmp_path))
    rows = net.rows()
    row, other = rows.take(), rows.take()
    net.run([Piece(row, [1, 2, 3])], rows)
    rows.copy(row, other)
    wanted = net.run([Piece(other, [4])], rows)[0]
    whole = net._attend

    def broken(*args: Any) -> Any:
        monkeypatch.setattr(net, "_attend", whole)
        raise KeyboardInterrupt

    monkeypatch.setattr(net, "_attend", broken)
    with pytest.raises(KeyboardInterrupt):
        net.run([Piece(row, [9, 9])], rows)
    assert rows.lengths[row] == 3
    torch.testing.assert_close(net.run([Piece(row, [4])], rows)[0], wanted)


def test_few_compiled_kernels_are_kept_unless_the_environment_says_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = "LRU_CACHE_CAPACITY", "ONEDNN_PRIMITIVE_CACHE_CAPACITY"
    monkeypatch.setenv(ours, "")
    monkeypatch.delenv(ours)
    monkeypatch.setenv(theirs, "7")
    keep_few_kernels()
    assert (os.environ[ours], os.environ[theirs]) == (KERNELS, "7")
