"""``llmos memory``: take files in, list, search, show and forget what is remembered, and carry it elsewhere.

Knows the command line; what is kept, and how it is found, is memory's.
"""

import json as jsonlib
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from llmos.kernel.errors import DeniedError, UsageError
from llmos.turn import shown

if TYPE_CHECKING:
    from llmos.memory.record import Document
    from llmos.memory.store import Memory

app = typer.Typer(
    help="What is remembered beyond a session: files and notes.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

DAYS = ["%Y-%m-%d"]
Paths = Annotated[list[str], typer.Argument(metavar="PATH", help="Files, folders or zip archives.")]
Persona = Annotated[str, typer.Option("--persona", metavar="NAME", help="For this persona alone; else for all.")]
Query = Annotated[list[str], typer.Argument(metavar="WORDS", help="What to find, in your words.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=200, metavar="N", help="At most so many.")]
Source = Annotated[str, typer.Option("--source", metavar="NAME", help="Only what has this in its name or path.")]
Kind = Annotated[str, typer.Option("--kind", metavar="KIND", help="Only these: file, note, skill or attached.")]
Since = Annotated[datetime | None, typer.Option("--since", formats=DAYS, metavar="DAY", help="Only what came since.")]
Until = Annotated[datetime | None, typer.Option("--until", formats=DAYS, metavar="DAY", help="Only what was before.")]
Of = Annotated[str, typer.Option("--session", metavar="ID", help="Only what a session kept.")]
Trust = Annotated[bool, typer.Option("--trusted", help="Only what no others wrote.")]
By = Annotated[Literal["hybrid", "vectors", "words"], typer.Option("--by", help="By meaning, by words, or both.")]
Numbers = Annotated[list[int], typer.Argument(metavar="NUMBER", help="Numbers, as llmos memory list shows them.")]
Number = Annotated[int, typer.Argument(metavar="NUMBER", help="Its number, as llmos memory list shows it.")]
File = Annotated[Path, typer.Argument(metavar="FILE", help="A file of JSON lines.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Trusted = Annotated[bool, typer.Option("--trusted", help="You wrote this file yourself: notes in it keep their trust.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


@app.command()
def add(paths: Paths, persona: Persona = "", json: Json = False) -> None:
    """Take files in; the same content is kept once. Exit code 1 when a file could not be read; the others are kept."""
    from llmos.kernel import config, vault
    from llmos.memory import ingest

    vault.refuse(config.home(), [Path(p) for p in paths])
    states: dict[str, int] = {}
    with _opened() as memory:
        total = ingest.count(paths) if sys.stderr.isatty() else 0
        for done, taken in enumerate(ingest.add(memory, paths, persona=persona), 1):
            state = taken.added.state if taken.added else "unreadable"
            states[state] = states.get(state, 0) + 1
            if json:
                chunks = taken.added.chunks if taken.added else 0
                print(jsonlib.dumps({"name": taken.name, "state": state, "chunks": chunks, "problem": taken.problem}))
            else:
                _tell(taken.problem, done, total)
    if not json:
        print(", ".join(f"{count} {state}" for state, count in states.items()) or "there was nothing to read")
    raise typer.Exit(int("unreadable" in states))


@app.command("list")
def show_all(source: Source = "", kind: Kind = "", limit: Limit = 100, json: Json = False) -> None:
    """List what is remembered, the newest first."""
    from llmos.memory.record import Where

    with _opened() as memory:
        found = memory.documents(Where(source=source, kind=kind, everyone=True), limit)
        count = memory.stats()["documents"]
    for document in found:
        print(jsonlib.dumps(_public(document)) if json else _line(document))
    if not json and not found:
        print("nothing yet; llmos memory add FOLDER" if not count else "nothing of that kind")
    elif not json and count > len(found):
        print(f"… of {count}")


@app.command()
def search(
    query: Query,
    limit: Limit = 5,
    source: Source = "",
    persona: Persona = "",
    since: Since = None,
    until: Until = None,
    session: Of = "",
    trusted: Trust = False,
    by: By = "hybrid",
    json: Json = False,
) -> None:
    """Find passages by what they mean and by their words."""
    from llmos.kernel.config import home
    from llmos.memory.log import SessionStore
    from llmos.memory.record import Where

    if not " ".join(query).strip():
        raise UsageError("there is nothing to find; give some words")
    within = Where(
        source=source,
        persona=persona,
        session=SessionStore(home()).find(session) if session else "",
        integrity="trusted" if trusted else "",
        since=since.timestamp() if since else None,
        until=until.timestamp() if until else None,
    )
    with _opened() as memory:
        hits = memory.search(" ".join(query), limit, within, by)
    for hit in hits:
        text = shown(hit.chunk.text)
        if json:
            told = {"document": hit.document.id, "title": hit.document.title, "place": hit.chunk.place}
            told |= {"heading": hit.chunk.heading, "text": text, "score": round(hit.score, 5)}
            print(jsonlib.dumps({**told, "likeness": round(hit.likeness, 4), "location": hit.document.location}))
            continue
        where = ", ".join(filter(None, (shown(hit.document.title), hit.chunk.place, shown(hit.chunk.heading))))
        print(f"{hit.document.id:>5}  {where}\n       {' '.join(text.split())[:300]}\n")
    if not hits and not json:
        print("nothing found")


@app.command()
def show(number: Number, json: Json = False) -> None:
    """Show what is kept of one document, passage by passage."""
    with _opened() as memory:
        document = _document(memory, number)
        chunks = [chunk for _, chunk in memory.text(number)]
    if json:
        told = [{"place": c.place, "heading": c.heading, "text": shown(c.text)} for c in chunks]
        print(jsonlib.dumps({**_public(document), "passages": told}))
        return
    from llmos.kernel.labels import spell

    print(f"{_line(document)}\n{document.location or document.key}\n{spell(document.label)}\n")
    for chunk in chunks:
        head = ", ".join(filter(None, (chunk.place, shown(chunk.heading))))
        print(f"{f'-- {head}' if head else '--'}\n{shown(chunk.text)}\n")


@app.command()
def forget(numbers: Numbers, yes: Yes = False) -> None:
    """Remove documents or notes for good. It asks first, and removes nothing where there is nobody to ask."""

    with _opened() as memory:
        for document in [_document(memory, number) for number in numbers]:
            print(_line(document))
        if not yes:
            if not (sys.stdin and sys.stdin.isatty() and sys.stdout.isatty()):
                raise DeniedError("nothing was forgotten; --yes forgets it")
            print("Forget these? [y/N] ", end="", flush=True)
            if sys.stdin.readline().strip().lower() not in ("y", "yes"):
                return
        print(f"forgotten: {memory.forget(numbers)}")


@app.command()
def stats(json: Json = False) -> None:
    """Tell how much is remembered."""
    from llmos.memory.quotas import spell

    with _opened() as memory:
        found = memory.stats()
    if json:
        print(jsonlib.dumps(found))
    else:
        documents, notes = found["documents"], found["notes"]
        room = f"{_count(found['chunks'], 'passage')}; {spell(found['bytes'])}"
        print(f"{_count(documents, 'document')}, {notes} of them {'a note' if notes == 1 else 'notes'}; {room}")


@app.command("export")
def export_to(file: File) -> None:
    """Write all that is remembered to a file of JSON lines, with what is trusted in it and what is not."""
    from llmos.memory.exchange import export

    with _opened() as memory:
        print(f"written: {_count(export(memory, file), 'document')} to {file}")


@app.command("import")
def import_from(file: File, trusted: Trusted = False) -> None:
    """Add the documents of an exported file; nothing in it is trusted unless you say that you wrote it."""
    from collections import Counter

    from llmos.memory.exchange import take_in

    if not file.is_file():
        raise UsageError(f"no such file: {file}")
    with _opened() as memory:
        states = Counter(added.state for added in take_in(memory, file, trusted))
    print(", ".join(f"{count} {state}" for state, count in states.items()) or "the file is empty")


def _opened() -> "Memory":
    from llmos.kernel.config import home
    from llmos.memory.store import Memory

    return Memory(home())


def _document(memory: "Memory", number: int) -> "Document":
    found = memory.document(number)
    if found is None:
        raise UsageError(f"there is no document {number}; llmos memory list shows which there are")
    return found


def _tell(problem: str, done: int, total: int) -> None:
    """A file that cannot be read is told; how far it is, on a terminal, in place."""
    from llmos.turn import say

    if problem:
        say(problem)
    if total:
        print(f"\r{done}/{max(total, done)}", end="\n" if done >= total else "", file=sys.stderr, flush=True)


def _line(document: "Document") -> str:
    """A document in a line: number, day, passages, whose, name."""
    day = time.strftime("%Y-%m-%d", time.localtime(document.added))
    whose = f" ({shown(document.persona)})" if document.persona else ""
    kind = "note" if document.kind == "note" else _count(document.chunks, "passage")
    return f"{document.id:>5}  {day}  {kind:>13}  {shown(document.title)}{whose}"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'s' * (number != 1)}"


def _public(document: "Document") -> dict[str, object]:
    told: dict[str, object] = {
        name: shown(value) if isinstance(value := getattr(document, name), str) else value
        for name in ("id", "title", "kind", "location", "persona", "session", "said_by", "added", "chunks")
    }
    return {**told, "integrity": document.label.integrity}
