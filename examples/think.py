"""Thinking first: several replies are drawn, their calculations tried, and the results vote; the log has every one."""

from llmos import LLMOS, Scripted, ToolCall


def calculate(expression: str) -> ToolCall:
    return ToolCall("1", "calculator", {"expression": expression})


# A model that is wrong at first and right more often than not.
drawn = ["291 / 3", "291 * 2 / 3", "291 - 97", "291 / 3", "291 - 291 / 3", "194"]
model = Scripted(lambda messages: calculate(drawn.pop(0)) if len(messages) == 2 else "194 guests stayed.")

with LLMOS(model=model) as system, system.session() as session:
    system.budget = type(system.budget)(tokens=7 * 512)
    answer = session.run("a third of the 291 guests left, how many stayed?", think=10)
    print(answer.text, answer.calls[0].arguments)
    for event in session.events():
        if type(event).__name__ == "Explored":
            print(event)
