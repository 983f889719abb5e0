"""A model behind any OpenAI-compatible server (vLLM, SGLang, llama.cpp, Ollama, …), over streaming HTTP.

Forks are parallel requests; their common prefix is the server's to cache. Knows nothing of token ids, nor of HTTP,
which ``endpoint`` does.
"""

import contextlib
import json
import queue
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from llmos.kernel.endpoint import Endpoint, listed
from llmos.kernel.engine import Delta, Finished, Sampling, TextDelta
from llmos.kernel.errors import LLMOSError, ModelError
from llmos.kernel.openai import Assembler, to_messages, to_tools
from llmos.kernel.tool import Tool
from llmos.kernel.types import Message

_DEFAULT_WINDOW = 8192


class RemoteModel:
    """``url`` such as ``http://host:8000/v1`` takes the server's first model, ``…/v1#name`` that one.

    ``timeout`` is the longest silence in seconds; ``retries`` and ``backoff`` (seconds, doubling) are for failures
    before the first token. ``logprobs`` asks for log-probabilities, which not every server gives. Raises ModelError
    when the server cannot be reached, or lacks the model.
    """

    def __init__(
        self,
        url: str,
        timeout: float = 120.0,
        retries: int = 3,
        backoff: float = 0.4,
        context_length: int | None = None,
        logprobs: bool = False,
    ) -> None:
        self._logprobs = logprobs
        base, _, wanted = url.partition("#")
        self._server = server = Endpoint(base, timeout, retries, backoff)
        known = server.models(must=not wanted)
        if wanted and known and wanted not in known:
            raise ModelError(f"{server.base} has no model {wanted}; it has {listed(known)}")
        if not wanted and not known:
            raise ModelError(f"{server.base} lists no models; name one: {server.base}#MODEL")
        self._name = wanted or next(iter(known))
        self._window = context_length or known.get(self._name) or _DEFAULT_WINDOW

    @property
    def name(self) -> str:
        """The model's name at the server."""
        return self._name

    @property
    def context_length(self) -> int:
        """The window in tokens: what was given, what the server says, or 8192."""
        return self._window

    def count(self, messages: Sequence[Message], tools: Sequence[Tool]) -> int:
        """An estimate: a token for every 3.5 bytes, and a few for each message's frame."""
        data = json.dumps([to_messages(messages), to_tools(tools)], ensure_ascii=False)
        return int(len(data.encode()) / 3.5) + 4 * len(messages)

    def reply(
        self,
        messages: Sequence[Message],
        tools: Sequence[Tool],
        sampling: Sampling = Sampling(),  # noqa: B008
        n: int = 1,
    ) -> Iterator[Delta]:
        """Stream ``n`` branches as their chunks come. Raises ModelError, or BudgetError for the window."""
        body = self._body(messages, tools, sampling)
        if n == 1:
            yield from self._branch(body, sampling, 0)
            return
        line: queue.Queue[Delta | LLMOSError | None] = queue.Queue(maxsize=1024)
        stopped = threading.Event()

        def work(branch: int) -> None:
            own = {**body, "seed": sampling.seed + branch}
            try:
                for delta in self._branch(own, sampling, branch):
                    if stopped.is_set():
                        return
                    line.put(delta)
                line.put(None)
            except LLMOSError as error:
                line.put(error)

        for branch in range(n):
            threading.Thread(target=work, args=(branch,), daemon=True, name=f"remote-{branch}").start()
        try:
            while n:
                item = line.get()
                if isinstance(item, LLMOSError):
                    raise item
                if item is None:
                    n -= 1
                else:
                    yield item
        finally:
            stopped.set()
            with contextlib.suppress(queue.Empty):
                # Room for whoever waits to put, so that it sees the flag.
                while True:
                    line.get_nowait()

    def close(self) -> None:
        """Close the connections."""
        self._server.close()

    def _body(self, messages: Sequence[Message], tools: Sequence[Tool], s: Sampling) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self._name,
            "messages": to_messages(messages),
            "stream": True,
            "stream_options": {"include_usage": True},
            "temperature": s.temperature,
            "max_tokens": s.max_tokens,
            "seed": s.seed,
        }
        # The rest is sent only when asked for: not every server knows every field.
        optional = {"top_p": (s.top_p, 1.0), "top_k": (s.top_k, 0), "min_p": (s.min_p, 0.0), "stop": (list(s.stop), [])}
        optional |= {
            "presence_penalty": (s.presence_penalty, 0.0),
            "repetition_penalty": (s.repetition_penalty, 1.0),
            "tools": (to_tools(tools), []),
            "tool_choice": ("auto" if s.calls or not tools else "none", "auto"),
            "logprobs": (self._logprobs, False),
            # Servers take -100 to 100; a ban is the least.
            "logit_bias": ({str(i): max(-100.0, min(100.0, nats)) for i, nats in s.bias}, {}),
        }
        body |= {name: value for name, (value, default) in optional.items() if value != default}
        if s.choices:
            body["response_format"] = _choice_format(s.choices)
        elif s.schema:
            body["response_format"] = _json_format("value", json.loads(s.schema))
        return body

    def _branch(self, body: dict[str, Any], sampling: Sampling, branch: int) -> Iterator[Delta]:
        parts, reason, chosen, said = Assembler(branch), "", "", False
        usage: dict[str, Any] = {}
        logprob = 0.0
        for chunk in self._server.chunks(body):
            usage = chunk.get("usage") or usage
            for choice in (chunk.get("choices") or [])[:1]:
                reason = choice.get("finish_reason") or reason
                logprob += _logprob(choice.get("logprobs"))
                for delta in parts.feed(choice.get("delta") or {}):
                    said = True
                    if sampling.choices and isinstance(delta, TextDelta):
                        chosen += delta.text
                    else:
                        yield delta
        rest = list(parts.finish())
        if not (said or rest or reason or usage):
            raise ModelError(
                f"{self._server.base} ended a reply before it began: does it take but one request at a time?"
            )
        if sampling.choices:
            yield TextDelta(choose(chosen, sampling.choices), branch)
        yield from rest
        counts = (int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0))
        yield Finished("length" if reason == "length" else "stop", *counts, logprob, branch)


def _logprob(told: Any) -> float:
    """The sum of a chunk's log-probabilities (nats); 0 where it tells none."""
    content = told.get("content") if isinstance(told, dict) else None
    return sum(float(one.get("logprob") or 0.0) for one in content or [] if isinstance(one, dict))


def _choice_format(choices: Sequence[str]) -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": {"choice": {"type": "string", "enum": list(choices)}},
        "required": ["choice"],
        "additionalProperties": False,
    }
    return _json_format("choice", schema)


def _json_format(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": name, "strict": True, "schema": schema}}


def choose(text: str, choices: Sequence[str]) -> str:
    """The choice a server's reply means: the JSON that was asked for, or the one choice it names. Raises ModelError."""
    with contextlib.suppress(ValueError, AttributeError):
        found = json.loads(text).get("choice")
        if found in choices:
            return str(found)
    named = [c for c in choices if c.lower() in text.lower()]
    if len(named) == 1:
        return named[0]
    raise ModelError(f"the server answered {text[:80]!r} where one of {', '.join(choices)} was asked for")
