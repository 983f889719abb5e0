"""llmos config: defaults under the file under the environment under options; each value tells where it comes from."""

import json
from pathlib import Path

import pytest

from llmos import UsageError
from llmos.cli import run_command
from llmos.kernel import settings


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LLMOS_HOME", str(tmp_path / "home"))
    for name in settings.KEYS:
        monkeypatch.delenv(f"LLMOS_{name.upper()}", raising=False)
    return tmp_path / "home"


def shown(capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, tuple[object, str]]:
    capsys.readouterr()
    assert run_command([*options, "config", "show", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return {row["key"]: (row["value"], row["origin"]) for row in rows}


def test_each_origin_stands_above_the_one_before(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["config", "path"]) == 0
    file = str(home / "config.toml")
    assert capsys.readouterr().out == f"{file}\n"
    assert set(shown(capsys)) == set(settings.KEYS)
    assert shown(capsys)["persona"] == ("", "default")
    assert run_command(["config", "set", "persona", "math-mentor"]) == 0
    assert run_command(["config", "set", "allow_hosts", "localhost:1", "localhost:2"]) == 0
    assert shown(capsys)["persona"] == ("math-mentor", file)
    assert shown(capsys)["allow_hosts"] == (["localhost:1", "localhost:2"], file)
    monkeypatch.setenv("LLMOS_PERSONA", "history-buff")
    assert shown(capsys)["persona"] == ("history-buff", "LLMOS_PERSONA")
    assert run_command(["config", "set", "persona", "marathon-coach"]) == 0
    assert "but LLMOS_PERSONA is set, which goes before the file" in capsys.readouterr().out
    assert shown(capsys, "--persona", "baker.md")["persona"] == ("baker.md", "--persona")
    assert shown(capsys, "--no-strict")["strict"] == (False, "--strict")


def test_what_is_set_is_what_runs(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["config", "set", "persona", "nobody"]) == 2
    assert "there is no persona 'nobody'" in capsys.readouterr().err
    assert "persona" not in settings.read(home)
    settings.change(home, "persona", "nobody")  # it was there and is there no more
    assert run_command(["run", "hi"]) == 2
    assert "there is no persona 'nobody'" in capsys.readouterr().err
    assert run_command(["config", "set", "persona", "--default"]) == 0
    assert run_command(["config", "set", "model", "http://127.0.0.1:9/v1"]) == 0
    assert run_command(["run", "hi"]) == 1
    assert "127.0.0.1:9" in capsys.readouterr().err
    assert run_command(["models", "use", "embedded"]) == 0
    assert "model" not in settings.read(home)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["set", "personna", "x"], "did you mean persona?"),
        (["set", "allow-hosts", "x"], "did you mean allow_hosts?"),
        (["show", "zzz"], "there are: model, persona"),
        (["set", "strict", "maybe"], "strict is true or false, not 'maybe'"),
        (["set", "seed", "1x"], "seed is a whole number"),
        (["set", "theme", "pink"], "theme is auto or dark or light or none"),
        (["set", "strict"], "--default"),
    ],
)
def test_a_mistake_is_told_with_what_is_nearest(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["config", *arguments]) == 2
    shown = capsys.readouterr()
    assert (shown.out, shown.err.count("\n")) == ("", 1)
    assert said in shown.err


def test_the_file_is_read_strictly_and_changed_gently(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home.mkdir()
    file = home / settings.FILE
    file.write_text("# mine\nseed = 3  # three\nallow_hosts = [\n  'a:1',\n]\n")
    settings.change(home, "seed", 4)
    assert "# mine\nseed = 4\n" in file.read_text()
    settings.change(home, "allow_hosts", ("b:2",))
    assert settings.read(home) == {"seed": 4, "allow_hosts": ["b:2"]}
    settings.change(home, "seed", None)
    settings.change(home, "persona", 'a "b" \\ ü')
    assert settings.load(home)["persona"].value == 'a "b" \\ ü'
    file.write_text("modle = 'x'\n")
    with pytest.raises(UsageError, match=r"config\.toml: there is no setting 'modle'; did you mean model\?"):
        settings.load(home)
    file.write_text("seed = true\n")
    with pytest.raises(UsageError, match="seed is a whole number, not True"):
        settings.load(home)
    file.write_text("= broken")
    with pytest.raises(UsageError, match="mend it or remove it"):
        settings.load(home)
    assert settings.strangers({"LLMOS_MODLE": "x", "LLMOS_SEED": "1", "LLMOS_QUOTA_LOG": "1", "PATH": ""}) == [
        "LLMOS_MODLE is set and means nothing; did you mean LLMOS_MODEL?"
    ]
