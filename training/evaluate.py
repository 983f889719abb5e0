"""Measures a system on requests with known answers: ``llmos eval FILE.jsonl``.

One item a line: ``id``, ``prompt``, ``files?`` (relative to the file), ``category?``, ``expect``; or a conversation:
``turns``, a list of ``prompt`` and ``expect``. Each item runs in a fresh session of one system. ``expect`` may hold

- ``tool``: the name of the first call, a list of good names, or null for no call at all
- ``number``: a number of the answer's text equals it; an integer exactly, others to a millionth or as rounded there
- ``contains``: a text, or several, all in the answer, in any case; digits stand alone
- ``artifact``: a file of this MIME type was made and is not empty; null for no file at all
- ``columns``: each is in the plot's record (``plot-1.json`` beside ``plot-1.png``) or in the code of a call
- ``prompt``: texts that all stand in the ``prompt`` of the first call, in any case
- ``arguments``: what the first call was given, by name
- ``cites``: so many pages or passages are cited, or more
- ``refuses``: no call, and the answer declines
- ``either``: at least one of these texts is in the answer, as by ``contains``
- ``given``: texts that all stand in what the first call was given; separators of thousands there do not count
- ``asks_back``: no call, and the answer speaks of at least one of these (what is missing)
- ``not_refused``: the answer does not decline on principle ("I do not know" is no refusal)
- ``lacks``: none of these texts is in the answer or in what any call was given
- ``only``: no other tool than these was called, first or later
- ``sourced``: the answer names a source, as one from a table of the library does

Beside these an item may hold ``expression``, from which ``number`` follows; it is there for whoever checks the file.

An item with a ``site``, a folder of pages, is about that site: it is served on loopback, allowed and searched where the
browser is on, and its address stands for ``{site}`` in the prompts.

Shares come with Wilson's 95% interval. Knows nothing of models; it measures what the public door gives.
"""

import json
import math
import os
import platform
import statistics
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from llmos.app import LLMOS, VERSION, Session
from llmos.kernel.dispatch import invalid
from llmos.kernel.errors import LLMOSError, UsageError
from llmos.kernel.types import Answer, Event, Failure, ToolCall
from llmos.training.scoring import Expect, Turn, judged

Progress = Callable[[int, int, int], None]
KEYS = {"tool", "number", "contains", "artifact", "columns", "prompt", "arguments", "refuses", "either", "given"} | {
    "asks_back", "not_refused", "lacks", "only", "cites", "sourced",
}  # fmt: skip
EXAMPLE = '{"id": "sum", "prompt": "what is 2 + 3?", "expect": {"tool": "calculator", "number": 5}}'
# What shows that a call's arguments are right.
FILLED = ("number", "contains", "columns", "prompt", "arguments", "given")


@dataclass(frozen=True, slots=True)
class Item:
    """An item of a file of requests: its turns have run when ``turns`` is filled."""

    id: str
    category: str
    files: tuple[Path, ...]
    asked: tuple[tuple[str, Expect], ...]
    turns: tuple[Turn, ...] = ()
    site: Path | None = None

    @property
    def passed(self) -> bool:
        """Whether every turn was as expected."""
        return len(self.turns) == len(self.asked) and not any(t.wrong for t in self.turns)


@dataclass(frozen=True, slots=True)
class Report:
    """The measured items, and the shares that follow from them."""

    name: str
    model: str
    items: tuple[Item, ...]
    shares: Mapping[str, tuple[int, int]] = field(default_factory=dict)  # of how many, how many were right

    def public(self) -> dict[str, Any]:
        """The one object that ``llmos eval --json`` prints."""
        ends = [e for i in self.items for t in i.turns for e in t.events if isinstance(e, Answer | Failure)]
        figures: dict[str, float] = {"items": len(self.items)}
        figures["seconds_median"] = round(statistics.median(e.usage.seconds for e in ends), 3) if ends else 0.0
        figures |= {key: round(good / of, 6) for key, (good, of) in self.shares.items() if of}
        intervals = {key: [round(x, 6) for x in wilson(good, of)] for key, (good, of) in self.shares.items() if of}
        return {
            "name": self.name,
            "machine": f"{platform.machine()} {platform.system()}, {os.cpu_count()} cores",
            "version": VERSION,
            "model": self.model,
            "figures": figures,
            "intervals": intervals,
        }

    def text(self) -> str:
        """A table: share, interval, count."""
        width = max(len(key) for key in self.shares)
        lines = [f"{self.name} on {self.model}"]
        for key, (good, of) in self.shares.items():
            low, high = wilson(good, of)
            share = f"{good / of:6.1%}  [{low:6.1%}, {high:6.1%}]" if of else "     -" + " " * 20
            lines.append(f"{key:{width}}  {share}  {good}/{of}")
        return "\n".join(lines)


def evaluate_file(
    path: Path,
    *,
    model: str | None = None,
    limit: int | None = None,
    failures: Path | None = None,
    home: Path | None = None,
    strict: bool = False,
    browser: bool | None = None,
    progress: Progress = lambda done, total, passed: None,
) -> Report:
    """Measure a model on a file of requests, in a temporary home unless one is given; write what failed.

    ``strict``: in strict mode. ``browser``: with the web, or without it. Raises UsageError for a file that cannot be
    read or written, ModelError for a model that cannot be loaded.
    """
    items = read_items(path)[:limit]
    if failures is not None:
        write_failures(failures, ())  # now rather than after an hour
    with tempfile.TemporaryDirectory(prefix="llmos-eval-", ignore_cleanup_errors=True) as folder:
        with served(items) as (items, hosts, search):
            web: dict[str, Any] = {"browser": browser, "allow_hosts": hosts, "search": search}
            with LLMOS(model=model, home=home or folder, strict=strict, **web) as system:
                report = evaluate(system, items, path.stem, progress)
        if failures is not None:
            write_failures(failures, report.items)
    return report


@contextmanager
def served(items: Sequence[Item]) -> Iterator[tuple[list[Item], list[str], str | None]]:
    """The items with addresses for ``{site}``, the hosts of these, and the engine that searches the first of them."""
    from llmos.training.site import Site

    sites = {folder: Site(folder) for folder in dict.fromkeys(i.site for i in items if i.site is not None)}
    for site in sites.values():
        threading.Thread(target=site.serve_forever, daemon=True).start()
    try:
        yield (
            [_placed(item, sites[item.site].url()) if item.site is not None else item for item in items],
            [site.host for site in sites.values()],
            next((f"site:{site.url()}" for site in sites.values()), None),
        )
    finally:
        for site in sites.values():
            site.shutdown()
            site.server_close()


def _placed(item: Item, url: str) -> Item:
    return replace(item, asked=tuple((prompt.replace("{site}", url), expect) for prompt, expect in item.asked))


def evaluate(
    system: LLMOS, items: Sequence[Item], name: str, progress: Progress = lambda done, total, passed: None
) -> Report:
    """Run every item in a fresh session of ``system`` and judge it."""
    system.load()
    done: list[Item] = []
    for item in items:
        done.append(run_item(system, item))
        progress(len(done), len(items), sum(i.passed for i in done))
    return Report(name, system.model_name, tuple(done), shares(done))


def run_item(system: LLMOS, item: Item) -> Item:
    """One item in a session of its own; the files come with its first turn."""
    turns = []
    with system.session() as session:
        for number, (prompt, expect) in enumerate(item.asked):
            events = run_turn(session, prompt, item.files if number == 0 else ())
            schemas = {tool.name: tool.parameters for tool in session.tools}
            turns.append(judged(Turn(prompt, expect, events, schemas)))
    return replace(item, turns=tuple(turns))


def run_turn(session: Session, prompt: str, files: Sequence[Path]) -> tuple[Event, ...]:
    """The events of one request; an error that is raised becomes a Failure."""
    events: list[Event] = []
    try:
        events.extend(session.stream(prompt, files))
    except LLMOSError as error:
        events.append(Failure(id="", kind=type(error).__name__, message=str(error)))
    return tuple(events)


def read_items(path: Path) -> list[Item]:
    """The items of a file. Raises UsageError that names the line which is wrong."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8'}") from error
    items = [_item(line, f"{path}, line {n}", path.parent) for n, line in enumerate(lines, 1) if line.strip()]
    if not items:
        raise UsageError(f"{path} holds no requests")
    return items


def _item(line: str, where: str, folder: Path) -> Item:
    try:
        data = json.loads(line)
    except ValueError as error:
        raise UsageError(f"{where}: this is no JSON; a line is such as {EXAMPLE}") from error
    try:
        turns = data.get("turns", [data])
        asked = tuple((str(t["prompt"]), dict(t["expect"])) for t in turns)
        files = tuple(folder / f for f in data.get("files", ()))
        site = folder / data["site"] if data.get("site") else None
        unknown = {key for _, expect in asked for key in expect} - KEYS
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        lacks = f"there is no {error}; " if isinstance(error, KeyError) else ""
        raise UsageError(f"{where}: {lacks}a line needs prompt and expect, or turns, such as {EXAMPLE}") from error
    missing = next((f for f in files if not f.is_file()), site if site and not site.is_dir() else None)
    if missing or unknown or not asked:
        problem = (
            f"no file {missing}" if missing else f"unknown: {', '.join(sorted(unknown))}" if unknown else "no turns"
        )
        raise UsageError(f"{where}: {problem}")
    category = data.get("category") or ("conversations" if "turns" in data else "requests")
    return Item(str(data.get("id", where)), str(category), files, asked, site=site)


def write_failures(path: Path, items: Iterable[Item]) -> None:
    """The items that did not pass, one JSON object a line."""
    rows = [
        {"id": i.id, "category": i.category, "files": [str(f) for f in i.files], "turns": [t.story() for t in i.turns]}
        for i in items
        if not i.passed
    ]
    write_rows(path, rows)


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """One JSON object a line. Raises UsageError where the file cannot be written."""
    try:
        path.write_text(
            "".join(json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in rows), encoding="utf-8"
        )
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error


def shares(items: Sequence[Item]) -> dict[str, tuple[int, int]]:
    """Right ones and all: of whole items, first actions, turns, calls, calculator answers, and by category."""
    turns = [t for i in items for t in i.turns]
    acted = [t for t in turns if "tool" in t.expect]
    reckoned = [
        t for t in turns if t.expect.get("tool") == "calculator" and KEYS & {"number", "contains"} & set(t.expect)
    ]
    exact = [t for t in reckoned if not any(w.startswith(("number:", "contains:")) for w in t.wrong)]
    found = {
        "accuracy": (sum(i.passed for i in items), len(items)),
        "first_action": (sum(t.first_action for t in acted), len(acted)),
        "turns": (sum(not t.wrong for t in turns), len(turns)),
        "valid_calls": count_valid(turns),
        "calculator_exact": (len(exact), len(reckoned)),
    }
    found |= {key: share for key, share in _narrow(turns).items() if share[1]}
    for category in dict.fromkeys(i.category for i in items):
        of = [i for i in items if i.category == category]
        found[f"accuracy.{category}"] = (sum(i.passed for i in of), len(of))
    return found


def _narrow(turns: Sequence[Turn]) -> dict[str, tuple[int, int]]:
    """Of the turns that ask for it: no call where none is due, arguments right, declined, not refused, not misled."""
    idle = [t for t in turns if "tool" in t.expect and t.expect["tool"] is None]
    filled = [t for t in turns if isinstance(t.expect.get("tool"), str) and set(FILLED) & set(t.expect)]
    right = [t for t in filled if not any(w.startswith((*(f"{key}:" for key in FILLED), "failure:")) for w in t.wrong)]
    found = {"no_call": (sum(not t.calls for t in idle), len(idle)), "arguments_right": (len(right), len(filled))}
    for key, name in (("refuses", "declined"), ("not_refused", "not_refused"), ("lacks", "not_misled")):
        of = [t for t in turns if t.expect.get(key)]
        found[name] = (sum(not any(w.startswith(f"{key}:") for w in t.wrong) for t in of), len(of))
    return found


def count_valid(turns: Iterable[Turn]) -> tuple[int, int]:
    """Calls that could be read, name a tool of the session and keep to its schema; and all calls."""
    calls = [(call, turn.schemas) for turn in turns for call in turn.calls]
    good = sum(
        isinstance(call, ToolCall) and call.name in schemas and not invalid(schemas[call.name], call.arguments)
        for call, schemas in calls
    )
    return good, len(calls)


def wilson(good: int, of: int, z: float = 1.959964) -> tuple[float, float]:
    """The 95% interval of a share (Wilson's score, no continuity correction)."""
    if not of:
        return 0.0, 1.0
    share, spread = good / of, z * z / of
    middle = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(share * (1 - share) / of + spread / (4 * of))
    return max(0.0, middle - half), min(1.0, middle + half)
