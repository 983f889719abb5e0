"""Answers from documents for a kernel that was not taught to read: a question is looked up, and the sentence copied.

Only what stands in a passage is said, in quotes and with its number; where no sentence is near enough to the question,
that is said of documents that came with the request, and else the kernel answers as ever. It compares and does not
reason: what follows from two sentences it does not find. The passages come by the tool ``recall``.
"""

import re
from collections.abc import Callable, Sequence

from llmos.kernel import noted
from llmos.kernel.clocks import clocks
from llmos.kernel.engine import Model, Sampling
from llmos.kernel.fronts import Front
from llmos.kernel.spoken import spoken
from llmos.kernel.tool import Tool
from llmos.kernel.types import Message, ToolCall

NAME = "recall"
DECLINED = "The documents do not say it."
ATTACHED = "in the memory; recall finds what it says"  # how a document that was taken in is told of
LACKS = "no passage here speaks of all that is named; the nearest lacks:"
# The share of the question's words, and this often the cosine, must come to so much: with less it answers more often,
# and what is not there too. Chosen on the questions of tests/retrieval.
_MEANING, _ENOUGH = 2.0, 1.25
_SENTENCES = 80  # that are compared
_MOST = 500  # characters of a question that are looked up
_LONGEST = 4_000  # and of a request that are read
_KERNEL = re.compile(r"(?i)\b(?:you|your)\b")  # whom a question is asked of, not a document
_TAKEN_IN = re.compile(rf"file '[^\n]*': \d+ passages? {re.escape(ATTACHED)}(?:, open_file reads it)?")
_PASSAGE = re.compile(r"\[(\d+)\] ([^\n]*):\n(.*?)(?=\n\n\[|\n\n\(|\Z)", re.DOTALL)
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n{2,}|\n(?=[-*\u2022] )")
_ASKS = re.compile(
    r"(?i)^\W*(?:(?:and|so|please|ok(?:ay)?|hi|hello)\b\W*)?(?:what|when|where|which|who|whom|whose|why|how|is|are|was|were|does|do|did"
    r"|can|may|must|has|have|will|tell me|find|look up)\b"
)
_OPEN = re.compile(r"(?i)\b(?:what|when|where|which|who|whom|whose|why|how)\b")
WORK = re.compile(
    r"(?i)\d\s*(?:[-+*/^\u00d7x]|times|plus|minus|over)\s*\d|%\s*of\b|\bpercent of\b"
    r"|\b(?:plot|chart|graph|draw|paint|picture|code|program|convert|calculate|compute|square root"
    r"|count|average|how many (?:different |unique )?(?:words?|lines?|letters?|characters?|times|rows?|columns?)"
    r"|(?:longest|shortest|most (?:common|frequent)) (?:words?|lines?|letters?))\b"
)
LITTLE = frozenset(
    re.findall(
        r"\w+",
        """a about an and any are as at be been by can could did do does for from had has have how i if in into is it
    its many may me much must my of on or our please say says tell that the their there these they this to was we
    were what when where which who whom whose why will with would you your""",
    )
)


class Reading(Front):
    """A Model that reads for another.

    ``found`` gives the heads and texts of passages near a question; ``hides``: the other is not told of the tool.
    """

    def __init__(self, model: Model, found: Callable[[str], Sequence[tuple[str, str]]], hides: bool = True) -> None:
        super().__init__(model)
        self._found, self._hides = found, hides
        self._asked = ""  # what was last looked up

    def shown(self, tools: Sequence[Tool]) -> list[Tool]:
        """All but the look-up, where that is hidden."""
        return [tool for tool in tools if not (self._hides and tool.name == NAME)]

    def said(self, messages: Sequence[Message], tools: Sequence[Tool], sampling: Sampling) -> str | ToolCall | None:
        """A look-up, or what it found."""
        asked = question(messages)
        last = messages[-1] if messages else None
        if sampling.choices or last is None or not asked or not any(tool.name == NAME for tool in tools):
            return None
        if last.role == "tool" and last.text.startswith("error"):
            return None  # nothing was read: what is not known is not declined
        if last.role == "tool" and _looked_up(messages):
            # What the other looked up, it tells.
            return answer(asked, last.text) if self._asked == asked or _came(messages) else None
        if last.role != "user" or not (asked.rstrip().endswith("?") or _ASKS.search(asked)):
            return None
        there = best(asked, [(0, head, text) for head, text in self._found(asked)]) is not None
        if there or _declines(messages, asked):
            self._asked = asked
            return ToolCall(NAME, NAME, {"query": asked[:_MOST]})
        return None


def _came(messages: Sequence[Message]) -> bool:
    """Whether a document came with a request; that a file's own words say so is nothing."""
    told = (p for m in messages if m.role == "user" for p in m.parts if p.source.origin == "file")
    return any(_TAKEN_IN.fullmatch(str(part.content)) for part in told)


def _declines(messages: Sequence[Message], asked: str) -> bool:
    """Whether a question that no document answers is one for the documents, and not for the kernel."""
    if not _came(messages) or not _OPEN.search(asked) or WORK.search(asked) or spoken(asked) or clocks(asked):
        return False
    if _came(messages[-1:]):
        return True
    told = [p.content for m in messages[:-1] for p in m.parts if p.source.origin == "user"]
    own = [str(t) for t in told if len(str(t)) < _MOST and (noted.tells(str(t)) or noted.keeps(str(t)))]
    return not _KERNEL.search(asked) and not noted.answering(asked, own, noted.SURELY)


def question(messages: Sequence[Message]) -> str:
    """The request that is answered now."""
    last = next((m for m in reversed(messages) if m.role == "user"), None)
    return str(last.parts[-1].content)[:_LONGEST] if last is not None and last.parts else ""


def answer(asked: str, shown: str) -> str:
    """What the passages that were shown say to a question: the sentence, quoted, or that they do not."""
    found = [(int(number), head, text) for number, head, text in _PASSAGE.findall(shown)]
    chosen = best(asked, found) if LACKS not in shown else None
    if chosen and any(number == chosen[0] and noted.own(head) for number, head, _ in found):
        return noted.read(asked, shown) or f"You told me: \u201c{chosen[1].translate(_INNER)}\u201d [{chosen[0]}]."
    return f"\u201c{chosen[1].translate(_INNER)}\u201d [{chosen[0]}]" if chosen else DECLINED


_INNER = str.maketrans({"\u201c": '"', "\u201d": '"'})


def best(asked: str, passages: Sequence[tuple[int, str, str]]) -> tuple[int, str] | None:
    """The sentence that is nearest to the question by words and by meaning, where it is near enough, and its number."""
    from llmos.kernel.minilm import Embedder

    wanted, numbers = words(asked), set(re.findall(r"\d+", asked))
    if not any(map(str.isalpha, wanted)) or WORK.search(asked):
        return None
    told = [
        (number, head, line)
        for number, head, text in passages
        if numbers <= set(re.findall(r"\d+", f"{head} {text}"))
        for line in _lines(text)
    ][:_SENTENCES]
    if not told:
        return None
    vectors = Embedder.quick().embed([asked, *(f"{head}\n{line}" for _, head, line in told)])
    means = (vectors[1:] @ vectors[0]).tolist()
    near = [len(wanted & words(told[n][2])) / len(wanted) + _MEANING * means[n] for n in range(len(told))]
    at = max(range(len(told)), key=near.__getitem__)
    return (told[at][0], told[at][2]) if near[at] >= _ENOUGH else None


def words(text: str) -> set[str]:
    """The telling words of a text, by their first letters."""
    return {word[:5] for word in re.findall(r"\w+", text.casefold()) if word not in LITTLE}


def _lines(text: str) -> list[str]:
    """Sentences, each on one line."""
    return [" ".join(line.split()).strip(" \u2026") for line in _SENTENCE.split(text) if line.strip(" \u2026\n")]


def _looked_up(messages: Sequence[Message]) -> bool:
    """Whether the result that stands last is that of a look-up."""
    calls = next((m.calls for m in reversed(messages) if m.role == "assistant"), ())
    return bool(calls) and isinstance(calls[-1], ToolCall) and calls[-1].name == NAME
