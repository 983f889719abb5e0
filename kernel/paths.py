"""Branches of a session: which of its events lie on the one that goes on, and which were left.

A log only grows. Each event names the one it follows (``parent``); an event that follows an earlier one than the last
begins a branch. Knows events, not how they are kept.
"""

from collections.abc import Iterable, Sequence

from llmos.kernel.types import Answer, Branched, Event, Request, Started


def split(events: Iterable[Event]) -> tuple[list[Event], list[Event]]:
    """The events from the first to the last along ``parent``, and those of branches that were left, each in order."""
    every = list(events)
    known = {event.id: event for event in every}
    kept: set[str] = set()
    at = every[-1] if every else None
    while at is not None and at.id not in kept:
        kept.add(at.id)
        at = known.get(at.parent)
    return [e for e in every if e.id in kept], [e for e in every if e.id not in kept]


def path(events: Iterable[Event]) -> list[Event]:
    """The events of the branch that goes on."""
    return split(events)[0]


def following(events: Sequence[Event]) -> str:
    """The id of the event that comes next in a log."""
    return f"e{len(events) + 1}"


def next_request(events: Sequence[Event]) -> str:
    """The id that the next request of a log will have; a log begins with a Started."""
    return f"e{len(events) + 1 + (not any(isinstance(e, Started) for e in events))}"


def last_request(events: Sequence[Event]) -> Request | None:
    """The last request of the branch that goes on; None where there is none."""
    return next((e for e in reversed(path(events)) if isinstance(e, Request)), None)


def last_answer(events: Sequence[Event]) -> Answer | None:
    """The last answer of the branch that goes on; None where there is none."""
    return next((e for e in reversed(path(events)) if isinstance(e, Answer)), None)


def before(events: Sequence[Event], id: str) -> list[Event]:
    """The events that led to one, itself the last; nothing where it is not there."""
    until = next((n for n, e in enumerate(events) if e.id == id), -1)
    return path(events[: until + 1])


def rivals(events: Sequence[Event], answer: Answer) -> list[Answer]:
    """Other answers to the same request at the same place of the conversation: what was retried."""
    asked = last_request(before(events, answer.id))
    if asked is None:
        return []
    place = _place(events, asked)
    found = []
    for other in events:
        if isinstance(other, Answer) and other.id != answer.id:
            to = last_request(before(events, other.id))
            if to is not None and to.text == asked.text and _place(events, to) == place:
                found.append(other)
    return found


def _place(events: Sequence[Event], request: Request) -> str:
    """Behind what a request stands, whatever was undone there."""
    behind = [e for e in before(events, request.id)[:-1] if not isinstance(e, Branched)]
    return behind[-1].id if behind else ""
