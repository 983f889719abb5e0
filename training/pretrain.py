"""Next-word prediction on plain English, from word statistics as the start. Usage: see ``training/__main__.py``."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer

from llmos.kernel.codec import Codec
from llmos.kernel.qwen3 import Qwen3, Qwen3Config
from llmos.training.copying import copy_rows
from llmos.training.corpus import SHARES, Document, documents, packaged_text
from llmos.training.device import accelerated
from llmos.training.embed import word_vectors
from llmos.training.loop import LENGTH, Budget, Family, Rows, joined, pack, train
from llmos.training.start import start

TOGETHER = 500  # documents that are encoded at once
COPYING = 0.3  # rows that teach copying alone, as a share of the English ones
SPEED, GPU_SPEED = 2600, 600_000  # tokens a second that two CPU cores train, and a GPU


def control(tokenizer: Tokenizer, name: str) -> int:
    """The id of a control token. Raises KeyError when the tokenizer lacks it."""
    found = tokenizer.token_to_id(name)
    if found is None:
        raise KeyError(name)
    return found


def encode(tokenizer: Tokenizer, docs: Sequence[Document]) -> list[list[int]]:
    """Documents' ids; turns get their control tokens."""
    start, end = control(tokenizer, "<|im_start|>"), control(tokenizer, "<|im_end|>")
    texts = [[doc] if isinstance(doc, str) else [f"{role}\n{text}" for role, text in doc] for doc in docs]
    line, *encodings = tokenizer.encode_batch(["\n", *(t for some in texts for t in some)], add_special_tokens=False)
    pieces = iter(encodings)
    made: list[list[int]] = []
    for doc, some in zip(docs, texts, strict=True):
        ids = [list(next(pieces).ids) for _ in some]
        made.append(ids[0] if isinstance(doc, str) else [n for one in ids for n in (start, *one, end, *line.ids)])
    return made


def english(
    tokenizer: Tokenizer, corpus: Path | None, tokens: int, seed: int, kept: Callable[[int], bool] = lambda number: True
) -> Rows:
    """Rows of about ``tokens`` tokens, the files mixed by their shares; of each file, documents with numbers ``kept``.

    Raises ValueError where that leaves no text.
    """
    end = control(tokenizer, "<|endoftext|>")
    made: list[Family] = []
    sources = SHARES if corpus is not None else {"": 1.0}
    for name, share in sources.items():
        room = int(tokens * share)
        docs: list[Document] = documents(corpus, name, seed) if corpus is not None else list(packaged_text())
        docs = [doc for number, doc in enumerate(docs) if kept(number)]
        for few in (docs[i : i + TOGETHER] for i in range(0, len(docs), TOGETHER)):
            for text in encode(tokenizer, few) if room >= 0 else ():
                ids = [*text, end] if room >= 0 else []
                for i in range(0, len(ids), LENGTH):
                    piece = ids[i : i + LENGTH]
                    made.append(Family([], [(piece, [True] * len(piece))]))
                room -= len(ids)
    if not made:
        raise ValueError(f"there is no text in {corpus}")
    order = torch.randperm(len(made), generator=torch.Generator().manual_seed(seed)).tolist()
    return pack([made[i] for i in order])


def fresh_model(tokenizer: Tokenizer, config: Qwen3Config, corpus: Path | None, seed: int) -> Qwen3:
    """A model at its start."""
    model = Qwen3(config)
    start(model, word_vectors(tokenizer, corpus, config.hidden_size, seed), seed)
    return model


def pretrain(out: Path, corpus: Path | None, config: Qwen3Config, budget: Budget, seed: int) -> None:
    """Write ``config.json`` and ``model.safetensors`` into ``out``; needs the tokenizer there."""
    tokenizer = Tokenizer.from_file(str(out / "tokenizer.json"))
    (out / "config.json").write_text(json.dumps(config.to_json(), indent=2) + "\n", encoding="utf-8")
    model = Qwen3(config) if (out / "state.pt").exists() else fresh_model(tokenizer, config, corpus, seed)
    plain = english(tokenizer, corpus, int(budget.minutes * 60 * (GPU_SPEED if accelerated() else SPEED)), seed)
    copied = copy_rows(Codec.load(out), int(len(plain.ids) * COPYING), seed + 1)
    train(model, [joined([plain, copied])], out, budget, seed)
