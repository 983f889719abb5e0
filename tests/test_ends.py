"""How commands begin and end where the host gives less than is usual: no streams, no room, no folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from llmos import cli
from llmos.doctor import safely
from llmos.ends import os_error
from llmos.kernel.config import home

RUN = 'exec "$0" -c "import sys; from llmos.cli import main; main(sys.argv[1:])" "$@"'


def ended(closed: str, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        ["sh", "-c", f"{RUN} {closed}", sys.executable, *arguments], capture_output=True, text=True, timeout=120
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("closed", [">&-", "<&- >&-", "<&- >&- 2>&-"])
def test_closed_streams_break_nothing(closed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMOS_HOME", str(tmp_path))
    assert ended(closed, "config", "set", "seed", "3") == (0, "")
    assert (tmp_path / "config.toml").read_text().splitlines()[1:] == ["seed = 3"]  # and nothing that was said
    assert ended(closed, "config", "set", "seed", "many")[0] == 2
    assert not (tmp_path / "crashes").exists()


def test_a_full_output_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMOS_HOME", str(tmp_path))
    code, told = ended(">/dev/full", "config", "show")
    assert (code, told.count("\n")) == (1, 1)
    assert told.startswith("llmos: no space left on the disk")


@pytest.mark.parametrize("command", ["config set seed 3", "policy deny python", "persona new tea", "run hi"])
def test_a_data_folder_that_cannot_be_made_is_one_line(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LLMOS_HOME", "/proc/llmos")
    assert cli.run_command(command.split()) == 1
    told = capsys.readouterr().err
    assert told.startswith("llmos: cannot ")
    assert "LLMOS_HOME" in told
    assert told.count("\n") == 1


def test_an_error_elsewhere_is_not_laid_on_the_data_folder(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LLMOS_HOME", "/proc/llmos")
    assert os_error(FileNotFoundError(2, os.strerror(2), "/elsewhere")) == 1
    assert "unexpected FileNotFoundError" in capsys.readouterr().err


def test_a_file_is_no_data_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sales.csv").write_text("a,b\n")
    monkeypatch.setenv("LLMOS_HOME", str(tmp_path / "sales.csv"))
    line = f"{tmp_path / 'sales.csv'} is a file; LLMOS_HOME has to be a folder"
    for command in ("run hi", "config show", "sessions", "memory list"):
        assert cli.run_command(command.split()) == 2
        assert capsys.readouterr().err == f"llmos: {line}\n"
    check = safely("data folder", lambda: pytest.fail(str(home())))
    assert (check.detail, check.mend) == (line, "")
