"""Reads what a text hides behind simple encodings: base64, hex, letter ciphers, Morse, acrostics and the like.

A decoding counts only when plain text comes out, so hashes, tables, code and other languages give nothing. Work is
bounded: few candidates a decoder, short windows, no regular expression that backtracks. Knows nothing of what the text
asks for, of keyed ciphers, of encryption, compression or pictures.
"""

import base64
import html
import quopri
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import islice, pairwise
from math import log
from urllib.parse import unquote

# Common English words by hand, plus those that instructions and refusals are made of; the letter-pair score is counted
# from this same list, each word once, with add-one smoothing.
_WORDS = """the and you that was for are with his they one have this from had hot but some what there can out other
were all your when use word how said each she which their time will way about many then them would write like these her
long make thing see him two has look more day could come did sound most number who over know water than call first
people may down side been now find any new work part take get place made live where after back little only round man
year came show every good give our under name very through just form great think say help low line before turn cause
same mean move right boy old too does tell set three want air well also play small end put home read hand large add
even here must big high such follow act why ask change light off need house try again point mother world near build
self earth head own page should found answer school still learn let keep never last between since hard start might
story saw far draw left run while night real life stop open next white children often always both book letter until
care second room friend sure watch plain ready above ever list though body question order problem told top best hour
true step fast six table less ten simple against love person money serve road science rule pull notice power fine
certain machine wait plan done gave green quick develop free special mind clear produce fact nothing full system test
possible dry game yes bring please hello thank today secret meet attack ignore disregard forget previous prior
instruction instructions prompt prompts reveal print output repeat password key developer mode admin rules guidelines
safety filter bypass override bomb weapon weapons explosive gun poison kill murder suicide myself meth cocaine heroin
drug drugs hack account virus malware ransomware keylogger steal email phishing fake credit card bank passport racist
joke jokes hate cook synthesize pipe nerve gas message user data execute command delete files file send keys code
computer program create without someone into not because around pretend unrestricted everything anything else hidden
detailed detail midnight noon anyone nobody meant sugar victims victim teenager gasoline building market administrator
bitcoin wallet neighbor chart plot total row column child sexual hateful police detected undetected copy login open"""
_SHORT = "a i an as at be by do go he if in is it me my no of on or so to up us we"
_SIGNS = (
    ".- -... -.-. -.. . ..-. --. .... .. .--- -.- .-.. -- -. --- .--. --.- .-. ... - ..- ...- .-- -..- -.-- --.. "
    "----- .---- ..--- ...-- ....- ..... -.... --... ---.. ----. ..--.. .-.-.- --..--"
)
_CALLS = (
    "alpha alfa bravo charlie delta echo foxtrot golf hotel india juliet juliett kilo lima mike november oscar papa "
    "quebec romeo sierra tango uniform victor whiskey whisky xray yankee zulu"
)
_MOST, _WINDOW = 40, 4000
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Unwrapped:
    """What came out, and by which decodings, the outer one first."""

    how: str
    text: str


@cache
def _vocabulary() -> frozenset[str]:
    return frozenset(f"{_SHORT} {_WORDS}".split())


@cache
def _pairs() -> dict[str, float]:
    counts = Counter(a + b for w in _vocabulary() for a, b in pairwise(f" {w} ".replace(" ", "")))
    total = sum(counts.values()) + 26 * 26
    return {a + b: log((counts[a + b] + 1) / total) for a in _LETTERS for b in _LETTERS}


@lru_cache(8192)
def known(word: str) -> bool:
    """Whether a lower-case word, or what it is a plain form of, is in the list of common words."""
    words = _vocabulary()
    if word in words:
        return True
    for end in ("s", "es", "ed", "d", "ing", "er", "r", "ly", "y"):
        if len(word) - len(end) > 2 and word.endswith(end):
            stem = word[: -len(end)]
            if stem in words or (end == "ing" and (stem + "e" in words or stem[:-1] in words)):
                return True
    return False


def segment(letters: str) -> list[str]:
    """Split run-together lower-case letters into known words; what belongs to none stays as single letters."""
    letters, words = letters[:400], _vocabulary()
    best: list[tuple[int, int]] = [(0, 0)]
    for end in range(1, len(letters) + 1):
        options = [(best[end - 1][0], 1)]
        for size in range(1, min(end, 13) + 1):
            if letters[end - size : end] in words:
                options.append((best[end - size][0] + size * size, size))
        best.append(max(options))
    parts, end = [], len(letters)
    while end:
        parts.append(letters[end - best[end][1] : end])
        end -= best[end][1]
    return parts[::-1]


def _words(text: str) -> list[str]:
    words = re.findall(r"[a-z]+", text[:_WINDOW].lower())
    return segment("".join(words)) if sum(map(len, words)) > 11 * len(words) else words


def reads(text: str, sure: bool = False) -> bool:
    """Whether this is plain text: by its known words or, when bytes were decoded (``sure``), by its spaces alone."""
    words = _words(text)
    letters = sum(map(len, words))
    hits = [w for w in words if known(w)]
    share = sum(map(len, hits)) / letters if letters else 0.0
    if len(hits) >= (2 if sure else 3) and letters >= 10 and share >= (0.5 if sure else 0.6):
        return any(len(w) > 3 for w in hits)
    if not sure or len(text) < 12 or text.count(" ") < 2:
        return False
    plain = sum(c.isalpha() or c == " " for c in text) / len(text)
    return plain >= 0.85 and 2.5 <= len(text) / (text.count(" ") + 1) <= 12


def _spelled(letters: str, least: int = 12, share: float = 0.8) -> str:
    """Run-together letters as a sentence, when known words cover them; else nothing."""
    parts = segment(letters.lower())
    hits = [p for p in parts if len(p) > 2 or p in _SHORT.split()]
    enough = len(letters) >= least and sum(map(len, hits)) >= share * min(len(letters), 400)
    return " ".join(parts) if enough and max(map(len, hits), default=0) >= 4 else ""


def _printable(raw: bytes) -> str:
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return ""
    return text if len(text) >= 6 and all(c.isprintable() or c in "\n\r\t" for c in text) else ""


def _found(pattern: str, text: str) -> Iterator[str]:
    return (m.group()[:_WINDOW] for m in islice(re.finditer(pattern, text), _MOST))


Decoded = Iterator[tuple[str, str]]


def _shift(text: str, by: int) -> str:
    turned = _LETTERS[by:] + _LETTERS[:by]
    return text.translate(str.maketrans(_LETTERS + _LETTERS.upper(), turned + turned.upper()))


def _atbash(text: str) -> str:
    turned = _LETTERS[::-1]
    return text.translate(str.maketrans(_LETTERS + _LETTERS.upper(), turned + turned.upper()))


def _plain64(token: str) -> str:
    token = re.sub(r"[\s=]", "", token).translate(str.maketrans("-_", "+/"))
    token = token[: len(token) - (len(token) % 4 == 1)]
    try:
        # The head decides: most tokens are no text, and twenty-six readings of each are tried.
        if any(b < 9 or 13 < b < 32 for b in base64.b64decode(token[:16] + "=" * (-len(token[:16]) % 4))):
            return ""
        return _printable(base64.b64decode(token + "=" * (-len(token) % 4)))
    except ValueError:
        return ""


def _base64(text: str) -> Decoded:
    tokens = list(_found(r"={0,2}[A-Za-z0-9+/_-]{14,}(?:[ \t]*\r?\n[ \t]*[A-Za-z0-9+/_-]+)*={0,2}", text))
    squeezed = re.sub(r"\s+", "", text[:_WINDOW])
    for token in [*tokens, *_found(r"[A-Za-z0-9+/_-]{24,}={0,2}", squeezed)]:
        if plain := _plain64(token):
            yield "base64", plain
        elif re.search(r"[A-Z]", token) and re.search(r"[a-z]", token):
            for by in range(1, 26):
                if plain := _plain64(_shift(token, by)):
                    yield f"caesar {26 - by} > base64", plain
            for how, token_ in (("reversed", token[::-1]), ("atbash", _atbash(token))):
                if plain := _plain64(token_):
                    yield f"{how} > base64", plain


def _base32(text: str) -> Decoded:
    for token in _found(r"[A-Z2-7]{14,}(?:\r?\n[A-Z2-7]+)*", text):
        token = re.sub(r"\s", "", token)
        token = token[: len(token) - (1 if len(token) % 8 in (1, 3, 6) else 0)]
        try:
            yield "base32", _printable(base64.b32decode(token + "=" * (-len(token) % 8)))
        except ValueError:
            continue


def _hex(text: str) -> Decoded:
    for token in _found(r"(?:(?:0x|\\x)?[0-9a-fA-F]{2}[\s,:;-]{0,2}){6,}", text):
        digits = re.sub(r"0x|[^0-9a-fA-F]", "", token)
        yield "hex", _printable(bytes.fromhex(digits[: len(digits) // 2 * 2]))


def _codes(text: str) -> Decoded:
    for token in _found(r"[01][01\s,]{40,}", text):
        groups = re.findall(r"[01]+", token)
        for size in (8, 7):
            bits = "".join(groups)
            if all(len(g) in (size, 1) for g in groups) or len(groups) < 4:
                cut = [bits[i : i + size] for i in range(0, len(bits) - size + 1, size)]
                yield "binary", _printable(bytes(int(c, 2) for c in cut))
    for token in _found(r"\\?\d{1,3}(?:[\s,;.\\-]{1,2}\d{1,3}){7,}", text):
        numbers = re.findall(r"\d+", token)
        if "\\" not in token and all(8 < int(n) < 127 for n in numbers):
            yield "decimal", _printable(bytes(map(int, numbers)))
        if all(re.fullmatch(r"[01]?[0-7]{2}", n) for n in numbers):
            yield "octal", _printable(bytes(int(n, 8) for n in numbers))


def _escapes(text: str) -> Decoded:
    """Escapes count when it is letters that they hide: a URL's %20 or an &amp; is everyday."""
    forms: tuple[tuple[str, str, Callable[[str], str]], ...] = (
        ("percent", r"%[46][1-9a-fA-F]|%[57][0-9aA]", unquote),
        ("entities", r"&#(?:[xX]0*[4-7][0-9a-fA-F]|0*(?:6[5-9]|[7-9]\d|1[012]\d));?", html.unescape),
        (
            "quoted-printable",
            r"=[46][1-9A-F]|=[57][0-9A]",
            lambda t: quopri.decodestring(t.encode(errors="replace")).decode(errors="replace"),
        ),
        ("unicode", r"(?:\\u\{?|\\U0000|U\+|\\x)0*[4-7][0-9a-fA-F]\}?", _unescape),
    )
    for how, pattern, decode in forms:
        spots = [m.start() for m in islice(re.finditer(pattern, text), 400)]
        if len(spots) < 6:
            continue
        piece = text[max(0, spots[0] - 40) : min(spots[-1] + 40, spots[0] + _WINDOW)]
        plain = decode(piece)
        if len(spots) >= 0.3 * sum(c.isalpha() for c in plain):
            yield how, plain


def _unescape(text: str) -> str:
    # A space between U+0069 U+0067 belongs to the notation.
    return re.sub(r"(?:\\u\{?|\\U0000|U\+|\\x)(0*[0-9a-fA-F]{2})\}?(?: (?=U\+))?", lambda m: chr(int(m[1], 16)), text)


def _unseen(text: str) -> Decoded:
    marks = [c for c in text[: _WINDOW * 8] if c in "\u200b\u200c\u200d\u2060\ufeff"]
    if len(marks) >= 32:
        two = [c for c, _ in Counter(marks).most_common(2)]
        for zero, one in (two, two[::-1]) if len(two) == 2 else ():
            bits = "".join("0" if c == zero else "1" for c in marks if c in (zero, one))
            yield "zero-width", _printable(bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits) - 7, 8)))
    chosen = [ord(c) for c in text[: _WINDOW * 8] if "\ufe00" <= c <= "\ufe0f" or "\U000e0100" <= c <= "\U000e01ef"]
    if len(chosen) >= 10:
        yield "variation selectors", _printable(bytes(n - 0xFE00 if n < 0xFE10 else n - 0xE0100 + 16 for n in chosen))


def _morse(text: str) -> Decoded:
    signs = dict(zip(_SIGNS.split(), _LETTERS + "0123456789?.,", strict=True))
    text = text[: _WINDOW * 8].translate(str.maketrans("\u2022\u00b7\u2219\u2212\u2013\u2014_", "...----"))
    for token in _found(r"[.\-][.\-/| \n]{20,}", text):
        words = [[signs.get(c, "") for c in w.split()] for w in re.split(r"[/|\n]| {2,}", token)]
        plain = " ".join(filter(None, ("".join(w) for w in words)))
        yield "morse", plain if plain.count(" ") else _spelled(plain, 8)


def _letters(text: str) -> Decoded:
    """Sentences written one letter at a time: spaced out, as flags and boxes, as call signs, as first letters."""
    head = text[: _WINDOW * 2]
    for token in _found(r"(?<![A-Za-z])[A-Za-z](?:[ .\-_*|/,~]{1,3}[A-Za-z](?![A-Za-z])){7,}", text):
        yield "spaced letters", _spelled("".join(re.findall(r"[A-Za-z]", token)), 8, 0.75)
    boxes = "".join(
        chr(97 + (n - start) % 26)
        for n in map(ord, head)
        for start, end in ((0x1F1E6, 0x1F200), (0x1F130, 0x1F14A), (0x1F150, 0x1F16A), (0x1F170, 0x1F18A))
        if start <= n < end
    )
    yield "boxed letters", _spelled(boxes, 8)
    signs = [w for w in re.findall(r"[a-z]+", head.lower().replace("x-ray", "xray")) if w in _CALLS.split()]
    yield "call signs", _spelled("".join(w[0] for w in signs), 8)
    lines = [x.strip() for x in head.splitlines() if x.strip()]
    yield "first letters", _spelled("".join(x[0] for x in lines if x[0].isalpha()), 10, 0.97)
    starts = re.findall(r"(?:^|[.!?]\s+)([A-Za-z])", head)
    yield "first letters", _spelled("".join(starts), 10, 0.97)
    words = head.split()
    if len(words) <= 80:
        yield "first letters", _spelled("".join(w[0] for w in words if w[0].isalpha()), 12, 0.97)


def _fancy(text: str) -> Decoded:
    """Fullwidth and mathematical letters; not where Chinese or Japanese stands beside them."""
    odd = list(islice(re.finditer("[\uff21-\uff5a\u2460-\u24ff\U0001d400-\U0001d7ff]+", text), 400))
    if sum(len(m.group()) for m in odd) >= 10 and not re.search("[\u3040-\u30ff\u4e00-\u9fff]", text):
        plain = unicodedata.normalize("NFKC", text[odd[0].start() : odd[0].start() + _WINDOW])
        yield "fancy letters", plain if reads(plain) else _spelled(re.sub(r"[^A-Za-z]", "", plain), 10)


def _runs(text: str) -> list[str]:
    """Stretches of words that are not everyday English, the only places where a cipher of letters can be."""
    runs: list[tuple[int, int]] = []
    start = end = size = plain = 0
    for m in re.finditer(r"[A-Za-z]+", text):
        word = m.group()
        if len(word) > 3 and known(word.lower()):
            plain += 1
            if plain < 2:
                continue
        else:
            plain = 0
            if size and m.start() - end < 40:
                end, size = m.end(), size + len(word)
                continue
        if size >= 14:
            runs.append((start, end))
        start, end, size = m.start(), m.end(), 0 if plain else len(word)
    if size >= 14:
        runs.append((start, end))
    pieces = [
        (a, min(a + 300, end)) for begin, end in runs for a in range(begin, end, 300) if end - a >= 14 or a == begin
    ]
    return [text[a:b] for a, b in pieces[:: max(1, len(pieces) // 8)]][:9]


def _best_shifts(text: str) -> list[int]:
    """The three Caesar shifts whose letter pairs look most like English."""
    letters = re.sub(r"[^a-z]", "", text.lower())[:120]
    counts = Counter((ord(a) - 97, ord(b) - 97) for a, b in pairwise(letters))
    pairs = _pairs()
    scores = [
        (sum(n * pairs[_LETTERS[(a + by) % 26] + _LETTERS[(b + by) % 26]] for (a, b), n in counts.items()), by)
        for by in range(1, 26)
    ]
    return [by for _, by in sorted(scores, reverse=True)[:3]]


def _pig(word: str) -> str:
    low = word.lower()
    if not low.endswith("ay") or len(low) < 4:
        return low
    body = low[:-2]
    options = [body[-n:] + body[:-n] for n in (1, 2, 3) if n < len(body)]
    options += [body[:-1], body] if body[-1] in "wyh" else []
    return next((o for o in sorted(options, key=len) if known(o)), options[0] if options else low)


def _ciphers(text: str) -> Decoded:
    for run in _runs(text):
        for by in _best_shifts(run):
            yield f"caesar {26 - by}", _whole(_shift(run, by))
        yield "atbash", _whole(_atbash(run))
        yield "reversed", _whole(run[::-1])
        yield "reversed words", _whole(re.sub(r"[A-Za-z]+", lambda m: m.group()[::-1], run))
        words = re.findall(r"[A-Za-z]+", run)
        if len(words) >= 3 and sum(w.lower().endswith("ay") for w in words) >= 0.6 * len(words):
            yield "pig latin", re.sub(r"[A-Za-z]+", lambda m: _pig(m.group()), run)


def _whole(text: str) -> str:
    return text if " " in text.strip() else _spelled(re.sub(r"[^A-Za-z]", "", text), 14)


_LEET = [str.maketrans("013457@$!|+89", f"o{one}eastas{one}{one}tbg") for one in "il"]


def _leet(text: str) -> Decoded:
    spots = [m.start() for m in islice(re.finditer(r"[A-Za-z@$][013457@$!|+][A-Za-z@$]|\b[013457][A-Za-z]", text), 60)]
    if not spots:
        return
    start = text.rfind(" ", 0, max(0, spots[0] - 1)) + 1
    for piece in {text[max(0, start - 40) : spots[0] + 400], text[start : spots[0] + 200], text[start : spots[-1] + 8]}:
        tokens = [t.rstrip("!?.,") for t in piece[:400].split()]
        fixed = [next((f for f in (t.lower().translate(m) for m in _LEET) if known(f)), t.lower()) for t in tokens]
        pairs = zip(tokens, fixed, strict=True)
        if sum(t.lower() != f and len(f) > 2 and re.search("[A-Za-z]", t) is not None for t, f in pairs) >= 3:
            yield "leet", " ".join(fixed)


# Of each decoder: whether printable bytes that came out are proof enough, and may themselves be wrapped.
_DECODERS: tuple[tuple[Callable[[str], Decoded], bool], ...] = (
    (_base64, True), (_base32, True), (_hex, True), (_codes, True), (_escapes, True), (_unseen, True),
    (_morse, False), (_letters, False), (_fancy, False), (_leet, False), (_ciphers, False),
)  # fmt: skip


def unwrap(text: str, depth: int = 3) -> tuple[Unwrapped, ...]:
    """What is hidden in ``text`` by simple encodings, nested up to ``depth``; empty for everyday text."""
    found: dict[str, Unwrapped] = {}
    queue = [("", text, depth)]
    # The queue is read while it grows.
    for how, outer, left in islice(queue, 24):
        for decode, sure in _DECODERS:
            for name, plain in decode(outer):
                plain = plain.strip()
                chain = f"{how} > {name}" if how else name
                if not plain or plain in found or plain == outer.strip():
                    continue
                if good := reads(plain, sure):
                    found[plain] = Unwrapped(chain, plain)
                if (good or sure) and left > 1 and len(found) < 16:
                    queue.append((chain, plain[:_WINDOW], left - 1))
    return tuple(found.values())[:16]
