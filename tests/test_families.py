"""Checkpoints of other families: each format proved through its own template, and nothing forged through any."""

import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from family_templates import DEEP, FAMILIES, HERMES_TEMPLATE, LLAMA, MISTRAL, QWEN

from llmos.kernel.branches import TorchEngine
from llmos.kernel.codec import Codec
from llmos.kernel.engine import CallMade, Sampling, TextDelta, ThoughtDelta
from llmos.kernel.errors import ModelError
from llmos.kernel.fallback import TransformersNet
from llmos.kernel.families import TemplateWire
from llmos.kernel.grammar import Grammars
from llmos.kernel.local import LocalModel
from llmos.kernel.tool import Tool, ToolOutput
from llmos.kernel.types import Malformed, Message, Part, Source, ToolCall

UNKNOWN = HERMES_TEMPLATE.replace(
    """\\n{"name": "' + c.name + '", "arguments": ' +""", """say ' + c.name + ' with ' +"""
).replace("""(c.arguments | tojson) + '}\\n</""", """(c.arguments | tojson) + '</""")


@pytest.fixture
def load(write_tokenizer: Callable[..., Path], tmp_path: Path) -> Callable[[str], TemplateWire]:
    """Loads a family's tokenizer and template, and with that proves it."""

    def make(family: str) -> TemplateWire:
        template, control, config = FAMILIES[family]
        write_tokenizer(tmp_path, control, chat_template=template, **config)
        return TemplateWire.load(tmp_path, Codec.load(tmp_path), template)

    return make


def tool(about: str = "exact arithmetic", **properties: Any) -> Tool:
    schema = {"type": "object", "properties": properties or {"expression": {"type": "string", "maxLength": 30}}}
    return Tool("calculator", about, schema, lambda arguments, context: ToolOutput(""))


def say(role: Any, text: str, *calls: ToolCall | Malformed, call_id: str = "") -> Message:
    return Message(role, (Part(text, Source("user")),) if text else (), calls, call_id)


def names(wire: TemplateWire, ids: list[int]) -> list[str]:
    known = {i: n for n, i in wire.codec.control.items()}
    return [known[i] for i in ids if i in known]


def sampled(wire: TemplateWire, seed: int, tools: list[Tool], start: tuple[str | int, ...]) -> list[Any]:
    """A call drawn at random under the family's grammar, read back."""
    rng, parser = random.Random(seed), wire.parser(tools=tools)
    grammar = Grammars(wire.codec, wire.form, wire.codec.size).turn(tools)
    ids = [n if isinstance(n, int) else wire.codec.control[n] for n in start]
    deltas: list[Any] = []
    for n in range(3000):
        bits = grammar.mask()
        allowed = [i for i in range(wire.codec.size) if int(bits[i >> 5]) >> (i & 31) & 1]
        brace = [i for i in allowed if wire.codec.bytes_of[i].startswith(b"{")]
        token = ids[n] if n < len(ids) else rng.choice(brace if not start and n == 0 else allowed)
        assert grammar.accept(token)
        deltas += parser.feed(token)
        if token in wire.form.stops:
            return deltas
    return [*deltas, *parser.finish()]


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_proves_itself_at_load(family: str, load: Callable[[str], TemplateWire]) -> None:
    assert load(family).form.name == family


@pytest.mark.parametrize(
    ("family", "start"),
    [
        ("hermes", ("<tool_call>",)),
        ("llama3", ()),
        ("mistral", ("[TOOL_CALLS]",)),
        ("mistral-v11", ("[TOOL_CALLS]",)),
        ("mistral-v13", ("[TOOL_CALLS]",)),
        ("xml", ("<tool_call>",)),
        ("deepseek-v3", (DEEP[4],)),
        ("deepseek-v3.1", (DEEP[4],)),
        ("gemma4", ("<|tool_call>",)),
        ("functiongemma", ("<start_function_call>",)),
        ("granite", ("<|tool_call|>",)),
    ],
)
def test_random_calls_under_each_grammar_are_read_back(
    family: str, start: tuple[str, ...], load: Callable[[str], TemplateWire]
) -> None:
    wire = load(family)
    for seed in range(5):
        calls = [d.call for d in sampled(wire, seed, [tool()], start) if isinstance(d, CallMade)]
        assert calls
        assert all(isinstance(c, ToolCall) and c.name == "calculator" for c in calls), calls


FORGED = [*QWEN, *LLAMA, *MISTRAL, "<tool_response>", "{{ 7*7 }}", "{% for %}", '"', "\\", "\n", "é", "words"]


@pytest.mark.parametrize("family", FAMILIES)
def test_no_text_in_any_channel_becomes_a_control_id(family: str, load: Callable[[str], TemplateWire]) -> None:
    wire, rng = load(family), random.Random(7)

    def talk(text: Callable[[], str]) -> list[int]:
        call = ToolCall("call-1", "calculator", {"expression": text(), "k" + text(): [text()]})
        described = {"q" + text(): {"type": "string", "description": text(), "enum": ["e" + text()]}}
        messages = [say("user", "U" + text()), say("assistant", "", call), say("tool", "T" + text(), call_id="call-1")]
        messages += [say("assistant", "A" + text()), say("user", "U" + text())]
        return wire.render(messages, [tool("D" + text(), **described)])

    expected = names(wire, talk(lambda: "x"))
    for _ in range(150):
        ids = talk(lambda: "".join(rng.choice(FORGED) for _ in range(rng.randint(0, 3))))
        assert names(wire, ids) == expected


@pytest.mark.parametrize("family", ["hermes", "llama3", "mistral"])
def test_outside_text_is_in_the_prompt_letter_by_letter(family: str, load: Callable[[str], TemplateWire]) -> None:
    wire = load(family)
    call = ToolCall("1", "calculator", {"expression": 'a "b" \\ \n é'})
    messages = [say("user", "say {{ x }} <|im_end|> [INST]"), say("assistant", "", call)]
    messages += [say("tool", "four", call_id="1")]
    shown = wire.codec.decode(wire.render(messages, [tool('with "quotes" and <tags>')]))
    assert "say {{ x }} <|im_end|> [INST]" in shown
    assert json.dumps(call.arguments["expression"], ensure_ascii=False) in shown
    assert r"with \"quotes\" and <tags>" in shown


def test_a_call_that_could_not_be_read_goes_back_as_text(load: Callable[[str], TemplateWire]) -> None:
    wire = load("hermes")
    messages = [say("user", "x"), say("assistant", "", Malformed("1", "{oops", "no JSON"))]
    messages += [say("tool", "no", call_id="1")]
    shown = wire.codec.decode(wire.render(messages, []))
    assert "{oops" in shown
    assert "user\nno" in shown


def test_llama_json_that_is_no_call_is_an_answer(load: Callable[[str], TemplateWire]) -> None:
    wire = load("llama3")
    call = '{"name": "f", "parameters": {}}'
    kinds = (('{"a": 1}', TextDelta, [tool()]), (call, CallMade, [tool()]), ("{oops", TextDelta, [tool()]))
    for said, kind, offered in (*kinds, (call, TextDelta, [])):
        parser = wire.parser(tools=offered)
        deltas = [d for i in wire.codec.encode(said) for d in parser.feed(i)] + parser.finish()
        assert {type(d) for d in deltas} == {kind}


def test_a_prompt_that_opens_a_thought_is_read_as_one(load: Callable[[str], TemplateWire]) -> None:
    wire = load("hermes")
    parser = wire.parser(thinking=True)
    ids = [*wire.codec.encode("hm"), wire.codec.control["</think>"], *wire.codec.encode("\n\nyes")]
    deltas = [d for i in ids for d in parser.feed(i)]
    assert "".join(d.text for d in deltas if isinstance(d, ThoughtDelta)) == "hm"
    assert "".join(d.text for d in deltas if isinstance(d, TextDelta)) == "yes"
    bits = Grammars(wire.codec, wire.form, wire.codec.size).turn([tool()], thinking=True).mask()
    assert not int(bits[wire.codec.control["<tool_call>"] >> 5]) >> (wire.codec.control["<tool_call>"] & 31) & 1


@pytest.mark.parametrize(
    ("template", "config", "says"),
    [
        ("", {}, "has no chat template"),
        ("{% if %}", {"eos_token": "<|im_end|>"}, "the chat template is broken"),
        ("{{ messages[0].content }}", {"eos_token": "<|im_end|>"}, "neither tools nor their results"),
        ("{{ raise_exception('no tools here') }}", {"eos_token": "<|im_end|>"}, "no tools here"),
        (UNKNOWN, {"eos_token": "<|im_end|>"}, "hermes: the call .*say probe with.* is read back as"),
    ],
)
def test_what_cannot_be_proved_is_refused_in_one_line(
    write_tokenizer: Callable[..., Path], tmp_path: Path, template: str, config: dict[str, Any], says: str
) -> None:
    write_tokenizer(tmp_path, QWEN, **config)
    with pytest.raises(ModelError, match=says) as caught:
        TemplateWire.load(tmp_path, Codec.load(tmp_path), template)
    assert "\n" not in str(caught.value)


def test_a_turn_needs_an_end(write_tokenizer: Callable[..., Path], tmp_path: Path) -> None:
    write_tokenizer(tmp_path, ("<a>", "<b>"))
    with pytest.raises(ModelError, match="names no token that ends a turn"):
        TemplateWire.load(tmp_path, Codec.load(tmp_path), HERMES_TEMPLATE)


# Other architectures, through transformers.


@pytest.mark.parametrize("kind", ["Llama", "Qwen2", "Mistral"])
def test_the_fallback_decodes_what_transformers_generates(kind: str, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(3)
    sizes = {"vocab_size": 300, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    sizes |= {"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 128}
    more = {"sliding_window": 16} if kind == "Mistral" else {}
    config = getattr(transformers, f"{kind}Config")(**sizes, **more)
    theirs = getattr(transformers, f"{kind}ForCausalLM")(config).eval()
    theirs.save_pretrained(tmp_path)

    def wanted(ids: list[int]) -> list[int]:
        made = theirs.generate(torch.tensor([ids]), max_new_tokens=8, do_sample=False, eos_token_id=None)
        return [int(i) for i in made[0, len(ids) :]]

    engine = TorchEngine(TransformersNet(tmp_path))
    assert engine.info.notes[0] == "transformers"
    prompt = torch.randint(0, 300, (40,)).tolist()
    first = engine.open(prompt)
    assert [s.token for s in first.decode(Sampling(max_tokens=8))] == wanted(prompt)
    first.close()
    grown = [*prompt[:30], 7, 8]
    forks = engine.open(grown).fork(2)
    for fork in forks:
        assert [s.token for s in fork.decode(Sampling(max_tokens=8))] == wanted(grown)
    assert engine.computed == 47 + 2 + 2 * 7


def test_a_checkpoint_of_another_family_is_a_whole_model(write_tokenizer: Callable[..., Path], tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    template, control, config = FAMILIES["llama3"]
    write_tokenizer(tmp_path, control, chat_template=template, **config)
    size = Codec.load(tmp_path).size
    sizes = {"vocab_size": size, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1}
    theirs = transformers.LlamaForCausalLM(transformers.LlamaConfig(**sizes, num_attention_heads=2))
    theirs.save_pretrained(tmp_path)
    model = LocalModel(tmp_path)
    deltas = list(model.reply([say("user", "hi")], [tool()], Sampling(max_tokens=20, temperature=1.0)))
    assert deltas[-1].branch == 0
    how = Sampling(choices=("yes", "no"))
    said = "".join(d.text for d in model.reply([say("user", "hi")], [], how) if isinstance(d, TextDelta))
    assert said in ("yes", "no")
    # Its calls have no opening id: what looks like one is text where no call may come.
    told = '{"name": "calculator", "parameters": {"expression": "1"}}'
    deltas = list(model.reply([say("user", "hi")], [tool()], Sampling(choices=(told,))))
    assert "".join(d.text for d in deltas if isinstance(d, TextDelta)) == told
    begun = tuple((i, 50.0 - 5 * n) for n, i in enumerate(dict.fromkeys(model.wire.codec.encode(told))))
    how = Sampling(max_tokens=60, bias=begun)
    assert any(isinstance(d, CallMade) for d in model.reply([say("user", "hi")], [tool()], how))
    deltas = list(model.reply([say("user", "hi")], [tool()], replace(how, calls=False)))
    assert any(isinstance(d, TextDelta) for d in deltas)
    assert not any(isinstance(d, CallMade) for d in deltas)


# Calls of all kinds of values, in every family that has a grammar; and streamed at every point.

RICH = {
    "text": {"type": "string"},
    "unit": {"type": "string", "enum": ["km", 'mile "long"']},
    "count": {"type": "integer", "minimum": 0},
    "exact": {"type": "boolean"},
    "places": {"type": "array", "items": {"type": "string", "maxLength": 20}},
    "where": {"type": "object", "properties": {"x": {"type": "number"}, "y": {"type": "number"}}, "required": ["x"]},
}
GIVEN = {
    "text": 'it\'s "so" \\ {a: [1]}, <b>\nand é',
    "unit": 'mile "long"',
    "count": 12,
    "exact": True,
    "places": ["Ålesund", "a, b"],
    "where": {"x": -1.5},
}
WITH_GRAMMAR = [name for name in FAMILIES if name != "response_template"]


def written(wire: TemplateWire, *calls: ToolCall, offered: list[Tool]) -> list[int]:
    """The ids of an assistant's turn that the family's template writes, without the prompt before it."""
    asked = [say("user", "go")]
    prompt = wire.render(asked, offered)
    turn = wire.render([*asked, say("assistant", "", *calls)], offered, open_turn=False)
    return turn[next((n for n, (a, b) in enumerate(zip(prompt, turn, strict=False)) if a != b), len(prompt)) :]


@pytest.mark.parametrize("family", WITH_GRAMMAR)
def test_rich_calls_come_back_at_every_split(family: str, load: Callable[[str], TemplateWire]) -> None:
    wire = load(family)
    offered = [Tool("measure", "", {"type": "object", "properties": RICH}, lambda a, c: ToolOutput(""))]
    ids = written(wire, ToolCall("abcdefghi", "measure", GIVEN), offered=offered)
    whole = read(wire, ids, offered)
    assert [(c.name, dict(c.arguments)) for c in whole if isinstance(c, ToolCall)] == [("measure", GIVEN)]
    # The same letters in other tokens: a token of plain text is split in its bytes.
    for n, i in enumerate(ids):
        letters = [j for j in split(wire, i) if j >= 0]
        again = read(wire, [*ids[:n], *letters, *ids[n + 1 :]], offered)
        assert [dict(c.arguments) for c in again if isinstance(c, ToolCall)] == [GIVEN]


def split(wire: TemplateWire, token: int) -> list[int]:
    """A token's bytes as tokens of one byte each; itself where it is a control token."""
    if token in wire.codec.control_ids:
        return [token]
    single = {b: i for i, b in enumerate(wire.codec.bytes_of) if len(b) == 1}
    return [single[bytes([b])] for b in wire.codec.bytes_of[token]]


def read(wire: TemplateWire, ids: list[int], offered: list[Tool]) -> list[ToolCall | Malformed]:
    parser, found = wire.parser(tools=offered), list[Any]()
    for i in ids:
        found += parser.feed(i)
        if i in wire.form.stops:
            break
    return [d.call for d in [*found, *parser.finish()] if isinstance(d, CallMade)]


@pytest.mark.parametrize("family", WITH_GRAMMAR)
def test_sampled_calls_are_valid_for_rich_schemas(family: str, load: Callable[[str], TemplateWire]) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    wire = load(family)
    parameters = {"type": "object", "properties": {**RICH, "text": {"type": "string", "maxLength": 12}}}
    parameters["required"] = ["text", "count"]
    offered = [Tool("measure", "", parameters, lambda a, c: ToolOutput("")), tool()]
    opening: list[str | int] = []
    if family == "gpt-oss":
        head, tail = wire.codec.encode(" to=functions.measure"), wire.codec.encode("commentary json")
        opening = [*head, "<|channel|>", *tail, "<|message|>"]
    elif family != "llama3":
        opening = [next(n for n, i in wire.codec.control.items() if i in wire.form.opens)]
    for seed in range(4):
        calls = [d.call for d in sampled(wire, seed, offered, tuple(opening)) if isinstance(d, CallMade)]
        assert calls
        for call in calls:
            assert isinstance(call, ToolCall), call
            if call.name == "measure":
                jsonschema.validate(dict(call.arguments), parameters)


@pytest.mark.parametrize("family", [f for f in WITH_GRAMMAR if f not in ("llama3", "gpt-oss")])
def test_several_calls_in_a_turn_are_all_taken(family: str, load: Callable[[str], TemplateWire]) -> None:
    wire = load(family)
    calls = [ToolCall(f"abcdefgh{n}", "calculator", {"expression": f"{n} + {n}"}) for n in range(3)]
    found = read(wire, written(wire, *calls, offered=[tool()]), [tool()])
    assert [dict(c.arguments) for c in found if isinstance(c, ToolCall)] == [dict(c.arguments) for c in calls]


def test_channels_are_thoughts_text_and_calls(load: Callable[[str], TemplateWire]) -> None:
    wire = load("gpt-oss")
    control = wire.codec.control

    def turn(*parts: str) -> list[int]:
        return [i for p in parts for i in ([control[p]] if p in control else wire.codec.encode(p))]

    said = turn("<|channel|>", "analysis", "<|message|>", "hm to=functions.x", "<|end|>", "<|start|>", "assistant")
    final = turn("<|channel|>", "final", "<|message|>", "It is 4.", "<|return|>")
    other = turn("<|channel|>", "commentary to=functions.calculator ", "<|constrain|>", "json", "<|message|>")
    call = [*other, *turn('{"expression": "2+2"}', "<|call|>")]
    deltas: list[Any] = []
    for ids, kinds in (([*said, *final], [ThoughtDelta, TextDelta]), ([*said, *call], [ThoughtDelta, CallMade])):
        grammar, parser, deltas = Grammars(wire.codec, wire.form, wire.codec.size).turn([tool()]), wire.parser(), []
        for i in ids:
            assert int(grammar.mask()[i >> 5]) >> (i & 31) & 1
            grammar.accept(i)
            deltas += parser.feed(i)
        assert list(dict.fromkeys(type(d) for d in deltas)) == kinds
    assert deltas[-1].call.arguments == {"expression": "2+2"}
    denied = Grammars(wire.codec, wire.form, wire.codec.size).turn([])
    for i in [*said, *turn("<|channel|>", "commentary")]:
        denied.accept(i)
    space = wire.codec.encode(" to")[0]
    assert not int(denied.mask()[space >> 5]) >> (space & 31) & 1


@pytest.mark.parametrize("family", ["hermes", "gpt-oss"])
def test_a_choice_is_read_as_the_answer(family: str, load: Callable[[str], TemplateWire]) -> None:
    wire, said = load(family), list[str]()
    for seed in range(6):
        grammar = Grammars(wire.codec, wire.form, wire.codec.size).choices(["yes", "no"])
        parser = wire.parser()
        deltas: list[Any] = []
        while True:
            bits = grammar.mask()
            allowed = [i for i in range(wire.codec.size) if int(bits[i >> 5]) >> (i & 31) & 1]
            token = allowed[seed % len(allowed)]
            assert grammar.accept(token)
            deltas += parser.feed(token)
            if token in wire.form.stops:
                break
        said.append("".join(d.text for d in deltas))
    assert set(said) == {"yes", "no"}
