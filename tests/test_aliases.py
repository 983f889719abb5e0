"""Aliases: the embedded kernel's short names, in and out again."""

from pathlib import Path

import pytest

from llmos.kernel.aliases import Aliases
from llmos.kernel.engine import CallMade, Finished, TextDelta
from llmos.kernel.outward import Outward
from llmos.kernel.recall import Recalled, Taught
from llmos.kernel.turns import Turn
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
    assert last(*talk) == "@2"
    assert Aliases(talk).outward("They are @2.") == "They are x = -2, x = 2."
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


def test_a_formula_gets_a_sign_with_its_variables_and_leaves_as_its_tool_reads_it() -> None:
    talk = [asked("draw y = 3x^2 - 4 from 0 to 5"), called("python", code="y = 3*x**2 - 4\nplt.title('3x^2 - 4')")]
    aliases = Aliases(talk)
    assert aliases.messages[0].text == "draw y = &1(x) from @2 to @3"
    made = aliases.messages[1].calls[0]
    assert isinstance(made, ToolCall)
    assert made.arguments["code"] == "y = &1\nplt.title('&1')"
    assert aliases.call(made) == talk[1].calls[0]
    sum_of = aliases.call(ToolCall("c", "calculator", {"expression": "integrate(&1, x, @2, @3)"}))
    assert isinstance(sum_of, ToolCall)
    assert sum_of.arguments["expression"] == "integrate(3x^2 - 4, x, 0, 5)"


def test_examples_stand_behind_a_request_with_names_for_their_words_and_programs() -> None:
    found = [
        Recalled(Taught("calculator", "@1% of @2", "@1% * @2"), "@2% * @1", 0.87),
        Recalled(Taught("say", "who are you", "I am llmos."), "I am llmos.", 0.4),
        Recalled(Taught("python", "count to @1", "print(@1)"), "print(@2)", 1.0),
    ]
    seen: list[Turn] = []

    def examples(turn: Turn) -> list[Recalled]:
        seen.append(turn)
        return found

    aliases = Aliases([asked("take 5 of 7"), said("I am llmos."), asked("and of 8?")], examples)
    assert aliases.messages[0].text.splitlines() == [
        "take @1 of @2",
        "?8 @% of @ -> calculator `1 @2% * @1",
        "?4 who are you -> `2",
        "?9 count to @ -> python `3",
    ]
    assert aliases.messages[1].text == "`2"
    assert [t.told for t in seen] == ["take @1 of @2", "and of @1?"]
    assert seen[0].kinds == ("calculator", "say", "python", "lack")
    assert [aliases.outward(f"`{n}") for n in range(1, 5)] == ["@2% * 8", "I am llmos.", "print(@2)", "`4"]


def test_what_may_be_recalled_depends_on_what_is_there(table: str) -> None:
    talk = [
        asked("plot it", table),
        called("python", code="df.plot()"),
        gave("[plot-1.png]"),
        said("Here."),
        asked("x"),
    ]
    assert Aliases(talk[:1]).turn.kinds == ("calculator", "say", "table")
    assert Aliases(talk).turn.kinds == ("calculator", "say", "table", "change")


def test_a_flood_of_numbers_does_not_take_long() -> None:
    told = last(asked(" ".join(map(str, range(200_000)))))
    assert "@99 " in told
    assert "@100" not in told


@pytest.mark.parametrize(
    ("later", "told"),
    [
        ("divide that by 9", "divide @1 by @2"),
        ("and plus 15 percent", "@1 plus @2 percent"),
        ("Now times 3", "@1 times @2"),
        ("the square root of the result please", "the square root of @1 please"),
        ("thanks, that is great", "thanks, that is great"),
        ("what is 7 * 6", "what is @1 * @2"),
    ],
)
def test_a_request_speaks_of_the_last_result(later: str, told: str) -> None:
    before = [asked("18 * 24"), called("calculator", expression="18 * 24"), gave("432"), said("The answer is 432.")]
    aliases = Aliases([*before, asked(later)])
    assert aliases.messages[-1].text == told
    assert ("432" in aliases.turn.values) == (told != later.replace("7", "@1").replace("6", "@2"))


@pytest.mark.parametrize("result", ["x = -2, x = 2", "error: it failed", "3/4"])
def test_only_a_single_number_is_gone_on_with(result: str) -> None:
    before = [asked("solve it"), called("calculator", expression="solve(x = 4, x)"), gave(result), said("So.")]
    assert last(*before, asked("divide that by 9")) == "divide that by @1"


FISH = (
    "file 'fish.csv': 9 rows\ncolumns: 'year' (year, repeated), 'kind' (text, 30 values, has Cod, \"Eel, old\"), "
    "'catch' (number)\nfirst rows:\n1970,Cod,1"
)


def code_of(aliases: Aliases) -> object:
    (call,) = aliases.messages[1].calls
    assert isinstance(call, ToolCall)
    return call.arguments["code"]


def test_values_that_a_preview_names_are_for_code_and_not_told() -> None:
    aliases = Aliases([asked("catch of cod", FISH)])
    assert "#2 'kind' (text, 30 values), #3 'catch' (number)" in aliases.messages[0].text
    assert aliases.columns[1].values == ("Cod", "Eel, old")
    assert [c.repeats for c in aliases.columns] == [True, True, False]
    assert (aliases.turn.told, aliases.turn.gist) == ("#3 of cod", "#3 of ")


def test_a_value_is_no_column_unless_it_is_called_so() -> None:
    table = "file 'a.csv': 9 rows\ncolumns: 'seconds' (number), 'league' (text: SEC, seconds)\nfirst rows:\n"
    assert last(asked("only the SEC", table)).endswith("only the SEC")
    assert last(asked("only the seconds", table)).endswith("only the #1")


def test_a_verb_is_run_as_code_that_loads_the_table_first() -> None:
    talk = [asked("plot it", FISH)]
    load = "df = load('fish.csv')\n"
    plot = "ax = df.pivot_table(index='year', columns='kind', values='catch').plot()"
    aliases = Aliases(talk)
    assert aliases.outward("`plot #1 #3", code=True) == load + plot
    assert aliases.outward("`plot #1 #9", code=True) == "`plot #1 #9"
    talk += [called("python", code=load + plot), gave("[plot-1.png]"), said("Here."), asked("from 1990 on")]
    aliases = Aliases(talk)
    assert code_of(aliases) == "`plot #1 #3"
    assert aliases.outward("`plot #1 #3", code=True) == plot
    assert aliases.outward("`mean #3", code=True) == load + "df['catch'].mean()"
    since = "ax = df[df['year'] >= 1990].plot(x='year', y='catch')"
    assert aliases.outward("`plot #1 #3 since @1", code=True) == since


@pytest.mark.parametrize("error", ["error: NameError: name 'ax' is not defined\nLine 1", "error: NameError in line 1"])
def test_a_change_to_a_plot_that_is_not_there_is_told(error: str) -> None:
    talk = [asked("which kind?", FISH), called("python", code="df['catch'].sum()"), gave("7"), said("It is 7.")]
    talk += [
        asked("make the y axis logarithmic"),
        called("python", code="ax.set_yscale('log')\nax.figure"),
        gave(error),
    ]
    assert Aliases(talk).sentence.startswith("There is no plot here to change.")
    assert Aliases([*talk[:-1], gave("error: ValueError: no")]).sentence == ""


def test_code_is_told_with_the_verb_that_an_example_has() -> None:
    bars = "ax = df.groupby('kind')['catch'].mean().plot(kind='bar')"
    taught = [Recalled(Taught("table", "bars", "`bar # #"), "`bar # #", 0.9)]
    for examples, verb in ((None, "`plot #2 #3"), (lambda turn: taught, "`bar #2 #3")):
        talk = [asked("bars", FISH), called("python", code=f"df = load('fish.csv')\n{bars}")]
        assert code_of(Aliases(talk, examples)) == verb
