"""``llmos memory``: what is typed, what comes back, and the exit code."""

import json
from pathlib import Path

import pytest

from llmos.cli import run_command
from llmos.kernel import minilm

pytestmark = pytest.mark.skipif(bool(minilm.missing()), reason="the weights are not installed")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two good files and one that cannot be read; a home of its own."""
    monkeypatch.setenv("LLMOS_HOME", str(tmp_path / "home"))
    made = tmp_path / "files"
    made.mkdir()
    (made / "lease.md").write_text("# Lease\n\nA small dog may be kept.\n")
    (made / "tea.csv").write_text("tea,price\nassam,4\nsencha,6\n")
    (made / "bad.pdf").write_text("no pdf")
    return made


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_from_adding_to_forgetting(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["memory", "list"]) == 0
    assert lines(capsys) == ["nothing yet; llmos memory add FOLDER"]
    assert run_command(["memory", "add", str(folder)]) == 1
    shown = capsys.readouterr()
    assert shown.out == "1 unreadable, 2 added\n"
    assert "bad.pdf is no PDF" in shown.err
    (folder / "bad.pdf").unlink()
    assert run_command(["memory", "add", str(folder)]) == 0
    assert lines(capsys) == ["2 unchanged"]
    assert run_command(["memory", "search", "may", "I", "have", "a", "pet?", "--limit", "1", "--json"]) == 0
    (hit,) = map(json.loads, lines(capsys))
    assert (hit["title"], hit["place"], hit["heading"]) == ("lease.md", "line 3", "Lease")
    for filters, found in ((["--until", "2020-01-01"], 0), (["--since", "2020-01-01"], 2), (["--trusted"], 0)):
        assert run_command(["memory", "search", "tea", *filters, "--by", "vectors", "--json"]) == 0
        assert len({json.loads(line)["document"] for line in lines(capsys)}) == found
    assert run_command(["memory", "show", str(hit["document"])]) == 0
    assert "A small dog may be kept." in capsys.readouterr().out
    assert run_command(["memory", "stats"]) == 0
    assert "2 documents, 0 of them notes; 2 passages; " in capsys.readouterr().out
    assert run_command(["memory", "forget", str(hit["document"])]) == 3
    assert "nothing was forgotten" in capsys.readouterr().err
    assert run_command(["memory", "forget", str(hit["document"]), "--yes"]) == 0
    assert run_command(["memory", "stats", "--json"]) == 0
    assert json.loads(lines(capsys)[-1])["documents"] == 1
    assert run_command(["memory", "stats"]) == 0
    assert lines(capsys)[-1].startswith("1 document, 0 of them notes; 1 passage; ")
    assert run_command(["memory", "show", "999"]) == 2
    assert run_command(["memory", "search", " "]) == 2


def test_what_one_session_kept_is_found_by_it_alone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from llmos import LLMOS, Scripted

    with LLMOS(model=Scripted(["Noted."]), remembers=True) as system, system.session() as session:
        session.run("read this", files=[folder / "lease.md"])
        system.memory.note("Tea is drunk at four.")
        name = session.id
    assert run_command(["memory", "search", "tea", "--session", name, "--json"]) == 0
    assert {json.loads(line)["title"] for line in lines(capsys)} == {"lease.md"}
    assert run_command(["memory", "search", "tea", "--session", "nobody"]) == 2


def test_an_export_comes_back_and_is_not_trusted_by_itself(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from llmos import LLMOS

    with LLMOS() as llmos:
        llmos.memory.note("my dog is called Biscuit")
    run_command(["memory", "add", str(folder), "--persona", "coach"])
    kept = tmp_path / "kept.jsonl"
    assert run_command(["memory", "export", str(kept)]) == 0
    capsys.readouterr()
    for trusted in ([], ["--trusted"]):
        monkeypatch.setenv("LLMOS_HOME", str(tmp_path / f"other{len(trusted)}"))
        assert run_command(["memory", "import", str(kept), *trusted]) == 0
        assert lines(capsys) == ["3 added"]
        assert run_command(["memory", "list", "--json"]) == 0
        found = {d["title"]: d for d in map(json.loads, lines(capsys))}
        assert found["my dog is called Biscuit"]["integrity"] == ("trusted" if trusted else "untrusted")
        assert found["tea.csv"]["persona"] == "coach"
        assert found["tea.csv"]["integrity"] == "untrusted"
    kept.write_text('{"form": 1}\n')
    assert run_command(["memory", "import", str(kept)]) == 2
    assert "line 1 is no document" in capsys.readouterr().err
