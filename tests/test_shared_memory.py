"""One memory on a real Chroma server: what one home adds or forgets, another finds or no longer has."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from memory_writer import child

from llmos.kernel.errors import LLMOSError, UsageError
from llmos.memory.chunks import Chunk
from llmos.memory.record import Document
from llmos.memory.store import Memory

pytest.importorskip("chromadb")


def unit(texts: object) -> "np.typing.NDArray[np.float32]":
    assert isinstance(texts, (list, tuple))
    return np.full((len(texts), 384), 384**-0.5, dtype=np.float32)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Chroma server of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).with_name("chroma")), "run", "--port", str(port), "--path"]
    running = subprocess.Popen([*command, str(tmp_path_factory.mktemp("chroma"))], stdout=subprocess.DEVNULL)
    try:
        for _ in range(600):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        running.kill()
        running.wait()


def test_two_homes_share_what_is_added_changed_and_forgotten(server: str, tmp_path: Path) -> None:
    with Memory(tmp_path / "a", unit, server) as one, Memory(tmp_path / "b", unit, server) as other:
        one.add(Document("file:x", "x.txt", "1"), [Chunk("the kettle is red", page=2), Chunk("the mug is blue")])
        other.note("the dog is called Biscuit")
        assert [hit.chunk.place for hit in other.search("kettle", mode="words")] == ["page 2"]
        (note,) = one.search("Biscuit", mode="words")
        assert note.document.label.integrity == "trusted"
        other.add(Document("file:x", "x.txt", "2"), [Chunk("the kettle is green")])
        assert [hit.chunk.text for hit in one.search("kettle", mode="words")] == ["the kettle is green"]
        one.forget([d.id for d in one.documents()])
        assert other.documents() == []
    with Memory(tmp_path / "c", unit, server) as third:
        assert third.search("kettle", mode="words") == []


def test_processes_of_two_homes_add_at_once_and_nothing_is_lost(server: str, tmp_path: Path) -> None:
    counts = {"a": 5, "b": 5, "c": 5}
    homes = {"a": tmp_path / "one", "b": tmp_path / "one", "c": tmp_path / "other"}
    running = [child(homes[name], name, count, LLMOS_MEMORY_URL=server) for name, count in counts.items()]
    told = [process.communicate(timeout=120) for process in running]
    assert [(process.returncode, error) for process, (_, error) in zip(running, told, strict=True)] == [(0, "")] * 3
    wanted = {f"{name}-{n}" for name, count in counts.items() for n in range(count)}
    for home in (*set(homes.values()), tmp_path / "third"):
        with Memory(home, unit, server) as memory:
            found = {d.title: d for d in memory.documents() if d.title[:2] in ("a-", "b-", "c-")}
            assert found.keys() == wanted
            for d in found.values():
                assert [c.text for _, c in memory.text(d.id)] == [f"{d.title} part {i}" for i in range(d.chunks)]


def test_a_server_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(LLMOSError, match="cannot be used"):
        Memory(tmp_path, unit, "http://127.0.0.1:9")
    with pytest.raises(UsageError, match="LLMOS_MEMORY_URL"):
        Memory(tmp_path, unit, "nonsense")
