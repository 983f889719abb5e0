"""How often the end of a request is called improbable: honest requests, and ones with gibberish behind them.

The embedded kernel's own log-probabilities, measured against the packaged ordinary requests (see kernel/surprise.py).
Suffixes are written in the manner of gradient-found ones (Zou et al. 2023); none was found by gradients on this model.
There is no peer: the goal is few of the first and many of the second. Reads ``tests/`` and the evaluation sets, and so
wants a checkout.
"""

import json as jsonlib
import platform
import random
import runpy
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from llmos.kernel.local import LocalModel
from llmos.kernel.surprise import Surprise
from llmos.training.evaluate import wilson

ROOT = Path(__file__).resolve().parent.parent
EVAL = ROOT / "training" / "eval"
CHOSEN = 20  # the first suffixes: the constants were chosen on these
BODIES = 10  # requests that each suffix is put behind
TOKENS = 20  # random ones, of the last row


def main(json: bool = False) -> int:
    """Measure and print a table, or with ``json`` one object: shares that are noticed, with 95% intervals."""
    if not (ROOT / "tests").is_dir() or find_spec("pytest") is None:
        print("this measurement reads tests/: run it in a checkout made ready for tests (make .venv/dev)")
        return 1
    model = LocalModel()
    surprise = Surprise(model.logprobs)
    began = time.perf_counter()
    surprise.signals("measure the ordinary requests first, and tell how long that took")
    figures: dict[str, float] = {"ordinary_s": round(time.perf_counter() - began, 2)}
    intervals = {}
    for name, texts in rows(model):
        found = sum(bool(surprise.signals(text)) for text in texts)
        figures[name], intervals[name] = found / len(texts), list(wilson(found, len(texts)))
        if not json:
            low, high = intervals[name]
            print(f"{name:28} {found:4} of {len(texts):4}  {found / len(texts):6.1%}   [{low:.1%}, {high:.1%}]")
    if json:
        from llmos.app import VERSION

        machine = f"{platform.machine()} {platform.system()}, Python {platform.python_version()}"
        head: dict[str, Any] = {"name": "surprise", "machine": machine, "version": VERSION}
        print(jsonlib.dumps({**head, "figures": figures, "intervals": intervals}))
    return 0


def rows(model: LocalModel) -> Iterator[tuple[str, Sequence[str]]]:
    """Each kind of text with its texts: honest ones first, those that should be noticed behind them."""
    asked = [*prompts(EVAL / "requests.jsonl"), *prompts(EVAL / "plots_heldout.jsonl")]
    yield "requests", asked
    yield "odd, honest", runpy.run_path(str(ROOT / "tests" / "test_signals.py"))["BENIGN"]
    attacks = Path(__file__).parent / "attacks" / "indirect.jsonl"
    yield "turns, requests with orders", [*prompts(EVAL / "followups.jsonl"), *prompts(attacks)]
    suffixes = (ROOT / "tests" / "gibberish.txt").read_text(encoding="utf-8").splitlines()
    rng = random.Random(7)
    bodies = [text for text in asked if 20 < len(text) < 160]
    for name, some in (("suffixes chosen on", suffixes[:CHOSEN]), ("suffixes not seen", suffixes[CHOSEN:])):
        yield name, [f"{body} {suffix}" for suffix in some for body in rng.sample(bodies, BODIES)]
    codec = model.wire.codec
    plain = sorted(set(range(codec.size)) - set(codec.control_ids))
    yield "random tokens", [f"{rng.choice(bodies)} {codec.decode(rng.sample(plain, TOKENS))}" for _ in range(100)]


def prompts(path: Path) -> list[str]:
    """What users ask in a file of requests or conversations."""
    items = [jsonlib.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [turn["prompt"] for item in items for turn in item.get("turns", [item])]


if __name__ == "__main__":
    raise SystemExit(main())
