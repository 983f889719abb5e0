"""A Model that says what it is told to: for tests of the loop, of policy, and of tools of one's own.

Deterministic and instant. Knows no tokens; its counts are words.
"""

from collections.abc import Callable, Iterator, Sequence

from llmos.kernel.engine import CallMade, Delta, Finished, Sampling, TextDelta, ThoughtDelta
from llmos.kernel.errors import BudgetError, ModelError
from llmos.kernel.tool import Tool
from llmos.kernel.types import Malformed, Message, ToolCall

Said = str | ToolCall | Malformed | TextDelta | ThoughtDelta
Reply = Said | Sequence[Said]


class Scripted:
    """``replies`` in order, a turn each: text, a call, or several of both; or a function from messages to a reply.

    ``context_length`` is in words. Raises ModelError when the replies have run out, BudgetError as a real model does.
    ``seen`` keeps the messages of every request, ``offered`` the names of the tools.
    """

    def __init__(
        self,
        replies: Sequence[Reply] | Callable[[Sequence[Message]], Reply],
        name: str = "scripted",
        context_length: int = 100_000,
    ) -> None:
        self._replies = replies if callable(replies) else list(replies)
        self._name = name
        self._window = context_length
        self._next = 0
        self.seen: list[list[Message]] = []
        self.offered: list[list[str]] = []

    @property
    def name(self) -> str:
        """As given."""
        return self._name

    @property
    def context_length(self) -> int:
        """As given, in words."""
        return self._window

    def count(self, messages: Sequence[Message], tools: Sequence[Tool]) -> int:
        """Words in the messages and the tools' descriptions, and one for each message and tool."""
        texts = [*(m.text for m in messages), *(t.description for t in tools)]
        return sum(len(t.split()) + 1 for t in texts)

    def reply(
        self,
        messages: Sequence[Message],
        tools: Sequence[Tool],
        sampling: Sampling = Sampling(),  # noqa: B008
        n: int = 1,
    ) -> Iterator[Delta]:
        """The next reply; with ``n`` branches, the next ``n``. With ``choices``, a reply must be one of them."""
        size = self.count(messages, tools)
        if size >= self._window:
            told = f"the prompt has {size} words, the scripted model's window holds {self._window}"
            raise BudgetError(told, "context")
        self.seen.append(list(messages))
        self.offered.append([t.name for t in tools])
        for branch in range(n):
            yield from _say(self._take(messages, sampling), branch, size)

    def close(self) -> None:
        """Nothing to free."""

    def _take(self, messages: Sequence[Message], sampling: Sampling) -> list[Said]:
        if callable(self._replies):
            reply = self._replies(messages)
        elif self._next < len(self._replies):
            reply = self._replies[self._next]
        else:
            asked = messages[-1].text[:60] if messages else ""
            raise ModelError(f"the script is over: {self._next} replies given, one more asked for, after {asked!r}")
        self._next += 1
        if sampling.choices and reply not in sampling.choices:
            raise ModelError(f"the script says {reply!r} where one of {sampling.choices} is asked for")
        return [reply] if isinstance(reply, str) or not isinstance(reply, Sequence) else list(reply)


def _say(reply: list[Said], branch: int, prompt: int) -> Iterator[Delta]:
    words = 0
    for said in reply:
        if isinstance(said, ToolCall | Malformed):
            yield CallMade(said, branch)
            words += 1
            continue
        text = said if isinstance(said, str) else said.text
        kind = ThoughtDelta if isinstance(said, ThoughtDelta) else TextDelta
        # Word by word, as a model streams.
        for piece in _pieces(text):
            words += 1
            yield kind(piece, branch)
    yield Finished("stop", prompt_tokens=prompt, generated_tokens=words, branch=branch)


def _pieces(text: str) -> Iterator[str]:
    at = 0
    while at < len(text):
        cut = text.find(" ", at + 1)
        end = len(text) if cut < 0 else cut
        yield text[at:end]
        at = end
