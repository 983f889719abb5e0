"""A page as text for the model: its blocks as lines, its tables as files that Python reads by name, in parts that fit.

Also the reading view: the main text without menus and footers, as trafilatura finds it among what is visible. Knows the
walker's blocks; nothing of Chromium.
"""

import csv
import html
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmos.kernel import beneath
from llmos.kernel.hygiene import clean

PART = 5_000  # characters of a page that are shown at once
SMALL = 12  # rows of a table that are shown whole
SOME = 4  # rows that are shown of a longer one
MAX_TABLES = 20
MAX_TABLE = 8 << 20
_REF = re.compile(r"\[([^\[\]\n]*)\]\{\d+\}")


@dataclass(slots=True)
class Page:
    """A page that was read: what it is, and its visible text in parts; ``at`` is the part shown last.

    ``private``: it came with cookies that the user keeps.
    """

    number: int
    url: str
    title: str
    time: float
    parts: list[str]
    notes: list[str] = field(default_factory=list)
    blocks: Sequence[Mapping[str, Any]] = ()
    at: int = 0
    private: bool = False

    @property
    def text(self) -> str:
        """The whole."""
        return "\n".join(self.parts)


def bare(text: str) -> str:
    """Text without the numbers of what can be clicked."""
    return _REF.sub(r"\1", text)


def lines(blocks: Sequence[Mapping[str, Any]], tables: Sequence[Sequence[str]]) -> list[str]:
    """Blocks as lines of text; ``tables`` are the lines that stand for each."""
    found: list[str] = []
    for block in blocks:
        text = clean(str(block.get("s", "")))
        match block.get("t"):
            case "h":
                found.append(f"{'#' * min(int(block.get('n', 1)), 6)} {text}")
            case "table":
                found += tables[int(block["k"])]
            case _:
                found.append(text)
    return found


def parts(text_lines: Sequence[str], size: int = PART) -> list[str]:
    """Lines in parts of at most ``size`` characters; a longer line is cut at a space."""
    made: list[str] = []
    held = ""
    for line in text_lines:
        while len(line) > size:
            cut = line.rfind(" ", 0, size) if " " in line[:size] else size
            line, rest = line[: cut or size], line[cut or size :].lstrip()
            made += [p for p in (held, line) if p]
            held, line = "", rest
        if held and len(held) + 1 + len(line) > size:
            made.append(held)
            held = line
        else:
            held = f"{held}\n{line}" if held else line
    return [*made, held] if held or not made else made


def keep_tables(tables: Sequence[Mapping[str, Any]], workspace: Path) -> list[list[str]]:
    """Write each table as a CSV file of the workspace; the lines by which each is shown."""
    return [_kept(table, workspace) if i < MAX_TABLES else _rows(table) for i, table in enumerate(tables)]


def _kept(table: Mapping[str, Any], workspace: Path) -> list[str]:
    rows = [[bare(clean(str(cell))) for cell in row] for row in table["rows"]]
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    shown = _rows(table)
    data = stream.getvalue().encode()
    if len(data) > MAX_TABLE:
        return [*shown, "(the table is too large to be kept)"]
    number = 1
    while True:
        try:
            path = beneath.create(workspace, f"table-{number}.csv", data)
            break
        except FileExistsError:
            number += 1
        except OSError as error:
            return [*shown, f"(the table could not be kept: {error.strerror})"]
    head = int(bool(table.get("head")))
    about = f"{len(rows) - head} rows, columns: {', '.join(rows[0])[:300]}" if head else f"{len(rows)} rows"
    return [*shown, f"(table kept as {path.name}: {about})"]


def _rows(table: Mapping[str, Any]) -> list[str]:
    rows = [" | ".join(clean(str(cell)) for cell in row) for row in table["rows"]]
    caption = [f"Table: {clean(str(table['caption']))}"] if table.get("caption") else []
    if len(rows) <= SMALL + 1:
        return [*caption, *rows]
    return [*caption, *rows[: SOME + 1], f"… ({len(rows) - SOME - 1} more rows)"]


def find(page: Page, words: str, room: int = 300) -> list[str]:
    """The passages of a page around some words: as they stand, else the lines that hold most of them."""
    text, wanted = page.text, " ".join(words.split())
    found: list[str] = []
    at = last = 0
    for match in re.finditer(re.escape(wanted).replace(r"\ ", r"\s+"), text, re.IGNORECASE):
        if match.start() < at and found:
            continue
        start = max(text.rfind("\n", 0, match.start()) + 1, match.start() - room)
        end = text.find("\n", match.end())
        end = min(len(text) if end < 0 else end, match.end() + room)
        found.append(text[start:end])
        at = last = end
        if len(found) >= 12:
            break
    if found or not wanted:
        return found
    asked = {w.casefold() for w in re.findall(r"\w+", wanted) if len(w) > 2}
    ranked = [(len(asked & {w.casefold() for w in re.findall(r"\w+", line)}), line) for line in text.split("\n")]
    best = max((n for n, _ in ranked), default=last)
    return [line[: 2 * room] for n, line in ranked if n == best][:8] if best >= max(1, len(asked) / 2) else []


def article(page: Page) -> str:
    """The main text of a page, without menus, footers and the like; empty where none stands out."""
    import trafilatura

    told = trafilatura.extract(
        _html(page), output_format="txt", include_comments=False, include_tables=True, favor_precision=False
    )
    return clean(told or "")


def _html(page: Page) -> str:
    out = [f"<html><head><title>{html.escape(page.title)}</title></head><body>"]
    region = ""
    for block in page.blocks:
        if block.get("r", "") != region:
            out += [f"</{region}>"] * bool(region)
            region = str(block.get("r", ""))
            out += [f"<{region}>"] * bool(region)
        text = html.escape(bare(str(block.get("s", ""))))
        if block.get("t") == "h":
            level = min(int(block.get("n", 1)), 6)
            out.append(f"<h{level}>{text}</h{level}>")
        elif text:
            out.append(f"<p>{text}</p>")
    return "".join([*out, f"</{region}>" * bool(region), "</body></html>"])
