"""Verdicts on answers, and the dialogues with them: what is written, and what is not."""

import json
from pathlib import Path
from typing import Any

import pytest

from llmos import LLMOS, Scripted, ToolCall
from llmos.cli import run_command
from llmos.kernel.types import Verdict
from llmos.memory.log import SessionStore

MAIL = "write to ada@example.org or call +49 151 23456789"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LLMOS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-example-7Qp2Zx9LmT4v")
    return tmp_path / "home"


def exported(capsys: pytest.CaptureFixture[str], *options: str) -> list[dict[str, Any]]:
    capsys.readouterr()
    assert run_command(["traces", "export", *options]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def talked(home: Path) -> str:
    call = ToolCall("x", "calculator", {"expression": "6 * 7"})
    model = Scripted([call, "It is 41.", call, "It is 42.", "Mailed."])
    with LLMOS(model=model, home=home) as system, system.session() as session:
        session.run("six times seven")
        list(session.retry())
        session.run(MAIL)
        return session.id


def test_from_verdicts_to_lines(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = talked(home)
    assert exported(capsys) == []
    answers = [e.id for e in SessionStore(home).read(name) if type(e).__name__ == "Answer"]
    first, second, third = answers
    assert run_command(["feedback", name, "bad", "--answer", first, "--note", "wrong by one"]) == 0
    assert run_command(["feedback", name, "good", "--answer", second]) == 0
    assert run_command(["feedback", "last", "good"]) == 0
    bad, good, last = exported(capsys)
    assert (bad["verdict"], bad["note"], bad["answer"]) == ("bad", "wrong by one", first)
    assert [m["role"] for m in good["messages"]] == ["user", "assistant", "tool", "assistant"]
    assert good["messages"][-1]["content"] == "It is 42."
    function = good["messages"][1]["tool_calls"][0]["function"]
    assert function == {"name": "calculator", "arguments": {"expression": "6 * 7"}}
    assert good["messages"][2]["tool_call_id"] == good["messages"][1]["tool_calls"][0]["id"]
    assert [m["content"] for m in last["messages"]][-3:] == ["It is 42.", MAIL, "Mailed."]
    assert last["answer"] == third
    assert "41" not in json.dumps(last)  # what was undone is no part of what followed


def test_a_preference_is_a_prompt_with_two_ends(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = talked(home)
    second = [e.id for e in SessionStore(home).read(name) if type(e).__name__ == "Answer"][1]
    assert run_command(["feedback", name, "prefer"]) == 2
    assert "no other answer to the same request" in capsys.readouterr().err
    assert run_command(["feedback", name, "good", "--answer", second]) == 0
    assert run_command(["feedback", name, "prefer", "--answer", second]) == 0
    (told,) = exported(capsys)  # the later verdict counts
    assert [m["content"] for m in told["prompt"]] == ["six times seven"]
    assert (told["chosen"][-1]["content"], told["rejected"][-1]["content"]) == ("It is 42.", "It is 41.")
    assert exported(capsys, "--verdict", "good") == []
    assert len(exported(capsys, "--all", "--verdict", "good")) == 2


def test_private_things_are_taken_out_where_asked_and_secrets_always(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = Scripted(
        [ToolCall("x", "calculator", {"expression": "1", "for": "ada@example.org"}), f"See {Path.home()}/x."]
    )
    with LLMOS(model=model, home=home) as system, system.session() as session:
        session.run(f"{MAIL} with sk-example-7Qp2Zx9LmT4v")
        session.judge("good", "ask ada@example.org")
    plain, hidden = json.dumps(exported(capsys)), json.dumps(exported(capsys, "--redact"))
    assert "ada@example.org" in plain
    for told in (plain, hidden):
        assert "7Qp2Zx9LmT4v" not in told
    for private in ("ada@example.org", "23456789", f"{Path.home()}/x"):
        assert private not in hidden
    assert hidden.count("[email 1]") == 3
    out = tmp_path / "out.jsonl"
    assert run_command(["traces", "export", "--out", str(out)]) == 0
    assert len(out.read_text().splitlines()) == 1
    assert run_command(["traces", "export", "--out", str(out)]) == 2


def test_mistakes(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = talked(home)
    for arguments, said in (
        (["feedback", name, "great"], "there is no verdict 'great'"),
        (["feedback", name, "good", "--answer", "e999"], "there is no answer e999; there are: e"),
        (["feedback", "nope", "good"], "no session nope"),
        (["traces", "export", "--verdict", "great"], "there is no verdict"),
    ):
        assert run_command(arguments) == 2
        assert said in capsys.readouterr().err
    assert not any(isinstance(e, Verdict) for e in SessionStore(home).read(name))
