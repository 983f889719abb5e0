"""Whether examples of solved requests help: a development set with and without them in the system's words.

Every second item of ``training/eval/requests.jsonl`` is asked and, where it is solved as its expectation says, judged
good; of the others as many as ``LLMOS_BENCH_ITEMS`` (100) says are asked twice, without and with ``skills``. The model
is ``LLMOS_BENCH_MODEL``, by default the embedded kernel, loaded as any checkpoint is, so that it is given what larger
models are. Knows nothing of how well a model that was trained to follow examples would do.
"""

import json as jsonlib
import os
import platform
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from llmos.app import LLMOS
from llmos.bench.recall import REQUESTS
from llmos.kernel.config import WEIGHTS
from llmos.training.evaluate import Item, read_items, run_turn, wilson
from llmos.training.scoring import Turn, judged


def main(json: bool = False) -> int:
    """Measure and print a table, or with ``json`` one object."""
    if not REQUESTS.is_file():
        print("the requests are in the repository alone: training/eval")
        return 1
    most = int(os.environ.get("LLMOS_BENCH_ITEMS", "100"))
    items = [item for item in read_items(REQUESTS) if not item.files and not item.site]
    taught, asked = items[::2], _spread(items[1::2], most)
    model = os.environ.get("LLMOS_BENCH_MODEL", str(WEIGHTS))
    with tempfile.TemporaryDirectory() as home:
        with LLMOS(model=model, home=home, remembers=True, skills=True) as system:
            kept = sum(solved(system, item, judge=True) for item in _spread(taught, most))
            _tell(f"{kept} kept")
            shown = [solved(system, item) for item in asked]
            _tell("asked with examples")
        with LLMOS(model=model, home=home, remembers=True) as system:
            plain = [solved(system, item) for item in asked]
    figures = {
        "kept": float(kept),
        "solved_without": sum(plain) / len(asked),
        "solved_with": sum(shown) / len(asked),
        "only_with": float(sum(w and not p for w, p in zip(shown, plain, strict=True))),
        "only_without": float(sum(p and not w for w, p in zip(shown, plain, strict=True))),
    }
    intervals = {f"solved_{n}": list(wilson(sum(g), len(asked))) for n, g in (("without", plain), ("with", shown))}
    if json:
        machine = f"{platform.machine()} {platform.system()}, Python {platform.python_version()}"
        head: dict[str, Any] = {"name": "skills", "machine": machine, "version": version("llmos")}
        print(jsonlib.dumps({**head, "items": len(asked), "figures": figures, "intervals": intervals}))
    else:
        for name, value in figures.items():
            print(f"{name:28} {value:10.3f}")
    return 0


def solved(system: LLMOS, item: Item, judge: bool = False) -> bool:
    """Whether an item, or a conversation's first turn, comes out as expected, and is judged so where that is wanted."""
    prompt, expect = item.asked[0]
    with system.session() as session:
        events = run_turn(session, prompt, ())
        good = not judged(Turn(prompt, expect, events, {t.name: t.parameters for t in session.tools})).wrong
        if good and judge:
            session.judge("good")
    return good


def _spread(items: Sequence[Item], most: int) -> Sequence[Item]:
    """At most so many, from all over the file: it is ordered by kinds."""
    return [items[n * len(items) // most] for n in range(most)] if len(items) > most else items


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
