"""A persona's own evaluation: ``eval.jsonl`` beside its file, a request with what is expected of the answer a line.

``{"request": "…", "calls": ["calculator"], "contains": ["372"], "lacks": ["sorry"]}``: ``calls`` are the tools that
are called, in order, ``contains`` and ``lacks`` what the answer says or does not, whatever the case.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

from llmos.app import LLMOS
from llmos.kernel.errors import LLMOSError, UsageError
from llmos.kernel.persona import Persona, nearest
from llmos.kernel.types import Answer, Failure, Label

FILE = "eval.jsonl"
MOST_BYTES, MOST_TRIALS = 1_000_000, 1000


@dataclass(frozen=True, slots=True)
class Trial:
    """A request and what is expected."""

    request: str
    calls: tuple[str, ...] | None = None
    contains: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()


def trials(persona: Persona) -> list[Trial]:
    """What lies beside a persona's file; nothing where nothing does. Raises UsageError for a line that is none."""
    file = (persona.home or Path()) / FILE
    if persona.home is None or not file.is_file():
        return []
    try:
        text = file.read_text(encoding="utf-8") if file.stat().st_size <= MOST_BYTES else None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {file}: {error}") from error
    if text is None or text.count("\n") > MOST_TRIALS:
        raise UsageError(f"{file} is too long: at most {MOST_TRIALS} lines")
    return [_trial(line, f"{FILE}, line {n}") for n, line in enumerate(text.splitlines(), 1) if line.strip()]


def _trial(line: str, where: str) -> Trial:
    try:
        told = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{where} is no JSON: {error}") from error
    if not isinstance(told, dict) or not isinstance(told.get("request"), str):
        raise UsageError(f"{where} has no request")
    known = [field.name for field in fields(Trial)]
    for key, value in told.items():
        if key not in known:
            raise UsageError(f"{where} has an unknown key {key!r}{nearest(key, known)}")
        if key != "request" and not (isinstance(value, list) and all(isinstance(one, str) for one in value)):
            raise UsageError(f"{where}: {key} is a list of texts")
    calls = tuple(told["calls"]) if "calls" in told else None
    return Trial(told["request"], calls, tuple(told.get("contains", ())), tuple(told.get("lacks", ())))


def run(system: LLMOS, persona: Persona, asked: list[Trial]) -> Iterator[tuple[Trial, str]]:
    """Each trial with one line on what was wrong; an empty one where nothing was.

    The requests are the persona's, not the user's: they are trusted no more, and attach no file by its name.
    """
    label = Label((f"persona:{persona.ref}",), "untrusted" if persona.foreign else "trusted")
    for trial in asked:
        try:
            with system.session(persona=persona) as session:
                end = list(session.stream(trial.request, label=label))[-1]
        except LLMOSError as error:
            end = Failure(id="", kind="model", message=str(error))
        if not isinstance(end, Answer):
            yield trial, end.message if isinstance(end, Failure) else "no answer"
            continue
        answer = end
        called = tuple(call.name for call in answer.calls)
        said = answer.text.casefold()
        missing = [word for word in trial.contains if word.casefold() not in said]
        found = [word for word in trial.lacks if word.casefold() in said]
        if trial.calls is not None and called != trial.calls:
            yield trial, f"called {', '.join(called) or 'nothing'}, not {', '.join(trial.calls) or 'nothing'}"
        elif missing or found:
            yield trial, f"does not say {missing[0]!r}" if missing else f"says {found[0]!r}"
        else:
            yield trial, ""
