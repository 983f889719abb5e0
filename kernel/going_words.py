"""Words of requests that go on from an earlier one: what they leave as it is, and what they change. Knows English."""

import re

# Words that say nothing of what is asked.
_FILLERS = """
a about actually add added after again ah all alone alright also altogether an and another any are as as-is at be been
before between bit but by came can case color colour column columns come comes concerning could data did different do
does doing done down during each enough entire exactly figure figures fine first for from get give go goes group
groups had happen happened has have having here hey hi hm hmm how hows i if in instead into is it its just kind kindly
let's lets like long look looks made make many me meant mind much my need next no nope not now number numbers of off
often oh ok okay on one ones only oops or other our out over own per period please pls plz precisely put rather
regarding region right row rows same say see show since so sorry sort span specifically split still table take tell
than thank thanks that that's thats the their them then there there's these they thing things this those through till
time timeframe to too try until up us use value values wait want was we well were what what's whats when where which
who whole whos whose will with within would yeah year years yes you your
beside besides brought compare compared counted earned every lost
measured made paid picked produced recorded scored seen sold spent taken used went won zoom
"""
FILLERS = frozenset(_FILLERS.split())
_COLORS = (
    "red|green|blue|orange|purple|black|pink|brown|gr[ae]y|teal|navy|gold|yellow|violet|turquoise|magenta|cyan|maroon"
    "|crimson|olive|lime|indigo|salmon|coral|tomato|orchid|khaki|lavender|beige|silver|steelblue|darkgreen|darkblue"
)
COLORS = re.compile(rf"(?i)\b(?:(?P<shade>dark|light|deep|pale|bright) ?)?(?P<plain>{_COLORS})\b")
# Those that there are by a name of their own.
SHADES = frozenset(
    [f"dark{c}" for c in ("blue", "cyan", "gray", "green", "grey", "magenta", "orange", "red", "salmon", "turquoise")]
    + [f"light{c}" for c in ("blue", "coral", "cyan", "gray", "green", "grey", "pink", "salmon", "yellow")]
)
MEANS = {
    r"\b(?:average|averages|avg|averaged|mean|means|typical|typically)\b": "mean",
    r"\bmedian\b": "median",
    r"\b(?:totals?|sum|summed|altogether|overall|all together|in all|add(?:ed)? (?:them |it )?(?:all )?up)\b": "total",
    r"\b(?:std|sd|standard deviation|deviation)\b": "spread",
    r"\brange\b": "range",
}
LARGE = re.compile(
    r"(?i)\b(?:highest|largest|biggest|greatest|most|maxim\w+|max|peak\w*|heaviest|oldest|longest|tallest|priciest"
    r"|dearest"
    r"|fastest|quickest|hottest|warmest|wettest|richest|widest|busiest|strongest|best|farthest|furthest|deepest|top)\b"
)
SMALL = re.compile(
    r"(?i)\b(?:lowest|smallest|fewest|least|minim\w+|min|lightest|youngest|shortest|cheapest|slowest|coldest|coolest"
    r"|driest|poorest|narrowest|quietest|weakest|worst|nearest|rarest)\b"
)
MAX = re.compile(
    r"(?i)\b(?:maxim\w+|max|minim\w+|min|(?:highest|lowest|largest|smallest|peak) (?:value|number|figure))\b"
)
NAMED = re.compile(r"(?i)\b(?:which|who|whose|when|where|what (?:year|month|day|date|time|week|quarter|hour))\b")
WHICH = re.compile(
    r"(?i)(?:and |so |ok |but |then )*(?:(?:in|on|at|from) )?(?:which|who|whose|when|where|what (?:year|month|day"
    r"|date|time|week|quarter|hour))\b"
)
WHEN = re.compile(r"(?i)\bwhen\b")
COUNTED = re.compile(r"(?i)\b(?:how many|count|number of)\b")
HOW = re.compile(
    r"(?i)\bhow (?:many|much|high|low|big|large|small|long|old|tall|heavy|far|fast|deep|hot|cold)\b|\bwhat(?:'s| is"
    r"| was) (?:the|that) (?:value|number|amount|figure)\b"
)
THOSE = re.compile(r"(?i)\b(?:of (?:those|these|them)|those|these|them|among (?:those|these|them))\b")
ITS = re.compile(r"(?i)\b(?:its|it|his|her|their|they|he|she|that (?:one|[a-z]+)|the same one)\b")
BESIDE = re.compile(
    r"(?i)\b(?:add|also|too|as well|along ?side|in addition|together|both|plus|with it|beside|next to"
    r"|compared? (?:it |that )?(?:with|to)|(?:in|into|on)(?:to)? the same (?:graph|chart|plot|picture|figure"
    r"|diagram))\b"
)
AGAIN = re.compile(
    r"(?i)\b(?:undo|revert|trend\w*|regression|extrapolat\w*|extend|continue|smooth\w*|rolling|moving|titles?|heading"
    r"|labels?|axis|axes|grid\w*|markers?|rotat\w*|bins?|legend|hist\w*|box ?plot|whiskers?|percent\w*|%|half"
    r"|double|twice|triple"
    r"|difference|ratio|times|divided?|multipl\w+|plus|minus|subtract|square\w*|cube\w*|convert|round\w*"
    r"|between (?:those|these|them|the)"
    r"|(?:those|these|the) two|both|together|combined|why|(?:does|do|did)\b.*\bmean|explain|correlat\w*"
    r"|scatter.* by|stacked)\b|[+*/^=]"
)
ORDER = re.compile(
    r"(?i)\b(?:sort\w*|order(?:ed)?|rank\w*|descending|(?:big|large|high|tall)\w*(?: one| bar)?s? first)\b"
)
_N = r"\d{1,3}"
TOP = re.compile(
    rf"(?i)\b(?:(?:top|best|first|largest|highest|biggest|(?P<low>bottom|worst|lowest|smallest)) (?P<n>{_N})"
    rf"|(?P<m>{_N}) (?:largest|highest|biggest|best|most|tallest|(?P<least>worst|lowest|smallest|cheapest|fewest)))\b"
)
ORDINALS = {"second": 2, "2nd": 2, "next": 2, "runner-up": 2, "third": 3, "3rd": 3, "fourth": 4, "4th": 4, "fifth": 5,
            "5th": 5}  # fmt: skip
NTH = re.compile(
    rf"(?i)\b(?P<n>{'|'.join(ORDINALS)})(?:[- ](?:[a-z]+est|most|best|worst|least|one|place))?(?=[\s?.!]*$| )"
)
CORRELATED = re.compile(r"(?i)\bcorrelat\w*")
SHARE = re.compile(r"(?i)\b(?:per ?cent(?:age)?|pct|share|proportion|fraction)\b|%")
BEYOND = re.compile(
    r"(?i)\b(?:(?P<more>above|over|beat|(?:more|higher|greater|bigger|better) than)|(?P<less>below|under|(?:less|lower"
    r"|fewer|smaller|worse) than)) (?P<what>that|it|this|(?:the )?(?:average|mean|median)"
    r"|\d[\d.,]*)\b"
)
EVERYTHING = re.compile(
    r"(?i)\b(?:all|every|entire|whole|full) (?:of )?(?:the |it |them )*(?:years?|months?|days?|weeks?|data|rows|table"
    r"|period|range|lot)\b"
    r"|\beverything\b|\b(?:without|remove|drop|no) (?:the |that |any )?filters?\b"
)
# What is put into the last chart, whatever was asked since.
INTO = re.compile(
    r"(?i)\b(?:put|add|include|draw)\b.*\b(?:in|into|to|on) (?:there|it|(?:the|that|this) (?:same )?(?:chart|plot|graph"
    r"|picture|figure|diagram))\b"
)
BACK = re.compile(
    r"(?i)\b(?:back|return|again|revert|restore)\b.*\b(?:(?P<first>first|original|initial)|(?P<last>previous|last|earlier"
    r"|one before))\b(?=.*\b(?:chart|plot|graph|diagram|picture|figure|one|version)\b)"
)
BESIDES = re.compile(r"(?i)\b(?:side by side|next to each other|in one|show)\b")
BOTH = re.compile(r"(?i)\b(?:both|the two)\b")
KINDS = [
    (re.compile(r"(?i)\bhorizontal\w*|\bsideways|\bbarh\b|\blying bars"), "barh"),
    (re.compile(r"(?i)\bbars?\b|\bcolumn (?:chart|graph|plot)|\bbar(?:chart|graph|plot)|\bvertical"), "bar"),
    (re.compile(r"(?i)\bpies?\b|\bpie ?chart"), "pie"),
    (re.compile(r"(?i)\bscatter\w*|\bdots?\b|\bpoints?\b"), "scatter"),
    (re.compile(r"(?i)\bareas?\b|\bfill(?:ed)?\b"), "area"),
    (re.compile(r"(?i)\blines?\b|\bcurves?\b|\bline(?:chart|graph|plot)"), "line"),
]
PLOTTED = re.compile(r"(?i)\b(?:re)?(?:plot|draw|chart|graph|diagram|visuali[sz]e|picture)(?:ed|s|n)?\b")
_SAID = r"(?:charts?|graphs?|plots?|diagrams?|pictures?|figures?|drawn?|redraw|replot|visuali[sz]e)"
CHART_WORDS = re.compile(
    rf"(?i)\b{_SAID}\b|\bhorizontal(?:ly)?\b|\bsideways\b|\b(?:as|in|with|into|to|of) (?:an? )?(?:bars?|lines?"
    r"|pies?|dots|points|areas?|columns)\b"
    r"|^(?:now )?(?:bars?|lines?|pie|dots|barh|area|scatter\w*)\b|\bbar(?:chart|graph)?s?\b|\bpie\b"
    r"|\blog(?:arithmic)? (?:scale|axis)\b"
)
# What of a request is explained by its class, and no value.
CLASSES = re.compile(
    re.sub(
        r"\(\?P<\w+>",
        "(?:",
        "|".join(
            [
                *(p for p in MEANS),
                *(
                    f"(?:{r.pattern.removeprefix('(?i)')})"
                    for r in (LARGE, SMALL, MAX, TOP, ORDER, COUNTED, COLORS, NTH)
                ),
            ]
        ),
    )
    + "|" + "|".join(p.pattern.removeprefix("(?i)") for p, _ in KINDS)
    + rf"|\b{_SAID}\b|\blog(?:arithmic)?\b|\bscale\b|\bbelong\w*|\bleads?\b"
    r"|\b(?:high|low|big|large|old|tall|heavy|far|fast|deep|hot|cold)\b"
    r"|\bonwards?\b|\bpeaks?\b|\bversion\b|\bformat\b|\bform\b|\bcolou?r\b|\bitem\b|\bstart\w*|\brestrict\w*"
    r"|\blimit\w*|\bkeep\b|\bchange\b|\bswitch\b|\bturn\b|\bcase\b"
)  # fmt: skip
PARTS = re.compile(r"(?i)\bi mean(?! the (?:mean|average))\b|\binstead of (?:the )?[\w ]+$|\bno,? not (?:the )?\w+")
# Beginnings behind which another value may stand; beginnings of questions behind which a name may; and a name alone.
_SO = r"(?:ok(?:ay)?|so|hmm|right|no|sorry|wait|alright)?,? ?"
_LEADS = re.compile(
    rf"(?i){_SO}(?:(?:and|now|what about|how about|what if|same|only|just|or|but|also|then|for|in|of)\b"
    r"|(?:[^\W\d]+ )?[^\W\d]+ ?\?$)"
)
_ASKED_OF = re.compile(rf"(?i){_SO}(?:what|how)\b.*\b(?:it|that|same|was|were|did|had|of|in|for|from|at)\b")
_ALONE = re.compile(r"[^\W\d_][\w'\u2019-]*(?: [^\W\d_][\w'\u2019-]*){0,2}[.!]?$")
_GREETED = re.compile(
    r"(?i)(?:thanks?|hi|hello|hey|hola|hallo|bonjour|ciao|salut|servus|moin|merci|danke|gracias|grazie|bye|goodbye|good|great|nice|cool"
    r"|perfect|super|wow|help|stop|quit|exit|continue|more|bigger|smaller|delete|save|name|call|repeat|cheers|lol"
    r"|amazing|awesome|excellent|brilliant|interesting|correct|wrong|maybe|never|redo|reset|clear|cancel|back)\b"
)
# What is asked of the kernel or the world at large, and not of the table: who are you, how big is a ship.
ASIDE = re.compile(
    r"(?i)\b(?:who|what|how|why|where|when) (?:are|do|did|can|were|will) (?:you|u)\b|\byour(?:self)?\b"
    r"|\b(?:is|are) an? [\w-]+[\s?.!]*$"
)
TITLED = re.compile(
    r"(?i)(?:(?:and|now|then|please|pls|ok|could you|can you|,) *)*(?:call|name|title|entitle|headline|caption)"
    r" (?:it|that|this|the (?:chart|plot|graph|figure|diagram|picture))(?: as| to)?:? (?P<t>.+)$"
)
SPLIT = re.compile(r"(?i)\b(?:split|each|every|per|separat\w*|break (?:it |that )?down|broken down|grouped?)\b")
OF_ALL = re.compile(
    r"(?i)^(?!.*\d)(?=.*(?:\bper ?cent|%|\bpct\b|\bshare\b|\bproportion\b|\bfraction\b)).*\b(?:that|it|those|they"
    r"|all|everything|whole|total|in)\b"
)


def leads(text: str, first: str, spoken: str, meant: bool) -> bool:
    """Whether words that nothing explains stand where a value may; behind a question's beginning, or alone, a name may.

    ``first``: the first of them; ``spoken``: all as they stand there; ``meant``: a column is spoken of as well.
    """
    if _GREETED.match(first):
        return False
    if _LEADS.match(text):
        return not re.search(r"(?i)\b(?:the|an?|my|your) $", text[: text.find(first)])
    named = all(word[:1].isupper() for word in spoken.split() if word not in FILLERS)
    if _ASKED_OF.match(text):
        return named and (meant or re.search(r"(?i)\b(?:it|that|same)\b", text) is not None)
    return named and _ALONE.fullmatch(text) is not None and not _GREETED.match(text)
