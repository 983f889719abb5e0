"""Files come into the workspace whole, under their names, as UTF-8; what cannot be used gets one clear line."""

import os
from pathlib import Path

import pytest

from llmos.kernel.errors import LLMOSError, UsageError
from llmos.memory import files
from llmos.memory.files import attach, attach_stdin, named_in

TABLE = "a,b\n1,x\n2,y\n"


@pytest.fixture
def here(tmp_path: Path) -> Path:
    folder = tmp_path / "here"
    folder.mkdir()
    return folder


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return tmp_path / "workspace"


def write(path: Path, text: str = TABLE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def refused(paths: list[Path], workspace: Path) -> str:
    with pytest.raises(UsageError) as caught:
        attach(paths, workspace)
    assert "\n" not in str(caught.value)
    assert str(paths[0]) in str(caught.value)
    assert not list(workspace.rglob("*.draft*"))
    return str(caught.value)


def test_a_file_keeps_its_name_and_comes_with_preview_and_source(here: Path, workspace: Path) -> None:
    given = write(here / "rounds 2024.csv")
    (made,) = attach([given], workspace)
    assert made.path == "data/rounds 2024.csv"
    assert (workspace / made.path).read_text() == TABLE
    assert made.preview.startswith("file 'rounds 2024.csv': 2 rows\n")
    assert (made.source.origin, made.source.name) == ("file", "rounds 2024.csv")
    assert made.source.location == str(given)
    assert given.read_text() == TABLE


def test_the_same_file_again_is_used_as_it_is_another_gets_a_number(here: Path, workspace: Path) -> None:
    first, second = write(here / "a.csv"), write(here / "b" / "a.csv", "c\n1\n")
    paths = [attach([path], workspace)[0].path for path in (first, second, first)]
    assert paths == ["data/a.csv", "data/a-2.csv", "data/a.csv"]


def test_a_folder_keeps_its_relative_paths(here: Path, workspace: Path) -> None:
    for name in ("x.csv", "deep/er/y.json", ".hidden.csv", ".git/z.csv", "photo.png", "empty.csv"):
        write(here / name, "" if name.startswith("empty") else '{"a": [1]}' if name.endswith("json") else TABLE)
    made = attach([here], workspace)
    assert [a.path for a in made] == ["data/here/deep/er/y.json", "data/here/x.csv"]
    assert made[0].source.name == "here/deep/er/y.json"


def test_links_lead_out_of_no_folder(here: Path, workspace: Path, tmp_path: Path) -> None:
    secret = write(tmp_path / "secret.csv", "password\nx\n")
    write(here / "in.csv")
    (here / "out.csv").symlink_to(secret)
    (here / "outside").symlink_to(tmp_path)
    (here / "inside.csv").symlink_to(here / "in.csv")
    (here / "dead.csv").symlink_to(here / "nothing.csv")
    assert [a.source.name for a in attach([here], workspace)] == ["here/in.csv", "here/inside.csv"]
    assert attach([here / "out.csv"], workspace)[0].path == "data/out.csv"  # named itself: the user's own words


def test_many_files_are_shown_by_one_line_each(here: Path, workspace: Path) -> None:
    for i in range(9):
        write(here / f"{i}.csv")
    previews = [a.preview.count("\n") for a in attach([here], workspace)]
    assert previews == [4] * 6 + [0] * 3


def test_too_many_or_too_large(here: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for i in range(4):
        write(here / f"{i}.csv")
    monkeypatch.setattr(files, "MAX_FILES", 3)
    with pytest.raises(UsageError, match="more than 3 files"):
        attach([here], workspace)
    monkeypatch.setattr(files, "MAX_FILES", 9)
    monkeypatch.setattr(files, "MAX_BYTES", 30)
    with pytest.raises(UsageError, match=r"larger than 0 MB together, at .*2\.csv"):
        attach([here], workspace)
    monkeypatch.setattr(files, "_MAX_ENTRIES", 2)
    assert "too many files to look through" in refused([here], workspace)


def test_what_is_missing_is_named_with_what_is_near(here: Path, workspace: Path) -> None:
    write(here / "rounds.csv")
    assert refused([here / "round.csv"], workspace).endswith(f"did you mean {here / 'rounds.csv'}?")
    assert "check its path" in refused([here / "no" / "x.csv"], workspace)


def test_unusable_files_are_refused_by_name(here: Path, workspace: Path) -> None:
    assert "is empty" in refused([write(here / "a.csv", "")], workspace)
    assert "is empty" in refused([write(here / "a.csv", " \n ")], workspace)
    (here / "b.csv").write_bytes(b"\x7fELF\0\0\0\1" * 99)
    assert "is binary" in refused([here / "b.csv"], workspace)
    os.mkfifo(here / "pipe.csv")
    assert "not a regular file" in refused([here / "pipe.csv"], workspace)
    assert "not a regular file" in refused([Path("/dev/null")], workspace)
    (here / "empty").mkdir()
    assert "folder without" in refused([here / "empty"], workspace)
    write(here / "bad" / "x.csv", "")
    assert "holds no file that can be read" in refused([here / "bad"], workspace)


def test_an_unreadable_file_is_refused(here: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object) -> int:  # not by chmod: root reads everything
        raise PermissionError(13, "Permission denied")

    write(here / "a.csv")
    monkeypatch.setattr(os, "open", denied)
    with pytest.raises(UsageError, match=r"cannot read .*a\.csv: Permission denied; check its permissions"):
        attach([here / "a.csv"], workspace)


def test_a_full_disk_is_one_clear_line(here: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "_copy_text", full)
    with pytest.raises(LLMOSError, match=r"no space left on the disk for .*a\.csv"):
        attach([write(here / "a.csv")], workspace)
    assert list(workspace.rglob("*.*")) == []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1"])
def test_text_is_stored_as_utf8(here: Path, workspace: Path, encoding: str) -> None:
    text = "stadt,größe\r\nKöln,1\r\n"
    (here / "a.csv").write_bytes(text.encode(encoding))
    (made,) = attach([here / "a.csv"], workspace)
    assert (workspace / made.path).read_bytes().decode() == text


def test_latin1_that_shows_only_late_is_noticed(here: Path, workspace: Path) -> None:
    (here / "a.txt").write_bytes(b"a\n" * 800_000 + "é".encode("latin-1"))
    (made,) = attach([here / "a.txt"], workspace)
    assert (workspace / made.path).read_text(encoding="utf-8").endswith("é")


def test_strange_names_are_made_harmless(here: Path, workspace: Path) -> None:
    given = write(here / "a\x1b[31m\nb\u202e.csv")
    assert attach([given], workspace)[0].path == "data/a[31m b.csv"


def test_excel_is_kept_and_told(here: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmos.memory.preview.find_spec", lambda name: None)
    (here / "b.xlsx").write_bytes(b"PK\x03\x04")
    (made,) = attach([here / "b.xlsx"], workspace)
    assert "Excel workbook, not read; save it as csv" in made.preview
    assert (workspace / made.path).read_bytes() == b"PK\x03\x04"


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"a,b\n1,2\n3,4\n", "stdin.csv"),
        (b"a;b\n1;2\n", "stdin.csv"),
        (b"a\tb\n1\t2\n", "stdin.tsv"),
        (b"price\n5\n6\n7\n", "stdin.csv"),
        (b'[{"a": 1}]', "stdin.json"),
        (b'{"a": 1}\n{"a": 2}\n', "stdin.jsonl"),
        (b"[not json\n", "stdin.txt"),
        (b"Hello, world.\nThis is, you see, prose.\n", "stdin.txt"),
        (b"one, two and three", "stdin.txt"),
        ("a,b\nö,2\n".encode("utf-16"), "stdin.csv"),
    ],
)
def test_standard_input_gets_a_fitting_name(workspace: Path, data: bytes, name: str) -> None:
    made = attach_stdin(data, workspace)
    assert made.path == f"data/{name}"
    assert made.source.location == "standard input"


@pytest.mark.parametrize(("data", "says"), [(b"", "is empty"), (b" \n", "is empty"), (b"\0\1" * 99, "is binary")])
def test_unusable_standard_input(workspace: Path, data: bytes, says: str) -> None:
    with pytest.raises(UsageError, match=f"standard input {says}"):
        attach_stdin(data, workspace)


def test_paths_named_in_a_request(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.csv", "my data 2024.csv", "sub/b.tsv", "x.exe", "c.csv.gz"):
        write(here / name)
    (here / "folder.csv").mkdir()
    monkeypatch.setenv("HOME", str(here))
    cases = {
        "plot a.csv": ["a.csv"],
        "plot ./a.csv, please": ["a.csv"],
        "what is in (a.csv)?": ["a.csv"],
        "Look at a.csv.": ["a.csv"],
        "plot 'my data 2024.csv' and \"a.csv\"": ["my data 2024.csv", "a.csv"],
        "plot my data 2024.csv by month": ["my data 2024.csv"],
        "compare a.csv with sub/b.tsv and a.csv": ["a.csv", "sub/b.tsv"],
        "file=~/sub/b.tsv": ["sub/b.tsv"],
        f"open {here}/a.csv": ["a.csv"],
        "plot\na.csv": ["a.csv"],
        "plot nothing.csv": [],
        "get https://example.com/a.csv": [],
        "run x.exe, unpack c.csv.gz, open folder.csv": [],
        "~nobody_here/a.csv": [],
        "a" * 5000 + ".csv": [],
        "what is 1.5 + 2?": [],
    }
    for request, names in cases.items():
        assert [path.resolve() for path in named_in(request, here)] == [here / name for name in names], request


def test_a_data_folder_that_became_a_link_is_not_written_through(tmp_path: Path) -> None:
    outside, workspace = tmp_path / "outside", tmp_path / "workspace"
    outside.mkdir()
    workspace.mkdir()
    (workspace / "data").symlink_to(outside)
    with pytest.raises(UsageError, match="replaced by a link"):
        attach_stdin(b"a,b\n1,2\n", workspace)
    assert not list(outside.iterdir())
