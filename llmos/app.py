"""Wires the house together and opens its public door: a system, its sessions, their answers.

Knows every part; no part knows it. Models and sandboxes are loaded when first needed, in the background where possible.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, TypeVar, overload

from llmos import hands, speakers
from llmos.asking import Errand
from llmos.kernel import config, grants, vault
from llmos.kernel.audit import Audit
from llmos.kernel.budget import Budget
from llmos.kernel.dispatch import Asked
from llmos.kernel.engine import Model
from llmos.kernel.persona import Persona
from llmos.kernel.policy import Grants
from llmos.kernel.ponder import Think
from llmos.kernel.secrets import Scanner, Secret
from llmos.kernel.surprise import Surprise
from llmos.kernel.tool import Tool
from llmos.kernel.types import Answer, Event
from llmos.memory import personas as places
from llmos.memory import quotas, room
from llmos.memory.log import SessionStore, Summary
from llmos.talk import VERSION, Session

if TYPE_CHECKING:
    from llmos.memory.store import Memory

T = TypeVar("T")

__all__ = ["LLMOS", "VERSION", "Session", "open_model"]
ORDINARY = "ordinary.json"  # in the home: how probable everyday requests are to each model


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
    does for good. ``browser`` turns the browser's tools on or off, ``remembers`` the memory's; by default they are on
    for a model that is named, where this host can have them; the embedded one is browsed for, and keeps notes alone.
    ``skills``: where it has the memory, requests that were judged good are kept, and stand as examples before like
    ones. ``allow_hosts`` (``host:80``) may be reached though they are private, ``allow_posts`` may be sent forms;
    ``search`` is the engine, ``browser_profile`` the name under which cookies are kept, which they are not without
    one. ``home`` is where sessions, grants, the memory and the audit are kept. ``strict``: the model never sees text
    that others wrote, but handles to it, and values of closed types taken from it by a model without tools.
    ``persona``: who speaks where a session does not say otherwise, a Persona, its name or its file; ``personas``: whom
    the kernel may ask.
    ``image_model`` is the diffusers checkpoint that makes pictures: a folder, or a hub name that was fetched before.
    """

    model: str | Model | None = None
    tools: Sequence[Tool] = ()
    home: str | Path | None = None
    approve: Callable[[Asked], bool] | None = None
    seed: int = 0
    budget: Budget = field(default_factory=Budget)
    allow: Sequence[str] = ()
    redact: bool = False
    strict: bool = False
    remembers: bool | None = None
    skills: bool = False
    browser: bool | None = None
    allow_hosts: Sequence[str] = ()
    allow_posts: Sequence[str] = ()
    search: str | None = None
    persona: Persona | str | None = None
    personas: Sequence[Persona | str] = ()
    image_model: str | None = None
    browser_profile: str | None = None

    def __post_init__(self) -> None:
        home = config.home(self.home)
        self.quotas = quotas.load(home)
        self.store = SessionStore(home, self.quotas)
        self.total = room.Total(home, self.quotas)
        self._lock = threading.Lock()
        self._model: Model | None = None
        self._surprise: Surprise | None = None
        self._open: list[Session] = []
        self._known: tuple[tuple[Secret, ...], Scanner] = ((), Scanner())
        if self.allow_hosts or self.allow_posts or self.search or self.browser_profile:
            from llmos.tools.browser_make import check

            check(self.allow_hosts, self.allow_posts, self.search, self.browser_profile)
        self.audit = Audit(self.store.home)
        self._memory: Memory | None = None
        self.learned: set[str] = set()  # collections of personas that are up to date
        if isinstance(self.persona, str):
            self.persona = places.find(self.persona, home)

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
    def memory(self) -> "Memory":
        """What is remembered beyond a session, opened when first used. Raises LLMOSError where it cannot be."""
        from llmos.memory.store import Memory

        with self._lock:
            if self._memory is None:
                self._memory = Memory(self.store.home)
            return self._memory

    @property
    def model_name(self) -> str:
        """The model's name, without loading it."""
        if self.model is None or isinstance(self.model, str):
            return config.model_name(self.model, self.persona.model if isinstance(self.persona, Persona) else "")
        return self.model.name

    @property
    def has_memory(self) -> bool:
        """Whether the kernel is told of the memory's tools."""
        return self.offers("memory")

    @property
    def browses(self) -> bool:
        """Whether the kernel is told of the browser's tools."""
        return self.offers("web")

    def offers(self, what: Literal["memory", "web"], persona: Persona | None = None) -> bool:
        """Whether the kernel is told of tools beyond its own two: as it was wanted, else where the host has them."""
        if persona is not None and persona.tools is not None and not speakers.wants(persona, what):
            return False
        wanted = self.remembers if what == "memory" else self.browser
        missing = hands.memory_missing if what == "memory" else hands.browser_missing
        if wanted is not None:
            return wanted
        # The embedded kernel was taught neither: it keeps notes of its own, and the web is browsed for it. A model that
        # is given as such says what it wants.
        asked = self.model is None or isinstance(self.model, str) or speakers.wants(persona, what)
        return asked and (self.model_name != config.EMBEDDED or what == "web") and not missing()

    def load(self) -> Model:
        """The model, loaded once. Raises ModelError when it cannot be."""
        with self._lock:
            if self._model is None:
                given = self.model
                self._model = open_model(self.model_name) if given is None or isinstance(given, str) else given
            return self._model

    def surprise(self) -> Surprise:
        """What finds ends of requests improbable: the loaded model, where it tells log-probabilities."""
        model = self.load()
        with self._lock:
            if self._surprise is None:
                tell = getattr(model, "logprobs", lambda text: ())
                self._surprise = Surprise(tell, getattr(model, "fingerprint", ""), self.store.home / ORDINARY)
            return self._surprise

    def session(self, id: str | None = None, persona: Persona | str | None = None) -> Session:
        """A new session, or an earlier one taken up again (``id`` whole, a unique prefix, or ``last``).

        ``persona`` speaks in it; else the system's in a new one, and whoever spoke before in an earlier one. Raises
        UsageError for an unknown id or persona, or a session that another process has open, QuotaError where there is
        no room.
        """
        if not id:
            self.total.check()
        log = self.store.open(id) if id else self.store.open(self.store.create())
        try:
            session = Session(self, log, persona or (self.persona if not log.events() else None))
        except BaseException:
            log.close()
            raise
        self._open.append(session)
        return session

    def errand(self, persona: Persona, errand: Errand) -> Session:
        """A new session in which a persona answers another's question."""
        self.total.check()
        session = Session(self, self.store.open(self.store.create()), persona, errand)
        self._open.append(session)
        return session

    def sessions(self) -> list[Summary]:
        """All sessions of this home, the newest first."""
        return self.store.list()

    def stream(
        self,
        request: str,
        files: Sequence[str | Path] = (),
        *,
        stdin: bytes | None = None,
        persona: Persona | str | None = None,
        think: Think = None,
    ) -> Iterator[Event]:
        """Answer a request in a session of its own, event by event; the last is an Answer or a Failure.

        ``think``: first think about it for so many seconds, or ``auto``: where the model is not sure by itself.
        Raises UsageError for a request, file or persona that cannot be used.
        """
        with self.session(persona=persona) as session:
            yield from session.stream(request, files, stdin=stdin, think=think)

    @overload
    def run(
        self,
        request: str,
        files: Sequence[str | Path] = (),
        *,
        stdin: bytes | None = None,
        persona: Persona | str | None = None,
        think: Think = None,
    ) -> Answer: ...

    @overload
    def run(
        self,
        request: str,
        files: Sequence[str | Path] = (),
        *,
        stdin: bytes | None = None,
        persona: Persona | str | None = None,
        think: Think = None,
        returns: type[T],
    ) -> T: ...

    def run(
        self,
        request: str,
        files: Sequence[str | Path] = (),
        *,
        stdin: bytes | None = None,
        persona: Persona | str | None = None,
        think: Think = None,
        returns: type[T] | None = None,
    ) -> Answer | T:
        """Answer a request in a session of its own; ``returns`` a pydantic model or another type makes it such a value.

        Raises an LLMOSError when there is no answer.
        """
        with self.session(persona=persona) as session:
            if returns is None:
                return session.run(request, files, stdin=stdin, think=think)
            return session.run(request, files, stdin=stdin, think=think, returns=returns)

    def close(self) -> None:
        """Close every session and free the model."""
        for session in list(self._open):
            session.close()
        if self._model is not None:
            self._model.close()
            self._model = self._surprise = None
        if self._memory is not None:
            self._memory.close()
            self._memory = None

    def __enter__(self) -> "LLMOS":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
