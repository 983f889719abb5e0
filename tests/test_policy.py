"""Policy: one pure function, default deny."""

from llmos.kernel.policy import decide
from llmos.kernel.tool import Capability, Tool, ToolOutput


def tool(*capabilities: Capability, declared: bool = True) -> Tool:
    given = frozenset(capabilities) if declared else None
    return Tool("t", "", {"type": "object"}, lambda a, c: ToolOutput(""), given)


def test_a_pure_tool_and_the_boxed_python_are_allowed() -> None:
    assert decide(tool()).verdict == "allow"
    assert decide(tool("exec")).verdict == "allow"


def test_everything_beyond_asks() -> None:
    for capabilities in (("net",), ("write",), ("spend",), ("exec", "net"), ("write", "spend")):
        assert decide(tool(*capabilities)).verdict == "ask", capabilities


def test_an_undeclared_tool_asks_and_an_unknown_one_is_denied() -> None:
    assert decide(tool(declared=False)).verdict == "ask"
    assert decide(None).verdict == "deny"
