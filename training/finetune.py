"""Fine-tuning on assistant dialogues with tool calls; only what the kernel itself says counts in the loss."""

import json
import random
import shutil
from pathlib import Path

import numpy as np
import torch

from llmos.kernel.codec import Codec
from llmos.kernel.qwen3 import Qwen3, Qwen3Config
from llmos.kernel.wire import render_training
from llmos.training.copying import copy_rows
from llmos.training.dialogues import dialogues, system_message, tools
from llmos.training.loop import Budget, Rows, pack, train
from llmos.training.pretrain import english

ENGLISH = 0.06  # share of plain English kept in, so that what was learnt from it stays
COPYING = 0.12  # share of rows that teach copying alone


def encode(codec: Codec, count: int, seed: int, corpus: Path | None) -> Rows:
    """``count`` dialogues as packed rows."""
    made = []
    for number, messages in enumerate(dialogues(count, seed, corpus)):
        made.append(render_training([system_message(), *messages], tools(), codec))
        if number % 2000 == 1999:
            print(f"  {number + 1:,} dialogues", flush=True)
    return pack(made)


def with_extras(rows: Rows, out: Path, corpus: Path | None, seed: int) -> Rows:
    """The rows with shares of plain English and of copying mixed in."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(out / "tokenizer.json"))
    plain = english(tokenizer, corpus, int(rows.ids.size * ENGLISH), seed + 1)
    copied = copy_rows(Codec.load(out), int(len(rows.ids) * COPYING), seed + 2)
    parts = (rows, plain, copied)
    return Rows(*(np.concatenate([getattr(r, name) for r in parts]) for name in ("ids", "loss", "segment")))


def prepared(out: Path, corpus: Path | None, count: int, seed: int) -> Rows:
    """The training rows, made once and kept in ``out/dialogues.npz``."""
    cache = out / "dialogues.npz"
    if not cache.exists():
        rows = with_extras(encode(Codec.load(out), count, seed, corpus), out, corpus, seed)
        np.savez(cache, ids=rows.ids, loss=rows.loss, segment=rows.segment)
    with np.load(cache) as saved:
        return Rows(saved["ids"], saved["loss"], saved["segment"])


def finetune(pretrained: Path, out: Path, corpus: Path | None, count: int, minutes: float, seed: int) -> None:
    """Fine-tune the checkpoint in ``pretrained`` into ``out``; resumes there when it was stopped."""
    from safetensors.torch import load_file

    out.mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        shutil.copy(pretrained / name, out / name)
    torch.manual_seed(seed)
    random.seed(seed)
    model = Qwen3(Qwen3Config.from_json(json.loads((out / "config.json").read_text(encoding="utf-8"))))
    model.load_state_dict(load_file(pretrained / "model.safetensors"), strict=False)
    data = prepared(out, corpus, count, seed)
    print(f"{len(data.ids):,} rows, {int(data.loss.sum()):,} tokens count in the loss", flush=True)
    train(model, data, out, Budget(minutes=minutes, peak=2e-3), seed)
