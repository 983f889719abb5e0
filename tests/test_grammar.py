"""The grammar: random sampling under it always gives valid calls, of these tools only, and never a stray control id."""

import json
import random
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llmos.kernel import wire
from llmos.kernel.bits import pack
from llmos.kernel.codec import Codec
from llmos.kernel.engine import CallMade, Sampling, TextDelta
from llmos.kernel.grammar import TEXT_LIMIT, Grammars, TurnGrammar, bounded
from llmos.kernel.local import LocalModel
from llmos.kernel.tool import Tool, ToolOutput
from llmos.kernel.types import ToolCall


def tool(name: str, properties: dict[str, Any], required: Sequence[str] = ()) -> Tool:
    schema = {"type": "object", "properties": properties, "required": list(required)}
    return Tool(name, "", schema, lambda arguments, context: ToolOutput(""))


TOOLS = [
    tool("python", {"code": {"type": "string", "maxLength": 40}}, ("code",)),
    tool(
        "plot",
        {
            "kind": {"enum": ["line", 'b"är']},
            "n": {"type": "integer", "minimum": 0, "maximum": 99},
            "tags": {"type": "array", "items": {"type": "string", "maxLength": 3}, "maxItems": 2},
        },
        ("kind",),
    ),
    tool("now", {}),
]


@pytest.fixture(scope="module")
def grammars(codec: Codec) -> Grammars:
    return Grammars(codec, wire.EmbeddedWire(codec).form, codec.size + 7)


def allowed(grammar: TurnGrammar, room: int | None = None) -> list[int]:
    bits = np.unpackbits(grammar.mask(room).view(np.uint8), bitorder="little")
    return [int(i) for i in np.flatnonzero(bits)]


def wander(
    grammar: TurnGrammar, codec: Codec, rng: random.Random, start: Sequence[int] = (), most: int = 400
) -> list[int]:
    """Ids drawn at random from what is allowed, until the turn ends."""
    ids = list(start)
    for i in ids:
        assert i in allowed(grammar)
        assert grammar.accept(i)
    stops = {codec.id(wire.TURN_END), codec.id(wire.END_OF_TEXT)}
    while len(ids) < most and (not ids or ids[-1] not in stops):
        token = rng.choice(allowed(grammar))
        assert grammar.accept(token)
        ids.append(token)
    return ids


def test_whatever_is_sampled_inside_a_call_is_valid_for_its_schema(codec: Codec, grammars: Grammars) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schemas = {t.name: bounded(t.parameters) for t in TOOLS}
    seen = set()
    for seed in range(60):
        rng = random.Random(seed)
        grammar = grammars.turn(TOOLS)
        assert grammar.accept(codec.id(wire.CALL))
        ids = wander(grammar, codec, rng)
        parser = wire.EmbeddedWire(codec).parser()
        deltas = [d for i in [codec.id(wire.CALL), *ids] for d in parser.feed(i)]
        calls = [d.call for d in deltas if isinstance(d, CallMade)]
        assert calls
        for call in calls:
            assert isinstance(call, ToolCall), call
            jsonschema.validate(call.arguments, schemas[call.name])
            seen.add(call.name)
        assert not [d for d in deltas if isinstance(d, TextDelta)]
    assert seen == {"python", "plot", "now"}


def test_a_call_of_any_schema_is_closed_where_room_is_short(codec: Codec, grammars: Grammars) -> None:
    for seed in range(40):
        rng, room = random.Random(seed), 70
        grammar = grammars.turn(TOOLS)
        assert grammar.accept(codec.id(wire.CALL))
        while not grammar.closed:
            room -= 1
            assert room > 0, seed
            assert grammar.accept(rng.choice(allowed(grammar, room)))


def test_what_we_render_is_what_the_grammar_takes(codec: Codec, grammars: Grammars) -> None:
    arguments = {"kind": 'b"är', "n": 7, "tags": ["é", "世"]}
    bodies: list[tuple[str, dict[str, Any]]] = [
        ("plot", arguments),
        ("python", {"code": "print('</tool_call>')\n\t# \\ é"}),
        ("now", {}),
    ]
    ids = codec.encode("First.\n")
    for n, (name, given) in enumerate(bodies):
        text = wire.call_text(ToolCall("1", name, given))
        ids += [*(codec.encode("\n") if n else []), codec.id(wire.CALL), *codec.encode(f"\n{text}\n")]
        ids += [codec.id(wire.CALL_END)]
    wander(grammars.turn(TOOLS), codec, random.Random(0), [*ids, codec.id(wire.TURN_END)])


def test_free_text_may_open_a_call_a_thought_or_end_and_no_other_control_id(codec: Codec, grammars: Grammars) -> None:
    free = set(allowed(grammars.turn(TOOLS)))
    stops = {codec.id(wire.TURN_END), codec.id(wire.END_OF_TEXT)}
    assert free & codec.control_ids == stops | {codec.id(wire.CALL), codec.id(wire.THINK)}
    assert set(allowed(grammars.turn([]))) == free - {codec.id(wire.CALL)}
    assert max(free) < codec.size
    thinking = set(allowed(grammars.turn(TOOLS, thinking=True)))
    assert thinking & codec.control_ids == {codec.id(wire.THINK_END)}


def test_a_tool_that_is_not_offered_cannot_be_spelled(codec: Codec, grammars: Grammars) -> None:
    grammar = grammars.turn(TOOLS[:1])
    grammar.accept(codec.id(wire.CALL))
    for i in codec.encode('\n{"name": "'):
        assert i in allowed(grammar)
        grammar.accept(i)
    assert all("python".startswith(codec.decode([i])) for i in allowed(grammar))


def test_control_tokens_a_family_does_not_flag_special_stay_out_of_strings(tokenizer_folder: Path) -> None:
    data = json.loads((tokenizer_folder / "tokenizer.json").read_text(encoding="utf-8"))
    for token in data["added_tokens"]:
        token["special"] = False
    plain = Codec(json.dumps(data))
    grammar = Grammars(plain, wire.EmbeddedWire(plain).form, plain.size).turn(TOOLS)
    for i in [plain.id(wire.CALL), *plain.encode('\n{"name": "python", "arguments": {"code": "x = ')]:
        assert i in allowed(grammar)
        grammar.accept(i)
    assert plain.control_ids.isdisjoint(allowed(grammar))


def test_after_a_call_comes_another_or_the_end(codec: Codec, grammars: Grammars) -> None:
    grammar = grammars.turn(TOOLS)
    body = codec.encode('\n{"name": "now", "arguments": {}}\n')
    for i in [codec.id(wire.CALL), *body, codec.id(wire.CALL_END)]:
        assert grammar.accept(i)
    newline = codec.encode("\n")[0]
    assert set(allowed(grammar)) == {newline, codec.id(wire.TURN_END), codec.id(wire.END_OF_TEXT)}
    grammar.accept(newline)
    assert allowed(grammar) == [codec.id(wire.CALL)]


@pytest.mark.parametrize(
    "choices", [["positive", "negative"], ["a", "ab", "abc"], ['say "é"\n', "\\", "世"], ["<|im_end|>"]]
)
def test_choices_give_exactly_one_of_them(codec: Codec, grammars: Grammars, choices: list[str]) -> None:
    found = set()
    for seed in range(40):
        ids = wander(grammars.choices(choices), codec, random.Random(seed))
        assert codec.control_ids.isdisjoint(ids[:-1])
        found.add(codec.decode(ids[:-1]))
    assert found == set(choices)


def test_a_fork_goes_its_own_way(codec: Codec, grammars: Grammars) -> None:
    grammar = grammars.turn(TOOLS)
    for i in [codec.id(wire.CALL), *codec.encode('\n{"name": "')]:
        grammar.accept(i)
    other = grammar.fork()
    before = allowed(grammar)
    for i in codec.encode("now"):
        other.accept(i)
    assert allowed(grammar) == before != allowed(other)


def test_a_schema_the_library_cannot_do_still_gives_a_call_of_a_known_name(codec: Codec, grammars: Grammars) -> None:
    odd = tool("odd", {"a": {"type": "string", "pattern": "(?<!x)y"}})
    ids = wander(grammars.turn([odd, TOOLS[2]]), codec, random.Random(1), [codec.id(wire.CALL)], most=60)
    assert codec.decode(ids).startswith('\n{"name": "')
    grammar = grammars.turn([odd])
    fixed = codec.encode('\n{"name": "odd", "arguments": {"b": 1}}\n')
    wander(grammar, codec, random.Random(0), [codec.id(wire.CALL), *fixed, codec.id(wire.CALL_END)])


def test_strings_lists_and_objects_get_bounds_where_they_have_none() -> None:
    schema = {
        "type": "object",
        "properties": {
            "a": {"type": "string"},
            "b": {"type": "string", "maxLength": 5},
            "c": {"type": "array", "items": {"type": "string"}},
            "type": {"type": "string", "enum": ["x"]},
        },
    }
    made = bounded(schema)
    assert made["properties"]["a"]["maxLength"] == TEXT_LIMIT
    assert made["properties"]["b"]["maxLength"] == 5
    assert made["properties"]["c"]["maxItems"]
    assert made["properties"]["type"] == {"type": "string", "enum": ["x"]}
    assert made["additionalProperties"] is False
    assert "maxLength" not in json.dumps(schema["properties"])[:30]


def test_bits_are_packed_little_endian() -> None:
    assert pack([0, 33], 64).tolist() == [1, 2]
    assert pack([31], 40).tolist() == [-(2**31), 0]


@pytest.mark.slow
def test_ten_thousand_sampled_calls_are_all_valid(tmp_path: Path, qwen3_folder: Any) -> None:
    assert sampled_calls(qwen3_folder(tmp_path), 10_000) == 10_000


def test_sampled_calls_are_all_valid(tmp_path: Path, qwen3_folder: Any) -> None:
    assert sampled_calls(qwen3_folder(tmp_path), 64) == 64


def sampled_calls(folder: Path, wanted: int) -> int:
    """Calls at temperature 1.5 from a random-weight model, 32 branches at once; how many of them are valid."""
    jsonschema = pytest.importorskip("jsonschema")
    model = LocalModel(folder)
    form = model.wire.form
    prompt = [*model.wire.codec.encode("go"), *form.opens]
    schemas = {t.name: bounded(t.parameters) for t in TOOLS}
    good = 0
    for start in range(0, wanted, 32):
        forks = model.engine.open(prompt).fork(min(32, wanted - start))
        streams = []
        for n, fork in enumerate(forks):
            grammar = model.grammars.turn(TOOLS)
            assert grammar.accept(next(iter(form.opens)))
            how = Sampling(temperature=1.5, seed=start + n, max_tokens=300)
            streams.append(fork.decode(how, grammar, (*form.closes, *form.stops)))
        # A step of each in turn, so that all of them stay in one pass.
        bodies: list[list[int]] = [[] for _ in streams]
        for steps in zip_longest(*streams):
            for body, step in zip(bodies, steps, strict=True):
                body += [] if step is None else [step.token]
        for body, fork in zip(bodies, forks, strict=True):
            parser = model.wire.parser()
            found = [d for i in [*form.opens, *body] for d in parser.feed(i)]
            (call,) = [d.call for d in found if isinstance(d, CallMade)]
            assert isinstance(call, ToolCall), call
            jsonschema.validate(call.arguments, schemas[call.name])
            good += 1
            fork.close()
    return good


def test_forced_ids_are_those_the_kernel_was_taught(codec: Codec, grammars: Grammars) -> None:
    bodies: dict[str, dict[str, Any]] = {"python": {"code": "x = 1\nprint(x)"}, "plot": {"kind": "line"}, "now": {}}
    for name, given in bodies.items():
        text = wire.call_text(ToolCall("1", name, given))
        ids = [codec.id(wire.CALL), *codec.encode(f"\n{text}\n"), codec.id(wire.CALL_END)]
        grammar, at, asked = grammars.turn(TOOLS), 0, 0
        while at < len(ids):
            forced = grammar.forced()
            assert ids[at : at + len(forced)] == forced
            asked += not forced
            for i in forced or [ids[at]]:
                assert grammar.accept(i)
            at += len(forced) or 1
        assert asked < 0.8 * len(ids)
    assert grammars.turn(TOOLS).forced() == []
