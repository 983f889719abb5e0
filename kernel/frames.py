"""How families frame a call: pieces of text and control tokens around a name and its arguments.

The same pieces are read and are the grammar, so that the two cannot disagree. Arguments are JSON, a tag for each
(``xml``), or bare keys with strings between control tokens (``quoted``). Knows nothing of templates or tokenizers.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llmos.kernel.tool import Tool

NAME, ARGUMENTS, NINE = "{name}", "{arguments}", "{id}"
# Calls within one frame, and arguments that need not be given: both bounded, so that a call always closes.
CALLS, OPTIONAL = 16, 32
_PARTS = {NAME: r"(?P<name>[^\s<>{}\[\]()|:]+)", ARGUMENTS: r"(?P<arguments>.*?)", NINE: r"[A-Za-z0-9]+"}


@dataclass(frozen=True, slots=True)
class Frame:
    """``pieces`` of a call in their order; ``many`` of them may follow one another, with ``between`` between two.

    ``quote`` is the control token around strings.
    """

    pieces: tuple[str, ...]
    values: str = "json"
    many: bool = False
    between: str = ""
    quote: str = ""

    def read(self, body: str, tools: Sequence[Tool]) -> list[tuple[str, Mapping[str, Any]]]:
        """The calls in a body, by name; raises ValueError with one line where there is none or something else."""
        pattern = "".join(_PARTS.get(p) or re.escape(p).replace("\\\n", r"\s*") for p in self.pieces)
        pattern += "" if self.many else r"\s*\Z"
        found, at = [], 0
        for match in re.finditer(pattern, body, re.DOTALL):
            if body[at : match.start()].strip():
                break
            found.append((match["name"], self._arguments(match["name"], match["arguments"], tools)))
            at = match.end()
        if not found or body[at:].strip():
            raise ValueError(f"no call can be read at {body[at:].strip()[:40]!r}")
        return found

    def _arguments(self, name: str, text: str, tools: Sequence[Tool]) -> Mapping[str, Any]:
        if self.values == "json":
            made = json.loads(text)
        elif self.values == "quoted":
            made = _Quoted(text.strip(), self.quote).whole()
        else:
            schema = next((t.parameters for t in tools if t.name == name), {})
            made = dict(_tags(text, schema.get("properties", {})))
        if not isinstance(made, dict):
            raise ValueError("the call's arguments are not an object")
        return made


AsJson = Callable[[Any], str]


def lark(
    frame: Frame,
    tools: Sequence[tuple[str, Any]],
    closes: Sequence[int],
    control: Mapping[str, int],
    as_json: AsJson,
) -> str:
    """What follows a call's opening id, as a Lark grammar. ``tools`` are names and schemas of bounded size;
    ``as_json`` is a schema's JSON in Lark.
    """
    rules: list[str] = []
    for n, (name, schema) in enumerate(tools):
        rules.append(f"call_{n}: {' '.join(_piece(p, name, n, control) for p in frame.pieces)}")
        rules += _arguments(frame, f"arguments_{n}", schema, as_json, control)
    again = f"({_text(frame.between)} call){{0,{CALLS - 1}}}" if frame.many else ""
    ends = " | ".join(f"<[{i}]>" for i in sorted(closes))
    start = f"start: call {again} {f'({ends})' if ends else ''}"
    return "\n".join([start, f"call: {' | '.join(f'call_{n}' for n in range(len(tools)))}", *rules])


def _piece(piece: str, name: str, n: int, control: Mapping[str, int]) -> str:
    if piece == NAME:
        return _text(name)
    if piece == ARGUMENTS:
        return f"arguments_{n}"
    if piece == NINE:
        return "/[a-zA-Z0-9]{9}/"
    return f"<[{control[piece]}]>" if piece in control else _text(piece)


def _arguments(frame: Frame, rule: str, schema: Any, as_json: AsJson, control: Mapping[str, int]) -> list[str]:
    properties = schema.get("properties")
    if frame.values == "json" or not isinstance(properties, Mapping):
        return [f"{rule}: {as_json(schema if frame.values == 'json' else {'type': 'object'})}"]
    rules, needed, free = list[str](), list[str](), list[str]()
    for n, (key, value) in enumerate(properties.items()):
        (needed if key in schema.get("required", ()) else free).append(f"{rule}_{n}")
        if frame.values == "xml":
            rules += _tag(f"{rule}_{n}", key, value, as_json)
        else:
            rules.append(f"{rule}_{n}: {_text(f'{key}:')} {rule}_{n}_v")
            rules += _quoted(f"{rule}_{n}_v", value, as_json, f"<[{control[frame.quote]}]>")
    comma = '","' if frame.values == "quoted" else ""
    must = f" {comma} ".join(needed)
    may = f"({' | '.join(free)})" if free else ""
    if must and may:
        whole = f"{must} ({comma} {may}){{0,{OPTIONAL}}}"
    elif may:
        whole = f"({may} ({comma} {may}){{0,{OPTIONAL - 1}}})?"
    else:
        whole = must or '""'
    return [f"{rule}: {whole}" if frame.values == "xml" else f'{rule}: "{{" {whole} "}}"', *rules]


def _tag(rule: str, key: str, value: Any, as_json: AsJson) -> list[str]:
    """``<parameter=k>``, a line end, the value, a line end, ``</parameter>``; a string stands there as it is."""
    head, tail = _text(f"<parameter={key}>\n"), _text("\n</parameter>\n")
    if "enum" in value and all(isinstance(v, str) for v in value["enum"]):
        return [f"{rule}: {head} ({' | '.join(map(_text, value['enum']))}) {tail}"]
    if value.get("type") == "string":
        most = int(value.get("maxLength", 4000))
        return [f"{rule}: {head} {rule}_v", f"{rule}_v[suffix={tail}]: /(?s:.{{0,{most}}})/"]
    return [f"{rule}: {head} {rule}_v {tail}", f"{rule}_v: {as_json(value)}"]


def _quoted(rule: str, value: Any, as_json: AsJson, quote: str) -> list[str]:
    """Strings between control tokens, which no text is; objects with bare keys; the rest as JSON has it."""
    kind = value.get("type")
    if "enum" in value:
        texts = [f"{quote} {_text(v)} {quote}" if isinstance(v, str) else _text(json.dumps(v)) for v in value["enum"]]
        return [f"{rule}: {' | '.join(texts)}"]
    if kind == "string":
        return [f"{rule}: {quote} /(?s:.{{0,{int(value.get('maxLength', 4000))}}})/ {quote}"]
    if kind == "array":
        inner = _quoted(f"{rule}_i", value.get("items") or {"type": "string"}, as_json, quote)
        most = max(0, int(value.get("maxItems", 200)) - 1)
        return [f'{rule}: "[" ({rule}_i ("," {rule}_i){{0,{most}}})? "]"', *inner]
    if kind == "object" and isinstance(value.get("properties"), Mapping):
        frame = Frame((), "quoted", quote="q")
        inner_quote = int(quote[2:-2])
        return _arguments(frame, rule, value, as_json, {"q": inner_quote})
    if kind in ("integer", "number", "boolean", "null"):
        return [f"{rule}: {as_json(value)}"]
    plain = as_json({"type": ["number", "boolean", "null"]})
    return [f"{rule}: {quote} /(?s:.{{0,4000}})/ {quote} | {rule}_p", f"{rule}_p: {plain}"]


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _tags(text: str, properties: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    at = 0
    for match in re.finditer(r"\s*<parameter=([^>\n]+)>\n?(.*?)\n?</parameter>", text, re.DOTALL):
        if match.start() != at:
            break
        at = match.end()
        yield match[1], _cast(match[2], properties.get(match[1], {}))
    if text[at:].strip():
        raise ValueError(f"no parameter can be read at {text[at:].strip()[:40]!r}")


def _cast(text: str, schema: Mapping[str, Any]) -> Any:
    """A value that was written without its type: a string where the schema says so, or where it is nothing else."""
    kinds = schema.get("type", "")
    if kinds == "string" or (not kinds and all(isinstance(v, str) for v in schema.get("enum", [0]))):
        return text
    plain = {"True": True, "False": False, "None": None}
    if text.strip() in plain:
        return plain[text.strip()]
    try:
        return json.loads(text)
    except ValueError:
        return text


class _Quoted:
    """Reads ``{k:<q>v<q>,n:42}``. Raises ValueError with one line."""

    def __init__(self, text: str, quote: str) -> None:
        self._text, self._quote, self._at = text, quote, 0

    def whole(self) -> Any:
        made = self._value(0)
        if self._text[self._at :].strip():
            raise ValueError(f"there is more after the arguments: {self._text[self._at :][:40]!r}")
        return made

    def _value(self, depth: int) -> Any:
        if depth > 40:
            raise ValueError("the arguments are nested too deep")
        text = self._text
        if text.startswith(self._quote, self._at):
            return self._string()
        if self._skip("{"):
            made: dict[str, Any] = {}
            while not self._skip("}"):
                key = self._string() if text.startswith(self._quote, self._at) else self._upto(":")
                if not self._skip(":"):
                    raise ValueError(f"no value for {key[:40]!r}")
                made[key.strip()] = self._value(depth + 1)
                self._skip(",")
            return made
        if self._skip("["):
            found = []
            while not self._skip("]"):
                found.append(self._value(depth + 1))
                self._skip(",")
            return found
        match = re.compile(r"\s*(-?[0-9.eE+-]+|true|false|null|None)").match(text, self._at)
        if match is None:
            raise ValueError(f"no value can be read at {text[self._at :][:40]!r}")
        self._at = match.end()
        return None if match[1] == "None" else json.loads(match[1])

    def _string(self) -> str:
        start = self._at + len(self._quote)
        end = self._text.find(self._quote, start)
        if end < 0:
            raise ValueError("a string has no end")
        self._at = end + len(self._quote)
        return self._text[start:end]

    def _upto(self, mark: str) -> str:
        end = self._text.find(mark, self._at)
        if end < 0:
            raise ValueError(f"no key can be read at {self._text[self._at :][:40]!r}")
        found, self._at = self._text[self._at : end], end
        return found

    def _skip(self, mark: str) -> bool:
        if self._at < len(self._text) and self._text[self._at] == mark:
            self._at += 1
            return True
        return False
