"""What a model may see of a result that holds others' text, in strict mode: a handle instead of the text.

Shown are the handle's name, its size, the files that were made, what the tool says is typed, and those cells of its
lines that are single numbers, dates or truth values, or that the model wrote itself in this call. Knows no tools and
no files.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from llmos.kernel.closed import HIDDEN, closed, plain, single
from llmos.kernel.tool import ToolOutput

_LINES, _CELLS = 12, 12  # that are shown with what they hold hidden
_OWN = re.compile(r"[^\W\d]\w*|'([^'\n]{1,64})'|\"([^\"\n]{1,64})\"")


def veiled(output: ToolOutput, arguments: Mapping[str, Any], handle: str) -> tuple[str, bool]:
    """A result as the model may see it, and whether something of it is hidden and ``handle`` is needed."""
    made = [f"[{name}: plot]" if Path(name).suffix == ".png" else f"[{name}]" for name in _made(output)]
    if not output.typed and closed(output.text):
        return "\n".join([output.text, *made]), False
    if output.typed and output.typed == output.text:
        return "\n".join([output.typed, *made]), False
    lines = output.text.count("\n") + 1
    size = f"{len(output.text)} characters in {lines} line{'s' * (lines > 1)}"
    head = f"{'' if output.ok else 'error: '}{handle} holds {size} that are not shown"
    shown = output.typed.splitlines() if output.typed else list(_masked(output.text, arguments))
    return "\n".join([*made, *shown, f"({head})"]), True


def _made(output: ToolOutput) -> Iterator[str]:
    for artifact in output.artifacts:
        name = Path(artifact.path).name
        yield name if plain(name) else f"a file {HIDDEN}"


def _masked(text: str, arguments: Mapping[str, Any]) -> Iterator[str]:
    """The first lines with what is not closed hidden; nothing where all of it would be."""
    own = _written(arguments)
    lines = [_line(line, own) for line in text.splitlines()[:_LINES]]
    if any(line.strip(f"{HIDDEN},") for line in lines):
        yield from lines


def _line(line: str, own: frozenset[str]) -> str:
    cells = [cell.strip() for cell in line.split(",")[:_CELLS]]
    return ",".join(cell if not cell or single(cell) or cell in own else HIDDEN for cell in cells)


def _written(value: Any) -> frozenset[str]:
    """The names and short strings that a call's arguments hold: words of the model's own."""
    if isinstance(value, str):
        found = (next(filter(None, (*match.groups(), match.group()))) for match in _OWN.finditer(value))
        return frozenset(word for word in found if plain(word))
    if isinstance(value, Mapping):
        return frozenset().union(*map(_written, value.values()))
    return frozenset().union(*map(_written, value)) if isinstance(value, (list, tuple)) else frozenset()
