"""gpt-oss's way to write a turn: messages in channels, each with a header that says where it goes.

``analysis`` is reasoning, ``final`` and ``commentary`` are text, and whatever goes ``to=functions.NAME`` is a call. The
whole turn is one grammar, since where a call may begin is written in plain letters. Knows nothing of templates.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from llmos.kernel.codec import Codec
from llmos.kernel.engine import CallMade, Delta, TextDelta, ThoughtDelta
from llmos.kernel.parse import Format, call_of
from llmos.kernel.tool import Tool

START, END, MESSAGE, CHANNEL = "<|start|>", "<|end|>", "<|message|>", "<|channel|>"
CONSTRAIN, CALL, RETURN = "<|constrain|>", "<|call|>", "<|return|>"
NEEDED = (START, END, MESSAGE, CHANNEL, CALL, RETURN)
# Messages before the one that ends the turn; each has an end, so a turn has one.
MESSAGES = 8


class HarmonyParser:
    """As :class:`~llmos.kernel.parse.TurnParser`, for this format. The prompt ends with who speaks."""

    def __init__(self, codec: Codec, form: Format, branch: int = 0, tools: Sequence[Tool] = ()) -> None:
        self._form, self._branch, self._tools = form, branch, tools
        self._names = {i: name for name, i in codec.control.items()}
        self._stream = codec.stream()
        self._header, self._body = "", ""
        self._inside = False

    def feed(self, token: int) -> list[Delta]:
        """What this id completes; empty within a header or a call."""
        name = self._names.get(token, "")
        if token in self._form.stops or name == END:
            return self.finish()
        if name == START:
            self._header, self._inside = "", False
            return []
        if not self._inside:
            if name == MESSAGE:
                self._inside, self._body = True, ""
            else:
                self._header += name or self._stream.feed(token)
            return []
        text = self._stream.feed(token)
        if self._called:
            self._body += text
            return []
        return self._shown(text)

    def finish(self) -> list[Delta]:
        """The end of a message; a call is read as far as it goes."""
        rest, inside, called = self._stream.flush(), self._inside, self._called
        out = self._shown(rest) if inside and not called else []
        if inside and called:
            body = json.dumps({"name": called})[:-1] + ', "arguments": ' + (self._body + rest or "{}") + "}"
            out = [CallMade(call, self._branch) for call in call_of(self._form.read, body, self._tools)]
        self._inside, self._header, self._body = False, "", ""
        return out

    @property
    def _called(self) -> str:
        """The tool that the message goes to; empty for none."""
        found = re.search(r"to=functions\.([A-Za-z0-9_-]+)", self._header)
        return found[1] if found else ""

    def _shown(self, text: str) -> list[Delta]:
        if not text:
            return []
        kind = ThoughtDelta if f"{CHANNEL}analysis" in self._header else TextDelta
        return [kind(text, self._branch)]


def head(control: Mapping[str, int]) -> str:
    """What comes before the answer, in Lark."""
    return f'<[{control[CHANNEL]}]> "final" <[{control[MESSAGE]}]>'


def lark(
    tools: Sequence[tuple[str, Any]], stops: Sequence[int], control: Mapping[str, int], as_json: Callable[[Any], str]
) -> str:
    """A whole turn as a Lark grammar; ``tools`` are names and schemas of bounded size."""
    ids = {name: f"<[{i}]>" for name, i in control.items()}
    message = f'{ids[CHANNEL]} ("analysis" | "commentary") {ids[MESSAGE]} TEXT {ids[END]} {ids[START]} "assistant"'
    last = " | ".join(f"<[{i}]>" for i in sorted(stops) if i != control[CALL])
    rules = [
        f"start: before{{0,{MESSAGES}}} ({' | '.join(['final', *(f'call_{n}' for n in range(len(tools)))])})",
        f"before: {message}",
        f"final: {head(control)} TEXT ({last})",
        r"TEXT: /(?s:.*)/",
    ]
    for n, (name, schema) in enumerate(tools):
        to = json.dumps(f" to=functions.{name}")
        ways = [f'{to} {ids[CHANNEL]} "commentary json" {ids[MESSAGE]}']
        if CONSTRAIN in ids:
            after = json.dumps(f"commentary to=functions.{name} ")
            ways.append(f'{ids[CHANNEL]} {after} {ids[CONSTRAIN]} "json" {ids[MESSAGE]}')
            ways.append(f'{to} {ids[CHANNEL]} "commentary " {ids[CONSTRAIN]} "json" {ids[MESSAGE]}')
        rules.append(f"call_{n}: ({' | '.join(ways)}) arguments_{n} {ids[CALL]}")
        rules.append(f"arguments_{n}: {as_json(schema)}")
    return "\n".join(rules)
