"""Runs one call: validate, decide, run, shorten. The model's mistakes become results; the one broad catch is here.

Knows no particular tool and no model.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from llmos.kernel import beneath
from llmos.kernel.audit import call_hash, canonical
from llmos.kernel.labels import acts, result_label
from llmos.kernel.policy import Grants, Ruling, State, decide
from llmos.kernel.scrub import Scrub
from llmos.kernel.tool import PREVIEW, OwnError, Reach, Tool, ToolContext, ToolError, ToolOutput, anywhere
from llmos.kernel.types import Label, Malformed, Source, ToolCall, ToolResult
from llmos.kernel.veil import veiled


@dataclass(frozen=True, slots=True)
class Asked(ToolCall):
    """A call that policy puts to the user: its arguments are those it will run with; which rule asks, and why.

    ``yes``: an ask that ``--yes`` answers.
    """

    rule: str = ""
    why: str = ""
    yes: bool = False


Approve = Callable[[Asked], bool]


@dataclass(frozen=True, slots=True)
class Permit:
    """What was decided of one call, once: ``call_hash`` binds it to the call's tool and arguments."""

    ruling: Ruling
    approved: bool | None
    call_hash: str
    acts: bool

    @property
    def go(self) -> bool:
        """Whether the call may happen."""
        return self.ruling.verdict == "allow" or (self.ruling.verdict == "ask" and self.approved is True)


@dataclass(frozen=True, slots=True)
class Dispatcher:
    """The tools of a session, its workspace, and who approves what policy asks for (None: nobody is there).

    ``scrub`` knows the registered secrets: no call takes one out, no result brings one in. ``strict``: others' text
    does not enter the context, a handle does.
    """

    tools: Mapping[str, Tool]
    workspace: Path
    approve: Approve | None = None
    grants: Grants = field(default_factory=Grants)
    scrub: Scrub = field(default_factory=Scrub)
    strict: bool = False

    def offered(self, label: Label, state: State) -> list[Tool]:
        """The tools the model is told of: what policy would deny whatever the arguments cannot even be spelled."""
        return [tool for tool in self.tools.values() if self._may(tool, label, state)]

    def _may(self, tool: Tool, label: Label, state: State) -> bool:
        """Whether some call to a tool may happen: without arguments, or with those that were allowed beforehand."""
        allowed = [canonical(dict(grant.where)) for grant in self.grants.allow if grant.tool == tool.name]
        attended = self.approve is not None
        # A tool that says where its calls lead may make one that leads where the user said.
        reaches: tuple[Reach, ...] = ("anywhere",) if tool.reach is anywhere else ("named", "found", "anywhere")
        return any(
            decide(tool, arguments, label, state, self.grants, attended, reach=reach).verdict != "deny"
            for arguments in ("{}", *allowed)
            for reach in reaches
        )

    def rule(self, call: ToolCall, label: Label, state: State) -> Permit:
        """What policy says of a call; an ask is put to the approver."""
        tool = self.tools.get(call.name)
        attended, secret = self.approve is not None, self.scrub.holds_secret(call)
        reach: Reach = tool.reach(call.arguments) if tool is not None else "anywhere"
        ruling = decide(tool, canonical(call.arguments), label, state, self.grants, attended, secret, reach)
        digest = call_hash(call.name, call.arguments)
        approved = None
        if ruling.verdict == "ask":
            asked = Asked(call.id, call.name, frozen(call.arguments), ruling.rule, ruling.why, ruling.yes)
            approved = self.approve is not None and bool(self.approve(asked))
        return Permit(ruling, approved, digest, acts(tool))

    def refuse(self, call: ToolCall | Malformed, ruling: Ruling | None) -> ToolResult:
        """The result of a call that does not run: malformed, unknown or not allowed."""
        if isinstance(call, Malformed):
            return failed(call.id, "kernel", f"error: the call could not be read: {call.problem}")
        if ruling is not None and ruling.rule == "unknown-tool":
            names = ", ".join(self.tools) or "none"
            return failed(call.id, "kernel", f"error: there is no tool {call.name}; tools: {names}")
        return failed(call.id, "kernel", f"error: {call.name} was not allowed ({ruling.rule if ruling else 'policy'})")

    def run(self, call: ToolCall, permit: Permit, context: ToolContext, label: Label) -> ToolResult:
        """Run a permitted call; whatever goes wrong is a result that says so.

        ``label`` is of all that the call may derive from. A permit for another call is worth nothing.
        """
        if not permit.go or permit.call_hash != call_hash(call.name, call.arguments):
            return failed(call.id, "kernel", f"error: {call.name} was not allowed (no permit for this call)")
        tool = self.tools[call.name]
        began = time.monotonic()
        problem = invalid(tool.parameters, call.arguments)
        if problem:
            return failed(call.id, call.name, f"error: {problem}")
        try:
            output = tool.run(call.arguments, context)
        except ToolError as error:
            text = f"error: {error}"
            output = ToolOutput(text, ok=False, typed=text if isinstance(error, OwnError) else "")
        except Exception as error:
            output = ToolOutput(f"error: {call.name} failed: {type(error).__name__}: {error}", ok=False)
        # Before anything of it is cut, kept or shown.
        text, preview = self.scrub.text(output.text), self.scrub.text(output.preview)
        output = replace(output, text=text, preview=preview, typed=self.scrub.text(output.typed))
        joined = result_label(tool, label, Source("tool", call.name), output.label)
        hidden = self.strict and joined.integrity == "untrusted" and not tool.blind
        result = self._veil(call, output) if hidden else self._shorten(call, output, tool.preview)
        return replace(result, label=joined, seconds=round(time.monotonic() - began, 4))

    def _shorten(self, call: ToolCall, output: ToolOutput, most: int) -> ToolResult:
        """The result with a preview of bounded size; a longer text becomes a file, named as the handle."""
        preview, handle = output.preview or output.text, ""
        if len(output.text) > most or output.preview:
            handle = self._keep(call, output)
            preview = f"{middle_cut(preview, most)}\n(the whole is in {handle})"
        source = Source("tool", call.name)
        return ToolResult(call.id, output.ok, preview, source, handle, output.artifacts, readings=output.readings)

    def _veil(self, call: ToolCall, output: ToolOutput) -> ToolResult:
        """The result of others' text in strict mode: what may be seen of it, and the file with the whole."""
        preview, hides = veiled(output, call.arguments, f"{call.id}.txt")
        handle = self._keep(call, output) if hides else ""
        return ToolResult(call.id, output.ok, preview, Source("tool", call.name), handle, output.artifacts)

    def _keep(self, call: ToolCall, output: ToolOutput) -> str:
        """Write the whole of a result into the workspace; the file's name."""
        handle = f"{call.id}.txt"
        # Boxed code may have planted a link of this name: it is replaced, never followed.
        beneath.replace(self.workspace, handle, output.text.encode("utf-8", "replace"))
        return handle


def frozen(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of JSON arguments, down to the last list. Raises ValueError for what is no JSON."""
    copied: dict[str, Any] = json.loads(canonical(arguments))
    return copied


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
