"""The tool ``forget``: removes the one note or file that is meant, for good. It asks, and never guesses."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from llmos.kernel.tool import Tool, ToolContext, ToolError, ToolOutput
from llmos.memory.record import Document

Find = Callable[[str], Sequence[Document]]
Remove = Callable[[Sequence[int]], int]


def make_forget(find: Find, remove: Remove) -> Tool:
    """The tool over functions that find the documents which are meant, and that remove them."""

    def run(arguments: Mapping[str, Any], context: ToolContext) -> ToolOutput:
        found = find(arguments["what"])
        if not found:
            raise ToolError("nothing that is kept has these words; recall finds what there is")
        if len(found) > 1:
            raise ToolError("which one? " + "; ".join(d.title for d in found[:5]))
        remove([found[0].id])
        return ToolOutput(f"forgotten: {found[0].title}", label=found[0].label)

    return Tool(
        name="forget",
        description="removes one note or file from what is remembered, named by its words or its file name",
        parameters={
            "type": "object",
            "properties": {"what": {"type": "string", "minLength": 1, "maxLength": 500}},
            "required": ["what"],
            "additionalProperties": False,
        },
        run=run,
        capabilities=frozenset({"write"}),
    )
