"""Wires the house together and opens its public door: a system, its sessions, their answers.

Knows every part; no part knows it. Models and sandboxes are loaded when first needed, in the background where possible.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from types import TracebackType

from llmos.kernel import config, grants, vault
from llmos.kernel.audit import Audit
from llmos.kernel.dispatch import Asked, Dispatcher, Permit
from llmos.kernel.engine import Model, Sampling
from llmos.kernel.errors import BudgetError, Cancelled, DeniedError, LLMOSError, QuotaError, UsageError
from llmos.kernel.fair import Sharing
from llmos.kernel.labels import label_of
from llmos.kernel.policy import Grants
from llmos.kernel.redact import Redactor
from llmos.kernel.scrub import Scrub
from llmos.kernel.secrets import Scanner, Secret
from llmos.kernel.session import Budget, Kernel
from llmos.kernel.tool import Tool
from llmos.kernel.types import Answer, Attachment, Call, Event, Failure, Label, Request, Result, Started, Text, ToolCall
from llmos.kernel.worker import ToolThread
from llmos.memory import files as intake
from llmos.memory import library, quotas, room
from llmos.memory.log import SessionLog, SessionStore, Summary
from llmos.prompts import load
from llmos.tools.calculator import make_calculator
from llmos.tools.python import PythonTool
from llmos.tools.sandbox import Limits

VERSION = "0.1.0"
MAX_REQUEST = 100_000  # characters

ERRORS: dict[str, type[LLMOSError]] = {
    "usage": UsageError,
    "denied": DeniedError,
    "interrupted": Cancelled,
}


def open_model(name: str) -> Model:
    """Load a model by name: ``embedded``, a checkpoint folder or hub name, or an OpenAI-compatible URL.

    Raises ModelError with one clear line when it cannot be loaded or reached.
    """
    if name.startswith(("http://", "https://")):
        from llmos.kernel.remote import RemoteModel

        return RemoteModel(name)
    from llmos.kernel.local import LocalModel

    return LocalModel(config.WEIGHTS if name == config.EMBEDDED else name)


@dataclass
class LLMOS:
    """A system: one model, any number of sessions.

    ``model`` is ``embedded`` (the default), a checkpoint folder or hub name, an OpenAI-compatible URL, or a Model.
    ``tools`` are added to the built-in ones. ``approve`` is asked about calls that policy does not allow by itself;
    without it they are denied. ``allow`` names tools that may act without being asked about, as ``llmos policy allow``
    does for good. ``home`` is where sessions, grants and the audit are kept.
    """

    model: str | Model | None = None
    tools: Sequence[Tool] = ()
    home: str | Path | None = None
    approve: Callable[[Asked], bool] | None = None
    seed: int = 0
    budget: Budget = field(default_factory=Budget)
    allow: Sequence[str] = ()
    redact: bool = False

    def __post_init__(self) -> None:
        home = config.home(self.home)
        self.quotas = quotas.load(home)
        self.store = SessionStore(home, self.quotas)
        self.total = room.Total(home, self.quotas)
        self._lock = threading.Lock()
        self._model: Model | None = None
        self._open: list[Session] = []
        self._known: tuple[tuple[Secret, ...], Scanner] = ((), Scanner())
        self.audit = Audit(self.store.home)

    def grants(self) -> Grants:
        """What the user allowed or denied beforehand. Raises UsageError where the file cannot be read."""
        kept = grants.load(self.store.home)
        return Grants((*kept.allow, *grants.granted(self.allow).allow), kept.deny)

    def scanner(self) -> Scanner:
        """What finds the registered secrets, as they are now. Raises UsageError where their file cannot be read."""
        found = vault.known(self.store.home)
        with self._lock:
            if found != self._known[0]:
                self._known = (found, Scanner(found))
            return self._known[1]

    @property
    def model_name(self) -> str:
        """The model's name, without loading it."""
        if self.model is None or isinstance(self.model, str):
            return config.model_name(self.model)
        return self.model.name

    def load(self) -> Model:
        """The model, loaded once. Raises ModelError when it cannot be."""
        with self._lock:
            if self._model is None:
                given = self.model
                self._model = open_model(config.model_name(given)) if given is None or isinstance(given, str) else given
            return self._model

    def session(self, id: str | None = None) -> "Session":
        """A new session, or an earlier one taken up again (``id`` whole, a unique prefix, or ``last``).

        Raises UsageError for an unknown id, or one that another process has open, QuotaError where there is no room.
        """
        if not id:
            self.total.check()
        session = Session(self, self.store.open(id) if id else self.store.open(self.store.create()))
        self._open.append(session)
        return session

    def sessions(self) -> list[Summary]:
        """All sessions of this home, the newest first."""
        return self.store.list()

    def stream(self, request: str, files: Sequence[str | Path] = (), *, stdin: bytes | None = None) -> Iterator[Event]:
        """Answer a request in a session of its own, event by event; the last is an Answer or a Failure.

        Raises UsageError for a request or file that cannot be used.
        """
        with self.session() as session:
            yield from session.stream(request, files, stdin=stdin)

    def run(self, request: str, files: Sequence[str | Path] = (), *, stdin: bytes | None = None) -> Answer:
        """Answer a request in a session of its own. Raises an LLMOSError when there is no answer."""
        with self.session() as session:
            return session.run(request, files, stdin=stdin)

    def close(self) -> None:
        """Close every session and free the model."""
        for session in list(self._open):
            session.close()
        if self._model is not None:
            self._model.close()
            self._model = None

    def __enter__(self) -> "LLMOS":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Session:
    """Turns that share one context, one workspace and one Python state; it lives in its log."""

    def __init__(self, system: LLMOS, log: SessionLog) -> None:
        self._system, self._log = system, log
        limits = Limits(total=system.quotas.workspace, total_files=system.quotas.files)
        self._python = PythonTool(log.workspace, replay=good_code(log.events()), limits=limits)
        built_in = [make_calculator(), self._python.tool()]
        self._worker = ToolThread()
        self._personal: Redactor | None = None
        self._tools = {tool.name: tool for tool in (*built_in, *system.tools)}

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
        """One line on damage that was found in the session's log, and what became of it; empty for a sound log."""
        return self._log.damage.text if self._log.damage else ""

    @property
    def tools(self) -> tuple[Tool, ...]:
        """The tools the kernel is told of."""
        return tuple(self._tools.values())

    def events(self) -> tuple[Event, ...]:
        """Everything that happened so far."""
        return self._log.events()

    def stream(self, request: str, files: Sequence[str | Path] = (), *, stdin: bytes | None = None) -> Iterator[Event]:
        """Answer a request, event by event; the last is an Answer or a Failure.

        Raises UsageError for bad input, QuotaError when nothing more can be kept.
        """
        checked = check_request(request)
        self._system.total.check()
        self._log.check()
        attachments = tuple(replace(a, label=label_of(a.source)) for a in self._attach(checked, files, stdin))
        scrub = self._scrub()
        # A secret may have been registered after it was logged.
        events = [scrub.event(event) for event in self._log.events()]
        if attachments or self._earlier():
            # Tables mean Python. Starting its box takes as long as loading the model: let both happen at once.
            self._python.warm()
        model = self._system.load()
        if not any(isinstance(e, Started) for e in events):
            started = Started(
                id="e1", session=self.id, model=model.name, seed=self._system.seed, version=VERSION, time=now()
            )
            started = scrub.event(started)
            self._log.append(started, durable=True)
            events.append(started)
            yield started
        kernel = Kernel(
            model=Sharing(model, self.id),
            system=load("system.md"),
            dispatcher=Dispatcher(self._tools, self.workspace, self._system.approve, self._system.grants(), scrub),
            events=events,
            record=lambda event, durable: self._log.append(event, durable=durable),
            budget=self._system.budget,
            sampling=Sampling(seed=self._system.seed),
            worker=self._worker,
            audit=self._audit,
            room=self._log.check_files,
        )
        yield from kernel.run(checked, attachments)

    def run(self, request: str, files: Sequence[str | Path] = (), *, stdin: bytes | None = None) -> Answer:
        """Answer a request. Raises an LLMOSError (UsageError, DeniedError, BudgetError, …) when there is no answer."""
        for event in self.stream(request, files, stdin=stdin):
            if isinstance(event, Answer):
                return event
            if isinstance(event, Failure):
                raise error_of(event)
        raise LLMOSError("the session ended without an answer")

    def close(self) -> None:
        """End the session's Python and give the log back; nothing is lost."""
        for tool in self._tools.values():
            tool.close()
        self._worker.close()
        self._log.close()
        if self in self._system._open:
            self._system._open.remove(self)

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
        """The request's files: given, named in it, from standard input; else a library table that it speaks of."""
        given = [Path(f) for f in files]
        known = {p.resolve() for p in given}
        given += [p for p in intake.named_in(request, Path.cwd()) if p.resolve() not in known]
        vault.refuse(self._system.store.home, given)
        made = intake.attach(given, self.workspace, self._system.quotas) if given else ()
        if stdin:
            made = (*made, intake.attach_stdin(stdin, self.workspace, self._system.quotas))
        if made or self._has_own_files():
            return made
        table = library.best(request)
        if table is None or table.file in self._attached():
            return ()
        return (library.attach_library(table, self.workspace, self._system.quotas),)

    def _earlier(self) -> list[Attachment]:
        return [a for e in self._log.events() if isinstance(e, Request) for a in e.attachments]

    def _attached(self) -> set[str]:
        return {Path(a.path).name for a in self._earlier()}

    def _has_own_files(self) -> bool:
        return any(a.source.origin != "library" for a in self._earlier())

    def __enter__(self) -> "Session":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def error_of(failure: Failure) -> LLMOSError:
    """The error that a failed request raises: its type by kind, which budget or quota by its ``budget``."""
    if failure.kind == "budget":
        disk = failure.budget in {field.name for field in fields(quotas.Quotas)}
        return (QuotaError if disk else BudgetError)(failure.message, failure.budget)
    return ERRORS.get(failure.kind, LLMOSError)(failure.message)


def good_code(events: Sequence[Event]) -> list[str]:
    """The Python cells of a log that worked, in order: running them again gives the state back."""
    worked = {e.result.call_id for e in events if isinstance(e, Result) and e.result.ok}
    calls = [e.call for e in events if isinstance(e, Call) and isinstance(e.call, ToolCall)]
    return [str(c.arguments["code"]) for c in calls if c.name == "python" and c.id in worked]


def check_request(request: str) -> str:
    """The request if it can be used. Raises UsageError when it is empty, too long or holds NUL bytes."""
    if not request.strip():
        raise UsageError('the request is empty; say what you want, such as: llmos run "plot funding rounds"')
    if len(request) > MAX_REQUEST:
        raise UsageError(
            f"the request has {len(request):,} characters, at most {MAX_REQUEST:,}; give long text by --file"
        )
    if "\0" in request:
        raise UsageError("the request holds NUL bytes; give binary data by --file")
    return request.strip()


def now() -> float:
    """Seconds since the epoch, to the millisecond."""
    import time

    return round(time.time(), 3)
