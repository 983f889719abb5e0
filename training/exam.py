"""Questions on which a kernel is asked before and after it is improved; none of them is trained on.

Each set is asked at one of two places: of the solver alone (its likeliest expression), or of the kernel's whole memory,
examples and solver together (what stands first before the model). What a question expects is a number that the
calculator checks, or the kind of its answer.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import torch

from llmos.kernel.aliases import Aliases
from llmos.kernel.arithmetic import infix
from llmos.kernel.examples import TAUGHT, Memory
from llmos.kernel.ranker import spelled
from llmos.kernel.recall import Recall
from llmos.kernel.types import Message, Part, Source
from llmos.training import problems, sums
from llmos.training.corpus import rows
from llmos.training.phrasebook import fill, lines, number_slots, slots
from llmos.training.solving import Solving, heard, valued

PHRASES = ("calc_arith", "calc_percent", "calc_school", "calc_word", "calc_root_power")
OTHERS = ("say", "python", "image")  # kinds whose requests must not be taken for calculations
AIM = "problems"  # the set that has to be better


@dataclass(frozen=True, slots=True)
class Question:
    """A request with the number it comes to, or the kind of what answers it."""

    prompt: str
    answer: Fraction | str


Sets = Mapping[str, Sequence[Question]]


def solver_sets(count: int, seed: int, corpus: Path | None) -> dict[str, list[Question]]:
    """What the solver alone is asked: problems in other words than those trained on, sums of another maker, phrases
    that were taught with new numbers, and problems of people where there is a corpus."""
    made = {
        AIM: [Question(p.question, p.answer) for p in problems.draw(count, seed, problems.HELD)],
        "sums": [Question(p.question, Fraction(p.number)) for p in sums.draw(count // 2, seed)],
        "phrases": phrases(count // 2, seed),
    }
    if corpus is not None:
        made["stories"] = stories(corpus, count // 2, seed)
    return made


def memory_sets(count: int, seed: int, kernel: Path) -> dict[str, list[Question]]:
    """What the whole memory is asked: fewer of the same, and requests of other kinds."""
    return {
        f"first.{AIM}": [Question(p.question, p.answer) for p in problems.draw(count, seed + 1, problems.HELD)],
        "first.phrases": phrases(count // 2, seed + 1),
        "first.others": others(kernel, count // 2, seed),
    }


def phrases(count: int, seed: int) -> list[Question]:
    """Phrases that were taught, with numbers drawn anew."""
    rng, found = random.Random(f"phrases-{seed}"), list[Question]()
    while len(found) < count:
        request, expression = rng.choice(lines(rng.choice(PHRASES))).split(" => ")
        values = number_slots(slots(request), rng)
        answer = problems.worth(fill(expression, {k: v.written for k, v in values.items()}))
        if answer is not None:
            found.append(Question(fill(request, {k: v.said for k, v in values.items()}), answer))
    return found


def others(kernel: Path, count: int, seed: int) -> list[Question]:
    """Requests with numbers that were taught and are no calculations."""
    taught = [t for t in Recall.load(kernel / TAUGHT).taught if t.kind in OTHERS and "@" in t.pattern]
    some = random.Random(f"others-{seed}").sample(taught, min(count, len(taught)))
    return [Question(spelled(t.pattern), t.kind) for t in some]


def stories(corpus: Path, count: int, seed: int) -> list[Question]:
    """Word problems of the corpus with whole answers: the kernel was taught by most of them."""
    told = [r for r in rows(corpus, "math") if r["task"] == "word_problem" and r["answer"].replace(",", "").isdigit()]
    some = random.Random(f"stories-{seed}").sample(told, min(count, len(told)))
    return [Question(r["question"], Fraction(r["answer"].replace(",", ""))) for r in some]


def ask_solver(solving: Solving, sets: Sets) -> dict[str, list[bool]]:
    """Which questions the solver's likeliest expression answers."""
    made: dict[str, list[bool]] = {}
    for name, asked in sets.items():
        told = [heard(q.prompt) for q in asked]
        states = solving.states([one.told for one in told])
        drawn = solving.draws(states, [one.names for one in told], 1, 0.0, torch.Generator())
        made[name] = [
            bool(words) and valued(infix(words[0]), one.values) == question.answer
            for words, one, question in zip(drawn, told, asked, strict=True)
        ]
    return made


def ask_memory(kernel: Path, sets: Sets) -> dict[str, list[bool]]:
    """Which questions are answered by what stands first before the model of a kernel's folder."""
    memory = Memory(kernel / TAUGHT)
    return {name: [_first(memory, question) for question in asked] for name, asked in sets.items()}


def _first(memory: Memory, question: Question) -> bool:
    """Whether the first example answers the question."""
    turn = Aliases([Message("user", (Part(question.prompt, Source("user")),))], memory).turn
    kind, answer = turn.examples[0] if turn.examples else ("", "")
    if isinstance(question.answer, str):
        return kind == question.answer
    return kind == "calculator" and problems.worth(answer) == question.answer
