"""Whether new weights may go in: better on what they were to learn, beyond chance, and worse on nothing.

Both kernels are asked the same, so what counts is the questions that one of them alone gets right (McNemar 1947, "Note
on the sampling error of the difference between correlated proportions"; exact, by the binomial distribution).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from llmos.training.evaluate import wilson

CHANCE = 0.05  # what a difference by accident has to be less likely than
MARGIN = 0.02  # what a share may seem to lose, be it by accident
Z = 1.959964


@dataclass(frozen=True, slots=True)
class Compared:
    """One set of questions, before and after."""

    of: int
    before: int
    after: int
    won: int
    lost: int

    @property
    def chance(self) -> float:
        """How likely at least so many won questions were, if either kernel were as likely to be the right one."""
        n = self.won + self.lost
        return float(sum(math.comb(n, k) for k in range(self.won, n + 1)) / 2**n)

    @property
    def difference(self) -> tuple[float, float, float]:
        """What the share rose by, and the 95% interval of that (Wald's for pairs, a half of a question added)."""
        rise = (self.won - self.lost) / self.of
        spread = math.sqrt(max(self.won + self.lost + 1 - (self.won - self.lost) ** 2 / self.of, 0.0)) / self.of
        return rise, rise - Z * spread, rise + Z * spread

    @property
    def better(self) -> bool:
        """Better, beyond chance."""
        return self.won > self.lost and self.chance < CHANCE

    @property
    def worse(self) -> bool:
        """Worse, beyond chance or by more than :data:`MARGIN`."""
        beyond = self.lost > self.won and Compared(self.of, 0, 0, self.lost, self.won).chance < CHANCE
        return beyond or self.difference[0] < -MARGIN

    def public(self) -> dict[str, object]:
        """For the log: shares with their 95% intervals, the difference with its."""
        told: dict[str, object] = {"questions": self.of, "won": self.won, "lost": self.lost, "p": self.chance}
        for name, right in (("before", self.before), ("after", self.after)):
            told[name] = [round(x, 4) for x in (right / self.of, *wilson(right, self.of))]
        told["difference"] = [round(x, 4) for x in self.difference]
        return told


def compared(before: Sequence[bool], after: Sequence[bool]) -> Compared:
    """The two kernels on the same questions. Raises ValueError for none or for lists of two lengths."""
    if not before or len(before) != len(after):
        raise ValueError("both kernels have to be asked the same questions, one or more")
    pairs = list(zip(before, after, strict=True))
    won, lost = sum(b and not a for a, b in pairs), sum(a and not b for a, b in pairs)
    return Compared(len(pairs), sum(before), sum(after), won, lost)


def verdict(sets: Mapping[str, Compared], aim: str) -> tuple[bool, str]:
    """Whether the new weights may go in, and why: ``aim`` is the set that has to be better."""
    if worse := [name for name, one in sets.items() if one.worse]:
        return False, f"worse on {', '.join(worse)}"
    if not sets[aim].better:
        return False, f"not better on {aim} beyond chance"
    return True, f"better on {aim} beyond chance, worse on none"
