"""Events as JSON: what goes in comes out, nothing unknown is let in, and the public form is the promised one."""

import json
import re
from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmos.kernel import types as k
from llmos.memory.codec import decode, encode, to_public

USAGE = k.Usage(prompt_tokens=10, generated_tokens=5, calls=1, seconds=0.5)
ARTIFACT = k.Artifact("/w/p.png", "image/png", "Rounds")
CALL = k.ToolCall("r1", "python", {"code": "plot()", "n": [1, {"a": None}]})

names = st.text(max_size=20)
json_data = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False) | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)
st.register_type_strategy(k.ToolCall, st.builds(k.ToolCall, names, names, st.dictionaries(names, json_data)))
st.register_type_strategy(float, st.floats(allow_nan=False))
events = st.one_of(*(st.from_type(kind) for kind in get_args(k.Event)))


@settings(max_examples=150, deadline=None)
@given(events)
def test_every_event_comes_back_equal_through_json(event: k.Event) -> None:
    assert decode(json.loads(json.dumps(encode(event)))) == event


@settings(max_examples=60, deadline=None)
@given(events)
def test_every_event_has_a_public_form(event: k.Event) -> None:
    public = to_public(event)
    assert isinstance(public["type"], str)
    json.dumps(public)


def test_defaults_may_be_missing_so_that_old_logs_stay_readable() -> None:
    assert decode({"type": "Text", "id": "e1", "text": "hi"}) == k.Text(id="e1", text="hi")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"type": "Nothing", "id": "e1"}, "unknown type 'Nothing'"),
        ({"id": "e1"}, "unknown type None"),
        ({"type": ["Text"], "id": "e1"}, "unknown type"),
        ({"type": "Text", "id": "e1", "text": "hi", "more": 1}, "unknown field 'more' of Text"),
        ({"type": "Text", "id": "e1"}, "Text without 'text'"),
        ({"type": "Text", "id": "e1", "text": 3}, "Text.text cannot be int"),
        ({"type": "Text", "id": "e1", "text": "x", "delta": 1}, "Text.delta cannot be int"),
        ({"type": "Usage"}, "Usage is no event"),
        ({"type": "Call", "id": "e1", "call": {"type": "Usage"}}, "Call.call cannot be dict"),
        ({"type": "Answer", "id": "e1", "text": "x", "calls": "abc"}, "Answer.calls cannot be str"),
        ({"type": "Decision", "id": "e", "call_id": "r", "verdict": "maybe", "rule": ""}, "verdict cannot be str"),
        ({"type": "Result", "id": "e", "result": {"type": "ToolCall"}}, "Result.result cannot be dict"),
    ],
)
def test_decoding_is_strict(data: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)) as caught:
        decode(data)
    assert "\n" not in str(caught.value)


def test_public_forms_are_the_documented_ones() -> None:
    call = to_public(k.Call(id="e3", call=CALL))
    assert (call["type"], call["name"], call["arguments"]) == ("call", "python", CALL.arguments)
    assert to_public(k.ArtifactMade(id="e", artifact=ARTIFACT)) == {
        "type": "artifact",
        "path": "/w/p.png",
        "mime": "image/png",
        "title": "Rounds",
    }
    assert to_public(k.Text(id="e", text="He", delta=True)) == {"type": "text", "text": "He", "delta": True}
    answer = k.Answer(id="e", text="done", artifacts=(ARTIFACT,), citations=(k.Citation("t", "l"),), usage=USAGE)
    assert to_public(answer) == {
        "type": "answer",
        "text": "done",
        "citations": [{"title": "t", "location": "l", "quote": "", "number": 0, "time": 0.0}],
        "artifacts": [{"path": "/w/p.png", "mime": "image/png", "title": "Rounds"}],
        "usage": {"prompt_tokens": 10, "generated_tokens": 5, "seconds": 0.5},
    }


def test_public_form_of_a_kernel_line_and_a_malformed_call() -> None:
    assert to_public(k.Text(id="e", text="Source: x", by="kernel"))["by"] == "kernel"
    bad = to_public(k.Call(id="e", call=k.Malformed("r1", "{", "no end")))
    assert bad == {"type": "malformed", "id": "r1", "text": "{", "problem": "no end"}
    assert to_public(replace(k.Failure(id="e", kind="budget", message="m"), usage=USAGE))["usage"]["seconds"] == 0.5
