"""Messages and tools in the shapes of OpenAI's chat completions, and its streamed chunks back to deltas.

Knows nothing of HTTP. All text is neutralised: the server's tokenizer reads control strings in it as control tokens.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from llmos.kernel.engine import CallMade, Delta, TextDelta, ThoughtDelta
from llmos.kernel.hygiene import neutralise
from llmos.kernel.parse import new_id, read_json
from llmos.kernel.template import function_schema
from llmos.kernel.tool import Tool
from llmos.kernel.types import Malformed, Message, ToolCall


def neutral(data: Any) -> Any:
    """JSON data with the control strings in all its strings, keys too, neutralised."""
    if isinstance(data, str):
        return neutralise(data)
    if isinstance(data, Mapping):
        return {neutralise(str(k)): neutral(v) for k, v in data.items()}
    return [neutral(v) for v in data] if isinstance(data, list | tuple) else data


def to_tools(tools: Sequence[Tool]) -> list[dict[str, Any]]:
    """Tools as the ``tools`` field."""
    return [neutral(function_schema(t)) for t in tools]


def to_messages(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Messages as the ``messages`` field; a call that could not be read goes back as the text it was."""
    known = {c.id for m in messages for c in m.calls if isinstance(c, ToolCall)}
    return [_message(m, known) for m in messages]


def _message(message: Message, known: set[str]) -> dict[str, Any]:
    unread = [c.text for c in message.calls if isinstance(c, Malformed)]
    text = neutralise("\n".join(filter(None, [message.text, *unread])))
    if message.role == "tool":
        if message.call_id in known:
            return {"role": "tool", "tool_call_id": message.call_id, "content": text}
        return {"role": "user", "content": text}
    made: dict[str, Any] = {"role": message.role, "content": text}
    calls = [_call(c) for c in message.calls if isinstance(c, ToolCall)]
    return {**made, "tool_calls": calls} if calls else made


def _call(call: ToolCall) -> dict[str, Any]:
    arguments = json.dumps(neutral(call.arguments), ensure_ascii=False)
    return {"id": call.id, "type": "function", "function": {"name": neutralise(call.name), "arguments": arguments}}


class Assembler:
    """Takes the ``choices[0].delta`` of each chunk; tool calls come in fragments and are complete at the end only."""

    def __init__(self, branch: int = 0) -> None:
        self._branch = branch
        self._calls: list[dict[str, str]] = []
        self._at: dict[int, int] = {}

    def feed(self, delta: Mapping[str, Any]) -> list[Delta]:
        """The text and thoughts of a chunk. Raises ValueError when it is not shaped as agreed."""
        out: list[Delta] = []
        thought = delta.get("reasoning_content") or delta.get("reasoning")
        if isinstance(thought, str) and thought:
            out.append(ThoughtDelta(thought, self._branch))
        if isinstance(delta.get("content"), str) and delta["content"]:
            out.append(TextDelta(delta["content"], self._branch))
        for fragment in delta.get("tool_calls") or []:
            self._add(fragment)
        return out

    def finish(self) -> list[Delta]:
        """The calls, in order."""
        return [CallMade(self._read(c), self._branch) for c in self._calls]

    def _add(self, fragment: Any) -> None:
        if not isinstance(fragment, Mapping):
            raise ValueError("a tool call that is no object")
        index = fragment.get("index")
        if not isinstance(index, int):
            # Servers without an index send whole calls, or go on with the last one.
            index = len(self._calls) if fragment.get("id") or not self._calls else len(self._calls) - 1
        call = self._slot(index, str(fragment.get("id") or ""))
        function = fragment.get("function") or {}
        name, arguments = str(function.get("name") or ""), function.get("arguments") or ""
        # Some servers repeat the name with every fragment.
        if name and name != call["name"]:
            call["name"] += name
        call["arguments"] += arguments if isinstance(arguments, str) else json.dumps(arguments)

    def _slot(self, index: int, call_id: str) -> dict[str, str]:
        """The call at ``index``; another id at the same index is another call."""
        at = self._at.get(index)
        if at is None or (call_id and self._calls[at]["id"] not in ("", call_id)):
            self._at[index] = at = len(self._calls)
            self._calls.append({"id": call_id, "name": "", "arguments": ""})
        self._calls[at]["id"] = self._calls[at]["id"] or call_id
        return self._calls[at]

    def _read(self, call: Mapping[str, str]) -> ToolCall | Malformed:
        made = call["id"] or new_id()
        try:
            body = json.dumps({"name": call["name"], "arguments": call["arguments"].strip() or "{}"})
            ((name, arguments),) = read_json(body)
        except (ValueError, RecursionError) as error:
            return Malformed(made, f"{call['name']} {call['arguments']}".strip(), str(error).splitlines()[0])
        return ToolCall(made, name, arguments)
