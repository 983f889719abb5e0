"""The audit record: every tampering is found, no crash breaks it, and what cannot be recorded is said."""

import errno
import hashlib
import hmac
import io
import json
import math
import os
import random
import stat
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import llmos.kernel.audit as module
from llmos.audit import app
from llmos.kernel.audit import Audit, call_hash, canonical
from llmos.kernel.errors import LLMOSError, UsageError

RECORDS = 12
STEPS = 6  # writes, syncs and renames of one append: of the record, then of the head


def add(audit: Audit, number: int = 0, tool: str = "python") -> int:
    """A decision that differs by its number."""
    asked: dict[str, Any] = {"session": f"20261121-0700-{'ab'[number % 2]}bcd", "call": f"r{number}", "tool": tool}
    asked |= {"arguments_sha256": call_hash(tool, {"n": number}), "labels": ["user:trusted", f"web:héß{number}"]}
    return audit.append(**asked, verdict="allow", rule="pure", approved=(None, True, False)[number % 3])


def filled(home: Path, records: int = RECORDS) -> Audit:
    audit = Audit(home)
    for number in range(records):
        add(audit, number)
    return audit


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a sound record."""
    home = tmp_path_factory.mktemp("original")
    assert filled(home).verify() == []
    return {p.name: p.read_bytes() for p in (home / "audit").iterdir()}


def write(home: Path, files: dict[str, bytes]) -> Audit:
    folder = home / "audit"
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return Audit(home)


def dumped(fields: dict[str, Any], key: bytes) -> bytes:
    """A line as whoever lacks the key can make it: right in form, its MAC by another key."""
    bare = {k: v for k, v in fields.items() if k != "mac"}
    mac = hmac.new(key, canonical(bare).encode(), hashlib.sha256).hexdigest()
    return canonical(bare | {"mac": mac}).encode() + b"\n"


def rechained(lines: list[bytes], start: int, key: bytes) -> list[bytes]:
    """The lines with numbers and hashes put right from ``start`` on."""
    out = lines[:start]
    for line in lines[start:]:
        out.append(dumped(json.loads(line) | following(out), key))
    return out


def following(lines: list[bytes]) -> dict[str, Any]:
    return {"seq": len(lines) + 1, "prev_sha256": hashlib.sha256(lines[-1]).hexdigest() if lines else "0" * 64}


def head_of(lines: list[bytes], key: bytes) -> bytes:
    end = following(lines)
    return dumped({"seq": end["seq"] - 1, "sha256": end["prev_sha256"]}, key)


def tamper(kind: str, r: random.Random, lines: list[bytes], files: dict[str, bytes]) -> list[bytes]:
    """The lines after a random tampering by someone without the key; the other files are changed in place."""
    i, key = r.randrange(len(lines)), r.randbytes(32)
    line, at = lines[i], r.randrange(len(lines[i]))
    edit = r.choice([{"verdict": "deny"}, {"tool": "calculator"}, {"labels": []}, {"time": 1.5}, {"call": "r99"}])
    edited = canonical(json.loads(line) | edit).encode() + b"\n"
    match kind:
        case "byte edited":
            lines[i] = line[:at] + bytes([line[at] ^ r.randrange(1, 256)]) + line[at + 1 :]
        case "byte added":
            lines[i] = line[:at] + r.choice([b" ", b"0", b"\n", b'"', b"\xff"]) + line[at:]
        case "field edited":
            lines[i] = edited
        case "field edited and chained again":
            lines = rechained([*lines[:i], edited, *lines[i + 1 :]], i, key)
            files["head"] = r.choice([files["head"], head_of(lines, key)])
        case "dropped":
            del lines[i]
        case "several dropped":
            kept = sorted(r.sample(range(len(lines)), r.randrange(len(lines) - 1)))
            lines = [lines[k] for k in kept]
        case "swapped":
            k = (i + r.randrange(1, len(lines))) % len(lines)
            lines[i], lines[k] = lines[k], line
        case "duplicated":
            lines.insert(r.randrange(len(lines) + 1), line)
        case "cut at a line's end":
            lines = lines[:i]
        case "cut in a line":
            lines = [*lines[:i], line[: max(1, at)]]
        case "cut, and the head":
            lines = lines[:i]
            old, new = json.loads(files["head"]), json.loads(head_of(lines, key))
            files["head"] = canonical(new | {"mac": r.choice([old["mac"], new["mac"]])}).encode() + b"\n"
        case "forged record put in":
            lines.insert(i + r.randrange(2), edited)
            lines = r.choice([lines, rechained(lines, i, key), [*rechained(lines[: i + 1], i, key), *lines[i + 1 :]]])
        case "head deleted":
            del files["head"]
            lines = lines[: r.choice([i, len(lines)])]
        case "log deleted":
            lines = []
            files["head"] = r.choice([files["head"], head_of([], key)])
    return lines


KINDS = """byte edited, byte added, field edited, field edited and chained again, dropped, several dropped, swapped,
duplicated, cut at a line's end, cut in a line, cut; and the head, forged record put in, head deleted, log deleted"""


@pytest.mark.parametrize("kind", [kind.strip().replace(";", ",") for kind in KINDS.split(",")])
def test_every_tampering_is_found(kind: str, original: dict[str, bytes], tmp_path: Path) -> None:
    for seed in range(72):
        r, files = random.Random(seed), dict(original)
        files["audit.jsonl"] = b"".join(tamper(kind, r, original["audit.jsonl"].splitlines(keepends=True), files))
        assert files != original, (kind, seed)
        problems = write(tmp_path, files).verify()
        assert problems, (kind, seed)
        assert all(p.isascii() and p.isprintable() for p in problems)


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], list[bytes]]:
    """A sound record of several files, and the head after each record."""
    home, heads = tmp_path_factory.mktemp("long"), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "FILE_BYTES", 2000)
        for number in range(RECORDS * 2):
            add(Audit(home), number)
            heads.append((home / "audit" / "head").read_bytes())
    assert Audit(home).verify() == []
    return {p.name: p.read_bytes() for p in (home / "audit").iterdir()}, heads


def damage(kind: str, r: random.Random, files: dict[str, bytes], heads: list[bytes]) -> None:
    """Tamper with the head, the key, or whole files of the record."""
    what, _, how = kind.partition(" ")
    data, at = files.get(what, b""), r.randrange(len(files.get(what, b"x")))
    logs = sorted((n for n in files if n.endswith(".jsonl")), key=lambda n: (len(n), n))
    one, other = r.sample(logs, 2)
    match how:
        case "edited":
            files[what] = data[:at] + bytes([data[at] ^ r.randrange(1, 256)]) + data[at + 1 :]
        case "cut":
            files[what] = data[:at]
        case "made longer":
            files[what] = data[:at] + r.choice([b" ", b"0", b"\n", b"\xff", data[-5:]]) + data[at:]
        case "of another record":
            files[what] = dumped({"seq": r.randrange(40), "sha256": r.randbytes(32).hex()}, r.randbytes(32))
        case "put back":  # a genuine one, older than a crash would leave it
            files[what] = r.choice(heads[:-2])
        case "made anew":
            files[what] = r.randbytes(32)
        case "deleted":
            del files[what]
        case "dropped":
            del files[one]
        case "emptied":
            files[one] = b""
        case "swapped":
            files[one], files[other] = files[other], files[one]
        case "copied over another":
            files[one] = files[other]
        case "joined in another order":
            shuffled = r.sample(logs, len(logs))
            if shuffled == logs:
                shuffled.reverse()
            files[logs[0]] = b"".join(files[n] for n in shuffled)
            for name in logs[1:]:
                del files[name]
        case "a line moved":
            # From the middle: where a file ends says nothing, the lines in their order are the record.
            one, other = r.choice([(logs[0], r.choice(logs[1:])), (logs[1], r.choice([logs[0], *logs[2:]]))])
            lines = files[one].splitlines(keepends=True)
            moved = lines.pop(r.randrange(1, len(lines) - 1))
            files[one] = b"".join(lines)
            files[other] = r.choice([files[other] + moved, moved + files[other]])


WHOLE = [
    *(f"head {how}" for how in ("edited", "cut", "made longer", "of another record", "put back", "deleted")),
    *(f"key {how}" for how in ("edited", "cut", "made longer", "made anew", "deleted")),
    *(f"log {how}" for how in ("dropped", "emptied", "swapped", "copied over another", "joined in another order")),
    "log a line moved",
]


@pytest.mark.parametrize("kind", WHOLE)
def test_tampering_with_head_key_or_whole_files_is_found(
    kind: str, long: tuple[dict[str, bytes], list[bytes]], tmp_path: Path
) -> None:
    for seed in range(60):
        files = dict(long[0])
        damage(kind, random.Random(seed), files, long[1])
        assert files != long[0], (kind, seed)
        assert write(tmp_path, files).verify(), (kind, seed)


def test_each_finding_names_its_place(original: dict[str, bytes], tmp_path: Path) -> None:
    def told(lines: list[bytes], **files: bytes) -> list[str]:
        return write(tmp_path, original | {"audit.jsonl": b"".join(lines)} | files).verify()

    a = original["audit.jsonl"].splitlines(keepends=True)
    edited = a[4].replace(b"allow", b"deny")
    assert told([*a[:4], edited, *a[5:]]) == ["audit.jsonl line 5: record 5 was edited or forged: its MAC is wrong"]
    assert told([*a[:3], *a[5:]]) == ["audit.jsonl line 4: records are missing between 3 and 6"]
    assert "reordered or duplicated" in told([*a[:5], a[2], *a[5:]])[0]
    assert told(a[:9]) == ["head: the record was truncated: it ends at 9 and went on to 12"]
    assert told([*a, b"?\n"]) == ["audit.jsonl line 13: unreadable, so it was edited"]
    assert told([*a, b"?"]) == ["audit.jsonl line 13: torn, it has no end"]
    assert told(a, head=b"{}") == ["head: unreadable, edited or forged"]
    assert told(a, key=b"short")[0].startswith("key: damaged")


def test_a_sound_record_reads_back_and_is_private(tmp_path: Path) -> None:
    assert Audit(tmp_path / "never").verify() == []
    assert not (tmp_path / "never").exists()
    audit = filled(tmp_path, 3)
    records = list(audit.records())
    assert [(r.seq, r.call, r.approved) for r in records] == [(1, "r0", None), (2, "r1", True), (3, "r2", False)]
    assert records[1].labels == ("user:trusted", "web:héß1")
    with pytest.raises(TypeError):  # nor is a line written that would not be read back
        add(audit, tool=None)  # type: ignore[arg-type]
    assert records[0].arguments_sha256 == call_hash("python", {"n": 0})
    assert [stat.S_IMODE((tmp_path / "audit" / n).stat().st_mode) for n in ("", "key", "head")] == [0o700, 0o600, 0o600]
    out = io.StringIO()
    assert audit.export(out)
    *lines, last = out.getvalue().splitlines(keepends=True)
    assert "".join(lines).encode() == (tmp_path / "audit" / "audit.jsonl").read_bytes()
    digest = hashlib.sha256(lines[-1].encode()).hexdigest()
    assert json.loads(last) == {"verified": True, "records": 3, "head": digest}


def test_processes_and_threads_append_to_one_record(tmp_path: Path) -> None:
    code = """if True:
        import sys; from pathlib import Path; from llmos.kernel.audit import Audit
        for n in range(25):
            Audit(Path(sys.argv[1])).append(session="s", call=f"r{n}", tool="t", arguments_sha256="", labels=[],
                                            verdict="allow", rule="pure", approved=None)"""
    running = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)]) for _ in range(4)]
    assert [process.wait(120) for process in running] == [0] * 4
    audit = Audit(tmp_path)
    assert audit.verify() == []
    with ThreadPoolExecutor(4) as pool:
        numbers = list(pool.map(lambda n: add(audit, n), range(20)))
    assert sorted(numbers) == list(range(101, 121))
    assert audit.verify() == []


class Crash(BaseException):
    """The machine stops."""


def fail_at(patch: pytest.MonkeyPatch, step: int, error: BaseException, for_good: bool = True) -> None:
    """Make the ``step``-th call that changes the disk, and those after it, fail; a write is done by half."""
    left = [step]

    def guard(real: Callable[..., Any], write: bool) -> Callable[..., Any]:
        def guarded(*args: Any, **keywords: Any) -> Any:
            left[0] -= 1
            if left[0] == 0 and write:
                real(args[0], args[1][: len(args[1]) // 2])
            if left[0] == 0 or (left[0] < 0 and for_good):
                raise error
            return real(*args, **keywords)

        return guarded

    for name in ("write", "fsync", "replace", "ftruncate"):
        patch.setattr(os, name, guard(getattr(os, name), name == "write"))


@pytest.mark.parametrize(("before", "torn"), [(0, False), (2, False), (2, True)])
def test_a_crash_at_any_step_is_put_right(before: int, torn: bool, tmp_path: Path) -> None:
    for step in range(1, 60):
        home = tmp_path / str(step)
        audit = filled(home, before)
        if torn:
            with (home / "audit" / "audit.jsonl").open("ab") as stream:
                stream.write(b'{"approved":nu')
        with pytest.MonkeyPatch.context() as patch:
            fail_at(patch, step, Crash())
            with suppress(Crash):
                add(audit, 90)
                break
        assert all("torn" in problem for problem in audit.verify()), step
        number = add(audit, 91)
        assert audit.verify() == []
        calls = [r.call for r in audit.records() if r.tool != "audit"]
        assert [c for c in calls if c != "r90"] == [f"r{n}" for n in range(before)] + ["r91"]
        assert number == len(list(audit.records()))
    else:
        pytest.fail("the append never came to its end")


def test_a_torn_end_is_kept_aside_and_noted(tmp_path: Path) -> None:
    audit = filled(tmp_path, 2)
    with (tmp_path / "audit" / "audit.jsonl").open("ab") as stream:
        stream.write(b'{"approved"')
    assert audit.verify() == ["audit.jsonl line 3: torn, it has no end"]
    assert add(audit) == 4
    assert audit.verify() == []
    assert (tmp_path / "audit" / "torn-1").read_bytes() == b'{"approved"'
    note = list(audit.records())[2]
    assert (note.tool, note.rule, note.arguments_sha256) == (
        "audit",
        "torn-tail",
        hashlib.sha256(b'{"approved"').hexdigest(),
    )


def test_the_head_may_be_one_record_behind_and_no_more(tmp_path: Path) -> None:
    audit = filled(tmp_path, 3)
    head = tmp_path / "audit" / "head"
    old = head.read_bytes()
    add(audit, 3)
    new = head.read_bytes()
    head.write_bytes(old)
    assert audit.verify() == []
    assert add(audit, 4) == 5
    head.write_bytes(old)
    assert audit.verify() == ["head: it names another record 3 than the one that stands there"]
    with pytest.raises(LLMOSError, match="does not agree with its head"):
        add(audit, 5)
    head.write_bytes(new)
    log = tmp_path / "audit" / "audit.jsonl"
    log.write_bytes(log.read_bytes().replace(b'"r4"', b'"r5"'))
    assert "edited or forged" in audit.verify()[0]
    with pytest.raises(LLMOSError, match="does not agree with its head"):
        add(audit, 5)


@pytest.mark.parametrize("name", ["key", "head", "audit.jsonl"])
def test_without_a_part_nothing_is_appended(name: str, tmp_path: Path) -> None:
    audit = filled(tmp_path, 2)
    (tmp_path / "audit" / name).unlink()
    assert any(word in audit.verify()[0] for word in (f"{name}: missing", "truncated"))
    with pytest.raises(LLMOSError, match="llmos audit verify"):
        add(audit)
    assert not (tmp_path / "audit" / name).exists()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_disk_that_fails_is_told_in_one_line_and_harms_nothing(code: int, tmp_path: Path) -> None:
    audit = filled(tmp_path, 1)
    for step in range(1, 30):
        with pytest.MonkeyPatch.context() as patch:
            fail_at(patch, step, OSError(code, os.strerror(code)), for_good=False)
            if step > STEPS:
                add(audit)
                break
            with pytest.raises(LLMOSError, match=r"^cannot use the audit record in \S+: [^\n]+$") as told:
                add(audit)
        assert ("the disk is full" in str(told.value)) == (code == errno.ENOSPC)
        assert audit.verify() == []
    assert add(audit) == len(list(audit.records()))
    assert audit.verify() == []


def test_a_full_file_is_followed_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FILE_BYTES", 1000)
    audit = filled(tmp_path, 40)
    names = sorted(p.name for p in (tmp_path / "audit").glob("*.jsonl"))
    assert len(names) >= 10  # so that 10 comes after 9
    assert "audit-2.jsonl" in names
    assert audit.verify() == []
    assert [r.seq for r in audit.records()] == list(range(1, 41))
    last = tmp_path / "audit" / f"audit-{len(names)}.jsonl"
    last.with_name(f"audit-{len(names) + 1}.jsonl").write_bytes(b"torn")  # a crash at the first line of a new file
    assert add(audit) == 42
    assert audit.verify() == []
    (tmp_path / "audit" / "audit-2.jsonl").unlink()
    assert audit.verify()[0] == "audit-2.jsonl: missing"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
arguments = st.dictionaries(st.text(), json_values, max_size=4)


def strict(value: Any) -> str:
    """A text that tells apart all that differs, types and zeros included, whatever the order of keys."""
    if isinstance(value, dict):
        return "{" + ",".join(sorted(f"{k!r}:{strict(v)}" for k, v in value.items())) + "}"
    return f"[{','.join(map(strict, value))}]" if isinstance(value, list) else repr(value)


@settings(max_examples=60, deadline=None)
@given(arguments, arguments)
def test_canonical_text_stands_for_the_value(a: dict[str, Any], b: dict[str, Any]) -> None:
    text = canonical(a)
    assert text.isascii()
    assert canonical(dict(reversed(a.items()))) == text
    assert canonical(json.loads(text)) == text
    assert strict(json.loads(text)) == strict(a)
    assert (canonical(b) == text) == (strict(a) == strict(b))
    assert (call_hash("t", a) == call_hash("t", b)) == (strict(a) == strict(b))


def test_canonical_decides_the_doubtful_cases() -> None:
    assert canonical({"b": [1, 1.0, True, None], "a": {"y": -0.0, "x": "é\n"}}) == (
        '{"a":{"x":"\\u00e9\\n","y":-0.0},"b":[1,1.0,true,null]}'
    )
    assert call_hash("a", {}) == hashlib.sha256(b"a\n{}").hexdigest() != call_hash("b", {})
    assert len(call_hash("\ud800", {"\ud800": "\ud800"})) == 64
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    for bad in (math.nan, math.inf, {1: 2}, {1}, b"x", deep):
        with pytest.raises(ValueError, match=r"."):
            canonical({"x": bad})


def test_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMOS_HOME", str(tmp_path))
    audit = filled(tmp_path, 4)
    add(audit, 4, tool="\x1b[31mred\nline")
    runner = CliRunner()
    assert runner.invoke(app, ["verify"]).output == "5 records, sound\n"
    shown = runner.invoke(app, ["show"]).output
    assert shown.count("\n") == 5
    assert "\x1b" not in shown
    assert runner.invoke(app, ["show", "--session", "last"]).output.count("\n") == 3
    last = runner.invoke(app, ["show", "--session", "20261121-0700-b", "--last", "1", "--json"]).output
    assert json.loads(last)["call"] == "r3"
    copy = str(tmp_path / "copy")
    assert runner.invoke(app, ["export", copy]).output == f"written: {copy}\n"
    assert (tmp_path / "copy").read_text() == runner.invoke(app, ["export", "-"]).stdout
    for arguments, line in (
        (["export", copy], f"{copy} is there already; give another name"),
        (["export", str(tmp_path)], f"{tmp_path} is there already; give another name"),
        (
            ["export", str(tmp_path / "no" / "copy")],
            f"cannot write {tmp_path / 'no' / 'copy'}: No such file or directory",
        ),
        (["show", "--session", "nope"], "nothing of a session nope; llmos sessions shows which there are"),
    ):
        error = runner.invoke(app, arguments).exception
        assert isinstance(error, UsageError)
        assert line in str(error)
    log = tmp_path / "audit" / "audit.jsonl"
    log.write_bytes(log.read_bytes().replace(b"allow", b"deny", 1))
    found = runner.invoke(app, ["verify"])
    assert found.exit_code == 1
    assert found.stderr == "llmos: audit.jsonl line 1: record 1 was edited or forged: its MAC is wrong\n"
    assert runner.invoke(app, ["export", "-"]).exit_code == 1
    forged = [{"time": 1e300}, {"approved": []}, {"approved": "yes"}, {"seq": 1.0}, {"session": None}, {"labels": [1]}]
    line = json.loads(log.read_bytes().splitlines()[-1])
    with log.open("ab") as stream:
        stream.writelines(canonical(line | change).encode() + b"\n" for change in forged)
    rest = runner.invoke(app, ["show"])
    assert rest.output.count("\n") == 5
    assert "6 lines of the audit record are unreadable" in str(rest.exception)
