"""A conversation in the terminal: one session, a line at a time; the model loads while the prompt shows.

Enter sends, Alt-Enter starts a new line, pasted lines stay together. Ctrl-C stops an answer, Ctrl-D leaves. Lines that
begin with / are commands to llmos, not to the model (``commands``); a file is given as ``@file``, or dropped here.
What is not needed for the first prompt is imported behind it.
"""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmos.commands import COMMANDS
from llmos.kernel import config
from llmos.kernel.errors import LLMOSError, UsageError
from llmos.prompting import Lines, Offers, dropped, make_prompt, with_files
from llmos.turn import checked, hidden, say, turn, watch

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession

    from llmos.app import LLMOS, Session
    from llmos.consent import Consent
    from llmos.kernel.ponder import Think
    from llmos.kernel.types import Event
    from llmos.render import Screen

HINT = "llmos: say what you want; /help for more, Ctrl-D to leave"


def converse(chosen: Mapping[str, Any], session: str | None = None, theme: str = "auto", plain: bool = False) -> int:
    """Talk until the user leaves; the exit code. ``chosen``: what LLMOS is made with."""

    def make() -> "LLMOS":
        from llmos.app import LLMOS

        return LLMOS(**chosen)

    plain = plain or os.environ.get("TERM", "dumb") == "dumb"
    talk = Conversation(make, session, theme, plain)
    try:
        return talk.run(greet=bool(session or chosen.get("persona")))
    finally:
        talk.close()


class Conversation:
    """The state of a conversation: its system and session, and the files that wait for the next request."""

    def __init__(
        self,
        system: "LLMOS | Callable[[], LLMOS]",
        session: str | None = None,
        theme: str = "auto",
        plain: bool = False,
    ) -> None:
        self._make = system if callable(system) else None
        self._system = None if callable(system) else system
        self._making = threading.Lock()
        self._first = session
        self._talk: Session | None = None
        self._screen: Screen | None = None
        self._consent: Consent | None = None
        self.theme, self.plain = theme, plain
        self.files: list[Path] = []
        self.how: Think = None  # whether requests are thought about first
        self.draft = ""  # what the next line begins with
        self.anew = False  # the next line takes the place of the last request
        if self._system is not None:
            self._ask_here(self._system)

    @property
    def system(self) -> "LLMOS":
        """The system, made when first needed. Raises an LLMOSError where it cannot be."""
        with self._making:
            if self._system is None:
                assert self._make is not None
                self._system = self._make()
                self._ask_here(self._system)
            return self._system

    @property
    def screen(self) -> "Screen":
        """Where answers are shown."""
        if self._screen is None:
            from llmos.render import Screen

            self._screen = Screen(theme=self.theme, plain=self.plain)
        return self._screen

    @property
    def session(self) -> "Session":
        """The session of this conversation; made when first needed."""
        if self._talk is None:
            self._talk, self._first = self.system.session(self._first), None
        return self._talk

    @property
    def begun(self) -> bool:
        """Whether there is a session yet."""
        return self._talk is not None

    def run(self, greet: bool = False) -> int:
        """Read and answer until the end of input."""
        home = config.home()
        prompt: PromptSession[str] | Lines = Lines() if self.plain else make_prompt(home, self.offers())
        print(HINT)
        if greet:
            self.greet()
        else:
            self._tell_last(home)
        self._load_behind(prompt)
        while True:
            draft, self.draft = self.draft, ""
            try:
                line = prompt.prompt("> ", default=draft)
            except KeyboardInterrupt:
                self.anew = False
                continue
            except EOFError:
                return 0
            try:
                if not self.take(line.strip()):
                    return 0
            except LLMOSError as error:
                say(hidden(str(error)))
            except KeyboardInterrupt:
                say("stopped")

    def take(self, line: str) -> bool:
        """Obey a command or answer a request; false when the user leaves."""
        anew, self.anew = self.anew, False
        if not line:
            return True
        name, _, rest = line[1:].partition(" ")
        if line.startswith("/") and name in COMMANDS:
            return COMMANDS[name].does(self, rest.strip()) is not False
        if paths := dropped(line):
            self.attach(paths)
        elif line.startswith("/"):
            from llmos.kernel.persona import nearest

            raise UsageError(f"there is no command /{name}{nearest(name, list(COMMANDS))}; /help lists them")
        elif anew:
            self.again(line)
        else:
            self.ask(line)
        return True

    def ask(self, line: str) -> None:
        """Answer a request; an answer that was stopped leaves the session as it is."""
        words, named = with_files(line)
        request, files = checked(words), [*self.files, *named]
        self.screen.wait("loading the model")
        try:
            turn(self.session, self.screen, request, files, stopped="stopped", think=self.how)
        finally:
            self.screen.rest()
        self.files = []

    def again(self, line: str | None = None) -> None:
        """Answer the last request once more, in other words where there are some."""
        stream: Iterator[Event] = self.session.retry(None if line is None else checked(line), think=self.how)
        try:
            watch(stream, self.screen, "stopped")
        finally:
            self.screen.rest()

    def attach(self, paths: list[Path]) -> None:
        """Keep files and folders for the next request. Raises UsageError for one that is missing."""
        missing = next((p for p in paths if not p.exists()), None)
        if missing:
            raise UsageError(f"there is no {missing}")
        self.files += paths
        print(f"with the next request: {', '.join(p.name for p in self.files)}")

    def open(self, id: str | None, persona: str | None = None) -> None:
        """Leave this session for another, or for a new one."""
        if id and self._talk is not None and self.system.store.find(id) == self._talk.id:
            print(f"session {self._talk.id} is this one")
            return
        self.move(self.system.session(id, persona))
        print(f"session {self.session.id}")
        self.greet()
        self._tell_where()

    def move(self, following: "Session") -> None:
        """Go on in another session; what was allowed in the one before is asked about again."""
        if self._talk is not None:
            self._talk.close()
        self._talk, self._first = following, None
        if self._consent is not None:
            self._consent.forget()

    def use(self, model: str) -> None:
        """Go on with another model, once it is loaded; where it cannot be, with the one before."""
        from dataclasses import replace

        before = self.system
        self.screen.wait(f"loading {model}")
        following = replace(before, model=model)
        try:
            following.load()
        except BaseException:
            following.close()
            raise
        finally:
            self.screen.rest()
        id = self._talk.id if self._talk is not None and self._talk.events() else None
        before.close()
        self._system, self._talk = following, None
        self._ask_here(following)
        if id:
            self._talk = following.session(id)

    def look(self, theme: str) -> None:
        """Show what follows in other colours, or in none."""
        self.theme, self._screen = theme, None

    def greet(self) -> None:
        """Say what is to be known of the session, and its persona's greeting and starters."""
        if self.session.notice:
            say(self.session.notice)
        speaks = self.session.persona
        if speaks is not None:
            lines = [f"{speaks.name}: {speaks.greeting or speaks.description}", *(f"  {s}" for s in speaks.starters)]
            print("\n".join(hidden(line) for line in lines))

    def offers(self) -> Offers:
        """What completes behind each command."""
        return {name: command.offered(self) for name, command in COMMANDS.items()}

    def close(self) -> None:
        """Close the session and the system, where there are any."""
        with self._making:
            if self._system is not None:
                self._system.close()

    def _ask_here(self, system: "LLMOS") -> None:
        from llmos.consent import Consent

        self._consent = Consent(lambda: self.screen)
        system.approve = self._consent

    def _tell_where(self) -> None:
        """Say what was asked and answered last, in a session that is taken up again."""
        from llmos.flow import one_line
        from llmos.kernel.paths import last_answer, last_request

        events = self.session.events()
        asked, answer = last_request(events), last_answer(events)
        if asked is not None:
            print(hidden(one_line(f"was: {asked.text}", 60)))
            if answer is not None:
                print(hidden(one_line(f"said: {answer.text}", 60)))

    def _tell_last(self, home: Path) -> None:
        from llmos.memory.log import SessionStore

        last = SessionStore(home).last()
        if last is not None:
            from llmos.kernel.hygiene import clean

            words = " ".join(clean(hidden(last.first_request)).split())
            print(f"last: {words[:40]}{'…' * (len(words) > 40)}; /resume goes on with it")

    def _load_behind(self, prompt: "PromptSession[str] | Lines") -> None:
        """Load the model once the first prompt shows. No daemon: it runs torch, see Memory.warm."""
        thread = threading.Thread(target=self._load, name="load")
        if isinstance(prompt, Lines):
            thread.start()
            return

        app = prompt.app

        def shown(_: object) -> None:
            app.after_render.remove_handler(shown)
            thread.start()

        app.after_render.add_handler(shown)

    def _load(self) -> None:
        # The first request raises it again, where it can be told.
        with contextlib.suppress(LLMOSError):
            self.system.load()
