"""The event log survives kills, damage, full disks and second writers, and says what happened."""

import errno
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from llmos.kernel.errors import LLMOSError, UsageError
from llmos.kernel.types import (
    Answer,
    Call,
    Event,
    Progress,
    Request,
    Result,
    Source,
    Started,
    Text,
    Thought,
    ToolCall,
    ToolResult,
)
from llmos.memory.log import SessionLog, SessionStore

CALL = ToolCall("r1", "python", {"code": "1"})


@pytest.fixture
def store(tmp_path: Path) -> SessionStore:
    return SessionStore(tmp_path)


def conversation(requests: int = 1) -> list[Event]:
    made: list[Event] = [Started(id="e1", session="s", model="tiny", time=100.0)]
    for i in range(requests):
        made.append(Request(id=f"q{i}", text=f"plot number {i} ö\u2028", time=101.0 + i))
        made.append(Call(id=f"c{i}", call=CALL, time=101.5 + i))
        made.append(Result(id=f"r{i}", result=ToolResult("r1", True, "ok", Source("tool", "python")), time=101.6 + i))
        made.append(Answer(id=f"a{i}", text="done", time=101.7 + i))
    return made


def fill(store: SessionStore, events: list[Event]) -> str:
    name = store.create()
    with store.open(name) as log:
        for event in events:
            log.append(event)
    return name


def test_events_come_back_and_can_be_continued(store: SessionStore) -> None:
    events = conversation(2)
    name = fill(store, events)
    with store.open(name) as log:
        assert list(log.events()) == events
        assert log.damage is None
        assert log.workspace.is_dir()
        log.append(Request(id="q9", text="more"))
    assert len(store.read(name)) == len(events) + 1
    assert store.list()[0].requests == 3


def test_ids_are_short_sortable_and_typable(store: SessionStore) -> None:
    name = store.create()
    assert re.fullmatch(r"\d{8}-\d{4}-[a-z2-9]{4}", name)
    assert not set(name[-4:]) & set("01lio")
    assert (store.folder / name).stat().st_mode & 0o077 == 0


def test_what_is_only_shown_is_not_logged(store: SessionStore) -> None:
    with store.open(store.create()) as log:
        log.append(Text(id="e1", text="he", delta=True))
        log.append(Thought(id="e2", text="hm", delta=True))
        log.append(Progress(id="e3", text="loading"))
        log.append(Text(id="e4", text="hello"))
        assert [event.id for event in log.events()] == ["e4"]


def test_sessions_are_found_by_prefix_end_and_last(store: SessionStore) -> None:
    first = fill(store, conversation())
    second = fill(store, conversation())
    store.create()  # never used: not the last one
    os.utime(store.folder / first / "log.jsonl", (1, 1))
    assert store.find(second[-4:]) == second
    assert store.find("last") == second
    os.utime(store.folder / first / "log.jsonl", (2**31, 2**31))
    assert store.find("last") == first


def test_unknown_and_ambiguous_ids_say_what_is_near(store: SessionStore) -> None:
    with pytest.raises(UsageError, match="there is no session yet"):
        store.open("last")
    with pytest.raises(UsageError, match="no session x; there is none yet"):
        store.open("x")
    first, _ = fill(store, conversation()), fill(store, conversation())
    with pytest.raises(UsageError, match=f"nearest: .*{first}"):
        store.open(first[:-1] + "!")
    with pytest.raises(UsageError, match="2 sessions match"):
        store.open(first[:8])
    for evil in ("", "..", "../..", "/etc", "\0"):
        with pytest.raises(UsageError):
            store.open(evil)


def test_a_second_writer_gets_one_clear_line(store: SessionStore) -> None:
    name = fill(store, conversation())
    program = (
        "import sys; from pathlib import Path; from llmos.memory.log import SessionStore\n"
        "try: SessionStore(Path(sys.argv[1])).open(sys.argv[2])\n"
        "except Exception as e: print(type(e).__name__, e)"
    )
    command = [sys.executable, "-c", program, str(store.folder.parent), name]
    with store.open(name):
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert told.startswith(f"UsageError session {name} is in use by another llmos")
        assert told.count("\n") == 1
        assert len(store.read(name)) == 5  # reading needs no lock
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == ""


def test_a_closed_log_is_free_though_a_child_that_is_being_started_has_its_descriptor(store: SessionStore) -> None:
    log = store.open(name := store.create())
    childs = os.dup(log._file)
    log.close()
    store.open(name).close()
    os.close(childs)


def test_a_closed_log_takes_nothing_more(store: SessionStore) -> None:
    log = store.open(store.create())
    log.close()
    log.close()
    with pytest.raises(LLMOSError, match="is closed"):
        log.append(Text(id="e", text="x"))


@pytest.mark.parametrize("cut", [1, 20, 150])
def test_a_torn_last_line_is_cut_off_and_kept(store: SessionStore, cut: int) -> None:
    events = conversation(2)
    name = fill(store, events)
    path = store.folder / name / "log.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    with store.open(name) as log:
        assert list(log.events()) == events[:-1]
        assert log.damage is None
        log.append(Answer(id="again", text="done"))
    kept = path.with_name("log.jsonl.torn").read_bytes()
    assert kept
    assert whole.splitlines(keepends=True)[-1].startswith(kept)
    assert store.read(name)[-1].id == "again"


DAMAGES: list[Callable[[list[bytes]], list[bytes]]] = [
    lambda lines: [*lines[:3], lines[3].replace(b"1", b"2", 1), *lines[4:]],
    lambda lines: [*lines[:3], b"\0" * len(lines[3]) + b"\n", *lines[4:]],
    lambda lines: [*lines[:3], *lines[4:]],
    lambda lines: [*lines[:3], lines[4], lines[3], *lines[5:]],
    lambda lines: [*lines[:3], b"[]\n", *lines[3:]],
    lambda lines: [*lines[:3], lines[2], *lines[3:]],
]


@pytest.mark.parametrize("damage", DAMAGES, ids=["changed", "zeroed", "dropped", "swapped", "foreign", "doubled"])
def test_damage_in_the_middle_is_told_and_nothing_is_lost(
    store: SessionStore, damage: Callable[[list[bytes]], list[bytes]]
) -> None:
    events = conversation(2)
    name = fill(store, events)
    path = store.folder / name / "log.jsonl"
    spoilt = b"".join(damage(path.read_bytes().splitlines(keepends=True)))
    path.write_bytes(spoilt)
    with store.open(name) as log:
        assert list(log.events()) == events[:3]
        assert log.damage is not None
        assert log.damage.kept.read_bytes() == spoilt
        assert "damaged at line 4: the 3 events before it were read" in log.damage.text
        assert "\n" not in log.damage.text
        log.append(Text(id="new", text="x"))
    with store.open(name) as log:
        assert log.damage is None
        assert [event.id for event in log.events()] == [*(event.id for event in events[:3]), "new"]


def test_a_second_damage_does_not_overwrite_the_first_copy(store: SessionStore) -> None:
    name = fill(store, conversation())
    path = store.folder / name / "log.jsonl"
    for _ in range(2):
        path.write_bytes(path.read_bytes() + b"junk\nmore\n")
        store.open(name).close()
    assert sorted(p.name for p in path.parent.glob("*.damaged*")) == ["log.jsonl.damaged", "log.jsonl.damaged.2"]


def test_a_whole_line_of_another_version_is_not_called_damage(
    store: SessionStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = store.create()
    with store.open(name) as log:
        monkeypatch.setattr("llmos.memory.log.encode", lambda event: {"type": "Teleported", "id": "e1"})
        log.append(Text(id="e1", text="x"))
    before = (store.folder / name / "log.jsonl").read_bytes()
    with pytest.raises(LLMOSError, match="another version of llmos: unknown type 'Teleported'"):
        store.open(name)
    assert (store.folder / name / "log.jsonl").read_bytes() == before
    monkeypatch.undo()
    with pytest.raises(LLMOSError):  # the lock was given back
        store.open(name)


@pytest.mark.parametrize("room", [0, 40])
def test_a_full_disk_is_one_clear_line_and_leaves_the_log_whole(
    store: SessionStore, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    events = conversation()
    name = fill(store, events)
    real, left = os.write, [room]

    def full(file: int, data: bytes) -> int:
        if not left[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken, left[0] = left[0], 0
        return real(file, data[:taken])

    with store.open(name) as log:
        monkeypatch.setattr(os, "write", full)
        with pytest.raises(LLMOSError, match="the disk is full; free some space") as caught:
            log.append(Text(id="lost", text="x" * 200))
        assert "\n" not in str(caught.value)
        monkeypatch.undo()
        log.append(Text(id="kept", text="y"))
    assert [event.id for event in store.read(name)] == [*(event.id for event in events), "kept"]


def test_calls_and_results_are_on_disk_before_append_returns(
    store: SessionStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    real = os.fsync

    def sync(file: int) -> None:
        synced.append(file)
        real(file)

    with store.open(store.create()) as log:
        monkeypatch.setattr(os, "fsync", sync)
        log.append(Text(id="t", text="x"))
        assert not synced
        log.append(Call(id="c", call=CALL))
        log.append(Result(id="r", result=ToolResult("r1", True, "", Source("tool"))))
        log.append(Request(id="q", text="x"), durable=True)
        assert len(synced) == 3


WRITER = """
import sys
from pathlib import Path
from llmos.kernel.types import Call, Request, Result, Source, Text, ToolCall, ToolResult
from llmos.memory.log import SessionStore
log = SessionStore(Path(sys.argv[1])).open(sys.argv[2])
for i in range(int(sys.argv[3])):
    log.append(Request(id=f"q{i}", text="x" * (i % 3000)), durable=True)
    log.append(Text(id=f"t{i}", text="y" * 500))
    log.append(Call(id=f"c{i}", call=ToolCall(f"r{i}", "python", {"code": "z" * 300})))
    print(i, flush=True)
    if sys.argv[4] == "call":
        sys.stdin.read()
    log.append(Result(id=f"r{i}", result=ToolResult(f"r{i}", True, "ok", Source("tool", "python"))))
"""


def start(store: SessionStore, name: str, count: int, mode: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", WRITER, str(store.folder.parent), name, str(count), mode]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("after", [1, 7, 40])
def test_sigkill_in_the_middle_of_writing_loses_nothing_durable(store: SessionStore, after: int) -> None:
    name = store.create()
    with start(store, name, 100_000, "loop") as process:
        assert process.stdout is not None
        for _ in range(after):
            last = int(process.stdout.readline())
        time.sleep(0.003 * after)
        process.send_signal(signal.SIGKILL)
        last = int((process.stdout.read().split() or [str(last)])[-1])
        process.wait()
    with store.open(name) as log:
        ids = [event.id for event in log.events()]
        assert log.damage is None
        expected = [f"{kind}{i}" for i in range(last + 2) for kind in "qtcr"]
        assert ids == expected[: len(ids)]
        assert f"c{last}" in ids


def test_sigkill_while_a_tool_runs_leaves_the_call_without_result(store: SessionStore) -> None:
    name = store.create()
    with start(store, name, 1, "call") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "0\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
    with store.open(name) as log:
        assert [event.id for event in log.events()] == ["q0", "t0", "c0"]
        log.append(Request(id="q1", text="and now?"))


def test_a_thousand_sessions_are_listed_from_head_and_tail(store: SessionStore) -> None:
    name = fill(store, conversation(3))
    log = (store.folder / name / "log.jsonl").read_bytes()
    for i in range(1000):
        folder = store.folder / f"20200101-{i:04}-abcd"
        folder.mkdir()
        (folder / "log.jsonl").write_bytes(log)
    store.create()
    found = store.list()
    assert len(found) == 1001
    one = found[0]
    assert (one.started, one.requests, one.model, one.last_activity) == (100.0, 3, "tiny", 103.7)
    assert one.first_request.startswith("plot number 0")


def test_a_listing_survives_torn_damaged_and_huge_lines(store: SessionStore) -> None:
    torn, junk, huge = (fill(store, conversation(2)) for _ in range(3))
    path = store.folder / torn / "log.jsonl"
    path.write_bytes(path.read_bytes() + b'{"crc":"0000')
    (store.folder / junk / "log.jsonl").write_bytes(b"\xff\0junk\n[1]\n")
    with store.open(huge) as log:
        log.append(Text(id="big", text="x" * 300_000, time=200.0))
    found = {summary.id: summary for summary in store.list()}
    assert set(found) == {torn, huge}
    assert found[torn].requests == found[huge].requests == 2
    assert found[huge].last_activity == 200.0


def test_an_unusable_home_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "sessions").write_text("a file")
    with pytest.raises(LLMOSError, match=r"cannot make a session in .*LLMOS_HOME"):
        SessionStore(tmp_path).create()


def test_opening_by_folder_needs_no_store(store: SessionStore) -> None:
    name = fill(store, conversation())
    with SessionLog(store.folder / name) as log:
        assert log.id == name
