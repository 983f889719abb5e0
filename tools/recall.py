"""The tool ``recall``: what the memory holds on a question, as numbered passages. Reads only."""

from collections.abc import Mapping
from typing import Any

from llmos.kernel.labels import PLAIN
from llmos.kernel.tool import Tool, ToolContext, ToolOutput
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
        return shown(hits, marks, context.room(), query)

    return Tool(
        name="recall",
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
