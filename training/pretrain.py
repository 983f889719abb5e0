"""Next-word prediction on plain English, from word statistics as the start. Usage: see ``training/__main__.py``."""

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer

from llmos.kernel.qwen3 import Qwen3, Qwen3Config
from llmos.training.corpus import SHARES, Document, documents, packaged_text
from llmos.training.embed import word_vectors
from llmos.training.loop import LENGTH, Budget, Rows, pack, train


def control(tokenizer: Tokenizer, name: str) -> int:
    """The id of a control token. Raises KeyError when the tokenizer lacks it."""
    found = tokenizer.token_to_id(name)
    if found is None:
        raise KeyError(name)
    return found


def encode(tokenizer: Tokenizer, doc: Document) -> list[int]:
    """A document's ids; turns get their control tokens."""
    if isinstance(doc, str):
        return list(tokenizer.encode(doc, add_special_tokens=False).ids)
    start, end = control(tokenizer, "<|im_start|>"), control(tokenizer, "<|im_end|>")
    ids: list[int] = []
    for role, text in doc:
        ids += [start, *tokenizer.encode(f"{role}\n{text}", add_special_tokens=False).ids, end]
        ids += tokenizer.encode("\n", add_special_tokens=False).ids
    return ids


def english(tokenizer: Tokenizer, corpus: Path | None, tokens: int, seed: int) -> Rows:
    """Rows of about ``tokens`` tokens, the files mixed by their shares."""
    end = control(tokenizer, "<|endoftext|>")
    made: list[tuple[list[int], list[bool]]] = []
    sources = SHARES if corpus is not None else {"": 1.0}
    for name, share in sources.items():
        room = int(tokens * share)
        docs: list[Document] = documents(corpus, name, seed) if corpus is not None else list(packaged_text())
        for doc in docs:
            ids = [*encode(tokenizer, doc), end]
            for i in range(0, len(ids), LENGTH):
                piece = ids[i : i + LENGTH]
                made.append((piece, [True] * len(piece)))
            room -= len(ids)
            if room < 0:
                break
    order = torch.randperm(len(made), generator=torch.Generator().manual_seed(seed)).tolist()
    return pack([made[i] for i in order])


def fresh_model(tokenizer: Tokenizer, config: Qwen3Config, corpus: Path | None, seed: int) -> Qwen3:
    """A model at its start: small random matrices, word vectors as the embedding."""
    torch.manual_seed(seed)
    model = Qwen3(config)
    for name, p in model.named_parameters():
        if p.ndim == 2:
            torch.nn.init.normal_(p, std=0.02)
        if name.endswith(("o_proj.weight", "down_proj.weight")):
            torch.nn.init.normal_(p, std=0.02 / (2 * config.num_hidden_layers) ** 0.5)
    with torch.no_grad():
        model.model.embed_tokens.weight.copy_(word_vectors(tokenizer, corpus, config.hidden_size, seed))
    return model


def pretrain(out: Path, corpus: Path | None, config: Qwen3Config, minutes: float, seed: int) -> None:
    """Write ``config.json`` and ``model.safetensors`` into ``out``; needs the tokenizer there."""
    tokenizer = Tokenizer.from_file(str(out / "tokenizer.json"))
    (out / "config.json").write_text(json.dumps(config.to_json(), indent=2) + "\n", encoding="utf-8")
    model = Qwen3(config) if (out / "state.pt").exists() else fresh_model(tokenizer, config, corpus, seed)
    data = english(tokenizer, corpus, int(minutes * 60 * 3000), seed)
    train(model, data, out, Budget(minutes=minutes), seed)
