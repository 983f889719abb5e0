"""System 2: a search over thoughts that turns time into accuracy, for any problem that says what a thought is.

Keeps the tree, the budget and the best answer so far; how the tree grows is a strategy's (``strategies``). A budget
never changes what is done, only when it ends: a larger one on the same seed goes on from where a smaller one stopped,
so its best score is never lower. Knows no model, no tool and no puzzle.
"""

import time
from collections import Counter
from collections.abc import Callable, Generator, Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

Path = tuple[str, ...]
Fate = Literal["open", "dead", "finished"]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A next thought, and how probable it is (nats; 0 where that is not known)."""

    text: str
    logprob: float = 0.0


class Spent(Exception):
    """The budget is spent; the text says which."""


@dataclass(slots=True)
class Meter:
    """What a search may use and has used: ``tokens`` read and written, and wall ``seconds``. None is no limit."""

    seconds: float | None = None
    tokens: int | None = None
    clock: Callable[[], float] = time.monotonic
    used: int = 0
    began: float = field(init=False)

    def __post_init__(self) -> None:
        self.began = self.clock()

    @property
    def passed(self) -> float:
        """Seconds so far."""
        return self.clock() - self.began

    def spend(self, tokens: int = 0) -> None:
        """Count tokens. Raises Spent once a limit is reached."""
        self.used += tokens
        if self.tokens is not None and self.used >= self.tokens:
            raise Spent(f"the budget of {self.tokens} tokens is spent")
        if self.seconds is not None and self.passed >= self.seconds:
            raise Spent(f"the budget of {self.seconds:g} s is spent")


class Problem(Protocol):
    """What is searched. A path is the thoughts from the beginning on; a thought is one of its lines.

    Whatever costs tokens is told to the meter, which may raise Spent at any of them. All of it depends on the arguments
    alone, so that a search can be done again.
    """

    def propose(self, paths: Sequence[Path], n: int, seed: int | None, meter: Meter) -> list[list[Proposal]]:
        """At most ``n`` next thoughts for each path, drawn with ``seed``, each by itself; without one the likeliest."""

    def value(self, paths: Sequence[Path], meter: Meter) -> list[float]:
        """How hopeful each path is, from 0 (it cannot lead to an answer) to 1 (it will)."""

    def wrong(self, path: Path) -> str:
        """Why the last thought of a path cannot stand, checked and not guessed; empty where nothing is found."""

    def finished(self, path: Path) -> str | None:
        """The answer that a path ends in; None where it is not at an end."""

    def check(self, answer: str) -> bool | None:
        """Whether an answer is right, where that can be checked without knowing it; else None."""

    def key(self, path: Path) -> Hashable:
        """What paths have in common that lead to the same place."""

    def reframe(self, failed: Sequence[Path]) -> "Problem | None":
        """The same problem told in another way, with the lines that failed in view; None where there is none."""


@dataclass(frozen=True, slots=True)
class Node:
    """A thought in its tree: 0 is the beginning, ``parent`` -1 its own. ``why`` says why it died or was accepted.

    ``frame`` counts how often the problem was told anew before it.
    """

    id: int
    parent: int
    path: Path
    value: float = 0.0
    fate: Fate = "open"
    why: str = ""
    answer: str = ""
    logprob: float = 0.0
    verified: bool = False
    frame: int = 0

    @property
    def score(self) -> float:
        """From 0 (no answer) to 1 (an answer that was checked); one that cannot be checked stays below."""
        if self.fate != "finished":
            return 0.0
        return 1.0 if self.verified else min(self.value, 0.999)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a search came to: its best answer so far (empty for none), and why it ended."""

    answer: str
    score: float
    verified: bool
    why: str
    path: Path = ()
    nodes: int = 0
    depth: int = 0
    tokens: int = 0
    seconds: float = 0.0


class Settled(Exception):
    """Nothing that is still to come could change the answer; the text says why."""


Strategy = Callable[["Search"], Iterator[Node]]


class Search:
    """A tree that grows: what strategies work on. ``seed`` draws the thoughts."""

    def __init__(self, problem: Problem, meter: Meter, seed: int = 0) -> None:
        self.problem, self.meter, self.seed = problem, meter, seed
        self.nodes = [Node(0, -1, ())]
        self.best: Node | None = None
        self.votes: Counter[str] = Counter()
        self.frame = 0
        self._values: dict[Hashable, float] = {}
        self._failed: list[Path] = []

    @property
    def root(self) -> Node:
        """Where it began; after it was reframed, where it begins anew."""
        return self.nodes[0]

    @property
    def answered(self) -> bool:
        """Whether there is an answer that somebody thinks anything of."""
        return self.best is not None and self.best.score > 0

    def propose(self, nodes: Sequence[Node], n: int, seed: int | None) -> list[list[Proposal]]:
        """Next thoughts of several nodes. Raises Spent."""
        self.meter.spend()
        return self.problem.propose([one.path for one in nodes], n, seed, self.meter)

    def grow(self, node: Node, proposals: Sequence[Proposal], anew: bool = True) -> Iterator[Node]:
        """The children of a node: what is wrong is dead, an answer is checked. ``anew``: none twice among siblings.

        Raises Settled for an answer that is verified.
        """
        seen: set[Hashable] = set()
        for proposal in proposals:
            path = (*node.path, proposal.text)
            made = Node(len(self.nodes), node.id, path, logprob=node.logprob + proposal.logprob, frame=self.frame)
            why = self.problem.wrong(path)
            if not why and anew and self.problem.key(path) in seen:
                continue
            if not why:
                seen.add(self.problem.key(path))
            self.nodes.append(made)
            yield self.put(replace(made, fate="dead", why=why) if why else self._ended(made))
            if self.best is not None and self.best.verified:
                raise Settled("the answer is verified")

    def values(self, nodes: Sequence[Node]) -> list[float]:
        """How hopeful each is; what is known of a place is not asked again. Raises Spent."""
        asked = list({self._place(one): one for one in nodes if self._place(one) not in self._values}.values())
        if asked:
            self.meter.spend()
            found = self.problem.value([one.path for one in asked], self.meter)
            self._values.update(zip(map(self._place, asked), found, strict=True))
        return [self._values[self._place(one)] for one in nodes]

    def rate(self, nodes: Sequence[Node]) -> list[Node]:
        """The nodes with their values; one that cannot lead to an answer is dead. Raises Spent."""
        rated = [replace(one, value=value) for one, value in zip(nodes, self.values(nodes), strict=True)]
        return [self.put(one if one.value > 0 else self.dead(one, "it is judged impossible")) for one in rated]

    def put(self, node: Node) -> Node:
        """Keep a node as it is now; a better answer becomes the best."""
        self.nodes[node.id] = node
        if node.fate == "dead":
            self._failed.append(node.path)
        if node.fate == "finished" and (self.best is None or self._better(node, self.best)):
            self.best = node
        return node

    @staticmethod
    def dead(node: Node, why: str) -> Node:
        """The node, dead."""
        return replace(node, fate="dead", why=why)

    def reframe(self) -> bool:
        """Tell the problem anew, with what failed in view; whether there is another way to tell it."""
        told = self.problem.reframe(self._failed)
        if told is None:
            return False
        self.problem, self.frame = told, self.frame + 1
        self._values.clear()
        self._failed.clear()
        return True

    def outcome(self, why: str) -> Outcome:
        """What it came to so far."""
        depth = max(len(one.path) for one in self.nodes)
        spent = (len(self.nodes), depth, self.meter.used, round(self.meter.passed, 3))
        if self.best is None:
            return Outcome("", 0.0, False, why, (), *spent)
        best = self.best
        return Outcome(best.answer, best.score, best.verified, why, best.path, *spent)

    def _ended(self, node: Node) -> Node:
        answer = self.problem.finished(node.path)
        if answer is None:
            return node
        right = self.problem.check(answer)
        if right is False:
            return replace(node, fate="dead", answer=answer, why="the answer was checked and is wrong")
        self.votes[answer] += 1
        why = "the answer was checked and is right" if right else ""
        return replace(node, fate="finished", answer=answer, verified=bool(right), why=why, value=1.0 if right else 0.0)

    def _place(self, node: Node) -> Hashable:
        # An answer is worth what leads to it; the way there is not.
        return (self.problem.key(node.path), node.answer)

    def _better(self, one: Node, other: Node) -> bool:
        """Verified before valued, valued before voted for."""
        return (one.score, self.votes[one.answer]) > (other.score, self.votes[other.answer])


def think(
    problem: Problem,
    strategy: Strategy,
    meter: Meter | None = None,
    seed: int = 0,
) -> Generator[Node, None, Outcome]:
    """Search: yields each thought as it comes and as it changes; what it came to is the generator's return.

    It ends with the strategy, with a spent budget, when the answer is settled, or with Ctrl-C: whichever it is, with
    the best answer so far.
    """
    search = Search(problem, meter or Meter(), seed)
    yield search.root
    try:
        yield from strategy(search)
        why = "everything was tried"
    except (Spent, Settled) as end:
        why = str(end)
    except KeyboardInterrupt:
        why = "stopped by the user"
    return search.outcome(why)


def solve(problem: Problem, strategy: Strategy, meter: Meter | None = None, seed: int = 0) -> Outcome:
    """The same without watching."""
    thoughts = think(problem, strategy, meter, seed)
    while True:
        try:
            next(thoughts)
        except StopIteration as end:
            outcome: Outcome = end.value
            return outcome
