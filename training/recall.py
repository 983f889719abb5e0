"""Writes what the kernel was taught of calculations, for :mod:`llmos.kernel.recall`."""

import json
import random
import re
from pathlib import Path

from llmos.kernel.aliases import Aliases
from llmos.kernel.types import Message, Part, Source, ToolCall
from llmos.training.dialogues import CALCULATOR_SHARES
from llmos.training.phrasebook import SLOT, fill, lines, number_slots, slots

DRAWS = 3  # fillings of a phrase: some slots are spelled in several ways
_RAW = re.compile(r"(?<![\w.@~])\d+(?:\.\d+)?")


def taught(seed: int = 0) -> list[tuple[str, str]]:
    """Each phrase on calculations, with short names for its numbers, and its expression."""
    rng = random.Random(seed)
    found: dict[tuple[str, str], None] = {}
    for kind in CALCULATOR_SHARES:
        if kind == "calc_error":
            continue
        for line in lines(kind):
            request, expression = line.split(" => ")
            for _ in range(DRAWS):
                values = number_slots(slots(request), rng)
                said = fill(request, {k: v.said for k, v in values.items()})
                written = fill(expression, {k: v.written for k, v in values.items()})
                pattern, made = told(said, written)
                # A number drawn for this request would come out for any other; one of the phrase itself may stand.
                drawn = {v.written for v in values.values()} - set(_RAW.findall(SLOT.sub(" ", expression)))
                if not drawn & set(_RAW.findall(made)):
                    found[pattern, made] = None
    return list(found)


def told(request: str, expression: str) -> tuple[str, str]:
    """A request and its expression, with short names."""
    call = ToolCall("c", "calculator", {"expression": expression})
    asked = Message("user", (Part(request, Source("user")),))
    heard, made = Aliases([asked, Message("assistant", (), (call,))]).messages
    (call_told,) = made.calls
    assert isinstance(call_told, ToolCall)
    return heard.text, str(call_told.arguments["expression"])


def write(path: Path) -> None:
    """The file that ships beside the weights."""
    text = "".join(json.dumps(pair, ensure_ascii=False) + "\n" for pair in taught())
    path.write_text(text, encoding="utf-8")
