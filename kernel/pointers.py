"""What a call of the embedded kernel may name: short names that stand for something, files and words that were said.

Works on the short names of :mod:`llmos.kernel.aliases`, for the embedded kernel alone; a larger model computes numbers
and invents names of its own. Knows how the embedded kernel writes its code and expressions; not what any of it means.
"""

import re
from collections.abc import Iterable, Sequence
from functools import reduce
from operator import or_

from llmos.kernel.acts import code_verb
from llmos.kernel.aliases import Aliases
from llmos.kernel.asked import about, amounts, asked_for, deeds, filters, groups, key, naming, ordered, rows, settled
from llmos.kernel.bits import Bits, pack
from llmos.kernel.mentions import said, spans, wanted
from llmos.kernel.noted import RECALL, REMEMBER
from llmos.kernel.recall import kind_of
from llmos.kernel.scene import SCENE, TOOL
from llmos.kernel.slots import NUMBERS, TIMES, fitting, mentioned
from llmos.kernel.turns import Turn
from llmos.kernel.unsaid import UNSAID
from llmos.kernel.verbs import ASKED, CHANGED, CHARTS, DRAWS, FIXED, MANNERS, ROWS, VERBS, Place, place, split
from llmos.kernel.vocabulary import Vocabulary
from llmos.kernel.wishes import asks_picture, over_time, pictures

_SIGN = re.compile(r"([@~#&`])(\d*)$")
_WHOLE = {"python": re.compile(r'"code": "`?$'), "calculator": re.compile(r'"expression": "`?$')}
# From this likeness on an example is followed, though the kernel chooses which. Measured by bench/recall.py.
SURE = 0.3
_ALSO = re.compile(r"(?i)\b(?:add|also|too|as well|along ?side|in addition|together|both|plus|with it)\b")
SURELY = 0.5  # and from this one on so is what is done at all
_TOOL = re.compile(r'"name": "(\w*)$')
_WHO = re.compile(r"(?i)\bwho\b")
_COMPLETE = re.compile(r"[#@~]\d+|[\d.:-]+|'[^']*'")
_PAIRED = frozenset({"compare", "gap", "meangap"})  # verbs for two values of a column
LINED = frozenset({"plot", "line", "area"})  # charts that are lines where their axis is a time
_EACH = re.compile(r"(?i)\b(per|each|every|by) #(\d+)")
_AGAINST = re.compile(
    r"(?is)^(?!.*\blines?\b).*(?:\bscatter|\bdots?\b|\b(?:against|versus|vs)\b|\bon (?:the )?x\b|\bcorrelat|\bdepend)"
)
_DRAWN = re.compile(r"`(?:plot|line|bar|barh|area|scatter) #\d+(?: #\d+)+")
# What of a chart is told only where it was asked for.
_SAID = {
    "sorted": re.compile(
        r"(?i)\b(?:sort|order|rank|arrang)|\b(?:de|a)scend|est\b.* (?:first|last|top|left|right)|\bbig(?:gest)? to\b"
    ),
    "log": re.compile(r"(?i)\blog"),
}
_CODE, _EXPRESSION = '"code": "', '"expression": "'
_PROMPT = re.compile(r'"(?:prompt|text|query)": "')  # what is given whole
_TOOLS = {"calculator": "calculator", "say": "", TOOL: TOOL, REMEMBER: REMEMBER, RECALL: RECALL}
_NUMBER = re.compile(r"(?<![\w.@~&])(\d[\d.]*|)$")


class Pointers:
    """What one request's calls may name."""

    def __init__(self, vocabulary: Vocabulary, aliases: Aliases) -> None:
        self._vocabulary = vocabulary
        self._columns = aliases.columns
        self._meant = mentioned(aliases.turn.bare, aliases.columns)
        if asks_picture(aliases.turn.told) and all(self._columns[n - 1].kind not in NUMBERS for n in self._meant):
            self._meant |= {n: set() for n in deeds(aliases.turn.bare, aliases.columns)[:1]}
        self._signs: dict[str, list[int]] = {"@": [], "~": [], "&": [], "#": list(range(1, len(aliases.columns) + 1))}
        for n, value in enumerate(aliases.turn.values, 1):
            if value not in aliases.turn.whole:
                self._signs[kind_of(value)].append(n)
        self._examples, self._likeness = [kind for kind, _ in aliases.turn.examples], aliases.turn.likeness
        told = aliases.turn.told
        spoken = {n: wanted(told, said(told, c.values)) for n, c in enumerate(self._columns, 1)}
        self._linked = {n: values for n, values in spoken.items() if values}
        self._filters = list(filters(self._columns, aliases.turn.year, self._linked))
        self._sure = self._likely(aliases)
        self._constants = UNSAID | {v[:4] for v in aliases.turn.values if re.match(r"(?:1[89]|20)\d\d(?!\d)", v)}
        self._unused = "".join(sign for sign, numbers in self._signs.items() if not numbers)
        self._values = sorted(spans(aliases.turn.request))
        numbers = [n for n in self._meant if self._columns[n - 1].kind in NUMBERS]
        self._dated = [] if _AGAINST.search(aliases.turn.request) else naming(numbers, self._columns)
        numbers = [n for n in numbers if n not in self._dated]
        # Two numbers are set against each other, or drawn beside each other.
        timed = any(self._columns[n - 1].kind in TIMES for n in self._meant)
        against = len(numbers) > 1 and not timed and not over_time(told) and _AGAINST.search(aliases.turn.request)
        # The groups that are named as such: for each shop, per year.
        each = [(word.lower(), int(n)) for word, n in _EACH.findall(aliases.turn.told)]
        self._each = [n for word, n in each if n not in numbers or (word != "by" and len(numbers) > 1)]
        texts = [n for n in self._each if self._columns[n - 1].kind == "text"]
        self._dated += [n for n in texts if not self._columns[n - 1].repeats]
        self._times = [n for n, c in enumerate(self._columns, 1) if c.kind in TIMES]
        self._pair = numbers if against else []
        self._beside = {f"#{n}" for n in numbers} if len(numbers) > 1 and not against else set()
        groups = [n for n in self._meant if self._columns[n - 1].kind == "text" and self._columns[n - 1].repeats]
        if self._pair and groups and set(self._sure) & {"clusters", "lines", "plot", "scatter"}:
            self._sure = ["clusters"]  # dots of two numbers, the groups in colours
        # Of what draws, charts alone can be kept to some rows.
        if self._filters and self._sure and self._sure[0] in DRAWS:
            self._sure = [v for v in self._sure if v in CHARTS] or ["bar"]
        near = [answer[1:].split(" ") for kind, answer in aliases.turn.examples if kind in ("table", "change")]
        taught = {word for answer in near for word in answer[1:]}
        self._manners = [w for w in (*ROWS, *MANNERS) if w in taught or not self._sure]
        whole = DRAWS - CHARTS.keys() if self._filters else frozenset()
        named = [*(pictures(aliases.turn.told) - whole), *(CHANGED if aliases.drawn else ())]
        others = named if asks_picture(aliases.turn.told) else VERBS
        likely = [v for v, *_ in near if v not in whole] if self._of_table(aliases.turn) else []
        self._verbs = self._sure or likely or others
        # A change to a chart keeps its axis, and its numbers where it names none or adds one.
        self._chart = [] if aliases.turn.attached or set(self._meant) - set(numbers) else aliases.chart
        if self._chart and numbers and _ALSO.search(aliases.turn.request):
            self._beside = {f"#{n}" for n in [*self._chart[1:], *numbers]}
        first = self._first(aliases.turn)
        self.tool = _TOOLS.get(first, "python") if first else ""
        self.silent = first == "say" or aliases.turn.wordy(bool(aliases.columns))
        # What goes on from before is certain: it is done, and then told. What was done is told once.
        self.tool = self.tool if aliases.turn.called else aliases.turn.going[0] or self.tool
        self.silent = bool(aliases.sentence) if aliases.turn.called else self.silent and not aliases.turn.going[0]
        self._turn, self._sentence = aliases.turn, aliases.sentence.encode()

    def _of_table(self, turn: Turn) -> bool:
        """Whether what is run is done to a table that came with the request: a program beside it answers nothing."""
        return turn.attached and self._columns != [] and not turn.called and "python" not in self._examples

    def _first(self, turn: Turn) -> str:
        """The kind of example that decides whether a tool is called first, and which; empty where none surely does."""
        if turn.called or turn.memo:
            return turn.memo if not turn.called else ""
        if self._likeness and (self._likeness[0] >= SURELY or self._asks or turn.pictured):
            return self._examples[0]
        return "table" if turn.attached and self._columns and asks_picture(turn.told) else ""

    def _likely(self, aliases: Aliases) -> list[str]:
        """The verbs of the likeliest examples; of a question that comes with a table the one that it is asked by."""
        request = aliases.turn.request
        self._rows = rows(request, self._columns, self._linked)
        # Numbers that tell years are for nothing else.
        spent = {number for one in self._rows for number in one.numbers}
        self._free = [n for n in self._signs["@"] if aliases.turn.values[n - 1] not in spent]
        self._which = asked_for(aliases.turn.told)
        found = [(kind, answer[1:].split(" ")[0]) for kind, answer in aliases.turn.examples]
        # It is asked of the table however few of its words were taught.
        asked = found[:1] != [] and found[0][0] in ("table", "change") and found[0][1] in ASKED
        near = max(self._likeness, default=0) >= SURELY
        goes_on = bool(self._columns) and near and not asks_picture(aliases.turn.told)
        self._asks = asked and (aliases.turn.attached or goes_on)
        sure = [
            verb
            for (kind, verb), likeness in zip(found, self._likeness, strict=True)
            if kind in ("table", "change") and (verb in ASKED if self._asks else likeness >= SURE)
        ]
        if not sure or sure[0] not in ASKED:
            return sure
        self._meant = {**self._meant, **{n: set() for n in amounts(request, self._columns, self._meant)}}
        known = mentioned(aliases.turn.bare, self._columns)
        left = settled(sure, request, self._linked, len(self._free), self._columns, known, self._which) or sure
        return left[:1] if self._asks else left

    def narrow(self, written: bytes, bits: Bits) -> Bits:
        """The allowed ids, of those in ``bits``, after ``written`` of a call; ``bits`` where it names nothing."""
        text = written.decode("utf-8", "replace")
        code, expression = text.rfind(_CODE), text.rfind(_EXPRESSION)
        wanted: list[Bits | None] = []
        if self._turn.going[0] and not self._turn.called and (code >= 0 or expression >= 0):
            given = text[code + len(_CODE) :] if code >= 0 else text[expression + len(_EXPRESSION) :]
            return self._narrowed(bits, [self._spelled(given, [self._turn.going[1]], '"')])
        if code < 0 and expression < 0:
            if (self._turn.scene is not None or self._turn.memo) and (prompt := _PROMPT.search(text)):
                return self._narrowed(bits, [self._spelled(text[prompt.end() :], [SCENE], '"')])
            tool = _TOOL.search(text)
            return self._narrowed(bits, [self._spelled(tool[1], [self.tool], '"') if tool and self.tool else None])
        if code >= 0 and (forced := self._kept(text[code + len(_CODE) :])) is not None:
            return self._narrowed(bits, [forced])
        whole = [n for n, kind in enumerate(self._examples, 1) if kind in _WHOLE and _WHOLE[kind].search(text)]
        unused = self._unused + ("" if whole or (code >= 0 and self._columns) else "`")
        wanted.append(self._vocabulary.signless(unused) if unused else None)
        # A calculation or a program is as the likeliest example has it, which is right more often than what the kernel
        # writes.
        if whole:
            whole = whole[:1]
            wanted.append(None if text.endswith("`") else self._vocabulary.named)
        wanted.append(self._sign(text, whole))
        if code >= 0:
            wanted.append(self._in_code(text[code + len(_CODE) :]))
        else:
            wanted.append(self._constant(text))
        return self._narrowed(bits, wanted)

    def _narrowed(self, bits: Bits, wanted: Iterable[Bits | None]) -> Bits:
        """What of ``bits`` all of ``wanted`` allow, those left out that would leave nothing."""
        for some in wanted:
            if some is not None:
                size = min(len(bits), len(some))
                both = bits[:size] & some[:size]
                bits = both if both.any() else bits
        return bits

    def words(self, said: bytes, vocabulary: int) -> Bits | None:
        """The ids that go on with the sentence for the verb that was done, after ``said``; none at its end.

        None where there is no such sentence, or something else is being said.
        """
        whole = self._sentence
        if not whole or not whole.startswith(said):
            return None
        rest = whole[len(said) :]
        found = (self._vocabulary.ids.get(rest[:k]) for k in range(1, len(rest) + 1))
        return pack((i for i in found if i is not None), vocabulary)

    def _sign(self, text: str, whole: Sequence[int]) -> Bits | None:
        found = _SIGN.search(text)
        if found is None:
            return None
        sign, begun = found[1], found[2]
        fits: Sequence[int] = whole if sign == "`" else self._signs[sign]
        if sign == "#":
            at = place(text[text.rfind("`") + 1 :])
            fits = fitting(at.role, at.used, self._columns, self._meant, self._turn.attached)
            if at.verb in CHARTS and self._chart:
                fits = self._again(at) or fits
            fits = [n for n in fits if at.role != "n" or n not in self._dated] or fits
            if at.role == ("c" if "c" in FIXED.get(at.verb, ("",))[0] else "x") and at.verb != "scatter":
                # Groups are lines over time, or bars.
                each = [n for n in self._each if n not in at.used]
                fits = [n for n in each if at.verb not in LINED or not self._times or n in self._times] or fits
            if at.role == "x":
                fits = self._axis(at, fits)
            if at.role in "xc" and at.verb in ASKED and at.following != "v" and at.verb not in _PAIRED:
                fits = self._group(at, fits)
            if (at.role in "xc" and at.following == "v") or (at.role == "c" and at.verb in _PAIRED):
                several = [n for n, values in self._linked.items() if len(values) > 1]
                linked = several if at.verb in _PAIRED and several else self._linked
                fits = [n for n in linked if n not in at.used] or fits
        elif sign == "@" and code_verb(text) in ASKED and place(text[text.rfind("`") + 1 :]).role == "k":
            fits = self._free or fits
        return self._number(begun, {str(n) for n in fits})

    def _group(self, at: Place, fits: Sequence[int]) -> Sequence[int]:
        """The columns, of those that fit, that a question asks for by name, else those that have groups."""
        kept = [n for n, values in self._linked.items() if len(values) == 1]
        which = [n for n in self._which if n not in at.used and n not in kept]
        fits = [n for n in fits if n not in kept] or fits
        if at.role == "c":
            texts = [n for n in which if self._columns[n - 1].repeats]
            return texts or groups(fits, self._columns)
        texts = [n for n, c in enumerate(self._columns, 1) if c.kind == "text" and not c.repeats and not key(c)]
        numbered = any(key(self._columns[n - 1]) for n in which or [n for n in fits if n in self._meant])
        if texts and (numbered or (not which and _WHO.search(self._turn.request))):
            return texts
        return [n for n in which or fits if not key(self._columns[n - 1])] or which or fits

    def _axis(self, at: Place, fits: Sequence[int]) -> Sequence[int]:
        """The columns, of those that fit, that are an axis as the request has it."""
        if self._dated and at.verb != "scatter":
            return self._dated
        said = set(fits) & set(self._meant)
        if at.verb in ("plot", "scatter") and self._pair:
            fits = self._pair
        elif at.verb == "scatter" and not said:
            numbers = [n for n, c in enumerate(self._columns, 1) if c.kind in NUMBERS]
            fits = [n for n in numbers if n not in self._meant] or numbers or fits
        elif at.verb in LINED and not said - set(self._each) and not self._turn.year:
            fits = [n for n in fits if n in self._times] or self._times or fits
        # What the rows are kept to is the same in all of them; several of it are a line each.
        kept = [n for n, values in self._linked.items() if at.verb in LINED or len(values) == 1]
        kept += [int(n[1:]) for n, words in self._filters if words.endswith(f" @{self._turn.year}")]
        return [n for n in fits if n not in kept] or fits

    def _again(self, at: Place) -> list[int]:
        """The columns of the last chart that stand where it is; none where the request names others."""
        axis, *numbers = self._chart
        if at.role == "x":
            return [axis]
        left = [n for n in numbers if n not in at.used]
        return left if at.role == "n" and (self._beside or not set(self._meant)) else []

    def _in_code(self, code: str) -> Bits | None:
        if not code.startswith("`"):
            verbs = self._sure or (self._verbs if self._of_table(self._turn) else ())
            return self._begun(code, verbs) if not code and verbs else None
        at = place(code[1:])
        # One verb may begin with another: counts, count.
        whole = at.begun in VERBS and (not self._sure or at.begun in self._sure)
        if at.role == "verb" and not (whole or at.begun[:1].isdigit()):
            return self._begun(code, self._verbs)
        if at.role in ("v", "t") and at.begun[:1] == "'" and not at.begun[1:].endswith("'"):
            return self._spelled(at.begun[1:], self._said(code, at) if at.role == "v" else self._values)
        if at.begun in ("#", "@", "~") or at.begun[:1].isdigit():
            return None
        return self._next(code, at)

    def _next(self, code: str, at: Place) -> Bits:
        """How what comes after a whole word of a verb begins; what begins with a space, and what does not."""
        ids, spaced = self._vocabulary, bool(at.begun)
        role = at.following if spaced else at.role
        if role:
            # Values that are spoken of are words, and so in quotes.
            words = role == "v" and any(f"#{n}" in code for n in self._linked)
            bits = ids.begins["t" if words else role, spaced]
        elif _DRAWN.fullmatch(code) and self._beside - set(code.split(" ")):
            bits = ids.begins["n", spaced]
        elif (at.verb or at.begun) in CHARTS:
            return self._manner(code, at)
        else:
            bits = ids.ends
        more = at.begun[:1] in ("@", "~") or (at.begun[:1] == "#" and len(self._columns) > 9)
        return bits | ids.digit if more else bits

    def _kept(self, code: str) -> Bits | None:
        """How a verb goes on to the rows that the request keeps it to; None where they were told, or are not yet."""
        if code.startswith("`") and (verb := code_verb(code)) in ASKED:
            return self._asked(verb, code)
        chart = _DRAWN.match(code)
        if chart is None or self._beside - set(chart[0].split(" ")):
            return None
        x = chart[0].split(" ")[1]
        told = chart[0] + "".join(words for column, words in self._filters if column != x or words.count("'") > 2)
        return self._spelled(code, [told], '"') if len(code) < len(told) and told.startswith(code) else None

    def _asked(self, verb: str, code: str) -> Bits | None:
        _, words = split(code[1:])
        count = len(FIXED[verb][0])
        if len(words) < count or (count and not _COMPLETE.fullmatch(words[count - 1])):
            return None
        own = " ".join([f"`{verb}", *words[:count]])
        told = f"{own} {about(verb, words, self._rows)}".rstrip()
        if told == own or not told.startswith(code):
            return None
        if code == told:
            return self._vocabulary.ends
        going = self._spelled(code, [told], '"')
        # The number of a column, or of a number, may have a second digit.
        long = {"#": len(self._columns), "@": len(self._turn.values), "~": len(self._turn.values)}
        sign = re.search(r"([#@~])\d$", code) if code == own else None
        more = sign is not None and long[sign[1]] > 9
        return None if more else going

    def _manner(self, code: str, at: Place) -> Bits:
        """How a chart that may end goes on: to its end, to one more number, or to which rows it is of, and how."""
        words = [w for w in self._manners if f" {w} " not in code and self._has(w)]
        whole = at.begun in ROWS or at.begun in MANNERS or not at.begun.isalpha()
        start = code + (" " if at.begun else "") if whole else code[: -len(at.begun)]
        going = self._spelled(code, [start + word for word in words], " ")
        ends = self._vocabulary.ends if whole or at.begun in ("log", "sorted") else None
        more = self._vocabulary.begins["n", bool(at.begun)] if _DRAWN.fullmatch(code.rstrip()) else None
        found = [bits for bits in (going, ends, more) if bits is not None]
        return reduce(or_, found) if found else self._vocabulary.ends

    def _has(self, word: str) -> bool:
        """Whether the request has what a word for rows needs: a small number for the best, one or two for a time."""
        if word in _SAID:
            return _SAID[word].search(self._turn.request) is not None
        values = [v for v in self._turn.values if v not in self._turn.whole]
        if word in ("best", "worst"):
            return any(re.fullmatch(r"\d{1,2}|1\d\d", v) for v in values)
        return len(values) > (word == "between") if word in ("since", "until", "between") else True

    def _said(self, code: str, at: Place) -> Sequence[str]:
        """The values that may be named: those of the column before that were spoken of, else any words that were."""
        if at.verb in _PAIRED and at.verb in ASKED:
            group = re.search(r"#(\d+)", code)
            values = ordered(self._turn.request, self._linked.get(int(group[1]), ()) if group else ())
            return [v for v in values if f"'{v}'" not in code][:1] or self._values
        last = re.findall(r"#(\d+)(?: '[^']*')* '[^']*$", code)
        found = self._linked.get(int(last[0]), ()) if last else ()
        return [v for v in found if f"'{v}'" not in code] or self._values

    def _begun(self, code: str, verbs: Iterable[str]) -> Bits | None:
        """How the name of one of the verbs goes on; what follows it is set apart, else the code ends."""
        more = dict.fromkeys(CHARTS, "xn") | {v: places for v, (places, _) in FIXED.items()}
        follows = self._spelled(code, [f"`{v}" for v in verbs if more[v]], " ")
        plain = [v for v in verbs if not more[v]]
        kept = [v for v in plain if v in ASKED and about(v, (), self._rows)]
        ends = self._spelled(code, [f"`{v}" for v in plain if v not in kept], '"')
        if kept:
            told = self._spelled(code, [f"`{v}" for v in kept], " ")
            ends = told if ends is None else ends if told is None else ends | told
        return follows | ends if follows is not None and ends is not None else ends if follows is None else follows

    def _spelled(self, begun: str, names: Iterable[str], quote: str = "'") -> Bits | None:
        """How one of ``names`` goes on to its closing quote; None where none begins so."""
        start, ids = begun.encode(), set[int]()
        for name in names:
            spelled = name.encode()
            if spelled.startswith(start):
                rest = spelled[len(start) :] + quote.encode()
                ids.update(i for k in range(1, len(rest)) if (i := self._vocabulary.ids.get(rest[:k])) is not None)
                ids.update(i for b, i in self._vocabulary.ending[quote.encode()] if b.startswith(rest))
        return pack(ids, self._vocabulary.size) if ids else None

    def _constant(self, text: str) -> Bits | None:
        found = _NUMBER.search(text)
        return None if found is None else self._number(found[1], self._constants, optional=not found[1])

    def _number(self, begun: str, numbers: Iterable[str], optional: bool = False) -> Bits:
        """How one of ``numbers`` may go on, or end where it is whole; none need come where it is ``optional``."""
        known = set(numbers)
        going = {n[len(begun)] for n in known if len(n) > len(begun) and n.startswith(begun)}
        ids = [i for d, i in self._vocabulary.digits.items() if d in going]
        if "." in going and self._vocabulary.point is not None:
            ids.append(self._vocabulary.point)
        wanted = pack(ids, self._vocabulary.size)
        return wanted | self._vocabulary.others if optional or begun in known else wanted
