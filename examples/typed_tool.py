"""A function with type hints is a tool: five lines. It says what it does, so that policy need not ask about it."""

from typing import Literal

from llmos import LLMOS, Scripted, ToolCall, tool


@tool(does="nothing", timeout=5)
def pour(tea: Literal["assam", "sencha"], cups: int = 1) -> str:
    """Pours tea. cups: how many"""
    return f"{cups} cup{'s' * (cups != 1)} of {tea}"


model = Scripted([ToolCall("1", "pour", {"tea": "sencha", "cups": 2}), "Here are two cups of sencha."])

with LLMOS(model=model, tools=[pour]) as system:
    print(pour.parameters)
    answer = system.run("two cups of the green one, please")
    print(answer.text)
    assert answer.calls[0].arguments["tea"] == "sencha"
assert pour("assam") == "1 cup of assam"
