"""What is known of a piece of text: where it comes from, whether it may be trusted, who may read it.

Labels only ever grow when texts meet: what derives from untrusted text is untrusted, what derives from private text is
private. Knows nothing of tools' insides: a tool's result has the labels of all that the tool could see.
"""

from collections.abc import Iterable

from llmos.kernel.policy import OUTWARD, State, effects
from llmos.kernel.tool import Tool
from llmos.kernel.types import Decision, Event, Label, Request, Result, Source, Started

PLAIN = Label()

# By origin: (untrusted, private). What others may have written is untrusted; what only the user has is private.
_ORIGINS = {
    "system": (False, False),
    "persona": (False, False),
    "kernel": (False, False),
    "user": (False, False),
    "library": (False, False),
    "tool": (False, False),
    "file": (True, True),
    "memory": (True, True),
    "web": (True, False),
}


def label_of(source: Source) -> Label:
    """The label of text from a source, before anything is known of what it was made from."""
    untrusted, private = _ORIGINS[source.origin]
    name = f"{source.origin}:{source.name}" if source.name else source.origin
    return Label((name,), "untrusted" if untrusted else "trusted", "user" if private else "anyone")


def join(labels: Iterable[Label]) -> Label:
    """The label of what derives from all of these."""
    found = list(labels)
    return Label(
        tuple(sorted({origin for label in found for origin in label.origins})),
        "untrusted" if any(label.integrity == "untrusted" for label in found) else "trusted",
        "user" if any(label.readers == "user" for label in found) else "anyone",
    )


def result_label(tool: Tool | None, call: Label, source: Source, own: Label | None = None) -> Label:
    """A result's label: of the call that asked for it, of the tool, and of what the tool says that it read.

    What a tool fetched from other machines is untrusted, whatever it says; so is what a tool says nothing of, unless it
    is made from its arguments alone.
    """
    silent = own is None and (tool is None or not tool.derives)
    outside = Label((), "untrusted") if silent or "net" in effects(tool) else PLAIN
    return join([call, label_of(source), outside, own or PLAIN])


def context_label(events: Iterable[Event]) -> Label:
    """The join of everything that entered the context so far; what left it again still counts."""
    found, user = [label_of(Source("system"))], label_of(Source("user"))
    for event in events:
        if isinstance(event, Started) and event.foreign:
            found.append(Label((f"persona:{event.persona}",), "untrusted"))
        elif isinstance(event, Request):
            found += [user, event.label]
            # A log of an earlier version has no labels; where a file came from it has.
            found += [label for a in event.attachments for label in (a.label, label_of(a.source))]
        elif isinstance(event, Result):
            found += [event.result.label, label_of(event.result.source)]
    return join(found)


def state_of(events: Iterable[Event]) -> State:
    """A session's three bits."""
    events = list(events)
    label = context_label(events)
    acted = any(isinstance(e, Decision) and e.approved is not False and e.verdict != "deny" and e.acts for e in events)
    return State(label.integrity == "untrusted", label.readers == "user", acted)


def acts(tool: Tool | None) -> bool:
    """Whether a call of the tool is an act beyond computing in the box."""
    return bool(effects(tool) & OUTWARD)


def spell(label: Label) -> str:
    """A label in a line: ``untrusted private from file:notes.txt, user``."""
    words = [label.integrity, *(["private"] if label.readers == "user" else [])]
    return f"{' '.join(words)} from {', '.join(label.origins) or 'nowhere'}"
