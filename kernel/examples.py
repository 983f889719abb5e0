"""Which taught examples stand before the embedded kernel: the likeliest of those that fit the request.

Loads what was taught when it is first asked. Source of the idea: Khandelwal et al. 2020, "Generalization through
memorization"; the examples are read as context and not mixed into the probabilities.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from functools import cache, cached_property, lru_cache
from pathlib import Path

from llmos.kernel.clocks import clocks
from llmos.kernel.config import WEIGHTS
from llmos.kernel.conversions import conversion
from llmos.kernel.everyday import everyday
from llmos.kernel.honest import Facts
from llmos.kernel.literals import literals
from llmos.kernel.ranker import Ranker
from llmos.kernel.recall import ADAPTED, Recall, Recalled, Taught, fits, formulas, opened
from llmos.kernel.spoken import spoken
from llmos.kernel.tallies import tally
from llmos.kernel.turns import Turn
from llmos.kernel.verbs import CHANGED, DRAWS
from llmos.kernel.wishes import asks_picture, pictures

TAUGHT = "taught.jsonl.gz"  # beside the embedded kernel's weights
MOST = 4  # examples behind a request
RANKER = "ranker.safetensors"  # beside what was taught
_ZERO = re.compile(r"(&(\d+)) = 0\b")
_GIVEN = re.compile(r"[@~]\d+")
_FEW = re.compile(r"\b(?:best|worst|head|tail|bins) @")  # what takes a small number
_SMALL = re.compile(r"\d{1,2}|1\d\d")
_WHOLE = re.compile(r"\b(?:ceil|floor)\(@(\d+) ?/ ?@(\d+)\)")
_QUESTION = re.compile(r"(?i)(?:\w+[:,] )?(?:which(?! way| direction)|who|how (?:many|much))\b")
_LISTED = re.compile(r"(?:round\()?(?:mean|max|min)\(")
LIKELY = 0.12  # how like a request an example has to be


def reckoned(request: str, table: bool = False) -> str:
    """The expression for what a request says plainly: a calculation, a list's mean, a quantity in other units.

    Where there is a ``table``, a list may be of its years or groups.
    """
    made = spoken(request)
    if table:
        return "" if _LISTED.match(made) else made
    return made or tally(request) or conversion(request)


@cache
def knows(kind: str, path: Path = WEIGHTS / TAUGHT) -> bool:
    """Whether the embedded kernel was taught a kind of request; the file is looked through, not read in."""
    try:
        with opened(path) as lines:
            return any(line.startswith(f'["{kind}"') for line in lines)
    except OSError:
        return False


class Memory:
    """The examples of one file; see :data:`llmos.kernel.turns.Examples`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._found = lru_cache(maxsize=256)(self._find)

    def __call__(self, turn: Turn) -> Sequence[Recalled]:
        return self._found(turn.gist, turn.kinds, tuple(turn.values), turn.request, date.today())

    @cached_property
    def recall(self) -> Recall:
        """All that was taught; nothing where the file is missing."""
        return Recall.load(self._path)

    @cached_property
    def facts(self) -> Facts:
        """The facts of what was taught."""
        return Facts(self.recall.taught)

    @cached_property
    def ranker(self) -> Ranker | None:
        """The ranker in the same folder, where it can be had."""
        return Ranker.load(self._path.with_name(RANKER), self.recall)

    def _find(
        self, told: str, kinds: tuple[str, ...], values: tuple[str, ...], request: str, today: date
    ) -> tuple[Recalled, ...]:
        found = likely(self.recall, told, kinds, values, ranker=self.ranker, request=request)
        near = self.facts.honest(told, found)
        # What is a calculation in words and nothing else needs no likeness; one that goes on from a result is none.
        alone = "calculator" in kinds and told.count("@") <= len([*literals(request)])
        # Times of days that are named are for dates.
        made = reckoned(request, "table" in kinds) or ("" if "~" in told else clocks(request)) if alone else ""
        sure = [Recalled(Taught("calculator", told, made), made, 1.0)] if made else []
        if not sure and (known := everyday(request, today)) and "#" not in told:
            kind, answer = ("calculator", known.expression) if known.expression else ("say", known.says)
            says = known.says if known.expression else ""
            sure = [Recalled(Taught(kind, told, answer), answer, 1.0, says)] if kind in kinds else []
        return tuple([*sure, *near][:MOST])


def likely(
    recall: Recall,
    told: str,
    kinds: Sequence[str],
    values: Sequence[str],
    below: float = math.inf,
    ranker: Ranker | None = None,
    request: str = "",
) -> list[Recalled]:
    """The likeliest examples for a request, the likeliest first, by the ``ranker`` or by words alone.

    ``request`` is the user's own words. By words none is as like the request as ``below``.
    """
    drawn, meant = asks_picture(told), formulas(told)
    given = {values[int(sign[1:]) - 1] for sign in _GIVEN.findall(told) if int(sign[1:]) <= len(values)}

    kinds_of_picture = pictures(told)
    asked = not drawn and _QUESTION.match(told) is not None

    def suits(answer: str) -> bool:
        verb = answer[1:].split(" ")[0]
        if verb in DRAWS and (asked or verb not in kinds_of_picture):
            return False
        draws = not drawn or verb in DRAWS or verb in CHANGED
        small = not _FEW.search(answer) or not given or any(map(_SMALL.fullmatch, given))
        return draws and small and answer.count("@") <= len(given) + (verb == "head")

    def good(found: Recalled) -> bool:
        if found.taught.kind in ("table", "change"):
            return suits(found.answer)
        if found.taught.kind == "calculator" and drawn and "table" in kinds:
            return False
        # What leaves a formula out computes another one.
        adapts = found.taught.kind in ADAPTED
        fit = not adapts or (meant <= formulas(found.answer) and fits(found.answer, values, set()))
        return fit and not (adapts and _needless(found.answer, values))

    near = (
        ranker.near(told, kinds, MOST, good, request, values)
        if ranker
        else recall.near(told, kinds, MOST, good, below, request)
    )
    if ranker:
        near = [replace(r, likeness=max(LIKELY, r.likeness)) for r in near]
    return [replace(r, answer=_equation(r.answer, values)) for r in near if r.likeness >= LIKELY]


def _needless(answer: str, values: Sequence[str]) -> bool:
    """Whether an answer rounds a part of one to a whole: nobody asks how many buses a tenth of a bus is."""
    return any(float(values[int(a) - 1]) < float(values[int(b) - 1]) for a, b in _WHOLE.findall(answer))


def _equation(answer: str, values: Sequence[str]) -> str:
    """An answer without ``= 0`` behind a formula that is an equation already."""
    return _ZERO.sub(lambda m: m[1] if "=" in values[int(m[2]) - 1] else m[0], answer)
