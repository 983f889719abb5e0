"""``llmos finetune`` on a tiny random checkpoint: each method, what comes out, and what is said of wrong input."""

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmos.cli import run_command
from llmos.kernel.errors import UsageError
from llmos.kernel.local import LocalModel
from llmos.kernel.wire import CONTROL
from llmos.training import chats, outcomes, tuning

TEMPLATE = Path(__file__).parent.parent / "kernel" / "chat_template.jinja"
CALL = {"id": "c1", "type": "function", "function": {"name": "calculator", "arguments": {"expression": "15% * 2480"}}}
TRACE = {
    "session": "s1",
    "verdict": "good",
    "messages": [
        {"role": "user", "content": "15% of 2480"},
        {"role": "assistant", "content": "", "tool_calls": [CALL]},
        {"role": "tool", "content": "372", "tool_call_id": "c1"},
        {"role": "assistant", "content": "The answer is 372."},
    ],
}
BAD = {"verdict": "bad", "messages": [{"role": "user", "content": "price?"}, {"role": "assistant", "content": "No."}]}
GOOD = {
    "verdict": "good",
    "messages": [{"role": "user", "content": "price?"}, {"role": "assistant", "content": "The price is 15."}],
}
PAIR = {
    "prompt": [{"role": "user", "content": "2 + 2"}],
    "chosen": [{"role": "assistant", "content": "4"}],
    "rejected": [{"role": "assistant", "content": "5"}],
}
CHECKED = {"prompt": "What is the mean of 1 and 2?", "expect": {"calculator": "(1 + 2) / 2"}}
LINES: dict[str, list[Any]] = {
    "sft": [TRACE, GOOD, PAIR],
    "dpo": [PAIR, GOOD, BAD],
    "reward": [PAIR, GOOD, BAD],
    "grpo": [CHECKED] * 2,
}


def write(path: Path, lines: list[Any]) -> Path:
    path.write_text("".join(f"{x if isinstance(x, str) else json.dumps(x)}\n" for x in lines), encoding="utf-8")
    return path


@pytest.fixture
def tiny(qwen3_folder: Callable[..., Path], write_tokenizer: Callable[..., Path], tmp_path: Path) -> Path:
    """A checkpoint with a chat template."""
    folder = qwen3_folder(tmp_path / "tiny")
    return write_tokenizer(folder, CONTROL, eos_token="<|im_end|>", chat_template=TEMPLATE.read_text(encoding="utf-8"))


@pytest.fixture
def reached(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What was asked of the network; it is not there."""
    asked: list[object] = []

    def refuse(*where: object, **more: object) -> None:
        asked.append(where)
        raise OSError("no network")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    return asked


def tune(model: Path, data: Path, out: Path, method: str, *more: str) -> int:
    options = ["--model", str(model), "--data", str(data), "--out", str(out), "--method", method, "--lora-rank", "4"]
    return run_command(["finetune", *options, *more])


@pytest.mark.parametrize("method", ["sft", "dpo", "reward", "grpo"])
def test_each_method_makes_a_checkpoint_and_asks_nobody(
    method: str, tiny: Path, tmp_path: Path, reached: list[object], capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("trl")
    data, out = write(tmp_path / "data.jsonl", LINES[method]), tmp_path / "out"
    assert tune(tiny, data, out, method, "--steps", "2", "--batch", "2", "--group", "2", "--answer", "4") == 0
    assert "tuned: 2 steps" in capsys.readouterr().out
    assert reached == []
    assert (out / "adapter" / "adapter_model.safetensors").is_file()
    assert (out / "curves.png").read_bytes().startswith(b"\x89PNG")
    points = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert any(("reward" if method == "grpo" else "loss") in point for point in points)
    if method == "reward":
        assert json.loads((out / "config.json").read_text())["architectures"] == ["Qwen3ForSequenceClassification"]
    else:
        model = LocalModel(out)
        assert model.engine.info.parameters == LocalModel(tiny).engine.info.parameters


def test_the_loss_falls_on_what_is_shown_again_and_again(tiny: Path, tmp_path: Path) -> None:
    pytest.importorskip("trl")
    data, out = write(tmp_path / "data.jsonl", [GOOD]), tmp_path / "out"
    assert tune(tiny, data, out, "sft", "--steps", "25", "--rate", "0.02", "--batch", "1") == 0
    losses = [p["loss"] for p in map(json.loads, (out / "log.jsonl").read_text().splitlines()) if "loss" in p]
    assert losses[-1] < losses[0] / 2


def test_what_is_learnt_is_what_the_assistant_says_after_what_was_asked() -> None:
    rows = [chats._row(line, n) for n, line in enumerate([TRACE, BAD, PAIR], 1)]
    first, second, third = chats.ends(rows)
    assert [m["role"] for m in first.prompt] == ["user"]
    assert first.said[0]["tool_calls"] == [CALL]
    assert [m["role"] for m in second.prompt] == ["user", "assistant", "tool"]
    assert (third.line, third.said[0]["content"]) == (3, "4")
    pair, judged = chats.pairs([*rows, chats._row(GOOD, 4)])
    assert (pair.chosen[0]["content"], pair.rejected[0]["content"]) == ("4", "5")
    assert (judged.chosen[0]["content"], judged.rejected[0]["content"]) == ("The price is 15.", "No.")


def test_mistakes_are_one_line_each(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tuning, "NEEDED", ())  # all of it is said before anything of that is loaded
    good = write(tmp_path / "good.jsonl", [GOOD])
    (tmp_path / "nothing").mkdir()
    taken = tmp_path / "taken"
    write(tmp_path / "file", [])
    taken.mkdir()
    write(taken / "x", [])
    cases: list[tuple[Path, list[Any] | Path, str, Path, str]] = [
        (tiny, good, "ppo", tmp_path / "o", "there is no method 'ppo'; there are: sft, dpo, reward, grpo"),
        (tiny, tmp_path / "no.jsonl", "sft", tmp_path / "o", "no.jsonl cannot be read: No such file"),
        (tiny, [], "sft", tmp_path / "o", "is empty"),
        (tiny, [GOOD, "{"], "sft", tmp_path / "o", "line 2: no JSON"),
        (tiny, [GOOD, {"text": "x"}], "sft", tmp_path / "o", "line 2: needs messages, or prompt"),
        (tiny, [{"messages": [{"role": "cat", "content": "x"}]}], "sft", tmp_path / "o", "line 1: a message of"),
        (tiny, [BAD], "sft", tmp_path / "o", "holds no dialogue"),
        (tiny, good, "dpo", tmp_path / "o", "holds no comparison"),
        (tiny, good, "grpo", tmp_path / "o", "holds no prompt whose answer can be checked"),
        (tiny, [{**CHECKED, "expect": {"smell": 1}}], "grpo", tmp_path / "o", "line 1: expect has no 'smell'"),
        (tiny, [{**CHECKED, "expect": {"calculator": "1 +"}}], "grpo", tmp_path / "o", "line 1: the calculator cannot"),
        (tmp_path / "nothing", good, "sft", tmp_path / "o", "not a checkpoint"),
        (tmp_path / "none", good, "sft", tmp_path / "o", "no checkpoint at"),
        (Path("embedded"), good, "sft", tmp_path / "o", "the embedded kernel is trained by"),
        (tiny, good, "sft", taken, "taken is there already"),
    ]
    for model, data, method, out, says in cases:
        path = data if isinstance(data, Path) else write(tmp_path / "data.jsonl", data)
        assert tune(model, path, out, method) in (1, 2)
        said = capsys.readouterr().err
        assert says in said
        assert said.count("\n") == 1


def test_without_the_extra_it_says_how_to_get_it(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tuning, "NEEDED", ("no_such_package",))
    assert tune(tiny, write(tmp_path / "data.jsonl", [GOOD]), tmp_path / "out", "sft") == 2
    assert "pip install 'llmos[train]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("answer", "expect", "is_right"),
    [
        ("It is 372.", {"calculator": "15% * 2480"}, True),
        ("It is 373.", {"calculator": "15% * 2480"}, False),
        ("One third is 0.333333333.", {"calculator": "1/3"}, True),
        ("  Paris. ", {"exact": "paris"}, True),
        ("Paris, France", {"exact": "paris"}, False),
        ("Paris, France", {"contains": ["paris", "france"]}, True),
        ("7 or 8", {"number": 8, "contains": "9"}, False),
    ],
)
def test_outcomes(answer: str, expect: dict[str, Any], is_right: bool) -> None:
    assert outcomes.problem(expect) == ""
    assert outcomes.right(answer, expect) is is_right


def test_a_test_runs_after_the_code_of_the_answer_in_a_sandbox() -> None:
    from llmos.tools.sandbox import self_test

    if lacking := self_test():
        with pytest.raises(UsageError, match="sandbox"):
            outcomes.right("x = 1", {"test": "assert x == 1"})
        pytest.skip(lacking)
    fenced = "So:\n```python\ndef twice(n):\n    return 2 * n\n```"
    assert outcomes.right(fenced, {"test": "assert twice(4) == 8"})
    assert not outcomes.right(fenced, {"test": "assert twice(4) == 9"})
    assert not outcomes.right("def twice(n", {"test": "pass"})
