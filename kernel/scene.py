"""What a request for a picture asks to be painted: its words without those that only ask, how many, how large.

``can you make me two pictures of a red boat, please`` asks for ``a red boat``, twice. Charts, curves and geometry are
no such pictures: numbers draw them. In a session that is about something, ``a logo for it`` is of that. The kernel
names what was found here and need not spell it. Knows English, no models.
"""

import re
from dataclasses import dataclass
from typing import Any

from llmos.kernel import scene_words as known
from llmos.kernel.scene_words import KINDS, MAKES, NOUNS, VERBS

TOOL = "image"  # what paints; also the kind of what was taught of it
SCENE = "`0"  # stands for what the request wants painted
LACKING = "I cannot make pictures here yet: run pip install 'llmos[image]'; llmos doctor says what else is missing."
MOST = 8  # pictures of one request
_READ = 2000  # characters of a request
_NEAR = 5  # words between an article and its noun
_MARKS = ",;:.!?-\"'()\u201c\u201d"
_WORD = re.compile(r"[A-Za-z][A-Za-z'\u2019-]*")
_LINES = re.compile(r"(?i)\b(?:draw|paint) (?:me |us )?an? ")
_BEFORE = re.compile(r"(?i)\b(?:you|u|and|please|pls|plz|to|might|could|can|so)$")
_ARTICLE = frozenset({"a", "an", "the", "some", "one", "another"})


@dataclass(frozen=True, slots=True)
class Scene:
    """What to paint; how many, how large and from which seed where that was said."""

    prompt: str
    n: int = 1
    width: int = 0
    height: int = 0
    seed: int | None = None

    def arguments(self) -> dict[str, Any]:
        """As a call has them."""
        made: dict[str, Any] = {"prompt": self.prompt}
        if self.n > 1:
            made["n"] = self.n
        if self.width:
            made |= {"width": self.width, "height": self.height}
        return made if self.seed is None else made | {"seed": self.seed}

    def sentence(self, result: str) -> str:
        """What is answered once it was tried."""
        if result.startswith("error"):
            return f"No picture was made: {result.splitlines()[0].removeprefix('error:').strip().rstrip('.')}."
        return f"Here are {self.n} pictures: {self.prompt}." if self.n > 1 else f"Here is the picture: {self.prompt}."


def scene(request: str, topic: str = "", table: bool = False, attached: bool = False) -> Scene | None:
    """What a request wants painted; None where it asks for no picture, or for one of nothing that is known.

    ``topic`` is what the session is about. With a ``table`` in it more is asked of the table, above all by a request
    that it came with (``attached``).
    """
    text = " ".join(request[:_READ].split())
    if not _wanted(text, table, attached):
        return None
    size, seed = known.SIZE.search(text) or known.SQUARE.search(text), known.SEED.search(text)
    for found in (size, seed):
        text = text.replace(found[0], " ") if found else text
    n = 1
    if count := known.COUNT.search(text):
        n = min(MOST, known.COUNTS.get(count["n"].lower()) or int(count["n"]))
        text = text.replace(count[0], f"a{count['more']} {count['what']}", 1)
    words = _about(" ".join(text.split()), topic)
    if not words:
        return None
    wide, high = (int(size["w"]), int(size.groupdict().get("h") or size["w"])) if size else (0, 0)
    return Scene(words, n, wide, high, int(seed["s"]) if seed else None)


def _wanted(text: str, table: bool, attached: bool) -> bool:
    """Whether a picture is asked for that is painted."""
    if known.CHART.search(text) or known.DONE.search(text):
        return False
    if known.ASKS.match(text) and not known.ALSO.search(text):
        return False
    words = [w.lower() for w in _WORD.findall(text)]
    noun = any(w in NOUNS or w in KINDS for w in words)
    if table:
        found = known.REFERS.search(text) if any(VERBS.get(w) == "paint" for w in words) else None
        return not attached and bool(noun or _LINES.search(text) or (found and not known.PRONOUN.search(found[0])))
    return noun or any(w in VERBS for w in words) or bool(known.MADE.search(text) and not known.PLAIN.search(text))


def surely(request: str) -> bool:
    """Whether no chart is meant, whatever else a session has: a logo, an illustration, what goes with it."""
    return known.SURELY.search(request) is not None


def _about(text: str, topic: str) -> str:
    """The words that say what to paint, with the ``topic`` where they only refer to it."""
    text = known.EARLY.sub("", _late(_trimmed(text)))
    rest = _trimmed(_led(text))
    named = re.match(r"(?i)(.+?)[ ,]+(\w+)$", rest)
    if named and named[2].lower() in NOUNS and not re.search(r"(?i)\b(?:of|and|with|on|in) (?:\w+ )?\w+$", rest):
        rest = re.sub(r"(?i)[ ,]+(?:an?|the|some|one)$", "", named[1])  # a lighthouse picture
    if re.match(r"(?i)one (?:with|in|on|that)\b|(?:them|him|her)$", rest) and not topic:
        rest = text  # it was said before
    if not re.search(r"[^\W\d_]{2}|\d", rest) or known.BARE.fullmatch(rest) or rest.lower() in NOUNS:
        return f"a picture of {topic}" if topic and (known.POINTS.search(text) or not rest) else ""
    if known.IT.fullmatch(rest):
        return f"a picture of {topic}" if topic else ""
    if rest.lower() in KINDS:
        return f"{rest} for {topic}" if topic else rest
    return _referred(rest, topic)


def _referred(rest: str, topic: str) -> str:
    """The words with what they refer to: the ``topic`` for a pronoun, and behind ``the company`` or the like."""
    found = known.REFERS.search(rest)
    if found is None:
        return rest
    pronoun = known.PRONOUN.search(found[0])
    if pronoun is None:
        return f"{rest}, {topic}" if topic else rest
    before = rest[: found.start() + pronoun.start()]
    if not topic:
        return rest if len(before.split()) > _NEAR else ""
    told = known.GOES.sub("", f"{before}{topic}{rest[found.end() :]}")
    return f"a picture of {topic}" if told == topic else told


def _trimmed(text: str) -> str:
    """A text without courtesy and marks at its end."""
    before = None
    while before != text:
        before, text = text, known.TAIL.sub("", text)
    return text.strip(' ,;:.!?-"\u201c\u201d')


def _late(text: str) -> str:
    """A text without an asking that comes last: ``a house on the moon, could you paint it``."""
    found = known.LATE.search(text)
    if found is None or len(text[: found.start()].split()) < 2:
        return text
    return text[: found.start()].strip(" ,;:.!?-")


def _led(text: str) -> str:
    """A text without the asking that comes first.

    Read from the left, word by word: fillers, then a verb or a noun for pictures; what follows is what to paint. A
    noun that says how it is to look (a logo, a poster) stays.
    """
    at, cue, article = 0, False, -1
    for word in re.finditer(r"\S+", text):
        plain = word[0].lower().strip(_MARKS)
        if plain in _ARTICLE:
            article = word.start()
        if plain in NOUNS:
            rest = known.FOR.sub("", f"{text[word.end() :]} ").strip(" ,:-")
            linked = known.LINKS.sub("", rest)
            return linked if linked != rest else _objects(rest)
        if plain in KINDS:
            return text[article if article >= at else word.start() :]
        if plain in VERBS:
            return _objects(text[word.end() :])
        if plain in MAKES:
            at, cue, article = word.end(), True, -1
        elif plain and plain not in known.FILLERS:
            return _afresh(text, at, article, cue)
    return ""


def _objects(rest: str) -> str:
    """What follows a verb, without for whom and without the noun for a picture."""
    rest = known.FOR.sub("", f"{rest} ").strip()
    lead = re.match(rf"{known.ARTICLES.pattern}(\w+)\b", rest)
    if lead and lead[1].lower() in NOUNS:
        return known.LINKS.sub("", rest[lead.end() :].lstrip(" ,:-"))
    return rest


def _afresh(text: str, at: int, article: int, cue: bool) -> str:
    """What a request is of whose asking is broken off by another word: from its noun for pictures on, if one comes
    with a link, else from a verb, else from the word itself."""
    for later in known.LINKED.finditer(text, at):
        if later["w"].lower() in NOUNS:
            # A realistic picture of a dog: what it is to be like stays.
            near = article >= 0 and len(text[article : later.start()].split()) < _NEAR
            return text[article if near else later.end() :]
    for word in _WORD.finditer(text, at):
        if word[0].lower() in VERBS and (not cue or _BEFORE.search(text[: word.start()].rstrip())):
            return _objects(text[word.end() :])
    return text[max(article, at) :].strip()
