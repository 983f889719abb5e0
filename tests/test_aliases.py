"""Aliases: the embedded kernel's short names, in and out again."""

from pathlib import Path

import pytest

from llmos.kernel.aliases import Aliases, Outward
from llmos.kernel.engine import CallMade, Finished, TextDelta
from llmos.kernel.types import Malformed, Message, Part, Source, ToolCall
from llmos.memory.preview import preview

USER, KERNEL, TOOL = Source("user"), Source("kernel"), Source("tool")


def asked(text: str, *previews: str) -> Message:
    return Message("user", (*(Part(p, Source("file", "f")) for p in previews), Part(text, USER)))


def called(tool: str, **arguments: str) -> Message:
    return Message("assistant", (), (ToolCall("c", tool, arguments),))


def gave(text: str) -> Message:
    return Message("tool", (Part(text, TOOL),), (), "c")


def said(text: str) -> Message:
    return Message("assistant", (Part(text, KERNEL),))


@pytest.fixture
def table(tmp_path: Path) -> str:
    path = tmp_path / "rounds.csv"
    path.write_text("date,Amount (MUSD),it's,amount\n2020-01,1,4,1\n2020-02,2,5,2\n")
    return preview(path, "rounds.csv")


def last(*messages: Message) -> str:
    return Aliases(messages).messages[-1].text


def test_numbers_and_days_of_a_request_get_signs() -> None:
    assert last(asked("15% of 2,400 plus 15, by 3 May 2021")) == "@1% of @2 plus @1, by ~3"


def test_signs_that_were_there_before_are_set_apart() -> None:
    assert last(asked("say @1 and #2 and ~3")) == "say @ @1 and # @2 and ~ @3"
    aliases = Aliases([asked("say @1")])
    assert aliases.outward("@7 ~9 #3") == "@7 ~9 #3"


def test_columns_are_numbered_in_previews_and_requests(table: str) -> None:
    told = last(asked("plot the amount musd of rounds.csv against the dates", table))
    assert "columns: #1 'date' (month), #2 'Amount (MUSD)' (number)" in told
    assert told.splitlines()[-1] == "plot the #2 of rounds.csv against the #1"


def test_code_and_answers_of_the_past_are_told_with_signs(table: str) -> None:
    talk = [
        asked("plot the 5 largest", table),
        called("python", code="df = load('rounds.csv')\ndf.nlargest(5, 'Amount (MUSD)').plot(x='date')"),
        gave("[plot-1.png]"),
        said("Here are the top 5 by Amount (MUSD)."),
    ]
    aliases = Aliases(talk)
    call = aliases.messages[1].calls[0]
    assert isinstance(call, ToolCall)
    assert call.arguments["code"].endswith("df.nlargest(@1, #2).plot(x=#1)")
    assert aliases.messages[-1].text == "Here are the top @1 by #2."
    assert aliases.call(call) == talk[1].calls[0]
    assert aliases.outward(aliases.messages[-1].text) == talk[-1].text


def test_a_calculators_result_is_one_number_and_an_error_is_read() -> None:
    talk = [asked("roots of x^2 = 4"), called("calculator", expression="solve(x^2 = 4, x)"), gave("x = -2, x = 2")]
    assert last(*talk) == "@3"
    assert Aliases(talk).outward("They are @3.") == "They are x = -2, x = 2."
    assert last(*talk[:2], gave("error: no 4")) == "error: no 4"


def test_a_result_of_lines_has_a_sign_of_its_own() -> None:
    talk = [asked("list them"), called("python", code="x"), gave("a,2\nb,3")]
    assert last(*talk) == "@1\na,@2\nb,@3"
    assert Aliases(talk).outward("All:\n@1") == "All:\na,2\nb,3"


def test_notes_beside_a_result_are_left_out() -> None:
    talk = [asked("plot it"), called("python", code="x")]
    noted = "songs.csv: 5 cells of year without a number left empty.\n(there is no 'b'; 'B' was taken)\n[plot-1.png: B]"
    assert last(*talk, gave(noted)) == "[plot-1.png: B]"


def test_each_request_counts_its_numbers_anew() -> None:
    talk = [asked("7 + 8"), said("15"), asked("and 9?")]
    aliases = Aliases(talk)
    assert aliases.messages[-1].text == "and @1?"
    assert aliases.outward("@1") == "9"


def test_names_with_quotes_leave_as_python_writes_them() -> None:
    aliases = Aliases([asked("x", "file 'a.csv': 2 rows\ncolumns: 'plain' (number), 'b c' (text)")])
    call = aliases.call(ToolCall("c", "python", {"code": "df[#2] + df[#1] + df[#9]", "n": 3}))
    assert isinstance(call, ToolCall)
    assert call.arguments == {"code": "df['b c'] + df['plain'] + df[#9]", "n": 3}
    assert aliases.call(Malformed("c", "#1", "cut")) == Malformed("c", "#1", "cut")


def test_signs_that_come_in_pieces_are_put_together() -> None:
    outward = Outward(Aliases([asked("2,400 and 7")]))
    out = [d for text in ("It is @", "1", " or @2", ".") for d in outward.feed([TextDelta(text)])]
    assert "".join(d.text for d in out if isinstance(d, TextDelta)) == "It is 2400 or 7."
    assert outward.feed([TextDelta("@1")]) == []
    made = CallMade(ToolCall("c", "calculator", {"expression": "@1 * @2"}))
    first, call = outward.feed([made])
    assert first == TextDelta("2400")
    assert isinstance(call, CallMade)
    assert isinstance(call.call, ToolCall)
    assert call.call.arguments == {"expression": "2400 * 7"}
    assert outward.feed([TextDelta("~"), Finished("stop")]) == [Finished("stop")]
    assert outward.flush() == [TextDelta("~")]


def test_a_flood_of_numbers_does_not_take_long() -> None:
    told = last(asked(" ".join(map(str, range(200_000)))))
    assert "@99 " in told
    assert "@100" not in told
