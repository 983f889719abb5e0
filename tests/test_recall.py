"""Recall: what was taught, found again by likeness."""

from pathlib import Path

import pytest

from llmos.kernel.adapt import adapted
from llmos.kernel.examples import LIKELY, MOST, Memory, likely
from llmos.kernel.recall import Recall, Recalled, Taught, fits, kind_of
from llmos.kernel.turns import Turn
from llmos.training.recall import write

TAUGHT = [
    Taught("calculator", "what is @1% of @2?", "@1% * @2"),
    Taught("calculator", "what is @1 plus @2?", "@1 + @2"),
    Taught("calculator", "take @1% off @2", "@2 * (1 - @1%)"),
    Taught("calculator", "how many ounces are in @1 pounds", "@1 pounds to ounces"),
    Taught("calculator", "days from ~1 to ~2", "days(~1, ~2)"),
    Taught("calculator", "the square root of @1", "sqrt(@1)"),
    Taught("calculator", "@1 people share @2 sweets, how many does each get", "@2 / @1"),
    Taught("calculator", "roots of &1(x)", "solve(&1 = 0, x)"),
    Taught("say", "who are you", "I am llmos."),
    Taught("python", "spell llama backwards", "print('llama'[::-1])"),
    Taught("table", "plot #1 by #1 as bars", "df.plot(x=#, y=#, kind='bar')"),
    Taught("change", "a log scale please", "ax.set_yscale('log')"),
]
EVERY = ("calculator", "say", "python", "table", "change")


@pytest.fixture
def recall() -> Recall:
    return Recall(TAUGHT)


@pytest.mark.parametrize(
    ("told", "answer"),
    [
        ("What is @1% of @2?", "@1% * @2"),
        ("please take @1% off @2", "@2 * (1 - @1%)"),
        ("squre root of @1", "sqrt(@1)"),
        ("how many grams are in @1 pounds", "@1 pounds to grams"),
        ("how many days from ~1 to ~2?", "days(~1, ~2)"),
        ("@1 kids share @2 sweets; how many for each", "@2 / @1"),
        ("the roots of &1(t)", "solve(&1 = 0, t)"),
        ("so who are you?", "I am llmos."),
        ("spell butterscotch backwards", "print('butterscotch'[::-1])"),
        ("plot #3 by #1 as bars, please", "df.plot(x=#, y=#, kind='bar')"),
        ("log scale please", "ax.set_yscale('log')"),
    ],
)
def test_a_request_finds_what_answered_one_like_it(recall: Recall, told: str, answer: str) -> None:
    assert recall.near(told, EVERY)[0].answer == answer


def test_the_same_request_is_as_like_as_can_be_and_others_less(recall: Recall) -> None:
    best, *others = recall.near("what is @1% of @2?", EVERY)
    assert best.likeness == pytest.approx(1)
    assert all(o.likeness < best.likeness for o in others)
    assert recall.near("zebra", EVERY) == []


def test_only_what_is_wanted_is_found(recall: Recall) -> None:
    def sums(found: Recalled) -> bool:
        return "+" in found.answer

    assert recall.near("what is @1% of @2?", EVERY, good=sums)[0].answer == "@1 + @2"
    assert len(recall.near("what is @1% of @2?", EVERY, most=1)) == 1
    assert {r.taught.kind for r in recall.near("who are you", ("calculator", "table"))} <= {"calculator", "table"}
    assert all(r.likeness < 0.9 for r in recall.near("what is @1% of @2?", EVERY, below=0.9))


def test_an_answer_is_found_once(recall: Recall) -> None:
    twice = Recall([*TAUGHT, Taught("calculator", "what is @1% of @2", "@1% * @2")])
    assert [r.answer for r in twice.near("what is @1% of @2", EVERY)].count("@1% * @2") == 1


def test_what_stands_in_a_place_goes_into_its_place() -> None:
    assert adapted("how many grams in @1 stone", "how many ounces in @1 pounds", "@1 pounds to ounces") == (
        "@1 stone to grams"
    )
    assert adapted("x", "what is @1", "@1") == "@1"
    # Two numbers that would go into one place go by their order.
    assert adapted("@1 kg in @2 wedges, @3 sold", "@1 kg in @2 wedges, @2 sold", "@1 / @2") == "@1 / @2"
    assert adapted("buy @1 for @2, @3 left", "buy @2 for @1, @3 left", "@2 * @1 + @3") == "@1 * @2 + @3"


def test_a_value_has_a_kind() -> None:
    assert [kind_of(v) for v in ("15", "2.5", "2024-01-05", "3x^2 - 4")] == ["@", "@", "~", "&"]


def test_short_names_must_stand_for_values_of_their_kind() -> None:
    values = ["15", "2024-01-05", "whole", "x^2 = 4"]
    assert fits("@1 + 2", values, {"whole"})
    assert fits("days(~2, today)", values, {"whole"})
    assert fits("solve(&4, x)", values, {"whole"})
    assert not fits("@2 + 1", values, {"whole"})
    assert not fits("~1", values, {"whole"})
    assert not fits("@3", values, {"whole"})
    assert not fits("@4", values, {"whole"})
    assert not fits("@5", values, {"whole"})


def test_a_file_is_read_and_a_missing_one_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "taught.jsonl.gz"
    write(path, TAUGHT)
    assert Recall.load(path).near("what is @1% of @2?", EVERY)[0].answer == "@1% * @2"
    assert Recall.load(tmp_path / "none.jsonl.gz").near("what is @1% of @2?", EVERY) == []


def test_a_request_gets_few_examples_that_its_values_fit(recall: Recall) -> None:
    found = likely(recall, "what is @1% of @2", EVERY, ("15", "80"))
    assert found[0].answer == "@1% * @2"
    assert len(found) <= MOST
    assert all(r.likeness >= LIKELY for r in found)
    assert "@1% * @2" not in {r.answer for r in likely(recall, "what is @1% of @2", EVERY, ("15",))}


def test_the_memory_is_read_when_it_is_first_asked(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "taught.jsonl.gz")
    write(tmp_path / "taught.jsonl.gz", [Taught("say", "who are you", "I am llmos.")])
    turn = Turn("Who are you?", gist="Who are you?", kinds=("say",))
    assert [r.answer for r in memory(turn)] == ["I am llmos."]
    assert memory(Turn("x", told="x", kinds=("say",))) == ()


def test_who_asks_for_a_picture_gets_no_examples_of_mere_numbers() -> None:
    taught = [Taught("table", "#1 by #1 please", "df.groupby(#)[#].mean()"), Taught("table", "#1 over #1", "df.plot()")]
    found = likely(Recall(taught), "a chart of #1 by #2 please", EVERY, ())
    assert {r.answer for r in found} <= {"df.plot()"}
    assert likely(Recall(taught), "#1 by #2 please", EVERY, ())[0].answer == "df.groupby(#)[#].mean()"


def test_a_part_of_one_is_not_rounded_up() -> None:
    taught = [
        Taught("calculator", "a van takes @1, how many vans for @2 people", "ceil(@2 / @1)"),
        Taught("calculator", "@1 people, vans of @2, how many vans", "ceil(@1 / @2)"),
    ]
    told = "vans of @1 for @2 people, how many vans"
    assert likely(Recall(taught), told, ("calculator",), ("9", "100"))[0].answer == "ceil(@2 / @1)"
    assert likely(Recall(taught), told, ("calculator",), ("100", "9"))[0].answer == "ceil(@1 / @2)"


def test_a_question_that_asks_for_no_picture_draws_none() -> None:
    taught = [
        Taught("table", "#1 of each #1 in all years", "`lines # # #"),
        Taught("table", "the most #1", "`topsum # #"),
    ]
    kinds = ("table",)
    assert likely(Recall(taught), "which of each had most #1 in all years", kinds, ())[0].answer == "`topsum # #"
    assert likely(Recall(taught), "draw #1 of each #1 in all years", kinds, ())[0].answer == "`lines # # #"
