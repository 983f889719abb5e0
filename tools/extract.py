"""The ``extract`` tool of strict mode: values of declared types from a text that the model itself must not see.

A fresh context of the same model, without tools and without the conversation, reads the text; its reply is decoded
under a JSON schema made from the fields and checked again here. Numbers, dates, truth values and choices come back; a
string stays in the result's file and only its length is told. What the text says can so make a value wrong, never make
it an order. It knows nothing of pages or tables: it reads the session's files as they are, the first part of long ones.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from llmos.kernel import beneath
from llmos.kernel.dispatch import invalid
from llmos.kernel.engine import Finished, Model, Sampling, TextDelta
from llmos.kernel.errors import LLMOSError
from llmos.kernel.hygiene import clean
from llmos.kernel.tool import OwnError, Tool, ToolContext, ToolOutput
from llmos.kernel.types import Label, Message, Part, Source
from llmos.prompts import load
from llmos.tools.extract_form import FIELDS, Field, read_form, schema_of, told

NAME = "extract"
DESCRIPTION = (
    "Read values from a file or handle whose text is not shown, such as data/letter.txt or r1.txt. fields: what to "
    "read, each with a type: number, integer, boolean, date, choice (give choices) or text (which stays in the file)."
)
PARAMETERS: Mapping[str, Any] = {
    "type": "object",
    "properties": {"handle": {"type": "string", "minLength": 1, "maxLength": 200}, "fields": FIELDS},
    "required": ["handle", "fields"],
    "additionalProperties": False,
}
_READ = 4 << 20  # bytes of a file
_REPLY = 512  # new tokens
_HEADER = 64  # tokens that a message's frame may take beyond what count says


def make_extract(model: Callable[[], Model], scrub: Callable[[str], str] = str) -> Tool:
    """The tool; ``model`` gives the model that reads, ``scrub`` takes secrets out of what it reads."""

    def run(arguments: Mapping[str, Any], context: ToolContext) -> ToolOutput:
        form = read_form(arguments["fields"])
        return extract(model(), arguments["handle"], form, context, scrub)

    return Tool(NAME, DESCRIPTION, PARAMETERS, run, frozenset())


def extract(
    model: Model, handle: str, form: Sequence[Field], context: ToolContext, scrub: Callable[[str], str] = str
) -> ToolOutput:
    """Fill in the form from the file ``handle`` of the workspace. Raises OwnError, without a word of the text."""
    text = scrub(clean(_read(context.workspace, handle).decode("utf-8", "replace")))
    messages, whole = _prompt(model, form, text)
    values = _values(_reply(model, messages, schema_of(form), context), form)
    lines = [told(field, values[field.name]) for field in form]
    if not whole:
        lines.append("only the beginning of the text was read")
    label = Label((f"file:{handle}",), "untrusted", "user")
    return ToolOutput(json.dumps(values, ensure_ascii=False), label=label, typed="\n".join(lines))


def _read(workspace: Path, handle: str) -> bytes:
    """A file of the workspace, by its path there or its name below ``data/``, as previews call it."""
    for name in (handle, f"data/{handle}"):
        with suppress(OSError, ValueError):
            data = beneath.read(workspace, name, _READ)
            if b"\0" in data:
                raise OwnError("that is no text")
            return data
    raise OwnError("there is no such file or handle, or it is larger than 4 MB")


def _prompt(model: Model, form: Sequence[Field], text: str) -> tuple[list[Message], bool]:
    """The whole context of the reading, and whether all of the text is in it."""
    before, after = load("extract_form.md").replace("{fields}", "\n".join(map(str, form))).split("{text}")
    room = model.context_length - _REPLY - _HEADER
    share = len(text)
    while True:
        part = text[:share]
        request = Message("user", (Part(f"{before}{part}{after}", Source("file")),))
        messages = [Message("system", (Part(load("extract.md"), Source("system")),)), request]
        size = model.count(messages, ())
        if size <= room:
            return messages, share == len(text)
        if not share:
            raise OwnError("the fields alone fill the model's window: ask for fewer")
        share = min(share * room // (size + 1), share - 1) if share > 40 else 0


def _reply(model: Model, messages: Sequence[Message], schema: Mapping[str, Any], context: ToolContext) -> str:
    """What the model says, decoded under the schema where the model can; no thought and no call of its counts."""
    said, cut = [], False
    try:
        for delta in model.reply(messages, (), Sampling(max_tokens=_REPLY, schema=json.dumps(schema))):
            if context.cancelled.is_set():
                raise OwnError("the reading was stopped")
            if isinstance(delta, TextDelta):
                said.append(delta.text)
            elif isinstance(delta, Finished):
                cut = delta.reason == "length"
    except LLMOSError:
        # A server's own words may quote what it was given.
        raise OwnError("the model that reads could not answer") from None
    if cut:
        raise OwnError("the values did not end; ask for fewer or shorter ones")
    return "".join(said)


def _values(reply: str, form: Sequence[Field]) -> dict[str, Any]:
    """The reply's values, each of its declared type. Raises OwnError, which does not quote it."""
    try:
        values = json.loads(reply)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict) or invalid(schema_of(form), values) or not all(f.holds(values) for f in form):
        raise OwnError("what was read is not of the types asked for")
    return values
