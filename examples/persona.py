"""A persona in Python, and one from ten lines of Markdown; each has the tools of its list and no others."""

from pathlib import Path

from llmos import LLMOS, Persona, Scripted, ToolCall

file = Path("baker.md")
file.write_text(
    """---
name: Baker
description: bakes bread
tools: [calculator]
limits: {calls: 5}
---
Tell amounts in grams. Work out percentages with the calculator.
"""
)
mentor = Persona("Mentor", "Never tell the result; ask for the next step.", tools=[])
percent = ToolCall("1", "calculator", {"expression": "70% * 500"})
forged = ToolCall("2", "python", {"code": "print('free')"})
model = Scripted([percent, "350 g of water.", forged, "What is 70% of 100?"])

with LLMOS(model=model) as system:
    print(system.run("water for 500 g of flour at 70%?", persona=str(file)).text)
    print(system.run("what is 70% of 500?", persona=mentor).text)
assert model.offered == [["calculator"], ["calculator"], [], []]
