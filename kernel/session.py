"""The kernel loop: ask the model, run its calls, give it the results, until it answers or a budget is spent.

A session is its events; everything else is a view of them. Knows models, tools and the log only by their protocols.
"""

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace

from llmos.kernel.audit import call_hash
from llmos.kernel.context import build
from llmos.kernel.dispatch import Dispatcher, Permit, failed, frozen
from llmos.kernel.engine import CallMade, Finished, Model, Sampling, TextDelta, ThoughtDelta
from llmos.kernel.errors import BudgetError, LLMOSError
from llmos.kernel.labels import context_label, state_of
from llmos.kernel.signals import inspect
from llmos.kernel.tool import Tool, ToolContext
from llmos.kernel.types import (
    Answer,
    ArtifactMade,
    Attachment,
    Call,
    Citation,
    Decision,
    Event,
    Failure,
    Label,
    Malformed,
    Message,
    Noticed,
    Paged,
    Part,
    Progress,
    Request,
    Result,
    Signal,
    Text,
    Thought,
    ToolCall,
    ToolResult,
    Usage,
)
from llmos.kernel.worker import ToolThread

SUSPICIOUS = 0.5  # a signal of this weight in a request makes the request untrusted


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits of one request. Past one it ends with a :class:`BudgetError` whose ``budget`` is the field's name.

    ``calls`` to tools, new ``tokens`` in all and ``reply_tokens`` of one reply, ``seconds`` of wall time (looked at
    between tokens and calls), ``prompt_tokens`` of all its prompts together, ``sandbox_seconds`` of all calls to tools
    that run code, ``result_share`` of the model's window that one result may take. A call of more than
    ``tool_seconds`` is stopped by itself, and its result says so.
    """

    calls: int = 25
    tokens: int = 8192
    seconds: float = 600.0
    reply_tokens: int = 512
    tool_seconds: float = 30.0
    prompt_tokens: int = 2_000_000
    sandbox_seconds: float = 300.0
    result_share: float = 0.9


@dataclass(slots=True)
class Spent:
    """What a request has used so far."""

    budget: Budget
    began: float = field(default_factory=time.monotonic)
    prompt: int = 0
    generated: int = 0
    boxed: float = 0.0
    calls: list[ToolCall] = field(default_factory=list)

    def usage(self) -> Usage:
        """As told in the answer; seconds of wall time."""
        seconds = round(time.monotonic() - self.began, 3)
        return Usage(self.prompt, self.generated, len(self.calls), seconds)

    def check(self, pending: int = 0, prompt: int = 0) -> None:
        """Raise BudgetError, saying which limit and its size, when one is reached or would be by what is pending."""
        budget = self.budget
        if len(self.calls) + pending > budget.calls:
            raise _spent("calls", f"{budget.calls} tool calls")
        if self.generated >= budget.tokens:
            raise _spent("tokens", f"{budget.tokens} new tokens")
        if self.prompt + prompt > budget.prompt_tokens:
            raise _spent("prompt_tokens", f"{self.prompt} of {budget.prompt_tokens} prompt tokens, {prompt} to come")
        if time.monotonic() - self.began > budget.seconds:
            raise _spent("seconds", f"{budget.seconds:g} seconds")

    def box(self, tool: Tool | None) -> float:
        """The seconds that a call to this tool may take. Raises BudgetError when it runs code and none are left."""
        if tool is None or not runs_code(tool):
            return self.budget.tool_seconds
        left = self.budget.sandbox_seconds - self.boxed
        if left <= 0:
            raise _spent("sandbox_seconds", f"{self.budget.sandbox_seconds:g} seconds of running code")
        return min(left, self.budget.tool_seconds)


def runs_code(tool: Tool) -> bool:
    """Whether its seconds count as the sandbox's; a tool that does not say what it does is taken to run code."""
    return tool.capabilities is None or "exec" in tool.capabilities


def _spent(budget: str, what: str) -> BudgetError:
    return BudgetError(f"stopped after {what}, the budget of one request", budget)


@dataclass(slots=True)
class Kernel:
    """One session's process: its model, system text, dispatcher and log.

    ``record`` makes an event durable before it returns when asked to; ``events`` is the whole log so far. ``audit``
    keeps a decision before anything comes of it; when it raises, the call does not happen. ``room`` raises QuotaError
    when the workspace takes no more: then no tool is run. Whatever is yielded and recorded went through the
    dispatcher's ``scrub``; calls run as the model made them.
    """

    model: Model
    system: str
    dispatcher: Dispatcher
    events: list[Event]
    record: Callable[[Event, bool], None]
    budget: Budget = field(default_factory=Budget)
    sampling: Sampling = field(default_factory=Sampling)
    worker: ToolThread = field(default_factory=ToolThread)
    audit: Callable[[ToolCall, Permit, Label], object] = lambda call, permit, label: None
    room: Callable[[], None] = lambda: None

    def run(self, request: str, attachments: Sequence[Attachment] = ()) -> Iterator[Event]:
        """Answer a request: yields every event; the last is an Answer or a Failure.

        KeyboardInterrupt and closing the iterator are logged as a Failure of kind ``interrupted`` and go on up.
        """
        spent = Spent(self.budget)
        begun = len(self.events)
        try:
            yield from self._take(request, attachments)
            while True:
                spent.check()
                calls: list[ToolCall | Malformed] = []
                yield from self._reply(spent, calls)
                if not calls:
                    yield from self._finish(begun, spent)
                    return
                for call in calls:
                    yield from self._act(call, spent)
        except BudgetError as error:
            # A model's own BudgetError is of its window; those of the loop and of the disk have a name.
            told, budget = str(error), error.budget or "context"
            yield self._log(
                Failure(id="", kind="budget", message=told, usage=spent.usage(), budget=budget), durable=True
            )
        except LLMOSError as error:
            kind = "unavailable" if isinstance(error, ToolOff) else "model"
            yield self._log(Failure(id="", kind=kind, message=str(error), usage=spent.usage()), durable=True)
        except (KeyboardInterrupt, GeneratorExit):
            # Whoever takes the answer and no more has not interrupted anything.
            if len(self.events) == begun or not isinstance(self.events[-1], (Answer, Failure)):
                self._log(Failure(id="", kind="interrupted", message="stopped", usage=spent.usage()), durable=True)
            raise

    def _take(self, request: str, attachments: Sequence[Attachment]) -> Iterator[Event]:
        """The request, and what is odd about it and its files; an odd request is trusted no more than a pasted text."""
        odd = inspect(request)
        label = Label(("user",), "untrusted" if any(s.weight >= SUSPICIOUS for s in odd) else "trusted")
        yield self._log(Request(id="", text=request, attachments=tuple(attachments), label=label), durable=True)
        yield from self._notice("request", odd)
        for attachment in attachments:
            yield from self._notice(attachment.source.name, inspect(attachment.preview))

    def _notice(self, where: str, signals: Sequence[Signal]) -> Iterator[Event]:
        if signals:
            yield self._log(Noticed(id="", where=where, signals=tuple(signals)))

    def _reply(self, spent: Spent, calls: list[ToolCall | Malformed]) -> Iterator[Event]:
        """One assistant turn: streams its text, collects its calls."""
        room = self.model.context_length - min(self.budget.reply_tokens, self.model.context_length // 4)
        label = context_label(self.events)
        tools = self.dispatcher.offered(label, state_of(self.events))
        sizes: list[int] = []

        def count(messages: Sequence[Message]) -> int:
            sizes.append(self.model.count(messages, tools))
            return sizes[-1]

        messages, dropped = build(self.system, self.events, count, room)
        spent.check(prompt=sizes[-1])  # what was counted last is what was built
        if dropped:
            yield Paged(id="", dropped=dropped, tokens=room)
        tokens = min(self.budget.reply_tokens, self.budget.tokens - spent.generated)
        sampling = replace(self.sampling, max_tokens=tokens)
        text, thought, cut, talks = "", "", False, False
        said, mused = self.dispatcher.scrub.stream(), self.dispatcher.scrub.stream()
        for delta in self.model.reply(messages, tools, sampling):
            match delta:
                case TextDelta():
                    if not talks and (piece := mused.end()):  # once: its last letters do not come after the text
                        thought += piece
                        yield Thought(id="", text=piece, delta=True)
                    talks = True
                    if piece := said.feed(delta.text):
                        text += piece
                        yield Text(id="", text=piece, delta=True)
                case ThoughtDelta():
                    if piece := mused.feed(delta.text):
                        thought += piece
                        yield Thought(id="", text=piece, delta=True)
                case CallMade():
                    calls.append(delta.call)
                case Finished():
                    spent.prompt += delta.prompt_tokens
                    spent.generated += delta.generated_tokens
                    cut = delta.reason == "length"
            spent.check()
        if piece := mused.end():
            thought += piece
            yield Thought(id="", text=piece, delta=True)
        if piece := said.end():
            text += piece
            yield Text(id="", text=piece, delta=True)
        if thought:
            yield self._log(Thought(id="", text=thought.strip(), label=label))
        if text.strip():
            yield self._log(Text(id="", text=text.strip(), label=label))
        if cut and not calls:
            raise BudgetError(f"the reply was cut after {tokens} tokens, the budget of one reply", "reply_tokens")

    def _act(self, call: ToolCall | Malformed, spent: Spent) -> Iterator[Event]:
        """One call: on disk before it runs, decided, run, its result on disk before the next token."""
        call = self._placed(call)
        label, state = context_label(self.events), state_of(self.events)
        if isinstance(call, Malformed):
            yield self._log(Call(id="", call=call, label=label), durable=True)
            yield from self._result(self.dispatcher.refuse(call, None))
            return
        spent.check(pending=1)
        seconds = spent.box(self.dispatcher.tools.get(call.name))
        self.room()
        told = self.dispatcher.scrub.call(call)
        spent.calls.append(told)
        yield self._log(Call(id="", call=told, label=label), durable=True)
        permit = self.dispatcher.rule(call, label, state)
        verdict, rule = permit.ruling.verdict, permit.ruling.rule
        # A hash of a weak secret could be guessed: what is kept is the hash of what is told.
        digest = permit.call_hash if told == call else call_hash(told.name, told.arguments)
        self.audit(told, replace(permit, call_hash=digest), label)
        yield self._log(
            Decision(
                id="",
                call_id=call.id,
                verdict=verdict,
                rule=rule,
                approved=permit.approved,
                call_hash=digest,
                acts=permit.acts,
            ),
            durable=True,
        )
        if not permit.go:
            yield from self._result(self.dispatcher.refuse(call, permit.ruling))
            return
        off = self.dispatcher.tools[call.name].available()
        if off:
            raise ToolOff(f"{call.name} is off: {off}")
        result = yield from self._run(call, permit, label, seconds, spent)
        yield from self._result(result)
        self._share(result)

    def _placed(self, call: ToolCall | Malformed) -> ToolCall | Malformed:
        """The call with its place in the session as its id, and arguments that nobody else holds."""
        place = f"r{self._calls_so_far() + 1}"
        if isinstance(call, Malformed):
            return replace(call, id=place)
        try:
            return replace(call, id=place, arguments=frozen(call.arguments))
        except ValueError as error:
            return Malformed(place, str(dict(call.arguments)), f"the arguments are no JSON: {error}")

    def _run(
        self, call: ToolCall, permit: Permit, label: Label, seconds: float, spent: Spent
    ) -> Generator[Event, None, ToolResult]:
        """Run an allowed call for at most ``seconds``; what it tells meanwhile is shown and not kept."""
        context, began = ToolContext(self.dispatcher.workspace, timeout=seconds), time.monotonic()
        running = self.worker.watch(
            lambda tell: self.dispatcher.run(call, permit, replace(context, progress=tell), label), context
        )
        with closing(running):
            while True:
                try:
                    yield Progress(id="", text=self.dispatcher.scrub.text(next(running)), call_id=call.id)
                except StopIteration as end:
                    spent.boxed += (time.monotonic() - began) * runs_code(self.dispatcher.tools[call.name])
                    late = f"error: {call.name} did not end after {context.timeout:.0f} s and was left behind"
                    return end.value or failed(call.id, call.name, late)

    def _share(self, result: ToolResult) -> None:
        """Raise BudgetError for a result that fills more of the model's window than it may; it is in the log."""
        window = self.model.context_length
        most = int(window * self.budget.result_share)
        if len(result.preview.encode()) <= most:  # no token is shorter than a byte
            return
        size = self.model.count([Message("user", (Part(result.preview, result.source),))], ())
        if size > most:
            told = f"the result {result.call_id} takes {size} tokens, more than {self.budget.result_share:.0%} of the"
            told += f" model's window of {window}: ask for less of it, or use a model with a longer window"
            raise BudgetError(told, "result_share")

    def _result(self, result: ToolResult) -> Iterator[Event]:
        yield self._log(Result(id="", result=result), durable=True)
        if result.label.integrity == "untrusted":
            yield from self._notice(result.call_id, inspect(result.preview))
        for artifact in result.artifacts:
            yield self._log(ArtifactMade(id="", artifact=artifact, call_id=result.call_id))

    def _finish(self, begun: int, spent: Spent) -> Iterator[Event]:
        """The answer, with the sources of library tables that were used for it."""
        made = self.events[begun:]
        citations = cited(self.events, made)
        text = next((e.text for e in reversed(made) if isinstance(e, Text)), "")
        if citations:
            line = "Source: " + "; ".join(f"{c.title}: {c.location}" for c in citations)
            yield self._log(Text(id="", text=line, by="kernel"))
            text = f"{text}\n{line}".strip()
        if not text:
            raise LLMOSError("the model ended its turn without an answer; ask again or use a larger model (--model)")
        artifacts = tuple(e.artifact for e in made if isinstance(e, ArtifactMade))
        answer = Answer(
            id="", text=text, calls=tuple(spent.calls), artifacts=artifacts, citations=citations, usage=spent.usage()
        )
        yield self._log(answer, durable=True)

    def _calls_so_far(self) -> int:
        return sum(isinstance(e, Call) for e in self.events)

    def _log(self, event: Event, durable: bool = False) -> Event:
        """Give the event its place in the session, and record it."""
        parent = self.events[-1].id if self.events else ""
        event = self.dispatcher.scrub.event(event)
        placed = replace(event, id=f"e{len(self.events) + 1}", parent=parent, time=round(time.time(), 3))
        self.record(placed, durable)
        self.events.append(placed)
        return placed


class ToolOff(LLMOSError):
    """A call needs a tool that cannot work on this host; the text says why and what mends it."""


def cited(events: Sequence[Event], made: Sequence[Event]) -> tuple[Citation, ...]:
    """The library tables whose file a successful call of this turn used, directly or as the frame loaded before."""
    tables = {a.source.name: a.source for e in events if isinstance(e, Request) for a in e.attachments}
    library = {name: source for name, source in tables.items() if source.origin == "library"}
    good = {e.result.call_id for e in made if isinstance(e, Result) and e.result.ok}
    if not library or not good:
        return ()
    written = [str(e.call.arguments) for e in events if isinstance(e, Call) and isinstance(e.call, ToolCall)]
    turn = [e.call for e in made if isinstance(e, Call) and isinstance(e.call, ToolCall)]
    boxed = any(call.id in good and call.name == "python" for call in turn)
    used = [n for n in library if boxed and any(n in code for code in written)]
    return tuple(Citation(title=n, location=library[n].location) for n in used)
