"""A problem that brings its own pieces to the planner: from 1 to 29 by doubling and adding 3, without any model."""

from collections.abc import Hashable, Sequence

from llmos.kernel.planner import Meter, Path, Problem, Proposal, solve
from llmos.kernel.strategies import best_first

GOAL = 29


def reached(path: Path) -> int:
    number = 1
    for step in path:
        number = number * 2 if step == "double" else number + 3
    return number


class Reach:
    def propose(self, paths: Sequence[Path], n: int, seed: int | None, meter: Meter) -> list[list[Proposal]]:
        meter.spend(len(paths))
        return [[Proposal("double"), Proposal("add 3")][:n] for _ in paths]

    def value(self, paths: Sequence[Path], meter: Meter) -> list[float]:
        return [1 / (1 + abs(GOAL - reached(path))) for path in paths]

    def wrong(self, path: Path) -> str:
        return "it is beyond the goal" if reached(path) > GOAL else ""

    def finished(self, path: Path) -> str | None:
        return ", ".join(path) if reached(path) == GOAL else None

    def check(self, answer: str) -> bool | None:
        return reached(tuple(answer.split(", "))) == GOAL

    def key(self, path: Path) -> Hashable:
        return reached(path)

    def reframe(self, failed: Sequence[Path]) -> Problem | None:
        return None


outcome = solve(Reach(), best_first(), Meter(tokens=500))
print(outcome.answer, outcome.verified, outcome.nodes)
