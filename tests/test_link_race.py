"""Boxed code that swaps folders and files for links while the host writes: nothing lands outside, nothing comes in."""

import ctypes
import errno
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePath

import pytest

from llmos.kernel import beneath
from llmos.kernel.errors import LLMOSError, UsageError
from llmos.memory import library
from llmos.memory.files import attach, attach_stdin

ROUNDS = 400
SECRET = "word\nsecret-of-the-host\n"
_EXCHANGE = 2


def exchange(one: Path, other: Path) -> None:
    """Swap two names in one step, as the box can: at no moment is either of them missing."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(-100, os.fsencode(one), -100, os.fsencode(other), _EXCHANGE):
        raise OSError(ctypes.get_errno(), "renameat2")


@contextmanager
def busy(act: Callable[[], None]) -> Iterator[None]:
    """``act`` again and again in a thread of its own."""
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            with suppress(OSError):
                act()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(10)


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder of the host with a secret of the same name as what is attached."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "a.csv").write_text(SECRET)
    return folder


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    (folder / "data").mkdir(parents=True)
    return folder


def storm(given: Path, workspace: Path) -> tuple[int, int]:
    """Attach again and again; how often it worked and how often it was refused."""
    done = refused = 0
    for number in range(ROUNDS):
        given.write_text(f"number,square\n{number},{number * number}\n")
        try:
            (made,) = attach([given], workspace)
        except UsageError:
            refused += 1
        else:
            done += 1
            assert "number" in made.preview
            assert "secret" not in made.preview
    return done, refused


def untouched(outside: Path) -> bool:
    return [p.name for p in outside.iterdir()] == ["a.csv"] and (outside / "a.csv").read_text() == SECRET


def test_the_folder_is_swapped_for_a_link(tmp_path: Path, workspace: Path, outside: Path) -> None:
    (workspace / "evil").symlink_to(outside)
    given = tmp_path / "a.csv"
    with busy(lambda: exchange(workspace / "data", workspace / "evil")):
        done, refused = storm(given, workspace)
    assert untouched(outside)
    assert done
    assert refused


def test_the_file_is_swapped_for_a_link(tmp_path: Path, workspace: Path, outside: Path) -> None:
    data = workspace / "data"

    def plant() -> None:
        for path in list(data.iterdir()):  # drafts as well as files
            path.unlink()
            path.symlink_to(outside / "a.csv")

    given = tmp_path / "a.csv"
    with busy(plant):
        done, _ = storm(given, workspace)
    assert untouched(outside)
    assert done


def test_folders_on_the_way_are_swapped_for_links(tmp_path: Path, workspace: Path, outside: Path) -> None:
    folder = tmp_path / "given"
    (folder / "in").mkdir(parents=True)
    (workspace / "data" / "given" / "in").mkdir(parents=True)
    (workspace / "evil").symlink_to(outside)
    refused = done = 0
    with busy(lambda: exchange(workspace / "data" / "given" / "in", workspace / "evil")):
        for number in range(ROUNDS // 2):
            (folder / "in" / "b.csv").write_text(f"number\n{number}\n")
            try:
                attach([folder], workspace)
                done += 1
            except UsageError:
                refused += 1
    assert untouched(outside)
    assert done
    assert refused


def test_a_library_table_and_standard_input_come_in_the_same_way(workspace: Path, outside: Path) -> None:
    (workspace / "evil").symlink_to(outside)
    table = library.tables()[0]
    with busy(lambda: exchange(workspace / "data", workspace / "evil")):
        for number in range(ROUNDS // 4):
            with suppress(LLMOSError):
                attach_stdin(f"a,b\n{number},2\n".encode(), workspace)
            with suppress(LLMOSError):
                library.attach_library(table, workspace)
    assert untouched(outside)


@pytest.mark.parametrize("thing", ["link", "fifo", "folder", "hard link", "dangling"])
def test_what_stands_in_the_way_is_not_read_nor_replaced(
    tmp_path: Path, workspace: Path, outside: Path, thing: str
) -> None:
    given, there = tmp_path / "a.csv", workspace / "data" / "a.csv"
    given.write_text(SECRET)  # the very content that the link leads to
    if thing == "link":
        there.symlink_to(outside / "a.csv")
    elif thing == "dangling":
        there.symlink_to(outside / "new.csv")
    elif thing == "fifo":
        os.mkfifo(there)
    elif thing == "folder":
        there.mkdir()
    else:
        os.link(outside / "a.csv", there)
    if thing in ("link", "dangling"):
        with pytest.raises(UsageError, match="replaced by a link"):
            attach([given], workspace)
    else:
        assert attach([given], workspace)[0].path == "data/a-2.csv"
    assert untouched(outside)
    assert not [p for p in (workspace / "data").iterdir() if p.name.startswith(".draft")]


@pytest.mark.parametrize("walked", [False, True])
def test_folders_are_made_beneath_and_nowhere_else(
    workspace: Path, outside: Path, walked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if walked:  # as on a kernel without openat2
        monkeypatch.setattr(beneath, "_open", beneath._walked)
    with beneath.made(workspace, PurePath("x", "y")) as here:
        os.close(os.open("f", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    assert (workspace / "x" / "y" / "f").exists()
    (workspace / "x" / "z").symlink_to(outside)
    for name, code in (("x/z", {errno.ELOOP, errno.ENOTDIR}), ("../w", {errno.EXDEV}), ("x/../..", {errno.EXDEV})):
        with pytest.raises(OSError, match=r".") as caught, beneath.made(workspace, PurePath(name)):
            pass
        assert caught.value.errno in code
    for name in ("x/z/a.csv", "../outside/a.csv", str(outside / "a.csv")):
        with pytest.raises(OSError, match=r"."):
            beneath.open_beneath(workspace, name, os.O_RDONLY)
    assert beneath.read(workspace, "x/y/f", 10) == b""
    assert untouched(outside)


def test_a_file_system_without_second_names_takes_files_too(
    tmp_path: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", none)
    given = tmp_path / "a.csv"
    given.write_text("a,b\n1,2\n")
    (made,) = attach([given], workspace)
    assert (workspace / made.path).read_text() == "a,b\n1,2\n"
    assert [p.name for p in (workspace / "data").iterdir()] == ["a.csv"]
    given.write_text("a,b\n3,4\n")
    (other,) = attach([given], workspace)  # another content never takes the place of the first
    assert (other.path, (workspace / other.path).read_text()) == ("data/a-2.csv", "a,b\n3,4\n")
    assert (workspace / made.path).read_text() == "a,b\n1,2\n"
