"""Training beside each other: rows that go on being written are learnt from, and each part leaves what it has."""

import gzip
import json
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from llmos.kernel.qwen3 import Qwen3
from llmos.training import recall, together
from llmos.training.__main__ import shape
from llmos.training.loop import LENGTH, Rows, save_weights, step_tokens
from llmos.training.together import Heap, kept, learn, write_plain, write_thoughts

KERNEL = Path(__file__).parent.parent / "kernel" / "weights"


def some(count: int, first: int) -> Rows:
    """Rows of one number each."""
    form = (count, LENGTH)
    ids = np.full(form, first, np.uint16)
    zeros = np.zeros(form, np.uint8)
    return Rows(ids, np.ones(form, np.bool_), zeros, zeros, np.zeros(form, np.uint16))


def test_rows_that_come_later_are_learnt_from_too(tmp_path: Path) -> None:
    heap = Heap(tmp_path)
    heap.look()
    assert not heap.samples()
    kept(some(2, 5), tmp_path, "talk", "1-0")
    heap.look()
    batches = heap.batches(0)
    assert set(next(batches)[0].flatten().tolist()) == {5}
    kept(some(3, 7), tmp_path, "thought", "1-0")
    kept(some(3, 9), tmp_path, "talk", "1-1")
    seen = {number for _ in range(3 * together.LOOKED) for number in next(batches)[0].flatten().tolist()}
    assert seen == {5, 7, 9}
    assert next(batches)[0].numel() == step_tokens()


def test_a_file_half_written_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "talk-512-1-0.part").write_bytes(b"half")
    Heap(tmp_path).look()


def test_a_model_learns_on_from_what_was_written(tmp_path: Path) -> None:
    torch.manual_seed(0)
    start, rows = tmp_path / "start", tmp_path / "rows"
    start.mkdir()
    rows.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (start / name).write_bytes((KERNEL / name).read_bytes())
    config = shape(64, 1)
    (start / "config.json").write_text(json.dumps(config.to_json()), encoding="utf-8")
    save_weights(Qwen3(config), start / "model.safetensors")
    write_thoughts(start, rows, 1, 0.0, share=4)
    write_plain(start, None, rows, 2, count=4)
    kept(some(4, 11), rows, "talk", "3-0")
    learn(start, rows, tmp_path / "tuned", time.time() + 25, 0)
    before, after = (load_file(folder / "model.safetensors") for folder in (start, tmp_path / "tuned"))
    name = "model.layers.0.mlp.down_proj.weight"
    assert before.keys() == after.keys()
    assert not torch.equal(before[name], after[name])
    assert json.loads((tmp_path / "tuned" / "config.json").read_text(encoding="utf-8"))["hidden_size"] == 64


def test_what_is_taught_is_read_again_when_a_phrase_changed_or_it_broke_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phrases, read = tmp_path / "phrases", list[str]()
    phrases.mkdir()
    (phrases / "calc.txt").write_text("one")
    monkeypatch.setattr(together, "FOLDER", phrases)

    def write(path: Path, known: object = None) -> None:
        if read == ["known.jsonl.gz"]:
            read.append("broken")
            raise KeyboardInterrupt
        read.append(path.name)
        path.write_bytes(gzip.compress(json.dumps(["say", (phrases / "calc.txt").read_text(), "yes"]).encode()))

    monkeypatch.setattr(recall, "write", write)
    monkeypatch.setattr(together, "written", list)
    with pytest.raises(KeyboardInterrupt):
        together.prepared(None, tmp_path)
    for text, times in (("one", 1), ("one", 1), ("two", 2)):
        (phrases / "calc.txt").write_text(text)
        assert [t.pattern for part in together.prepared(None, tmp_path) for t in part] == [text, text]
        assert read[2:] == ["known.jsonl.gz", "told.jsonl.gz"] * times
