"""``forget`` asks, removes what is meant and never guesses."""

from pathlib import Path

import pytest

from llmos import LLMOS, Scripted, ToolCall
from llmos.kernel import minilm
from llmos.kernel.types import Decision, Result

pytestmark = pytest.mark.skipif(bool(minilm.missing()), reason="the weights are not installed")


@pytest.fixture(autouse=True, scope="module")
def _loaded() -> None:
    """On a busy machine loading alone could outlast a call."""
    minilm.Embedder.load()


def forget(home: Path, what: str, approve: bool | None) -> tuple[str, str, int]:
    """The verdict, what the kernel was told, and how many notes are left."""
    replies: list[ToolCall | str] = [ToolCall("x", "forget", {"what": what}), "done"]
    ask = None if approve is None else lambda call: approve
    with LLMOS(model=Scripted(replies), home=home, remembers=True, approve=ask) as llmos, llmos.session() as session:
        for note in ("My dog is called Biscuit.", "The meeting is on Friday.", "The meeting is on Monday."):
            llmos.memory.note(note)
        session.run("forget it")
        verdict = next(e.verdict for e in session.events() if isinstance(e, Decision))
        told = next(e.result.preview for e in session.events() if isinstance(e, Result))
        return verdict, told, llmos.memory.stats()["notes"]


def test_it_asks_and_removes_the_one_that_is_meant(tmp_path: Path) -> None:
    assert forget(tmp_path / "a", "My dog is called Biscuit.", True) == (
        "ask",
        "forgotten: My dog is called Biscuit.",
        2,
    )
    assert forget(tmp_path / "b", "My dog is called Biscuit.", False)[2] == 3
    assert forget(tmp_path / "c", "My dog is called Biscuit.", None)[0] == "deny"


def test_it_does_not_guess(tmp_path: Path) -> None:
    _, told, left = forget(tmp_path / "a", "the meeting", True)
    assert ("which one?" in told, left) == (True, 3)
    _, told, left = forget(tmp_path / "b", "the price of copper in Chile", True)
    assert ("nothing that is kept" in told, left) == (True, 3)
