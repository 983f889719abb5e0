"""`llmos bench decode`: every figure it promises follows from what is measured, and the parts count what they time."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from llmos.bench import _decode as parts
from llmos.bench import decode
from llmos.kernel.branches import TorchEngine
from llmos.kernel.lean import Lean

PROMISED = [
    "branches32_over_generate",
    "branches32_over_gemm_limit",
    "single_over_generate",
    "lookup_over_generate",
    "single_over_llamacpp",
    "second_turn_ttft_over_cold",
    "grammar_on_over_off",
    "sessions16_tokens_per_s",
    "first_token_s",
]
RATES = {
    "gemm_limit32": [900.0, 1000.0],
    "branches32": [600.0, 700.0, 20.0],
    "single": [80.0],
    "lookup": [120.0],
    "generate_bfloat16": [20.0],
    "generate_float32": [40.0],
    "generate32_bfloat16": [60.0],
    "generate32_float32": [30.0],
    "llamacpp_bf16": [160.0],
    "sessions16": [500.0],
    "sessions16_longest_wait_over_fair": [1.5],
    "second_turn_ttft_over_cold": [0.05],
    "grammar_on_s": [0.0103],
    "grammar_off_s": [0.01],
    "grammar_compile_s": [0.002],
    "first_token_s": [2.0],
}


def test_every_promised_figure_follows_from_what_is_measured() -> None:
    figures = decode.derive(RATES)
    assert set(PROMISED) <= set(figures)
    assert figures["branches32_over_gemm_limit"] == 0.6  # the middle one of its rounds over the best of the limit's
    assert figures["branches32_over_generate"] == 10.0  # over the faster of the two precisions
    assert (figures["single_over_generate"], figures["lookup_over_generate"]) == (2.0, 3.0)
    assert figures["single_over_llamacpp"] == 0.5
    assert figures["grammar_on_over_off"] == pytest.approx(1.03)
    assert figures["grammar_compile_ms"] == pytest.approx(2.0)
    assert figures["sessions16_tokens_per_s"] == 500.0


def test_what_could_not_be_measured_is_left_out_and_told() -> None:
    known = {name: rates for name, rates in RATES.items() if not name.startswith(("llamacpp", "generate_float32"))}
    figures = decode.derive(known)
    assert not {"single_over_llamacpp", "single_over_generate", "lookup_over_generate"} & set(figures)
    told = decode.describe(figures, {"llamacpp_bf16": "No module named 'llama_cpp'"})
    assert told["not_measured"] == {"llamacpp_bf16": "No module named 'llama_cpp'"}
    assert told["figures"]["branches32_over_generate"] == 10.0


def test_tokens_are_counted_from_the_first_on(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]

    def stream(tokens: int) -> Iterator[int]:
        for n in range(tokens):
            now[0] += 1.0
            yield n

    monkeypatch.setattr(parts, "clock", lambda: now[0])
    # The clock starts after the first of 3 + 5 tokens, a second each, and stops 7 later; two are first ones.
    assert parts.timed([stream(3), stream(5)]) == pytest.approx(6 / 7)


def test_parts_run_on_a_small_network(
    qwen3_folder: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = {"TOKENS": 6, "PROMPT": 250, "BRANCHES": 4, "SESSIONS": 3, "HISTORY": 300}
    for name, value in sizes.items():
        monkeypatch.setattr(parts, name, value)
    net = Lean(qwen3_folder(tmp_path, vocab_size=8192))
    prompt = list(range(250))
    before = threading.active_count()
    engine = TorchEngine(net)
    assert parts.branches(engine, prompt) > 0
    assert engine.computed == 250 + 4 * 5
    assert parts.single(TorchEngine(net), prompt) > 0
    engine = TorchEngine(net)
    rate, wait = parts.sessions(engine)
    assert rate > 0
    assert wait >= 1  # the longest is never shorter than the mean
    assert engine.computed == 3 * (250 + 6)
    assert parts.lookup(TorchEngine(net, lookup=True)) > 0
    assert parts.gemm_limit(net) > 0
    assert parts.second_turn(TorchEngine(net)) > 0
    times: dict[str, Any] = parts.grammar(net)
    assert min(times.values()) > 0
    assert threading.active_count() <= before + 6
