"""The commands of ``llmos audit``: whether the audit record is sound, what is in it, and a copy to keep elsewhere.

Knows the record by :class:`llmos.kernel.audit.Audit` only. Imports lightly, since the command line's help does.
"""

import json as jsonlib
import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from llmos.kernel.errors import LLMOSError, UsageError

if TYPE_CHECKING:
    from llmos.kernel.audit import Audit, Record

app = typer.Typer(
    name="audit",
    help="The record of every decision: check it, show it, copy it.",
    rich_markup_mode=None,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Talk = Annotated[
    str | None, typer.Option("--session", metavar="ID", help="Only of a session: its id, a part of it, or last.")
]
Last = Annotated[int | None, typer.Option("--last", min=1, metavar="N", help="Only the last so many.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
Target = Annotated[str, typer.Argument(metavar="FILE|-", help="The file to write; - is standard output.")]


@app.command()
def verify() -> None:
    """Check that no record was edited, dropped, moved, forged or cut off."""
    from llmos.turn import say

    audit = _audit()
    problems = audit.verify()
    for problem in problems:
        say(problem)
    if problems:
        raise typer.Exit(1)
    count = sum(1 for _ in audit.records())
    print(f"{count} record{'s' * (count != 1)}, sound")


@app.command()
def show(session: Talk = None, last: Last = None, json: Json = False) -> None:
    """Show the records as they stand; whether they are sound, verify tells."""
    from collections import deque

    kept: deque[Record] = deque(maxlen=last)
    try:
        wanted = _last_session() if session == "last" else session
        for record in _audit().records():
            if wanted is None or record.session.startswith(wanted) or record.session.endswith(wanted):
                kept.append(record)
        if session and not kept:
            raise UsageError(
                f"the audit record has nothing of a session {session}; llmos sessions shows which there are"
            )
    finally:  # what could be read is shown before the error about what could not
        for record in kept:
            print(_json(record) if json else _text(record))


@app.command()
def export(file: Target) -> None:
    """Copy all records, and a last line that tells whether they are sound. Exit code 1 if they are not."""
    if file == "-":
        sound = _audit().export(sys.stdout)
    else:
        try:
            with open(file, "x", encoding="ascii") as out:  # an earlier copy is what a later one is held against
                sound = _audit().export(out)
        except FileExistsError:
            raise UsageError(f"{file} is there already; give another name") from None
        except OSError as error:
            raise UsageError(f"cannot write {file}: {error.strerror or error}") from error
        print(f"written: {file}")
    if not sound:
        raise LLMOSError("the audit record was copied and is not sound; see llmos audit verify")


def _audit() -> "Audit":
    from llmos.kernel.audit import Audit
    from llmos.kernel.config import home

    return Audit(home())


def _last_session() -> str:
    """The session of the last decision; an empty one fits every record."""
    found = ""
    for record in _audit().records():
        found = record.session or found
    return found


def _json(record: "Record") -> str:
    from dataclasses import asdict

    return jsonlib.dumps(asdict(record))


def _text(record: "Record") -> str:
    """One line: when, in which session, which tool, the verdict, its rule, and the answer if it was asked for."""
    from llmos.kernel.hygiene import clean

    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.time))
    answer = {True: "approved", False: "refused", None: "-"}[record.approved]
    line = f"{when}  {record.session or '-'}  {record.tool}  {record.verdict}  {record.rule}  {answer}"
    return " ".join(clean(line).split(" ")).replace("\n", " ").replace("\t", " ")
