"""A request that is a puzzle the embedded kernel was taught is thought about as a tree of states, not as a vote.

The kernel proposes and judges every thought; the rules only check. Each thought is an event, so that a search that was
cut off goes on: what was proposed and judged by then is known.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from llmos.kernel import game24, jugs
from llmos.kernel.engine import Model
from llmos.kernel.fair import Sharing, speaking
from llmos.kernel.game24 import Game24
from llmos.kernel.jugs import Jugs
from llmos.kernel.local import LocalModel
from llmos.kernel.planner import Meter, Node, Outcome, Path, Problem, Proposal, Search, Strategy, think
from llmos.kernel.ponder import Way, ended, explored
from llmos.kernel.puzzles import Asked, Glancer
from llmos.kernel.strategies import best_first, direct
from llmos.kernel.types import Answer, Event, Explored, Label, Message, Request
from llmos.kernel.wire import EmbeddedWire

# All the moves of four numbers, and of three: what the kernel thinks unlikely is gone into last, and is gone into.
TREE = best_first(18, first=40, batch=2)
POURED = best_first(6, batch=2)  # as TREE, of jugs
LEAST = 5e-7  # of what is judged, where the log has less than its digits tell


class Thinker(Sharing):
    """A model that was taught to think about puzzles, as one session sees it. See :class:`Sharing`."""

    def __init__(self, model: Glancer, name: Hashable) -> None:
        super().__init__(model, name)
        self._glancer = model

    def glance(self, prompts: Sequence[Sequence[Message]], continuations: Sequence[str]) -> list[list[float]]:
        """See :class:`~llmos.kernel.local.LocalModel`."""
        with speaking(self._who):
            return self._glancer.glance(prompts, continuations)

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
        with speaking(self._who):
            return self._glancer.distinct(prompts, n, most, seeds, temperature, more, heads=heads)


def thinker(model: Model, name: Hashable) -> Thinker | None:
    """The model in a session's name, where it is one that was taught to think about puzzles."""
    return Thinker(model, name) if isinstance(model, LocalModel) and isinstance(model.wire, EmbeddedWire) else None


@dataclass(frozen=True, slots=True)
class Task:
    """A puzzle, and how it is thought about."""

    puzzle: Game24 | Jugs
    problem: Problem


def task(request: Request, model: Glancer | None, before: Iterable[Event]) -> Task | None:
    """The puzzle that a request asks for, where there is a model that was taught to think about it.

    ``before`` are the session's events in the order of their making.
    """
    puzzle = game24.requested(request.text) or jugs.requested(request.text)
    if puzzle is None or model is None or request.attachments:
        return None
    return Task(puzzle, resumed(before, request, Asked(puzzle, model, checked=True)))


def doubted(tree: Strategy) -> Strategy:
    """System 1's own line first; where it is wrong, the tree."""

    def run(search: Search) -> Iterator[Node]:
        yield from direct()(search)
        yield from tree(search)

    return run


def explore(task: Task, how: Way, meter: Meter, label: Label, seed: int = 0) -> Iterator[Explored]:
    """Search: yields each thought as an event; the last one's answer is the way found, empty where there is none.

    At Ctrl-C too, unless there is none yet.
    """
    why = "System 1 first, a tree where its line is wrong" if how == "auto" else f"{how:g} s were asked for"
    why += "; a search that was cut off goes on" if isinstance(task.problem, Known) else ""
    told = f"a tree of thoughts on {task.puzzle.told(())}; {why}"
    tree = TREE if isinstance(task.puzzle, Game24) else POURED
    thoughts = think(task.problem, doubted(tree) if how == "auto" else tree, meter, seed)
    while True:
        try:
            node = next(thoughts)
        except StopIteration as end:
            outcome: Outcome = end.value
            break
        event = explored(node, meter, label)
        yield event if node.id else replace(event, text=told, why=why)
    if not outcome.path and outcome.why == "stopped by the user":
        raise KeyboardInterrupt
    yield ended(outcome, told, label)


def answered(task: Task, last: Explored) -> str:
    """What is said in the end."""
    return task.puzzle.found(last.answer) if last.answer else f"I found no way to {task.puzzle.sought()}: {last.why}."


@dataclass(frozen=True)
class Known:
    """See :class:`~llmos.kernel.planner.Problem`. What was ``proposed`` of a path, time after time, and ``judged`` in a
    search that was cut off is not asked for again.
    """

    problem: Problem
    proposed: dict[Path, list[list[Proposal]]]
    judged: dict[Path, float]

    def propose(self, paths: Sequence[Path], n: int, seed: int | None, meter: Meter) -> list[list[Proposal]]:
        """See :class:`~llmos.kernel.planner.Problem`."""
        asked = [path for path in paths if not self.proposed.get(path)]
        found = iter(self.problem.propose(asked, n, seed, meter) if asked else [])
        return [self.proposed[path].pop(0) if self.proposed.get(path) else next(found) for path in paths]

    def value(self, paths: Sequence[Path], meter: Meter) -> list[float]:
        """See :class:`~llmos.kernel.planner.Problem`."""
        asked = [path for path in paths if path not in self.judged]
        found = iter(self.problem.value(asked, meter) if asked else [])
        return [self.judged[path] if path in self.judged else next(found) for path in paths]

    def wrong(self, path: Path) -> str:
        """See :class:`~llmos.kernel.planner.Problem`."""
        return self.problem.wrong(path)

    def finished(self, path: Path) -> str | None:
        """See :class:`~llmos.kernel.planner.Problem`."""
        return self.problem.finished(path)

    def check(self, answer: str) -> bool | None:
        """See :class:`~llmos.kernel.planner.Problem`."""
        return self.problem.check(answer)

    def key(self, path: Path) -> Hashable:
        """See :class:`~llmos.kernel.planner.Problem`."""
        return self.problem.key(path)

    def reframe(self, failed: Sequence[Path]) -> Problem | None:
        """See :class:`~llmos.kernel.planner.Problem`. Told anew, nothing of it is known."""
        return self.problem.reframe(failed)


def resumed(events: Iterable[Event], request: Request, problem: Problem) -> Problem:
    """The problem, and what is known of it where the last search for the same request did not end.

    ``events`` are in the order of their making.
    """
    made: list[Explored] = []
    for event in events:
        if isinstance(event, Request):
            same = event.text == request.text
            made = made if same else []  # what came in between may have changed what is asked
        elif isinstance(event, Answer) or (isinstance(event, Explored) and not event.node):
            made = []
        elif isinstance(event, Explored):
            made.append(event)
    paths: dict[int, Path] = {0: ()}
    sums = {0: 0.0}
    proposed: dict[Path, list[list[Proposal]]] = {}
    judged: dict[Path, float] = {}
    under = -1
    for event in made:
        path = paths.get(event.node)
        if path is not None:
            # It comes again once it is judged; so little as nothing is left is not nothing.
            judged[path] = max(event.value, LEAST)
            continue
        if event.under != under:
            proposed.setdefault(paths[event.under], []).append([])
        under = event.under
        paths[event.node], sums[event.node] = (*paths[under], event.text), event.logprob
        proposed[paths[under]][-1].append(Proposal(event.text, event.logprob - sums[under]))
    if under >= 0 and not any(path[:-1] == paths[under] for path in judged):
        proposed[paths[under]].pop()  # there may have been more of them; none is judged before all are there
    return Known(problem, proposed, judged) if any(proposed.values()) else problem
