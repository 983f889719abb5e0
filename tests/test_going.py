"""Going on: what a request inherits from the one before, in tables, charts and calculations."""

import pytest

from llmos.kernel.acts import Act, Past, figure, name, parsed, read
from llmos.kernel.aliases import Aliases
from llmos.kernel.earlier import reckoned, references
from llmos.kernel.going import going
from llmos.kernel.heard import without
from llmos.kernel.mentions import said, wanted
from llmos.kernel.parts import parted, split
from llmos.kernel.slots import Column
from llmos.kernel.types import Message, Part, Source, ToolCall
from llmos.kernel.verbs import spell

HARBOURS = [
    Column("port", "text", True, ("Bergen", "Cork", "Nantes")),
    Column("year", "year", True),
    Column("cargo_kt", "number"),
    Column("ships", "number"),
    Column("week", "number"),
]
PREVIEW = (
    "file 'ports.csv': 9 rows\ncolumns: 'port' (text: Bergen, Cork, Nantes), 'year' (year, repeated), "
    "'cargo_kt' (number), 'ships' (number)\nfirst rows:\nCork,2001,7,2"
)
USER, FILE, TOOL = Source("user"), Source("file", "ports.csv"), Source("tool", "python")


def go_on(before: str, request: str, result: str = "") -> str:
    """What follows from a request after a verb, for the harbours."""
    linked = {n: v for n, c in enumerate(HARBOURS, 1) if (v := wanted(request, said(request, c.values)))}
    act = parsed(before, HARBOURS)
    act = Act(act.verb, act.given, act.rows, act.how, result)
    return going(request, without(request, HARBOURS, "_"), HARBOURS, linked, act)


@pytest.mark.parametrize(
    ("before", "request_", "then"),
    [
        ("lookup #1 'Cork' #3 where #2 2010", "and in 2015?", "lookup #1 'Cork' #3 where #2 2015"),
        ("lookup #1 'Cork' #3 where #2 2010", "what about Nantes", "lookup #1 'Nantes' #3 where #2 2010"),
        ("lookup #1 'Cork' #3 where #2 2010", "and Odesa?", "lookup #1 'Odesa' #3 where #2 2010"),
        ("lookup #1 'Cork' #3 where #2 2010", "no, i meant the ships", "lookup #1 'Cork' #4 where #2 2010"),
        ("total #3", "and of the ships?", "total #4"),
        ("total #3 where #1 'Cork'", "the average?", "mean #3 where #1 'Cork'"),
        ("meanof #1 'Cork' #3", "and the median", "median #3 where #1 'Cork'"),
        ("most #2 #3 where #1 'Cork'", "and the least?", "least #2 #3 where #1 'Cork'"),
        ("highest #3", "which year was it?", "most #2 #3"),
        ("counts #1", "which one has the most?", "common #1"),
        ("totals #1 #3", "which is the smallest?", "lowsum #1 #3"),
        ("rows where #2 2010", "how many of those are from Cork?", "rows where #2 2010 where #1 'Cork'"),
        ("rows where #2 2010 where #1 'Cork'", "what's that in percent?", "portion #1 'Cork' where #2 2010"),
        ("means #1 #3", "plot that as bars", "averages #1 #3"),
    ],
)
def test_a_question_that_goes_on_changes_what_it_names(before: str, request_: str, then: str) -> None:
    assert go_on(before, request_) == then
    assert spell(then, HARBOURS)


@pytest.mark.parametrize(
    ("before", "request_", "then"),
    [
        ("plot #2 #3 where #1 'Cork'", "same for Nantes", "plot #2 #3 where #1 'Nantes'"),
        ("plot #2 #3 where #1 'Cork'", "add Nantes too", "plot #2 #3 where #1 'Cork' 'Nantes'"),
        ("plot #2 #3 where #1 'Cork'", "now the ships", "plot #2 #4 where #1 'Cork'"),
        ("plot #2 #3 where #1 'Cork'", "as bars, only since 2005", "bar #2 #3 where #1 'Cork' since 2005"),
        ("plot #2 #3 since 2005", "make it green", "plot #2 #3 since 2005 color 'green'"),
        ("bar #1 #3 best 10", "horizontal please", "barh #1 #3 best 10"),
        ("bar #1 #3 best 10", "top 5 is enough", "bar #1 #3 best 5"),
        ("bar #5 #3", "which week was the highest?", "most #5 #3"),
        ("plot #2 #3 where #1 'Cork'", "what was the maximum?", "highest #3 where #1 'Cork'"),
        ("tally #1", "what's the highest one?", "common #1"),
        ("plot #2 #3", "call it Ships and more", "title 'Ships and more'"),
    ],
)
def test_a_chart_that_goes_on_keeps_what_is_not_changed(before: str, request_: str, then: str) -> None:
    assert go_on(before, request_) == then
    assert spell(then, HARBOURS)


@pytest.mark.parametrize(
    "request_",
    ["thanks, that looks great", "what does cargo mean?", "what is the capital of France?", "why is that so?",
     "tell me a joke", "add a trend line", "undo that", "write a poem about the sea and its ships, will you"],
)  # fmt: skip
def test_what_says_more_than_what_is_other_does_not_go_on(request_: str) -> None:
    assert go_on("plot #2 #3", request_) == ""


@pytest.mark.parametrize(
    "request_",
    ["what is the capital of France?", "tell me a joke", "Tell me a joke", "draw a cat", "a pie recipe please",
     "when was the war?", "how long is a marathon?", "what about the weather?", "Delete it", "save it", "Hola",
     "Thanks Anna", "who are you?", "how big is a ship?", "y por a\u00f1o?", "a bar chart of the planets"],
)  # fmt: skip
@pytest.mark.parametrize(
    "before", ["plot #2 #3 where #1 'Cork'", "most #2 #3 where #1 'Cork'", "lookup #1 'Cork' #3 where #2 2010"]
)
def test_what_is_of_something_else_is_no_value_of_the_table(before: str, request_: str) -> None:
    assert go_on(before, request_) == ""


@pytest.mark.parametrize("request_", ["Odesa", "odesa?", "and Odesa?", "what was it in Odesa?", "now only for Odesa"])
def test_a_value_that_the_preview_did_not_name_takes_the_place_of_the_one_before(request_: str) -> None:
    assert go_on("lookup #1 'Cork' #3 where #2 2010", request_).casefold() == "lookup #1 'odesa' #3 where #2 2010"


def test_long_odd_requests_are_answered_at_once() -> None:
    done = Past(numbers=[("12", ""), ("30", "")], sums=["1 + 11", "15 + 15"], last="calculator", fresh=True)
    for text in ("a" * 100_000, " " * 100_000 + "then plot", "and " * 30_000, "1, " * 30_000):
        assert go_on("lookup #1 'Cork' #3 where #2 2010", text) == ""
        assert references(text, done) == []
        assert split(text) == [text]


def test_another_column_of_what_was_found_is_looked_up() -> None:
    found = "port,cargo_kt\nBergen,99"
    assert go_on("most #1 #3", "how many ships did it have?", found) == "lookup #1 'Bergen' #4"
    assert go_on("most #1 #3", "how much was that?", found) == "most #1 #3"


@pytest.mark.parametrize(
    "told",
    ["plot #2 #3 where #1 'Cork' since 2005", "barh #1 #3 where #2 2010 best 5", "bar #1 #3 sorted color 'red'",
     "most #2 #3 where #1 'Cork'", "plot #2 #3 between 2001 2005 log"],
)  # fmt: skip
def test_what_was_done_is_read_back_from_its_code(told: str) -> None:
    code = spell(told, HARBOURS)
    act = read(code, HARBOURS)
    assert act is not None
    assert spell(act.said(), HARBOURS) == code


def test_what_came_of_a_verb_is_a_number_or_a_name() -> None:
    most = Act("most", ("#1", "#3"), result="port,cargo_kt\nCork,12.5")
    assert (figure(most), name(most)) == ("12.5", "Cork")
    assert figure(Act("lookup", ("#1", "'Cork'", "#3"), result="[7]")) == "7"
    assert figure(Act("best", ("3", "#1", "#3"), result="port,cargo_kt\nCork,1\nBergen,2")) == ""


def past(*numbers: str, table: bool = False, sums: tuple[str, ...] = ()) -> Past:
    pairs = [(n.split(" ")[0], n.partition(" ")[2]) for n in numbers]
    return Past([], pairs, list(sums) or [""] * len(pairs), "python" if table else "calculator", fresh=True)


@pytest.mark.parametrize(
    ("numbers", "request_", "sum_"),
    [
        (("5", "8"), "what is the difference?", "abs(5 - 8)"),
        (("5", "8"), "by how much percent did it rise between those two?", "(8 - 5) / 5 * 100"),
        (("5", "8"), "by how much did it grow between the two?", "8 - 5"),
        (("5", "8"), "add them up", "5 + 8"),
        (("5", "8"), "the average of both?", "(5 + 8) / 2"),
        (("5", "8"), "what's the second as a percentage of the first?", "8 / 5 * 100"),
        (("66",), "what's that as a percentage of 163", "66 / 163 * 100"),
        (("66",), "half of that please", "66 / 2"),
        (("66",), "take away 90", "66 - 90"),
        (("66",), "divide 10 by that", "10 / 66"),
        (("66",), "subtract that from 100", "100 - 66"),
        (("66",), "subtract 5 from that", "66 - 5"),
        (("66",), "and less 12%", "66 * (1 - 12%)"),
        (("66",), "in dollars at 1.08?", "66 * 1.08"),
        (("66",), "split that between 3 people", "66 / 3"),
        (("42.16 km",), "and in miles?", "42.16 km to miles"),
        (("64",), "its square root?", "sqrt(64)"),
    ],
)
@pytest.mark.parametrize("table", [False, True])
def test_earlier_numbers_are_reckoned_with(numbers: tuple[str, ...], request_: str, sum_: str, table: bool) -> None:
    done = past(*numbers, table=table)
    # Of a table it may be another difference.
    known = not (table and request_ == "what is the difference?")
    assert reckoned(request_, done, references(request_, done)) == (sum_ if known else "")


@pytest.mark.parametrize(
    ("before", "request_", "sum_"),
    [
        ("18% * 640", "and 22%?", "22% * 640"),
        ("20 celsius to fahrenheit", "and 35?", "35 celsius to fahrenheit"),
        ("5 kg to lb", "and 8 kg?", "8 kg to lb"),
        ("180 minutes to hours", "and in seconds?", "3 hours to seconds"),
        ("18% * 640", "and what do you think of 22%?", ""),
    ],
)
def test_a_calculation_is_done_with_another_number(before: str, request_: str, sum_: str) -> None:
    done = past("3 hours" if "hours" in before else "3", sums=(before,))
    assert reckoned(request_, done, references(request_, done)) == sum_


def test_after_a_table_only_a_calculation_speaks_of_its_number() -> None:
    assert references("plot it", past("7", table=True)) == []
    assert references("is that a lot?", past("7", table=True)) == []
    assert references("half of it", past("7", table=True)) != []
    assert references("half of it", Past([], [("7", "")], [""], "python", fresh=False)) == []


@pytest.mark.parametrize(
    ("request_", "parts"),
    [
        ("total ships, and then a bar chart of them by port", ["total ships", "a bar chart of them by port"]),
        ("What is the average cargo? Then multiply it by 12.", ["What is the average cargo?", "multiply it by 12."]),
        ("plot cargo by year and give me the total", ["plot cargo by year", "give me the total"]),
        ("when was it highest and how high was it", ["when was it highest and how high was it"]),
        ("show the mean and the max of cargo", ["show the mean and the max of cargo"]),
    ],
)
def test_a_request_has_parts(request_: str, parts: list[str]) -> None:
    assert split(request_) == parts


def asked(text: str) -> Message:
    return Message("user", (Part(PREVIEW, FILE), Part(text, USER)))


def called(verb: str, load: bool = True) -> Message:
    code = ("df = load('ports.csv')\n" if load else "") + spell(verb, HARBOURS)
    return Message("assistant", (), (ToolCall("c", "python", {"code": code}),))


def gave(text: str) -> Message:
    return Message("tool", (Part(text, TOOL),), (), "c")


def test_parts_are_told_one_by_one_as_far_as_they_were_done() -> None:
    request = asked("total ships, and then a bar chart of them by port")
    assert [m.text.splitlines()[-1] for m in parted([request])] == ["total ships"]
    done = parted([request, called("total #4"), gave("12")])
    assert [m.role for m in done] == ["user", "assistant", "tool", "assistant", "user"]
    assert done[-1].text == "a bar chart of them by port"
    failed = parted([request, called("total #4"), gave("error: no such file")])
    assert failed[-1].role == "tool"
    whole = parted([Message("user", (Part("add 2 and 3, then multiply it by 4", USER),))])
    assert len(whole) == 1  # without a table it is one calculation


def test_the_answer_tells_all_parts() -> None:
    request = asked("total ships, and then a bar chart of ships by port")
    talk = [request, called("total #4"), gave("12"), called("bar #1 #4", load=False), gave("[plot-1.png]")]
    aliases = Aliases(talk)
    assert aliases.outward(aliases.sentence) == "The sum of ships is 12. Here is the plot of ships by port."


def test_a_calculation_that_failed_is_not_told_as_an_answer() -> None:
    said_ = Source("kernel")
    asked = [Message("user", (Part("what is 5 - 5", USER),)), Message("user", (Part("divide 10 by that", USER),))]
    calls = [
        ToolCall("a", "calculator", {"expression": "5 - 5"}),
        ToolCall("b", "calculator", {"expression": "10 / 0"}),
    ]
    told = [Message("tool", (Part(text, Source("tool", "calculator")),), (), call.id)
            for text, call in zip(["0", "error: division by zero"], calls, strict=True)]  # fmt: skip
    zero = [asked[0], Message("assistant", (), tuple(calls[:1])), told[0], Message("assistant", (Part("0", said_),))]
    failed = Aliases([*zero, asked[1], Message("assistant", (), tuple(calls[1:])), told[1]])
    assert failed.turn.going == ("calculator", "10 / 0")
    assert failed.sentence == ""


def test_the_answer_to_a_part_is_not_told_in_the_next_turn() -> None:
    cut_off = [asked("total ships, and then a bar chart of them by port"), called("total #4"), gave("12")]
    after = [Message("user", (Part("the average of the ships?", USER),)), called("mean #4"), gave("7")]
    told = Aliases([*cut_off, *after])
    assert "7" in told.outward(told.sentence)
    assert "12" not in told.outward(told.sentence)


def test_a_request_after_a_table_is_told_what_to_do() -> None:
    talk = [asked("ships of Cork in 2001?"), called("lookup #1 'Cork' #4 where #2 2001"), gave("[2]")]
    after = [
        *talk,
        Message("assistant", (Part("2.", Source("kernel")),)),
        Message("user", (Part("and in 2003?", USER),)),
    ]
    aliases = Aliases(after, lambda turn: [])
    assert aliases.turn.going == ("python", "`lookup #1 'Cork' #4 where #2 2003")
    assert Aliases(talk, lambda turn: []).turn.going == ("", "")
