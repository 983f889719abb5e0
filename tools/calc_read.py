"""From text to a tree with what is known about it: units or plain, the conversion asked for, how to show the result."""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from llmos.kernel.tool import ToolError
from llmos.tools.calc_names import ALGEBRA, BINDERS, CALLABLE, CONSTANTS, DATE_FUNCTIONS, DAY_WORDS, is_variable
from llmos.tools.calc_parse import nearest, parse
from llmos.tools.calc_text import KEYWORDS, Token, tokenize
from llmos.tools.calc_tree import Binary, Call, Name, Node, Relation, Unary
from llmos.tools.calc_unit_table import Unit
from llmos.tools.calc_units import match_unit, unit_named, unknown_unit

Form = Literal["percent", "decimal", "fraction", "mixed", "scientific", "hex", "binary", "octal"]

_CONVERT = re.compile(r"convert\s*\(\s*(.+?)\s*(?:,|\s(?:to|in|into)\s)\s*([^,]+)\)", re.I)
_HOW_MANY = re.compile(r"how many ([a-z ]+?) (?:are )?(?:there )?in (?:an? |one |([\d.,]+) )?([a-z ]+)", re.I)
_FRACTIONS = re.compile(r"(?<![\w.])\d+ ?/ ?\d+(?![\w.])")
_DECIMALS = re.compile(r"\d\.\d|\.\d|\d%|\d %|\d[eE]-?\d")
_FORMS: dict[str, Form] = {
    "%": "percent", "percent": "percent", "decimal": "decimal", "decimals": "decimal", "fraction": "fraction",
    "mixed": "mixed", "scientific": "scientific",
    "hex": "hex", "hexadecimal": "hex", "binary": "binary", "octal": "octal",
}  # fmt: skip
_UNTIL = re.compile(
    r"(?:(?:how many )?(days|weeks|months|years|workdays) )(?:from|between|since|until|till) (.+)", re.I
)
_SHIFT = re.compile(r"(.+?\b(?:days?|weeks?|months?|years?)) (from|after|before|ago)\b(.*)", re.I)


@dataclass(frozen=True, slots=True)
class Reading:
    """A parsed expression. ``target``: units to convert to, or a form; ``quantities``: it has units or dates.

    ``declared`` are the names that solve, diff and the like use as variables.
    ``decimals`` and ``fractions`` say how a rational result is shown (see ``show_number``).
    """

    tree: Node
    quantities: bool
    declared: frozenset[str]
    decimals: bool
    fractions: bool
    target: tuple[Unit, ...] | Form | None = None


def read(text: str) -> Reading:
    """The reading of a normalised text; ToolError, one line, where it makes no sense."""
    text = _plain_words(text)
    tokens = tokenize(text)
    head, target = _split(tokens)
    quantities = isinstance(target, tuple) or _has_quantities(head)
    tree = parse(head, units=quantities)
    declared = frozenset(_declared(tree))
    if not quantities:
        _check_names(tree, declared)
    decimals = bool(_DECIMALS.search(text)) or target == "decimal"
    fractions = target == "fraction" or len(_FRACTIONS.findall(text)) > 1
    return Reading(tree, quantities, declared, decimals and target != "fraction", fractions, target)


def _children(node: Node) -> tuple[Node, ...]:
    match node:
        case Call(_, args):
            return args
        case Binary(_, left, right) | Relation(_, left, right):
            return left, right
        case Unary(_, arg):
            return (arg,)
    return ()


def _declared(node: Node) -> Iterator[str]:
    if isinstance(node, Call) and node.name in BINDERS and (node.name not in ("sum", "product") or len(node.args) == 4):
        yield from (
            a.text for a in node.args[1:] if isinstance(a, Name) and a.text.lower() not in CONSTANTS - {"e", "i"}
        )
    for child in _children(node):
        yield from _declared(child)


def _check_names(node: Node, declared: frozenset[str]) -> None:
    """ToolError for a name that is no variable and no constant."""
    if isinstance(node, Name):
        name = node.text
        if name in declared or is_variable(name) or name.lower() in CONSTANTS or name.lower() in ("left", "right"):
            return
        product = "; write x*y for a product" if len(name) <= 3 and name.islower() else ""
        raise ToolError(f"unknown name '{name}'{nearest(name.lower(), CALLABLE | CONSTANTS) or product}")
    for child in _children(node):
        _check_names(child, declared)


def _plain_words(text: str) -> str:
    """``convert(5 km, miles)``, ``days until …`` and ``3 weeks from today`` in the grammar's own words."""
    text = _HOW_MANY.sub(lambda m: f"{m[2] or 1} {m[3]} to {m[1]}", text)
    found = _CONVERT.fullmatch(text)
    if found:
        value, unit = found[1], found[2].strip()
        unit = re.sub(r"^(?:to|in|into)\s+", "", unit)
        split = re.fullmatch(r"(.+?)\s*,\s*([A-Za-z/^0-9 ]+)", value)
        return f"{split[1]} {split[2]} to {unit}" if split else f"{value} to {unit}"
    if not re.search("[a-z]", text):
        return text
    found = _UNTIL.fullmatch(text)
    if found:
        return _count(found[1].lower(), text, found[2])
    found = _SHIFT.fullmatch(text)
    if found and (found[3].strip() or found[2].lower() == "ago"):
        sign = "+" if found[2].lower() in ("from", "after") else "-"
        return f"{found[3].strip() or 'today'} {sign} ({found[1]})"
    return text


def _count(unit: str, text: str, rest: str) -> str:
    word = text.split(rest)[0].split()[-1].lower()
    if word in ("until", "till"):
        return f"{unit}(today, {rest})"
    parts = re.split(r"\s+(?:and|to|until|till)\s+", rest, maxsplit=1)
    if len(parts) == 1:
        return f"{unit}({rest}, today)" if word == "since" else text
    return f"{unit}({parts[0]}, {parts[1]})"


def _split(tokens: list[Token]) -> tuple[list[Token], tuple[Unit, ...] | Form | None]:
    """What stands before the last ``to``/``in``/``as`` that is followed by units up to the end, and those units."""
    ends = [i for i, t in enumerate(tokens) if t.kind == "name" and t.text.lower() in ("to", "in", "into", "as")]
    end = Token("end", "the end")
    for i in reversed(ends):
        if i == 0:
            continue
        rest = tokens[i + 1 : -1]
        form = _FORMS.get(rest[0].text.lower()) if len(rest) == 1 else None
        target = form or _units(tokens, i + 1)
        if target:
            return [*tokens[:i], end], target
    if ends and ends[-1] > 0 and tokens[ends[-1]].text.lower() != "in":
        name = "".join(" " * t.spaced + t.text for t in tokens[ends[-1] + 1 : -1]).strip()
        raise unknown_unit(name) if name else ToolError("a unit is missing at the end")
    return tokens, None


def _units(tokens: list[Token], at: int) -> tuple[Unit, ...] | None:
    """One unit, or several as in ``hours and minutes``, filling the rest of the tokens."""
    found: list[Unit] = []
    singles = [unit_named(t.text) for t in tokens[at:-1] if t.text not in ("and", ",")]
    if len(singles) > 1 and all(u and u.dims == (singles[0] or u).dims for u in singles):  # hours minutes seconds
        return tuple(u for u in singles if u)
    while True:
        unit = match_unit(tokens, at, target=True)
        if not unit:
            return None
        found.append(unit[0])
        at = unit[1]
        if tokens[at].kind == "end":
            return tuple(found)
        if tokens[at].text in ("and", ","):
            at += 1


def _has_quantities(tokens: list[Token]) -> bool:
    """Dates, or names that are all units and not all single letters (``5 m + 3 m`` is algebra)."""
    names = []
    for token, after in itertools.pairwise(tokens):
        if token.kind == "date":
            return True
        if token.kind != "name":
            continue
        name = token.text.lower()
        if name in ALGEBRA and after.text == "(":
            return False
        if name in DAY_WORDS or (after.text == "(" and name in DATE_FUNCTIONS):
            return True
        if name in CONSTANTS or (name in KEYWORDS and name != "in") or (name in CALLABLE and after.text == "("):
            continue
        if name in ("deg", "degree", "degrees", "rad", "radian", "radians"):
            continue
        names.append(token.text)
    if not names or not any(len(n) > 1 for n in names):
        return False
    return all(_is_unit(tokens, n) for n in names)


def _is_unit(tokens: list[Token], name: str) -> bool:
    at = next(i for i, t in enumerate(tokens) if t.text == name)
    words = (
        "square",
        "sq",
        "cubic",
        "cu",
        "squared",
        "cubed",
        "nautical",
        "us",
        "imperial",
        "metric",
        "uk",
        "fluid",
        "fl",
    )
    return name.lower() in words or match_unit(tokens, at) is not None or match_unit(tokens, max(0, at - 1)) is not None
