"""What a conversation can be told behind a /: each command, what it takes, and one line on what it does.

Knows the conversation and its session; imports what a command needs when it is given.
"""

import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from llmos.kernel.errors import UsageError
from llmos.turn import fitted, shown

if TYPE_CHECKING:
    from llmos.repl import Conversation

Offer = Callable[["Conversation"], Iterable[str]]


@dataclass(frozen=True, slots=True)
class Command:
    """A command; ``does`` gets the conversation and what follows its name, and says False to leave."""

    does: Callable[["Conversation", str], object]
    takes: str
    about: str
    offers: Offer | None = None
    files: bool = False

    def offered(self, talk: "Conversation") -> Callable[[], Iterable[str]] | None:
        """What completes behind it; None is files."""
        if self.files:
            return None
        offers = self.offers
        return (lambda: offers(talk)) if offers is not None else (lambda: ())


def _quit(talk: "Conversation", rest: str) -> bool:
    return False


def _help(talk: "Conversation", rest: str) -> None:
    width = max(len(f"/{name} {c.takes}") for name, c in COMMANDS.items())
    print("Say what you want, @FILE with it, or:")
    for name, command in COMMANDS.items():
        print(fitted(f"  {f'/{name} {command.takes}':{width}}  {command.about}", indent=width + 4))
    print(fitted("Enter sends, Alt-Enter: new line, Tab completes, Ctrl-R searches, Ctrl-C stops an answer."))


def _persona(talk: "Conversation", rest: str) -> None:
    if rest:
        talk.open(None, rest)
        return
    speaks = talk.session.persona
    told = f"{speaks.name}: {speaks.description}" if speaks else "llmos itself; /persona NAME, Tab shows who else"
    print(fitted(shown(told)))


def _model(talk: "Conversation", rest: str) -> None:
    if rest:
        talk.use(rest)
    print(shown(talk.system.model_name))


def _think(talk: "Conversation", rest: str) -> None:
    from llmos.kernel.ponder import parse

    if rest:
        talk.how = None if rest == "off" else parse(rest)
    print("off" if talk.how is None else talk.how if talk.how == "auto" else f"{talk.how:g} seconds a request")


def _tools(talk: "Conversation", rest: str) -> None:
    for tool in talk.session.tools:
        lines = tool.description.strip().splitlines()
        print(fitted(shown(f"  {tool.name:18} {lines[0] if lines else ''}"), indent=21))
    if not talk.session.tools:
        print("none")


def _files(talk: "Conversation", rest: str) -> None:
    if rest:
        try:
            talk.attach([Path(word).expanduser() for word in shlex.split(rest)])
        except ValueError as error:
            raise UsageError(f"{rest}: {error}") from error
        return
    for path in talk.files:
        print(shown(f"  with the next request: {path.name}"))
    kept = []
    if talk.begun:
        root = talk.session.workspace
        kept = sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_file())
        for name in kept[:50]:
            print(shown(f"  {name}"))
        if len(kept) > 50:
            print(f"  and {len(kept) - 50} more in {root}")
    if not kept and not talk.files:
        print(fitted("no files yet; /files PATH …, @FILE in a request, or drop one here"))


def _memory(talk: "Conversation", rest: str) -> None:
    from llmos.hands import memory_missing
    from llmos.memory.record import Where

    if missing := memory_missing():
        print(missing)
        return
    speaks = talk.session.persona
    memory, where = talk.system.memory, Where(persona=speaks.key if speaks else "", attached_to=talk.session.id)
    if rest:
        for hit in memory.search(rest, 5, where):
            told = f"  {hit.document.title}, {hit.chunk.place}: {' '.join(hit.chunk.text.split())[:200]}"
            print(fitted(shown(told), indent=4))
        return
    found = memory.documents(where, 10)
    for document in found:
        print(shown(f"  {document.title}"))
    if not found:
        print("nothing is remembered; llmos memory add FOLDER")


def _undo(talk: "Conversation", rest: str) -> None:
    asked = talk.session.undo()
    print(shown(f"undone: {' '.join(asked.text.split())[:60]}"))
    talk.tell_what_stays()


def _retry(talk: "Conversation", rest: str) -> None:
    talk.again()


def _edit(talk: "Conversation", rest: str) -> None:
    from llmos.kernel.paths import last_request

    asked = last_request(talk.session.events())
    if asked is None:
        raise UsageError("there is nothing to edit; nothing was asked in this session")
    if rest:
        talk.again(rest)
    else:
        talk.draft, talk.anew = asked.text, True


def _fork(talk: "Conversation", rest: str) -> None:
    before = talk.session.id
    talk.move(talk.session.fork())
    print(f"session {talk.session.id}, a fork of {before}")


def _save(talk: "Conversation", rest: str) -> None:
    from llmos.kernel.paths import last_answer

    answer = last_answer(talk.session.events())
    if answer is None:
        raise UsageError("there is no answer yet")
    if not rest:
        raise UsageError("where to? /save FILE writes the last answer")
    print(f"written: {_written(rest, answer.text.rstrip() + chr(10))}")


def _export(talk: "Conversation", rest: str) -> None:
    from llmos.export import write
    from llmos.kernel.scrub import Scrub

    if not rest:
        raise UsageError("where to? /export FILE.html, FILE.md or FILE.ipynb")
    scrub = Scrub(talk.system.scanner())
    events = [scrub.event(event) for event in talk.session.events()]
    print(f"written: {write(events, talk.session.workspace, _path(rest), scrub.text)}")


def _pin(talk: "Conversation", rest: str) -> None:
    if rest not in ("", "off"):
        raise UsageError(f"/pin takes nothing, or off, not {rest!r}")
    asked = talk.session.pin(not rest)
    print(fitted(shown(f"{'stays' if not rest else 'may leave'}: {' '.join(asked.text.split())[:60]}")))


def _good(talk: "Conversation", rest: str) -> None:
    talk.session.judge("good", rest)
    print("kept: good")


def _bad(talk: "Conversation", rest: str) -> None:
    talk.session.judge("bad", rest)
    print("kept: bad; /retry answers once more")


def _theme(talk: "Conversation", rest: str) -> None:
    from llmos.kernel.settings import THEMES

    if rest and rest not in THEMES:
        raise UsageError(f"there is no theme {rest!r}; there are: {', '.join(THEMES)}")
    if rest:
        talk.look(rest)
    print(f"{talk.theme}; for good: llmos config set theme {talk.theme}")


def _new(talk: "Conversation", rest: str) -> None:
    talk.open(None)


def _session(talk: "Conversation", rest: str) -> None:
    if rest:
        talk.open(rest)
    else:
        print(talk.session.id)


def _resume(talk: "Conversation", rest: str) -> None:
    here = talk.session.id if talk.begun else ""
    other = next((s.id for s in talk.system.sessions() if s.id != here), None)
    if not rest and other is None:
        raise UsageError("there is no earlier session")
    talk.open(rest or other)


def _sessions(talk: "Conversation", rest: str) -> None:
    from llmos.turn import summary_line

    for summary in talk.system.sessions()[:20]:
        print(summary_line(summary, hide=talk.system.scanner().redact))


def _written(rest: str, text: str) -> Path:
    """A new file with this text. Raises UsageError where it is there already or cannot be written."""
    path = _path(rest)
    try:
        with path.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise UsageError(f"{path} is there already; give another name") from None
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from error
    return path


def _path(rest: str) -> Path:
    """A path as it is typed, with quotes or without. Raises UsageError for quotes that do not end."""
    try:
        return Path(" ".join(shlex.split(rest))).expanduser()
    except ValueError as error:
        raise UsageError(f"{rest}: {error}") from error


def _names(talk: "Conversation") -> Iterable[str]:
    from llmos.kernel.config import home
    from llmos.memory.personas import places

    return places(home())


def _models(talk: "Conversation") -> Iterable[str]:
    from llmos.models import kept

    return [one.name for one in kept()]


def _ids(talk: "Conversation") -> Iterable[str]:
    return [summary.id for summary in talk.system.sessions()[:50]]


def _themes(talk: "Conversation") -> Iterable[str]:
    from llmos.kernel.settings import THEMES

    return THEMES


COMMANDS: dict[str, Command] = {
    "files": Command(_files, "[PATH …]", "list files, or attach some to the next request", files=True),
    "persona": Command(_persona, "[NAME]", "who speaks; or begin a session with another", _names),
    "model": Command(_model, "[MODEL]", "which model; or go on with another", _models),
    "think": Command(_think, "[SECONDS]", "think first, so long, or auto; or off"),
    "tools": Command(_tools, "", "what the kernel can do here"),
    "memory": Command(_memory, "[WORDS]", "what is remembered; or search it"),
    "undo": Command(_undo, "", "go back to before the last request"),
    "retry": Command(_retry, "", "answer the last request once more"),
    "edit": Command(_edit, "[TEXT]", "change the last request and answer it"),
    "fork": Command(_fork, "", "go on in a copy of this session"),
    "good": Command(_good, "[WHY]", "keep that the last answer was good"),
    "bad": Command(_bad, "[WHY]", "keep that it was bad"),
    "pin": Command(_pin, "[off]", "keep the last request in the context for good; or no longer"),
    "save": Command(_save, "FILE", "write the last answer to a file", files=True),
    "export": Command(_export, "FILE", "write the session as .html, .md or .ipynb", files=True),
    "new": Command(_new, "", "begin a new session"),
    "session": Command(_session, "[ID]", "this session's id; or go on with another", _ids),
    "sessions": Command(_sessions, "", "list the sessions that are kept"),
    "resume": Command(_resume, "[ID]", "go on with the session before this one", _ids),
    "theme": Command(_theme, "[NAME]", "colours: auto, dark, light, none", _themes),
    "help": Command(_help, "", "this text"),
    "quit": Command(_quit, "", "leave, as does Ctrl-D"),
}
