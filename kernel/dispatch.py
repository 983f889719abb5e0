"""Runs one call: validate, decide, run, shorten. The model's mistakes become results; the one broad catch is here.

Knows no particular tool and no model.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from llmos.kernel import beneath
from llmos.kernel.policy import Ruling, decide
from llmos.kernel.tool import Tool, ToolContext, ToolError, ToolOutput
from llmos.kernel.types import Malformed, Source, ToolCall, ToolResult

PREVIEW = 1500  # characters of a result that enter the context
Approve = Callable[[ToolCall], bool]


@dataclass(frozen=True, slots=True)
class Dispatcher:
    """The tools of a session, its workspace, and who approves what policy asks for (None: nobody is there)."""

    tools: Mapping[str, Tool]
    workspace: Path
    approve: Approve | None = None
    timeout: float = 30.0

    def rule(self, call: ToolCall) -> tuple[Ruling, bool]:
        """What policy says of a call, and whether it may go on (an ask is put to the approver)."""
        ruling = decide(self.tools.get(call.name))
        if ruling.verdict == "ask":
            return ruling, self.approve is not None and self.approve(call)
        return ruling, ruling.verdict == "allow"

    def refuse(self, call: ToolCall | Malformed, ruling: Ruling | None) -> ToolResult:
        """The result of a call that does not run: malformed, unknown or not allowed."""
        if isinstance(call, Malformed):
            return failed(call.id, "kernel", f"error: the call could not be read: {call.problem}")
        if ruling is not None and ruling.rule == "unknown-tool":
            names = ", ".join(self.tools) or "none"
            return failed(call.id, "kernel", f"error: there is no tool {call.name}; tools: {names}")
        return failed(call.id, "kernel", f"error: {call.name} was not allowed ({ruling.rule if ruling else 'policy'})")

    def run(self, call: ToolCall, context: ToolContext) -> ToolResult:
        """Run an allowed call; whatever goes wrong is a result that says so."""
        tool = self.tools[call.name]
        began = time.monotonic()
        problem = invalid(tool.parameters, call.arguments)
        if problem:
            return failed(call.id, call.name, f"error: {problem}")
        try:
            output = tool.run(call.arguments, context)
        except ToolError as error:
            output = ToolOutput(f"error: {error}", ok=False)
        except Exception as error:
            output = ToolOutput(f"error: {call.name} failed: {type(error).__name__}: {error}", ok=False)
        return replace(self._shorten(call, output), seconds=round(time.monotonic() - began, 4))

    def _shorten(self, call: ToolCall, output: ToolOutput) -> ToolResult:
        """The result with a preview of bounded size; a longer text becomes a file, named as the handle."""
        preview, handle = output.preview or output.text, ""
        if len(output.text) > PREVIEW or output.preview:
            handle = f"{call.id}.txt"
            # Boxed code may have planted a link of this name: it is replaced, never followed.
            beneath.replace(self.workspace, handle, output.text.encode("utf-8", "replace"))
            preview = f"{middle_cut(preview)}\n(the whole is in {handle})"
        source = Source("tool", call.name)
        return ToolResult(call.id, output.ok, preview, source, handle, output.artifacts)


def failed(call_id: str, name: str, message: str) -> ToolResult:
    """A result that tells an error, at most 500 characters of it."""
    return ToolResult(call_id, False, message[:500], Source("tool", name))


def middle_cut(text: str, size: int = PREVIEW) -> str:
    """The beginning and the end of a long text."""
    if len(text) <= size:
        return text
    return f"{text[: size * 2 // 3]}\n...\n{text[-size // 3 :]}"


def invalid(schema: Mapping[str, Any], arguments: Mapping[str, Any]) -> str:
    """One line on how ``arguments`` break the JSON schema, or an empty string."""
    import jsonschema

    error = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(schema).iter_errors(dict(arguments)))
    if error is None:
        return ""
    where = ".".join(str(p) for p in error.path)
    return f"{where + ': ' if where else ''}{error.message}"[:300]
