"""Mini crosswords, 5 by 5, without clues: three words across and three down have to be fitted in from a list.

Rows and columns 1, 3 and 5 hold words, so that every other letter of each is one of a word that crosses it. Rules,
solver, and puzzles drawn by seed. A thought puts a word in, such as ``across 1: river``.
"""

import random
import re
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from functools import cache

from llmos.kernel.planner import Path

SIZE = 5
PLACES = ("across 1", "across 2", "across 3", "down 1", "down 2", "down 3")
_STEP = re.compile(r"((?:across|down) [123]): ([a-z]{5})")
_WORDS = """about above actor adult after agent agree album alert alive alone among angle apple April arena arrow aside
aunty award bacon badge baker basic beach begin bench berry birth black blade blank blend block board boast bonus boost
bread break brick brief bring broad brown brush build bunch cabin cable camel candy cargo carry catch chain chair chalk
charm chart chase cheap check chess chest chief child civic civil claim class clean clear clerk click cliff climb clock
close cloth cloud coach coast color coral count court cover craft crane cream crown curve cycle daily dairy dance depth
diary diver dozen draft drama dream dress drink drive eager eagle early earth elbow elder elect empty enemy enjoy enter
equal error essay event every exact extra fairy faith fancy feast fence ferry fever field final flame flash fleet floor
flour fluid focus force forty frame fresh front fruit funny ghost giant glass globe glory glove grace grade grain grand
grant grape graph grass great green greet group guard guest guide habit happy harsh heart heavy hello hobby honey horse
hotel house human humor ideal image index inner input issue ivory jewel joint judge juice kneel knife knock label labor
large laser later laugh layer learn lemon level light limit linen liver local logic lower loyal lucky lunch magic major
maker maple march match mayor medal melon mercy merit metal meter minor mixed model money month moral motor mount mouse
mouth movie music nerve never night noble noise north novel nurse ocean offer olive onion opera orbit order organ other
outer owner paint panel paper party pasta patch pause peach pearl penny phase phone photo piano piece pilot pitch place
plain plane plant plate point polar pound power press price pride prize proof proud pupil quick quiet radio raise ranch
range rapid reach ready relax reply rider right rival river roast robot rocky rough round route royal rural salad scale
scene scent score sense serve seven shade shape share sharp sheep sheet shelf shell shine shirt shore short sight silly
since skill sleep slice slope small smart smile smoke snake solar solid sound south space spare spoon sport staff stage
stair stamp start state steam steel stone storm story style sugar sunny sweet table taste teach tenth thank theme thick
think third tiger title toast today topic total touch tower track trade trail train treat trend trial trust truth tulip
uncle under union unity upper urban usual valid value video visit vital vivid voice wagon waste watch water whale wheat
wheel white whole width woman world worth wrist write yacht yield young youth zebra"""
WORDS = tuple(dict.fromkeys(_WORDS.lower().split()))


@dataclass(frozen=True)
class Crossword:
    """One puzzle: the words to choose from. See :class:`~llmos.training.puzzles.Puzzle`."""

    words: tuple[str, ...]

    @property
    def question(self) -> str:
        """What is asked, in words."""
        return (
            "Fill a crossword of 5 by 5: words across in rows 1, 3 and 5 (across 1 to 3) and down in columns 1, 3 "
            f"and 5 (down 1 to 3), each once, of these: {', '.join(self.words)}. "
            f"Steps look like: across 1: {self.words[0]}"
        )

    def told(self, path: Path) -> str:
        """What stands in the grid, place by place, and the words that are left, in a line."""
        grid = self.state(path)
        stands = ", ".join(f"{place} {' '.join(_pattern(grid, place))}" for place in PLACES)
        used = {step.rpartition(" ")[2] for step in path}
        left = ", ".join(" ".join(word) for word in self.words if word not in used)
        return f"crossword: {stands}; {left}"

    def moves(self, path: Path) -> list[str]:
        """Every word that fits into a place that has none."""
        return [f"{place}: {word}" for place, word in self._fitting(path)]

    def _fitting(self, path: Path) -> Iterator[tuple[str, str]]:
        grid, filled = self.state(path), dict(_read(step) for step in path)
        for place in PLACES:
            if place not in filled:
                pattern = re.compile(_pattern(grid, place).replace("_", "."))
                for word in self.words:
                    if word not in filled.values() and pattern.fullmatch(word):
                        yield place, word

    def wrong(self, path: Path) -> str:
        """Why the last word does not fit."""
        if not _STEP.fullmatch(path[-1]):
            return "it is no step"
        place, word = _read(path[-1])
        before = dict(_read(step) for step in path[:-1])
        if word not in self.words:
            return f"{word} is not in the list"
        if word in before.values():
            return f"{word} was used before"
        if place in before:
            return f"there is a word {place}"
        pattern = _pattern(self.state(path[:-1]), place)
        return "" if re.fullmatch(pattern.replace("_", "."), word) else f"{word} does not fit {pattern}"

    def finished(self, path: Path) -> str | None:
        """The words by their places, once all have one."""
        return "; ".join(sorted(path)) if len(path) == len(PLACES) else None

    def check(self, answer: str) -> bool:
        """Whether all six fit."""
        path = tuple(answer.split("; "))
        return len(path) == len(PLACES) and all(not self.wrong(path[:n]) for n in range(1, len(path) + 1))

    def key(self, path: Path) -> Hashable:
        """Which word stands where."""
        return frozenset(path)

    def solvable(self, path: Path) -> bool:
        """Whether the words that stand can be gone on with to the end."""
        return _solvable(self, frozenset(path))

    def state(self, path: Path) -> str:
        """The letters of the grid, row by row; ``_`` where there is none yet."""
        grid = ["_"] * (SIZE * SIZE)
        for step in path:
            place, word = _read(step)
            for cell, letter in zip(_cells(place), word, strict=True):
                grid[cell] = letter
        return "".join(grid)


def _read(step: str) -> tuple[str, str]:
    place, _, word = step.partition(": ")
    return place, word


@cache
def _cells(place: str) -> tuple[int, ...]:
    way, _, number = place.partition(" ")
    line = 2 * (int(number) - 1)
    return tuple(line * SIZE + n if way == "across" else n * SIZE + line for n in range(SIZE))


def _pattern(grid: str, place: str) -> str:
    return "".join(grid[cell] for cell in _cells(place))


@cache
def _solvable(puzzle: Crossword, steps: frozenset[str]) -> bool:
    path = tuple(sorted(steps))
    if len(path) == len(PLACES):
        return True
    filled = {_read(step)[0] for step in path}
    place = next(one for one in PLACES if one not in filled)
    # All places have to be filled at last: it is enough to try the first that is empty.
    return any(_solvable(puzzle, steps | {f"{p}: {word}"}) for p, word in puzzle._fitting(path) if p == place)


@cache
def _crossing() -> dict[tuple[str, str, str], list[str]]:
    """The words by the letters that other words can cross."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for word in WORDS:
        found.setdefault((word[0], word[2], word[4]), []).append(word)
    return found


def one(rng: random.Random, distractors: int = 6) -> Crossword:
    """A puzzle: six words that cross each other, and others."""
    while True:
        across = [rng.choice(WORDS) for _ in range(3)]
        down: list[str] = []
        for n in (0, 2, 4):
            fits = _crossing().get((across[0][n], across[1][n], across[2][n]))
            if not fits:
                break
            down.append(rng.choice(fits))
        if len({*across, *down}) == 6:
            words = [*across, *down, *rng.sample([w for w in WORDS if w not in (*across, *down)], distractors)]
            rng.shuffle(words)
            return Crossword(tuple(words))


def draw(count: int, seed: int = 0) -> list[Crossword]:
    """So many puzzles."""
    rng = random.Random(seed)
    return [one(rng) for _ in range(count)]
