"""One memory for many machines: a Chroma server holds the documents, each home a copy that it searches.

A document's passages go first and its head last, so that it is there whole or not at all for everyone; forgetting takes
the head first. A copy is brought up to date by comparing heads. The server is trusted as the home's own disk is: labels
come from it. Files attached to one session, and turns that left its context, stay at home.
"""

import json
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from llmos.kernel.errors import LLMOSError, UsageError
from llmos.kernel.types import Label
from llmos.memory.chunks import Chunk
from llmos.memory.record import Document

if TYPE_CHECKING:
    from llmos.kernel.minilm import Vectors

COLLECTION = "llmos-memory"
AT_HOME = ("attached", "turn")  # kinds that belong to one session
_BATCH = 500


class Shared:
    """A collection of a Chroma server at ``http://host:port``. Raises LLMOSError where it cannot be reached."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(f"LLMOS_MEMORY_URL cannot be {url!r}; give such as http://host:8000")
        self._url = url
        try:
            import chromadb
        except ImportError as error:
            raise LLMOSError("a shared memory needs chromadb: pip install 'llmos[memory]'") from error
        secure = parts.scheme == "https"
        settings = chromadb.Settings(anonymized_telemetry=False)
        with self._told():
            client = chromadb.HttpClient(
                parts.hostname, parts.port or (443 if secure else 8000), ssl=secure, settings=settings
            )
            self._collection: Any = client.get_or_create_collection(COLLECTION, embedding_function=None)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """The client's errors, of many kinds, as one line."""
        try:
            yield
        except LLMOSError:
            raise
        except Exception as error:
            why = f"{type(error).__name__}: {str(error)[:120]}"
            raise LLMOSError(f"the Chroma server at {self._url} cannot be used: {why}") from error

    def heads(self) -> set[str]:
        """The names of all documents that are there whole."""
        with self._told():
            found = self._collection.get(where={"head": 1}, include=[])["ids"]
        return {id.removeprefix("doc:") for id in found}

    def put(self, document: Document, chunks: Sequence[Chunk], vectors: "Vectors") -> str:
        """Keep a document; the name it has there. It is whole on return."""
        name = uuid.uuid4().hex
        with self._told():
            for begin in range(0, len(chunks), _BATCH):
                part = range(begin, min(begin + _BATCH, len(chunks)))
                self._collection.add(
                    ids=[f"{name}:{n}" for n in part],
                    documents=[chunks[n].text for n in part],
                    embeddings=[vectors[n].tolist() for n in part],
                    metadatas=[{"part_of": name, "place": n, "chunk": json.dumps(asdict(chunks[n]))} for n in part],
                )
            head = {"head": 1, "chunks": len(chunks), "document": json.dumps(asdict(document))}
            first = vectors[0].tolist()
            self._collection.add(ids=[f"doc:{name}"], documents=[document.title], embeddings=[first], metadatas=[head])
        return name

    def load(self, name: str) -> "tuple[Document, list[Chunk], Vectors] | None":
        """A document by its name; None where it was forgotten meanwhile."""
        import numpy as np

        with self._told():
            head = self._collection.get(ids=[f"doc:{name}"], include=["metadatas"])["metadatas"]
            if not head:
                return None
            found = self._collection.get(where={"part_of": name}, include=["metadatas", "embeddings"])
            if len(found["ids"]) != head[0]["chunks"]:
                return None
            order = sorted(range(len(found["ids"])), key=lambda n: found["metadatas"][n]["place"])
            chunks = [Chunk(**json.loads(found["metadatas"][n]["chunk"])) for n in order]
            told = json.loads(head[0]["document"])
            label = told.pop("label")
            label["origins"] = tuple(label["origins"])
            document = Document(**told, label=Label(**label))
            return document, chunks, np.asarray(found["embeddings"], dtype=np.float32)[order]

    def remove(self, name: str) -> None:
        """Forget a document for everyone."""
        with self._told():
            self._collection.delete(ids=[f"doc:{name}"])
            self._collection.delete(where={"part_of": name})
