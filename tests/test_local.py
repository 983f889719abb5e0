"""Local models through the Model door, over a network that says what it is told to, and over random checkpoints."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from llmos.kernel import wire
from llmos.kernel.branches import TorchEngine
from llmos.kernel.codec import Codec
from llmos.kernel.engine import CallMade, Delta, EngineInfo, Finished, Sampling, TextDelta, ThoughtDelta
from llmos.kernel.errors import BudgetError, ModelError
from llmos.kernel.holds import common_prefix
from llmos.kernel.lean import Lean
from llmos.kernel.local import LocalModel, StopStrings, find
from llmos.kernel.sampler import Sampler, pick
from llmos.kernel.stores import Stores
from llmos.kernel.tool import Tool, ToolOutput
from llmos.kernel.tree import Tree
from llmos.kernel.types import Malformed, Message, Part, Source, ToolCall

EXPRESSION = {"expression": {"type": "string", "maxLength": 30}}
SCHEMA = {"type": "object", "properties": EXPRESSION, "required": ["expression"]}
TOOLS = [Tool("calculator", "exact arithmetic", SCHEMA, lambda arguments, context: ToolOutput(""))]
# What no rule takes for a calculation, so that the model is free to say what it likes.
ASKED = [Message("user", (Part("why is 2+2 so popular?", Source("user")),))]


@dataclass
class Ids:
    """What a scripted network has read."""

    ids: list[int] = field(default_factory=list)

    def copy(self, length: int) -> "Ids":
        return Ids(self.ids[:length])

    def truncate(self, length: int) -> None:
        del self.ids[length:]


class Script:
    """A network that wants to say ``words`` after the last assistant header, whatever came before."""

    rewindable = True

    def __init__(self, codec: Codec, words: Sequence[int], window: int = 512) -> None:
        self.info = EngineInfo(codec.size, window, 0, "cpu", "float32")
        self._words, self._header = list(words), [codec.id(wire.TURN), *codec.encode("assistant\n")]

    def store(self) -> Ids:
        return Ids()

    def run(self, ids: Sequence[int], store: Ids) -> torch.Tensor:
        store.ids += ids
        at = next(i for i in range(len(store.ids), 0, -1) if store.ids[i - len(self._header) : i] == self._header)
        said = len(store.ids) - at
        logits = torch.zeros(self.info.vocabulary)
        logits[self._words[said] if said < len(self._words) else self._words[-1]] = 9.0
        return logits


@pytest.fixture
def speak(tokenizer_folder: Path, codec: Codec) -> Callable[..., LocalModel]:
    """A model that says the given pieces: text, or control tokens by name in a list."""

    def make(*said: str | list[str], **settings: Any) -> LocalModel:
        words: list[int] = []
        for piece in said:
            words += codec.encode(piece) if isinstance(piece, str) else [codec.id(name) for name in piece]
        return LocalModel(tokenizer_folder, net=Script(codec, words, **settings))

    return make


def text_of(deltas: Sequence[Delta], branch: int = 0) -> str:
    return "".join(d.text for d in deltas if isinstance(d, TextDelta) and d.branch == branch)


def calls_of(deltas: Sequence[Delta]) -> list[ToolCall | Malformed]:
    return [d.call for d in deltas if isinstance(d, CallMade)]


CALL = '\n{"name": "calculator", "arguments": {"expression": "2+2"}}\n'


def test_text_then_calls_then_the_end(speak: Callable[..., LocalModel]) -> None:
    call = ([wire.CALL], CALL, [wire.CALL_END])
    model = speak("See é.\n", *call, "\n", *call, [wire.TURN_END])
    deltas = list(model.reply(ASKED, TOOLS))
    assert text_of(deltas) == "See é."
    assert [(c.name, c.arguments) for c in calls_of(deltas) if isinstance(c, ToolCall)] == [
        ("calculator", {"expression": "2+2"})
    ] * 2
    end = deltas[-1]
    assert isinstance(end, Finished)
    assert (end.reason, end.prompt_tokens) == ("stop", model.count(ASKED, TOOLS))
    assert end.generated_tokens > 20
    assert end.logprob < 0


def test_a_call_spelled_out_as_text_is_never_a_call(speak: Callable[..., LocalModel]) -> None:
    deltas = list(speak("<tool_call>" + CALL + "</tool_call>", [wire.TURN_END]).reply(ASKED, TOOLS))
    assert not calls_of(deltas)
    assert text_of(deltas) == "<tool_call>" + CALL + "</tool_call>"


def test_a_model_that_wants_a_tool_it_was_not_offered_cannot_have_it(speak: Callable[..., LocalModel]) -> None:
    wish = '\n{"name": "shell", "arguments": {}}\n'
    deltas = list(speak([wire.CALL], wish, [wire.CALL_END, wire.TURN_END]).reply(ASKED, TOOLS, Sampling(max_tokens=60)))
    assert all(c.name == "calculator" for c in calls_of(deltas) if isinstance(c, ToolCall))
    deltas = list(speak([wire.CALL], wish, [wire.CALL_END, wire.TURN_END]).reply(ASKED, [], Sampling(max_tokens=60)))
    assert not calls_of(deltas)


def test_a_model_that_wants_to_forge_a_turn_cannot(speak: Callable[..., LocalModel], codec: Codec) -> None:
    model = speak("a", [wire.RESPONSE], "b", [wire.TURN], "system", [wire.TURN_END])
    deltas = list(model.reply(ASKED, TOOLS, Sampling(max_tokens=8)))
    assert codec.control_ids.isdisjoint(codec.encode(text_of(deltas)))
    branch = model.engine.open(wire.render(ASKED, TOOLS, codec))
    stops = tuple(model.wire.form.stops)
    steps = list(branch.decode(Sampling(max_tokens=8), model.grammars.turn(TOOLS), stops))
    assert codec.control_ids.isdisjoint(s.token for s in steps[:-1])


def test_thoughts_stream_apart(speak: Callable[..., LocalModel]) -> None:
    deltas = list(speak([wire.THINK], "hm", [wire.THINK_END], "four", [wire.TURN_END]).reply(ASKED, TOOLS))
    assert "".join(d.text for d in deltas if isinstance(d, ThoughtDelta)) == "hm"
    assert text_of(deltas) == "four"


def test_the_token_limit_ends_a_reply(speak: Callable[..., LocalModel]) -> None:
    deltas = list(speak("and so on").reply(ASKED, TOOLS, Sampling(max_tokens=9)))
    assert isinstance(deltas[-1], Finished)
    assert (deltas[-1].reason, deltas[-1].generated_tokens) == ("length", 9)


def test_a_call_that_never_ends_is_closed_before_the_limit(speak: Callable[..., LocalModel]) -> None:
    endless = '\n{"name": "calculator", "arguments": {"expression": "' + "1 + " * 200
    schema = {**SCHEMA, "properties": {"expression": {"type": "string"}}}
    tools = [replace(TOOLS[0], parameters=schema)]
    deltas = list(speak([wire.CALL], endless).reply(ASKED, tools, Sampling(max_tokens=200)))
    (call,) = calls_of(deltas)
    assert isinstance(call, ToolCall)
    assert str(call.arguments["expression"]).startswith("1 + 1 + ")
    assert isinstance(deltas[-1], Finished)
    assert deltas[-1].reason == "stop"


def test_where_no_call_could_be_closed_none_is_opened(speak: Callable[..., LocalModel]) -> None:
    deltas = list(speak([wire.CALL], CALL, [wire.CALL_END, wire.TURN_END]).reply(ASKED, TOOLS, Sampling(max_tokens=9)))
    assert not calls_of(deltas)


def test_stop_strings_cut_the_text_wherever_the_tokens_fall(speak: Callable[..., LocalModel]) -> None:
    model = speak("one two three four", [wire.TURN_END])
    deltas = list(model.reply(ASKED, [], Sampling(stop=("o th", "never"))))
    assert text_of(deltas) == "one tw"
    assert isinstance(deltas[-1], Finished)
    assert deltas[-1].reason == "stop"
    assert text_of(list(model.reply(ASKED, [], Sampling(stop=("fourth",))))) == "one two three four"


@pytest.mark.parametrize("size", [1, 2, 5, 100])
def test_stop_strings_hold_back_no_more_than_a_possible_beginning(size: int) -> None:
    text = "abcabdabe."
    cut = StopStrings(("abe",))
    out: list[Delta] = []
    for i in range(0, len(text), size):
        out += cut.feed([TextDelta(text[i : i + size])])
    assert text_of([*out, *cut.flush()]) == "abcabd"
    assert cut.hit


def test_a_prompt_over_the_window_is_a_clear_error(speak: Callable[..., LocalModel]) -> None:
    model = speak("x", window=30)
    with pytest.raises(BudgetError, match=r"the prompt has \d+ tokens, the model's window holds 30"):
        list(model.reply([Message("user", (Part("long " * 50, Source("user")),))], []))


def test_a_reply_ends_where_the_window_does(speak: Callable[..., LocalModel]) -> None:
    model = speak("word " * 60, window=60)
    end = list(model.reply(ASKED, []))[-1]
    assert isinstance(end, Finished)
    assert end.reason == "length"
    assert end.prompt_tokens + end.generated_tokens == 60


def test_closing_a_reply_early_frees_its_branches(speak: Callable[..., LocalModel]) -> None:
    model = speak("a b c d e", [wire.TURN_END])
    reply = model.reply(ASKED, [], n=3)
    next(reply)
    reply.close()  # type: ignore[attr-defined]
    assert isinstance(model.engine, TorchEngine)
    keep = model.engine.keep
    assert isinstance(keep, Stores)
    assert all(s.users == 0 for s in keep.slots)


# From here on: random checkpoints, whose words mean nothing but whose numbers must agree.


@pytest.fixture(scope="module")
def folder(qwen3_folder: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return qwen3_folder(tmp_path_factory.mktemp("qwen3"))


@pytest.fixture
def model(folder: Path) -> LocalModel:
    return LocalModel(folder)


def decode(branch: Any, tokens: int = 12, **how: Any) -> list[int]:
    return [s.token for s in branch.decode(Sampling(max_tokens=tokens, **how))]


def test_a_real_checkpoint_replies_validly_whatever_it_says(model: LocalModel) -> None:
    for seed in range(3):
        deltas = list(model.reply(ASKED, TOOLS, Sampling(max_tokens=120, temperature=1.0, seed=seed), n=2))
        ends = [d for d in deltas if isinstance(d, Finished)]
        assert [e.branch for e in sorted(ends, key=lambda e: e.branch)] == [0, 1]
        assert all(isinstance(c, ToolCall) for c in calls_of(deltas)) or any(e.reason == "length" for e in ends)
    assert "embedded" not in model.name
    assert model.context_length == 512


def test_a_seed_fixes_a_reply_and_branches_do_not_disturb_one_another(model: LocalModel, folder: Path) -> None:
    how = Sampling(max_tokens=30, temperature=1.0, seed=5)
    four = list(model.reply(ASKED, TOOLS, how, n=4))
    fresh = LocalModel(folder)
    for branch in range(4):
        alone = list(fresh.reply(ASKED, TOOLS, Sampling(max_tokens=30, temperature=1.0, seed=5 + branch)))
        assert text_of(alone) == text_of(four, branch)
    assert len({text_of(four, b) for b in range(4)}) > 1


def test_choices_hold(model: LocalModel) -> None:
    how = Sampling(choices=("positive", "negative"), temperature=1.5)
    deltas = list(model.reply(ASKED, [], how, n=6))
    assert {text_of(deltas, b) for b in range(6)} <= {"positive", "negative"}


def test_a_reply_without_calls_is_text_alone_whatever_tools_are_told_of(model: LocalModel) -> None:
    opens = sorted(model.wire.form.opens)
    eager = tuple((token, 100.0) for token in opens)
    how = Sampling(max_tokens=20, temperature=1.0, bias=eager)
    made = [isinstance(d, CallMade) for d in model.reply(ASKED, TOOLS, replace(how, max_tokens=200))]
    assert any(made)
    assert not any(isinstance(d, CallMade) for d in model.reply(ASKED, TOOLS, replace(how, calls=False), n=4))


def test_given_texts_are_scored(model: LocalModel) -> None:
    yes, no = model.score(ASKED, [], ["yes", "no, not at all"])
    assert yes
    assert len(no) > len(yes)
    assert all(p < 0 for p in [*yes, *no])


def test_banned_letters_are_never_written(model: LocalModel) -> None:
    table = model.wire.codec.bytes_of
    bias = tuple((i, -float("inf")) for i, b in enumerate(table) if b and b != b"a")
    assert set(text_of(list(model.reply(ASKED, [], Sampling(max_tokens=20, bias=bias))))) <= {"a"}


def test_what_was_computed_is_not_computed_again(folder: Path) -> None:
    engine = TorchEngine(Lean(folder))
    prompt = list(range(40, 140))
    first = engine.open(prompt)
    said = decode(first)
    first.close()
    assert engine.computed == 100 + 11
    grown = [*prompt, *said, 7, 8, 9]
    second = engine.open(grown)
    reply = decode(second)
    assert engine.computed == 111 + (1 + 3) + 11
    assert reply == decode(TorchEngine(Lean(folder)).open(grown))
    other = engine.open([*prompt[:60], 300, 301])
    assert decode(other) == decode(TorchEngine(Lean(folder)).open([*prompt[:60], 300, 301]))
    assert engine.computed == 126 + 2 + 11
    assert decode(second, 5) == decode(TorchEngine(Lean(folder)).open([*grown, *reply]), 5)


def test_forks_share_their_prefix_and_then_go_their_own_ways(folder: Path) -> None:
    engine = TorchEngine(Lean(folder))
    prompt = list(range(100, 180))
    root = engine.open(prompt)
    branches = root.fork(3)
    assert engine.computed == 80
    streams = [b.decode(Sampling(max_tokens=10, temperature=1.0, seed=n)) for n, b in enumerate(branches)]
    woven: list[list[int]] = [[], [], []]
    for _ in range(10):
        for out, stream in zip(woven, streams, strict=True):
            out.append(next(stream).token)
    assert engine.computed == 80 + 3 * 9
    for n, out in enumerate(woven):
        alone = TorchEngine(Lean(folder)).open(prompt)
        assert out == decode(alone, 10, temperature=1.0, seed=n)
    branches[0].extend([3, 4])
    grandchild = branches[0].fork(1)[0]
    grown = [*prompt, *woven[0], 3, 4]
    assert list(grandchild.ids) == grown
    assert decode(grandchild) == decode(TorchEngine(Lean(folder)).open(grown))
    assert decode(root, 5) == decode(TorchEngine(Lean(folder)).open(prompt), 5)


def test_threads_share_a_model_and_each_gets_its_own_answer(folder: Path) -> None:
    engine = TorchEngine(Lean(folder))
    prompts = [[n, *range(30)] for n in range(100, 106)]
    got: dict[int, list[int]] = {}
    threads = [
        threading.Thread(target=lambda n=n, p=p: got.update({n: decode(engine.open(p))})) for n, p in enumerate(prompts)
    ]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert [got[n] for n in range(6)] == [decode(TorchEngine(Lean(folder)).open(p)) for p in prompts]


def test_an_interrupted_pass_harms_no_branch_beside_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = TorchEngine(Lean(folder))
    prompt = list(range(50))
    root = engine.open(prompt)
    one, two = root.fork(2)
    assert isinstance(engine.keep, Tree)
    net = engine.keep.net
    run = net.run

    def broken(pieces: Sequence[Any], rows: Any) -> list[torch.Tensor]:
        raise KeyboardInterrupt

    one.extend([1])
    monkeypatch.setattr(net, "run", broken)
    with pytest.raises(KeyboardInterrupt):
        decode(one)
    monkeypatch.setattr(net, "run", run)
    assert decode(two) == decode(TorchEngine(Lean(folder)).open(prompt))
    assert decode(one) == decode(TorchEngine(Lean(folder)).open([*prompt, 1]))


def test_what_is_kept_fits_the_budget_and_the_oldest_goes_first(folder: Path) -> None:
    engine = TorchEngine(Lean(folder), budget=3 * 40 * 2 * 2 * 2 * 16 * 4)
    assert isinstance(engine.keep, Tree)
    prompts = [[n] * 40 for n in range(1, 7)]
    for prompt in prompts:
        branch = engine.open(prompt)
        decode(branch, 1)
        branch.close()
    assert 0 < engine.keep.held <= engine.keep.budget
    before = engine.computed
    decode(engine.open(prompts[-1]), 1)
    assert engine.computed == before + 1
    decode(engine.open(prompts[0]), 1)
    assert engine.computed == before + 1 + 40


def test_an_engine_refuses_what_does_not_fit(folder: Path) -> None:
    engine = TorchEngine(Lean(folder), context_length=20)
    with pytest.raises(BudgetError):
        engine.open(range(20))
    with pytest.raises(ValueError, match="at least one"):
        engine.open([])
    branch = engine.open(range(10))
    with pytest.raises(BudgetError):
        branch.extend(range(10))
    assert len(decode(branch, 50)) == 10


def test_common_prefixes_are_measured_right() -> None:
    base = list(range(1000))
    for n in (0, 1, 2, 500, 999):
        other = [*base[:n], -1, *base[n + 1 :]]
        assert common_prefix(base, other) == n
    assert common_prefix(base, base[:70]) == 70
    assert common_prefix([], base) == 0


# Sampling alone.

LOGITS = torch.tensor([2.0, 1.0, 0.0, -1.0])


def draws(how: Sampling, logits: torch.Tensor = LOGITS, times: int = 300) -> set[int]:
    sampler = Sampler(how, [])
    return {sampler.pick(logits).token for _ in range(times)}


def test_greedy_takes_the_best_and_tells_its_logprob() -> None:
    step = Sampler(Sampling(), []).pick(LOGITS)
    assert step.token == 0
    assert step.logprob == pytest.approx(float(LOGITS.log_softmax(0)[0]), abs=1e-5)


@pytest.mark.parametrize(
    ("how", "left"),
    [
        (Sampling(temperature=1.0), {0, 1, 2, 3}),
        (Sampling(temperature=1.0, top_k=2), {0, 1}),
        (Sampling(temperature=1.0, top_p=0.6), {0}),
        (Sampling(temperature=1.0, top_p=0.7), {0, 1}),
        (Sampling(temperature=1.0, top_p=0.0), {0}),
        (Sampling(temperature=1.0, min_p=0.3), {0, 1}),
        (Sampling(temperature=0.01), {0}),
    ],
)
def test_cut_offs_keep_the_right_tokens(how: Sampling, left: set[int]) -> None:
    assert draws(how) == left


def test_top_p_is_exact_over_many_tokens() -> None:
    logits = torch.linspace(0.0, 1.0, 2000)
    p = logits.softmax(0).flip(0)
    kept = int((p.cumsum(0) - p < 0.5).sum())
    drawn = draws(Sampling(temperature=1.0, top_p=0.5), logits, 3000)
    assert min(drawn) >= 2000 - kept
    assert min(drawn) < 2000 - kept + 60


def test_biases_boost_and_ban() -> None:
    assert Sampler(Sampling(bias=((3, 10.0), (0, -torch.inf))), []).pick(LOGITS).token == 3
    assert draws(Sampling(temperature=1.0, bias=((0, -torch.inf), (1, -torch.inf)))) == {2, 3}


def test_many_are_picked_as_each_would_be_alone() -> None:
    logits = torch.randn(6, 50, generator=torch.Generator().manual_seed(0))
    hows = [Sampling(temperature=0.7, seed=n, top_p=0.9) for n in range(3)]
    hows += [Sampling(), Sampling(temperature=1.0, seed=7, repetition_penalty=1.3), Sampling(temperature=1.0, seed=8)]
    mask = torch.full((2,), -1, dtype=torch.int32).numpy()
    masks = [None, mask, None, None, mask, None]
    together = [Sampler(how, [1, 2]) for how in hows]
    alone = [Sampler(how, [1, 2]) for how in hows]
    for _ in range(20):
        steps = pick(together, logits, masks)
        for step, sampler, row, bits in zip(steps, alone, logits, masks, strict=True):
            one = sampler.pick(row, bits)
            assert one.token == step.token
            assert one.logprob == pytest.approx(step.logprob, abs=1e-5)


def test_penalties_and_masks() -> None:
    mask = torch.tensor([0b0110], dtype=torch.int32).numpy()
    assert Sampler(Sampling(), []).pick(LOGITS, mask).token == 1
    assert Sampler(Sampling(repetition_penalty=3.0), [0]).pick(LOGITS).token == 1
    sampler = Sampler(Sampling(presence_penalty=1.5), [0])
    assert [sampler.pick(LOGITS).token for _ in range(2)] == [0, 1]
    wide = torch.cat([LOGITS, torch.full((60,), 5.0)])
    assert Sampler(Sampling(), []).pick(wide, mask).token == 1


# Loading.


def test_what_is_no_checkpoint_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no checkpoint at"):
        find(tmp_path / "nowhere")
    with pytest.raises(ModelError, match="no checkpoint at"):
        find("not-a-name")
    with pytest.raises(ModelError, match="no tokenizer at"):
        LocalModel(tmp_path)


def test_a_hub_name_is_taken_from_the_cache_or_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    asked: list[bool] = []

    def download(name: str, allow_patterns: list[str], local_files_only: bool = False) -> str:
        asked.append(local_files_only)
        assert "*.safetensors" in allow_patterns
        assert not [p for p in allow_patterns if "bin" in p or "py" in p]
        if local_files_only or name == "nobody/nothing":
            raise OSError("not found\nand more")
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert find("somebody/something") == tmp_path
    assert asked == [True, False]
    with pytest.raises(ModelError, match=r"cannot be downloaded: not found$"):
        find("nobody/nothing")


def test_loading_the_embedded_kind_imports_no_transformers(folder: Path) -> None:
    import subprocess
    import sys

    code = f"""if True:
        import sys
        from llmos.kernel.local import LocalModel
        model = LocalModel({str(folder)!r})
        assert not {{"transformers", "jinja2", "httpx"}} & set(sys.modules), sorted(sys.modules)"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=900)
