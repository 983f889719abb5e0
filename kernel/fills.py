"""A taught program with the texts, lists and numbers of another request in its slots.

A slot of a program has a kind: ``$word``, ``$text``, ``$letter``, ``$words`` (a list of them), ``$pairs`` (names with
numbers), ``$month``, ``$day``, ``$list`` (of numbers); a number of its own is a short name (see aliases). What fills a
slot is found in the request: in quotes, behind a colon or a word such as "letter", in a row with commas, or where the
odd words stand. It enters the program as a Python literal, never as code. Knows no models.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from llmos.kernel.adapt import SIGN, signs_for
from llmos.kernel.found import DAYS, MONTHS, QUOTED, ROW, texts

SLOT = re.compile(r"\$(word2?|text|letter2?|words2?|list2?|pairs|month|day|hex|roman)\b")
_RUN = re.compile(r"-?@\d+(?:\s*(?:,\s*and|,\s*or|[,;&/]|\band\b|\bor\b|\s)\s*-?@\d+)+")
_COMMAS = re.compile(r"-?@\d+(?:\s*[,; ]\s*-?@\d+)+")  # of two lists, which "and" parts
_LETTERED = re.compile(r"(?i)\bletters?\s+['\"]?[b-hj-z]['\"]?(?:'s)?(?![\w'])|(?<!\w)[b-hj-z]['\u2019]s\b")
_TAKES = frozenset({"word", "text", "words", "pairs", "letter"})
_ESCAPED = re.compile(r"[@~#&`](?=\d)")


@dataclass(frozen=True, slots=True)
class Filled:
    """A program and what is answered to its result, for one request."""

    code: str
    says: str


def filled(
    request: str,
    told: str,
    pattern: str,
    code: str,
    says: str,
    slots: Sequence[tuple[str, str]],
    known: Collection[str],
) -> Filled | None:
    """The program for a request and what is said of it; None where the request does not fill it.

    ``request`` is in the user's words, ``told`` and ``pattern`` have short names. ``slots`` are the texts of the
    taught request by their names, ``known`` the words of such requests outside of their texts.
    """
    wanted = list(dict.fromkeys(SLOT.findall(code)))
    if not {w.rstrip("2") for w in wanted} & _TAKES and _holds_text(request):
        return None
    if not any(w.startswith("letter") for w in wanted) and _LETTERED.search(request):
        return None
    spoken: dict[str, str] = {}
    written: dict[str, str] = {}
    frame, rest = pattern, told
    for name, value in slots:
        frame = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", f"\u2026{name}\u2026", frame, count=1)
    if lists := [n for n in wanted if n.startswith("list")]:
        runs = _runs(told, len(lists))
        if len(runs) < len(lists):
            return None
        for name, run in zip(lists, runs, strict=False):
            spoken[name] = run
            written[name] = f"[{', '.join(re.findall(r'-?@[0-9]+', run))}]"
            rest = rest.replace(run, "list", 1)
        for run in _runs(frame, len(lists)):
            frame = frame.replace(run, "list", 1)
    found = texts(request, frame, [n for n in wanted if n not in written], known)
    if found is None:
        return None
    for name, thing in found.items():
        spoken[name], written[name] = _ESCAPED.sub(lambda m: m[0] + " ", _said(thing)), _literal(thing)
    if "pairs" in wanted:
        rest = SIGN.sub("", rest)
    elif found:
        rest = QUOTED.sub("", rest)
    if _calendar(request) != _calendar(pattern) and not {"month", "day"} & set(wanted):
        return None
    used = list(dict.fromkeys(SIGN.findall(code)))
    signs = signs_for(rest, frame)
    if any(s not in signs for s in used):
        return None
    made = SIGN.sub(lambda m: signs[m[0]], code)
    said = SIGN.sub(lambda m: signs.get(m[0], m[0]), says)
    return Filled(SLOT.sub(lambda m: written[m[1]], made), SLOT.sub(lambda m: spoken.get(m[1], ""), said))


def _holds_text(request: str) -> bool:
    """Whether a request has words of its own for a program: in quotes, or in a row."""
    return any(len(max(m.groups(""), key=len)) > 1 for m in QUOTED.finditer(request)) or ROW.search(request) is not None


def literal(text: str) -> str:
    """A Python literal for a text, in which nothing reads as a short name."""
    return _ESCAPED.sub(lambda m: f"\\x{ord(m[0]):02x}", repr(text))


def _literal(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(literal, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{literal(k)}: {v!r}" for k, v in value.items()) + "}"
    return repr(value) if isinstance(value, int) else literal(str(value))


def _said(value: object) -> str:
    if isinstance(value, list | dict):
        return ", ".join(map(str, value))
    return MONTHS[value - 1].title() if isinstance(value, int) else str(value)


def _calendar(text: str) -> set[str]:
    """The months and weekdays that a text names."""
    return {w for w in re.findall(r"[a-z]+", text.lower()) if w in MONTHS and w != "may"} | {
        d for d in DAYS if re.search(rf"(?i)\b{d}", text)
    }


def _runs(told: str, count: int) -> list[str]:
    """The ``count`` longest rows of numbers, in order."""
    found = [m[0] for m in (_RUN if count == 1 else _COMMAS).finditer(told)]
    longest = sorted(found, key=lambda run: -run.count("@"))[:count]
    return [run for run in found if run in longest][:count]


def vocabulary(patterns: Iterable[tuple[str, Sequence[tuple[str, str]]]]) -> frozenset[str]:
    """The words of taught requests outside of their texts; each with its slots."""
    seen: set[str] = set()
    for pattern, slots in patterns:
        for _, value in slots:
            pattern = pattern.replace(value, " ")
        seen.update(re.findall(r"[^\W\d_]+", pattern.lower()))
    return frozenset(seen)


def told_whole(says: str, result: str) -> str:
    """The sentence for a result: a list without its brackets, several lines set under it; empty for no result."""
    if "{result}" not in says:
        return says
    result = result.strip()
    if not result:
        return ""
    if re.fullmatch(r"\[[^\[\](){}]*\]", result):
        result = re.sub(r"(?<!\w)'|'(?!\w)", "", result[1:-1]) or "none"
    if "\n" in result:
        says = (
            re.sub(r"(?: (?:is|are|was|were|shows?))?:? ?\{result\}[.!]?", ":\n{result}", says)
            if "\n{" not in says
            else says
        )
        says = says[2:] if says.startswith(":\n") else says
    return says.replace("{result}", result)
