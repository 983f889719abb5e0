"""Marks such as ``[2]`` in an answer: each names a page or passage that was read for this very answer, and its words.

A mark without such a reading, or whose reading says nothing of what stands before it, or lacks words that are quoted
there, is taken out: no citation can be wrong about where its words come from. Whether those words prove the claim, it
cannot know: it compares words and numbers. A model that is decoded here cannot write another number to begin with.
"""

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from llmos.kernel.types import Call, Citation, Event, Reading, Request, Result, ToolCall

MARK = re.compile(
    r"[ \t]*\[(\d{1,6}(?:\s*[,;]\s*\d{1,6})*)(?:[:,]?\s*[\"\u201c]([^\"\u201c\u201d\n]{3,400})[\"\u201d])?\]"
)
_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)
_QUOTED = re.compile(r"\"([^\"\n]{4,})\"|\u201c([^\u201d\n]{4,})\u201d|\u00ab([^\u00bb\n]{4,})\u00bb")
_REF = re.compile(r"\[([^\[\]\n]*)\]\{\d+\}")  # a link or button as a page's text shows it
_WORD = re.compile(r"[^\W_]+(?:[.,]\d+)*")
_SENTENCE = re.compile(r"(?<=[.!?\u3002])\s+(?=\S)|\n+")
_FOLDED = str.maketrans({"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2013": "-", "\u2014": "-"})
_LITTLE = frozenset(
    _WORD.findall(
        "a an and are as at be been but by for from had has have he her his if in into is it its more not of on or she"
        " than that the their there they this to was were what when which who will with would"
    )
)
_MOST = 300  # characters of a quote that is found, not given


@dataclass(frozen=True, slots=True)
class _Source:
    reading: Reading
    text: str  # all of it that was shown


def plain(text: str) -> str:
    """Page text without the numbers of what can be clicked, its spaces single."""
    return " ".join(_REF.sub(r"\1", text).split())


def citable(events: Sequence[Event]) -> tuple[int, ...] | None:
    """The numbers that the answer to the last request may cite; None where a session has read nothing so far."""
    last = max((i for i, e in enumerate(events) if isinstance(e, Request)), default=0)
    if not any(e.result.readings for e in events if isinstance(e, Result)):
        return None
    return tuple(sorted(_sources(events[last:])))


def cite(text: str, events: Sequence[Event], made: Sequence[Event]) -> tuple[str, tuple[Citation, ...]]:
    """The answer's text with the marks that hold, and what they cite; ``made`` are the events of this answer.

    A session that read nothing has no marks: its text stays as it is. So does code.
    """
    known = {r.number for e in events if isinstance(e, Result) for r in e.result.readings}
    if not known:
        return text, ()
    sources = _sources(made)
    code = [match.span() for match in _CODE.finditer(text)]
    found: dict[tuple[int, str], Citation] = {}
    kept, at = [], 0
    for match in MARK.finditer(text):
        numbers = list(map(int, re.findall(r"\d+", match[1])))
        if any(begin <= match.start() < end for begin, end in code):
            continue
        if known.isdisjoint(numbers) and match[0][0] == "[" and text[: match.start()][-1:].isalnum():
            continue  # part of a word, such as x[0]
        kept.append(text[at : match.start()])
        at = match.end()
        good = []
        for number in numbers:
            source = sources.get(number)
            quote = _quote(source, match[2] or "", _claim(text, match.start())) if source else ""
            if source and quote:
                found.setdefault((number, quote), _citation(source.reading, quote))
                good.append(str(number))
        if good:
            kept.append(f"{' ' * match[0][:1].isspace()}[{', '.join(good)}]")
    kept.append(text[at:])
    return "".join(kept).strip(), tuple(found.values())


def told(citations: Sequence[Citation]) -> str:
    """The list of sources below an answer: what has a mark once, with where it is and when a page was read; tables."""
    tables = [f"{c.title}: {c.location}" for c in citations if not c.number]
    marked = {c.number: c for c in citations if c.number}
    if not marked:
        return f"Source: {'; '.join(tables)}" if tables else ""
    return "\n".join(["Sources:", *(f"[{n}] {_where(c)}" for n, c in sorted(marked.items())), *tables])


def _citation(reading: Reading, quote: str) -> Citation:
    location = ", ".join(filter(None, (reading.location or reading.title, reading.place)))
    return Citation(reading.title, location, quote, reading.number, reading.time)


def _where(citation: Citation) -> str:
    """A page's title, URL and time; of a document its title and place, without the whole path."""
    if citation.url:
        read = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(citation.time))
        return f"{citation.title}: {citation.location} (read {read})"
    place = citation.location.rpartition(", ")[2]
    return f"{citation.title}, {place}" if place.startswith(("page", "line")) else citation.title


def _sources(made: Sequence[Event]) -> dict[int, _Source]:
    found: dict[int, _Source] = {}
    for event in made:
        if isinstance(event, Result) and event.result.ok:
            for reading in event.result.readings:
                before = found[reading.number].text + "\n" if reading.number in found else ""
                found[reading.number] = _Source(reading, before + reading.text)
    return found


def _claim(text: str, end: int) -> str:
    """The sentence or table row before a mark, without earlier marks; a quotation is not cut."""
    row = MARK.sub("", text[:end]).rstrip().rpartition("\n")[2]
    quoted = [match.span() for match in _QUOTED.finditer(row)]
    ends = [m.end() for m in _SENTENCE.finditer(row) if not any(b <= m.start() < e for b, e in quoted)]
    return row[max(ends, default=0) :]


def _quote(source: _Source, given: str, claim: str) -> str:
    """Words of the source: those that were quoted, all of which must stand in it, else what says most of the claim."""
    quotes = [*filter(None, (given,)), *("".join(match) for match in _QUOTED.findall(claim))]
    if quotes:
        found = [_standing(quote, source.text) for quote in quotes]
        return max(found, key=len) if all(found) else ""
    wanted = _words(claim)
    best, score = "", 0.0
    for piece in _pieces(source.text):
        worth = _worth(wanted & _words(piece))
        if worth > score:
            best, score = piece, worth
    return best[:_MOST] if score and score >= min(2.0, _worth(wanted)) else ""


def _standing(quote: str, text: str) -> str:
    """The quotation as it stands in a text: whatever the case, the spaces, and the form of its marks and dashes."""
    whole = plain(text)
    words = plain(quote).translate(_FOLDED).strip(" .,;:").split()
    found = re.search(r"\s+".join(map(re.escape, words)), whole.translate(_FOLDED), re.IGNORECASE) if words else None
    return whole[found.start() : found.end()] if found else ""


def _worth(words: set[str]) -> float:
    """How much it counts that these are in common: a number twice."""
    return sum(2.0 if word[0].isdigit() else 1.0 for word in words)


def _pieces(text: str) -> Iterator[str]:
    for line in text.split("\n"):
        for piece in _SENTENCE.split(plain(line)):
            if piece.strip():
                yield piece.strip()


def _words(text: str) -> set[str]:
    return {w.casefold() for w in _WORD.findall(text)} - _LITTLE


def cited(events: Sequence[Event], made: Sequence[Event]) -> tuple[Citation, ...]:
    """The library tables whose file a successful call of this turn used, directly or as the frame loaded before."""
    tables = {a.source.name: a.source for e in events if isinstance(e, Request) for a in e.attachments}
    library = {name: source for name, source in tables.items() if source.origin == "library"}
    good = {e.result.call_id for e in made if isinstance(e, Result) and e.result.ok}
    if not library or not good:
        return ()
    written = [str(e.call.arguments) for e in events if isinstance(e, Call) and isinstance(e.call, ToolCall)]
    turn = [e.call for e in made if isinstance(e, Call) and isinstance(e.call, ToolCall)]
    boxed = any(call.id in good and call.name == "python" for call in turn)
    used = [n for n in library if boxed and any(n in code for code in written)]
    return tuple(Citation(title=n, location=library[n].location) for n in used)
