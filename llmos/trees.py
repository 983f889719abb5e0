"""What was thought, as trees of text: each thought under the one it grew from, its value, its answer, why it died.

Reads events alone, so that a search is shown from its log as it was. Every text is cleaned before it is shown.
"""

from collections.abc import Iterable, Iterator

from llmos.flow import one_line
from llmos.kernel.types import Event, Explored, Request

WIDTH = 100  # cells of a thought
Tree = dict[int, Explored]


def searches(events: Iterable[Event]) -> Iterator[tuple[str, Tree]]:
    """Every search of a session, whether it ended or not, with the request that it was for."""
    request, tree = "", Tree()
    for event in events:
        if isinstance(event, Request):
            request = event.text
        if not isinstance(event, Explored):
            continue
        if event.node == 0 and event.fate == "open":
            if tree:
                yield request, tree
            tree = {}
        # A thought comes again where it changed; what it is in the end is shown.
        tree[event.node] = event
        if event.node == 0 and event.fate != "open":
            yield request, tree
            tree = {}
    if tree:
        yield request, tree


def drawn(events: Iterable[Event]) -> Iterator[str]:
    """The lines of every search of a session, each below the request that it was for."""
    shown = False
    for request, tree in searches(events):
        yield from _tree(request, tree)
        shown = True
    if not shown:
        yield 'nothing was thought about in this session; think with: llmos run --think 10 "…"'


def below(tree: Tree) -> dict[int, list[Explored]]:
    """The thoughts that grew under each."""
    found: dict[int, list[Explored]] = {}
    for event in tree.values():
        found.setdefault(event.under, []).append(event)
    return found


def ended(event: Explored) -> str:
    """How a search ended, in a line."""
    used = f"{event.tokens} tokens, {event.seconds:.1f} s"
    found = f"{event.answer} (score {event.value:.2f})" if event.fate == "finished" else "no answer"
    return f"thought: {found}; {event.why}; {used}"


def _tree(request: str, tree: Tree) -> Iterator[str]:
    yield f"> {one_line(request, WIDTH)}"
    top = tree.get(0)
    if top is not None:
        yield one_line(f"{top.text}: {ended(top)}" if top.fate != "open" else f"{top.text}: it did not end", 2 * WIDTH)
    parents = below(tree)
    waiting = [(event, "", n == 0) for n, event in enumerate(reversed(parents.get(0, [])))]
    while waiting:
        event, indent, last = waiting.pop()
        yield indent + ("`- " if last else "|- ") + _line(event)
        inner = indent + ("   " if last else "|  ")
        waiting += [(one, inner, n == 0) for n, one in enumerate(reversed(parents.get(event.node, [])))]


def _line(event: Explored) -> str:
    told = f"{one_line(event.text, WIDTH)}  [{event.value:.2f}]"
    if event.fate == "finished":
        told += f" => {one_line(event.answer, WIDTH)}"
    if event.fate == "dead":
        told += f" x {one_line(event.why, WIDTH)}"
    return told
