"""Who speaks in a session, and which of its tools exist for that persona. Knows personas, not what tools do."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from llmos.hands import memory_missing
from llmos.kernel.errors import UsageError
from llmos.kernel.persona import Persona, nearest
from llmos.kernel.tool import Tool
from llmos.kernel.types import Started
from llmos.memory import personas

NOBODY = "llmos"  # in a log: no persona speaks
_MEMORY = frozenset({"remember", "recall", "forget", "open_file"})
# What a persona may name though this host or model does not have it.
KNOWN = (*("calculator", "python", "ask", "extract", "browser", "image", "image_svg"), *sorted(_MEMORY))


def settle(given: Persona | str | None, begun: Started | None, home: Path) -> Persona | None:
    """Who speaks: who is given, or who spoke before in a session that is taken up again.

    Raises UsageError for a persona that cannot be found, and for another one than began the session.
    """
    persona = personas.find(given, home) if isinstance(given, str) else given
    if begun is None or (persona is not None and persona.ref == begun.persona):
        return persona
    if persona is not None:
        whose = "no persona" if begun.persona == NOBODY else begun.persona
        raise UsageError(f"session {begun.session} began with {whose}, not {persona.name}; start a new one")
    if begun.persona.startswith("python:"):
        raise UsageError(f"session {begun.session} began with {begun.persona[7:]}, made in Python; give it as persona=")
    return None if begun.persona == NOBODY else personas.find(begun.persona, home)


def wants(persona: Persona | None, what: Literal["memory", "web"]) -> bool:
    """Whether a persona names tools of the memory, or of the browser."""
    names = (persona.tool_names if persona is not None else None) or ()
    if what == "memory":
        return bool(_MEMORY & set(names)) or (persona is not None and bool(persona.knowledge))
    return any(name == "browser" or name.startswith("browser_") for name in names)


def keeps(remembers: bool | None, strict: bool) -> bool:
    """Whether the embedded kernel, whose memory is off, keeps notes beyond a session: where nobody said otherwise."""
    return remembers is None and not strict and not memory_missing()


def may(persona: Persona | None, tool: str) -> bool:
    """Whether a tool, where it is there, exists for a persona."""
    return persona is None or persona.allows(tool)


def hands_of(persona: Persona | None, tools: Sequence[Tool]) -> list[Tool]:
    """The tools that exist for a persona. Raises UsageError where it names one that nobody knows."""
    if persona is None:
        return list(tools)
    there = [*tools, *persona.own_tools]
    known = [*KNOWN, *(tool.name for tool in there)]
    for name in persona.tool_names or ():
        if name not in known and not name.startswith("browser_"):
            raise UsageError(f"{persona.name} names a tool that is not there: {name}{nearest(name, known)}")
    return [tool for tool in there if persona.allows(tool.name)]


def lacks(persona: Persona | None, embedded: bool, remembers: bool, missing: str) -> str:
    """One line on what a persona cannot do here; empty where it can all."""
    if persona is None:
        return ""
    if embedded:
        more = " nor read its sources" if persona.knowledge and not remembers else ""
        return (
            f"the embedded kernel cannot follow {persona.name}'s instructions{more}; a larger model can: --model MODEL"
        )
    if persona.knowledge and not remembers:
        return f"{persona.name} cannot read its sources: {missing or 'the memory is off'}"
    return ""
