"""``open_file``: parts of remembered files and of the session's own; nothing outside of both."""

from pathlib import Path

import pytest

from llmos import LLMOS, Scripted, ToolCall
from llmos.kernel import minilm
from llmos.kernel.types import Result, ToolResult
from llmos.memory import ingest

pytestmark = pytest.mark.skipif(bool(minilm.missing()), reason="the weights are not installed")


@pytest.fixture(autouse=True, scope="module")
def _loaded() -> None:
    """On a busy machine loading alone could outlast a call."""
    minilm.Embedder.load()


def opened(home: Path, name: str, part: str = "") -> ToolResult:
    home.mkdir(exist_ok=True)
    lease = home / "lease.md"
    lease.write_text("# Lease\n\n## Pets\n\nA small dog may be kept.\n\n## Rent\n\nRent is due on the 3rd.\n")
    replies: list[ToolCall | str] = [ToolCall("x", "open_file", {"name": name, "part": part}), "done"]
    with LLMOS(model=Scripted(replies), home=home / "home", remembers=True) as llmos, llmos.session() as session:
        assert all(t.added for t in ingest.add(llmos.memory, [lease]))
        (session.workspace / "r9.txt").write_text("one\ntwo\nthree\n")
        (session.workspace / "link.txt").symlink_to(lease)
        session.run("read on")
        return next(e.result for e in session.events() if isinstance(e, Result))


@pytest.mark.parametrize(
    ("part", "held", "not_held"),
    [("", "small dog", "nothing"), ("rent", "due on", "dog"), ("line 5", "dog", "due"), ("part 2", "due", "dog")],
)
def test_parts_of_a_remembered_file(part: str, held: str, not_held: str, tmp_path: Path) -> None:
    result = opened(tmp_path, "lease.md", part)
    assert held in result.preview
    assert not_held not in result.preview
    assert result.readings
    assert result.label.integrity == "untrusted"


def test_files_of_the_session_and_nothing_outside(tmp_path: Path) -> None:
    assert opened(tmp_path / "a", "r9.txt", "lines 2-3").preview == "two\nthree"
    for name in ("../log.jsonl", "/etc/passwd", "link.txt", "nowhere.txt"):
        folder = tmp_path / name.strip("./").replace("/", "_")
        result = opened(folder, name)
        assert not result.ok
        assert "there is no file" in result.preview


def test_an_unknown_part_names_those_there_are(tmp_path: Path) -> None:
    assert "line 5" in opened(tmp_path, "lease.md", "page 7").preview
