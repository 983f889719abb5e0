"""Dialogues with what the user thought of their answers, for fine-tuning: one JSON object each.

``good`` and ``bad`` are a dialogue up to the answer; ``prefer`` is a prompt with a chosen and a rejected end. The form
of messages is that of chat templates. Knows events; what is private in them its caller takes out.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from llmos.kernel.context import history
from llmos.kernel.paths import before
from llmos.kernel.types import Answer, Event, Message, Started, ToolCall, Verdict

KINDS = ("good", "bad", "prefer")


def traces(events: Sequence[Event], kinds: Sequence[str] = KINDS, unjudged: bool = False) -> Iterator[dict[str, Any]]:
    """A session's dialogues: those with a verdict of these kinds, the last one of each answer; others if asked for."""
    begun = next((e for e in events if isinstance(e, Started)), None)
    about = {"session": begun.session, "model": begun.model, "persona": begun.persona} if begun else {}
    verdicts = {e.answer: e for e in events if isinstance(e, Verdict)}
    for answer in (e for e in events if isinstance(e, Answer)):
        given = verdicts.get(answer.id)
        if given is None and unjudged:
            yield {**about, "answer": answer.id, "verdict": "", "note": "", "messages": dialogue(events, answer.id)}
        elif given is not None and given.verdict in kinds:
            told = {**about, "answer": answer.id, "verdict": given.verdict, "note": given.note}
            if given.verdict != "prefer":
                yield {**told, "messages": dialogue(events, answer.id)}
                continue
            prompt, chosen = _cut(dialogue(events, answer.id))
            for other in given.over:
                rejected = _cut(dialogue(events, other))[1]
                yield {**told, "over": other, "prompt": prompt, "chosen": chosen, "rejected": rejected}


def dialogue(events: Sequence[Event], answer: str) -> list[dict[str, Any]]:
    """The messages up to an answer, as chat templates take them."""
    return [spelled(message) for message in history(before(events, answer))]


def _cut(messages: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What was asked, and what came of it."""
    last = max((n for n, m in enumerate(messages) if m["role"] == "user"), default=-1) + 1
    return messages[:last], messages[last:]


def spelled(message: Message) -> dict[str, Any]:
    """A message as chat templates take it."""
    told: dict[str, Any] = {"role": message.role, "content": message.text}
    if message.call_id:
        told["tool_call_id"] = message.call_id
    calls = [c for c in message.calls if isinstance(c, ToolCall)]
    if calls:
        told["tool_calls"] = [
            {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": dict(c.arguments)}}
            for c in calls
        ]
    odd = [c.text for c in message.calls if not isinstance(c, ToolCall)]
    if odd:
        told["content"] = "\n".join([told["content"], *odd]).strip()
    return told
