"""Pointers: what the embedded kernel names in a call stands in the context, spelled as it stands there."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from llmos.kernel.codec import Codec
from llmos.kernel.pointers import UNSAID, Pointers, Vocabulary, named, said
from llmos.kernel.types import Message, Part, Source
from llmos.memory.preview import preview

USER = Source("user")


def asked(text: str, *previews: str) -> list[Message]:
    parts = [Part(p, Source("file", "f")) for p in previews]
    return [Message("user", (*parts, Part(text, USER)))]


@pytest.fixture
def table(tmp_path: Path) -> str:
    path = tmp_path / "rounds.csv"
    path.write_text("date,Amount (MUSD),lead investor,amount\n2020-01,1,a,1\n2020-02,2,b,2\n")
    return preview(path, "rounds.csv")


def spell(codec: Codec, pointers: Pointers, begun: str, wish: str, most: int = 60) -> str:
    """What comes out when the model wants to write ``wish`` after ``begun`` and takes the nearest that is allowed."""
    written = begun.encode()
    size = -(-codec.size // 32)
    everything = np.full(size, -1, np.int32)
    wanted = codec.encode(wish)
    for step in range(most):
        bits = np.unpackbits(pointers.narrow(written, everything).view(np.uint8), bitorder="little")
        want = wanted[step] if step < len(wanted) else -1
        token = want if want >= 0 and bits[want] else int(np.flatnonzero(bits)[0])
        written += codec.bytes_of[token]
        if not codec.bytes_of[token].strip(b"'"):
            break
    return written.decode()[len(begun) :]


def allowed(codec: Codec, pointers: Pointers, written: str) -> set[str]:
    everything = np.full(-(-codec.size // 32), -1, np.int32)
    bits = np.unpackbits(pointers.narrow(written.encode(), everything).view(np.uint8), bitorder="little")
    return {codec.decode([int(i)]) for i in np.flatnonzero(bits) if int(i) < codec.size}


def test_previews_name_their_files_and_columns(table: str) -> None:
    files, columns = named(asked("plot", table))
    assert files == ["rounds.csv"]
    assert [c.name for c in columns] == ["date", "Amount (MUSD)", "lead investor", "amount"]
    assert [c.kind for c in columns] == ["month", "number", "text", "number"]
    assert named([Message("user", (Part("file 'x.csv': 3 rows\ncolumns: 'a' (text)", USER),))]) == ([], [])


@pytest.mark.parametrize(
    ("text", "has", "lacks"),
    [
        ("7.5 percent of 1,280", {"7.5", "1280"}, {"12800", "128"}),
        ("2.4 million and 3k", {"2400000", "2.4", "3000"}, {"240"}),
        ("from 12 500 to 45\u202f000", {"12500", "45000", "500"}, {"125"}),
        ("thirty-five percent of two thousand", {"35", "2000"}, {"2500"}),
        ("on 2024-05-17", {"2024", "05", "17"}, {"202"}),
    ],
)
def test_numbers_are_read_as_people_write_them(text: str, has: set[str], lacks: set[str]) -> None:
    found = said(asked(text)) | UNSAID
    assert has <= found
    assert not lacks & found


CODE = '\n{"name": "python", "arguments": {"code": "df = '
PLACES = [
    "load('",
    "df.plot(x='",
    "df.plot(x='date', y='",
    "df.plot(x='date', y=['amount', '",
    "df.groupby('",
    "df['",
    "df.nlargest(3, 'amount')[['date', '",
    "df.groupby('date')['",
]


@pytest.mark.parametrize("place", PLACES)
def test_a_quoted_name_is_one_that_there_is(codec: Codec, table: str, place: str) -> None:
    pointers = Pointers(Vocabulary(codec.bytes_of, codec.control_ids), asked("plot", table))
    names = ["rounds.csv"] if "load" in place else ["date", "Amount (MUSD)", "lead investor", "amount"]
    for wish in ("date'", "lead investor'", "Amount (MUSD)'", "zzz'", "rounds.csv'", "amounts'"):
        assert spell(codec, pointers, CODE + place, wish).rstrip("'") in names


@pytest.mark.parametrize("place", ["df[df['date'] == '", "df[df['date'].isin(['a', '", "ax.set_title('", "print('"])
def test_other_texts_are_free(codec: Codec, table: str, place: str) -> None:
    pointers = Pointers(Vocabulary(codec.bytes_of, codec.control_ids), asked("plot", table))
    assert len(allowed(codec, pointers, CODE + place)) > 250


def test_without_a_table_names_are_free(codec: Codec) -> None:
    pointers = Pointers(Vocabulary(codec.bytes_of, codec.control_ids), asked("draw a sine"))
    assert len(allowed(codec, pointers, CODE + "df['")) > 250


SUM = '\n{"name": "calculator", "arguments": {"expression": "'


@pytest.mark.parametrize(
    ("begun", "digits", "ends"),
    [
        ("", "0123456789", True),
        ("7.5% * 1", "0123456789", True),
        ("7.5% * 12", "8", True),
        ("7.5% * 128", "0", False),
        ("7.5% * 1280", "", True),
        ("7", "25.", True),
        ("7.", "5", False),
        ("log12", None, True),
    ],
)
def test_a_number_is_one_that_was_said(codec: Codec, begun: str, digits: str | None, ends: bool) -> None:
    pointers = Pointers(Vocabulary(codec.bytes_of, codec.control_ids), asked("7.5 percent of 1,280"))
    found = allowed(codec, pointers, SUM + begun)
    if digits is not None:
        assert set("0123456789.") & found >= set(digits)
        if len(digits) < 2:
            assert set("0123456789") & found <= set(digits)
    assert (" *" in found or ")" in found) == ends


def test_nothing_else_of_a_call_is_touched(codec: Codec, table: str) -> None:
    pointers = Pointers(Vocabulary(codec.bytes_of, codec.control_ids), asked("plot", table))
    written: Sequence[str] = ("", '\n{"name": "', '\n{"name": "python", "arguments": {"')
    everything = np.full(-(-codec.size // 32), -1, np.int32)
    for begun in written:
        assert pointers.narrow(begun.encode(), everything) is everything
