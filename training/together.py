"""``python -m llmos.training together``: trains all parts of the kernel beside each other, for a GPU lent for minutes.

The ranker with its solver learns in a process of its own; other processes write dialogues and thoughts, and the model
learns from what lies there so far, from ``--start`` on. When the time is over each part leaves what it has: the
checkpoint in ``out/tuned``, the ranker in ``out/ranker.safetensors``.
"""

import hashlib
import os
import random
import time
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer

from llmos.kernel.codec import Codec
from llmos.kernel.recall import Recall, Taught
from llmos.training import rank, recall
from llmos.training.copying import copy_rows
from llmos.training.finetune import Scribe, laid
from llmos.training.loop import Batch, Budget, Rows, joined, step_tokens, train
from llmos.training.phrasebook import FOLDER
from llmos.training.pretrain import english
from llmos.training.stories import stories, written
from llmos.training.thoughts import thought_rows

SHARES = {"talk": 0.64, "thought": 0.28, "plain": 0.08}  # of the steps, by what the rows hold
TALKS, THOUGHTS, PLAIN = 600, 1500, 3000  # dialogues or rows of one file
LOOKED = 100  # steps from one look for new rows to the next
PEAK, FALL = 1.5e-3, 0.7  # half the rate of a new model, and the share of the time over which it falls
SAVING = 12.0  # seconds at the end


class Heap:
    """Rows that others go on adding to: files ``out/rows/KIND-LENGTH-….npz``."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._seen = folder, set[Path]()
        self.rows: dict[str, dict[int, Rows]] = {kind: {} for kind in SHARES}

    def look(self) -> None:
        """Take up the files that are new."""
        new: dict[tuple[str, int], list[Rows]] = {}
        for path in sorted(self._folder.glob("*.npz")):
            if path not in self._seen:
                self._seen.add(path)
                name, size = path.stem.split("-")[:2]
                with np.load(path) as saved:
                    new.setdefault((name, int(size)), []).append(Rows(**saved))
        for (kind, length), parts in new.items():
            had = self.rows[kind].get(length)
            self.rows[kind][length] = joined([*([had] if had is not None else []), *parts])

    def batches(self, seed: int) -> Iterator[Batch]:
        """Endless batches of one size for each length; kinds by :data:`SHARES`, lengths by their tokens."""
        chooser, places = random.Random(seed), np.random.default_rng(seed)
        step = 0
        while True:
            if step % LOOKED == 0:
                self.look()
            step += 1
            kinds = [kind for kind, there in self.rows.items() if there]
            (kind,) = chooser.choices(kinds, [SHARES[k] for k in kinds])
            (rows,) = chooser.choices([*self.rows[kind].values()], [r.ids.size for r in self.rows[kind].values()])
            size = max(1, step_tokens() // rows.length)
            yield rows.batch(np.sort(places.choice(len(rows.ids), size, replace=len(rows.ids) < size)))

    def samples(self) -> list[Rows]:
        """Some rows of each length there is."""
        return [*{length: rows for kind in self.rows.values() for length, rows in kind.items()}.values()]


def kept(rows: Rows, folder: Path, kind: str, name: str) -> None:
    """Write rows, whole or not at all."""
    if len(rows.ids):
        path = folder / f"{kind}-{rows.length}-{name}.npz"
        with path.with_suffix(".part").open("wb") as file:
            np.savez(file, **vars(rows))
        path.with_suffix(".part").rename(path)


def write_talks(
    start: Path, corpus: Path | None, folder: Path, seed: int, until: float, known: Path, share: int = TALKS
) -> None:
    """Write dialogues around what is ``known``, file after file."""
    torch.set_num_threads(1)
    scribe = Scribe(start, corpus, seed, Recall.load(known).taught)
    for n in range(1_000_000):
        short, long = scribe.write(share, seed + 1000 * (n + 1))
        for rows in laid(short, long, scribe.codec, seed + n):
            kept(rows, folder, "talk", f"{seed}-{n}")
        if time.time() > until:
            return


def write_thoughts(start: Path, folder: Path, seed: int, until: float, share: int = THOUGHTS) -> None:
    """Write thoughts, file after file."""
    torch.set_num_threads(1)
    codec = Codec.load(start)
    for n in range(1_000_000):
        kept(thought_rows(codec, share, seed + 1000 * (n + 1)), folder, "thought", f"{seed}-{n}")
        if time.time() > until:
            return


def write_plain(start: Path, corpus: Path | None, folder: Path, seed: int, count: int = PLAIN) -> None:
    """Write plain English and copying, once."""
    torch.set_num_threads(1)
    length = 512
    told = english(Tokenizer.from_file(str(start / "tokenizer.json")), corpus, count * length // 2, seed + 1)
    kept(joined([told, copy_rows(Codec.load(start), count // 2, seed + 2)]), folder, "plain", f"{seed}")


def prepared(corpus: Path | None, out: Path) -> tuple[list[Taught], list[Taught]]:
    """What is taught, and word problems beside it: read once and kept in ``out``, until a phrase changes."""
    known, told, of = (out / "rank" / name for name in ("known.jsonl.gz", "told.jsonl.gz", "of.txt"))
    phrases = hashlib.sha256(str(corpus).encode())
    for path in sorted(FOLDER.iterdir()):
        phrases.update(path.name.encode() + path.read_bytes())
    if not of.exists() or of.read_text(encoding="utf-8") != phrases.hexdigest():
        known.parent.mkdir(parents=True, exist_ok=True)
        of.unlink(missing_ok=True)
        recall.write(known)
        recall.write(told, [*written(), *(stories(corpus) if corpus else ())])
        of.write_text(phrases.hexdigest(), encoding="utf-8")  # the last, so that what it tells of is whole
    return [*Recall.load(known).taught], [*Recall.load(told).taught]


def learn_to_rank(corpus: Path | None, out: Path, seed: int, until: float, plan: rank.Recipe | None = None) -> None:
    """Train ranker and solver until then, and write them."""
    torch.set_num_threads(2)
    known, told = prepared(corpus, out)
    # The steps of the recipe take longer than any lease; the rate falls by the time alone.
    weights = rank.train(known, out / "rank", seed, replace(plan or rank.recipe(), until=until), told)
    rank.write(weights, known, out / "ranker.safetensors")
    print("ranker: written", flush=True)


def together(start: Path, corpus: Path | None, out: Path, minutes: float, writers: int, seed: int) -> None:
    """All of it; ``writers`` processes write. Raises RuntimeError where nothing was written to learn from, or where
    the ranker came to no end; the model is written by then."""
    until = time.time() + minutes * 60 - SAVING
    folder = out / "rows"
    folder.mkdir(parents=True, exist_ok=True)
    prepared(corpus, out)
    known = out / "rank" / "known.jsonl.gz"
    spawn = get_context("spawn")
    jobs = [spawn.Process(target=learn_to_rank, args=(corpus, out, seed, until), name="ranker")]
    jobs += [
        spawn.Process(target=write_talks, args=(start, corpus, folder, seed + 10 + n, until, known), daemon=True)
        for n in range(max(1, writers - 1))
    ]
    jobs.append(spawn.Process(target=write_thoughts, args=(start, folder, seed + 100, until), daemon=True))
    jobs.append(spawn.Process(target=write_plain, args=(start, corpus, folder, seed + 200), daemon=True))
    for job in jobs:
        job.start()
    try:
        learn(start, folder, out / "tuned", until, seed)
        jobs[0].join(60)
        if jobs[0].exitcode != 0:
            raise RuntimeError("the ranker was not written; what it learnt so far is in " + str(out / "rank"))
    finally:
        for job in jobs:
            job.terminate()


def learn(start: Path, folder: Path, out: Path, until: float, seed: int) -> None:
    """Train the model in ``start`` on what lies in ``folder`` until then; leaves a checkpoint in ``out``."""
    import json
    import shutil

    from safetensors.torch import load_file

    from llmos.kernel.qwen3 import Qwen3, Qwen3Config

    out.mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        shutil.copy(start / name, out / name)
    model = Qwen3(Qwen3Config.from_json(json.loads((start / "config.json").read_text(encoding="utf-8"))))
    model.load_state_dict({k: v.float() for k, v in load_file(start / "model.safetensors").items()}, strict=False)
    heap = Heap(folder)
    while not (heap.rows["talk"] and heap.rows["thought"]):
        if time.time() > until:
            raise RuntimeError("nothing was written in that time; give more minutes")
        time.sleep(0.5)
        heap.look()
    print(f"learning begins, {until - time.time():.0f} s are left", flush=True)
    left = (until - time.time()) / 60
    budget = Budget(left, peak=PEAK, fall=FALL, save_every=1e9, until=time.monotonic() + left * 60)
    train(model, heap.samples(), out, budget, seed, batches=heap.batches(seed))
    seen = {kind: sum(len(r.ids) for r in there.values()) for kind, there in heap.rows.items()}
    print(f"learnt from rows of {seen}; {os.cpu_count()} cores", flush=True)
