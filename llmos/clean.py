"""``llmos clean``: what takes how much room in llmos' home, and its removal once somebody agreed.

Knows the command line; what may be removed, and how, is memory's.
"""

import json as jsonlib
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmos.kernel.errors import DeniedError, UsageError

if TYPE_CHECKING:
    from llmos.memory.quotas import Quotas
    from llmos.memory.room import Held

_AGE = re.compile(r"(\d{1,6})\s*([hdwmy])")
_SECONDS = {"h": 3600, "d": 86400, "w": 7 * 86400, "m": 30 * 86400, "y": 365 * 86400}
_SHOWN = 20  # sessions listed; the rest in one line

Ids = Annotated[list[str] | None, typer.Argument(metavar="ID", help="Sessions to remove, by id.")]
Older = Annotated[
    str | None, typer.Option("--older-than", metavar="AGE", help="Sessions not used for so long, such as 12h, 30d, 8w.")
]
Keep = Annotated[int | None, typer.Option("--keep", min=0, metavar="N", help="All sessions but the N used last.")]
Yes = Annotated[bool, typer.Option("--yes", help="Remove without asking.")]
Dry = Annotated[bool, typer.Option("--dry-run", help="Only show what would be removed.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object.")]


def clean(
    ids: Ids = None,
    older_than: Older = None,
    keep: Keep = None,
    yes: Yes = False,
    dry_run: Dry = False,
    json: Json = False,
) -> None:
    """Show what takes how much room; remove caches, what is left over, and the sessions that you name.

    It asks first, and removes nothing where there is nobody to ask, unless --yes is given. A session that is in use
    is never removed. Exit code 1 when something could not be removed.
    """
    from dataclasses import replace

    from llmos.kernel import vault
    from llmos.kernel.config import home
    from llmos.kernel.secrets import Scanner
    from llmos.memory import quotas, room
    from llmos.memory.log import SessionStore

    base = home()
    limits = quotas.load(base)
    names = [SessionStore(base).find(id) for id in ids or []]
    age = seconds(older_than) if older_than is not None else None
    hide = Scanner(vault.known(base)).redact
    found = [replace(held, title=hide(held.title)) for held in room.survey(base)]
    going = room.chosen(found, age, keep, names)
    if not json:
        _show(base, found, going, limits)
    gone: list[Held] = []
    stayed: list[Held] = []
    if going and not dry_run and (yes or (not json and _agreed(going))):
        for held in going:
            done = _removed(base, held)
            (gone if done else stayed).append(held)
        _forgotten(base, [held.name for held in gone if held.kind == "session"])
    if json:
        print(_json(base, found, going, gone))
    elif gone:
        print(f"removed {_count(gone)}: {quotas.spell(sum(h.size for h in gone))}")
    raise typer.Exit(int(bool(stayed)))


def seconds(age: str) -> int:
    """``30d`` as seconds; h, d, w, m (30 days) and y. Raises UsageError."""
    found = _AGE.fullmatch(age.strip().lower())
    if found is None:
        raise UsageError(f"--older-than cannot be {age!r}; give such as 12h, 30d or 8w")
    return int(found[1]) * _SECONDS[found[2]]


def _removed(base: Path, held: "Held") -> bool:
    """Remove one thing; why not, if not, is told."""
    from llmos.memory import room
    from llmos.turn import say

    try:
        if room.remove(base, held):
            return True
        say(f"session {held.name} is in use and stays")
    except OSError as error:
        say(f"{held.name} could not be removed: {error.strerror or error}")
    return False


def _forgotten(base: Path, sessions: list[str]) -> None:
    """What the memory held for these sessions alone goes with them."""
    from llmos.kernel.errors import LLMOSError
    from llmos.memory import attached
    from llmos.turn import say

    try:
        attached.forget(base, sessions)
    except LLMOSError as error:
        say(f"what they remembered stays: {error}")


def _agreed(going: list["Held"]) -> bool:
    """Ask at the terminal. Raises DeniedError, and nothing is removed, where there is none."""
    if not (sys.stdin and sys.stdin.isatty() and sys.stdout.isatty()):
        raise DeniedError("nothing was removed; --yes removes it")
    print(f"Remove {_count(going)}? [y/N] ", end="", flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _show(base: Path, found: list["Held"], going: list["Held"], limits: "Quotas") -> None:
    from llmos.memory.quotas import spell

    marked = {(h.kind, h.name) for h in going}
    sessions = [h for h in found if h.kind == "session"]
    caches = [h for h in found if h.kind in ("cache", "rest")]
    total, most = sum(h.size for h in sessions), limits.sessions
    print(f"{base}: {len(sessions)} session{'s' * (len(sessions) != 1)}, {spell(total)} of {spell(most)}")
    for held in sessions[:_SHOWN]:
        print(_line(held, (held.kind, held.name) in marked))
    if rest := sessions[_SHOWN:]:
        print(f"  … {len(rest)} smaller ones, {spell(sum(h.size for h in rest))}")
    for held in [*caches, *(h for h in found if h.kind == "other")]:
        print(_line(held, (held.kind, held.name) in marked))
    if going:
        print(f"to be removed (*): {_count(going)}, {spell(sum(h.size for h in going))}")
    elif sessions:
        print("nothing to be removed; name sessions, or --older-than 30d, or --keep 10")


def _line(held: "Held", marked: bool) -> str:
    """One thing on one line: mark, size, files, age, name, first words."""
    from llmos.kernel.hygiene import clean as cleaned
    from llmos.memory.quotas import spell

    kinds = {"cache": "not needed", "rest": "left of a clean that was ended", "other": "is kept"}
    told = held.title or ("empty" if held.empty else kinds.get(held.kind, ""))
    words = " ".join(cleaned(f"{held.name}  {told}").split())
    age = f"{max(time.time() - held.used, 0) / 86400:.0f} d" if held.used else ""
    files = f"{held.files:>6} {'file ' if held.files == 1 else 'files'}"
    return f"{'*' if marked else ' '} {spell(held.size):>8} {files} {age:>7}  {words[:90]}"


def _count(things: list["Held"]) -> str:
    sessions = sum(held.kind == "session" for held in things)
    others = len(things) - sessions
    parts = [f"{sessions} session{'s' * (sessions != 1)}"] * bool(sessions)
    parts += ["1 cache or leftover" if others == 1 else f"{others} caches or leftovers"] * bool(others)
    return ", ".join(parts)


def _json(base: Path, found: list["Held"], going: list["Held"], gone: list["Held"]) -> str:
    from dataclasses import asdict

    listed = [{**asdict(held), "chosen": held in going, "removed": held in gone} for held in found]
    return jsonlib.dumps({"home": str(base), "held": listed})
