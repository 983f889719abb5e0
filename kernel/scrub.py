"""Takes secrets, and on request personal data, out of whatever is shown, logged or given to the model.

Every text of an event passes here before the event does; streamed text passes through a :class:`Stream`, which holds
back what could be the beginning of something. What a call really runs with is not changed here. Knows no files.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, Protocol, TypeVar

from llmos.kernel.redact import Redactor
from llmos.kernel.secrets import Scanner
from llmos.kernel.types import ToolCall

Thing = TypeVar("Thing")
# Names by which files, calls and sessions are found again; none of them is anybody's text.
_STRUCTURE = frozenset({"id", "parent", "path", "handle", "call_id", "call_hash", "session", "mime", "location"})
# In what the model wrote to run, personal data stays: a changed program is another program.
_PROGRAMS = frozenset({"call", "calls"})


class Stream(Protocol):
    """A text in pieces: what can be told now, and in the end the rest."""

    def feed(self, piece: str) -> str: ...

    def end(self) -> str: ...


class _Chain:
    """One stream after another."""

    def __init__(self, *streams: Stream) -> None:
        self._streams = streams

    def feed(self, piece: str) -> str:
        for stream in self._streams:
            piece = stream.feed(piece)
        return piece

    def end(self) -> str:
        piece = ""
        for stream in self._streams:
            piece = stream.feed(piece) + stream.end()
        return piece


@dataclass(frozen=True, slots=True)
class Scrub:
    """The registered secrets, and the session's placeholders where personal data was asked to be kept out."""

    secrets: Scanner = field(default_factory=Scanner)
    personal: Redactor | None = None

    def text(self, text: str) -> str:
        """A text fit to be shown, logged and given to the model."""
        text = self.secrets.redact(text)
        return self.personal.redact(text) if self.personal else text

    def stream(self) -> Stream:
        """The same for a text that comes in pieces."""
        return _Chain(self.secrets.stream(), *([self.personal.stream()] if self.personal else []))

    def holds_secret(self, call: ToolCall) -> bool:
        """Whether a call's arguments hold a secret or a piece of one, be it spread over several of them."""
        if not self.secrets:
            return False
        values = "\n".join(_spoken(call.arguments, keys=False))
        whole = "\n".join(_spoken(call.arguments, keys=True))
        return bool(self.secrets.find(values) or self.secrets.find(whole))

    def call(self, call: ToolCall) -> ToolCall:
        """A call as it may be shown and logged; where a secret is spread over its arguments, all of them go."""
        if not self.secrets:
            return call
        told: ToolCall = self._scrubbed(call, personal=False)
        if self.holds_secret(told):
            return replace(told, arguments={"withheld": "its arguments hold a secret in pieces"})
        return told

    def event(self, event: Thing) -> Thing:
        """An event, or any value of events, with every text in it scrubbed."""
        if not self.secrets and self.personal is None:
            return event
        scrubbed: Thing = self._scrubbed(event, personal=True)
        return scrubbed

    def _scrubbed(self, value: Any, personal: bool) -> Any:
        if isinstance(value, str):
            return self.text(value) if personal else self.secrets.redact(value)
        if is_dataclass(value) and not isinstance(value, type):
            names = [f.name for f in fields(value) if f.name not in _STRUCTURE]
            inner = {n: self._scrubbed(getattr(value, n), personal and n not in _PROGRAMS) for n in names}
            return replace(value, **inner)
        if isinstance(value, Mapping):
            return {self._scrubbed(k, personal): self._scrubbed(v, personal) for k, v in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value)(self._scrubbed(item, personal) for item in value)
        return value


def _spoken(value: Any, keys: bool) -> Iterator[str]:
    """Every text and number of JSON arguments in order, with or without the keys."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if keys:
                yield str(key)
            yield from _spoken(inner, keys)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _spoken(inner, keys)
    elif isinstance(value, str):
        yield value
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield repr(value)
