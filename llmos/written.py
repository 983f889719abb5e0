"""A session as Markdown: requests, code, results, answers, and where the files lie. Knows no other form."""

import json
import re
import time
from collections.abc import Iterator

from llmos.export import Step, Told, Turn
from llmos.kernel.types import Answer, Failure, Text, ToolCall


def markdown(told: Told) -> str:
    """The whole session."""
    started = told.started
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(started.time)) if started.time else ""
    title = " ".join(told.turns[0].request.text.split())[:80]
    lines = [f"# {title}", "", f"Session {started.session}, {when}, {started.model}, {started.persona}.", ""]
    for turn in told.turns:
        lines += _turn(turn)
    return "\n".join(lines).rstrip() + "\n"


def _turn(turn: Turn) -> Iterator[str]:
    yield f"## {' '.join(turn.request.text.split())[:200]}{'' if turn.kept else ' (undone)'}"
    yield ""
    if "\n" in turn.request.text or len(turn.request.text) > 200:
        yield from (fenced(turn.request.text), "")
    for attachment in turn.request.attachments:
        yield f"- with `{attachment.path}`"
    if turn.request.attachments:
        yield ""
    for part in turn.parts:
        if isinstance(part, Step):
            yield from _step(part)
        elif isinstance(part, Text):
            yield from (part.text, "")
        else:
            yield from (re.sub(r"^", "> ", part.text, flags=re.MULTILINE), "")
    if isinstance(turn.end, Failure):
        yield from (f"*{turn.end.kind}: {turn.end.message}*", "")
    elif turn.end is not None:
        yield from _ending(turn.end, turn.kept)
    for verdict in turn.verdicts:
        yield from (f"*{verdict.verdict}{verdict.note and f': {verdict.note}'}*", "")


def _ending(answer: Answer, kept: bool) -> Iterator[str]:
    for number, one in enumerate(answer.citations, 1):
        yield f"- [{one.number or number}] {one.title} {one.location}{one.quote and f': “{one.quote}”'}"
    if answer.citations:
        yield ""
    for artifact in answer.artifacts:
        if not kept:
            yield from (f"*{artifact.title or 'file'}: {artifact.path.rpartition('/')[2]}, taken back*", "")
            continue
        mark = "!" if artifact.mime.startswith("image/") else ""
        yield from (f"{mark}[{artifact.title or 'file'}](<{artifact.path}>)", "")


def _step(step: Step) -> Iterator[str]:
    call = step.call.call
    if not isinstance(call, ToolCall):
        yield from (f"*a call that cannot be read: {call.problem}*", "")
        return
    rest = {k: v for k, v in call.arguments.items() if not (k == "code" and step.code)}
    yield f"**{call.name}**{f' `{json.dumps(rest, ensure_ascii=False)}`' if rest else ''}"
    yield ""
    if step.code:
        yield from (fenced(step.code, "python"), "")
    if step.result is not None:
        yield from (fenced(step.result.preview), "")


def fenced(text: str, language: str = "") -> str:
    """A text between fences that are longer than any in it."""
    longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"
