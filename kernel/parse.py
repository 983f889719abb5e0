"""Token ids of the assistant's turn back to text, thoughts and calls, as they stream.

A call exists only where its opening id was sampled (or, in the families that have none, where the whole turn is a
call); text that looks like one stays text. Knows nothing of prompts, grammars or models.
"""

import json
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from llmos.kernel.codec import Codec
from llmos.kernel.engine import CallMade, Delta, TextDelta, ThoughtDelta
from llmos.kernel.frames import Frame
from llmos.kernel.tool import Tool
from llmos.kernel.types import Malformed, ToolCall

Read = Callable[[str, Sequence[Tool]], list[tuple[str, Mapping[str, Any]]]]


@dataclass(frozen=True, slots=True)
class Format:
    """How a family writes a turn, in ids. ``read`` turns a call's body into (name, arguments) pairs, casting by
    the tools' schemas where values carry no types, or raises ValueError.

    ``bare``: a turn that begins with ``{`` is a call, where there are tools. ``style``, ``key``, ``args`` (the id
    between a name and its arguments) and ``frame`` tell the grammar how a body looks.
    """

    name: str
    stops: frozenset[int]
    opens: frozenset[int] = frozenset()
    closes: frozenset[int] = frozenset()
    think: int | None = None
    think_end: int | None = None
    bare: bool = False
    read: Read = field(default=lambda body, tools: read_json(body, tools))
    style: str = "hermes"
    key: str = "arguments"
    args: int | None = None
    frame: Frame | None = None


class Parser(Protocol):
    """Reads one turn id by id."""

    def feed(self, token: int) -> list[Delta]:
        """What this id completes; empty while something is unfinished."""

    def finish(self) -> list[Delta]:
        """What is left at the end of the turn."""


class TurnParser:
    """Feed it the sampled ids of one turn. ``thinking``: the prompt already opened a thought. Without ``tools`` what
    has no opening id is no call."""

    def __init__(
        self, codec: Codec, form: Format, branch: int = 0, thinking: bool = False, tools: Sequence[Tool] = ()
    ) -> None:
        self._form = form
        self._tools = tools
        self._branch = branch
        self._names = {i: name for name, i in codec.control.items()}
        self._stream = codec.stream()
        self._state = "think" if thinking else "text"
        self._body = ""
        # Line ends wait: before a call, and at a part's beginning or end, they are layout and not text.
        self._held = ""
        self._fresh = True

    def feed(self, token: int) -> list[Delta]:
        """What this id completes; empty while a call or a character is unfinished."""
        form = self._form
        if token in form.stops:
            return self.finish()
        if token in form.opens:
            return self._switch("call")
        if self._state == "call":
            if token in form.closes:
                return self._switch("text")
            self._body += self._names.get(token, "") or self._stream.feed(token)
            return []
        if token == form.think:
            return self._switch("think")
        if token == form.think_end:
            return self._switch("text")
        return self._text(self._stream.feed(token))

    def finish(self) -> list[Delta]:
        """What is left at the end of the turn; an open call is read as far as it goes."""
        return self._switch("text", cut=True)

    def _switch(self, state: str, cut: bool = False) -> list[Delta]:
        rest = self._stream.flush()
        out: list[Delta]
        if self._state == "call":
            out = self._calls(self._body + rest, cut and bool(self._form.closes))
        elif self._state == "bare":
            out = self._bare(self._body + rest)
        else:
            out = self._text(rest)
        self._state, self._body, self._held, self._fresh = state, "", "", True
        return out

    def _text(self, text: str) -> list[Delta]:
        if self._state == "bare":
            self._body += text
            return []
        text = self._held + text
        if self._fresh:
            text = text.lstrip("\n")
            if self._form.bare and self._tools and self._state == "text" and text.startswith("{"):
                self._state, self._body = "bare", text
                return []
        shown = text.rstrip("\n")
        self._held = text[len(shown) :]
        if not shown:
            return []
        self._fresh = False
        kind = ThoughtDelta if self._state == "think" else TextDelta
        return [kind(shown, self._branch)]

    def _bare(self, body: str) -> list[Delta]:
        # Only what reads as a call is one; any other JSON is an answer in JSON.
        if '"name"' in body[:40]:
            return self._calls(body)
        return [TextDelta(body.rstrip("\n"), self._branch)]

    def _calls(self, body: str, cut: bool = False) -> list[Delta]:
        return [CallMade(call, self._branch) for call in call_of(self._form.read, body, self._tools, cut)]


def call_of(read: Read, body: str, tools: Sequence[Tool], cut: bool = False) -> list[ToolCall | Malformed]:
    """The calls in a body, or what is wrong with it; ``cut``: it has no end."""
    try:
        return [ToolCall(new_id(), *pair) for pair in read(body, tools)]
    except (ValueError, RecursionError) as error:
        problem = "the call was cut off" if cut else str(error) or type(error).__name__
        return [Malformed(new_id(), body.strip("\n"), problem.splitlines()[0])]


def in_thought(prompt: Sequence[int], form: Format) -> bool:
    """Whether a prompt ends inside a thought: some templates open one for the model."""
    for i in reversed(prompt[-8:]):
        if i == form.think_end:
            return False
        if i == form.think:
            return True
    return False


def text_of(deltas: Iterable[Delta]) -> str:
    """Deltas as one text, for messages about them; calls as they were written or read."""
    shown = []
    for delta in deltas:
        if isinstance(delta, CallMade):
            shown.append(delta.call.text if isinstance(delta.call, Malformed) else repr(delta.call))
        elif isinstance(delta, TextDelta | ThoughtDelta):
            shown.append(delta.text)
    return "".join(shown)


def new_id() -> str:
    """A call's id: nine letters and digits, which every family and provider takes."""
    return uuid.uuid4().hex[:9]


def read_json(body: str, tools: Sequence[Tool] = ()) -> list[tuple[str, Mapping[str, Any]]]:
    """Hermes and Llama: ``{"name": …, "arguments" or "parameters": {…}}``. Raises ValueError with one line."""
    return [_pair(_loads(body))]


def read_mistral(body: str, tools: Sequence[Tool] = ()) -> list[tuple[str, Mapping[str, Any]]]:
    """Mistral: a JSON list of calls, or ``name[ARGS]{…}``, with or without ``[CALL_ID]…``. Raises ValueError."""
    if "[ARGS]" in body:
        name, _, arguments = body.partition("[ARGS]")
        return [_pair({"name": name.partition("[CALL_ID]")[0].strip(), "arguments": _loads(arguments)})]
    data = _loads(body)
    return [_pair(one) for one in (data if isinstance(data, list) else [data])]


def _loads(text: str) -> Any:
    """JSON, forgiving the braces a small model forgets or adds at the very end."""
    text = text.strip()
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        for mended in (text + "}", text + "}}", text[:-1]):
            try:
                return json.loads(mended)
            except ValueError:
                continue
        raise ValueError(f"not valid JSON: {error.msg} (character {error.pos + 1})") from None


def _pair(data: Any) -> tuple[str, Mapping[str, Any]]:
    if not isinstance(data, dict):
        raise ValueError("a call must be a JSON object with name and arguments")
    name = data.get("name")
    if not isinstance(name, str) or not name:
        raise ValueError("the call has no name")
    arguments = data.get("arguments", data.get("parameters", {}))
    if isinstance(arguments, str):
        arguments = _loads(arguments)
    if not isinstance(arguments, dict):
        raise ValueError("the call's arguments are not a JSON object")
    return name, arguments
