"""The HTTP side of a remote model: requests with retries, server-sent events, and one clear line for what goes wrong.

The key comes from the environment alone: ``LLMOS_API_KEY``, or ``OPENAI_API_KEY`` over https and on this machine.
Knows nothing of messages.
"""

import contextlib
import ipaddress
import json
import os
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx

from llmos.kernel.errors import BudgetError, LLMOSError, ModelError

_AGAIN = {408, 409, 429, 500, 502, 503, 504}


class Endpoint:
    """An OpenAI-compatible server at ``base`` (an address with scheme and host). Raises ModelError for another address.

    ``timeout`` is the longest silence in seconds; ``retries`` and ``backoff`` (seconds, doubling) are for failures
    before the first byte.
    """

    def __init__(self, base: str, timeout: float, retries: int, backoff: float) -> None:
        parts = urlsplit(base)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ModelError(f"{base} is no http address of a model server, such as http://localhost:8000/v1")
        self.base = base.rstrip("/") if parts.path.strip("/") else f"{base.rstrip('/')}/v1"
        self._retries, self._backoff = retries, backoff
        headers = {"Authorization": f"Bearer {key}"} if (key := _key(parts.scheme, parts.hostname)) else {}
        self._client = httpx.Client(headers=headers, timeout=httpx.Timeout(timeout, connect=10.0))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def chunks(self, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The JSON objects of a streamed completion. Raises ModelError, BudgetError for a prompt over the window."""
        started = False
        try:
            with self._send("POST", "/chat/completions", body) as response:
                for data in _events(response):
                    started = True
                    yield _object(data, self.base)
        except httpx.HTTPError as error:
            when = "broke off in the middle of a reply" if started else "did not answer"
            raise ModelError(f"{self.base} {when}: {_why(error)}") from error
        if not started:
            raise ModelError(f"{self.base} sent an empty reply")

    @contextlib.contextmanager
    def _send(self, method: str, path: str, body: dict[str, Any] | None = None) -> Iterator[httpx.Response]:
        """An open, successful response; connection failures, 429 and 5xx are tried again first."""
        wait = self._backoff
        for left in range(self._retries, -1, -1):
            request = self._client.build_request(method, self.base + path, json=body)
            try:
                response = self._client.send(request, stream=True)
            except (httpx.TransportError, OSError) as error:
                if not left or isinstance(error, httpx.ReadTimeout):
                    raise ModelError(f"{self.base} cannot be reached: {_why(error)}; is the server running?") from error
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
            return ModelError(f"{self.base} refuses the key ({status}): set LLMOS_API_KEY in the environment")
        if status in (400, 413, 422) and any(w in said.lower() for w in ("context length", "context size", "too long")):
            return BudgetError(f"the prompt is over the window of {body and body.get('model')}: {said}", "context")
        if status == 404 and body is not None:
            with contextlib.suppress(ModelError):
                known = self.models(must=True)
                return ModelError(f"{self.base} does not serve {body.get('model')}; it has {listed(known)}")
        return ModelError(f"{self.base} answered {status}: {said or response.reason_phrase}")

    def models(self, must: bool) -> dict[str, int]:
        """The server's models and their windows (0 where it does not say); empty when it may and does not list them."""
        try:
            with self._send("GET", "/models") as response:
                data = _object(response.read().decode("utf-8", "replace"), self.base).get("data") or []
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


def listed(known: dict[str, int]) -> str:
    """The first few names, for a message."""
    names = list(known)
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
