"""Whether a call may happen: one pure function over what the tool declares. Denies by default.

Knows nothing of models or terminals; asking is dispatch's business. Rules over labels and user grants come with
provenance; until then anything beyond computing in the box asks.
"""

from dataclasses import dataclass
from typing import Literal

from llmos.kernel.tool import Tool

Verdict = Literal["allow", "ask", "deny"]


@dataclass(frozen=True, slots=True)
class Ruling:
    """A verdict and the name of the rule that gave it."""

    verdict: Verdict
    rule: str


def decide(tool: Tool | None) -> Ruling:
    """Decide a call to ``tool``; None stands for a name that no tool of this session has."""
    if tool is None:
        return Ruling("deny", "unknown-tool")
    if tool.capabilities is None:
        return Ruling("ask", "undeclared")
    if not tool.capabilities:
        return Ruling("allow", "pure")
    if tool.capabilities == {"exec"}:
        return Ruling("allow", "boxed")
    return Ruling("ask", "+".join(sorted(tool.capabilities)))
