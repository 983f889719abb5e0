"""Rows that teach to propose and to judge thoughts: states of puzzles, good next steps, and a solver's verdicts.

What is asked for a state is what ``puzzles.ask`` says, here as in a search. The puzzles that thinking is measured on
are held out (:func:`held`). A step is one of a solver's; a verdict is ``impossible`` where no way leads on, else
``sure``; of jugs and rivers it is ``likely`` the more often the longer the way is, so that what the kernel says to it
tells how far it is.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import combinations_with_replacement
from math import gcd
from pathlib import Path as File

from llmos.kernel.codec import Codec
from llmos.kernel.game24 import GOAL, State, steps
from llmos.kernel.planner import Path
from llmos.kernel.puzzles import ask
from llmos.kernel.types import Message, Part, Source
from llmos.kernel.wire import render_training
from llmos.training import crossword, game24, jugs, river, sums
from llmos.training.crossword import Crossword
from llmos.training.game24 import Game24
from llmos.training.jugs import Jugs
from llmos.training.loop import LENGTH, Family, Rows, families, pack
from llmos.training.puzzles import Puzzle
from llmos.training.river import River

PAPER = File(__file__).parent / "held" / "game24_paper.jsonl"  # ranks 901 to 1000 of the list by human difficulty
SEED = 24  # of our own puzzles that are held out
SHARES = {"game24": 0.7, "jugs": 0.12, "river": 0.06, "sums": 0.08, "crossword": 0.04}
SHOWN = 3  # good steps shown of a state, at most
JUDGED = 6  # states judged behind one
NARROW, OFTEN = 4, 0.4  # so few first steps lead on in a hard puzzle; share of the puzzles that are hard
NEARER = 0.8  # how much less sure a state is for each step of the way that is left


@dataclass(frozen=True)
class Held:
    """What no row shows: puzzles, and ``states`` of three numbers behind the puzzles of ``strict``."""

    paper: tuple[Game24, ...]
    own: tuple[Game24, ...]
    strict: tuple[Game24, ...]
    states: frozenset[State]
    jugs: tuple[Jugs, ...]
    rivers: tuple[River, ...]
    crosswords: tuple[Crossword, ...]

    @property
    def games(self) -> frozenset[tuple[int, ...]]:
        """The numbers of all Games of 24 that are held out."""
        return frozenset(one.numbers for one in (*self.paper, *self.own, *self.strict))


@cache
def held() -> Held:
    """The puzzles that thinking is measured on."""
    paper = tuple(one for _, one in game24.read(PAPER))
    own = tuple(game24.draw(100, SEED))
    strict = tuple(one for one in game24.draw(240, SEED + 1) if one not in (*paper, *own))[:40]
    states = frozenset(left for one in strict for _, left in steps(one.state(())))
    words = tuple(crossword.draw(20, SEED))
    return Held(paper, own, strict, states, tuple(jugs.draw(40, SEED)), tuple(river.draw(20, SEED)), words)


def thought_rows(codec: Codec, count: int, seed: int) -> Rows:
    """About ``count`` rows."""
    rng = random.Random(seed)
    made: list[Family] = []
    tokens = 0
    while tokens < count * LENGTH:
        kind = rng.choices(list(SHARES), list(SHARES.values()))[0]
        for state, said in WRITERS[kind](rng):
            talks = [[*ask(what, state), Message("assistant", (Part(text, Source("kernel")),))] for what, text in said]
            documents = [render_training(talk, (), codec) for talk in talks]
            for what in ("next", "judge"):
                alike = [one for one, (asked, _) in zip(documents, said, strict=True) if asked == what]
                found = families(alike, 0, LENGTH) if alike else []
                tokens += sum(map(len, found))
                made += found
    rng.shuffle(made)
    return pack(made)


Said = list[tuple[str, str]]
"""What is asked of a state, and what is to be answered."""


def of_game24(rng: random.Random) -> Iterator[tuple[str, Said]]:
    """States from four numbers down to two, on a way that now and then goes wrong."""
    good, hard, other = _games()
    state = rng.choice(rng.choices([hard, good, other], [OFTEN, 0.9 - OFTEN, 0.1])[0])
    while len(state) > 1:
        shown = [(text, left) for text, left in steps(state) if left not in held().states]
        right = [(text, left) for text, left in shown if game24.solvable(left)]
        if state not in held().states and right:
            yield _told(state), [("next", text) for text, _ in rng.sample(right, min(SHOWN, len(right)))]
        if len(state) > 2:
            some = rng.sample(right, min(JUDGED // 3, len(right))) + rng.sample(shown, min(JUDGED, len(shown)))
            for _, left in some[:JUDGED]:
                yield _told(left), [("judge", "sure" if game24.solvable(left) else "impossible")]
        if not shown:
            return
        state = rng.choice(right if right and rng.random() < 0.8 else shown)[1]


def _told(state: State) -> str:
    return f"{GOAL}: {' '.join(map(str, state))}"


@cache
def _games() -> tuple[list[State], list[State], list[State]]:
    """The states of all four numbers that are not held out: those that can be solved, of these the hard ones, whose
    way on is one of few and often through a fraction, and those that cannot be solved."""
    every = [n for n in combinations_with_replacement(range(1, 14), 4) if n not in held().games]
    states = [tuple(map(Fraction, n)) for n in every]
    good = [s for s in states if game24.solvable(s)]
    hard = [s for s in good if len({left for _, left in steps(s) if game24.solvable(left)}) <= NARROW]
    return good, hard, [s for s in states if not game24.solvable(s)]


def of_jugs(rng: random.Random) -> Iterator[tuple[str, Said]]:
    """A puzzle of two jugs, and states along a way through it."""
    a, b = sorted(rng.sample(range(3, 14), 2))
    puzzle = Jugs((a, b), rng.randrange(1, b))
    if puzzle in held().jugs or puzzle.wanted in (a, b):
        return
    possible = puzzle.wanted % gcd(a, b) == 0
    if possible or rng.random() < 0.2:
        yield from _along(puzzle, lambda path: jugs.distance(puzzle.sizes, puzzle.state(path), puzzle.wanted), rng)


def of_river(rng: random.Random) -> Iterator[tuple[str, Said]]:
    """A crossing, and states along a way through it."""
    puzzle = rng.choice(river.every())
    if puzzle not in held().rivers:
        yield from _along(puzzle, lambda path: river.distance(puzzle, puzzle.state(path)), rng)


def _along(puzzle: Puzzle, distance: Callable[[Path], int], rng: random.Random) -> Iterator[tuple[str, Said]]:
    """States on a way that now and then leaves the shortest one: next steps and verdicts."""
    path: Path = ()
    while len(path) < 12:
        rest = distance(path)
        moves = [(move, distance((*path, move))) for move in puzzle.moves(path)]
        right = [move for move, left in moves if left == rest - 1] if rest > 0 else []
        sure = rng.random() < NEARER**rest
        said: Said = [("next", move) for move in right[:SHOWN]]
        yield puzzle.told(path), [*said, ("judge", "impossible" if rest < 0 else "sure" if sure else "likely")]
        if not moves:
            return
        path = (*path, rng.choice(right) if right and rng.random() < 0.6 else rng.choice(moves)[0])


def of_sums(rng: random.Random) -> Iterator[tuple[str, Said]]:
    """A word problem step by step; at each step a wrong one is judged, too."""
    puzzle = sums.draw(1, rng.randrange(2**40))[0]
    whole = (*puzzle.steps, f"Answer: {puzzle.number}")
    for n, step in enumerate(whole):
        said: Said = [("next", step)]
        yield puzzle.told(whole[:n]), [*said, *([("judge", "sure")] if n else [])]
        # The other way around it is right as well.
        wrong = [move for move in puzzle.moves(whole[:n]) if move.split("=")[-1] != step.split("=")[-1]]
        if wrong:
            yield puzzle.told((*whole[:n], rng.choice(wrong))), [("judge", "impossible")]


def of_crossword(rng: random.Random) -> Iterator[tuple[str, Said]]:
    """A crossword word by word; at each, one that fits and leads nowhere is judged, too."""
    puzzle = crossword.one(rng, rng.randint(2, 6))
    path: Path = ()
    while puzzle not in held().crosswords and puzzle.finished(path) is None:
        moves = [(move, puzzle.solvable((*path, move))) for move in puzzle.moves(path)]
        right, other = ([move for move, good in moves if good is kind] for kind in (True, False))
        said: Said = [("next", move) for move in rng.sample(right, min(SHOWN, len(right)))]
        yield puzzle.told(path), [*said, ("judge", "sure")]
        if other:
            yield puzzle.told((*path, rng.choice(other))), [("judge", "impossible")]
        path = (*path, rng.choice(right))


WRITERS: dict[str, Callable[[random.Random], Iterator[tuple[str, Said]]]] = {
    "game24": of_game24,
    "jugs": of_jugs,
    "river": of_river,
    "sums": of_sums,
    "crossword": of_crossword,
}
