"""Requests that were solved to the user's liking, kept as examples; the most similar ones stand before a new request.

What is kept is the request, the calls that came to something, and the answer, found again by the request alone. Only
what was solved with nothing of others in view is kept: an example is read as instructions are. Whether it was solved is
for others to say: a verdict, a checked reward, a test that passed.
"""

import hashlib
import json
import time
from collections.abc import Sequence

from llmos.kernel.errors import LLMOSError
from llmos.kernel.labels import context_label
from llmos.kernel.paths import before
from llmos.kernel.types import Answer, Call, Event, Label, Request, Result, ToolCall, Verdict
from llmos.memory.block import Block
from llmos.memory.chunks import cut
from llmos.memory.record import Document, Where
from llmos.memory.store import Memory
from llmos.prompts import load

KIND = "skill"
MOST, _LIKE = 2, 0.55  # examples that are shown, and the cosine from which on a request is like another
_REQUEST, _PART = 400, 160  # characters of a request, of each argument, result and answer


def judged(memory: Memory, events: Sequence[Event], verdict: Verdict, persona: str = "", session: str = "") -> None:
    """Keep what was found good, forget what was found bad. Raises LLMOSError where the memory cannot be used."""
    if verdict.verdict == "bad":
        drop(memory, events, verdict.answer, persona)
    else:
        keep(memory, events, verdict.answer, persona, session)


def keep(memory: Memory, events: Sequence[Event], answer: str, persona: str = "", session: str = "") -> bool:
    """Keep how the request of an answer (its event's id) was solved; false where others' text was in view."""
    led = before(events, answer)
    asked = next((e for e in reversed(led) if isinstance(e, Request)), None)
    label = context_label(led)
    if asked is None or label.integrity != "trusted" or len(asked.text) > _REQUEST:
        return False
    digest = _digest(asked.text)
    title, kept = " ".join(asked.text.split())[:60], Label(label.origins, "trusted", "user")
    made = Document(f"{KIND}:{digest}", title, digest, KIND, "", persona, session, "user", time.time(), kept)
    (chunk, *_) = cut([Block(_told(asked, led[led.index(asked) + 1 :]))])
    drop(memory, events, answer, persona)  # the newest way of solving it
    memory.add(made, [chunk], [asked.text])
    return True


def drop(memory: Memory, events: Sequence[Event], answer: str, persona: str = "") -> int:
    """Forget how the request of an answer was solved; how many examples that were."""
    asked = next((e for e in reversed(before(events, answer)) if isinstance(e, Request)), None)
    if asked is None:
        return 0
    found = memory.documents(Where(persona=persona, kind=KIND))
    return memory.forget([d.id for d in found if d.hash == _digest(asked.text) and d.persona == persona])


def like(memory: Memory, request: str, persona: str = "") -> list[str]:
    """How the requests that are most like this one were solved, the most similar first."""
    where = Where(persona=persona, kind=KIND, integrity="trusted")
    hits = memory.search(request[:_REQUEST], MOST, where, "vectors")
    return [hit.chunk.text for hit in hits if hit.likeness >= _LIKE]


def before_it(memory: Memory, words: str, request: str, persona: str = "") -> str:
    """The system's words with examples behind them; as they are where there are none, or the memory cannot be used."""
    try:
        found = like(memory, request, persona)
    except LLMOSError:  # told by whoever needs the memory
        found = []
    return "\n\n".join([words, load("solved.md"), *found]) if found else words


def _told(asked: Request, after: Sequence[Event]) -> str:
    """A solved request in a few lines."""
    results = {e.result.call_id: e.result for e in after if isinstance(e, Result) and e.result.ok}
    lines = [f"request: {' '.join(asked.text.split())}"]
    for event in after:
        if isinstance(event, Call) and isinstance(event.call, ToolCall) and event.call.id in results:
            given = json.dumps(dict(event.call.arguments), ensure_ascii=False)
            came = " ".join(results[event.call.id].preview.split())
            lines.append(f"{event.call.name} {given[:_PART]} -> {came[:_PART]}")
    said = next((e.text for e in reversed(after) if isinstance(e, Answer)), "")
    return "\n".join([*lines, f"answer: {' '.join(said.split())[:_PART]}"])


def _digest(request: str) -> str:
    return hashlib.sha256(" ".join(request.casefold().split()).encode()).hexdigest()
