"""Whether an answer is right, by what can be checked: the reward of ``llmos finetune --method grpo``.

``expect`` may hold

- ``exact``: the answer is this text, but for case, blanks and an end mark
- ``number``: a number of the answer equals it; ``contains``: a text, or several, all in the answer (see evaluate)
- ``calculator``: an expression; a number of the answer equals what the calculator says that it comes to
- ``test``: Python that runs after the code of the answer, in a sandbox of its own, and raises where that is wrong

All that is there has to hold. What a model wrote is run nowhere but in the sandbox.
"""

import re
import tempfile
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from llmos.kernel.errors import UsageError
from llmos.kernel.tool import ToolError
from llmos.training.scoring import contains, numbers, same_number

KEYS = ("exact", "number", "contains", "calculator", "test")
SECONDS = 10.0  # of one test
_CODE = re.compile(r"```(?:python|py)?[ \t]*\n(.*?)```", re.S)


def problem(expect: Mapping[str, Any]) -> str:
    """Why an outcome cannot be checked, in a line; empty where it can."""
    if odd := [key for key in expect if key not in KEYS]:
        return f"expect has no {odd[0]!r}; it has: {', '.join(KEYS)}"
    for key, value in expect.items():
        kinds = (int, float) if key == "number" else (str, list) if key == "contains" else (str,)
        if not isinstance(value, kinds) or isinstance(value, bool):
            return f"expect.{key} has to be a {'number' if key == 'number' else 'text'}"
    if "calculator" in expect:
        try:
            if not numbers(_reckoned(expect["calculator"])):
                return f"the calculator's answer to {expect['calculator']!r} is no number"
        except ToolError as error:
            return f"the calculator cannot answer {expect['calculator']!r}: {error}"
    return ""


def right(answer: str, expect: Mapping[str, Any]) -> bool:
    """Whether an answer is what was expected. Raises UsageError where a test is to run and there is no sandbox."""
    said = numbers(answer)
    if "exact" in expect and _plain(answer) != _plain(expect["exact"]):
        return False
    if "number" in expect and not any(same_number(n, expect["number"]) for n in said):
        return False
    needles = expect.get("contains", [])
    if not all(contains(answer, str(n)) for n in ([needles] if isinstance(needles, str) else needles)):
        return False
    if "calculator" in expect:
        wanted: Fraction = numbers(_reckoned(expect["calculator"]))[0].value
        if not any(same_number(n, _number(wanted)) for n in said):
            return False
    return "test" not in expect or passes(answer, str(expect["test"]))


def passes(answer: str, test: str) -> bool:
    """Whether the code of an answer runs and the test after it too, in a sandbox. Raises UsageError without one."""
    from llmos.tools.sandbox import Sandbox, SandboxError, self_test

    if lacking := self_test():
        raise UsageError(f"a test needs the sandbox: {lacking}")
    blocks = _CODE.findall(answer)
    code = "\n".join(blocks) if blocks else answer
    try:
        with (
            tempfile.TemporaryDirectory(prefix="llmos-test-", ignore_cleanup_errors=True) as folder,
            Sandbox(Path(folder)) as box,
        ):
            return box.execute(f"{code}\n", SECONDS, quiet=True).ok and box.execute(test, SECONDS, quiet=True).ok
    except SandboxError as error:
        raise UsageError(f"a test needs the sandbox: {error}") from error


def _reckoned(expression: str) -> str:
    from llmos.tools.calculator import evaluate

    return evaluate(expression).split(" = ")[0]


def _number(value: Fraction) -> int | float:
    return int(value) if value.denominator == 1 else float(value)


def _plain(text: str) -> str:
    return " ".join(text.casefold().split()).rstrip(".!")
