"""``llmos arena``: two models or personas on the same requests, judged blind in the terminal where no check can tell.

Knows the command line and the screen; playing, votes and ratings are the school's.
"""

import itertools
import json as jsonlib
import shutil
import sys
import tempfile
import textwrap
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmos.kernel.errors import UsageError
from llmos.turn import shown

if TYPE_CHECKING:
    from llmos.app import LLMOS
    from llmos.training.arena import Judge, Played, Rating, Side
    from llmos.training.evaluate import Item

First = Annotated[str | None, typer.Argument(metavar="A", help="A model (folder, hub name, URL) or a persona.")]
Second = Annotated[str | None, typer.Argument(metavar="B", help="Another one.")]
File = Annotated[Path | None, typer.Argument(metavar="FILE", help="Requests: as llmos eval reads them, or one a line.")]
Show = Annotated[bool, typer.Option("--show", help="Show the ratings so far and play nothing.")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, metavar="N", help="Only the first so many.")]
Seed = Annotated[int, typer.Option("--seed", metavar="N", help="Which answer stands left.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object.")]
KEYS: "dict[str, Side]" = {"l": "left", "r": "right", "t": "tie", "s": "skip", "q": "quit"}
_NARROW = 80  # columns below which answers stand one above the other


def arena(
    a: First = None,
    b: Second = None,
    file: File = None,
    show: Show = False,
    limit: Limit = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Compare two models or personas on the requests of a file; go on with it by running it again."""
    from llmos.kernel import config, vault
    from llmos.kernel.secrets import Scanner
    from llmos.training.arena import Board, Played, play, read_requests

    home = config.home()
    hide = Scanner(vault.known(home)).redact
    board, played = Board(home / "arena", hide), Played()
    if not show:
        if a is None or b is None or file is None:
            raise UsageError("name two and a file: llmos arena A B FILE; or --show")
        if a == b:
            raise UsageError(f"{a} cannot be compared with itself")
        items = read_requests(file)[:limit]
        here = sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty() and not json
        with ExitStack() as stack:
            # Sessions of the arena are nobody's: they go when it ends.
            place = stack.enter_context(tempfile.TemporaryDirectory(prefix="llmos-arena-", ignore_cleanup_errors=True))
            sides = [(name, stack.enter_context(player(name, home, Path(place)))) for name in (a, b)]
            judge = judge_here(hide) if here else None
            played = play((sides[0], sides[1]), items, board, judge, seed, _progress)
    found = board.rate()
    print(jsonlib.dumps(_public(played, found)) if json else table(found, None if show else played))


def player(name: str, home: Path, place: Path) -> "LLMOS":
    """A system of its own for a persona, by its name or file, on the model in use; else for a model of that name."""
    from llmos.app import LLMOS
    from llmos.memory import personas

    if name.endswith(".md") or name in personas.places(home):
        return LLMOS(persona=personas.find(name, home), home=place)
    return LLMOS(model=name, home=place)


def judge_here(hide: Callable[[str], str], ask: Callable[[str], str] = input) -> "Judge":
    """Shows both answers, without names, and asks which is better until there is an answer."""

    def judge(left: "Item", right: "Item") -> "Side":
        for (prompt, _), one, other in zip(left.asked, left.turns, right.turns, strict=True):
            print(f"\n{shown(hide(prompt))}\n")
            print(beside(shown(hide(one.text)), shown(hide(other.text)), shutil.get_terminal_size().columns))
        while True:
            try:
                said = ask("\nbetter: left, right, tie, skip, quit? ").strip().casefold()[:1]
            except (EOFError, KeyboardInterrupt):
                return "quit"
            if said in KEYS:
                return KEYS[said]

    return judge


def beside(left: str, right: str, columns: int) -> str:
    """Two texts side by side, or one above the other where it is narrow."""
    if columns < _NARROW:
        return f"left:\n{left or '(nothing)'}\n\nright:\n{right or '(nothing)'}"
    width = (columns - 3) // 2
    halves = [
        ["left" if n == 0 else "right", "", *_lines(text or "(nothing)", width)] for n, text in enumerate((left, right))
    ]
    rows = itertools.zip_longest(*halves, fillvalue="")
    return "\n".join(f"{one:{width}} | {other}".rstrip() for one, other in rows)


def _lines(text: str, width: int) -> list[str]:
    return [part for line in text.splitlines() for part in textwrap.wrap(line, width) or [""]]


def table(found: "Sequence[Rating]", played: "Played | None") -> str:
    """The ratings, and what was played just now."""
    lines = []
    if played is not None:
        told = [f"{played.voted} votes"]
        told += [f"{played.before} compared before"] if played.before else []
        told += [f"{played.skipped} skipped"] if played.skipped else []
        told += [f"{played.unjudged} left out: nobody was here to judge"] if played.unjudged else []
        lines.append(", ".join(told))
    if not found:
        return "\n".join([*lines, "no votes yet"])
    width = max(len(one.name) for one in found)
    for one in found:
        interval = f"[{one.low:6.0f}, {one.high:6.0f}]"
        lines.append(f"{one.name:{width}}  {one.elo:6.0f}  {interval}  {one.won} won, {one.lost} lost, {one.tied} tied")
    return "\n".join(lines)


def _public(played: "Played", found: "Sequence[Rating]") -> dict[str, object]:
    return {"played": asdict(played), "ratings": [asdict(one) for one in found]}


def _progress(done: int, total: int) -> None:
    """How far it is, for those who wait and are not asked."""
    if not sys.stdin.isatty():
        print(f"{done}/{total}", file=sys.stderr, flush=True)
