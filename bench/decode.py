"""How fast the engine writes, beside transformers' ``generate`` in the same run, on random weights of a 30M shape and
of the embedded kernel's own.

Parts are measured one after the other, in rounds. The JSON is saved after each, so that one that fails, or a run that
is stopped, loses nothing of the others. ``LLMOS_BENCH_CLOCK=cpu`` counts the process's CPU seconds
instead of the wall's: for machines where others compute too (the figures say which). Sizes by ``LLMOS_BENCH_TOKENS``
(64 a reply) and ``LLMOS_BENCH_ROUNDS`` (3, but no new one that would go past ``LLMOS_BENCH_SECONDS``, 480).
llama.cpp is measured where ``llama_cpp`` and ``gguf`` are installed. Does not measure what is written, nor a GPU.
"""

import json as jsonlib
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

from llmos.bench import _decode as parts
from llmos.bench import _shapes

ROUNDS = int(os.environ.get("LLMOS_BENCH_ROUNDS", "3"))
SECONDS = float(os.environ.get("LLMOS_BENCH_SECONDS", "480"))
GOALS = {
    "branches32_over_generate": 8.0,
    "branches32_over_gemm_limit": 0.6,
    "single_over_generate": 3.0,
    "lookup_over_generate": 6.0,
    "single_over_llamacpp": 1.0,
    "second_turn_ttft_over_cold": 0.1,
    "grammar_on_over_off": 1.05,
    "grammar_compile_ms": 50.0,
    "sessions16_tokens_per_s": 1000.0,
    "sessions16_longest_wait_over_fair": 3.0,
    "first_token_s": 3.0,
    "embedded_branches32_over_generate": 8.0,
    "embedded_branches32_over_gemm_limit": 0.6,
    "embedded_single_over_generate": 3.0,
}
DTYPES = ("bfloat16", "float32")
Rates = dict[str, list[float]]


def main(json: bool = False) -> int:
    """Measure, print a table (with ``json`` one object), and save both it and a plot under ``build/bench``.

    1 where nothing could be measured.
    """
    folder = Path("build/bench")
    folder.mkdir(parents=True, exist_ok=True)
    failed: dict[str, str] = {}
    made: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as place:
        try:
            for rates in measure(Path(place), failed):
                made = describe(derive(rates), failed)
                (folder / "decode.json").write_text(jsonlib.dumps(made, indent=1), encoding="utf-8")
        finally:
            if made.get("figures"):
                plot(made["figures"], folder / "decode.png")
    if json:
        print(jsonlib.dumps(made))
        return 0 if made.get("figures") else 1
    for name, value in made["figures"].items():
        print(f"{name:36} {value:>10}   {f'goal {GOALS[name]:g}' if name in GOALS else ''}")
    for name, problem in failed.items():
        print(f"{name:36} not measured: {problem}")
    print(f"saved in {folder}: decode.json, decode.png; not measured here: a GPU")
    return 0 if made["figures"] else 1


def describe(figures: dict[str, float], failed: dict[str, str]) -> dict[str, Any]:
    """What is saved and printed."""
    from importlib.metadata import version

    return {
        "name": "decode",
        "machine": f"{platform.machine()} {platform.system()}, {os.cpu_count()} cores, {parts.CLOCK} clock",
        "version": version("llmos"),
        "figures": {name: round(value, 4) for name, value in figures.items()},
        "intervals": {},
        "not_measured": dict(failed),
    }


class Bench:
    """What the parts are measured on, made when first used."""

    def __init__(self, folder: Path, place: Path) -> None:
        self.folder, self._place = folder, place
        self._peers: dict[str, Callable[[list[int], int], float]] = {}

    @cached_property
    def net(self) -> Any:
        """The lean network."""
        from llmos.kernel.lean import Lean

        return Lean(self.folder)

    @cached_property
    def prompt(self) -> list[int]:
        """512 ids."""
        import torch

        made: list[int] = torch.randint(0, 8000, (parts.PROMPT,), generator=torch.Generator().manual_seed(1)).tolist()
        return made

    def engine(self, **settings: Any) -> Any:
        """A new engine, which has computed nothing yet."""
        from llmos.kernel.branches import TorchEngine

        return TorchEngine(self.net, **settings)

    def peer(self, dtype: str, n: int) -> float:
        """Tokens a second of ``generate``."""
        import torch

        if dtype not in self._peers:
            self._peers[dtype] = parts.peer(self.folder, getattr(torch, dtype))
        return self._peers[dtype](self.prompt, n)

    def core(self, name: str = "") -> dict[str, Callable[[], dict[str, float]]]:
        """The parts that both shapes have; ``name`` goes before their names."""

        def one(key: str, run: Callable[[], float]) -> Callable[[], dict[str, float]]:
            return lambda: {f"{name}{key}": run()}

        wanted: dict[str, Callable[[], float]] = {
            "gemm_limit32": lambda: parts.gemm_limit(self.net),
            "branches32": lambda: parts.branches(self.engine(), self.prompt),
            "single": lambda: parts.single(self.engine(), self.prompt),
            "single_all_cores": lambda: parts.single_all_cores(self.engine(), self.prompt),
        }
        for dtype in DTYPES:
            wanted[f"generate_{dtype}"] = lambda d=dtype: self.peer(d, 1)  # type: ignore[misc]
        for dtype in DTYPES:
            wanted[f"generate32_{dtype}"] = lambda d=dtype: self.peer(d, parts.BRANCHES)  # type: ignore[misc]
        return {f"{name}{key}": one(key, run) for key, run in wanted.items()}

    def more(self) -> dict[str, Callable[[], dict[str, float]]]:
        """The parts that the 30M shape alone has."""

        def sessions() -> dict[str, float]:
            rate, wait = parts.sessions(self.engine())
            return {"sessions16": rate, "sessions16_longest_wait_over_fair": wait}

        found: dict[str, Callable[[], dict[str, float]]] = {
            "lookup": lambda: {"lookup": parts.lookup(self.engine(lookup=True))},
            "sessions16": sessions,
            "second_turn": lambda: {"second_turn_ttft_over_cold": parts.second_turn(self.engine())},
            "grammar": lambda: parts.grammar(self.net),
            "first_token": lambda: {"first_token_s": parts.first_token()},
        }
        for kind in ("bf16", "q8_0"):
            found[f"llamacpp_{kind}"] = lambda k=kind: {  # type: ignore[misc]
                f"llamacpp_{k}": parts.llamacpp(self.folder, self.prompt, k, self._place)
            }
        return found


def measure(place: Path, failed: dict[str, str]) -> Any:
    """Yield all rates so far after each part; ``failed`` gets a line for each that could not be measured."""
    from llmos.kernel.config import WEIGHTS

    folder = _shapes.write(place / "llama-30m")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(WEIGHTS / name, folder / name)
    large, own = Bench(folder, place), Bench(WEIGHTS, place)
    todo = {**large.core(), **large.more(), **own.core("embedded_")}
    rates: Rates = {}
    began = time.monotonic()
    for n in range(ROUNDS):
        if n and (time.monotonic() - began) * (n + 1) / n > SECONDS:
            break
        for name, run in todo.items():
            if name in failed:
                continue
            print(f"round {n + 1} of {ROUNDS}: {name}", file=sys.stderr, flush=True)
            try:
                found = run()
            except Exception as error:  # a peer, a device, a library: one that fails takes no other with it
                failed[name] = (str(error).strip().splitlines() or [type(error).__name__])[0]
                found = {}
            for key, value in found.items():
                rates.setdefault(key, []).append(value)
            yield rates


def derive(rates: Rates) -> dict[str, float]:
    """The figures that can be told from what was measured: seconds, tokens a second, ratios."""
    middle = {name: statistics.median(found) for name, found in rates.items()}
    if "gemm_limit32" in rates:
        middle["gemm_limit32"] = max(rates["gemm_limit32"])
    if "embedded_gemm_limit32" in rates:
        middle["embedded_gemm_limit32"] = max(rates["embedded_gemm_limit32"])
    for name in ("generate", "generate32", "embedded_generate", "embedded_generate32"):
        known = [middle[f"{name}_{dtype}"] for dtype in DTYPES if f"{name}_{dtype}" in middle]
        # The faster of the two, once both are known.
        if len(known) == len(DTYPES):
            middle[name] = max(known)
    ratios = {
        "branches32_over_generate": ("branches32", "generate32"),
        "branches32_over_gemm_limit": ("branches32", "gemm_limit32"),
        "single_over_generate": ("single", "generate"),
        "lookup_over_generate": ("lookup", "generate"),
        "single_over_llamacpp": ("single", "llamacpp_bf16"),
        "grammar_on_over_off": ("grammar_on_s", "grammar_off_s"),
    }
    ratios |= {f"embedded_{n}": (f"embedded_{a}", f"embedded_{b}") for n, (a, b) in list(ratios.items())[:3]}
    figures = {name: middle[a] / middle[b] for name, (a, b) in ratios.items() if a in middle and b in middle}
    for name, value in middle.items():
        if name in ("grammar_compile_s", "grammar_cached_s"):
            figures[name.removesuffix("s") + "ms"] = value * 1e3
        elif name.startswith("grammar_"):
            figures[name.removesuffix("s") + "ms_per_token"] = value * 1e3
        elif name.endswith(("_over_cold", "_over_fair", "_s")):
            figures[name] = value
        else:
            figures[f"{name}_tokens_per_s"] = value
    return figures


def plot(figures: dict[str, float], path: Path) -> None:
    """Tokens a second, side by side."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    pairs = {k.removesuffix("_tokens_per_s"): v for k, v in figures.items() if k.endswith("_tokens_per_s")}
    figure, axes = pyplot.subplots(figsize=(7, 5.5), layout="constrained")
    axes.bar_label(axes.barh(list(pairs), list(pairs.values())), fmt="%.0f", padding=3)
    axes.set_xlabel(f"tokens a second (512-token prompt, {parts.CLOCK} clock)")
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


if __name__ == "__main__":
    raise SystemExit(main())
