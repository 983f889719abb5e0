"""Reads the words of a calculation by descent, and writes it as the calculator's expression. See spoken."""

import re
from collections.abc import Callable, Sequence

from llmos.kernel.spoken_named import NTH, NUMBER, Named, Other
from llmos.kernel.spoken_words import ORDER, PART

_TIMES = {"double": "2 * ", "twice": "2 * ", "triple": "3 * ", "treble": "3 * ", "thrice": "3 * ", "quadruple": "4 * "}
_POWERS = {"squared": "2", "cubed": "3"}
_CHAINED = {"double": " * 2", "triple": " * 3", "treble": " * 3", "halve": " / 2", "square": "^2", "cube": "^3"}
_IT = ("it", "that", "this", "everything", "all", "result", "lot", "answer")
_CHANGED = {"increase": "+", "raise": "+", "decrease": "-", "reduce": "-", "lower": "-", "discount": "-", "cut": "-"}
_SHARES = [(("of",), ""), (("on",), ""), (("off",), "-"), (("-", "than"), "-"), (("more", "than"), "+")]


class Reader(Named):
    """Reads by descent. Raises Other at a word that does not belong, IndexError at the end of all."""

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
            return (
                f"{made} * (1 {_CHANGED[word]} {share})" if share.endswith("%") else f"{made} {_CHANGED[word]} {share}"
            )
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
        while self.next() in ("(", "sqrt", "pi"):  # 2(3 + 4)
            self.deeds += 1
            made = f"{made} * {self.factor()}"
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
            rows = self.rows(word == "difference")
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
            plain = re.fullmatch(NUMBER, made) or made[0] == "("
            return self.raised(made if plain and made.count("(") < 2 else f"({made})")
        return self.raised(self.number())

    def rows(self, apart: bool = False) -> list[str]:
        """``of three, four and five``, ``(3, 4)``: at least two; ``apart``: the last may stand behind a ``from``."""
        closed = self.took("(")
        if not closed and not self.any("of", "between", "for"):
            raise Other
        self.took("the")
        form = "{}"
        for words, each in ((("squares",), "{}^2"), (("cubes",), "{}^3"), (("square", "roots"), "sqrt({})")):
            if self.took(*words):
                self.any("of", "from")
                form = each
        made = [form.format(self.factor())]
        while self.any(",", "and") or (apart and self.took("from")):
            self.any("and")
            made.append(form.format(self.factor()))
        if len(made) < 2 or (closed and not self.took(")")):
            raise Other
        return made

    def raised(self, made: str) -> str:
        """A number with what stands behind it: ``squared``, ``to the power of 3``, ``to the fourth``, ``% of``."""
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
        elif self.took("raised", "to") or self.next() == "power" or self.exponents():
            self.took("to")
            self.took("the")
            made += f"^{self.exponent()}"
        if self.at == start:
            return made
        self.deeds += 1
        return self.raised(made)

    def exponents(self) -> bool:
        """Whether an exponent comes next: ``to the fourth``, and not ``to the product``."""
        word = self.after(2)
        number = re.fullmatch(NUMBER, word) or NTH.fullmatch(word) or word in ORDER or "/" in word[1:]
        return self.next() == "to" and self.after(1) == "the" and bool(number or word in ("power", "-"))

    def exponent(self) -> str:
        if self.took("power"):
            self.any("of")
            return self.factor()
        if self.next() == "-":
            return self.factor()
        word = self.next()
        if re.fullmatch(NUMBER, word) or "/" in word[1:]:
            made = self.number()
        else:
            made = ORDER.get(word, "") or (word[:-2] if NTH.fullmatch(word) else "")
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
        if word == "pi" or (word == "e" and self.after(1) in ("^", "to", *_POWERS)):
            self.at += 1
            return word
        if not re.fullmatch(NUMBER, word):
            raise Other
        self.at += 1
        number = re.sub(r"[ ,]", "", word)
        at = self.at
        if self.took("and"):
            if part := self.part():
                return f"({number} + {part})"
            if re.fullmatch(r"(\d)/\d+", word := self.next()) and word.split("/") == sorted(word.split("/"), key=int):
                self.at, self.fractions = self.at + 1, True
                return f"({number} + {word})"
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
    def apart(made: str) -> str:
        """What stands under a line or is multiplied, in brackets where it holds a product itself."""
        return f"({made})" if re.search(r" [*/] ", made) and made[0] != "(" and not made.endswith(")") else made
