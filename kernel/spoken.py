"""A calculation that is told in words and nothing but words, as the calculator's expression: no model needs to guess.

``the difference of thirty and twelve, then halve it`` is ``abs(30 - 12) / 2``, ``three and a half over a quarter`` is
``(3 + 1/2) / (1/4)``. A request that says anything else besides is left alone. Knows no models and no tools.
"""

import re
from collections.abc import Callable, Sequence

from llmos.kernel.literals import literals

_LONGEST = 400  # characters of a request that is nothing but a calculation
_PARTS = ["third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth"]
_PART = {name: n for n, name in enumerate(_PARTS, 3)}
_PART |= {"half": 2, "quarter": 4, "sixteenth": 16, "twentieth": 20, "hundredth": 100, "thousandth": 1000}
_PART |= {f"{name}s": n for name, n in _PART.items()} | {"halves": 2}
_ORDER = {name: str(n) for n, name in enumerate(_PARTS, 3)}
_LEAD = re.compile(
    r"(?:hi|hello|hey|ok|so|now|please|pls|kindly|just|exactly|(?:can|could|would|will) (?:you|u)|tell me|give me"
    r"|show me|i need|i want|find|calculate|compute|work out|evaluate|figure out|determine"
    r"|whats?(?:'s| is| are| do| does)?|how much (?:is|are|do|does)|(?:you|we|i) get (?:if|when|for) (?:you|we|i)"
    r"|if (?:you|we|i)|the (?:answer to|result of|value of)|start (?:with|at|from))(?:\b|(?<=')),? *"
)
_TAIL = re.compile(
    r"[ ,]*(?:\bplease|\bpls|\bplz|\bthanks|\bthank you|\bequals?(?: what)?|\bis what|\bis|\bmakes?|\bcomes? to"
    r"|\bgives?|\bas an? (?:simple |proper |improper )?fraction|\bin (?:lowest|simplest) (?:terms|form)|\bas a decimal"
    r"|\bexactly|[=?!.])+ *$"
)
_WORD = re.compile(
    r"\d+ \d+/\d+(?![\d/])|\d+/\d+(?![\d/])|\d{1,3}(?:[ ,]\d{3})+(?![\d,])(?:\.\d+)?"
    r"|\d+(?:\.\d+)?(?:st|nd|rd|th)?|\.\d+|[a-z]+|[-+*/()\u00d7\u00f7\u2212,;]"
)
_SYMBOLS = {"\u00d7": "*", "\u00f7": "/", "\u2212": "-", "x": "*", "plus": "+", "minus": "-", "less": "-", "times": "*",
            "over": "/", "subtract": "-"}  # fmt: skip
_LONGER = {("multiplied", "by"): "*", ("divided", "by"): "/", ("take", "away"): "-", ("added", "to"): "+"}
_DATE = re.compile(r"\d{4}-\d\d?-\d|\d/\d\d?/\d{2}")
_TIMES = {"double": "2 * ", "twice": "2 * ", "triple": "3 * ", "treble": "3 * ", "thrice": "3 * ", "quadruple": "4 * "}
_POWERS = {"squared": "2", "cubed": "3"}
_CHAINED = {"double": " * 2", "triple": " * 3", "treble": " * 3", "halve": " / 2", "square": "^2", "cube": "^3"}
_IT = ("it", "that", "this", "everything", "all", "result", "lot", "answer")


class _Other(Exception):
    """Something else is said."""


def spoken(request: str) -> str:
    """The expression for a request that is a calculation in words and nothing else; empty where it is not."""
    text = request.strip().lower().replace("\u2019", "'")
    if len(text) > _LONGEST or _DATE.search(text):
        return ""
    while text != (text := _LEAD.sub("", text, count=1) if _LEAD.match(text) else text):
        pass
    text = _TAIL.sub("", text)
    if re.sub(r"\s+", "", _WORD.sub("", text)) or not re.search(r"[a-z]|\d \d", text):
        return ""
    try:
        return _Reader(_words(text)).whole()
    except (_Other, IndexError, RecursionError):
        return ""


def _words(text: str) -> list[str]:
    """The words of a text; number words as digits, several words for a sign as the sign."""
    for number in reversed([n for n in literals(text) if text[n.start : n.start + 1].isalpha()]):
        begins = text[number.start : number.end]
        if begins.startswith("half"):
            continue
        text = f"{text[: number.start]}{number.value}{text[number.end :]}"
    words: list[str] = []
    text = re.sub(r"\bone\b", "1", re.sub(r"(?<=\w)-(?=[a-z])", " ", text))
    for word in _WORD.findall(text):
        if words and (words[-1], word) in _LONGER:
            words[-1] = _LONGER[words[-1], word]
        else:
            words.append(_SYMBOLS.get(word, word))
    return words


class _Reader:
    """Reads by descent. Raises _Other at a word that does not belong, IndexError at the end of all."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words, self.at, self.deeds = words, 0, 0

    def next(self) -> str:
        return self.words[self.at] if self.at < len(self.words) else ""

    def took(self, *words: str) -> bool:
        """Whether the next words are these, which are then behind."""
        if tuple(self.words[self.at : self.at + len(words)]) != words:
            return False
        self.at += len(words)
        return True

    def any(self, *words: str) -> bool:
        return any(self.took(word) for word in words)

    def whole(self) -> str:
        """The expression of all words."""
        made = self.deed() or self.sum()
        while self.next():
            made = self.chained(made)
        if not self.deeds:
            raise _Other
        return made

    def deed(self) -> str:
        """What begins with what is to be done: ``add 3 to 4``; empty where nothing does."""
        pairs: dict[str, tuple[str, tuple[str, ...], bool]] = {
            "-": ("-", ("from",), True),
            "take": ("-", ("from",), True),
            "add": ("+", ("to", "and", ","), False),
            "multiply": ("*", ("by", "and", "with"), False),
            "divide": ("/", ("by",), False),
        }
        word, start = self.next(), self.at
        if word in pairs and not (word == "-" and start):
            sign, between, swapped = pairs[word]
            self.at += 1
            self.took("up")
            try:
                return self.paired(sign, between, swapped)
            except _Other:
                if word != "-":
                    raise
                self.at = start  # minus eight, and not eight from anything
        if word in _CHAINED and word not in _TIMES and self.words[start + 1 : start + 2] != ["root"]:
            self.at, self.deeds = start + 1, self.deeds + 1
            return f"{self.held(self.sum())}{_CHAINED[word]}"
        return ""

    def paired(self, sign: str, between: Sequence[str], swapped: bool) -> str:
        rows = [self.sum()]
        self.any("away")
        while self.any(*between):
            self.any("and")
            rows.append(self.sum())
        if len(rows) < 2 or (len(rows) > 2 and sign not in "+*"):
            raise _Other
        self.deeds += 1
        return f" {sign} ".join(map(self.held, rows[::-1] if swapped else rows))

    def chained(self, made: str) -> str:
        """What is done to all that was said before: ``, then double it``."""
        apart = self.any(",", ";")
        apart |= self.any("and")
        apart |= self.any("then", "after")
        self.took("that")
        word = self.next()
        if not apart or not word:
            raise _Other
        self.at += 1
        self.deeds += 1
        if word in _CHAINED:
            self.it()
            return f"{self.held(made)}{_CHAINED[word]}"
        if word in ("multiply", "divide"):
            self.it()
            if not self.took("by"):
                raise _Other
        sign = {"add": "+", "take": "-", "knock": "-", "multiply": "*", "divide": "/"}.get(word, word)
        if sign not in ("+", "-", "*", "/"):
            raise _Other
        made = f"{self.held(made)} {sign} {self.term()}"
        if word in ("take", "knock"):
            self.any("off", "away")
        return made

    def it(self) -> None:
        self.any("the")
        self.any(*_IT)

    def sum(self) -> str:
        made = self.term()
        while self.next() in ("+", "-"):
            sign = self.words[self.at]
            self.at, self.deeds = self.at + 1, self.deeds + 1
            made = f"{made} {sign} {self.term()}"
        return made

    def term(self) -> str:
        made = self.factor()
        while self.next() in ("*", "/"):
            sign = self.words[self.at]
            self.at, self.deeds = self.at + 1, self.deeds + 1
            made = f"{made} {sign} {self.factor()}"
        return made

    def factor(self) -> str:
        self.any("the", "a" if self.words[self.at + 1 : self.at + 2] == ["number"] else "the")
        word = self.next()
        named: dict[str, Callable[[list[str]], str]] = {
            "sum": lambda rows: f"({' + '.join(rows)})",
            "product": lambda rows: f"({' * '.join(map(self.held, rows))})",
            "difference": lambda rows: f"abs({rows[0]} - {self.held(rows[1])})",
            "quotient": lambda rows: f"({self.held(rows[0])} / {self.held(rows[1])})",
        }
        if word in named:
            self.at += 1
            rows = self.rows()
            if word in ("difference", "quotient") and len(rows) != 2:
                raise _Other
            self.deeds += 1
            return self.raised(named[word](rows))
        for words, name in ((("square", "root"), "sqrt"), (("cube", "root"), "cbrt"), (("root",), "sqrt")):
            if self.took(*words):
                self.deeds += 1
                if not self.took("of"):
                    raise _Other
                return self.raised(f"{name}({self.factor()})")
        if word in _TIMES:
            self.at, self.deeds = self.at + 1, self.deeds + 1
            return f"{_TIMES[word]}{self.factor()}"
        if self.took("-") or self.took("negative"):
            return f"(-{self.factor()})"
        if self.took("("):
            made = self.sum()
            if not self.took(")"):
                raise _Other
            return self.raised(f"({made})")
        return self.raised(self.number())

    def rows(self) -> list[str]:
        """``of three, four and five``: at least two."""
        if not self.any("of", "between"):
            raise _Other
        made = [self.factor()]
        while self.any(",", "and", "from"):
            self.any("and")
            made.append(self.factor())
        if len(made) < 2:
            raise _Other
        return made

    def raised(self, made: str) -> str:
        """A number with its power: ``squared``, ``to the power of 3``, ``to the fourth``."""
        if self.next() in _POWERS:
            self.deeds += 1
            self.at += 1
            return f"{made}^{_POWERS[self.words[self.at - 1]]}"
        if self.took("to", "the") or self.took("raised", "to", "the"):
            self.deeds += 1
            if self.took("power"):
                self.any("of")
                return f"{made}^{self.factor()}"
            word = self.next()
            power = _ORDER.get(word, "") or (word[:-2] if re.fullmatch(r"\d+(?:st|nd|rd|th)", word) else "")
            if not power:
                raise _Other
            self.at += 1
            self.any("power")
            return f"{made}^{power}"
        return made

    def number(self) -> str:
        """``3``, ``3 1/2``, ``three quarters``, ``two and a half``, ``half``."""
        word = self.next()
        mixed = re.fullmatch(r"(\d+) (\d+/\d+)", word)
        if mixed:
            self.at += 1
            return f"({mixed[1]} + {mixed[2]})"
        if re.fullmatch(r"\d+/\d+", word):
            self.at += 1
            if not self.took("of"):
                return f"({word})"
            self.deeds += 1
            return f"({word}) * {self.factor()}"
        if word == "half" and self.words[self.at + 1 : self.at + 2] not in (["of"], ["the"], ["a"]):
            self.at += 1
            if re.fullmatch(r"\d.*", self.next()):  # half 30
                self.deeds += 1
                return f"(1/2) * {self.number()}"
            return "(1/2)"
        if word == "half":
            self.at += 2 if self.words[self.at + 1] == "of" else 1
            self.deeds += 1
            return f"(1/2) * {self.factor()}"
        if part := self.part():
            if not self.took("of"):
                return f"({part})"
            self.deeds += 1
            return f"({part}) * {self.factor()}"
        if not re.fullmatch(r"[\d ,]+(?:\.\d+)?|\.\d+", word):
            raise _Other
        self.at += 1
        number = re.sub(r"[ ,]", "", word)
        at = self.at
        if self.took("and") and (part := self.part()):
            return f"({number} + {part})"
        self.at = at
        return number

    def part(self) -> str:
        """``3/4`` for three quarters or a quarter; empty, and nothing taken, where there is none."""
        count, name = [*self.words[self.at : self.at + 2], "", ""][:2]
        whole = "1" if count in ("a", "an") else count
        if name not in _PART or not re.fullmatch(r"\d+", whole):
            return ""
        self.at += 2
        return f"{whole}/{_PART[name]}"

    @staticmethod
    def held(made: str) -> str:
        """In brackets where a sign stands in it."""
        apart = re.search(r" [-+*/] ", made) and not re.fullmatch(r"\w*\([^()]*\)", made)
        return f"({made})" if apart else made
