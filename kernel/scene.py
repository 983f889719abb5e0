"""What a request for a picture asks to be painted: its words without those that only ask, how many, how large.

``can you make me two pictures of a red boat, please`` asks for ``a red boat``, twice. Charts, curves and geometry are
no such pictures: numbers draw them. In a session that is about something, ``a logo for it`` is of that. The kernel
names what was found here and need not spell it. Knows English, no models.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

TOOL = "image"  # what paints; also the kind of what was taught of it
SIGN = "`0"  # stands for what the request wants painted
LACKING = "I cannot make pictures here yet: run pip install 'llmos[image]'; llmos doctor says what else is missing."
MOST = 8  # pictures of one request
_READ = 2000  # characters of a request

_NOUNS = """picture pictures pic pics image images illustration illustrations drawing drawings painting paintings sketch
sketches photo photos photograph photographs graphic graphics artwork artworks doodle doodles visual visuals"""
_KINDS = """logo logos icon icons poster posters portrait portraits cartoon cartoons comic postcard postcards wallpaper
watercolour watercolor watercolours watercolors banner mascot avatar badge emblem sticker stickers flyer mural caricature
clipart scene artwork emoji cover fresco still-life landscape"""
_VERBS = "draw paint sketch illustrate doodle depict portray"
_MAKES = """make create generate produce design render give show get do need want like love have see see whip come imagine
craft fancy wish send use try put fix prepare add compose conjure invent provide dream"""
# Slips of the finger that are words of their own.
_WORDS = frozenset(
    ["pant", "pint", "pain", "raw", "daw", "con", "log", "log's", "mage", "cover", "scene", "past", "ion", "icon", "do"]
)


def _slips(word: str) -> Iterator[str]:
    """A word with two letters swapped or one doubled, a longer one also with one left out."""
    for n in range(1, len(word)):
        yield word[:n] + word[n - 1] + word[n:]
        yield word[: n - 1] + word[n] + word[n - 1] + word[n + 1 :]
        if len(word) > 6:
            yield word[:n] + word[n + 1 :]


def _known(words: str) -> dict[str, str]:
    plain = words.split()
    found = {s: w for w in plain if len(w) > 3 for s in _slips(w) if s not in _WORDS}
    return found | {w: w for w in plain}


_NOUN, _KIND, _VERB, _MAKE = map(_known, (_NOUNS, _KINDS, _VERBS, _MAKES))
_TYPED = {"pcture": "picture", "picure": "picture", "pictur": "picture", "imge": "image", "immage": "image"}
_NOUN |= _TYPED | {"illustraton": "illustration", "ilustration": "illustration", "piccy": "picture", "pix": "pictures"}
_VERB |= {"drw": "draw", "drwa": "draw", "darw": "draw", "pait": "paint", "scetch": "sketch", "skech": "sketch"}

# What numbers draw, and what is done with drawings that are there.
_CHART = re.compile(
    r"(?i)\b(?:(?:re)?plot\w*|graph(?:s|ed|ing)?|charts?|histograms?|hist|scatter\w*|box ?plots?|bars?|pie(?= ?charts?\b)"
    r"|diagrams?|curves?|axis|axes|x-axis|y-axis|slopes?|trends?|trend ?lines?|regression|heat ?map|time ?series"
    r"|sines?|cosines?|tangent|parabolas?|hyperbolas?|functions?|polynomials?|equations?|derivatives?|logarithm\w*|sin|cos"
    r"|distribution|bell curve|number line|conclusions?|lots|straws|cards?(?= from)|random (?:sample|number)s?|matplotlib"
    r"|flow ?charts?|timeline|columns?|rows?|spreadsheets?|ascii|python|code|turtle|fractal|mandelbrot"
    r"|(?:sales|prices?|revenue|profit|costs?|rainfall|temperatures?|numbers|values|figures|data)\b.*\b(?:by|per|over|vs|against|for each|across)"
    r"|over time|versus|vs|against (?:the )?(?:year|month|day|time)\w*|(?:by|per|each|every) (?:year|month|week|quarter|day)"
    r"|radius|diagonals?|degrees|(?:right|isosceles|equilateral) triangles?|venn|organi[sz]ation chart|map of)\b"
    r"|[a-z]\s*\^\s*\d|\b[yf]\s*(?:\(x\))?\s*="
)
_DONE = re.compile(
    r"(?i)\b(?:(?:what|who)(?:'s| is| are| was)? (?:is |are )?(?:in|on) (?:this|the|that|my)|(?:see|describe|look at|edit|crop"
    r"|resize|rotate|scan|delete|remove|open|save|find|search|google|download|upload|turn|rename|convert|upscale)\b.*"
    r"\b(?:this|the|that|my|your) (?:\w+ )?(?:picture|photo|image|pic|selfie|drawing)s?"
    r"|(?:did you|have you) (?:make|made|paint|painted|draw|drawn))\b"
)
_ASKS = re.compile(
    r"(?i)^(?:(?:hi|hey|hello|so|and|ok|okay|well),? )*(?:what|why|when|where|who|whom|whose|which|how (?!about)|is |are |was |were"
    r"|does |did |do (?!me )|has |should |tell me|explain|count|define|translate|write|spell)"
)
_MADE = re.compile(r"(?i)\b(?:generate|design|render)(?: me| us)? (?:an?|some) ")
_PLAIN = re.compile(
    r"(?i)\b(?:passwords?|pins?|numbers?|lists?|random|reports?|texts?|names?|uuids?|keys?|tables?|sentences?|sequence|string|poem"
    r"|stor(?:y|ies)|dice|plan|menu|questions?|quiz|words?|letters?|primes?|matrix|schedule|web ?site|class|test|sums?|csv|file)\b"
)
_WORD = re.compile(r"[A-Za-z][A-Za-z'\u2019-]*")
_ALSO = re.compile(
    r"(?i)\b(?:can|could|would|will|may|might) (?:you|u|ya|i|we)\b|\b(?:i|we)(?:'d|\u2019d| would| need| want| am|'m| wanna)\b"
    r"|\b(?:please|pls|plz|gimme|lemme|how about|let'?s)\b"
)
_COUNTS = {
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "a couple of": 2,
    "a pair of": 2,
}
_THINGS = r"(?:pictures|pics|images|illustrations|drawings|paintings|sketches|photos|versions|variants|variations|takes|options)"
_COUNT = re.compile(
    rf"(?i)\b(?P<n>{'|'.join(_COUNTS)}|[2-8])(?P<more>(?: [a-z]+){{0,2}}?) (?P<what>{_THINGS}|logos|icons|posters|portraits)\b"
)
_SIZE = re.compile(
    r"(?i)[,;]?\s*\(?\b(?:(?:in|at|with|of|as|and|size|sized|a|the|resolution|it|should be|make it)[ :]+)*"
    r"(?P<w>\d{2,5})\s*(?:x|by|\u00d7|\*)\s*(?P<h>\d{2,5})(?:\s*(?:px|pixels?|large|big|in size))?\)?"
)
_SQUARE = re.compile(
    r"(?i)[,;]?\s*\(?\b(?:(?:in|at|with|of|as|and|size|sized)[ :]+)*(?P<w>\d{2,5}) ?(?:px|pixels)(?: (?:square|wide|each side|big|large))?\)?"
)
_SEED = re.compile(
    r"(?i)[,;]?\s*\(?\b(?:(?:with|using|and|by|take|use|from)\s+)?(?:the )?(?:random )?seed(?: of|:| number|=)?\s*(?P<s>\d{1,9})\)?"
)
_COURTESY = (
    r"please|pls|plz|thanks(?: a lot| so much| in advance)?|thank (?:you|u)(?: so much| very much| in advance)?|thx|ty|cheers"
    r"|kindly|if (?:you|u) (?:can|could|like|may|would|will|don'?t mind|have (?:the )?time)|if you'd be so kind|if possible|if it'?s (?:not too much|ok)"
    r"|for (?:me|us)|would you|will you|could you|can you|can u|ok|okay|for a change|when you can|when you have a minute|right away"
    r"|now|asap|dear|friend|mate|buddy|quickly|real quick|lol|haha|instead|then"
)
_TAIL = re.compile(rf"(?i)(?:[\s,;:.!?()-]+(?:{_COURTESY}))?[\s,;:.!?)(-]*$")
_LATE = re.compile(
    r"(?i)[\s,;:.!?-]+(?:(?:and|so|then|now|please|pls|can|could|would|will|you|u|ya|just|kindly|maybe|perhaps|to) )*"
    r"(?:draw|paint|sketch|illustrate|make|create|generate|picture|render|do)(?: me| us)?"
    r" (?:it|that|this|them|(?:a |an |me a |one )?(?:picture|image|drawing|painting|pic|illustration)(?: of (?:it|that|this))?)(?: for (?:me|us))?$"
)
_FILLER = frozenset(
    [
        "hi",
        "hey",
        "hello",
        "yo",
        "dear",
        "good",
        "morning",
        "afternoon",
        "evening",
        "there",
        "so",
        "ok",
        "okay",
        "well",
        "now",
        "and",
        "then",
        "also",
        "but",
        "please",
        "pls",
        "plz",
        "kindly",
        "just",
        "maybe",
        "perhaps",
        "quickly",
        "really",
        "simply",
        "can",
        "could",
        "would",
        "will",
        "may",
        "might",
        "you",
        "u",
        "ya",
        "we",
        "i",
        "i'd",
        "id",
        "i'm",
        "im",
        "i'll",
        "am",
        "is",
        "it",
        "to",
        "try",
        "let",
        "lets",
        "let's",
        "me",
        "us",
        "my",
        "our",
        "for",
        "be",
        "so",
        "kind",
        "as",
        "if",
        "able",
        "possible",
        "possibly",
        "very",
        "much",
        "of",
        "with",
        "help",
        "a",
        "an",
        "the",
        "some",
        "one",
        "another",
        "any",
        "new",
        "nice",
        "little",
        "quick",
        "simple",
        "small-ish",
        "lovely",
        "good",
        "pretty",
        "cool",
        "beautiful",
        "great",
        "wonderful",
        "thing",
        "something",
        "gimme",
        "lemme",
        "wanna",
        "gonna",
        "go",
        "ahead",
        "how",
        "about",
        "up",
        "your",
        "best",
        "hand",
        "at",
        "friend",
        "mate",
        "buddy",
        "llmos",
        "computer",
        "machine",
        "that",
        "shows",
        "which",
        "showing",
        "shows",
        "show",
        "depicting",
        "depicts",
        "containing",
        "featuring",
        "representing",
        "represents",
        "represent",
        "about",
        "where",
        "in",
        "on",
        "by",
        "way",
        "computer-made",
        "generated",
        "ai",
        "think",
        "would've",
        "was",
        "wondering",
        "thinking",
        "wonder",
        "were",
        "love",
        "hoping",
        "hope",
        "turn",
        "into",
        "today",
        "more",
        "day",
        "happy",
        "glad",
        "grateful",
        "pleased",
        "next",
        "task",
        "here",
        "goes",
        "again",
    ]
) | {"i\u2019d", "i\u2019m", "let\u2019s", "i've", "you'd", "you\u2019d", "there's", "what's"}
_LINKS = re.compile(
    r"(?i)^(?:of|showing|that (?:shows|depicts|has|contains|represents)|which (?:shows|depicts|has)|with|depicting|about"
    r"|where (?:there is|there are|you see|we see)?|in which|representing|to (?:represent|show|depict|illustrate|go with|match)"
    r"|featuring|containing|for|:|-)\s*"
)
_BARE = re.compile(r"(?i)(?:\b(?:a|an|some|the|one|any|another|nice|new|good|simple|little|small|quick)\b\s*)*")
_IT = re.compile(r"(?i)(?:it|this|that|them|these|those|all (?:of )?(?:this|that|it)|the (?:above|same))")
_REFERS = re.compile(
    r"(?i)\b(?:(?:goes|go|fits|fit|matches|match|belongs?) (?:with |to |together with )?(?:it|this|that|them)|(?:for|of|about|with|to|from|on|represents?|illustrates?|shows?|behind)"
    r" (?:it|this|that|them|these|those)(?: all)?(?=$|[,.;!?])"
    r"|(?:the|this|that|these|those|our|my) (?:company|companies|firm|business|start-?up|topic|subject|theme|story|data|numbers|table|file|plot|chart"
    r"|graph|figures|team|brand|product|report|result|results))\b"
)


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
    size = _SIZE.search(text) or _SQUARE.search(text)
    seed = _SEED.search(text)
    count = _COUNT.search(text)
    for found in (size, seed):
        text = text.replace(found[0], " ") if found else text
    n = 1
    if count and count[0] in text:
        n = min(MOST, _COUNTS.get(count["n"].lower()) or int(count["n"]))
        text = text.replace(count[0], f"a{count['more']} {count['what']}", 1)
    words = _about(" ".join(text.split()), topic)
    if not words:
        return None
    wide, high = (int(size["w"]), int(size.groupdict().get("h") or size["w"])) if size else (0, 0)
    return Scene(words, n, wide, high, int(seed["s"]) if seed else None)


def _wanted(text: str, table: bool, attached: bool) -> bool:
    """Whether a picture is asked for that is painted."""
    if _CHART.search(text) or _DONE.search(text) or (_ASKS.match(text) and not _ALSO.search(text)):
        return False
    words = [w.lower() for w in _WORD.findall(text)]
    noun = any(w in _NOUN or w in _KIND for w in words)
    if table:
        lines = re.search(r"(?i)\b(?:draw|paint) (?:me |us )?an? ", text) is not None and not attached
        return (noun and not attached) or lines or any(_VERB.get(w) == "paint" for w in words)
    if any(w in _VERB for w in words) or (_MADE.search(text) and not _PLAIN.search(text)):
        return True
    if not noun:
        return False
    of = re.search(r"(?i)\b\w+ (?:of|showing|for|with|about|where|that shows|depicting) ", text)
    return any(w in _MAKE for w in words) or bool(_ALSO.search(text)) or bool(of) or len(words) < 8


def _about(text: str, topic: str) -> str:
    """The words that say what to paint, with the ``topic`` where they only refer to it."""
    text = _late(_trimmed(text))
    rest = _trimmed(_led(text))
    if re.match(r"(?i)one (?:with|in|on|that)\b|them\b", rest) and not topic:
        rest = text  # it was said before
    named = re.match(r"(?i)(.+?)[ ,]+(\w+)$", rest)
    if named and named[2].lower() in _NOUN and not re.search(r"(?i)\b(?:of|and|with|on|in) (?:\w+ )?\w+$", rest):
        rest = named[1]  # a lighthouse picture
    if not re.search(r"[^\W\d_]{2}|\d", rest) or _BARE.fullmatch(rest) or rest.lower() in _NOUN:
        return topic and f"a picture of {topic}" if _points(text) or not rest else ""
    if _IT.fullmatch(rest):
        return topic
    if found := _REFERS.search(rest):
        pronoun = re.search(r"(?i)\b(?:it|this|that|them|these|those)(?: all)?$", found[0])
        if pronoun:
            start = found.start() + pronoun.start()
            told = f"{rest[:start]}{topic}{rest[found.end() :]}" if topic else ""
            return _linked(told)
        return f"{rest}, {topic}" if topic else rest
    if rest.lower() in _KIND:
        return f"{rest} for {topic}" if topic else rest
    return rest


def _linked(told: str) -> str:
    """``goes with sales`` as ``sales``."""
    return re.sub(
        r"(?i)^(?:that |which |to )?(?:goes?|fits?|match(?:es)?|belongs?|represents?)(?: together)?(?: with| to)? ",
        "",
        told,
    )


def _points(text: str) -> bool:
    """Whether a request speaks of what there was."""
    return re.search(r"(?i)\b(?:it|this|that|them|these|those|too|also|now|go(?:es)? with|match)\b", text) is not None


def _trimmed(text: str) -> str:
    """A text without courtesy and marks at its end."""
    before = None
    while before != text:
        before, text = text, _TAIL.sub("", text)
    return text.strip(' ,;:.!?-"\u201c\u201d')


def _late(text: str) -> str:
    """A text without an asking that comes last: ``a house on the moon, could you paint it``."""
    found = _LATE.search(text)
    if found and len(text[: found.start()].split()) > 1 and not _starts(text[: found.start()]):
        return text[: found.start()].strip(" ,;:.!?-")
    return text


def _starts(text: str) -> bool:
    return any(w.lower() in _VERB or w.lower() in _NOUN for w in _WORD.findall(text)[:6])


def _led(text: str) -> str:
    """A text without the asking that comes first.

    Read from the left, word by word: fillers, then a verb or a noun for pictures; what follows is what to paint. A
    noun that says how it is to look (a logo, a poster) stays.
    """
    at, cue, article = 0, False, -1
    for word in re.finditer(r"\S+", text):
        plain = word[0].lower().strip(",;:.!?-\"'()\u201c\u201d")
        if plain in ("a", "an", "the", "some", "one", "another"):
            article = word.start()
        if plain in _NOUN:
            rest = text[word.end() :].lstrip(" ,:-")
            linked = _LINKS.sub("", rest)
            if linked != rest or not rest:
                return linked
            return rest
        if plain in _KIND:
            return text[article if article >= at else word.start() :]
        if plain in _VERB:
            rest = text[word.end() :]
            return _objects(rest)
        if plain in _MAKE:
            at, cue, article = word.end(), True, -1
            continue
        if plain in _FILLER or not plain:
            continue
        return _afresh(text, at, article, cue)
    return ""


def _objects(rest: str) -> str:
    """What follows a verb, without for whom and without the noun for a picture."""
    rest = re.sub(r"(?i)^[\s,:-]*(?:(?:me|us|up|for (?:me|us)|please|pls|plz|just|out|kindly|,)[\s,]+)*", "", rest)
    lead = re.match(
        r"(?i)(?:(?:an?|the|some|one|another|nice|little|small|simple|quick|beautiful|lovely|pretty|cute) )*(\w+)\b",
        rest,
    )
    if lead and lead[1].lower() in _NOUN:
        after = rest[lead.end() :].lstrip(" ,:-")
        return _LINKS.sub("", after)
    return rest


def _afresh(text: str, at: int, article: int, cue: bool) -> str:
    """What a request is of whose asking is broken off by a word of its scene: from its noun for pictures on, if one
    comes soon with its link, else from the verb, else from the word itself."""
    later = re.search(
        r"(?i)\b(?P<w>[a-z]+) (?:of|showing|that shows|which shows|depicting|featuring|where|in which|representing|to represent|with) ",
        text[at:],
    )
    if later and later["w"].lower() in _NOUN:
        # A realistic picture of a dog: what it is to be like stays.
        near = article >= 0 and len(text[article : at + later.start()].split()) < 5
        return text[article if near else at + later.end() :]
    for word in _WORD.finditer(text, at):
        if word[0].lower() in _VERB and not cue:
            return _objects(text[word.end() :])
    return text[max(article, at) :].strip()
