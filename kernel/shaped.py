"""The answer as a value of a type: after the loop has ended, the model says it once more, under the type's schema.

So tools are used as ever, and what is returned is what was answered. The reply is logged and never enters a context.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

from llmos.kernel.context import build
from llmos.kernel.engine import Finished, TextDelta
from llmos.kernel.errors import ModelError, UsageError
from llmos.kernel.labels import context_label
from llmos.kernel.session import Kernel
from llmos.kernel.types import Message, Part, Source, Text
from llmos.prompts import load

T = TypeVar("T")
_TRIES = 2


def shape(kernel: Kernel, returns: type[T]) -> T:
    """The conversation's last answer as a ``returns``. Raises ModelError where the model gives none, UsageError for a
    type that pydantic cannot read."""
    from pydantic import PydanticUserError, TypeAdapter, ValidationError

    name = getattr(returns, "__name__", str(returns))
    try:
        adapter: TypeAdapter[T] = TypeAdapter(returns)
        schema = adapter.json_schema()
    except (PydanticUserError, TypeError) as error:
        raise UsageError(f"returns={name}: {str(error).splitlines()[0]}") from error
    wanted = load("returns.md").replace("{schema}", json.dumps(schema))
    asked = [Message("user", (Part(wanted, Source("kernel")),))]
    problem = ""
    for _ in range(_TRIES):
        said = kernel.dispatcher.scrub.text(_say(kernel, asked, schema))
        try:
            value = adapter.validate_json(said)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            problem = f"{'.'.join(map(str, first['loc'])) or 'value'}: {first['msg']}"
            told = Message("user", (Part(load("returns_again.md").replace("{problem}", problem), Source("kernel")),))
            asked = [*asked, Message("assistant", (Part(said, Source("kernel")),)), told]
            continue
        kernel._log(Text(id="", text=said, by="kernel", label=context_label(kernel.seen())))
        return value
    raise ModelError(f"the model's answer is no {name}: {problem}")


def _say(kernel: Kernel, asked: Sequence[Message], schema: dict[str, Any]) -> str:
    """What the model replies to the conversation and what is asked now, as one JSON value."""
    model, tokens = kernel.model, kernel.budget.reply_tokens
    room = model.context_length - min(tokens, model.context_length // 4)
    messages, _ = build(kernel.system, kernel.events, lambda m: model.count([*m, *asked], ()), room)
    sampling = replace(kernel.sampling, max_tokens=tokens, schema=json.dumps(schema))
    said = ""
    for delta in model.reply([*messages, *asked], (), sampling):
        if isinstance(delta, TextDelta):
            said += delta.text
        elif isinstance(delta, Finished) and delta.reason == "length":
            raise ModelError(f"the value did not end within {tokens} tokens; ask for less or raise reply_tokens")
    return said.strip()
