"""``llmos policy`` and ``llmos audit`` as their users meet them; an ask at a terminal shows the whole call."""

import json
import os
import pty
import threading
from pathlib import Path

import pytest

from llmos import LLMOS, LLMOSError, Scripted, Tool, ToolCall, ToolContext, ToolOutput, cli
from llmos.kernel.dispatch import Asked
from llmos.render import Screen, asking


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LLMOS_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_what_is_allowed_and_denied_is_kept_and_shown(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run_command(["policy", "allow", "weather", "city=Berlin"]) == 0
    assert cli.run_command(["policy", "deny", "python"]) == 0
    capsys.readouterr()
    assert cli.run_command(["policy", "show", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["allow"], told["deny"]) == (["weather city=Berlin"], ["python"])
    assert cli.run_command(["policy", "reset", "python"]) == 0
    assert cli.run_command(["policy", "show"]) == 0
    shown = capsys.readouterr().out
    assert "weather city=Berlin" in shown
    assert "untrusted-private-act" in shown


@pytest.mark.parametrize(
    ("arguments", "verdict"),
    [
        (["python", "--untrusted", "--private"], "allow"),
        (["mail", "--does", "net"], "ask"),
        (["mail", "--does", "net", "--unattended"], "deny"),
        (["mail"], "ask"),
        (["sum", "--does", "nothing", "--untrusted", "--unattended"], "allow"),
    ],
)
def test_a_call_can_be_tried_without_running_it(
    arguments: list[str], verdict: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run_command(["policy", "test", *arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == verdict


@pytest.mark.parametrize(
    "arguments",
    [
        ["policy", "allow", "weather", "Berlin"],
        ["policy", "test", "x", "--arguments", "3"],
        ["policy", "test", "x", "--arguments", "{"],
        ["policy", "test", "x", "--does", "fly"],
    ],
)
def test_mistakes_are_told_in_one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run_command(arguments) == 2
    told = capsys.readouterr().err.strip().splitlines()
    assert len([line for line in told if line.startswith("llmos: ")]) == 1


def test_a_denied_tool_is_not_in_the_prompt(home: Path) -> None:
    cli.run_command(["policy", "deny", "python"])
    seen: list[int] = []
    model = Scripted(["done"])
    original = model.reply

    def reply(messages: object, tools: list[Tool], *rest: object, **more: object) -> object:
        seen.extend(t.name == "python" for t in tools)
        return original(messages, tools, *rest, **more)  # type: ignore[arg-type]

    model.reply = reply  # type: ignore[method-assign, assignment]
    with LLMOS(model=model, home=home) as llmos:
        llmos.run("hi")
    assert seen
    assert not any(seen)


def test_the_audit_tells_what_was_decided(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with LLMOS(model=Scripted([ToolCall("x", "calculator", {"expression": "1"}), "1"]), home=home) as llmos:
        llmos.run("one")
    assert cli.run_command(["audit", "verify"]) == 0
    assert "1 record" in capsys.readouterr().out
    assert cli.run_command(["audit", "show", "--json"]) == 0
    record = json.loads(capsys.readouterr().out.splitlines()[0])
    assert (record["tool"], record["verdict"], record["rule"]) == ("calculator", "allow", "pure")
    log = next((home / "audit").glob("audit*.jsonl"))
    log.write_bytes(log.read_bytes().replace(b'"allow"', b'"deny"'))
    assert cli.run_command(["audit", "verify"]) == 1


def test_without_a_record_no_call_happens(home: Path) -> None:
    done: list[str] = []

    def act(arguments: object, context: ToolContext) -> ToolOutput:
        done.append("act")
        return ToolOutput("")

    tool = Tool("act", "", {"type": "object"}, act, frozenset())
    home.mkdir()
    (home / "audit").write_text("a file where the folder should be")
    model = Scripted([ToolCall("x", "act", {}), "done"])
    with LLMOS(model=model, home=home, tools=[tool]) as llmos, pytest.raises(LLMOSError, match="audit"):
        llmos.run("go")
    assert done == []


def test_the_question_shows_every_letter_of_the_arguments() -> None:
    long = "x" * 5000
    asked = Asked(
        "r1", "mail", {"to": "a\u202eb@evil", "body": long + "\x1b[2J\u200bend"}, "reaches-out", "it reaches out"
    )
    text = asking(asked)
    assert long in text
    assert "\\u202e" in text
    assert "\\u200b" in text
    assert "\x1b" not in text
    assert "it reaches out" in text


@pytest.mark.parametrize(("typed", "agreed"), [(b"y\n", True), (b"n\n", False), (b"\n", False), (b"yikes\n", False)])
def test_a_yes_is_typed_at_the_terminal(typed: bytes, agreed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    master, slave = pty.openpty()
    real_open = open
    monkeypatch.setattr(
        "builtins.open", lambda path, *a, **k: real_open(slave if path == "/dev/tty" else path, *a, **k)
    )
    os.write(master, b"y\n")  # typed before the question: no answer to it
    seen: list[bytes] = []

    def answer() -> None:
        while b"[y/N]" not in b"".join(seen):
            seen.append(os.read(master, 4096))
        os.write(master, typed)

    person = threading.Thread(target=answer)
    person.start()
    assert Screen().ask(Asked("r1", "mail", {"to": "mum"}, "reaches-out", "it reaches other machines")) is agreed
    person.join()
    shown = b"".join(seen).decode()
    os.close(master)
    assert '"to": "mum"' in shown
    assert "it reaches other machines" in shown
