"""The recipe: generator, packing, optimiser and a whole tiny training run."""

import itertools
import json
import random
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from llmos.kernel.codec import Codec
from llmos.kernel.qwen3 import Qwen3, Qwen3Config
from llmos.kernel.types import ToolCall
from llmos.training import phrasebook, plots, tables
from llmos.training.__main__ import shape
from llmos.training.copying import copy_rows
from llmos.training.dialogues import dialogues, tools
from llmos.training.finetune import encode
from llmos.training.loop import (
    LENGTH,
    Budget,
    Document,
    Rows,
    families,
    feature_function,
    loss_of,
    mixed,
    pack,
    train,
)
from llmos.training.optim import orthogonalise
from llmos.training.pretrain import english
from llmos.training.start import start
from llmos.training.tokenizer import CONTROL
from llmos.training.tokenizer import train as train_tokenizer

EVAL = Path(__file__).parent.parent / "training" / "eval"


def test_every_phrase_file_has_its_slots_filled() -> None:
    for kind in ("calc_arith", "calc_word", "calc_school", "calc_dates", "calc_units"):
        for line in phrasebook.lines(kind):
            request, expression = line.split(" => ")
            assert phrasebook.slots(expression) <= phrasebook.slots(request), line
            values = phrasebook.number_slots(phrasebook.slots(request), random.Random(0))
            assert "{" not in phrasebook.fill(request, {k: v.said for k, v in values.items()})


def test_dialogues_are_reproducible_and_whole() -> None:
    first, second = list(dialogues(150, 3)), list(dialogues(150, 3))
    assert first == second
    assert any(len(group) > 2 for group in first)
    for messages in (messages for group in first for messages in group):
        assert messages[0].role == "user"
        assert messages[-1].role == "assistant"
        assert not messages[-1].calls
        for call in (c for m in messages for c in m.calls):
            assert isinstance(call, ToolCall)
            assert call.name in {t.name for t in tools(paints=True)}


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


def a_document(rng: random.Random, stem: list[int], most: int) -> Document:
    """The stem, then random ids, of which all but the first count."""
    own = [rng.randrange(2000) for _ in range(rng.randint(2, most))]
    return [*stem, *own], [False] * (len(stem) + 1) + [True] * (len(own) - 1)


def test_packing_keeps_every_token_once_and_what_is_shared_once_a_family() -> None:
    rng = random.Random(2)
    prefix = [7, 8, 9]
    items, own = [], 0
    for n in range(120):
        stem = [*prefix, *([3000 + n] * rng.randint(0, 40))]
        documents = [a_document(rng, stem, 150) for _ in range(rng.randint(1, 4))]
        own += sum(len(ids) - len(stem) for ids, _ in documents)
        items += families(documents, len(prefix), LENGTH - len(prefix))
    rows = pack(items, LENGTH, prefix)
    assert rows.length == LENGTH
    assert (rows.ids[:, :3] == prefix).all()
    assert int(((rows.ids < 3000) & (rows.family > 0) & (rows.family < 255)).sum()) == own
    assert (rows.family == 255).mean() < 0.15


def test_a_packed_document_is_computed_as_if_it_stood_alone() -> None:
    rng = random.Random(5)
    prefix, stem = [7, 8, 9], [7, 8, 9, 11, 12]
    documents = [a_document(rng, stem, 20) for _ in range(3)]
    items = [*families(documents, 3, 100), *families([a_document(rng, prefix, 30)], 3, 100)]
    rows = pack(items, 100, prefix, seed=1)
    torch.manual_seed(0)
    model = Qwen3(Qwen3Config(2048, 32, 64, 2, 2, 2, 16))
    batch = next(rows.batches(0))
    ids, asked, family, branch, position = batch
    hidden = feature_function(model, compiled=False)(ids, family, branch, position)
    # A row may begin further on in the window, where distances to the prefix differ; this one does not.
    assert int(position[0][family[0] == 1].min()) == len(prefix)
    for number, (whole, _) in enumerate(documents, 1):
        alone = model.hidden(torch.tensor([whole]))[0, len(stem) :]
        packed = hidden[0][(family[0] == 1) & (branch[0] == number)]
        torch.testing.assert_close(packed, alone, rtol=1e-4, atol=1e-5)
    expected = sum(sum(c) for _, c in documents) + sum(items[-1].branches[0][1])
    assert len(asked) == expected
    nexts = batch[0].flatten()[asked + 1].tolist()
    assert nexts == rows.ids.flatten()[np.flatnonzero(rows.loss)].tolist()


def test_a_model_starts_out_copying_what_followed_before(tiny: Path) -> None:
    codec = Codec.load(tiny)
    config = Qwen3Config(codec.size, 256, 64, 2, 4, 4, 64, rope_theta=1e6)
    model = Qwen3(config)
    start(model, torch.randn(codec.size, 256) * 0.02, seed=0)
    rows = copy_rows(codec, 6, 3)
    with torch.no_grad():
        loss = loss_of(model, feature_function(model, compiled=False), next(rows.batches(0)))
        start_plain(model)
        plain = loss_of(model, feature_function(model, compiled=False), next(rows.batches(0)))
    assert loss < 0.75 * plain


def start_plain(model: Qwen3) -> None:
    """The usual start."""
    for p in model.parameters():
        if p.ndim == 2:
            p.normal_(std=0.02)


def test_orthogonalised_updates_have_singular_values_near_one() -> None:
    values = torch.linalg.svdvals(orthogonalise(torch.randn(2, 48, 96), steps=5))
    assert values.min() > 0.5
    assert values.max() < 1.5


def test_a_kernel_can_have_another_size() -> None:
    config = shape(320, 2)
    assert (config.num_attention_heads, config.head_dim, config.intermediate_size) == (5, 64, 880)
    assert shape(256, 6) == Qwen3Config(
        hidden_size=256, intermediate_size=704, num_hidden_layers=6, num_attention_heads=4, rope_theta=1e6
    )
    with pytest.raises(ValueError, match="a multiple of 64, not 300"):
        shape(300, 2)


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


def test_a_tiny_training_run_learns_stops_and_resumes(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The rate follows the time spent: half a second a step on every machine, or a fast one would hardly learn.
    ticks = itertools.count()
    monkeypatch.setattr("llmos.training.loop.time", SimpleNamespace(monotonic=lambda: next(ticks) / 2))
    codec = Codec.load(tiny)
    rows = encode(tiny, 120, 5, None)
    torch.manual_seed(0)
    model = Qwen3(Qwen3Config(codec.size, 32, 64, 2, 2, 2, 16))
    before = loss_over(model, rows)
    train(model, rows, tmp_path, Budget(minutes=1, peak=1e-2, steps=20), seed=0, compiled=False)
    assert loss_over(model, rows) < 0.6 * before
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in log] == [1, 20]
    assert (tmp_path / "model.safetensors").exists()
    steps = torch.load(tmp_path / "state.pt", weights_only=True)["step"]
    train(Qwen3(model.config), rows, tmp_path, Budget(minutes=1, steps=22), seed=0, compiled=False)
    assert steps == 20
    assert torch.load(tmp_path / "state.pt", weights_only=True)["step"] == 22


def loss_over(model: Qwen3, rows: list[Rows]) -> float:
    """The mean loss over the same few batches for every model."""
    features, batches = feature_function(model, compiled=False), mixed(rows, seed=1)
    with torch.no_grad():
        return sum(float(loss_of(model, features, next(batches))) for _ in range(2)) / 2


def test_english_without_a_corpus_is_made_of_the_phrases(tiny: Path) -> None:
    from tokenizers import Tokenizer

    rows = english(Tokenizer.from_file(str(tiny / "tokenizer.json")), None, 20_000, 0)
    assert rows.ids.size >= 15_000
    assert np.array_equal(rows.loss, rows.family < 255)
