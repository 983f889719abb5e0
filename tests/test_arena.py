"""llmos arena: who wins by check and by a blind judge, what is kept, what is gone on with, and how it is rated."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from llmos import LLMOS, ModelError, Scripted, UsageError
from llmos.arena_cli import beside, judge_here
from llmos.cli import run_command
from llmos.kernel.types import Message
from llmos.training.arena import Board, Played, Side, Vote, play, ratings, read_requests
from llmos.training.evaluate import Item
from llmos.training.scoring import Turn

Says = Callable[[str], str]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LLMOS_HOME", str(tmp_path / "home"))
    return tmp_path


def system(home: Path, says: Says) -> LLMOS:
    """A system whose model answers each request by a function of it."""

    def reply(messages: Sequence[Message]) -> str:
        return says(messages[-1].text)

    return LLMOS(model=Scripted(reply), home=home / "place")


def requests(home: Path, *items: object) -> list[Item]:
    file = home / "items.jsonl"
    file.write_text("".join(json.dumps(item) + "\n" for item in items))
    return read_requests(file)


def kept(home: Path, name: str) -> list[dict[str, object]]:
    file = home / "arena" / name
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


SUMS = [{"prompt": f"{n} + 1?", "expect": {"number": n + 1}} for n in range(4)]


def test_a_check_decides_and_the_better_answer_is_kept(home: Path) -> None:
    board = Board(home / "arena", lambda text: text.replace("sesame", "[secret]"))
    right = system(home, lambda asked: f"{int(asked.split()[0]) + 1} sesame")
    wrong = system(home, lambda asked: "1" if asked.startswith("0") else "I forgot")
    items = requests(home, *SUMS)
    assert play((("good", right), ("bad", wrong)), items, board) == Played(voted=4)
    assert [vote.winner for vote in board.votes()] == ["", "good", "good", "good"]
    assert {vote.by for vote in board.votes()} == {"check"}
    pairs = kept(home, "pairs.jsonl")
    assert len(pairs) == 3
    assert pairs[0] == {
        "verdict": "prefer",
        "prompt": [{"role": "user", "content": "1 + 1?"}],
        "chosen": [{"role": "assistant", "content": "2 [secret]"}],
        "rejected": [{"role": "assistant", "content": "I forgot"}],
    }
    best, worst = board.rate()
    assert (best.name, best.won, best.lost, best.tied) == ("good", 3, 0, 1)
    assert worst.low <= worst.elo <= worst.high
    assert worst.elo < 1000 < best.elo
    # Nothing is done twice, whoever is named first; a new request is.
    more = requests(home, *SUMS, {"prompt": "9 + 1?", "expect": {"number": 10}})
    assert play((("bad", wrong), ("good", right)), more, board) == Played(voted=1, before=4)
    assert board.votes()[-1] == Vote("bad", "good", board.votes()[-1].item, "good", "check")


def test_the_judge_is_blind_and_may_skip_tie_and_end(home: Path) -> None:
    board = Board(home / "arena")
    tea, coffee = system(home, lambda asked: "tea" + asked), system(home, lambda asked: "coffee" + asked)
    items = requests(home, *({"prompt": f"drink {n}?", "expect": {}} for n in range(24)))
    left_was: list[str] = []

    def judge(left: Item, right: Item) -> Side:
        left_was.append(left.turns[0].text)
        number = len(left_was)
        if number in (3, 4):
            return "skip" if number == 3 else "tie"
        return "quit" if number == 20 else "left" if left.turns[0].text.startswith("tea") else "right"

    played = play((("A", coffee), ("B", tea)), items, board, judge)
    assert played == Played(voted=18, skipped=1)
    assert {vote.winner for vote in board.votes()} == {"", "B"}
    on_the_left = sum(text.startswith("tea") for text in left_was)
    assert 3 < on_the_left < 17
    assert all(str(pair["chosen"]).count("tea") for pair in kept(home, "pairs.jsonl"))
    # What was skipped and what was left comes again.
    assert play((("A", coffee), ("B", tea)), items, board, lambda left, right: "tie") == Played(voted=6, before=18)


def test_the_same_answer_is_a_tie_that_nobody_is_asked_about(home: Path) -> None:
    def judge(left: Item, right: Item) -> Side:
        raise AssertionError

    one, other = (system(home, lambda asked: "yes") for _ in range(2))
    (home / "plain.txt").write_text("is it?\n\nreally?\n")
    board = Board(home / "arena")
    assert play((("A", one), ("B", other)), read_requests(home / "plain.txt"), board, judge) == Played(voted=2)
    assert kept(home, "pairs.jsonl") == []


def test_without_a_judge(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    board = Board(home / "arena")
    one, other = (system(home, lambda asked: "1") for _ in range(2))
    over = LLMOS(model=Scripted([]), home=home / "place")  # says nothing: its server went away, say
    assert play((("A", one), ("over", over)), requests(home, SUMS[0]), board) == Played(skipped=1)
    items = requests(home, SUMS[0], {"prompt": "sing", "expect": {}})
    assert play((("A", one), ("B", other)), items, board) == Played(voted=1, unjudged=1)
    with pytest.raises(UsageError, match="nobody is here to judge"):
        play((("A", one), ("B", other)), items[1:], board)
    gone = LLMOS(model=str(home / "nowhere"), home=home / "place")
    with pytest.raises(ModelError, match="no checkpoint at"):
        play((("A", one), ("gone", gone)), items, board)
    assert len(board.votes()) == 1


def test_ratings_know_how_sure_they_are() -> None:
    few = [Vote("a", "b", str(n), "a" if n % 4 else "b", "user") for n in range(8)]
    many = [Vote("a", "b", str(n), "a" if n % 4 else "b", "user") for n in range(400)]
    (best, _), (sure, other) = ratings(few), ratings(many)
    assert best.name == sure.name == "a"
    # Three of four won is 191 points on Elo's scale.
    assert sure.elo - other.elo == pytest.approx(190.8, abs=5)
    assert sure.high - sure.low < (best.high - best.low) / 3
    assert sure.low < sure.elo < sure.high
    chain = [Vote("a", "b", "1", "a", "user"), Vote("b", "c", "2", "b", "user")] * 5
    assert [rating.name for rating in ratings(chain)] == ["a", "b", "c"]
    assert ratings([]) == []


def test_half_a_line_is_no_vote(home: Path) -> None:
    board = Board(home / "arena")
    board.add(Vote("a", "b", "1", "a", "user"), None)
    with (home / "arena" / "votes.jsonl").open("a") as file:
        file.write('{"a": "a", "b"')
    board.add(Vote("a", "b", "2", "b", "user"), None)
    assert [vote.item for vote in board.votes()] == ["1", "2"]


def test_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    wide = beside("one two", "", 83).splitlines()
    assert wide[0].split() == ["left", "|", "right"]
    assert wide[2].split(" | ") == ["one two" + " " * 33, "(nothing)"]
    assert beside("one", "two", 40) == "left:\none\n\nright:\ntwo"
    said = iter(["what", "", "Right"])
    item = Item("1", "requests", (), (("say \x1b[31m", {}),), (Turn("say", {}, ()),))
    assert judge_here(str, lambda told: next(said))(item, item) == "right"

    def gone(told: str) -> str:
        raise EOFError

    assert judge_here(str, gone)(item, item) == "quit"
    assert "\x1b" not in capsys.readouterr().out


def test_the_command(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "plain.txt").write_text("sing\n")
    (home / "sum.jsonl").write_text('{"prompt": "2 + 2", "expect": {"number": 4}}\n')
    assert run_command(["arena", "--show"]) == 0
    assert capsys.readouterr().out == "no votes yet\n"
    for told, line in (
        (["arena"], "name two and a file"),
        (["arena", "embedded", "embedded", str(home / "plain.txt")], "cannot be compared with itself"),
        (["arena", "embedded", "x", str(home / "none.txt")], "cannot be read"),
        (["arena", "embedded", "math-mentor", str(home / "plain.txt")], "nobody is here to judge"),
    ):
        assert run_command(told) == 2
        error = capsys.readouterr().err
        assert line in error
        assert error.count("\n") == 1
    assert run_command(["arena", "embedded", "math-mentor", str(home / "sum.jsonl"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["played"] == {"voted": 1, "before": 0, "skipped": 0, "unjudged": 0}
    assert {rating["name"] for rating in told["ratings"]} == {"embedded", "math-mentor"}
    assert json.loads((home / "home" / "arena" / "ratings.json").read_text())["ratings"] == told["ratings"]
    assert run_command(["arena", "--show"]) == 0
    assert "1 tied" in capsys.readouterr().out
