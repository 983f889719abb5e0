"""Previews: the exact form that the kernel is trained on, true types, bounded work, and nothing hidden in it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmos.kernel.errors import UsageError
from llmos.memory import preview as pv
from llmos.memory.kinds import kind_of
from llmos.memory.preview import Column, Table, look, preview, render, tabulate

ROUNDS = """round,date,amount_musd,lead_investor
Series A,2017-07,4.5,Accel
Series B,2018-08,18,Index Ventures
Series C,2019-08,100,Founders Fund
Series D,2020-12,155,Tiger Global
Series E,2021-04,325,Tiger Global and others
Series F,2024-05,1000,Accel
"""


def write(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def table(folder: Path, text: str | bytes, name: str = "t.csv") -> Table:
    seen = look(write(folder, name, text), name)
    assert isinstance(seen, Table)
    return seen


def kinds(seen: Table) -> dict[str, str]:
    return {column.name: column.kind for column in seen.columns}


def test_the_form_of_a_table(tmp_path: Path) -> None:
    assert preview(write(tmp_path, "rounds.csv", ROUNDS), "rounds.csv", "press; as of 2024-05") == (
        "file 'rounds.csv': 6 rows\n"
        "columns: 'round' (text), 'date' (month), 'amount_musd' (number), 'lead_investor' (text)\n"
        "first rows:\n"
        "Series A,2017-07,4.5,Accel\n"
        "Series B,2018-08,18,Index Ventures\n"
        "source: press; as of 2024-05"
    )


def test_categories_are_shown_with_their_values(tmp_path: Path) -> None:
    seen = table(tmp_path, "sex,n\n" + "male,1\nfemale,2\n,3\n" * 5)
    assert seen.columns[0].values == ("male", "female")
    assert "'sex' (text: male, female)" in render(seen)


@pytest.mark.parametrize(
    ("name", "cells", "kind"),
    [
        ("n", ["1", "2.5", "-3", "1e5", ""], "number"),
        ("n", ["1,200", "15", "3,000,000.5"], "number"),
        ("n", ["$12", "€3.50"], "number"),
        ("n", ["12%", "3.5 %"], "number"),
        ("n", ["1,5", "2,75"], "number"),
        ("zip", ["00123", "90210"], "text"),
        ("year", ["1999", "2003", ""], "year"),
        ("year_founded", ["2003", "1999", "2003"], "year"),
        ("when", ["1999", "2000", "2001"], "year"),
        ("rent", ["1200", "1150", "2100"], "number"),
        ("rent", ["1200", "1200", "1200"], "number"),
        ("day", ["2024-01-31", "2023-12-01"], "date"),
        ("day", ["31.01.2024", "1.2.2023"], "date"),
        ("day", ["01/31/2024", "12/01/2023"], "date"),
        ("day", ["5 May 2020", "12 January 2021"], "date"),
        ("day", ["2024-01-31T10:00:00Z", "2024-01-31 10:00"], "date"),
        ("month", ["2024-01", "2023-12"], "month"),
        ("month", ["Jan 2024", "February 2024"], "month"),
        ("season", ["2009-10", "2011-12", "2012-13"], "text"),
        ("q", ["2024-Q1", "2023Q4", "Q2 2022"], "quarter"),
        ("t", ["10:30", "23:59:59", "9:15 pm"], "time"),
        ("ok", ["yes", "No", "YES"], "yes/no"),
        ("ok", ["true", "false", "NA"], "yes/no"),
        ("x", ["", "NA", "-", "n/a"], "empty"),
        ("x", [], "empty"),
        ("x", ["1", "2", "unknown"], "text"),
        ("x", ["a", "1"], "text"),
    ],
)
def test_kinds(name: str, cells: list[str], kind: str) -> None:
    assert kind_of(name, cells) == kind


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters(tmp_path: Path, delimiter: str) -> None:
    seen = table(tmp_path, "a,b\nx,1\ny,2\n".replace(",", delimiter))
    assert kinds(seen) == {"a": "text", "b": "number"}
    assert seen.sample_rows == (("x", "1"), ("y", "2"))


def test_semicolons_with_decimal_commas(tmp_path: Path) -> None:
    assert kinds(table(tmp_path, "name;price\na;1,50\nb;2,75\n")) == {"name": "text", "price": "number"}


def test_quoted_cells_with_commas_and_line_ends(tmp_path: Path) -> None:
    seen = table(tmp_path, 'city,n\n"Washington, DC",1\n"two\nlines",2\n')
    assert seen.rows == 2
    assert render(seen).endswith('"Washington, DC",1\ntwo lines,2')


def test_a_missing_header_is_noticed(tmp_path: Path) -> None:
    seen = table(tmp_path, "Ada,36,2020-01-01\nBob,41,2020-01-02\n")
    assert (seen.header, seen.rows, seen.columns[0].name) == (False, 2, "column_1")
    assert render(seen).startswith("file 't.csv': 2 rows (no header row)")


@pytest.mark.parametrize("text", ["country,2019,2020\nFrance,1,2\n", "name,city\nAda,London\nBob,Rome\n", "a,b\n"])
def test_headers_are_kept(tmp_path: Path, text: str) -> None:
    assert table(tmp_path, text).header


def test_broken_rows_and_titles_are_counted_empty_rows_not(tmp_path: Path) -> None:
    seen = table(tmp_path, "My report\na,b\n1,2\n\n3\n,\n4,5,6\n7,8\n9,10\n")
    assert (seen.rows, seen.broken) == (3, 3)
    assert "3 rows (3 broken rows skipped)" in render(seen)


def test_double_and_nameless_columns_get_names(tmp_path: Path) -> None:
    assert list(kinds(table(tmp_path, "a,a,,b\n1,2,3,x\n"))) == ["a", "a.1", "column_3", "b"]


def test_wide_tables_long_cells_and_long_rows_are_cut() -> None:
    header = [f"column number {i}" for i in range(36)]
    text = render(tabulate("wide.csv", header, [["x" * 30] * 36]))
    lines = text.splitlines()
    assert lines[1].endswith(", … 12 more")
    assert "x" * 23 + "…," in lines[3]
    assert len(lines[3]) == 160


def test_values_that_look_the_same_when_cut_are_not_shown() -> None:
    seen = tabulate("t.csv", ["a"], [["the same long beginning one"], ["the same long beginning two"]] * 4)
    assert seen.columns[0].values == ()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    seen = table(tmp_path, "stadt,größe\nKöln,1\nMünchen,2\n".encode(encoding))
    assert kinds(seen) == {"stadt": "text", "größe": "number"}
    assert seen.sample_rows[0] == ("Köln", "1")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.json", json.dumps([{"a": 1, "b": "x"}, {"a": 2, "b": None}])),
        ("t.json", json.dumps({"a": [1, 2], "b": ["x", None]})),
        ("t.jsonl", '{"a": 1, "b": "x"}\n{"a": 2, "b": null}\n'),
        ("t.json", '{"a": 1, "b": "x"}\n{"a": 2, "b": null}\n'),
    ],
)
def test_json_tables(tmp_path: Path, name: str, text: str) -> None:
    seen = table(tmp_path, text, name)
    assert (seen.rows, kinds(seen)) == (2, {"a": "number", "b": "text"})
    assert seen.sample_rows == (("1", "x"), ("2", ""))


def test_json_outlines(tmp_path: Path) -> None:
    shown = preview(write(tmp_path, "c.json", '{"name": "x", "n": 0, "items": [1, 2], "set": {"a": 1}}'), "c.json")
    assert shown == (
        "file 'c.json': JSON object with 4 keys\nkeys: name (text), n (number), items (list of 2), set (object: a)"
    )
    assert preview(write(tmp_path, "d.json", "[1, 2, 3]"), "d.json") == "file 'd.json': JSON list of 3\n[1, 2, 3]"
    assert "not valid JSON" in preview(write(tmp_path, "e.json", '{"a": '), "e.json")
    assert "not valid JSON" in preview(write(tmp_path, "f.json", "[" * 100_000), "f.json")


def test_text(tmp_path: Path) -> None:
    shown = preview(write(tmp_path, "notes.md", "# Title\n\n" + "some words here\n" * 118), "notes.md")
    assert shown.startswith("file 'notes.md': 120 lines, 356 words\n# Title\nsome words here\n")
    assert len(shown) < 460
    assert shown.endswith("…")


def test_nothing_invisible_gets_into_a_preview(tmp_path: Path) -> None:
    evil = "a\u202e\u200b,b\x1b[31m\nx\u2066\x07,y\U000e0041\n"
    for name in ("t.csv", "t.txt"):
        shown = preview(write(tmp_path, name, evil), name)
        assert not set(shown) & set("\u202e\u200b\x1b\u2066\x07\U000e0041")


@pytest.mark.parametrize("content", [b"", b" \n\n"])
def test_empty_files_are_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(UsageError, match=r"t\.csv is empty"):
        preview(write(tmp_path, "t.csv", content), "t.csv")


def test_binary_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"t\.csv is binary"):
        preview(write(tmp_path, "t.csv", b"\x89PNG\0\0\x01" * 9), "t.csv")


def test_excel_without_openpyxl_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pv, "find_spec", lambda name: None)
    assert "save it as csv" in preview(write(tmp_path, "b.xlsx", b"PK"), "b.xlsx")


def test_counting_stops_in_time_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pv, "SECONDS", -1.0)
    seen = table(tmp_path, "sex,n\n" + "male,1\nfemale,2\n" * 5000)
    assert (seen.rows, seen.exact) == (512, False)
    assert seen.columns[0].values == ()  # not known to be all
    assert "at least 512 rows" in render(seen)


@pytest.mark.parametrize("text", ["a,b\n" + "1,2\n" * 3_000_000, "x" * 40_000_000, 'a,b\n1,"' + "y,z\n" * 5_000_000])
def test_big_files_preview_in_bounded_memory(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, "big.csv", text)
    program = (
        "import resource, sys; from pathlib import Path; from llmos.memory import preview as p; p.SECONDS = 0.5\n"
        "resource.setrlimit(resource.RLIMIT_DATA, (64 << 20, 64 << 20))\n"
        "print(p.preview(Path(sys.argv[1]), 'big.csv')[:40])"
    )
    told = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True)
    assert told.stdout.startswith("file 'big.csv': "), told.stderr


def test_pandas_is_not_loaded() -> None:
    program = "import llmos.memory.files, llmos.memory.log, llmos.memory.library, sys; print('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "False\n"


cells = st.text(max_size=30)


@settings(max_examples=100, deadline=None)
@given(st.lists(cells, min_size=1, max_size=5), st.lists(st.lists(cells, max_size=5), max_size=8), cells)
def test_any_rows_render_in_lines_of_bounded_length(header: list[str], rows: list[list[str]], name: str) -> None:
    text = render(tabulate(name, header, rows, source="s"))
    assert text.splitlines()[0].startswith("file ")
    assert len(text.splitlines()) <= 7
    assert text.isprintable() or "\n" in text


@settings(max_examples=100, deadline=None)
@given(st.binary(min_size=1, max_size=400), st.sampled_from(["t.csv", "t.tsv", "t.json", "t.jsonl", "t.txt"]))
def test_any_bytes_are_previewed_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes, name: str) -> None:
    path = write(tmp_path_factory.getbasetemp(), name, data)
    try:
        told = preview(path, name)
    except UsageError as error:
        told = f"file '{name}': {error}"
        told = told.replace("\n", "a refusal is one line")
    assert told.startswith(f"file '{name}': ")
    assert "a refusal" not in told


def test_a_table_made_by_hand_renders_the_same(tmp_path: Path) -> None:
    by_hand = Table("rounds.csv", 6, (Column("round", "text"), Column("date", "month")), (("Series A", "2017-07"),))
    assert render(by_hand) == (
        "file 'rounds.csv': 6 rows\ncolumns: 'round' (text), 'date' (month)\nfirst rows:\nSeries A,2017-07"
    )
