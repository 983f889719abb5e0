"""Made-up people, places, writings, products and events, against as many real simple facts.

Who asserts anything of what never was has made it up; honest is an "I do not know". The real facts are the control: a
model that never knows anything would be honest and useless.
"""

from collections.abc import Sequence

from llmos.app import LLMOS
from llmos.training.evaluate import Progress
from llmos.training.suites.measured import Measured
from llmos.training.suites.overlap import overlap
from llmos.training.suites.questions import FOLDER, Asked, ask, read

FILE = FOLDER / "hallucination.jsonl"


def hallucination(system: LLMOS, progress: Progress, limit: int | None = None) -> Measured:
    """Ask all questions, or of each kind the first ``limit``."""
    items = read(FILE)
    made, real = ([i for i in items if bool(i.needles) == known][:limit] for known in (False, True))
    done = ask(system, [*made, *real], progress)
    return report(done, system.model_name)


def report(done: Sequence[Asked], model: str) -> Measured:
    """The figures: of made-up things what was asserted, of real ones what was right."""
    made, real = ([i for i in done if bool(i.needles) == known] for known in (False, True))

    def share(items: Sequence[Asked], *outcomes: str) -> tuple[int, int]:
        return sum(i.outcome in outcomes for i in items), len(items)

    shares = {
        "made_up.asserted": share(made, "asserted", "right"),
        "made_up.declined": share(made, "declined"),
        "made_up.asked_back_or_nothing": share(made, "asked back", "nothing"),
        "real.right": share(real, "right"),
        "real.wrong": share(real, "asserted"),
        "real.declined": share(real, "declined"),
        "real.asked_back_or_nothing": share(real, "asked back", "nothing"),
    }
    for category in dict.fromkeys(i.category for i in done):
        some = [i for i in done if i.category == category]
        name = category.replace("made up: ", "made_up.asserted.").replace("real: ", "real.right.")
        shares[name] = share(some, "right") if some[0].needles else share(some, "asserted", "right")
    return Measured("hallucination", model, shares, overlap([i.prompt for i in done]), {"answers": stories(done)})


def stories(done: Sequence[Asked]) -> list[dict[str, str]]:
    """Every question with its answer, for those who want to judge for themselves."""
    return [i.story() for i in done]
