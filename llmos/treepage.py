"""What was thought as one HTML page: every search of a session as a tree that opens and closes, without any script.

Of each thought: what it says, how hopeful it is, what it came to or why it died, and what the search had used by then.
Whole in itself, as ``page``: a policy in its head lets it load nothing at all.
"""

import html
from collections.abc import Iterable, Iterator
from pathlib import Path

from llmos.export import put
from llmos.flow import one_line
from llmos.hypertext import POLICY
from llmos.kernel.errors import UsageError
from llmos.kernel.types import Event, Explored
from llmos.trees import Tree, below, ended, searches

TITLE = 80  # cells of a request in the title
FATES = {"open": "left open", "dead": "died", "finished": "an answer"}
STYLE = """
:root{color-scheme:light dark;--line:#8884;--mark:#2463b0}
body{font:16px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;overflow-wrap:anywhere}
ul{list-style:none;padding-left:1.2rem;border-left:1px solid var(--line);margin:.2rem 0}
.dim{color:#888;font-size:.85em}.dead>details>summary,.dead>p{opacity:.6}.text{white-space:pre-wrap}
.finished .answer{font-weight:600}.bar{display:inline-block;width:4rem;height:.6rem;border:1px solid var(--line)}
.bar span{display:block;height:100%;background:var(--mark)}li>p{margin:.2rem 0 .2rem 1rem}
"""


def write(events: Iterable[Event], out: Path) -> Path:
    """Write the page to a new file.

    Raises UsageError where nothing was thought about, for another ending than .html, and for a file that is there.
    """
    if out.suffix.lower() != ".html":
        raise UsageError(f"{out} has to end with .html")
    found = list(searches(events))
    if not found:
        raise UsageError("nothing was thought about in this session; there is no tree to write")
    return put(out, treepage(found))


def treepage(found: Iterable[tuple[str, Tree]]) -> str:
    """The page of searches, each with the request that it was for."""
    found = list(found)
    title = html.escape(one_line(found[0][0], TITLE))
    body = "\n".join(_search(request, tree) for request, tree in found)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width"><meta name="referrer" content="no-referrer">
<title>{title}</title><style>{STYLE}</style></head>
<body><h1>what was thought</h1>
{body}
</body></html>
"""


def _search(request: str, tree: Tree) -> str:
    top = tree.get(0)
    told = "" if top is None else f"{top.text}: {ended(top) if top.fate != 'open' else 'it did not end'}"
    parents = below(tree)
    inner = _branches(parents, parents.get(0, []))
    count = f"{len(tree) - (top is not None)} thoughts, {_depth(parents)} deep"
    head = f'<h2 class="text">{html.escape(request)}</h2><p>{html.escape(told)}</p><p class="dim">{count}</p>'
    return f"<section>{head}{inner}</section>"


def _branches(parents: dict[int, list[Explored]], these: list[Explored]) -> str:
    """The thoughts as nested lists, laid from the deepest up: a tree may be deeper than calls may nest."""
    order, waiting = list[Explored](), list(these)
    while waiting:
        order.append(waiting.pop())
        waiting += parents.get(order[-1].node, [])
    made: dict[int, str] = {}
    for event in reversed(order):
        inner = "".join(made.pop(one.node) for one in parents.get(event.node, []))
        made[event.node] = _item(event, f"<ul>{inner}</ul>" if inner else "")
    return f"<ul>{''.join(made[one.node] for one in these)}</ul>"


def _item(event: Explored, inner: str) -> str:
    line = "".join(_line(event))
    shown = f"<details open><summary>{line}</summary>{inner}</details>" if inner else f"<p>{line}</p>"
    return f'<li class="{event.fate}">{shown}</li>'


def _line(event: Explored) -> Iterator[str]:
    share = round(100 * min(max(event.value, 0.0), 1.0))
    yield f'<span class="text">{html.escape(event.text)}</span> '
    yield f'<span class="bar" title="value"><span style="width:{share}%"></span></span> {event.value:.2f} '
    if event.fate == "finished":
        yield f'<span class="answer">&rArr; {html.escape(event.answer)}</span> '
    if event.why:
        yield f"<em>{html.escape(event.why)}</em> "
    used = f"{FATES[event.fate]}; log-probability {event.logprob:.2f}, {event.tokens} tokens, {event.seconds:.1f} s"
    yield f'<span class="dim">{used}</span>'


def _depth(parents: dict[int, list[Explored]]) -> int:
    depth, level = 0, parents.get(0, [])
    while level:
        depth, level = depth + 1, [one for event in level for one in parents.get(event.node, [])]
    return depth
