"""The embedded kernel's wire format: messages to token ids (compact ChatML, Hermes calls), ids back to text and calls.

Only this file puts control ids into a prompt; everything else is encoded as plain text. The chat template in
``chat_template.jinja`` says the same for transformers and vLLM. Knows nothing of sampling or of other families.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from llmos.kernel.aliases import Aliases
from llmos.kernel.codec import Codec
from llmos.kernel.noted import RECALL, REMEMBER
from llmos.kernel.parse import Format, Parser, TurnParser
from llmos.kernel.scene import TOOL
from llmos.kernel.tool import Tool
from llmos.kernel.turns import Examples
from llmos.kernel.types import Malformed, Message, ToolCall

END_OF_TEXT, TURN, TURN_END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
CALL, CALL_END = "<tool_call>", "</tool_call>"
RESPONSE, RESPONSE_END = "<tool_response>", "</tool_response>"
THINK, THINK_END = "<think>", "</think>"

# In the order of their ids, which are the last ones of the vocabulary.
CONTROL = (END_OF_TEXT, TURN, TURN_END, CALL, CALL_END, RESPONSE, RESPONSE_END, THINK, THINK_END)


class Wire(Protocol):
    """How one checkpoint's turns are written and read."""

    codec: Codec
    form: Format

    def render(self, messages: Sequence[Message], tools: Sequence[Tool]) -> list[int]:
        """The prompt's ids, up to and including the header of the assistant's next turn."""

    def parser(self, branch: int = 0, thinking: bool = False, tools: Sequence[Tool] = ()) -> Parser:
        """A parser for one turn; ``thinking`` when the prompt ends inside a thought."""


class EmbeddedWire:
    """The embedded kernel's own :class:`Wire`. Raises ModelError when the tokenizer lacks a control token."""

    def __init__(self, codec: Codec, examples: Examples | None = None) -> None:
        self.codec = codec
        self.examples = examples
        self.form = Format(
            name="llmos",
            stops=frozenset({codec.id(TURN_END), codec.id(END_OF_TEXT)}),
            opens=frozenset({codec.id(CALL)}),
            closes=frozenset({codec.id(CALL_END)}),
            think=codec.id(THINK),
            think_end=codec.id(THINK_END),
        )

    def render(self, messages: Sequence[Message], tools: Sequence[Tool]) -> list[int]:
        """See :func:`render`; with short names for what the conversation names (see aliases).

        The memory's tools are not told of: what is kept and found with them is not for the network to say (see memo).
        """
        told = [tool for tool in tools if tool.name not in (REMEMBER, RECALL)]
        return render(self.aliases(messages, tools).shown, told, self.codec)

    def aliases(self, messages: Sequence[Message], tools: Sequence[Tool]) -> Aliases:
        """The short names of a conversation."""
        names = {tool.name for tool in tools}
        return Aliases(messages, self.examples, TOOL in names, REMEMBER in names and RECALL in names)

    def parser(self, branch: int = 0, thinking: bool = False, tools: Sequence[Tool] = ()) -> TurnParser:
        """See :class:`~llmos.kernel.parse.TurnParser`."""
        return TurnParser(self.codec, self.form, branch, thinking, tools)


class _Tape:
    """Ids as they are laid down, and which of them the assistant writes itself."""

    def __init__(self, codec: Codec) -> None:
        self.codec = codec
        self.ids: list[int] = []
        self.own: list[bool] = []

    def text(self, text: str, own: bool = False) -> None:
        ids = self.codec.encode(text)
        self.ids += ids
        self.own += [own] * len(ids)

    def control(self, name: str, own: bool = False) -> None:
        self.ids.append(self.codec.id(name))
        self.own.append(own)

    def turn(self, role: str) -> None:
        # The header is encoded apart from the text, as it is when the kernel goes on from it.
        self.control(TURN)
        self.text(f"{role}\n")

    def end(self, own: bool = False) -> None:
        self.control(TURN_END, own)
        self.text("\n")


def render(messages: Sequence[Message], tools: Sequence[Tool], codec: Codec) -> list[int]:
    """The prompt's ids, up to and including the header of the assistant's next turn."""
    tape = _lay(messages, tools, codec)
    tape.turn("assistant")
    return tape.ids


def render_training(messages: Sequence[Message], tools: Sequence[Tool], codec: Codec) -> tuple[list[int], list[bool]]:
    """A finished dialogue's ids, and for each whether the assistant produced it (text, calls, end of turn)."""
    tape = _lay(messages, tools, codec)
    return tape.ids, tape.own


def _lay(messages: Sequence[Message], tools: Sequence[Tool], codec: Codec) -> _Tape:
    tape = _Tape(codec)
    rest = list(messages)
    system = rest.pop(0).text if rest and rest[0].role == "system" else ""
    text = "\n".join(filter(None, [system, tool_list(tools)]))
    if text:
        tape.turn("system")
        tape.text(text)
        tape.end()
    for group in _turns(rest):
        if group[0].role == "tool":
            _lay_results(tape, group)
        elif group[0].role == "assistant":
            _lay_assistant(tape, group[0])
        else:
            tape.turn(group[0].role)
            tape.text(group[0].text)
            tape.end()
    return tape


def _turns(messages: Sequence[Message]) -> Iterator[list[Message]]:
    """One message a turn, but results that follow one another share one."""
    group: list[Message] = []
    for message in messages:
        if group and not group[0].role == message.role == "tool":
            yield group
            group = []
        group.append(message)
    if group:
        yield group


def _lay_assistant(tape: _Tape, message: Message) -> None:
    tape.turn("assistant")
    text = message.text
    if text:
        tape.text(f"{text}\n" if message.calls else text, own=True)
    for n, call in enumerate(message.calls):
        if n:
            tape.text("\n", own=True)
        tape.control(CALL, own=True)
        tape.text(f"\n{call_text(call)}\n", own=True)
        tape.control(CALL_END, own=True)
    tape.end(own=True)


def _lay_results(tape: _Tape, results: Sequence[Message]) -> None:
    tape.turn("user")
    for n, result in enumerate(results):
        if n:
            tape.text("\n")
        tape.control(RESPONSE)
        tape.text(f"\n{result.text}\n")
        tape.control(RESPONSE_END)
    tape.end()


def call_text(call: ToolCall | Malformed) -> str:
    """A call as it stands between its tags: JSON, or what the model wrote where that could not be read."""
    if isinstance(call, Malformed):
        return call.text.strip("\n")
    return json.dumps({"name": call.name, "arguments": dict(call.arguments)}, ensure_ascii=False)


def tool_list(tools: Sequence[Tool]) -> str:
    """The tools as the system turn shows them, a line each; empty without tools."""
    return "\n".join(["# Tools", *map(tool_line, tools)]) if tools else ""


def tool_line(tool: Tool) -> str:
    """``name(argument: type, optional?: type): description``, on one line, nothing cut."""
    properties: Mapping[str, Any] = tool.parameters.get("properties", {})
    required = tool.parameters.get("required", [])
    names = (f"{k}{'' if k in required else '?'}: {type_name(v)}" for k, v in properties.items())
    about = " ".join(tool.description.split())
    for name, schema in properties.items():
        more = " ".join(str(schema.get("description", "")).split())
        # A docstring often tells of its arguments already.
        if more and more not in about:
            about += f" {name}: {more}"
    return f"{tool.name}({', '.join(names)})" + (f": {about.strip()}" if about else "")


def type_name(schema: Any) -> str:
    """A JSON schema in a word or two: ``string``, ``list[number]``, ``"a" | "b"``, ``any``."""
    if not isinstance(schema, Mapping):
        return "any"
    if "enum" in schema:
        return " | ".join(json.dumps(v, ensure_ascii=False) for v in schema["enum"])
    if "anyOf" in schema:
        return " | ".join(type_name(s) for s in schema["anyOf"])
    kind = schema.get("type", "any")
    if kind == "array":
        return f"list[{type_name(schema['items'])}]" if "items" in schema else "list"
    return kind if isinstance(kind, str) else " | ".join(kind)
