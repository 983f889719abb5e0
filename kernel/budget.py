"""What one request may use, and what it has used so far.

Counts what it is told; who counts tokens and seconds is the loop.
"""

import time
from dataclasses import dataclass, field

from llmos.kernel.errors import BudgetError
from llmos.kernel.tool import Tool
from llmos.kernel.types import ToolCall, Usage


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits of one request. Past one it ends with a :class:`BudgetError` whose ``budget`` is the field's name.

    ``calls`` to tools, new ``tokens`` in all and ``reply_tokens`` of one reply, ``seconds`` of wall time (looked at
    between tokens and calls), ``prompt_tokens`` of all its prompts together, ``sandbox_seconds`` of all calls to tools
    that run code, ``result_share`` of the model's window that one result may take. A call of more than
    ``tool_seconds`` (a tool may have more patience: see Tool) is stopped by itself, and its result says so.
    """

    calls: int = 25
    tokens: int = 8192
    seconds: float = 600.0
    reply_tokens: int = 512
    tool_seconds: float = 30.0
    prompt_tokens: int = 2_000_000
    sandbox_seconds: float = 300.0
    result_share: float = 0.9


@dataclass(slots=True)
class Spent:
    """What a request has used so far."""

    budget: Budget
    began: float = field(default_factory=time.monotonic)
    prompt: int = 0
    generated: int = 0
    boxed: float = 0.0
    calls: list[ToolCall] = field(default_factory=list)

    def usage(self) -> Usage:
        """As told in the answer; seconds of wall time."""
        seconds = round(time.monotonic() - self.began, 3)
        return Usage(self.prompt, self.generated, len(self.calls), seconds)

    def check(self, pending: int = 0, prompt: int = 0) -> None:
        """Raise BudgetError, saying which limit and its size, when one is reached or would be by what is pending."""
        budget = self.budget
        if len(self.calls) + pending > budget.calls:
            raise _spent("calls", f"{budget.calls} tool calls")
        if self.generated >= budget.tokens:
            raise _spent("tokens", f"{budget.tokens} new tokens")
        if self.prompt + prompt > budget.prompt_tokens:
            raise _spent("prompt_tokens", f"{self.prompt} of {budget.prompt_tokens} prompt tokens, {prompt} to come")
        if time.monotonic() - self.began > budget.seconds:
            raise _spent("seconds", f"{budget.seconds:g} seconds")

    def box(self, tool: Tool | None) -> float:
        """The seconds that a call to this tool may take. Raises BudgetError when it runs code and none are left."""
        if tool is None or not runs_code(tool):
            return self.budget.tool_seconds * (1.0 if tool is None else tool.patience)
        left = self.budget.sandbox_seconds - self.boxed
        if left <= 0:
            raise _spent("sandbox_seconds", f"{self.budget.sandbox_seconds:g} seconds of running code")
        return min(left, self.budget.tool_seconds)


def runs_code(tool: Tool) -> bool:
    """Whether its seconds count as the sandbox's; a tool that does not say what it does is taken to run code."""
    return tool.capabilities is None or "exec" in tool.capabilities


def _spent(budget: str, what: str) -> BudgetError:
    return BudgetError(f"stopped after {what}, the budget of one request", budget)
