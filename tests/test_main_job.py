"""The main job on real input: the embedded kernel, the real dispatcher, the real sandbox. Nothing scripted."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmos import LLMOS, Answer
from llmos.memory.library import tables
from llmos.memory.log import SessionStore


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LLMOS]:
    with LLMOS(home=tmp_path_factory.mktemp("home")) as llmos:
        yield llmos


def plotted(answer: Answer) -> dict[str, Any]:
    """The first series of the last figure, read back from the figure's record."""
    record = json.loads(Path(answer.artifacts[-1].path).with_suffix(".json").read_text(encoding="utf-8"))
    series = record["axes"][0]["series"][0]
    return {"x": series["x"], "y": series["y"], "scale": record["axes"][0]["yscale"], "label": series["label"]}


def test_plot_funding_rounds_draws_the_tables_columns(system: LLMOS) -> None:
    answer = system.run("plot funding rounds")
    table = next(t for t in tables() if t.file == "funding_rounds_scale_ai.csv")
    with table.path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    shown = plotted(answer)
    assert shown["y"] == [float(r["amount_musd"]) for r in rows]
    assert [str(x)[:7] for x in shown["x"]] == [r["date"] for r in rows]
    assert Path(answer.artifacts[0].path).read_bytes().startswith(b"\x89PNG")
    assert "press reports" in answer.text
    assert "2024-05" in answer.text


def test_a_plot_is_followed_up_in_a_new_process(system: LLMOS, tmp_path: Path) -> None:
    with system.session() as session:
        session.run("plot funding rounds")
        name = session.id
    with system.session(name) as session:
        answer = session.run("now make the y axis logarithmic")
    assert plotted(answer)["scale"] == "log"


@pytest.mark.parametrize(
    ("request_", "number"),
    [("what is 15% of 2480?", "372"), ("What is 17 times 23?", "391"), ("square root of 1764", "42")],
)
def test_calculations_are_exact(system: LLMOS, request_: str, number: str) -> None:
    answer = system.run(request_)
    assert [c.name for c in answer.calls] == ["calculator"]
    assert number in answer.text


def test_who_it_is_and_what_it_cannot_do_need_no_tool(system: LLMOS) -> None:
    who, mail = system.run("who are you?"), system.run("send an email to my boss")
    assert "llmos" in who.text.lower()
    assert not who.calls
    assert not mail.calls


KILLED = """
import sys
from llmos import LLMOS, Scripted, ToolCall
code = "import time; print('working', flush=True); time.sleep(60)"
model = Scripted([ToolCall("x", "python", {"code": code}), "never said"])
with LLMOS(model=model, home=sys.argv[1]) as llmos:
    for event in llmos.stream("wait a minute"):
        print(type(event).__name__, flush=True)
"""


def test_killed_in_a_tool_call_the_session_is_whole_up_to_it(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("Decision"):
            break
    time.sleep(0.5)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    store = SessionStore(tmp_path)
    events = store.read(store.list()[0].id)
    assert [type(e).__name__ for e in events] == ["Started", "Request", "Call", "Decision"]
