"""Go back, try again, go two ways: a session's log branches, and Python's variables are as they were on each branch."""

from llmos import LLMOS, Answer, Scripted, ToolCall
from llmos.kernel.types import Request


def python(code: str) -> ToolCall:
    """A call of the Python tool."""
    return ToolCall("1", "python", {"code": code})


model = Scripted(
    [
        *(python("price = 100"), "The price is 100."),
        *(python("price = price * 2"), "It is 200 now."),
        *(python("price"), "It is 100."),  # after undo
        *(python("price + 1"), "It is 101."),  # in the fork
        "Hello again.",
    ]
)

with LLMOS(model=model) as system, system.session() as session:
    session.run("the price is 100")
    session.run("double it")
    print("undone:", session.undo().text)
    print(session.run("what is the price?").text)
    with session.fork() as other:
        print("in a fork:", other.run("one more").text)
    last = list(session.retry("hello"))[-1]  # in other words, beside the answer before
    assert isinstance(last, Answer)
    print("tried again:", last.text)
    asked = [event.text for event in session.path() if isinstance(event, Request)]
    assert asked == ["the price is 100", "hello"]
    every = [event.text for event in session.events() if isinstance(event, Request)]
    assert every == ["the price is 100", "double it", "what is the price?", "hello"]  # the log keeps all
