"""The tool ``recall``: what the memory holds on a question, as numbered passages. Reads only."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from llmos.kernel.labels import PLAIN
from llmos.kernel.reading import LACKS, NAME
from llmos.kernel.tool import Tool, ToolContext, ToolOutput
from llmos.memory.record import Hit
from llmos.tools.marks import Marks
from llmos.tools.passages import SHOWN, Search, shown

PASSAGES = 5
NOTHING = "nothing that is kept speaks of this; if this conversation does not either, say so"
_FITS = 0.2  # a cosine below which nothing found speaks of the question


def make_recall(search: Search, marks: Marks) -> Tool:
    """The tool over a search of the memory."""

    def run(arguments: Mapping[str, Any], context: ToolContext) -> ToolOutput:
        query = str(arguments["query"])
        hits = search(query, PASSAGES)
        if not hits or max(hit.likeness for hit in hits) < _FITS:
            return ToolOutput(NOTHING, typed=NOTHING, label=PLAIN)
        output = shown(hits, marks, context.room(), query)
        absent = lacking(query, hits)
        return replace(output, text=f"{output.text}\n\n({LACKS} {', '.join(absent)})") if absent else output

    return Tool(
        name=NAME,
        description="finds what the user's files, notes and earlier sessions say, as numbered passages to cite",
        parameters={
            "type": "object",
            "properties": {"query": {"type": "string", "minLength": 1, "maxLength": 500}},
            "required": ["query"],
            "additionalProperties": False,
        },
        run=run,
        capabilities=frozenset(),
        preview=SHOWN + 1000,
    )


def lacking(query: str, hits: Sequence[Hit]) -> list[str]:
    """Numbers and names of a question that the passage which has most of them does not have.

    What reads like an answer may be of another year, house or person; this tells so.
    """
    words = re.findall(r"\w+", query)
    named = [w for n, w in enumerate(words) if any(map(str.isdigit, w)) or (n and w[0].isupper() and w != "I")]
    best = named
    for hit in hits:
        told = set(re.findall(r"\w+", f"{hit.document.title} {hit.chunk.heading} {hit.chunk.text}".casefold()))
        best = min(best, [word for word in named if word.casefold() not in told], key=len)
    return list(dict.fromkeys(best))
