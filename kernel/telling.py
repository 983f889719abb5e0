"""Small things that short names are told with (see aliases): patterns of names, changes to parts and arguments."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from llmos.kernel.types import Message, Part, ToolCall

_TITLE = re.compile(r"""title\(\s*(['"])(.+?)\1""")
_LOADED = re.compile(r"""load\(\s*(['"])(.+?)\1""")


def among(names: Sequence[str] | Mapping[str, int]) -> re.Pattern[str]:
    """Any of these, the longest first, not as a part of a word or a number."""
    ordered = sorted(names, key=len, reverse=True)
    return re.compile(rf"(?<![\w.@~#&`])(?:{'|'.join(map(re.escape, ordered))})(?!\w|\.\d)")


def own_words(message: Message) -> list[str]:
    """The texts of a message that the user wrote."""
    return [p.content for p in message.parts if p.source.origin == "user" and isinstance(p.content, str)]


def changed(part: Part, change: Callable[[str], str]) -> Part:
    """A part with its text changed."""
    return replace(part, content=change(part.content)) if isinstance(part.content, str) else part


def each(arguments: Mapping[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    """Arguments with their texts changed."""
    return {k: change(v) if isinstance(v, str) else v for k, v in arguments.items()}


def quoted(text: str) -> str:
    """A Python string literal in single quotes."""
    return repr(text) if "'" in text else f"'{text}'"


def topic(code: str) -> str:
    """What code for a plot is about: its title, else its table's name in words; empty where it has neither."""
    if found := _TITLE.search(code):
        return found[2]
    found = _LOADED.search(code)
    if found is None:
        return ""
    return " ".join(re.findall(r"[^\W_]+", re.sub(r"\.\w+$", "", found[2].rsplit("/", 1)[-1])))


def done(call: ToolCall) -> str:
    """What a call runs or computes; empty for one that does neither."""
    return str(call.arguments.get("code") or call.arguments.get("expression") or "")


def latest(messages: Sequence[Message]) -> list[Message]:
    """The messages, examples behind the last request alone: those of earlier ones were for what was done then."""
    last = max((n for n, m in enumerate(messages) if m.role == "user"), default=0)
    return [_plain(m) if m.role == "user" and n < last else m for n, m in enumerate(messages)]


def _plain(message: Message) -> Message:
    """A request without examples."""
    return replace(message, parts=tuple(p for p in message.parts if p.source.origin != "system"))
