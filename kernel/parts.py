"""A request of several parts, one after the other: ``the total, and then a bar chart of it by month``.

With a table each part is a request that goes on from the part before; the embedded kernel does one at a time and tells
all of them in the end. Knows English, no models.
"""

import re
from collections.abc import Sequence

from llmos.kernel.types import Message, Part, Source

SAID = Source("kernel", "part")  # of what stands for the answer to a part that was done
MOST = 4
_WORDS, _LONGEST = 45, 500  # and characters
_DOES = (
    r"(?:please |also |finally |i want |can you |could you )*(?:plot|draw|chart|graph|visuali[sz]e|show|make"
    r"|multiply|divide|add|subtract|convert"
    r"|tell|give|compute|calculate|work out|find|sort|turn|round|halve|double|list|compare|say|name|explain|take"
    r"|which|who|when|what(?! (?:was|is|were|are) (?:it|that|they)\b)|how(?! (?:high|low|much|big|small|long|far)"
    r" (?:was|is|were|did|are) (?:it|that|this|they)\b)|an? (?:\w+ )?(?:\w+ )?(?:chart|plot|graph|histogram|line)\b"
    r"|the (?:average|mean|total|sum|median|maximum|minimum|highest|lowest|difference|percentage|share)\b)"
)
_NEXT = re.compile(
    rf"(?i)(?:[,;.?!]\s*|\s+)(?:and\s+)?(?:then|afterwards|after that|next)\b,?\s+(?={_DOES})"
    rf"|[;.?!]\s+(?:(?:also|and|finally|now)\b,?\s+)?(?={_DOES})"
    r"|,?\s+and\s+(?:also\s+|finally\s+)?(?=(?:please )?(?:plot|draw|chart|graph|multiply|divide|convert|tell me"
    r"|give me|show (?:me )?(?:it|them|that|a )|make (?:it|a )"
    r"|which\b|who\b|how many\b(?! (?:was|were|is|are) (?:it|that|they|there)\b)|what(?:'s| is| was) the\b))"
)
_ASKS = re.compile(
    rf"(?i)(?:{_DOES}|total|average|mean|sum|median|highest|lowest|in (?:which|what)|at (?:which|what)|on (?:which"
    r"|what)|(?:the )?(?:number|count) of|is|are|was|were|do|does|did|the)\b"
)


def split(text: str) -> list[str]:
    """The parts of a request; the whole of it where it has but one."""
    long = len(text) > _LONGEST or len(text.split()) > _WORDS
    if long or "\n" in text.strip() or re.search(r"[\"\u201c\u201d`]", text):
        return [text]
    found, at = [], 0
    for cut in _NEXT.finditer(text):
        end = cut.start() + (text[cut.start()] in "?!")
        if _ASKS.match(text[at:end].strip()) and len(text[at:end].split()) > 1:
            found.append(text[at:end].strip(" ,;."))
            at = cut.end()
    rest = text[at:].strip()
    parts = [*found, rest]
    return parts if 1 < len(parts) <= MOST and all(len(p.split()) > 1 for p in parts) else [text]


def parted(messages: Sequence[Message]) -> list[Message]:
    """The messages, requests of several parts after a table told one by one as far as they were done."""
    made: list[Message] = []
    table, n = False, 0
    while n < len(messages):
        message = messages[n]
        table |= any(p.source.origin in ("file", "library") for p in message.parts)
        end = next((k for k in range(n + 1, len(messages)) if messages[k].role == "user"), len(messages))
        made += _told(message, messages[n + 1 : end]) if message.role == "user" and table else messages[n:end]
        n = end
    return made


def _told(request: Message, after: Sequence[Message]) -> list[Message]:
    own = [n for n, p in enumerate(request.parts) if p.source.origin == "user" and isinstance(p.content, str)]
    text = str(request.parts[own[0]].content) if len(own) == 1 else ""
    parts = split(text)
    if len(parts) == 1:
        return [request, *after]
    first = list(request.parts)
    first[own[0]] = Part(parts[0], request.parts[own[0]].source)
    made, left = [Message("user", tuple(first))], parts[1:]
    for n, message in enumerate(after):
        made.append(message)
        more = n + 1 == len(after) or after[n + 1].calls
        if message.role == "tool" and left and more and not message.text.startswith("error"):
            made.append(Message("assistant", (Part("\u2026", SAID),)))
            made.append(Message("user", (Part(left.pop(0), request.parts[own[0]].source),)))
    return made
