"""Builds what the model sees: the system turn, the history from the events, within the token budget.

Files enter as previews before the request they came with. Knows nothing of storage or of token ids.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from llmos.kernel.engine import Sampling
from llmos.kernel.tool import Tool
from llmos.kernel.types import (
    Answer,
    Call,
    Event,
    Failure,
    Label,
    Malformed,
    Message,
    Part,
    Request,
    Result,
    Source,
    Text,
    ToolCall,
)

Count = Callable[[Sequence[Message]], int]


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model is asked for a turn with; the label is of all that is in it."""

    messages: Sequence[Message]
    tools: Sequence[Tool]
    sampling: Sampling
    label: Label


def request_message(request: Request) -> Message:
    """A request as a user turn: the previews of its files, then its words."""
    parts = [Part(a.preview, a.source) for a in request.attachments]
    return Message("user", (*parts, Part(request.text, Source("user"))))


def history(events: Iterable[Event]) -> list[Message]:
    """The conversation that the events tell, oldest first.

    The calls of one reply share one assistant turn with the text before them. A call without a result (the process
    was killed) gets one that says so, since a model expects an answer to each call.
    """
    messages: list[Message] = []
    open_calls: dict[str, int] = {}
    for event in events:
        match event:
            case Request():
                close(messages, open_calls)
                messages.append(request_message(event))
            case Text(by="model", delta=False):
                messages.append(Message("assistant", (Part(event.text, Source("kernel")),)))
            case Call():
                append_call(messages, event.call)
                open_calls[event.call.id] = len(messages)
            case Result():
                open_calls.pop(event.result.call_id, None)
                part = Part(event.result.preview, event.result.source)
                messages.append(Message("tool", (part,), (), event.result.call_id))
            case Answer() | Failure():
                close(messages, open_calls)
            case _:
                pass
    close(messages, open_calls)
    return messages


def append_call(messages: list[Message], call: ToolCall | Malformed) -> None:
    """Add a call to the assistant turn that is being made, or begin one."""
    last = messages[-1] if messages else None
    if last is not None and last.role == "assistant":
        messages[-1] = Message("assistant", last.parts, (*last.calls, call))
    else:
        messages.append(Message("assistant", (), (call,)))


def close(messages: list[Message], open_calls: dict[str, int]) -> None:
    """Give calls that never returned a result that says so."""
    for call_id in open_calls:
        part = Part("error: interrupted before it finished", Source("kernel"))
        messages.append(Message("tool", (part,), (), call_id))
    open_calls.clear()


def build(system: str, events: Sequence[Event], count: Count, room: int) -> tuple[list[Message], int]:
    """Messages of at most ``room`` tokens, and how many old messages were left out.

    Whole turns leave from the oldest on; the current turn always stays (the model refuses it if it does not fit).
    """
    first = Message("system", (Part(system, Source("system")),))
    rest = history(events)
    dropped = 0
    while count([first, *rest]) > room:
        following = next((i for i, m in enumerate(rest) if i > 0 and m.role == "user"), 0)
        if following == 0:
            break
        dropped += following
        rest = rest[following:]
    return [first, *rest], dropped
