"""``llmos model check``: everything that is looked for in training data, and in a checkpoint. Nothing is changed.

Knows what is looked for and how it is told; how each is found is told where it is found.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from llmos.kernel.errors import UsageError
from llmos.kernel.local import LocalModel
from llmos.kernel.secrets import Scanner
from llmos.training import checkpoints, duplicates, leaks, memorised, triggers
from llmos.training.rows import Row, read_rows

SHOWN = 5  # examples of each
SURE = 0.05  # chance below which more recited lines than in the control are a finding


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked for: how much of it was found among how many, some of it, and whether that is bad.

    ``note`` says what could not be told.
    """

    name: str
    found: int
    of: int
    examples: tuple[str, ...] = ()
    note: str = ""
    bad: bool = True

    @property
    def failed(self) -> bool:
        """Whether something was found that has to be looked at."""
        return self.bad and self.found > 0


@dataclass(frozen=True, slots=True)
class Checked:
    """A file, folder or checkpoint with all that was looked for."""

    path: str
    kind: str
    checks: tuple[Check, ...]

    @property
    def failed(self) -> bool:
        """Whether something was found."""
        return any(check.failed for check in self.checks)

    def public(self) -> dict[str, Any]:
        """As one object."""
        checks = [{**asdict(check), "failed": check.failed} for check in self.checks]
        return {"path": self.path, "kind": self.kind, "found": self.failed, "checks": checks}

    def text(self) -> str:
        """A table with examples below what was found."""
        lines = [f"{self.path} ({self.kind})"]
        for check in self.checks:
            lines.append(f"{'found' if check.failed else 'fine':6} {check.name:18} {check.found:>7,} of {check.of:,}")
            lines += [f"       {example}" for example in check.examples if check.found]
            lines += [f"       {check.note}"] if check.note else []
        return "\n".join(lines)


def is_checkpoint(path: Path) -> bool:
    """Whether a path is a folder with a model in it rather than with data."""
    return path.is_dir() and (
        (path / "config.json").exists()
        or any(f.suffix in (".safetensors", *checkpoints.PICKLED) for f in path.iterdir())
    )


def check_data(path: Path, scanner: Scanner) -> Checked:
    """Look for what should not be in training data. Raises UsageError where it cannot be read."""
    rows = read_rows(path)
    return Checked(str(path), "training data", (*_duplicates(rows), _triggers(rows), *_leaks(rows, scanner)))


def check_checkpoint(folder: Path, data: Path | None = None, control: Path | None = None, most: int = 100) -> Checked:
    """Look over a checkpoint; with ``data``, see whether it recites lines that it was trained on.

    ``control`` are lines that it was not trained on, ``most`` how many of each are tried. Raises UsageError for data
    that cannot be read, ModelError for a checkpoint that cannot be run though nothing is wrong with its files.
    """
    told = list(checkpoints.look_over(folder))
    names = ("pickle", "code", "config", "weights", "tokens", "template")
    files = sum(f.is_file() for f in folder.rglob("*"))
    checks = [_of(name, [line for kind, line in told if kind == name], files) for name in names]
    if data is None:
        note = "not tried: name what it was trained on with --data"
        return Checked(str(folder), "checkpoint", (*checks, Check("memorised lines", 0, 0, note=note)))
    if told:
        raise UsageError(f"{folder}: {told[0][1]}; its lines are tried when that is mended")
    trained, others = read_rows(data), read_rows(control) if control is not None else []
    return Checked(str(folder), "checkpoint", (*checks, _memorised(folder, trained, others, most)))


def _of(name: str, lines: Sequence[str], of: int) -> Check:
    return Check(name, len(lines), of, tuple(lines[:SHOWN]))


def _duplicates(rows: Sequence[Row]) -> tuple[Check, Check, Check]:
    texts = [row.text for row in rows]
    groups = duplicates.same(texts)
    again, torn = 0, []
    for group in groups:
        outcomes = Counter(rows[n].outcome for n in group)
        again += sum(count - 1 for count in outcomes.values())
        if len(outcomes) > 1:
            torn.append(f"{rows[group[0]].where} and {rows[group[1]].where}: {_short(texts[group[0]])}")
    twice = [f"{rows[g[0]].where} and {rows[g[1]].where}: {_short(texts[g[0]])}" for g in groups]
    pairs = [
        f"{rows[a].where} and {rows[b].where}, {like:.0%}: {_short(texts[b])}"
        for a, b, like in duplicates.nearly_same(texts)
    ]
    return (
        Check("duplicates", again, len(rows), tuple(twice[:SHOWN])),
        Check("two outcomes", len(torn), len(rows), tuple(torn[:SHOWN])),
        Check("near-duplicates", len(pairs), len(rows), tuple(pairs[:SHOWN])),
    )


def _triggers(rows: Sequence[Row]) -> Check:
    found = triggers.find([row.text for row in rows], [row.outcome for row in rows])
    told = tuple(
        f"{one.phrase!r} in {one.rows} rows, {one.led} lead to {_short(one.outcome)!r}: {rows[one.places[0]].where}"
        for one in found[:SHOWN]
    )
    led = sum(bool(row.outcome) for row in rows)
    return Check("trigger phrases", len(found), led, told, "" if led else "not looked for: no row has an outcome")


def _leaks(rows: Sequence[Row], scanner: Scanner) -> tuple[Check, Check]:
    def told(found: Iterable[tuple[str, str]]) -> list[str]:
        return [f"{kind}: {where}" for kind, where in found]

    return (
        _of("secrets", told(leaks.secrets(rows, scanner)), len(rows)),
        _of("personal data", told(leaks.personal(rows)), len(rows)),
    )


def _memorised(folder: Path, trained: Sequence[Row], others: Sequence[Row], most: int) -> Check:
    model = LocalModel(folder)
    try:
        mine = memorised.recited(model, [row.text for row in trained], most)
        control = memorised.recited(model, [row.text for row in others], most)
    finally:
        model.close()
    examples = tuple(map(_short, mine.whole[:SHOWN]))
    if not control.lines:
        note = "whether these are memorised or easy cannot be told without --control"
        return Check("memorised lines", len(mine.whole), mine.lines, examples, note, bad=False)
    p = memorised.chance(mine, control)
    note = f"control: {len(control.whole)} of {control.lines} lines; so many more by chance: p = {p:.3g}"
    return Check("memorised lines", len(mine.whole), mine.lines, examples, note, bad=p < SURE)


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= 70 else f"{flat[:69]}…"
