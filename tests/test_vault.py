"""The file of registered secrets and its commands: for its owner alone, whole or not at all, values never shown."""

import errno
import io
import json
from pathlib import Path

import pytest
from secret_spellings import PHRASE, VALUE, b64

from llmos import LLMOS, Scripted, UsageError, cli
from llmos.kernel import vault
from llmos.kernel.secrets import Scanner, Secret


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("K", "short12", "too short"),
        ("K", "a b\t\n c d e f", "too short"),
        ("K", "", "too short"),
        ("K", "abababababab", "different characters"),
        ("K", "x1y2" * 2000, "too long"),
        ("bad name", VALUE, "letters, digits"),
        ("", VALUE, "letters, digits"),
        ("x\x1b", VALUE, "letters, digits"),
        (VALUE, VALUE, "cannot hold the value"),
    ],
)
def test_what_cannot_be_registered_is_told_in_a_line_without_it(
    name: str, value: str, told: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=told) as caught:
        vault.add(tmp_path, name, value)
    assert "\n" not in str(caught.value)
    assert VALUE not in str(caught.value)
    assert not (tmp_path / "secrets.vault").exists()


def test_the_file_is_for_its_owner_alone_and_keeps_what_it_is_given(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert vault.load(home) == {}
    vault.add(home, "A", VALUE)
    vault.add(home, "B", PHRASE)
    with pytest.raises(UsageError, match="--replace"):
        vault.add(home, "A", VALUE + "x")
    assert vault.load(home)["A"] == VALUE
    vault.add(home, "A", VALUE)  # the same again is no change
    vault.add(home, "A", VALUE + "x", replace=True)
    assert vault.load(home) == {"A": VALUE + "x", "B": PHRASE}
    path = home / "secrets.vault"
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    vault.load(home)
    assert path.stat().st_mode & 0o777 == 0o600
    vault.remove(home, "A")
    assert vault.load(home) == {"B": PHRASE}
    with pytest.raises(UsageError, match="no secret A"):
        vault.remove(home, "A")
    assert VALUE not in repr(vault.known(home, {}))


@pytest.mark.parametrize("text", ["{", '{"secrets": 3}', '{"secrets": {"A": 3}}', '{"secrets": {"A": "x"}}', "[]"])
def test_a_broken_file_stops_everything_in_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "secrets.vault").write_text(text)
    with pytest.raises(UsageError, match=r"secrets\.vault cannot be read"):
        LLMOS(model=Scripted(["hi"]), home=tmp_path).run("hello")


def test_the_file_itself_cannot_be_attached(tmp_path: Path) -> None:
    home = tmp_path / "home"
    vault.add(home, "KEY", VALUE)
    (tmp_path / "other.txt").symlink_to(home / vault.FILE)
    (home / "more.txt").write_text("fine")
    with LLMOS(model=Scripted(["one"]), home=home) as llmos:
        (home / f"{vault.FILE}.4711").write_text(VALUE)  # left by a kill
        for path in (home / vault.FILE, tmp_path / "other.txt", home / f"{vault.FILE}.4711"):
            with pytest.raises(UsageError, match="not attached"):
                llmos.run("read it", [path])
        with llmos.session() as session:
            session.run("read it", [home])
            held = [p for p in session.workspace.rglob("*") if p.is_file() and VALUE in p.read_text(errors="replace")]
    assert held == []


def test_a_disk_that_fails_leaves_no_copy_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    vault.add(tmp_path, "A", VALUE)
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(UsageError, match="No space left"):
        vault.add(tmp_path, "B", PHRASE)
    assert vault.load(tmp_path) == {"A": VALUE}
    assert not list(tmp_path.glob(f"{vault.FILE}.[0-9]*"))


def test_a_link_in_place_of_the_file_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "other").write_text('{"secrets": {}}')
    (tmp_path / "secrets.vault").symlink_to(tmp_path / "other")
    with pytest.raises(UsageError, match="cannot be read"):
        vault.load(tmp_path)


def test_keys_of_servers_count_and_placeholders_do_not(tmp_path: Path) -> None:
    given = {"OPENAI_API_KEY": "sk-abc123def456", "LLMOS_API_KEY": "not-needed", "OTHER_KEY": VALUE}
    assert [s.name for s in vault.known(tmp_path, given)] == ["OPENAI_API_KEY"]
    assert vault.from_environment({"OPENAI_API_KEY": "EMPTY"}) == {}
    assert vault.from_environment({"LLMOS_API_KEY": "x" * 30}) == {}


# The command line.


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LLMOS_HOME", str(tmp_path / "home"))
    for name in vault.ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "home"


def test_a_secret_is_read_from_standard_input_and_only_its_name_is_shown(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(VALUE + "\n"))
    assert cli.run_command(["secrets", "add", "BANK"]) == 0
    assert vault.load(home) == {"BANK": VALUE}
    monkeypatch.setenv("OPENAI_API_KEY", "sk-abc123def456")
    assert cli.run_command(["secrets", "list"]) == 0
    assert cli.run_command(["secrets", "list", "--json"]) == 0
    told = capsys.readouterr()
    assert "BANK\nOPENAI_API_KEY  (from the environment)\n" in told.out
    assert json.loads(told.out.splitlines()[-1]) == {"registered": ["BANK"], "environment": ["OPENAI_API_KEY"]}
    assert not Scanner([Secret("BANK", VALUE)]).find(told.out + told.err)
    assert cli.run_command(["secrets", "remove", "BANK"]) == 0
    assert cli.run_command(["secrets", "remove", "BANK"]) == 2
    assert vault.load(home) == {}


def test_a_value_on_the_command_line_or_a_short_one_is_refused_and_not_repeated(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run_command(["secrets", "add", "BANK", VALUE]) == 2
    monkeypatch.setattr("sys.stdin", io.StringIO("hunter2\n"))
    assert cli.run_command(["secrets", "add", "BANK"]) == 2
    told = capsys.readouterr()
    assert VALUE not in told.out + told.err
    assert "hunter2" not in told.err
    assert [line[:7] for line in told.err.splitlines()] == ["llmos: ", "llmos: "]
    assert "too short" in told.err.splitlines()[1]
    assert vault.load(home) == {}
    monkeypatch.setattr("sys.stdin", io.StringIO(VALUE + "\udcff"))  # bytes that are no text
    assert cli.run_command(["secrets", "add", "BANK"]) == 2
    assert capsys.readouterr().err == "llmos: the secret is no text\n"


def test_at_a_terminal_the_prompt_does_not_show_what_is_typed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(prompt: str) -> str:
        assert "BANK" in prompt
        return VALUE

    stdin = io.StringIO("")
    monkeypatch.setattr(stdin, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", stdin)
    monkeypatch.setattr("getpass.getpass", asked)
    assert cli.run_command(["secrets", "add", "BANK"]) == 0
    assert vault.load(home) == {"BANK": VALUE}


def test_policy_show_tells_the_rule(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run_command(["policy", "show"]) == 0
    assert "deny   secret-leaves" in capsys.readouterr().out
    vault.add(home, "KEY", VALUE)
    arguments = json.dumps({"body": b64(VALUE)})
    assert cli.run_command(["policy", "allow", "mail"]) == 0
    assert cli.run_command(["policy", "test", "mail", "--does", "net", "--arguments", arguments]) == 0
    told = capsys.readouterr().out
    assert told.splitlines()[-1].startswith("deny: ")
    assert "secret-leaves" in told


def test_a_name_that_is_taken_is_not_written_over_unasked(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    vault.add(home, "BANK", VALUE)
    for more, code, kept in (([], 2, VALUE), (["--replace"], 0, PHRASE)):
        monkeypatch.setattr("sys.stdin", io.StringIO(PHRASE + "\n"))
        assert cli.run_command(["secrets", "add", "BANK", *more]) == code
        assert vault.load(home) == {"BANK": kept}
    told = capsys.readouterr()
    assert told.err == "llmos: a secret BANK is registered already; --replace gives it the new value\n"


def test_what_repeats_itself_is_not_registered_and_an_old_one_stops_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="repeats itself"):
        vault.add(tmp_path, "R", "ab1d" * 300)
    (tmp_path / vault.FILE).write_text(json.dumps({"secrets": {"R": "ab1d" * 300}}))
    assert set(vault.load(tmp_path)) == {"R"}
