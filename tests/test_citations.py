"""Marks in answers: only pages and passages read for this answer, only words that stand in them."""

from pathlib import Path

import pytest

from llmos.kernel.citations import cite, plain, told
from llmos.kernel.types import Citation, Event, Reading, Result, Source, ToolResult
from llmos.memory.chunks import Chunk
from llmos.memory.record import Document, Hit
from llmos.tools.browser_session import Web
from llmos.tools.egress import Gate
from llmos.tools.marks import Marks
from llmos.tools.passages import shown

BOAT = "# The Faering boat\nBuilt in 1854 by Ola Brekke in [Hardanger]{4} from pine and oak. It weighs 180 kg."
LENS = "Made in Paris in 1867. Its light was seen 19 nautical miles away."


def read(number: int, text: str, ok: bool = True) -> Event:
    reading = Reading(number, f"Page {number}", f"http://museum.example/{number}", 1_700_000_000.0, text)
    return Result(id="", result=ToolResult("r1", ok, text, Source("tool", "browser_open"), readings=(reading,)))


MADE = [read(1, BOAT), read(2, LENS)]


def test_a_mark_gets_the_words_that_say_so() -> None:
    text, citations = cite("The boat weighs 180 kg [1]. The lens was made in 1867 [2].", MADE, MADE)
    assert text == "The boat weighs 180 kg [1]. The lens was made in 1867 [2]."
    assert [(c.number, c.quote) for c in citations] == [(1, "It weighs 180 kg."), (2, "Made in Paris in 1867.")]
    assert citations[0].url == "http://museum.example/1"
    assert citations[0].time == 1_700_000_000.0
    assert told(citations) == (
        "Sources:\n[1] Page 1: http://museum.example/1 (read 2023-11-14 22:13 UTC)"
        "\n[2] Page 2: http://museum.example/2 (read 2023-11-14 22:13 UTC)"
    )


def test_given_words_are_kept_where_they_stand_in_the_page() -> None:
    text, citations = cite('Built there [1 "in hardanger  from pine"].', MADE, MADE)
    assert text == "Built there [1]."
    assert citations[0].quote == "in Hardanger from pine"
    assert citations[0].quote in plain(BOAT)


@pytest.mark.parametrize(
    "answer",
    [
        "It was painted green [3].",
        "It was painted green in Oslo [1].",
        "Nobody knows [7].",
        'It weighs a lot [1 "two tonnes of granite"].',
    ],
)
def test_a_mark_that_does_not_hold_is_taken_out(answer: str) -> None:
    text, citations = cite(answer, MADE, MADE)
    assert "[" not in text
    assert citations == ()


def test_only_pages_of_this_answer_can_be_cited() -> None:
    text, citations = cite("The boat weighs 180 kg [1], says [2] too.", MADE, MADE[1:])
    assert "[1]" not in text
    assert all(c.number == 2 for c in citations)
    assert cite("The boat weighs 180 kg [1].", [read(1, BOAT, ok=False)], [read(1, BOAT, ok=False)])[1] == ()


def test_without_any_page_an_answer_stays_as_it_is() -> None:
    assert cite("a[0] is 3, see [1].", [], []) == ("a[0] is 3, see [1].", ())
    assert cite("In code a[0] is 3.", MADE, MADE) == ("In code a[0] is 3.", ())


def test_a_tables_rows_are_cited_row_by_row() -> None:
    table = "Round | Date | Amount\nSeed | 2015-03 | 2\nSeries A | 2017-06 | 12"
    made = [read(1, table)]
    text, citations = cite("| Seed | 2015-03 | 2 | [1] |\n| Series A | 2017-06 | 12 | [1] |", made, made)
    assert text.count("[1]") == 2
    assert [c.quote for c in citations] == ["Seed | 2015-03 | 2", "Series A | 2017-06 | 12"]


def test_a_passage_of_a_document_is_cited_by_its_place() -> None:
    passage = Reading(
        3, "lease.md", "/home/me/lease.md", text="Pets: a cat or a small dog may be kept.", place="line 5"
    )
    result = ToolResult("r2", True, "", Source("tool", "recall"), readings=(passage,))
    made = [read(1, BOAT), Result(id="", result=result)]
    _, citations = cite("A small dog may be kept [3], and the boat weighs 180 kg [1].", made, made)
    assert [(c.number, c.location) for c in citations] == [
        (3, "/home/me/lease.md, line 5"),
        (1, "http://museum.example/1"),
    ]
    assert citations[0].url == ""
    assert told((Citation("rounds.csv", "https://example.org/rounds"), *citations)) == (
        "Sources:\n[1] Page 1: http://museum.example/1 (read 2023-11-14 22:13 UTC)\n[3] lease.md, line 5"
        "\nrounds.csv: https://example.org/rounds"
    )


@pytest.mark.parametrize(
    ("answer", "left", "quotes"),
    [
        ("Made in Paris in 1867 [2, 1].", "Made in Paris in 1867 [2].", ["Made in Paris in 1867."]),
        ('It weighs 180 kg [1; 2 "weighs 180 kg"].', "It weighs 180 kg [1].", ["weighs 180 kg"]),
        ("It is “Made in Paris in 1867. Its light” [2].", "It is “Made in Paris in 1867. Its light” [2].", [LENS[:32]]),
        ("It is “Made in Paris. Its light” [2].", "It is “Made in Paris. Its light”.", []),
        ("See `x[1]` and [99999].", "See `x[1]` and.", []),
        ("Hardanger [1].", "Hardanger [1].", ["Built in 1854 by Ola Brekke in Hardanger from pine and oak."]),
    ],
)
def test_several_marks_quotations_and_code(answer: str, left: str, quotes: list[str]) -> None:
    text, citations = cite(answer, MADE, MADE)
    assert text == left
    assert [c.quote for c in citations] == quotes


def test_pages_and_passages_of_a_session_are_numbered_through(tmp_path: Path) -> None:
    marks = Marks.after(MADE)
    web = Web(tmp_path, Gate.of([]), lambda name, body: name, marks)
    hit = Hit(1, Chunk("Rent is due on the 3rd."), Document("lease", "lease.md", ""), 1.0)
    first, passage = web._page("http://museum.example/3", "", ["a"], []), shown([hit], marks).readings[0]
    second = web._page("http://museum.example/4", "", ["b"], [])
    again = web._page("http://museum.example/3", "", ["a"], [])
    assert [first.number, passage.number, second.number, again.number] == [3, 4, 5, 3]
