"""From what was typed to tokens: the calculator's normaliser and tokenizer.

Nothing here evaluates anything. A character outside the table is an error, so quotes, dots, backslashes, control
characters and letters outside ASCII never reach the parser. Commas: ``1,234,567`` is one number at the top level and
inside plain brackets; directly inside a function call a comma always parts arguments (``max(1,234)`` is 234).
"""

import re
from collections.abc import Callable, Iterator
from datetime import date
from fractions import Fraction
from typing import Literal, NamedTuple

from llmos.kernel.tool import ToolError
from llmos.tools.calc_dates import match_date, speaks_of_dates

MAX_CHARS = 500
MAX_BITS = 300_000  # of an exact number: about 90,000 digits

KEYWORDS = frozenset({"to", "in", "into", "as", "of", "off", "mod", "per", "and"})

Kind = Literal["num", "name", "op", "date", "end"]


class Token(NamedTuple):
    """One token; ``spaced`` if white space stands before it. ``number`` for num, ``day`` for date."""

    kind: Kind
    text: str
    spaced: bool = False
    number: Fraction = Fraction(0)
    day: date | None = None


# ruff: noqa: RUF001 (the look-alikes are what this table is for)
_CHARS = {
    "×": "*", "⋅": "*", "·": "*", "∗": "*", "∙": "*", "÷": "/", "∕": "/", "⁄": "/", "−": "-", "–": "-", "—": "-",
    "√": " sqrt ", "∛": " cbrt ", "π": " pi ", "∞": " oo ", "≤": "<=", "≥": ">=", "≠": "!=", "％": "%", "½": " 1/2",
    "⅓": " 1/3", "⅔": " 2/3", "¼": " 1/4", "¾": " 3/4", "⅕": " 1/5", "⅛": " 1/8", "⅜": " 3/8", "⅝": " 5/8", "⅞": " 7/8",
    "°": " deg ", "º": " deg ", "℃": " degC", "℉": " degF", "µ": "u", "μ": "u", "Ω": "ohm", "\u2126": "ohm",
    "\u00a0": " ", "\u2009": " ", "\u202f": " ", "\t": " ", "\n": " ", "\r": " ",
}  # fmt: skip
_TABLE = str.maketrans(_CHARS)
_SUPERSCRIPT = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_AND = re.compile(r"\s*,?\s+and\s+", re.I)
_LISTS = "sum|average|mean|median|mode|product|gcd|lcm|max|maximum|min|minimum"
_New = str | Callable[[re.Match[str]], str]
_PHRASES: list[tuple[str, _New]] = [
    (r"^\s*(?:please\s+)?(?:what\s+is|what's|calculate|compute|evaluate|how\s+much\s+is)\s+(?:the\s+)?", ""),
    (r"^\s*convert\s+(?=[^\s(])", ""),
    (r"\bdeg\s+([CF])\b", r"deg\1"),
    (r"\b(?:math|numpy|np|sympy|sp)\.(?=[A-Za-z])", ""),
    (r"(\d\s*h)\s*(\d+(?:\.\d+)?)\s*m\b", r"\1 \2 min"),
    (r"(\d)\s*m\s*(\d+(?:\.\d+)?)\s*s\b", r"\1 min \2 s"),
    (rf"^\s*(?:the\s+)?({_LISTS})\s+of\s+(?!\()(.+?)[\s?.]*$", lambda m: f"{m[1]}({_AND.sub(', ', m[2])})"),
    (r"\babsolute\s+value\s+of\b", "abs"),
    (r"\bfactorial\s+of\b", "factorial"),
    (r"\bdivided\s+by\b", "/"),
    (r"\b(?:multiplied\s+by|times)\b", "*"),
    (r"\bplus\b", "+"),
    (r"\bminus\b", "-"),
    (r"\bto\s+the\s+power\s+of\b", "^"),
    (r"^(.+?)\s+(?:as|in)\s+(?:an?\s+)?(?:percentage|percent|%)\s+of\s+(.+?)[\s?.]*$", r"(\1) / (\2) to %"),
    (r"\b(as|to|in)\s+an?\s+(percentage|percent|decimal|fraction|mixed)\b", r"\1 \2"),
    (r"\b(?:percentage|percent)\b", "%"),
    (r"(?<=\d)\s+(?:squared)\b", "^2"),
    (r"(?<=\d)\s+(?:cubed)\b", "^3"),
    (r"\bsquare\s+root\s+of\b", "sqrt"),
    (r"\bcube\s+root\s+of\b", "cbrt"),
    (r"\bhalf\s+of\b", "1/2 *"),
]
_WORDS = [(re.compile(pattern, re.I), new) for pattern, new in _PHRASES]
_TOKEN = re.compile(
    r"(?P<hex>0[xX][0-9a-fA-F]+|0[bB][01]+)(?![\w.])"
    r"|(?P<num>(?>(?:\d[\d_]*(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+(?!\w))?)(?!\.))"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<op>\*\*|<=|>=|==|!=|[-+*/^%!()=<>|,;{}\[\]])"
)
_GROUPED = re.compile(r"[1-9]\d{0,2}(?:,\d{3})+(?![\d_])(?!,\d{3}\b)")
_TIMES_X = re.compile(r"(?<![\w.])(\d[\d.,]*)\s*[xX]\s*(?=\d)")
_QUOTED = re.compile(r"([\"'])([\w ,/.-]{6,20})\1")
_FEET_INCHES = re.compile(r"(\d+)\s*['′]\s*(\d+(?:\.\d+)?)\s*(?:\"|''|″)")
_SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_SCALE = re.compile(rf"\s*({'|'.join(_SCALES)})\b", re.I)
_CLOSING = str.maketrans("{}", "[]")


def normalise(expression: object) -> str:
    """``expression`` in plain ASCII operators, without a question's trimmings.

    ToolError if it is not text, is empty, or is over MAX_CHARS.
    """
    if not isinstance(expression, str):
        raise ToolError("the expression must be text")
    if len(expression) > MAX_CHARS:
        raise ToolError(f"the expression has {len(expression):,} characters; the most is {MAX_CHARS}")
    text = expression
    if not text.isascii():
        text = re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+", lambda m: f"^({m[0].translate(_SUPERSCRIPT)})", text).translate(_TABLE)
    else:
        text = re.sub(r"[\t\r\n]", " ", text)
    text = _QUOTED.sub(lambda m: m[2] if _is_date(m[2]) else m[0], text)
    text = _FEET_INCHES.sub(r"\1 ft \2 in", text)
    text = re.sub(r"[$€£](?=\s?[\d.])", "", text)
    if any(c.isalpha() for c in text):
        for pattern, new in _WORDS:
            text = pattern.sub(new, text)
        text = _TIMES_X.sub(lambda m: m[0] if m[1] == "0" else f"{m[1]}*", text)
    text = re.sub(r"(?<=[^\s<>=!])[\s=?.]+$", "", text).strip().lstrip("=").strip()
    if not text:
        raise ToolError("the expression is empty")
    return text


def _is_date(text: str) -> bool:
    found = match_date(text, 0, True)
    return found is not None and found[1] == len(text)


def tokenize(text: str) -> list[Token]:
    """The tokens of a normalised text, an ``end`` token last; ToolError at the first character that has no place."""
    return [*_tokens(text), Token("end", "the end")]


def _tokens(text: str) -> Iterator[Token]:
    loose = speaks_of_dates(text)
    calls: list[bool] = []  # for each open bracket: does a comma directly inside it part arguments?
    at, end, last = 0, len(text), ""
    while at < end:
        start = at
        while at < end and text[at] == " ":
            at += 1
        if at == end:
            return
        spaced = at > start
        dated = match_date(text, at, loose) if text[at].isalnum() and not last.isdigit() else None
        if dated:
            token, at = Token("date", text[at : dated[1]], spaced, day=dated[0]), dated[1]
        else:
            token, at = _one(text, at, spaced, bool(calls and calls[-1]))
        if token.text in ("(", "["):
            calls.append(token.text == "[" or (last.isidentifier() and last.lower() not in KEYWORDS))
        elif token.text in (")", "]") and calls:
            calls.pop()
        last = token.text
        yield token


def _one(text: str, at: int, spaced: bool, in_call: bool) -> tuple[Token, int]:
    grouped = None if in_call else _GROUPED.match(text, at)
    if grouped:
        rest = re.compile(r"(?:\.\d+)?").match(text, grouped.end())
        stop = rest.end() if rest else grouped.end()
        digits = text[at:stop]
        return _scaled(text, stop, Token("num", digits, spaced, Fraction(digits.replace(",", ""))))
    found = _TOKEN.match(text, at)
    if not found:
        if text[at].isdigit():
            raise ToolError(f"cannot read the number at position {at + 1}")
        raise ToolError(f"unexpected {_char(text[at])} at position {at + 1}")
    word = found.group()
    if found.lastgroup == "hex":
        return Token("num", word, spaced, Fraction(int(word, 0))), found.end()
    if found.lastgroup == "num":
        return _scaled(text, found.end(), Token("num", word, spaced, _number(word)))
    if found.lastgroup == "name":
        if word.startswith("_") or "__" in word or len(word) > 24:
            raise ToolError(f"'{word[:24]}' is not a name the calculator knows")
        return Token("name", word, spaced), found.end()
    word = {"**": "^", "==": "=", ";": ","}.get(word, word.translate(_CLOSING))
    return Token("op", word, spaced), found.end()


def _scaled(text: str, end: int, token: Token) -> tuple[Token, int]:
    """The number with the word after it: ``1.5 million``."""
    found = _SCALE.match(text, end)
    if not found:
        return token, end
    return token._replace(number=token.number * _SCALES[found[1].lower()]), found.end()


def _number(word: str) -> Fraction:
    word = word.replace("_", "")
    power = word.lower().partition("e")[2]
    # Bound before building: Fraction("1e999999999") would make the integer.
    if power and (len(power) > 7 or abs(int(power)) > MAX_BITS // 4):
        raise ToolError(f"the number {word[:20]} is too large or too small")
    return Fraction(word)


def _char(char: str) -> str:
    return f"'{char}'" if char.isascii() and char.isprintable() else f"character U+{ord(char):04X}"
