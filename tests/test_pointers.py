"""Pointers: what the embedded kernel names in a call stands in the context."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from llmos.kernel.aliases import Aliases
from llmos.kernel.codec import Codec
from llmos.kernel.pointers import Pointers
from llmos.kernel.recall import Recalled, Taught
from llmos.kernel.types import Message, Part, Source, ToolCall
from llmos.kernel.verbs import VERBS
from llmos.kernel.vocabulary import Vocabulary
from llmos.memory.preview import preview

CODE = '\n{"name": "python", "arguments": {"code": "'
SUM = '\n{"name": "calculator", "arguments": {"expression": "'


def pointers(codec: Codec, text: str, *previews: str, taught: Sequence[Taught] = (), likeness: float = 0.5) -> Pointers:
    parts = [Part(p, Source("file", "f")) for p in previews]
    message = Message("user", (*parts, Part(text, Source("user"))))
    aliases = Aliases([message], lambda turn: [Recalled(t, t.answer, likeness) for t in taught])
    return Pointers(Vocabulary(codec.bytes_of, codec.control_ids), aliases)


@pytest.fixture
def table(tmp_path: Path) -> str:
    path = tmp_path / "rounds.csv"
    path.write_text("date,Amount (MUSD),lead investor,amount\n2020-01,1,a,1\n2020-02,2,b,2\n")
    return preview(path, "rounds.csv")


def allowed(codec: Codec, made: Pointers, written: str) -> set[str]:
    everything = np.full(-(-codec.size // 32), -1, np.int32)
    bits = np.unpackbits(made.narrow(written.encode(), everything).view(np.uint8), bitorder="little")
    return {codec.decode([int(i)]) for i in np.flatnonzero(bits) if int(i) < codec.size}


def test_a_verb_is_one_that_there_is(codec: Codec, table: str) -> None:
    made = pointers(codec, "what of it", table)
    for begun, verbs in (("`sc", {"scatter"}), ("`lo", {"lookup", "lowest", "lowsum", "logarithmic"})):
        assert all(
            any(v.startswith(begun[1:] + t.rstrip(' "#')) for v in verbs) for t in allowed(codec, made, CODE + begun)
        )
    assert {" "} <= {t[:1] for t in allowed(codec, made, CODE + "`scatter")}
    assert {'"'} <= {t[:1] for t in allowed(codec, made, CODE + "`rows")}
    assert " " not in {t[:1] for t in allowed(codec, made, CODE + "`rows")}
    drawn = pointers(codec, "plot it", table)
    assert all("barh".startswith("ba" + t.rstrip(' "#')) for t in allowed(codec, drawn, CODE + "`ba"))


def test_what_is_surely_like_a_taught_request_gets_its_verb(codec: Codec, table: str) -> None:
    taught = [Taught("table", "bars of # by #", "`bar # #"), Taught("table", "spread of #", "`spread #")]
    made = pointers(codec, "bars please", table, taught=taught)
    begun = ""
    while not begun.endswith(" "):
        tokens = allowed(codec, made, CODE + begun)
        assert all("`bar #".startswith(begun + t) or "`spread #".startswith(begun + t) for t in tokens)
        begun += min(tokens, key=lambda t: (t not in "`bar ", len(t)))
    assert begun == "`bar "


def test_what_comes_with_a_table_is_done_to_it_and_no_program_beside_it(codec: Codec, table: str) -> None:
    taught = [Taught("table", "bars of # by #", "`bar # #")]
    parts = (Part(table, Source("file", "f")), Part("hello", Source("user")))
    for near, verbs in ((taught, ["`bar #"]), ([], ["`" + v for v in VERBS])):
        made = pointers(codec, "the dearest ones, side on", table, taught=near, likeness=0.1)
        tokens = allowed(codec, made, CODE)
        assert tokens
        assert all(any(v.startswith(t.rstrip(' "#')) for v in verbs) for t in tokens)
    called = Message("assistant", (), (ToolCall("1", "python", {"code": "1"}),))
    aliases = Aliases(
        [Message("user", parts), called, Message("tool", (Part("error: no", Source("tool", "python")),), call_id="1")]
    )
    made = Pointers(Vocabulary(codec.bytes_of, codec.control_ids), aliases)
    assert len(allowed(codec, made, CODE)) > 250


def test_a_column_fits_its_role(codec: Codec, table: str) -> None:
    made = pointers(codec, "plot the amount musd", table)
    assert allowed(codec, made, CODE + "`plot #") <= {"1", "3"}
    assert allowed(codec, made, CODE + "`plot #1 #") == {"2"}
    assert allowed(codec, made, CODE + "`hist #") == {"2"}
    assert "1" not in allowed(codec, made, CODE + "`plot #1")


def test_numbers_that_are_set_against_each_other_are_the_axes(codec: Codec) -> None:
    table = "file 'a.csv': 2 rows\ncolumns: 'day' (date), 'price' (number), 'size' (number)\nfirst rows:\n"
    made = pointers(codec, "scatter of price against size", table)
    assert allowed(codec, made, CODE + "`scatter #") == {"2", "3"}
    both = pointers(codec, "price and size", table)
    assert {t.strip() for t in allowed(codec, both, CODE + "`plot #1 #2")} == {"", "#"}
    assert '"' in allowed(codec, both, CODE + "`plot #1 #2 #3")


def test_a_value_was_said(codec: Codec, table: str) -> None:
    made = pointers(codec, "only New Zealand please", table)
    begun = CODE + "`plot #1 #2 where #3 '"
    assert all(t in "only New Zealand please" for t in allowed(codec, made, begun))
    assert "'" in {t[:1] for t in allowed(codec, made, begun + "New Zealand")}


@pytest.mark.parametrize("place", ["ax.set_title('", "print('"])
def test_other_texts_are_free(codec: Codec, table: str, place: str) -> None:
    assert len(allowed(codec, pointers(codec, "plot", table), CODE + place)) > 250


def test_without_a_table_names_are_free_and_signs_are_none(codec: Codec) -> None:
    made = pointers(codec, "draw a sine")
    assert len(allowed(codec, made, CODE + "df['")) > 250
    assert not any(s in token for token in allowed(codec, made, CODE) for s in "@~#&`")


@pytest.mark.parametrize(
    ("begun", "has", "lacks"),
    [
        ("", "@0123456789", "~#"),
        ("@", "12", "03456789@"),
        ("@1", "%*", "0123456789"),
        ("@2 * 14", "4*", "012356789"),
        ("@2 * 1440", "*", "0123456789"),
        ("@2 * 144", "0*", "123456789"),
    ],
)
def test_a_number_is_a_sign_or_one_that_nobody_says(codec: Codec, begun: str, has: str, lacks: str) -> None:
    found = allowed(codec, pointers(codec, "7.5 percent of 1,280"), SUM + begun)
    assert set(has) <= found
    assert not set(lacks) & found


def test_days_and_results_are_told_apart(codec: Codec) -> None:
    made = pointers(codec, "days from 2024-01-05 to 2024-02-05 and 7 more")
    assert allowed(codec, made, SUM + "days(~") == {"1", "2"}
    assert allowed(codec, made, SUM + "@") == {"3"}
    assert allowed(codec, made, SUM + "days(202") == {"4"}  # the year, for days nobody said


def test_nothing_else_of_a_call_is_touched(codec: Codec, table: str) -> None:
    assert pointers(codec, "plot", table).tool == "python"
    made = pointers(codec, "hello", table)
    everything = np.full(-(-codec.size // 32), -1, np.int32)
    for begun in ("", '\n{"name": "', '\n{"name": "python", "arguments": {"'):
        assert made.narrow(begun.encode(), everything) is everything


def test_a_program_that_was_taught_is_run_whole_and_nothing_else_is_computed_with(codec: Codec) -> None:
    taught = [Taught("python", "roll @1 dice", "print(@1)"), Taught("say", "hello", "Hello!")]
    made = pointers(codec, "roll 3 dice", taught=taught)
    assert allowed(codec, made, CODE + "`") == {"1"}
    assert "`" not in allowed(codec, made, CODE + "x = ")
    assert "`" not in allowed(codec, made, SUM)
    assert allowed(codec, made, CODE + "x = @") == {"1"}


def test_a_formula_is_a_sign(codec: Codec) -> None:
    made = pointers(codec, "solve x^2 = 16 with 2 digits")
    assert allowed(codec, made, SUM + "solve(&") == {"1"}
    assert "~" not in allowed(codec, made, SUM)


LONG = (
    "file 'pay.csv': 90 rows\ncolumns: 'year' (year, repeated), 'country' (text, 30 values, has France, Spain), "
    "'region' (text: North, South), 'pay' (number), 'tax' (number)\nfirst rows:\n"
)


def written(codec: Codec, made: Pointers, begun: str) -> str:
    """What follows while there is but one way to go on."""
    while tokens := allowed(codec, made, CODE + begun):
        longest = max(tokens, key=len)
        if not all(longest.startswith(t) for t in tokens) or '"' in longest:
            return begun
        begun += longest
    return begun


@pytest.mark.parametrize(
    ("request_", "begun", "code"),
    [
        ("pay in france over time", "`plot #1 #4", "`plot #1 #4 where #2 'France'"),
        ("pay of France and Spain", "`plot #1 #4", "`plot #1 #4 where #2 'France' 'Spain'"),
        ("pay per country in 1990", "`bar #2 #4", "`bar #2 #4 where #1 @1"),
        ("pay in the north in 1990", "`bar #2 #4", "`bar #2 #4 where #3 'North' where #1 @1"),
        ("pay since 1990", "`plot #1 #4", "`plot #1 #4"),
        ("pay and tax in france", "`plot #1 #4", "`plot #1 #4 #5 where #2 'France'"),
    ],
)
def test_a_chart_is_of_the_rows_that_the_request_speaks_of(codec: Codec, request_: str, begun: str, code: str) -> None:
    assert written(codec, pointers(codec, request_, LONG), begun) == code


def test_the_groups_that_are_named_are_the_axis(codec: Codec) -> None:
    made = pointers(codec, "mean pay per region", LONG)
    assert allowed(codec, made, CODE + "`bar #") == {"3"}
    assert allowed(codec, made, CODE + "`means #") == {"3"}
    assert allowed(codec, pointers(codec, "pay in france", LONG), CODE + "`meanof #") == {"2"}
    assert allowed(codec, pointers(codec, "pay in france", LONG), CODE + "`plot #") == {"1"}


def test_a_value_is_spelled_as_the_table_spells_it(codec: Codec) -> None:
    made = pointers(codec, "mean pay in france", LONG)
    assert written(codec, made, "`meanof #2 '").startswith("`meanof #2 'France'")


def test_a_verb_that_was_done_is_answered_by_its_sentence(codec: Codec) -> None:
    said = Message("user", (Part(LONG, Source("file", "f")), Part("the mean pay", Source("user"))))
    call = ToolCall("c", "python", {"code": "df = load('pay.csv')\ndf['pay'].mean()"})
    for result, sentence in (("12.5", b"The mean of #4 is @1."), ("error: it failed", b"")):
        gave = Message("tool", (Part(result, Source("tool")),), (), "c")
        made = Pointers(
            Vocabulary(codec.bytes_of, codec.control_ids), Aliases([said, Message("assistant", (), (call,)), gave])
        )
        written = b""
        while (bits := made.words(written, codec.size)) is not None and bits.any():
            ids = np.flatnonzero(np.unpackbits(bits.view(np.uint8), bitorder="little"))
            written += max((codec.bytes_of[i] for i in ids), key=len)
        assert written == sentence
        assert (bits is None) == (not sentence)
        assert made.words(b"No", codec.size) is None


@pytest.mark.parametrize(
    ("change", "begun", "fits"),
    [
        ("make it bars", "`bar #", {"1"}),
        ("make it bars", "`bar #1 #", {"4"}),
        ("the same with the tax", "`plot #1 #", {"5"}),
        ("add the tax", "`plot #1 #", {"4"}),
        ("add the tax", "`plot #1 #4 #", {"5"}),
        ("bars by region instead", "`bar #", {"3"}),
    ],
)
def test_a_change_keeps_what_it_does_not_name(codec: Codec, change: str, begun: str, fits: set[str]) -> None:
    asked = Message("user", (Part(LONG, Source("file", "f")), Part("pay over the years", Source("user"))))
    gave = Message("tool", (Part("[plot-1.png]", Source("tool")),), (), "c")
    plot = "ax = df[df['region'] == 'North'].plot(x='year', y='pay')"
    call = ToolCall("c", "python", {"code": f"df = load('pay.csv')\n{plot}"})
    talk = [asked, Message("assistant", (), (call,)), gave, Message("user", (Part(change, Source("user")),))]
    made = Pointers(Vocabulary(codec.bytes_of, codec.control_ids), Aliases(talk))
    assert allowed(codec, made, CODE + begun) == fits


@pytest.mark.parametrize(
    ("request_", "words"), [("bars of it", set()), ("sort the bars", {"sorted"}), ("log bars", {"log"})]
)
def test_a_chart_is_sorted_or_logarithmic_where_that_was_asked_for(
    codec: Codec, request_: str, words: set[str]
) -> None:
    made = pointers(codec, request_, LONG)
    after = {t[:1] for t in allowed(codec, made, CODE + "`bar #3 #4 ")}
    assert {w for w in ("sorted", "log") if w[0] in after} == words
