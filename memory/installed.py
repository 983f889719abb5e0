"""Personas that came in packages: put below the home whole or not at all, updated within what was allowed, removed."""

import json
import os
import shutil
import tempfile
from pathlib import Path

from llmos.kernel.errors import UsageError
from llmos.memory import personas
from llmos.memory.package import Package, read_manifest
from llmos.memory.personas import FILE, FOLDER, MANIFEST, places
from llmos.memory.shelf import FILE as DATABASE
from llmos.memory.store import FOLDER as MEMORY
from llmos.memory.store import Memory


def check(package: Package, home: Path) -> str:
    """The version that this package would take the place of; empty for a new one.

    Raises UsageError where it may not be installed: another persona has the name, or an update asks for more.
    """
    name = package.persona.slug
    file = places(home).get(name)
    if file is None:
        return ""
    if not personas.installed(file):
        whose = "one of yours" if file.is_relative_to(home) else "one that comes with llmos"
        raise UsageError(f"there is a persona {name} already, {whose}; a package does not take its place")
    before = read_manifest((file.parent / MANIFEST).read_bytes())
    if more := sorted(set(package.permissions) - set(before["permissions"])):
        told = ", ".join(more)
        raise UsageError(
            f"{name} {package.version} asks for more than {before['version']} did: {told}; remove it first"
        )
    if _number(package.version) < _number(before["version"]):
        raise UsageError(f"{name} {before['version']} is newer than {package.version}; remove it first")
    return str(before["version"])


def install(package: Package, home: Path) -> Path:
    """Put a package's persona below the home; its file. Raises UsageError as :func:`check` does."""
    check(package, home)
    root = home / FOLDER
    root.mkdir(parents=True, exist_ok=True)
    target = root / package.persona.slug
    with tempfile.TemporaryDirectory(dir=root, prefix=".new-") as new:
        made = Path(new) / "made"
        for name, data in ((MANIFEST, package.manifest), *package.parts.items()):
            path = made / name  # the package's names were checked: plain, relative, no way out
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
        old = Path(new) / "old"
        if target.exists():
            target.rename(old)
        try:
            made.rename(target)
        except OSError:
            if old.exists():
                old.rename(target)
            raise
    return target / FILE


def remove(name: str, home: Path) -> int:
    """Remove a persona of the home and all that it alone knew; how many documents that were.

    Raises UsageError for one that is not there, or that comes with llmos.
    """
    file = places(home).get(name)
    if file is None or not file.is_relative_to(home / FOLDER):
        more = "" if file is None else " of yours; it comes with llmos"
        raise UsageError(f"there is no persona {name}{more}")
    try:
        shutil.rmtree(file.parent)
    except OSError as error:
        raise UsageError(f"cannot remove {file.parent}: {error.strerror or error}") from error
    if not (home / MEMORY / DATABASE).exists():
        return 0
    with Memory(home) as memory:
        return personas.forget(memory, name)


def version(file: Path) -> str:
    """The version of an installed persona; empty for another."""
    if not personas.installed(file):
        return ""
    return str(json.loads((file.parent / MANIFEST).read_text(encoding="utf-8")).get("version", ""))


def _number(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))
