"""The tool ``ask``: a question to another persona, which answers with its own tools from a context of its own.

Knows names and how to ask; who is there, how deep and how often is decided by who makes it.
"""

from collections.abc import Callable, Mapping
from typing import Any

from llmos.kernel.tool import Tool, ToolContext, ToolOutput

NAME = "ask"
Ask = Callable[[str, str, ToolContext], ToolOutput]


def make_ask(known: Mapping[str, str], ask: Ask) -> Tool:
    """The tool over the personas of these names, each with what it is good for; ``ask`` puts the question."""

    def run(arguments: Mapping[str, Any], context: ToolContext) -> ToolOutput:
        return ask(arguments["persona"], arguments["question"], context)

    who = "; ".join(f"{name}: {about}" if about else name for name, about in known.items())
    return Tool(
        name=NAME,
        description=f"asks somebody else, who sees nothing but the question: write all of it. {who}",
        parameters={
            "type": "object",
            "properties": {
                "persona": {"type": "string", "enum": list(known)},
                "question": {"type": "string", "minLength": 1, "maxLength": 4000},
            },
            "required": ["persona", "question"],
            "additionalProperties": False,
        },
        run=run,
        capabilities=frozenset(),
        preview=4000,
    )
