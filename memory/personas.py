"""Where personas lie: the shipped ones, those in the home's ``personas``, a file by its path; and what they know.

One of the home stands before a shipped one of the same name. Knowledge files go into the persona's own collection.
"""

import re
import tempfile
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from llmos.kernel import beneath
from llmos.kernel.errors import LLMOSError, UsageError
from llmos.kernel.persona import Persona, nearest, parse, read, slug
from llmos.memory import ingest
from llmos.memory.record import Where
from llmos.memory.store import Memory

FOLDER, FILE, MANIFEST = "personas", "persona.md", "manifest.json"


def shipped() -> Path:
    """The folder of the personas that come with llmos."""
    return Path(str(files("llmos.prompts").joinpath(FOLDER)))


def places(home: Path) -> dict[str, Path]:
    """Every persona there is by its short name, and its file; a broken one too."""
    found = {file.stem: file for file in sorted(shipped().glob("*.md"))}
    for file in sorted((home / FOLDER).glob(f"*/{FILE}")):
        if not file.parent.name.startswith("."):  # one that is being put there
            found[file.parent.name] = file
    return dict(sorted(found.items()))


def installed(file: Path) -> bool:
    """Whether a persona's file came in a package."""
    return file.name == FILE and (file.parent / MANIFEST).exists()


def find(name: str, home: Path) -> Persona:
    """The persona of a name, or of a Markdown file. Raises UsageError where there is none or it cannot be read."""
    path = Path(name).expanduser()
    if name.endswith(".md") or "/" in name:
        if not path.is_file():
            raise UsageError(f"there is no file {name}")
        kept = next((n for n, file in places(home).items() if file.resolve() == path.resolve()), "")
        return read(path, kept, installed(path))
    known = places(home)
    if (wanted := slug(name)) not in known:
        raise UsageError(f"there is no persona {name!r}{nearest(wanted, list(known))}")
    file = known[wanted]
    made = read(file, wanted, installed(file))
    if made.slug != wanted:
        raise UsageError(f"{file} is named {made.name!r}; its folder or file has to be called {made.slug}")
    return made


def every(home: Path) -> Iterator[tuple[str, Persona | LLMOSError]]:
    """All personas by name; for one that cannot be read, why."""
    for name in places(home):
        try:
            yield name, find(name, home)
        except LLMOSError as error:
            yield name, error


def create(home: Path, name: str, text: str) -> Path:
    """Keep a new persona of one's own; its file. Raises UsageError where there is one of that name, or it is none."""
    made = parse(text, f"{slug(name)}.md", home / FOLDER / slug(name))
    if made.slug in places(home):
        raise UsageError(f"there is a persona {made.slug} already; llmos persona edit {made.slug} changes it")
    folder = home / FOLDER / made.slug
    folder.mkdir(parents=True, exist_ok=True)
    return beneath.create(folder, FILE, text.encode())


def own(home: Path, name: str) -> Path:
    """The file of a persona for editing: a shipped one is copied into the home first, with its knowledge."""
    made, file = find(name, home), places(home).get(slug(name))
    if file is None or file.is_relative_to(home / FOLDER):
        return file or Path(name)
    (home / FOLDER).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home / FOLDER, prefix=".new-") as new:
        folder = Path(new) / made.slug
        for path in made.files():
            copy = folder / path.relative_to(file.parent)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
        folder.mkdir(exist_ok=True)
        (folder / FILE).write_bytes(file.read_bytes())
        folder.rename(home / FOLDER / made.slug)
    return home / FOLDER / made.slug / FILE


def learn(memory: Memory, persona: Persona) -> int:
    """Bring a persona's collection up to date with its knowledge files; how many could be read.

    What lay in its folder and is no longer named is forgotten. Raises UsageError for a file that cannot be read.
    """
    paths = persona.files()
    for taken in ingest.add(memory, paths, persona=persona.key):
        if taken.added is None:
            raise UsageError(f"{persona.name}: {taken.problem}")
    if persona.home is not None:
        root = persona.home.resolve()
        kept = [path.resolve() for path in paths]
        old = [d for d in memory.documents(Where(persona=persona.key)) if d.persona == persona.key and d.kind == "file"]
        gone = [d.id for d in old if _under(d.location, [root]) and not _under(d.location, kept)]
        memory.forget(gone)
    return len(paths)


def forget(memory: Memory, key: str) -> int:
    """Forget all that a persona alone knew."""
    return memory.forget([d.id for d in memory.documents(Where(persona=key)) if d.persona == key])


def _under(location: str, roots: list[Path]) -> bool:
    path = Path(re.sub(r"!.*", "", location))
    return any(path == root or path.is_relative_to(root) for root in roots)
