"""The parts of ``llmos bench decode``: each measures one thing and gives rates, seconds or ratios by name.

Sizes by the environment, as ``decode`` tells. Knows nothing of how figures are shown or kept.
"""

import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

PROMPT, HISTORY, BRANCHES, SESSIONS = 512, 2000, 32, 16
TOKENS = int(os.environ.get("LLMOS_BENCH_TOKENS", "64"))
CLOCK = os.environ.get("LLMOS_BENCH_CLOCK", "wall")
clock = time.process_time if CLOCK == "cpu" else time.perf_counter
# A turn of tool use: the call and the answer are made of what stands before them.
CONTEXT = """Plot revenue by month of data/quarterly_revenue_2024.csv, and name the best month.
data/quarterly_revenue_2024.csv: 12 rows, columns month, revenue_kusd, customers
month,revenue_kusd,customers
2024-01,1284.50,311
2024-02,1301.75,318
2024-03,1442.20,329
"""
REPLY = """{"name": "python", "arguments": {"code": "df = load('data/quarterly_revenue_2024.csv')\\n\
ax = df.plot(x='month', y='revenue_kusd')\\nprint(df[['month', 'revenue_kusd']].max())"}}
month 2024-03, revenue_kusd 1442.20
The best month of data/quarterly_revenue_2024.csv is 2024-03 with a revenue_kusd of 1442.20 and 329 customers."""


def gemm_limit(net: Any) -> float:
    """Tokens a second of 32 branches, were there nothing but the weights' products: torch's, or the native library's
    where those are faster.
    """
    import torch

    from llmos.kernel.matrix import Matrix

    shape, runs = net.shape, []
    heads, kv = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    sizes = [(heads + 2 * kv, shape.hidden), (shape.hidden, heads)]
    sizes += [(2 * shape.inner, shape.hidden), (shape.hidden, shape.inner)]
    sizes = [*sizes * shape.layers, (shape.vocabulary, shape.hidden)]
    matrices = [Matrix(torch.randn(*size).to(net.dtype), None) for size in sizes]
    inputs = {width: torch.randn(BRANCHES, width).to(net.dtype) for _, width in sizes}

    def products() -> None:
        torch.set_num_threads(net.cores)
        for matrix, (_, width) in zip(matrices, sizes, strict=True):
            matrix(inputs[width])

    runs.append(products)
    if net.native is not None:
        runs.append(lambda: net.native.products(BRANCHES, net.cores))
    best = float("inf")
    with torch.inference_mode():
        # The native library first: torch's threads go on looking for work for a while.
        for run in [one for one in reversed(runs) for _ in range(5)]:
            began = clock()
            run()
            best = min(best, clock() - began)
    return BRANCHES / best


def timed(streams: Sequence[Iterator[Any]]) -> float:
    """Tokens a second of all together but for the first of each, from when the first of them has its first on."""
    next(streams[0])
    began, count, live = clock(), 0, list(streams)
    for stream in streams[1:]:
        next(stream)
    while live:
        for stream in list(live):
            if next(stream, None) is None:
                live.remove(stream)
            else:
                count += 1
    return count / (clock() - began)


def single(engine: Any, prompt: list[int]) -> float:
    """One greedy stream, no guessing."""
    from llmos.kernel.engine import Sampling

    return timed([engine.open(prompt).decode(Sampling(max_tokens=TOKENS))])


def single_all_cores(engine: Any, prompt: list[int]) -> float:
    """As :func:`single`, with all cores for each token, which ``lean`` leaves to one: hardly any gain for a small
    network, and a great loss where another process holds a core.
    """
    from llmos.kernel import lean

    kept, lean.WORK = lean.WORK, 0
    try:
        return single(engine, prompt)
    finally:
        lean.WORK = kept


def branches(engine: Any, prompt: list[int]) -> float:
    """32 sampled branches over one prompt."""
    from llmos.kernel.engine import Sampling

    forks = engine.open(prompt).fork(BRANCHES)
    return timed([f.decode(Sampling(max_tokens=TOKENS, temperature=1.0, seed=n)) for n, f in enumerate(forks)])


class Trace:
    """A grammar that allows one reply only, so that random weights write a turn of tool use; it forces nothing."""

    def __init__(self, ids: Sequence[int], vocabulary: int) -> None:
        self._ids, self._at, self._vocabulary = ids, 0, vocabulary

    def mask(self, room: int | None = None) -> Any:
        """See :class:`~llmos.kernel.engine.Grammar`."""
        from llmos.kernel.bits import pack

        return pack([self._ids[self._at]], self._vocabulary)

    def accept(self, token: int) -> bool:
        """See :class:`~llmos.kernel.engine.Grammar`."""
        self._at += 1
        return True

    def forced(self) -> list[int]:
        """See :class:`~llmos.kernel.engine.Grammar`."""
        return []

    def fork(self) -> "Trace":
        """See :class:`~llmos.kernel.engine.Grammar`."""
        made = Trace(self._ids, self._vocabulary)
        made._at = self._at
        return made


def lookup(engine: Any) -> float:
    """A turn of tool use with prompt lookup, after 512 tokens."""
    from llmos.kernel.codec import Codec
    from llmos.kernel.config import WEIGHTS
    from llmos.kernel.engine import Sampling

    codec = Codec.load(WEIGHTS)
    context, reply = codec.encode(CONTEXT), codec.encode(REPLY)
    branch = engine.open([*[11] * (PROMPT - len(context)), *context])
    trace = Trace(reply, engine.info.vocabulary)
    return timed([branch.decode(Sampling(max_tokens=len(reply)), trace)])


def sessions(engine: Any) -> tuple[float, float]:
    """16 sessions at once, a thread each, over 512 tokens of their own, which are read before: tokens a second of all
    together, and the longest that one waited for a token, over the mean of all.
    """
    from llmos.kernel.engine import Sampling
    from llmos.kernel.fair import speaking

    ready, count, longest = threading.Barrier(SESSIONS + 1), [0] * SESSIONS, [0.0] * SESSIONS

    def talk(n: int) -> None:
        branch = engine.open([(n * 31 + 7 * i) % 8000 for i in range(PROMPT)])
        with speaking(n):
            try:
                list(branch.decode(Sampling(max_tokens=1)))
            except BaseException:
                ready.abort()  # or the others would wait for ever
                raise
            ready.wait()
            last = time.perf_counter()
            for _ in branch.decode(Sampling(max_tokens=TOKENS)):
                now = time.perf_counter()
                longest[n], last, count[n] = max(longest[n], now - last), now, count[n] + 1

    threads = [threading.Thread(target=talk, args=(n,)) for n in range(SESSIONS)]
    for thread in threads:
        thread.start()
    ready.wait()
    began, wall = clock(), time.perf_counter()
    for thread in threads:
        thread.join()
    share = (time.perf_counter() - wall) * SESSIONS / sum(count)
    return sum(count) / (clock() - began), max(longest) / share


class _Marks:
    """Notes when each token is picked: as the last of ``generate``'s processors it changes nothing."""

    def __init__(self) -> None:
        self.at: list[float] = []

    def __call__(self, ids: Any, scores: Any) -> Any:
        self.at.append(clock())
        return scores


def peer(folder: Path, dtype: Any) -> Callable[[list[int], int], float]:
    """transformers' ``generate``: a function of the prompt and the number of sequences, to tokens a second.

    From the first token on: the prompt's own time is not counted.
    """
    import torch
    from transformers import AutoModelForCausalLM, LogitsProcessorList
    from transformers.utils import logging

    logging.disable_progress_bar()
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).eval()

    def run(prompt: list[int], n: int) -> float:
        from llmos.kernel.checkpoint import cores

        torch.set_num_threads(cores())
        ids, marks = torch.tensor([prompt]), _Marks()
        tokens = TOKENS if n == 1 else max(4, TOKENS // 4)
        model.generate(
            ids,
            max_new_tokens=tokens,
            min_new_tokens=tokens,
            do_sample=n > 1,
            num_return_sequences=n,
            attention_mask=torch.ones_like(ids),
            pad_token_id=0,
            logits_processor=LogitsProcessorList([marks]),
        )
        return n * (len(marks.at) - 1) / (marks.at[-1] - marks.at[0])

    return run


def llamacpp(folder: Path, prompt: list[int], kind: str, place: Path) -> float:
    """llama.cpp on the same weights, written as GGUF: tokens a second of one greedy stream. Raises ImportError."""
    import llama_cpp

    from llmos.kernel.checkpoint import cores
    from llmos.kernel.gguf_file import export

    path = place / f"{kind}.gguf"
    export(folder, path, kind, force=True)
    model = llama_cpp.Llama(str(path), n_ctx=2 * PROMPT, n_threads=cores(), n_threads_batch=cores(), verbose=False)
    model.eval(prompt)
    token = model.sample(temp=0.0)
    began = clock()
    for _ in range(TOKENS):
        model.eval([token])
        token = model.sample(temp=0.0)
    taken = clock() - began
    model.close()
    return TOKENS / taken


def second_turn(engine: Any) -> float:
    """Time to the first token after a history of 2,000 tokens, over the time of the first turn."""
    from llmos.kernel.engine import Sampling

    def first(ids: list[int]) -> float:
        began = clock()
        branch = engine.open(ids)
        list(branch.decode(Sampling(max_tokens=1)))
        taken = clock() - began
        branch.close()
        return taken

    history = [(13 * n) % 8000 for n in range(HISTORY)]
    cold = first(history)
    return first([*history, *range(30)]) / cold


def grammar(net: Any) -> dict[str, float]:
    """Seconds a sampled token inside a call's string without and with the grammar; seconds to compile it, and again."""
    from llmos.kernel.branches import TorchEngine
    from llmos.kernel.codec import Codec
    from llmos.kernel.config import WEIGHTS
    from llmos.kernel.engine import Sampling
    from llmos.kernel.grammar import Grammars
    from llmos.kernel.tool import Tool, ToolOutput
    from llmos.kernel.wire import CALL, EmbeddedWire

    codec = Codec.load(WEIGHTS)
    code = {"type": "object", "properties": {"code": {"type": "string"}}, "required": ["code"]}
    tool = Tool("python", "", code, lambda arguments, context: ToolOutput(""))
    grammars = Grammars(codec, EmbeddedWire(codec).form, net.info.vocabulary)
    head = [codec.id(CALL), *codec.encode('\n{"name": "python", "arguments": {"code": "')]
    branch = TorchEngine(net).open([*[11] * PROMPT, *head])

    def run(held: bool) -> float:
        rules = grammars.turn([tool]) if held else None
        if rules is not None:
            for i in head:
                rules.accept(i)
        (fork,) = branch.fork(1)
        steps = fork.decode(Sampling(max_tokens=TOKENS, temperature=1.0, seed=3), rules)
        next(steps)
        began, count = clock(), 0
        for step in steps:
            count += step.logprob != 0
        return (clock() - began) / max(1, count)

    began = time.perf_counter()
    grammars.turn([tool])
    compiled = time.perf_counter()
    grammars.turn([tool])
    again = time.perf_counter()
    times = {"grammar_compile_s": compiled - began, "grammar_cached_s": again - compiled}
    off, on = zip(*((run(False), run(True)) for _ in range(3)), strict=True)
    return {"grammar_off_s": statistics.median(off), "grammar_on_s": statistics.median(on), **times}


def first_token() -> float:
    """Seconds from the start of a process to the first token of the embedded kernel."""
    code = """if True:
        from llmos.kernel.engine import Sampling
        from llmos.kernel.local import LocalModel
        from llmos.kernel.types import Message, Part, Source
        asked = [Message("user", (Part("what is 15% of 2480?", Source("user")),))]
        next(LocalModel().reply(asked, [], Sampling(max_tokens=8)))"""
    began, before = time.perf_counter(), os.times()
    subprocess.run([sys.executable, "-c", code], check=True)
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return spent if CLOCK == "cpu" else time.perf_counter() - began
