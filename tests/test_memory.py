"""The store through its own door: kept once, whole or not at all, found by meaning and words, by several processes."""

import random
import signal
import sqlite3
import subprocess
import sys
import time
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from memory_writer import child

from llmos.cli import run_command
from llmos.kernel import minilm
from llmos.kernel.errors import LLMOSError
from llmos.kernel.types import Label, Request
from llmos.memory import ingest, words
from llmos.memory.chunks import Chunk
from llmos.memory.log import SessionStore
from llmos.memory.record import Document, Where
from llmos.memory.store import Memory

needs_weights = pytest.mark.skipif(bool(minilm.missing()), reason="the weights are not installed")


def fake(texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """Vectors that depend on the text's words alone."""
    made = np.zeros((len(texts), 384), dtype=np.float32)
    for n, text in enumerate(texts):
        for word in text.lower().split():
            made[n] += np.random.default_rng(zlib.crc32(word.encode())).normal(size=384)
    made /= np.maximum(np.linalg.norm(made, axis=1, keepdims=True), 1e-9)
    return made


def document(name: str, text: str, **fields: str) -> tuple[Document, list[Chunk]]:
    return Document(f"file:{name}", name, str(zlib.crc32(text.encode())), **fields), [Chunk(text)]  # type: ignore[arg-type]


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(tmp_path, fake)


def test_the_same_content_is_kept_once_and_a_new_one_replaces_it(memory: Memory) -> None:
    assert memory.add(*document("a", "the first text")).state == "added"
    assert memory.add(*document("a", "the first text")).state == "unchanged"
    assert memory.add(*document("b", "the first text")).state == "unchanged"
    assert memory.add(*document("a", "the second text")).state == "updated"
    assert [d.title for d in memory.documents()] == ["a"]
    assert [hit.chunk.text for hit in memory.search("text")] == ["the second text"]


def test_what_is_forgotten_is_gone(memory: Memory) -> None:
    added = memory.add(*document("a", "the cat sleeps"))
    memory.add(*document("b", "the dog barks"))
    assert memory.search("cat", 1)[0].chunk.text == "the cat sleeps"
    assert memory.forget([added.document, 999]) == 1
    assert [hit.chunk.text for hit in memory.search("cat")] == ["the dog barks"]
    assert memory.search("cat", mode="words") == []
    assert memory.stats()["chunks"] == 1


@pytest.mark.parametrize("mode", ["hybrid", "vectors", "words"])
def test_filters_hold_in_every_mode(memory: Memory, mode: str) -> None:
    memory.add(*document("shared.txt", "the plan is shared"))
    memory.add(*document("own.txt", "the plan is my own", persona="coach", session="s1"))
    old = Document("file:old", "old.txt", "h", location="/x/Archive/old.txt", added=1000.0)
    memory.add(old, [Chunk("the plan is old")])

    def found(**where: object) -> set[str]:
        return {h.document.title for h in memory.search("plan", 9, Where(**where), mode)}  # type: ignore[arg-type]

    assert found() == {"shared.txt", "old.txt"}
    assert found(persona="coach") == {"shared.txt", "own.txt", "old.txt"}
    assert found(persona="coach", session="s1") == {"own.txt"}
    assert found(until=2000.0) == {"old.txt"}
    assert found(since=2000.0) == {"shared.txt"}
    assert found(source="archive") == {"old.txt"}
    assert found(integrity="trusted") == set()


def test_notes_keep_who_said_them_and_their_label_for_ever(tmp_path: Path) -> None:
    tainted = Label(("web:evil.example", "user"), "untrusted", "anyone")
    with Memory(tmp_path, fake) as memory:
        memory.note("the bank account is 1", said_by="kernel", label=tainted, session="s")
        memory.note("the bank account is 1")
    with Memory(tmp_path, fake) as memory:
        trusted, untrusted = memory.documents()
    assert (trusted.said_by, trusted.label) == ("user", Label(("user",), "trusted", "user"))
    assert (untrusted.said_by, untrusted.session) == ("kernel", "s")
    assert untrusted.label == Label(("web:evil.example", "user"), "untrusted", "user")


def test_words_of_a_query_are_never_operators(memory: Memory) -> None:
    memory.add(*document("a", 'a "quoted" text with NEAR and (brackets) AND stars*'))
    for query in (
        '"',
        "NEAR(a b)",
        "text:",
        "a OR",
        "stars*",
        "-text",
        "^a",
        "'; DROP TABLE chunks; --",
        "\0",
        "",
        "😀",
    ):
        memory.search(query)
    assert memory.search("quoted", mode="words")


def test_many_chunks_are_found_through_signs_alone(memory: Memory) -> None:
    names = [f"word{n} other{n % 7}" for n in range(2000)]
    memory.add(Document("file:a", "a", "h"), [Chunk(name) for name in names])
    for n in (0, 77, 1999):
        assert memory.search(f"word{n} other{n % 7}", 1, mode="vectors")[0].chunk.text == names[n]


def test_common_words_find_what_a_filter_leaves_however_old_it_is(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(words, "_MANY", 20)
    for n in range(60):
        memory.add(*document(f"m{n}", f"the river rises {n}"))
    (oldest,) = (d for d in memory.documents() if d.title == "m0")
    found = memory.search("river rises", mode="words", where=Where(documents=(oldest.id,)))
    assert [hit.document.title for hit in found] == ["m0"]


def test_a_damaged_or_foreign_file_is_one_clear_line(tmp_path: Path) -> None:
    Memory(tmp_path, fake).close()
    path = tmp_path / "memory" / "memory.db"
    for rest in path.parent.glob("memory.db-*"):
        rest.unlink()
    path.write_bytes(b"no database at all" * 1000)
    with pytest.raises(LLMOSError, match="damaged"):
        Memory(tmp_path, fake)
    path.unlink()
    sqlite3.connect(path).execute("PRAGMA user_version = 99").connection.close()
    with pytest.raises(LLMOSError, match="another version"):
        Memory(tmp_path, fake)


def assert_whole(home: Path, acknowledged: set[str]) -> None:
    """Every acknowledged document is there, and each that is there has all its chunks, words and vectors."""
    with Memory(home, fake) as memory:
        found = memory.documents()
        assert acknowledged <= {d.title for d in found}
        for d in found:
            texts = [chunk.text for _, chunk in memory.text(d.id)]
            assert texts == [f"{d.title} part {i}" for i in range(d.chunks)]
        database = sqlite3.connect(home / "memory" / "memory.db")
        for table in ("vectors", "words_docsize"):
            assert database.execute(f"SELECT count(*) FROM {table}").fetchone()[0] == sum(d.chunks for d in found)
        database.execute("INSERT INTO words (words) VALUES ('integrity-check')")
        database.close()


def kill_at_random(tmp_path: Path, times: int) -> None:
    choose, acknowledged = random.Random(6), set[str]()
    for n in range(times):
        running = child(tmp_path, f"run{n}", 100_000)
        assert running.stdout is not None
        acknowledged.add(running.stdout.readline().strip())
        time.sleep(choose.uniform(0, 0.3))
        running.send_signal(signal.SIGKILL)
        told, _ = running.communicate(timeout=60)
        acknowledged |= {
            line for line in told.splitlines(keepends=False) if told.endswith("\n") or line != told[-len(line) :]
        }
        assert_whole(tmp_path, acknowledged)
    assert len(acknowledged) > times


def test_a_kill_loses_nothing_acknowledged_and_leaves_no_half_document(tmp_path: Path) -> None:
    kill_at_random(tmp_path, 4)


@pytest.mark.slow
def test_fifty_kills_at_random_moments(tmp_path: Path) -> None:
    kill_at_random(tmp_path, 50)


def test_several_processes_share_a_home(tmp_path: Path) -> None:
    running = [child(tmp_path, f"p{n}", 30) for n in range(4)]
    told = [process.communicate(timeout=120) for process in running]
    assert [(process.returncode, error) for process, (_, error) in zip(running, told, strict=True)] == [(0, "")] * 4
    assert_whole(tmp_path, {f"p{p}-{n}" for p in range(4) for n in range(30)})
    with Memory(tmp_path, fake) as memory:
        assert memory.stats()["documents"] == 120


@needs_weights
def test_files_are_taken_in_and_found_by_what_they_mean(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "lease.md").write_text(
        "# Lease\n\n## Pets\n\nA cat or a small dog may be kept.\n\n## Rent\n\nDue on the 3rd.\n"
    )
    (folder / "notes.txt").write_text("The boiler was serviced in May.\n")
    (folder / "bad.pdf").write_text("no pdf")
    with Memory(tmp_path / "home") as memory:
        taken = {t.name: t for t in ingest.add(memory, [folder])}
        assert "no PDF" in taken["bad.pdf"].problem
        hit = memory.search("may I have an animal?", 1)[0]
        assert (hit.document.title, hit.chunk.heading, hit.chunk.place) == ("lease.md", "Lease > Pets", "line 5")
        assert hit.document.label.integrity == "untrusted"
        (folder / "notes.txt").write_text("The boiler was serviced in June.\n")
        again = {t.name: t.added.state for t in ingest.add(memory, [folder]) if t.added}
        assert again == {"lease.md": "unchanged", "notes.txt": "updated"}
        assert "June" in memory.search("when was the heating looked after?", 1)[0].chunk.text


COMPUTING = """
import sys, threading, time
from pathlib import Path
import torch
from llmos.memory.store import Memory
begun = threading.Event()
def compute(texts):
    begun.set()
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        torch.ones(1 << 18).add(1)
Memory(Path(sys.argv[1]), compute).warm()
begun.wait()
"""


def test_a_process_that_ends_while_the_embedder_loads_is_not_aborted(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", COMPUTING, str(tmp_path)], capture_output=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, b"")


def test_what_was_kept_for_one_session_goes_when_it_is_cleaned_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMOS_HOME", str(tmp_path))
    store = SessionStore(tmp_path)
    names = [store.create(), store.create()]
    for name in names:
        with store.open(name) as log:
            log.append(Request(id="e1", text="hello"))
    with Memory(tmp_path, fake) as memory:
        for name in names:
            for kind in ("turn", "attached", "note"):
                memory.add(*document(f"{kind} of {name}", f"{kind} {name}", kind=kind, session=name))
    assert run_command(["clean", names[0], "--yes"]) == 0
    with Memory(tmp_path, fake) as memory:
        left = {(d.kind, d.session) for d in memory.documents(Where(everyone=True))}
    assert left == {("note", names[0]), *((kind, names[1]) for kind in ("turn", "attached", "note"))}
