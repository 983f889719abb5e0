"""The dialogues with the browser: every act, calls that its schemas take, citations that hold."""

import json
import re
from pathlib import Path

from llmos.kernel.citations import MARK, cite
from llmos.kernel.dispatch import invalid
from llmos.kernel.types import Event, Result, Source, ToolCall, ToolResult
from llmos.training.browsing import MAKERS, tools, trips, write

TRIPS = list(trips(40 * len(MAKERS), 5))


def test_every_act_is_there_and_every_call_is_valid() -> None:
    schemas = {tool.name: tool.parameters for tool in tools()}
    calls = [c for t in TRIPS for m in t.talk.messages for c in m.calls if isinstance(c, ToolCall)]
    assert {call.name for call in calls} == set(schemas)
    for call in calls:
        assert not invalid(schemas[call.name], call.arguments), call


def test_every_mark_holds_and_most_answers_have_one() -> None:
    marked = answers = 0
    for trip in TRIPS:
        result = ToolResult("r", True, "", Source("tool", "browser_open"), readings=tuple(trip.readings))
        made: list[Event] = [Result(id="", result=result)]
        for message in trip.talk.messages:
            if message.role == "assistant" and not message.calls:
                text, citations = cite(message.text, made, made)
                assert text == message.text
                answers += 1
                marked += bool(citations) and bool(MARK.search(text))
    assert marked > 0.6 * answers


def test_a_page_is_shown_as_the_tools_show_it_and_its_links_have_numbers() -> None:
    shown = [m.text for t in TRIPS for m in t.talk.messages if m.role == "tool"]
    assert any(re.match(r"\[\d+\] .+\nhttps://\S+\n\n# ", text) for text in shown)
    assert any("part 1 of 2" in text for text in shown)
    for trip in TRIPS:
        for message in trip.talk.messages:
            for call in message.calls:
                if isinstance(call, ToolCall) and "ref" in call.arguments:
                    assert any(f"{{{call.arguments['ref']}}}" in m.text for m in trip.talk.messages)


def test_none_is_of_the_site_that_is_evaluated() -> None:
    told = " ".join(m.text for t in TRIPS for m in t.talk.messages).lower()
    for word in ("skerry", "nordlys", "museum", "lichen", "faering", "fresnel", "localhost"):
        assert word not in told


def test_they_are_written_as_chat_templates_take_them(tmp_path: Path) -> None:
    write(tmp_path / "out" / "rows.jsonl", 9, 1)
    rows = [json.loads(line) for line in (tmp_path / "out" / "rows.jsonl").read_text().splitlines()]
    assert len(rows) == 9
    assert all(row["messages"][0]["role"] == "user" and row["messages"][-1]["role"] == "assistant" for row in rows)
    assert {tool["function"]["name"] for tool in rows[0]["tools"]} >= {"python", "browser_open"}
    write(tmp_path / "again.jsonl", 9, 1)
    assert (tmp_path / "again.jsonl").read_text() == (tmp_path / "out" / "rows.jsonl").read_text()


def test_no_request_is_one_that_is_evaluated() -> None:
    file = Path(__file__).parent.parent / "training" / "eval" / "browser.jsonl"
    items = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    asked = {turn["prompt"].lower() for item in items for turn in item.get("turns", [item])}
    assert not asked & {m.text.lower() for t in TRIPS for m in t.talk.messages if m.role == "user"}
