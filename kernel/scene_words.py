"""The words with which people ask for pictures, as sets and patterns for :mod:`llmos.kernel.scene`. English alone."""

import re
from collections.abc import Iterator


def _words(text: str) -> list[str]:
    return text.split()


def _any(text: str) -> str:
    """A pattern for any of these, one a line or set apart by bars."""
    return "|".join(part.strip() for line in text.strip().splitlines() for part in line.strip().split(" | "))


# Slips of the finger that are words of their own.
_OTHERS = frozenset(_words("pant pint pain raw daw con log mage past ion do"))


def _slips(word: str) -> Iterator[str]:
    """A word with two letters swapped or one doubled, a longer one also with one left out."""
    for n in range(1, len(word)):
        yield word[:n] + word[n - 1] + word[n:]
        yield word[: n - 1] + word[n] + word[n - 1] + word[n + 1 :]
        if len(word) > 6:
            yield word[:n] + word[n + 1 :]


def _known(text: str) -> dict[str, str]:
    """Words, and their slips, each with the word that is meant."""
    plain = _words(text)
    found = {slip: word for word in plain if len(word) > 3 for slip in _slips(word) if slip not in _OTHERS}
    return found | {word: word for word in plain}


# Words for a picture that say nothing of what it shows, and those that do: a logo is no photo.
NOUNS = _known(
    "picture pictures pic pics image images illustration illustrations drawing drawings painting paintings sketch"
    " sketches photo photos photograph photographs graphic graphics art artwork artworks doodle doodles visual visuals"
    " versions variants variations imge piccy pix"
)
KINDS = _known(
    "logo logos icon icons poster posters portrait portraits cartoon cartoons comic postcard postcards wallpaper flag"
    " watercolour watercolor watercolours watercolors banner mascot avatar badge emblem sticker stickers flyer mural"
    " caricature clipart emoji fresco card cards"
)
VERBS = _known("draw paint sketch illustrate doodle depict portray scetch skech") | {"drw": "draw", "pait": "paint"}
MAKES = _known(
    "make create generate produce design render give show get do need want like love have see whip come imagine"
    " craft fancy wish send use try put fix prepare add compose conjure invent provide"
)
FILLERS = frozenset(
    _words(
        "hi hey hello yo dear good morning afternoon evening there so ok okay well now and then also but please pls plz"
        " kindly just maybe perhaps quickly quick real really simply can could would will may might you u ya we i i'd"
        " id i'm im i'll am is it to try let lets let's me us my our for be kind as if able possible possibly very"
        " much of with help a an the some one another any new nice little simple lovely pretty cool beautiful great"
        " wonderful thing something gimme lemme wanna gonna go ahead how about up your best hand at friend mate buddy"
        " llmos computer machine that shows which showing show depicting depicts containing representing represents"
        " represent where in on by way think would've was wondering thinking dreaming wonder were hoping hope turn"
        " into today more day happy glad grateful pleased next task here goes again surprise brush brushes grab out"
        " different i\u2019d i\u2019m let\u2019s i've you'd you\u2019d there's what's been all whether few"
    )
)

# What numbers draw.
CHART = re.compile(
    r"(?i)\b(?:"
    + _any(r"""
        (?:re)?plot\w* | graph(?:s|ed|ing)? | charts? | histograms? | hist | scatter\w* | box ?plots? | bars
        bar ?(?:chart|graph|plot)s? | diagrams? | curves? | axis | axes | slopes? | trends? | trend ?lines? | regression
        heat ?maps? | time ?series | sines? | cosines? | tangent | parabolas? | hyperbolas? | functions? | polynomials?
        equations? | derivatives? | logarithm\w* | sin | cos | distribution | number line | conclusions? | lots | straws
        matplotlib | flow ?charts? | timeline | columns? | rows? | spreadsheets? | ascii | python | code | mandelbrot
        (?:sales|prices?|revenue|profit|costs?|rainfall|temperatures?|numbers|values)\b.*\b(?:by|per|over|for each)
        (?:data|figures)\b.*\b(?:by|per|over|for each) | over time | versus | vs
        against (?:the )?(?:year|month|day|time)\w*
        (?:by|per|each|every) (?:year|month|week|quarter) | (?:per|each|every) day | radius | diagonals? | degrees
        (?:right|isosceles|equilateral) triangles? | venn | map of
    """)
    + r")\b|[a-z]\s*\^\s*\d|\b[yf]\s*(?:\(x\))?\s*="
)
# What is done with pictures that are there, and who speaks of one that was made.
DONE = re.compile(
    r"(?i)\b(?:(?:what|who)(?:'s| is| are| was)? (?:is |are )?(?:in|on) (?:this|the|that|my)|(?:see|describe|look at"
    r"|edit|crop|resize|rotate|scan|delete|remove|open|save|find|search|google|download|upload|turn|rename|convert"
    r"|upscale|sharpen|brighten|read|count)\b.*\b(?:this|the|that|my|your) (?:\w+ )?(?:picture|photo|image|pic|selfie"
    r"|drawing|screenshot)s?|how (?:many|much)|what (?:is|are) (?:its|the|their)"
    r"|(?:did you|have you) (?:make|made|paint|painted|draw|drawn))\b"
)
# Questions, which want to know something, and what makes a wish of one.
ASKS = re.compile(
    r"(?i)^(?:(?:hi|hey|hello|so|and|ok|okay|well),? )*(?:what|why|when|where|who|whom|whose|which|how (?!about)|is "
    r"|are |was |were |does |did |do (?!me |us |an? )|has |should |tell me|explain|count|define|translate|write|spell)"
)
ALSO = re.compile(
    r"(?i)\b(?:can|could|would|will|may|might) (?:you|u|ya|i|we)\b|\byou (?:can|could|might)\b|\bpossible\b"
    r"|\b(?:i|we)(?:'d|\u2019d| would| need| want| am|'m| wanna)\b|\b(?:please|pls|plz|gimme|lemme|how about|let'?s)\b"
    r"|\bi(?:'|\u2019)?d like\b"
)
MADE = re.compile(r"(?i)\b(?:generate|design|render)(?: me| us)? (?:an?|some) |\b(?:painted|drawn)\b")
PLAIN = re.compile(
    r"(?i)\b(?:passwords?|pins?|numbers?|lists?|random|reports?|texts?|names?|uuids?|keys?|tables?|sentences?|sequence"
    r"|string|poem|stor(?:y|ies)|dice|plan|menu|questions?|quiz|words?|letters?|primes?|matrix|schedule|web ?site"
    r"|class|test|sums?|csv|file|conclusion)\b"
)

COUNTS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8} | {
    "a couple of": 2,
    "a pair of": 2,
}
COUNT = re.compile(
    rf"(?i)\b(?P<n>{'|'.join(COUNTS)}|[2-8])(?P<more>(?: [a-z]+){{0,2}}?) (?P<what>pictures|pics|images|illustrations"
    r"|drawings|paintings|sketches|photos|versions|variants|variations|logos|icons|posters|portraits)\b"
)
_BEFORE = r"(?i)[,;]?\s*\(?\b(?:(?:in|at|with|of|as|and|size|sized|resolution|make it|should be)[ :]+)*"
SIZE = re.compile(
    _BEFORE + r"(?P<w>\d{2,6})\s*(?:x|by|\u00d7|\*)\s*(?P<h>\d{2,6})(?:\s*(?:px|pixels?|large|big|in size))?\)?"
)
SQUARE = re.compile(_BEFORE + r"(?P<w>\d{2,6}) ?(?:px|pixels)(?: (?:square|wide|each side|big|large))?\)?")
SEED = re.compile(
    r"(?i)[,;]?\s*\(?\b(?:(?:with|using|and|by|take|use|from)\s+)?(?:the )?(?:random )?seed(?: of|:| number|=)?\s*"
    r"(?P<s>\d{1,9})\)?"
)

_COURTESY = _any(r"""
    please | pls | plz | thanks(?: a lot| so much| in advance)? | thank (?:you|u)(?: so much| very much| in advance)?
    thx | ty | cheers | kindly | if (?:you|u) (?:can|could|like|may|would|will|don'?t mind|have (?:the )?time)
    if you'd be so kind | if possible | if it'?s (?:not too much|ok) | for (?:me|us) | would you | will you | could you
    can you | can u | ok | okay | for a change | when you can | when you have a minute | right away | now | asap
    dear | friend | mate | buddy | quickly | real quick | lol | haha | instead | then | in it | to choose from | too
    (?:would|that would|it would) be (?:great|nice|cool|lovely|good)
    as an? (?:\w+ )?(?:picture|image|painting|drawing|pic|sketch|illustration|photo) | and (?:draw|paint) (?:it|that)
    (?:painted|drawn)(?: for .*)? | (?:make|turn) (?:that|it|this) (?:into )?an? (?:picture|image|painting|drawing)
""")
TAIL = re.compile(rf"(?i)(?:[\s,;:.!?()-]+(?:{_COURTESY}))?[\s,;:.!?)(-]*$")
# An asking that comes last, and what comes before one.
LATE = re.compile(
    r"(?i)[\s,;:.!?-]+(?:(?:and|so|then|now|please|pls|can|could|would|will|you|u|ya|just|kindly|maybe|perhaps|to) )*"
    r"(?:draw|paint|sketch|illustrate|make|create|generate|picture|render|do)(?: me| us)? (?:it|that|this|them|one"
    r"|(?:a |an |me a |one )?(?:picture|image|drawing|painting|pic|illustration)(?: of (?:it|that|this))?)"
    r"(?: for (?:me|us|h(?:er|im)))?$"
)
EARLY = re.compile(
    r"(?i)^(?:.*?\bcan(?:no|'|\u2019)?t (?:draw|paint)[^,.;]*[,.;] *(?:so )?"
    r"|(?:picture|imagine|think of) this[^:]*:\s*)"
)
LINKS = re.compile(
    r"(?i)^(?:this time )?(?:"
    + _any(r"""
        of | showing | that (?:shows|depicts|has|contains|represents) | which (?:shows|depicts|has) | with | depicting
        about | where (?:there (?:is|are)|you see|we see)? | in which(?: there (?:is|are))? | representing | from
        to (?:represent|show|depict|illustrate|go with|match) | featuring | containing | for | : | -
    """)
    + r")\s*"
)
LINKED = re.compile(
    r"(?i)\b(?P<w>[a-z]+) (?:of|showing|that shows|which shows|depicting|featuring|where|in which|representing"
    r"|to represent|with|from) "
)
ARTICLES = re.compile(
    r"(?i)(?:(?:an?|the|some|one|another|any|nice|new|good|little|small|simple|quick|beautiful|lovely|pretty|cute) )*"
)
BARE = re.compile(rf"{ARTICLES.pattern}(?:an?|the|some|one|another|any|nice|new|good|simple)?")
FOR = re.compile(r"(?i)^[\s,:-]*(?:(?:me|us|up|for (?:me|us)|please|pls|plz|just|out|kindly|,)[\s,]+)*")

# What only refers to what the session is about.
IT = re.compile(r"(?i)(?:it|him|her|this|that|them|these|those|all (?:of )?(?:this|that|it)|the (?:above|same))")
POINTS = re.compile(r"(?i)\b(?:it|this|that|them|these|those|too|also|now|go(?:es)? with|match)\b")
PRONOUN = re.compile(r"(?i)\b(?:it|this|that|them|these|those)(?: all)?$")
REFERS = re.compile(
    r"(?i)\b(?:(?:goes|go|fits|fit|matches|match|belongs?) (?:with |to |together with |along with )?"
    r"(?:it|this|that|them)"
    r"|(?:for|of|about|with|(?<!next )to|from|represents?|illustrates?|shows?|behind) (?:it|this|that|them|these|those)"
    r"(?: all)?(?=$|[,.;!?])|(?:the|this|that|these|those|our|my) (?:company|companies|firm|business|start-?up|topic"
    r"|subject|theme|story|data|numbers|table|file|figures|team|brand|product|report|results?))\b"
)
SURELY = re.compile(
    r"(?i)\b(?:images?|illustrations?|logos?|icons?|posters?|paintings?|mascots?|portraits?|cartoons?|photos?|artwork"
    r"|picture (?:to|that|which|for)|(?:draw|paint) (?:me |us )?an?)\b"
)
GOES = re.compile(
    r"(?i)^(?:that |which |to )?(?:go(?:es)?|fits?|match(?:es)?|belongs?|represents?)(?: together| along)?"
    r"(?: with| to)? "
)
