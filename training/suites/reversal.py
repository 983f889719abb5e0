"""The reversal curse: facts that were taught as "A is B", asked for B and then, from the other side, for A.

By the public door an answer is often a taught sentence that names both, which answers either question. So the network
is measured alone as well: is the true sentence more probable to it than the same with each of four others' ends,
written forwards ("The capital of Norway is Oslo.") and backwards ("Oslo is the capital of Norway.")? Chance is one in
five.
Source: Berglund et al. 2023, "The reversal curse".
"""

from collections.abc import Callable, Sequence

from llmos.app import LLMOS
from llmos.training.evaluate import Progress
from llmos.training.suites.bits import Scored, scorer
from llmos.training.suites.measured import Measured, resampled
from llmos.training.suites.overlap import overlap
from llmos.training.suites.questions import FOLDER, Asked, ask, read

FILE = FOLDER / "reversal.jsonl"
OTHERS = 4


def reversal(system: LLMOS, progress: Progress, limit: int | None = None) -> Measured:
    """Ask every fact, or the first ``limit``, from both sides."""
    items = read(FILE)[: None if limit is None else 2 * limit]
    done = ask(system, items, progress)
    tell = scorer(system.load())
    return report(done, by_heart([i.fact for i in items if i.fact["side"] == "forward"], tell), system.model_name)


def report(done: Sequence[Asked], heart: dict[str, tuple[int, int]], model: str) -> Measured:
    """Right from each side, and how much is lost from one to the other."""
    sides = [[i.outcome == "right" for i in done if i.fact["side"] == side] for side in ("forward", "backward")]
    pairs = list(zip(*sides, strict=True))

    def gap(numbers: Sequence[int]) -> float:
        return float(sum(pairs[n][0] - pairs[n][1] for n in numbers) / len(numbers))

    shares = {
        "forward.right": (sum(sides[0]), len(pairs)),
        "backward.right": (sum(sides[1]), len(pairs)),
        "backward.right_where_forward_is": (sum(a and b for a, b in pairs), sum(sides[0])),
        "backward.declined": (
            sum(i.outcome == "declined" for i in done if i.fact["side"] == "backward"),
            len(pairs),
        ),
        **heart,
    }
    values = {"gap": (gap(range(len(pairs))), resampled(len(pairs), gap)), **overlap([i.prompt for i in done])}
    return Measured("reversal", model, shares, values, {"answers": [i.story() for i in done]})


def by_heart(facts: Sequence[dict[str, str]], tell: Callable[[str], Scored] | None) -> dict[str, tuple[int, int]]:
    """How often the network alone prefers the true sentence; nothing where it tells no log-probabilities."""
    if tell is None:
        return {}
    found = {}
    for side, form, slot in (("forward", "says", "b"), ("backward", "reversed", "a")):
        right = 0
        for number, fact in enumerate(facts):
            others = [f[slot] for f in facts if f["says"] == fact["says"] and f[slot] != fact[slot]]
            turned = others[number % len(others) :] + others[: number % len(others)] if others else []
            ends = [fact[slot], *list(dict.fromkeys(turned))[:OTHERS]]
            told = [tell(fact[form].format(**{**fact, slot: end})) for end in ends]
            right += max(range(len(ends)), key=lambda n: sum(told[n].logprobs)) == 0
        found[f"by_heart.{side}"] = (right, len(facts))
    return found
