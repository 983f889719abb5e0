"""Every quota on what is kept, by itself, through the public door: the act fails in one line, and nothing is lost."""

import os
import time
from dataclasses import fields
from pathlib import Path

import pytest
from prompt_toolkit.history import FileHistory, InMemoryHistory

from llmos import LLMOS, QuotaError, Scripted, Tool, ToolCall, ToolContext, ToolOutput, UsageError, cli, prompting
from llmos.kernel import beneath
from llmos.kernel.scripted import Reply
from llmos.kernel.types import Answer, Call, Failure, Request, Result
from llmos.memory import files
from llmos.memory.quotas import FILE, Quotas, load, size, spell
from llmos.tools.sandbox import self_test

TABLE = "a,b\n" + "1,2\n" * 5_000  # 20 KB


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LLMOS_HOME", str(tmp_path / "home"))
    for name in os.environ:
        if name.startswith("LLMOS_QUOTA_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def write(path: Path, text: str = TABLE) -> Path:
    path.write_text(text)
    return path


def fill(arguments: object, context: ToolContext) -> ToolOutput:
    (context.workspace / "big.bin").write_bytes(b"x" * 100_000)
    return ToolOutput("written")


FILLER = Tool("fill", "fills", {"type": "object"}, fill, frozenset())


def calculate(expression: str = "1 + 1") -> ToolCall:
    return ToolCall("x", "calculator", {"expression": expression})


def system(home: Path, *replies: Reply) -> LLMOS:
    return LLMOS(model=Scripted(list(replies)), home=home, tools=[FILLER])


def test_built_in_values_under_the_file_under_the_environment(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(home) == Quotas()
    home.mkdir()
    (home / FILE).write_text('workspace = "2G"\nfiles = 7\nlog = "10 mb"\n')
    monkeypatch.setenv("LLMOS_QUOTA_LOG", "3K")
    found = load(home)
    assert (found.workspace, found.files, found.log, found.sessions) == (2 << 30, 7, 3 << 10, Quotas().sessions)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('workspace = "much"', "workspace cannot be 'much'; give a number of bytes, or such as 512M or 2G"),
        ("log = -1", "log cannot be -1"),
        ("log = true", "log cannot be True"),
        ("rooms = 3", "names no quota 'rooms'; there are: workspace, files"),
        ("workspace", "cannot be read"),
    ],
)
def test_a_wrong_setting_is_one_line(home: Path, text: str, says: str) -> None:
    home.mkdir()
    (home / FILE).write_text(text)
    with pytest.raises(UsageError) as caught:
        LLMOS(model=Scripted([]), home=home)
    assert says in str(caught.value)
    assert FILE in str(caught.value)
    assert "\n" not in str(caught.value)


def test_sizes_are_read_and_spelled() -> None:
    assert [size(text) for text in (0, "0", "512", "1k", "1 KiB", "2GB", "1t")] == [
        0,
        0,
        512,
        1024,
        1024,
        2 << 30,
        1 << 40,
    ]
    assert [spell(n) for n in (0, 999, 1 << 10, 12 << 10, 999 << 10, 1 << 20, 1536 << 20, 20 << 30)] == [
        "0 B",
        "999 B",
        "1.0 KB",
        "12 KB",
        "999 KB",
        "1.0 MB",
        "1.5 GB",
        "20 GB",
    ]


def told(error: pytest.ExceptionInfo[QuotaError], name: str) -> str:
    """The error's line; it names its quota, the way out, and how to raise it."""
    line = str(error.value)
    assert (error.value.budget, error.value.exit_code) == (name, 1)
    assert name in {field.name for field in fields(Quotas)}
    assert "\n" not in line
    assert f"LLMOS_QUOTA_{name.upper()}" in line
    return line


@pytest.mark.parametrize(("name", "most"), [("workspace", "30K"), ("files", "2")])
def test_a_file_that_the_session_has_no_room_for(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, most: str
) -> None:
    monkeypatch.setenv(f"LLMOS_QUOTA_{name.upper()}", most)
    first, second = write(tmp_path / "a.csv"), write(tmp_path / "b.csv", TABLE + "3,4\n")
    with system(home, "one", "again", "on") as llmos, llmos.session() as session:
        session.run("look", files=[first])
        before = [e.id for e in session.events()]
        with pytest.raises(QuotaError) as caught:
            session.run("look", files=[second])
        assert "llmos clean" in told(caught, name)
        assert [e.id for e in session.events()] == before
        assert [p.name for p in (session.workspace / "data").iterdir()] == ["a.csv"]
        assert session.run("look", files=[first]).text == "again"  # what is there already takes no room
        assert session.run("go on").text == "on"


def test_a_full_workspace_runs_no_tool_and_keeps_what_it_has(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMOS_QUOTA_WORKSPACE", "50K")
    call = ToolCall("x", "fill", {})
    with system(home, call, calculate(), "never", "words") as llmos, llmos.session() as session:
        with pytest.raises(QuotaError) as caught:
            session.run("fill it")
        assert "llmos clean" in told(caught, "workspace")
        kinds = [type(e) for e in session.events()]
        assert (kinds.count(Call), kinds.count(Result)) == (1, 1)  # the first ran and is kept, the second never began
        failure = session.events()[-1]
        assert isinstance(failure, Failure)
        assert (failure.kind, failure.budget) == ("budget", "workspace")
        assert (session.workspace / "big.bin").stat().st_size == 100_000
        name = session.id
    with system(home, "words") as llmos, llmos.session(name) as session:
        assert session.run("just talk").text == "words"


@pytest.mark.skipif(bool(self_test()), reason="no sandbox on this host")
def test_code_cannot_go_over_the_quota_and_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMOS_QUOTA_WORKSPACE", "8M")
    code = "import time\nfor i in range(200):\n    open(f'{i}.bin', 'wb').write(b'x' * 1_000_000)\n    time.sleep(0.02)"
    calls = [ToolCall("x", "python", {"code": text}) for text in ("open('mine.txt', 'w').write('kept')", code, "1 + 1")]
    with system(home, *calls, "done") as llmos, llmos.session() as session:
        assert session.run("fill it").text == "done"
        results = [e.result for e in session.events() if isinstance(e, Result)]
        assert [r.ok for r in results] == [True, False, True]
        assert "filled the session's files to their quota (llmos clean makes room)" in results[1].preview
        assert "that it wrote went with it" in results[1].preview
        assert (session.workspace / "mine.txt").read_text() == "kept"
        assert sum(p.stat().st_size for p in session.workspace.iterdir()) < 8 << 20


def test_a_full_log_takes_no_request_and_can_still_be_read(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with system(home, *["word " * 100] * 5) as llmos, llmos.session() as session:
        session.run("one")
        name, length = session.id, (home / "sessions" / session.id / "log.jsonl").stat().st_size
    monkeypatch.setenv("LLMOS_QUOTA_LOG", str(length))
    with system(home, "two") as llmos, llmos.session(name) as session:
        with pytest.raises(QuotaError) as caught:
            session.run("two")
        assert "go on in a new session, or make room: llmos clean" in told(caught, "log")
        assert isinstance(session.events()[-1], Answer)
    assert (home / "sessions" / name / "log.jsonl").stat().st_size == length
    with system(home, "fresh") as llmos:
        assert llmos.run("in a session of its own").text == "fresh"


def test_a_log_that_fills_up_half_way_ends_the_request_and_stays_whole(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMOS_QUOTA_LOG", "3K")
    with system(home, *[calculate()] * 20) as llmos, llmos.session() as session:
        with pytest.raises(QuotaError) as caught:
            session.run("on and on")
        told(caught, "log")
        name = session.id
        calls = [e for e in session.events() if isinstance(e, Call)]
        results = [e for e in session.events() if isinstance(e, Result)]
        assert 0 < len(calls) == len(results)  # whatever began has its end
        assert isinstance(session.events()[-1], Failure)
        before = session.events()
    assert (home / "sessions" / name / "log.jsonl").stat().st_size < 6 << 10
    with system(home, "x") as llmos, llmos.session(name) as session:
        assert (session.events(), session.notice) == (before, "")


def test_all_sessions_together(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = write(tmp_path / "a.csv")
    with system(home, "one") as llmos:
        llmos.run("look", files=[table])
    monkeypatch.setenv("LLMOS_QUOTA_SESSIONS", "20K")
    with system(home, "never") as llmos:
        with pytest.raises(QuotaError) as caught:
            llmos.run("again")
        assert "make room: llmos clean" in told(caught, "sessions")
        with llmos.session("last") as session, pytest.raises(QuotaError):
            session.run("again")
        assert [summary.requests for summary in llmos.sessions()] == [1]
    assert len([p for p in (home / "sessions").iterdir() if p.is_dir()]) == 1
    assert cli.run_command(["clean", "--keep", "0", "--yes"]) == 0
    with system(home, "two") as llmos:
        assert llmos.run("again").text == "two"


def test_the_sessions_are_measured_now_and_then_only(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[str] = []
    real = beneath.usage

    def counted(root: Path, strict: bool = True, mend: bool = True) -> beneath.Usage:
        measured.append(root.name)
        return real(root, strict, mend)

    monkeypatch.setattr(beneath, "usage", counted)
    with system(home, "first") as llmos:
        llmos.run("talk")
    note = home / "sessions" / ".held"
    assert not note.exists()  # there was nothing to measure before it
    with system(home, *"abcd") as llmos, llmos.session() as session:
        for _ in range(4):
            session.run("talk")
    assert measured.count("sessions") == 2
    assert int(note.read_text().split()[0]) > 4096
    for held, walks in (("5 99999999999", 3), ("nonsense", 4), (f"5 {int(time.time())}", 4)):
        note.write_text(held)
        with system(home, "a") as llmos:
            llmos.run("talk")
        assert measured.count("sessions") == walks


def test_the_audit_record_keeps_calls_from_happening_when_it_is_full(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with system(home, calculate(), "2") as llmos:
        llmos.run("one and one")
    monkeypatch.setenv("LLMOS_QUOTA_AUDIT", "4K")
    with system(home, calculate(), "2") as llmos, llmos.session() as session:
        with pytest.raises(QuotaError) as caught:
            session.run("one and one")
        assert "llmos audit export FILE" in told(caught, "audit")
        assert not [e for e in session.events() if isinstance(e, Result)]
    assert cli.run_command(["audit", "verify"]) == 0


def test_crash_reports_do_not_pile_up(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @cli.app.command("boom")
    def boom() -> None:
        raise ZeroDivisionError("by nothing")

    monkeypatch.setenv("LLMOS_QUOTA_CACHES", "12K")
    try:
        codes = [cli.run_command(["boom"]) for _ in range(2)]
        (home / "crashes" / "old.txt").write_text("x" * 20_000)
        codes.append(cli.run_command(["boom"]))
    finally:
        cli.app.registered_commands.pop()
    assert codes == [1, 1, 1]
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("llmos: unexpected ZeroDivisionError: by nothing; no report was kept: caches and crash")
    assert "remove them: llmos clean" in last
    assert cli.run_command(["clean", "--yes"]) == 0
    assert not (home / "crashes").exists()


def test_a_quota_shows_on_the_command_line(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("llmos.app.open_model", lambda name: Scripted(["x"]))
    monkeypatch.setenv("LLMOS_QUOTA_LOG", "1")
    assert cli.run_command(["run", "hi"]) == 1
    assert capsys.readouterr().err.startswith("llmos: the log of session ")
    monkeypatch.setenv("LLMOS_QUOTA_LOG", "lots")
    assert cli.run_command(["run", "hi"]) == 2
    assert "LLMOS_QUOTA_LOG: log cannot be 'lots'" in capsys.readouterr().err


def test_requests_are_what_a_log_counts_first(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that alone is larger than what is left is refused; what is logged of it is its failure."""
    monkeypatch.setenv("LLMOS_QUOTA_LOG", "2K")
    with system(home, "x") as llmos, llmos.session() as session:
        with pytest.raises(QuotaError):
            session.run("word " * 1000)
        assert not [e for e in session.events() if isinstance(e, Request)]
        assert session.run("short").text == "x"


def test_attaching_without_a_system_has_the_built_in_quotas(tmp_path: Path) -> None:
    (made,) = files.attach([write(tmp_path / "a.csv")], tmp_path / "w")
    assert made.path == "data/a.csv"
    with pytest.raises(QuotaError):
        files.attach([write(tmp_path / "b.csv", "c\n3\n")], tmp_path / "w", Quotas(files=2))


def test_a_full_history_is_kept_and_not_added_to(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(prompting, "MOST_HISTORY", 10)
    assert isinstance(prompting.make_prompt(home).history, FileHistory)
    (home / "history").write_text("# today\n+what is 2 + 2?\n")
    assert isinstance(prompting.make_prompt(home).history, InMemoryHistory)
    assert (
        capsys.readouterr().err
        == f"llmos: {home / 'history'} is full and not added to; move it away to begin a new one\n"
    )
    assert "2 + 2" in (home / "history").read_text()
