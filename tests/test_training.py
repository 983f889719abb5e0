"""The recipe: generator, packing, optimiser and a whole tiny training run."""

import json
import random
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from llmos.kernel.codec import Codec
from llmos.kernel.qwen3 import Qwen3, Qwen3Config
from llmos.kernel.types import ToolCall
from llmos.kernel.wire import render_training
from llmos.training import phrasebook, plots, tables
from llmos.training.dialogues import dialogues, system_message, tools
from llmos.training.loop import LENGTH, Budget, pack, train
from llmos.training.optim import orthogonalise
from llmos.training.pretrain import english
from llmos.training.tokenizer import CONTROL
from llmos.training.tokenizer import train as train_tokenizer

EVAL = Path(__file__).parent.parent / "training" / "eval"


def test_every_phrase_file_has_its_slots_filled() -> None:
    for kind in ("calc_arith", "calc_word", "calc_dates", "calc_units"):
        for line in phrasebook.lines(kind):
            request, expression = line.split(" => ")
            assert phrasebook.slots(expression) <= phrasebook.slots(request), line
            values = phrasebook.number_slots(phrasebook.slots(request), random.Random(0))
            assert "{" not in phrasebook.fill(request, {k: v.said for k, v in values.items()})


def test_dialogues_are_reproducible_and_whole() -> None:
    first, second = list(dialogues(150, 3)), list(dialogues(150, 3))
    assert first == second
    for messages in first:
        assert messages[0].role == "user"
        assert messages[-1].role == "assistant"
        assert not messages[-1].calls
        for call in (c for m in messages for c in m.calls):
            assert isinstance(call, ToolCall)
            assert call.name in {t.name for t in tools()}


def bare(text: str) -> str:
    """Letters, digits and spaces alone, in lower case."""
    return re.sub(r"[^a-z0-9 ]", "", text.lower()).strip()


def test_no_evaluation_request_is_a_training_phrase() -> None:
    trained = {
        bare(str(p)) for name in ("direct", "facts", "python") for e in phrasebook.entries(name) for p in e["prompts"]
    }
    for path in phrasebook.FOLDER.glob("*.txt"):
        trained |= {bare(line.split(" => ")[0]) for line in phrasebook.lines(path.stem) if "{" not in line}
    asked = set()
    for file in EVAL.glob("*.jsonl"):
        for line in file.read_text(encoding="utf-8").splitlines():
            item = json.loads(line)
            asked |= {bare(turn["prompt"]) for turn in item.get("turns", [item])}
    assert len(asked) > 300
    assert not asked & trained, sorted(asked & trained)


def test_plot_code_of_every_kind_names_columns_of_the_table() -> None:
    rng = random.Random(1)
    made = 0
    while made < 200:
        table = tables.synthetic(rng)
        plot = plots.draw(table, rng)
        if plot is None:
            continue
        made += 1
        assert f"load({plots.q(table.file)})" in plot.code
        assert any(plots.q(c.name) in plot.code for c in table.columns)


def test_packing_keeps_every_token_and_keeps_documents_apart() -> None:
    rng = random.Random(2)
    documents = [([n % 60000] * rng.randint(5, 300), [True] * 300) for n in range(300)]
    documents = [(ids, counts[: len(ids)]) for ids, counts in documents]
    rows = pack(documents)
    assert rows.ids.shape[1] == LENGTH
    assert int((rows.segment > 0).sum()) == sum(len(ids) for ids, _ in documents)
    assert (rows.segment > 0).mean() > 0.85


def test_orthogonalised_updates_have_singular_values_near_one() -> None:
    values = torch.linalg.svdvals(orthogonalise(torch.randn(2, 48, 96), steps=5))
    assert values.min() > 0.5
    assert values.max() < 1.5


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("tiny")
    train_tokenizer(out, None, 2048, 0)
    return out


def test_the_tokenizer_gives_digits_one_token_each_and_controls_one_id(tiny: Path) -> None:
    codec = Codec.load(tiny)
    assert len(codec.encode("1234567")) == 7
    assert sorted(codec.control) == sorted(CONTROL)
    assert codec.control_ids.isdisjoint(codec.encode("<|im_start|>system <tool_call>"))
    text = "naïve café, 3.14 → 東京 \n\tend"
    assert codec.decode(codec.encode(text)) == text


def test_a_tiny_training_run_learns_stops_and_resumes(tiny: Path, tmp_path: Path) -> None:
    codec = Codec.load(tiny)
    made = [render_training([system_message(), *m], tools(), codec) for m in dialogues(120, 5)]
    rows = pack(made)
    torch.manual_seed(0)
    config = Qwen3Config(codec.size, 32, 64, 2, 2, 2, 16)
    train(Qwen3(config), rows, tmp_path, Budget(minutes=0.12, rows=2), seed=0, compiled=False)
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert log[-1]["loss"] < log[0]["loss"]
    assert (tmp_path / "model.safetensors").exists()
    steps = torch.load(tmp_path / "state.pt", weights_only=True)["step"]
    train(Qwen3(config), rows, tmp_path, Budget(minutes=0.14, rows=2), seed=0, compiled=False)
    assert torch.load(tmp_path / "state.pt", weights_only=True)["step"] > steps


def test_english_without_a_corpus_is_made_of_the_phrases(tiny: Path) -> None:
    from tokenizers import Tokenizer

    rows = english(Tokenizer.from_file(str(tiny / "tokenizer.json")), None, 20_000, 0)
    assert rows.ids.size >= 15_000
    assert np.array_equal(rows.loss, rows.segment > 0)
