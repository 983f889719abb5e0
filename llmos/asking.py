"""One persona asks another: a session of its own for each question, bounded in depth, number and time, no circles.

What was in view of whoever asks is in the question's label, and what was in view of whoever answers in the result's:
no text gets more trust by being asked about. Each session is kept like any other; its calls are decided as ever.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from llmos.kernel.budget import Budget
from llmos.kernel.errors import LLMOSError
from llmos.kernel.labels import context_label, join
from llmos.kernel.persona import Persona
from llmos.kernel.tool import Tool, ToolContext, ToolError, ToolOutput
from llmos.kernel.types import Answer, Call, Failure, Label, ToolCall
from llmos.memory import personas
from llmos.tools.ask import NAME, make_ask

if TYPE_CHECKING:
    from llmos.app import LLMOS

MOST_DEPTH, MOST_ASKED = 3, 10  # of questions below one request


@dataclass(slots=True)
class Purse:
    """How many questions were asked below one request of the user."""

    asked: int = 0


@dataclass(frozen=True, slots=True)
class Errand:
    """On whose behalf a session answers: everybody above it, the first one first; and what it may use."""

    above: tuple[str, ...]
    purse: Purse
    seconds: float

    def narrowed(self, budget: Budget) -> Budget:
        """The budget of an answer: half the calls and tokens at each depth, within the time of the call."""
        share = 2 ** len(self.above)
        seconds = min(self.seconds, budget.seconds)
        calls, tokens = max(budget.calls // share, 1), max(budget.tokens // share, 1)
        return replace(budget, calls=calls, tokens=tokens, seconds=seconds)


def asker(system: "LLMOS", persona: Persona | None, errand: Errand | None, purse: Callable[[], Purse]) -> list[Tool]:
    """The tool for a session, where there is somebody to ask: who was given with the system, or all there are for a
    persona that names the tool."""
    named = persona is not None and NAME in (persona.tool_names or ())
    above = (*(errand.above if errand else ()), persona.ref if persona else "")
    if not (system.personas or named) or len(above) > MOST_DEPTH:
        return []
    given = [personas.find(p, system.store.home) if isinstance(p, str) else p for p in system.personas]
    there = given or [p for _, p in personas.every(system.store.home) if isinstance(p, Persona)]
    known = {p.slug: p for p in there if p.ref not in above}
    if not known:
        return []

    def ask(name: str, question: str, context: ToolContext) -> ToolOutput:
        count = errand.purse if errand else purse()
        if count.asked >= MOST_ASKED:
            raise ToolError(f"{MOST_ASKED} questions were asked for this request; no more can be")
        count.asked += 1
        return answered(system, known[name], question, Errand(above, count, context.timeout), context)

    return [make_ask({slug: p.description for slug, p in known.items()}, ask)]


def answered(system: "LLMOS", persona: Persona, question: str, errand: Errand, context: ToolContext) -> ToolOutput:
    """What a persona answers in a session of its own. Raises ToolError where it does not."""
    said = f"{persona.name} did not answer"
    try:
        with system.errand(persona, errand) as session:
            for event in session.stream(question, label=context.label):
                if context.cancelled.is_set():
                    raise ToolError("stopped")
                if isinstance(event, Call) and isinstance(event.call, ToolCall):
                    context.progress(f"{persona.name} calls {event.call.name}")
                elif isinstance(event, Answer):
                    said = event.text
                elif isinstance(event, Failure):
                    raise ToolError(f"{persona.name} could not answer: {event.message}")
            label = join([context_label(session.events()), Label((f"persona:{persona.ref}",))])
            return ToolOutput(f"{persona.name}: {said}\n(session {session.id})", label=label)
    except LLMOSError as error:
        raise ToolError(f"{persona.name} could not be asked: {error}") from error
