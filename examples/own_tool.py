"""Give the kernel a tool of your own; a scripted model stands in, so that the example shows the loop alone."""

from collections.abc import Mapping
from typing import Any

from llmos import LLMOS, Scripted, Tool, ToolCall, ToolContext, ToolOutput


def roll(arguments: Mapping[str, Any], context: ToolContext) -> ToolOutput:
    """A fair die that always shows its highest side."""
    return ToolOutput(str(arguments["sides"]))


schema = {"type": "object", "properties": {"sides": {"type": "integer", "minimum": 2}}, "required": ["sides"]}
die = Tool("roll", "rolls a die", schema, roll, capabilities=frozenset(), derives=True)
model = Scripted([ToolCall("1", "roll", {"sides": 20}), "You rolled a 20."])

with LLMOS(model=model, tools=[die]) as system:
    answer = system.run("roll a d20 for me")
    print(answer.text)
    assert answer.calls[0].name == "roll"
