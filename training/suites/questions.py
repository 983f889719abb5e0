"""Questions of fact and what came of them: answered, declined, or answered with something else.

What is looked for stands in the item, one of several texts; a refusal to guess is known by its words. So an answer that
is right in other words counts as asserted and not as right, and one that is wrong but holds the words as right.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmos.app import LLMOS
from llmos.kernel.errors import UsageError
from llmos.training.evaluate import Progress, run_turn
from llmos.training.scoring import Turn, contains

FOLDER = Path(__file__).parent.parent / "eval"
UNSURE = (
    "do not know", "don't know", "does not know", "not sure", "no idea", "cannot know", "can't know", "not for sure",
    "never heard", "not heard of", "not familiar", "no information", "could not find", "couldn't find", "cannot find",
    "can't find", "does not exist", "doesn't exist", "did not exist", "no record", "rather not guess", "cannot verify",
    "can't verify", "cannot tell", "can't tell", "cannot say", "unable to", "not aware of", "do not understand",
    "don't understand", "not able to", "beyond what i", "too small a model",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, and once asked its outcome: right, declined, asked back, nothing or asserted."""

    id: str
    category: str
    prompt: str
    needles: tuple[str, ...]
    fact: dict[str, str]
    outcome: str = ""
    text: str = ""

    def story(self) -> dict[str, Any]:
        """As data, for the file of failures."""
        return {"id": self.id, "prompt": self.prompt, "outcome": self.outcome, "text": self.text}


def read(path: Path) -> list[Asked]:
    """The questions of a file. Raises UsageError where it cannot be read."""
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        return [
            Asked(r["id"], r["category"], r["prompt"], tuple(r.get("any", ())), r.get("fact", {})) for r in rows
        ]  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path}: no questions with id, category and prompt ({error})") from error


def outcome(turn: Turn, needles: Sequence[str]) -> str:
    """What came of a question. Words of doubt go before words that were looked for."""
    text = turn.text.casefold().replace("\u2019", "'")
    if any(words in text for words in UNSURE):
        return "declined"
    if any(holds(turn.text, needle) for needle in needles):
        return "right"
    if not text.strip():
        return "nothing"
    return "asked back" if text.strip().endswith("?") else "asserted"


def holds(text: str, needle: str) -> bool:
    """Whether a text holds what is looked for: two letters as a word of their own, in their case; else in any."""
    if len(needle) == 2 and needle.isalpha():
        return re.search(rf"\b{needle}\b", text) is not None
    return contains(text, needle)


def ask(system: LLMOS, items: Sequence[Asked], progress: Progress) -> list[Asked]:
    """Every question in a session of its own."""
    done: list[Asked] = []
    for item in items:
        with system.session() as session:
            turn = Turn(item.prompt, {}, run_turn(session, item.prompt, ()))
        found = outcome(turn, item.needles)
        done.append(Asked(item.id, item.category, item.prompt, item.needles, item.fact, found, turn.text))
        good = sum(one.outcome == ("right" if one.needles else "declined") for one in done)
        progress(len(done), len(items), good)
    return done
