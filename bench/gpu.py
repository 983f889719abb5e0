"""How near the engine comes to what a GPU's memory allows: a random checkpoint of Qwen3-8B's shape in bf16, made on it.

One greedy stream after 512 tokens, and 64 sampled branches over one prompt of 2,000, through the engine as it is used.
The limit is the bytes of the weights that a token needs, over the copy bandwidth measured in the same run (bytes read
and written). The table and the JSON are told anew after each part, and a part that fails takes no other with it.
``LLMOS_BENCH_SECONDS`` (50): no part begins after that. ``LLMOS_BENCH_SHAPE=tiny`` tries the whole on any machine,
``LLMOS_BENCH_FOLDER`` (build/bench) is where the JSON goes.
Does not measure what is written, nor transformers.
"""

import json as jsonlib
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

BEGAN = time.monotonic()
SECONDS = float(os.environ.get("LLMOS_BENCH_SECONDS", "50"))
QWEN3_8B: dict[str, Any] = {
    "model_type": "qwen3",
    "vocab_size": 151936,
    "hidden_size": 4096,
    "intermediate_size": 12288,
    "num_hidden_layers": 36,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "max_position_embeddings": 40960,
    "rms_norm_eps": 1e-6,
    "rope_parameters": {"rope_type": "default", "rope_theta": 1e6},
    "tie_word_embeddings": False,
}
TINY = QWEN3_8B | {
    "vocab_size": 2048,
    "hidden_size": 128,
    "intermediate_size": 256,
    "num_hidden_layers": 3,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "head_dim": 32,
}
PROMPT, SHARED, BRANCHES, TOKENS = 512, 2000, 64, 128
GOALS = {"single_over_limit": 0.7, "branches64_over_single": 20.0}
Figures = dict[str, float]


def main(json: bool = False) -> int:
    """Measure, print a table (with ``json`` one object) and save it as ``gpu.json``; 1 without figures."""
    import torch

    folder = Path(os.environ.get("LLMOS_BENCH_FOLDER", "build/bench"))
    folder.mkdir(parents=True, exist_ok=True)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu" and os.environ.get("LLMOS_BENCH_SHAPE") != "tiny":
        print("gpu: no CUDA device here; LLMOS_BENCH_SHAPE=tiny tries the parts on the CPU", file=sys.stderr)
        return 1
    bench = Bench(device)
    made = bench.describe()
    for name, part in bench.parts().items():
        if time.monotonic() - BEGAN > SECONDS:
            bench.failed[name] = f"{SECONDS:g} seconds were over"
        else:
            bench.measure(name, part)
        made = bench.describe()
        (folder / "gpu.json").write_text(jsonlib.dumps(made, indent=1), encoding="utf-8")
    if json:
        print(jsonlib.dumps(made))
        return 0 if made["figures"] else 1
    print(f"{made['machine']}, torch {made['torch']}")
    for name, value in made["figures"].items():
        print(f"{name:36} {value:>12}   {f'goal {GOALS[name]:g}' if name in GOALS else ''}")
    for title in ("notes", "not_measured"):
        for name, line in made[title].items():
            print(f"{title.replace('_', ' ')}: {name}: {line}")
    print(f"saved in {folder / 'gpu.json'}")
    return 0 if made["figures"] else 1


class Bench:
    """The network and what was measured on it."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.figures: Figures = {}
        self.failed: dict[str, str] = {}
        self.notes: dict[str, str] = {}
        self._net: Any = None

    def parts(self) -> dict[str, Callable[[], Figures]]:
        """What is measured, in order: the surest first, since a kernel that breaks the device breaks all after it."""
        return {
            "copy": self.copy,
            "checkpoint": self.checkpoint,
            "plain_graphs": self.plain_graphs,
            "single": lambda: self.single("single"),
            "branches64": lambda: self.branches("branches64"),
            "no_graphs": self.no_graphs,
        }

    def measure(self, name: str, part: Callable[[], Figures]) -> None:
        """One part; a failure is noted."""
        tell(f"{name} ...")
        try:
            found = part()
        except Exception as error:  # out of memory, a driver, a compiler: the others are measured all the same
            self.failed[name] = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
            tell(f"{name} failed: {self.failed[name]}")
            return
        self.figures |= found
        tell(f"{name}: " + ", ".join(f"{key} {value:.4g}" for key, value in found.items()))

    def describe(self) -> dict[str, Any]:
        """What is saved and printed."""
        import platform

        import torch

        from llmos import __version__

        card = torch.cuda.get_device_name(0) if self.device == "cuda" else "CPU"
        shape = "tiny shape" if self._config() is TINY else "Qwen3-8B's shape, bf16"
        return {
            "name": "gpu",
            "machine": f"{card}, {platform.machine()}, {shape}",
            "version": __version__,
            "torch": torch.__version__,
            "figures": {name: round(value, 4) for name, value in self.derived().items()},
            "intervals": {},
            "notes": dict(self.notes),
            "not_measured": dict(self.failed),
        }

    def derived(self) -> Figures:
        """With the ratios that can be told of what was measured."""
        f = dict(self.figures)
        if "copy_bytes_per_s" in f and "weight_bytes" in f:
            f["limit_tokens_per_s"] = f["copy_bytes_per_s"] / f["weight_bytes"]
        for name in ("", "plain_graphs_", "no_graphs_"):
            single, many = f"{name}single_tokens_per_s", f"{name}branches64_tokens_per_s"
            if "limit_tokens_per_s" in f and single in f:
                f[f"{name}single_over_limit"] = f[single] / f["limit_tokens_per_s"]
            if single in f and many in f:
                f[f"{name}branches64_over_single"] = f[many] / f[single]
        return f

    def _config(self) -> dict[str, Any]:
        return TINY if os.environ.get("LLMOS_BENCH_SHAPE") == "tiny" else QWEN3_8B

    def copy(self) -> Figures:
        """Bytes read and written in a second by the fastest of several large copies."""
        import torch

        size = 2**32 if self.device == "cuda" else 2**26
        source = torch.randint(0, 255, (size,), dtype=torch.uint8, device=self.device)
        target = torch.empty_like(source)

        def once() -> float:
            began = self.now()
            for _ in range(4):
                target.copy_(source)
            return (self.now() - began) / 4

        once()
        return {"copy_bytes_per_s": 2 * size / min(once() for _ in range(5))}

    def checkpoint(self) -> Figures:
        """Make the network, each weight where it will be used."""
        import torch

        from llmos.kernel.lean import Lean
        from llmos.kernel.shape import Shape

        if self.device == "cuda":
            torch.cuda.empty_cache()
        config = self._config()
        random = torch.Generator(self.device).manual_seed(0)
        sizes = dict(_sizes(config))

        def take(name: str) -> Any:
            size = sizes[name]
            if len(size) == 1:
                return torch.ones(size, device=self.device, dtype=torch.bfloat16)
            return torch.empty(size, device=self.device, dtype=torch.bfloat16).normal_(0, 0.02, generator=random)

        with torch.inference_mode():
            net = Lean.of(Shape.of(config), take, self.device, torch.bfloat16)
        self._net = net
        # A token looks up one row of the embedding: its other bytes are not read.
        count = net.info.parameters - net.embed.numel()
        return {"weight_bytes": 2.0 * count, "parameters": float(net.info.parameters)}

    def engine(self) -> Any:
        """A new one, on which nothing was computed yet."""
        from llmos.kernel.branches import TorchEngine

        if self._net is None:
            raise RuntimeError("there is no checkpoint")
        return TorchEngine(self._net)

    def single(self, name: str, tokens: int = TOKENS) -> Figures:
        """One greedy stream, no guessing: tokens a second once its steps are recorded."""
        from llmos.kernel.engine import Sampling

        engine = self.engine()
        prompt = self.prompt(PROMPT)
        began = time.perf_counter()
        stream = engine.open(prompt).decode(Sampling(max_tokens=WARM + tokens))
        next(stream)
        first = time.perf_counter() - began
        rate, step = self.timed([stream], tokens)
        engine.close()
        self.noted()
        return {f"{name}_tokens_per_s": rate, f"{name}_step_ms": step * 1e3, f"{name}_first_token_s": first}

    def branches(self, name: str, tokens: int = TOKENS // 2) -> Figures:
        """Sampled branches over one prompt: tokens a second of all together."""
        from llmos.kernel.engine import Sampling

        engine = self.engine()
        began = time.perf_counter()
        forks = engine.open(self.prompt(SHARED)).fork(BRANCHES)
        first = time.perf_counter() - began
        how = [Sampling(max_tokens=WARM + tokens, temperature=1.0, seed=n) for n in range(BRANCHES)]
        rate, step = self.timed([f.decode(s) for f, s in zip(forks, how, strict=True)], tokens)
        for fork in forks:
            fork.close()
        engine.close()
        self.noted()
        return {f"{name}_tokens_per_s": rate, f"{name}_step_ms": step * 1e3, f"{name}_prompt_s": first}

    def plain_graphs(self) -> Figures:
        """The same without kernels of our own: graphs of torch's."""
        from llmos.kernel.steady import Steady, recorder

        if self.device != "cuda":
            raise RuntimeError("graphs need a CUDA device")
        kept, self._net.steady = self._net.steady, Steady(self._net, recorder(), kernels=False)
        try:
            return self.single("plain_graphs_single", TOKENS // 2) | self.branches("plain_graphs_branches64", 24)
        finally:
            self._net.steady = kept

    def no_graphs(self) -> Figures:
        """The same without graphs: what they are worth."""
        kept, self._net.steady = self._net.steady, None
        try:
            return self.single("no_graphs_single", TOKENS // 4)
        finally:
            self._net.steady = kept

    def timed(self, streams: Sequence[Iterator[Any]], tokens: int) -> tuple[float, float]:
        """Tokens a second of all together, and the median seconds of a step, after some that are not counted.

        The device is not waited for: the engine's thread may be recording, which suffers no other to do that.
        """
        for n in range(WARM - 1):
            began = time.perf_counter()
            for stream in streams:
                next(stream)
            if n in (0, WARM - 2):
                tell(f"  warm-up step {n + 1}: {(time.perf_counter() - began) * 1e3:.1f} ms")
        times, count, began = [], 0, time.perf_counter()
        last = began
        for _ in range(tokens):
            got = [next(stream, None) for stream in streams]
            count += sum(one is not None for one in got)
            now = time.perf_counter()
            times.append(now - last)
            last = now
            if None in got:
                break
        return count / (last - began), statistics.median(times)

    def prompt(self, length: int) -> list[int]:
        """Ids that mean nothing."""
        return [(7919 * n + 13) % self._config()["vocab_size"] for n in range(length)]

    def noted(self) -> None:
        """Keep what the network tells of how it decodes."""
        steady = getattr(self._net, "steady", None)
        if steady is not None:
            self.notes |= {f"{name}{'' if steady.kernels else ' (plain)'}": note for name, note in steady.notes.items()}

    def now(self) -> float:
        """The time once the device has done all that it was given; not while the engine works."""
        import torch

        if self.device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()


# Steps before the clock starts, the first among them: graphs are recorded in these.
WARM = 24


def _sizes(config: dict[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The parameters of a Qwen3 by their names."""
    hidden, inner, size = config["hidden_size"], config["intermediate_size"], config["head_dim"]
    wide, kv = config["num_attention_heads"] * size, config["num_key_value_heads"] * size
    layer: dict[str, tuple[int, ...]] = {
        f"self_attn.{k}_proj": (n, hidden) for k, n in zip("qkv", (wide, kv, kv), strict=True)
    }
    layer |= {"self_attn.o_proj": (hidden, wide), "mlp.gate_proj": (inner, hidden), "mlp.up_proj": (inner, hidden)}
    layer |= {"mlp.down_proj": (hidden, inner), "self_attn.q_norm": (size,), "self_attn.k_norm": (size,)}
    layer |= {"input_layernorm": (hidden,), "post_attention_layernorm": (hidden,)}
    yield "model.embed_tokens.weight", (config["vocab_size"], hidden)
    yield "lm_head.weight", (config["vocab_size"], hidden)
    yield "model.norm.weight", (hidden,)
    for n in range(config["num_hidden_layers"]):
        yield from ((f"model.layers.{n}.{name}.weight", shape) for name, shape in layer.items())


def tell(line: str) -> None:
    """A line of progress, with the seconds since the start."""
    print(f"[{time.monotonic() - BEGAN:5.1f} s] {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
