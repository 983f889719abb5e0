"""Be asked about a call before it happens: the arguments shown are those it would run with."""

from llmos import LLMOS, Scripted, ToolCall, tool
from llmos.kernel.dispatch import Asked

sent: list[str] = []


@tool(does="net")
def mail(to: str, body: str) -> str:
    """Sends a mail."""
    sent.append(to)
    return f"sent to {to}"


def ask(call: Asked) -> bool:
    """Say yes to mum alone."""
    print(f"may {call.name} run with {dict(call.arguments)}? ({call.why})")
    return bool(call.arguments["to"] == "mum")


calls = [ToolCall("1", "mail", {"to": to, "body": "hello"}) for to in ("mum", "everyone")]
with LLMOS(model=Scripted([*calls, "I wrote to your mother."]), tools=[mail], approve=ask) as system:
    print(system.run("say hello to mum").text)
assert sent == ["mum"]
