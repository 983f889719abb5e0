"""Search by words: BM25 over stemmed words, as SQLite's FTS5 ranks them.

Of a request in a large store only its rarer words are looked up: the common ones would cost the most time and tell the
least. Where all are common, the newest passages are ranked. Knows the table ``words``.
"""

import re
import sqlite3

_COMMON = frozenset(
    re.findall(
        r"\w+",
        """a about above after again all am an and any are as at be because been before being below between both but by
    can could did do does doing down during each few for from further had has have having he her here hers him his how i
    if in into is it its itself just me more most my no nor not now of off on once only or other our out over own please
    s same she should so some such t tell than that the their them then there these they this those through to too
    under until up us very was we were what when where which while who whom why will with would you your""",
    )
)
_MANY = 2_000  # chunks with a word, beyond which it is common in this store
_MOST_WORDS = 24


def search(database: sqlite3.Connection, query: str, most: int, documents: str = "") -> list[int]:
    """The chunks that hold the query's words, the best first; ``documents`` is a condition on ``chunks.document``."""
    match, common = _match(database, query)
    if not match:
        return []
    told = "SELECT words.rowid FROM words"
    told += f" JOIN chunks ON chunks.id = words.rowid WHERE {documents} AND" if documents else " WHERE"
    oldest = _newest(database, f"{told} words MATCH ?", match) if common else 0
    told += " words MATCH ? AND words.rowid >= ? ORDER BY rank LIMIT ?"
    return [row[0] for row in database.execute(told, (match, oldest, most))]


def _newest(database: sqlite3.Connection, told: str, match: str) -> int:
    """The chunk from which on there are as many as are ranked, of those that ``told`` selects."""
    row = database.execute(f"{told} ORDER BY words.rowid DESC LIMIT 1 OFFSET ?", (match, _MANY)).fetchone()
    return int(row[0]) if row else 0


def _match(database: sqlite3.Connection, query: str) -> tuple[str, bool]:
    """The query as FTS5 reads it, and whether all its words are common: its telling words, any of which may do.

    Quoted, so that none is an operator.
    """
    found = list(dict.fromkeys(word for word in re.findall(r"\w+", query.lower()) if len(word) < 60))
    told = [word for word in found if word not in _COMMON] or found
    rare, common = _rare(database, [f'"{word}"' for word in told[:_MOST_WORDS]])
    return " OR ".join(rare), common


def _rare(database: sqlite3.Connection, words: list[str]) -> tuple[list[str], bool]:
    """The words that few chunks hold, where the store is large enough for that to matter; whether none is such."""
    (last,) = database.execute("SELECT coalesce(max(id), 0) FROM chunks").fetchone()
    if last <= _MANY:
        return words, False
    count = "SELECT count(*) FROM (SELECT 1 FROM words WHERE words MATCH ? LIMIT ?)"
    held = {word: int(database.execute(count, (word, _MANY + 1)).fetchone()[0]) for word in words}
    rare: list[str] = []
    total = 0
    for word in sorted((w for w in words if held[w]), key=lambda w: held[w]):
        if rare and total + held[word] > _MANY:
            break
        rare.append(word)
        total += held[word]
    return rare, total > _MANY
