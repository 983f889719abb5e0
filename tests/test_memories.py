"""Dialogues with the memory's tools: each call is valid, each citation holds, what is not said is not answered."""

from itertools import islice

from llmos.kernel.citations import cite
from llmos.kernel.dispatch import invalid
from llmos.kernel.types import Reading, Result, Source, ToolCall, ToolResult
from llmos.memory.traces import spelled
from llmos.tools.marks import Marks
from llmos.tools.recall import NOTHING, make_recall
from llmos.tools.remember import make_remember
from llmos.training.memories import dialogues

TOOLS = {
    "recall": make_recall(lambda query, most: (), Marks()),
    "remember": make_remember(lambda text, label: "added"),
}


def test_calls_are_valid_and_citations_hold() -> None:
    cited = declined = kept = 0
    for _, user, call, result, answer in islice(dialogues(), 300):
        (made,) = call.calls
        assert isinstance(made, ToolCall)
        assert invalid(TOOLS[made.name].parameters, made.arguments) == ""
        assert not result.text.startswith("error")
        kept += made.name == "remember"
        if "[" in answer.text:
            cited += 1
            number = int(answer.text.rpartition("[")[2].partition("]")[0])
            passage = result.text.partition(f"[{number}] ")[2].partition("\n\n")[0]
            reading = Reading(number, "a", "a", text=passage.partition("\n")[2])
            event = Result(id="", result=ToolResult("r1", True, result.text, Source("tool"), readings=(reading,)))
            assert cite(answer.text, [event], [event])[0] == answer.text
        elif made.name == "recall":
            declined += 1
            assert NOTHING in result.text or "lacks" in result.text
        assert spelled(user) == {"role": "user", "content": user.text}
    assert min(cited, declined, kept) > 20


def test_the_same_seed_makes_the_same_dialogues() -> None:
    first, second = (list(islice(dialogues(3), 20)) for _ in range(2))
    assert first == second
