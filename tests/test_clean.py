"""``llmos clean``: it shows, asks, and removes what was chosen and nothing else, whatever happens to it meanwhile."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from llmos import LLMOS, Scripted, UsageError, cli
from llmos.clean import seconds
from llmos.kernel import beneath, vault
from llmos.kernel.types import Request
from llmos.memory import room
from llmos.memory.log import SessionStore

DAY = 86400.0


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LLMOS_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def session(home: Path, age: float = 0.0, size: int = 1000) -> str:
    """A session that was used last so many days ago."""
    store = SessionStore(home)
    name = store.create()
    with store.open(name) as log:
        log.append(Request(id="e1", text=f"plot {age:g} days", time=time.time() - age * DAY))
        (log.workspace / "data").mkdir()
        (log.workspace / "data" / "a.csv").write_bytes(b"x" * size)
    return name


def left(home: Path) -> set[str]:
    return {summary.id for summary in SessionStore(home).list()}


def run(*arguments: str) -> int:
    return cli.run_command(["clean", *arguments])


def test_it_only_shows_where_nobody_can_be_asked(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [session(home, 40, 50_000), session(home, 1)]
    assert run() == 0
    shown = capsys.readouterr()
    assert "2 sessions, " in shown.out
    assert " of 20 GB" in shown.out
    large, small = (next(line for line in shown.out.splitlines() if name in line) for name in names)
    assert shown.out.index(large) < shown.out.index(small)  # the largest first
    assert "40 d" in large
    assert "plot 40 days" in large
    assert "nothing to be removed" in shown.out
    assert run("--older-than", "30d") == 3
    shown = capsys.readouterr()
    assert "to be removed (*): 1 session, " in shown.out
    assert shown.err == "llmos: nothing was removed; --yes removes it\n"
    assert left(home) == set(names)


@pytest.mark.parametrize(
    ("arguments", "kept"),
    [
        (["--older-than", "30d"], [1, 5, 29]),
        (["--keep", "1"], [1]),
        (["--keep", "2", "--older-than", "3d"], [1, 5]),
        (["--keep", "2", "--older-than", "8w"], [1, 5, 29, 40]),
        (["--keep", "0"], []),
        (["--keep", "9"], [1, 5, 29, 40, 90]),
        ([], [1, 5, 29, 40, 90]),
    ],
)
def test_what_is_chosen_is_removed_and_no_more(home: Path, arguments: list[str], kept: list[int]) -> None:
    names = {age: session(home, age) for age in (1, 5, 29, 40, 90)}
    assert run(*arguments, "--dry-run", "--yes") == 0
    assert left(home) == set(names.values())
    assert run(*arguments, "--yes") == 0
    assert left(home) == {names[age] for age in kept}
    assert {p.name for p in (home / "sessions").iterdir()} - {room.TRASH} == {names[age] for age in kept}
    assert not list((home / "sessions").glob(f"{room.TRASH}/*"))


def test_sessions_are_named_by_id(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [session(home, age) for age in (1, 2, 3)]
    assert run(names[1], names[2][-4:], "--yes") == 0
    assert left(home) == {names[0]}
    assert "removed 2 sessions: " in capsys.readouterr().out
    assert run("nope", "--yes") == 2


def test_json_tells_what_there_is_and_what_became_of_it(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = session(home, 40), session(home, 1)
    assert run("--older-than", "30d", "--json") == 0  # without --yes: shown only
    held = {h["name"]: h for h in json.loads(capsys.readouterr().out)["held"]}
    assert (held[old]["chosen"], held[old]["removed"], held[new]["chosen"]) == (True, False, False)
    assert held[old]["size"] > 0
    assert run("--older-than", "30d", "--json", "--yes") == 0
    held = {h["name"]: h for h in json.loads(capsys.readouterr().out)["held"]}
    assert held[old]["removed"]
    assert left(home) == {new}


@pytest.mark.parametrize(("typed", "removed"), [(b"y\n", True), (b"n\n", False), (b"\n", False)])
def test_at_a_terminal_it_asks(home: Path, typed: bytes, removed: bool) -> None:
    name = session(home, 40)
    master, slave = pty.openpty()
    command = [sys.executable, "-c", "from llmos.cli import main; main()", "clean", "--older-than", "30d"]
    process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    os.write(master, typed)
    shown = b""
    with suppress(OSError):
        while piece := os.read(master, 65536):
            shown += piece
    os.close(master)
    assert process.wait(60) == 0
    assert b"Remove 1 session? [y/N]" in shown
    assert (name not in left(home)) is removed


@pytest.mark.parametrize("age", ["30", "d", "-1d", "1.5d", "30 days"])
def test_an_odd_age_is_one_line(age: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(f"--older-than={age}") == 2
    assert capsys.readouterr().err == f"llmos: --older-than cannot be {age!r}; give such as 12h, 30d or 8w\n"
    assert [seconds(text) for text in ("12h", "30d", "8w", "1 M", "1y")] == [43200, 2592000, 4838400, 2592000, 31536000]


HOLDER = """
import sys
from pathlib import Path
from llmos.memory.log import SessionStore
log = SessionStore(Path(sys.argv[1])).open(sys.argv[2])
print("open", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(home: Path) -> Iterator[str]:
    """A session that another process has open."""
    name = session(home, 90)
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(home), name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    yield name
    process.communicate("")


def test_a_session_in_use_stays(home: Path, holder: str, capsys: pytest.CaptureFixture[str]) -> None:
    other = session(home, 90)
    assert run("--older-than", "1d", "--yes") == 1
    shown = capsys.readouterr()
    assert shown.err == f"llmos: session {holder} is in use and stays\n"
    assert "removed 1 session" in shown.out
    assert left(home) == {holder}
    assert (home / "sessions" / holder / "workspace" / "data" / "a.csv").exists()
    assert other not in left(home)


def test_a_session_that_is_removed_while_it_is_opened_is_not_made_again(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log was opened, and before it could be locked a clean had the lock and removed all."""
    import fcntl

    name = session(home, 90)
    real = fcntl.flock

    def late(file: int, how: int) -> None:
        monkeypatch.setattr(fcntl, "flock", real)
        assert run("--older-than", "1d", "--yes") == 0
        real(file, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with pytest.raises(UsageError, match="was removed by llmos clean; begin a new one"):
        SessionStore(home).open(name)
    assert not (home / "sessions" / name).exists()


def test_no_link_is_followed_out_of_the_home(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outside = tmp_path / "outside"
    for place in ("sub", "workspace/data"):
        (outside / place).mkdir(parents=True)
        (outside / place / "mine.txt").write_text("mine")
    (outside / "log.jsonl").write_text("")
    name = session(home, 90)
    workspace = home / "sessions" / name / "workspace"
    (workspace / "folder").symlink_to(outside)
    (workspace / "file").symlink_to(outside / "sub" / "mine.txt")
    os.link(outside / "sub" / "mine.txt", workspace / "hard")
    (home / "sessions" / "20200101-0000-aaaa").symlink_to(outside)  # a whole session that is a link
    (home / "sessions" / room.TRASH).mkdir()
    (home / "sessions" / room.TRASH / "gone").symlink_to(outside)
    (home / "crashes").symlink_to(outside)
    assert run("--keep", "0", "--yes") == 0
    assert sorted(str(p.relative_to(outside)) for p in outside.rglob("*.txt")) == [
        "sub/mine.txt",
        "workspace/data/mine.txt",
    ]
    assert (outside / "sub" / "mine.txt").read_text() == "mine"
    assert (home / "sessions" / "20200101-0000-aaaa").is_symlink()
    assert not (home / "sessions" / name).exists()


def test_sessions_behind_a_link_are_told_of_and_left(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = session(home, 90)
    (home / "sessions").rename(tmp_path / "elsewhere")
    (home / "sessions").symlink_to(tmp_path / "elsewhere")
    assert run("--keep", "0", "--yes") == 2
    assert "is a link or no folder, and is not followed" in capsys.readouterr().err
    assert left(home) == {name}


def test_showing_changes_nothing(home: Path) -> None:
    folder = home / "sessions" / session(home, 90) / "workspace"
    (folder / "closed").mkdir(parents=True)
    (folder / "closed").chmod(0)

    def closed(name: Any, flags: int, *more: Any, **named: Any) -> int:  # not by chmod: root reads everything
        if name == "closed" and not flags & os.O_PATH:
            raise PermissionError(name)
        return opened(name, flags, *more, **named)

    opened = os.open
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "open", closed)
        room.survey(home)
        assert (folder / "closed").stat().st_mode & 0o777 == 0
        beneath.usage(folder)
    assert (folder / "closed").stat().st_mode & 0o777 == 0o700


def test_closed_and_endless_folders_go_too(home: Path) -> None:
    name = session(home, 90)
    folder = home / "sessions" / name / "workspace"
    (folder / "closed" / "in").mkdir(parents=True)
    (folder / "closed" / "in" / "x").write_text("x")
    (folder / "closed" / "in").chmod(0)
    (folder / "closed").chmod(0)
    here = os.open(folder, os.O_RDONLY)
    for _ in range(1500):  # deeper than Python's recursion goes, and than a path may be long
        os.mkdir("deep", dir_fd=here)
        inner = os.open("deep", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    assert run("--keep", "0", "--yes") == 0
    assert list((home / "sessions").iterdir()) == [home / "sessions" / room.TRASH]
    assert not list((home / "sessions" / room.TRASH).iterdir())


KILLED = """
import os, signal, sys
from llmos.memory import room
from llmos.cli import main
at = int(sys.argv.pop(1))
def kill(event, arguments):
    global at
    if event in ("os.remove", "os.rmdir", "os.rename"):
        at -= 1
        if at < 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(kill)
main()
"""


@pytest.mark.parametrize("at", range(8))
def test_a_kill_half_way_leaves_whole_sessions_and_rests_that_the_next_clean_finds(
    home: Path, at: int, capsys: pytest.CaptureFixture[str]
) -> None:
    names = {session(home, 90), session(home, 80)}
    mine = session(home, 1)
    command = [sys.executable, "-c", KILLED, str(at), "clean", "--older-than", "30d", "--yes"]
    killed = subprocess.run(command, capture_output=True, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    listed = left(home)
    assert mine in listed
    for name in listed:  # what is listed is whole
        with SessionStore(home).open(name) as log:
            assert len(log.events()) == 1
            assert (log.workspace / "data" / "a.csv").read_bytes() == b"x" * 1000
    assert run("--yes") == 0  # asks for no session: only the rest goes
    assert left(home) == listed
    assert not list((home / "sessions").glob(f"{room.TRASH}/*"))
    assert run("--older-than", "30d", "--yes") == 0
    assert left(home) == {mine}
    assert names.isdisjoint(left(home))


def test_two_cleans_at_once_do_not_trip_over_each_other(home: Path) -> None:
    for _ in range(12):
        session(home, 90)
    command = [sys.executable, "-c", "from llmos.cli import main; main()", "clean", "--keep", "0", "--yes"]
    both = [subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for _ in range(2)]
    told = [process.communicate(timeout=60)[1].decode() for process in both]
    assert not [line for text in told for line in text.splitlines() if "in use" not in line]
    assert left(home) == set()
    assert not list((home / "sessions").glob(f"{room.TRASH}/*"))


def test_caches_and_sessions_that_never_began_go_the_rest_stays(home: Path) -> None:
    name, store = session(home, 90), SessionStore(home)
    old, fresh = store.create(), store.create()
    os.utime(home / "sessions" / old / "log.jsonl", (1, 1))
    for kept in ("policy.toml", "quotas.toml", "history", "audit/audit.jsonl", "unknown/thing", "cache/x", "crashes/y"):
        (home / kept).parent.mkdir(exist_ok=True)
        (home / kept).write_text("")
    assert run("--yes") == 0
    kept_names = {p.name for p in home.iterdir()}
    assert kept_names == {"policy.toml", "quotas.toml", "history", "audit", "unknown", "cache", "sessions"}
    assert {p.name for p in (home / "sessions").iterdir()} == {name, fresh, room.TRASH}


@pytest.mark.parametrize("how", ["spoiled", "mended"])
def test_a_damaged_session_is_not_taken_for_an_empty_one(home: Path, how: str) -> None:
    """Its log cannot be listed, but its files and the rest of its log are there."""
    name = session(home, 90)
    log = home / "sessions" / name / "log.jsonl"
    log.write_bytes(b"\0" * len(log.read_bytes()) + b"\n")
    if how == "mended":
        SessionStore(home).open(name).close()
        assert log.read_bytes() == b""
    os.utime(log, (1, 1))
    assert left(home) == set()
    assert run("--yes") == 0
    assert (log.parent / "workspace" / "data" / "a.csv").exists()
    assert run(name, "--yes") == 0
    assert not log.parent.exists()


def test_a_session_that_is_gone_on_with_while_it_asks_stays(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = session(home, 90)
    (held,) = room.survey(home)
    with SessionStore(home).open(name) as log:
        log.append(Request(id="e2", text="and now", time=time.time()))
    assert not room.remove(home, held)
    assert left(home) == {name}


def test_what_is_no_session_is_shown_and_stays(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It counts towards the quota of all sessions."""
    session(home, 1)
    (home / "sessions" / "mine").mkdir()
    (home / "sessions" / "mine" / "big").write_bytes(b"x" * 50_000)
    assert run("--keep", "0", "--yes") == 0
    assert "sessions/mine is kept" in capsys.readouterr().out
    assert (home / "sessions" / "mine" / "big").exists()


def test_secrets_in_first_requests_are_not_shown(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = SessionStore(home)
    with store.open(store.create()) as log:
        log.append(Request(id="e1", text="log in with hunter2-Zebra-99", time=time.time()))
    vault.add(home, "BANK_KEY", "hunter2-Zebra-99")
    assert run() == run("--json") == 0
    shown = capsys.readouterr().out
    assert "hunter2" not in shown
    assert shown.count("log in with [secret BANK_KEY]") == 2


def test_a_home_that_is_not_there_is_no_trouble(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 0
    assert "0 sessions, 0 B of 20 GB" in capsys.readouterr().out
    assert not home.exists()


def test_the_last_sessions_are_those_used_last(home: Path) -> None:
    with LLMOS(model=Scripted(["a", "b"]), home=home) as llmos, llmos.session() as first:
        first.run("one")
        name = first.id
    session(home, 3)
    assert run("--keep", "1", "--yes") == 0
    assert left(home) == {name}
