"""What a request holds for a program: words, texts, letters, rows of them, names with numbers, months and weekdays.

Found in quotes, behind a colon or a word such as "letter", in a row with commas, or where the odd words stand: those
that taught requests do not have. Knows no models and no programs; see fills for what is done with it.
"""

import re
from collections.abc import Callable, Collection, Sequence
from itertools import pairwise

MONTHS = ("january february march april may june july august september october november december").split()  # noqa: SIM905
DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
QUOTED = re.compile(
    r"(?<!\w)(?:\"([^\"\n]+)\"|'([^\n]+?)'(?!\w)|\u201c([^\u201d\n]+)\u201d|\u2018([^\u2019\n]+)\u2019|`([^`\n]+)`)"
)
_TOKEN = re.compile(r"[^\W_](?:[\w'\u2019.@-]*[^\W_])?|[^\s\w]")
_NAMED = re.compile(r"(?i)^(?:words?|letters?|names?|phrase|sentence|text|string|term|line|character|spell)$")
_LETTER = re.compile(r"(?<![\w'\u2019])([A-Za-z])(?=(?:['\u2019]?s)?(?![\w'\u2019]))")
_PAIR = re.compile(
    r"([^\W\d_][^\d,;:=()\n]*?)\s*(?:[:=(]|\bis\b|\bwas\b|\bwith\b|\bat\b)?\s*[$\u20ac\u00a3]?\s*(-?\d[\d,]*(?:\.\d+)?)(?!\w)%?\)?"
)
_TURNED = re.compile(
    r"(?<![\w.])[$\u20ac\u00a3]?(-?\d[\d,]*(?:\.\d+)?)%?\s+(?:(?:for|on|of|said|are|were|in|x)\s+)?(?:the\s+)?"
    r"([^\W\d_][^\d,;.:()\n]*?)(?=\s*(?:[,;.:()\n]|\band\b|$))"
)
_FIRST = re.compile(
    r"(?i)^(?:[a-z' ]*\b(?:have|has|had|sold|counted|got|saw|spent|spend|are|were|with|of|for))?"
    r"\s*[$\u20ac\u00a3]?\d[\d,.]*%?\s+[a-z]"
)
_BEFORE = re.compile(
    r"(?i)^(?:.*\b(?:of|for|with|from|show|showing|using|are|have|had|plot|chart|graph|is|spent|sold)\b)?\s*(?:and\s+|the\s+|my\s+|a\s+)*"
)
ROW = re.compile(r"[^\W\d_][\w'-]*, [^\W\d_][\w'-]*,? (?:and |or )?[^\W\d_][\w'-]*(?:,|$|[.?!])")
_PARTED = re.compile(r"\s*(?:,\s*and\b|,\s*or\b|[,;\n]|\band\b|\bor\b|&|/)\s*")
_END = re.compile(r"[.?!]+(?=\s|$)")
_SMALL = frozenset(
    """a an the of in to is are for and or please what how me my i it this that these those with by got has have had
    does do did can could would should will there you we us your our their they his her its at on as from so then than
    only now give tell show find make get want need know much many some any all each every if when which who be was
    were not no up out hey hi hello thanks spelled spell written write word words letter letters name names phrase
    sentence text string""".split()  # noqa: SIM905
)
_EDGE = " \t.?!,;:\"'\u201c\u201d\u2018\u2019()[]"


def texts(request: str, frame: str, names: Sequence[str], known: Collection[str]) -> dict[str, object] | None:
    """What fills each slot for texts; None where one is not found."""
    made: dict[str, object] = {}
    left = request
    order = sorted(names, key=lambda n: frame.find(f"\u2026{n}\u2026"))
    quoted = [next(g for g in m.groups() if g) for m in QUOTED.finditer(request)]
    for name in (n for n in order if n in _FINDERS):
        value = _FINDERS[name](request)
        if not value:
            return None
        made[name] = value
    for name in (n for n in order if n.startswith("letter")):
        letter = _letter(left, [q for q in quoted if len(q) == 1 and q not in made.values()])
        if not letter:
            return None
        made[name] = letter[0]
        left = left[: letter[1]] + " " * (letter[2] - letter[1]) + left[letter[2] :]
    quoted = [q for q in quoted if len(q) > 1]
    rows = [n for n in order if n.startswith("words")]
    if not rows and "pairs" not in order and "text" not in order and ROW.search(request):
        return None
    if rows:
        found = _rows(left, len(rows), quoted, known, frame)
        if len(found) < len(rows):
            return None
        made |= dict(zip(rows, found, strict=False))
        return made
    singles = [n for n in order if n.startswith("word") or n == "text"]
    if "text" in singles and len(singles) <= len(quoted):
        made["text"] = max(quoted, key=len)
        quoted.remove(str(made["text"]))
        singles.remove("text")
    if len(singles) <= len(quoted):
        return made | dict(zip(singles, quoted, strict=False))
    if quoted and singles and "text" in singles:
        made["text"] = max(quoted, key=len)
        left = left.replace(str(made["text"]), " ")
        singles.remove("text")
    found_words = _odd(left, frame, singles, known)
    for name in singles:
        value = _rest(left, frame) or found_words.get(name) if name == "text" else found_words.get(name)
        if not value:
            return None
        made[name] = value
    return made


def _month(request: str) -> int:
    for word in re.findall(r"[A-Za-z]+", request):
        low = word.lower()
        for n, month in enumerate(MONTHS, 1):
            if low == month or (len(low) in (3, 4) and month.startswith(low) and (word[0].isupper() or low != "mar")):
                return n
    return 0


def _weekday(request: str) -> str:
    return next((d.title() for d in DAYS if re.search(rf"(?i)\b{d}s?\b", request)), "")


def _pairs(request: str) -> dict[str, float]:
    """Names, each with the number behind it, or before it."""
    behind = re.split(r":\s+(?=[^\W\d_]|\d)", request, maxsplit=1)[-1]
    found = [(m[1], m[2]) for m in _PAIR.finditer(behind)]
    if len(found) < 2:
        found = [(m[1], m[2]) for m in _PAIR.finditer(request)]
    turned = [(m[2], m[1]) for m in _TURNED.finditer(request)]
    if len(turned) > 1 and (len(turned) > len(found) or _FIRST.search(behind)):
        found = turned
    made: dict[str, float] = {}
    for n, (name, number) in enumerate(found):
        name = name.strip(_EDGE)
        name = _BEFORE.sub("", name) if not n else re.sub(r"(?i)^(?:and|the|then|,)\s+(?:the\s+)?", "", name)
        value = float(number.replace(",", ""))
        if name:
            made[name] = int(value) if value.is_integer() else value
    return made if len(made) > 1 else {}


def _hex(request: str) -> str:
    found = re.findall(r"(?i)\b(?:0x|#)?([0-9a-f]*\d[0-9a-f]*|[a-f]{2,})\b", request)
    found = [w for w in found if w.lower() not in ("16", "10") and w.lower() not in _SMALL]
    return max(found, key=lambda w: (bool(re.search(r"\d", w)) + bool(re.search(r"(?i)[a-f]", w)), len(w)), default="")


def _roman(request: str) -> str:
    found = [w for w in re.findall(r"\b[IVXLCDM]+\b", request) if w != "I"]
    found = found or [
        w for w in re.findall(r"(?i)\b[ivxlcdm]{2,}\b", request) if w.lower() not in ("mix", "did", "dim")
    ]
    return max(found, key=len, default="").upper()


_FINDERS: dict[str, Callable[[str], object]] = {
    "month": _month,
    "day": _weekday,
    "pairs": _pairs,
    "hex": _hex,
    "roman": _roman,
}


def _letter(request: str, quoted: Sequence[str]) -> tuple[str, int, int] | None:
    """A letter that the request speaks of, with its place."""
    if quoted:
        at = re.search(rf"['\"\u2018\u201c`]{re.escape(quoted[0])}", request)
        return (quoted[0], at.start(), at.end() + 1) if at else None
    sure = re.search(r"(?i)\b(?:letters?|character)\s+([a-z])(?:['\u2019]?s)?(?![\w'\u2019])", request)
    if sure:
        return sure[1], sure.start(), sure.end(1)
    found = [m for m in _LETTER.finditer(request) if not (m[1] == "I" or (m[1] in "aA" and m.start() == 0))]
    plural = [m for m in found if re.match(r"['\u2019]?s(?!\w)", request[m.end() :])]
    best = plural or [m for m in found if m[1] not in "aAi"] or [m for m in found if m[1] != "a"] or found[:1]
    return (best[0][1], best[0].start(), best[0].end()) if best else None


def _tail(text: str) -> str:
    """What stands behind a colon, to the end of its sentence; before it where that is a row; empty without one."""
    if ": " not in text and ":\n" not in text:
        return ""
    head, tail = re.split(r":\s", text, maxsplit=1)
    if "," in head and "," not in tail:
        return head
    end = _END.search(tail)
    return tail[: end.start()] if end else tail


def _rows(text: str, count: int, quoted: Sequence[str], known: Collection[str], frame: str) -> list[list[str]]:
    """``count`` rows of words."""
    if count == 1 and len(quoted) > 1:
        return [list(quoted)]
    if count == 1 and len(quoted) == 1 and "," in quoted[0]:
        return [_items(quoted[0])]
    brackets = re.findall(r"[\[(]([^\])]+)[\])]", text)
    if len(brackets) >= count and all("," in b for b in brackets[:count]):
        return [_items(b) for b in brackets[:count]]
    tail = _tail(text)
    if count == 1:
        if tail and len(_items(tail)) > 1:
            return [_trimmed(_items(tail), known, head=False)]
        best = max(re.split(r"[.?!:](?:\s|$)", text), key=lambda s: len(_items(s)))
        items = _items(best)
        if len(items) > 1:
            return [_trimmed(items, known, head=True)]
        odd = [w for w in re.findall(r"[^\W_][\w'-]*", tail or text) if w.lower() not in {*known, *_SMALL}]
        return [odd] if len(odd) > 1 else []
    for parting in (
        r"\band\b(?=[^,]+,)|;|\bbut not\b|\bvs\.?\b|\bwith\b|\bfrom\b",
        r"\band\b|;|\bwith\b|\bor\b|\bfrom\b",
    ):
        parts = [p for p in re.split(parting, tail or text) if "," in p]
        if len(parts) == count:
            return [_trimmed(_split(p), known, head=True) for p in parts]
    return []


def _split(text: str) -> list[str]:
    return [w for w in (p.strip(_EDGE) for p in text.split(",")) if w]


def _items(text: str) -> list[str]:
    return [w for w in (p.strip(_EDGE) for p in _PARTED.split(text)) if w]


def _trimmed(items: list[str], known: Collection[str], head: bool) -> list[str]:
    """The items of a row without the words of the request before its first and behind its last."""
    inner = items[1:-1] or items
    most = max(len(i.split()) for i in inner) if len(items) > 2 else 1
    first, last = items[0].split(), items[-1].split()
    if head:
        while len(first) > 1 and (len(first) > most or first[0].lower() in {*known, *_SMALL}):
            first.pop(0)
    while len(last) > 1 and (len(last) > most or (last[-1].lower() in known and most == 1)):
        last.pop()
    made = [" ".join(first), *items[1:-1], " ".join(last)]
    asks = {*known, *_SMALL}
    # What is asked before or behind the row in words of its own is no item.
    while (
        len(made) > 2 and all(w.lower() in asks for w in re.findall(r"[\w']+", made[-1])) and len(items[-1].split()) > 2
    ):
        made.pop()
    while (
        head
        and len(made) > 2
        and all(w.lower() in asks for w in re.findall(r"[\w']+", made[0]))
        and len(items[0].split()) > 2
    ):
        made.pop(0)
    return made


def _rest(request: str, frame: str) -> str:
    """The text of a request that is told without quotes: behind a colon, or where the taught one had its own."""
    if re.search(r":\s", request):
        return re.split(r":\s+", request, maxsplit=1)[1].strip()
    before, _, after = frame.partition("\u2026text\u2026")
    words = re.findall(r"\w+", before)[-1:]
    ends = re.findall(r"\w+", after)[:1]
    at = re.search(rf"(?i)\b{re.escape(words[0])}\s+", request) if words else None
    if words and at is None:
        return ""
    start = at.end() if at else 0
    end = re.search(rf"(?i)\s+{re.escape(ends[0])}\b", request[start:]) if ends else None
    if ends and end is None:
        return ""
    return request[start : start + end.start() if end else len(request)].strip(_EDGE)


def _odd(request: str, frame: str, names: Sequence[str], known: Collection[str]) -> dict[str, str]:
    """The words of a request that are no words of such requests, for each slot for a word."""
    words = [n for n in names if n != "text"]
    own = {w.lower() for w in re.findall(r"[^\W_]+", re.sub(r"\u2026\w+\u2026", " ", frame))}
    tokens = list(_TOKEN.finditer(request))
    plain = {*known, *own, *_SMALL}
    runs: list[tuple[int, int]] = []
    for n, token in enumerate(tokens):
        low = re.sub(r"['\u2019]s$", "", token[0].lower())
        if not low[0].isalnum() or low in plain or (low.isdigit() and len(words) == 1):
            continue
        # The word is one word; words, names and letters may be more.
        one = bool(runs) and runs[-1][0] > 0 and tokens[runs[-1][0] - 1][0].lower() == "word"
        if runs and runs[-1][1] == n and len(words) == 1 and not one:
            runs[-1] = runs[-1][0], n + 1
        else:
            runs.append((n, n + 1))
    if not runs:  # a word that such requests have too
        runs = [
            (b, b + 1) for a, b in pairwise(range(len(tokens))) if re.fullmatch(r"(?i)word|spell|reverse", tokens[a][0])
        ]
    befores = {m[1].lower() for m in re.finditer(r"(\w+)\s+\u2026word", frame)}
    afters = {m[1].lower() for m in re.finditer(r"\u2026word2?\u2026\s+(\w+)", frame)}

    def score(run: tuple[int, int]) -> float:
        before = tokens[run[0] - 1][0].lower() if run[0] else ""
        after = tokens[run[1]][0].lower() if run[1] < len(tokens) else ""
        return 4 * bool(_NAMED.match(before)) + 2 * (before in befores) + 2 * (after in afters) + run[0] / 1000

    best = sorted(sorted(runs, key=score, reverse=True)[: len(words)])
    if len(best) < len(words):
        return {}
    spelled = [re.sub(r"['\u2019]s$", "", request[tokens[a].start() : tokens[b - 1].end()]) for a, b in best]
    return dict(zip(words, spelled, strict=True))
