"""From tokens to a tree: the calculator's grammar (a Pratt parser), with units where the text is about units.

The tree holds numbers, names, operators and calls as plain values; it is made by this grammar alone, so whatever the
text said, evaluating it can only do arithmetic. Precedence, low to high: relation, + -, * / and implicit ``3x``
(left to right: ``1/2x`` is x/2), sign, ^ (right to left), postfix ! and %. In unit text a number binds its unit first.
"""

from fractions import Fraction
from typing import NoReturn

from llmos.kernel.tool import ToolError
from llmos.tools.calc_names import ALIASES, CALLABLE, DAY_WORDS, FUNCTIONS, SIGNATURES
from llmos.tools.calc_text import KEYWORDS, Token
from llmos.tools.calc_tree import Binary, Call, Compound, Day, Measure, Name, Node, Num, Relation, Unary
from llmos.tools.calc_unit_table import Unit
from llmos.tools.calc_units import match_unit

MAX_DEPTH = 50


_RELATIONS = ("=", "!=", "<", "<=", ">", ">=")
_WORD_OPERATORS = {"of": "*", "mod": "mod", "off": "off", "per": "/"}
_POSTFIX_WORDS = {"deg": "deg", "degree": "deg", "degrees": "deg", "rad": "", "radian": "", "radians": ""}


def parse(tokens: list[Token], units: bool = False) -> Node:
    """The tree of a whole expression; ``units`` reads names as units where they are.

    ToolError, one line, where the text does not fit the grammar.
    """
    parser = _Parser(tokens, units)
    tree = parser.relation()
    if parser.peek.kind != "end":
        parser.fail()
    return tree


class _Parser:
    def __init__(self, tokens: list[Token], units: bool) -> None:
        self.tokens, self.units = tokens, units
        self.at, self.depth, self.bars = 0, 0, 0

    @property
    def peek(self) -> Token:
        return self.tokens[self.at]

    def next(self) -> Token:
        token = self.tokens[self.at]
        if token.kind == "end":
            raise ToolError("the expression ends too early")
        self.at += 1
        return token

    def ahead(self, text: str) -> bool:
        """Whether the coming operator is ``text``."""
        return self.peek.kind == "op" and self.peek.text == text

    def take(self, text: str) -> bool:
        """Step over the operator ``text`` if it comes next."""
        found = self.ahead(text)
        self.at += found
        return found

    def expect(self, text: str) -> None:
        if not self.take(text):
            wanted = f"missing '{text}'"
            raise ToolError(wanted if self.peek.kind == "end" else f"{wanted} before '{self.peek.text[:20]}'")

    def fail(self) -> NoReturn:
        """ToolError on the coming token."""
        token = self.peek
        if token.text == ",":
            raise ToolError("a comma here is neither a thousands separator nor between arguments; write 3.5, not 3,5")
        raise ToolError(f"unexpected {token.text if token.kind == 'end' else repr(token.text[:20])}")

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ToolError(f"nested more than {MAX_DEPTH} deep")

    def relation(self) -> Node:
        left = self.sum()
        found: Node | None = None
        while self.peek.kind == "op" and self.peek.text in _RELATIONS:
            op = self.next().text
            right = self.sum()
            step = Relation(op, left, right)
            # 1 < x < 3 reads as both relations at once.
            found = step if found is None else Call("and", (found, step))
            left = right
        return left if found is None else found

    def sum(self) -> Node:
        self.deeper()
        left = self.product()
        while self.ahead("+") or self.ahead("-"):
            op = self.next().text
            right = self.product()
            if _is_percent(right) and not _is_percent(left):
                # 80 + 15% adds 15% of the 80, as on any pocket calculator.
                left = Binary("*", left, Binary(op, Num(Fraction(1)), right))
            else:
                left = Binary(op, left, right)
        self.depth -= 1
        return left

    def product(self) -> Node:
        left = self.signed()
        while True:
            token = self.peek
            word = token.text.lower() if token.kind == "name" else ""
            if token.kind == "op" and token.text in ("*", "/"):
                self.at += 1
                left = Binary(token.text, left, self.signed())
            elif self.ahead("%"):  # a % that postfix() left alone is the remainder
                self.at += 1
                left = Binary("mod", left, self.signed())
            elif word in _WORD_OPERATORS:
                self.at += 1
                left = Binary(_WORD_OPERATORS[word], left, self.signed())
            elif self.starts_operand(token):
                left = Binary("*", left, self.power())
            else:
                return left

    def starts_operand(self, token: Token) -> bool:
        """Whether ``token`` right after an operand begins another one: implicit multiplication."""
        if token.kind == "name":
            return token.text.lower() not in KEYWORDS
        return token.kind == "op" and (token.text == "(" or (token.text == "|" and self.bars == 0))

    def signed(self) -> Node:
        if self.ahead("-") or self.ahead("+"):
            op = self.next().text
            self.deeper()
            arg = self.signed()
            self.depth -= 1
            if op == "+":
                return arg
            return Num(-arg.value) if isinstance(arg, Num) else Unary("-", arg)
        return self.power()

    def power(self) -> Node:
        base = self.postfix(self.primary())
        if not self.take("^"):
            return base
        self.deeper()
        exponent = self.signed()
        self.depth -= 1
        return Binary("^", base, exponent)

    def postfix(self, node: Node) -> Node:
        for _ in range(MAX_DEPTH):
            token = self.peek
            word = token.text.lower() if token.kind == "name" else ""
            if self.take("!"):
                node = Unary("!", node)
            elif self.ahead("%") and self.is_percent():
                self.at += 1
                node = Unary("%", node)
            elif word in _POSTFIX_WORDS and not self.units:
                self.at += 1
                node = Unary("deg", node) if _POSTFIX_WORDS[word] else node
            else:
                return node
        raise ToolError(f"nested more than {MAX_DEPTH} deep")

    def is_percent(self) -> bool:
        """Percent unless an operand follows: ``17 % 5`` and ``17%5`` are remainders, ``15% of 80`` is not."""
        sign, after = self.tokens[self.at], self.tokens[self.at + 1]
        operand = after.kind == "num" or self.starts_operand(after)
        if operand and after.spaced and not sign.spaced:
            raise ToolError("after a percentage write 'of' or '*' (15% of 80), or mod(a, b) for a remainder")
        return not operand

    def primary(self) -> Node:
        token = self.next()
        if token.kind == "num":
            return self.number(token)
        if token.kind == "date" and token.day:
            return Day(token.day)
        if token.kind == "name":
            return self.named(token)
        if token.text == "(":
            inner = self.relation()
            self.expect(")")
            return inner
        if token.text == "|":
            self.bars += 1
            inner = self.sum()
            self.bars -= 1
            self.expect("|")
            return Call("abs", (inner,))
        self.at -= 1
        return self.fail()

    def number(self, token: Token) -> Node:
        """A number; a mixed number (``1 1/2``); in unit text with its unit, and with further ones beside it."""
        value = token.number
        ahead = self.tokens[self.at : self.at + 3]
        if len(ahead) == 3 and ahead[0].kind == "num" and ahead[1].text == "/" and ahead[2].kind == "num":
            value, self.at = value + _ratio(ahead[0], ahead[2]), self.at + 3
        elif self.units and ahead[0].text == "/" and len(ahead) > 2 and ahead[1].kind == "num" and self.unit_at(2):
            value, self.at = _ratio(token, ahead[1]), self.at + 2
        if self.peek.kind == "num":
            raise ToolError(f"missing operator between {token.text[:20]} and {self.peek.text[:20]}")
        unit = self.unit_at(0) if self.units else None
        if not unit:
            return Num(value)
        self.at = unit[1]
        parts = [Measure(value, unit[0])]
        if self.number_ahead():
            more = self.number(self.next())
            if not isinstance(more, Measure | Compound):
                raise ToolError(f"a unit is missing after {self.tokens[self.at - 1].text[:20]}")
            parts += more.parts if isinstance(more, Compound) else [more]
        return parts[0] if len(parts) == 1 else Compound(tuple(parts))

    def number_ahead(self) -> bool:
        return self.peek.kind == "num"

    def unit_at(self, offset: int) -> tuple[Unit, int] | None:
        return match_unit(self.tokens, self.at + offset)

    def named(self, token: Token) -> Node:
        name = token.text.lower()
        if name in CALLABLE and (self.ahead("(") or (name in FUNCTIONS and not self.follows_nothing())):
            return self.call(name)
        if self.ahead("(") and len(name) > 1 and name not in ("pi", "oo", "inf", "infinity"):
            raise ToolError(f"unknown function '{token.text}'{nearest(name, CALLABLE)}")
        if name in KEYWORDS and not (name == "in" and self.units):
            raise ToolError(f"unexpected '{name}'")
        unit = match_unit(self.tokens, self.at - 1) if self.units else None
        if unit:
            self.at = unit[1]
            return Measure(Fraction(1), unit[0])
        if name in CALLABLE and name not in DAY_WORDS:
            raise ToolError(f"{name} needs its arguments in brackets")
        return Name(token.text)

    def follows_nothing(self) -> bool:
        """Whether no operand comes next, so that a function's name stands alone."""
        return self.peek.kind == "end" or (self.peek.kind == "op" and self.peek.text not in ("(", "|", "-", "^"))

    def call(self, name: str) -> Node:
        power: Node | None = None
        if self.ahead("^") and self.tokens[self.at + 1].kind == "num":  # sin^2(x)
            self.at += 1
            power = Num(self.next().number)
        if self.take("("):
            args = self.arguments(")")
        else:  # sqrt 16, sin x: one operand, and no guessing about what follows
            self.deeper()
            args = [self.signed()]
            self.depth -= 1
            if self.starts_operand(self.peek):
                raise ToolError(f"write {name}(...) with brackets")
        name = ALIASES.get(name, name)
        fewest, most = SIGNATURES[name]
        if not fewest <= len(args) <= most:
            wanted = str(fewest) if fewest == most else f"{fewest} to {most}"
            hint = " (inside a function write 1234, not 1,234)" if len(args) > most else ""
            raise ToolError(f"{name} takes {wanted} argument{'s' * (wanted != '1')}, not {len(args)}{hint}")
        node: Node = Relation("=", *args) if name == "eq" else Call(name, tuple(args))
        return Binary("^", node, power) if power else node

    def at_tuple(self) -> bool:
        """Whether a bracket holding commas comes next, as in ``integrate(x, (x, 0, 3))``."""
        if not self.ahead("("):
            return False
        depth, commas = 0, False
        for token in self.tokens[self.at :]:
            depth += (token.text in ("(", "[")) - (token.text in (")", "]"))
            commas = commas or (depth == 1 and token.text == ",")
            if depth == 0:
                break
        return commas

    def arguments(self, closing: str) -> list[Node]:
        args: list[Node] = []
        bars, self.bars = self.bars, 0
        while not self.take(closing):
            if self.take("["):
                self.deeper()
                args += self.arguments("]")
                self.depth -= 1
            elif self.at_tuple():
                self.at += 1
                self.deeper()
                args += self.arguments(")")
                self.depth -= 1
            else:
                args.append(self.relation())
            if not self.ahead(closing):
                self.expect(",")
        self.bars = bars
        return args


def _is_percent(node: Node) -> bool:
    if isinstance(node, Binary) and node.op in "+-":
        return _is_percent(node.left) and _is_percent(node.right)
    return isinstance(node, Unary) and (node.op == "%" or (node.op == "-" and _is_percent(node.arg)))


def _ratio(top: Token, bottom: Token) -> Fraction:
    if not bottom.number:
        raise ToolError("division by zero")
    return top.number / bottom.number


def nearest(name: str, known: frozenset[str]) -> str:
    """``; did you mean 'floor'?`` or nothing."""
    import difflib

    close = difflib.get_close_matches(name, known, 1, 0.7)
    return f"; did you mean '{close[0]}'?" if close else ""
