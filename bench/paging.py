"""Whether a long session on a small window finds again what was told in it: facts asked for many turns later.

The model is a script that calls ``recall`` with each question; its window is counted in the embedded kernel's own
tokens. ``LLMOS_BENCH_TURNS`` and ``LLMOS_BENCH_FACTS`` set the length (500 and 50). A fact counts as found where the
sentence that told it stands in the prompt the model answers from. Cost is processor seconds of a turn and tokens
counted for it, the last fifth of the session against the second; what a real model would answer is not measured.
"""

import json as jsonlib
import os
import platform
import tempfile
import time
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import fmean
from typing import Any

from llmos.app import LLMOS
from llmos.bench._told import Turn, talk
from llmos.kernel.codec import Codec
from llmos.kernel.config import WEIGHTS
from llmos.kernel.engine import Delta, Sampling
from llmos.kernel.scripted import Scripted
from llmos.kernel.tool import Tool
from llmos.kernel.types import Message, ToolCall
from llmos.kernel.wire import render

WINDOW = 2048
_ASKS = "?"


class Counted(Scripted):
    """A script whose window is counted in a tokenizer's tokens, tools and control tokens included."""

    def __init__(self, window: int = WINDOW) -> None:
        super().__init__(_reply, context_length=window)
        self._codec = Codec.load(WEIGHTS)
        self.counted = 0  # tokens that were counted, the work of paging
        self.prompts: list[int] = []  # of each prompt that was answered
        self.last: list[Message] = []

    def count(self, messages: Sequence[Message], tools: Sequence[Tool]) -> int:
        """Exact tokens."""
        size = len(render(messages, tools, self._codec))
        self.counted += size
        return size

    def reply(
        self,
        messages: Sequence[Message],
        tools: Sequence[Tool],
        sampling: Sampling = Sampling(),  # noqa: B008
        n: int = 1,
    ) -> Iterator[Delta]:
        """As the script says; the prompt is kept, and how long it was."""
        self.prompts.append(len(render(messages, tools, self._codec)))
        self.last = list(messages)
        yield from super().reply(messages, tools, sampling, n)
        self.seen.clear()


def _reply(messages: Sequence[Message]) -> str | ToolCall:
    asked = str(messages[-1].parts[-1].content) if messages[-1].role == "user" else ""
    return ToolCall("x", "recall", {"query": asked}) if asked.endswith(_ASKS) else "Noted."


def main(json: bool = False) -> int:
    """Measure and print a table, or with ``json`` one object."""
    from llmos.training.evaluate import wilson

    turns, facts = (int(os.environ.get(f"LLMOS_BENCH_{k}", v)) for k, v in (("TURNS", "500"), ("FACTS", "50")))
    with tempfile.TemporaryDirectory() as home:
        figures, good = measure(Path(home), talk(turns, facts))
    if json:
        machine = f"{platform.machine()} {platform.system()}, Python {platform.python_version()}"
        head: dict[str, Any] = {"name": "paging", "machine": machine, "version": version("llmos")}
        intervals = {"facts_in_context": list(wilson(good, facts))}
        print(jsonlib.dumps({**head, "figures": figures, "intervals": intervals}))
    else:
        for name, value in figures.items():
            print(f"{name:28} {value:10.3f}")
    return 0


def measure(home: Path, turns: Sequence[Turn], window: int = WINDOW) -> tuple[dict[str, float], int]:
    """The figures, and how many facts stood in the context when they were asked for."""
    model = Counted(window)
    seconds, counted = [], []
    good = only = asked = 0
    with LLMOS(model=model, home=home, remembers=True) as system, system.session() as session:
        for turn in turns:
            began, before = time.process_time(), model.counted
            session.run(turn.text)
            seconds.append(time.process_time() - began)
            counted.append(float(model.counted - before))
            if turn.fact:
                asked += 1
                there = [turn.fact in " ".join(m.text.split()) for m in model.last]
                good += any(there)
                only += any(there) and not any(there[:-1])  # the last message is what recall found
    figures = {
        "facts_in_context": good / max(asked, 1),
        "facts_by_recall_alone": only / max(asked, 1),
        "prompt_tokens_most": float(max(model.prompts)),
        "prompt_tokens_window": float(window),
        "counted_tokens_late_over_early": _late(counted),
        "turn_seconds_late_over_early": _late(seconds),
    }
    return figures, good


def _late(values: Sequence[float]) -> float:
    """The mean of the last fifth over that of the second, when the window is full already."""
    fifth = max(len(values) // 5, 1)
    return fmean(values[-fifth:]) / max(fmean(values[fifth : 2 * fifth] or values), 1e-9)


if __name__ == "__main__":
    raise SystemExit(main())
