"""The passes in C where something is wrong: weights, memory, folders and what others leave in them."""

import errno
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from test_lean import theirs
from test_native import SIZES, a_random_net, built, level, place, some_ids  # noqa: F401

from llmos.kernel import checkpoint, native
from llmos.kernel import rows as rows_module
from llmos.kernel.attend import Piece
from llmos.kernel.errors import ModelError
from llmos.kernel.lean import Lean
from llmos.kernel.native import Library
from llmos.kernel.native_net import _Memory
from llmos.kernel.rows import Rows


@pytest.mark.usefixtures("level")
@pytest.mark.parametrize(
    "told", [{"vocab_size": 400}, {"intermediate_size": 224}, {"intermediate_size": 192}, {"num_key_value_heads": 4}]
)
def test_weights_of_other_sizes_than_the_configuration_tells_are_refused(told: dict[str, int], tmp_path: Path) -> None:
    theirs("Qwen3", {**SIZES, "num_key_value_heads": 2}, tmp_path)
    file = tmp_path / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8")) | told), encoding="utf-8")
    with pytest.raises(ModelError, match=r"do not fit config\.json"):
        Lean(tmp_path, dtype=torch.bfloat16)


@pytest.mark.usefixtures("level")
def test_logits_are_the_same_whatever_torch_makes_by_default(tmp_path: Path) -> None:
    net = a_random_net(tmp_path)

    def compute() -> torch.Tensor:
        rows = net.rows()
        return net.run([Piece(rows.take(), some_ids(30), every=True)], rows)[0]

    wanted = compute()
    # As transformers does while it loads a model, in whatever thread.
    torch.set_default_dtype(torch.bfloat16)
    try:
        found = compute()
    finally:
        torch.set_default_dtype(torch.float32)
    assert found.dtype == torch.float32
    assert torch.equal(found, wanted)


@pytest.mark.usefixtures("level")
@pytest.mark.parametrize("grow", ["longer", "more"])
def test_rows_that_could_not_grow_are_whole_at_the_next_pass(
    grow: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net, ids = a_random_net(tmp_path, num_hidden_layers=3), some_ids(80)
    rows = net.rows()
    row = rows.take()
    first = net.run([Piece(row, ids[:20], every=True)], rows)[0]
    real, left = rows_module._zeros, [1]

    def no_memory(like: torch.Tensor, *size: int) -> torch.Tensor:
        left[0] -= 1
        if left[0] < 0:
            raise MemoryError
        return real(like, *size)

    with monkeypatch.context() as patch:
        patch.setattr(rows_module, "_zeros", no_memory)
        with pytest.raises(MemoryError):
            rows.reserve(80) if grow == "longer" else rows.take()
    more = net.run([Piece(row, ids[20:40], every=True)], rows)[0]
    assert len({layer.shape for layer in rows.layers}) == 1
    assert rows.lengths[row] == 40
    other = Rows(net.shape, "cpu", torch.bfloat16)
    assert torch.equal(torch.cat((first, more)), net.run([Piece(other.take(), ids[:40], every=True)], other)[0])
    assert rows.take() == 1


@pytest.mark.usefixtures("level")
def test_a_piece_without_ids_is_refused(tmp_path: Path) -> None:
    net = a_random_net(tmp_path)
    rows = net.rows()
    with pytest.raises(IndexError):
        net.run([Piece(rows.take(), [])], rows)


@pytest.mark.skipif(not Path("/proc/self/maps").is_file(), reason="mappings are read from /proc")
def test_weights_lie_in_private_memory_which_has_large_pages() -> None:
    memory = _Memory(1 << 22)
    at = memory.take(64)
    for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines():
        span, rights, *_ = line.split()
        low, high = (int(end, 16) for end in span.split("-"))
        if low <= at < high:
            assert rights == "rw-p"
            return
    pytest.fail("it is not mapped")


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="signal masks are read from /proc")
def test_signals_are_for_the_threads_of_the_program(built: Library, tmp_path: Path) -> None:  # noqa: F811
    theirs("Qwen3", {**SIZES, "num_key_value_heads": 2}, tmp_path)
    code = f"""if True:
        import os, pathlib, threading, torch
        from llmos.kernel import lean, native
        from llmos.kernel.attend import Piece
        library = native.Library(pathlib.Path({str(built.path)!r}))
        lean.library = lambda: library
        net = lean.Lean(pathlib.Path({str(tmp_path)!r}), dtype=torch.bfloat16)
        net.cores = 3
        def masks():
            return {{task.name: next(line.split()[1] for line in (task / "status").read_text().splitlines()
                    if line.startswith("SigBlk")) for task in pathlib.Path("/proc/self/task").iterdir()}}
        before = masks()
        rows = net.rows()
        net.run([Piece(rows.take(), list(range(60)))], rows)
        new = [int(mask, 16) >> 1 & 1 for name, mask in masks().items() if name not in before]
        print(*new, int(masks()[str(os.getpid())], 16) >> 1 & 1)"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300)
    assert run.stdout.split() == ["1", "1", "0"]


def test_nothing_is_loaded_that_another_user_left(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    made = native.build()
    # The package's own folder is not looked at as the cache is: anybody may add files to some.
    monkeypatch.setattr(native, "_ours", lambda _: True)
    assert native.find() is not None
    made.chmod(0o666)
    assert native.find() is None
    made.chmod(0o644)
    assert native.find() is not None
    # This user's file, to somebody who is neither that nor who put the package here.
    monkeypatch.setattr(os, "getuid", lambda: made.stat().st_uid + 1)
    monkeypatch.setattr(native, "_owner", lambda: made.stat().st_uid + 2)
    assert native.find() is None


def test_who_has_no_home_gets_nothing_from_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *_, **__: Path("~/.cache/llmos"))
    monkeypatch.chdir(tmp_path)
    assert native.places() == [native.HERE]


def test_a_build_behind_a_start_runs_nothing_from_the_current_folder(tmp_path: Path) -> None:
    (tmp_path / "hashlib.py").write_text("open('was_run', 'w').close()\n", encoding="utf-8")
    (tmp_path / "platformdirs.py").write_text("open('was_run', 'w').close()\n", encoding="utf-8")
    code = """if True:
        import threading
        from llmos.kernel import checkpoint, native
        native._start_build()
        [t.join() for t in threading.enumerate() if t.name == "llmos-native-build"]"""
    # With LLMOS_NATIVE=0 it builds nothing.
    own = {**os.environ, "LLMOS_NATIVE": "0"}
    subprocess.run([sys.executable, "-P", "-c", code], cwd=tmp_path, env=own, check=True, timeout=300)
    assert not (tmp_path / "was_run").exists()


def refuse(*_: Any, **__: Any) -> None:
    raise AssertionError("a compiler was started")


def test_where_nothing_can_be_written_no_compiler_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(native, "places", lambda: [Path("/proc/none"), Path("/proc/neither")])
    monkeypatch.setattr(native, "compiler", lambda: "/usr/bin/cc")
    monkeypatch.setattr(subprocess, "run", refuse)
    assert native.main() == 0
    assert capsys.readouterr().out.startswith("no native library")


def no_exec(_: Path) -> Library:
    raise OSError(errno.EPERM, "failed to map segment from shared object")


def too_long(*_: Any, **__: Any) -> None:
    raise subprocess.TimeoutExpired("cc", native.SECONDS)


@pytest.mark.parametrize("how", ["not loadable", "too long"])
def test_what_goes_wrong_is_tried_again_the_next_day(
    how: str,
    place: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started: list[int] = []
    monkeypatch.setattr(native, "_start_build", lambda: started.append(1))
    look: Callable[[], Library | None] = native.library.__wrapped__
    with monkeypatch.context() as patch:
        patch.setattr(*((native, "Library", no_exec) if how == "not loadable" else (subprocess, "run", too_long)))
        assert native.main() == 0
        assert look() is None
        assert started == []
        mark = next(place.glob("native-*.failed"))
        os.utime(mark, (time.time() - native.DAY - 60,) * 2)
        assert look() is None
        assert started == [1]
    assert native.main() == 0
    assert look() is not None


def test_other_users_of_a_package_may_read_it(place: Path) -> None:  # noqa: F811
    assert native.build().stat().st_mode & 0o777 == 0o644


def test_without_its_source_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "HERE", tmp_path)
    monkeypatch.setattr(native, "wanted", lambda: True)
    native._name.cache_clear()
    try:
        assert native.library.__wrapped__() is None
        assert native.main() == 0
    finally:
        native._name.cache_clear()


@pytest.mark.parametrize(("told", "wanted"), [("max 100000", 4), ("150000 100000", 2), ("20000 100000", 1), ("", 4)])
def test_no_more_threads_than_a_container_may_use(
    told: str, wanted: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cpu.max").write_text(told, encoding="ascii")
    monkeypatch.setattr(checkpoint, "QUOTA", tmp_path / "cpu.max")
    monkeypatch.setattr("psutil.cpu_count", lambda **_: 4)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(4)), raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "")
    assert checkpoint.cores() == wanted
