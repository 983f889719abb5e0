"""The ``python`` tool as dispatch calls it: text, figures, limits, and a state that outlives Python itself."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmos.kernel.tool import ToolContext, ToolError, ToolOutput
from llmos.tools import python as python_module
from llmos.tools import sandbox_launch
from llmos.tools.python import DESCRIPTION, PARAMETERS, PythonTool, describe, make_python
from llmos.tools.sandbox import Figure, Limits, self_test

boxed = pytest.mark.skipif(bool(self_test()), reason=self_test() or "-")


@pytest.fixture(scope="module")
def tool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PythonTool]:
    workspace = tmp_path_factory.mktemp("session")
    (workspace / "data").mkdir()
    (workspace / "data" / "rounds.csv").write_text("date,amount_musd\n2017-07,12.5\n2018-02,20\n2019-05,31\n")
    made = PythonTool(workspace, limits=Limits(memory=500 << 20, disk=64 << 20))
    made.warm()
    yield made
    made.close()


def call(tool: PythonTool, code: str, timeout: float = 30, context: ToolContext | None = None) -> ToolOutput:
    return tool.run({"code": code}, context or ToolContext(tool._workspace, timeout))


def test_the_tool_is_short_and_declares_what_it_does(tmp_path: Path) -> None:
    made = make_python(tmp_path)
    assert made.name == "python"
    assert made.capabilities == frozenset({"exec"})
    assert len(DESCRIPTION) <= 200
    assert PARAMETERS["properties"]["code"]["maxLength"] == 20000
    assert made.available() == self_test()
    made.close()


def test_importing_it_is_cheap() -> None:
    heavy = "numpy pandas matplotlib zmq jupyter_client ipykernel IPython tornado scipy torch"
    code = f"import sys, llmos.tools.python; sys.exit(str([m for m in {heavy!r}.split() if m in sys.modules] or ''))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.strip() == ""


@boxed
def test_a_plot_is_an_artifact_with_a_title_and_a_line(tool: PythonTool) -> None:
    done = call(
        tool, "ax = load('rounds').plot(x='date', y='amount_musd', title='Funding rounds')\ntrend(ax, until=2026)"
    )
    assert done.ok
    artifact = done.artifacts[0]
    path = Path(artifact.path)
    assert path.is_absolute()
    assert path.parent == tool._workspace.absolute()
    assert artifact.mime == "image/png"
    assert artifact.title == "Funding rounds"
    assert done.text == f"[{path.name}: Funding rounds, x: date, y: amount_musd]"
    record = json.loads(path.with_suffix(".json").read_text())
    assert record["file"] == path.name
    assert record["axes"][0]["series"][0]["y"] == [12.5, 20, 31]
    again = call(tool, "ax.set_yscale('log')\nax.figure")
    assert Path(again.artifacts[0].path).name != path.name
    assert path.exists()


LANDS = "pd.DataFrame({'land': ['Peru', 'Chile'], 'n': [1, 2]})"


@boxed
@pytest.mark.parametrize(
    ("code", "value", "told"),
    [
        ("load('rounds')['Amount MUSD'].max()", "31", "'amount_musd' was taken"),
        ("load('rounds')['amount_must'].max()", "31", "there is no column 'amount_must'"),
        ("load('funding_rounds.csv')['amount'].sum()", "63.5", "'rounds.csv' was taken"),
        ("load('rounds').nlargest(1, 'ammount_musd')[['amount_musd']].iloc[0, 0]", "31", "'ammount_musd'"),
        ("load('rounds').groupby('dates')['amount'].sum().tolist()", "[12.5, 20, 31]", "'dates'"),
        ("len(load('rounds').plot(x='dat', y=['amount_usd']).lines)", "1", "'amount_usd'"),
        ("load('rounds')['amount_musd'].max()", "31", ""),
        (f"{LANDS}.loc[lambda d: d['land'] == 'peru', 'n'].sum()", "1", "'Peru' was taken"),
        (f"{LANDS}.loc[lambda d: d['land'].isin(['PERU', 'Chile']), 'n'].sum()", "3", "'Peru' was taken"),
        (f"{LANDS}.loc[lambda d: d['land'] == 'Chile', 'n'].sum()", "2", ""),
        (f"({LANDS}['land'] == 'Mongolia').sum()", "0", ""),
        ("(pd.Series(['New York', 'Rome']) == 'new-york').sum()", "1", "'New York' was taken"),
        ("(pd.Series(['female', 'female']) == 'male').sum()", "0", ""),
        ("pd.Series(['2024', 'Nigeria', 'C++', '5']).isin(['2023', 'Niger', 'C', '-5']).sum()", "0", ""),
        ("(pd.Series([['a'], ['b']]) == 'a').sum()", "0", ""),
    ],
)
def test_names_nearly_right_are_found_and_told(tool: PythonTool, code: str, value: str, told: str) -> None:
    done = call(tool, code + "\n" if "plot" not in code else f"n = {code}\nplt.close('all')\nn")
    lines = done.text.splitlines()
    assert done.ok, done.text
    assert value in lines
    assert told in done.text
    assert bool(told) == any(line.startswith("(there is no") for line in lines)


@boxed
def test_names_far_from_right_are_errors_that_tell_what_there_is(tool: PythonTool) -> None:
    assert "the columns are: date, amount_musd" in call(tool, "load('rounds')['price']").text
    assert "the files are: rounds.csv" in call(tool, "load('weather')").text
    assert not call(tool, "{'amounts': 1}['amount']").ok


@boxed
def test_text_is_output_then_value_then_error(tool: PythonTool) -> None:
    assert call(tool, "print('a')\n6 * 7").text == "a\n42"
    assert call(tool, "x = 1").text == "(no output)"
    done = call(tool, "print('before')\nx / 0")
    assert not done.ok
    assert done.text == "before\nerror: ZeroDivisionError: division by zero\nLine 2: x / 0"


@boxed
def test_limits_are_told_in_a_line_and_the_state_comes_back(tool: PythonTool) -> None:
    call(tool, "kept = 41")
    done = call(tool, "while True: pass", 0.5)
    assert not done.ok
    assert done.text.startswith("stopped after ")
    assert "Python state was kept" in done.text
    done = call(tool, "import os\nkept = 0\nos._exit(1)")
    assert "ended Python; Python was restarted, its state was lost; earlier cells will be run again" in done.text
    assert call(tool, "kept + 1").text == "42"
    done = call(tool, "import time\nkept = []\nwhile True: kept.append(bytearray(10**7)); time.sleep(.01)")
    assert "used more than 500 MB of memory" in done.text
    assert "\n" not in done.text
    assert call(tool, "kept + 1").text == "42"


@boxed
def test_planted_links_are_not_written_through(tool: PythonTool, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    plant = """
import os
for n in range(60):
    for end in ("png", "json"):
        if not os.path.lexists(f"plot-{n}.{end}"):
            os.symlink(VICTIM, f"plot-{n}.{end}")
"""
    call(tool, plant.replace("VICTIM", repr(str(victim))))
    done = call(tool, "plt.plot([1, 2])")
    assert len(done.artifacts) == 1
    assert not Path(done.artifacts[0].path).is_symlink()
    assert victim.read_text() == "mine"


@boxed
def test_a_session_taken_up_again_has_its_variables(tmp_path: Path) -> None:
    made = PythonTool(tmp_path, replay=["a = 20", "plt.plot([1, 2])", "b = a + 1"])
    made.warm()
    done = call(made, "a + b")
    assert done.text == "41"
    assert not done.artifacts
    assert not list(tmp_path.glob("plot*"))
    assert made.restore(["c = 1", "1 / 0"]) == 1
    assert call(made, "c").text == "1"
    made.close()


@boxed
def test_closing_does_not_wait_for_what_runs(tmp_path: Path) -> None:
    made = PythonTool(tmp_path, replay=["import time; time.sleep(50)"] * 3)
    made.warm()
    assert made.available() == ""
    made.close()  # the warm-up would take minutes
    assert made._warming is not None
    made._warming.join(20)
    assert not made._warming.is_alive()


@boxed
def test_progress_and_cancelling(tool: PythonTool) -> None:
    told: list[str] = []
    cancelled = threading.Event()
    context = ToolContext(tool._workspace, 30, told.append, cancelled)
    threading.Timer(1, cancelled.set).start()
    done = call(tool, "import time\nprint('step 1')\nwhile True: time.sleep(.1)", context=context)
    assert told == ["step 1"]
    assert "was interrupted" in done.text


def test_where_there_is_no_sandbox_the_tool_is_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        python_module, "self_test", lambda: "bubblewrap is not installed: sudo apt-get install bubblewrap"
    )
    monkeypatch.setattr(sandbox_launch, "command", lambda *_: ["/bin/sh", "-c", "echo bwrap: no >&2; exit 1"])
    made = PythonTool(tmp_path)
    made.warm()
    assert "sudo apt-get install bubblewrap" in made.tool().available()
    with pytest.raises(ToolError, match="Python is off: bubblewrap is not installed"):
        call(made, "open('escaped', 'w')")
    made.close()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "data", [{}, {"axes": 5}, {"axes": []}, {"axes": [7]}, {"axes": [{"xlabel": 3, "ylabel": []}]}]
)
def test_a_forged_record_is_described_all_the_same(data: dict[str, object]) -> None:
    assert describe("plot-1.png", Figure(b"", "t\n" + "x" * 300, data)) == f"[plot-1.png: t {'x' * 78}]"
