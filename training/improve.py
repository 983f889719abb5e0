"""``python -m llmos.training.improve``: the kernel's solver gets better by reward, and a gate says whether it goes in.

Expert iteration (Anthony et al. 2017, "Thinking fast and slow with deep learning and tree search"; on reasoning
Zelikman et al. 2022, "STaR"): the solver draws expressions for word problems of which only the answers are known, the
calculator says which are right for two tellings of a problem, and the solver is trained on those, with what it was
taught beside them. It stops and resumes; nothing is written to the folder it starts from.

What a solver learns of few problems it pays for with what it knew. Against that stand the replay of what was taught
(the corpus's problems too, where there is one, but for those that are measured) and the blend: what goes in lies
between the old weights and the new ones (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models").

Why the solver: its expressions can be checked exactly, it alone decides where no taught example fits, and the encoder
under it stays as it is, so what is found for all other requests stays the same.
"""

import argparse
import json
import math
import os
import random
import re
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import torch

from llmos.kernel.arithmetic import prefix
from llmos.kernel.config import WEIGHTS
from llmos.kernel.errors import LLMOSError, UsageError
from llmos.kernel.examples import RANKER, TAUGHT
from llmos.kernel.ordered import ordered
from llmos.kernel.recall import Recall, Taught
from llmos.training import exam, gate, problems
from llmos.training.curves import Curves
from llmos.training.problems import Problem
from llmos.training.solving import Heard, Solving, Words, heard, right
from llmos.training.stories import stories, written

REPLAYED = 3000  # taught expressions that are drawn from
FORMS = 2  # ways to write an expression that are kept of a problem
SAVED, TOLD = 20, 10  # steps from one checkpoint to the next, and from one line of the log
WARM = 10  # steps
_OTHERS = re.compile(r"[~&#]\d")
Sample = tuple[torch.Tensor, Words, float]
"""What the encoder makes of a problem, an expression for it, and its weight."""


@dataclass(frozen=True)
class Plan:
    """How long and on how much: ``draws`` expressions at temperature ``heat`` for each of ``count`` problems a round,
    then ``steps`` on ``batch`` expressions, of which ``replay`` (a share) were taught before; ``blend``: how far to go
    from the old weights to the new ones; ``measured`` questions in the largest held-out set, ``firsts`` in those asked
    of the whole memory."""

    count: int = 600
    rounds: int = 4
    draws: int = 8
    heat: float = 1.0
    steps: int = 60
    batch: int = 48
    rate: float = 3e-4
    replay: float = 0.6
    blend: float = 0.5
    measured: int = 300
    firsts: int = 80
    seed: int = 0


class Run:
    """One improvement in a folder ``out``; goes on where it was stopped."""

    def __init__(self, plan: Plan, kernel: Path, out: Path, corpus: Path | None = None) -> None:
        self.plan, self.kernel, self.out, self._corpus = plan, kernel, out, corpus
        self._curves, self._state = Curves(out), out / "state.pt"
        self._begin()
        self.solving = Solving(kernel)
        for weight in self.solving.weights.values():
            weight.requires_grad_()
        self._optimiser = torch.optim.AdamW(self.solving.weights.values(), lr=plan.rate, weight_decay=0.01)
        self._rng, self._generator = random.Random(plan.seed), torch.Generator().manual_seed(plan.seed)
        self._round, self._step, self._kept = 0, 0, list[tuple[int, Words, float]]()

    def _begin(self) -> None:
        """Keep what is asked for beside the run, so that no other goes on with it. Raises UsageError for another."""
        asked = {**vars(self.plan), "kernel": str(self.kernel.resolve()), "corpus": str(self._corpus or "")}
        kept = self.out / "plan.json"
        if not kept.exists():
            kept.write_text(json.dumps(asked, indent=2) + "\n", encoding="utf-8")
        elif json.loads(kept.read_text(encoding="utf-8")) != asked:
            raise UsageError(f"{self.out} holds a run with other options; give another --out or the same options")

    def go(self, problems_: Sequence[Problem]) -> tuple[bool, str]:
        """Improve, measure, and let in: whether the new weights went in, and why."""
        before = self._measured("before", self.solving, self.kernel)
        self._resume()
        told = [[(heard(question), answer) for question, answer in p.cases] for p in problems_]
        states = self.solving.states([cases[0][0].told for cases in told])
        replayed = self._replayed()
        while self._round < self.plan.rounds:
            if not self._kept:
                self._draw(told, states)
            self._train([(states[n], words, weight) for n, words, weight in self._kept], replayed)
            self._round, self._step, self._kept = self._round + 1, 0, []
            self._save()
        trial = self._trial()
        after = self._measured("after", Solving(trial), trial)
        sets = {name: gate.compared(right_before, after[name]) for name, right_before in before.items()}
        good, why = gate.verdict(sets, exam.AIM)
        self._report(sets, good, why)
        return good, why

    def _replayed(self) -> list[Sample]:
        """What the solver was taught before, but for what is measured."""
        known = [*Recall.load(self.kernel / TAUGHT).taught, *written()]
        if self._corpus is not None:
            asked = exam.stories(self._corpus, self.plan.measured // 2, self.plan.seed)
            measured = {heard(question.prompt).told for question in asked}
            known += [one for one in stories(self._corpus) if one.pattern not in measured]
        return taught(self.solving, known, self.plan.seed)

    def _measured(self, name: str, solving: Solving, kernel: Path) -> dict[str, list[bool]]:
        """Which held-out questions are answered; asked once, then kept."""
        path, plan = self.out / f"{name}.json", self.plan
        if not path.exists():
            made = exam.ask_solver(solving, exam.solver_sets(plan.measured, plan.seed, self._corpus))
            if plan.firsts:
                made |= exam.ask_memory(kernel, exam.memory_sets(plan.firsts, plan.seed, self.kernel))
            self._curves.tell({name: {key: f"{sum(goods)}/{len(goods)}" for key, goods in made.items()}})
            path.write_text(json.dumps(made), encoding="utf-8")
        loaded: dict[str, list[bool]] = json.loads(path.read_text(encoding="utf-8"))
        return loaded

    def _draw(self, told: Sequence[Sequence[tuple[Heard, Fraction]]], states: list[torch.Tensor]) -> None:
        """Draw expressions and keep those that are right for every telling, each problem weighing the same."""
        plan = self.plan
        names = [cases[0][0].names for cases in told]
        drawn = self.solving.draws(states, names, plan.draws, plan.heat, self._generator)
        rewarded = 0
        for n, (cases, expressions) in enumerate(zip(told, drawn, strict=True)):
            good = Counter({w: times for w, times in Counter(expressions).items() if right(w, cases)})
            rewarded += good.total()
            best = [words for words, _ in good.most_common(FORMS)]
            self._kept += [(n, words, 1 / len(best)) for words in best]
        solved = len({n for n, _, _ in self._kept}) / len(told)
        reward = rewarded / (len(told) * plan.draws)
        self._curves.tell({"round": self._round, "step": self._round * plan.steps, "reward": reward, "solved": solved})
        if not self._kept:
            raise UsageError("no expression was right; draw more of them, or start from a kernel that solves some")
        self._save()

    def _train(self, kept: Sequence[Sample], replayed: Sequence[Sample]) -> None:
        """Train on what was right, with what was taught beside it."""
        plan, whole = self.plan, self.plan.rounds * self.plan.steps
        old = round(plan.batch * plan.replay) if replayed else 0
        while self._step < plan.steps:
            batch = [*self._rng.choices(kept, k=plan.batch - old), *self._rng.choices(replayed, k=old)]
            done = (self._round * plan.steps + self._step) / whole
            share = min(1.0, (self._step + 1) / WARM) * (0.5 + 0.5 * math.cos(math.pi * done))
            for group in self._optimiser.param_groups:
                group["lr"] = plan.rate * share
            cost = self.solving.cost(*zip(*batch, strict=True))
            self._optimiser.zero_grad()
            cost.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(self.solving.weights.values(), 1.0)
            self._optimiser.step()
            self._step += 1
            if self._step % TOLD == 0 or self._step == plan.steps:
                self._curves.tell({"step": self._round * plan.steps + self._step, "loss": cost.item()})
            if self._step % SAVED == 0:
                self._save()

    def _save(self) -> None:
        """Write everything needed to go on, whole or not at all."""
        state = {
            "round": self._round, "step": self._step, "kept": self._kept, "rng": self._rng.getstate(),
            "generator": self._generator.get_state(), "optimiser": self._optimiser.state_dict(),
            "weights": {name: w.detach() for name, w in self.solving.weights.items()},
        }  # fmt: skip
        torch.save(state, self._state.with_suffix(".part"))
        self._state.with_suffix(".part").replace(self._state)

    def _resume(self) -> None:
        """Take up a checkpoint if there is one."""
        if not self._state.exists():
            return
        state = torch.load(self._state, weights_only=True)
        self._round, self._step = state["round"], state["step"]
        self._kept = [(n, tuple(words), weight) for n, words, weight in state["kept"]]
        self._rng.setstate(state["rng"])
        self._generator.set_state(state["generator"])
        self._optimiser.load_state_dict(state["optimiser"])
        with torch.no_grad():
            for name, weight in state["weights"].items():
                self.solving.weights[name].copy_(weight)

    def _trial(self) -> Path:
        """A folder like the kernel's, with the new solver."""
        folder = self.out / "trial"
        folder.mkdir(exist_ok=True)
        for path in self.kernel.iterdir():
            if path.name != RANKER and path.is_file():
                shutil.copy(path, folder / path.name)
        start = Solving(self.kernel).weights
        with torch.no_grad():
            for name, weight in self.solving.weights.items():
                weight.lerp_(start[name], 1 - self.plan.blend)
        self.solving.write(folder / RANKER)
        return folder

    def _report(self, sets: dict[str, gate.Compared], good: bool, why: str) -> None:
        told = {"verdict": "in" if good else "out", "why": why, "sets": {n: one.public() for n, one in sets.items()}}
        (self.out / "report.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
        self._curves.draw()
        width = max(map(len, sets))
        for name, one in sets.items():
            rise, low, high = one.difference
            shares = f"{one.before / one.of:6.1%} -> {one.after / one.of:6.1%}"
            print(f"{name:{width}}  {shares}  {rise:+.1%} [{low:+.1%}, {high:+.1%}]  of {one.of}")
        if good:
            os.replace(self.out / "trial", _free(self.out / "kernel"))


def _free(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    return folder


def taught(solving: Solving, known: Sequence[Taught], seed: int) -> list[Sample]:
    """Requests that were taught with their expressions, some of them."""
    every = [
        (t.pattern, words)
        for t in known
        if t.kind == "calculator" and "@" in t.pattern and not _OTHERS.search(t.pattern)
        for words in [ordered(prefix(t.answer))]
        if words and solving.solver.numbers(words)
    ]
    some = random.Random(seed).sample(every, min(REPLAYED, len(every)))
    states = solving.states([pattern for pattern, _ in some])
    return [(one, words, 1.0) for one, (_, words) in zip(states, some, strict=True)]


def main() -> int:
    """Improve a kernel; 0 where the new weights are better, 1 where they stay out, 2 for wrong usage."""
    plan = Plan()
    parser = argparse.ArgumentParser(prog="python -m llmos.training.improve", description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=WEIGHTS, metavar="DIR", help="the kernel's folder to start from")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the run and the new kernel go")
    parser.add_argument("--corpus", type=Path, metavar="DIR", help="openly licensed text: problems to measure on too")
    for name, value in vars(plan).items():
        parser.add_argument(f"--{name}", type=type(value), default=value, help=f"default {value}")
    options = parser.parse_args()
    plan, began = Plan(**{name: getattr(options, name) for name in vars(plan)}), time.monotonic()
    try:
        run = Run(plan, options.model, options.out, options.corpus)
        good, why = run.go(problems.draw(plan.count, plan.seed))
    except LLMOSError as error:
        parser.exit(error.exit_code, f"{error}\n")
    problems.write(problems.draw(plan.measured, plan.seed, problems.HELD), options.out / "held.jsonl", "problems")
    print(f"{why}: {options.out / ('kernel' if good else 'trial')}, {(time.monotonic() - began) / 60:.1f} min")
    return int(not good)


if __name__ == "__main__":
    raise SystemExit(main())
