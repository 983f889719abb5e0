"""Events as JSON: the log's own form (everything, strict) and the public form of ``--json`` (what others rely on).

``encode`` and ``decode`` are generic over the frozen dataclasses of ``kernel/types.py``: a new event type needs no
line here. Decoding is strict: an unknown type or field, a missing one or a wrong kind of value raises ValueError.
It does not know files or checksums; those are the log's.
"""

from collections.abc import Mapping
from dataclasses import MISSING, asdict, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from llmos.kernel import types
from llmos.kernel.types import (
    Answer,
    Artifact,
    ArtifactMade,
    Branched,
    Call,
    Decision,
    Event,
    Explored,
    Failure,
    Noticed,
    Paged,
    Pinned,
    Progress,
    Request,
    Result,
    Started,
    Text,
    Thought,
    ToolCall,
    Usage,
    Verdict,
)


def encode(event: Event) -> dict[str, Any]:
    """The event as JSON data; every nested value carries its type's name."""
    encoded: dict[str, Any] = _encoded(event)
    return encoded


def decode(data: Mapping[str, Any]) -> Event:
    """The event back from JSON data. Raises ValueError, one line, where anything is unknown, missing or wrong."""
    event = _instance(_type_of(data), data)
    if not isinstance(event, get_args(Event)):
        raise ValueError(f"{type(event).__name__} is no event")
    return event  # type: ignore[no-any-return]


def _encoded(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        inner = {field.name: _encoded(getattr(value, field.name)) for field in fields(value)}
        return {"type": type(value).__name__, **inner}
    if isinstance(value, Mapping):
        return {str(key): _encoded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_encoded(item) for item in value]
    return value


@cache
def _registry() -> dict[str, type]:
    public = (getattr(types, name) for name in dir(types) if not name.startswith("_"))
    return {item.__name__: item for item in public if isinstance(item, type) and is_dataclass(item)}


@cache
def _hints(cls: type) -> dict[str, Any]:
    return get_type_hints(cls)


def _type_of(data: Any) -> type:
    name = data.get("type") if isinstance(data, Mapping) else None
    found = _registry().get(name) if isinstance(name, str) else None
    if found is None:
        raise ValueError(f"unknown type {name!r}")
    return found


def _instance(cls: type, data: Mapping[str, Any]) -> Any:
    hints = _hints(cls)
    given = {name: value for name, value in data.items() if name != "type"}
    known = {field.name: field for field in fields(cls)}
    if unknown := sorted(set(given) - set(known)):
        raise ValueError(f"unknown field {unknown[0]!r} of {cls.__name__}")
    for name, field in known.items():
        if name not in given and field.default is MISSING and field.default_factory is MISSING:
            raise ValueError(f"{cls.__name__} without {name!r}")
    return cls(**{name: _value(hints[name], value, f"{cls.__name__}.{name}") for name, value in given.items()})


def _value(hint: Any, value: Any, where: str) -> Any:
    """The value as its type hint asks, or ValueError."""
    origin, inside = get_origin(hint), get_args(hint)
    if hint is Any:
        return value
    if origin in (UnionType, Union):
        return _member(inside, value, where)
    if origin is Literal:
        fits = value in inside
    elif origin is tuple:
        if isinstance(value, list):
            return tuple(_value(inside[0], item, where) for item in value)
        fits = False
    elif isinstance(origin, type) and issubclass(origin, Mapping):
        fits = isinstance(value, dict)
    elif is_dataclass(hint):
        if _type_of(value) is hint:
            return _instance(_type_of(value), value)
        fits = False
    elif hint is float:
        fits = isinstance(value, (int, float)) and not isinstance(value, bool)
    else:
        fits = type(value) is hint
    if not fits:
        raise ValueError(f"{where} cannot be {type(value).__name__}")
    return value


def _member(kinds: tuple[Any, ...], value: Any, where: str) -> Any:
    """The value as one member of a union: dataclasses by their name, the rest by their kind."""
    if isinstance(value, dict):
        found = _type_of(value)
        if found in kinds:
            return _instance(found, value)
    elif (NoneType if value is None else type(value)) in kinds:
        return value
    raise ValueError(f"{where} cannot be {type(value).__name__}")


def to_public(event: Event) -> dict[str, Any]:
    """The event as one line of ``--json``: a stable form, independent of the log's."""
    match event:
        case Started():
            return {"type": "started", "session": event.session, "model": event.model, "persona": event.persona}
        case Request():
            return {"type": "request", "text": event.text, "files": [file.path for file in event.attachments]}
        case Noticed():
            return {"type": "noticed", "where": event.where, "signals": [asdict(signal) for signal in event.signals]}
        case Text():
            told = {"type": "text", "text": event.text, "delta": event.delta}
            return told if event.by == "model" else {**told, "by": event.by}
        case Thought():
            return {"type": "thought", "text": event.text, "delta": event.delta}
        case Explored():
            return _public_explored(event)
        case Call():
            return _public_call(event)
        case Decision():
            told = {"type": "decision", "call_id": event.call_id, "verdict": event.verdict, "rule": event.rule}
            return told if event.approved is None else {**told, "approved": event.approved}
        case Progress():
            return {"type": "progress", "text": event.text, "call_id": event.call_id}
        case Result(result=result):
            told = {"type": "result", "call_id": result.call_id, "ok": result.ok, "text": result.preview}
            return {**told, "handle": result.handle, "seconds": result.seconds}
        case ArtifactMade():
            return {"type": "artifact", **_public_artifact(event.artifact)}
        case Paged():
            return {"type": "paged", "dropped": event.dropped, "tokens": event.tokens}
        case Answer():
            return _public_answer(event)
        case Failure():
            told = {"type": "failure", "kind": event.kind, "message": event.message}
            told |= {"budget": event.budget} if event.budget else {}
            return {**told, "usage": _public_usage(event.usage)}
        case Branched():
            return {"type": "branched", "parent": event.parent, "origin": event.origin}
        case Verdict():
            told = {"type": "verdict", "answer": event.answer, "verdict": event.verdict, "note": event.note}
            return {**told, "over": list(event.over)}
        case Pinned():
            return {"type": "pinned", "request": event.request, "on": event.on}


def _public_explored(event: Explored) -> dict[str, Any]:
    names = ("node", "under", "text", "value", "fate", "why", "answer", "tokens", "seconds")
    return {"type": "explored", **{name: getattr(event, name) for name in names}}


def _public_call(event: Call) -> dict[str, Any]:
    call = event.call
    if isinstance(call, ToolCall):
        return {"type": "call", "id": call.id, "name": call.name, "arguments": dict(call.arguments)}
    return {"type": "malformed", "id": call.id, "text": call.text, "problem": call.problem}


def _public_answer(event: Answer) -> dict[str, Any]:
    return {
        "type": "answer",
        "text": event.text,
        "citations": [asdict(citation) for citation in event.citations],
        "artifacts": [_public_artifact(artifact) for artifact in event.artifacts],
        "usage": _public_usage(event.usage),
    }


def _public_artifact(artifact: Artifact) -> dict[str, Any]:
    return {"path": artifact.path, "mime": artifact.mime, "title": artifact.title}


def _public_usage(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "generated_tokens": usage.generated_tokens,
        "seconds": usage.seconds,
    }
