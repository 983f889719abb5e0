"""Short names for what a conversation names: ``@1`` a number, ``~2`` a day, ``#3`` a column.

The embedded kernel reads and writes these in place of the things themselves, so that it has to know what to do with a
number and never how it is spelled: ``15% of 2,400`` reaches it as ``@1% of @2``, and its ``@1% * @2`` leaves as
``15% * 2400``. Numbers are counted anew in each request, columns through the whole conversation. A calculator's result
is a number of its request, and so is a result of several lines.

For the embedded kernel alone: a larger model sees the conversation as it is. Source: Dong & Lapata 2016, "Language to
logical form with neural attention" (argument identification).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from llmos.kernel.engine import CallMade, Delta, TextDelta, ThoughtDelta
from llmos.kernel.literals import literals
from llmos.kernel.slots import Column, mentions
from llmos.kernel.types import Malformed, Message, Part, ToolCall

_FILE = re.compile(r"^file '([^'\"\\]+)'", re.M)
_COLUMNS = re.compile(r"^columns: (.*)$", re.M)
_NAME = re.compile(r"""'([^'"\\\u2026]+)' \(([\w/]+)""")
_SIGN = re.compile(r"[@~#](\d+)")
# A sign that was there before is set apart from its number.
_TAKEN = re.compile(r"([@~#])(?=\d)")
_RESULT = re.compile(r"(?<![\w.-])\d+(?:\.\d+)?(?![\w.-])")
# What the sandbox tells beside a result: cells that it read as empty, names that it took for others.
_NOTE = re.compile(r"^(?:\(there is no .* was taken\)|.*: \d+ cells? of .* left empty\.)\n", re.M)
_MOST_RESULTS = 12  # of a result's numbers get names
_MOST = 99  # of a request's numbers do
_READ = 4_000  # characters of a request in which columns are looked for


@dataclass
class Turn:
    """The numbers of one request and its results; ``whole`` are results, which are read out and not computed with.

    ``request`` is the user's words, ``told`` the same with short names; ``fresh`` until something was answered;
    ``attached``: a file came with it.
    """

    request: str = ""
    told: str = ""
    fresh: bool = True
    attached: bool = False
    values: list[str] = field(default_factory=list)
    whole: set[str] = field(default_factory=set)

    def sign(self, value: str) -> str:
        """The short name of a value, a new one where it has none; the value itself when there are too many."""
        if value not in self.values:
            if len(self.values) >= _MOST:
                return value
            self.values.append(value)
        kind = "~" if value.count("-") == 2 and value not in self.whole else "@"
        return f"{kind}{self.values.index(value) + 1}"


class Aliases:
    """The short names of ``messages``, and the messages told with them (``messages``)."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self.columns: list[Column] = []
        self.files: dict[str, None] = {}
        self.turn = Turn()
        self._tools: dict[str, str] = {}  # what each call was to
        self.messages = [self._told(message) for message in messages]

    def outward(self, text: str, code: bool = False) -> str:
        """Text with short names, with the things themselves; columns as Python writes them in ``code``."""

        def thing(sign: re.Match[str]) -> str:
            number, values = int(sign[1]), self.turn.values
            if sign[0][0] != "#":
                return values[number - 1] if 0 < number <= len(values) else sign[0]
            if not 0 < number <= len(self.columns):
                return sign[0]
            name = self.columns[number - 1].name
            return quoted(name) if code else name

        return _SIGN.sub(thing, text)

    def call(self, call: ToolCall | Malformed) -> ToolCall | Malformed:
        """A call as it was written, with the things themselves."""
        if isinstance(call, Malformed):
            return call
        return replace(call, arguments=_each(call.arguments, lambda text: self.outward(text, code=True)))

    def _told(self, message: Message) -> Message:
        if message.role == "user":
            attached = any(p.source.origin in ("file", "library") for p in message.parts)
            self.turn = Turn(" ".join(_asked(message))[:_READ], attached=attached)
            heard = replace(message, parts=tuple(map(self._heard, message.parts)))
            self.turn.told = " ".join(_asked(heard))
            return heard
        self.turn.fresh = False
        if message.role == "tool":
            whole = self._tools.get(message.call_id) == "calculator"
            return replace(message, parts=tuple(self._result(part, whole) for part in message.parts))
        if message.role == "assistant":
            self._tools |= {c.id: c.name for c in message.calls if isinstance(c, ToolCall)}
            calls = tuple(
                c if isinstance(c, Malformed) else replace(c, arguments=_each(c.arguments, self._code))
                for c in message.calls
            )
            return replace(message, parts=tuple(_changed(p, self._words) for p in message.parts), calls=calls)
        return message

    def _heard(self, part: Part) -> Part:
        if part.source.origin == "user":
            return _changed(part, self._request)
        if part.source.origin in ("file", "library"):
            return _changed(part, self._preview)
        return part

    def _preview(self, text: str) -> str:
        """A preview, its columns with their signs before them."""
        self.files |= dict.fromkeys(_FILE.findall(text))
        text = _TAKEN.sub(r"\1 ", text)

        def signed(name: re.Match[str]) -> str:
            known = [c.name for c in self.columns]
            if name[1] not in known:
                self.columns.append(Column(name[1], name[2]))
                known.append(name[1])
            return f"#{known.index(name[1]) + 1} {name[0]}"

        return _COLUMNS.sub(lambda line: _NAME.sub(signed, line[0]), text)

    def _request(self, text: str) -> str:
        """A request, with signs for the columns, numbers and days that it speaks of."""
        text = _TAKEN.sub(r"\1 ", text)
        found = [(m.start(), m.end(), m[0]) for name in self.files for m in re.finditer(re.escape(name), text)]
        for start, end, number in mentions(text[:_READ], self.columns):
            if not any(start < e and s < end for s, e, _ in found):
                found.append((start, end, f"#{number}"))
        taken = list(found)
        for literal in literals(text):
            if len(self.turn.values) >= _MOST:
                break
            if not any(literal.start < e and s < literal.end for s, e, _ in taken):
                found.append((literal.start, literal.end, self.turn.sign(literal.value)))
        told, at = "", 0
        for start, end, sign in sorted(found):
            if start >= at:
                told += text[at:start] + sign
                at = end
        return told + text[at:]

    def _result(self, part: Part, whole: bool) -> Part:
        text = part.content
        if not isinstance(text, str) or text.startswith("error"):
            return part
        text = _NOTE.sub("", text)
        told, lines = "", "\n" in text
        if whole or lines:
            self.turn.whole.add(text)
            told = self.turn.sign(text)
            if not lines:
                return replace(part, content=told)
            told += "\n"
        seen = _TAKEN.sub(r"\1 ", text)
        few = len(_RESULT.findall(text)) <= _MOST_RESULTS
        return replace(part, content=told + (_RESULT.sub(lambda m: self.turn.sign(m[0]), seen) if few else seen))

    def _code(self, text: str) -> str:
        for number, column in enumerate(self.columns, 1):
            text = text.replace(quoted(column.name), f"#{number}")
        return self._numbers(text)

    def _words(self, text: str) -> str:
        names = {c.name: n for n, c in reversed(list(enumerate(self.columns, 1))) if len(c.name) > 1}
        if names:
            text = _among(names).sub(lambda m: f"#{names[m[0]]}", text)
        return self._numbers(text)

    def _numbers(self, text: str) -> str:
        values = self.turn.values
        return _among(values).sub(lambda m: self.turn.sign(m[0]), text) if values else text


def _among(names: Sequence[str] | Mapping[str, int]) -> re.Pattern[str]:
    """Any of these, the longest first, not as a part of a word or a number."""
    ordered = sorted(names, key=len, reverse=True)
    return re.compile(rf"(?<![\w.@~#])(?:{'|'.join(map(re.escape, ordered))})(?!\w|\.\d)")


def _asked(message: Message) -> list[str]:
    return [p.content for p in message.parts if p.source.origin == "user" and isinstance(p.content, str)]


def _changed(part: Part, change: Any) -> Part:
    return replace(part, content=change(part.content)) if isinstance(part.content, str) else part


def _each(arguments: Mapping[str, Any], change: Any) -> dict[str, Any]:
    return {k: change(v) if isinstance(v, str) else v for k, v in arguments.items()}


def quoted(text: str) -> str:
    """A Python string literal in single quotes."""
    return repr(text) if "'" in text else f"'{text}'"


class Outward:
    """Replies with short names become replies with the things themselves, as they stream."""

    def __init__(self, aliases: Aliases) -> None:
        self._aliases = aliases
        self._held = ""  # what may be the beginning of a sign

    def feed(self, deltas: Sequence[Delta]) -> list[Delta]:
        """What can be told now."""
        out: list[Delta] = []
        for delta in deltas:
            if isinstance(delta, TextDelta | ThoughtDelta):
                text = self._held + delta.text
                open_sign = re.search(r"[@~#]\d*$", text)
                cut = open_sign.start() if open_sign else len(text)
                self._held = text[cut:]
                if cut:
                    out.append(replace(delta, text=self._aliases.outward(text[:cut])))
            elif isinstance(delta, CallMade):
                out += [*self.flush(delta.branch), replace(delta, call=self._aliases.call(delta.call))]
            else:
                out.append(delta)
        return out

    def flush(self, branch: int = 0) -> list[Delta]:
        """What was held back, at the end of a text."""
        held, self._held = self._held, ""
        return [TextDelta(self._aliases.outward(held), branch)] if held else []
