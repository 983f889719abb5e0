"""Functions as they are told in words: ``the square root of 2``, ``the gcd of 12 and 18``. See spoken."""

import re
from collections.abc import Sequence

from llmos.kernel.spoken_words import ORDER

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
_SQUARES = re.compile(r"[\d.]+\^2(?: [-+] [\d.]+\^2)+")
NTH = re.compile(r"\d+(?:st|nd|rd|th)")
NUMBER = r"\d[\d ,]*(?:\.\d+)?(?:e[-+]?\d+)?|\.\d+"


class Other(Exception):
    """Something else is said."""


class Named:
    """Where a reader is in its words, and what it knows of functions. What they are taken of, the reader reads itself.

    Raises Other at a word that does not belong, IndexError at the end of all.
    """

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

    def after(self, count: int) -> str:
        """The word that many words ahead; empty behind the last."""
        return self.words[self.at + count] if self.at + count < len(self.words) else ""

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
        nth = ORDER.get(word, "") or (word[:-2] if NTH.fullmatch(word) else "")
        if not nth or self.after(1) not in ("root", "power"):
            return ""
        root = self.after(1) == "root"
        self.at, self.deeds = self.at + 2, self.deeds + 1
        if not root and self.next() != "of":
            raise Other
        self.any("of", "from")
        made = self.factor()
        return f"root({self.unheld(made)}, {nth})" if root else f"{self.held(made)}^{nth}"

    def sum(self) -> str:
        raise NotImplementedError

    def factor(self) -> str:
        raise NotImplementedError

    def rows(self, apart: bool = False) -> list[str]:
        raise NotImplementedError

    def raised(self, made: str) -> str:
        raise NotImplementedError

    def number(self) -> str:
        raise NotImplementedError

    @staticmethod
    def unheld(made: str) -> str:
        """Without the brackets around all of it."""
        if made[0] != "(" or made[-1] != ")":
            return made
        depth = [made[:n].count("(") - made[:n].count(")") for n in range(1, len(made))]
        return made[1:-1] if min(depth) else made

    @staticmethod
    def held(made: str) -> str:
        """In brackets where a sign stands in it."""
        apart = re.search(r" [-+*/] ", made) and not re.fullmatch(r"\w*\([^()]*\)", made)
        return f"({made})" if apart else made
