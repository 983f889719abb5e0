"""Checkpoints of other families: how each writes its calls, proved at load.

A family's format comes from the tokenizer's ``response_template`` where it has one, else from the registry, else it is
taken for Hermes. A new family is one entry in ``FAMILIES``. Knows nothing of engines or sampling.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmos.kernel import harmony
from llmos.kernel.checkpoint import read_json
from llmos.kernel.codec import Codec
from llmos.kernel.engine import CallMade
from llmos.kernel.errors import ModelError
from llmos.kernel.frames import ARGUMENTS, NAME, NINE, Frame
from llmos.kernel.grammar import Grammars
from llmos.kernel.harmony import HarmonyParser
from llmos.kernel.parse import Format, Parser, Read, TurnParser, in_thought, new_id, read_mistral, text_of
from llmos.kernel.parse import read_json as read_call
from llmos.kernel.template import ChatTemplate, function_schema
from llmos.kernel.tool import Tool, ToolOutput
from llmos.kernel.types import Message, Part, Source, ToolCall


@dataclass(frozen=True, slots=True)
class Family:
    """How a family writes calls. ``fits`` decides by its chat template; ``opens`` and ``closes`` are control tokens."""

    name: str
    fits: Callable[[str], bool]
    opens: tuple[str, ...] = ()
    closes: tuple[str, ...] = ()
    args: str = ""
    bare: bool = False
    read: Read = read_call
    style: str = "hermes"
    key: str = "arguments"
    frame: Frame | None = None


def _framed(
    name: str, fits: Callable[[str], bool], opens: tuple[str, ...], closes: tuple[str, ...], frame: Frame
) -> Family:
    return Family(name, fits, opens, closes, read=frame.read, style="frame", frame=frame)


def _deep(words: str) -> str:
    """A control token of DeepSeek's, which are words between wide bars with a low block for each space."""
    return f"<\uff5c{words.replace(' ', chr(0x2581))}\uff5c>"


_XML = Frame(("\n<function=", NAME, ">\n", ARGUMENTS, "</function>\n"), "xml")
_BEGIN, _MIDDLE, _END = (_deep(words) for words in ("tool call begin", "tool sep", "tool call end"))
_FENCED = (_BEGIN, "function", _MIDDLE, NAME, "\n```json\n", ARGUMENTS, "\n```", _END)
_PLAIN = (_BEGIN, NAME, _MIDDLE, ARGUMENTS, _END)
_CALLS, _CALLS_END = _deep("tool calls begin"), _deep("tool calls end")
# Control tokens that end a turn wherever a tokenizer has them, the generation's settings aside.
ENDS = ("<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<end_of_turn>", "<turn|>", "<start_function_response>",
        "<|tool_response>", "<|end_of_text|>", harmony.CALL, harmony.RETURN, _deep("end of sentence"))  # fmt: skip
THOUGHTS, THOUGHT_ENDS = ("<think>", "<|channel>", "[THINK]"), ("</think>", "<channel|>", "[/THINK]")
# First fit wins; the last one fits all.
FAMILIES = (
    _framed("mistral-v13", lambda t: "[CALL_ID]" in t and "[ARGS]" in t, ("[TOOL_CALLS]",), (),
            Frame((NAME, "[CALL_ID]", NINE, "[ARGS]", ARGUMENTS))),
    Family("mistral-v11", lambda t: "[TOOL_CALLS]" in t and "[ARGS]" in t, ("[TOOL_CALLS]",), args="[ARGS]",
           read=read_mistral, style="args"),
    Family("mistral", lambda t: "[TOOL_CALLS]" in t, ("[TOOL_CALLS]",), read=read_mistral, style="list"),
    Family("llama3", lambda t: "<|eot_id|>" in t and '"parameters": ' in t, ("<|python_tag|>",), bare=True,
           style="bare", key="parameters"),
    _framed("xml", lambda t: "<function=" in t and "<parameter=" in t, ("<tool_call>", "<seed:tool_call>"),
            ("</tool_call>", "</seed:tool_call>"), _XML),
    _framed("deepseek-v3", lambda t: _CALLS in t and "```" in t, (_CALLS,), (_CALLS_END,),
            Frame(_FENCED, many=True, between="\n")),
    _framed("deepseek-v3.1", lambda t: _CALLS in t, (_CALLS,), (_CALLS_END,), Frame(_PLAIN, many=True)),
    _framed("gemma4", lambda t: "<|tool_call>" in t, ("<|tool_call>",), ("<tool_call|>",),
            Frame(("call:", NAME, ARGUMENTS), "quoted", quote='<|"|>')),
    _framed("functiongemma", lambda t: "<start_function_call>" in t, ("<start_function_call>",),
            ("<end_function_call>",), Frame(("call:", NAME, ARGUMENTS), "quoted", quote="<escape>")),
    Family("gpt-oss", lambda t: harmony.CALL in t and harmony.CHANNEL in t, style="harmony"),
    Family("granite", lambda t: "<|tool_call|>" in t, ("<|tool_call|>",), read=read_mistral, style="list"),
    Family("hermes", lambda t: True, ("<tool_call>",), ("</tool_call>",)),
)  # fmt: skip


class TemplateWire:
    """A :class:`~llmos.kernel.wire.Wire` over a chat template. Make it with :meth:`load`, which proves it."""

    def __init__(self, codec: Codec, template: ChatTemplate, form: Format) -> None:
        self.codec = codec
        self.form = form
        self._template = template

    @classmethod
    def load(cls, folder: Path, codec: Codec, source: str) -> "TemplateWire":
        """The first family that fits and proves itself. Raises ModelError when none does."""
        if not source:
            raise ModelError(f"{folder} has no chat template: llmos needs an instruction-tuned checkpoint")
        config = read_json(folder / "tokenizer_config.json") if (folder / "tokenizer_config.json").exists() else {}
        tokens = {k: _token_text(config.get(k)) for k in ("bos_token", "eos_token", "unk_token", "pad_token")}
        template = ChatTemplate(source, codec, tokens)
        stops = stop_ids(folder, codec, tokens["eos_token"])
        tried = []
        for family in candidates(source, config, codec):
            wire = cls(codec, template, _format(codec, family, stops))
            problem = prove(wire)
            if not problem:
                return wire
            tried.append(f"{family.name}: {problem}")
        raise ModelError(f"{folder} writes calls in a way llmos cannot read ({'; '.join(tried)})")

    def render(self, messages: Sequence[Message], tools: Sequence[Tool], open_turn: bool = True) -> list[int]:
        """See :meth:`~llmos.kernel.template.ChatTemplate.render`."""
        return self._template.render(messages, tools, open_turn)

    def parser(self, branch: int = 0, thinking: bool = False, tools: Sequence[Tool] = ()) -> Parser:
        """See :class:`~llmos.kernel.parse.TurnParser`."""
        if self.form.style == "harmony":
            return HarmonyParser(self.codec, self.form, branch, tools)
        return TurnParser(self.codec, self.form, branch, thinking, tools)


def candidates(source: str, config: Mapping[str, Any], codec: Codec) -> Iterator[Family]:
    """The families a checkpoint may be of, likeliest first."""
    if config.get("response_template"):
        family = from_response_template(config["response_template"], codec)
        if family is not None:
            yield family
    yield next(f for f in FAMILIES if f.fits(source))


def from_response_template(template: Any, codec: Codec) -> Family | None:
    """The family that transformers' ``response_template`` describes: its delimiters as ids, its reading of a body.

    None where transformers is missing or calls have no control token of their own.
    """
    try:
        from transformers.utils.chat_parsing import parse_response
    except ImportError:
        return None
    field = template.get("fields", {}).get("tool_calls", {}) if isinstance(template, Mapping) else {}
    opens, closes = (_control_in(field, end, codec) for end in ("open", "close"))
    if not opens:
        return None

    def read(body: str, tools: Sequence[Tool]) -> list[tuple[str, Mapping[str, Any]]]:
        text = opens[0] + body + "".join(closes[:1])
        message = parse_response(text, template, prefix="", tools=[function_schema(t) for t in tools])
        calls = [c["function"] for c in message.get("tool_calls") or []]
        if not calls:
            raise ValueError("the call cannot be read")
        return [(c["name"], c["arguments"]) for c in calls]

    return Family("response_template", lambda t: True, opens, closes, read=read, style="free")


def _control_in(field: Mapping[str, Any], end: str, codec: Codec) -> tuple[str, ...]:
    """The control tokens in a field's ``open`` or ``close``, literal or pattern."""
    found = field.get(end) or re.sub(r"\\(.)", r"\1", str(field.get(f"{end}_pattern", "")))
    texts = found if isinstance(found, list) else [str(found)]
    return tuple(name for name in codec.control if any(name in t for t in texts))


def _format(codec: Codec, family: Family, stops: frozenset[int]) -> Format:
    def known(names: Sequence[str]) -> frozenset[int]:
        return frozenset(codec.control[n] for n in names if n in codec.control)

    def first(names: Sequence[str]) -> int | None:
        return next((codec.control[n] for n in names if n in codec.control), None)

    return Format(
        name=family.name,
        stops=stops,
        opens=known(family.opens),
        closes=known(family.closes),
        think=first(THOUGHTS),
        think_end=first(THOUGHT_ENDS),
        bare=family.bare,
        read=family.read,
        style=family.style,
        key=family.key,
        args=codec.control.get(family.args),
        frame=family.frame,
    )


def stop_ids(folder: Path, codec: Codec, eos: str) -> frozenset[int]:
    """The ids that end a turn: those of generation_config, config and the tokenizer. Raises ModelError without any."""
    found: set[int] = set()
    for name in ("generation_config.json", "config.json"):
        if (folder / name).exists():
            value = read_json(folder / name).get("eos_token_id")
            found |= set(value if isinstance(value, list) else [] if value is None else [value])
    found |= {codec.control[name] for name in (*ENDS, eos) if name in codec.control}
    if not found:
        raise ModelError(f"{folder} names no token that ends a turn")
    return frozenset(found)


def _token_text(value: Any) -> str:
    return str(value.get("content", "")) if isinstance(value, Mapping) else str(value or "")


_PROBE = {"text": 'a "quoted" <é>\nline', "count": 3}


def prove(wire: TemplateWire) -> str:
    """Render a call through the template, parse it back, see that the grammar takes it; what went wrong, or empty."""
    source = Source("kernel")
    schema = {"type": "object", "properties": {"text": {"type": "string"}, "count": {"type": "integer"}}}
    tool = Tool("probe", "A probe.", schema, lambda arguments, context: ToolOutput(""))
    call = ToolCall(new_id(), "probe", _PROBE)
    asked = [Message("user", (Part("Go.", source),))]
    made = [*asked, Message("assistant", (), (call,))]
    done = [*made, Message("tool", (Part("fine4711", source),), (), call.id)]
    try:
        prompt, turn = wire.render(asked, [tool]), wire.render(made, [tool], open_turn=False)
        answered = wire.codec.decode(wire.render(done, [tool]))
    except ModelError as error:
        return str(error)
    at = next((n for n, (a, b) in enumerate(zip(prompt, turn, strict=False)) if a != b), len(prompt))
    if "probe" not in wire.codec.decode(prompt) or "fine4711" not in answered:
        return "its chat template shows neither tools nor their results"
    thinking = in_thought(turn[:at], wire.form)
    parser, found = wire.parser(0, thinking, [tool]), []
    for i in turn[at:]:
        found += parser.feed(i)
        if i in wire.form.stops:
            break
    calls = [d.call for d in [*found, *parser.finish()] if isinstance(d, CallMade)]
    if [(c.name, dict(c.arguments)) for c in calls if isinstance(c, ToolCall)] != [("probe", _PROBE)]:
        shown = wire.codec.decode(turn[at:]).strip()
        return f"the call {shown[:80]!r} is read back as {text_of(found)[:80]!r}"
    return _prove_grammar(wire, tool, turn[at:], thinking)


def _prove_grammar(wire: TemplateWire, tool: Tool, turn: Sequence[int], thinking: bool) -> str:
    grammar = Grammars(wire.codec, wire.form, wire.codec.size).turn([tool], thinking)
    for i in turn:
        if not int(grammar.mask()[i >> 5]) >> (i & 31) & 1:
            return f"the grammar refuses {wire.codec.decode([i])!r} in a call it renders"
        grammar.accept(i)
        # What the template adds after the call (an end, a header for the result) is not the model's to write.
        if grammar.closed:
            return ""
    return ""
