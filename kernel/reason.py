"""A problem told in words, for a model to think about step by step: the general one of the planner's problems.

A thought is a line. The next ones are asked for by one prompt; another asks whether they can lead to the answer, and
what the model would say to it is read from the log-probabilities of the verdicts, not from text. Knows no tool: what
computes and what checks are given.
"""

import math
import re
from collections.abc import Callable, Generator, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from llmos.kernel.engine import Finished, Model, Sampling, TextDelta
from llmos.kernel.errors import UsageError
from llmos.kernel.planner import Meter, Path, Proposal, Spent
from llmos.kernel.steps import Calculate, wrong_arithmetic
from llmos.kernel.tool import Tool
from llmos.kernel.types import Message, Part, Source
from llmos.prompts import load

# What each verdict says of how hopeful a path is.
VERDICTS = {"sure": 1.0, "likely": 0.5, "impossible": 0.0}
# So little is impossible, whatever the model says: a path dies when the verdict is as good as certain.
LEAST = 0.02
STEP = 64  # tokens of one step
SHOWN = 5  # lines that failed which a problem told anew shows
_ANSWER = re.compile(r"\s*(?:the\s+)?(?:final\s+)?answer(?:\s+is\b|\s*:)\s*(.+?)[\s.]*$", re.I)


@runtime_checkable
class Judge(Protocol):
    """A model that tells log-probabilities."""

    def score(
        self, messages: Sequence[Message], tools: Sequence[Tool], continuations: Sequence[str]
    ) -> list[list[float]]:
        """The log-probability (nats) of each token of each text, were it the beginning of the next turn."""


@dataclass(frozen=True)
class Told:
    """See :class:`~llmos.kernel.planner.Problem`.

    ``calculate`` checks the arithmetic of steps, ``right`` answers; without them nothing is checked. ``frames`` is how
    often the problem may yet be told anew. Raises UsageError where a verdict is asked of a model that tells no
    log-probabilities.
    """

    model: Model
    question: str
    calculate: Calculate | None = None
    right: Callable[[str], bool | None] = lambda answer: None
    temperature: float = 0.8
    frames: int = 1
    failed: tuple[Path, ...] = ()

    def propose(self, paths: Sequence[Path], n: int, seed: int | None, meter: Meter) -> list[list[Proposal]]:
        """See :class:`~llmos.kernel.planner.Problem`. All are written side by side.

        Where the budget ends meanwhile, what was written by then counts.
        """
        asked = []
        for number, path in enumerate(paths):
            sampling = Sampling(max_tokens=STEP, stop=("\n",))
            if seed is not None:
                sampling = replace(sampling, temperature=self.temperature, seed=seed + number * 32)
            asked.append((self._ask("think_step.md", path), sampling))
        return drafted(self.model, asked, n, meter)

    def value(self, paths: Sequence[Path], meter: Meter) -> list[float]:
        """See :class:`~llmos.kernel.planner.Problem`."""
        if not isinstance(self.model, Judge):
            raise UsageError(f"{self.model.name} tells no log-probabilities: think by a vote instead")
        found = []
        for path in paths:
            messages = self._ask("think_judge.md", path)
            scores = self.model.score(messages, (), list(VERDICTS))
            meter.spend(self.model.count(messages, ()) + sum(map(len, scores)))
            found.append(verdict(scores))
        return found

    def wrong(self, path: Path) -> str:
        """See :class:`~llmos.kernel.planner.Problem`."""
        if not path[-1].strip():
            return "it says nothing"
        if path[-1] in path[:-1]:
            return "it was said before"
        return wrong_arithmetic(path[-1], self.calculate) if self.calculate is not None else ""

    def finished(self, path: Path) -> str | None:
        """See :class:`~llmos.kernel.planner.Problem`."""
        found = _ANSWER.match(path[-1]) if path else None
        return found[1].strip() if found else None

    def check(self, answer: str) -> bool | None:
        """See :class:`~llmos.kernel.planner.Problem`."""
        return self.right(answer)

    def key(self, path: Path) -> Hashable:
        """See :class:`~llmos.kernel.planner.Problem`: the same words."""
        return tuple(" ".join(line.casefold().split()) for line in path)

    def reframe(self, failed: Sequence[Path]) -> "Told | None":
        """See :class:`~llmos.kernel.planner.Problem`."""
        if not self.frames:
            return None
        return replace(self, failed=(*self.failed, *failed)[-SHOWN:], frames=self.frames - 1)

    def _ask(self, prompt: str, path: Path) -> list[Message]:
        # The question and the steps come first in either prompt, so that what is computed of them is shared.
        parts = [Part(self.question, Source("user"))]
        if self.failed:
            lines = "\n".join("; ".join(one) for one in self.failed)
            parts.append(Part(f"{load('think_again.md')}\n{lines}", Source("kernel")))
        parts += [Part(line, Source("kernel")) for line in path]
        return [Message("user", (*parts, Part(load(prompt), Source("kernel"))))]


def drafted(
    model: Model, asked: Sequence[tuple[Sequence[Message], Sampling]], n: int, meter: Meter
) -> list[list[Proposal]]:
    """``n`` thoughts to each of several prompts, a token of each in turn: an engine computes them together.

    Where the budget ends meanwhile, those that were whole by then. Raises Spent where none was.
    """
    meter.spend(sum(model.count(messages, ()) for messages, _ in asked))
    drafts = [[_Draft() for _ in range(n)] for _ in asked]
    streams = [
        _written(model, messages, sampling, row) for (messages, sampling), row in zip(asked, drafts, strict=True)
    ]
    every = [one for row in drafts for one in row]
    try:
        while streams:
            going = []
            for stream in streams:
                tokens = next(stream, None)
                if tokens is not None:
                    going.append(stream)
                    meter.spend(tokens)
            streams = going
    except Spent:
        if not any(one.ended for one in every):
            raise
    finally:
        for stream in streams:
            stream.close()
    return [[Proposal(" ".join(one.text.split()), one.logprob) for one in row if one.ended] for row in drafts]


@dataclass(slots=True)
class _Draft:
    """A thought as it is written."""

    text: str = ""
    logprob: float = 0.0
    ended: bool = False


def _written(
    model: Model, messages: Sequence[Message], sampling: Sampling, drafts: Sequence[_Draft]
) -> Generator[int, None, None]:
    """Write into drafts: yields at each delta how many tokens are to be counted."""
    stream = model.reply(messages, (), sampling, len(drafts))
    try:
        for delta in stream:
            tokens = 0
            if isinstance(delta, TextDelta):
                drafts[delta.branch].text += delta.text
            elif isinstance(delta, Finished):
                drafts[delta.branch].ended, drafts[delta.branch].logprob = True, delta.logprob
                tokens = delta.generated_tokens
            yield tokens
    finally:
        if isinstance(stream, Generator):
            stream.close()


def verdict(scores: Sequence[Sequence[float]], least: float = LEAST) -> float:
    """How hopeful a path is by the log-probabilities of the verdicts' tokens, in the order of VERDICTS.

    What is not above ``least`` is 0: impossible.
    """
    totals = [sum(one) for one in scores]
    most = max(totals)
    shares = [math.exp(total - most) for total in totals]
    value = sum(share * worth for share, worth in zip(shares, VERDICTS.values(), strict=True)) / sum(shares)
    return value if value > least else 0.0
