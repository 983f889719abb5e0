"""The web for a kernel that was not taught to browse: a request's address is opened, what leads on is followed, what
answers is quoted.

Links, fields and sentences are chosen by the request's words and by their meaning; nothing that a page says is followed
as an order. What is to be worked out of a page's table, or of a file that was downloaded, is the other model's, which
is given it as a file. It compares and does not reason: what follows from two sentences it does not find. The next act
is decided from the conversation alone, so a session can be taken up at any of them.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import takewhile
from typing import Any

from llmos.kernel import reading, shown
from llmos.kernel.engine import Model, Sampling
from llmos.kernel.fronts import Front
from llmos.kernel.shown import Line, Shown, Thing
from llmos.kernel.tool import Tool
from llmos.kernel.trips import ACTS, PREFIX, SEARCHES, WORK, Trip, bare, browsed, kept, lost, trip
from llmos.kernel.types import Message, Part, Source, ToolCall

Act = tuple[str, Mapping[str, Any]]

MOST = 9  # acts for one request
OPENED = 3  # results of a search
# Of a line that answers: the share of the question's words, the cosine, whether it has what is asked for (a name, a
# date, a number). SURE is enough where other pages are still to be seen.
ENOUGH, SURE = 1.05, 1.3
LEADS = 0.05  # of a link that may lead to the answer
POOR = 0.25  # of links that are no better than the site's own search
NAMED = 0.62  # of a link that the request names
_QUERY = 300  # characters that are searched for
_FILE = re.compile(r"(?i)\.(?:csv|tsv|xlsx?|json|zip|png|jpe?g)$")
_READ = re.compile(r"(?i)\.(?:txt|pdf)$")  # opened as pages unless they are to be kept
_DOWNLOAD = re.compile(r"(?i)\b(?:download|save|fetch|keep)\b")
_SAID = {
    "screenshot": "Here is the picture of the page.",
    "back": "This is the page before: {title} [{number}].",
    "scroll": "The page is scrolled: {title} [{number}].",
}
_TOLD = frozenset(PREFIX + name for name in ("screenshot", "scroll", "tabs"))  # what they give is the answer
_NAME = re.compile(r"\b[A-Z][\w'\u2019-]+ (?:[A-Z][\w'\u2019.-]+|de|van|von|al)\b")
_DATE = re.compile(
    r"(?i)\b(?:1[5-9]|20)\d\d\b|\b\d{1,2}[:.]\d\d\b|\b\d{1,2} ?(?:am|pm)\b|\b(?:january|february|march|april|may|june"
    r"|july|august|september|october|november|december|(?:mon|tues|wednes|thurs|fri|satur|sun)days?|noon|midnight)\b"
)
_NUMBER = re.compile(
    r"(?i)\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozen|free|nothing)\b"
)
_KINDS = (
    (re.compile(r"(?i)\bwho(?:se|m)?\b"), _NAME),
    (re.compile(r"(?i)\b(?:tele)?phone\b|\bfax\b"), re.compile(r"\d[\d /()-]{4,}")),
    (re.compile(r"(?i)\bwhen\b|\b(?:what|which) (?:time|year|date|day|month)\b|\bhow late\b"), _DATE),
    (
        re.compile(
            r"(?i)\bhow (?:much|many|old|long|far|high|tall|big|large|deep|heavy)\b"
            r"|\b(?:price|cost|fee|deposit|number)\b"
        ),
        _NUMBER,
    ),
)
_OFF, _LACKING, _KIND = 0.3, 0.5, 0.2
_CHOOSES = re.compile(r"(?i)\b(?:choose|select|pick|set|change|switch|take|tick|option)\b")
_MENTIONS = re.compile(r"(?i)\bmention|\banything\b|\b(?:is|are) there\b|\bspeak of\b|\bsay (?:of|about)\b")
_NOTHING = re.compile(
    r"(?i)\b(?:nothing|no (?:results?|matches|hits|pages?)|0 results?)\b.{0,20}\b(?:found|match\w*)?|not found"
)
_WHERE = frozenset(
    {
        "menti",
        "anyth",
        "somet",
        "infor",
        "page",
        "site",
        "websi",
        "link",
        "click",
        "open",
        "cite",
        "web",
        "inter",
        "onlin",
        "sourc",
        "find",
    }
)


class Surfing(Front):
    """A Model that browses for another.

    ``look`` tells of a file of the session as requests tell of theirs. ``eager``: to search, or to find out, means the
    web also where it is not named.
    """

    def __init__(self, model: Model, look: Callable[[str], str], eager: bool = False) -> None:
        super().__init__(model)
        self._look, self._eager = look, eager

    def said(self, messages: Sequence[Message], tools: Sequence[Tool], sampling: Sampling) -> str | ToolCall | None:
        """An act, or what the pages say."""
        return None if sampling.choices or sampling.schema else decide(messages, tools, self._eager)

    def told(self, messages: Sequence[Message]) -> list[Message]:
        """The conversation without what the browser did; files that it kept stand with the request they were for."""
        made: list[Message] = []
        at = -1
        for n, message in enumerate(messages):
            if message.role == "user":
                at = len(made)
                made.append(replace(message, parts=tuple(p for p in message.parts if not _shows(p))))
            elif not browsed(messages, n):
                made.append(message)
            elif message.role == "tool" and at >= 0:
                for told in filter(None, map(self._look, kept(message.text))):
                    made[at] = _given(made[at], told)
        return made

    def shown(self, tools: Sequence[Tool]) -> list[Tool]:
        """All but the browser's."""
        return [tool for tool in tools if not tool.name.startswith(PREFIX)]


def _shows(part: Part) -> bool:
    """Whether a part is a page that is only counted."""
    return part.source.origin in ("tool", "web") and shown.page(str(part.content)) is not None


def _given(asked: Message, told: str) -> Message:
    """A request with a file, in its own words but for the address."""
    own = [replace(p, content=bare(str(p.content))) if p.source.origin == "user" else p for p in asked.parts]
    return replace(asked, parts=(Part(told, Source("file")), *(p for p in own if p.content != told)))


def decide(messages: Sequence[Message], tools: Sequence[Tool], eager: bool = False) -> ToolCall | str | None:
    """The next act, an answer from what was read, or None where the other model is to speak."""
    names = {tool.name for tool in tools}
    now = trip(messages) if PREFIX + "open" in names else None
    if now is None or not (messages[-1].role == "user" or browsed(messages, len(messages) - 1)):
        return None  # what the other began, it ends
    if not now.acts and not now.webwards(eager) and not _goes_on(now):
        return None
    chosen = _next(now)
    if not isinstance(chosen, tuple):
        return chosen
    name, arguments = chosen
    return ToolCall(f"w{len(now.acts) + 1}", PREFIX + name, arguments) if PREFIX + name in names else None


def _goes_on(now: Trip) -> bool:
    """Whether a request is one for the page that is open."""
    if now.before is None or now.given:
        return False
    if any(pattern.search(now.words) for _, pattern, _ in ACTS):
        return True
    if reading.WORK.search(now.words):
        return False  # else a page could have its own answer to a sum told
    return _step(now, now.before) is not None or found(now.question, now.seen) is not None


def _next(now: Trip) -> Act | str | None:
    last = now.acts[-1][1] if now.acts else ""
    if lost(last) and now.before and not now.pages and not now.done("open"):
        return "open", {"url": now.before.url}
    if last.startswith("error") and (not now.pages or now.acts[-1][0].name in _TOLD):
        return f"That did not work: {last.splitlines()[0].removeprefix('error:').strip()}"
    opened = {str(call.arguments["url"]) for call, _ in (*now.done("open"), *now.done("download"))}
    if url := next((url for url in now.urls if url not in opened), ""):
        path = url.partition("?")[0]
        file = _FILE.search(path) or (_READ.search(path) and _DOWNLOAD.search(now.words))
        return "download" if file else "open", {"url": url}
    if now.done("download"):
        return None if WORK.search(now.words) or "?" in now.words else f"{last[0].upper()}{last[1:].splitlines()[0]}."
    page = now.pages[-1] if now.pages else now.before
    if not now.urls and not now.acts and (page is None or not _goes_on(now)):
        return "search", {"query": _telling(now.question)[:_QUERY]}
    if page is None:
        return _hit(now) or "The search found nothing on that."
    if not now.pages and (act := _asked(now, page) or _step(now, page)):
        return act
    if not now.pages and not now.acts:
        return _again(now, page)
    return _asked(now, page) or _step(now, page) or _read(now, page)


def _again(now: Trip, page: Shown) -> Act:
    """An earlier page that answers, read once more: only what is read for an answer can be cited."""
    hit = found(now.question, now.seen)
    return ("read", {}) if hit is None or hit[0].url == page.url else ("open", {"url": hit[0].url})


def _asked(now: Trip, page: Shown) -> Act | str | None:
    """An act that the request asks for by name, and what is said when it is done."""
    name, arguments = next(((name, given) for name, pattern, given in ACTS if pattern.search(now.words)), ("", {}))
    if not name or ("?" in now.words and name == "back"):
        return None
    if not now.done(name):
        return (name, arguments) if len(now.acts) < MOST else None
    if name == "tabs":
        return now.done(name)[-1][1]
    return _SAID[name].format(title=page.title, number=page.number) if name in _SAID and "?" not in now.words else None


def _step(now: Trip, page: Shown) -> Act | None:
    """The next link, option or field that the request names."""
    if len(now.acts) >= MOST:
        return None
    chosen = {call.arguments["option"] for call, _ in now.done("select")}
    typed = {call.arguments["text"] for call, _ in now.done("type")}
    things = page.things if now.fills(page) else ()
    for thing in things if now.urls or _CHOOSES.search(now.words) else ():
        for option in filter(_words, thing.options):
            if option not in chosen and re.search(rf"(?i)(?<!\w){re.escape(option)}(?!\w)", now.words):
                return "select", {"ref": thing.ref, "option": option}
    left = [(t, value) for t in things if t.kind == "field" and (value := now.value(t)) and value not in typed]
    if left:
        field, value = left[0]
        sends = len(left) == 1 and now.sends(page, field)
        return "type", {"ref": field.ref, "text": value, **({"submit": True} if sends else {})}
    named = filter(None, (_named(page.things, name) for name in now.names[len(now.done("click")) :]))
    return next((("click", {"ref": thing.ref}) for thing in named), None)


def _read(now: Trip, page: Shown) -> Act | str | None:
    """An answer from the pages, what leads on, or that nothing was found."""
    if page.kept and WORK.search(now.words) and _speaks(page, now.question):
        return None  # the other model works on the table
    pages = [p for p in now.pages or [page] if not now.strays(p)]
    if not now.question or now.does:
        first = (
            next((f": \u201c{line.text}\u201d" for line in page.lines if not line.row), " is open")
            if now.does
            else " is open"
        )
        return f"\u201c{page.title}\u201d{first} [{page.number}]"
    if told := answer(now.question, pages, SURE if now.wanders or page.more else ENOUGH):
        return told
    if len(now.acts) < MOST and (act := _onwards(now, page)):
        return act
    page = pages[-1] if pages else page
    missing = f"\u201c{page.title or page.url}\u201d does not say it."
    return answer(now.question, pages) or (f"I did not find it: {missing}" if now.wanders else missing)


def _onwards(now: Trip, page: Shown) -> Act | None:
    """What may lead to the answer: the rest of a long page, the likeliest link, the site's own search, or back."""
    if page.more and all(call.arguments.get("find") is None for call, _ in now.done("read")):
        return "read", {"find": _telling(now.question)[:_QUERY]}
    if not now.wanders:
        return None
    left = now.acts[-1:] and now.acts[-1][0].name in (PREFIX + "click", PREFIX + "type")
    if now.strays(page):
        return ("back", {}) if left else None
    if now.done("search") and (hit := _hit(now)):
        return hit
    followed = now.followed() | {p.title for p in now.pages}
    # Reading on shows no links: those of the page still hold.
    same = list(takewhile(lambda p: p.url == page.url, reversed(now.pages or [page])))
    things = {t.ref: t for p in reversed(same) for t in p.things}.values()
    links = [t for t in things if t.kind == "link" and t.label.strip() and t.label not in followed]
    scores = near(now.question, [t.label for t in links])
    best = max(scores, default=0.0)
    field = next((t for t in things if t.kind == "field" and SEARCHES.search(t.label)), None)
    if best < POOR and field is not None and now.home(page) and not now.done("type"):
        return "type", {"ref": field.ref, "text": _telling(now.question)[:_QUERY], "submit": True}
    if best >= LEADS:
        return "click", {"ref": links[scores.index(best)].ref}
    return ("back", {}) if left else None


def _hit(now: Trip) -> Act | None:
    """The likeliest result of a search that was not opened yet."""
    results = next((result for _, result in reversed(now.done("search"))), "")
    opened = {str(call.arguments["url"]) for call, _ in now.done("open")}
    rows = [row for row in re.findall(r"(?m)^\d+\. (.*)\n   (\S+)\n   (.*)$", results) if row[1] not in opened]
    if not rows or len(opened) >= OPENED:
        return None
    scores = near(now.question, [f"{title} {text[:300]}" for title, _, text in rows])
    return "open", {"url": rows[scores.index(max(scores))][1]}


def _named(things: Sequence[Thing], name: str) -> Thing | None:
    """The link or button that a request names."""
    able = [t for t in things if t.kind in ("link", "button")]
    if same := next((t for t in able if t.label.casefold() == name.casefold()), None):
        return same
    if not able or not _words(name):
        return None
    scores = near(name, [t.label for t in able])
    best = max(scores)
    return able[scores.index(best)] if best >= NAMED else None


def _speaks(page: Shown, question: str) -> bool:
    """Whether a page's tables have what a question speaks of."""
    heads = " ".join(f"{line.about} {line.text}" for line in page.lines if line.row)
    return bool(_words(question) & _words(heads))


def answer(question: str, pages: Sequence[Shown], enough: float = ENOUGH) -> str | None:
    """The line that answers, with its page's number; None where none is near enough. A sentence is quoted."""
    if (hit := found(question, pages, enough)) is None:
        return None
    page, line = hit
    told = line.text if line.row else f"\u201c{line.text}\u201d"
    return f"{told} [{page.number}]"


def found(question: str, pages: Sequence[Shown], enough: float = ENOUGH) -> tuple[Shown, Line] | None:
    """The line that answers and its page."""
    every = {p.number: p for p in pages}.values()
    lines = [(page, line) for page in every for line in page.lines if not _NOTHING.fullmatch(line.text.rstrip("."))]
    wanted = _words(question) - _WHERE
    if not lines or not wanted:
        return None
    means = near(question, [f"{page.title}\n{line.about}\n{line.text}" for page, line in lines])
    scores = [mean + _fits(question, wanted, page, line) for (page, line), mean in zip(lines, means, strict=True)]
    best = max(scores)
    return lines[scores.index(best)] if best >= enough else None


def _fits(question: str, wanted: set[str], page: Shown, line: Line) -> float:
    """What a line's words add to its meaning."""
    there = _words(f"{line.text} {line.about} {page.title}")
    kinds = sum(_KIND if has.search(line.text) else -_OFF for asks, has in _KINDS if asks.search(question))
    numbers = set(re.findall(r"\d+", question)) <= set(re.findall(r"\d+", f"{line.text} {line.about} {page.title}"))
    named = _KIND * bool(_MENTIONS.search(question) and wanted <= there)
    return len(wanted & there) / len(wanted) + kinds + named - _LACKING * (not numbers)


def near(question: str, texts: Sequence[str]) -> list[float]:
    """How near each text is to a question: the cosine of their vectors, and more where it has its words."""
    from llmos.kernel.minilm import Embedder

    if not texts:
        return []
    vectors, wanted = Embedder.quick().embed([question, *texts]), _words(question)
    shares = [len(wanted & (there := _words(text))) / max(1, len(wanted | there)) ** 0.5 for text in texts]
    return [float(mean) + 0.2 * share for mean, share in zip(vectors[1:] @ vectors[0], shares, strict=True)]


def _words(text: str) -> set[str]:
    """The telling words of a text by their first letters, one and several alike."""
    return reading.words(re.sub(r"(?<=\w{3})s\b", "", text))


def _telling(question: str) -> str:
    """A question's telling words, in their order."""
    return " ".join(w for w in re.findall(r"[\w'\u2019-]+", question) if w.casefold() not in reading.LITTLE) or question
