"""The tool ``remember``: keeps a note that outlives the session, with the label of all that was in view."""

from collections.abc import Callable, Mapping
from typing import Any

from llmos.kernel.tool import OwnError, Tool, ToolContext, ToolOutput
from llmos.kernel.types import Label

Note = Callable[[str, Label], str]
REMEMBERED = "remembered"  # the result where a note was new


def make_remember(note: Note) -> Tool:
    """The tool over a function that keeps a note and tells what became of it (``added`` or ``unchanged``)."""

    def run(arguments: Mapping[str, Any], context: ToolContext) -> ToolOutput:
        text = str(arguments["text"]).strip()
        if not text:
            raise OwnError("there is nothing to remember")
        state = note(text, context.label)
        told = "was known already" if state == "unchanged" else REMEMBERED
        return ToolOutput(told, typed=told)

    return Tool(
        name="remember",
        description="keeps a fact that the user wants to be known later, in one self-contained sentence",
        parameters={
            "type": "object",
            "properties": {"text": {"type": "string", "minLength": 1, "maxLength": 2000}},
            "required": ["text"],
            "additionalProperties": False,
        },
        run=run,
        capabilities=frozenset({"note"}),
        derives=True,
    )
