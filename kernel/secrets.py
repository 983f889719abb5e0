"""Finds the secrets that the user registered in any text, in every spelling known to ``spellings``, and takes them out.

Found: plain, in any letter case, split by white space, unseen characters or punctuation, in URL, HTML and Unicode
escapes, base64 and base32 at any alignment, hex, codes, rot13, reversed; and any piece of ``piece_of`` characters.
The work does not grow with the number of secrets: the text is looked at in samples, all spellings are in one table.
Pure: no files, no environment, no events.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from llmos.kernel.spellings import LEAST, LETTERS, MARKS, Form, Span, fold, folded, forms, opened, placed

MOST = 4096  # characters of the longest secret
_STEP = 5  # characters between two samples of a text
_GRAMS = 4, 6  # characters of a sample: what has LEAST characters holds a whole one of 4, what has 10 one of 6
_DISTINCT = 4
_WAIT, _SPREAD = 1024, 16  # characters that a stream holds back at most: this many, or so many times the longest form
_PLACES = 16  # at which a sample may stand in one form
_ESCAPES = ("%", "&", "\\", "0x", "0X", "u+", "U+")


@dataclass(frozen=True, slots=True)
class Secret:
    """A registered secret: its name may be told, its value never."""

    name: str
    value: str = field(repr=False)


class Found(NamedTuple):
    """A secret in a text: its name, its spelling, and its place."""

    name: str
    how: str
    start: int
    end: int


def problem(name: str, value: str) -> str:
    """One line on why this cannot be registered, which never shows the value; empty if it can."""
    seen = value.translate(MARKS)
    if not (name.replace("_", "").replace("-", "").isalnum() and name.isascii() and len(name) <= 64):
        return "a secret's name has letters, digits, _ and - alone, at most 64 of them"
    if len(seen) < LEAST:
        return f"the secret {name} is too short: {LEAST} characters at least, or everyday text would be taken for it"
    if len(set(seen)) < _DISTINCT:
        return f"the secret {name} has fewer than {_DISTINCT} different characters; everyday text would be taken for it"
    if len(value) > MOST:
        return f"the secret {name} is too long: {MOST:,} characters at most; register the part that matters"
    if len(name) >= LEAST and Scanner([Secret(name, value)]).find(name):
        return "a secret's name is shown in its place; it cannot hold the value"
    return ""


def repeats(value: str) -> bool:
    """Whether a value repeats a piece of itself more often than any key or password does."""
    seen: dict[str, int] = defaultdict(int)
    size = max(_GRAMS)
    for at in range(len(value) - size + 1):
        seen[value[at : at + size]] += 1
    return max(seen.values(), default=0) > _PLACES


class Scanner:
    """Looks for these secrets. Values that :func:`problem` refuses must not be among them."""

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        self._forms: list[Form] = [form for secret in secrets for form in forms(secret.name, secret.value)]
        # By punctuation kept or not, and size of the sample: where in which forms it stands.
        self._grams: dict[tuple[bool, int], dict[str, list[tuple[int, int]]]] = {}
        for number, form in enumerate(self._forms):
            size = max(gram for gram in _GRAMS if gram == _GRAMS[0] or form.least >= gram + _STEP - 1)
            grams = self._grams.setdefault((form.marks, size), defaultdict(list))
            seen: dict[str, int] = defaultdict(int)
            for at in range(len(form.text) - size + 1):
                gram = form.text[at : at + size]
                seen[gram] += 1
                if seen[gram] <= _PLACES:  # one that repeats itself beyond is found by its first places
                    grams[gram].append((number, at))
        self._all = tuple("\n".join(f.text for f in self._forms if f.marks is marks) for marks in (False, True))
        self._longest = max((len(f.text) for f in self._forms), default=0)

    def __bool__(self) -> bool:
        return bool(self._forms)

    def find(self, text: str) -> list[Found]:
        """Every secret in a text, in any spelling, by place; they may overlap."""
        if not self._forms:
            return []
        found = [hit for marks in self._views() for hit in self._look(text, None, marks)]
        if any(sign in text for sign in _ESCAPES) and (plain := opened(text)) != text:
            found += [hit for marks in self._views() for hit in self._look(plain, text, marks)]
        return sorted(set(found), key=lambda hit: (hit.start, -hit.end))

    def redact(self, text: str) -> str:
        """The text with ``[secret NAME]`` in the place of every secret."""
        pieces: list[str] = []
        at = 0
        for name, start, end in _merged(text, self.find(text)):
            pieces += text[at:start], f"[secret {name}]"
            at = end
        return "".join([*pieces, text[at:]]) if pieces else text

    def settled(self, text: str) -> int:
        """How much of a text that goes on can be told: what follows could be the beginning of a secret."""
        if not self._forms or not text:
            return len(text)
        here = [(i, i + 1) for i in range(len(text))]
        views = [(text, here)]
        end = len(text)
        if any(sign in text for sign in ("%", "&", "\\", "0", "u", "U")):
            plain, spans = placed(text, cut=True)
            end = spans[-1][1] if spans else 0
            views.append((plain, spans))
        starts = [self._open(view, spans, marks) for view, spans in views for marks in self._views()]
        end = min([end, *(start for start in starts if start is not None)])
        # Letters with ever more punctuation after them could go on for ever.
        end = max(end, len(text) - max(_WAIT, _SPREAD * self._longest))
        # A secret that is whole and reaches beyond that is told as one.
        for hit in reversed(self.find(text)):
            if hit.start < end < hit.end:
                end = hit.start
        return end

    def stream(self) -> "SecretStream":
        """For a text that comes in pieces."""
        return SecretStream(self)

    def _views(self) -> Sequence[bool]:
        return sorted({marks for marks, _ in self._grams})

    def _open(self, text: str, spans: list[Span], marks: bool) -> int | None:
        """Where the longest end of the text begins that stands somewhere in a form."""
        view, where = folded(text, spans, MARKS if marks else LETTERS)
        low, high = 0, min(len(view), self._longest)
        while low < high:  # every shorter end stands there as well
            middle = (low + high + 1) // 2
            low, high = (middle, high) if view[-middle:] in self._all[marks] else (low, middle - 1)
        return where[len(view) - low][0] if low else None

    def _look(self, text: str, source: str | None, marks: bool) -> Iterator[Found]:
        """The secrets of a text; ``source`` is what it was opened from, and where the places are told of."""
        table = MARKS if marks else LETTERS
        view = text.translate(table)
        hits = list(self._hits(view, marks))
        if not hits:
            return
        if source is None:
            source, spans = text, [(i, i + 1) for i in range(len(text))]
        else:
            text, spans = placed(source)
        _, where = folded(text, spans, table)
        for form, start, end in hits:
            first, last = where[start][0], where[end - 1][1]
            if form.ragged:
                first, last = _rounded(source, first, last)
            yield Found(form.secret, form.how, first, last)

    def _hits(self, view: str, marks: bool) -> Iterator[tuple[Form, int, int]]:
        """The longest stretches that a folded text has in common with a form, where they are long enough."""
        done = set()
        told: dict[int, int] = {}  # of a form: where the last stretch ends; inside it nothing is new
        for (kind, size), grams in self._grams.items():
            for at in range(0, len(view) - size + 1, _STEP) if kind is marks else ():
                gram = view[at : at + size]
                if gram not in grams:
                    continue
                ends: dict[int, int] = {}
                for number, place in grams[gram]:
                    if at + size <= told.get(number, 0):
                        continue
                    form = self._forms[number]
                    start, end = _stretch(view, form.text, at, place, size)
                    if end - start >= form.least and (number, start, end) not in done:
                        done.add((number, start, end))
                        ends[number] = max(end, ends.get(number, 0))
                        yield form, start, end
                told |= ends


class SecretStream:
    """Takes a text in pieces and gives it back without secrets, as late as it must and no later."""

    def __init__(self, scanner: Scanner) -> None:
        self._scanner = scanner
        self._held = ""

    def feed(self, piece: str) -> str:
        """What can be told after a further piece."""
        self._held += piece
        cut = self._scanner.settled(self._held)
        told, self._held = self._held[:cut], self._held[cut:]
        return self._scanner.redact(told)

    def end(self) -> str:
        """What is left when nothing more comes."""
        told, self._held = self._held, ""
        return self._scanner.redact(told)


def _stretch(view: str, form: str, at: int, place: int, size: int) -> Span:
    """How far a text and a form agree around a sample that both have, at these places."""
    start, left = at, place
    while start and left and view[start - 1] == form[left - 1]:
        start, left = start - 1, left - 1
    end, right = at + size, place + size
    while end < len(view) and right < len(form) and view[end] == form[right]:
        end, right = end + 1, right + 1
    return start, end


def _rounded(text: str, start: int, end: int) -> Span:
    """A place widened by the characters at its ends that hold some bits of the secret, and by padding."""
    for _ in range(2):
        start -= start > 0 and (text[start - 1].isalnum() or text[start - 1] in "+/-_")
        end += end < len(text) and (text[end].isalnum() or text[end] in "+/-_=")
    while end < len(text) and text[end] == "=":
        end += 1
    return start, end


def _merged(text: str, found: list[Found]) -> list[tuple[str, int, int]]:
    """Places that overlap, or have nothing but separators of one secret between them, as one."""
    merged: list[tuple[str, int, int]] = []
    for name, _, start, end in found:
        if merged:
            known, first, last = merged[-1]
            if start < last or (known == name and not fold(text[last:start])):
                merged[-1] = (known, first, max(last, end))
                continue
        merged.append((name, start, end))
    return merged
