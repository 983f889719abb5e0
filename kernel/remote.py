"""A model behind any OpenAI-compatible server (vLLM, SGLang, llama.cpp, Ollama, …), over streaming HTTP.

Forks are parallel requests; their common prefix is the server's to cache. The key comes from the environment alone:
``LLMOS_API_KEY``, or ``OPENAI_API_KEY`` over https and on this machine. Knows nothing of token ids.
"""

import contextlib
import ipaddress
import json
import os
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import httpx

from llmos.kernel.engine import Delta, Finished, Sampling, TextDelta
from llmos.kernel.errors import BudgetError, LLMOSError, ModelError
from llmos.kernel.openai import Assembler, to_messages, to_tools
from llmos.kernel.tool import Tool
from llmos.kernel.types import Message

_AGAIN = {408, 409, 429, 500, 502, 503, 504}
_DEFAULT_WINDOW = 8192


class RemoteModel:
    """``url`` such as ``http://host:8000/v1`` takes the server's first model, ``…/v1#name`` that one.

    ``timeout`` is the longest silence in seconds; ``retries`` and ``backoff`` (seconds, doubling) are for failures
    before the first token. Raises ModelError when the server cannot be reached, or lacks the model.
    """

    def __init__(
        self, url: str, timeout: float = 120.0, retries: int = 3, backoff: float = 0.4, context_length: int | None = None
    ) -> None:
        base, _, wanted = url.partition("#")
        parts = urlsplit(base)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ModelError(f"{url} is no http address of a model server, such as http://localhost:8000/v1")
        self._base = base.rstrip("/") if parts.path.strip("/") else f"{base.rstrip('/')}/v1"
        self._retries, self._backoff = retries, backoff
        headers = {"Authorization": f"Bearer {key}"} if (key := _key(parts.scheme, parts.hostname)) else {}
        self._client = httpx.Client(headers=headers, timeout=httpx.Timeout(timeout, connect=10.0))
        known = self._models(must=not wanted)
        if wanted and known and wanted not in known:
            raise ModelError(f"{self._base} has no model {wanted}; it has {_list(known)}")
        if not wanted and not known:
            raise ModelError(f"{self._base} lists no models; name one: {self._base}#MODEL")
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
        self, messages: Sequence[Message], tools: Sequence[Tool], sampling: Sampling = Sampling(), n: int = 1  # noqa: B008
    ) -> Iterator[Delta]:
        """Stream ``n`` branches as their chunks come. Raises ModelError, and BudgetError for a prompt over the window."""
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
        self._client.close()

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
        }
        body |= {name: value for name, (value, default) in optional.items() if value != default}
        if s.choices:
            body["response_format"] = _choice_format(s.choices)
        return body

    def _branch(self, body: dict[str, Any], sampling: Sampling, branch: int) -> Iterator[Delta]:
        parts, reason, usage = Assembler(branch), "", {}
        chosen = ""
        for chunk in self._chunks(body):
            usage = chunk.get("usage") or usage
            for choice in (chunk.get("choices") or [])[:1]:
                reason = choice.get("finish_reason") or reason
                for delta in parts.feed(choice.get("delta") or {}):
                    if sampling.choices and isinstance(delta, TextDelta):
                        chosen += delta.text
                    else:
                        yield delta
        if sampling.choices:
            yield TextDelta(choose(chosen, sampling.choices), branch)
        yield from parts.finish()
        counts = (int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0))
        yield Finished("length" if reason == "length" else "stop", *counts, branch=branch)

    def _chunks(self, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The stream's JSON objects."""
        started = False
        try:
            with self._send("POST", "/chat/completions", body) as response:
                for data in _events(response):
                    started = True
                    yield _object(data, self._base)
        except httpx.HTTPError as error:
            when = "broke off in the middle of a reply" if started else "did not answer"
            raise ModelError(f"{self._base} {when}: {_why(error)}") from error
        if not started:
            raise ModelError(f"{self._base} sent an empty reply")

    @contextlib.contextmanager
    def _send(self, method: str, path: str, body: dict[str, Any] | None = None) -> Iterator[httpx.Response]:
        """An open, successful response; connection failures, 429 and 5xx are tried again first."""
        wait = self._backoff
        for left in range(self._retries, -1, -1):
            request = self._client.build_request(method, self._base + path, json=body)
            try:
                response = self._client.send(request, stream=True)
            except (httpx.TransportError, OSError) as error:
                if not left or isinstance(error, httpx.ReadTimeout):
                    raise ModelError(f"{self._base} cannot be reached: {_why(error)}; is the server running?") from error
            else:
                with contextlib.closing(response):
                    if response.is_success:
                        yield response
                        return
                    if not left or response.status_code not in _AGAIN:
                        raise self._refusal(response, body)
                    wait = max(wait, _retry_after(response))
            time.sleep(wait)
            wait *= 2

    def _refusal(self, response: httpx.Response, body: dict[str, Any] | None) -> LLMOSError:
        with contextlib.suppress(httpx.HTTPError):
            response.read()
        status, said = response.status_code, _said(response)
        if status in (401, 403):
            return ModelError(f"{self._base} refuses the key ({status}): set LLMOS_API_KEY in the environment")
        if status in (400, 413, 422) and any(w in said.lower() for w in ("context length", "context size", "too long")):
            return BudgetError(f"the prompt is over the window of {self._name}: {said}")
        if status == 404 and body is not None:
            with contextlib.suppress(ModelError):
                known = self._models(must=True)
                return ModelError(f"{self._base} does not serve {self._name}; it has {_list(known)}")
        return ModelError(f"{self._base} answered {status}: {said or response.reason_phrase}")

    def _models(self, must: bool) -> dict[str, int]:
        """The server's models and their windows (0 where it does not say); empty when it may and does not list them."""
        try:
            with self._send("GET", "/models") as response:
                data = _object(response.read().decode("utf-8", "replace"), self._base).get("data") or []
        except ModelError as error:
            if must or "cannot be reached" in str(error) or "refuses the key" in str(error):
                raise
            return {}
        return {str(m["id"]): int(m.get("max_model_len") or 0) for m in data if isinstance(m, dict) and "id" in m}


def _key(scheme: str, host: str) -> str:
    own = os.environ.get("LLMOS_API_KEY", "")
    try:
        here = ipaddress.ip_address(host).is_loopback
    except ValueError:
        here = host == "localhost"
    # A key for another company's service is not sent in clear text to whoever answers at an address.
    return own or (os.environ.get("OPENAI_API_KEY", "") if scheme == "https" or here else "")


def _events(response: httpx.Response) -> Iterator[str]:
    """The ``data`` of server-sent events. Split at newlines alone: JSON may hold other line separators."""
    rest = b""
    for piece in response.iter_bytes():
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                data = line[5:].strip().decode("utf-8", "replace")
                if data == "[DONE]":
                    return
                yield data
    if rest.startswith(b"data:") and rest[5:].strip() != b"[DONE]":
        yield rest[5:].strip().decode("utf-8", "replace")


def _object(data: str, base: str) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except ValueError as error:
        raise ModelError(f"{base} sent what is no JSON: {data[:80]!r}") from error
    if not isinstance(found, dict):
        raise ModelError(f"{base} sent {data[:80]!r} where an object belongs")
    if found.get("error"):
        raise ModelError(f"{base} reports an error: {_message_of(found['error'])}")
    return found


def _said(response: httpx.Response) -> str:
    """The server's error message, on one line."""
    try:
        data = response.json()
        return _message_of(data.get("error") or data.get("detail") or data)
    except (ValueError, AttributeError, httpx.HTTPError):
        with contextlib.suppress(httpx.HTTPError):
            return " ".join(response.text.split())[:200]
        return ""


def _message_of(error: Any) -> str:
    return " ".join(str(error.get("message", error) if isinstance(error, dict) else error).split())[:300]


def _why(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _retry_after(response: httpx.Response) -> float:
    try:
        return min(30.0, float(response.headers.get("retry-after", "0")))
    except ValueError:
        return 0.0


def _list(known: dict[str, int]) -> str:
    names = list(known)
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def _choice_format(choices: Sequence[str]) -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": {"choice": {"type": "string", "enum": list(choices)}},
        "required": ["choice"],
        "additionalProperties": False,
    }
    return {"type": "json_schema", "json_schema": {"name": "choice", "strict": True, "schema": schema}}


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
