"""A local model that shares nothing: each reply and each verdict is computed by itself, from its first token on.

What it says is what the model says. It is there to measure what sharing prompts and computing branches together saves.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from llmos.kernel.engine import Delta, Sampling
from llmos.kernel.local import LocalModel
from llmos.kernel.tool import Tool
from llmos.kernel.tree import Tree
from llmos.kernel.types import Message


class Alone:
    """See :class:`~llmos.kernel.engine.Model`."""

    def __init__(self, model: LocalModel) -> None:
        self.model = model
        self.name, self.context_length = model.name, model.context_length
        self.count, self.close = model.count, model.close

    def reply(
        self,
        messages: Sequence[Message],
        tools: Sequence[Tool],
        sampling: Sampling = Sampling(),  # noqa: B008
        n: int = 1,
    ) -> Iterator[Delta]:
        """One branch after the other, each with the seed that it would have beside the others."""
        for branch in range(n):
            self.forget()
            own = replace(sampling, seed=sampling.seed + branch)
            # To its end at once: nothing else is computed meanwhile.
            for delta in list(self.model.reply(messages, tools, own)):
                yield replace(delta, branch=branch)

    def score(
        self, messages: Sequence[Message], tools: Sequence[Tool], continuations: Sequence[str]
    ) -> list[list[float]]:
        """See :class:`~llmos.kernel.local.LocalModel`."""
        return [row for one in continuations for row in self._scored(messages, tools, one)]

    def _scored(self, messages: Sequence[Message], tools: Sequence[Tool], one: str) -> list[list[float]]:
        self.forget()
        return self.model.score(messages, tools, [one])

    def glance(self, prompts: Sequence[Sequence[Message]], continuations: Sequence[str]) -> list[list[float]]:
        """See :class:`~llmos.kernel.local.LocalModel`."""
        found = []
        for prompt in prompts:
            self.forget()
            found += self.model.glance([prompt], continuations)
        return found

    def distinct(
        self,
        prompts: Sequence[Sequence[Message]],
        n: Sequence[int],
        most: int,
        seeds: Sequence[int | None],
        temperature: float = 1.0,
        more: Callable[[int], bool] = lambda tokens: True,
        heads: Sequence[Sequence[str]] = (),
    ) -> list[list[tuple[str, float]]]:
        """See :class:`~llmos.kernel.local.LocalModel`. A line at a time, each computed from its first token on."""
        keep, found = self.model.engine.keep, []
        assert isinstance(keep, Tree)
        keep.share = False
        try:
            for at, (prompt, width, seed) in enumerate(zip(prompts, n, seeds, strict=True)):
                own = heads[at : at + 1]
                found += self.model.distinct([prompt], [width], most, [seed], temperature, more, True, own)
        finally:
            keep.share = True
        return found

    def forget(self) -> None:
        """Let go of all that is kept for prompts to come."""
        self.model.engine.loop.do(self.model.engine.keep.clear)
