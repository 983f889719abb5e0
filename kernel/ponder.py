"""Thinking about a request: several replies are drawn, their calculations are tried, and the results vote.

A problem of the planner's whose lines have one thought, a whole reply. What a reply's calls come to is its answer, so
that two ways to write a calculation vote for one result; a reply whose call fails is out. Only the first reply to a
request is thought about. Knows no tool: what tries a call is given.
"""

import json
from collections.abc import Callable, Generator, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from llmos.kernel.audit import call_hash, canonical
from llmos.kernel.context import Prompt
from llmos.kernel.dispatch import Dispatcher, Permit, frozen
from llmos.kernel.engine import CallMade, Finished, Model, TextDelta, ThoughtDelta
from llmos.kernel.errors import UsageError
from llmos.kernel.planner import Meter, Node, Outcome, Path, Problem, Proposal, Search, Settled, Spent, Strategy, think
from llmos.kernel.policy import State
from llmos.kernel.strategies import vote
from llmos.kernel.tool import ToolContext
from llmos.kernel.types import Answer, Event, Explored, Label, Malformed, Request, ToolCall, ToolResult

Way = float | Literal["auto"]  # seconds; auto: only where System 1 is not sure
Think = Way | None
TEMPERATURE = 1.0
MOST = 32  # replies
SURE = -0.1  # nats of System 1's whole reply: so probable it is not thought about
SECONDS = 2.0  # that a call may take when it is tried
PATIENCE = 30.0  # seconds that auto may take


@dataclass(slots=True)
class Reply:
    """One reply as it was drawn, whole; ``prompt`` tokens are counted where it was the first of its draw."""

    text: str = ""
    thought: str = ""
    calls: list[ToolCall | Malformed] = field(default_factory=list)
    logprob: float = 0.0
    prompt: int = 0
    generated: int = 0
    cut: bool = False

    @property
    def words(self) -> str:
        """It in a line: its calls, else its text."""
        told = [f"{c.name} {_arguments(c)}" if isinstance(c, ToolCall) else c.text for c in self.calls]
        return "; ".join(told) or " ".join(self.text.split())


def _arguments(call: ToolCall) -> str:
    values = list(call.arguments.values())
    return values[0] if len(values) == 1 and isinstance(values[0], str) else json.dumps(dict(call.arguments))


# What a call comes to; None for one that is not tried, since it does more than compute or is not allowed.
Try = Callable[[ToolCall], ToolResult | None]


class Replies:
    """See :class:`~llmos.kernel.planner.Problem`. ``drawn`` is every reply, in order; a path names one by number.

    ``chosen`` is the one that won, once it is over. Replies that are ``known`` already, from a search that was cut off,
    come first, and cost nothing.
    """

    def __init__(self, model: Model, prompt: Prompt, attempt: Try, known: Sequence[Reply] = ()) -> None:
        self.model, self.prompt, self.attempt = model, prompt, attempt
        self.known = list(known)
        self.drawn: list[Reply] = []
        self.chosen: Reply | None = None
        self._results: dict[str, ToolResult | None] = {}

    def propose(self, paths: Sequence[Path], n: int, seed: int | None, meter: Meter) -> list[list[Proposal]]:
        """Replies that are drawn together. Of those that the clock cuts off the finished ones count.

        System 1's own is never cut off.
        """
        had, self.known = self.known[:n], self.known[n:]
        fresh = self._draw(n - len(had), seed, len(had), meter) if len(had) < n else []
        first = len(self.drawn)
        self.drawn += [*had, *fresh]
        return [[Proposal(f"{first + k}: {one.words}", one.logprob) for k, one in enumerate(self.drawn[first:])]]

    def _draw(self, n: int, seed: int | None, after: int, meter: Meter) -> list[Reply]:
        """``n`` new replies, those of the draw that come ``after`` so many."""
        sampling = self.prompt.sampling
        if seed is not None:
            sampling = replace(sampling, temperature=TEMPERATURE, seed=seed + after)
        replies = [Reply() for _ in range(n)]
        ended: list[Reply] = []
        stream = self.model.reply(self.prompt.messages, self.prompt.tools, sampling, n)
        try:
            for delta in stream:
                _feed(replies[delta.branch], delta)
                if isinstance(delta, Finished):
                    replies[delta.branch].prompt = 0 if ended else delta.prompt_tokens
                    ended.append(replies[delta.branch])
                    meter.used += replies[delta.branch].prompt + delta.generated_tokens
                if seed is not None:
                    meter.spend()
        except Spent:
            if not ended:
                raise
        finally:
            if isinstance(stream, Generator):
                stream.close()
        return ended

    def of(self, path: Path) -> Reply:
        """The reply that a path names."""
        return self.drawn[int(path[0].partition(":")[0])]

    def value(self, paths: Sequence[Path], meter: Meter) -> list[float]:
        """All alike: the votes tell."""
        return [0.5] * len(paths)

    def wrong(self, path: Path) -> str:
        """Why a reply cannot stand: a call that cannot be read, or that fails when it is tried."""
        reply = self.of(path)
        for call in reply.calls:
            if isinstance(call, Malformed):
                return f"the call could not be read: {call.problem}"
            try:
                result = self._tried(call)
            except ValueError as error:
                return f"the arguments are no JSON: {error}"
            if result is not None and not result.ok:
                return result.preview
        if reply.cut and not reply.calls:
            return "the reply was cut"
        return "" if reply.words else "it says nothing"

    def finished(self, path: Path) -> str:
        """What the reply's calls come to; a call that is not tried stands for itself, text for its words."""
        reply = self.of(path)
        told = []
        for call in reply.calls:
            assert isinstance(call, ToolCall)
            result = self._tried(call)
            # How a result was reached does not vote.
            told.append(result.preview if result else f"{call.name} {canonical(call.arguments)}")
        return "; ".join(told) or " ".join(reply.text.casefold().split())

    def check(self, answer: str) -> bool | None:
        """Nobody knows."""
        return None

    def key(self, path: Path) -> Hashable:
        """Every draw is its own."""
        return path

    def reframe(self, failed: Sequence[Path]) -> Problem | None:
        """The request stays as the user put it."""
        return None

    def _tried(self, call: ToolCall) -> ToolResult | None:
        key = f"{call.name} {canonical(call.arguments)}"
        if key not in self._results:
            self._results[key] = self.attempt(call)
        return self._results[key]


def _feed(reply: Reply, delta: object) -> None:
    match delta:
        case TextDelta():
            reply.text += delta.text
        case ThoughtDelta():
            reply.thought += delta.text
        case CallMade():
            reply.calls.append(delta.call)
        case Finished():
            reply.logprob, reply.generated = delta.logprob, delta.generated_tokens
            reply.cut = delta.reason == "length"


def unsure(n: int) -> Strategy:
    """System 1 first; where its reply is improbable and a few more do not all agree with it, the vote of ``n``."""

    def run(search: Search) -> Iterator[Node]:
        for node in vote(n, depth=1, lead=True)(search):
            yield node
            lines = search.nodes[1:]
            # A line has a value once it has voted, and by then all that were drawn with it are there.
            if not node.value or any(one.fate != "finished" for one in lines):
                continue
            if len(lines) == 1 and node.logprob >= SURE:
                raise Settled(f"System 1 is sure (log-probability {node.logprob:.2f})")
            if len(lines) > 1 and len(search.votes) == 1:
                raise Settled(f"all of {len(lines)} replies come to the same")

    return run


@dataclass(frozen=True, slots=True)
class Trial:
    """Tries a call while thinking: only what computes from its arguments alone, where policy allows it unasked.

    What is tried has no effects, so it is not logged as a call; the audit has it all the same.
    """

    dispatcher: Dispatcher
    label: Label
    state: State
    audit: Callable[[ToolCall, Permit, Label], object]

    def __call__(self, call: ToolCall) -> ToolResult | None:
        tool = self.dispatcher.tools.get(call.name)
        if tool is None or tool.capabilities != frozenset() or not tool.blind or tool.available():
            return None
        alone = replace(self.dispatcher, approve=None)
        call = replace(call, id="thought", arguments=frozen(call.arguments))
        permit = alone.rule(call, self.label, self.state)
        told = alone.scrub.call(call)
        # As for any call: the hash of a weak secret could be guessed.
        digest = permit.call_hash if told == call else call_hash(told.name, told.arguments)
        self.audit(told, replace(permit, call_hash=digest), self.label)
        if not permit.go:
            return None
        return alone.run(call, permit, ToolContext(alone.workspace, timeout=SECONDS, label=self.label), self.label)


def parse(text: str) -> Think:
    """``auto`` or seconds. Raises UsageError."""
    if text == "auto":
        return "auto"
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 1e6:
        raise UsageError(f"think takes seconds, such as 10, or auto; not {text!r}")
    return seconds


def ponder(problem: Replies, how: Way, most: int) -> Iterator[Explored]:
    """Think, at most ``most`` replies: yields each thought as an event; the reply that won is then ``chosen``.

    At Ctrl-C too, unless there is none yet; none is where every reply was wrong.
    """
    most, label = max(1, min(most, MOST)), problem.prompt.label
    meter = Meter(seconds=PATIENCE if how == "auto" else how)
    strategy = unsure(most) if how == "auto" else vote(most, depth=1, lead=True)
    thoughts = think(problem, strategy, meter, problem.prompt.sampling.seed)
    why = "System 1 first, the vote where it is not sure" if how == "auto" else f"{how:g} s were asked for"
    why += f"; {len(problem.known)} of a search that was cut off" if problem.known else ""
    told = f"a vote of at most {most} replies; {why}"
    seen = set[int]()
    first: dict[str, Path] = {}  # by answer: System 1's own reply where it won
    while True:
        try:
            node = next(thoughts)
        except StopIteration as end:
            outcome: Outcome = end.value
            break
        if node.fate == "finished":
            first.setdefault(node.answer, node.path)
        event = _event(node, meter, label)
        if not node.id:
            yield replace(event, text=told, why=why)
            continue
        reply = problem.of(node.path)
        # Whole the first time; what comes again has only changed its value.
        whole = node.id not in seen
        seen.add(node.id)
        extra = {"said": reply.text, "mused": reply.thought, "calls": tuple(reply.calls), "cut": reply.cut}
        yield replace(event, **extra) if whole else event  # type: ignore[arg-type]
    if not outcome.path and outcome.why == "stopped by the user":
        raise KeyboardInterrupt
    problem.chosen = problem.of(first[outcome.answer]) if outcome.path else None
    yield Explored(
        id="",
        node=0,
        text=told,
        value=outcome.score,
        fate="finished" if outcome.path else "dead",
        why=outcome.why,
        answer=outcome.answer,
        tokens=outcome.tokens,
        seconds=outcome.seconds,
        label=label,
    )


def cut_off(events: Iterable[Event], request: Request) -> list[Reply]:
    """The replies of the last search for a request, where it was cut off before it came to anything; else none.

    ``events`` are in the order of their making. A request is the same where its words and its files are.
    """
    found: list[Reply] = []
    same = False
    for event in events:
        if isinstance(event, Request):
            same = (event.text, event.attachments) == (request.text, request.attachments)
            # What came in between may have changed what is asked.
            found = found if same else []
        elif same and isinstance(event, (Explored, Answer)):
            if isinstance(event, Answer) or not event.node:
                # It begins, or it is over.
                found = []
            elif event.said or event.mused or event.calls:
                found.append(Reply(event.said, event.mused, list(event.calls), event.logprob, cut=event.cut))
    return found


def _event(node: Node, meter: Meter, label: Label) -> Explored:
    return Explored(
        id="",
        node=node.id,
        under=node.parent,
        text=node.path[-1] if node.path else "",
        value=round(node.value, 6),
        fate=node.fate,
        why=node.why,
        answer=node.answer,
        logprob=round(node.logprob, 4),
        tokens=meter.used,
        seconds=round(meter.passed, 3),
        label=label,
    )
