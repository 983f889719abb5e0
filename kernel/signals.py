"""Telemetry on incoming text: what looks hidden, forged, overriding or harmful. It grants nothing and blocks nothing.

``harmful`` and ``override`` are coarse lexical checks: a verb of doing near a topic, a phrase that dismisses orders.
They miss paraphrase, most languages and meaning; they are for the log and for trust, guarantees stay with policy.
"""

import html
import re
import unicodedata
from collections.abc import Iterator
from itertools import islice
from urllib.parse import unquote

from llmos.kernel.hygiene import clean
from llmos.kernel.types import Signal
from llmos.kernel.unwrap import known, unwrap

# Letters that look Latin, by Unicode's confusables list: Cyrillic, Greek, Armenian.
_LOOKS = str.maketrans(
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0455\u0458\u0501\u04bb\u051b\u051d\u0475\u04cf\u0461\u0451\u0457"
    "\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0423\u0425\u0406\u0405\u0408\u043a\u04c0"
    "\u03b1\u03bf\u03bd\u03c1\u03b9\u03ba\u03c5\u03c7\u03f2\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f"
    "\u03a1\u03a4\u03a5\u03a7\u057d\u0585\u0578\u0570\u0563\u0581\u056c\u0566\u0561\u0555\u054d",
    "aeopcyxisjdhqwvlweiABEKMHOPCTYXISJklaovpikuxcABEZHIKMNOPTYXuonhqglqwOU",
)
_FORGED = re.compile(
    r"<[|\uff5c][^<>\s|\uff5c]{1,48}[|\uff5c]>|</?(?:tool_call|tool_response|start_of_turn|end_of_turn|im_start|im_end"
    r"|start_function_\w{1,24}|end_function_\w{1,24}|function=\w{1,64}|parameter=\w{1,64})>"
    r"|\[/?(?:INST|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|AVAILABLE_TOOLS|SYSTEM_PROMPT)\]|<</?SYS>>"
)
_GAP = r"(?:\w+ ){0,4}?"
_BEFORE = r"(?:previous|prior|above|earlier|preceding|former|initial|original|system|safety|your|you were given)"
_ORDERS = (
    r"(?:instruction|prompt|rule|guideline|direction|directive|constraint|polic(?:y|ie)|restriction|programming"
    r"|training|guardrail|order|command|told|limitation)"
)
_OVERRIDES = (
    rf"(?<!not )(?<!don t )(?<!never )\b(?:ignor(?:e|ing)|disregard|forget|overrid(?:e|ing)|bypass|dismiss|neglect"
    rf"|(?:do not|don t|stop) (?:follow|obey)(?:ing)?|pay no attention to|throw away|discard|violate|replace|drop)"
    rf" {_GAP}{_BEFORE} {_GAP}{_ORDERS}s?\b",
    r"\b(?:ignore|disregard|forget) (?:everything|anything|all|whatever|what)(?: that)?(?: was| were| i| you| they"
    r"| has| have)?"
    r"(?: been| were| was)? (?:said|told|written|above|before|previously|instructed)\b",
    rf"\b(?:ignore|disregard|override|bypass|break|forget) (?:all|any|every|all of) (?:the |of the |these "
    rf"|those )?(?:ethical |moral )?{_ORDERS}s?\b",
    rf"\b(?:these are|here are|here is|follow|receive) (?:your|my|the) new (?:system )?{_ORDERS}s?\b",
    rf"\byour (?:\w+ )?{_ORDERS}s? (?:are|is|have been|has been|were) (?:now )?(?:void|null|replaced|changed|updated"
    rf"|cancell?ed"
    r"|obsolete|suspended|lifted|no longer)",
    r"\bi a?m (?:now )?(?:your|the) (?:developer|administrator|admin|creator|programmer|owner|root|operator)"
    r"(?= (?:of (?:this|the) (?:system|model|ai|assistant)|and|so|here|of you|you|with|give|grant|now)\b| ?$)",
    r"\bthis is (?:your|the|an?) (?:system administrator|developers?|system admin|admin|openai|anthropic|administrator)"
    r" (?:speaking|team|override|here|message|command|and i|with)\b",
    r"\b(?:system|admin|administrator|developer|root) override\b|\boverride code\b.{0,30}\b(?:accepted|admin|system)\b",
    r"\byou are (?:now )?(?:in |running in |entering )(?:developer|god|debug|admin|maintenance|jailbreak"
    r"|unrestricted|dan) mode\b",
    r"\b(?:developer|god|jailbreak|dan|admin) mode (?:is )?(?:now )?(?:enabled|activated|on|unlocked) (?:you|all|so"
    r"|ignore|answer|without)\b",
    r"\byou are (?:now )?(?:dan|free of all|no longer bound|unrestricted|jailbroken|not bound)\b|\bdo anything now\b",
    r"\b(?:act|respond|answer|behave|reply|speak) (?:\w+ ){0,4}?without (?:any )?(?:\w+ )?(?:restrictions?|filters?"
    r"|censorship|limitations|guardrails|safety)\b",
    r"\bpretend (?:that )?(?:you|to) (?:\w+ ){0,3}?(?:no|without|not) (?:\w+ )?(?:rules|restrictions|guidelines"
    r"|limits|filters|ethics)\b",
    r"\b(?:reveal|show|print|repeat|output|tell|give|display|leak|dump|expose|write|what (?:is|are|was|were)"
    r"|disclose|recite|translate)"
    rf" {_GAP}(?:your|the|hidden|secret) (?:\w+ )?(?:system prompt|system message|system instructions|(?:initial"
    rf"|hidden|original|secret)"
    r" (?:instructions?|prompts?|rules)|developer message|prompt verbatim|instructions verbatim)\b",
    rf"\b(?:reveal|show|print|output|tell|give|send|leak|dump|expose|what (?:is|are)"
    rf"|disclose) {_GAP}your (?:\w+ )?(?:api |secret |private |access )?"
    r"(?:keys?|passwords?|credentials|tokens?|secrets)\b",
    r"\brepeat (?:\w+ ){0,3}?(?:everything|words|text) above (?:verbatim|starting|word|exactly|this line|including)\b",
    r"\b(?:ignorier\w*|vergiss|missacht\w*|vergesst|verwirf) (?:\w+ ){0,3}?(?:alle|vorherig\w*|bisherig\w*|obig\w*"
    r"|vorig\w*|deine"
    r"|fruher\w*|vorangegangen\w*)(?: \w+){0,3}? (?:\w{0,6}anweisung|vorgabe|regel|instruktion|befehl|anordnung)\w*",
    r"\b(?:zeig|zeige|nenne|gib|verrate)(?: \w+){0,3} (?:deine?n?|den|dein) (?:\w+ )?(?:system ?prompt"
    r"|systemanweisung\w*|system anweisung\w*)",
    r"\b(?:ignore[rz]?|oublie[rz]?|neglige[rz]?) (?:\w+ ){0,3}?(?:toutes|tous|tes|vos"
    r"|les) (?:\w+ ){0,2}?(?:instructions?|consignes?"
    r"|regles|directives?|ordres)(?: qui)? (?:precedent\w*|anterieur\w*|ci dessus|initiales|systeme|et|recues)",
    r"\b(?:revele|montre|affiche|donne)[rz]?(?: \w+){0,3} (?:ton|votre|le|tes|vos) (?:prompt systeme|invite systeme"
    r"|instructions systeme)",
    r"\b(?:ignora|olvida|descarta|ignore|olvide) (?:\w+ ){0,3}?(?:las|tus|todas|sus) (?:\w+ ){0,2}?(?:instrucciones"
    r"|reglas|ordenes"
    r"|indicaciones|directrices)(?: (?:anteriores|previas|del sistema|iniciales)| y\b|$)",
    r"\b(?:revela|muestra|dime|ensena)(?:me)?(?: \w+){0,3} (?:tu|el) (?:prompt|mensaje) (?:de|del) sistema",
)
_CLOSED = re.compile(
    r"(?:ignore|disregard|forget|override|bypass)(?:all|any|the|your|of|my|these|those|every){0,3}(?:previous|prior"
    r"|above|earlier"
    r"|preceding|system|your|safety)(?:[a-z]{0,10})(?:instruction|prompt|rule|guideline)"
    r"|(?:reveal|show|print|output|leak)(?:me)?(?:your|the)(?:full|hidden|secret|entire)?systemprompt"
)
_HOOKS = (
    "instru prompt rule guideline directi constraint policy policies restriction programming training guardrail "
    "command+ "
    "told said written limitation developer administrator admin creator override mode anything+now without+ credential "
    "password api+key your+key secret token above vorgabe anweisung regel befehl consigne regles systeme reglas "
    "ordenes "
    "indicaciones sistema openai anthropic unrestricted bound+ "
)

# A gap of plain adjectives between verb and topic; "make a chart of bombs" is about a chart.
_TO = (
    r"(?:(?!(?:of|about|on|by|from|for|against|plot|chart|graph|map|table|list|report|timeline|story|movie|game|song"
    r"|quiz"
    r"|poster|essay|article|presentation|summary|policy|awareness|that|which|to|safe|sure|with|between"
    r"|and)\b)\w+ ){0,4}?"
)
_NOT = (
    r"(?! (?:shelter|calorimeter|squad|disposal|detect\w*|threats?|cyclone|deaths?|use|users?|statistics|stats"
    r"|overdoses?|seizures?"
    r"|prices?|addiction|traffick\w*|data|awareness|polic\w*|epidemic|crisis|production|scan\w*|removal|protection"
    r"|analysis"
    r"|report\w*|incidents?|defen[cs]e|attacks?|prevention|column|field|training|test|classifier|laws?|treatment"
    r"|cocktail"
    r"|scene|joke|recovery|response|education|research|dataset|trends?|survivors?|victims?|in (?:minecraft"
    r"|the game))\b)"
)
_MAKE = (
    r"(?:mak(?:e|ing)|build(?:ing)?|construct(?:ing)?|assembl(?:e|ing)|cook(?:ing)?|synthesi[sz](?:e|ing)|produc(?:e"
    r"|ing)|creat(?:e|ing)"
    r"|manufactur(?:e|ing)|brew(?:ing)?|extract(?:ing)?|detonat(?:e|ing)|prepar(?:e|ing)|set(?:ting)? off"
    r"|print(?:ing)?|buy(?:ing)?"
    r"|deploy(?:ing)?|spread(?:ing)?|writ(?:e|ing)|cod(?:e|ing)|program(?:ming)?|develop(?:ing)?|generat(?:e|ing)"
    r"|draft(?:ing)?"
    r"|compos(?:e|ing)|send(?:ing)?|forg(?:e|ing)|run(?:ning)?|design(?:ing)?|plant(?:ing)?|plac(?:e|ing)"
    r"|purify(?:ing)?|give me|tell(?: me)?)"
)
_THEM = (
    r"(?:jews|muslims|blacks?|black people|gays?|gay people|women|immigrants|christians|refugees|mexicans|arabs"
    r"|trans people|jewish people)"
)
_HARMS: tuple[tuple[str, str, str], ...] = (
    ("weapons", "bomb explosi grenade molotov sarin nerve ricin anthrax ghost+gun petn napalm detonator bioweapon "
    "weapon silencer bombe bomba",
     rf"\b{_MAKE} {_TO}(?<!bath )(?<!cherry )(?<!photo )(?<!seed )(?<!glitter )(?:bombs?|explosives"
     rf"|explosive (?:devices?|vests?|charges?)|grenades?"
     rf"|molotovs?(?: cocktails?)?|sarin|nerve (?:agents?|gas)|ricin|anthrax|ghost guns?|petn|napalm|detonators?"
     rf"|bio ?weapons?|chemical weapons?"
     rf"|biological weapons?|silencers?|untraceable (?:guns?|weapons?)){_NOT}\b"
     r"|\b(?:baue?n?|bastele?n?|fabriquer|hacer|fabricar|construire)(?: ich| man| j| on)? (?:eine|une|una) bomb[ea]\b"),
    ("malware", "malware ransomware keylogger virus worm trojan rootkit botnet spyware backdoor stealer",
     rf"\b{_MAKE} {_TO}(?:malware|ransomware|keyloggers?|computer virus(?:es)?|computer worms?|trojans?(?! (?:horse"
     rf"|war))|rootkits?|botnets?|spyware"
     rf"|password stealers?|virus that (?:deletes?|infects?|destroys?|encrypts?|steals?|spreads?)){_NOT}\b"),
    ("self-harm", "myself suicide my+life overdose self+harm yourself my+own",
     r"\b(?:how (?:to|do i|can i|should i|could i)|ways? to|ways? for me to|want to|going to|help me|method to"
     r"|methods to) (?:\w+ ){0,3}?"
     rf"(?:kill myself|kill yourself|commit suicide|end my (?:own )?life|hang myself|cut myself|overdose on"
     rf"|self harm|take my (?:own )?life|starve myself){_NOT}"),
    ("minors", "child minor underage preteen kid teen year+old toddler schoolgirl loli",
     rf"\b(?:{_MAKE}|show(?: me)?|draw|find(?: me)?|describe|download|want"
     rf"|get) (?:\w+ ){{0,6}}?(?:sexual(?!ly transmitted| (?:education|health|abuse|assault"
     r"|violence|offen\w*|exploitation|orientation|development|consent|harassment))|sexually|erotic\w*|porn\w*"
     r"|nudes?|naked|sexy|sex (?:scene|story|video)s?"
     r"|explicit (?:story|scene|image|picture|content)s?) (?:\w+ ){0,6}?(?:child|children|minors?|underage|preteens?"
     r"|kids?|teens?|toddlers?|schoolgirls?"
     r"|\d+ year old|year old (?:girl|boy))\b|\bchild porn\w*(?! (?:law|statistics|prevention|case))|\b(?:mak|writ"
     r"|creat|generat|show|draw)\w* (?:\w+ ){0,4}?"
     r"(?:underage|child|children|preteen|\d+ year old|minors?)s? (?:\w+ ){0,5}?(?:sex|nude|naked|porn|having sex"
     r"|erotic)\b"),
    ("drugs", "meth heroin cocaine lsd mdma ecstasy fentanyl ghb dmt amphetamine pcp crack",
     rf"\b{_MAKE} {_TO}(?:(?:crystal )?meth|methamphetamines?|heroin|cocaine|crack cocaine|lsd|mdma|ecstasy|fentanyl"
     rf"|ghb|dmt|amphetamines?|pcp){_NOT}\b"),
    ("fraud", "phish scam fake counterfeit launder ponzi identity credit+card evade forge",
     rf"\b{_MAKE} {_TO}(?:phishing (?:e ?mail|mail|page|site|message|campaign|sms|text|website|kit|link)s?"
     rf"|scam (?:e ?mail|message|call|text|website|page)s?"
     r"|fake (?:ids?|passports?|login pages?|bank \w+|che(?:que|ck)s?|money|prescriptions?|diplomas?"
     r"|driver s? ?licen[cs]es?|invoices? to)|counterfeit \w+"
     rf"|ponzi schemes?){_NOT}\b|\b(?:how (?:to|do i|can i)|help me|ways? to"
     rf"|want to) (?:\w+ )?(?:launder (?:\w+ )?money|steal (?:\w+ ){{0,2}}?(?:identity|credit card)|evade taxes"
     r"|commit (?:\w+ )?fraud|clone (?:a )?credit cards?)"),
    ("hacking", "hack break+into crack+ brute+force hijack spy+on steal log+into password ddos",
     r"\b(?:hack(?:ing)?(?: in| into)?|break(?:ing)? into|brute force|hijack|spy on|steal|crack(?: open)?"
     r"|crack the password of|get into) (?:(?:a|an|the|any|some) )?"
     r"(?:(?:someone|somebody|neighbou?r|wife|husband|girlfriend|boyfriend|ex|person|people|friend|boss|coworker"
     r"|teacher|celebrity|other|else|my|his|her|their|your|s) ){0,5}"
     r"(?:(?:bank|email|facebook|instagram|gmail|icloud|whatsapp|snapchat|twitter|social media|online|wi ?fi|google"
     r"|school|government|company|home|private|wireless) ){0,2}"
     r"(?:accounts?|passwords?|wi ?fi|phones?|webcams?|facebook|instagram|gmail|icloud|whatsapp|snapchat|servers?"
     r"|databases?|emails?|computers?|network)\b(?! (?:market|business|game|industry))"
     rf"|\b(?:launch|start|run|perform) {_TO}ddos attack\b(?! (?:simulation|test))"),
    ("hate", "racist semitic homophob islamophob transphob nazi supremac hate+ hateful inferior extermin subhuman "
    "vermin",
     rf"\b(?:{_MAKE}|post|draw|say) {_TO}(?:racist|anti ?semitic|homophobic|islamophobic|transphobic|nazi"
     rf"|white supremacist|hateful|hate) (?:jokes?|speech|posts?|tweets?"
     rf"|essay|manifesto|propaganda|rant|songs?|poems?|content|messages?|slogans?|memes?|pamphlets?"
     rf"|comments?){_NOT}(?! detect| classif)\b"
     rf"|\b(?:why|how|prove|explain)(?: \w+){{0,3}}? {_THEM} (?:are|should be|must be) (?:\w+ )?(?:inferior"
     rf"|exterminated|subhuman|vermin|killed|deported|stupid)\b"
     rf"|\bhow (?:to|can we|do we) (?:exterminate|eradicate|get rid of) (?:all )?(?:the )?{_THEM}\b"),
    ("violence", "kill+ murder+ poison+",
     r"\bhow (?:to|do i|can i|could i|would i) (?:\w+ )?(?:kill|murder|poison|strangle) (?:my (?:wife|husband"
     r"|neighbou?r|boss|parents?|mother|father|girlfriend|boyfriend"
     r"|teacher|ex|roommate|coworker|sister|brother)|someone|somebody|a (?:person|man|woman|human|child)"
     r"|people)\b(?! in (?:chess|the game|minecraft))"),
)  # fmt: skip
_PAST = re.compile(
    r"\b(?:did|does|who|scientists|countries|germany|allies|terrorists|police|not|never|don t)(?: \w+){0,3} $"
)


def _fold(text: str) -> str:
    """Lower-case Latin words with single spaces: looks, accents, entities' marks and punctuation taken away."""
    if not text.isascii():
        text = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", clean(text)).translate(_LOOKS))
        text = "".join(c for c in text if not unicodedata.combining(c)) if len(text) < 20000 else text
    return " ".join(re.findall(r"[a-z0-9]+", text.replace("'", " ").lower()))


def _light(text: str) -> str:
    return html.unescape(unquote(text)) if "%" in text or "&" in text else text


def _near(text: str, hooks: str) -> Iterator[str]:
    """The pieces of ``text`` around any of the hooks, merged; a bounded number of them."""
    spots: list[int] = []
    for hook in (h.replace("+", " ") for h in hooks.split()):
        at = text.find(hook)
        for _ in range(24):
            if at < 0:
                break
            spots.append(at)
            at = text.find(hook, at + 60)
        if at >= 0:
            spots.append(text.rfind(hook))
    spots.sort()
    while spots:
        first = last = spots.pop(0)
        while spots and spots[0] - last < 150 and spots[0] - first < 3000:
            last = spots.pop(0)
        # A piece starts at a word, or a cut word could look whole.
        start = text.find(" ", first - 150) + 1 if first > 150 else 0
        yield text[start : last + 150]


_KEYS = {
    (w[0], w[-1], "".join(sorted(w))): w
    for w in ["ignore", "previous", "instructions", "system", "prompt", "bypass", "reveal", "override", "disregard"]
}


def _readings(text: str) -> Iterator[str]:
    yield (plain := _fold(text))
    light = _light(text)
    if light != text and (other := _fold(light)) != plain:
        yield other
    words = plain.split() if len(plain) < 2000 else []
    if words:
        mended = " ".join(_KEYS.get((w[0], w[-1], "".join(sorted(w))), w) for w in words)
        if mended != plain:
            yield mended
    if 3 < len(words) <= 40:
        yield " ".join(words[::-1])


def _overrides(reading: str) -> Iterator[str]:
    for piece in _near(reading, _HOOKS):
        for pattern in _OVERRIDES:
            if match := re.search(pattern, piece):
                yield match.group()
    if match := _CLOSED.search(reading.replace(" ", "")):
        yield match.group()


def _harms(reading: str) -> Iterator[tuple[str, str]]:
    for name, hooks, pattern in _HARMS:
        for piece in _near(reading, hooks):
            for match in islice(re.finditer(pattern, piece), 8):
                if not _PAST.search(piece[max(0, match.start() - 60) : match.start()]):
                    yield name, match.group()
                    break


def _content(text: str, where: str) -> Iterator[Signal]:
    """What the words ask for; hidden words (``where``) weigh more, as nobody hides an honest request."""
    seen = unicodedata.normalize("NFKC", clean(_light(text[:200_000])))
    if match := _FORGED.search(text) or _FORGED.search(seen):
        yield Signal("control", where + match.group(), 0.9 if where else 0.7)
    for reading in _readings(text):
        if found := next(_overrides(reading), ""):
            yield Signal("override", where + found[:120], 0.9 if where else 0.6)
        if harm := next(_harms(reading), None):
            yield Signal("harmful", f"{where}{harm[0]}: {harm[1][:120]}", 0.95 if where else 0.7)
        if found or harm:
            return


_TAGS = re.compile("[\U000e0000-\U000e007f]+")
_FLAGS = re.compile("\U0001f3f4[\U000e0061-\U000e007a\U000e0030-\U000e0039]{2,7}\U000e007f")
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
_IGNORABLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2060-\u2065\u206a-\u206f\u3164\ufe00-\ufe0f\ufeff"
    "\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0080-\U000e01ef]"
)


def _marks(text: str) -> Iterator[Signal]:
    """Characters that nobody sees, and letters that are not what they look like."""
    if text.isascii():
        return
    gone = len(_IGNORABLE.findall(text)) - len(_IGNORABLE.findall(clean(text)))
    if gone:
        yield Signal("invisible", f"{gone} characters", 0.4 if gone > 8 else 0.1)
    hidden = "".join(_TAGS.findall(_FLAGS.sub("", text)))
    if hidden:
        plain = "".join(chr(ord(c) - 0xE0000) for c in hidden if "\U000e0020" <= c < "\U000e007f")
        yield Signal("tags", plain[:200], 0.8)
        yield from _content(plain, "in tags: ")
    if turns := _BIDI.findall(text):
        forced = any(c in "\u202d\u202e" for c in turns)
        yield Signal("bidi", f"{len(turns)} controls", 0.5 if forced else 0.2)
    if words := _lookalikes(text):
        yield Signal("homoglyph", " ".join(words[:8])[:200], 0.5)


def _lookalikes(text: str) -> list[str]:
    """Words that mix scripts, or wholly foreign ones that spell an English word in an otherwise Latin text."""
    found = []
    odd = list(islice((w for w in re.findall(r"[^\W\d_]{1,64}", text) if re.search("[\u0370-\u058f]", w)), 2000))
    latin = len(re.findall("[a-zA-Z]", text[:5000]))
    others = sum(len(w) for w in odd if not w.translate(_LOOKS).isascii())
    for word in odd:
        plain = word.translate(_LOOKS)
        if not plain.isascii() or len(word) < 3:
            continue
        foreign = [i for i, c in enumerate(word) if not c.isascii()]
        # A Greek letter at the end of a word is a symbol, as in the rho of a density.
        greek = len(foreign) == 1 and "\u0370" <= word[foreign[0]] < "\u0400" and foreign[0] in (0, len(word) - 1)
        mixed = len(foreign) < len(word) and not greek
        # SMS with a Russian ending is natural.
        ending = mixed and word[: foreign[0]].isupper() and foreign == list(range(foreign[0], len(word))) and others
        if (mixed and not ending) or (len(foreign) == len(word) and latin > others and known(plain.lower())):
            found.append(word)
    if not re.search("[\u3040-\u30ff\u4e00-\u9fff]", text):
        found += re.findall("[\uff21-\uff3a\uff41-\uff5a]{4,}|[\U0001d400-\U0001d6a3]{4,}", text)[:8]
    return found


def inspect(text: str) -> tuple[Signal, ...]:
    """All signals of a text, worst first. Never raises, whatever the text; the work is bounded."""
    found = [*_marks(text), *_content(text, "")]
    for inner in unwrap(text):
        found.append(Signal("wrapped", f"{inner.how}: {inner.text[:80]}", 0.5 if ">" in inner.how else 0.3))
        found += _content(inner.text, f"in {inner.how}: ")
    return tuple(sorted(dict.fromkeys(found), key=lambda s: -s.weight))
