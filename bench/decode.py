"""How fast the engine writes, beside transformers' ``generate`` in the same run, on random weights of a 30M shape.

``LLMOS_BENCH_CLOCK=cpu`` counts the process's CPU seconds instead of the wall's: for machines where others compute too
(the figures say which). Sizes by ``LLMOS_BENCH_TOKENS`` (64 a reply) and ``LLMOS_BENCH_ROUNDS`` (3).
Does not measure what is written, nor a GPU. llama.cpp is not measured here.
"""

import json as jsonlib
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from llmos.bench import _shapes

PROMPT, HISTORY, BRANCHES, SESSIONS = 512, 2000, 32, 16
TOKENS = int(os.environ.get("LLMOS_BENCH_TOKENS", "64"))
ROUNDS = int(os.environ.get("LLMOS_BENCH_ROUNDS", "3"))
CLOCK = os.environ.get("LLMOS_BENCH_CLOCK", "wall")
clock = time.process_time if CLOCK == "cpu" else time.perf_counter
GOALS = {
    "branches32_over_generate": 8.0,
    "branches32_over_gemm_limit": 0.6,
    "single_over_generate": 3.0,
    "lookup_over_generate": 6.0,
    "second_turn_ttft_over_cold": 0.1,
    "grammar_on_over_off": 1.05,
    "sessions16_tokens_per_s": 1000.0,
    "first_token_s": 3.0,
}
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


def main(json: bool = False) -> int:
    """Measure, print a table (with ``json`` one object), and save both it and a plot under ``build/bench``."""
    with tempfile.TemporaryDirectory() as place:
        figures = measure(_shapes.write(Path(place) / "llama-30m"))
    made: dict[str, Any] = {
        "name": "decode",
        "machine": f"{platform.machine()} {platform.system()}, {os.cpu_count()} cores, {CLOCK} clock",
        "version": version(),
        "figures": {k: round(v, 4) for k, v in figures.items()},
        "intervals": {},
    }
    folder = Path("build/bench")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "decode.json").write_text(jsonlib.dumps(made, indent=1), encoding="utf-8")
    plot(figures, folder / "decode.png")
    if json:
        print(jsonlib.dumps(made))
        return 0
    for name, value in made["figures"].items():
        print(f"{name:32} {value:>10}   {f'goal {GOALS[name]:g}' if name in GOALS else ''}")
    print(f"saved in {folder}: decode.json, decode.png; not measured: single_over_llamacpp, a GPU")
    return 0


def version() -> str:
    """This version of llmos."""
    from importlib.metadata import version as installed

    return installed("llmos")


def measure(folder: Path) -> dict[str, float]:
    """Every figure, in the order of its measuring: seconds, tokens a second, or ratios."""
    import torch

    from llmos.kernel.branches import TorchEngine
    from llmos.kernel.lean import Lean

    net = Lean(folder)
    prompt = torch.randint(0, 8000, (PROMPT,), generator=torch.Generator().manual_seed(1)).tolist()
    rates: dict[str, list[float]] = {}
    limit = 0.0
    peers = {str(dtype): peer(folder, dtype) for dtype in (torch.bfloat16, torch.float32)}
    for _ in range(ROUNDS):
        limit = max(limit, gemm_limit(net))
        found = {
            "single": single(TorchEngine(net), prompt),
            "lookup": lookup(TorchEngine(net, lookup=True)),
            "branches32": branches(TorchEngine(net), prompt),
            "sessions16": sessions(TorchEngine(net)),
        }
        for n, run in enumerate(peers.values()):
            found |= {f"generate_{n}": run(prompt, 1), f"generate32_{n}": run(prompt, BRANCHES)}
        for name, rate in found.items():
            rates.setdefault(name, []).append(rate)
    middle = {name: statistics.median(found) for name, found in rates.items()}
    one = max(middle["generate_0"], middle["generate_1"])
    many = max(middle["generate32_0"], middle["generate32_1"])
    off, on = grammar(net)
    return {
        "branches32_over_generate": middle["branches32"] / many,
        "branches32_over_gemm_limit": middle["branches32"] / limit,
        "single_over_generate": middle["single"] / one,
        "lookup_over_generate": middle["lookup"] / one,
        "second_turn_ttft_over_cold": statistics.median(second_turn(TorchEngine(net)) for _ in range(ROUNDS)),
        "grammar_on_over_off": on / off,
        "sessions16_tokens_per_s": middle["sessions16"],
        "first_token_s": first_token(),
        "branches32_tokens_per_s": middle["branches32"],
        "gemm_limit32_tokens_per_s": limit,
        "single_tokens_per_s": middle["single"],
        "lookup_tokens_per_s": middle["lookup"],
        "generate_tokens_per_s": one,
        "generate32_tokens_per_s": many,
        "grammar_off_ms_per_token": off * 1e3,
        "grammar_on_ms_per_token": on * 1e3,
    }


def gemm_limit(net: Any) -> float:
    """Tokens a second of 32 branches, were there nothing but the weights' products."""
    import torch

    inputs = {m: torch.randn(BRANCHES, m).to(net.dtype) for m in (net.shape.hidden, net.shape.inner)}
    heads = net.shape.heads * net.shape.head_dim
    inputs.setdefault(heads, torch.randn(BRANCHES, heads).to(net.dtype))
    best = float("inf")
    with torch.inference_mode():
        torch.set_num_threads(net.cores)
        for _ in range(5):
            began = clock()
            for layer in net.layers:
                layer.qkv(inputs[net.shape.hidden])
                layer.out(inputs[heads])
                layer.gate_up(inputs[net.shape.hidden])
                layer.down(inputs[net.shape.inner])
            net.head(inputs[net.shape.hidden])
            best = min(best, clock() - began)
    return BRANCHES / best


def timed(streams: Sequence[Iterator[Any]]) -> float:
    """Tokens a second of all together, from when each has its first on."""
    for stream in streams:
        next(stream)
    began, count = clock(), 0
    live = list(streams)
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


def sessions(engine: Any) -> float:
    """16 sessions at once, a thread each, over 512 tokens of their own."""
    from llmos.kernel.engine import Sampling
    from llmos.kernel.fair import speaking

    ready, count = threading.Barrier(SESSIONS + 1), [0] * SESSIONS

    def talk(n: int) -> None:
        with speaking(n):
            steps = engine.open([(n * 31 + 7 * i) % 8000 for i in range(PROMPT)]).decode(Sampling(max_tokens=TOKENS))
            next(steps)
            ready.wait()
            count[n] = sum(1 for _ in steps)

    threads = [threading.Thread(target=talk, args=(n,)) for n in range(SESSIONS)]
    for thread in threads:
        thread.start()
    ready.wait()
    began = clock()
    for thread in threads:
        thread.join()
    return sum(count) / (clock() - began)


def peer(folder: Path, dtype: Any) -> Callable[[list[int], int], float]:
    """transformers' ``generate``: a function of the prompt and the number of sequences, to tokens a second."""
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).eval()

    def run(prompt: list[int], n: int) -> float:
        ids = torch.tensor([prompt])

        def generate(tokens: int) -> float:
            began = clock()
            model.generate(
                ids,
                max_new_tokens=tokens,
                min_new_tokens=tokens,
                do_sample=n > 1,
                num_return_sequences=n,
                attention_mask=torch.ones_like(ids),
                pad_token_id=0,
            )
            return clock() - began

        tokens = TOKENS if n == 1 else max(4, TOKENS // 8)
        return n * (tokens - 1) / (generate(tokens) - generate(1))

    return run


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


def grammar(net: Any) -> tuple[float, float]:
    """Seconds a sampled token inside a call's string, without and with the grammar."""
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

    pairs = [(run(False), run(True)) for _ in range(ROUNDS)]
    return statistics.median(p[0] for p in pairs), statistics.median(p[1] for p in pairs)


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


def plot(figures: dict[str, float], path: Path) -> None:
    """Tokens a second, side by side."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    pairs = {k.removesuffix("_tokens_per_s"): v for k, v in figures.items() if k.endswith("_tokens_per_s")}
    figure, axes = pyplot.subplots(figsize=(7, 3.5), layout="constrained")
    axes.bar_label(axes.barh(list(pairs), list(pairs.values())), fmt="%.0f", padding=3)
    axes.set_xlabel(f"tokens a second (30M Llama shape, 512-token prompt, {CLOCK} clock)")
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


if __name__ == "__main__":
    raise SystemExit(main())
