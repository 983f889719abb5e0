"""A Python function as a tool: the schema from its type hints, the description from its docstring.

What the hints say is checked by pydantic before the function runs; what it returns becomes text. A function that does
not say what it does is asked about at each call, as policy has it for whatever is undeclared. Knows no session.
"""

import inspect
import json
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast, get_args, get_type_hints, overload

from llmos.kernel.errors import UsageError
from llmos.kernel.tool import Capability, Tool, ToolContext, ToolError, ToolOutput

if TYPE_CHECKING:
    from pydantic import BaseModel

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_SECTION = re.compile(r"^\s*(?:args|arguments|parameters|params)\s*:\s*$", re.IGNORECASE | re.MULTILINE)
_REST = re.compile(
    r"^\s*(?:(?:returns?|raises?|yields?|examples?|notes?)\s*:|:(?:returns?|raises|rtype)\b).*",
    re.IGNORECASE | re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class FunctionTool(Tool):
    """A tool that is still the function it was made from: calling it calls that."""

    function: Callable[..., Any] = lambda: None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The function's own result."""
        return self.function(*args, **kwargs)


@overload
def tool(function: Callable[..., Any], /) -> FunctionTool: ...


@overload
def tool(
    *,
    name: str = "",
    does: str | Iterable[str] | None = None,
    timeout: float | None = None,
    derives: bool = False,
    blind: bool = False,
) -> Callable[[Callable[..., Any]], FunctionTool]: ...


def tool(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str = "",
    does: str | Iterable[str] | None = None,
    timeout: float | None = None,
    derives: bool = False,
    blind: bool = False,
) -> FunctionTool | Callable[[Callable[..., Any]], FunctionTool]:
    """Make a function a tool: ``@tool`` or ``@tool(does="nothing")``.

    ``does`` is what it does beyond computing: ``exec``, ``net``, ``note``, ``write``, ``spend``, several of them, or
    ``nothing``; without it policy asks about each call, and denies it where nobody can be asked. ``timeout`` is in
    seconds. ``derives`` and ``blind`` are as in :class:`Tool`. A parameter of type ToolContext is not the model's: it
    gets the workspace, ``progress`` and ``cancelled``. Raises UsageError for a function that cannot be a tool.
    """

    def make(function: Callable[..., Any]) -> FunctionTool:
        return _made(function, name, does, timeout, derives, blind)

    return make if function is None else make(function)


def _made(
    function: Callable[..., Any],
    name: str,
    does: str | Iterable[str] | None,
    timeout: float | None,
    derives: bool,
    blind: bool,
) -> FunctionTool:
    named = name or getattr(function, "__name__", "")
    if not _NAME.fullmatch(named):
        raise UsageError(f"{named!r} is no name of a tool: letters, digits, _ and -, at most 64")
    if timeout is not None and timeout <= 0:
        raise UsageError(f"{named}: a timeout is more than 0 seconds")
    about, told = describe(inspect.getdoc(function) or "", list(inspect.signature(function).parameters))
    form, contexts = _form(function, named, told)

    def run(arguments: Mapping[str, Any], context: ToolContext) -> ToolOutput:
        limit = context if timeout is None else replace(context, timeout=min(timeout, context.timeout))
        given = {**_values(form, arguments), **dict.fromkeys(contexts, limit)}
        return _output(_within(lambda: _called(function, given), named, limit, timeout is not None))

    return FunctionTool(
        named, about, _schema(form), run, _capabilities(named, does), derives=derives, blind=blind, function=function
    )


def describe(doc: str, names: Iterable[str]) -> tuple[str, dict[str, str]]:
    """What a docstring says of the function, and of each of its parameters; what comes after those is left out."""
    doc = _REST.sub("", doc)
    known = "|".join(map(re.escape, names))
    if not known:
        return " ".join(doc.split()), {}
    mark = re.compile(rf"(?:(?<=\s)|^)(?::param\s+)?(?P<name>{known})\s*(?:\([^()]*\))?\s*:\s", re.MULTILINE)
    found = list(mark.finditer(doc))
    about = _SECTION.sub("", doc[: found[0].start()] if found else doc)
    ends = [*(m.start() for m in found[1:]), len(doc)]
    told = {m["name"]: " ".join(doc[m.end() : end].split()) for m, end in zip(found, ends, strict=False)}
    return " ".join(about.split()), told


def _form(function: Callable[..., Any], name: str, told: Mapping[str, str]) -> "tuple[type[BaseModel], list[str]]":
    """The pydantic model of the parameters, and the names of those that take the context."""
    from pydantic import ConfigDict, Field, PydanticUserError, create_model

    try:
        hints = get_type_hints(function, include_extras=True)
    except (NameError, TypeError) as error:
        raise UsageError(f"{name}: a type hint cannot be read: {error}") from error
    fields: dict[str, Any] = {}
    contexts = []
    for key, parameter in inspect.signature(function).parameters.items():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise UsageError(f"{name}: a tool has named parameters alone, no {parameter}")
        if key not in hints:
            raise UsageError(f"{name}: the parameter {key} has no type hint; write {key}: str")
        if hints[key] is ToolContext:
            contexts.append(key)
            continue
        about: dict[str, Any] = {"description": told[key]} if told.get(key) else {}
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[f"p_{key}"] = (hints[key], Field(default, alias=key, **about))
    try:
        made = create_model(name, __config__=ConfigDict(extra="forbid", arbitrary_types_allowed=False), **fields)
        made.model_json_schema()
    except (PydanticUserError, TypeError) as error:
        raise UsageError(f"{name}: {str(error).splitlines()[0]}") from error
    return made, contexts


def _schema(form: "type[BaseModel]") -> dict[str, Any]:
    """The model's JSON schema without the titles, which only repeat names."""
    plain: dict[str, Any] = _untitled(form.model_json_schema())
    return {**plain, "properties": plain.get("properties", {}), "additionalProperties": False}


def _untitled(value: Any) -> Any:
    if isinstance(value, list):
        return [_untitled(item) for item in value]
    if not isinstance(value, dict):
        return value
    named = ("properties", "$defs")
    return {
        key: {name: _untitled(inner) for name, inner in item.items()} if key in named else _untitled(item)
        for key, item in value.items()
        if not (key == "title" and isinstance(item, str))
    }


def _capabilities(name: str, does: str | Iterable[str] | None) -> frozenset[Capability] | None:
    if does is None:
        return None
    words = does.split(",") if isinstance(does, str) else list(does)
    found = {word.strip() for word in words} - {"nothing", ""}
    if odd := found - set(get_args(Capability)):
        known = ", ".join(get_args(Capability))
        raise UsageError(f"{name}: no tool does {sorted(odd)[0]!r}; there are: {known}, nothing")
    return cast("frozenset[Capability]", frozenset(found))


def _values(form: "type[BaseModel]", arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments as the hints have them. Raises ToolError, a line for each that is wrong."""
    from pydantic import ValidationError

    try:
        read = form.model_validate_json(json.dumps(dict(arguments)))
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False)]
        raise ToolError("; ".join(lines)[:500]) from None
    return {key.removeprefix("p_"): getattr(read, key) for key in type(read).model_fields}


def _called(function: Callable[..., Any], given: Mapping[str, Any]) -> Any:
    result = function(**given)
    if inspect.isawaitable(result):
        import asyncio

        async def wait() -> Any:
            return await result

        return asyncio.run(wait())
    return result


def _within(call: Callable[[], Any], name: str, context: ToolContext, bounded: bool) -> Any:
    """The call's result. Raises ToolError where it does not end in time; it is then left to itself."""
    if not bounded:
        return call()
    ended: list[Any] = []
    failed: list[BaseException] = []

    def work() -> None:
        try:
            ended.append(call())
        except BaseException as error:  # raised again where the result is waited for
            failed.append(error)

    thread = threading.Thread(target=work, name=f"llmos-{name}", daemon=True)
    thread.start()
    thread.join(context.timeout)
    if failed:
        raise failed[0]
    if not ended:
        context.cancelled.set()
        raise ToolError(f"{name} did not end within {context.timeout:g} s")
    return ended[0]


def _output(result: Any) -> ToolOutput:
    """What a function returned as text: its words, or JSON."""
    if isinstance(result, ToolOutput):
        return result
    if result is None:
        return ToolOutput("done")
    if isinstance(result, str):
        return ToolOutput(result)
    from pydantic_core import PydanticSerializationError, to_json

    try:
        return ToolOutput(to_json(result).decode())
    except (PydanticSerializationError, ValueError):
        return ToolOutput(str(result))
