"""``python -m llmos.training.overlap FILE.jsonl …``: how near evaluation requests come to the phrases of training.

For each prompt the nearest phrase by the Jaccard index of their sets of words, and the longest run of its words that
stands in any phrase. Case and marks do not count, every number is ``#``, and what fills a slot in training is ``_``, as
is a column's name in a prompt. Prints the distribution of both and each prompt over ``--over``; the exit status is 1
when there are any but trivial ones, which have fewer than three words of their own.
"""

import argparse
import bisect
import itertools
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmos.training.evaluate import Item, read_items
from llmos.training.phrasebook import FOLDER, SLOT, entries, lines

OVER = 0.8
OWN = 3  # words that a prompt has to have for its likeness to say anything
_WORD = re.compile(r"[#_]|[^\W\d_]+(?:'[^\W\d_]+)?")
_NUMBER = re.compile(r"\d+(?:[.,:/-]\d+)*")
_STEPS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True, slots=True)
class Near:
    """A prompt, the phrase nearest to it, their Jaccard index, and the longest run of words found in any phrase."""

    prompt: str
    phrase: str
    likeness: float
    run: int
    words: int

    @property
    def trivial(self) -> bool:
        """Whether it is too short to tell whose wording it is."""
        return sum(word not in "#_" for word in words(self.prompt)) < OWN


def words(text: str, columns: Iterable[str] = ()) -> list[str]:
    """The words of a text; numbers as ``#``, slots and the names in ``columns`` as ``_``."""
    text = SLOT.sub(" _ ", text.replace("\u2019", "'"))
    for column in sorted(columns, key=len, reverse=True):
        text = re.sub(rf"(?i)(?<!\w){re.escape(column)}(?!\w)", " _ ", text)
    return _WORD.findall(_NUMBER.sub(" # ", text).lower())


def phrases() -> Iterator[str]:
    """Every request of the phrase files, slots unfilled."""
    for path in sorted(FOLDER.glob("*.txt")):
        for line in lines(path.stem):
            yield line.split(" => ")[0]
    for path in sorted(FOLDER.glob("*.yaml")):
        yield from _texts(entries(path.stem))


def _texts(data: Any) -> Iterator[str]:
    """All texts in nested data: what is asked, and what is answered too, which does no harm here."""
    if isinstance(data, str):
        yield from (line for line in data.splitlines() if line.strip())
    elif isinstance(data, dict):
        for value in data.values():
            yield from _texts(value)
    elif isinstance(data, list):
        for value in data:
            yield from _texts(value)


class Phrases:
    """The phrases, found by their words."""

    def __init__(self, texts: Iterable[str]) -> None:
        self.texts = list(dict.fromkeys(texts))
        split = [words(text) for text in self.texts]
        self._sizes = [len(set(each)) for each in split]
        self._with: dict[str, list[int]] = defaultdict(list)
        for at, each in enumerate(split):
            for word in set(each):
                self._with[word].append(at)
        self._all = "".join(f"\n {' '.join(each)} " for each in split)

    def near(self, prompt: str, columns: Iterable[str] = ()) -> Near:
        """The nearest phrase to a prompt."""
        said = words(prompt, columns)
        shared: Counter[int] = Counter()
        for word in set(said):
            shared.update(self._with.get(word, ()))
        size = len(set(said))
        best = max(((n / (size + self._sizes[at] - n), -at) for at, n in shared.items()), default=(0.0, 0))
        phrase = self.texts[-best[1]] if best[0] else ""
        return Near(prompt, phrase, best[0], self._run(said), len(said))

    def _run(self, said: Sequence[str]) -> int:
        """The length of the longest run of words that stands in a phrase."""
        longest = 0
        for start in range(len(said)):
            while start + longest < len(said) and f" {' '.join(said[start : start + longest + 1])} " in self._all:
                longest += 1
        return longest


def nearest(items: Iterable[Item], known: Phrases) -> list[Near]:
    """The nearest phrase to every prompt of every item, in their order."""
    return [
        known.near(prompt, [c for _, e in item.asked for c in e.get("columns") or ()])
        for item in items
        for prompt, _ in item.asked
    ]


def report(name: str, found: Sequence[Near], over: float = OVER) -> str:
    """The distribution, and the prompts that are over the limit."""
    likeness, runs = sorted(n.likeness for n in found), sorted(n.run / max(n.words, 1) for n in found)
    rows = [f"{name}: {len(found)} prompts", f"{'':24}{'median':>8}{'90%':>8}{'99%':>8}{'most':>8}"]
    for title, each in (("Jaccard, nearest phrase", likeness), ("longest run / words", runs)):
        cuts = [each[min(int(q * len(each)), len(each) - 1)] for q in (0.5, 0.9, 0.99, 1.0)]
        rows.append(f"{title:24}" + "".join(f"{cut:8.2f}" for cut in cuts))
    for low, high in itertools.pairwise(_STEPS):
        ends = bisect.bisect_left(likeness, low), bisect.bisect_left(likeness, high)
        count = (len(likeness) if high == _STEPS[-1] else ends[1]) - ends[0]
        rows.append(f"  Jaccard {low:.1f} to {high:.1f}  {count:5}  {count / len(found):6.1%}")
    for near in [n for n in found if n.likeness > over]:
        mark = " (trivial)" if near.trivial else ""
        rows.append(f"  {near.likeness:.2f}{mark}  {near.prompt!r}  {near.phrase!r}")
    return "\n".join(rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Report on the files; 1 when a prompt that is not trivial is over the limit."""
    parser = argparse.ArgumentParser(prog="python -m llmos.training.overlap", description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--over", type=float, default=OVER, help="the Jaccard index from which a prompt is shown")
    given = parser.parse_args(arguments)
    known, bad = Phrases(phrases()), 0
    for path in given.files:
        found = nearest(read_items(path), known)
        print(report(path.stem, found, given.over))
        bad += sum(n.likeness > given.over and not n.trivial for n in found)
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
