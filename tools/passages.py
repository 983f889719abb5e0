"""Passages as the kernel reads them: each under a number of its own, by which the answer cites it.

Notes stand newest first, so that what was said last is read first. Where there is little room fewer passages are shown,
the best ones, and of a long one the part that the question speaks of.
"""

import re
import time
from collections.abc import Callable, Sequence

from llmos.kernel.labels import join
from llmos.kernel.tool import ToolOutput
from llmos.kernel.types import Reading
from llmos.memory.record import Hit
from llmos.tools.marks import Marks

SHOWN = 4500  # characters of all passages together, where the model's window has the room
_HEAD, _LEAST = 120, 160  # characters of a passage's name, and of its text for it to be of use
_SENTENCE = re.compile(r"(?<=[.!?;:\u3002])\s+|\n+")
_MARKED = re.compile(r"(?m)^(?=\[\d+\] )")  # a line that reads as if another passage began: none may pass for one
Search = Callable[[str, int], Sequence[Hit]]


def shown(hits: Sequence[Hit], marks: Marks, most: int = SHOWN, query: str = "") -> ToolOutput:
    """The passages of a result, with the label of all their documents; ``hits`` the best first.

    At most about ``most`` characters; ``query`` is what long passages are cut for.
    """
    hits = hits[: max(min(most, SHOWN) // (_HEAD + _LEAST), 1)]
    notes = sorted((h for h in hits if h.document.kind == "note"), key=lambda h: -h.document.added)
    order = [*notes, *(h for h in hits if h.document.kind != "note")]
    share = _share([len(h.chunk.text) for h in order], min(most, SHOWN) - _HEAD * len(order))
    readings, lines = [], []
    for hit in order:
        text, told = excerpt(hit.chunk.text, query, share)
        told = _MARKED.sub(" ", told)
        document = hit.document
        readings.append(Reading(marks.take(), document.title, document.location, text=text, place=hit.chunk.place))
        lines.append(f"[{readings[-1].number}] {_named(hit)}:\n{told}")
    if len(notes) > 1:
        lines.append("(notes are shown newest first; where they differ, tell both with their days)")
    lines.append("(cite what you use by its number, such as [" + str(readings[0].number) + "])" if readings else "")
    label = join(h.document.label for h in hits)
    return ToolOutput("\n\n".join(filter(None, lines)), label=label, readings=tuple(readings))


def excerpt(text: str, query: str, most: int) -> tuple[str, str]:
    """At most so many characters of a text: the sentences that have most of the query's words, and what is around them.

    Also the same with a sign of what was left out.
    """
    if len(text) <= most:
        return text, text
    ends = [match.span() for match in _SENTENCE.finditer(text)]
    spans = list(zip([0, *(end for _, end in ends)], [*(begin for begin, _ in ends), len(text)], strict=True))
    wanted = _stems(query)
    at = max(range(len(spans)), key=lambda n: (len(wanted & _stems(text[slice(*spans[n])])), -n))
    first = last = at
    while True:  # what follows tells more than what went before
        if last + 1 < len(spans) and spans[last + 1][1] - spans[first][0] <= most:
            last += 1
        elif first > 0 and spans[last][1] - spans[first - 1][0] <= most:
            first -= 1
        else:
            break
    begin, end = spans[first][0], spans[last][1]
    cut = text[begin:end] if end - begin <= most else text[begin : begin + most].rsplit(" ", 1)[0]
    return cut, f"{'… ' * (begin > 0)}{cut}{' …' * (begin + len(cut) < len(text))}"


def _stems(text: str) -> set[str]:
    return {word[:5] for word in re.findall(r"\w{3,}", text.casefold())}


def _share(sizes: Sequence[int], room: int) -> int:
    """The most that one may take so that all fit: what a short one leaves goes to the longer ones."""
    left, share = max(room, 0), 0
    for place, size in enumerate(sorted(sizes)):
        share = left // (len(sizes) - place)
        if size > share:
            break
        left -= size
        share = max(share, size)
    return max(share, _LEAST)


def _named(hit: Hit) -> str:
    document = hit.document
    if document.kind == "note":
        day = time.strftime("%Y-%m-%d", time.gmtime(document.added))
        doubt = "" if document.label.integrity == "trusted" else ", written when others' text was in view"
        return f"note of {day} by the {document.said_by}{doubt}"
    named = ", ".join(filter(None, (document.title, hit.chunk.place, hit.chunk.heading)))
    return f"document {named}" if named.casefold().startswith("note of ") else named  # nobody's note to go by
