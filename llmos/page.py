"""A session as one HTML page: its turns, code, tables, pictures and citations, and the tree of what was undone.

Whole in itself: pictures are in it, styles too, no script; a policy in its head lets it load nothing else at all.
"""

import html
import json
import time
from collections.abc import Iterator
from dataclasses import replace

from llmos.export import MOST_ROWS, Step, Told, Turn
from llmos.hypertext import POLICY, code, hypertext, inline, link, table
from llmos.kernel.types import Answer, Failure, Text, ToolCall

STYLE = """
:root{color-scheme:light dark;--line:#8884;--soft:#8881;--mark:#2463b0}
body{font:16px/1.5 system-ui,sans-serif;max-width:48rem;margin:2rem auto;padding:0 1rem;overflow-wrap:anywhere}
header p,.dim{color:#888;font-size:.9em}nav{border:1px solid var(--line);border-radius:6px;padding:.5rem 1rem}
nav ul{list-style:none;padding-left:1rem;margin:.2rem 0}.gone{opacity:.6}
section{border-top:1px solid var(--line);margin-top:1.5rem;padding-top:.5rem}
.asked{font-weight:600;white-space:pre-wrap}.step{border-left:3px solid var(--mark);padding-left:.8rem;margin:1rem 0}
.step.no{border-color:#b33}pre{background:var(--soft);padding:.6rem;overflow-x:auto;border-radius:4px;font-size:.85em}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-size:.9em}td,th{border:1px solid var(--line);padding:.2rem .5rem}
img{max-width:100%;background:#fff}blockquote{border-left:3px solid var(--line);margin-left:0;padding-left:1rem}
.verdict{display:inline-block;border:1px solid var(--line);border-radius:1rem;padding:0 .7rem;font-size:.85em}
"""


def page(told: Told) -> str:
    """The whole page."""
    from pygments.formatters import HtmlFormatter

    title = html.escape(" ".join(told.turns[0].request.text.split())[:80])
    started = told.started
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(started.time)) if started.time else ""
    about = ", ".join(html.escape(x) for x in (when, started.model, started.persona, started.session) if x)
    colours = "\n".join(f".code {line}" for line in HtmlFormatter().get_style_defs("").splitlines() if "{" in line)
    body = "\n".join(_turn(turn, told) for turn in told.turns)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width"><meta name="referrer" content="no-referrer">
<title>{title}</title><style>{STYLE}{colours}</style></head>
<body><header><h1>{title}</h1><p>{about}</p></header>
{_tree(told)}
<main>
{body}
</main>
{_thoughts(told)}</body></html>
"""


def _thoughts(told: Told) -> str:
    """What was thought about before answers, as trees; nothing where nothing was."""
    if not told.thoughts:
        return ""
    return f"<details><summary>what was thought</summary><pre>{html.escape(told.thoughts)}</pre></details>\n"


def _tree(told: Told) -> str:
    """What was asked, in order; what was undone stands a step to the right. Nothing for a single turn."""
    if len(told.turns) < 2:
        return ""
    items = []
    for turn in told.turns:
        words = html.escape(" ".join(turn.request.text.split())[:80])
        item = f'<a href="#{html.escape(turn.request.id, quote=True)}">{words}</a>'
        items.append(f"<li>{item}</li>" if turn.kept else f'<li><ul><li class="gone">{item} (undone)</li></ul></li>')
    return f'<nav aria-label="requests"><ul>{"".join(items)}</ul></nav>'


def _turn(turn: Turn, told: Told) -> str:
    inner = "\n".join(_inside(turn, replace(told, files=told.files.of(turn))))
    place = html.escape(turn.request.id, quote=True)
    if turn.kept:
        return f'<section id="{place}">{inner}</section>'
    return f'<section id="{place}" class="gone"><details><summary>undone</summary>{inner}</details></section>'


def _inside(turn: Turn, told: Told) -> Iterator[str]:
    yield f'<p class="asked">{html.escape(turn.request.text)}</p>'
    for attachment in turn.request.attachments:
        shown = table(told.files.table(attachment.path)) or code(attachment.preview)
        yield f"<details><summary>with {html.escape(attachment.path)}</summary>{shown}</details>"
    for part in turn.parts:
        if isinstance(part, Step):
            yield _step(part, told)
        elif isinstance(part, Text):
            yield hypertext(part.text)
        else:
            yield f"<details><summary>thought</summary>{hypertext(part.text)}</details>"
    if isinstance(turn.end, Failure):
        yield f"<p><em>{html.escape(f'{turn.end.kind}: {turn.end.message}')}</em></p>"
    elif turn.end is not None:
        yield from _ending(turn.end, told)
    for verdict in turn.verdicts:
        note = f": {verdict.note}" if verdict.note else ""
        yield f'<p class="verdict">{html.escape(verdict.verdict + note)}</p>'


def _ending(answer: Answer, told: Told) -> Iterator[str]:
    for artifact in answer.artifacts:
        name = html.escape(artifact.title or artifact.path.rpartition("/")[2], quote=True)
        if data := told.files.picture(artifact):
            yield f'<figure><img src="{data}" alt="{name}"><figcaption class="dim">{name}</figcaption></figure>'
        elif rows := told.files.table(artifact.path):
            yield table(rows) + (f'<p class="dim">the first {MOST_ROWS} rows</p>' if len(rows) > MOST_ROWS else "")
        else:
            yield f'<p class="dim">file: {name}</p>'
    if answer.citations:
        items = []
        for number, one in enumerate(answer.citations, 1):
            quote = f" <q>{inline(one.quote)}</q>" if one.quote else ""
            mark = f"[{one.number or number}]"
            where = "" if one.url else f" {html.escape(one.location)}"
            items.append(f"<li>{mark} {link(one.url, one.title or one.location)}{where}{quote}</li>")
        yield f"<ul>{''.join(items)}</ul>"


def _step(step: Step, told: Told) -> str:
    call = step.call.call
    if not isinstance(call, ToolCall):
        return f'<div class="step no">a call that cannot be read: {html.escape(call.problem)}</div>'
    rest = {k: v for k, v in call.arguments.items() if not (k == "code" and step.code)}
    shown = html.escape(json.dumps(rest, ensure_ascii=False)) if rest else ""
    pieces = [f"<strong>{html.escape(call.name)}</strong> <code>{shown}</code>" if shown else html.escape(call.name)]
    if step.code:
        pieces.append(code(step.code, "python"))
    if step.decision is not None and (step.decision.verdict == "deny" or step.decision.approved is False):
        pieces.append(f"<p>not allowed: {html.escape(step.decision.rule)}</p>")
    if step.result is not None:
        rows = told.files.table(step.result.handle) if step.result.handle else []
        pieces.append(table(rows) or code(step.result.preview))
    good = step.result is not None and step.result.ok
    return f'<div class="step{"" if good else " no"}">{"".join(pieces)}</div>'
