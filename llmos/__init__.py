"""llmos: an operating system whose kernel process is a local language model.

Public names are loaded when first used, so ``import llmos`` is quick and loads no heavy library.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llmos.app import LLMOS
    from llmos.kernel.budget import Budget
    from llmos.kernel.engine import Sampling
    from llmos.kernel.errors import BudgetError, Cancelled, DeniedError, LLMOSError, ModelError, QuotaError, UsageError
    from llmos.kernel.function import tool
    from llmos.kernel.persona import Persona
    from llmos.kernel.scripted import Scripted
    from llmos.kernel.tool import Tool, ToolContext, ToolError, ToolOutput
    from llmos.kernel.types import Answer, Artifact, Citation, Event, ToolCall, Usage
    from llmos.talk import Session

__version__ = "0.1.0"

_HOMES = {
    "LLMOS": "llmos.app",
    "Session": "llmos.talk",
    "BudgetError": "llmos.kernel.errors",
    "Cancelled": "llmos.kernel.errors",
    "DeniedError": "llmos.kernel.errors",
    "LLMOSError": "llmos.kernel.errors",
    "ModelError": "llmos.kernel.errors",
    "QuotaError": "llmos.kernel.errors",
    "UsageError": "llmos.kernel.errors",
    "tool": "llmos.kernel.function",
    "Persona": "llmos.kernel.persona",
    "Sampling": "llmos.kernel.engine",
    "Scripted": "llmos.kernel.scripted",
    "Budget": "llmos.kernel.budget",
    "Tool": "llmos.kernel.tool",
    "ToolContext": "llmos.kernel.tool",
    "ToolError": "llmos.kernel.tool",
    "ToolOutput": "llmos.kernel.tool",
    "Answer": "llmos.kernel.types",
    "Artifact": "llmos.kernel.types",
    "Citation": "llmos.kernel.types",
    "Event": "llmos.kernel.types",
    "ToolCall": "llmos.kernel.types",
    "Usage": "llmos.kernel.types",
}

__all__ = [
    "LLMOS",
    "Answer",
    "Artifact",
    "Budget",
    "BudgetError",
    "Cancelled",
    "Citation",
    "DeniedError",
    "Event",
    "LLMOSError",
    "ModelError",
    "Persona",
    "QuotaError",
    "Sampling",
    "Scripted",
    "Session",
    "Tool",
    "ToolCall",
    "ToolContext",
    "ToolError",
    "ToolOutput",
    "Usage",
    "UsageError",
    "tool",
]


def __getattr__(name: str) -> Any:
    """Load a public name from the module that defines it (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'llmos' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
