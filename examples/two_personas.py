"""One persona asks another, which answers with its own tools from a context of its own."""

from collections.abc import Sequence

from llmos import LLMOS, Persona, Scripted, ToolCall
from llmos.kernel.types import Message

clerk = Persona("Clerk", "Leave sums to the accountant.", tools=["ask"])
accountant = Persona("Accountant", "Work it out.", "does sums", tools=["calculator"])


def reply(messages: Sequence[Message]) -> str | ToolCall:
    """Stands in for a larger model: each does its part."""
    last = messages[-1]
    if "You speak as Clerk" in messages[0].text:
        asked = {"persona": "accountant", "question": "What is 19% of 240?"}
        return f"I asked. {last.text}" if last.role == "tool" else ToolCall("1", "ask", asked)
    return f"It is {last.text}." if last.role == "tool" else ToolCall("1", "calculator", {"expression": "19% * 240"})


with LLMOS(model=Scripted(reply), persona=clerk, personas=[accountant]) as system:
    answer = system.run("how much is the tax on 240?")
    print(answer.text)
    assert "It is 45.6." in answer.text
