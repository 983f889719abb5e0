"""What the user told the embedded kernel to keep in mind, and what of it answers a later question.

What is told stays in the user's own words, from ``me`` to ``you``: it is quoted, never reasoned on. A question is
answered by what shares its words; where nothing does, that is said, with what was told to be kept. Knows English, no
models; whether a request tells or asks is for what was taught to say, where its words do not (see examples).
"""

import re
from collections.abc import Sequence

from llmos.kernel.slots import alike, words
from llmos.kernel.thesaurus import synonyms

# What was taught is answered with these (training/phrases/direct.yaml).
NOTED = "I will keep that in mind."
UNTOLD = "You have not told me that here, so I do not know it."
ALL = "llmos memory list shows all that I was told to keep."
REMEMBER, RECALL = "remember", "recall"  # the memory's tools that are used for it, where it is on
# Shares of a question's words that what was told has: where it asks for such, and elsewhere.
LEAST, SURELY = 0.5, 0.6
_LISTED = 4  # of what was told, where no question tells which
_LONGEST = 300  # characters of one thing told

_POLITE = r"(?:(?:please|pls|plz|kindly|ok|okay|hey|hi|also|and|so|now|just|oh|llmos|sir),?\s+)*"
_WILL = r"(?:(?:can|could|would|will) you (?:please )?|i (?:want|need|would like) you to |you must |you should )?"
_KEEP = (
    r"(?:remember|do ?n[o'\u2019]?t forget|do not forget|never forget|not forget"
    r"|(?:keep|bear) (?:(?:it|that|this) )?in mind"
    r"|memori[sz]e|commit (?:this|it) to memory|(?:make|take) (?:a )?(?:note|notes)(?: of)?|note(?: down| to self)?"
    r"|jot (?:this )?down"
    r"|write (?:this |it )?down|store|save|put (?:it |this )?on (?:the )?record|keep (?:a )?(?:note|track) of"
    r"|hold on to|keep (?:this|that)"
    r"|for (?:later|the record|future reference|your information)|fyi|just so you know|so you know)"
)
_ASIDE = r"(?: (?:this|something|it)(?: for me| for later)?| for (?:me|later)| down| too| pls| please)*"
_LEAD = re.compile(rf"(?i)^{_POLITE}{_WILL}{_KEEP}\b{_ASIDE}(?:\s*[:,;?\u2013-]\s*|\s+that\s+|\s+)")
_LATE = re.compile(
    rf"(?i)\s*(?:[,;.:\u2013-]|\band\b)?\s*(?:please |pls |kindly )?{_KEEP}(?: (?:that|this|it))?(?: for (?:me|later))?"
    r"(?:,? (?:please|pls|thanks|ok|okay))*\s*[.!]*$"
)
# What is as often said of files, charts and sums: save it as a png, note the difference. Then a fact has to follow.
_WEAK = re.compile(
    r"(?i)\b(?:note(?! to self)|notes|jot|write|store|save|hold on to|keep (?:this|that|a note|note|track))\b[^:]*$"
)
_FACT = re.compile(
    r"(?i)\b(?:is|are|was|were|am|has|have|had|lives?|works?|\w{3,}ed|goes|comes|costs?|needs?)\b|['\u2019]s "
    r"|^(?:my|our)\b[^:]*: ?\w"
)
_ASKS = re.compile(
    r"(?i)^(?:(?:so|and|ok|okay|hey|hi|now|sorry|please|pls),?\s+)*(?:what|which|who|whose|whom|where|when|why|how|is|are|was"
    r"|were|do|does|did|have|has|had|can|could|will|would|should|am|remind me|tell me|recall|list|say|give me|show me"
    r"|any idea|whats|wheres|whos|whens)\b|\?\s*$"
)
_WHAT = re.compile(r"(?i)(?:what|who|whose|when|where|which|why|how)\b")  # what is asked to be remembered
_YOU = re.compile(r"(?i)(?:so |and )?(?:can|could|do|will|would) you\b")
_SECRET = re.compile(
    r"(?i)\b(?:pass ?(?:word|code|phrase)s?|pin|cvv|iban|secret|(?:credit )?card number|api key|token)\b"
)
_OWN = re.compile(r"(?i)\b(?:my|mine|our|ours|i|me|we|us)\b")
_SAID = re.compile(
    r"(?i)\b(?:i|we) (?:told|tell|said|say|asked|ask|mention\w*|gave)\b|\b(?:told|remind|remember|recall)\b"
)
_NAMES = re.compile(r"(?i)^(?:i\b|i['\u2019]|my\b|our\b|we\b|the\b|an?\b|this\b|[a-z]+['\u2019]s\b)")
_STATES = re.compile(
    r"(?i)(?!.*\b(?:want|how|what|than|per|plus|times|percent|and i|convert\w*|split|divided?|into|minus|question"
    r"|problem|attached|(?:not|n't) work\w*|broken|help)\b)(?!.*\d.* in \w+[.!]?$)"
    r"(?:my|our) [\w'\u2019-]+(?: [\w'\u2019-]+){0,3} (?:is|are|was|were)(?: [\w.'\u2019-]+){1,6}[.!]?"
)
_SPEAKS = re.compile(r"(?i)^(?:i|we)\b")
_VERB = re.compile(
    r"(?i)\b(?:is|are|was|were|am|has|have|had|'s|['\u2019]m|lives?|works?|\w+ed|goes|comes|costs?|needs?)\b"
)
_PASSAGE = re.compile(r"(?m)^\[(\d+)\] (.*):\n((?:(?!\[\d+\] |\().*\n?)+)")
_NOTE = re.compile(r"note of \d{4}-\d\d-\d\d by the \w+")
_TURNS = (
    (r"\bi['\u2019]?m\b|\bi am\b", "you are"),
    (r"\bi was\b", "you were"),
    (r"\bi['\u2019]ve\b", "you have"),
    (r"\bi['\u2019]ll\b", "you will"),
    (r"\bi['\u2019]d\b", "you would"),
    (r"\bwe['\u2019]re\b", "you are"),
    (r"\b(?:i|we|me|us)\b", "you"),
    (r"\b(?:my|our)\b", "your"),
    (r"\b(?:mine|ours)\b", "yours"),
    (r"\b(?:myself|ourselves)\b", "yourself"),
)
_LITTLE = """
a about again am an and any are ask asked at be been before by can could d did do does earlier for from give had has
have here hey hi how i idea in is it its just know list ll m me mention mine my note noted now of ok on one or our
ours please pls re recall remember remind right s said say show so something still t tell that the then there thing
this to told us ve was we were what whats when whens where wheres which who whom whos whose why will with would you
your
"""
_EMPTY = frozenset(_LITTLE.split())
# Ways of telling the same of oneself; a line is a group.
_GROUPS = [
    set(line.split())
    for line in """
name called call
live address home
job work works employed living
birthday born
mum mother mom
dad father
kid child son daughter
phone telephone mobile
park parked car
allergic allergy eat nut
colour color
favourite favorite like love
car auto
dog cat pet
code number pin password combination
leave leaves depart
level floor
""".strip().splitlines()
]


def keeps(request: str) -> bool:
    """Whether a request says in so many words that something be kept in mind."""
    text = " ".join(request.split())
    if text.endswith("?") and not re.match(rf"(?i){_POLITE}(?:can|could|would|will) you", text):
        return False
    asked = _LEAD.match(text) or (_LATE.search(text) if _NAMES.match(text) else None)
    told = fact(request)
    if not asked or not told or (_WHAT.match(told) and _YOU.match(text)):
        return False
    return not _WEAK.search(asked[0].strip()) or _FACT.search(told) is not None


def states(request: str) -> bool:
    """Whether a request only tells what a thing of the user's own is: my flight number is LH 441."""
    return _STATES.fullmatch(" ".join(request.split())) is not None


def secret(request: str) -> bool:
    """Whether a request speaks of what is better not written down unless that is asked for."""
    return _SECRET.search(request) is not None


def asks(request: str) -> bool:
    """Whether a request is a question, or asks to be reminded."""
    return _ASKS.search(" ".join(request.split())) is not None


def tells(request: str) -> bool:
    """Whether a request says something of the user's own, and asks for nothing."""
    return not asks(request) and _OWN.search(request) is not None and _NAMES.match(request.strip()) is not None


def fact(request: str) -> str:
    """What a request tells, without the asking to keep it."""
    text = " ".join(request.split())[:_LONGEST]
    late = _LATE.search(text)
    if late and late.start() > 0 and len(text[: late.start()].split()) > 1 and not _LEAD.match(text):
        text = text[: late.start()]
    text = _LEAD.sub("", text, count=1)
    return text.strip(" ,;:.!\u2013-")


def turned(told: str) -> str:
    """What the user told, said to the user."""
    for pattern, said in _TURNS:
        told = re.sub(rf"(?i){pattern}", said, told)
    return told


def noted(request: str) -> str:
    """What is answered to something told: that it is kept, and what."""
    told = fact(request)
    return f"{NOTED[:-1]}: {_said(told)}." if told else NOTED


def recalled(question: str, told: Sequence[str], least: float) -> str:
    """What is answered to a question by what was ``told``, the latest last; empty where nothing answers it."""
    best = answering(question, told, least)
    return f"You told me: {_said(best)}." if best else ""


def listed(question: str, told: Sequence[str]) -> str:
    """What is answered to a question that nothing told answers: what else was told."""
    if not told:
        return UNTOLD
    kept = "; ".join(_said(one) for one in list(dict.fromkeys(told))[-_LISTED:])
    if content(question):
        return f"You have not told me that here. You did tell me: {kept}."
    return f"You told me: {kept}."


def answering(question: str, told: Sequence[str], least: float) -> str:
    """What was told that has most of a question's words, at least that share; of such alike the shorter, the later."""
    asked = content(question)
    found = [(_share(asked, one), -len(content(one)), n) for n, one in enumerate(told)]
    share, _, n = max(found, default=(0.0, 0, 0))
    return told[n] if asked and share >= least else ""


def read(question: str, result: str) -> str:
    """What is answered to a question by what the tool ``recall`` found; empty where that does not answer it."""
    found = {text.strip(): (number, named) for number, named, text in _PASSAGE.findall(result)}
    best = answering(question, [*found][::-1], LEAST)
    if not best:
        return ""
    number, named = found[best]
    told = max(re.split(r"(?<=[.!?])\s+|\n", best), key=lambda one: _share(content(question), one)).rstrip(".")
    return f"You told me: {_said(told)} [{number}]." if own(named) else f"\u201c{told}\u201d [{number}]."


def own(named: str) -> bool:
    """Whether a passage so named is a note of what the user told, and not of what others may have put there."""
    return _NOTE.fullmatch(named) is not None


def named(question: str, told: Sequence[str]) -> bool:
    """Whether a question names somebody, or something, that was told of by name."""
    names = set(re.findall(r"(?<=\s)[A-Z][a-z]+", question))
    return any(name in one for name in names for one in told)


def wants(question: str) -> bool:
    """Whether a question speaks of the user's own, or of what was said."""
    return asks(question) and (_OWN.search(question) is not None or _SAID.search(question) is not None)


def content(text: str) -> list[str]:
    """The words of a text that say what it is about."""
    plain = re.sub(r"['\u2019]s\b", "", text)
    return [w for w in dict.fromkeys(words(plain)) if w not in _EMPTY and f"{w}s" not in _EMPTY]


def _share(asked: Sequence[str], told: str) -> float:
    known = content(told)
    return sum(any(_same(a, b) for b in known) for a in asked) / max(1, len(asked))


def _same(one: str, other: str) -> bool:
    a, b = _plain(one), _plain(other)
    return a == b or alike(one, other) or synonyms(one, other) or any({a, b} <= g or {one, other} <= g for g in _GROUPS)


def _plain(word: str) -> str:
    for ending in ("ing", "ed", "e"):
        if word.endswith(ending) and len(word) > len(ending) + 1:
            return word.removesuffix(ending)
    return word


def _said(told: str) -> str:
    """A statement to the user in the user's own words; what is no whole one is quoted."""
    if _SPEAKS.match(told) or (_NAMES.match(told) and _VERB.search(told)):
        return turned(told)
    return f'"{told}"'
