"""The kernel loop: ask the model, run its calls, give it the results, until it answers or a budget is spent.

A session is its events; everything else is a view of them. Knows models, tools and the log only by their protocols.
"""

import time
from collections.abc import Callable, Container, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace

from llmos.kernel.audit import call_hash
from llmos.kernel.budget import Budget, Spent, runs_code
from llmos.kernel.citations import citable, cite, cited, told
from llmos.kernel.context import Prompt, build, history
from llmos.kernel.dispatch import Dispatcher, Permit, failed, frozen
from llmos.kernel.engine import CallMade, Finished, Model, Sampling, TextDelta, ThoughtDelta
from llmos.kernel.errors import BudgetError, LLMOSError
from llmos.kernel.handles import opened
from llmos.kernel.labels import context_label, join, state_of
from llmos.kernel.pager import PageOut, page
from llmos.kernel.paths import following
from llmos.kernel.planner import Meter
from llmos.kernel.ponder import PATIENCE, Replies, Think, Trial, Way, cut_off, ponder
from llmos.kernel.puzzled import Task, answered, explore, task
from llmos.kernel.puzzles import Glancer
from llmos.kernel.signals import inspect
from llmos.kernel.tool import ToolContext
from llmos.kernel.types import (
    Answer,
    ArtifactMade,
    Attachment,
    Call,
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
    Source,
    Text,
    Thought,
    ToolCall,
    ToolResult,
)
from llmos.kernel.worker import ToolThread

CHARACTERS, LITTLE = 3, 300  # of a token at the least, of a result where there is hardly any room
SUSPICIOUS = 0.5  # a signal of this weight in a request makes the request untrusted
ALIKE = 2  # so many calls one after the other, the same and told the same, are enough


@dataclass(slots=True)
class Kernel:
    """One session's process: its model, system text, dispatcher and log.

    ``record`` makes an event durable before it returns when asked to; ``events`` is the log so far, ``aside`` what it
    holds of branches that were left: out of the context, but what was read there still counts. ``audit`` keeps a
    decision before anything comes of it; when it raises, the call does not happen. ``room`` raises QuotaError when the
    workspace takes no more: then no tool is run. ``page_out`` keeps turns that leave the context, but those whose
    numbers are in ``paged``; without it they are only in the log. ``improbable`` tells what the model itself finds odd
    in a request, ``thinker`` thinks about puzzles. Whatever is yielded and recorded went through the dispatcher's
    ``scrub``; calls run as the model made them.
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
    page_out: PageOut | None = None
    paged: Container[int] = ()
    improbable: Callable[[str], Sequence[Signal]] = lambda text: ()
    aside: Sequence[Event] = ()
    thinker: Glancer | None = None

    def run(
        self,
        request: str,
        attachments: Sequence[Attachment] = (),
        label: Label | None = None,
        how: Think = None,
    ) -> Iterator[Event]:
        """Answer a request: yields every event; the last is an Answer or a Failure. ``label`` is of what it derives
        from beside the user's words; ``how`` has it thought about.

        KeyboardInterrupt and closing the iterator are logged as a Failure of kind ``interrupted`` and go on up.
        """
        spent = Spent(self.budget)
        begun = len(self.events)
        try:
            yield from self._take(request, attachments, label)
            while True:
                spent.check()
                calls: list[ToolCall | Malformed] = []
                if how is None or not (yield from self._ponder(spent, calls, how)):
                    yield from self._reply(spent, calls)
                how = None
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

    def _take(self, request: str, attachments: Sequence[Attachment], more: Label | None) -> Iterator[Event]:
        """The request, and what is odd about it and its files; an odd request is trusted no more than a pasted text."""
        odd = (*inspect(request), *self.improbable(request))
        label = Label(("user",), "untrusted" if any(s.weight >= SUSPICIOUS for s in odd) else "trusted")
        label = label if more is None else join([label, more])
        yield self._log(Request(id="", text=request, attachments=tuple(attachments), label=label), durable=True)
        yield from self._notice("request", odd)
        for attachment in attachments:
            yield from self._notice(attachment.source.name, inspect(attachment.preview))

    def _notice(self, where: str, signals: Sequence[Signal]) -> Iterator[Event]:
        if signals:
            yield self._log(Noticed(id="", where=where, signals=tuple(signals)))

    def _prompt(self, spent: Spent) -> Generator[Event, None, Prompt]:
        """What the model is asked with now."""
        room = self._fits()
        label = context_label(self.seen())
        tools = self.dispatcher.offered(label, state_of(self.seen()))
        sizes: list[int] = []

        def count(messages: Sequence[Message]) -> int:
            sizes.append(self.model.count(messages, tools))
            return sizes[-1]

        if self.page_out is None:
            messages, dropped = build(self.system, self.events, count, room)
        else:
            messages, dropped = page(self.system, self.events, count, room, self.page_out, self.paged)
        spent.check(prompt=sizes[-1])  # what was counted last is what was built
        if dropped:
            yield Paged(id="", dropped=dropped, tokens=room)
        tokens = min(self.budget.reply_tokens, self.budget.tokens - spent.generated)
        marks, calls = citable(self.events), not stuck(self.events)
        sampling = replace(self.sampling, max_tokens=tokens, marks=marks, calls=calls)
        return Prompt(messages, tools, sampling, label)

    def _ponder(self, spent: Spent, calls: list[ToolCall | Malformed], how: Way) -> Generator[Event, None, bool]:
        """One assistant turn, thought about; whether that came to a reply."""
        prompt = yield from self._prompt(spent)
        trial = Trial(self.dispatcher, prompt.label, state_of(self.seen()), self.audit)
        request = next(e for e in reversed(self.events) if isinstance(e, Request))
        before = sorted(self.seen(), key=lambda e: int(e.id[1:]))
        way: Way = how if how == "auto" else min(how, 0.9 * self.budget.seconds)  # what comes after takes time too
        if puzzle := task(request, self.thinker, before):
            yield from self._explore(puzzle, way, spent, prompt.label)
            return True
        known = cut_off(before, request)
        problem = Replies(self.model, prompt, trial, known)
        # So many fit the budget of new tokens, with room for what comes after.
        most = (self.budget.tokens - spent.generated) // max(prompt.sampling.max_tokens, 1) - 1
        try:
            for event in ponder(problem, way, most):
                yield self._log(event)
        finally:
            spent.prompt += sum(one.prompt for one in problem.drawn)
            spent.generated += sum(one.generated for one in problem.drawn)
        reply = problem.chosen
        calls += reply.calls if reply else []
        if reply and reply.thought.strip():
            yield self._log(Thought(id="", text=reply.thought.strip(), label=prompt.label))
        if reply and reply.text.strip():
            yield self._log(Text(id="", text=reply.text.strip(), label=prompt.label))
        return reply is not None

    def _explore(self, puzzle: Task, way: Way, spent: Spent, label: Label) -> Iterator[Event]:
        """A puzzle, thought about as a tree. What is read and written meanwhile counts as tokens of prompts."""
        meter = Meter(PATIENCE if way == "auto" else way, self.budget.prompt_tokens - spent.prompt)
        try:
            for event in explore(puzzle, way, meter, label, self.sampling.seed):
                yield self._log(event)
        finally:
            spent.prompt += meter.used
        yield self._log(Text(id="", text=answered(puzzle, event), label=label))

    def _reply(self, spent: Spent, calls: list[ToolCall | Malformed]) -> Iterator[Event]:
        """One assistant turn: streams its text, collects its calls."""
        prompt = yield from self._prompt(spent)
        label, tokens = prompt.label, prompt.sampling.max_tokens
        text, thought, cut, talks = "", "", False, False
        said, mused = self.dispatcher.scrub.stream(), self.dispatcher.scrub.stream()
        for delta in self.model.reply(prompt.messages, prompt.tools, prompt.sampling):
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
        label, state = context_label(self.seen()), state_of(self.seen())
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
        context = ToolContext(self.dispatcher.workspace, timeout=seconds, label=label, room=self._free)
        began = time.monotonic()
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

    def _free(self) -> int:
        """Characters of a result that the window has room for: half of what the current turn leaves of it."""
        begun = max((n for n, e in enumerate(self.events) if isinstance(e, Request)), default=0)
        first = Message("system", (Part(self.system, Source("system")),))
        tools = self.dispatcher.offered(context_label(self.seen()), state_of(self.seen()))
        used = self.model.count([first, *history(self.events[begun:])], tools)
        return max(LITTLE, (self._fits() - used) // 2 * CHARACTERS)

    def _fits(self) -> int:
        """Tokens that a prompt may have."""
        return self.model.context_length - min(self.budget.reply_tokens, self.model.context_length // 4)

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
        """The answer, with its sources: the library tables that were used for it, and what its marks stand for."""
        made = self.events[begun:]
        said = next((e.text for e in reversed(made) if isinstance(e, Text)), "")
        text, citations = cite(said, self.events, made)
        citations = (*cited(self.events, made), *citations)
        if line := told(citations):
            yield self._log(Text(id="", text=line, by="kernel"))
            text = f"{text}\n{line}".strip()
        for whole in opened(text, made, self.dispatcher.workspace) if self.dispatcher.strict else ():
            # To the user alone: what the kernel adds never enters the context.
            yield self._log(Text(id="", text=whole, by="kernel", label=context_label(self.seen())))
            text = f"{text}\n{whole}".strip()
        if not text:
            raise LLMOSError("the model ended its turn without an answer; ask again or use a larger model (--model)")
        artifacts = tuple(e.artifact for e in made if isinstance(e, ArtifactMade))
        answer = Answer(
            id="",
            text=text,
            calls=tuple(spent.calls),
            artifacts=artifacts,
            citations=citations,
            usage=spent.usage(),
        )
        yield self._log(answer, durable=True)

    def seen(self) -> list[Event]:
        """All that was ever in view: the labels of what was undone still count."""
        return [*self.aside, *self.events]

    def _calls_so_far(self) -> int:
        return sum(isinstance(e, Call) for e in self.seen())

    def _log(self, event: Event, durable: bool = False) -> Event:
        """Give the event its place in the session, and record it."""
        parent = self.events[-1].id if self.events else ""
        event = self.dispatcher.scrub.event(event)
        placed = replace(event, id=following(self.seen()), parent=parent, time=round(time.time(), 3))
        self.record(placed, durable)
        self.events.append(placed)
        return placed


def stuck(events: Sequence[Event]) -> bool:
    """Whether the last :data:`ALIKE` calls of a request are one and the same and told the same: one more is no use."""
    begun = max((n for n, e in enumerate(events) if isinstance(e, Request)), default=0)
    calls = [e.call for e in events[begun:] if isinstance(e, Call)][-ALIKE:]
    told = [e.result.preview for e in events[begun:] if isinstance(e, Result)][-ALIKE:]
    made = [(c.name, dict(c.arguments)) for c in calls if isinstance(c, ToolCall)]
    return len(made) == len(told) == ALIKE and made.count(made[0]) == told.count(told[0]) == ALIKE


class ToolOff(LLMOSError):
    """A call needs a tool that cannot work on this host; the text says why and what mends it."""
