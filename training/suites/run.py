"""Runs a suite by its name, in a temporary home. Knows all suites; what they measure is theirs."""

import tempfile
from pathlib import Path

from llmos.app import LLMOS
from llmos.kernel.errors import UsageError
from llmos.training.evaluate import Progress, write_rows
from llmos.training.suites.bits import bits
from llmos.training.suites.calibration import calibration, draw
from llmos.training.suites.hallucination import hallucination
from llmos.training.suites.measured import Measured
from llmos.training.suites.reversal import reversal

SUITES = ("hallucination", "reversal", "bits", "calibration")


def run(
    name: str,
    *,
    model: str | None = None,
    limit: int | None = None,
    file: Path | None = None,
    plot: Path | None = None,
    answers: Path | None = None,
    progress: Progress = lambda done, total, passed: None,
) -> Measured:
    """Measure one suite. ``file``: the text of bits, or the requests of calibration; ``plot``: a PNG of calibration;
    ``answers``: where the answers of the others are written, one JSON object a line.

    Raises UsageError for an unknown name, an option that is not the suite's or a file that cannot be used, ModelError
    for a model that cannot be loaded or tells no log-probabilities.
    """
    if name not in SUITES:
        raise UsageError(f"no suite {name}: {', '.join(SUITES)}")
    if plot is not None and name != "calibration":
        raise UsageError("--plot is of the suite calibration")
    if file is not None and name not in ("bits", "calibration"):
        raise UsageError(f"the suite {name} has its own questions; leave the file out")
    if answers is not None and name not in ("hallucination", "reversal"):
        raise UsageError(f"the suite {name} gives no answers to write")
    if answers is not None:
        write_rows(answers, [])  # now rather than after minutes
    temporary = tempfile.TemporaryDirectory(prefix="llmos-suite-", ignore_cleanup_errors=True)
    with temporary as home, LLMOS(model=model, home=home) as system:
        if name == "hallucination":
            found = hallucination(system, progress, limit)
        elif name == "reversal":
            found = reversal(system, progress, limit)
        elif name == "bits":
            found = bits(system.load(), progress, file)
        else:
            found = calibration(system.load(), Path(home), progress, file, limit)
    if plot is not None:
        try:
            draw(found, plot)
        except OSError as error:
            raise UsageError(f"{plot} cannot be written: {error.strerror}") from error
    if answers is not None:
        write_rows(answers, found.details["answers"])
    return found
