"""The ways a tree of thoughts grows: direct, a vote over whole lines, by beam, best first with backtracking, MCTS.

Each is a function from its sizes to a strategy, a generator that works on a search until it has tried everything, the
answer is settled, or the budget is spent (the search raises then). Knows nothing of what a thought says.
"""

import math
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush

from llmos.kernel.planner import Node, Search, Settled, Strategy

DEPTH = 12
HOPELESS = 0.01  # a value that says as good as no
# What a proposal's seed is made of, so that no two draws of a search are alike: more than any level or line there is.
_ROUND, _LEVEL = 1_000_003, 1_009


def direct(depth: int = DEPTH) -> Strategy:
    """System 1: one line of the likeliest thoughts, to its end. Its answer is taken as it is, valued by nobody."""

    def run(search: Search) -> Iterator[Node]:
        line = search.root
        for _ in range(depth):
            (found,) = search.propose([line], 1, None)
            made = list(search.grow(line, found[:1]))
            yield from made
            if not made or made[0].fate != "open":
                break
            line = made[0]

    return run


def vote(n: int = 8, depth: int = DEPTH, verifier: bool = False, batch: int = 4, lead: bool = False) -> Strategy:
    """Self-consistency: ``n`` whole lines are drawn, and the answer that most of them end in is taken.

    With ``verifier`` a line counts as much as it is valued. Answers that can be checked are; a line with a step that
    is wrong does not vote. It ends when no line to come could change the outcome. ``lead``: the first line is System
    1's, drawn alone, to which ties go.
    """

    def run(search: Search) -> Iterator[Node]:
        weights: dict[str, float] = {}
        first = 0
        while first < n:
            size = 1 if lead and not first else min(batch, n - first)
            ended: list[Node] = []
            for one in _lines(search, size, first, depth, likeliest=lead and not first):
                yield one
                if one.fate == "finished":
                    ended.append(one)
            values = search.values(ended) if verifier else [1.0] * len(ended)
            for one, value in zip(ended, values, strict=True):
                weights[one.answer] = weights.get(one.answer, 0.0) + value
                yield search.put(replace(one, value=weights[one.answer] / n))
            first += size
            _settle(weights, n - first)

    return run


def _settle(weights: dict[str, float], left: int) -> None:
    """Raise Settled where the leader cannot be caught by as many votes as are left."""
    ranked = sorted(weights.values(), reverse=True)
    if ranked and left > 0 and ranked[0] - (ranked[1] if len(ranked) > 1 else 0) > left:
        raise Settled(f"the vote is settled: {left} lines to come cannot change it")


def _lines(search: Search, n: int, first: int, depth: int, likeliest: bool) -> Iterator[Node]:
    """``n`` lines from the beginning to their ends, each step of all of them drawn together."""
    live = [search.root]
    for level in range(depth):
        seed = None if likeliest else search.seed + first * _ROUND + level * _LEVEL
        found = search.propose(live, n if level == 0 else 1, seed)
        following: list[Node] = []
        for line, proposals in zip(live, found, strict=True):
            for one in search.grow(line, proposals, anew=False):
                yield one
                if one.fate == "open":
                    following.append(one)
        live = following
        if not live:
            return


def beam(width: int = 5, breadth: int = 5, depth: int = DEPTH, rounds: int = 8, first: int = 0) -> Strategy:
    """Tree of thoughts by levels: ``breadth`` thoughts for each of the ``width`` best, of which the best are kept.

    ``first`` is how many to begin with, on which all that comes depends (0 for ``breadth``). A level that dies whole
    makes the problem be told anew. With time left it is done again, wider and drawn otherwise, at most ``rounds``
    times; two rounds with one answer settle it.
    """

    def run(search: Search) -> Iterator[Node]:
        before = None
        for turn in range(rounds):
            yield from _beam(search, width << turn, breadth * (turn + 1), first, depth, turn)
            answer = search.best.answer if search.best is not None and search.answered else None
            if answer is not None and answer == before:
                raise Settled("two rounds found the same answer")
            before = answer

    return run


def _beam(search: Search, width: int, breadth: int, first: int, depth: int, turn: int) -> Iterator[Node]:
    live = [search.root]
    for level in range(depth):
        some = breadth if level else max(first, breadth)
        found = search.propose(live, some, search.seed + turn * _ROUND + level * _LEVEL)
        made: list[Node] = []
        places = set()
        for line, proposals in zip(live, found, strict=True):
            for one in search.grow(line, proposals):
                yield one
                if one.fate == "dead":
                    continue  # what breaks the rules leads to no place
                place = search.problem.key(one.path)
                # Two ways to the same place are one.
                if one.fate == "finished" or place not in places:
                    places.add(place)
                    made.append(one)
        rated = search.rate([one for one in made if not one.verified])
        yield from rated
        hopeful = [one for one in rated if one.fate == "open"]
        if not hopeful:
            if not search.answered:
                search.reframe()
            return
        live = sorted(hopeful, key=lambda one: (-one.value, -one.logprob, one.id))[:width]


def best_first(
    breadth: int = 5,
    depth: int = DEPTH,
    floor: float = 0.0,
    deep: bool = False,
    rounds: int = 8,
    batch: int = 1,
    first: int = 0,
    judge: bool = True,
) -> Strategy:
    """Go on from the most hopeful thought there is, wherever it stands; dead ends lead back to the next best.

    ``breadth`` thoughts of each, ``first`` of the beginning where that is more. ``batch``: from so many of the most
    hopeful at once, which a model computes side by side. ``deep``: from the deepest first, as the depth-first search of
    the Tree of Thoughts paper does. What is valued at ``floor`` or less is not gone into. Without ``judge`` nothing is
    valued, and the likeliest is the most hopeful. When all is dead, the problem is told anew, and more thoughts are
    drawn of each.
    """

    def run(search: Search) -> Iterator[Node]:
        for turn in range(rounds):
            sizes = _Sizes(breadth << turn, max(first, breadth << turn), depth, batch, turn)
            yield from _best_first(search, sizes, floor, deep, judge)
            if search.answered:
                return
            search.reframe()

    return run


@dataclass(frozen=True, slots=True)
class _Sizes:
    """Of one round of a best-first search."""

    breadth: int
    first: int
    depth: int
    batch: int
    turn: int


def _best_first(search: Search, sizes: _Sizes, floor: float, deep: bool, judge: bool) -> Iterator[Node]:
    waiting: list[tuple[tuple[float, ...], Node]] = [((0.0,), search.root)]
    seen = {search.problem.key(())}
    while waiting:
        lines = [heappop(waiting)[1] for _ in range(min(sizes.batch, len(waiting)))]
        lines = [line for line in lines if len(line.path) < sizes.depth]
        if not lines:
            continue
        some = sizes.breadth if lines[0].path else sizes.first
        made = yield from _expand(search, lines, some, search.seed + sizes.turn * _ROUND + lines[0].id * _LEVEL, judge)
        for one in made:
            place = search.problem.key(one.path)
            if one.fate == "open" and (one.value > floor or not judge) and place not in seen:
                seen.add(place)
                heappush(waiting, ((*_order(one, deep, judge), -one.logprob, one.id), one))


def _order(node: Node, deep: bool, judge: bool) -> tuple[float, float, float]:
    """What comes first has the least. Of the hopeless the shallow do: it is easier to be wrong about them."""
    depth, value = len(node.path), node.value
    if deep or not judge:
        return -depth if deep else 0.0, -value, 0.0
    return (0.0, depth, -value) if value < HOPELESS else (-round(value, 2), -depth, -value)


def _expand(
    search: Search, lines: Sequence[Node], breadth: int, seed: int, judge: bool = True
) -> Generator[Node, None, list[Node]]:
    """The children of some thoughts that are not dead, rated where they are judged."""
    made = []
    for line, found in zip(lines, search.propose(lines, breadth, seed), strict=True):
        for one in search.grow(line, found):
            yield one
            if one.fate != "dead":
                made.append(one)
    if judge:
        made = search.rate(made)
        yield from made
    return [one for one in made if one.fate != "dead"]


@dataclass(eq=False, slots=True)
class _Twig:
    """A node of MCTS: how often it was gone through, what that was worth in all, and its children with their priors."""

    node: Node
    parent: "_Twig | None" = None
    visits: int = 0
    worth: float = 0.0
    prior: float = 1.0
    children: list["_Twig"] = field(default_factory=list)
    closed: bool = False


def mcts(breadth: int = 5, depth: int = DEPTH, rounds: int = 8, explore: float = 1.0) -> Strategy:
    """Monte Carlo tree search: down by worth and prior (PUCT), one leaf grown at a time, its best value told upwards.

    The prior of a child is its value among its siblings'. Branches with nothing left in them are closed; a tree that
    is closed whole without an answer makes the problem be told anew, with more thoughts drawn of each.
    """

    def run(search: Search) -> Iterator[Node]:
        for turn in range(rounds):
            top = _Twig(search.root)
            while not top.closed:
                leaf = _descend(top, explore)
                seed = search.seed + turn * _ROUND + leaf.node.id * _LEVEL
                rated = yield from _expand(search, [leaf.node], breadth << turn, seed)
                _attach(leaf, rated, depth)
                _tell(leaf, max((one.value for one in rated), default=0.0))
            if search.answered:
                return
            search.reframe()

    return run


def _descend(top: _Twig, explore: float) -> _Twig:
    twig = top
    while twig.children:
        root = math.sqrt(twig.visits)
        open_ones = [one for one in twig.children if not one.closed]
        worths = [one.worth / one.visits if one.visits else one.node.value for one in open_ones]
        bonus = [explore * one.prior * root / (1 + one.visits) for one in open_ones]
        best = max(range(len(open_ones)), key=lambda n: worths[n] + bonus[n])
        twig = open_ones[best]
    return twig


def _attach(leaf: _Twig, nodes: Sequence[Node], depth: int) -> None:
    total = sum(one.value for one in nodes) or 1.0
    leaf.children = [
        _Twig(one, leaf, prior=one.value / total, closed=one.fate == "finished" or len(one.path) >= depth)
        for one in nodes
    ]


def _tell(leaf: _Twig, value: float) -> None:
    """Count a visit on the way up, and close what has nothing left in it."""
    twig: _Twig | None = leaf
    while twig is not None:
        twig.visits += 1
        twig.worth += value
        twig.closed = all(one.closed for one in twig.children)
        twig = twig.parent


STRATEGIES = {
    "direct": direct(),
    "vote": vote(),
    "verifier": vote(verifier=True),
    "beam": beam(),
    "best": best_first(),
    "deep": best_first(deep=True),
    "mcts": mcts(),
}
