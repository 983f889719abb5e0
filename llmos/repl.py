"""A conversation in the terminal: one session, a line at a time; the model loads while the prompt shows.

Enter sends, Alt-Enter starts a new line, pasted lines stay together. Ctrl-C stops an answer, Ctrl-D leaves. Lines that
begin with / are commands to llmos, not to the model.
"""

import contextlib
import shlex
import threading
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

from llmos.app import LLMOS, Session
from llmos.kernel import config
from llmos.kernel.errors import LLMOSError, UsageError
from llmos.render import Screen
from llmos.turn import checked, hidden, say, summary_line, turn

MOST_HISTORY = 4 << 20  # bytes of typed lines that are kept

HELP = """Say what you want, or:
  /files PATH …   attach files to the next request
  /new            begin a new session
  /session [ID]   tell this session's id, or go on with another
  /sessions       list the sessions that are kept
  /help           this text
  /quit           leave (as does Ctrl-D)"""


def converse(model: str | None = None, session: str | None = None) -> int:
    """Talk until the user leaves; the exit code."""
    with LLMOS(model=model) as system:
        return Conversation(system, session).run()


class Conversation:
    """The state of a conversation: its session, and the files that wait for the next request."""

    def __init__(self, system: LLMOS, session: str | None = None) -> None:
        self._system = system
        self.screen = Screen()
        system.approve = self.screen.ask
        self._talk: Session | None = system.session(session) if session else None
        self.files: list[Path] = []

    def run(self) -> int:
        """Read and answer until the end of input."""
        threading.Thread(target=self._load, daemon=True, name="load").start()
        prompt = make_prompt(config.home())
        print("llmos: say what you want; /help for more, Ctrl-D to leave")
        while True:
            try:
                line = prompt.prompt("> ")
            except KeyboardInterrupt:
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
        if not line:
            return True
        if not line.startswith("/"):
            self.ask(line)
            return True
        name, _, rest = line[1:].partition(" ")
        if name in ("quit", "exit", "q"):
            return False
        commands = {
            "help": lambda: print(HELP),
            "files": lambda: self.attach(rest),
            "new": lambda: self.open(None),
            "session": lambda: self.open(rest.strip()) if rest.strip() else print(self.session.id),
            "sessions": self.sessions,
        }
        if name not in commands:
            raise UsageError(f"there is no command /{name}; /help lists them")
        commands[name]()
        return True

    @property
    def session(self) -> Session:
        """The session of this conversation; made with the first request."""
        if self._talk is None:
            self._talk = self._system.session()
        return self._talk

    def ask(self, line: str) -> None:
        """Answer a request; an answer that was stopped leaves the session as it is."""
        request = checked(line)
        self.screen.wait("loading the model")
        try:
            turn(self.session, self.screen, request, self.files, stopped="stopped")
        finally:
            self.screen.rest()
        self.files = []

    def attach(self, rest: str) -> None:
        """Keep files and folders for the next request. Raises UsageError for one that is missing."""
        try:
            paths = [Path(word).expanduser() for word in shlex.split(rest)]
        except ValueError as error:
            raise UsageError(f"{rest}: {error}") from error
        if not paths:
            raise UsageError("which files? /files PATH …")
        missing = next((p for p in paths if not p.exists()), None)
        if missing:
            raise UsageError(f"there is no {missing}")
        self.files += paths
        print(f"with the next request: {', '.join(p.name for p in self.files)}")

    def open(self, id: str | None) -> None:
        """Leave this session for another, or for a new one."""
        following = self._system.session(id)
        if self._talk is not None:
            self._talk.close()
        self._talk = following
        print(f"session {following.id}")

    def sessions(self) -> None:
        """List the newest twenty."""
        for summary in self._system.sessions()[:20]:
            print(summary_line(summary, hide=self._system.scanner().redact))

    def _load(self) -> None:
        # The first request raises it again, where it can be told.
        with contextlib.suppress(LLMOSError):
            self._system.load()


def make_prompt(home: Path) -> PromptSession[str]:
    """A prompt with a history in ``home``; Enter sends, also when several lines were pasted."""
    keys = KeyBindings()

    @keys.add("enter")
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.validate_and_handle()

    @keys.add("escape", "enter")
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    home.mkdir(parents=True, exist_ok=True)
    kept = home / "history"
    kept.touch(mode=0o600)
    history: History = FileHistory(str(kept))
    if kept.stat().st_size > MOST_HISTORY:
        say(f"{kept} is full and not added to; move it away to begin a new one")
        history = InMemoryHistory()
    return PromptSession(history=history, multiline=True, key_bindings=keys, prompt_continuation="  ")
