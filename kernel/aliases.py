"""Short names for what a conversation names: ``@1`` a number, ``~2`` a day, ``&3`` a formula, ``#4`` a column.

The embedded kernel reads and writes these in place of the things themselves, so that it has to know what to do with a
number and never how it is spelled: ``15% of 2,400`` reaches it as ``@1% of @2``, and its ``@1% * @2`` leaves as
``15% * 2400``. Numbers are counted anew in each request, columns through the whole conversation. A calculator's result
is a number of its request, and so is a result of several lines. What is done to a table is told in a word (see verbs).

Behind each request stand examples of what was taught and is like it (see recall), a line each. Their answers have short
names too, by their order, so that the kernel says, computes or runs one whole by naming it: `` `1 ``.

For the embedded kernel alone: a larger model sees the conversation as it is. Source: Dong & Lapata 2016, "Language to
logical form with neural attention" (argument identification).
"""

import csv
import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from llmos.kernel.absent import lacking
from llmos.kernel.acts import Past, read
from llmos.kernel.answers import answer, failed
from llmos.kernel.earlier import Spoken, references
from llmos.kernel.fills import told_whole
from llmos.kernel.formulas import formulas, pythonic
from llmos.kernel.formulas import told as with_sign
from llmos.kernel.goes_on import goes_on
from llmos.kernel.heard import elsewhere, kinds, one_year, without
from llmos.kernel.literals import literals
from llmos.kernel.memo import Memo
from llmos.kernel.noted import RECALL, REMEMBER
from llmos.kernel.pager import brought
from llmos.kernel.parts import SAID, parted
from llmos.kernel.recall import Recalled
from llmos.kernel.scene import LACKING, SCENE, TOOL, Scene, scene
from llmos.kernel.slots import TIMES, Column, mentions
from llmos.kernel.telling import among, changed, done, each, latest, own_words, quoted, topic
from llmos.kernel.turns import MOST, Examples, Turn
from llmos.kernel.types import Malformed, Message, Part, Source, ToolCall
from llmos.kernel.verbs import ASKED, CHARTS, DRAWS, Misspelt, gist, loaded, spell, verbs
from llmos.kernel.wishes import asks_picture
from llmos.kernel.wording import timeless, unmeant

_TOLD = re.compile(r"^file '([^'\"\\]+)'|^columns: (.*)$", re.M)
_NAME = re.compile(r"""'([^'"\\\u2026]+)' \(([\w/]+)((?:: |, ).*?)?\)(?=, ['"]|, \u2026|$)""")
_HAS = re.compile(r",? has (.*)$")
_VERB = re.compile(r"`(?=[a-z])")
_NAMED = re.compile(r"`(\d+)")
_VALUE = re.compile(r"[@~&](\d+)")
_SIGN = re.compile(r"[@~#&`](\d+)")
# A sign that was there before is set apart from its number.
_TAKEN = re.compile(r"([@~#&`])(?=\d)")
_RESULT = re.compile(r"(?<![\w.-])\d+(?:\.\d+)?(?![\w.-])")
# What the sandbox tells beside a result: cells that it read as empty, names that it took for others.
_NOTE = re.compile(r"^(?:\(there is no .* was taken\)|.*: \d+ cells? of .* left empty\.)\n", re.M)
_ROWS = re.compile(r"^file .*: (\d+) rows?\b")
_LOOSE = re.compile(r"(?i)one|two|three")
_TOP = re.compile(r"(?i)\b(?:top|bottom|first|last|best|worst|lowest|highest|biggest|largest|smallest|the)\s+$")
_PLAIN = re.compile(r"\d+(?:\.\d+)?")
_MOST_RESULTS = 12  # of a result's numbers get names
_READ = 4_000  # characters of a request in which columns are looked for
_EXAMPLE = 100  # characters of an example's request
_CHART = re.compile(rf"`(?:{'|'.join(CHARTS)})(?: #\d+)+")
_SAID = re.compile(r"(?<!\S)#(\d+)")
_NOTES = (REMEMBER, RECALL)
_NUMBERED = re.compile(r"([@~#&])\d+")


class Aliases:
    """The short names of ``messages``, and the messages told with them (``messages``)."""

    def __init__(
        self, messages: Sequence[Message], examples: Examples | None = None, paints: bool = False, keeps: bool = False
    ) -> None:
        self._examples, self._paints, self._memo = examples, paints, Memo(keeps)
        self._topic = ""  # what the session is about, by its last table or plot
        self.drawn = False  # whether code for a table was run
        self.chart: list[int] = []  # the columns of the last chart, its axis first
        self.columns: list[Column] = []
        self.sentence = ""  # what is answered to the verb that was done last, where nothing came after it
        self._files: dict[str, list[str]] = {}  # the columns of each, the latest last
        self._rows: set[str] = set()  # how many rows the files have
        self.turn = Turn()
        self._calls: dict[str, ToolCall] = {}
        self._done: dict[str, str] = {}  # the code of the last calls, with short names
        self._past = Past()
        self._spoken: list[Spoken] = []  # where the request speaks of earlier results
        self._answered, self._more = "", False  # the answers to parts that were done (see parts), and if one follows
        self.messages = [self._told(message) for message in parted(messages)]

    @property
    def shown(self) -> list[Message]:
        """The messages as the kernel reads them."""
        return latest(self.messages)

    def outward(self, text: str, code: bool = False) -> str:
        """Text with short names, with the things themselves; columns and formulas as Python writes them in ``code``."""
        if code and _VERB.match(text):
            try:
                return self._spelled(self._valued(text[1:]))
            except Misspelt:
                return self._valued(text)

        def thing(sign: re.Match[str]) -> str:
            number, values = int(sign[1]), self.turn.values
            if sign[0][0] == "`":
                return self.turn.examples[number - 1][1] if 0 < number <= len(self.turn.examples) else sign[0]
            if sign[0][0] != "#":
                value = values[number - 1] if 0 < number <= len(values) else sign[0]
                quote = text[: sign.start()].endswith(("'", '"'))
                return pythonic(value) if code and value in self.turn.formulas and not quote else value
            if not 0 < number <= len(self.columns):
                return sign[0]
            name = self.columns[number - 1].name
            return quoted(name) if code else name

        return _SIGN.sub(thing, text)

    def _valued(self, said: str) -> str:
        """A verb with its numbers and days; columns keep their signs."""
        values = self.turn.values
        return _VALUE.sub(lambda m: values[int(m[1]) - 1] if 0 < int(m[1]) <= len(values) else m[0], said)

    def _spelled(self, said: str) -> str:
        """The code for a verb, with the line before it that loads the table. Raises Misspelt."""
        code, verb = spell(said, self.columns), said.split(" ")[0]
        loads = verb in ASKED or (verb in DRAWS and (self.turn.attached or not self.drawn))
        needed = {self.columns[int(n) - 1].name for n in _SAID.findall(said)}
        files = [name for name, columns in self._files.items() if needed <= set(columns)] or list(self._files)
        return f"df = load({quoted(files[-1])})\n{code}" if loads and files else code

    def call(self, call: ToolCall | Malformed) -> ToolCall | Malformed:
        """A call as it was written, with the things themselves."""
        if isinstance(call, Malformed):
            return call
        if call.name == TOOL and self.turn.scene is not None:
            return replace(call, arguments=self.turn.scene.arguments())
        if call.name in _NOTES and self.turn.memo == call.name:
            return replace(call, arguments=self._memo.arguments(self.turn))
        code = call.name == "python"
        return replace(call, arguments=each(call.arguments, lambda text: self.outward(text, code)))

    def _told(self, message: Message) -> Message:
        if message.role == "user":
            came, self._answered, self._more, self.sentence = brought(message), self._answered * self._more, False, ""
            self.turn = Turn(self._memo.filled(" ".join(own_words(message)))[:_READ], attached=came)
            self.turn.packaged = any(p.source.origin == "library" for p in message.parts)
            self._past.turn(self.turn.request)
            heard = replace(message, parts=tuple(map(self._heard, message.parts)))
            self.turn.told = " ".join(own_words(heard))
            year = one_year(self.turn, self.columns)
            self.turn.year = int(year[1]) if year else 0
            asked = self.turn.told.replace(year[0], "") if year else self.turn.told
            timed = came and not year and any(c.kind in TIMES for c in self.columns)
            if timed and not asks_picture(asked):
                asked = timeless(asked, self.turn.values)
            self.turn.gist = without(asked, self.columns)
            self.turn.bare = without(self.turn.request, self.columns, "_")
            self.turn.scene = self._scene()
            self.turn.kinds = kinds(self.turn, self.columns, self.drawn)
            found = self._examples(self.turn) if self._examples else ()
            if self._examples and came and self.columns and found and elsewhere(self.turn, found[0]):
                # What comes with a table is asked of it.
                self.turn.kinds = tuple(k for k in self.turn.kinds if k not in ("say", "calculator"))
                found = self._examples(self.turn) or found
            lines = [self._example(n, r) for n, r in enumerate(found, 1)]
            self.turn.going = goes_on(self.turn, self.columns, self._past, self._spoken)
            own = self._memo.hear(self.turn)
            if not self.turn.going[0]:
                own = own or lacking(self.turn, self.columns, self._files)
            self.sentence = self._plain(own) or self.sentence
            if not self.sentence and found and found[0].taught.kind in ("say", "lack"):
                self.sentence = "`1"  # what is said was taught; the kernel may still do something
            shown = (Part("\n".join(lines), Source("system")),) if lines else ()
            return replace(heard, parts=(*heard.parts, *shown))
        if message.role == "tool":
            return self._got(message)
        return self._replied(message) if message.role == "assistant" else message

    def _got(self, message: Message) -> Message:
        call = self._calls.get(message.call_id)
        whole = (tool := call.name if call is not None else "") == "calculator"
        self._past.did(call, _NOTE.sub("", message.text), self.columns)
        told = replace(message, parts=tuple(self._result(part, whole) for part in message.parts))
        self.sentence = self._sentence(self._done.get(message.call_id, ""), _NOTE.sub("", message.text))
        if whole and self.turn.going[0] and not message.text.startswith("error"):
            self.sentence = f"That is {told.text}." if " " in message.text else f"The answer is {told.text}."
        if tool == TOOL and self.turn.scene is not None:
            self.sentence = self._plain(self.turn.scene.sentence(message.text))
        if self.turn.memo and tool == self.turn.memo:
            self.sentence = self._plain(self._memo.found(self.turn, message.text))
        self.sentence = f"{self._answered} {self.sentence}".strip() if self.sentence else ""
        return told

    def _replied(self, message: Message) -> Message:
        self._calls |= {c.id: c for c in message.calls if isinstance(c, ToolCall)}
        sentence, self.sentence = self.sentence, ""
        self._more = not message.calls and bool(message.parts) and message.parts[0].source == SAID
        self._answered = self._answered if message.calls else self.outward(sentence) if self._more else ""
        codes = [str(c.arguments.get("code", "")) for c in message.calls if isinstance(c, ToolCall)]
        self._topic = next(filter(None, map(topic, codes[::-1])), self._topic)
        calls = tuple(c if isinstance(c, Malformed) else self._written(c) for c in message.calls)
        did = {c.id: done(c) for c in calls if isinstance(c, ToolCall)}
        self._done = did if len(calls) == 1 else {}
        self.turn.called |= bool(calls)
        for code in self._done.values():
            if chart := _CHART.match(code):
                self.chart = [int(n) for n in _SAID.findall(chart[0])]
        self.drawn |= bool(self.columns) and any(c.name == "python" for c in self._calls.values())
        parts = tuple(changed(p, self._words) for p in message.parts)
        # What was answered to a verb is its sentence, whatever else stood there.
        said = (Part(sentence, message.parts[0].source),) if sentence and parts and not calls else parts
        return replace(message, parts=said, calls=calls)

    def _written(self, call: ToolCall) -> ToolCall:
        """A call with short names."""
        whole = call.name == TOOL or (call.name in _NOTES and self.turn.memo == call.name)
        named = dict.fromkeys(call.arguments, SCENE) if whole else each(call.arguments, self._writing(call.name))
        return replace(call, arguments={"prompt": SCENE} if call.name == TOOL else named)

    def _plain(self, sentence: str) -> str:
        """A sentence that was made here, with short names."""
        return self._words(_TAKEN.sub(r"\1 ", sentence)) if sentence else ""

    def _scene(self) -> Scene | None:
        """What the request wants painted; nothing where it speaks of a column."""
        about = self._topic or "".join(topic(f"load('{name}')") for name in list(self._files)[-1:])
        made = scene(self.turn.request, about, bool(self.columns), self.turn.attached)
        return None if self.columns and "#" in self.turn.told else made

    def _sentence(self, code: str, result: str) -> str:
        """What is answered to a verb's result; empty where it was none."""
        if result.startswith("error"):
            return failed(self._valued(code[1:]), result) if _VERB.match(code) else ""
        if known := _NAMED.fullmatch(code):
            says = self.turn.says[int(known[1]) - 1] if 0 < int(known[1]) <= len(self.turn.says) else ""
            shown = _TAKEN.sub(r"\1 ", result.strip())
            text = told_whole(says, shown)
            return self._words(text.replace(shown, self.turn.sign(result)) if "\n" in shown else text)
        if not _VERB.match(code):
            return ""
        try:
            text = answer(self._valued(code[1:]), self.columns, result)
        except Misspelt:
            return ""
        # A result of several lines is read out whole.
        return self._words(text.replace(result, self.turn.sign(result)) if "\n" in result else text)

    def _example(self, number: int, found: Recalled) -> str:
        """An example's line: how like it is, in tenths, its request, and what answered it or that answer's name."""
        kind, answer = found.taught.kind.replace("lack", "say"), found.answer
        if kind == TOOL and not self._paints:
            kind, answer = "say", LACKING
            self.sentence = LACKING if number == 1 else self.sentence
        self.turn.likeness.append(found.likeness)
        self.turn.says.append(found.says)
        self.turn.examples.append((kind, answer if kind == "say" else self.outward(answer, kind == "python")))
        does = {
            "say": f"`{number}",
            TOOL: f"{TOOL} {SCENE}",
            "python": f"python `{number}",
            "calculator": f"calculator `{number} {answer}",
        }.get(kind, f"python {answer}")
        asked = _NUMBERED.sub(r"\1", found.taught.pattern)[:_EXAMPLE]
        return f"?{min(9, int(10 * found.likeness))} {asked} -> {does}"

    def _whole(self, kind: str, text: str) -> str:
        """The name of the example whose answer this is; empty where there is none."""
        return next((f"`{n}" for n, known in enumerate(self.turn.examples, 1) if known == (kind, text)), "")

    def _heard(self, part: Part) -> Part:
        if part.source.origin == "user":
            return changed(part, self._request)
        if part.source.origin in ("file", "library"):
            return changed(part, self._preview)
        return part

    def _preview(self, text: str) -> str:
        """A preview, its columns with their signs before them."""
        text = _TAKEN.sub(r"\1 ", text)
        self._rows |= set(_ROWS.findall(text))
        of: list[str] = []  # the columns of the file being told

        def signed(name: re.Match[str]) -> str:
            known = [c.name for c in self.columns]
            of.append(name[1])
            more = name[3] or ""
            # Values that the request speaks of are for the code; the kernel is told what kind of column it is.
            has = _HAS.search(more)
            shown = more[: has.start()] if has else more
            if name[1] not in known:
                values = has[1] if has else more[2:] if more.startswith(": ") else ""
                cells = tuple(next(csv.reader([values], skipinitialspace=True), []))
                self.columns.append(Column(name[1], name[2], bool(shown), cells))
                known.append(name[1])
            return f"#{known.index(name[1]) + 1} '{name[1]}' ({name[2]}{shown})"

        def line(told: re.Match[str]) -> str:
            nonlocal of
            if told[1]:
                self._files.pop(told[1], None)
                of = self._files[told[1]] = []
            return _NAME.sub(signed, told[0]) if told[2] else told[0]

        return _TOLD.sub(line, text)

    def _request(self, text: str) -> str:
        """A request, with signs for the columns, numbers and days that it speaks of."""
        text = _TAKEN.sub(r"\1 ", self._memo.filled(text))
        found = [(m.start(), m.end(), m[0]) for name in self._files for m in re.finditer(re.escape(name), text)]
        for start, end, number in mentions(without(text[:_READ], self.columns, "_"), self.columns):
            if not any(start < e and s < end for s, e, _ in found):
                found.append((start, end, f"#{number}"))
        # Where there is a table, letters name axes.
        for formula in () if self.columns else formulas(text):
            if len(self.turn.values) < MOST and not any(formula.start < e and s < formula.end for s, e, _ in found):
                self.turn.formulas.add(formula.text)
                of = f"({','.join(formula.variables)})" if formula.variables else ""
                sign = f"{self.turn.sign(formula.text)}{of}"
                found.append((formula.start, formula.end, sign))
        self._spoken = references(text, self._past)
        for one in self._spoken:
            if all(map(_PLAIN.fullmatch, one.numbers)) and not any(one.start < e and s < one.end for s, e, _ in found):
                signs = " and ".join(map(self.turn.sign, one.numbers))
                found.append((one.start, one.end, f"{one.before}{signs}{one.after}"))
        taken = list(found)
        for literal in literals(text):
            if len(self.turn.values) >= MOST:
                break
            # Of a table one is asked for two lines, and for the top two.
            loose = self.columns and _LOOSE.fullmatch(text[literal.start : literal.end])
            if loose and not _TOP.search(text[: literal.start]):
                continue
            if self.columns and unmeant(literal.value, text[: literal.start], text[literal.end :], self._rows):
                continue
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

    def _writing(self, tool: str) -> Callable[[str], str]:
        return self._code if tool == "python" else self._expression

    def _code(self, text: str) -> str:
        if whole := self._whole("python", text) or self._verb(text):
            return whole
        for number, column in enumerate(self.columns, 1):
            text = text.replace(quoted(column.name), f"#{number}")
        for formula in sorted(self.turn.formulas, key=len, reverse=True):
            sign = self.turn.sign(formula)
            text = with_sign(text, pythonic(formula), sign).replace(f"'{formula}'", f"'{sign}'")
        return self._numbers(text)

    def _verb(self, code: str) -> str:
        """The code of a table told with its verb, as the likeliest example would; empty where it has none."""
        act = read(loaded(code), self.columns)
        told = [*verbs(loaded(code), self.columns), *([act.said()] if act is not None else [])]
        found = [v for v in told if self._spelled(v) == code]
        known = [answer for _, answer in self.turn.examples]
        best = min(found, key=lambda v: known.index(g) if (g := f"`{gist(v)}") in known else len(known), default="")
        return self._numbers(f"`{best}") if best else ""

    def _expression(self, text: str) -> str:
        if whole := self._whole("calculator", text):
            return whole
        for formula in sorted(self.turn.formulas, key=len, reverse=True):
            text = with_sign(text, formula, self.turn.sign(formula))
        return self._numbers(text)

    def _words(self, text: str) -> str:
        if whole := self._whole("say", text):
            return whole
        names = {c.name: n for n, c in reversed(list(enumerate(self.columns, 1))) if len(c.name) > 1}
        if names:
            text = among(names).sub(lambda m: f"#{names[m[0]]}", text)
        return self._numbers(text)

    def _numbers(self, text: str) -> str:
        values = self.turn.values
        return among(values).sub(lambda m: self.turn.sign(m[0]), text) if values else text
