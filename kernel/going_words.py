"""Words of requests that go on from an earlier one: what they leave as it is, and what they change. Knows English."""

import re

# Words that say nothing of what is asked.
FILLERS = frozenset(
    ["a", "about", "ah", "all", "also", "an", "and", "any", "are", "as", "at", "be", "been", "but", "by", "can", "could", "did", "do", "does", "doing", "done", "for", "from", "get", "give", "had", "has", "have", "having", "hm", "hmm", "how", "hows", "i", "if", "in", "instead", "into", "is", "it", "its", "just", "kindly", "like", "make", "me", "meant", "mind", "my", "no", "nope", "not", "now", "of", "off", "oh", "ok", "okay", "on", "one", "ones", "only", "or", "other", "our", "out", "over", "pls", "plz", "please", "put", "rather", "same", "say", "see", "show", "so", "sorry", "tell", "than", "thank", "thanks", "that", "thats", "the", "their", "them", "then", "there", "these", "they", "this", "those", "to", "too", "us", "use", "want", "was", "we", "well", "were", "what", "whats", "when", "where", "which", "who", "whos", "whose", "will", "with", "would", "yeah", "yes", "you", "your", "hey", "hi", "actually", "again", "wait", "oops", "make", "made", "column", "columns", "number", "numbers", "value", "values", "row", "rows", "data", "table", "year", "years", "there's", "that's", "what's", "time", "again", "let's", "lets", "need", "here", "try", "do", "per", "each", "much", "many", "happen", "happened", "came", "come", "comes", "go", "goes", "look", "looks", "take", "through", "till", "until", "since", "after", "before", "between", "up", "down", "ones", "case", "figure", "figures", "sort", "kind", "thing", "things", "bit", "my", "own", "still", "next", "first", "altogether", "exactly", "precisely", "alone", "specifically", "regarding", "concerning", "during", "within", "long"]
)
_COLORS = (
    "red|green|blue|orange|purple|black|pink|brown|gr[ae]y|teal|navy|gold|yellow|violet|turquoise|magenta|cyan|maroon"
    "|crimson|olive|lime|indigo|salmon|coral|tomato|orchid|khaki|lavender|beige|silver|steelblue|darkgreen|darkblue"
)
COLORS = re.compile(rf"(?i)\b(?:{_COLORS})\b")
MEANS = {
    r"\b(?:average|averages|avg|averaged|mean|means|typical|typically)\b": "mean",
    r"\bmedian\b": "median",
    r"\b(?:total|totals|sum|summed|altogether|overall|all together|in all|add(?:ed)? (?:them |it )?(?:all )?up)\b": "total",
    r"\b(?:std|sd|standard deviation|deviation)\b": "spread",
    r"\brange\b": "range",
}
LARGE = re.compile(
    r"(?i)\b(?:highest|largest|biggest|greatest|most|maxim\w+|max|peak\w*|heaviest|oldest|longest|tallest|priciest|dearest"
    r"|fastest|quickest|hottest|warmest|wettest|richest|widest|busiest|strongest|best|farthest|furthest|deepest|top)\b"
)
SMALL = re.compile(
    r"(?i)\b(?:lowest|smallest|fewest|least|minim\w+|min|lightest|youngest|shortest|cheapest|slowest|coldest|coolest"
    r"|driest|poorest|narrowest|quietest|weakest|worst|nearest|rarest)\b"
)
MAX = re.compile(r"(?i)\b(?:maxim\w+|max|minim\w+|min|(?:highest|lowest|largest|smallest|peak) (?:value|number|figure))\b")
NAMED = re.compile(r"(?i)\b(?:which|who|whose|when|where|what (?:year|month|day|date|time|week|quarter|hour))\b")
WHICH = re.compile(r"(?i)(?:and |so |ok |but |then )*(?:(?:in|on|at|from) )?(?:which|who|whose|when|where|what (?:year|month|day|date|time|week|quarter|hour))\b")  # fmt: skip  # noqa: E501
WHEN = re.compile(r"(?i)\bwhen\b")
COUNTED = re.compile(r"(?i)\b(?:how many|count|number of)\b")
HOW = re.compile(r"(?i)\bhow (?:many|much|high|low|big|large|small|long|old|tall|heavy|far|fast|deep|hot|cold)\b|\bwhat(?:'s| is| was) (?:the|that) (?:value|number|amount|figure)\b")  # fmt: skip  # noqa: E501
THOSE = re.compile(r"(?i)\b(?:of (?:those|these|them)|those|these|them|among (?:those|these|them))\b")
ITS = re.compile(r"(?i)\b(?:its|it|his|her|their|they|he|she|that (?:one|[a-z]+)|the same one)\b")
BESIDE = re.compile(r"(?i)\b(?:add|also|too|as well|along ?side|in addition|together|both|plus|with it|beside|next to)\b")
AGAIN = re.compile(
    r"(?i)\b(?:undo|revert|trend\w*|regression|extrapolat\w*|extend|continue|smooth\w*|rolling|moving|titles?|heading"
    r"|labels?|axis|axes|grid\w*|markers?|rotat\w*|bins?|legend|hist\w*|box ?plot|whiskers?|percent\w*|%|half|double|twice|triple"
    r"|difference|ratio|times|divided?|multipl\w+|plus|minus|subtract|square\w*|cube\w*|convert|round\w*|between (?:those|these|them|the)"
    r"|(?:those|these|the) two|both|together|combined|why|explain|correlat\w*|scatter.* by|stacked)\b|[+*/^=]"
)
ORDER = re.compile(r"(?i)\b(?:sort\w*|order(?:ed)?|rank\w*|descending|(?:big|large|high|tall)\w*(?: one| bar)?s? first)\b")
_N = r"\d{1,3}"
TOP = re.compile(
    rf"(?i)\b(?:(?:top|best|first|largest|highest|biggest|(?P<low>bottom|worst|lowest|smallest)) (?P<n>{_N})"
    rf"|(?P<m>{_N}) (?:largest|highest|biggest|best|most|tallest))\b"
)
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
    rf"(?i)\b{_SAID}\b|\bhorizontal(?:ly)?\b|\bsideways\b|\b(?:as|in|with|into|to|of) (?:an? )?(?:bars?|lines?|pies?|dots|points|areas?|columns)\b"
    r"|^(?:now )?(?:bars?|lines?|pie|dots|barh|area|scatter\w*)\b|\bbar(?:chart|graph)?s?\b|\bpie\b|\blog(?:arithmic)? (?:scale|axis)\b"
)
# What of a request is explained by its class, and no value.
CLASSES = re.compile(
    "|".join(
        [
            *(p for p in MEANS),
            *(f"(?:{r.pattern.removeprefix('(?i)')})" for r in (LARGE, SMALL, MAX, TOP, ORDER, COUNTED)),
        ]
    ).replace("(?P<low>", "(?:").replace("(?P<n>", "(?:").replace("(?P<m>", "(?:")
    + "|" + "|".join(p.pattern.removeprefix("(?i)") for p, _ in KINDS)
    + rf"|\b{_SAID}\b|\b(?:{_COLORS})\b|\blog(?:arithmic)?\b|\bscale\b|\bbelong\w*|\bleads?\b|\b(?:high|low|big|large|old|tall|heavy|far|fast|deep|hot|cold)\b"
    r"|\bonwards?\b|\bpeaks?\b|\bversion\b|\bformat\b|\bform\b|\bcolou?r\b|\bitem\b|\bstart\w*|\brestrict\w*|\blimit\w*|\bkeep\b|\bchange\b|\bswitch\b|\bturn\b|\bcase\b"
)  # fmt: skip
PARTS = re.compile(r"(?i)\bi mean(?! the (?:mean|average))\b|\binstead of (?:the )?[\w ]+$|\bno,? not (?:the )?\w+")
LEADS = re.compile(
    r"(?i)(?:ok(?:ay)?|so|hmm|right|no|sorry|wait|alright)?,? ?(?:(?:and|now|what|how|same|only|just|or|but|also|then|then)\b|for\b|in\b|of\b|[A-Z][\w' .-]+\?*$|(?:[^\W\d]+[ ]?){1,3}\?$)"
)
TITLED = re.compile(
    r"(?i)(?:(?:and|now|then|please|pls|ok|could you|can you|,) *)*(?:call|name|title|entitle|headline|caption)"
    r" (?:it|that|this|the (?:chart|plot|graph|figure|diagram|picture))(?: as| to)?:? (?P<t>.+)$"
)
