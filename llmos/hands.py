"""A session's hands: the tools it is given beside the user's own. Knows neither models nor what may be called when."""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from llmos.kernel import beneath
from llmos.kernel.engine import Model
from llmos.kernel.errors import LLMOSError, UsageError
from llmos.kernel.examples import knows
from llmos.kernel.noted import RECALL, REMEMBER
from llmos.kernel.paths import path
from llmos.kernel.reading import Reading
from llmos.kernel.scene import TOOL
from llmos.kernel.surfing import Surfing
from llmos.kernel.tool import Tool
from llmos.kernel.types import ArtifactMade, Call, Event, Result, ToolCall
from llmos.memory.log import SessionLog, SessionStore
from llmos.memory.quotas import Quotas
from llmos.memory.workspace import DATA
from llmos.tools.calculator import make_calculator
from llmos.tools.marks import Marks
from llmos.tools.python import PythonTool, Replaying
from llmos.tools.recall import PASSAGES
from llmos.tools.sandbox import Limits

if TYPE_CHECKING:
    from llmos.memory.store import Memory

# Hosts that are allowed, those that forms may go to, the engine, and the home and name of a profile.
Web = tuple[Sequence[str], Sequence[str], str | None, tuple[Path, str] | None]


class System(Protocol):
    """What is asked of a system here."""

    allow_hosts: Sequence[str]
    allow_posts: Sequence[str]
    search: str | None
    browser: bool | None
    browser_profile: str | None
    remembers: bool | None
    store: SessionStore

    @property
    def memory(self) -> "Memory": ...


def make_python(log: SessionLog, quotas: Quotas, replaying: Replaying) -> PythonTool:
    """The session's Python, in the state that its log tells."""
    limits = Limits(total=quotas.workspace, total_files=quotas.files)
    return PythonTool(log.workspace, replay=good_code(path(log.events())), limits=limits, replaying=replaying)


def make_tools(
    log: SessionLog,
    quotas: Quotas,
    python: PythonTool,
    memory: "Callable[[], Memory] | None",
    web: Web | None,
    persona: str = "",
    remembers: bool = True,
    notes: bool = False,
) -> list[Tool]:
    """The built-in tools; those of the memory and the web where these are given. What they show is numbered through.

    ``persona`` is the collection of the memory that they see beside what all share. Unless it ``remembers`` it only
    looks things up there, and with ``notes`` keeps what the user tells.
    """
    made, marks = [make_calculator(), python.tool()], Marks.after(log.events())
    if memory is not None:
        from llmos.tools import remembering

        tools = remembering.make_tools(memory, log.id, marks, persona)
        made += [t for t in tools if remembers or t.name == RECALL or (notes and t.name == REMEMBER)]
    if web is not None:
        from llmos.tools.browser_make import make_browser

        made += make_browser(log.workspace, quotas, log.events, marks, *web)
    return made


def web(system: System) -> Web:
    """What the browser's tools are made with."""
    profile = (system.store.home, system.browser_profile) if system.browser_profile else None
    return system.allow_hosts, system.allow_posts, system.search, profile


def may_read(system: System) -> bool:
    """Whether documents may be looked up at all: the memory is not turned off, and there is an embedder."""
    return system.remembers is not False and not memory_missing()


def reading(
    system: System, log: SessionLog, persona: str, hides: bool, reads: bool, browses: bool
) -> Callable[[Model], Model] | None:
    """What makes of the embedded kernel one that answers from documents where it ``reads``, and from the web where it
    ``browses``; a home without documents is not looked at.

    None where it does neither, as where there is no embedder. A memory that cannot be searched has nothing near a
    question: that is no reason to fail.
    """
    from llmos.memory import preview, record, shelf, store

    if not (reads or browses) or memory_missing():
        return None

    where = record.Where(persona=persona, attached_to=log.id)

    def found(asked: str) -> list[tuple[str, str]]:
        if not (system.store.home / store.FOLDER / shelf.FILE).is_file() and not os.environ.get("LLMOS_MEMORY_URL"):
            return []
        try:
            hits = system.memory.search(asked, PASSAGES, where)
        except LLMOSError:
            return []
        return [(f"{hit.document.title} {hit.chunk.heading}", hit.chunk.text) for hit in hits]

    def told(name: str) -> str:
        """Of a file of the session, as requests tell of theirs; it is reached without following a link."""
        for place in (f"{DATA}/{name}", name):
            with suppress(OSError, UsageError):
                file = beneath.open_beneath(log.workspace, place, os.O_RDONLY)
                try:
                    return preview.preview(Path(f"/proc/self/fd/{file}"), name)
                finally:
                    os.close(file)
        return ""

    def read(model: Model) -> Model:
        made = Reading(model, found, hides) if reads else model
        return Surfing(made, told, bool(system.browser or system.search)) if browses else made

    return read


def make_images(log: SessionLog, given: str | None, seed: int, brief: bool = False) -> list[Tool]:
    """What draws, and what paints where there is a checkpoint (``given``, or as it was set).

    ``brief``: for the embedded kernel, which paints where it was taught to, and does not write drawings.
    """
    from llmos.tools import image, image_checkpoint, image_svg

    model = image_checkpoint.named(given)
    if brief and not knows(TOOL):
        return []
    made = [] if brief or image_svg.missing() else [image_svg.make_image_svg()]
    if model and not image_checkpoint.missing():
        made.append(image.make_image(model, lambda: pictures_of(log.events()), seed, brief))
    return made


def pictures_of(events: Sequence[Event]) -> int:
    """How many pictures the tool ``image`` made in a log."""
    calls = {
        e.call.id for e in events if isinstance(e, Call) and isinstance(e.call, ToolCall) and e.call.name == "image"
    }
    return sum(isinstance(e, ArtifactMade) and e.call_id in calls for e in events)


def memory_missing() -> str:
    """An empty string where this host can have the memory's tools, else one line on what is missing."""
    from llmos.kernel.minilm import missing

    return missing()


def browser_missing() -> str:
    """An empty string where this host can have the browser's tools, else one line on what is missing."""
    from llmos.tools.browser_check import missing

    return missing()


def good_code(events: Sequence[Event]) -> list[str]:
    """The Python cells of a log that worked, in order: running them again gives the state back."""
    worked = {e.result.call_id for e in events if isinstance(e, Result) and e.result.ok}
    calls = [e.call for e in events if isinstance(e, Call) and isinstance(e.call, ToolCall)]
    return [str(c.arguments["code"]) for c in calls if c.name == "python" and c.id in worked]
