"""Dialogues from files of JSON lines, for training: what ``llmos traces export`` writes, and plain chats.

A line is a dialogue (``messages``, with a ``verdict`` where someone gave one), a comparison (``prompt``, ``chosen``,
``rejected``), a prompt with what is to be said (``prompt``, ``completion``), or a prompt whose answer can be checked
(``prompt``, ``expect``: see outcomes). Where a text stands for messages it is one of the user's, or of the assistant's.
``tools`` may hold the tools that a chat template tells of. Knows no model.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmos.kernel.errors import UsageError

Said = Mapping[str, Any]
"""A message as chat templates take it: ``role``, ``content``, perhaps ``tool_calls`` and ``tool_call_id``."""

ROLES = ("system", "user", "assistant", "tool")
FORMS = "messages, or prompt with chosen and rejected, with completion, or with expect"


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a file, by number: a ``prompt`` before what is ``good``, what is ``bad``, or what ``expect`` checks.

    ``whole``: the good end is all that the assistant says in a dialogue, whose prompt is empty.
    """

    line: int
    prompt: tuple[Said, ...]
    good: tuple[Said, ...] = ()
    bad: tuple[Said, ...] = ()
    expect: Mapping[str, Any] | None = None
    verdict: str = ""
    whole: bool = False
    tools: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class End:
    """What is to be said after a prompt."""

    line: int
    prompt: tuple[Said, ...]
    said: tuple[Said, ...]
    tools: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Pair:
    """A better and a worse end of a prompt."""

    line: int
    prompt: tuple[Said, ...]
    chosen: tuple[Said, ...]
    rejected: tuple[Said, ...]
    tools: tuple[Mapping[str, Any], ...] = ()


def read(path: Path) -> list[Row]:
    """The lines of a file. Raises UsageError, one line that names the line of the file, for what is no such thing."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8'}") from error
    rows = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            rows.append(_row(json.loads(line), number))
        except json.JSONDecodeError as error:
            raise UsageError(f"{path}, line {number}: no JSON ({error.msg})") from error
        except ValueError as error:
            raise UsageError(f"{path}, line {number}: {error}") from error
    if not rows:
        raise UsageError(f"{path} is empty; a line of it holds {FORMS}")
    return rows


def ends(rows: Sequence[Row]) -> list[End]:
    """Every turn of the assistant that is worth learning: not those with the verdict bad, nor rejected ones."""
    found = []
    for row in rows:
        if row.expect is not None or row.verdict == "bad":
            continue
        if not row.whole:
            found.append(End(row.line, row.prompt, row.good, row.tools))
            continue
        for n, message in enumerate(row.good):
            if message["role"] == "assistant" and n:
                found.append(End(row.line, row.good[:n], (message,), row.tools))
    return found


def pairs(rows: Sequence[Row]) -> list[Pair]:
    """The comparisons; and of dialogues with verdicts those that begin alike, where one is good and another is bad."""
    found = [Pair(r.line, r.prompt, r.good, r.bad, r.tools) for r in rows if r.bad]
    judged: dict[str, dict[str, list[tuple[Row, tuple[Said, ...], tuple[Said, ...]]]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for row in rows:
        if row.whole and row.verdict in ("good", "bad"):
            prompt, said = cut(row.good)
            judged[json.dumps(prompt, sort_keys=True)][row.verdict].append((row, prompt, said))
    for alike in judged.values():
        for row, prompt, chosen in alike["good"]:
            found += [Pair(row.line, prompt, chosen, said, row.tools) for _, _, said in alike["bad"] if said != chosen]
    return found


def checked(rows: Sequence[Row]) -> list[Row]:
    """The prompts whose answer can be checked."""
    return [row for row in rows if row.expect is not None]


def cut(messages: Sequence[Said]) -> tuple[tuple[Said, ...], tuple[Said, ...]]:
    """What was asked last with all before it, and what came of it."""
    last = max((n for n, m in enumerate(messages) if m["role"] == "user"), default=-1) + 1
    return tuple(messages[:last]), tuple(messages[last:])


def _row(data: Any, line: int) -> Row:
    """One line. Raises ValueError that says what it lacks."""
    if not isinstance(data, dict):
        raise ValueError(f"needs {FORMS}")
    tools = data.get("tools") or ()
    if not isinstance(tools, list | tuple) or not all(isinstance(t, dict) for t in tools):
        raise ValueError("tools have to be a list of objects")
    verdict, told = str(data.get("verdict", "")), tuple(tools)
    if "messages" in data:
        messages = tuple(_messages(data["messages"], "messages", "user"))
        if not any(m["role"] == "assistant" for m in messages):
            raise ValueError("nothing in messages is said by the assistant")
        return Row(line, (), messages, verdict=verdict, whole=True, tools=told)
    if "prompt" not in data:
        raise ValueError(f"needs {FORMS}")
    prompt = tuple(_messages(data["prompt"], "prompt", "user"))
    if "expect" in data:
        if not isinstance(data["expect"], dict) or not data["expect"]:
            raise ValueError("expect has to be an object that says how the answer is checked")
        return Row(line, prompt, expect=data["expect"], tools=told)
    for good, bad in (("chosen", "rejected"), ("completion", "")):
        if good in data and (not bad or bad in data):
            chosen = tuple(_messages(data[good], good, "assistant"))
            rejected = tuple(_messages(data[bad], bad, "assistant")) if bad else ()
            return Row(line, prompt, chosen, rejected, verdict=verdict, tools=told)
    raise ValueError(f"needs {FORMS}")


def _messages(value: Any, name: str, role: str) -> Iterator[Said]:
    """Messages that are whole; a text is one of ``role``. Raises ValueError."""
    if isinstance(value, str):
        value = [{"role": role, "content": value}]
    if not isinstance(value, list) or not value:
        raise ValueError(f"{name} has to be a text or a list of messages")
    for message in value:
        if not isinstance(message, dict) or message.get("role") not in ROLES:
            raise ValueError(f"a message of {name} needs a role: {', '.join(ROLES)}")
        calls = message.get("tool_calls") or []
        content = message.get("content")
        if not isinstance(content, str) and not (content is None and calls):
            raise ValueError(f"a message of {name} needs its content, a text")
        if not isinstance(calls, list) or not all(map(_is_call, calls)):
            raise ValueError(f"a call of {name} needs a function with a name and arguments, an object")
        yield {**message, "content": content or ""}


def _is_call(call: Any) -> bool:
    function = call.get("function") if isinstance(call, dict) else None
    return (
        isinstance(function, dict)
        and isinstance(function.get("name"), str)
        and isinstance(function.get("arguments"), dict)
    )
