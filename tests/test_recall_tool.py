"""``recall`` and what an answer may cite: only passages of this turn, and only quotations that stand in them."""

from pathlib import Path

import pytest

from llmos import LLMOS, Answer, Scripted, ToolCall
from llmos.kernel import minilm
from llmos.kernel.types import Result
from llmos.memory import ingest

pytestmark = pytest.mark.skipif(bool(minilm.missing()), reason="the weights are not installed")
RECALL = ToolCall("x", "recall", {"query": "may a dog be kept in the flat?"})


@pytest.fixture(autouse=True, scope="module")
def _loaded() -> None:
    """On a busy machine loading alone could outlast a call."""
    minilm.Embedder.load()


def asked(home: Path, *replies: object) -> tuple[Answer, list[str]]:
    """The last answer to a question for each reply that is no call, and all results."""
    lease = home / "lease.md"
    lease.write_text("# Lease\n\n## Pets\n\nA cat or a small dog may be kept.\n\n## Rent\n\nRent is due on the 3rd.\n")
    with LLMOS(model=Scripted(list(replies)), home=home / "home", remembers=True) as llmos:  # type: ignore[arg-type]
        assert [t.problem for t in ingest.add(llmos.memory, [lease])] == [""]
        with llmos.session() as session:
            for reply in replies:
                if isinstance(reply, str):
                    answer = session.run("may I keep a dog?")
            return answer, [e.result.preview for e in session.events() if isinstance(e, Result)]


def test_an_answer_cites_file_line_and_a_quotation_that_stands_there(tmp_path: Path) -> None:
    answer, results = asked(tmp_path, RECALL, 'Yes: "a cat or a small dog may  be kept" [1].')
    assert results[0].startswith("[1] lease.md, line 5, Lease > Pets:\nA cat or a small dog")
    (citation,) = answer.citations
    assert (citation.number, citation.title) == (1, "lease.md")
    assert citation.location.endswith("lease.md, line 5")
    assert answer.text.endswith("[1].\nSources:\n[1] lease.md, line 5")


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("Yes [7].", "Yes."),
        ('It says "large dogs are welcome" [1].', 'It says "large dogs are welcome".'),
        ("Yes [1].", "Yes."),
        ("A dog may be kept [1, 9].", "A dog may be kept [1].\nSources:\n[1] lease.md, line 5"),
        ("In `a[1]` and [999999] nothing.", "In `a[1]` and nothing."),
    ],
)
def test_marks_that_stand_for_nothing_are_taken_out(said: str, left: str, tmp_path: Path) -> None:
    assert asked(tmp_path, RECALL, said)[0].text == left


def test_a_passage_of_an_earlier_turn_cannot_be_cited(tmp_path: Path) -> None:
    answer, _ = asked(tmp_path, RECALL, "A small dog may [1].", "As said, a small dog may [1].")
    assert (answer.text, answer.citations) == ("As said, a small dog may.", ())


def test_what_nothing_speaks_of_is_said(tmp_path: Path) -> None:
    query = ToolCall("x", "recall", {"query": "quarterly revenue of the semiconductor division"})
    _, results = asked(tmp_path, query, "I do not know.")
    assert "nothing that is kept speaks of this" in results[0]


def test_text_of_sessions_without_passages_is_left_alone(tmp_path: Path) -> None:
    with LLMOS(model=Scripted(["See [1] and x[2]."]), home=tmp_path, remembers=True) as llmos:
        assert llmos.run("hello").text == "See [1] and x[2]."


def test_a_document_given_with_a_request_is_found_in_its_session_alone(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text("<h1>Report</h1><p>Revenue in 2021 was 14.2 million euros.</p>")
    query = ToolCall("x", "recall", {"query": "revenue in 2021"})
    replies: list[ToolCall | str] = [query, "It was 14.2 million euros [1].", query, "I do not know."]
    with LLMOS(model=Scripted(replies), home=tmp_path / "home", remembers=True) as llmos:
        answer = llmos.run("what was the revenue?", files=[page])
        assert [c.quote for c in answer.citations] == ["Revenue in 2021 was 14.2 million euros."]
        with llmos.session() as other:
            other.run("what was the revenue?")
            told = [e.result.preview for e in other.events() if isinstance(e, Result)]
    assert "nothing that is kept" in told[0]
