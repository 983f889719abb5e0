"""Personal data in text, and placeholders for it: e-mail addresses, phone numbers, IBANs, cards, IP addresses, SSNs.

It finds forms that are hardly anything else, and leaves alone what may be a plain number, a date, a version or a year:
a phone number needs its country's +, an area code set apart or a word before it; IBANs and cards need their checksums.
Names, postal addresses and numbers without such a form are not found. Pure; a session keeps one :class:`Redactor`, so
that a value has one placeholder in it.
"""

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple


class Found(NamedTuple):
    """Personal data in a text: its kind, its place, and its value in one plain form."""

    kind: str
    start: int
    end: int
    value: str


KINDS = ("email", "iban", "card", "ssn", "phone", "ip")
_LONGEST = 320  # characters of the longest value: an e-mail address
_CONTEXT = 160  # characters before a value that say what it is

_EMAIL = re.compile(r"(?<![\w.+%-])[\w.+%'-]{1,64}@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}[^\W\d_]{2,24}(?![\w@])")
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}[0-9]{2}(?:[ -]?[A-Za-z0-9]){11,34}")
_IBAN_SIZES = {
    country: int(size)
    for size, countries in (
        line.split(":")
        for line in (
            "15:NO 16:BE 18:DK FI FO GL NL SD 19:MK SI 20:AT BA EE KZ LT LU MN XK 21:CH HR LI LV "
            "22:BG BH CR DE GB GE IE ME RS VA 23:AE GI IL IQ OM SO TL 24:AD CZ ES MD PK RO SA SE SK TN VG "
            "25:LY PT ST 26:IS TR 27:BI DJ FR GR IT MC MR SM 28:AL AZ BY CY DO GT HU LB NI PL SV 29:BR EG PS QA UA "
            "30:JO KW MU YE 31:MT SC 32:LC 33:RU"
        )
        .replace(" 1", "\n1").replace(" 2", "\n2").replace(" 3", "\n3").split("\n")
    )
    for country in countries.split()
}  # fmt: skip
# Issuers and their lengths: Visa, Mastercard, American Express, Discover, JCB, Diners Club, UnionPay.
_CARD = re.compile(
    r"(?<![\w.,+-])(?<!\d[ \t])"
    r"(?:[0-9]{13,19}|[0-9]{4}([ -])[0-9]{4}\1[0-9]{4}\1[0-9]{4}|3[47][0-9]{2}([ -])[0-9]{6}\2[0-9]{5})"
    r"(?![\w-]|[.,][0-9]|[ \t][0-9])",
    re.ASCII,
)
_ISSUED = re.compile(
    r"4(?:[0-9]{12}|[0-9]{15})|(?:5[1-5][0-9]{2}|222[1-9]|22[3-9][0-9]|2[3-6][0-9]{2}|27[01][0-9]|2720)[0-9]{12}"
    r"|3[47][0-9]{13}|(?:6011|65[0-9]{2}|64[4-9][0-9])[0-9]{12}|35(?:2[89]|[3-8][0-9])[0-9]{12}"
    r"|3(?:0[0-5]|[68][0-9])[0-9]{11}|62[0-9]{14}"
)
_SSN = re.compile(r"(?<![\w.-])(?!000|666|9)[0-9]{3}-(?!00)[0-9]{2}-(?!0000)[0-9]{4}(?![\w-]|\.\d)", re.ASCII)
_PHONES = (
    # +49 151 23456789, +1 (415) 555-2671
    re.compile(r"(?<![\w+.)\]=*/^-])\+[1-9](?:[ .()/-]{0,2}[0-9]){6,14}(?![\w+*/^]|[.,-]\d)", re.ASCII),
    # (415) 555-2671, 415-555-2671, 1-800-555-0199
    re.compile(
        r"(?<![\w.+)/-])(?:1[ .-])?(?:\([2-9][0-9]{2}\) ?[2-9][0-9]{2}[ .-]|[2-9][0-9]{2}([.-])[2-9][0-9]{2}\1)[0-9]{4}"
        r"(?![\w/-]|[.,]\d)",
        re.ASCII,
    ),
    # 030/1234567, 0151-23456789
    re.compile(r"(?<![\w.+/-])0[1-9][0-9]{1,3}[/-][0-9]{6,8}(?![\w/-]|[.,]\d)", re.ASCII),
    # a number after a word that says so
    re.compile(
        r"(?i:\b(?:tele(?:ph|f)on[eo]?|tel|phone|mobile?|mobil|cell|fax|whatsapp|handy|t\u00e9l)\b\.?"
        r"(?: (?:number|no|nr|nummer)\b\.?)?(?: is| ist)? ?[:=]? ?)"
        r"(\(?\+?[0-9](?:[ ./()-]{0,2}[0-9]){6,14})(?![\w-]|[.,]\d)"
    ),
)
_IPV4 = re.compile(r"(?<![\w.,+-])[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?![\w-]|\.\w|,\d)", re.ASCII)
_NO_ADDRESS = re.compile(
    r"(?i:\bv|\bver|\bversions?|\brelease|\bbuild|\bupdate|\brevision|\bsections?|\bclause|\bchapter|\bfigure|\btable"
    r"|\barticle|\bparagraph|\bappendix|\u00a7|[=<>~^]=?)\W{0,3}\Z"
)
_ADDRESS = re.compile(r"(?i:\b(?:ip|ipv4|addr|address|host|server|ping|gateway|dns|client)\W{0,3}|[/@\[])\Z")
_IPV6 = re.compile(r"(?<![\w:.])(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{0,4}(?![\w:])", re.ASCII)


def find(text: str, start: int = 0) -> list[Found]:
    """The personal data of a text from a place on, in order; none overlap. What is before tells the kind."""
    found: list[Found] = []
    taken = bytearray(len(text))
    for look in _LOOKS:
        for hit in look(text):
            if hit.start >= start and taken.find(1, hit.start, hit.end) < 0:
                found.append(hit)
                taken[hit.start : hit.end] = b"\1" * (hit.end - hit.start)
    return sorted(found, key=lambda hit: hit.start)


def _emails(text: str) -> Iterator[Found]:
    for match in _EMAIL.finditer(text) if "@" in text else ():
        local = match.group().partition("@")[0]
        start = match.start() + len(local) - len(local.lstrip(".'%-+"))
        if start < match.start() + len(local):
            yield Found("email", start, match.end(), text[start : match.end()].casefold())


def _ibans(text: str) -> Iterator[Found]:
    for match in _IBAN.finditer(text):
        size = _IBAN_SIZES.get(match.group()[:2], 0)
        places = [i for i, c in enumerate(match.group()) if c not in " -"][:size]
        value = "".join(match.group()[i] for i in places).upper()
        end = match.start() + places[-1] + 1 if places else 0
        whole = len(value) == size and not text[end : end + 1].isalnum()
        if size and whole and int("".join(str(int(c, 36)) for c in value[4:] + value[:4])) % 97 == 1:
            yield Found("iban", match.start(), end, value)


def _cards(text: str) -> Iterator[Found]:
    for match in _CARD.finditer(text):
        if _is_card(match.group()) and not (match[1] == " " and _in_columns(text, *match.span())):
            yield Found("card", *match.span(), re.sub("[ -]", "", match.group()))


def _is_card(text: str) -> bool:
    """Whether it has an issuer's beginning and length, and Luhn's sum."""
    digits = re.sub("[ -]", "", text)
    if not _ISSUED.fullmatch(digits) or len(set(digits)) < 2:
        return False
    doubled = (int(d) * (1 + i % 2) for i, d in enumerate(reversed(digits)))
    return sum(n - 9 * (n > 9) for n in doubled) % 10 == 0


def _in_columns(text: str, start: int, end: int) -> bool:
    """Whether groups of digits are a row of a table: alone on a line, next to a line of numbers that is no card."""
    first, last = text.rfind("\n", 0, start) + 1, text.find("\n", end)
    last = len(text) if last < 0 else last
    if text[first:last].strip() != text[start:end]:
        return False
    beside = (text[:first].rstrip("\n").rpartition("\n")[2], text[last + 1 :].partition("\n")[0])
    return any(re.fullmatch(r"[\d \t.,-]+", line) and not _is_card(line.strip()) for line in beside if line.strip())


def _ssns(text: str) -> Iterator[Found]:
    return (Found("ssn", *match.span(), match.group()) for match in _SSN.finditer(text))


def _phones(text: str) -> Iterator[Found]:
    for number, pattern in enumerate(_PHONES):
        group = 1 if number == len(_PHONES) - 1 else 0
        for match in pattern.finditer(text):
            said = match.group(group)
            digits = re.sub(r"\D", "", said)
            before = text[max(0, match.start() - 3) : match.start()].rstrip(" ")
            # 5 +12345678 is a sum.
            plain = number == 0 and said[1:].isdigit() and (before[-1:].isdigit() or before[-1:] in list(")]"))
            # Nor is a row of numbers of which the first has a sign.
            plain = plain or (" " in said and _in_columns(text, match.start(group), match.end(group)))
            if not plain and 7 + (number == 0) <= len(digits) <= 15 and len(set(digits)) > 1:
                yield Found("phone", match.start(group), match.end(group), digits)


def _ips(text: str) -> Iterator[Found]:
    for match in _IPV4.finditer(text):
        parts = match.group().split(".")
        if all(int(p) < 256 and p == str(int(p)) for p in parts) and not _is_version(text, match, parts):
            yield Found("ip", *match.span(), match.group())
    for match in _IPV6.finditer(text) if text.count(":") > 1 else ():
        groups = [g for g in match.group().split(":") if g]
        # Slices, times and names with :: are short, or have no group of three.
        likely = len(groups) >= 3 and any(len(g) > 2 for g in groups) and any(c.isdigit() for c in match.group())
        try:
            value = str(ipaddress.IPv6Address(match.group())) if likely else ""
        except ValueError:
            continue
        if value:
            yield Found("ip", *match.span(), value)


def _is_version(text: str, match: re.Match[str], parts: list[str]) -> bool:
    """Whether four numbers with dots may be a version or a heading: by the word before, else by being small."""
    before = text[max(0, match.start() - 24) : match.start()]
    if _ADDRESS.search(before):
        return False
    if parts[0] in ("10", "127", "172", "192"):
        return bool(re.search(r"(?i:\bv(?:er(?:sion)?)?|\brelease|\bbuild|[=<>~^]=?)[ .:]?\Z", before))
    return bool(_NO_ADDRESS.search(before)) or all(int(p) < 32 for p in parts)


_LOOKS: tuple[Callable[[str], Iterator[Found]], ...] = (_emails, _ibans, _cards, _ssns, _phones, _ips)


class Redactor:
    """Puts ``[email 1]`` and the like in the place of personal data; a value keeps its placeholder."""

    def __init__(self, earlier: Iterable[str] = ()) -> None:
        """``earlier``: texts of this session that have placeholders already; new ones are numbered after them."""
        self._names: dict[tuple[str, str], str] = {}
        self._last = dict.fromkeys(KINDS, 0)
        for text in earlier:
            for kind, number in re.findall(rf"\[({'|'.join(KINDS)}) (\d{{1,6}})\]", text):
                self._last[kind] = max(self._last[kind], int(number))

    def redact(self, text: str, start: int = 0) -> str:
        """The text from a place on without personal data."""
        pieces: list[str] = []
        at = start
        for hit in find(text, start):
            pieces += text[at : hit.start], self._name(hit)
            at = hit.end
        return "".join([*pieces, text[at:]])

    def stream(self) -> "PersonalStream":
        """For a text that comes in pieces."""
        return PersonalStream(self)

    def _name(self, hit: Found) -> str:
        key = (hit.kind, hit.value)
        if key not in self._names:
            self._last[hit.kind] += 1
            self._names[key] = f"[{hit.kind} {self._last[hit.kind]}]"
        return self._names[key]


# What may go on as a value: the last word, and words of digits before it.
_OPEN = re.compile(r"(?:(?:\+?\(?[0-9][0-9()/.+-]*|[A-Z]{2}[0-9]{2}[A-Z0-9]*|[A-Z0-9]{4})[ \t])*\S*\s?\Z")


class PersonalStream:
    """Takes a text in pieces and gives it back without personal data; what may still become some waits."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._before = ""  # what was told, before it was redacted: it says what follows
        self._held = ""

    def feed(self, piece: str) -> str:
        """What can be told after a further piece."""
        self._held += piece
        tail = max(0, len(self._held) - _LONGEST)
        waits = _OPEN.search(self._held, tail)
        return self._tell(waits.start() if waits else len(self._held))

    def end(self) -> str:
        """What is left when nothing more comes."""
        told, self._before = self._tell(len(self._held)), ""
        return told

    def _tell(self, cut: int) -> str:
        text = self._before + self._held
        kept = len(self._before)
        # A value that reaches beyond the cut waits as a whole.
        cut = min([cut, *(hit.start - kept for hit in find(text, kept) if hit.start < kept + cut < hit.end)])
        told = self._redactor.redact(text[: kept + cut], kept)
        self._before, self._held = text[: kept + cut][-_CONTEXT:], self._held[cut:]
        return told
