"""Reading for the embedded kernel: what a document says is quoted and cited, what it does not is declined."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from llmos import LLMOS
from llmos.kernel import minilm
from llmos.kernel.engine import CallMade, Delta, TextDelta
from llmos.kernel.reading import ATTACHED, DECLINED, NAME, Reading, answer
from llmos.kernel.scripted import Scripted
from llmos.kernel.types import Answer, Message, Part, Source, ToolCall
from llmos.tools.calculator import make_calculator
from llmos.tools.marks import Marks
from llmos.tools.recall import make_recall

pytestmark = pytest.mark.skipif(bool(minilm.missing()), reason="the weights are not installed")
REPORT = "# Report\n\nRevenue in 2021 was 48.2 million euros, up from 41.7 million in 2020.\n\nWe employ 312 people.\n"
TOOLS = [make_calculator(), make_recall(lambda query, most: [], Marks())]


def user(text: str, *files: str) -> Message:
    return Message("user", (*(Part(f, Source("file", "x")) for f in files), Part(text, Source("user"))))


def said(messages: Sequence[Message], found: Sequence[tuple[str, str]] = ()) -> str | ToolCall | None:
    """What the reader does; None where it leaves the turn to the other."""
    other = Scripted(["other"])
    deltas: Iterator[Delta] = Reading(other, lambda asked: found).reply(messages, TOOLS)
    made = next(d for d in deltas if isinstance(d, CallMade | TextDelta))
    list(deltas)
    assert other.offered in ([], [["calculator"]])  # it is not told of what it was not taught
    if isinstance(made, CallMade):
        assert isinstance(made.call, ToolCall)
        return made.call
    return None if other.offered else made.text


@pytest.mark.parametrize("asked", ["what was the revenue in 2021?", "Which revenue did we have in 2021"])
def test_a_question_that_a_document_answers_is_looked_up(asked: str) -> None:
    call = said([user(asked)], [("report.md Report", "Revenue in 2021 was 48.2 million euros.")])
    assert isinstance(call, ToolCall)
    assert (call.name, call.arguments["query"]) == (NAME, asked)


@pytest.mark.parametrize(
    "asked",
    [
        "what is 15% of 2021?",
        "plot the revenue in 2021",
        "the revenue in 2021",
        "what is 2021 - 20?",
        "who is Ann?",
        "how many words are in it?",
    ],
)
def test_whatever_else_is_asked_is_left_to_the_kernel(asked: str) -> None:
    assert said([user(asked)], [("report.md Report", "Revenue in 2021 was 48.2 million euros.")]) is None


def test_of_a_document_that_came_with_it_the_reader_says_what_it_does_not_say() -> None:
    came = f"file 'x.pdf': 1 passage {ATTACHED}"
    assert isinstance(said([user("who is the auditor?", came)]), ToolCall)
    assert said([user("what is 12 * 3?", came)]) is None
    call = ToolCall("c", NAME, {"query": "who is the auditor?"})
    result = Message("tool", (Part("nothing", Source("tool", NAME)),), (), "c")
    assert said([user("who is the auditor?", came), Message("assistant", (), (call,)), result]) == DECLINED


def test_the_nearest_sentence_is_quoted_with_its_number() -> None:
    shown = "[3] a.md, line 1:\nThe door is red. Revenue in 2021 was 48.2 million euros.\n\n[4] b.md:\nNone.\n\n(cite)"
    assert answer("what was the revenue in 2021?", shown) == "\u201cRevenue in 2021 was 48.2 million euros.\u201d [3]"
    assert answer("what was the revenue in 1987?", shown) == DECLINED
    assert answer("who painted the ceiling?", shown) == DECLINED


def test_the_embedded_kernel_answers_from_a_file_and_cites_it(tmp_path: Path) -> None:
    (tmp_path / "report.md").write_text(REPORT)
    with LLMOS(home=tmp_path / "home") as system:
        made = system.run("what was the revenue in 2021?", files=[tmp_path / "report.md"])
        assert isinstance(made, Answer)
        assert "48.2 million" in made.text
        assert [c.quote for c in made.citations] == [REPORT.split("\n\n")[1].rstrip(".")]
        assert made.citations[0].location.endswith("report.md, lines 3-5")
        system.memory.note("The spare key hangs behind the clock in the hall.")
        assert "behind the clock" in system.run("where does the spare key hang?").text
        assert "372" in system.run("what is 15% of 2480?").text
    with LLMOS(home=tmp_path / "home", remembers=False) as system:
        assert "clock" not in system.run("where does the spare key hang?").text


def taken(name: str) -> str:
    return f"file '{name}': 3 passages {ATTACHED}, open_file reads it"


def test_a_file_that_says_it_was_taken_in_is_none_that_was() -> None:
    table = f"file 'a.csv': 3 rows, columns: 'x' (text: {ATTACHED})"
    assert said([user("what is the price of a ticket?", table)]) is None


@pytest.mark.parametrize("asked", ["what can you do?", "and 20%?", "what is a hundred plus thirty"])
def test_what_is_asked_of_the_kernel_after_a_document_is_left_to_it(asked: str) -> None:
    before = [user("who signed the lease?", taken("lease.pdf")), Message("assistant", (Part("Ann", Source("kernel")),))]
    assert said([*before, user(asked)]) is None


def test_what_was_told_in_the_session_is_not_declined() -> None:
    before = [user("who signed the lease?", taken("lease.pdf")), Message("assistant", (Part("Ann", Source("kernel")),))]
    told = [*before, user("my locker is number 12"), Message("assistant", (Part("ok", Source("kernel")),))]
    assert said([*told, user("which number is my locker?")]) is None
    assert isinstance(said([*told, user("which wall does the boiler hang on?")]), ToolCall)


def test_a_lookup_that_failed_declines_nothing() -> None:
    asked = user("who signed the lease?", taken("lease.pdf"))
    call = Message("assistant", (), (ToolCall(NAME, NAME, {"query": "x"}),))
    failed = Message("tool", (Part("error: the memory cannot be reached", Source("tool")),), (), NAME)
    assert said([asked, call, failed]) is None


def test_long_odd_requests_are_read_at_once() -> None:
    assert said([user("-" * 200_000)]) is None
    assert said([user(" " * 200_000 + "?")]) is None
