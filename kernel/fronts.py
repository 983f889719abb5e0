"""A Model that stands before another: it answers what it can by itself, and leaves the rest to that one.

What it can is its own matter: ``reading`` answers from documents, ``surfing`` from the web.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

from llmos.kernel.engine import CallMade, Delta, Finished, Model, Sampling, TextDelta
from llmos.kernel.tool import Tool
from llmos.kernel.types import Message, ToolCall


class Front(ABC):
    """Says what :meth:`said` gives, else what the other says of what it is told and shown."""

    def __init__(self, model: Model) -> None:
        self._model = model

    @property
    def name(self) -> str:
        """The other's."""
        return self._model.name

    @property
    def context_length(self) -> int:
        """The other's, in tokens."""
        return self._model.context_length

    def count(self, messages: Sequence[Message], tools: Sequence[Tool]) -> int:
        """The other's count, of what it is told and shown."""
        return self._model.count(self.told(messages), self.shown(tools))

    def reply(
        self,
        messages: Sequence[Message],
        tools: Sequence[Tool],
        sampling: Sampling = Sampling(),  # noqa: B008
        n: int = 1,
    ) -> Iterator[Delta]:
        """A text or a call of its own, or what the other says."""
        said = self.said(messages, tools, sampling)
        if said is None:
            yield from self._model.reply(self.told(messages), self.shown(tools), sampling, n)
            return
        size = self.count(messages, tools)
        for branch in range(n):
            yield TextDelta(said, branch) if isinstance(said, str) else CallMade(said, branch)
            yield Finished("stop", prompt_tokens=size, generated_tokens=1, branch=branch)

    def close(self) -> None:
        """Close the other."""
        self._model.close()

    @abstractmethod
    def said(self, messages: Sequence[Message], tools: Sequence[Tool], sampling: Sampling) -> str | ToolCall | None:
        """What it says itself; None where the other is to speak."""

    def told(self, messages: Sequence[Message]) -> Sequence[Message]:
        """What the other is told of the conversation."""
        return messages

    def shown(self, tools: Sequence[Tool]) -> Sequence[Tool]:
        """Which tools the other is told of."""
        return tools
