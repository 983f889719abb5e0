"""What the user allowed or denied beforehand, kept in ``policy.toml`` in llmos' home: out of every tool's reach.

Knows the file alone; what a grant means is policy's business.
"""

import json
import os
import tomllib
from collections.abc import Sequence
from pathlib import Path

from llmos.kernel.errors import UsageError
from llmos.kernel.policy import Grant, Grants

FILE = "policy.toml"
_HEAD = "# Written by llmos policy allow and llmos policy deny.\n"


def load(home: Path) -> Grants:
    """The grants of a home; none where there is no file. Raises UsageError where it cannot be read."""
    path = home / FILE
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        return Grants(*(tuple(parse(str(line)) for line in data.get(key, [])) for key in ("allow", "deny")))
    except FileNotFoundError:
        return Grants()
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(f"{path} cannot be read: {error}; mend it or remove it") from error


def save(home: Path, grants: Grants) -> None:
    """Write the grants, whole or not at all."""
    home.mkdir(parents=True, exist_ok=True)
    lines = [f"{key} = {json.dumps([spell(g) for g in getattr(grants, key)])}\n" for key in ("allow", "deny")]
    part = home / f"{FILE}.{os.getpid()}"
    part.write_text(_HEAD + "".join(lines), encoding="utf-8")
    part.replace(home / FILE)


def change(grants: Grants, verdict: str, grant: Grant | None, tool: str) -> Grants:
    """The grants with one of a tool put in the place of all it had; ``grant`` None takes them out."""
    kept = {key: tuple(g for g in getattr(grants, key) if g.tool != tool) for key in ("allow", "deny")}
    if grant is not None:
        kept[verdict] = (*kept[verdict], grant)
    return Grants(kept["allow"], kept["deny"])


def parse(text: str) -> Grant:
    """A grant as it is written: ``weather`` or ``weather city=Berlin unit=C``. Raises ValueError."""
    name, *conditions = text.split()
    return Grant(name, tuple(condition(c) for c in conditions))


def condition(text: str) -> tuple[str, str]:
    """``city=Berlin`` as a pair. Raises ValueError."""
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise ValueError(f"{text!r} is no condition of the form argument=value")
    return key, value


def spell(grant: Grant) -> str:
    """A grant as it is written."""
    return " ".join([grant.tool, *(f"{key}={value}" for key, value in grant.where)])


def granted(names: Sequence[str]) -> Grants:
    """Grants that allow these."""
    return Grants(tuple(parse(name) for name in names))
