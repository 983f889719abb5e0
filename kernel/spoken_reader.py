"""Reads the words of a calculation by descent, and writes it as the calculator's expression. See spoken."""

import re
from collections.abc import Callable, Sequence

from llmos.kernel.spoken_words import ORDER, PART

_TIMES = {"double": "2 * ", "twice": "2 * ", "triple": "3 * ", "treble": "3 * ", "thrice": "3 * ", "quadruple": "4 * "}
_POWERS = {"squared": "2", "cubed": "3"}
_CHAINED = {"double": " * 2", "triple": " * 3", "treble": " * 3", "halve": " / 2", "square": "^2", "cube": "^3"}
_IT = ("it", "that", "this", "everything", "all", "result", "lot", "answer")
_ROOTS = [
    (("square", "root"), "sqrt"), (("sq", "root"), "sqrt"), (("cube", "root"), "cbrt"), (("cubic", "root"), "cbrt"),
    (("root",), "sqrt"), (("radical",), "sqrt"), (("sqrt",), "sqrt"), (("cbrt",), "cbrt"),
]  # fmt: skip
# Functions of several numbers, or of one, by their names.
_MANY = [
    (("greatest", "common", "divisor"), "gcd"), (("greatest", "common", "factor"), "gcd"),
    (("highest", "common", "factor"), "gcd"), (("largest", "common", "factor"), "gcd"), (("gcd",), "gcd"),
    (("largest", "common", "divisor"), "gcd"), (("biggest", "common", "factor"), "gcd"),
    (("highest", "common", "divisor"), "gcd"), (("gcf",), "gcd"), (("hcf",), "gcd"),
    (("least", "common", "multiple"), "lcm"), (("lowest", "common", "multiple"), "lcm"),
    (("smallest", "common", "multiple"), "lcm"), (("lcm",), "lcm"), (("least", "common", "denominator"), "lcm"),
    (("lowest", "common", "denominator"), "lcm"), (("mean",), "mean"), (("average",), "mean"), (("max",), "max"),
    (("min",), "min"),
]  # fmt: skip
_ONE = [
    (("absolute", "value"), "abs({})"), (("factorial",), "factorial({})"), (("square",), "{}^2"), (("cube",), "{}^3"),
    (("reciprocal",), "1 / {}"), (("inverse",), "1 / {}"),
]  # fmt: skip
_CHANGED = {"increase": "+", "raise": "+", "decrease": "-", "reduce": "-", "lower": "-", "discount": "-", "cut": "-"}
_SHARES = [(("of",), ""), (("on",), ""), (("off",), "-"), (("-", "than"), "-"), (("more", "than"), "+")]
_SQUARES = re.compile(r"[\d.]+\^2(?: [-+] [\d.]+\^2)+")
_NTH = re.compile(r"\d+(?:st|nd|rd|th)")
_NUMBER = r"\d[\d ,]*(?:\.\d+)?(?:e[-+]?\d+)?|\.\d+"


class Other(Exception):
    """Something else is said."""


class Reader:
    """Reads by descent. Raises Other at a word that does not belong, IndexError at the end of all."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words, self.at, self.deeds = words, 0, 0
        self.fractions = False  # whether it speaks of a fraction that is no half and no quarter

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

    def whole(self, bare: bool = False) -> str:
        """The expression of all words; ``bare``: it may be a number alone."""
        made = self.deed() or self.sum()
        while self.next():
            made = self.chained(made)
        if not (self.deeds or bare):
            raise Other
        return self.unheld(made)

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
        if word in _CHANGED:
            self.at, self.deeds = start + 1, self.deeds + 1
            made = self.held(self.sum())
            if not self.took("by"):
                if word == "raise" and "^" in made:
                    return made
                raise Other
            share = self.factor()
            return f"{made} * (1 {_CHANGED[word]} {share})" if share.endswith("%") else f"{made} {_CHANGED[word]} {share}"
        if word in pairs and not (word == "-" and start):
            sign, between, swapped = pairs[word]
            self.at += 1
            self.took("up")
            try:
                return self.paired(sign, between, swapped)
            except Other:
                if word != "-":
                    raise
                self.at = start  # minus eight, and not eight from anything
        if word in _CHAINED and word not in _TIMES and self.after(1) not in ("root", "of"):
            self.at, self.deeds = start + 1, self.deeds + 1
            return f"{self.held(self.sum())}{_CHAINED[word]}"
        return ""

    def paired(self, sign: str, between: Sequence[str], swapped: bool) -> str:
        rows = [self.sum()]
        self.any("away")
        while self.next() in between and self.after(1) != "then":
            self.at += 1
            self.any("and")
            rows.append(self.sum())
        if len(rows) < 2 or (len(rows) > 2 and sign not in "+*"):
            raise Other
        self.deeds += 1
        # Ten percent that are added to something are ten percent of it.
        swapped |= sign == "+" and rows[0].endswith("%") and len(rows) == 2
        return f" {sign} ".join(map(self.held, rows[::-1] if swapped else rows))

    def chained(self, made: str) -> str:
        """What is done to all that was said before: ``, then double it``."""
        apart = self.any(",", ";")
        apart |= self.any("and")
        apart |= self.any("then", "after")
        self.took("that")
        word = self.next()
        if not apart or not word:
            raise Other
        self.at += 1
        self.deeds += 1
        if word in _CHAINED:
            self.it()
            return f"{self.held(made)}{_CHAINED[word]}"
        if word in ("multiply", "divide"):
            self.it()
            if not self.took("by"):
                raise Other
        sign = {"add": "+", "take": "-", "knock": "-", "multiply": "*", "divide": "/"}.get(word, word)
        if sign not in ("+", "-", "*", "/"):
            raise Other
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
        while self.next() in ("*", "/", "mod", "choose"):
            sign = self.words[self.at]
            self.at, self.deeds = self.at + 1, self.deeds + 1
            other = self.factor()
            named = {"mod": "mod", "choose": "binomial"}.get(sign)
            made = f"{named}({made}, {other})" if named else f"{made} {sign} {self.apart(other)}"
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
                raise Other
            self.deeds += 1
            return self.raised(named[word](rows))
        if made := self.function() or self.numbered():
            return self.raised(made)
        if word in _TIMES:
            self.at, self.deeds = self.at + 1, self.deeds + 1
            return f"{_TIMES[word]}{self.factor()}"
        if self.took("-") or self.took("negative"):
            return f"(-{self.factor()})"
        if self.took("("):
            made = self.sum()
            if not self.took(")"):
                raise Other
            plain = re.fullmatch(_NUMBER, made) or made[0] == "("
            return self.raised(made if plain and made.count("(") < 2 else f"({made})")
        return self.raised(self.number())

    def function(self) -> str:
        """A function with what it is taken of: ``the square root of 2``, ``the gcd of 12 and 18``; empty for none."""
        for words, name in _ROOTS:
            if self.took(*words):
                self.deeds += 1
                return f"{name}({self.operand()})"
        for words, name in _MANY:
            if self.took(*words):
                self.deeds += 1
                return f"{name}({', '.join(self.rows())})"
        for words, form in _ONE:
            if self.words[self.at : self.at + len(words)] == [*words] and self.after(len(words)) == "of":
                self.at, self.deeds = self.at + len(words) + 1, self.deeds + 1
                return form.format(self.unheld(self.factor()) if "(" in form else self.held(self.factor()))
        if self.took("remainder") or self.took("what", "remains") or self.took("left"):
            return self.remainder()
        return self.logarithm()

    def after(self, count: int) -> str:
        """The word that many words ahead; empty behind the last."""
        return self.words[self.at + count] if self.at + count < len(self.words) else ""

    def operand(self) -> str:
        """What a root is taken of. Of squares that are added it is their sum, as triangles have it."""
        self.any("of", "from")
        start, deeds = self.at, self.deeds
        try:
            if _SQUARES.fullmatch(made := self.sum()):
                return made
        except Other:
            pass
        self.at, self.deeds = start, deeds
        return self.unheld(self.raised(self.factor()))

    def remainder(self) -> str:
        """``when 100 is divided by 7``, ``of 100 divided by 7``."""
        self.any("over")
        if not self.any("when", "if", "of", "from", "after", "for"):
            raise Other
        self.any("i", "you", "we")
        self.took("divide")
        first = self.raised(self.number())
        self.took("is")
        if not (self.took("/") or self.took("by")):
            raise Other
        self.deeds += 1
        return f"mod({first}, {self.unheld(self.factor())})"

    def logarithm(self) -> str:
        """``log base 3 of 81``, ``log 81 base 3``, ``ln 5``; which base a bare logarithm has is not for it to say."""
        if self.took("natural", "log") or self.took("natural", "logarithm") or self.took("ln"):
            self.any("of")
            self.deeds += 1
            return f"ln({self.unheld(self.factor())})"
        if not self.any("log", "logarithm"):
            return ""
        self.any("to")
        self.any("the")
        base = ""
        if self.took("base") or (self.next() in ("2", "10") and self.after(1) in ("of", "(")):
            base = self.number()
        self.any("of")
        made = self.unheld(self.factor())
        self.any("to", "in", "with", "for")
        self.any("the")
        if not base and not self.took("base"):
            raise Other
        self.deeds += 1
        return f"log({made}, {base or self.number()})"

    def numbered(self) -> str:
        """``the fourth root of 81``, ``the sixth power of 2``; empty where it is neither."""
        word = self.next()
        nth = ORDER.get(word, "") or (word[:-2] if _NTH.fullmatch(word) else "")
        if not nth or self.after(1) not in ("root", "power"):
            return ""
        root = self.after(1) == "root"
        self.at, self.deeds = self.at + 2, self.deeds + 1
        if not root and self.next() != "of":
            raise Other
        self.any("of", "from")
        made = self.factor()
        return f"root({self.unheld(made)}, {nth})" if root else f"{self.held(made)}^{nth}"

    def rows(self) -> list[str]:
        """``of three, four and five``, ``(3, 4)``: at least two."""
        closed = self.took("(")
        if not closed and not self.any("of", "between", "for"):
            raise Other
        self.any("squares")  # the sum of squares of 3, 4 and 5
        power = "^2" if self.words[self.at - 1] == "squares" and self.any("of", "from") else ""
        made = [self.factor() + power]
        while self.any(",", "and", "from"):
            self.any("and")
            made.append(self.factor() + power)
        if len(made) < 2 or (closed and not self.took(")")):
            raise Other
        return made

    def raised(self, made: str) -> str:
        """A number with what stands behind it: ``squared``, ``to the power of 3``, ``to the fourth``, ``!``, ``% of``."""
        start = self.at
        if self.next() in _POWERS:
            made += f"^{_POWERS[self.words[self.at]]}"
            self.at += 1
        elif self.any("!", "factorial"):
            made += "!"
        elif self.took("dozen"):
            made += " * 12"
        elif self.took("^"):
            made += f"^{self.factor()}"
        elif self.took("%"):
            return self.percent(f"{made}%")
        elif self.took("to", "the") or self.took("raised", "to") or self.next() == "power":
            self.any("the")
            made += f"^{self.exponent()}"
        if self.at == start:
            return made
        self.deeds += 1
        return self.raised(made)

    def exponent(self) -> str:
        if self.took("power"):
            self.any("of")
            return self.factor()
        if self.next() == "-":
            return self.factor()
        word = self.next()
        if re.fullmatch(_NUMBER, word) or "/" in word[1:]:
            made = self.number()
        else:
            made = ORDER.get(word, "") or (word[:-2] if _NTH.fullmatch(word) else "")
            self.at += 1
        if not made:
            raise Other
        self.any("power")
        return made

    def percent(self, made: str) -> str:
        """``15% of 80``, ``15% off 80``, ``15% less than 80``."""
        if self.next() in ("vat", "tax", "tip", "gst") and self.after(1) in ("to", "on"):
            self.at += 1
        for words, sign in _SHARES:
            if self.took(*words):
                self.deeds += 1
                of = self.held(self.factor())
                return f"{of} * (1 {sign} {made})" if sign else f"{made} * {of}"
        return made

    def number(self) -> str:
        """``3``, ``3 1/2``, ``three quarters``, ``two and a half``, ``half``."""
        word = self.next()
        mixed = re.fullmatch(r"(\d+) (\d+/\d+)", word)
        if mixed:
            self.at += 1
            self.fractions = True
            return f"({mixed[1]} + {mixed[2]})"
        if re.fullmatch(r"\d+/\d+", word):
            self.at += 1
            if not self.took("of"):
                self.fractions = True
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
                self.fractions |= int(part.partition("/")[2]) not in (2, 4)
                return f"({part})"
            self.deeds += 1
            return f"({part}) * {self.factor()}"
        if not re.fullmatch(_NUMBER, word):
            raise Other
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
        if name not in PART or not re.fullmatch(r"\d+", whole):
            return ""
        self.at += 2
        return f"{whole}/{PART[name]}"

    @staticmethod
    def unheld(made: str) -> str:
        """Without the brackets around all of it."""
        inner = made[1:-1] if made[0] == "(" and made[-1] == ")" else made
        return inner if "(" not in inner and ")" not in inner else made

    @staticmethod
    def apart(made: str) -> str:
        """What stands under a line or is multiplied, in brackets where it holds a product itself."""
        return f"({made})" if re.search(r" [*/] ", made) and made[0] != "(" and not made.endswith(")") else made

    @staticmethod
    def held(made: str) -> str:
        """In brackets where a sign stands in it."""
        apart = re.search(r" [-+*/] ", made) and not re.fullmatch(r"\w*\([^()]*\)", made)
        return f"({made})" if apart else made
