"""Chat templates of other checkpoints, rendered so that outside text meets neither the template nor control tokens.

The template sees placeholders; its scaffold alone is encoded by the full tokenizer, and the text put back as plain
text. Knows no family and no call format.
"""

import hashlib
import json
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from llmos.kernel.checkpoint import read_json
from llmos.kernel.codec import Codec
from llmos.kernel.errors import ModelError
from llmos.kernel.tool import Tool
from llmos.kernel.types import Message, ToolCall
from llmos.kernel.wire import call_text


class ChatTemplate:
    """A checkpoint's chat template. ``tokens`` are the texts it may name, such as ``bos_token``. Raises ModelError."""

    def __init__(self, source: str, codec: Codec, tokens: Mapping[str, str]) -> None:
        self._template = compile_template(source)
        self._tokens = dict(tokens)
        self._codec = codec
        self._full = Tokenizer.from_str(codec.json_text)

    def render(self, messages: Sequence[Message], tools: Sequence[Tool], open_turn: bool = True) -> list[int]:
        """The prompt's ids; without ``open_turn`` only what is there. Raises ModelError if the template fails."""
        veil = _Veil()
        data = {
            "messages": veil.messages(messages),
            "tools": [veil.value(function_schema(t)) for t in tools] or None,
            "add_generation_prompt": open_turn,
            **self._tokens,
        }
        try:
            text = self._template.render(**data)
        except Exception as error:  # a template may raise anything, by design
            raise ModelError(f"the chat template refuses this conversation: {error}") from error
        ids: list[int] = []
        for piece, outside in veil.pieces(text):
            ids += self._codec.encode(piece) if outside else self._full.encode(piece, add_special_tokens=False).ids
        return ids


class _Veil:
    """Stands placeholders in for outside text, and puts the text back between the template's own pieces."""

    def __init__(self) -> None:
        self._mark = f"Q{secrets.token_hex(6)}"
        self._texts: list[str] = []

    def hide(self, text: str) -> str:
        """A placeholder no text can guess; empty stays empty, because templates ask."""
        if not text:
            return ""
        self._texts.append(text)
        return f"{self._mark}n{len(self._texts) - 1}Z"

    def value(self, data: Any) -> Any:
        """JSON data with every string hidden that is not plainly harmless."""
        if isinstance(data, str):
            return data if _HARMLESS.fullmatch(data) else self.hide(data)
        if isinstance(data, Mapping):
            return {self.value(str(k)): self.value(v) for k, v in data.items()}
        return [self.value(v) for v in data] if isinstance(data, list | tuple) else data

    def messages(self, messages: Sequence[Message]) -> list[dict[str, Any]]:
        """Messages as templates expect them; what could not be read as a call goes back as the text it was."""
        out: list[dict[str, Any]] = []
        names = {c.id: c.name for m in messages for c in m.calls if isinstance(c, ToolCall)}
        for m in messages:
            calls = [c for c in m.calls if isinstance(c, ToolCall)]
            text = "\n".join(filter(None, [m.text, *(call_text(c) for c in m.calls if not isinstance(c, ToolCall))]))
            made: dict[str, Any] = {"role": m.role, "content": self.hide(text)}
            if calls:
                made["tool_calls"] = [self._call(c) for c in calls]
            if m.role == "tool" and m.call_id in names:
                made |= {"name": names[m.call_id], "tool_call_id": _short(m.call_id)}
            elif m.role == "tool":
                made["role"] = "user"
            out.append(made)
        return out

    def _call(self, call: ToolCall) -> dict[str, Any]:
        function = {"name": self.value(call.name), "arguments": self.value(call.arguments)}
        return {"id": _short(call.id), "type": "function", "function": function}

    def pieces(self, text: str) -> list[tuple[str, bool]]:
        """The rendered text cut into (piece, whether it is outside text); inside JSON strings it is escaped."""
        out = []
        for n, piece in enumerate(re.split(f'("?{self._mark}n[0-9]+Z"?)', text)):
            if n % 2 == 0:
                out.append((piece, False))
                continue
            hidden = self._texts[int(piece.strip('"').rpartition("n")[2][:-1])]
            quoted = piece[0] == piece[-1] == '"'
            before, after = '"' * (piece[0] == '"'), '"' * (piece[-1] == '"')
            shown = json.dumps(hidden, ensure_ascii=False)[1:-1] if quoted else hidden
            out.append((f"{before}{shown}{after}", True))
        return out


_HARMLESS = re.compile(r"[\w .,:;()'/+*=%-]*", re.ASCII)


def _short(call_id: str) -> str:
    """Nine letters and digits, which Mistral insists on."""
    return call_id if re.fullmatch("[A-Za-z0-9]{9}", call_id) else hashlib.sha256(call_id.encode()).hexdigest()[:9]


def function_schema(tool: Tool) -> dict[str, Any]:
    """A tool as OpenAI's interface, and with it every chat template, describes it."""
    about = {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}
    return {"type": "function", "function": about}


def chat_template(folder: Path) -> str:
    """The checkpoint's chat template (the one for tools where there are several); empty without one."""
    if (folder / "chat_template.jinja").exists():
        return (folder / "chat_template.jinja").read_text(encoding="utf-8")
    if not (folder / "tokenizer_config.json").exists():
        return ""
    found = read_json(folder / "tokenizer_config.json").get("chat_template") or ""
    if isinstance(found, list):
        named = {t["name"]: t["template"] for t in found}
        found = named.get("tool_use") or named.get("default") or ""
    return str(found)


def compile_template(source: str) -> Any:
    """A chat template in jinja's sandbox, with what transformers gives it. Raises ModelError for a broken one."""
    import jinja2
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def refuse(message: str) -> None:
        raise jinja2.TemplateError(message)

    def to_json(x: Any, ensure_ascii: bool = False, indent: int | None = None, **more: Any) -> str:
        # What jinja's own filters give is no list yet.
        return json.dumps(list(x) if isinstance(x, Iterator) else x, ensure_ascii=ensure_ascii, indent=indent, **more)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.filters["tojson"] = to_json
    environment.globals |= {"raise_exception": refuse, "strftime_now": lambda form: datetime.now().strftime(form)}
    try:
        # The generation tag only marks spans for training.
        return environment.from_string(re.sub(r"\{%-?\s*(end)?generation\s*-?%\}", "", source))
    except jinja2.TemplateError as error:
        raise ModelError(f"the chat template is broken: {error}") from error
