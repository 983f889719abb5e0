"""``python -m llmos.training.shares``: which share of the say the solver should have, by kernels' development sets.

For every pair of shares (``KNOWN`` and ``NEW`` in ``kernel/ranker.py``) it tells how many calculations the likeliest
example answers: those of ``training/eval/requests.jsonl``, problems put together from ``training/held/problems.yaml``
and, with a corpus, its word problems that are never trained on. Never reads a set that judges a release. Each request
is encoded once.
"""

import argparse
import json
import random
from collections.abc import Callable, Collection, Iterator, Sequence
from fractions import Fraction
from itertools import product
from pathlib import Path

from llmos.kernel.config import WEIGHTS
from llmos.kernel.examples import RANKER, TAUGHT, likely
from llmos.kernel.ranker import Ranker
from llmos.kernel.recall import Recall, Recalled
from llmos.training import problems
from llmos.training.solving import Heard, heard, valued
from llmos.training.stories import set_apart

REQUESTS = Path(__file__).parent / "eval" / "requests.jsonl"
KNOWN = (0.15, 0.25, 0.4, 0.55, 0.7)
NEW = (0.35, 0.5, 0.65, 0.8, 0.95)
_CLOSE = 1e-6
Question = tuple[str, Fraction]


class Once(Ranker):
    """A ranker that encodes and solves a request once, whatever the shares."""

    def _scored(
        self, told: str, kinds: Collection[str], good: Callable[[Recalled], bool], request: str
    ) -> list[tuple[float, Recalled]]:
        kept: dict[str, list[tuple[float, Recalled]]] = self.__dict__.setdefault("kept", {})
        if told not in kept:
            kept[told] = super()._scored(told, kinds, good, request)
        return kept[told]

    def keep(self) -> None:
        """Ask the solver once for each request too."""
        solve, kept = self._solve, dict[str, list[tuple[tuple[str, ...], float]]]()

        def once(told: str, expressions: Sequence[Sequence[str]]) -> list[tuple[tuple[str, ...], float]]:
            if solve is not None and told not in kept:
                kept[told] = solve(told, expressions)
            return kept[told]

        self._solve = once if solve is not None else None


def sets(corpus: Path | None, most: int) -> dict[str, list[Question]]:
    """The development sets, ``most`` of each at most."""
    found = {
        "requests": list(_requests()),
        "held": [(one.question, one.answer) for one in problems.draw(most, 11, problems.HELD)],
    }
    if corpus is not None:
        found["stories"] = list(set_apart(corpus))
    return {name: random.Random(7).sample(asked, min(most, len(asked))) for name, asked in found.items()}


def _requests() -> Iterator[Question]:
    """The requests whose answer is a number of the calculator."""
    for line in REQUESTS.read_text(encoding="utf-8").splitlines():
        item = json.loads(line)
        expect = item.get("expect", {})
        if expect.get("tool") == "calculator" and "number" in expect:
            yield item["prompt"], Fraction(str(expect["number"]))


def answered(ranker: Ranker, recall: Recall, one: Heard, number: Fraction) -> bool:
    """Whether the likeliest calculation is worth the number."""
    found = likely(recall, one.told, ("calculator",), one.values, ranker=ranker)
    value = valued(found[0].answer, one.values) if found else None
    return value is not None and abs(float(value - number)) <= _CLOSE * max(1.0, abs(float(number)))


def main() -> int:
    """Scan the shares and print a table."""
    parser = argparse.ArgumentParser(prog="python -m llmos.training.shares", description=__doc__.splitlines()[0])
    parser.add_argument("--kernel", type=Path, default=WEIGHTS, help="folder of the kernel (default: the one here)")
    parser.add_argument("--corpus", type=Path, help="folder of openly licensed text with math.jsonl.xz")
    parser.add_argument("--most", type=int, default=150, help="questions of a set, at most")
    options = parser.parse_args()
    recall = Recall.load(options.kernel / TAUGHT)
    ranker = Once.load(options.kernel / RANKER, recall)
    if not isinstance(ranker, Once):
        parser.error(f"there is no ranker for what was taught in {options.kernel}")
    ranker.keep()
    asked = {
        name: [(heard(question), number) for question, number in questions]
        for name, questions in sets(options.corpus, options.most).items()
    }
    print("known   new  " + "  ".join(f"{name} of {len(questions)}" for name, questions in asked.items()), flush=True)
    for ranker.shares in product(KNOWN, NEW):
        right = [sum(answered(ranker, recall, *one) for one in questions) for questions in asked.values()]
        known, new = ranker.shares
        print(f"{known:5.2f} {new:5.2f}  " + "  ".join(map(str, right)) + f"  all {sum(right)}", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
