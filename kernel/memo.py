"""What of a request is kept, or answered by what was kept, before the embedded kernel says anything of its own.

What was taught tells whether a request tells something or asks for it; this knows what was told in the conversation,
and leaves the rest to the memory's tools where they are on. Knows no models.
"""

import re

from llmos.kernel import noted
from llmos.kernel.honest import UNKNOWN
from llmos.kernel.noted import NOTED, RECALL, REMEMBER, UNTOLD
from llmos.kernel.turns import Turn

SAY = "say"
_UNKNOWN = re.compile(r"I do not know|You have not told|I cannot remember")
_LOOKS = ("table", "change", "image")  # kinds of what asks for something other than words
_LIKELY = 0.5  # how like a request such an example has to be
_NUMBER = re.compile(r"(?<![\w.,])\d[\d,]*(?:\.\d+)?(?![\w-])")
# What is told with a number, where a request reckons with it.
_MINE = re.compile(
    r"(?i)\b(?:my|our) (?:[a-z]+ ){0,2}?[a-z]+(?=[\s?.!,]*$|[?.!,*/+]| (?:is|was|be|left|in|by|into|and|with|if|would"
    r"|to|for|then|among|between|plus|minus|times|divided|per|after|please|[-*/+])(?!\w))"
)
_RECKONS = re.compile(
    r"(?i)\d ?%|\bper ?cent|\b(?:plus|minus|times|divided|multipl\w+|add|subtract|half|double|twice|left|remain\w*"
    r"|split|share|third|quarter)\b|[*/+]"
)
_SPELLED = re.compile(r"[@~&]\d")


class Memo:
    """What was told in a conversation; ``keeps``: whether the memory's tools are on."""

    def __init__(self, keeps: bool = False) -> None:
        self._keeps = keeps
        self._noted: list[str] = []  # what was to be kept
        self._said: list[str] = []  # and what else was said of the user's own

    def hear(self, turn: Turn) -> str:
        """The sentence that answers a request by what was told; empty where it is none of that kind.

        Sets what the request is done with (``turn.memo``).
        """
        request = turn.request
        kind, answer = turn.examples[0] if turn.examples else ("", "")
        if turn.attached or turn.going[0] or not request:
            return ""
        elsewhere = kind in _LOOKS and turn.likeness[0] >= _LIKELY
        if not elsewhere and (
            noted.keeps(request) or noted.states(request) or (answer == NOTED and not noted.asks(request))
        ):
            self._noted.append(noted.fact(request))
            lasts = self._keeps and (noted.keeps(request) or not noted.secret(request))
            turn.memo = REMEMBER if lasts else SAY
            return noted.noted(request)
        if not noted.asks(request):
            self._said += [request] if noted.tells(request) else []
            return ""
        if elsewhere:
            return ""
        # What was not told is not kept in mind.
        return self._recalled(turn, answer) or (UNKNOWN if answer == NOTED else "")

    def filled(self, request: str) -> str:
        """The request with the numbers that were told in place of what names them: 20% of my rent."""

        def number(found: re.Match[str]) -> str:
            told = noted.answering(found[0], self._noted, 1.0)
            numbers = _NUMBER.findall(told)
            return numbers[0] if len(numbers) == 1 else found[0]

        return _MINE.sub(number, request) if self._noted and _RECKONS.search(request) else request

    def _recalled(self, turn: Turn, answer: str) -> str:
        surely, told = answer == UNTOLD, [*self._said, *self._noted]
        named = noted.named(turn.request, told)
        likely = bool(surely or named or _UNKNOWN.match(answer))
        # What was to be kept answers what it has all the words of, whoever's it is.
        whole = turn.examples[:1] and turn.examples[0][0] == SAY and noted.answering(turn.request, self._noted, 1.0)
        if not surely and (_SPELLED.search(turn.told) or not (likely or whole or noted.wants(turn.request))):
            return ""
        sentence = noted.recalled(turn.request, told, noted.LEAST if likely else noted.SURELY)
        if not sentence and surely:
            turn.memo = RECALL if self._keeps else SAY
            return noted.listed(turn.request, self._noted)
        turn.memo = SAY if sentence else ""
        return sentence

    def found(self, turn: Turn, result: str) -> str:
        """What is answered once the memory's tool gave this ``result``."""
        if result.startswith("error"):
            return ""
        if turn.memo == REMEMBER:
            return noted.noted(turn.request)
        if not noted.content(turn.request) and not self._noted:
            return noted.ALL
        return noted.read(turn.request, result) or noted.listed(turn.request, self._noted)

    @staticmethod
    def arguments(turn: Turn) -> dict[str, str]:
        """What the memory's tool is called with."""
        return {"text": noted.fact(turn.request)} if turn.memo == REMEMBER else {"query": turn.request[:500]}
