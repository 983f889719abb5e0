"""The suites of known weaknesses: outcomes, intervals, calibration, and their commands."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from llmos import Scripted, cli
from llmos.kernel.errors import UsageError
from llmos.kernel.types import Answer
from llmos.training.scoring import Turn
from llmos.training.suites import calibration, hallucination, reversal
from llmos.training.suites.bits import Scored, per_byte, pieces
from llmos.training.suites.calibration import Judged
from llmos.training.suites.measured import Measured, resampled
from llmos.training.suites.overlap import nearest, overlap
from llmos.training.suites.questions import Asked, outcome, read
from llmos.training.suites.run import run


@pytest.mark.parametrize(
    ("text", "needles", "expected"),
    [
        ("I do not know that for sure.", (), "declined"),
        ("I\u2019ve never heard of that town.", (), "declined"),
        ("He was born in 1871 in Graz.", (), "asserted"),
        ("A penguin is a bird that cannot fly.", (), "asserted"),
        ("Which file do you mean?", (), "asked back"),
        ("", ("Paris",), "nothing"),
        ("The capital of France is Paris.", ("Paris",), "right"),
        ("That was in 1912.", ("1912",), "right"),
        ("That was in 19120.", ("1912",), "asserted"),
        ("The symbol of calcium is Ca.", ("Ca",), "right"),
        ("The symbol of calcium is unheard of.", ("Ca",), "asserted"),
        ("I do not know whether it is Paris.", ("Paris",), "declined"),
    ],
)
def test_an_answer_has_one_outcome(text: str, needles: tuple[str, ...], expected: str) -> None:
    assert outcome(Turn("?", {}, (Answer(id="", text=text),)), needles) == expected


def test_the_questions_are_whole_and_ask_what_they_do_not_tell() -> None:
    items = read(hallucination.FILE)
    made, real = ([i for i in items if bool(i.needles) == known] for known in (False, True))
    assert len(made) == len(real) >= 70
    facts = read(reversal.FILE)
    assert len(facts) >= 100
    assert [i.fact["side"] for i in facts] == ["forward", "backward"] * (len(facts) // 2)
    everything = [*items, *facts]
    assert len({i.id for i in everything}) == len({i.prompt.casefold() for i in everything}) == len(everything)
    for item in everything:
        told = Turn("?", {}, (Answer(id="", text=item.prompt),))
        # Two questions give a choice or a clue, and are meant to.
        assert outcome(told, item.needles) != "right" or " or " in item.prompt, item.prompt


def test_no_question_is_a_phrase_of_training() -> None:
    assert nearest("what is the capital of france") == 1.0
    assert nearest("qwxv plmk") == 0.0
    far = overlap([i.prompt for i in (*read(hallucination.FILE), *read(reversal.FILE))])
    assert far["overlap.over_0.8"][0] == 0.0
    assert far["overlap.median"][0] < 0.5


def asked(outcome: str, *needles: str) -> Asked:
    return Asked("1", "real: people" if needles else "made up: people", "who is that", needles, {}, outcome)


def test_what_is_made_up_and_what_is_known_are_counted_apart() -> None:
    done = [asked("asserted"), asked("declined"), asked("asked back"), asked("right", "x"), asked("declined", "x")]
    found = hallucination.report(done, "m")
    assert found.shares["made_up.asserted"] == (1, 3)
    assert found.shares["made_up.declined"] == (1, 3)
    assert found.shares["real.right"] == found.shares["real.declined"] == (1, 2)
    assert found.shares["made_up.asserted.people"] == (1, 3)
    public = found.public()
    assert public["intervals"]["real.right"] == pytest.approx([0.0945, 0.9055], abs=1e-3)
    assert len(public["answers"]) == 5
    assert "made_up.asserted" in found.text()


def test_what_is_lost_backwards_has_an_interval() -> None:
    fact = {"a": "Norway", "b": "Oslo"}
    done = []
    for n in range(20):
        for side, came in (("forward", "right"), ("backward", "right" if n % 4 == 0 else "declined")):
            done.append(Asked(f"{n}{side}", "capitals", "where", ("x",), {**fact, "side": side}, came))
    found = reversal.report(done, {}, "m")
    assert found.shares["forward.right"] == (20, 20)
    assert found.shares["backward.right_where_forward_is"] == (5, 20)
    value, interval = found.values["gap"]
    assert value == 0.75
    assert interval is not None
    assert 0.5 < interval[0] < 0.75 < interval[1] < 1.0


def test_by_heart_takes_the_most_probable_sentence() -> None:
    pairs = {"Norway": "Oslo", "Peru": "Lima", "Cuba": "Havana", "Kenya": "Nairobi", "Ghana": "Accra", "Egypt": "Cairo"}
    forms = {"says": "The capital of {a} is {b}.", "reversed": "{b} is the capital of {a}."}
    facts = [{"a": a, "b": b, **forms} for a, b in pairs.items()]
    true = {f["says"].format(**f) for f in facts}
    found = reversal.by_heart(facts, lambda text: Scored(len(text), (-1.0 if text in true else -2.0,)))
    assert found["by_heart.forward"] == (6, 6)
    # To this model all backward sentences are alike: a tie goes to the true one, which is put first.
    assert found["by_heart.backward"] == (6, 6)
    wrong = reversal.by_heart(facts, lambda text: Scored(len(text), (-2.0 if text in true else -1.0,)))
    assert wrong["by_heart.forward"] == (0, 6)
    assert reversal.by_heart(facts, None) == {}


def test_a_calibrated_model_has_no_error_and_an_overconfident_one_has() -> None:
    calibrated = [Judged(0.75, n % 4 != 0) for n in range(40)]
    assert calibration.error(calibrated) == pytest.approx(0.0)
    sure = [Judged(0.95, n % 2 == 0) for n in range(40)]
    assert calibration.error(sure) == pytest.approx(0.45)
    assert calibration.brier([Judged(1.0, True), Judged(1.0, False)]) == 0.5
    assert calibration.ranking([Judged(0.9, True), Judged(0.2, False), Judged(0.9, False)]) == 0.75
    assert calibration.ranking(sure[:1]) is None
    found = calibration.report([*calibrated, *sure], "m")
    assert [b["from"] for b in found.details["bins"]] == [0.7, 0.9]
    assert sum(b["items"] for b in found.details["bins"]) == 80
    value, interval = found.values["expected_calibration_error"]
    assert interval is not None
    assert interval[0] <= value <= interval[1]


def test_bits_a_byte_follow_from_log_probabilities(tmp_path: Path) -> None:
    assert per_byte([Scored(2, (-math.log(2),) * 16)]) == pytest.approx(8.0)
    assert set(pieces(None)) == {"english", "tables"}
    path = tmp_path / "own.txt"
    path.write_text("one\n\n\ntwo\n")
    assert pieces(path) == {"text": ["one", "two"]}
    path.write_text("\n")
    with pytest.raises(UsageError, match="holds no text"):
        pieces(path)
    with pytest.raises(UsageError, match=r"no\.txt cannot be read"):
        pieces(tmp_path / "no.txt")


def test_intervals_are_the_same_each_time_and_narrow_with_more() -> None:
    def mean(numbers: Any) -> float:
        return float(sum(n % 2 for n in numbers) / len(numbers))

    few, many = resampled(10, mean), resampled(1000, mean)
    assert few == resampled(10, mean)
    assert many[1] - many[0] < few[1] - few[0]


def test_the_embedded_kernel_goes_through_every_suite(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answers, plot = tmp_path / "answers.jsonl", tmp_path / "plot.png"
    assert cli.run_command(["eval", "--suite", "hallucination", "--limit", "1", "--failures", str(answers)]) == 0
    assert "made_up.declined" in capsys.readouterr().out
    assert len(answers.read_text().splitlines()) == 2
    assert cli.run_command(["eval", "--suite", "reversal", "--limit", "1", "--json"]) == 0
    assert "by_heart.forward" in json.loads(capsys.readouterr().out)["figures"]
    requests = tmp_path / "requests.jsonl"
    requests.write_text('{"id": "1", "prompt": "what is 12 * 12", "expect": {"tool": "calculator", "number": 144}}\n')
    assert cli.run_command(["eval", "--suite", "calibration", str(requests), "--plot", str(plot), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert 0 < told["figures"]["mean_probability"] <= 1
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert cli.run_command(["eval", "--suite", "bits", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)["figures"]
    assert 1.0 < figures["bits_per_byte.english"] < figures["xz_bits_per_byte.english"]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--suite", "moods"], "no suite moods"),
        ([], "name a file of requests, or a suite"),
        (["--suite", "bits", "no.txt"], "no.txt cannot be read"),
        (["--suite", "reversal", "x.jsonl"], "leave the file out"),
        (["--suite", "bits", "--plot", "x.png"], "--plot is of the suite calibration"),
        (["--suite", "bits", "--failures", "x.jsonl"], "gives no answers to write"),
    ],
)
def test_mistakes_are_told_in_a_line(arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run_command(["eval", *arguments]) == 2
    assert line in capsys.readouterr().err


def test_a_model_without_log_probabilities_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    from llmos.kernel.errors import ModelError
    from llmos.training.suites.bits import bits

    with pytest.raises(ModelError, match="tells no log-probabilities"):
        bits(Scripted([]), lambda done, total, passed: None)
    with pytest.raises(UsageError, match="no suite"):
        run("moods")
    assert Measured("x", "m", {"a": (0, 0)}).public()["figures"] == {}
