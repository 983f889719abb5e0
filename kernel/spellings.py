"""The ways a secret can be spelled, and texts made comparable with them: folded, and with their escapes opened.

A text is folded to its letters and digits in lower case, so that case, white space, unseen characters and punctuation
between the letters make no difference; every encoding known here is then looked for as one plain string (a *form*).
Knows no secrets of its own, no files, no events. Not known: ciphers with a key, compression, noise between the
letters, look-alike letters of other scripts.
"""

import base64
import codecs
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from unicodedata import category, normalize

LEAST = 8  # characters of the shortest secret, and of the shortest form that counts
_PIECE = 10, 12  # a piece of a secret counts from half of it on, within these bounds, in characters
_ROUNDS = 3  # escapes within escapes
_CACHED = 20_000  # characters whose folding is kept


class _Fold(dict[int, str | None]):
    """A table for ``str.translate``, made as characters come; None deletes, which is its quick path."""

    def __init__(self, marks: bool) -> None:
        self._marks = marks

    def __missing__(self, code: int) -> str | None:
        # The tag block spells ASCII unseen.
        character = chr(code - 0xE0000 if 0xE0020 <= code <= 0xE007E else code)
        flat = normalize("NFKD", normalize("NFKD", character).casefold())
        found = "".join(c for c in flat if c.isalnum() or (self._marks and category(c)[0] not in "CMZ")) or None
        if len(self) < _CACHED:
            self[code] = found
        return found


LETTERS = _Fold(marks=False)
MARKS = _Fold(marks=True)  # punctuation stays: for secrets that have too few letters and digits


@dataclass(frozen=True, slots=True)
class Form:
    """One spelling of a secret: as folded ``text``, of which ``least`` characters in a row count as the secret.

    ``marks``: it is looked for with its punctuation. ``ragged``: its ends fall within an encoding's characters.
    """

    secret: str
    how: str
    text: str
    least: int
    marks: bool = False
    ragged: bool = False


def fold(text: str) -> str:
    """The letters and digits of a text, in lower case and plain form."""
    return text.translate(LETTERS)


def piece_of(size: int) -> int:
    """How many characters in a row of a secret of this size count as the secret: half of it, but 10 to 12."""
    low, high = _PIECE
    return min(size, max(low, min(high, (size + 1) // 2)))


def forms(name: str, value: str) -> list[Form]:
    """Every spelling of a secret that is looked for; the whole of short ones, pieces of longer ones too."""
    made: dict[tuple[str, bool], Form] = {}
    for form in (*_by_letter(name, value), *_by_byte(name, value)):
        if len(form.text) >= min(form.least, LEAST):
            made.setdefault((form.text, form.marks), form)
    return list(made.values())


def _by_letter(name: str, value: str) -> Iterator[Form]:
    letters, marked = fold(value), value.translate(MARKS)
    marks = len(letters) < max(LEAST, len(marked) // 2)
    plain = marked if marks else letters
    turned = codecs.encode(plain, "rot13")
    for how, text in (("plain", plain), ("reversed", plain[::-1]), ("rot13", turned), ("rot13", turned[::-1])):
        yield Form(name, how, text, piece_of(len(text)), marks)


def _by_byte(name: str, value: str) -> Iterator[Form]:
    """What encodes bytes tells upper from lower case before it encodes."""
    for variant in dict.fromkeys((value, value.lower(), value.upper())):
        raw = variant.encode("utf-8", "surrogatepass")
        size = piece_of(len(raw))
        yield Form(name, "hex", raw.hex(), 2 * size)
        yield Form(name, "hex", "".join(f"0x{byte:02x}" for byte in raw), 4 * size)
        codes = [str(byte) for byte in raw]
        shortest = min(sum(map(len, codes[i : i + size])) for i in range(len(codes) - size + 1))
        yield Form(name, "codes", "".join(codes), shortest)
        for shift in range(3):
            # + and / are left out of form and text alike, which makes the URL-safe alphabet the same.
            text = base64.b64encode(bytes(shift) + raw).decode()[-(-8 * shift // 6) : 8 * (shift + len(raw)) // 6]
            least = max(LEAST, (8 * size - 4) // 6 - 2)
            yield Form(name, "base64", fold(text), least, ragged=True)
        for shift in range(5):
            text = base64.b32encode(bytes(shift) + raw).decode()[-(-8 * shift // 5) : 8 * (shift + len(raw)) // 5]
            yield Form(name, "base32", fold(text), (8 * size - 4) // 5, ragged=True)


# One escape a match, of URL escapes a run. Runs of backslashes are taken whole, since JSON in JSON doubles them. Each
# alternative begins with a letter of its own, without flags: so the engine skips what cannot begin one.
_HEX = "[0-9a-fA-F]"
_ESCAPE = re.compile(
    rf"%{_HEX}{{2}}(?:%{_HEX}{{2}})*+|&#?\w{{1,32}};?"
    rf"|\\(?<!\\\\)\\*+(?:[xX]{_HEX}{{2}}|[uU]\{{{_HEX}{{1,6}}\}}|U{_HEX}{{8}}|[uU]{_HEX}{{4}}|[0-7]{{3}})"
    rf"|u\+(?:[1-9a-fA-F]{_HEX}{{4}}|{_HEX}{{4}})|U\+(?:[1-9a-fA-F]{_HEX}{{4}}|{_HEX}{{4}})|0(?<![1-9a-zA-Z]0)[xX]{_HEX}{{2}}(?!{_HEX}(?![xX]))",
    re.ASCII,
)
_UNFINISHED = re.compile(
    r"(?:(?:%[89a-f][0-9a-f])*%[0-9a-f]?|(?:%[89a-f][0-9a-f])+|&#?\w{0,32}"
    r"|\\+(?:x[0-9a-f]?|u\{?[0-9a-f]{0,7}|[0-7]{0,2})?|u(?:\+[0-9a-f]{0,4})?|0(?:x[0-9a-f]{0,2})?)\Z",
    re.IGNORECASE | re.ASCII,
)
_TAIL = 48  # characters that an unfinished escape can have


def _unit(match: re.Match[str]) -> str:
    """What an escape stands for."""
    text = match.group()
    if text[0] == "%":
        return bytes.fromhex(text.replace("%", "")).decode("utf-8", "replace")
    return _meaning(text)


@lru_cache(4096)
def _meaning(text: str) -> str:
    if text[0] == "&":
        return html.unescape(text)
    digits = text.lstrip("\\").lstrip("uUxX+{").rstrip("}")
    code = int(digits, 8 if digits == text.lstrip("\\") and "x" not in digits.lower() else 16)
    return chr(code) if code < 0x110000 else "\ufffd"


def opened(text: str) -> str:
    """The text with its URL, HTML and Unicode escapes, and escapes within escapes, as what they stand for."""
    for _ in range(_ROUNDS):
        outer, text = text, _ESCAPE.sub(_unit, text)
        if text == outer:
            break
    return text


Span = tuple[int, int]


def placed(text: str, *, cut: bool = False) -> tuple[str, list[Span]]:
    """As :func:`opened`, with the place in the given text of each character. ``cut``: without an unfinished escape."""
    spans = [(i, i + 1) for i in range(len(text))]
    for _ in range(_ROUNDS):
        if cut:
            end = _whole(text)
            text, spans = text[:end], spans[:end]
        pieces: list[str] = []
        where: list[Span] = []
        at = 0
        for match in _ESCAPE.finditer(text):
            start, stop = match.span()
            unit = _unit(match)
            pieces += text[at:start], unit
            where += spans[at:start]
            if text[start] == "%":  # one by one
                for size in _sizes(bytes.fromhex(match.group().replace("%", ""))):
                    where.append((spans[start][0], spans[start + 3 * size - 1][1]))
                    start += 3 * size
            else:
                where += [(spans[start][0], spans[stop - 1][1])] * len(unit)
            at = stop
        text, spans = "".join([*pieces, text[at:]]), where + spans[at:]
        if not pieces:
            break
    return text, spans


def _sizes(raw: bytes) -> Iterator[int]:
    """How many bytes stand for each character of ``raw``, where what is no UTF-8 is replaced."""
    view, at = memoryview(raw), 0
    while at < len(raw):
        try:
            good, bad = str(view[at:], "utf-8"), 0
        except UnicodeDecodeError as error:
            good, bad = str(view[at : at + error.start], "utf-8"), error.end - error.start
        for character in good:
            size = len(character.encode())
            yield size
            at += size
        if bad:
            yield bad
            at += bad


def _whole(text: str) -> int:
    """How much of a text is there before an escape at its end that may go on."""
    at = max(0, len(text) - _TAIL)
    done = [match.span() for match in _ESCAPE.finditer(text, at)]
    while match := _UNFINISHED.search(text, at):
        at = match.start()
        # What is a part of a finished escape does not begin another; a run of URL escapes has many beginnings.
        if not any(a < at < b and (text[a] != "%" or (at - a) % 3) for a, b in done):
            return at
        at += 1
    return len(text)


def folded(text: str, spans: list[Span], table: _Fold) -> tuple[str, list[Span]]:
    """A text folded by a table, with the place of each character that is left."""
    return text.translate(table), [s for s, c in zip(spans, text, strict=True) for _ in table[ord(c)] or ""]
