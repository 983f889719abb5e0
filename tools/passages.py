"""Passages as the kernel reads them: each under a number of its own, by which the answer cites it.

Notes stand newest first, so that what was said last is read first.
"""

import time
from collections.abc import Callable, Sequence

from llmos.kernel.labels import join
from llmos.kernel.tool import ToolOutput
from llmos.kernel.types import Reading
from llmos.memory.record import Hit
from llmos.tools.marks import Marks

SHOWN = 3000  # characters of all passages together
Search = Callable[[str, int], Sequence[Hit]]


def shown(hits: Sequence[Hit], marks: Marks, most: int = SHOWN) -> ToolOutput:
    """The passages of a result, with the label of all their documents."""
    notes = sorted((h for h in hits if h.document.kind == "note"), key=lambda h: -h.document.added)
    order = [*notes, *(h for h in hits if h.document.kind != "note")]
    share = max(most // max(len(order), 1) - 120, 200)
    readings, lines = [], []
    for hit in order:
        text, more = hit.chunk.text, ""
        if len(text) > share:
            text, more = text[:share].rsplit(" ", 1)[0], " …"
        document = hit.document
        readings.append(Reading(marks.take(), document.title, document.location, text=text, place=hit.chunk.place))
        lines.append(f"[{readings[-1].number}] {_named(hit)}:\n{text}{more}")
    if len(notes) > 1:
        lines.append("(notes are shown newest first; where they differ, tell both with their days)")
    lines.append("(cite what you use by its number, such as [" + str(readings[0].number) + "])" if readings else "")
    label = join(h.document.label for h in hits)
    return ToolOutput("\n\n".join(filter(None, lines)), label=label, readings=tuple(readings))


def _named(hit: Hit) -> str:
    document = hit.document
    if document.kind == "note":
        day = time.strftime("%Y-%m-%d", time.gmtime(document.added))
        doubt = "" if document.label.integrity == "trusted" else ", written when others' text was in view"
        return f"note of {day} by the {document.said_by}{doubt}"
    return ", ".join(filter(None, (document.title, hit.chunk.place, hit.chunk.heading)))
