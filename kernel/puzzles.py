"""Puzzles that the embedded kernel was taught to think about: it is asked of states, and proposes and judges.

A puzzle knows its rules, which only check; it brings no solver.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from llmos.kernel.engine import Model, Sampling
from llmos.kernel.planner import Meter, Path, Proposal, Spent
from llmos.kernel.reason import STEP, VERDICTS, drafted, verdict
from llmos.kernel.types import Message, Part, Source
from llmos.prompts import load

BATCH = 32  # states that are judged in one pass
HOTTEST = 1.9  # temperature


class Rules(Protocol):
    """The rules of a puzzle."""

    @property
    def question(self) -> str:
        """What is asked, in words."""

    def told(self, path: Path) -> str:
        """The state that a path leads to, in a line that says all there is to know of it."""

    def moves(self, path: Path) -> list[str]:
        """Every thought that the rules allow after a path."""

    def wrong(self, path: Path) -> str:
        """Why the last thought breaks the rules; empty where it does not."""

    def finished(self, path: Path) -> str | None:
        """The answer that a path ends in; None where it is not at an end."""

    def check(self, answer: str) -> bool | None:
        """Whether an answer is right; None where that cannot be told without knowing it."""

    def key(self, path: Path) -> Hashable:
        """The state that a path leads to."""


def ask(what: str, state: str) -> list[Message]:
    """What the kernel is asked of a state: ``next`` for a step, ``judge`` for a verdict.

    A system turn, for it is left as it is: numbers get no short names.
    """
    return [Message("system", (Part(f"{state}\n{load(f'thought_{what}.md')}", Source("kernel")),))]


def head(move: str) -> str:
    """What a move is known by: all of it, or what stands before what it comes to."""
    chosen, sign, _ = move.partition(" =")
    return chosen + sign


class Glancer(Model, Protocol):
    """A model that tells how probable the beginnings of answers are, of several prompts together."""

    def glance(self, prompts: Sequence[Sequence[Message]], continuations: Sequence[str]) -> list[list[float]]:
        """See :class:`~llmos.kernel.local.LocalModel`."""

    def distinct(
        self,
        prompts: Sequence[Sequence[Message]],
        n: Sequence[int],
        most: int,
        seeds: Sequence[int | None],
        temperature: float = 1.0,
        more: Callable[[int], bool] = lambda tokens: True,
        *,
        heads: Sequence[Sequence[str]] = (),
    ) -> list[list[tuple[str, float]]]:
        """See :class:`~llmos.kernel.local.LocalModel`."""


@dataclass(frozen=True)
class Asked:
    """A puzzle with the embedded kernel, which proposes and judges every thought; the rules only check.

    It is asked of states, as it was taught (:func:`ask`). Thoughts about one state all differ (``distinct``), or each
    is drawn by itself, as a vote wants it. ``checked``: one is given up as soon as no move of the rules begins so, say
    with a number that is not there; what a move comes to, after its equals sign, is the kernel's first word, right or
    wrong. ``legal``: it chooses among whole moves, and need not get the arithmetic right: easier, and to be told apart.
    A verdict says what is gone on with first and kills nothing: now and then it is wrong of what can be solved.
    """

    puzzle: Rules
    model: Glancer
    temperature: float = 1.0
    legal: bool = False
    distinct: bool = True
    checked: bool = False

    def propose(self, paths: Sequence[Path], n: int, seed: int | None, meter: Meter) -> list[list[Proposal]]:
        """See :class:`~llmos.kernel.planner.Problem`. No thought longer than a move that the rules allow.

        Where the budget ends meanwhile, what was written counts.
        """
        prompts = [ask("next", self.puzzle.told(path)) for path in paths]
        moves = [self.puzzle.moves(path) for path in paths]
        if not self.distinct:
            asked = []
            for number, (prompt, some) in enumerate(zip(prompts, moves, strict=True)):
                sampling = Sampling(max_tokens=STEP, choices=tuple(some) if self.legal else ())
                if seed is not None:
                    sampling = replace(sampling, temperature=self.temperature, seed=seed + number * 32)
                asked.append((prompt, sampling))
            return drafted(self.model, asked, n, meter)
        return self._distinct(prompts, moves, n, seed, meter)

    def _distinct(
        self,
        prompts: Sequence[Sequence[Message]],
        moves: Sequence[Sequence[str]],
        n: int,
        seed: int | None,
        meter: Meter,
    ) -> list[list[Proposal]]:
        """Thoughts of which none comes twice: at most twice as many as there are moves."""
        ended: list[Spent] = []

        def more(tokens: int) -> bool:
            try:
                meter.spend(tokens)
            except Spent as end:
                ended.append(end)
            return not ended

        most = min(STEP, max((len(move) for some in moves for move in some), default=0) + 1)
        seeds = [None if seed is None else seed + number * 32 for number in range(len(prompts))]
        widths = [min(n, 2 * len(some) or 1) for some in moves]
        heads: list[list[str]] = []
        if self.legal or self.checked:
            heads = [sorted({move if self.legal else head(move) for move in some}) for some in moves]
        found = self.model.distinct(prompts, widths, most, seeds, self.temperature, more, heads=heads)
        if ended and not any(found):
            raise ended[0]
        return [[Proposal(" ".join(text.split()), logprob) for text, logprob in row] for row in found]

    def value(self, paths: Sequence[Path], meter: Meter) -> list[float]:
        """See :class:`~llmos.kernel.planner.Problem`: by the verdicts' first tokens."""
        meter.spend()
        prompts = [ask("judge", self.puzzle.told(path)) for path in paths]
        found: list[list[float]] = []
        for at in range(0, len(prompts), BATCH):
            some = prompts[at : at + BATCH]
            found += self.model.glance(some, list(VERDICTS))
            meter.spend(sum(self.model.count(one, ()) for one in some))
        return [verdict([[one] for one in scores], 0.0) for scores in found]

    def wrong(self, path: Path) -> str:
        """See :class:`~llmos.kernel.planner.Problem`."""
        return self.puzzle.wrong(path)

    def finished(self, path: Path) -> str | None:
        """See :class:`~llmos.kernel.planner.Problem`."""
        return self.puzzle.finished(path)

    def check(self, answer: str) -> bool | None:
        """See :class:`~llmos.kernel.planner.Problem`."""
        return self.puzzle.check(answer)

    def key(self, path: Path) -> Hashable:
        """See :class:`~llmos.kernel.planner.Problem`."""
        return self.puzzle.key(path)

    def reframe(self, failed: Sequence[Path]) -> "Asked | None":
        """A state has one way to be told; once all has failed, it is drawn from more evenly."""
        return replace(self, temperature=self.temperature + 0.3) if self.temperature < HOTTEST else None
