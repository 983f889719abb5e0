"""The Python sandbox doing its work: cells, files, figures, and starting as any user from any folder."""

import json
import os
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmos.tools import sandbox_check, sandbox_launch
from llmos.tools.sandbox import Execution, Figure, Sandbox, SandboxError, self_test
from llmos.tools.sandbox_convert import convert
from llmos.tools.sandbox_load import read_text

boxed = pytest.mark.skipif(bool(self_test()), reason=self_test() or "-")
ROUNDS = """company,date,amount,share
Acme,2017-07,"$1,200",12%
Beta,2018-02,"$2,000",5%
broken
Gamma,2019-05,"$3,100",30.5%
Delta,2021-03,"$4,400",8%
"""


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    workspace = tmp_path_factory.mktemp("session")
    (workspace / "data").mkdir()
    (workspace / "data" / "Rounds.csv").write_text(ROUNDS)
    (workspace / "data" / "Rounds.csv").chmod(0o600)
    with Sandbox(workspace) as sandbox:
        yield sandbox


def good(box: Sandbox, code: str) -> Execution:
    done = box.execute(code)
    assert done.ok, done
    return done


def plot(box: Sandbox, code: str) -> tuple[Figure, dict[str, Any]]:
    """The one figure that a cell makes, and the record of its first axes."""
    done = good(box, code)
    assert len(done.figures) == 1, done
    axes: dict[str, Any] = done.figures[0].data["axes"][0]
    return done.figures[0], axes


# -- cells ------------------------------------------------------------------------------------------------------------


@boxed
def test_a_cell_gives_output_value_and_error(box: Sandbox) -> None:
    done = good(box, "import sys\nprint('out')\nprint('err', file=sys.stderr)\n6 * 7")
    assert (done.stdout, done.stderr, done.value) == ("out\n", "err\n", "42")
    assert good(box, "x = 5").value == ""
    done = box.execute("y = 1\ny / 0")
    assert done.error == "Line 2: y / 0\nZeroDivisionError: division by zero"
    assert "SyntaxError" in box.execute("1 +").error
    assert good(box, "x + y").value == "6"


@boxed
def test_an_error_shows_the_lines_of_the_cell_and_no_other(box: Sandbox) -> None:
    done = box.execute("def f(n):\n    return pd.Series([n]).loc['k']\nf(1)")
    assert done.error.startswith("Line 3: f(1)\nLine 2 in f: return pd.Series([n]).loc['k']\nKeyError")
    done = box.execute("load('rounds')['cost']")
    assert "is no column; the columns are: company, date, amount, share" in done.error


@boxed
def test_values_are_plain(box: Sandbox) -> None:
    assert good(box, "np.float64(1) / 3").value == "0.3333333"
    assert good(box, "print(np.array([1.5, 2]), repr(np.float64(2.5)))").stdout == "[1.5 2. ] 2.5\n"
    assert len(good(box, "pd.DataFrame({'a': range(10**5)})").value) < 2000


@boxed
def test_output_is_told_as_it_comes(box: Sandbox) -> None:
    told: list[str] = []
    box.execute("import time\nprint('one', flush=True)\ntime.sleep(.3)\nprint('two')", progress=told.append)
    assert "".join(told) == "one\ntwo\n"


@boxed
def test_no_input_and_no_waiting_for_it(box: Sandbox) -> None:
    assert "Error" in box.execute("input('?')", 10).error


@boxed
def test_await_and_magics_work(box: Sandbox) -> None:
    assert good(box, "import asyncio\nawait asyncio.sleep(0.01)\n'done'").value == "done"
    assert "Rounds.csv" in good(box, "!ls data").stdout


@boxed
def test_scipy_is_there(box: Sandbox) -> None:
    assert good(box, "from scipy import stats\nround(stats.norm.cdf(1.96), 3)").value == "0.975"


@boxed
def test_cells_run_again_give_the_state_back(tmp_path: Path) -> None:
    with Sandbox(tmp_path) as sandbox:
        failed = sandbox.restore(["a = 1", "b = a + 1", "1 / 0", "plt.plot([1, 2])"])
        assert failed == 1
        done = sandbox.execute("a + b")
        assert (done.value, done.figures) == ("3", ())


@boxed
def test_a_closed_box_starts_again(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path)
    sandbox.close()
    assert sandbox.execute("1").value == "1"
    sandbox.close()
    sandbox.interrupt()
    assert sandbox.execute("2").value == "2"
    sandbox.close()


@boxed
def test_threads_take_turns(box: Sandbox) -> None:
    values: list[str] = []
    threads = [threading.Thread(target=lambda n=n: values.append(box.execute(f"{n}").value)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(values) == list("012345")


def test_no_workspace_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="did not start"):
        Sandbox(tmp_path / "none").start()


# -- files ------------------------------------------------------------------------------------------------------------


@boxed
def test_files_are_found_by_name(box: Sandbox) -> None:
    for name in ("Rounds.csv", "rounds", "data/Rounds.csv", "ROUNDS.CSV", "./data/rounds.csv", "rounds.txt"):
        assert good(box, f"len(load({name!r}))").value == "4"
    assert good(box, "len(pd.read_csv('rounds.csv')), open('Rounds.csv').readline()").value
    error = box.execute("load('sales')").error
    assert "no file named 'sales'; the files are: Rounds.csv" in error


@boxed
def test_a_file_that_comes_later_is_readable(box: Sandbox) -> None:
    (box.workspace / "late.json").write_text(
        json.dumps([{"when": "2020-01-05", "n": 1}, {"when": "2020-02-05", "n": 2}])
    )
    (box.workspace / "late.json").chmod(0o600)
    assert good(box, "load('late').dtypes.astype(str).str.startswith('datetime').tolist()").value == "[True, False]"
    good(box, "open('made.txt', 'w').write('x')")
    assert (box.workspace / "made.txt").read_text() == "x"
    (box.workspace / "made.txt").unlink()


@boxed
def test_load_makes_numbers_and_dates_and_tells_what_it_left_out(box: Sandbox) -> None:
    done = good(box, "df = load('rounds')\ndf.date.dt.year.tolist() + df.amount.tolist() + df.share.tolist()")
    assert done.value == "[2017, 2018, 2019, 2021, 1200, 2000, 3100, 4400, 12, 5, 30.5, 8]"
    assert done.stdout == "Rounds.csv: 1 broken row skipped (line 4).\n"


@pytest.mark.parametrize(
    ("texts", "wanted"),
    [
        (["2021-03-15", "2021-04-01"], ["2021-03-15", "2021-04-01"]),
        (["2017-07", "2018-02"], ["2017-07-01", "2018-02-01"]),
        (["2021 Q3", "Q4 2021"], ["2021-07-01", "2021-10-01"]),
        (["03/15/2021", "04/01/2021"], ["2021-03-15", "2021-04-01"]),
        (["15/03/2021", "01/04/2021"], ["2021-03-15", "2021-04-01"]),
        (["15.03.2021", "01.04.2021"], ["2021-03-15", "2021-04-01"]),
        (["Jan 2020", "February 2020"], ["2020-01-01", "2020-02-01"]),
        (["Mar-21", "Apr-21"], ["2021-03-01", "2021-04-01"]),
        (["March 5, 2020", "Sept 6, 2020"], ["2020-03-05", "2020-09-06"]),
        (["5 Mar 2020", "6-Apr-2020"], ["2020-03-05", "2020-04-06"]),
        (["2021-03-15T10:00:00Z", "2021-03-15T12:00:00+02:00"], ["2021-03-15T10:00:00", "2021-03-15T10:00:00"]),
    ],
)
def test_dates_are_read(texts: list[str | None], wanted: list[str]) -> None:
    found = convert(texts)
    assert [value.isoformat().removesuffix("T00:00:00") for value in found] == wanted


@pytest.mark.parametrize(
    ("texts", "wanted"),
    [
        (["2017", "2018"], [2017, 2018]),
        (["1,234", "-5"], [1234, -5]),
        (["1.5", "2.0", ""], [1.5, 2.0, None]),
        (["$3.5M", "€20k"], [3_500_000, 20_000]),
        (["(1,000)", "$2"], [-1000, 2]),
        (["12%", "7.5 %"], [12, 7.5]),
        (["1 234 567", "N/A", "-"], [1234567, None, None]),
        (["00501", "10001"], ["00501", "10001"]),
        (["10 km", "5 km"], ["10 km", "5 km"]),
        (["True", "false"], [True, False]),
    ],
)
def test_numbers_are_read(texts: list[str | None], wanted: list[object]) -> None:
    found = [None if value != value or value is None else value for value in convert(texts).tolist()]
    assert (
        found == wanted
        and [type(v) for v in found] == [type(v) if v is None else type(w) for v, w in zip(found, wanted, strict=True)]
    ) or found == wanted


@pytest.mark.parametrize(
    ("text", "columns", "rows"),
    [
        ("a;b\n1,5;x\n2,25;y\n", ["a", "b"], [[1.5, "x"], [2.25, "y"]]),
        ("a\tb\n1\tx\n", ["a", "b"], [[1, "x"]]),
        ("Report\n\na,b\n1,x\n", ["a", "b"], [[1, "x"]]),
        ("1,2\n3,4\n", ["column_1", "column_2"], [[1, 2], [3, 4]]),
        ("a,a,\n1,2,3\n", ["a", "a_2", "column_3"], [[1, 2, 3]]),
        (
            'name,note\n"x","with, comma"\r\ny,"two\nlines"\n',
            ["name", "note"],
            [["x", "with, comma"], ["y", "two\nlines"]],
        ),
        ("n\n1\n2\n", ["n"], [[1], [2]]),
    ],
)
def test_tables_are_read(text: str, columns: list[str], rows: list[list[object]]) -> None:
    frame = read_text(text)
    assert list(frame.columns) == columns
    assert frame.to_numpy().tolist() == rows


def test_a_wide_variety_of_dirt_is_survived(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [f"2020-{1 + n % 12:02d},{n}" for n in range(30)]
    rows[7], rows[9] = "2020-08", "2020-10,9,extra"
    rows[12] = "2020-01,about twelve"
    frame = read_text("month,n\n" + "\n".join(rows), "dirty.csv")
    assert len(frame) == 28
    assert frame["n"].isna().sum() == 1
    told = capsys.readouterr().out
    assert told == "dirty.csv: 2 broken rows skipped (lines 9, 11); 1 cell of n without a number left empty.\n"


# -- figures ----------------------------------------------------------------------------------------------------------


@boxed
def test_a_figure_is_a_png_with_title_labels_and_record(box: Sandbox) -> None:
    figure, axes = plot(box, "df = load('rounds')\nax = df.plot(x='date', y='amount')")
    assert figure.png.startswith(b"\x89PNG")
    assert b"tEXtTitle\x00Amount over time" in figure.png
    assert (axes["title"], axes["xlabel"], axes["ylabel"]) == ("Amount over time", "date", "amount")
    assert axes["series"][0] == {
        "kind": "line",
        "label": "amount",
        "x": ["2017-07-01", "2018-02-01", "2019-05-01", "2021-03-01"],
        "y": [1200, 2000, 3100, 4400],
    }


@boxed
def test_a_follow_up_changes_the_same_figure(box: Sandbox) -> None:
    plot(box, "ax = load('rounds').plot(x='date', y='amount', title='Rounds')")
    for code in (
        "ax.set_yscale('log')\nax.figure",
        "ax.set_yscale('log')",
        "ax",
        "ax.set_title('New')",
        "display(ax.figure)",
    ):
        figure, axes = plot(box, code)
        assert axes["yscale"] == "log"
    assert figure.title == "New"
    assert not good(box, "1 + 1").figures


@boxed
@pytest.mark.parametrize(
    "code",
    [
        "plt.plot([1, 2], [3, 4])\nplt.show()",
        "fig, ax = plt.subplots()\nax.plot([1, 2], [3, 4])\nfig",
        "fig, ax = plt.subplots()\nax.plot([1, 2], [3, 4])\nfig.savefig('x.png')\nplt.close(fig)",
        "plt.plot([1, 2], [3, 4])\nplt.close('all')",
        "import matplotlib; matplotlib.use('TkAgg')\nimport matplotlib.pyplot as plt\nplt.plot([1, 2], [3, 4])",
        "from matplotlib.figure import Figure\nfig = Figure()\nfig.subplots().plot([1, 2], [3, 4])\nfig",
        "[plt.gca().plot([1, 2], [3, 4]), plt.gca()]",
    ],
)
def test_a_figure_leaves_once_however_it_is_made(box: Sandbox, code: str) -> None:
    _, axes = plot(box, code)
    assert axes["series"][0]["y"] == [3, 4]
    assert axes["title"]
    assert axes["xlabel"]
    assert axes["ylabel"]


@boxed
def test_what_is_left_out_is_filled_in(box: Sandbox) -> None:
    good(box, "df = load('rounds')")
    _, axes = plot(box, "plt.plot([2019, 2020, 2021], [1, 2, 3])\nplt.ylabel('users')")
    assert (axes["title"], axes["xlabel"], axes["ylabel"]) == ("Users by x", "x", "users")
    _, axes = plot(box, "df.pivot_table(index='date', columns='company', values='amount').plot()")
    assert {s["label"] for s in axes["series"]} == {"Acme", "Beta", "Gamma", "Delta"}
    done = good(box, "fig, (a, b) = plt.subplots(1, 2)\na.plot(df.date, df.amount)\nb.hist(df.amount)")
    titles = [axes["title"] for axes in done.figures[0].data["axes"]]
    assert titles == ["Amount over time", "Distribution of amount"]
    _, axes = plot(box, "ax = df.plot(x='date', y='amount')\nax.twinx().plot(df.date, df.share, label='share')")
    assert len(axes["series"]) == 1
    _, axes = plot(box, "plt.plot([1, 2], [1, 2])\nplt.title('Mine'); plt.xlabel('X'); plt.ylabel('Y')")
    assert (axes["title"], axes["xlabel"], axes["ylabel"]) == ("Mine", "X", "Y")


@boxed
def test_an_empty_figure_is_told_and_an_error_leaves_none(box: Sandbox) -> None:
    done = good(box, "fig, ax = plt.subplots()")
    assert not done.figures
    assert "is empty" in done.stdout
    assert not box.execute("plt.plot([1, 2])\n1 / 0").figures


@boxed
def test_kinds_of_plots_are_recorded(box: Sandbox) -> None:
    _, axes = plot(box, "df = load('rounds')\nplt.bar(df['company'], df['amount'])")
    bar = axes["series"][0]
    assert (bar["kind"], bar["x"], bar["y"]) == ("bar", ["Acme", "Beta", "Gamma", "Delta"], [1200, 2000, 3100, 4400])
    assert (axes["xlabel"], axes["ylabel"]) == ("company", "amount")
    _, axes = plot(box, "df.plot.bar(x='company', y=['amount', 'share'])")
    assert [(s["label"], s["x"][0], s["y"][0]) for s in axes["series"]] == [
        ("amount", "Acme", 1200),
        ("share", "Acme", 12),
    ]
    _, axes = plot(box, "df.plot.barh(x='company', y='amount')")
    assert (axes["series"][0]["kind"], axes["series"][0]["y"][1], axes["series"][0]["x"][1]) == ("barh", "Beta", 2000)
    _, axes = plot(box, "df.plot.scatter(x='date', y='share')")
    assert axes["series"][0]["x"][0] == "2017-07-01"
    assert axes["series"][0]["kind"] == "scatter"
    figure, axes = plot(box, "df['amount'].hist(bins=4)")
    assert axes["series"][0]["kind"] == "hist"
    assert axes["series"][0]["y"] == [1, 1, 1, 1]
    assert figure.title == "Distribution of amount"
    assert axes["xlabel"] == "amount"
    assert axes["ylabel"] == "count"
    _, axes = plot(box, "plt.pie(df['amount'], labels=df['company'])")
    assert axes["series"][0]["x"] == ["Acme", "Beta", "Gamma", "Delta"]
    assert axes["series"][0]["y"][0] == 1200
    _, axes = plot(box, "plt.imshow([[1, 2], [3, 4]])")
    assert axes["series"][0] == {"kind": "image", "label": "", "shape": [2, 2]}
    _, axes = plot(box, "plt.plot(range(5000))\nplt.axhline(3)")
    assert len(axes["series"][0]["x"]) <= 2000
    assert axes["series"][0]["of"] == 5000
    assert axes["series"][1]["kind"] == "reference"


@boxed
@pytest.mark.parametrize(
    ("code", "end"),
    [
        ("ax = df.plot(x='date', y='amount')\ntrend(ax, until=2026)", "2026-12-31"),
        ("ax = df.plot(x='date', y='amount')\ntrend(ax, until='2026')\nax.figure", "2026-12-31"),
        ("ax = df.plot(x='date', y='amount')\ntrend(ax, '2026-06')", "2026-06-30"),
        ("plt.scatter(df['date'], df['amount'])\ntrend(until='2026-06-15')", "2026-06-15"),
        (
            "fig, ax = plt.subplots()\nax.bar(df['date'], df['amount'], width=40)\ntrend(fig, until='2025 Q1')",
            "2025-03-31",
        ),
        ("ax = df.set_index('date')['amount'].resample('YS').sum().plot()\ntrend(ax, until=2026)", "2026-12-31"),
        (
            "ax = pd.DataFrame({'year': [2017, 2018, 2020], 'n': [1, 2, 4]}).plot(x='year', y='n')\ntrend(ax, 2026)",
            2026,
        ),
        (
            "ax = pd.DataFrame({'year': [2017, 2018, 2020], 'n': [1, 2, 4]}).plot(x='year')\ntrend(ax, '2026-12-31')",
            2026,
        ),
        ("plt.bar(['2017', '2018', '2019'], [1, 2, 3])\ntrend(plt.gca(), until=2021)", "2021"),
        (
            "ax = pd.DataFrame({'y': [2017, 2018, 2019], 'n': [1, 2, 3]}).plot.bar(x='y')\ntrend(ax, until=2021)",
            "2021",
        ),
        ("ax = df.plot.bar(x='company', y='amount')\ntrend(ax)", "Delta"),
        ("plt.plot([0, 1, 2], [5, 6, 7])\ntrend(plt.gca(), 4.5)", 4.5),
    ],
)
def test_trend_lines_reach_where_they_should(box: Sandbox, code: str, end: object) -> None:
    _, axes = plot(box, f"df = load('rounds')\n{code}")
    line = next(series for series in axes["series"] if series["kind"] == "trend")
    assert line["x"][1] == end, axes
    assert line["label"].startswith("trend: +")


@boxed
def test_a_trend_is_the_least_squares_line(box: Sandbox) -> None:
    _, axes = plot(box, "plt.plot([2000, 2001, 2002], [1.0, 3.0, 5.0])\ntrend(plt.gca(), 2010)")
    line = axes["series"][1]
    assert line["y"] == [pytest.approx(1), pytest.approx(21)]
    assert line["label"] == "trend: +2 per year"
    assert axes["xlim"][1] >= 2010
    assert "two points" in box.execute("plt.plot([1], [1], 'o')\ntrend(plt.gca())").error
    assert "no line" in box.execute("trend(plt.gca())").error


@boxed
def test_many_figures_are_bounded_and_large_ones_fit(box: Sandbox) -> None:
    done = good(box, "for n in range(11):\n    plt.figure()\n    plt.plot([1, n])")
    assert len(done.figures) == 8
    assert "3 more figures were not kept" in done.stdout
    done = good(box, "plt.figure(figsize=(60, 60), dpi=300)\nplt.imshow(np.random.rand(2000, 2000))")
    assert len(done.figures) == 1
    assert len(done.figures[0].png) < 4_000_000


# -- hosts and users --------------------------------------------------------------------------------------------------

_RUN = """
import sys, tempfile
from pathlib import Path
from llmos.tools.sandbox import Sandbox, self_test
problem = self_test()
if problem:
    sys.exit("OFF " + problem)
workspace = Path(tempfile.mkdtemp())
(workspace / "f.csv").write_text("a,b\\n1,2\\n")
(workspace / "f.csv").chmod(0o600)
with Sandbox(workspace) as box:
    done = box.execute(
        "import os, llmos.tools.sandbox_load as l\\nopen('made', 'w').write('x')\\nplt.plot([1, 2])\\n"
        "print(load('f').b.sum(), os.getuid(), l.__file__)"
    )
    assert done.ok and done.figures, done
    print(done.stdout)
    print(box.execute("while True: pass", .3).stopped)
    print(box.execute("import os; os._exit(0)").lost, box.execute("6*7").value)
(workspace / "made").unlink()
(workspace / "f.csv").unlink()
workspace.rmdir()
"""


@boxed
@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("user", ["plain", "root"])
def test_every_user_from_a_private_folder(tmp_path: Path, user: str) -> None:
    """A checkout in a 0700 folder, an interpreter in another: root, and a plain user who owns them."""
    checkout, private = Path(sandbox_launch.__file__).resolve().parents[1], tmp_path / "private"
    for folder in (private / "main", private / "python", private / "tmp"):
        folder.mkdir(parents=True)
    uid = "0" if user == "root" else "31234"
    python = Path(sys.base_prefix)
    script = f"""
set -e
mount --bind {checkout} {private}/main
mount --bind {python} {private}/python
chmod 700 {private} && chown {uid}:{uid} {private} {private}/tmp
chmod 755 {tmp_path.parent.parent} {tmp_path.parent} {tmp_path}
cd /
exec setpriv --reuid={uid} --regid={uid} --clear-groups -- env -i HOME={private}/tmp TMPDIR={private}/tmp \
  PATH=/usr/bin:/bin PYTHONDONTWRITEBYTECODE=1 PYTHONPATH={private}/main:{private}/main/{_site(checkout)} \
  {private}/python/bin/python{sys.version_info.major}.{sys.version_info.minor} -c {shlex.quote(_RUN)}
"""
    shell = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script]
    done = subprocess.run(shell, capture_output=True, text=True, timeout=120)
    if done.stderr.startswith("OFF "):
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "2 1000 /run/box/llmos/tools/sandbox_load.py" in done.stdout
    assert "ran into the time limit" in done.stdout
    assert "True 42" in done.stdout


def _site(checkout: Path) -> str:
    """The packages' folder, relative to the checkout where they lie in it (as ``make test`` puts them)."""
    site = next(entry for entry in sys.path if entry.endswith("site-packages"))
    if not Path(site).is_relative_to(checkout):
        pytest.skip("the packages are not in the checkout")
    return str(Path(site).relative_to(checkout))


def test_without_bubblewrap_it_is_off_and_says_what_mends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    test = sandbox_check.self_test.__wrapped__
    monkeypatch.setattr(shutil, "which", lambda name, path=None: "/usr/bin/apt-get" if name == "apt-get" else None)
    assert test() == "bubblewrap is not installed: sudo apt-get install bubblewrap"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert "needs Linux" in test()


@pytest.mark.parametrize(
    ("problem", "setting", "mend"),
    [
        ("bwrap: Unknown option --disable-userns", "", "bubblewrap 0.8 or newer"),
        (
            "bwrap: setting up uid map: Permission denied",
            "kernel/apparmor_restrict_unprivileged_userns=1",
            "apparmor_restrict_unprivileged_userns=0",
        ),
        (
            "bwrap: No permissions to create a new namespace",
            "user/max_user_namespaces=0",
            "user.max_user_namespaces=15000",
        ),
        (
            "bwrap: No permissions to create new namespace",
            "kernel/unprivileged_userns_clone=0",
            "unprivileged_userns_clone=1",
        ),
        ("bwrap: Can't mount proc on /newroot/proc: Operation not permitted", "", "systempaths=unconfined"),
        ("unshare: unshare failed: Operation not permitted", "", "seccomp=unconfined"),
        ("bwrap: something else", "", "llmos doctor"),
    ],
)
def test_a_host_without_namespaces_is_told_what_mends_it(
    monkeypatch: pytest.MonkeyPatch, problem: str, setting: str, mend: str
) -> None:
    name, _, value = setting.partition("=")
    monkeypatch.setattr(sandbox_check, "_setting", lambda asked: value if asked == name else "")
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    line = sandbox_check.explain(problem)
    assert mend in line
    assert "\n" not in line


def test_a_box_that_does_not_start_is_never_replaced_by_the_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        sandbox_launch, "command", lambda *_: ["/bin/sh", "-c", "echo bwrap: no namespaces >&2; exit 1"]
    )
    with pytest.raises(SandboxError, match="no namespaces"):
        Sandbox(tmp_path).execute("open('escaped', 'w')")
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(sandbox_launch, "command", lambda *_: ["/nonexistent/bwrap"])
    with pytest.raises(SandboxError, match="did not start"):
        Sandbox(tmp_path).execute("1")


def test_the_inside_modules_are_all_there() -> None:
    here = Path(sandbox_launch.__file__).parent
    assert all((here / f"{name}.py").is_file() for name in sandbox_launch._MODULES)
    assert shutil.which("sh")
