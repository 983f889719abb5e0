"""The starter library: a few packaged, sourced tables that the kernel finds by words, without file or network.

A request finds a table when it names one of the table's topics, wants numbers, and says little else: "plot funding
rounds" does, "write a poem about the sea" does not. It favours precision: a request about another country, another
company, another time or the user's own data finds nothing. It knows words only, not meaning, and English only.
"""

import csv
import math
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path, PurePosixPath

from llmos.kernel.types import Attachment, Source
from llmos.memory.preview import preview
from llmos.memory.quotas import Quotas
from llmos.memory.workspace import DATA, kept

THRESHOLD = 0.51  # chosen on the phrasings of tests/test_library.py
_FOLDER = Path(__file__).parent / "library"
_WEAK = 0.56  # a topic such as "gold" alone: only a request for a plot or a change over time finds it
_INTENT = {"plot": 1.0, "change": 1.0, "draw": 0.9, "ask": 0.9, "": 0.8}
_MODIFIER = 2.0  # weight of a strange word before the topic or after "of": gold in a jeweller's, olive oil
_OTHER = {"plot": 0.6, "draw": 0.6}  # of a strange word elsewhere; in a question it changes what is asked
_OTHER_ASKED = 1.2
_MOST_EXPLAINED = 6.0  # a long topic must not drown a strange word: about two rare words
_LINKS = frozenset({"for", "in", "of", "at", "from", "by", "about", "on", "with", "versus", "and", "near", "per"})
_POINTERS = frozenset({"here", "below", "following"})  # the user's own data only right before the topic
_EXPECTED = ("neutral", "plot", "draw", "change", "ask", "unlikely", "own")  # groups that change no subject
_PLACES = ("country", "state")  # naming one of these asks for its numbers
_ASKS_MEANING = re.compile(r"what(?:s| is| are) (?:an? )?((?!the )[^?]+?)\W*")
_ASKS_WORD = re.compile(r"what (?:does|do) .* (?:mean|stand for)\W*")
_FILE = re.compile(r"[\w-]+\.(?:csv|tsv|json|jsonl|xlsx?|txt|md|pdf|png)\b", re.IGNORECASE)
_WORD = re.compile(r"[a-z0-9]+(?:\.\d+)?")
_YEAR = re.compile(r"1[5-9]\d\d|20\d\d")
_LONGEST, _LONGEST_QUERY = 16, 1_000  # characters of a chart word, of a request
_MOST_VALUES = 200  # a column with more distinct texts (film titles) is no list of names to ask for


@dataclass(frozen=True, slots=True)
class LibraryTable:
    """A packaged table: what it is, where its numbers come from and as of when, and its licence."""

    file: str
    title: str
    topics: tuple[str, ...]
    source: str
    as_of: str
    licence: str
    upstream: str

    @property
    def path(self) -> Path:
        """The packaged file."""
        return _FOLDER / self.file


@dataclass(frozen=True, slots=True)
class _Topic:
    words: frozenset[str]
    weak: bool


@cache
def tables() -> tuple[LibraryTable, ...]:
    """All tables of the library."""
    with (_FOLDER / "index.csv").open(encoding="utf-8", newline="") as stream:
        return tuple(
            LibraryTable(file, title, tuple(topic.strip() for topic in topics.split(";")), *rest)
            for file, title, topics, *rest in islice(csv.reader(stream), 1, None)
        )


def best(request: str) -> LibraryTable | None:
    """The table that answers the request, or None; see the module's words on precision."""
    found = search(request, 1)
    return found[0][0] if found else None


def search(query: str, limit: int = 3) -> list[tuple[LibraryTable, float]]:
    """The tables that fit the query, best first, each with a score from THRESHOLD to 1."""
    if len(query) > _LONGEST_QUERY:  # pasted text, not a wish for a packaged table
        return []
    words = _words(query)
    if not words or _FILE.search(query) or _asks_meaning(query) or _of_another_kind(words):
        return []
    scored = [(table, *_score(table, words)) for table in tables()]
    scored = sorted((s for s in scored if s[1] >= THRESHOLD), key=lambda s: s[1:], reverse=True)
    return [(table, round(score, 3)) for table, score, _ in scored[:limit]]


def attach_library(
    table: LibraryTable,
    workspace: Path,
    quotas: Quotas = Quotas(),  # noqa: B008
    request: str = "",
) -> Attachment:
    """Copy a table into the workspace; its preview ends with the source line, which also is its Source's location."""
    told = f"{table.source}; as of {table.as_of}"
    data = table.path.read_bytes()
    with kept(workspace, PurePosixPath(table.file), lambda target: target.write(data), quotas) as (name, path):
        shown = preview(path, name, told, request)
    return Attachment(f"{DATA}/{name}", shown, Source("library", name, f"{told}; licence: {table.licence}"))


def _asks_meaning(query: str) -> bool:
    """Whether it asks what something is ("what is gdp"), not for a number ("what is the gdp of Japan")."""
    text = query.strip().lower().replace("'", "")
    if _ASKS_WORD.fullmatch(text):
        return True
    asked = _ASKS_MEANING.fullmatch(text)
    topics = {topic.words for table in tables() for topic in _topics(table)}
    return asked is not None and frozenset(_words(asked[1])) in topics


def _of_another_kind(words: list[str]) -> bool:
    groups = _groups()
    return bool(groups["never"].intersection(words)) or (
        bool(groups["unlikely"].intersection(words)) and not groups["plot"].intersection(words)
    )


def _score(table: LibraryTable, words: list[str]) -> tuple[float, float]:
    """How well the table answers, and the weight of its topic's words (the rarer and the more, the better)."""
    topics = [(topic, at) for topic in _topics(table) if (at := _place(topic, words)) is not None]
    if not topics or not _in_time(table, words):
        return 0.0, 0.0
    named = {word for topic, _ in topics for word in topic.words}
    first = min(at for _, at in topics)
    if _is_own(words, first):
        return 0.0, 0.0
    weight = sum(_weight(word) for word in named)
    explained = min(weight, _MOST_EXPLAINED)
    intent = _intent(words)
    covered = explained / (explained + _strangeness(table, words, named, _OTHER.get(intent, _OTHER_ASKED)))
    weak = all(topic.weak for topic, _ in topics) and not _names_place(table, words)
    return (_WEAK if weak else 1.0) * _INTENT[intent] * covered, weight


def _is_own(words: list[str], topic_at: int) -> bool:
    """Whether it speaks of the user's own data ("my gold"), not only of what the plot is for ("for my class")."""
    for i, (word, following) in enumerate(zip(words, [*words[1:], ""], strict=True)):
        near = topic_at - 3 <= i < topic_at
        if word in _groups()["own"] and following not in _groups()["purpose"] and (near or word not in _POINTERS):
            return True
    return False


def _strangeness(table: LibraryTable, words: list[str], named: set[str], other: float) -> float:
    """The weight of the words that neither the table nor any request for a table explains."""
    known: frozenset[str] = frozenset().union(*(_groups()[name] for name in _EXPECTED))
    total, values = 0.0, None
    for i, word in enumerate(words):
        if word in named or word in known or word.replace(".", "").isdigit() or word in _topic_words(table):
            continue
        values = _values(table) if values is None else values
        if {word, *_alias(word)} & values:
            continue
        before = next((w for w in reversed(words[:i]) if w not in ("the", "a", "an")), "")
        if word in _groups()["purpose"] and before not in ("of", "in"):
            continue
        modifies = before in _LINKS or (i + 1 < len(words) and words[i + 1] in named)
        total += _weight(word) * (_MODIFIER if modifies else other)
    return total


def _names_place(table: LibraryTable, words: list[str]) -> bool:
    places = {word for name in _PLACES for cell in _cells(table).get(name, ()) for word in _words(cell)}
    return any({word, *_alias(word)} & places for word in words)


def _intent(words: list[str]) -> str:
    """What kind of request it is, by its words: the strongest sign counts; a year means a time."""
    if any(_YEAR.fullmatch(word) for word in words):
        return "change"
    return next((kind for kind in ("plot", "change", "draw", "ask") if not _groups()[kind].isdisjoint(words)), "")


def _place(topic: _Topic, words: list[str]) -> int | None:
    """Where the topic begins, if all its words stand close together in the request."""
    if not topic.words.issubset(words):
        return None
    reach = len(topic.words) + 4
    for i, word in enumerate(words):
        if word in topic.words and topic.words.issubset(words[i : i + reach]):
            return i
    return None


def _in_time(table: LibraryTable, words: list[str]) -> bool:
    """Whether the years that are named, if any, touch the table's: gold in 1850 is not in a table from 1980 on."""
    years = [int(word) for word in words if _YEAR.fullmatch(word)]
    span = _span(table)
    if not years or not span:
        return True
    first, last = span
    open_end = not {"since", "from", "after"}.isdisjoint(words) and min(years) < last
    return open_end or any(first <= year <= last for year in years)


@cache
def _groups() -> dict[str, frozenset[str]]:
    """The groups of words.txt, in full and stemmed."""
    found: dict[str, set[str]] = {}
    for name, text in _word_lines():
        if name != "alias":
            found.setdefault(name, set()).update(w for word in text.split() for w in (word, _stem(word)))
    return {name: frozenset(words) for name, words in found.items()}


@cache
def _aliases() -> dict[str, tuple[str, ...]]:
    pairs = (pair.split("=") for name, text in _word_lines() if name == "alias" for pair in text.split(";"))
    return {_stem(name.strip()): tuple(_stem(word) for word in meant.split()) for name, meant in pairs}


def _word_lines() -> list[tuple[str, str]]:
    lines = (_FOLDER / "words.txt").read_text(encoding="utf-8").splitlines()
    return [(name, text) for name, _, text in (line.partition(":") for line in lines if not line.startswith("#"))]


def _alias(word: str) -> tuple[str, ...]:
    return _aliases().get(word, ())


def _words(text: str) -> list[str]:
    text = unicodedata.normalize("NFKD", text.lower())
    text = "".join(char for char in text if not unicodedata.combining(char))
    return [_mended(_stem(word)) for word in _WORD.findall(re.sub(r"['\u2019]s?\b", "", text))]


def _mended(word: str) -> str:
    """The word, or the chart word it is with two letters swapped or one doubled: ``grpah``, ``plott``."""
    meant = _groups()["plot"] | _groups()["draw"]
    if not 4 <= len(word) <= _LONGEST or word in meant:
        return word
    swapped = (word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in range(len(word) - 1))
    undoubled = (word[:i] + word[i + 1 :] for i in range(len(word) - 1) if word[i] == word[i + 1])
    return next((other for other in (*swapped, *undoubled) if other in meant), word)


def _stem(word: str) -> str:
    """Without the plural's ending; ``movie`` and ``movies`` both become ``movy``, as ``country`` and ``countries``."""
    if len(word) > 4 and word.endswith(("ies", "ie")):
        return word[: word.rindex("ie")] + "y"
    if len(word) > 4 and word.endswith(("sses", "xes", "ches", "shes")):
        return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


@cache
def _topics(table: LibraryTable) -> tuple[_Topic, ...]:
    return tuple(_Topic(frozenset(_words(topic)), topic.startswith("~")) for topic in table.topics)


@cache
def _topic_words(table: LibraryTable) -> frozenset[str]:
    return frozenset(word for topic in _topics(table) for word in topic.words)


@cache
def _frequencies() -> Counter[str]:
    return Counter(word for table in tables() for word in _topic_words(table))


def _weight(word: str) -> float:
    """Rare words say more: the inverse document frequency over the library's tables."""
    return math.log(1 + len(tables()) / max(1, _frequencies()[word]))


@cache
def _cells(table: LibraryTable) -> dict[str, set[str]]:
    with table.path.open(encoding="utf-8", newline="") as stream:
        columns: dict[str, set[str]] = {}
        for row in csv.DictReader(stream):
            for name, cell in row.items():
                columns.setdefault(name, set()).add(cell)
    return columns


@cache
def _values(table: LibraryTable) -> frozenset[str]:
    """The words of the table's column names and of its categories."""
    found = {word for name in _cells(table) for word in _words(name.replace("_", " "))}
    for cells in _cells(table).values():
        if len(cells) <= _MOST_VALUES:
            found.update(word for cell in cells for word in _words(cell) if not word[0].isdigit())
    return frozenset(found)


@cache
def _span(table: LibraryTable) -> tuple[int, int] | None:
    """The first and last year of the table's rows, if they have any."""
    for name in ("year", "date", "month"):
        years = [int(cell[:4]) for cell in _cells(table).get(name, ()) if cell]
        if years:
            return min(years), max(years)
    return None
