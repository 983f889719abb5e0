"""A conversation: in a real terminal by tmux, key by key; and its parts by themselves."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from llmos import LLMOS, LLMOSError, Scripted, ToolCall, UsageError, tool
from llmos.consent import Consent
from llmos.kernel.dispatch import Asked
from llmos.kernel.types import Explored, Pinned, Request, Verdict
from llmos.prompting import Words, beginning, dropped, with_files
from llmos.repl import Conversation

# A model that does what it is told to, and takes its time where it is asked to.
WORLD = """
import sys, time
from llmos import LLMOS, Scripted, ToolCall, tool
from llmos.repl import Conversation

@tool(does="write", derives=True)
def mail(to: str) -> str:
    '''Sends a mail.'''
    return f"sent to {to}"

def reply(messages):
    last, asked = messages[-1], [m.text for m in messages if m.role == "user"]
    if last.role == "tool":
        return f"It says: {last.text[:40]}"
    word = asked[-1].split()[-1]
    known = {
        "slow": "word " * 400,
        "sleep": ToolCall("x", "python", {"code": "import time\\ntime.sleep(60)"}),
        "set": ToolCall("x", "python", {"code": "a = 1"}),
        "change": ToolCall("x", "python", {"code": "a = 2; open('changed.txt', 'w').close()"}),
        "tell": ToolCall("x", "python", {"code": "print('a is', a)"}),
        "mail": ToolCall("x", "mail", {"to": "mum"}),
        "long": "A very long answer with **bold** words, " * 8 + "and `code`.",
        "wide": "\\u4e16\\u754c" * 60,
        "rude": "\\x1b[2J\\x1b[31mred\\x07 done",
    }
    return known.get(word, f"heard {len(asked)}: {asked[-1]!r}"[:200])

class Slow(Scripted):
    def reply(self, messages, *rest, **more):
        slow = messages[-1].text.endswith("slow")
        for delta in super().reply(messages, *rest, **more):
            time.sleep(0.03 * slow)
            yield delta

talk = Conversation(lambda: LLMOS(model=Slow(reply), tools=[mail], remembers=False), plain="--plain" in sys.argv)
code = talk.run()
talk.close()
print("left with", code)
"""


FLAGS = re.DOTALL | re.MULTILINE
READY = r"^> *\s*\Z"


class Terminal:
    """A terminal of 60 columns with a conversation in it."""

    def __init__(self, folder: Path, *options: str, columns: int = 60, **environment: str) -> None:
        self._name = f"llmos-{os.getpid()}-{time.monotonic_ns()}"
        (folder / "world.py").write_text(WORLD)
        keep = {k: v for k, v in os.environ.items() if k in ("PATH", "PYTHONPATH", "HOME", "LANG", "TMUX_TMPDIR")}
        told = {**keep, "LLMOS_HOME": str(folder / "home"), "LC_ALL": "C.UTF-8", **environment}
        settings = " ".join(f"{k}={shlex.quote(v)}" for k, v in told.items())
        run = (
            f"cd {shlex.quote(str(folder))}; env -i TERM=$TERM {settings} {sys.executable} world.py {' '.join(options)}"
        )
        size = ["-x", str(columns), "-y", "24"]
        self.tmux("-f", "/dev/null", "new-session", "-d", *size, f"{run}; echo ended; sleep 100")

    def tmux(self, *arguments: str) -> str:
        done = subprocess.run(["tmux", "-L", self._name, *arguments], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def type(self, text: str, enter: bool = True) -> None:
        self.tmux("send-keys", "-l", text)
        if enter:
            self.tmux("send-keys", "Enter")

    def press(self, *keys: str) -> None:
        self.tmux("send-keys", *keys)

    def screen(self, history: bool = True) -> str:
        return self.tmux("capture-pane", "-p", "-J", *(["-S", "-"] if history else []))

    def wait(self, pattern: str, seconds: float = 120) -> None:
        """Until the screen, from the last request on, shows the pattern, and then the prompt again."""
        end = time.monotonic() + seconds
        while not re.search(pattern, shown := self.screen(), FLAGS):
            assert "Traceback" not in shown, shown
            assert time.monotonic() < end, f"no {pattern!r} in:\n{shown}"
            time.sleep(0.05)

    def clear(self) -> None:
        """Leave nothing but the prompt; what the terminal keeps of what it clears is cleared after it."""
        self.press("C-l")
        end = time.monotonic() + 120
        while not re.fullmatch(r"> *\s*", shown := self.screen(history=False)):
            assert time.monotonic() < end, shown
            time.sleep(0.05)
        self.tmux("clear-history")

    def say(self, typed: str, pattern: str) -> None:
        """Type a line, and wait until what follows it shows the pattern, and then the prompt; it is echoed once."""
        line, end = f"> {typed}\n", time.monotonic() + 120
        before = self.screen().count(line)
        self.type(typed)
        while True:
            shown = self.screen()
            assert "Traceback" not in shown, shown
            if shown.count(line) > before and re.search(f"(?:{pattern}).*{READY}", shown.rpartition(line)[2], FLAGS):
                assert shown.count(line) == before + 1
                return
            assert time.monotonic() < end, f"no {pattern!r} in:\n{shown}"
            time.sleep(0.05)

    def close(self) -> None:
        subprocess.run(["tmux", "-L", self._name, "kill-server"], capture_output=True, timeout=60)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    if shutil.which("tmux") is None:
        pytest.skip("tmux is missing: apt-get install tmux")
    made: list[Terminal] = []

    def make(*options: str, **more: str) -> Terminal:
        made.append(Terminal(tmp_path, *options, **more))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for one in made:
        one.close()


# What is typed, and what the screen shows then.
TYPED = [
    ("hello", r"heard 1: 'hello'"),
    ("/tools", r"mail\s+Sends a mail\."),
    ("/think", r"^off"),
    ("/think soon", r"llmos: .*soon"),
    ("/think 2", r"^2 seconds a request"),
    ("/think off", r"^off"),
    ("/model", r"^scripted"),
    ("/session", r"^\d{8}-\d{4}-\w{4}"),
    ("/nothing", r"there is no command /nothing"),
    ("/thme dark", r"did you mean theme\?"),
    ("say long", r"and code|and `code`"),
    ("say wide", "\u4e16\u754c" * 15),
    ("be rude", r"red done"),
    ("please set", r"It says: \(no output\)"),
    ("please change", r"● python.*a = 2"),
    ("/files", r"^ +changed\.txt"),
    ("/undo", r"undone: please change"),
    ("/files", r"^no files yet"),
    ("please tell", r"It says: a is 1"),
    ("/retry", r"It says: a is 1"),
    ("/edit hello again", r"heard \d: 'hello again'"),
    ("/good it is right", r"kept: good"),
    ("/bad", r"kept: bad"),
    ("/fork", r"session \S+, a fork of \S+"),
    ("please tell", r"It says: a is 1"),
    ("/files", r"no files yet"),
    ("/files t.csv", r"with the next request: t\.csv"),
    ("how many rows", r"heard \d: .*t\.csv"),
    ("what is in @u.csv", r"heard \d: .*u\.csv"),
    ("/files", r"data/t\.csv\s+data/u\.csv"),
    ("/save out.txt", r"written: out\.txt"),
    ("/save out.txt", r"out\.txt is there already"),
    ("/memory", r"nothing is remembered|memory|install"),
    ("/theme light", r"^light; for good"),
    ("/theme none", r"^none; for good"),
    ("/theme pink", r"there is no theme 'pink'"),
    ("/persona", r"llmos itself"),
    ("/persona nobody", r"there is no persona 'nobody'"),
    ("/persona math-mentor", r"Math Mentor: "),
    ("/model http://127.0.0.1:9/v1", r"cannot|reach|refused"),
    ("/sessions", r"requests? +hello"),
    ("/resume", r"^session \S+.*^was: "),
    ("/new", r"^session \S+"),
    ("/help", r"leave, as does Ctrl-D"),
]


def test_every_command_in_a_terminal_of_sixty_columns(terminal: Callable[..., Terminal], tmp_path: Path) -> None:
    for name in "tu":
        (tmp_path / f"{name}.csv").write_text("a,b\n1,2\n")
    here = terminal()
    here.wait(r"say what you want" + r".*" + READY)
    for typed, shown in TYPED:
        here.say(typed, shown)
        assert all(len(line) <= 60 for line in here.tmux("capture-pane", "-p").splitlines())
    here.type("/quit")
    here.wait(r"left with 0\nended")
    assert "Traceback" not in here.screen()
    assert (tmp_path / "out.txt").read_text().startswith("heard")


def test_keys_stop_paste_search_and_resize(terminal: Callable[..., Terminal], tmp_path: Path) -> None:
    here = terminal()
    here.wait(READY)
    here.type("be slow")
    here.wait(r"word word")
    here.press("C-c")
    here.wait(r"stopped.*" + READY)
    here.type("please sleep")
    here.wait(r"time\.sleep\(60\)")
    time.sleep(0.3)
    here.press("C-c")
    here.wait(r"stopped.*stopped.*" + READY)
    here.say("hello", r"heard 3: 'hello'")
    here.tmux("set-buffer", "one\ntwo\nthree")
    here.tmux("paste-buffer", "-p")
    here.wait(r"> one\n  two\n  three")
    here.press("Enter")
    here.wait(r"heard 4: 'one\\ntwo\\nthree'.*" + READY)
    here.type("half a line", enter=False)
    here.press("C-c")
    here.type("whole")
    here.wait(r"heard 5: 'whole'.*" + READY)
    here.press("C-r")
    here.type("hel", enter=False)
    here.wait(r"> hello\s+I-search backward: *hel")
    here.press("Enter")
    here.press("Enter")
    here.wait(r"heard 6: 'hello'.*" + READY)
    here.press("Up")
    here.wait(r"> hello\s*\Z")
    here.press("C-c")
    here.tmux("resize-window", "-x", "100", "-y", "30")
    here.type("be slow")
    here.wait(r"word word")
    here.tmux("resize-window", "-x", "40", "-y", "12")
    time.sleep(0.3)
    here.press("C-c")
    here.wait(r"stopped[^w]*" + READY)
    here.type("/th", enter=False)
    here.press("Tab")
    here.wait(r"/theme")
    here.press("C-c")
    here.wait(r"> /th\w* *\n" + READY)
    here.press("C-d")
    here.wait(r"left with 0\nended")
    assert "Traceback" not in here.screen()


def test_keys_that_are_typed_ahead_are_kept(terminal: Callable[..., Terminal]) -> None:
    here = terminal()
    here.wait(READY)
    here.type("be slow")
    here.wait(r"word word")
    here.type("hello")
    here.press("C-d")
    here.wait(r"heard 2: 'hello'.*left with 0\nended")
    shown = here.screen()
    assert re.search(r"(word\s+){400}> hello\n", shown)  # nothing of it was echoed into the answer
    assert "Traceback" not in shown


def test_approvals_are_asked_for_in_place(terminal: Callable[..., Terminal]) -> None:
    here = terminal()
    here.wait(READY)
    question = r"\[y\]es, \[a\]lways in this session, \[N\]o, \[s\]how:"

    def ask(answer: str, shown: str) -> None:
        here.clear()
        here.type("the mail")
        here.wait(question + r" *\s*\Z")
        here.type(answer)
        here.wait(shown)

    ask("", r"not allowed: writes.*" + READY)
    ask("y", r"It says: sent to mum.*" + READY)
    ask("s", r'"to": "mum".*rule: writes.*' + question + r" *\s*\Z")
    here.type("n")
    here.wait(r"not allowed: writes.*" + READY)
    here.type("the mail")
    here.wait(question + r" *\s*\Z")
    here.press("C-c")
    here.wait(r"stopped.*" + READY)
    ask("a", r"It says: sent to mum.*" + READY)
    here.clear()
    here.type("the mail")
    here.wait(r"allowed by you.*It says: sent to mum.*" + READY)
    assert "[N]o" not in here.screen()
    here.type("/new")
    here.wait(r"session \S+.*" + READY)
    ask("y", r"It says: sent to mum.*" + READY)


def test_plain_mode_moves_nothing(terminal: Callable[..., Terminal], tmp_path: Path) -> None:
    here = terminal("--plain", NO_COLOR="1")
    here.tmux("pipe-pane", f"cat > {tmp_path}/bytes")
    here.wait(READY)
    for typed, shown in (("hello", "heard 1"), ("please set", r"tool python.*ok \d"), ("/undo", "undone: please set")):
        here.say(typed, shown)
    here.type("one\\")
    here.type("two")
    here.wait(r"heard 2: 'one\\ntwo'")
    here.press("C-d")
    here.wait(r"left with 0\nended")
    written = (tmp_path / "bytes").read_bytes()
    assert b"heard 2" in written
    # readline itself turns bracketed paste on and off; nothing moves, erases or colours.
    assert re.sub(rb"\x1b\[\?2004[hl]", b"", written).count(b"\x1b") == 0


def complete(text: str) -> list[str]:
    words = Words({"persona": lambda: ["math-mentor", "marathon-coach"], "files": None, "theme": lambda: ["dark"]})
    return [c.text for c in words.get_completions(Document(text), CompleteEvent())]


def test_completion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my table.csv").touch()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "x.csv").touch()
    (tmp_path / ".hidden").touch()
    assert complete("/p") == ["/persona"]
    assert complete("/persona ma") == ["math-mentor", "marathon-coach"]
    assert complete("/files my") == ["'my table.csv'"]
    assert complete("plot @d") == ["@data/"]
    assert complete("plot @data/") == ["@data/x.csv"]
    assert complete('plot @"my') == ['@"my table.csv"']
    assert complete("plot data") == complete("me@d") == complete("/nothing x") == []
    assert beginning(".h") == [".hidden"]
    assert beginning("no/such/") == []


def test_files_are_named_and_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    table = tmp_path / "my table.csv"
    table.touch()
    assert dropped(f"'{table}'") == dropped(str(table).replace(" ", "\\ ")) == [table]
    assert dropped(f"file://{str(table).replace(' ', '%20')}") == [table]
    assert dropped("'my table.csv'") == dropped(f"plot '{table}'") == dropped("/gone") == dropped("it's") == []
    assert with_files('plot @"my table.csv" for me@home and @nobody') == (
        "plot my table.csv for me@home and @nobody",
        [Path("my table.csv")],
    )


def test_a_dropped_file_goes_with_the_next_request(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "t.csv"
    table.write_text("a,b\n1,2\n")
    model = Scripted(["One row."])
    with LLMOS(model=model, home=tmp_path / "home") as system:
        talk = Conversation(system)
        assert talk.take(str(table))
        assert talk.take("how many?")
    assert "t.csv" in model.seen[0][-1].text
    assert "with the next request: t.csv" in capsys.readouterr().out


def test_what_edit_and_verdicts_leave_in_the_log(tmp_path: Path) -> None:
    with LLMOS(model=Scripted(["a", "b", "c"]), home=tmp_path) as system:
        talk = Conversation(system)
        for early in ("/undo", "/retry", "/edit", "/good", "/pin", "/save x", "/fork", "/resume"):
            with pytest.raises(UsageError):
                talk.take(early)
        talk.take("helo")
        talk.take("/edit")
        assert (talk.draft, talk.anew) == ("helo", True)
        talk.take("hello")
        talk.take("/good clear")
        talk.take("/pin")
        talk.take("/pin off")
        with pytest.raises(UsageError, match="takes nothing"):
            talk.take("/pin this")
        talk.take("and now")
        events = talk.session.events()
        asked = [e.id for e in talk.session.path() if isinstance(e, Request)]
        assert [(e.request, e.on) for e in events if isinstance(e, Pinned)] == [(asked[0], True), (asked[0], False)]
        assert [e.text for e in talk.session.path() if isinstance(e, Request)] == ["hello", "and now"]
        (verdict,) = [e for e in events if isinstance(e, Verdict)]
        assert (verdict.verdict, verdict.note) == ("good", "clear")
        with pytest.raises(UsageError):
            talk.session.judge("prefer")


def test_a_retry_and_an_edit_think_too(tmp_path: Path) -> None:
    with LLMOS(model=Scripted(lambda messages: "4"), home=tmp_path) as system:
        talk = Conversation(system, plain=True)
        thought = []
        for line in ("two and two?", "/think 5", "/retry", "/edit 2 + 2?", "/think off", "/retry"):
            before = len(talk.session.events())
            talk.take(line)
            thought.append(any(isinstance(e, Explored) for e in talk.session.events()[before:]))
        assert thought == [False, False, True, True, False, False]


def test_what_an_undo_leaves_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    @tool(does="write", derives=True)
    def mail(to: str) -> str:
        """Sends a mail. to: whom"""
        return f"sent to {to}"

    model = Scripted([ToolCall("x", "mail", {"to": "mum"}), "sent", "no mail"])
    with LLMOS(model=model, home=tmp_path, tools=[mail], allow=["mail"]) as system:
        talk = Conversation(system, plain=True)
        for line in ("write to mum", "/retry", "/undo"):
            talk.take(line)
    told = [line for line in capsys.readouterr().err.splitlines() if "stays" in line]
    assert told == ["llmos: what mail did stays done"]  # after the retry; its second answer did nothing


def test_a_model_that_cannot_be_loaded_changes_nothing(tmp_path: Path) -> None:
    with LLMOS(model=Scripted(["a", "b"]), home=tmp_path) as system:
        talk = Conversation(system)
        talk.take("one")
        before = talk.session.id
        with pytest.raises(LLMOSError):
            talk.take(f"/model {tmp_path}/nowhere")
        talk.take("two")
        assert talk.session.id == before


def test_always_is_of_a_tool_and_a_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    answers, asked = ["a", "", "a", "y", "yikes"], []

    class Screen:
        def question(self, text: str) -> str:
            asked.append(text)
            return answers.pop(0)

    consent = Consent(lambda: Screen())  # type: ignore[arg-type,return-value]

    def may(rule: str, yes: bool = True) -> bool:
        return consent(Asked("r1", "mail", {"to": "a\u202eb"}, rule, "it reaches other machines", yes))

    assert may("reaches-out")
    assert may("reaches-out")
    assert len(asked) == 1
    assert not may("writes")
    assert not may("untrusted-arguments", yes=False)  # in sight of others' text there is no always
    assert "lways" not in asked[-1]
    consent.forget()
    assert may("reaches-out")
    assert not may("reaches-out")
    assert "\u202e" not in "".join(asked)


def test_a_tool_call_in_a_conversation_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = ToolCall("x", "calculator", {"expression": "6 * 7"})
    with LLMOS(model=Scripted([call, "42"]), home=tmp_path) as system:
        Conversation(system, plain=True).take("six times seven")
    assert "tool calculator  6 * 7" in capsys.readouterr().out
