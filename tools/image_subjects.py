"""Subjects of which no picture is made. Words alone are looked at: a fence, not a wall.

A checkpoint may have a filter of its own beside this; what it paints without being asked, nobody here looks at.
"""

import re

_CHILD = r"(?:child(?:ren)?|kids?|minors?|toddlers?|bab(?:y|ies)|infants?|pre-?teens?|teen(?:ager)?s?|under-?age|"
_CHILD += r"school ?(?:girl|boy)s?|little (?:girl|boy)s?|lolis?|shotas?|(?:1[0-7]|[1-9])[- ]years?[- ]olds?)"
_SEXUAL = r"(?:nud(?:e|es|ity)|naked|topless|undress(?:ed|ing)?|sex(?:y|ual|ually)?|erotic(?:a|ally)?|porn\w*|hentai|"
_SEXUAL += r"lingerie|nsfw|genital\w*|orgasm\w*|seductive(?:ly)?|sensual(?:ly)?)"
_EXPLICIT = r"(?:porn\w*|hentai|nsfw|genital\w*|orgasm\w*|sex act|having sex|blow ?jobs?)"
_PAPERS = r"(?:passports?|identity cards?|id cards?|driving licen[cs]es?|driver'?s licen[cs]es?|banknotes?|bank notes?|"
_PAPERS += r"dollar bills?|euro notes?)"
_FALSE = r"(?:fake|forged?|counterfeit|realistic|real-looking|photo(?:graph)? of)"

_RULES = (
    ("children in a sexual way", (_CHILD, _SEXUAL)),
    ("pornography", (_EXPLICIT,)),
    ("forged papers or money", (_FALSE, _PAPERS)),
)


def refused(prompt: str) -> str:
    """One line where no picture is made of this, else an empty string."""
    words = " ".join(prompt.lower().split())
    for what, needed in _RULES:
        if all(re.search(rf"\b{pattern}\b", words) for pattern in needed):
            return f"no picture is made of {what}; ask for another subject"
    return ""
