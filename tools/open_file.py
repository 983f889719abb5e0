"""The tool ``open_file``: a part of a remembered file, or of one in the session's workspace. Reads only."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from llmos.kernel import beneath
from llmos.kernel.hygiene import clean
from llmos.kernel.tool import Tool, ToolContext, ToolError, ToolOutput
from llmos.kernel.types import Label
from llmos.memory.record import Hit
from llmos.tools.marks import Marks
from llmos.tools.passages import SHOWN, shown

Open = Callable[[str], Sequence[Hit]]
_MOST_BYTES = 2_000_000
_RANGE = re.compile(r"(?:(page|line|part)s?\s*)?(\d{1,7})(?:\s*(?:-|to)\s*(\d{1,7}))?", re.IGNORECASE)


def make_open_file(passages: Open, marks: Marks) -> Tool:
    """The tool over a function that gives a remembered file's passages by its name, in order."""

    def run(arguments: Mapping[str, Any], context: ToolContext) -> ToolOutput:
        name, part = str(arguments["name"]), str(arguments.get("part", "")).strip()
        hits = passages(name)
        if hits:
            return _part(hits, part, marks, min(SHOWN, context.room()))
        return _workspace(context, name, part)

    return Tool(
        name="open_file",
        description="reads on in a file: its name, and a part such as page 3, lines 10-40, or a heading's words",
        parameters={
            "type": "object",
            "properties": {"name": {"type": "string", "maxLength": 300}, "part": {"type": "string", "maxLength": 200}},
            "required": ["name"],
            "additionalProperties": False,
        },
        run=run,
        capabilities=frozenset(),
        preview=SHOWN + 1000,
    )


def _part(hits: Sequence[Hit], part: str, marks: Marks, most: int) -> ToolOutput:
    """The passages of a part, as many as are shown whole."""
    found = [hit for place, hit in enumerate(hits, 1) if not part or _inside(hit, place, part)]
    if not found:
        places = ", ".join(dict.fromkeys(filter(None, (h.chunk.place or h.chunk.heading for h in hits))))
        raise ToolError(f"there is no part {part!r}; there are: {places[:300]}")
    taken: list[Hit] = []
    size = 0
    for hit in found:
        size += len(hit.chunk.text) + 120
        if taken and size > most:
            break
        taken.append(hit)
    return shown(taken, marks, most)


def _inside(hit: Hit, place: int, part: str) -> bool:
    chunk, span = hit.chunk, _RANGE.fullmatch(part)
    if not span:
        return part.casefold() in chunk.heading.casefold()
    first, last = int(span[2]), int(span[3] or span[2])
    kind = (span[1] or ("page" if chunk.page else "line")).lower()
    if kind == "part":
        return first <= place <= last
    if kind == "page":
        return first <= chunk.page <= last
    return bool(chunk.line) and chunk.line <= last and chunk.last_line >= first


def _workspace(context: ToolContext, name: str, part: str) -> ToolOutput:
    """Lines of a text file in the session's folder; no link is followed, nothing outside is reached."""
    try:
        data = beneath.read(context.workspace, name, _MOST_BYTES)
    except (OSError, ValueError) as error:
        raise ToolError(f"there is no file {name}; recall finds which files there are") from error
    if b"\0" in data:
        raise ToolError(f"{name} is no text")
    lines = clean(data.decode("utf-8", "replace")).splitlines()
    span = _RANGE.fullmatch(part)
    first, last = (int(span[2]), int(span[3] or span[2])) if span else (1, len(lines))
    text = "\n".join(lines[first - 1 : last]) or "(nothing there)"
    return ToolOutput(text, label=Label((f"file:{name}",), "untrusted", "user"))
