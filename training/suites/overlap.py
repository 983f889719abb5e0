"""How near questions are to the phrases that training reads: Jaccard's share of common words with the nearest one."""

import re
import statistics
from collections import defaultdict
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from llmos.training import phrasebook

_WORD = re.compile(r"[a-z0-9]+")
_SLOT = re.compile(r"\{\w+\}")
Values = dict[str, tuple[float, tuple[float, float] | None]]


def words(text: str) -> frozenset[str]:
    """The different words of a text, without slots."""
    return frozenset(_WORD.findall(_SLOT.sub(" ", text.lower())))


@cache
def taught() -> tuple[NDArray[np.int64], dict[str, NDArray[np.int64]]]:
    """How many words each taught phrase has, and in which phrases a word stands: every phrase, direct answer, fact and
    program that training asks for."""
    made = [words(line.split(" => ")[0]) for p in phrasebook.FOLDER.glob("*.txt") for line in phrasebook.lines(p.stem)]
    for name in ("direct", "facts", "python"):
        made += [words(str(prompt)) for entry in phrasebook.entries(name) for prompt in entry["prompts"]]
    made = list(dict.fromkeys(made))
    found: dict[str, list[int]] = defaultdict(list)
    for number, phrase in enumerate(made):
        for word in phrase:
            found[word].append(number)
    return np.array([len(m) for m in made]), {word: np.array(numbers) for word, numbers in found.items()}


def nearest(prompt: str) -> float:
    """The largest share of words in common with a taught phrase, of the words of both."""
    own = words(prompt)
    sizes, found = taught()
    places = [found[word] for word in own if word in found]
    if not places:
        return 0.0
    common = np.bincount(np.concatenate(places), minlength=len(sizes))
    return float((common / (len(own) + sizes - common)).max())


def overlap(prompts: Sequence[str]) -> Values:
    """Median and maximum over the prompts, and the share that has most words in common with a phrase."""
    near = [nearest(prompt) for prompt in prompts]
    return {
        "overlap.median": (statistics.median(near), None),
        "overlap.most": (max(near), None),
        "overlap.over_0.8": (sum(n > 0.8 for n in near) / len(near), None),
    }
