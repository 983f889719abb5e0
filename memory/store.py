"""The memory: documents kept whole, passages found by meaning and by words together.

Ranks by vectors and by BM25 are fused by reciprocal rank, so that neither's scale matters. Knows no file formats and
no terminals.
"""

import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from llmos.kernel.errors import LLMOSError
from llmos.kernel.hygiene import clean
from llmos.kernel.types import Label
from llmos.memory import words
from llmos.memory.block import Block
from llmos.memory.chunks import Chunk, cut, embedded_text
from llmos.memory.near import Near
from llmos.memory.record import Added, Document, Hit, Where
from llmos.memory.shared import AT_HOME, Shared
from llmos.memory.shelf import FILE, Shelf, matching

if TYPE_CHECKING:
    from llmos.kernel.minilm import Vectors

FOLDER = "memory"
Mode = Literal["hybrid", "vectors", "words"]
Embed = Callable[[Sequence[str]], "Vectors"]
_FLAT = 10  # of reciprocal rank fusion: how little the very first places count above the next
_MEANT, _CLEAR = 0.5, 0.1  # the cosine of a note that is meant, and how far the next must be behind
_WORDS_WEIGHT = 0.5  # a ranking by words, of questions that avoid the words of their answer, misleads more often
_FILTERS = 50  # whose documents are remembered
_DEPTH = 50  # places of each ranking that are fused


def _embed(texts: Sequence[str]) -> "Vectors":
    from llmos.kernel.minilm import Embedder

    return Embedder.quick().embed(texts)


class Memory:
    """What is kept below a home. Several processes may use one home at once; threads may share a Memory."""

    def __init__(self, home: Path, embed: Embed = _embed, url: str | None = None) -> None:
        """``url`` of a Chroma server that several homes share, by default ``$LLMOS_MEMORY_URL``."""
        self._embed = embed
        address = os.environ.get("LLMOS_MEMORY_URL", "") if url is None else url
        self._shared = Shared(address) if address else None
        self._shelf = Shelf(home / FOLDER)
        self._near = Near()
        self._inside: dict[Where, list[int] | None] = {}  # what a filter lets through, as the database is now

    def warm(self) -> None:
        """Load the embedder in the background: it takes longer than anything that is done with it."""

        def load() -> None:
            with suppress(LLMOSError):  # told by whoever needs it
                self._embed([])

        # No daemon: torch's frames cannot be unwound, so the interpreter must not be finalized while this runs.
        threading.Thread(target=load, name="llmos-embedder").start()

    def add(self, document: Document, chunks: Sequence[Chunk], by: Sequence[str] = ()) -> Added:
        """Keep a document; it is on disk and whole on return. The same content is kept once a persona.

        ``by`` are the texts that the chunks are found by, where these are not their own.
        """
        if (known := self.known(document)) is not None:
            return known
        document = replace(document, added=document.added or time.time())
        vectors = self._embed(list(by) or [embedded_text(chunk, document.title) for chunk in chunks])
        if self._shared is None or document.kind in AT_HOME:
            return self._shelf.put(document, chunks, vectors)
        before = self._shelf.holder(document)
        names = {id: name for name, id in self._shelf.shared().items()}
        added = self._shelf.put(document, chunks, vectors, self._shared.put(document, chunks, vectors))
        if before is not None and before[0] in names:
            self._shared.remove(names[before[0]])
        return added

    def sync(self) -> None:
        """Bring this home's copy of a shared memory up to date; nothing to do for one that is not shared."""
        if self._shared is None:
            return
        here = self._shelf.shared()  # first: what is added meanwhile was not forgotten
        there = self._shared.heads()
        self._shelf.remove([id for name, id in here.items() if name not in there])
        for name in sorted(there - self._shelf.shared().keys()):
            if (loaded := self._shared.load(name)) is None:
                continue
            document, chunks, vectors = loaded
            held = self._shelf.holder(document)
            if held is not None and held[1] > document.added:
                self._shared.remove(name)  # two homes added the same at once: the newer one stays
            else:
                self._shelf.put(document, chunks, vectors, name)

    def known(self, document: Document) -> Added | None:
        """What became of this content when it was added before, if it was; reading it can then be saved."""
        self.sync()
        found = self._shelf.known(document)
        return None if found is None else Added("unchanged", found.id, found.chunks)

    def note(
        self, text: str, *, said_by: str = "user", label: Label | None = None, persona: str = "", session: str = ""
    ) -> Added:
        """Keep a note with who said it and when. ``label`` is of all that was in view when it was written."""
        import hashlib

        text = clean(text).strip()
        digest = hashlib.sha256(text.encode()).hexdigest()
        kept = label or Label(("user",), "trusted", "user")
        # Trusted words never make others' note trusted, nor the other way round: they are two notes.
        digest = f"{digest}:{kept.integrity}"
        title = " ".join(text.split())[:60]
        document = Document(f"note:{digest}", title, digest, "note", "", persona, session, said_by, time.time())
        return self.add(replace(document, label=replace(kept, readers="user")), cut([Block(text)]))

    def turn(self, session: str, number: int, text: str, label: Label) -> Added:
        """Keep a turn that left a session's context, for that session alone."""
        name = f"turn:{session}:{number}"
        made = Document(name, f"turn {number} of this session", name, "turn", "", "", session, "kernel", time.time())
        return self.add(replace(made, label=replace(label, readers="user")), cut([Block(text)]))

    def search(self, query: str, most: int = 5, where: Where = Where(), mode: Mode = "hybrid") -> list[Hit]:  # noqa: B008
        """The passages that fit best, the best first."""
        self.sync()
        query = clean(query)
        vector = None if mode == "words" else self._embed([query])[0]
        with self._shelf.reading() as database:
            database.execute("BEGIN")  # what is ranked is what is read
            try:
                if self._near.refresh(database):
                    self._inside.clear()
                documents = self._documents(where)
                inside = "" if documents is None else f"chunks.document IN ({','.join(map(str, documents))})"
                near = [] if vector is None else self._near.search(database, vector, _DEPTH, documents)
                told = [] if mode == "vectors" else words.search(database, query, _DEPTH, inside)
                return self._hits(near, told, most)
            finally:
                database.execute("COMMIT")

    def _documents(self, where: Where) -> list[int] | None:
        """The documents to look in; None for all. Asked of the database once, until something is written."""
        if where not in self._inside:
            if len(self._inside) >= _FILTERS:
                self._inside.clear()
            condition, given = matching(where)
            database = self._shelf.database
            other = f"SELECT 1 FROM documents WHERE NOT ({condition}) LIMIT 1"
            found = database.execute(f"SELECT id FROM documents WHERE {condition}", given)
            self._inside[where] = (
                [row[0] for row in found] if database.execute(other, given).fetchone() is not None else None
            )
        return self._inside[where]

    def _hits(self, near: Sequence[tuple[int, float]], told: Sequence[int], most: int) -> list[Hit]:
        scores: dict[int, float] = {}
        for ranking, weight in (([id for id, _ in near], 1.0), (told, _WORDS_WEIGHT)):
            for place, id in enumerate(ranking, 1):
                scores[id] = scores.get(id, 0.0) + weight / (_FLAT + place)
        best = sorted(scores, key=lambda id: (-scores[id], id))[:most]
        likeness = dict(near)
        found = self._shelf.chunks(best)
        ids = tuple({document for document, _ in found.values()})
        documents = {d.id: d for d in self._shelf.rows(ids)}
        return [
            Hit(id, found[id][1], documents[found[id][0]], scores[id], likeness.get(id, 0.0))
            for id in best
            if id in found and found[id][0] in documents
        ]

    def documents(self, where: Where = Where(), most: int = -1) -> list[Document]:  # noqa: B008
        """What is kept, the newest first."""
        self.sync()
        return self._shelf.documents(where, most)

    def named(self, name: str, where: Where = Where()) -> list[Document]:  # noqa: B008
        """The documents of a name or location: the very one, else those whose title holds it."""
        wanted = name.strip().casefold()
        held = self._shelf.documents(replace(where, source=name.strip())) if wanted else []
        exact = [d for d in held if wanted in (d.title.casefold(), d.location.casefold())]
        return exact or [d for d in held if wanted in d.title.casefold()]

    def find(self, what: str, where: Where = Where()) -> list[Document]:  # noqa: B008
        """The documents that somebody means: by name, else those whose whole text is near enough to these words."""
        if named := self.named(what, where):
            return named
        near = [hit for hit in self.search(what, 5, where) if hit.document.chunks == 1 and hit.likeness >= _MEANT]
        clear = near and (len(near) == 1 or near[0].likeness - near[1].likeness > _CLEAR)
        return [hit.document for hit in (near[:1] if clear else near)]

    def document(self, id: int) -> Document | None:
        """A document by its number."""
        return next(iter(self._shelf.rows((id,))), None)

    def text(self, id: int) -> list[tuple[int, Chunk]]:
        """A document's passages in order, each with its number."""
        return self._shelf.text(id)

    def forget(self, ids: Sequence[int]) -> int:
        """Remove documents for good, of a shared memory for everyone; how many there were."""
        if self._shared is not None:
            names = {id: name for name, id in self._shelf.shared().items()}
            for name in (names[id] for id in ids if id in names):
                self._shared.remove(name)
        return self._shelf.remove(ids)

    def stats(self) -> dict[str, int]:
        """How much is kept: ``documents``, ``notes``, ``chunks``, ``bytes`` on disk."""
        with self._shelf.reading() as database:
            (documents,) = database.execute("SELECT count(*) FROM documents").fetchone()
            (notes,) = database.execute("SELECT count(*) FROM documents WHERE kind = 'note'").fetchone()
            (chunks,) = database.execute("SELECT count(*) FROM chunks").fetchone()
        held = sum(path.stat().st_size for path in self._shelf.folder.glob(f"{FILE}*"))
        return {"documents": documents, "notes": notes, "chunks": chunks, "bytes": held}

    def close(self) -> None:
        """Close the store. What was added is on disk already."""
        self._shelf.close()

    def __enter__(self) -> "Memory":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
