"""Fine-tuning on assistant dialogues with tool calls; only what the kernel itself says counts in the loss."""

import json
import random
import re
import shutil
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer

from llmos.kernel.aliases import Aliases
from llmos.kernel.codec import Codec
from llmos.kernel.qwen3 import Qwen3, Qwen3Config
from llmos.kernel.recall import Recall, Taught
from llmos.kernel.scene import LACKING, TOOL
from llmos.kernel.types import Message, ToolCall
from llmos.kernel.unsaid import UNSAID
from llmos.kernel.wire import render_training
from llmos.training.copying import copy_rows
from llmos.training.device import accelerated, writers
from llmos.training.dialogues import dialogues, system_message, tools
from llmos.training.loop import LENGTH, LONG, Budget, Family, Rows, families, joined, pack, train
from llmos.training.pretrain import english
from llmos.training.recall import Lessons, taught
from llmos.training.thoughts import thought_rows

ENGLISH = 0.04  # share of plain English kept in, so that what was learnt from it stays
COPYING = 0.04  # share of rows that teach copying alone
PAINTERS = 0.5  # share of the other dialogues whose kernel has the tool for pictures
Heap = dict[bool, list[Family]]  # by whether there is a tool for pictures
# Rows that teach to propose and to judge thoughts, as a share of the dialogues' short ones: on a processor, on a GPU.
THOUGHTS, MORE_THOUGHTS = 0.06, 0.25
NUMBER = re.compile(r"(?<![\w.@~&])\d+(?:\.\d+)?")
CUT = 0.6  # share of the dialogues of one call that end with it: reading out is learnt long before calling


def encode(folder: Path, count: int, seed: int, corpus: Path | None) -> list[Rows]:
    """About ``count`` dialogues as packed rows: see :func:`laid`."""
    short, long = _heap(), _heap()
    hands = writers()
    share = [(folder, count // hands, seed + n, corpus) for n in range(hands)]
    with ProcessPoolExecutor(hands, get_context("spawn")) as pool:
        for few, many in pool.map(write, *zip(*share, strict=True)):
            for paints in (False, True):
                short[paints] += few[paints]
                long[paints] += many[paints]
    return laid(short, long, Codec.load(folder), seed)


def laid(short: Heap, long: Heap, codec: Codec, seed: int) -> list[Rows]:
    """Short and long dialogues as packed rows, behind a system turn with and without the tool for pictures."""
    order = random.Random(seed)
    rows: list[list[Rows]] = [[], []]
    for paints in (False, True):
        order.shuffle(short[paints])
        order.shuffle(long[paints])
        prefix = render_training([system_message()], tools(paints), codec)[0]
        for made, heap, length in zip(rows, (short, long), (LENGTH, LONG), strict=True):
            made.append(pack(heap[paints], length, prefix, seed=seed))
    return [joined(parts) for parts in rows]


def _heap() -> Heap:
    return {False: [], True: []}


def write(folder: Path, count: int, seed: int, corpus: Path | None) -> tuple[Heap, Heap]:
    """One writer's dialogues as ids: those that fit into short rows, and those that do not."""
    return Scribe(folder, corpus, seed).write(count, seed)


class Scribe:
    """Writes dialogues as the kernel in ``folder`` meets them."""

    def __init__(self, folder: Path, corpus: Path | None, seed: int, known: Sequence[Taught] | None = None) -> None:
        self.codec, self._corpus, self._system = Codec.load(folder), corpus, system_message()
        self._told = {paints: tools(paints) for paints in (False, True)}
        self._prefixes = {
            paints: len(render_training([self._system], told, self.codec)[0]) for paints, told in self._told.items()
        }
        self._lessons = Lessons(Recall(taught() if known is None else known), seed)

    def write(self, count: int, seed: int) -> tuple[Heap, Heap]:
        """``count`` dialogues or a few more: those that fit into short rows, and those that do not."""
        short, long = _heap(), _heap()
        done, chooser = 0, random.Random(seed)
        for group in dialogues(count, seed, self._corpus):
            for paints, talks in parted(group, chooser).items():
                heard = [
                    talk
                    for messages in talks
                    if (talk := seen([self._system, *messages], self._lessons, chooser, paints))
                ]
                documents = [render_training(talk, self._told[paints], self.codec) for talk in heard]
                if documents:
                    prefix, fits = self._prefixes[paints], max(len(ids) for ids, _ in documents) <= LENGTH
                    (short if fits else long)[paints].extend(
                        families(documents, prefix, (LENGTH if fits else LONG) - prefix)
                    )
            if (done + len(group)) // 4000 > done // 4000:
                print(f"  writer {seed}: {done + len(group):,} dialogues", flush=True)
            done += len(group)
        return short, long


def parted(group: list[list[Message]], rng: random.Random) -> dict[bool, list[list[Message]]]:
    """Dialogues by whether their kernel has the tool for pictures: as they show, else all one or the other."""
    found: dict[bool, list[list[Message]]] = {False: [], True: []}
    rest = rng.random() < PAINTERS
    for messages in group:
        paints = any(isinstance(c, ToolCall) and c.name == TOOL for m in messages for c in m.calls)
        lacks = any(m.role == "assistant" and m.text == LACKING for m in messages)
        found[paints or (rest and not lacks)].append(messages)
    return found


def seen(messages: list[Message], lessons: Lessons, rng: random.Random, paints: bool = False) -> list[Message]:
    """A dialogue as the kernel meets it, with short names and examples; now and then it ends with its only call.

    Nothing where a call needs a number that a formula's short name hides.
    """
    told = Aliases(messages, lessons, paints).messages
    if any(hidden(m) for m in told) and any("&" in m.text for m in told if m.role == "user"):
        return []
    cut = sum(len(m.calls) for m in told) == 1 and rng.random() < CUT
    return told[:3] if cut and told[2].calls else told


def hidden(message: Message) -> bool:
    """Whether a calculation of this turn has numbers that nobody said."""
    calls = (c for c in message.calls if isinstance(c, ToolCall) and c.name == "calculator")
    return any(set(NUMBER.findall(str(c.arguments["expression"]))) - UNSAID for c in calls)


def with_extras(rows: Rows, out: Path, corpus: Path | None, seed: int) -> Rows:
    """The rows with shares of plain English, of copying and of thoughts mixed in."""
    tokenizer = Tokenizer.from_file(str(out / "tokenizer.json"))
    plain = english(tokenizer, corpus, int(rows.ids.size * ENGLISH), seed + 1)
    copied = copy_rows(Codec.load(out), int(len(rows.ids) * COPYING), seed + 2)
    thoughts = thought_rows(
        Codec.load(out), int(len(rows.ids) * (MORE_THOUGHTS if accelerated() else THOUGHTS)), seed + 3
    )
    return joined([rows, plain, copied, thoughts])


def prepared(out: Path, corpus: Path | None, count: int, seed: int) -> list[Rows]:
    """The training rows, made once and kept in ``out/rows-*.npz``."""
    caches = [out / f"rows-{length}.npz" for length in (LENGTH, LONG)]
    if not all(cache.exists() for cache in caches):
        short, long = encode(out, count, seed, corpus)
        for cache, rows in zip(caches, (with_extras(short, out, corpus, seed), long), strict=True):
            np.savez(cache, **vars(rows))
    made = []
    for cache in caches:
        with np.load(cache) as saved:
            made.append(Rows(**saved))
    return [rows for rows in made if len(rows.ids)]


def finetune(pretrained: Path, out: Path, corpus: Path | None, count: int, budget: Budget, seed: int) -> None:
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
    tokens, counted = sum(r.ids.size for r in data), sum(int(r.loss.sum()) for r in data)
    print(f"{tokens:,} tokens, {counted:,} of them count in the loss", flush=True)
    train(model, data, out, budget, seed)
