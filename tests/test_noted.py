"""What the embedded kernel is told to keep: in the user's words, for this session and the next ones."""

from pathlib import Path

import pytest
import yaml

from llmos import LLMOS
from llmos.kernel import noted
from llmos.kernel.aliases import Aliases
from llmos.kernel.memo import SAY, Memo
from llmos.kernel.minilm import missing
from llmos.kernel.noted import NOTED, RECALL, REMEMBER, UNTOLD
from llmos.kernel.recall import Recalled, Taught
from llmos.kernel.turns import Turn
from llmos.kernel.types import Message, Part, Source, ToolCall

PHRASES = Path(__file__).parents[1] / "training" / "phrases" / "direct.yaml"


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        ("remember that my shed code is 2718", "my shed code is 2718"),
        ("Please don't forget: we sit in row K.", "we sit in row K"),
        ("my desk is number 12, keep that in mind please", "my desk is number 12"),
        ("Could you remember something for me? My tent has six poles", "My tent has six poles"),
        ("note to self: the ladder is at Olga's", "the ladder is at Olga's"),
    ],
)
def test_what_is_to_be_kept_is_told_from_the_asking(request_: str, told: str) -> None:
    assert noted.keeps(request_)
    assert noted.fact(request_) == told


@pytest.mark.parametrize(
    "request_", ["do you remember my desk?", "what did I ask you to remember", "plot the notes by year", "remember"]
)
def test_a_question_or_an_empty_asking_keeps_nothing(request_: str) -> None:
    assert not noted.keeps(request_)


@pytest.mark.parametrize(
    "request_",
    [
        "save it as a png",
        "Save 20% of 350",
        "keep that chart but make it red",
        "store 3 apples in 4 boxes",
        "note the difference between 3 and 4",
        "a bar chart of sales by month and save it",
        "write down the total",
    ],
)
def test_what_is_to_be_done_with_a_file_or_a_number_is_no_note(request_: str) -> None:
    assert not noted.keeps(request_)


@pytest.mark.parametrize(
    "request_", ["note that my locker is 12", "save this: wifi is abc", "save my address: 12 High St"]
)
def test_a_fact_is_kept_however_it_is_asked(request_: str) -> None:
    assert noted.keeps(request_)


@pytest.mark.parametrize(
    "request_",
    [
        "my speed is 60 mph convert to kmh",
        "my height is 180 cm in inches",
        "my code is not working",
        "our total is 45 split 3 ways",
    ],
)
def test_a_sum_or_a_complaint_of_ones_own_is_no_note(request_: str) -> None:
    assert not noted.states(request_)


def test_a_bare_statement_of_ones_own_is_kept_and_a_sum_is_not() -> None:
    assert noted.states("my flight number is LH 441")
    assert not noted.states("my bill is 40 and i want to add 15 percent")
    assert not noted.states("my bill is 12.50 + 3")


def test_what_was_told_is_said_to_the_user() -> None:
    assert noted.turned("I'm Ines and my hens are at our barn") == "you are Ines and your hens are at your barn"
    assert noted.noted("remember we moved to Ghent") == f"{NOTED[:-1]}: you moved to Ghent."


def test_a_question_is_answered_by_what_shares_its_words_the_later_of_two_alike() -> None:
    told = ["my shed code is 2718", "my tent has six poles", "my shed code is 3141"]
    assert "3141" in noted.recalled("what's the code of my shed?", told, noted.LEAST)
    assert "six poles" in noted.recalled("how many poles does the tent have", told, noted.LEAST)
    assert noted.recalled("where do my hens live", told, noted.LEAST) == ""
    assert "You did tell me: your tent has six poles" in noted.listed("where do my hens live", told[1:2])
    assert noted.listed("where do my hens live", []) == UNTOLD


def test_a_passage_answers_with_its_number() -> None:
    found = (
        "[3] note of 2026-01-02 by the kernel:\nmy shed code is 2718\n\n(cite what you use by its number, such as [3])"
    )
    assert noted.read("what is my shed code", found) == "You told me: your shed code is 2718 [3]."
    assert noted.read("what is my cat called", found) == ""


@pytest.mark.parametrize(
    "named",
    [
        "release-notes.md, Notes",
        "note of 2026-01-02 by the kernel, written when others' text was in view",
        "document note of 2026-01-02 by the kernel",
    ],
)
def test_what_others_wrote_is_quoted_and_never_what_the_user_told(named: str) -> None:
    found = f"[3] {named}:\nmy shed code is 2718\n\n(cite what you use by its number, such as [3])"
    assert noted.read("what is my shed code", found) == "\u201cmy shed code is 2718\u201d [3]."


def conversation(*said: str, keeps: bool = False, answer: str = "", result: str = "") -> Aliases:
    """A conversation of requests, each answered with what the kernel was to say."""
    kind = "say"

    def examples(turn: Turn) -> list[Recalled]:
        one = Taught(kind, "x", answer or ("I cannot know that." if "?" in turn.request else NOTED))
        return [Recalled(one, one.answer, 0.4)]

    messages = []
    for n, text in enumerate(said):
        messages.append(Message("user", (Part(text, Source("user")),)))
        if n < len(said) - 1:
            messages.append(Message("assistant", (Part("ok", Source("kernel")),)))
    if result:
        messages.append(Message("assistant", (), (ToolCall("c", RECALL, {"query": said[-1]}),)))
        messages.append(Message("tool", (Part(result, Source("tool")),), (), "c"))
    return Aliases(messages, examples, keeps=keeps)


def heard(aliases: Aliases) -> str:
    return aliases.outward(aliases.sentence)


def test_a_session_answers_from_its_own_turns() -> None:
    aliases = conversation("my shed code is 2718", "what is my shed code?")
    assert heard(aliases) == "You told me: your shed code is 2718."
    assert aliases.turn.memo == "say"


def test_what_was_to_be_kept_answers_whoevers_it_is() -> None:
    told = conversation("remember that the ladder is at Olga's", "where is the ladder?")
    assert heard(told) == "You told me: the ladder is at Olga's."
    assert heard(conversation("remember that the ladder is at Olga's", "where is the nearest lake?")) != heard(told)


def test_with_the_memory_it_is_noted_and_looked_up_where_the_session_does_not_tell() -> None:
    kept = conversation("remember that my shed code is 2718", keeps=True)
    assert kept.turn.memo == REMEMBER
    made = kept.call(ToolCall("c", REMEMBER, {"text": "`0"}))
    assert isinstance(made, ToolCall)
    assert made.arguments == {"text": "my shed code is 2718"}
    asked = conversation("what is my shed code?", keeps=True, answer=UNTOLD)
    assert asked.turn.memo == RECALL
    told = "[1] note of 2026-01-02 by the kernel:\nmy shed code is 2718"
    answered = conversation("what is my shed code?", keeps=True, answer=UNTOLD, result=told)
    assert heard(answered) == "You told me: your shed code is 2718 [1]."


def test_what_was_not_told_is_said_to_be_so() -> None:
    assert heard(conversation("what is my shed code?", answer=UNTOLD)) == UNTOLD


def test_what_was_taught_answers_with_these_words() -> None:
    answers = {e["intent"]: e["answers"][0] for e in yaml.safe_load(PHRASES.read_text(encoding="utf-8"))}
    assert (answers["noted"], answers["untold"]) == (NOTED, UNTOLD)


def test_the_embedded_kernel_keeps_and_tells_in_a_session(tmp_path: Path) -> None:
    with LLMOS(home=tmp_path, remembers=False) as system, system.session() as session:
        assert session.run("remember that my shed code is 2718").calls == ()
        assert "2718" in session.run("what is my shed code?").text


@pytest.mark.skipif(bool(missing()), reason="the embedder is not installed")
def test_what_it_keeps_outlives_the_session(tmp_path: Path) -> None:
    with LLMOS(home=tmp_path) as system:
        with system.session() as session:
            (call,) = session.run("remember that my shed code is 2718").calls
            assert (call.name, dict(call.arguments)) == (REMEMBER, {"text": "my shed code is 2718"})
        (note,) = [d for d in system.memory.documents() if d.kind == "note"]
        assert note.title == "my shed code is 2718"


@pytest.mark.parametrize("asked", ["can you remember what we talked about last week", "do you remember who called?"])
def test_what_is_asked_to_be_remembered_is_no_note(asked: str) -> None:
    assert not noted.keeps(asked)
    assert noted.keeps("can you remember that my train is at 9")


def test_a_secret_that_is_only_told_stays_in_the_session() -> None:
    for told, lasts in (("my password is hunter2", SAY), ("remember that my password is hunter2", REMEMBER)):
        turn = Turn(told)
        assert Memo(keeps=True).hear(turn)
        assert turn.memo == lasts
