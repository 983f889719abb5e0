"""How well and how fast the memory finds: recall on questions with known passages, ingest, search and opening times.

``LLMOS_BENCH_CHUNKS`` sets the size of the large store (default 100,000 chunks, which takes minutes to fill); ingest is
compared with sentence-transformers where that is installed. Vectors of the large store are random clusters, of which
also is told how many of the exactly nearest ten a search by vectors finds. Opening holds the first search, but for its
query's embedding; files lie in the system's cache. ``LLMOS_BENCH_CLOCK=cpu`` counts the process's CPU seconds, for a
machine that others use. The figures, and a plot of how a search grows with the store, are saved under ``build/bench``,
after each part what is known by then.
"""

import json as jsonlib
import os
import platform
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from statistics import quantiles
from typing import TYPE_CHECKING, Any, cast

from llmos.kernel.minilm import Embedder, folder
from llmos.memory import ingest
from llmos.memory.chunks import Chunk
from llmos.memory.record import Document
from llmos.memory.store import Memory, Mode

if TYPE_CHECKING:
    from llmos.kernel.minilm import Vectors

QUESTIONS = Path(__file__).resolve().parent.parent / "tests" / "retrieval" / "documents.jsonl"
MODES: tuple[tuple[str, Mode], ...] = (("hybrid", "hybrid"), ("vector", "vectors"), ("bm25", "words"))
_BATCH, _QUERIES, _PER_DOCUMENT, _NEAREST = 256, 100, 50, 10
SAVED = Path("build/bench")
CLOCK = time.process_time if os.environ.get("LLMOS_BENCH_CLOCK") == "cpu" else time.perf_counter


def main(json: bool = False) -> int:
    """Measure and print a table, or with ``json`` one object."""
    from llmos.training.evaluate import wilson

    chunks = int(os.environ.get("LLMOS_BENCH_CHUNKS", "100000"))
    machine = f"{platform.machine()} {platform.system()}, Python {platform.python_version()}"
    made: dict[str, Any] = {"name": "memory", "machine": machine, "version": version("llmos")}
    figures: dict[str, float] = {}
    intervals: dict[str, list[float]] = {}
    made |= {"figures": figures, "intervals": intervals}
    with tempfile.TemporaryDirectory() as home:
        if QUESTIONS.is_file():
            for name, (good, count) in recall(Path(home) / "questions").items():
                figures[f"recall_at_5_{name}"] = good / count
                intervals[f"recall_at_5_{name}"] = list(wilson(good, count))
            save(made)
        figures |= ingesting()
        save(made)
        for size in sorted({min(1000, chunks), min(10_000, chunks), chunks}):
            figures |= searching(Path(home) / str(size), size)
            save(made)
    plot(figures, SAVED / "memory.png")
    if json:
        print(jsonlib.dumps(made))
    else:
        for name, value in figures.items():
            print(f"{name:36} {value:10.3f}")
        print(f"saved in {SAVED}: memory.json, memory.png")
    return 0


def save(made: dict[str, Any]) -> None:
    """Keep what is measured so far."""
    SAVED.mkdir(parents=True, exist_ok=True)
    (SAVED / "memory.json").write_text(jsonlib.dumps(made), encoding="utf-8")


def recall(home: Path) -> dict[str, tuple[int, int]]:
    """Of each way to search: how often the right passage is among the first five, of how many questions."""
    home.mkdir(parents=True)
    rows = [jsonlib.loads(line) for line in QUESTIONS.read_text(encoding="utf-8").splitlines()]
    files = home / "files"
    files.mkdir()
    for row in rows:
        (files / row["file"]).write_text(row["text"], encoding="utf-8")
    asked = [(row["file"], question, span) for row in rows for question, span in row["questions"]]
    questions = [question for _, question, _ in asked]
    model = Embedder.quick()
    known = dict(zip(questions, model.embed(questions), strict=True))

    def embed(texts: Sequence[str]) -> "Vectors":
        return known[texts[0]][None] if len(texts) == 1 and texts[0] in known else model.embed(texts)

    with Memory(home, embed, "") as memory:
        for taken in ingest.add(memory, [files]):
            if taken.problem:
                raise ValueError(taken.problem)
        return {name: (sum(_found(memory, mode, *question) for question in asked), len(asked)) for name, mode in MODES}


def _found(memory: Memory, mode: Mode, file: str, question: str, span: str) -> bool:
    hits = memory.search(question, 5, mode=mode)
    return any(hit.document.title == file and span in hit.chunk.text for hit in hits)


def ingesting(count: int = 512) -> dict[str, float]:
    """Chunks of 128 wordpieces embedded a second, and against sentence-transformers in the same run."""
    choose = random.Random(1)
    words = (
        "time",
        "year",
        "people",
        "way",
        "day",
        "man",
        "thing",
        "woman",
        "life",
        "child",
        "world",
        "school",
        "state",
    )
    texts = [" ".join(choose.choices(words, k=126)) for _ in range(count)]
    ways: dict[str, Callable[[Sequence[str]], object]] = {"own": Embedder.quick().embed}
    if find_spec("sentence_transformers") is not None:
        from importlib import import_module

        peer = import_module("sentence_transformers").SentenceTransformer(str(folder()), device="cpu")
        ways["peer"] = cast("Callable[[Sequence[str]], object]", peer.encode)
    rates: dict[str, float] = {}
    for _ in range(2):  # in turns, the better of each
        for name, embed in ways.items():
            rates[name] = max(rates.get(name, 0.0), _rate(embed, texts))
    figures = {"ingest_chunks_per_s": rates["own"]}
    if "peer" in rates:
        figures["ingest_over_sentence_transformers"] = rates["own"] / rates["peer"]
    return figures


def _rate(embed: Callable[[Sequence[str]], object], texts: Sequence[str]) -> float:
    embed(texts[:16])
    began = CLOCK()
    embed(texts)
    return len(texts) / (CLOCK() - began)


def searching(home: Path, size: int) -> dict[str, float]:
    """Milliseconds of a search with its query's embedding at a size, and seconds to open a store of it."""
    vectors, texts = _clusters(size)
    at = 0

    def given(batch: Sequence[str]) -> "Vectors":
        return vectors[at : at + len(batch)]

    with Memory(home, given) as memory:
        while at < size:
            chunks = [Chunk(next(texts)) for _ in range(min(_PER_DOCUMENT, size - at))]
            memory.add(Document(f"file:{at}", f"document {at}", str(at)), chunks)
            at += len(chunks)
    name = f"{size // 1000}k" if size >= 1000 else str(size)
    figures = {f"nearest_10_found_{name}": _nearest(home, vectors)}
    began = CLOCK()
    with Memory(home, lambda batch: vectors[: len(batch)]) as memory:
        memory.search(next(texts))
        figures["open_s"] = CLOCK() - began
    times = []
    with Memory(home) as memory:
        for _ in range(_QUERIES + 5):
            question = " ".join(next(texts).split()[:8])
            began = CLOCK()
            memory.search(question)
            times.append(1000 * (CLOCK() - began))
    cuts = quantiles(times[5:], n=20)  # the first ones load and fill caches
    return figures | {f"search_p50_ms_{name}": cuts[9], f"search_p95_ms_{name}": cuts[18]}


def _nearest(home: Path, vectors: "Vectors") -> float:
    """The share of the exactly nearest passages that a search by vectors finds, for vectors near those kept."""
    import numpy as np

    random_ = np.random.default_rng(2)
    asked = vectors[random_.integers(len(vectors), size=_QUERIES)]
    asked = (asked + 0.03 * random_.normal(size=asked.shape)).astype("f4")
    asked = asked / np.linalg.norm(asked, axis=1, keepdims=True).astype("f4")
    exact = np.argsort(-(asked @ vectors.T), axis=1)[:, :_NEAREST] + 1  # numbers in a store count from 1
    found, at = 0, 0
    with Memory(home, lambda batch: asked[at : at + 1]) as memory:
        for at in range(_QUERIES):
            hits = memory.search("any", _NEAREST, mode="vectors")
            found += len({hit.id for hit in hits} & set(exact[at].tolist()))
    return found / exact.size


def plot(figures: dict[str, float], path: Path) -> None:
    """Draw how the times of a search grow with the store."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    for name, label in (("search_p50_ms_", "median"), ("search_p95_ms_", "95th percentile")):
        sizes = {key.removeprefix(name): value for key, value in figures.items() if key.startswith(name)}
        points = sorted((float(k.removesuffix("k")) * (1000 if k.endswith("k") else 1), v) for k, v in sizes.items())
        axes.plot(*zip(*points, strict=True), marker="o", label=label)
    axes.set(xscale="log", xlabel="passages", ylabel="milliseconds of a search, its query embedded", ylim=(0, None))
    axes.legend()
    figure.savefig(path, dpi=150)


def _clusters(size: int) -> "tuple[Vectors, Iterator[str]]":
    """Clustered vectors of unit length, and texts whose words are as rare as in a language."""
    import numpy as np

    random_ = np.random.default_rng(1)
    centres = random_.normal(size=(max(20, size // 200), 384))
    made = (centres[random_.integers(len(centres), size=size)] + 0.7 * random_.normal(size=(size, 384))).astype("f4")
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    share = 1 / np.arange(10, 30_010)
    share /= share.sum()

    def texts() -> Iterator[str]:
        while True:
            for row in random_.choice(30_000, size=(_BATCH, 90), p=share):
                yield " ".join(f"w{n}" for n in row)

    return made, texts()


if __name__ == "__main__":
    raise SystemExit(main())
