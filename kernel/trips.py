"""What a request asks of the web, and what was done for it so far, told from the conversation alone.

Knows English and the names of the browser's acts; what is chosen among links and sentences is surfing's.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from llmos.kernel import shown
from llmos.kernel.shown import Shown, Thing
from llmos.kernel.types import Message, ToolCall

PREFIX = "browser_"
_URL = re.compile(r"(?:https?://|www\.)[^\s<>\"'`\u201c\u201d()]+", re.IGNORECASE)
_ENDS = ".,;:!?'\u2019"  # of a sentence, not of an address
_QUOTES = " '\"\u201c\u201d"
_WEB = re.compile(
    r"(?i)\b(?:(?:search|browse|surf|check|look (?:on|in|at|around|through))(?: on)?(?: the)?"
    r" (?:web|internet|net|site|website|page)|look (?:it|this|that) up|look up (?:on|in)"
    r"|on(?: the)? ?(?:line|internet|web)|google|web ?search)\b"
)
# What is said as often of files: it means the web where none was given.
_SEEK = re.compile(r"(?i)\b(?:find out|search (?:for|the)|look (?:it |this |that )?up)\b")
WORK = re.compile(
    r"(?i)\b(?:plot|chart|graph|draw|diagram|histogram|sum|total|add(?:ed)? up|altogether|combined|average|mean|median"
    r"|count|trend|highest|lowest|largest|smallest|biggest|most|fewest|least|maximum|minimum|max|min|sort|rank|top|spread"
    r"|std|correlat\w+|difference|per cent|percent(?:age)?|share|grow\w*|calculate|compute)\b"
)
"""What is done with a table's numbers."""
ACTS: tuple[tuple[str, re.Pattern[str], Mapping[str, Any]], ...] = (
    (
        "screenshot",
        re.compile(
            r"(?i)\bscreen ?shot|\b(?:take|make|save)(?: me)? a picture of (?:the |this )?(?:\w+ )?(?:page|site|it)\b"
        ),
        {},
    ),
    ("back", re.compile(r"(?i)\b(?:go|take me|step) back\b|\bback to the (?:page before|(?:previous|last) page)"), {}),
    ("tabs", re.compile(r"(?i)\b(?:which|what|list|show)\b[^.?!]*\btabs\b"), {}),
    ("scroll", re.compile(r"(?i)\bscroll (?:right |all the way )?(?:down )?to the (?:end|bottom)"), {"to": "end"}),
    ("scroll", re.compile(r"(?i)\bscroll (?:back )?up|\bscroll to the top"), {"to": "top"}),
    ("scroll", re.compile(r"(?i)\bscroll\b"), {"to": "down"}),
    (
        "read",
        re.compile(r"(?i)\bread on\b|\b(?:next|rest) (?:part )?of (?:the|this) page\b|\bkeep reading\b"),
        {"more": True},
    ),
)
"""Acts that a request asks for by name, with what they are given."""
_GO = re.compile(
    r"(?i)\b(?:click(?: on)?|follow|press|tap(?: on)?|go to|head to|open|visit|navigate to|under|via|through)\s+"
    r"(?:the |its |their |to )?(?:link |button |section |page |menu (?:item )?)?"
    r"(?P<name>['\"\u201c][^'\"\u201d]+['\"\u201d]|[^,.;:?!]+?)"
    r"(?=\s+(?:link|button|page|section|tab|menu|there|on (?:it|the|that|this))\b|\s*(?:[,.;:?!]|\band\b|\bthen\b|$))"
)
_VALUE = (
    r"(?P<value>['\"\u201c][^'\"\u201d]+['\"\u201d]"
    r"|[^,.;:?!]+?)(?=\s+(?:in|into|on|with|using|and|at|there|to)\b|\s*[,.;:?!]|\s*$)"
)
_FIND = (
    re.compile(rf"(?i)\b(?:type|enter|put|write)(?: in)?\s+(?!in\b|the\b|it\b){_VALUE}"),
    re.compile(rf"(?i)\b(?:search(?:ing)?|look(?:ing)?|query|hunt)\s+(?:it |there )?for\s+{_VALUE}"),
    re.compile(rf"(?i)\bfor\s+{_VALUE}"),
)
SEARCHES = re.compile(r"(?i)search|find|look|query|catalogue|keyword")
"""In the label of a field by which a site is searched."""
_USES = re.compile(
    r"(?i)\bsearch (?:field|box|form|bar|function|page)\b|\b(?:use|with|using) (?:the|its|their) (?:\w+ )?search\b"
    r"|\b(?:type|enter)\b"
)
_ASK = re.compile(
    r"(?i)\b(?:and |then |please )*(?:tell me|say|give me|let me know|find(?: out)?|look up|report|answer|see|check"
    r"|please|show me|load|take me to|i want to (?:see|read)"
    r"|i(?:'d| would)? (?:want|need|like) to know|cite (?:it|the page|your source|sources?)"
    r"|with (?:a )?(?:citation|source)s?"
    r"|according to|look (?:at|on|in)|go to|follow|click(?: on)?|open|visit|read|start(?:ing)? (?:at|from))\b[:,]?"
    r"|\b(?:on|at|from|in|to|of)\s+(?=,)"
)


_ASKS = re.compile(
    r"(?i)\?|\b(?:what|who|whom|whose|when|where|which|why|how|whether|tell|say|give|find|report|answer|cite|look up)\b"
)


@dataclass(frozen=True)
class Trip:
    """What was done for a request so far: its words, and each act with what it gave."""

    asked: str
    acts: tuple[tuple[ToolCall, str], ...]
    seen: tuple[Shown, ...] = ()  # the pages of earlier requests, the one that is open last
    files: bool = False  # whether files were given in the conversation

    @property
    def before(self) -> Shown | None:
        """The page that was open when it was asked."""
        return self.seen[-1] if self.seen else None

    @cached_property
    def urls(self) -> list[str]:
        """The addresses that it names."""
        found = (url.rstrip(_ENDS) for url in _URL.findall(self.asked))
        return list(dict.fromkeys(url if "://" in url else f"https://{url}" for url in found))

    @cached_property
    def words(self) -> str:
        """The request, with a comma for each of its addresses."""
        return " ".join(_URL.sub(lambda m: "," + m[0][len(m[0].rstrip(_ENDS)) :], self.asked).split())

    @cached_property
    def names(self) -> list[str]:
        """The links that it says to follow, in order; it may be nothing but a link's name."""
        found = [name for m in _GO.finditer(self.words) if (name := m["name"].strip(_QUOTES))]
        alone = self.words.strip(_QUOTES + _ENDS).casefold()
        return (
            found or [t.label for t in (self.before.things if self.before else ()) if t.label.casefold() == alone][:1]
        )

    @cached_property
    def question(self) -> str:
        """What is to be known: the part that asks, without what only tells where to look; empty where nothing is."""
        parts = [p for p in re.split(r"(?<=[.?!;:])\s+", self.words) if re.search(r"\w", p)]
        told = max([p for p in parts if "?" in p] or parts[-1:] or [self.words], key=len)
        for name in self.names:
            told = told.replace(name, " ")
        return " ".join(_ASK.sub(" ", told).replace(",", " ").split()).strip(" .:;()-?")

    @property
    def does(self) -> bool:
        """Whether it wants nothing but acts, some of which are done."""
        return not _ASKS.search(self.words) and any(self.done(name) for name in ("click", "type", "select"))

    @cached_property
    def pages(self) -> list[Shown]:
        """The pages that were shown, in order."""
        return [page for _, result in self.acts if (page := shown.page(result)) is not None]

    @property
    def wanders(self) -> bool:
        """Whether other pages may be looked at: no address goes deeper than a site's front page."""
        return not any(re.match(r"\w+://[^/]+/[^?#]*\w", url) for url in self.urls)

    def webwards(self, eager: bool) -> bool:
        """Whether it speaks of the web; ``eager``: also where it only wants something to be found, in no file."""
        seeks = eager and not self.files and _SEEK.search(self.words)
        return bool(self.urls or _WEB.search(self.words) or seeks)

    def done(self, name: str) -> list[tuple[ToolCall, str]]:
        """The acts of one kind."""
        return [(call, result) for call, result in self.acts if call.name == PREFIX + name]

    def followed(self) -> set[str]:
        """The labels of the links that were clicked."""
        there, found = {t.ref: t.label for t in self.before.things} if self.before else {}, set[str]()
        for call, result in self.acts:
            if call.name == PREFIX + "click":
                found.add(there.get(int(call.arguments["ref"]), ""))
            page = shown.page(result)
            there |= {t.ref: t.label for t in page.things} if page else {}
        return found

    def sends(self, page: Shown, field: Thing) -> bool:
        """Whether the form of a field is to be sent once that is filled."""
        buttons = [re.escape(t.label) for t in page.things if t.kind == "button" and t.label.strip()]
        named = re.search(rf"(?i)\b(?:{'|'.join([*buttons, 'send', 'submit', 'press', 'hit', 'go'])})\b", self.words)
        return bool(SEARCHES.search(field.label) or named or _ASKS.search(self.words))

    def value(self, field: Thing) -> str:
        """What it says to write into a field; nothing where it does not."""
        label = re.escape(field.label.strip(" :*"))
        value = r"(?:['\"\u201c](?P<quoted>[^'\"\u201d]+)['\"\u201d]|(?P<plain>[^,;:.?!]+?))"
        for pattern in label and (
            rf"(?i)\b(?:fill in|enter|type|put|use|write|give|with|as)\s+{value}"
            rf"\s+(?:as|for|in|into)\s+(?:the |my |a )?{label}\b",
            rf"(?i)\b{label}\s*(?:field|box)?\s*(?:is|as|:|=|with|to)?\s+{value}(?=\s*(?:[,;.?!]|\band\b|$))",
        ):
            if found := re.search(pattern, self.words):
                return str(found["quoted"] or found["plain"]).strip(_QUOTES)
        if SEARCHES.search(field.label) and _USES.search(self.words):
            hit = next(filter(None, (one.search(self.words) for one in _FIND)), None)
            return str(hit["value"]).strip(_QUOTES) if hit else ""
        return ""


def bare(text: str) -> str:
    """A request as it would be of a file that is given: no address, nor words that tell where it is."""
    where = (
        r"(?i)\b(?:(?:download|open|fetch|get|go to|visit)\s+(?:the (?:file|page) )?"
        r"|(?:according to|from|of|on|in|at) )"
        r"(?:the (?:table|file|page|data) (?:on|of|at|in|from) )?(?:https?://|www\.)\S+(?:,|\s+and(?: then)?\b)?"
    )
    return " ".join(_URL.sub(" ", re.sub(where, " ", text)).split()).strip(" ,;:") or text


def browsed(messages: Sequence[Message], n: int) -> bool:
    """Whether a message is an act of the browser, or what one gave."""
    message = messages[n]
    if message.role == "assistant":
        return bool(message.calls) and all(isinstance(c, ToolCall) and c.name.startswith(PREFIX) for c in message.calls)
    if message.role != "tool":
        return False
    before = next((m for m in reversed(messages[:n]) if m.role == "assistant"), None)
    return before is not None and browsed([before], 0)


def kept(result: str) -> Sequence[str]:
    """The files that a result tells of: a page's tables, or what was downloaded."""
    found = re.match(r"downloaded \S+ as (\S+) \(", result)
    page = shown.page(result)
    return (found[1],) if found else page.kept if page else ()


def trip(messages: Sequence[Message]) -> Trip | None:
    """What is asked now, and what was done for it; None where nothing was asked."""
    at = next((n for n in reversed(range(len(messages))) if messages[n].role == "user"), None)
    if at is None:
        return None
    acts, seen = list[tuple[ToolCall, str]](), list[Shown]()
    for n, message in enumerate(messages):
        if message.role != "tool" or not browsed(messages, n):
            continue
        call = next(m for m in reversed(messages[:n]) if m.role == "assistant").calls[-1]
        if n < at:
            seen += filter(None, [shown.page(message.text)])
        elif isinstance(call, ToolCall):
            acts.append((call, message.text))
    told = [str(p.content) for p in messages[at].parts if p.source.origin == "user"]
    files = any(p.source.origin in ("file", "library") for m in messages if m.role == "user" for p in m.parts)
    return Trip(told[-1], tuple(acts), tuple(seen), files) if told and told[-1].strip() else None
