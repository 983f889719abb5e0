"""The memory's database: one SQLite file that several processes share, each document whole or not there at all.

A document, its chunks, words and vectors are written in one transaction that is on disk when it returns. One writer at
a time, in any process: the others wait. Knows rows and nothing of ranking.
"""

import contextlib
import fcntl
import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmos.kernel.errors import LLMOSError
from llmos.kernel.types import Label
from llmos.memory.chunks import Chunk
from llmos.memory.near import signs, stored
from llmos.memory.record import Added, Document, Where

if TYPE_CHECKING:
    from llmos.kernel.minilm import Vectors

FILE, LOCK, VERSION = "memory.db", "memory.lock", 1
_WAIT = 120  # seconds for another process to end its write

_SCHEMA = """
CREATE TABLE documents (
    id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, persona TEXT NOT NULL, title TEXT NOT NULL,
    hash TEXT NOT NULL, kind TEXT NOT NULL, location TEXT NOT NULL, session TEXT NOT NULL, said_by TEXT NOT NULL,
    added REAL NOT NULL, integrity TEXT NOT NULL, readers TEXT NOT NULL, origins TEXT NOT NULL,
    chunks INTEGER NOT NULL, shared TEXT NOT NULL DEFAULT '', UNIQUE (persona, key));
CREATE INDEX by_hash ON documents (hash);
CREATE INDEX by_session ON documents (session);
CREATE TABLE chunks (
    id INTEGER PRIMARY KEY AUTOINCREMENT, document INTEGER NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
    text TEXT NOT NULL, head TEXT NOT NULL, heading TEXT NOT NULL, kind TEXT NOT NULL, page INTEGER NOT NULL,
    line INTEGER NOT NULL, last_line INTEGER NOT NULL);
CREATE INDEX by_document ON chunks (document);
CREATE TABLE vectors (chunk INTEGER PRIMARY KEY REFERENCES chunks (id) ON DELETE CASCADE, vector BLOB NOT NULL);
CREATE TABLE packs (
    document INTEGER PRIMARY KEY REFERENCES documents (id) ON DELETE CASCADE, first INTEGER NOT NULL,
    codes BLOB NOT NULL);
CREATE VIRTUAL TABLE words USING fts5 (
    text, head, content = 'chunks', content_rowid = 'id', tokenize = 'porter unicode61 remove_diacritics 2');
CREATE TRIGGER chunk_added AFTER INSERT ON chunks BEGIN
    INSERT INTO words (rowid, text, head) VALUES (new.id, new.text, new.head); END;
CREATE TRIGGER chunk_removed AFTER DELETE ON chunks BEGIN
    INSERT INTO words (words, rowid, text, head) VALUES ('delete', old.id, old.text, old.head); END;
"""
_DOCUMENT = (
    "id, key, title, hash, kind, location, persona, session, said_by, added, integrity, readers, origins, chunks"
)


class Shelf:
    """The open database. Threads may share it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._thread = threading.RLock()
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            with self._told():
                self.database = self._opened()
        except OSError as error:
            raise LLMOSError(f"cannot open the memory in {folder}: {error.strerror}; see LLMOS_HOME") from error

    def _opened(self) -> sqlite3.Connection:
        path = self.folder / FILE
        with self._alone():
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            made = sqlite3.connect(path, timeout=_WAIT, isolation_level=None, check_same_thread=False)
            for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "mmap_size = 268435456"):
                made.execute(f"PRAGMA {pragma}")
            (version,) = made.execute("PRAGMA user_version").fetchone()
            if version == 0:
                made.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")
            elif version != VERSION:
                raise LLMOSError(f"{path} was written by another version of llmos")
        return made

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """The one writer's lock, which ends with the process, however it ends."""
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """SQLite's errors as one line."""
        try:
            yield
        except sqlite3.Error as error:
            told = str(error)
            where = self.folder / FILE
            if "full" in told:
                raise LLMOSError(f"no space left on the disk for {where}; free some and try again") from error
            if isinstance(error, sqlite3.OperationalError):
                raise LLMOSError(f"the memory cannot be used: {told} ({where})") from error
            raise LLMOSError(f"{where} is damaged ({told}); move it away, and add what it held again") from error

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection, for this thread alone."""
        with self._thread, self._told():
            yield self.database

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction: on disk when it ends well, undone when it does not."""
        with self._thread, self._told(), self._alone():
            self.database.execute("BEGIN IMMEDIATE")
            try:
                yield self.database
                self.database.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    self.database.execute("ROLLBACK")
                raise

    def known(self, document: Document) -> Document | None:
        """The same content under this key, or under any name of the same persona."""
        told = f"SELECT {_DOCUMENT} FROM documents WHERE hash = ? AND persona = ? ORDER BY key != ? LIMIT 1"
        with self.reading() as database:
            row = database.execute(told, (document.hash, document.persona, document.key)).fetchone()
        return _document(row) if row else None

    def put(self, document: Document, chunks: Sequence[Chunk], vectors: "Vectors", shared: str = "") -> Added:
        """Keep a document whole, in place of the one of its key. On disk on return. ``shared``: its name there."""
        with self.writing() as database:
            place = (document.persona, document.key)
            old = database.execute("SELECT id FROM documents WHERE persona = ? AND key = ?", place).fetchone()
            if old:
                database.execute("DELETE FROM documents WHERE id = ?", old)
            id = _insert(database, document, chunks, shared)
            (last,) = database.execute(
                "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'chunks'"
            ).fetchone()
            rows = [(id, c.text, _head(document, c), c.heading, c.kind, c.page, c.line, c.last_line) for c in chunks]
            first = last + 1
            fields = "document, text, head, heading, kind, page, line, last_line"
            database.executemany(f"INSERT INTO chunks ({fields}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
            database.executemany("INSERT INTO vectors VALUES (?, ?)", enumerate(stored(vectors), first))
            database.execute("INSERT INTO packs VALUES (?, ?, ?)", (id, first, signs(vectors)))
        return Added("updated" if old else "added", id, len(chunks))

    def remove(self, ids: Sequence[int]) -> int:
        """Forget documents; how many there were. On disk on return."""
        with self.writing() as database:
            return sum(database.execute("DELETE FROM documents WHERE id = ?", (id,)).rowcount for id in ids)

    def documents(self, where: Where, most: int = -1) -> list[Document]:
        """The documents, the newest first."""
        condition, given = matching(where)
        told = f"SELECT {_DOCUMENT} FROM documents WHERE {condition} ORDER BY added DESC, id DESC LIMIT ?"
        with self.reading() as database:
            return [_document(row) for row in database.execute(told, (*given, most))]

    def shared(self) -> dict[str, int]:
        """The documents that a server holds too: its name for each, and ours."""
        with self.reading() as database:
            return dict(database.execute("SELECT shared, id FROM documents WHERE shared != ''").fetchall())

    def holder(self, document: Document) -> tuple[int, float] | None:
        """Which document has this one's key, and since when."""
        told = "SELECT id, added FROM documents WHERE persona = ? AND key = ?"
        with self.reading() as database:
            row = database.execute(told, (document.persona, document.key)).fetchone()
        return (row[0], row[1]) if row else None

    def rows(self, ids: Sequence[int]) -> list[Document]:
        """Documents by their numbers, whosever they are."""
        told = f"SELECT {_DOCUMENT} FROM documents WHERE id IN ({','.join(map(str, map(int, ids)))})"
        with self.reading() as database:
            return [_document(row) for row in database.execute(told)]

    def chunks(self, ids: Sequence[int]) -> dict[int, tuple[int, Chunk]]:
        """Chunks by their numbers, each with its document's; those that are gone are left out."""
        fields = "id, document, text, kind, heading, page, line, last_line"
        told = f"SELECT {fields} FROM chunks WHERE id IN ({','.join(map(str, map(int, ids)))})"
        with self.reading() as database:
            return {row[0]: (row[1], Chunk(*row[2:])) for row in database.execute(told)}

    def text(self, document: int) -> list[tuple[int, Chunk]]:
        """A document's chunks in order."""
        with self.reading() as database:
            ids = [
                row[0] for row in database.execute("SELECT id FROM chunks WHERE document = ? ORDER BY id", (document,))
            ]
        found = self.chunks(ids)
        return [(id, found[id][1]) for id in ids if id in found]

    def close(self) -> None:
        """Close the database and give the lock back."""
        with self._thread:
            self.database.close()
            if self._lock >= 0:
                os.close(self._lock)
                self._lock = -1


def matching(where: Where) -> tuple[str, list[Any]]:
    """The condition on ``documents`` that a filter says, and its values."""
    parts: list[str] = ["1"] if where.everyone else ["persona IN ('', ?)"]
    given: list[Any] = [] if where.everyone else [where.persona]
    if not where.kind and not where.everyone:
        parts.append("kind != 'skill'")  # an example is no passage
    for field in ("kind", "session", "integrity"):
        if value := getattr(where, field):
            parts.append(f"{field} = ?")
            given.append(value)
    if where.source:
        parts.append("(instr(lower(title), ?) OR instr(lower(location), ?))")
        given += [where.source.lower()] * 2
    for value, sign in ((where.since, ">="), (where.until, "<=")):
        if value is not None:
            parts.append(f"added {sign} ?")
            given.append(value)
    if where.attached_to is not None:
        parts.append("(kind NOT IN ('attached', 'turn') OR session = ?)")
        given.append(where.attached_to)
    if where.documents:
        parts.append(f"id IN ({','.join(map(str, map(int, where.documents)))})")
    return " AND ".join(parts), given


def _insert(database: sqlite3.Connection, document: Document, chunks: Sequence[Chunk], shared: str) -> int:
    label = document.label
    values = {
        "key": document.key,
        "persona": document.persona,
        "title": document.title,
        "hash": document.hash,
        "kind": document.kind,
        "location": document.location,
        "session": document.session,
        "said_by": document.said_by,
        "added": document.added or time.time(),
        "integrity": label.integrity,
        "readers": label.readers,
        "origins": json.dumps(label.origins),
        "chunks": len(chunks),
        "shared": shared,
    }
    names = ", ".join(values)
    marks = ", ".join("?" * len(values))
    made = database.execute(f"INSERT INTO documents ({names}) VALUES ({marks})", tuple(values.values()))
    return int(made.lastrowid or 0)


def _head(document: Document, chunk: Chunk) -> str:
    return f"{document.title} {chunk.heading}".strip()


def _document(row: Sequence[Any]) -> Document:
    id, key, title, hash, kind, location, persona, session, said_by, added, integrity, readers, origins, chunks = row
    label = Label(tuple(json.loads(origins)), integrity, readers)
    made = Document(key, title, hash, kind, location, persona, session, said_by, added, label)
    return replace(made, id=id, chunks=chunks)
