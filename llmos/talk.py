"""A session: turns that share one context, one workspace and one Python state; it lives in its log.

Knows its system by what it offers. Who speaks in it, and with which tools, is settled when it begins.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, TypeVar, overload

from llmos import branching, hands, speakers
from llmos.asking import Errand, Purse, asker
from llmos.given import Intake, check_request
from llmos.kernel import config, paths
from llmos.kernel.dispatch import Dispatcher, Permit
from llmos.kernel.engine import Model, Sampling
from llmos.kernel.errors import LLMOSError, UsageError
from llmos.kernel.fair import Sharing
from llmos.kernel.labels import label_of
from llmos.kernel.pager import Page
from llmos.kernel.persona import Persona
from llmos.kernel.ponder import Think
from llmos.kernel.puzzled import thinker
from llmos.kernel.redact import Redactor
from llmos.kernel.scrub import Scrub
from llmos.kernel.session import Kernel
from llmos.kernel.shaped import shape
from llmos.kernel.tool import Tool
from llmos.kernel.types import (
    Answer,
    Attachment,
    Branched,
    Event,
    Failure,
    Label,
    Progress,
    Request,
    Result,
    Started,
    Text,
    ToolCall,
    Verdict,
)
from llmos.kernel.worker import ToolThread
from llmos.memory import personas, quotas, room, skills
from llmos.memory.attached import documents
from llmos.memory.log import SessionLog
from llmos.memory.snapshots import Snapshots
from llmos.memory.veil import Veil
from llmos.prompts import load
from llmos.tools.extract import make_extract

if TYPE_CHECKING:
    from llmos.app import LLMOS

T = TypeVar("T")
VERSION = "0.1.0"


class Session:
    """Turns that share one context, one workspace and one Python state; it lives in its log."""

    def __init__(
        self, system: "LLMOS", log: SessionLog, persona: Persona | str | None = None, errand: Errand | None = None
    ) -> None:
        self._system, self._log = system, log
        begun = next((e for e in log.events() if isinstance(e, Started)), None)
        self._persona = speakers.settle(persona, begun, system.store.home)
        self._remembers, browses = system.offers("memory", self._persona), system.offers("web", self._persona)
        self._strict, self._embedded = (begun or system).strict, system.model_name == config.EMBEDDED
        notes = self._embedded and not self._remembers and speakers.keeps(system.remembers, self._strict)
        known = self._remembers or notes
        plain, key = self._embedded and not self._strict, self._key()
        self._reads = plain and speakers.may(self._persona, "recall") and hands.may_read(system)
        self._reader = hands.reading(system, log, key, not known, self._reads, browses) if plain else None
        memory = (lambda: system.memory) if known or self._reads else None
        self._snapshots, self._worker, self._purse = Snapshots(log.workspace.parent), ToolThread(), Purse()
        self._python = hands.make_python(log, system.quotas, self._snapshots.unchanged)
        web = hands.web(system) if browses and (self._reader or not self._embedded or system.browser) else None
        self._held = hands.make_tools(log, system.quotas, self._python, memory, web, key, self._remembers, notes)
        self._personal: Redactor | None = None
        self._paged, self._errand = set[int](), errand
        self.stays = ""  # what the last undo or retry could not take back, in a line
        if self._strict and not self._embedded:
            self._held += [make_extract(lambda: Sharing(system.load(), log.id), lambda text: self._scrub().text(text))]
        self._held += hands.make_images(log, system.image_model, system.seed, brief=self._embedded)
        asks = [] if self._embedded else asker(system, self._persona, errand, lambda: self._purse)
        self._held += [*asks, *system.tools]
        self._tools = {tool.name: tool for tool in speakers.hands_of(self._persona, self._held)}

    @property
    def persona(self) -> Persona | None:
        """Who speaks; None where nobody but llmos does."""
        return self._persona

    @property
    def id(self) -> str:
        """The session's name, by which it can be taken up again."""
        return self._log.id

    @property
    def workspace(self) -> Path:
        """The folder of the session's files."""
        return self._log.workspace

    @property
    def notice(self) -> str:
        """One line on damage of the session's log, or on what its persona cannot do here; empty where all is well."""
        missing = hands.memory_missing() if self._persona and self._persona.knowledge and not self._remembers else ""
        lacking = speakers.lacks(self._persona, self._embedded, self._remembers, missing)
        return self._log.damage.text if self._log.damage else lacking

    @property
    def tools(self) -> tuple[Tool, ...]:
        """The tools the kernel is told of."""
        return tuple(self._tools.values())

    def events(self) -> tuple[Event, ...]:
        """Everything that happened so far, what was undone too."""
        return self._log.events()

    def path(self) -> tuple[Event, ...]:
        """What happened on the branch that goes on: all but what was undone."""
        return tuple(paths.path(self._log.events()))

    def undo(self) -> Request:
        """Go back to before the last request, which is returned. The log keeps what is left, as a branch.

        Python's variables, the session's files and its notes are as they were then; :attr:`stays` tells what is not.
        Raises UsageError where nothing was asked yet.
        """
        return self._undo(again=False)

    def _undo(self, again: bool) -> Request:
        asked = paths.last_request(self._log.events())
        if asked is None:
            raise UsageError("there is nothing to undo; nothing was asked in this session")
        memory = self._system.memory if self._remembers or branching.kept(self.path(), self._reads) else None
        left = branching.Left(self.path(), asked, self.id, self._key(), again)
        branching.keep(self._log, Branched(id="", parent=asked.parent), self._scrub())
        self._python.rewind(hands.good_code(self.path()))
        self._paged.clear()
        self.stays = branching.take_back(left, self._snapshots, memory)
        return asked

    def retry(self, request: str | None = None, *, think: Think = None) -> Iterator[Event]:
        """Answer the last request once more, in other words where ``request`` gives them, with the files it had.

        The answer before stays in the log, on a branch of its own; ``think`` as in :meth:`stream`: where thinking about
        the request was cut off, it goes on there. Raises UsageError as :meth:`undo` and :meth:`stream` do.
        """
        words = None if request is None else check_request(request)
        self._ready()
        asked = self._undo(again=True)
        had = {Path(a.path).name for a in asked.attachments}
        more = self._attach(words, (), None) if words is not None else ()
        files = (*asked.attachments, *(a for a in more if Path(a.path).name not in had))
        yield from self._answer(words or asked.text, files, None, think)

    def fork(self) -> "Session":
        """A session of its own that begins as this one is now: the same events, the same files, the same variables.

        Raises QuotaError where there is no room for it.
        """
        self._system.total.check()
        # The box could exchange files while they are copied; both Pythons come back by replay.
        self._python.rewind(hands.good_code(self.path()))
        return self._system.session(branching.fork(self._system.store, self._log, self._snapshots), self._persona)

    def judge(self, verdict: Literal["good", "bad", "prefer"], note: str = "", answer: str = "") -> Verdict:
        """Keep what the user thinks of an answer: the last one, or that of the event ``answer``.

        ``prefer``: it is better than other answers to the same request, which were retried. Raises UsageError where
        there is no such answer.
        """
        made = branching.judged(self._log.events(), verdict, note, answer)
        branching.keep(self._log, made, self._scrub())
        if self._system.skills and self._remembers:
            skills.judged(self._system.memory, self._log.events(), made, self._key(), self.id)
        return made

    def pin(self, on: bool = True) -> Request:
        """Keep the last request's turn in the context for good, or no longer; the request.

        Raises UsageError where nothing was asked yet, or where what is pinned would take too much of the window.
        """
        made, asked = branching.pinned(self.path(), self._system.load(), on)
        branching.keep(self._log, made, self._scrub())
        return asked

    def stream(
        self,
        request: str,
        files: Sequence[str | Path] = (),
        *,
        stdin: bytes | None = None,
        label: Label | None = None,
        think: Think = None,
    ) -> Iterator[Event]:
        """Answer a request, event by event; the last is an Answer or a Failure.

        ``label`` is of what the request derives from beside the user's own words; a file that such a request names is
        not attached. ``think``: first think about it for so many seconds, or ``auto``; else as the persona does.
        Raises UsageError for bad input, QuotaError when nothing more can be kept.
        """
        checked = check_request(request)
        self._ready()
        # Words that are not the user's own name no file of the user's.
        attachments = self._attach(checked if label is None else "", files, stdin)
        yield from self._answer(checked, attachments, label, think)

    def _ready(self) -> None:
        """Raise QuotaError where there is no room for a request, UsageError where the session cannot take one."""
        self._system.total.check()
        self._log.check()
        if self._system.strict and not self._strict:
            raise UsageError(f"session {self.id} was not strict from its start; start a new one")

    def _answer(
        self, request: str, attachments: tuple[Attachment, ...], label: Label | None, think: Think = None
    ) -> Iterator[Event]:
        """Answer a request that was looked at, on the branch that goes on."""
        scrub = self._scrub()
        self._snapshots.take(paths.next_request(self._log.events()))
        if (attachments or self._earlier()) and "python" in self._tools:
            self._python.warm()  # tables mean Python; its box starts while the model loads
        if self._remembers:
            self._system.memory.warm()
            yield from self._learn()
        model = self._system.load()
        if not any(isinstance(e, Started) for e in self._log.events()):
            started = scrub.event(self._started(model.name))
            self._log.append(started, durable=True)
            yield started
        self._purse = Purse()
        wished = self._persona.think if self._persona else 0.0
        yield from self._kernel(model, scrub, request).run(request, attachments, label, think or wished or None)

    def _started(self, model: str) -> Started:
        """The first event of the log."""
        speaks = self._persona
        return Started(
            id="e1",
            session=self.id,
            model=model,
            persona=speaks.ref if speaks else speakers.NOBODY,
            seed=self._system.seed,
            version=VERSION,
            strict=self._strict,
            foreign=speaks is not None and speaks.foreign,
            time=branching.now(),
        )

    def _learn(self) -> Iterator[Event]:
        """Take the persona's knowledge in, once in a system's life."""
        speaks = self._persona
        if speaks is not None and speaks.knowledge and speaks.key not in self._system.learned:
            yield Progress(id="", text=f"reading what {speaks.name} knows")
            personas.learn(self._system.memory, speaks)
            self._system.learned.add(speaks.key)

    def _kernel(self, model: Model, scrub: Scrub, request: str = "") -> Kernel:
        """The process that answers: as the persona wants it, within what the system allows."""
        system, speaks = self._system, self._persona
        events, aside = paths.split(scrub.event(event) for event in self._log.events())  # a secret may be newer
        grants = system.grants()
        seed = system.seed + sum(isinstance(e, Branched) for e in (*events, *aside))  # what is tried again differs
        budget, sampling = system.budget, Sampling(seed=seed)
        budget = budget if self._errand is None else self._errand.narrowed(budget)
        if speaks is not None:
            budget = speaks.narrowed(budget)
            sampling = sampling if self._embedded else speaks.sampled(sampling)
        # The embedded kernel was trained with one system turn, and its window has no room for another.
        words = speaks.system() if speaks is not None and not self._embedded else load("system.md")
        if request and system.skills and self._remembers and not self._embedded:
            words = skills.before_it(system.memory, words, request, self._key())
        return Kernel(
            model=self._reader(Sharing(model, self.id)) if self._reader else Sharing(model, self.id),
            thinker=thinker(model, self.id),
            system=words,
            dispatcher=Dispatcher(self._tools, self.workspace, system.approve, grants, scrub, strict=self._strict),
            events=events,
            record=lambda event, durable: self._log.append(event, durable=durable),
            budget=budget,
            sampling=sampling,
            worker=self._worker,
            audit=self._audit,
            room=self._log.check_files,
            page_out=self._page_out if self._remembers else None,
            paged=self._paged,
            improbable=system.surprise().signals,
            aside=aside,
        )

    @overload
    def run(
        self, request: str, files: Sequence[str | Path] = (), *, stdin: bytes | None = None, think: Think = None
    ) -> Answer: ...

    @overload
    def run(
        self,
        request: str,
        files: Sequence[str | Path] = (),
        *,
        stdin: bytes | None = None,
        think: Think = None,
        returns: type[T],
    ) -> T: ...

    def run(
        self,
        request: str,
        files: Sequence[str | Path] = (),
        *,
        stdin: bytes | None = None,
        think: Think = None,
        returns: type[T] | None = None,
    ) -> Answer | T:
        """Answer a request; with ``returns``, a pydantic model or another type, the answer is a value of it.

        Raises an LLMOSError (UsageError, DeniedError, BudgetError, …) when there is no answer, or none of the type.
        """
        for event in self.stream(request, files, stdin=stdin, think=think):
            if isinstance(event, Answer):
                return event if returns is None else self._shaped(returns)
            if isinstance(event, Failure):
                raise quotas.error_of(event)
        raise LLMOSError("the session ended without an answer")

    def _shaped(self, returns: type[T]) -> T:
        """The last answer again, as a value of a type."""
        return shape(self._kernel(self._system.load(), self._scrub()), returns)

    def close(self) -> None:
        """End the session's Python and give the log back; nothing is lost."""
        for tool in self._held:
            tool.close()
        self._worker.close()
        self._log.close()
        if self in self._system._open:
            self._system._open.remove(self)

    def _key(self) -> str:
        """The collection of the memory that is its persona's own."""
        return self._persona.key if self._persona else ""

    def _page_out(self, page: Page) -> None:
        """A turn that leaves the context goes to the store, once; where that cannot be, it is in the log still."""
        if page.number not in self._paged:
            with suppress(LLMOSError):
                self._system.memory.turn(self.id, page.number, page.text, page.label)
            self._paged.add(page.number)

    def _scrub(self) -> Scrub:
        """What keeps secrets, and personal data where that was asked for, out of this session."""
        if self._system.redact and self._personal is None:
            said = (e.text for e in self._log.events() if isinstance(e, (Request, Text)))
            seen = (e.result.preview for e in self._log.events() if isinstance(e, Result))
            files = (a.preview for a in self._earlier())
            self._personal = Redactor([*said, *seen, *files])
        return Scrub(self._system.scanner(), self._personal if self._system.redact else None)

    def _audit(self, call: ToolCall, permit: Permit, label: Label) -> None:
        """A decision goes into the record before anything comes of it."""
        room.check_audit(self._system.store.home, self._system.quotas)
        self._system.audit.append(
            session=self.id,
            call=call.id,
            tool=call.name,
            arguments_sha256=permit.call_hash,
            labels=[label.integrity, label.readers, *label.origins],
            verdict=permit.ruling.verdict,
            rule=permit.ruling.rule,
            approved=permit.approved,
        )

    def _attach(self, request: str, files: Sequence[str | Path], stdin: bytes | None) -> tuple[Attachment, ...]:
        """The request's files, as policy knows them."""
        system = self._system
        memory = (lambda: system.memory) if self._remembers or (self._reads and documents(files)) else None
        seen = self._earlier(), Veil(self._strict, system.redact)
        found = Intake(self.id, self.workspace, system.quotas, system.store.home, *seen, memory)
        return tuple(replace(a, label=label_of(a.source)) for a in found.attach(request, files, stdin))

    def _earlier(self) -> list[Attachment]:
        return [a for e in self.path() if isinstance(e, Request) for a in e.attachments]

    def __enter__(self) -> "Session":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
