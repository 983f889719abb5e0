"""Markdown of a model as HTML in which nothing is loaded: everything is escaped first, and a few marks are put back.

Known are headings, lists, tables, quotes, fences, bold, italic and code. A link becomes one only to http and https,
with a note where it leads elsewhere than it looks; pictures and HTML stay the text that they are.
"""

import html
import re
from collections.abc import Callable, Iterator

from llmos.links import told

# What a page of ours may load: nothing but what it holds.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_LINK = re.compile(r"(?<!!)\[([^\[\]\n]{1,300})\]\((https?://[^\s()<>\"']{1,2000})\)")
_LIST = re.compile(r"[ \t]*(?:[-*+]|\d{1,3}[.)])[ \t]+(.*)")


def hypertext(text: str) -> str:
    """The text as HTML blocks."""
    return "\n".join(_blocks(told(text).splitlines()))


def code(text: str, language: str = "") -> str:
    """A block of code, Python's coloured."""
    if language == "python":
        from pygments import highlight
        from pygments.formatters import HtmlFormatter
        from pygments.lexers import PythonLexer

        coloured: str = highlight(text, PythonLexer(), HtmlFormatter(nowrap=True))
        return f'<pre class="code">{coloured}</pre>'
    return f"<pre>{html.escape(text)}</pre>"


def table(rows: list[list[str]]) -> str:
    """Rows, the first one as their heads."""
    if not rows:
        return ""
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in rows[0])
    body = "\n".join("<tr>" + "".join(f"<td>{html.escape(c)}</td>" for c in row) + "</tr>" for row in rows[1:])
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table></div>'


def _blocks(lines: list[str]) -> Iterator[str]:
    at = 0
    while at < len(lines):
        line = lines[at]
        if fence := re.match(r"\s*(`{3,}|~{3,})(\w*)", line):
            end = next((n for n in range(at + 1, len(lines)) if lines[n].strip().startswith(fence[1])), len(lines))
            yield code("\n".join(lines[at + 1 : end]), "python" if fence[2] in ("python", "py") else "")
            at = end + 1
        elif heading := re.match(r"(#{1,6})\s+(.*)", line):
            level = min(len(heading[1]) + 2, 6)
            yield f"<h{level}>{inline(heading[2])}</h{level}>"
            at += 1
        elif "|" in line and at + 1 < len(lines) and re.fullmatch(r"[\s|:-]*-[\s|:-]*", lines[at + 1]):
            end = _while(lines, at, lambda one: "|" in one)
            rows = [_cells(one) for n, one in enumerate(lines[at:end]) if n != 1]
            yield table(rows)
            at = end
        elif _LIST.match(line):
            end = _while(lines, at, lambda one: bool(_LIST.match(one)))
            kind = "ol" if re.match(r"\s*\d", line) else "ul"
            items = "".join(f"<li>{inline(m[1])}</li>" for one in lines[at:end] if (m := _LIST.match(one)))
            yield f"<{kind}>{items}</{kind}>"
            at = end
        elif line.startswith(">"):
            end = _while(lines, at, lambda one: one.startswith(">"))
            yield f"<blockquote>{'<br>'.join(inline(one[1:].strip()) for one in lines[at:end])}</blockquote>"
            at = end
        elif line.strip():
            end = _while(lines, at, lambda one: bool(one.strip()) and not re.match(r"\s*(`{3,}|~{3,}|#{1,6}\s|>)", one))
            yield f"<p>{'<br>'.join(inline(one) for one in lines[at : max(end, at + 1)])}</p>"
            at = max(end, at + 1)
        else:
            at += 1


def _while(lines: list[str], at: int, holds: Callable[[str], bool]) -> int:
    return next((n for n in range(at + 1, len(lines)) if not holds(lines[n])), len(lines))


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def inline(text: str) -> str:
    """One line: links, bold, italic and code put back into escaped text."""
    pieces = re.split(r"(`[^`\n]+`)", text)
    return "".join(f"<code>{html.escape(p[1:-1])}</code>" if n % 2 else _marked(p) for n, p in enumerate(pieces))


def _marked(text: str) -> str:
    out, at = [], 0
    for match in _LINK.finditer(text):
        out.append(_bold(html.escape(text[at : match.start()])))
        out.append(link(match[2], match[1]))
        at = match.end()
    return "".join([*out, _bold(html.escape(text[at:]))])


def link(address: str, words: str) -> str:
    """A link that tells nobody where it was clicked; other addresses than of the web stay text."""
    shown = html.escape(words)
    if not address.startswith(("http://", "https://")):
        return shown
    return f'<a href="{html.escape(address, quote=True)}" rel="noopener noreferrer nofollow">{shown}</a>'


def _bold(escaped: str) -> str:
    escaped = re.sub(r"\*\*(?=\S)(.+?)(?<=\S)\*\*", r"<strong>\1</strong>", escaped)
    return re.sub(r"(?<![\w*])\*(?=[^\s*])([^*]+?)(?<=[^\s*])\*(?![\w*])", r"<em>\1</em>", escaped)
