"""What thinking is worth: System 1 beside a vote of 4, 8 and 16 replies on calculations, and trees on the Game of 24.

``calculator``: the requests of an evaluation file whose answer is a number of the calculator. Sixteen replies of each
are drawn as ``llmos run --think`` draws them, System 1's first; votes of fewer are votes of the first of them. Right is
a result that holds the number.
``game24``: puzzles of our own by seed, or ``puzzles``, a file of ``id`` and ``numbers``. Figures with ``standin`` in
their name are no model's: moves are drawn at random, and with ``solver`` the solver judges them. The others are the
model's, every thought and value: ``game24_system1`` (one greedy try), ``_vote`` (up to 100 lines in 10 s, the answers
checked), ``_10s`` and ``_60s`` (trees), ``_paper_10s`` (ranks 901 to 1000), ``_strict_10s`` (puzzles of which no row
shows a state of three numbers), ``_free_10s``, where a thought is checked only once it is whole, ``_legal_10s``,
where the rules do the arithmetic and the model chooses, ``_beam_10s``, ``_deep_10s``, ``_mcts_10s``, other trees of the
same width, and ``_unjudged_10s``, depth first without a judge. What is solved by when is plotted.
``jugs``, ``river``, ``crossword``, ``sums``: System 1, a vote and a tree at ten times its tokens.
``sharing``: what it saves to share prompts and to compute thoughts side by side.

Each figure is shown as soon as it is there, and a run that was cut off goes on where it was
(``build/bench/think-PROBLEM-partial.jsonl``, removed at the end). What was found is in ``think-PROBLEM.json`` there.
Sizes by ``LLMOS_BENCH_ITEMS`` (all; fewer are spread evenly), ``LLMOS_BENCH_PUZZLES`` (100) and ``LLMOS_BENCH_ASKED``
(as many puzzles for the model); ``LLMOS_BENCH_WAYS=system1,10s`` has a few ways of ``game24`` alone.
"""

import json as jsonlib
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from llmos.bench._puzzles import OTHERS, Figures, Intervals, Partial, game, other, sharing
from llmos.bench.recall import REQUESTS, items
from llmos.kernel.context import Prompt
from llmos.kernel.engine import Model, Sampling
from llmos.kernel.local import LocalModel
from llmos.kernel.planner import Meter, Proposal, Strategy, solve
from llmos.kernel.planner import Path as Line
from llmos.kernel.ponder import Replies, Reply, unsure
from llmos.kernel.strategies import vote
from llmos.kernel.tool import ToolError
from llmos.kernel.types import Label, Message, Source, ToolCall, ToolResult
from llmos.tools.calculator import evaluate
from llmos.training.dialogues import tools
from llmos.training.evaluate import wilson
from llmos.training.scoring import numbers, same_number

SIZES = (4, 8, 16)
FOLDER = Path("build/bench")


def main(json: bool = False, problem: str = "", puzzles: str = "") -> int:
    """Measure and print a table, or with ``json`` one object: shares with 95% intervals, tokens and seconds."""
    from llmos.kernel.errors import UsageError

    parts: dict[str, Callable[[Partial], tuple[Figures, Intervals]]]
    parts = {"calculator": calculator, "game24": lambda partial: game(partial, puzzles), "sharing": sharing}
    parts |= {name: measured(name) for name in OTHERS}
    if problem and problem not in parts:
        raise UsageError(f"there is no problem {problem!r}; there are: {', '.join(parts)}")
    named = f"think{problem and f'-{problem}'}"
    partial = Partial(FOLDER / f"{named}-partial.jsonl")
    figures, intervals = Figures(), Intervals()
    for name, part in parts.items():
        if problem in ("", name):
            found, spread = part(partial)
            figures |= found
            intervals |= spread
    machine = f"{platform.machine()} {platform.system()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    made = {"name": "think", "machine": machine, "version": version("llmos")}
    whole = {**made, "figures": figures, "intervals": intervals}
    (FOLDER / f"{named}.json").write_text(jsonlib.dumps(whole, indent=1), encoding="utf-8")
    if "calculator_system1" in figures:
        plot(figures, intervals, FOLDER / "think.png")
    partial.path.unlink(missing_ok=True)
    if json:
        print(jsonlib.dumps(whole))
        return 0
    for name, value in figures.items():
        low, high = intervals.get(name, (0.0, 0.0))
        print(f"{name:36} {value:10.3f}" + (f"   [{low:.3f}, {high:.3f}]" if name in intervals else ""))
    return 0


def measured(name: str) -> Callable[[Partial], tuple[Figures, Intervals]]:
    """What measures a puzzle by its name."""
    return lambda partial: other(partial, name)


def calculator(partial: Partial) -> tuple[Figures, Intervals]:
    """System 1 and the votes on the calculations."""
    every = list(items(REQUESTS))
    limit = min(int(os.environ.get("LLMOS_BENCH_ITEMS", "0")) or len(every), len(every))
    places = [n * len(every) // limit for n in range(limit)]
    asked = [every[n] for n in places]
    model: list[LocalModel] = []

    def draw(messages: Sequence[Message]) -> list[list[Any]]:
        if not model:
            model.append(LocalModel())
        return drawn(model[0], messages)

    rows = [partial.get(f"calculator {n}", lambda n=n: draw(every[n][0])) for n in places]  # type: ignore[misc]
    ways: dict[str, Strategy] = {"system1": vote(1, depth=1, lead=True)}
    ways |= {f"vote{n}": vote(n, depth=1, lead=True) for n in SIZES} | {"auto16": unsure(16)}
    figures, intervals, right = Figures(), Intervals(), {}
    for name, way in ways.items():
        outcomes = [_again(row, way) for row in rows]
        good = [holds(answer, number) for (answer, _, _), (_, number) in zip(outcomes, asked, strict=True)]
        right[name] = good
        figures[f"calculator_{name}"] = sum(good) / len(good)
        intervals[f"calculator_{name}"] = list(wilson(sum(good), len(good)))
        figures[f"calculator_{name}_tokens"] = statistics.fmean(tokens for _, tokens, _ in outcomes)
        figures[f"calculator_{name}_seconds"] = statistics.fmean(seconds for _, _, seconds in outcomes)
        pairs = list(zip(right["system1"], good, strict=True))
        figures[f"calculator_{name}_gained"] = sum(now and not before for before, now in pairs)
        figures[f"calculator_{name}_lost"] = sum(before and not now for before, now in pairs)
    # What a verifier that never errs would make of the same replies.
    figures["calculator_any16"] = sum(
        any(holds(answer, number) for answer in _answers(row)) for row, (_, number) in zip(rows, asked, strict=True)
    ) / len(rows)
    figures["calculator_items"] = len(rows)
    return figures, intervals


def drawn(model: Model, messages: Sequence[Message]) -> list[list[Any]]:
    """Sixteen replies, as the planner draws them: the words, calls, log-probability, tokens and seconds of each."""
    prompt = Prompt(messages, tools(), Sampling(max_tokens=200), Label())
    problem, meter, rows = Replies(model, prompt, tried), Meter(), []
    first = 0
    for size in (1, 4, 4, 4, 3):
        began = time.perf_counter()
        # The seeds are those of kernel/strategies.py for lines that begin with this one.
        problem.propose([()], size, None if not first else first * 1_000_003, meter)
        took = (time.perf_counter() - began) / size
        for one in problem.drawn[first:]:
            calls = [[c.name, dict(c.arguments)] for c in one.calls if isinstance(c, ToolCall)]
            rows.append([one.text, calls, one.logprob, one.prompt + one.generated, took])
        first += size
    return rows


class Again(Replies):
    """Replies that were drawn before, in their order."""

    def __init__(self, rows: Sequence[Sequence[Any]]) -> None:
        super().__init__(None, Prompt((), (), Sampling(), Label()), tried)  # type: ignore[arg-type]
        self.rows, self.seconds = rows, 0.0

    def propose(self, paths: Sequence[Line], n: int, seed: int | None, meter: Meter) -> list[list[Proposal]]:
        """The next ones."""
        first, made = len(self.drawn), []
        for text, calls, logprob, tokens, seconds in self.rows[first : first + n]:
            self.drawn.append(Reply(text, "", [ToolCall("", *call) for call in calls], logprob))
            made.append(Proposal(f"{len(self.drawn) - 1}: {self.drawn[-1].words}", logprob))
            meter.used += tokens
            self.seconds += seconds
        return [made]


def _again(rows: Sequence[Sequence[Any]], way: Strategy) -> tuple[str, int, float]:
    """What a way makes of replies: its answer, and the tokens and seconds of those it asked for."""
    problem = Again(rows)
    outcome = solve(problem, way)
    return outcome.answer, outcome.tokens, problem.seconds


def _answers(rows: Sequence[Sequence[Any]]) -> list[str]:
    problem = Again(rows)
    paths = [(one.text,) for one in problem.propose([()], len(rows), None, Meter())[0]]
    return [problem.finished(path) for path in paths if not problem.wrong(path)]


def tried(call: ToolCall) -> ToolResult | None:
    """What the calculator makes of a call; other tools are not tried."""
    if call.name != "calculator":
        return None
    return ToolResult(call.id, *_computed(str(call.arguments.get("expression", ""))), Source("tool"))


@cache
def _computed(expression: str) -> tuple[bool, str]:
    try:
        return True, evaluate(expression)
    except ToolError as error:
        return False, f"error: {error}"


def holds(answer: str, number: float) -> bool:
    """Whether a result holds the number, as ``llmos eval`` judges."""
    whole = int(number) if number == int(number) else number
    return any(same_number(shown, whole) for shown in numbers(answer))


def plot(figures: Figures, intervals: Intervals, path: Path) -> None:
    """Accuracy on calculations against seconds, time on a log axis."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    names = ["system1", *(f"vote{n}" for n in SIZES)]
    seconds = [figures[f"calculator_{name}_seconds"] for name in names]
    shares = [figures[f"calculator_{name}"] for name in names]
    low = [share - intervals[f"calculator_{name}"][0] for name, share in zip(names, shares, strict=True)]
    high = [intervals[f"calculator_{name}"][1] - share for name, share in zip(names, shares, strict=True)]
    figure, axes = pyplot.subplots(figsize=(6, 4))
    axes.errorbar(seconds, shares, yerr=[low, high], marker="o", capsize=3)
    for name, x, y in zip(names, seconds, shares, strict=True):
        axes.annotate(name, (x, y), textcoords="offset points", xytext=(4, 6))
    axes.set(xscale="log", xlabel="seconds a request", ylabel="right results", title="Calculations: time and accuracy")
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


if __name__ == "__main__":
    raise SystemExit(main())
