"""The command line as its users meet it: exit codes, one line for each mistake, pipes, terminals, Ctrl-C.

The model is a small OpenAI-compatible server that says what the test tells it to, so that whole processes are tested.
"""

import json
import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from llmos import LLMOS, Scripted, ToolCall, UsageError, cli
from llmos.prompting import make_prompt
from llmos.repl import Conversation

SAYS_B: dict[str, Any] = {"prompt": "b", "expect": {"contains": "b"}}
Reply = str | dict[str, Any]


class Model(ThreadingHTTPServer):
    """A model server: ``replies`` in turn, each a text or the arguments of a calculator call; then silence."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.replies: list[Reply] = []
        self.requests: list[dict[str, Any]] = []
        self.over = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class Handler(BaseHTTPRequestHandler):
    server: Model

    def log_message(self, *_: object) -> None: ...

    def do_GET(self) -> None:
        self.answer(json.dumps({"data": [{"id": "told"}]}))

    def do_POST(self) -> None:
        self.server.requests.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        if not self.server.replies:
            self.answer('data: {"choices": [{"delta": {"content": "Wait"}}]}\n\n')
            self.server.over.wait(30)
            return
        reply = self.server.replies.pop(0)
        if isinstance(reply, str):
            delta: dict[str, Any] = {"content": reply}
        else:
            function = {"name": "calculator", "arguments": json.dumps(reply)}
            delta = {"tool_calls": [{"index": 0, "id": "c1", "type": "function", "function": function}]}
        chunk = {"choices": [{"delta": delta, "finish_reason": "stop"}], "usage": {"prompt_tokens": 7}}
        self.answer(f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n")

    def answer(self, text: str) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(text.encode())
        self.wfile.flush()


@pytest.fixture
def model() -> Iterator[Model]:
    server = Model()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.over.set()
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LLMOS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("LLMOS_MODEL", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


MAIN = "from llmos.cli import main; main()"
# The memory's model computes without end.
BUSY = f"""
import torch
from llmos.kernel.minilm import Embedder
def compute():
    while True:
        torch.ones(1 << 18).add(1)
Embedder.load = staticmethod(compute)
{MAIN}
"""


def start(*arguments: str | bytes, code: str = MAIN, **options: Any) -> subprocess.Popen[bytes]:
    """The command as a process of its own; nothing on standard input unless given."""
    command = [sys.executable, "-c", code, *arguments]
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, **{**streams, **options})


def finish(process: subprocess.Popen[bytes], data: bytes | None = None) -> tuple[int, str, str]:
    out, err = process.communicate(data, timeout=300)
    return process.returncode, (out or b"").decode(), (err or b"").decode()


def test_help_and_version_load_nothing_heavy() -> None:
    code = (
        "import sys; from llmos.cli import run_command; assert run_command(['--help']) == 0;"
        "assert run_command(['--version']) == 0; assert run_command(['run', '--help']) == 0;"
        "print([m for m in ('torch', 'rich', 'numpy', 'pandas', 'llmos.app') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    for command in ("run", "sessions", "show", "eval", "doctor", "bench", "--install-completion"):
        assert command in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "  "], "the request is empty"),
        (["run", "x" * 100_001], "--file"),
        (["run", "a\0b"], "NUL"),
        (["run", "how many rows?", "--file", ""], "the name of a file is empty"),
        (["run", "caf\udce9"], "not valid UTF-8"),
        (["run", "hi", "--yes", "--deny"], "exclude each other"),
        (["run", "hi", "--session", "nope"], "no session"),
        (["show", "nope"], "no session nope"),
        (["bench", "nope"], "no measurement 'nope'"),
        (["eval", "nope.jsonl"], "nope.jsonl cannot be read"),
        ([], "needs a terminal"),
    ],
)
def test_a_mistake_is_told_in_one_line(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run_command(arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("llmos: ")
    assert said in shown.err
    assert shown.err.count("\n") == 1


@pytest.mark.parametrize("arguments", [["nonsense"], ["run"], ["run", "x", "--nope"], ["run", "x", "--seed", "a"]])
def test_wrong_options_exit_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run_command(arguments) == 2
    assert "Error" in capsys.readouterr().err


def test_a_missing_file_and_an_unreachable_model(capsys: pytest.CaptureFixture[str]) -> None:
    with LLMOS(model=Scripted([])) as system, pytest.raises(UsageError, match=r"gone\.csv"):
        system.run("plot", files=["gone.csv"])
    assert cli.run_command(["run", "hi", "--file", "gone.csv", "--model", "http://127.0.0.1:9/v1"]) == 2
    assert "gone.csv" in capsys.readouterr().err


def test_bytes_that_are_no_utf8_are_told(home: Path) -> None:
    code, out, err = finish(start("run", b"caf\xe9"))
    assert (code, out) == (2, "")
    assert err == "llmos: the request is not valid UTF-8; give other encodings and binary data by --file\n"


def test_a_pipe_gets_the_answer_alone(model: Model, capsys: pytest.CaptureFixture[str]) -> None:
    model.replies = [{"expression": "15% of 2480"}, "It is 372."]
    assert cli.run_command(["run", "what is", "15% of 2480?", "--model", model.url]) == 0
    assert capsys.readouterr() == ("It is 372.\n", "")
    assert model.requests[0]["messages"][-1]["content"] == "what is 15% of 2480?"


def test_json_sessions_and_show(model: Model, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run_command(["sessions"]) == 0
    assert "no sessions yet" in capsys.readouterr().out
    model.replies = [{"expression": "6 * 7"}, "42.", "Still 42."]
    assert cli.run_command(["run", "six times seven", "--json", "--model", model.url]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert rows[0]["type"] == "started"
    assert rows[-1]["type"] == "answer"
    assert rows[-1]["text"] == "42."
    assert {"type": "call", "name": "calculator", "arguments": {"expression": "6 * 7"}}.items() <= next(
        r for r in rows if r["type"] == "call"
    ).items()

    assert cli.run_command(["run", "again", "--session", "last", "--quiet", "--model", model.url]) == 0
    assert capsys.readouterr().out == "Still 42.\n"
    assert cli.run_command(["sessions"]) == 0
    line = capsys.readouterr().out
    assert rows[0]["session"] in line
    assert "2 requests  six times seven" in line
    assert cli.run_command(["sessions", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["requests"] == 2
    assert cli.run_command(["show", "last"]) == 0
    told = capsys.readouterr().out
    assert "\x1b" not in told
    assert [p for p in ("> six times seven", "● calculator  6 * 7", "> again", "Still 42.") if p not in told] == []
    assert cli.run_command(["show", "last", "--json"]) == 0
    assert len([r for r in capsys.readouterr().out.splitlines() if '"answer"' in r]) == 2


def test_think_votes_and_show_draws_the_tree(model: Model, capsys: pytest.CaptureFixture[str]) -> None:
    # Of at most 15 replies 9 settle it: what comes tenth is the answer.
    model.replies = [*[{"expression": "6 * 7"}] * 9, "42."]
    assert cli.run_command(["run", "six times seven", "--think", "100", "--model", model.url]) == 0
    assert capsys.readouterr().out == "42.\n"
    assert cli.run_command(["show", "last", "--tree"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "> six times seven"
    assert "100 s were asked for: thought: 42 (score 0.60); the vote is settled" in told[1]
    assert len(told) == 2 + 9
    assert cli.run_command(["run", "again", "--think", "long", "--model", model.url]) == 2
    assert "seconds, such as 10, or auto" in capsys.readouterr().err
    assert cli.run_command(["bench", "startup", "--problem", "game24"]) == 2
    assert "takes no --problem" in capsys.readouterr().err


def test_a_failure_is_one_line_and_exit_1(model: Model, capsys: pytest.CaptureFixture[str]) -> None:
    model.replies = [""]
    assert cli.run_command(["run", "hi", "--model", model.url]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("llmos: the model ended its turn without an answer")


def test_standard_input_is_a_file(model: Model) -> None:
    model.replies = ["Three rows."]
    process = start("run", "how many rows?", "--model", model.url, stdin=subprocess.PIPE)
    assert finish(process, b"a,b\n1,2\n3,4\n5,6\n") == (0, "Three rows.\n", "")
    assert "stdin.csv" in model.requests[0]["messages"][-1]["content"]


def test_a_silent_standard_input_does_not_hang(model: Model) -> None:
    model.replies = ["Hello."]
    read, write = os.pipe()
    try:
        code, out, err = finish(start("run", "hi", "--model", model.url, stdin=read))
    finally:
        os.close(read)
        os.close(write)
    assert (code, out) == (0, "Hello.\n")
    assert "--file -" in err


def test_a_dash_waits_for_standard_input(model: Model) -> None:
    model.replies = ["Two."]
    process = start("run", "count", "--file", "-", "--model", model.url, stdin=subprocess.PIPE)
    assert finish(process, b"a\n1\n2\n")[1] == "Two.\n"
    assert "stdin" in model.requests[0]["messages"][-1]["content"]


def test_ctrl_c_keeps_the_session(model: Model) -> None:
    process = start("run", "talk", "--json", "--model", model.url)
    assert process.stdout is not None
    started = json.loads(process.stdout.readline())
    while b'"Wait"' not in process.stdout.readline():
        pass
    process.send_signal(signal.SIGINT)
    code, _, err = finish(process)
    assert code == 130
    assert err == f'llmos: stopped; continue with: llmos run --session {started["session"]} "…"\n'
    _, shown, _ = finish(start("show", "last", "--json"))
    assert json.loads(shown.splitlines()[-1])["kind"] == "interrupted"


def test_what_still_computes_neither_delays_nor_aborts_the_end(model: Model) -> None:
    model.replies = ["Hello."]
    process = start("run", "hi", "--memory", "--model", model.url, code=BUSY)
    assert finish(process) == (0, "Hello.\n", "")


def test_a_closed_pipe_is_quiet(model: Model) -> None:
    process = start("--help")
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    assert process.wait(300) == 1
    process.stderr.close()


def test_a_full_disk_is_one_line() -> None:
    with open("/dev/full", "wb") as full:
        code, _, err = finish(start("--version", stdout=full))
    assert code == 1
    assert err.startswith("llmos: no space left on the disk")
    assert err.count("\n") == 1


def test_the_unexpected_is_one_line_and_a_file(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    @cli.app.command("boom")
    def boom() -> None:
        raise ZeroDivisionError("by nothing")

    try:
        assert cli.run_command(["boom"]) == 1
    finally:
        cli.app.registered_commands.pop()
    err = capsys.readouterr().err
    assert err.startswith("llmos: unexpected ZeroDivisionError: by nothing; the whole story is in ")
    assert err.count("\n") == 1
    (kept,) = (home / "crashes").iterdir()
    assert str(kept) in err
    assert "raise ZeroDivisionError" in kept.read_text()


def test_a_terminal_shows_cards_and_streams(model: Model) -> None:
    model.replies = [{"expression": "6 * 7"}, "It is **42**."]
    text = in_terminal("run", "six times seven", "--model", model.url)
    assert "● calculator" in text
    assert "It is \x1b[1m42\x1b[0m." in text
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h")


def in_terminal(*arguments: str) -> str:
    """All that a command writes to a terminal of 60 columns."""
    master, slave = pty.openpty()
    process = start(*arguments, stdin=slave, stdout=slave, stderr=slave, env={**os.environ, "COLUMNS": "60"})
    os.close(slave)
    pieces = []
    # Linux ends a terminal whose other side is closed with an error.
    with suppress(OSError):
        while piece := os.read(master, 65536):
            pieces.append(piece)
    os.close(master)
    assert process.wait(300) == 0
    return b"".join(pieces).decode().replace("\r\n", "\n")


def test_eval_prints_shares_and_keeps_failures(
    model: Model, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    items = [
        {"id": "1", "category": "sums", "prompt": "6 * 7", "expect": {"tool": "calculator", "number": 42}},
        {"id": "2", "category": "talk", "prompt": "hi", "expect": {"tool": None}},
        {
            "id": "3",
            "files": ["t.csv"],
            "turns": [{"prompt": "a", "expect": {"contains": "no"}}, {"prompt": "b", "expect": {}}],
        },
    ]
    path, kept = tmp_path / "items.jsonl", tmp_path / "failed.jsonl"
    path.write_text("".join(json.dumps(item) + "\n" for item in items))
    model.replies = [{"expression": "6 * 7"}, "42", "Hello.", "Yes.", "b"]
    assert cli.run_command(["eval", str(path), "--json", "--failures", str(kept), "--model", model.url]) == 0
    shown = capsys.readouterr()
    report = json.loads(shown.out)
    assert {"name", "machine", "version", "figures", "intervals"} <= set(report)
    assert report["figures"]["accuracy"] == pytest.approx(2 / 3, abs=1e-6)
    assert report["figures"]["first_action"] == report["figures"]["valid_calls"] == 1.0
    assert report["figures"]["turns"] == 0.75
    assert report["intervals"]["accuracy"] == pytest.approx([0.207655, 0.938511], abs=1e-4)
    assert "3/3, 2 passed" in shown.err
    (failed,) = [json.loads(line) for line in kept.read_text().splitlines()]
    assert failed["id"] == "3"
    assert failed["turns"][0]["wrong"] == ["contains: no 'no' in the answer"]
    assert failed["turns"][0]["got"]["text"] == "Yes."


@pytest.mark.parametrize("line", ["{", "[]", '{"id": 1}', '{"prompt": "x", "expect": {"tol": 1}}', '{"turns": []}'])
def test_eval_names_the_line_that_is_wrong(line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "items.jsonl"
    path.write_text('{"prompt": "x", "expect": {}}\n' + line)
    assert cli.run_command(["eval", str(path)]) == 2
    assert "items.jsonl, line 2: " in capsys.readouterr().err


def test_a_conversation_obeys_its_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "my table.csv"
    table.write_text("a,b\n1,2\n")
    script = Scripted(["Hello.", "One row.", ToolCall("x", "calculator", {"expression": "1+1"}), "2"])
    with LLMOS(model=script) as system:
        talk = Conversation(system)
        assert talk.take("hi")
        first = talk.session.id
        assert talk.take("/files 'my table.csv'")
        assert talk.take("how many rows?")
        assert talk.files == []
        assert "my table.csv" in script.seen[-1][-1].text
        assert talk.take("/new")
        assert talk.session.id != first
        assert talk.take("add")
        assert talk.take(f"/session {first}")
        assert talk.session.id == first
        assert talk.take("/session")
        assert talk.take("/sessions")
        assert talk.take("/help")
        assert talk.take("")
        for wrong in ("/nope", "/files gone.csv", "/files 'open", "/session nope"):
            with pytest.raises(UsageError):
                talk.take(wrong)
        assert not talk.take("/quit")
    shown = capsys.readouterr().out
    for part in ("Hello.", "One row.", "● calculator", f"session {first}", "/files [PATH"):
        assert part in shown


def test_the_prompt_takes_pasted_lines_whole_and_remembers(tmp_path: Path) -> None:
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        prompt = make_prompt(tmp_path / "home")
        keys.send_text("\x1b[200~first\nsecond\x1b[201~\r")
        assert prompt.prompt() == "first\nsecond"
        keys.send_text("one\x1b\rtwo\r")
        assert prompt.prompt() == "one\ntwo"
        keys.send_text("\x04")
        with pytest.raises(EOFError):
            prompt.prompt()
    assert "second" in (tmp_path / "home" / "history").read_text()
    assert (tmp_path / "home" / "history").stat().st_mode & 0o077 == 0


def test_the_terminal_conversation_ends_with_ctrl_d(model: Model) -> None:
    model.replies = ["Hello there."]
    master, slave = pty.openpty()
    process = start("--model", model.url, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    seen = b""
    sent = False
    with suppress(OSError):
        while piece := os.read(master, 65536):
            seen += piece
            if not sent and b"Ctrl-D to leave" in seen:
                os.write(master, b"hi\r")
                sent = True
            if b"Hello there." in seen:
                os.write(master, b"\x04")
    os.close(master)
    assert process.wait(300) == 0
    assert b"Hello there." in seen
