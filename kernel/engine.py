"""The two protocols a language model is reached by: Model (messages) and Engine (token ids, branches).

Model is what the loop speaks to; ``local`` is wire + Engine, ``remote`` an OpenAI-compatible server,
``scripted`` a list of replies for tests. Engine knows nothing of text: its unit is the branch.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from llmos.kernel.tool import Tool
from llmos.kernel.types import Malformed, Message, ToolCall


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to decode. ``temperature`` 0 is greedy. ``max_tokens`` bounds one reply. ``seed`` makes it reproducible.

    ``choices`` limits the whole reply to one of the given strings (masked decoding), ``schema``, a JSON schema as
    JSON text, to a value of it. ``bias`` pairs token ids with nats added to their logits: above 0 boosts, minus
    infinity bans. ``marks`` are the numbers that the text may cite in brackets, None for any; a model that is not
    decoded here may pass them over. Without ``calls`` the reply is text alone, whatever tools are told of.
    """

    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    max_tokens: int = 1024
    stop: tuple[str, ...] = ()
    seed: int = 0
    choices: tuple[str, ...] = ()
    schema: str = ""
    bias: tuple[tuple[int, float], ...] = ()
    marks: tuple[int, ...] | None = None
    calls: bool = True


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of answer text from branch ``branch``; never part of a call, never cut inside a character."""

    text: str
    branch: int = 0


@dataclass(frozen=True, slots=True)
class ThoughtDelta:
    """A piece of reasoning text."""

    text: str
    branch: int = 0


@dataclass(frozen=True, slots=True)
class CallMade:
    """A finished call, or one that could not be read."""

    call: ToolCall | Malformed
    branch: int = 0


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of a branch's reply. ``reason``: ``stop`` (turn ended), ``length`` (max_tokens), ``cancelled``.

    ``logprob`` is the sum of the chosen tokens' log-probabilities (nats), where known.
    """

    reason: str
    prompt_tokens: int = 0
    generated_tokens: int = 0
    logprob: float = 0.0
    branch: int = 0


Delta = TextDelta | ThoughtDelta | CallMade | Finished


class Model(Protocol):
    """A conversational model. One reply is one assistant turn: text and calls, up to the end of the turn."""

    @property
    def name(self) -> str: ...

    @property
    def context_length(self) -> int:
        """The most tokens a prompt and its reply may have together."""

    def count(self, messages: Sequence[Message], tools: Sequence[Tool]) -> int:
        """The exact number of prompt tokens for these messages (an estimate where the model is remote)."""

    def reply(
        self,
        messages: Sequence[Message],
        tools: Sequence[Tool],
        sampling: Sampling = Sampling(),
        n: int = 1,
    ) -> Iterator[Delta]:
        """Stream ``n`` branches of the assistant's next turn; each ends with Finished.

        Closing the iterator cancels. Raises ModelError (cannot be reached) and BudgetError (prompt over the window).
        """

    def close(self) -> None: ...


class Grammar(Protocol):
    """What a branch may emit next; one per branch, advanced token by token."""

    def mask(self, room: int | None = None) -> "MaskBits | None":
        """The allowed token ids as packed bits (int32 words, little-endian), or None for no constraint.

        ``room`` tokens may still come: where few are left, a call is brought to its end.
        """

    def accept(self, token: int) -> bool:
        """Advance by a token; false if it was not allowed."""

    def forced(self) -> list[int]:
        """The ids that must come next where there is no choice: decoded without asking the network."""

    def fork(self) -> "Grammar": ...


class MaskBits(Protocol):
    """An int32 array of shape (ceil(vocab / 32),): bit set means allowed."""

    def __len__(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Step:
    """One decoded token of a branch and its log-probability (nats) under the unmasked distribution; 0 if forced."""

    token: int
    logprob: float


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What an engine is: sizes in tokens, and how it was loaded."""

    vocabulary: int
    context_length: int
    parameters: int
    device: str
    dtype: str
    notes: tuple[str, ...] = field(default=())


class Branch(Protocol):
    """A sequence of token ids with its KV cache."""

    @property
    def ids(self) -> Sequence[int]: ...

    def fork(self, n: int) -> list["Branch"]:
        """``n`` branches that continue from here and share this prefix's KV."""

    def extend(self, ids: Sequence[int]) -> None:
        """Append given tokens (their KV is computed with the next decode)."""

    def decode(self, sampling: Sampling, grammar: Grammar | None = None, stop: Sequence[int] = ()) -> Iterator[Step]:
        """Sample tokens until a stop id (yielded, kept), ``max_tokens`` or the window's end. Closing it cancels.

        The engine begins at once, so that branches whose ``decode`` is called before the first step is taken begin
        together, and may be some tokens ahead of what was taken; ``grammar`` is the engine's until the end.
        """

    def score(self, continuations: Sequence[Sequence[int]]) -> list[list[float]]:
        """The log-probability (nats) of each token of each continuation, were it to follow. It stays as it is."""

    def close(self) -> None:
        """Free its KV (kept where another branch shares it)."""


class Engine(Protocol):
    """Token ids in, token ids out."""

    @property
    def info(self) -> EngineInfo: ...

    def open(self, ids: Sequence[int]) -> Branch:
        """A branch over ``ids``; the longest prefix already computed is not computed again.

        Raises BudgetError when the ids do not fit the window.
        """

    def close(self) -> None: ...
