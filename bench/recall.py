"""The first calculation the embedded kernel writes: without examples, by the nearest example, and as it ships.

On the requests of an evaluation file whose answer is a number of the calculator; the peer is the nearest example
without a model, in the same run. Right is an expression whose result holds the number. Does not measure answers: that
is `llmos eval`.
"""

import json as jsonlib
import platform
import re
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from llmos.kernel.aliases import Aliases
from llmos.kernel.config import WEIGHTS
from llmos.kernel.engine import CallMade, Sampling
from llmos.kernel.examples import RANKER, TAUGHT, likely
from llmos.kernel.local import LocalModel
from llmos.kernel.ranker import Ranker
from llmos.kernel.recall import Recall
from llmos.kernel.tool import ToolError
from llmos.kernel.types import Message, Part, Source, ToolCall
from llmos.kernel.wire import EmbeddedWire
from llmos.tools.calculator import evaluate
from llmos.training.dialogues import system_message, tools
from llmos.training.evaluate import wilson

REQUESTS = Path(__file__).parent.parent / "training" / "eval" / "requests.jsonl"
Write = Callable[[list[Message]], str]


def main(json: bool = False) -> int:
    """Measure and print a table, or with ``json`` one object: shares of right expressions with 95% intervals."""
    model = LocalModel()
    ways: dict[str, Write] = {"without examples": alone(), "nearest example": recalled(), "both": both(model)}
    found = list(items())
    figures, intervals = {}, {}
    for name, write in ways.items():
        good = sum(right(write(messages), number) for messages, number in found)
        figures[name], intervals[name] = good / len(found), list(wilson(good, len(found)))
    if json:
        machine = f"{platform.machine()} {platform.system()}, Python {platform.python_version()}"
        head: dict[str, Any] = {"name": "recall", "machine": machine, "version": version("llmos")}
        print(jsonlib.dumps({**head, "items": len(found), "figures": figures, "intervals": intervals}))
    else:
        for name, share in figures.items():
            print(f"{name:17} {share:6.1%}   [{intervals[name][0]:.1%}, {intervals[name][1]:.1%}] of {len(found)}")
    return 0


def items(path: Path = REQUESTS) -> Iterator[tuple[list[Message], float]]:
    """The calculations of an evaluation file: the conversation so far, and the number that is wanted."""
    for line in path.read_text(encoding="utf-8").splitlines():
        item: Mapping[str, Any] = jsonlib.loads(line)
        expect = item.get("expect", {})
        if expect.get("tool") == "calculator" and "number" in expect:
            request = Message("user", (Part(item["prompt"], Source("user")),))
            yield [system_message(), request], float(expect["number"])


def both(model: LocalModel) -> Write:
    """The model with its examples."""

    def write(messages: list[Message]) -> str:
        for delta in model.reply(messages, tools(), Sampling(max_tokens=200)):
            if isinstance(delta, CallMade):
                call = delta.call
                return str(call.arguments.get("expression", "")) if isinstance(call, ToolCall) else ""
        return ""

    return write


def alone() -> Write:
    """The model without examples, which it was not trained for."""
    bare = LocalModel()
    assert isinstance(bare.wire, EmbeddedWire)
    bare.wire.examples = None
    return both(bare)


def recalled() -> Write:
    """The nearest of the calculations that were taught, whatever the model would write."""
    recall = Recall.load(WEIGHTS / TAUGHT)
    ranker = Ranker.load(WEIGHTS / RANKER, recall)

    def write(messages: list[Message]) -> str:
        aliases = Aliases(messages)
        found = likely(recall, aliases.turn.told, ("calculator",), aliases.turn.values, ranker=ranker)
        return aliases.outward(found[0].answer) if found else ""

    return write


def right(expression: str, number: float) -> bool:
    """Whether the expression's result holds the number."""
    try:
        result = evaluate(expression)
    except ToolError:
        return False
    values = map(float, re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", result))
    return any(abs(v - number) <= 1e-6 * max(1e-9, abs(number)) for v in values)


if __name__ == "__main__":
    raise SystemExit(main())
