"""A page as the browser's tools show it, read back: what it says line by line, and what can be clicked or filled there.

Only what is shown counts. Knows the form of tools/page_view and tools/browser, nothing of Chromium or of models.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_HEAD = re.compile(r"\[(\d+)\] ([^\n]*)\n(\S+)((?:\n\([^\n]*\))*)(?:\n\n(.*))?", re.DOTALL)
_REF = re.compile(r"\[([^\[\]\n]*)\]\{(\d+)\}")
_FIELD = re.compile(r"[a-z-]+ field\b")
_CHOICE = re.compile(r'choice = "([^"]*)" of: (.*)')
_HINT = re.compile(r'hint "([^"]*)"')
_BUTTON = re.compile(r"(.*) button")
_KEPT = re.compile(r"\(table kept as (table-\d+\.csv): .*\)")
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[\"'\u201c(]?[A-Z0-9])")
_MORE = re.compile(r"part (\d+) of (\d+)")
SHORT, LONGEST = 240, 600  # characters of a paragraph that is quoted whole, and of any line


@dataclass(frozen=True, slots=True)
class Thing:
    """Something with a number: ``kind`` is link, button, field or choice; ``options`` are a choice's."""

    ref: int
    label: str
    kind: str
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """A short paragraph, a sentence or a table's row as it can be quoted.

    ``about`` is the headings and the columns it stands under.
    """

    text: str
    about: str = ""
    row: bool = False  # of a table, its cells told with their columns' names


@dataclass(frozen=True, slots=True)
class Shown:
    """A page in view. ``kept``: the files its tables went into; ``more``: there are further parts."""

    number: int
    title: str
    url: str
    lines: tuple[Line, ...]
    things: tuple[Thing, ...]
    kept: tuple[str, ...]
    more: bool


def page(text: str) -> Shown | None:
    """What a result shows; None where it shows no page."""
    found = _HEAD.match(text)
    if found is None:
        return None
    number, title, url, notes, body = found.groups()
    more = _MORE.search(notes)
    rows = (body or "").split("\n")
    return Shown(
        int(number),
        title,
        url,
        tuple(_lines(rows)),
        tuple(_sure(thing for row in rows for thing in _things(row))),
        tuple(kept[1] for row in rows if (kept := _KEPT.fullmatch(row))),
        more is not None and int(more[1]) < int(more[2]),
    )


def _things(row: str) -> list[Thing]:
    made, at = [], 0
    for found in _REF.finditer(row):
        before, at = row[at : found.start()].strip(" :"), found.end()
        label, ref = found[1], int(found[2])
        choice, hint = _CHOICE.match(label), _HINT.search(label)
        if choice is not None:
            options = tuple(option.strip() for option in choice[2].split("|"))
            made.append(Thing(ref, before or choice[1], "choice", options))
        elif _FIELD.match(label):
            made.append(Thing(ref, " ".join(filter(None, (before, hint[1] if hint else ""))), "field"))
        elif button := _BUTTON.fullmatch(label):
            made.append(Thing(ref, button[1], "button"))
        else:
            made.append(Thing(ref, label, "link"))
    return made


def _sure(things: Iterable[Thing]) -> list[Thing]:
    """Each thing once; none whose number stands at another name too, as a page can write what looks like one."""
    found: dict[int, set[Thing]] = {}
    for thing in things:
        found.setdefault(thing.ref, set()).add(thing)
    return [same.pop() for same in found.values() if len(same) == 1]


def _lines(rows: Sequence[str]) -> list[Line]:
    """Sentences and tables' rows, without menus: a line that is nothing but links says nothing."""
    made: list[Line] = []
    headings: list[str] = []
    heads: list[str] = []
    for row in rows:
        plain = _REF.sub(lambda m: m[1], row).strip()
        if row.startswith("#"):
            depth = len(row) - len(row.lstrip("#"))
            headings = [*headings[: depth - 1], plain.lstrip("# ")]
            continue
        if not plain or plain == "\u2026" or _KEPT.fullmatch(row) or len(_REF.sub("", row).strip(" |,")) < 3:
            continue
        about = " \u203a ".join(headings)
        cells = [cell.strip() for cell in plain.split(" | ")]
        if len(cells) > 1:
            if len(heads) != len(cells):
                heads = cells
                continue
            told = ", ".join(f"{head} {cell}" for head, cell in zip(heads[1:], cells[1:], strict=True) if cell)
            made.append(Line(f"{cells[0]}: {told}", f"{about} {heads[0]}", row=True))
            continue
        heads = []
        parts = [plain] if len(plain) <= SHORT else _SENTENCE.split(plain)
        made += [Line(part.strip()[:LONGEST], about) for part in parts if part.strip()]
    return made
