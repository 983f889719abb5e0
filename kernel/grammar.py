"""What a branch may emit next: free text, or a call that is always valid for its tool's JSON schema.

Free text is a fixed mask (no control ids but those that open a call, a thought, or end the turn); only inside a call
does llguidance run. Works on the ids of a ``tokenizer.json``, without transformers. Knows nothing of engines.
"""

import json
import threading
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from llguidance import LLMatcher, LLTokenizer

from llmos.kernel import frames, harmony
from llmos.kernel.bits import Bits, pack
from llmos.kernel.brackets import Brackets, Limit, Spot
from llmos.kernel.codec import Codec
from llmos.kernel.errors import ModelError
from llmos.kernel.parse import Format
from llmos.kernel.pointers import Pointers
from llmos.kernel.tool import Tool
from llmos.kernel.vocabulary import Vocabulary

# Strings and lists without a bound of their own get these, so that every call closes.
TEXT_LIMIT, LIST_LIMIT = 4000, 200
# With fewer tokens than this to come, a call is closed as soon as its schema lets it be.
CLOSING_ROOM = 48
# The letters between tokens of JSON as json.dumps writes it, which is how the models were taught.
_JSON_STYLE = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": ", "lenient": True}


class Grammars:
    """Makes the grammars of one model; compiled tool sets are kept. ``vocabulary`` is the width of its logits."""

    def __init__(self, codec: Codec, form: Format, vocabulary: int) -> None:
        self.form = form
        stop = min(form.stops)
        self._tokenizer = LLTokenizer(codec.unspellable(), n_vocab=max(vocabulary, codec.size), eos_token=stop)
        self._compiled: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._codec = codec
        self.bytes_of = codec.bytes_of
        plain = [i for i, b in enumerate(codec.bytes_of) if b and i not in codec.control_ids]
        thought = [] if form.think is None else [form.think]
        done = [] if form.think_end is None else [form.think_end]
        newline = codec.encode("\n")
        self.newline = newline[0] if len(newline) == 1 and form.style in ("hermes", "frame") else -1
        self.text = pack([*plain, *form.stops, *thought], vocabulary)
        self.text_or_call = pack([*plain, *form.stops, *thought, *form.opens], vocabulary)
        self.thought = pack([*plain, *done], vocabulary)
        again = {self.newline} if self.newline >= 0 else form.opens
        self.after_call = pack([*form.stops, *again, *(form.opens if form.style == "frame" else ())], vocabulary)
        self.done = pack(form.stops, vocabulary)
        # First the quote that ends a string, in which brackets are letters like others; then what ends the rest.
        ends = {
            c: [i for i in plain if codec.bytes_of[i][:1] in c and not codec.bytes_of[i].strip(b'"]}\n')]
            for c in (b'"', b"]}")
        }
        self.closers = [pack(ends[b'"'], vocabulary), pack([*ends[b"]}"], *form.closes], vocabulary)]
        self.next_call = pack(form.opens, vocabulary)
        # A body that no grammar describes may hold the family's other control tokens.
        inner = sorted(codec.control_ids - form.opens) if form.style == "free" else []
        self.lost = pack([*plain, *inner, *form.stops, *form.closes], vocabulary)

    @property
    def _head(self) -> str:
        """What stands before a turn's text, in Lark."""
        return harmony.head(self._codec.control) if self.form.style == "harmony" else ""

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The plain tokens, for :class:`Pointers`."""
        return Vocabulary(self.bytes_of, self._codec.control_ids)

    @cached_property
    def brackets(self) -> Brackets:
        """The tokens that marks of sources are made of, for :class:`Limit`."""
        return Brackets(self.bytes_of, self._codec.control_ids, len(self.text) * 32)

    def turn(
        self,
        tools: Sequence[Tool],
        thinking: bool = False,
        pointers: Pointers | None = None,
        marks: Sequence[int] | None = None,
    ) -> "TurnGrammar":
        """An assistant's turn: text, then calls of these tools alone, then its end.

        ``marks`` are the numbers that its text may cite, None for any.
        """
        if self.form.style == "harmony":
            return TurnGrammar(self, None, "choice", self._calls(tools).deep_copy())
        calls = self._calls(tools) if tools and self.form.style != "free" else None
        made = TurnGrammar(self, calls, "think" if thinking else "text")
        made.open = bool(tools)
        made.pointers = pointers
        made.limit = None if marks is None else Limit(self.brackets, marks)
        return made

    def choices(self, choices: Sequence[str]) -> "TurnGrammar":
        """A turn that is exactly one of ``choices``."""
        stop = " | ".join(f"<[{i}]>" for i in sorted(self.form.stops))
        whole = f"start: {self._head} ({' | '.join(map(_quote, choices))}) ({stop})"
        return TurnGrammar(self, None, "choice", self._compile(whole).deep_copy())

    def value(self, schema: str) -> "TurnGrammar":
        """A turn that is exactly one JSON value of a schema, given as JSON text."""
        stop = " | ".join(f"<[{i}]>" for i in sorted(self.form.stops))
        whole = f"start: {self._head} value ({stop})\nvalue: {_as_json(bounded(json.loads(schema)))}"
        return TurnGrammar(self, None, "choice", self._compile(whole).deep_copy())

    def _calls(self, tools: Sequence[Tool]) -> Any:
        try:
            return self._compile(self._lark(tools))
        except ModelError:
            # A schema that llguidance does not know is left to dispatch; the call is still JSON with a known name.
            known = [t for t in tools if self._compiles(self._lark([t]))]
            return self._compile(self._lark(tools, {t.name for t in known}))

    def _lark(self, tools: Sequence[Tool], strict: set[str] | None = None) -> str:
        return calls_lark(tools, self.form, self._codec.control, strict)

    def _compiles(self, rules: str) -> bool:
        return not LLMatcher(self._tokenizer, rules, log_level=0).is_error()

    def _compile(self, rules: str) -> Any:
        with self._lock:
            if rules not in self._compiled:
                matcher = LLMatcher(self._tokenizer, rules, log_level=0)
                if matcher.is_error():
                    raise ModelError(f"the grammar of the tools cannot be built: {matcher.get_error().splitlines()[0]}")
                while len(self._compiled) >= 16:
                    self._compiled.pop(next(iter(self._compiled)))
                self._compiled[rules] = matcher
            return self._compiled[rules]


class TurnGrammar:
    """See :class:`~llmos.kernel.engine.Grammar`. ``calls`` is the matcher a call starts from, None without tools."""

    def __init__(self, rules: Grammars, calls: Any, state: str, matcher: Any = None) -> None:
        self._rules = rules
        self._calls = calls
        self._state = state
        self._matcher = matcher
        self._first = True
        # Whether a call may begin.
        self.open = calls is not None
        self.pointers: Pointers | None = None
        self.limit: Limit | None = None
        self._spot = Spot()
        self._written = b""  # of the text, or of the call that is being made

    def mask(self, room: int | None = None) -> Bits:
        """Packed bits of the allowed ids, ``room`` tokens before the reply's end."""
        if self._state == "text":
            free = self._text(room)
            return free if self.limit is None else self.limit.narrow(self._spot, free)
        rules = self._rules
        short = room is not None and room <= CLOSING_ROOM
        if self._state in ("call", "choice"):
            bits: Bits = np.frombuffer(self._matcher.compute_bitmask(), np.int32)
            if self.pointers is not None:
                bits = self.pointers.narrow(self._written, bits)
            if not short or self._state == "choice":
                return bits
            # The matcher's bits may be a word longer than the vocabulary needs.
            size = min(len(bits), len(rules.text))
            closing = (bits[:size] & closers[:size] for closers in rules.closers)
            return next((found for found in closing if found.any()), bits)
        fixed: Bits = {
            "think": rules.thought,
            "after": rules.done if short else rules.after_call,
            "next": rules.next_call,
            "lost": rules.lost,
            "done": rules.done,
        }[self._state]
        return fixed

    def accept(self, token: int) -> bool:
        """Move on by ``token``; false if it was not allowed."""
        form, state, first = self._rules.form, self._state, self._first
        self._first = False
        if state in ("call", "choice"):
            return self._inside(token)
        if self.limit is not None and state == "text":
            self._spot = self.limit.after(self._spot, token)
        if token in form.stops:
            self._state = "done"
        elif token in form.opens:
            self._matcher = None if self._calls is None else self._calls.deep_copy()
            self._state = "lost" if self._matcher is None else "call"
            self._written = b""
            return self.open
        elif state == "lost" and token in form.closes:
            self._state = "after"
        elif state == "after" and token == self._rules.newline:
            self._state = "next"
        elif token == form.think:
            self._state, self._first = "think", True
        elif token == form.think_end:
            self._state, self._first = "text", True
        elif first and form.bare and self._calls is not None and state == "text":
            self._bare(token)
        elif state == "text" and self.pointers is not None:
            self._written += self._rules.bytes_of[token]
        return True

    def forced(self) -> list[int]:
        """The ids that must come next; most of a call's JSON is not the model's to choose."""
        if self._state not in ("call", "choice"):
            return []
        ids: list[int] = self._matcher.compute_ff_tokens()
        return ids

    @property
    def closed(self) -> bool:
        """Whether a call has just ended."""
        return self._state == "after"

    def fork(self) -> "TurnGrammar":
        """An independent copy."""
        matcher = self._matcher.deep_copy() if self._matcher is not None else None
        made = TurnGrammar(self._rules, self._calls, self._state, matcher)
        made._first, made.open = self._first, self.open
        made.pointers, made._written = self.pointers, self._written
        made.limit, made._spot = self.limit, self._spot
        return made

    def _text(self, room: int | None) -> Bits:
        """As :meth:`mask`, of the text before a call, whatever it cites."""
        rules = self._rules
        short = room is not None and room <= CLOSING_ROOM
        opens = self.open and not short and not (self.pointers and self.pointers.silent)
        if opens and self.pointers and self.pointers.tool and not self._written:
            return rules.next_call
        free = rules.text_or_call if opens else rules.text
        sentence = None if self.pointers is None else self.pointers.words(self._written, len(free) * 32)
        if sentence is None:
            return free
        if not sentence.any():
            return rules.done
        # Instead of the sentence another call may begin.
        return sentence | rules.next_call if opens and not self._written else sentence

    def _bare(self, token: int) -> None:
        # A family without an opening id: a turn whose first token can begin a call is one.
        matcher = self._calls.deep_copy()
        if matcher.validate_tokens([token]) == 1:
            self._state, self._matcher = "call", matcher
            self._inside(token)

    def _inside(self, token: int) -> bool:
        ok = bool(self._matcher.consume_token(token))
        self._written += self._rules.bytes_of[token] if token < len(self._rules.bytes_of) else b""
        if not ok or self._matcher.is_error():
            # A schema past the matcher's limits: the reply goes on, and the parser says what it thinks of it.
            self._state, self._matcher = "lost", None
        elif self._matcher.is_stopped():
            self._state, self._matcher = "done" if self._state == "choice" else "after", None
        return ok


def calls_lark(tools: Sequence[Tool], form: Format, control: Mapping[str, int], strict: set[str] | None = None) -> str:
    """What follows a call's opening id, as a Lark grammar; tools outside ``strict`` may have any arguments."""
    if form.frame is not None or form.style == "harmony":
        named = [
            (t.name, bounded(t.parameters) if strict is None or t.name in strict else {"type": "object"}) for t in tools
        ]
        if form.frame is None:
            return harmony.lark(named, sorted(form.stops), control, _as_json)
        return frames.lark(form.frame, named, sorted(form.closes), control, _as_json)
    rules = [f"call: {' | '.join(f'call_{n}' for n in range(len(tools)))}"]
    for n, tool in enumerate(tools):
        known = strict is None or tool.name in strict
        schema = bounded(tool.parameters) if known else {"type": "object"}
        rules.append(f"arguments_{n}: {_as_json(schema)}")
        rules.append(f"call_{n}: {_call(tool.name, n, form)}")
    ends = " | ".join(f"<[{i}]>" for i in sorted(form.closes))
    start = {"hermes": f'"\\n" call "\\n" ({ends})', "list": '" "? "[" call (", " call)* "]"'}.get(form.style, "call")
    return "\n".join([f"start: {start}", *rules])


def _as_json(schema: Any) -> str:
    return f"%json {json.dumps({**schema, 'x-guidance': _JSON_STYLE})}"


def _call(name: str, n: int, form: Format) -> str:
    if form.args is not None:
        return f"{_quote(name)} <[{form.args}]> arguments_{n}"
    before = json.dumps({"name": name}, ensure_ascii=False)[:-1] + f', "{form.key}": '
    # Mistral's template writes an id after the arguments.
    after = r'(", \"id\": \"" /[a-zA-Z0-9]{9}/ "\"")?' if form.style == "list" else ""
    return f'{_quote(before)} arguments_{n} {after} "}}"'


def bounded(schema: Any) -> Any:
    """A JSON schema whose strings and lists have a length and whose objects have no keys beyond those named."""
    if isinstance(schema, list):
        return [bounded(s) for s in schema]
    if not isinstance(schema, Mapping):
        return schema
    made = {k: v if k in ("enum", "const", "default") else bounded(v) for k, v in schema.items()}
    kind = made.get("type")
    if kind == "string" and not {"enum", "const", "pattern", "format"} & made.keys():
        made.setdefault("maxLength", TEXT_LIMIT)
    if kind == "array":
        made.setdefault("maxItems", LIST_LIMIT)
    if kind == "object" and "properties" in made:
        made.setdefault("additionalProperties", False)
    return made


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
