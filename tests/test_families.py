"""Checkpoints of other families: each format proved through its own template, and nothing forged through any."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

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

QWEN = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<tool_call>", "</tool_call>", "<think>", "</think>")
LLAMA = ("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|python_tag|>")
MISTRAL = ("<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[TOOL_CALLS]", "[TOOL_RESULTS]", "[ARGS]")

HERMES_TEMPLATE = r"""
{%- if tools %}{{ '<|im_start|>system\n' + (tools | map('tojson') | join('\n')) + '<|im_end|>\n' }}{% endif %}
{%- for m in messages %}{% if m.role == 'tool' -%}
{{ '<|im_start|>user\n<tool_response>\n' + m.content + '\n</tool_response><|im_end|>\n' }}
{%- else -%}
{{ '<|im_start|>' + m.role + '\n' + m.content }}
{%- for call in m.tool_calls or [] -%}
{%- set c = call.function -%}
{{ '\n<tool_call>\n{"name": "' + c.name + '", "arguments": ' + (c.arguments | tojson) + '}\n</tool_call>' }}
{%- endfor -%}
{{ '<|im_end|>\n' }}
{%- endif %}{% endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"""

LLAMA_TEMPLATE = r"""{{- bos_token }}
{%- macro head(role) %}{{ '<|start_header_id|>' + role + '<|end_header_id|>\n\n' }}{% endmacro %}
{%- if tools %}{{ head('system') + (tools | tojson(indent=4)) + '<|eot_id|>' }}{% endif %}
{%- for m in messages %}{% if m.role == 'tool' -%}
{{ head('ipython') + (m.content | tojson) + '<|eot_id|>' }}
{%- elif m.tool_calls -%}
{%- if m.tool_calls | length != 1 %}{{ raise_exception('one call at a time') }}{% endif -%}
{%- set c = m.tool_calls[0].function -%}
{{ head('assistant') + '{"name": "' + c.name + '", "parameters": ' + (c.arguments | tojson) + '}<|eot_id|>' }}
{%- else -%}
{{ head(m.role) + m.content | trim + '<|eot_id|>' }}
{%- endif %}{% endfor %}
{%- if add_generation_prompt %}{{ head('assistant') }}{% endif %}"""

MISTRAL_TEMPLATE = """{{- bos_token }}
{%- for m in messages %}{% if m.role == 'user' -%}
{% if tools %}{{ '[AVAILABLE_TOOLS]' + (tools | tojson) }}{% endif %}{{ '[INST]' + m.content + '[/INST]' }}
{%- elif m.role == 'tool' -%}
{%- if m.tool_call_id | length != 9 %}{{ raise_exception('ids have nine letters') }}{% endif -%}
{{ '[TOOL_RESULTS]{"content": ' + m.content + ', "call_id": "' + m.tool_call_id + '"}' }}
{%- elif m.tool_calls -%}
CALLS
{%- elif m.role == 'assistant' -%}
{{ m.content + eos_token }}
{%- endif %}{% endfor %}"""
OLD_CALLS = """{{ '[TOOL_CALLS] [' }}{% for c in m.tool_calls -%}
{{ (c.function | tojson)[:-1] + ', "id": "' + c.id + '"}' }}
{{- ', ' if not loop.last }}{% endfor %}{{ ']' + eos_token }}"""
NEW_CALLS = """{% for c in m.tool_calls -%}
{{ '[TOOL_CALLS]' + c.function.name + '[ARGS]' + (c.function.arguments | tojson) }}
{%- endfor %}{{ eos_token }}"""

XML_TEMPLATE = HERMES_TEMPLATE.replace(
    """'\\n<tool_call>\\n{"name": "' + c.name + '", "arguments": ' + (c.arguments | tojson) + '}\\n</tool_call>'""",
    "'\\n<tool_call>\\n<function=' + c.name + '>\\n'"
    " }}{% for k, v in c.arguments.items() %}{{ '<parameter=' + k + '>\\n' ~ v ~ '\\n</parameter>\\n' }}{% endfor %}"
    "{{ '</function>\\n</tool_call>'",
)
XML_RESPONSES = {
    "defaults": {"role": "assistant"},
    "start_anchor": "<|im_start|>assistant\n",
    "fields": {
        "tool_calls": {
            "open_pattern": r"\s*<tool_call>\s*<function=(?P<name>[^>\n]+)>",
            "close_pattern": r"</function>\s*</tool_call>",
            "repeats": True,
            "content": "xml-inline",
            "content_args": {"tag_pattern": r"<parameter=(?P<key>[^>\n]+)>\s*(?P<value>.*?)\s*</parameter>"},
            "transform": {"type": "function", "function": {"name": "{name}", "arguments": "{content}"}},
        },
        "content": {"close_pattern": r"\s*<\|im_end\|>", "content": "text"},
    },
}

FAMILIES: dict[str, tuple[str, tuple[str, ...], dict[str, Any]]] = {
    "hermes": (HERMES_TEMPLATE, QWEN, {"eos_token": "<|im_end|>"}),
    "llama3": (LLAMA_TEMPLATE, LLAMA, {"eos_token": "<|eot_id|>", "bos_token": "<|begin_of_text|>"}),
    "mistral": (MISTRAL_TEMPLATE.replace("CALLS\n", OLD_CALLS), MISTRAL, {"eos_token": "</s>", "bos_token": "<s>"}),
    "mistral-v11": (MISTRAL_TEMPLATE.replace("CALLS\n", NEW_CALLS), MISTRAL, {"eos_token": {"content": "</s>"}}),
    "response_template": (XML_TEMPLATE, QWEN, {"eos_token": "<|im_end|>", "response_template": XML_RESPONSES}),
}


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


def sampled(wire: TemplateWire, seed: int, tools: list[Tool], start: tuple[str, ...]) -> list[Any]:
    """A call drawn at random under the family's grammar, read back."""
    rng, parser = random.Random(seed), wire.parser(tools=tools)
    grammar = Grammars(wire.codec, wire.form, wire.codec.size).turn(tools)
    ids: list[int] = [wire.codec.control[n] for n in start]
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
    for said, kind in (('{"a": 1}', TextDelta), ('{"name": "f", "parameters": {}}', CallMade), ("{oops", TextDelta)):
        parser = wire.parser()
        deltas = [d for i in wire.codec.encode(said) for d in parser.feed(i)] + parser.finish()
        assert [type(d) for d in deltas] == [kind]


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
        (XML_TEMPLATE, {"eos_token": "<|im_end|>"}, "hermes: the call .*<function=probe>.* is read back as"),
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
