"""The pager: the context window is RAM. What does not fit goes to the store, and a short summary with handles stays.

First the big results of earlier turns leave, then whole turns, the oldest first. The system text, the current turn and
what the user pinned never leave. What a large result would push out goes to the store before it leaves: the result may
be that of a search there. Fits are exact: every choice is counted by the model's own tokenizer, and only about
as much is counted as the window holds, so that a turn costs the same after five hundred as after fifty.
"""

from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, replace

from llmos.kernel.context import Count, history
from llmos.kernel.labels import context_label
from llmos.kernel.types import Event, Label, Message, Part, Pinned, Request, Result, Source, Text

SUMMARY = Source("memory", "summary")
BIG = 300  # characters of a result that an earlier turn keeps
_LINES, _WORDS = 8, 60  # turns told in the summary, characters of each request and answer
_ROOM = 100  # tokens of the window for each turn told
_SAFE = 0.25  # of the room beside the current turn: what earlier ones keep of it, though a result takes half of it


@dataclass(frozen=True, slots=True)
class Page:
    """A turn that left the context: its number in the session, its whole text, and what is known of it."""

    number: int
    text: str
    label: Label


PageOut = Callable[[Page], None]


def page(
    system: str,
    events: Sequence[Event],
    count: Count,
    room: int,
    page_out: PageOut,
    done: Container[int] = (),
) -> tuple[list[Message], int]:
    """Messages of at most ``room`` tokens, and how many turns left; those went to ``page_out`` first, with big results.

    So did those that the next result may push out. Turns whose number is in ``done`` went there before. Where the
    current turn alone does not fit, its earlier results are shortened too, then the model refuses it.
    """
    first = Message("system", (Part(system, Source("system")),))
    turns, lines, stay = _turns(events), min(_LINES, room // _ROOM), _pinned(events)

    def kept(newest: int, slim: bool = True, files: bool = True) -> list[Message]:
        older = list(enumerate(turns[: len(turns) - newest], 1))
        shown = [*(t for _, t in older if t[0].id in stay), *turns[len(turns) - newest : -1]]
        messages = [m for turn in shown for m in _slim(history(turn), slim)]
        gone = [(n, t) for n, t in older if t[0].id not in stay]
        return [first, *_summed(gone, [*messages, *history(turns[-1])], lines, files)]

    def leave(numbers: Iterable[int]) -> None:
        for number in sorted(n for n in numbers if n not in done):
            page_out(Page(number, _told(turns[number - 1]), context_label(turns[number - 1])))

    if not turns:
        return [first], 0
    if size := _whole(turns, count, room, kept):
        messages = kept(len(turns), slim=False)
        leave(_next(turns, stay, room * sum(len(m.text) for m in messages) / size))
        return messages, 0
    newest = _most(len(turns), lambda n: count(kept(n)) <= room)
    gone = [n for n, turn in enumerate(turns[: len(turns) - newest], 1) if turn[0].id not in stay]
    big = {n for n, turn in enumerate(turns[:-1], 1) if n not in done and _has_big(turn)}
    messages = kept(newest)
    size = count(messages)
    leave({*gone, *big, *_next(turns, stay, room * sum(len(m.text) for m in messages) / max(size, 1))})
    if size > room:
        messages = kept(newest, files=False)
        size = count(messages)
    if size > room:
        numbered = [(n, t) for n, t in enumerate(turns[:-1], 1) if t[0].id not in stay]
        held = [m for t in turns[:-1] if t[0].id in stay for m in _slim(history(t), True)]
        messages = [first, *_summed(numbered, [*held, *_slim(history(turns[-1]), True, spare=1)], lines)]
        count(messages)
    return messages, len(gone)


def held(events: Sequence[Event]) -> list[Message]:
    """The messages of what is pinned, as they stay."""
    stay = _pinned(events)
    return [m for turn in _turns(events) if turn[0].id in stay for m in _slim(history(turn), True)]


def _pinned(events: Sequence[Event]) -> set[str]:
    """The requests whose turns stay."""
    last = {event.request: event.on for event in events if isinstance(event, Pinned)}
    return {request for request, on in last.items() if on}


def _whole(
    turns: Sequence[Sequence[Event]], count: Count, room: int, kept: Callable[[int, bool], list[Message]]
) -> int:
    """How long everything is, 0 where something has to leave; what is far too long is not counted at all.

    No token has twenty characters.
    """
    size = 0
    for turn in reversed(turns):
        size += _length(turn)
        if size > 20 * room:
            return 0
    size = count(kept(len(turns), False))
    return size if size <= room else 0


def _next(turns: Sequence[Sequence[Event]], stay: Container[str], room: float) -> set[int]:
    """The turns that leave where a result takes its part of the room, which is in characters: more leaves than has to.

    ``stay``: the requests whose turns do not.
    """
    pinned = [n for n, turn in enumerate(turns[:-1]) if turn[0].id in stay]
    left = _SAFE * (room - _length(turns[-1])) - sum(_length(turns[n]) for n in pinned)
    for place in reversed(range(len(turns) - 1)):
        left -= _length(turns[place])
        if left < 0:
            return {n + 1 for n in range(place + 1) if n not in pinned}
    return set()


def _length(turn: Sequence[Event]) -> int:
    return sum(len(m.text) for m in history(turn))


def _most(turns: int, fits: Callable[[int], bool]) -> int:
    """The most of the newest turns that fit, at least one: by doubling, so that long histories are never counted."""
    good = 1
    while 2 * good <= turns and fits(2 * good):
        good *= 2
    bad = min(2 * good, turns + 1)
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if fits(middle) else (good, middle)
    return good


def _turns(events: Sequence[Event]) -> list[list[Event]]:
    """The events of each request and what followed it."""
    turns: list[list[Event]] = []
    for event in events:
        if isinstance(event, Request):
            turns.append([])
        if turns:
            turns[-1].append(event)
    return turns


def _slim(messages: Sequence[Message], slim: bool, spare: int = 0) -> list[Message]:
    """The messages with big results as a beginning and a handle; the last ``spare`` of them stay whole."""
    if not slim:
        return list(messages)
    return [_shortened(m) if m.role == "tool" else m for m in messages[: len(messages) - spare]] + list(
        messages[len(messages) - spare :]
    )


def _shortened(message: Message) -> Message:
    if len(message.text) <= BIG or not message.parts:
        return message
    told = f"{message.text[: BIG // 2]} … ({message.call_id} left the context; recall brings back what it said)"
    return replace(message, parts=(Part(told, message.parts[0].source),))


def _has_big(turn: Sequence[Event]) -> bool:
    return any(isinstance(e, Result) and len(e.result.preview) > BIG for e in turn)


def _summed(
    gone: Sequence[tuple[int, Sequence[Event]]], messages: list[Message], most: int, files: bool = False
) -> list[Message]:
    """The messages, the first request after a summary of the turns that are gone, each with its number.

    With ``files`` the previews of those that came last stay before it: what is asked next is asked of them.
    """
    if not gone or not messages:
        return messages
    head = f"({len(gone)} earlier turn{'s' * (len(gone) > 1)} left the context; recall brings back what was said)"
    lines = [f"turn {n}: {_short(turn)}" for n, turn in gone[max(len(gone) - most, 0) :]]
    summary = Part("\n".join((head, *lines)), SUMMARY)
    with_files = [e for _, turn in gone for e in turn if isinstance(e, Request) and e.attachments] if files else []
    shown = [Part(a.preview, a.source) for e in with_files[-1:] for a in e.attachments]
    return [replace(messages[0], parts=(*shown, summary, *messages[0].parts)), *messages[1:]]


def brought(message: Message) -> bool:
    """Whether a file or a table came with a request itself, and not with one before it that left."""
    left = next((n for n, p in enumerate(message.parts) if p.source == SUMMARY), -1)
    return any(p.source.origin in ("file", "library") for p in message.parts[left + 1 :])


def _short(turn: Sequence[Event]) -> str:
    asked = next((e.text for e in turn if isinstance(e, Request)), "")
    # The model's own words: what the kernel adds to an answer for the user alone never comes back into the context.
    answered = next((e.text for e in reversed(turn) if isinstance(e, Text) and e.by == "model" and not e.delta), "")
    return " -> ".join(" ".join(text.split())[:_WORDS] for text in (asked, answered) if text)


def _told(turn: Sequence[Event]) -> str:
    """A turn's whole text, as it is found again."""
    names = {"user": "user", "assistant": "kernel", "tool": "result"}
    return "\n\n".join(f"{names.get(m.role, m.role)}: {m.text}" for m in history(turn) if m.text.strip())
