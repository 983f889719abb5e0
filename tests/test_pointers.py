"""Pointers: what the embedded kernel names in a call stands in the context."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from llmos.kernel.aliases import Aliases
from llmos.kernel.codec import Codec
from llmos.kernel.pointers import Pointers, Vocabulary
from llmos.kernel.recall import Recall, Recalled
from llmos.kernel.types import Message, Part, Source
from llmos.memory.preview import preview

CODE = '\n{"name": "python", "arguments": {"code": "df = '
SUM = '\n{"name": "calculator", "arguments": {"expression": "'


def pointers(codec: Codec, text: str, *previews: str, taught: Sequence[tuple[str, str]] = ()) -> Pointers:
    parts = [Part(p, Source("file", "f")) for p in previews]
    message = Message("user", (*parts, Part(text, Source("user"))))
    return Pointers(Vocabulary(codec.bytes_of, codec.control_ids), Aliases([message]), lambda: Recall(taught))


@pytest.fixture
def table(tmp_path: Path) -> str:
    path = tmp_path / "rounds.csv"
    path.write_text("date,Amount (MUSD),lead investor,amount\n2020-01,1,a,1\n2020-02,2,b,2\n")
    return preview(path, "rounds.csv")


def allowed(codec: Codec, made: Pointers, written: str) -> set[str]:
    everything = np.full(-(-codec.size // 32), -1, np.int32)
    bits = np.unpackbits(made.narrow(written.encode(), everything).view(np.uint8), bitorder="little")
    return {codec.decode([int(i)]) for i in np.flatnonzero(bits) if int(i) < codec.size}


PLACES = [
    "df.plot(x=",
    "df.plot(x=#1, y=",
    "df.plot(x=#1, y=[#2, ",
    "df.groupby(",
    "df[",
    "df.nlargest(3, ",
    "df.nlargest(@1, #2)[[#1, ",
    "df.groupby(#1)[",
]


@pytest.mark.parametrize("place", PLACES)
def test_a_column_is_a_sign(codec: Codec, table: str, place: str) -> None:
    made = pointers(codec, "plot it", table)
    assert not any("'" in token for token in allowed(codec, made, CODE + place))
    assert "#" in allowed(codec, made, CODE + place)
    digits = allowed(codec, made, CODE + place + "#")
    assert digits
    assert digits <= set("1234")


def test_a_column_fits_its_place(codec: Codec, table: str) -> None:
    made = pointers(codec, "plot the amount musd", table)
    assert allowed(codec, made, CODE + "df.plot(x=#") <= {"1", "3"}
    assert allowed(codec, made, CODE + "df.plot(x=#1, y=#") == {"2"}
    assert "1" not in allowed(codec, made, CODE + "df.plot(x=#1")


def test_a_file_is_one_that_there_is(codec: Codec, table: str) -> None:
    made = pointers(codec, "plot it", table)
    begun, written = "", CODE + "load('"
    while "'" not in begun:
        begun += min(allowed(codec, made, written + begun), key=len)
    assert begun.startswith("rounds.csv'")


def test_a_value_was_said(codec: Codec, table: str) -> None:
    made = pointers(codec, "only New Zealand please", table)
    assert all(t in "only New Zealand please" for t in allowed(codec, made, CODE + "df[df[#3] == '"))
    assert "'" in {t[:1] for t in allowed(codec, made, CODE + "df[df[#3] == 'New Zealand")}


@pytest.mark.parametrize("place", ["ax.set_title('", "print('"])
def test_other_texts_are_free(codec: Codec, table: str, place: str) -> None:
    assert len(allowed(codec, pointers(codec, "plot", table), CODE + place)) > 250


def test_without_a_table_names_are_free_and_signs_are_none(codec: Codec) -> None:
    made = pointers(codec, "draw a sine")
    assert len(allowed(codec, made, CODE + "df['")) > 250
    assert not any(s in token for token in allowed(codec, made, CODE) for s in "@~#")


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
    made = pointers(codec, "plot", table)
    everything = np.full(-(-codec.size // 32), -1, np.int32)
    for begun in ("", '\n{"name": "', '\n{"name": "python", "arguments": {"'):
        assert made.narrow(begun.encode(), everything) is everything


def test_a_request_like_one_that_was_taught_is_answered_as_that_one(codec: Codec) -> None:
    made = pointers(codec, "what is 15% of 2,400?", taught=[("what is @1% of @2?", "@1% * @2"), ("what is @1?", "@1")])
    begun = ""
    while '"' not in begun:
        (token,) = {t[:1] for t in allowed(codec, made, SUM + begun)}
        begun += token
    assert begun == '@1% * @2"'


def test_of_several_that_are_a_little_like_it_the_model_chooses(codec: Codec, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [Recalled("@1 + @2", 0.5), Recalled("@1 - @2", 0.45), Recalled("@1 / @2", 0.3)]
    monkeypatch.setattr(Recall, "near", lambda *_: found)
    made = pointers(codec, "5 somehow 7")
    assert {t[:1] for t in allowed(codec, made, SUM + "@1 ")} == set("+-")
    assert allowed(codec, made, SUM) == {"@"}


def test_a_request_unlike_any_is_left_to_the_model(codec: Codec) -> None:
    made = pointers(codec, "three knights ride 5 miles", taught=[("what is @1% of @2?", "@1% * @2")])
    assert len(allowed(codec, made, SUM)) > 200
