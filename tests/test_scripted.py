"""The scripted model: what it is told to say, in order, through the same door as a real one."""

from collections.abc import Sequence

import pytest

from llmos.kernel.engine import CallMade, Delta, Finished, Model, Sampling, TextDelta, ThoughtDelta
from llmos.kernel.errors import BudgetError, ModelError
from llmos.kernel.scripted import Scripted
from llmos.kernel.tool import Tool, ToolOutput
from llmos.kernel.types import Malformed, Message, Part, Source, ToolCall

ASKED = [Message("user", (Part("how are you", Source("user")),))]
CALL = ToolCall("1", "now", {})


def text_of(deltas: Sequence[Delta]) -> str:
    return "".join(d.text for d in deltas if isinstance(d, TextDelta))


def test_replies_come_in_order_and_then_it_says_that_they_are_over() -> None:
    model: Model = Scripted(["one  two\nthree ", CALL, ["see", CALL, Malformed("2", "{", "no JSON")]])
    first = list(model.reply(ASKED, []))
    assert text_of(first) == "one  two\nthree "
    assert len(first) > 3
    assert first[-1] == Finished("stop", prompt_tokens=4, generated_tokens=len(first) - 1)
    assert [d.call for d in model.reply(ASKED, []) if isinstance(d, CallMade)] == [CALL]
    third = list(model.reply(ASKED, []))
    assert text_of(third) == "see"
    assert len([d for d in third if isinstance(d, CallMade)]) == 2
    with pytest.raises(ModelError, match=r"the script is over: 3 replies given, .* after 'how are you'"):
        list(model.reply(ASKED, []))


def test_a_function_sees_the_messages() -> None:
    model = Scripted(lambda messages: f"{len(messages)} so far")
    assert text_of(list(model.reply(ASKED * 3, []))) == "3 so far"


def test_branches_take_a_reply_each() -> None:
    deltas = list(Scripted(["a", "b"]).reply(ASKED, [], n=2))
    assert [(d.text, d.branch) for d in deltas if isinstance(d, TextDelta)] == [("a", 0), ("b", 1)]
    assert [d.branch for d in deltas if isinstance(d, Finished)] == [0, 1]


def test_thoughts_and_what_was_asked_are_kept() -> None:
    tool = Tool("now", "the time now", {}, lambda arguments, context: ToolOutput(""))
    model = Scripted([[ThoughtDelta("hm"), "yes"]])
    deltas = list(model.reply(ASKED, [tool]))
    assert [type(d) for d in deltas] == [ThoughtDelta, TextDelta, Finished]
    assert (model.seen, model.offered) == ([ASKED], [["now"]])
    assert model.count(ASKED, [tool]) == 4 + 4


def test_it_keeps_to_its_window_and_to_choices_as_a_real_model_does() -> None:
    with pytest.raises(BudgetError, match="the scripted model's window holds 3"):
        list(Scripted(["x"], context_length=3).reply(ASKED, []))
    with pytest.raises(ModelError, match="where one of"):
        list(Scripted(["maybe"]).reply(ASKED, [], Sampling(choices=("yes", "no"))))
    assert text_of(list(Scripted(["yes"]).reply(ASKED, [], Sampling(choices=("yes", "no"))))) == "yes"
    assert Scripted([], name="test").name == "test"
