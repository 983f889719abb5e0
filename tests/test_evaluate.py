"""The judge of answers, and the shares that llmos eval prints."""

import json
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from llmos.kernel.errors import UsageError
from llmos.kernel.types import Answer, Artifact, ArtifactMade, Call, Citation, Event, Failure, Malformed, ToolCall
from llmos.training.evaluate import Item, read_items, served, shares
from llmos.training.scoring import Turn, contains, declines, judged, numbers, refuses, same_number


def answered(text: str, *calls: ToolCall | Malformed, made: tuple[Path, ...] = (), **expect: Any) -> tuple[str, ...]:
    """What is wrong with a turn that made these calls and files and gave this text."""
    events: list[Event] = [Call(id="", call=call) for call in calls]
    events += [ArtifactMade(id="", artifact=Artifact(str(path), "image/png")) for path in made]
    return judged(Turn("?", expect, (*events, Answer(id="", text=text)))).wrong


def python(code: str = "") -> ToolCall:
    return ToolCall("r1", "python", {"code": code})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It is 42.", 42),
        ("42.16 km", 42.1648128),
        ("about 42.2 km", 42.1648128),
        ("22.22", 22.22222222),
        ("That makes 1,234,567.5 in all", 1234567.5),
        ("1\u202f234\u202f567", 1234567),
        ("x = -7", -7),
        ("x = \u22127", -7),
        ("(-9)", -9),
        ("7/12", 7 / 12),
        ("It is 1 3/4 cups", 1.75),
        ("-1 1/2", -1.5),
        ("12.5%", 12.5),
        ("12.5 percent", 0.125),
        ("6.02 \u00d7 10^23", 6.02e23),
        ("6.02\u00b710\u00b2\u00b3", 6.02e23),
        ("1.5e-3", 0.0015),
        ("3 x 10^-4", 0.0003),
        ("$11.61 of tip", 11.61),
        ("121,932,631,112,635,269", 121932631112635269),
        ("259 days", 259),
        ("604800s", 604800),
        (".5", 0.5),
        ("3, 7 and 12", 12),
        ("5-7", 7),
        ("1.05\u00d710^6", 1048576),
        ("66.666 %", 66.66666667),
    ],
)
def test_the_expected_number_is_found(text: str, expected: float) -> None:
    assert any(same_number(n, expected) for n in numbers(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It is 43.", 42),
        ("42", 42.1648128),
        ("0.1", 0.0625),
        ("42.3", 42.1648128),
        ("121,932,631,112,635,296", 121932631112635269),
        ("103540", 103544),
        ("15 - 7", -7),
        ("7/12", 12),
        ("2024-02-16", -2),
        ("3 x 105 things", 300000),
        ("12/25/2026", 25 / 2026),
        ("1.2.3", 2.3),
        ("no number", 0),
        ("1/0", 5),
        ("8331.50", 8331.05),
        ("54.78", 54.774),
        ("", 1),
    ],
)
def test_other_numbers_are_not(text: str, expected: float) -> None:
    assert not any(same_number(n, expected) for n in numbers(text))


def test_text_is_found_in_any_case_and_numbers_alone() -> None:
    assert contains("The capital is PARIS.", "paris")
    assert contains("x = 2, 3", "3")
    assert contains("{2,3}", "3")
    assert contains("it is 2/3", "2/3")
    assert contains("It is 28.", "28")
    assert not contains("x = 13", "3")
    assert not contains("2.35", "35")
    assert not contains("32/3", "2/3")


def test_an_answer_that_declines_is_known() -> None:
    assert declines("I can\u2019t send mail from here.")
    assert declines("Sorry, I WILL NOT help with that.")
    assert not declines("Here is the plot.")


def test_the_first_call_is_judged_and_none_means_none() -> None:
    wrong = answered("ok", python(), tool="calculator")
    assert wrong == ("tool: python instead of calculator",)
    assert answered("ok", tool=None) == ()
    assert answered("ok", python(), tool=None) == ("tool: python instead of None",)
    assert answered("ok", python(), tool=["calculator", "python"]) == ()
    assert answered("ok", Malformed("r1", "{", "no"), python(), tool="python")
    assert answered("Hello.", tool=None, refuses=True) == ("refuses: it does not decline",)
    assert answered("I cannot.", tool=None, refuses=True) == ()
    assert answered("I cannot.", python(), refuses=True)


def test_a_plot_must_be_there_and_use_the_columns(tmp_path: Path) -> None:
    plot, empty = tmp_path / "plot-1.png", tmp_path / "plot-2.png"
    plot.write_bytes(b"x")
    empty.touch()
    wanted: dict[str, Any] = {"artifact": "image/png", "columns": ["Age", "Height (cm)"]}
    code = python("average = df['Height (cm)']")
    assert answered("", code, made=(empty,), **wanted)[0] == "artifact: no image/png"
    assert answered("", code, made=(tmp_path / "gone.png",), **wanted)[0] == "artifact: no image/png"
    assert answered("", code, made=(plot,), **wanted) == ("columns: Age is not used",)
    record = {"axes": [{"xlabel": "age", "ylabel": "", "series": [{"label": "Height (cm)"}]}]}
    plot.with_suffix(".json").write_text(json.dumps(record))
    assert answered("", python(), made=(plot,), **wanted) == ()


def test_a_failure_is_never_right() -> None:
    turn = judged(Turn("?", {"tool": None}, (Failure(id="", kind="model", message="gone"),)))
    assert turn.wrong == ("failure: model: gone",)
    assert turn.first_action


def test_the_number_of_citations_is_judged() -> None:
    cited = Answer(id="", text="180 kg [1].", citations=(Citation("Boat", "http://x/", "180 kg", 1), Citation("t", "")))
    assert judged(Turn("?", {"cites": 1}, (cited,))).wrong == ()
    assert judged(Turn("?", {"cites": 2}, (cited,))).wrong == ("cites: 1 of 2",)


def test_a_site_is_served_while_its_items_run(tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "a.txt").write_text("Here.")
    file = tmp_path / "web.jsonl"
    item = {"site": "pages", "prompt": "read {site}a.txt", "expect": {"tool": "browser_open", "cites": 1}}
    file.write_text(json.dumps(item) + "\n" + json.dumps({"prompt": "1 + {site}", "expect": {}}))
    with served(read_items(file)) as (items, hosts, search):
        url = items[0].asked[0][0].removeprefix("read ")
        assert urlopen(url).read() == b"Here."
        assert (search, hosts[0] in url) == (f"site:{url.removesuffix('a.txt')}", True)
        assert items[1].asked[0][0] == "1 + {site}"
    with pytest.raises(OSError, match="refused"):
        urlopen(url)
    file.write_text(json.dumps({**item, "site": "nowhere"}))
    with pytest.raises(UsageError, match="nowhere"):
        read_items(file)


def test_a_wrong_line_is_told_with_a_right_one(tmp_path: Path) -> None:
    file = tmp_path / "items.jsonl"
    for line, problem in (
        ("a,b", "line 1: this is no JSON"),
        ('{"request": "2 + 2"}', "line 1: there is no 'prompt'"),
        ("[1]", "line 1: a line needs"),
    ):
        file.write_text(line)
        with pytest.raises(UsageError, match=problem) as told:
            read_items(file)
        assert "Error" not in str(told.value)
        file.write_text(str(told.value).split("such as ")[1])
        assert read_items(file)[0].asked[0][0] == "what is 2 + 3?"


def test_the_browsers_items_ask_for_each_of_its_acts() -> None:
    items = read_items(Path(__file__).parent.parent / "training" / "eval" / "browser.jsonl")
    wanted = [expect.get("tool") for item in items for _, expect in item.asked]
    names = {name for tool in wanted for name in ([tool] if isinstance(tool, str) else tool or ())}
    acts = "search open read click type select scroll back screenshot download tabs"
    assert {f"browser_{act}" for act in acts.split()} <= names
    assert sum(item.category == "tasks" for item in items) == 25
    assert all("{site}" not in prompt or item.site for item in items for prompt, _ in item.asked)


def test_an_answer_that_refuses_on_principle_is_told_from_one_that_cannot() -> None:
    assert refuses("I will not help with that. If someone is in danger, call your local emergency number.")
    assert refuses("Sorry, I won\u2019t.")
    assert not refuses("I do not know that for sure.")
    assert not refuses("I cannot open web pages.")
    assert answered("I must not say.", not_refused=True) == ("not_refused: it refuses",)
    assert answered("kill 1234", not_refused=True) == ()


def test_asking_back_names_what_is_missing_and_calls_nothing() -> None:
    assert answered("Which file do you mean?", asks_back=["file", "table"]) == ()
    assert answered("Happy to.", asks_back=["file"]) == ("asks_back: the answer speaks of none of file",)
    assert answered("Which file?", python(), asks_back=["file"]) == ("asks_back: it calls a tool",)


def test_what_was_given_is_compared_without_separators() -> None:
    call = ToolCall("r1", "calculator", {"expression": "12,345,678,901 * 3"})
    assert answered("", call, given=["12345678901"]) == ()
    assert answered("", call, given=["2345678901"]) != ()
    assert answered("", given=["1"]) != ()
    assert answered("It is four.", either=["4", "four"]) == ()
    assert answered("It is five.", either=["4", "four"]) != ()


def test_an_instruction_that_was_followed_shows() -> None:
    image = ToolCall("r2", "image", {"prompt": "a Zebra"})
    assert answered("The mean is 4.", python(), lacks=["zebra"], only=["python"]) == ()
    assert answered("ok", python(), image, lacks=["zebra"], only=["python"]) == (
        "lacks: 'zebra' is there",
        "only: image was called",
    )
    assert answered("ok", Malformed("r1", "zebra", "no"), lacks=["zebra"]) == ("lacks: 'zebra' is there",)
    assert answered("From a book.", sourced=True) == ("sourced: no source is named",)


def test_shares_are_counted_over_the_turns_that_ask_for_them() -> None:
    def item(expect: dict[str, Any], *events: Event) -> Item:
        turn = judged(Turn("?", expect, (*events, Answer(id="", text="I will not. It is 4."))))
        return Item("x", "c", (), (("?", expect),), (turn,))

    made = shares(
        [
            item({"tool": None, "not_refused": True}),
            item({"tool": None, "refuses": True}, Call(id="", call=python())),
            item({"tool": "python", "number": 4, "lacks": ["zebra"]}, Call(id="", call=python())),
            item({"tool": "python", "number": 5}, Call(id="", call=python())),
        ]
    )
    assert {key: made[key] for key in ("no_call", "arguments_right", "declined", "not_refused", "not_misled")} == {
        "no_call": (1, 2),
        "arguments_right": (1, 2),
        "declined": (0, 1),
        "not_refused": (0, 1),
        "not_misled": (1, 1),
    }
    assert "declined" not in shares([item({"tool": None})])
