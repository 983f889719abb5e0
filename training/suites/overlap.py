"""How near questions are to the phrases that training reads: Jaccard's share of common words with the nearest one."""

import re
import statistics
from collections.abc import Sequence
from functools import cache

from llmos.training import phrasebook

_WORD = re.compile(r"[a-z0-9]+")
_SLOT = re.compile(r"\{\w+\}")
Values = dict[str, tuple[float, tuple[float, float] | None]]


def words(text: str) -> frozenset[str]:
    """The different words of a text, without slots."""
    return frozenset(_WORD.findall(_SLOT.sub(" ", text.lower())))


@cache
def taught() -> frozenset[frozenset[str]]:
    """The words of every phrase, direct answer, fact and program that training asks for."""
    made = [words(line.split(" => ")[0]) for p in phrasebook.FOLDER.glob("*.txt") for line in phrasebook.lines(p.stem)]
    for name in ("direct", "facts", "python"):
        made += [words(str(prompt)) for entry in phrasebook.entries(name) for prompt in entry["prompts"]]
    return frozenset(m for m in made if m)


def nearest(prompt: str) -> float:
    """The largest share of words in common with a taught phrase, of the words of both."""
    own, best = words(prompt), 0.0
    for one in taught():
        # No more can be in common than the shorter one has.
        if min(len(own), len(one)) > best * max(len(own), len(one)):
            best = max(best, len(own & one) / len(own | one))
    return best


def overlap(prompts: Sequence[str]) -> Values:
    """Median and maximum over the prompts, and the share that has all words in common with a phrase."""
    near = [nearest(prompt) for prompt in prompts]
    return {
        "overlap.median": (statistics.median(near), None),
        "overlap.most": (max(near), None),
        "overlap.over_0.8": (sum(n > 0.8 for n in near) / len(near), None),
    }
