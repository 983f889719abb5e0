"""Say which answers were good, and write the dialogues for fine-tuning; and a session as a page for others."""

import json
from pathlib import Path

from llmos import LLMOS, Scripted, ToolCall
from llmos.export import write
from llmos.memory.traces import traces

sum_of = ToolCall("1", "calculator", {"expression": "17% * 240"})
model = Scripted(["About 40.", sum_of, "It is 40.8."])

with LLMOS(model=model) as system, system.session() as session:
    session.run("what is 17% of 240?")
    session.judge("bad", "it guessed")
    list(session.retry())
    session.judge("prefer")  # better than what was tried before
    lines = list(traces(session.events()))
    page = write(session.events(), session.workspace, Path("session.html"))

for line in lines:
    print(json.dumps(line)[:200])
assert [line["verdict"] for line in lines] == ["bad", "prefer"]
assert lines[1]["chosen"][-1]["content"] == "It is 40.8."
assert lines[1]["rejected"][-1]["content"] == "About 40."
print("written:", page, f"({page.stat().st_size:,} bytes, whole in itself)")
assert "17% of 240" in page.read_text()
