"""Replies that are sought rather than drawn: by beam, or the most probable of all that a grammar allows.

Works on the engine's branches, which share their prefix. Knows nothing of text; what a reply is worth to somebody is
the planner's to say.
"""

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count

from llmos.kernel.branches import TorchBranch, TorchEngine
from llmos.kernel.engine import Grammar
from llmos.kernel.sampler import masked


@dataclass(frozen=True, slots=True)
class Found:
    """A reply's ids, the sum of their log-probabilities (nats), and whether it is whole: ended by a stop id."""

    ids: tuple[int, ...]
    logprob: float
    whole: bool


@dataclass(eq=False)
class _Partial:
    branch: TorchBranch
    grammar: Grammar | None
    ids: tuple[int, ...] = ()
    logprob: float = 0.0
    following: list[tuple[float, int]] = field(default_factory=list)  # (log-probability, id), best first


def beam(
    engine: TorchEngine,
    root: TorchBranch,
    stop: Sequence[int],
    width: int = 4,
    most: int = 64,
    grammar: Grammar | None = None,
    penalty: float = 1.0,
) -> list[Found]:
    """The ``width`` best replies that a beam of that width finds, best first.

    ``most`` tokens at most; ``penalty`` is the power of the length by which a log-probability is divided when whole
    replies are compared (0 for none). ``root`` stays as it is.
    """
    live, done = [_begin(root, grammar)], list[Found]()
    try:
        while live and len(live[0].ids) < most:
            _look(engine, live, 2 * width)
            ends = [(one.logprob + logprob, n, token) for n, one in enumerate(live) for logprob, token in one.following]
            best = heapq.nlargest(2 * width, ends, key=lambda e: e[0])
            done += [Found((*live[n].ids, token), total, True) for total, n, token in best[:width] if token in stop]
            live = _grow(live, [e for e in best if e[2] not in stop][:width])
            worst = sorted((_worth(f, penalty) for f in done), reverse=True)[:width]
            # No live one can still get past the worst that is kept: a log-probability only falls.
            if live and len(worst) == width and live[0].logprob / most**penalty < worst[-1]:
                break
        found = [*done, *(Found(one.ids, one.logprob, False) for one in live)]
        return sorted(found, key=lambda f: (f.whole, _worth(f, penalty)), reverse=True)[:width]
    finally:
        for one in live:
            one.branch.close()


def most_probable(
    engine: TorchEngine, root: TorchBranch, stop: Sequence[int], grammar: Grammar, bound: int = 256
) -> Found:
    """Of all replies that ``grammar`` allows, the most probable whole one, found by full search, best first.

    A beginning is never less probable than what it goes on to, so the first whole reply that comes up is the best.
    After ``bound`` beginnings the best whole one so far is given (``whole`` is false where there is none).
    """
    tie = count()
    one = _begin(root, grammar)
    waiting: list[tuple[float, int, _Partial | Found]] = [(0.0, next(tie), one)]
    best = Found((), 0.0, False)
    try:
        for _ in range(bound):
            if not waiting:
                break
            _, _, first = heapq.heappop(waiting)
            if isinstance(first, Found):
                return first
            _look(engine, [first], engine.info.vocabulary)
            going = [(first.logprob + p, 0, token) for p, token in first.following if token not in stop]
            for p, token in first.following:
                if token in stop:
                    found = Found((*first.ids, token), first.logprob + p, True)
                    best = max(best, found, key=lambda f: (f.whole, f.logprob))
                    heapq.heappush(waiting, (-found.logprob, next(tie), found))
            for grown in _grow([first], going):
                heapq.heappush(waiting, (-grown.logprob, next(tie), grown))
        return best
    finally:
        for _, _, rest in waiting:
            if isinstance(rest, _Partial):
                rest.branch.close()


def _begin(root: TorchBranch, grammar: Grammar | None) -> _Partial:
    (branch,) = root.fork(1)
    assert isinstance(branch, TorchBranch)
    return _Partial(branch, grammar.fork() if grammar is not None else None)


def _look(engine: TorchEngine, live: Sequence[_Partial], most: int) -> None:
    """Find the likeliest ``most`` ids after each, of those its grammar allows."""
    logprobs = engine.logits([one.branch for one in live]).log_softmax(1)
    scores = masked(logprobs, [None if one.grammar is None else one.grammar.mask() for one in live])
    values, ids = scores.topk(min(most, scores.shape[1]))
    for one, best, tokens in zip(live, values.tolist(), ids.tolist(), strict=True):
        one.following = [(p, token) for p, token in zip(best, tokens, strict=True) if p > -math.inf]


def _grow(live: Sequence[_Partial], ends: Sequence[tuple[float, int, int]]) -> list[_Partial]:
    """What ``live`` becomes by (log-probability, which, id); a branch that goes on several ways is forked."""
    made = []
    for n, one in enumerate(live):
        ways = [(total, token) for total, which, token in ends if which == n]
        branches = one.branch.fork(len(ways)) if ways else []
        for (total, token), branch in zip(ways, branches, strict=True):
            assert isinstance(branch, TorchBranch)
            branch.extend([token])
            grammar = one.grammar.fork() if one.grammar is not None else None
            if grammar is not None:
                grammar.accept(token)
            made.append(_Partial(branch, grammar, (*one.ids, token), total))
        one.branch.close()
    return sorted(made, key=lambda one: one.logprob, reverse=True)


def _worth(found: Found, penalty: float) -> float:
    return found.logprob / float(max(1, len(found.ids)) ** penalty)
