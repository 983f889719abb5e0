"""Context: the conversation is a view of the events, within the budget."""

from llmos.kernel.context import build, history
from llmos.kernel.types import (
    Answer,
    Attachment,
    Call,
    Event,
    Message,
    Request,
    Result,
    Source,
    Text,
    ToolCall,
    ToolResult,
)


def turn(n: int, text: str = "hello") -> list[Event]:
    return [Request(id="", text=f"{text} {n}"), Text(id="", text=f"answer {n}"), Answer(id="", text=f"answer {n}")]


def words(messages: object) -> int:
    assert isinstance(messages, list)
    return sum(len(m.text.split()) for m in messages)


def test_previews_stand_before_the_request_and_keep_their_source() -> None:
    attachment = Attachment("data/a.csv", "file 'a.csv': 2 rows", Source("file", "a.csv"))
    message = history([Request(id="", text="plot it", attachments=(attachment,))])[0]
    assert message.text == "file 'a.csv': 2 rows\nplot it"
    assert [p.source.origin for p in message.parts] == ["file", "user"]


def test_text_and_calls_of_one_reply_share_a_turn() -> None:
    first, second = ToolCall("r1", "calculator", {"expression": "1"}), ToolCall("r2", "calculator", {"expression": "2"})
    results = [ToolResult(c.id, True, c.id, Source("tool", "calculator")) for c in (first, second)]
    events: list[Event] = [
        Request(id="", text="?"),
        Text(id="", text="let me see"),
        Call(id="", call=first),
        Call(id="", call=second),
    ]
    events += [Result(id="", result=r) for r in results]
    messages = history(events)
    assert [m.role for m in messages] == ["user", "assistant", "tool", "tool"]
    assert messages[1].calls == (first, second)


def test_a_call_cut_off_by_a_kill_gets_a_result_that_says_so() -> None:
    call = ToolCall("r1", "python", {"code": "1"})
    events: list[Event] = [Request(id="", text="a"), Call(id="", call=call), Request(id="", text="b")]
    messages = history(events)
    assert [m.role for m in messages] == ["user", "assistant", "tool", "user"]
    assert "interrupted" in messages[2].text


def test_lines_of_the_kernel_itself_are_not_the_models_words() -> None:
    events: list[Event] = [
        Request(id="", text="a"),
        Text(id="", text="yes"),
        Text(id="", text="Source: x", by="kernel"),
    ]
    assert [m.text for m in history(events)] == ["a", "yes"]


def test_the_oldest_turns_leave_first_and_the_current_one_stays() -> None:
    events = [e for n in range(10) for e in turn(n)] + [Request(id="", text="the last request")]
    messages, dropped = build("system", events, words, 20)
    assert dropped > 0
    assert messages[0] == Message("system", messages[0].parts)
    assert messages[1].role == "user"
    assert messages[-1].text == "the last request"
    assert words(messages) <= 20
    kept, none = build("system", events, words, 1)
    assert kept[-1].text == "the last request"
    assert none == 20
