"""Puzzles for ``llmos bench think``: the embedded kernel's own thoughts and values on those that no training row shows.

Every ``game24`` figure but those with ``standin`` in their name is the model's: it proposes and judges, the rules only
check. A right answer is one that was checked; of word problems, which cannot be checked, one that is the number.
"""

import json
import os
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmos.bench._curves import curves
from llmos.kernel.alone import Alone
from llmos.kernel.engine import Delta, Finished, Sampling
from llmos.kernel.local import LocalModel
from llmos.kernel.planner import Meter, Problem, Strategy, solve
from llmos.kernel.puzzled import POURED, TREE
from llmos.kernel.puzzles import Asked
from llmos.kernel.reason import Told
from llmos.kernel.strategies import STRATEGIES, beam, best_first, direct, mcts, vote
from llmos.kernel.tool import Tool
from llmos.kernel.types import Message
from llmos.training import game24, sums
from llmos.training.evaluate import wilson
from llmos.training.puzzles import Puzzle, StandIn
from llmos.training.thoughts import held

TREES = ("beam", "deep", "mcts")
TOKENS = 600  # of a stand-in's search: moves drawn and judged
MORE = 10  # times the tokens of System 1 that the trees and votes on the other puzzles may use
# Of the other puzzles, what suits each: a crossword's state is long, and to judge it costs more than to try it.
OTHERS: dict[str, Strategy | None] = {
    "jugs": POURED,
    "river": POURED,
    "crossword": best_first(3, deep=True, judge=False),
    "sums": None,  # the answer to a word problem cannot be checked, so that there is nothing but the vote
}
SEED = 24
Figures = dict[str, float]
Intervals = dict[str, list[float]]


class Partial:
    """What was measured so far, by key, so that a run that is cut off is not lost."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        self._known: dict[str, Any] = dict(json.loads(line) for line in lines)

    def known(self, key: str) -> Any:
        """What was measured under a key; None where nothing was yet."""
        return self._known.get(key)

    def get(self, key: str, measure: Callable[[], Any]) -> Any:
        """What was measured under a key; it is measured now where it was not yet."""
        if key not in self._known:
            self._known[key] = measure()
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps([key, self._known[key]]) + "\n")
        return self._known[key]


class _Table:
    """Figures as they are put together; each is shown on stderr as soon as it is there."""

    def __init__(self) -> None:
        self.figures, self.intervals = Figures(), Intervals()
        self.rows: dict[str, Sequence[Mapping[str, Any]]] = {}

    def put(self, name: str, solved: Sequence[Mapping[str, Any]]) -> None:
        self.rows[name] = solved
        right = sum(one["right"] for one in solved)
        self.figures[name] = right / len(solved)
        self.intervals[name] = list(wilson(right, len(solved)))
        for what in ("tokens", "seconds", "nodes"):
            self.figures[f"{name}_{what}"] = statistics.fmean(one[what] for one in solved)
        self.figures[f"{name}_puzzles"] = len(solved)
        took = f"{self.figures[f'{name}_seconds']:.2f} s, {self.figures[f'{name}_nodes']:.0f} thoughts"
        print(f"{name}: {right} of {len(solved)}, {took}", file=sys.stderr, flush=True)


class Kernel:
    """The embedded kernel, loaded once it is asked."""

    def __init__(self) -> None:
        self._model: LocalModel | None = None

    @property
    def model(self) -> LocalModel:
        """It."""
        self._model = self._model or LocalModel()
        return self._model

    def solve(self, puzzle: Puzzle, strategy: Strategy, meter: Meter, **how: Any) -> dict[str, Any]:
        """What it makes of a puzzle. The time runs from here on: the first search pays for no loading."""
        problem = Asked(puzzle, self.model, **how)
        return solved(puzzle, problem, strategy, Meter(meter.seconds, meter.tokens))


def solved(puzzle: Puzzle, problem: Problem, strategy: Strategy, meter: Meter) -> dict[str, Any]:
    """One search."""
    outcome = solve(problem, strategy, meter, seed=1)
    right = puzzle.right(outcome.answer) if isinstance(puzzle, sums.WordProblem) else outcome.verified
    return {"right": right, "tokens": outcome.tokens, "seconds": outcome.seconds, "nodes": outcome.nodes}


def game(partial: Partial, puzzles: str = "") -> tuple[Figures, Intervals]:
    """The Game of 24: the model's own thoughts and values, and stand-ins, each named so."""
    count = int(os.environ.get("LLMOS_BENCH_PUZZLES", "100"))
    asked = int(os.environ.get("LLMOS_BENCH_ASKED", str(count)))
    own = [one for _, one in game24.read(Path(puzzles))] if puzzles else list(held().own)
    chosen = own[:count]
    table, kernel = _Table(), Kernel()
    only = set(filter(None, os.environ.get("LLMOS_BENCH_WAYS", "").split(",")))
    for way in (one for one in _ways(chosen, puzzles) if not only or one.name in only):
        rows = [_measured(partial, kernel, way, one) for one in way.puzzles[:asked]]
        if rows:
            table.put(f"game24_{way.name}", rows)
    # Beside the tree: random order without judgement, as many nodes as the model's search had.
    nodes = int(table.figures.get("game24_10s_nodes", 0))
    if nodes:
        table.put("game24_standin_random_same_nodes", [_exhaustive(one, nodes) for one in chosen[:asked]])
    for value in ("random", "solver"):
        for name in TREES if not only or "standin" in only else ():
            made = [
                partial.get(f"standin {value} {name} {one.numbers}", lambda o=one, v=value, n=name: _stand_in(o, v, n))  # type: ignore[misc]
                for one in chosen
            ]
            table.put(f"game24_standin_{value}_{name}", made)
    curves(table.rows, partial.path.parent / "think-game24.png")
    return table.figures, table.intervals


@dataclass(frozen=True, slots=True)
class _Way:
    """How some Games of 24 are tried; ``how`` is for :class:`Asked`."""

    name: str
    puzzles: Sequence[game24.Game24]
    strategy: Strategy
    seconds: float | None
    how: Mapping[str, Any]


def _ways(chosen: Sequence[game24.Game24], puzzles: str) -> list[_Way]:
    """The ways of the Game of 24, what matters most first."""
    checked, apart = {"checked": True}, {"distinct": False}
    others = [] if puzzles else [("paper_10s", held().paper[: len(chosen)]), ("strict_10s", held().strict)]
    return [
        _Way("10s", chosen, TREE, 10.0, checked),
        _Way("60s", chosen, TREE, 60.0, checked),
        _Way("system1", chosen, direct(), None, apart),
        *(_Way(name, those, TREE, 10.0, checked) for name, those in others),
        _Way("vote", chosen, vote(100, batch=20), 10.0, apart),
        _Way("free_10s", chosen, TREE, 10.0, {}),
        _Way("legal_10s", chosen, TREE, 10.0, {"legal": True}),
        # The other ways a tree grows, as wide.
        _Way("beam_10s", chosen, beam(4, 18, first=40), 10.0, checked),
        _Way("deep_10s", chosen, best_first(18, first=40, deep=True), 10.0, checked),
        _Way("mcts_10s", chosen, mcts(40), 10.0, checked),
        _Way("unjudged_10s", chosen, best_first(18, first=40, deep=True, judge=False), 10.0, checked),
    ]


def _measured(partial: Partial, kernel: Kernel, way: _Way, puzzle: game24.Game24) -> dict[str, Any]:
    """What a way makes of a puzzle. More time goes on from where less stopped: what is solved by then is not done
    again."""
    before = partial.known(f"10s {puzzle.numbers}") if way.name == "60s" else None
    if before is not None and before["right"]:
        return dict(before)
    found: dict[str, Any] = partial.get(
        f"{way.name} {puzzle.numbers}",
        lambda: kernel.solve(puzzle, way.strategy, Meter(seconds=way.seconds), **way.how),
    )
    return found


def _stand_in(puzzle: game24.Game24, value: str, name: str) -> dict[str, Any]:
    return solved(puzzle, StandIn(puzzle, solver=value == "solver"), STRATEGIES[name], Meter(tokens=TOKENS))


def _exhaustive(puzzle: game24.Game24, nodes: int) -> dict[str, Any]:
    """All moves in random order, depth first; a node costs a move and a judgement."""
    return solved(puzzle, StandIn(puzzle), best_first(breadth=64, deep=True), Meter(tokens=2 * nodes))


def drawn(name: str) -> list[Puzzle]:
    """The puzzles of a name that are held out."""
    made: dict[str, Callable[[], Sequence[Puzzle]]] = {
        "jugs": lambda: held().jugs,
        "river": lambda: held().rivers,
        "sums": lambda: sums.draw(40, SEED),
        "crossword": lambda: held().crosswords,
    }
    return list(made[name]())


def other(partial: Partial, name: str) -> tuple[Figures, Intervals]:
    """Another puzzle: System 1, and a tree and a vote at ten times its tokens."""
    chosen = drawn(name)[: int(os.environ.get("LLMOS_BENCH_ASKED", "40"))]
    table, kernel, tree = _Table(), Kernel(), OTHERS[name]
    ways: list[tuple[str, Strategy, dict[str, Any]]] = [
        ("system1", direct(), {"distinct": False}),
        ("vote", vote(64), {"distinct": False}),
        *([("tree", tree, {"checked": True})] if tree is not None else []),
    ]
    most: int | None = None
    for way, strategy, how in ways:
        rows = [
            partial.get(
                f"{name} {way} {puzzle.told(())}",
                lambda p=puzzle, s=strategy, m=most, h=how: kernel.solve(p, s, Meter(tokens=m), **h),  # type: ignore[misc]
            )
            for puzzle in chosen
        ]
        table.put(f"{name}_{way}", rows)
        most = most or int(MORE * table.figures[f"{name}_system1_tokens"])
    table.put(f"{name}_standin_random", [_random(one) for one in chosen])
    curves(table.rows, partial.path.parent / f"think-{name}.png")
    return table.figures, table.intervals


def _random(puzzle: Puzzle) -> dict[str, Any]:
    return solved(puzzle, StandIn(puzzle), beam(4, 6), Meter(tokens=TOKENS))


class Counting(LocalModel):
    """The embedded kernel, counting the distinct tokens of its prompts, and what it writes."""

    def __init__(self) -> None:
        super().__init__()
        self.prompts: set[tuple[int, ...]] = set()
        self.written = 0
        self._open, self.engine.open = self.engine.open, self._noted  # type: ignore[method-assign]

    def _noted(self, ids: Sequence[int]) -> Any:
        self.prompts.update(tuple(ids[: n + 1]) for n in range(len(ids)))
        return self._open(ids)

    def reply(
        self,
        messages: Sequence[Message],
        tools: Sequence[Tool],
        sampling: Sampling = Sampling(),  # noqa: B008
        n: int = 1,
    ) -> Iterator[Delta]:
        """See :class:`~llmos.kernel.local.LocalModel`."""
        for delta in super().reply(messages, tools, sampling, n):
            # The last token is never read.
            self.written += delta.generated_tokens - 1 if isinstance(delta, Finished) else 0
            yield delta

    def distinct(
        self,
        prompts: Sequence[Sequence[Message]],
        n: Sequence[int],
        most: int,
        seeds: Sequence[int | None],
        temperature: float = 1.0,
        more: Callable[[int], bool] = lambda tokens: True,
        apart: bool = False,
        heads: Sequence[Sequence[str]] = (),
    ) -> list[list[tuple[str, float]]]:
        """See :class:`~llmos.kernel.local.LocalModel`."""
        told: list[int] = []

        def noted(tokens: int) -> bool:
            told.append(tokens)
            return more(tokens)

        found = super().distinct(prompts, n, most, seeds, temperature, noted, apart, heads)
        # The first are the prompts', the second what follows these without a token of its own.
        self.written += sum(told[2:])
        return found

    def score(
        self, messages: Sequence[Message], tools: Sequence[Tool], continuations: Sequence[str]
    ) -> list[list[float]]:
        """See :class:`~llmos.kernel.local.LocalModel`."""
        scores = super().score(messages, tools, continuations)
        self.written += sum(len(one) - 1 for one in scores)
        return scores


def sharing(partial: Partial) -> tuple[Figures, Intervals]:
    """The same search with prompts shared and thoughts computed side by side, and with neither.

    Over states of the Game of 24, and over a problem in words, whose prompts are longer.
    """
    del partial  # the two are measured one after the other, or not at all
    model, figures = Counting(), Figures()
    few = held().own[: int(os.environ.get("LLMOS_BENCH_ASKED", "2"))]
    kinds: dict[str, tuple[Callable[[Any], list[Problem]], Strategy]] = {
        "states": (lambda one: [Asked(puzzle, one, checked=True) for puzzle in few], beam(5, 18, rounds=1)),
        "words": (lambda one: [Told(one, puzzle.question) for puzzle in few], beam(5, 5, 3, rounds=1)),
    }
    for kind, (problems, way) in kinds.items():
        outcomes = []
        for name, one in (("shared", model), ("alone", Alone(model))):
            Alone(model).forget()
            model.prompts.clear()
            began, wrote = model.engine.computed, model.written
            rows = [solve(problem, way, Meter(), seed=1) for problem in problems(one)]
            outcomes.append([(row.nodes, row.path) for row in rows])
            key = f"sharing_{kind}_{name}"
            figures[f"{key}_seconds"] = statistics.fmean(row.seconds for row in rows)
            figures[f"{key}_nodes"] = statistics.fmean(row.nodes for row in rows)
            figures[f"{key}_prompt"] = model.engine.computed - began - (model.written - wrote)
            figures[f"{key}_per_distinct"] = figures[f"{key}_prompt"] / len(model.prompts)
        seconds = [figures[f"sharing_{kind}_{name}_seconds"] for name in ("shared", "alone")]
        figures[f"sharing_{kind}_time"] = seconds[0] / seconds[1]
        figures[f"sharing_{kind}_same_tree"] = float(outcomes[0] == outcomes[1])
    return figures, Intervals()
