"""What a request asks of the web, and what was done for it so far, told from the conversation alone.

Knows English and the names of the browser's acts; what is chosen among links and sentences is surfing's. An address is
opened where it tells where to look, not where it is only a part of a text, of code, or of what is to be remembered.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from llmos.kernel import reading, shown
from llmos.kernel.shown import Shown, Thing
from llmos.kernel.types import Message, ToolCall

PREFIX = "browser_"
_LONGEST = 2_000  # characters of a request that is looked at; what is longer is a text to be worked on
_LINES = 3  # of a request that has no text in its middle
_URL = re.compile(r"(?i)(?:https?://[\w\[]|www\.\w[^\s.]*\.\w)[^\s<>\"'`\u201c\u201d()]*")
_ENDS = ".,;:!?'\u2019"  # of a sentence, not of an address
_QUOTES = " '\"\u201c\u201d"
_AN = r"(?:https?://|www\.)"
_EDITS = (
    r"(?:summari[sz]e|rewrite|re-?phrase|reword|translate|proof-?read|shorten|explain"
    r"|(?:correct|fix|edit|improve|polish|format|debug) (?:this|these|the|my))"
)
# An address that is not a place to look: in code, in a text that is given, of a link that is to be written, a note.
_HOLDS = re.compile(
    rf"(?i)```|`[^`\n]*{_AN}|[\w.]\(+[rfb]?['\"]{_AN}|=\s*[rfb]?['\"]{_AN}"
    r"|\b(?:curl|wget|git clone|(?:pip|npm) install)\s"
    r"|^\W*(?:(?:please|can you|could you)\W+)*(?:remember|note|memori[sz]e|keep in mind|don't forget)\b"
    rf"|\b{_EDITS}\b[^:\n]{{0,60}}:\s+(?!{_AN})\S"
    r"|^\W*(?:please )?(?:write|compose|draft)(?: me)?(?: an?)?(?: \w+){0,2} (?:e-?mail|letter|message|post|tweet|text"
    r"|invitation|script|function|program|web ?page)\b"
    rf"|\b(?:link|qr[ -]?code)s? (?:to|for|of) {_AN}|\bthe (?:string|sentence|word) ['\"]?{_AN}"
    rf"|\b(?:characters|letters) (?:does|has|are in|in) {_AN}|\b(?:upper|lower)[ -]?case\b"
    rf"|\bis (?:(?:this|the|link|site|address) ){{0,3}}{_AN}\S+ (?:an? )?(?:safe|legit|phishing|scam|malicious|trust)"
    rf"|\bmy [\w -]{{0,20}}{_AN}\S+ (?:has|had|gets|got|costs?|earns|makes|made)\b"
)
_NET = r"the (?:web|internet)\b(?![ -]?(?:pages?|sites?|servers?|design|apps?|provider))"
# What is asked of the web by name; that something happened there is no such request.
_WEB = re.compile(
    rf"(?i)\b(?:search|scour|check|look (?:on|in|around|through))(?: on| in)? {_NET}|\bbrowse {_NET} (?:for|to|and)\b"
    rf"|\b(?:search|find|check|look|anything|something)\b[^.?!;:]{{0,80}}\b(?:on|in) {_NET}"
    r"|\b(?:search|look)\b[^.?!;:]{0,80}\bonline(?=\s*(?:[,.;:?!]|$|for\b|and\b))"
    rf"|\bon {_NET} (?:about|on)\b"
    r"|\b(?:do|run|make|try|use) (?:a |an |the )?(?:web|internet|online|google) ?search\b"
    r"|\b(?:web|internet) ?search (?:for|on|about)\b"
    r"|(?:^|[.;!?] |\b(?:please|you|just|then) )google (?:for|it|this|that|the|who|what|when|where|how|if|whether)\b"
)
# What is said as often of files, lists and sums: it means the web only where that was asked for.
_SEEK = re.compile(
    r"(?i)\b(?:find out|look (?:it |this |that )?up|search for)\b(?! (?:in|on|the (?:lists?|texts?|words?|letters?))\b)"
)
_QUOTED = re.compile(r"[\"\u201c][^\"\u201d]*[\"\u201d]|(?<!\w)'[^']*'(?!\w)")
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
    (
        "back",
        re.compile(r"(?i)\b(?:go|take me|step) back\b(?! to)|\bback to the (?:page before|(?:previous|last) page)"),
        {},
    ),
    ("tabs", re.compile(r"(?i)\b(?:which|what|list|show)\b[^.?!]{0,40}\btabs\b"), {}),
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
    r"(?P<name>['\"\u201c][^'\"\u201d]+['\"\u201d]|[^,.;:?!]{1,200}?)"
    r"(?=\s+(?:link|button|page|section|tab|menu|there|on (?:it|the|that|this))\b|\s*(?:[,.;:?!]|\band\b|\bthen\b|$))"
)
_VALUE = (
    r"(?P<value>['\"\u201c][^'\"\u201d]+['\"\u201d]"
    r"|[^,.;:?!]{1,200}?)(?=\s+(?:in|into|on|with|using|and|at|there|to)\b|\s*[,.;:?!]|\s*$)"
)
_FIND = (
    re.compile(rf"(?i)\b(?:type|enter|put|write)(?: in)?\s+(?!in\b|the\b|it\b){_VALUE}"),
    re.compile(rf"(?i)\b(?:search(?:ing)?|look(?:ing)?|query|hunt)\s+(?:it |there )?for\s+{_VALUE}"),
    re.compile(rf"(?i)\bfor\s+{_VALUE}"),
)
SEARCHES = re.compile(r"(?i)search|find|look|query|catalogue|keyword")
"""In the label of a field by which a site is searched."""
_USES = re.compile(
    r"(?i)\bsearch (?:field|box|form|bar|function|page)\b|\bsearch (?:the|this|that) (?:web ?)?site\b"
    r"|\b(?:use|with|using) (?:the|its|their) (?:\w+ )?search\b|\b(?:type|enter)\b"
)
_ASK = re.compile(
    r"(?i)\b(?:and |then |please ){0,4}(?:tell me|say|give me|let me know|find(?: out)?|look up|report|answer|see|check"
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
    given: bool = False  # and with this request
    hosts: frozenset[str] = frozenset()  # that the user named, now or before

    @property
    def before(self) -> Shown | None:
        """The page that was open when it was asked."""
        return self.seen[-1] if self.seen else None

    @cached_property
    def urls(self) -> list[str]:
        """The addresses that it names as places to look."""
        if _HOLDS.search(self.asked):
            return []
        lines = self.asked.strip().split("\n")
        own = "\n".join(lines if len(lines) <= _LINES else (lines[0], lines[-1]))
        found = (url.rstrip(_ENDS) for url in _URL.findall(own))
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
        if self.urls:
            return True
        if _HOLDS.search(self.asked):
            return False
        words = _QUOTED.sub(" ", self.words)
        seeks = eager and not self.files and not self.sums and ":" not in words and _SEEK.search(words)
        return bool(_WEB.search(words) or seeks)

    @property
    def sums(self) -> bool:
        """Whether it is to be worked out, which no page can say."""
        return bool(reading.WORK.search(self.words) or WORK.search(self.words))

    def home(self, page: Shown) -> bool:
        """Whether a page is of a site that the user named, or that such an address led to by itself."""
        led = (shown.page(result) for call, result in self.done("open") if call.arguments["url"] in self.urls)
        sites = self.hosts | {_host(there.url) for there in led if there}
        host = _host(page.url)
        return any(host == site or host.endswith(f".{site}") for site in sites)

    def strays(self, page: Shown) -> bool:
        """Whether a link that it does not name led to another site than the one that it names."""
        return bool(self.urls) and not self.names and not self.home(page)

    def fills(self, page: Shown) -> bool:
        """Whether what it says may be written there: where the user named the site, or speaks of the page in view."""
        spoken = self.before is not None and not self.urls and _host(page.url) == _host(self.before.url)
        return spoken or self.home(page)

    def done(self, name: str) -> list[tuple[ToolCall, str]]:
        """The acts of one kind, without those that did not find the page."""
        return [(call, told) for call, told in self.acts if call.name == PREFIX + name and not lost(told)]

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
        value = r"(?:['\"\u201c](?P<quoted>[^'\"\u201d]+)['\"\u201d]|(?P<plain>[^,;:.?!]{1,200}?))"
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


def lost(result: str) -> bool:
    """Whether an act did not find its page: the browser is another one, or elsewhere, than the conversation tells."""
    return result.startswith("error") and ("no page is open" in result or "not on the page any more" in result)


def _host(url: str) -> str:
    return urlsplit(url).netloc.lower().removeprefix("www.")


def kept(result: str) -> Sequence[str]:
    """The files that a result tells of: a page's tables, or what was downloaded."""
    found = re.match(r"downloaded \S+ as (.+) \([\d,]+ bytes, ", result)
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
    asked = [_said(m) for m in messages[: at + 1] if m.role == "user"]
    hosts = frozenset(_host(url) for text in asked for url in Trip(text, ()).urls)
    given = [any(p.source.origin in ("file", "library") for p in m.parts) for m in messages if m.role == "user"]
    return Trip(asked[-1], tuple(acts), tuple(seen), any(given), given[-1], hosts) if asked[-1] else None


def _said(message: Message) -> str:
    """The user's own words in a request; empty where there are none, or where they are too many for a request."""
    told = next((str(p.content) for p in reversed(message.parts) if p.source.origin == "user"), "")
    return told if len(told) <= _LONGEST and told.strip() else ""
