"""What code finds in the sandbox before its first line: ``np``, ``pd``, ``plt``, ``load``, ``trend``; and short,
plain output.

Runs inside. The libraries are imported while nobody waits, or at the first cell that names them, whichever comes first:
a cell that computes ``1 + 1`` does not pay for matplotlib.
"""

import builtins
import contextlib
import importlib
import linecache
import os
import re
import sys
import traceback
import warnings
from collections.abc import Callable
from typing import Any

FIGURE_MIME = "application/vnd.llmos.figure+json"
_QUIET = "llmos"  # key of our request's metadata
# For letters that matplotlib's own font lacks, where the host has them.
_MORE_FONTS = ("Noto Sans", "Noto Sans CJK SC", "Noto Sans CJK JP", "WenQuanYi Micro Hei", "Noto Sans Arabic")


def install(kernel: Any, output: Any, config: dict[str, Any]) -> None:
    """Make a fresh kernel ours. ``output`` is the class of its two streams, ``config`` the box's."""
    Prelude(kernel, output, config).install()


class Prelude:
    """The names and hooks of one kernel."""

    def __init__(self, kernel: Any, output: Any, config: dict[str, Any]) -> None:
        self.kernel, self.shell, self.output = kernel, kernel.shell, output
        self.limit, self.figures = config["output"], config["figures"]
        self.pid = os.getpid()
        self.gallery: Any = None
        # What a cell may name, and the imports that stand behind it, quickest first.
        self.waiting: dict[str, tuple[re.Pattern[str], Callable[[], None]]] = {
            "numpy": (re.compile(r"\b(np|numpy|pd|pandas|plt|matplotlib|load|trend)\b"), self._numpy),
            "pandas": (re.compile(r"\b(pd|pandas|load)\b"), self._pandas),
            "matplotlib": (
                re.compile(r"\b(plt|pylab|matplotlib|mpl|trend|seaborn|sns|plot|hist|boxplot)\b"),
                self._plots,
            ),
            "first figure": (re.compile(r"(?!)"), self._rehearse),  # never waited for
        }

    def install(self) -> None:
        shell = self.shell
        shell.display_formatter.active_types = ["text/plain"]
        shell.display_formatter.formatters["text/plain"].max_seq_length = 100
        shell.events.register("pre_run_cell", self._before)
        shell.events.register("post_run_cell", self._after)
        shell.showtraceback = self._error
        shell.showsyntaxerror = self._error
        shell.ask_exit = lambda: None
        for name in ("exit", "quit"):
            shell.user_ns[name] = _leave
        # IPython keeps every value and all output of a session, which is the host's business here.
        shell.displayhook.do_full_cache = False
        # Else ``load('a.csv')`` in a first cell is taken for IPython's %load, which knows nothing of what comes later.
        shell.automagic = False
        shell._tee = lambda channel: contextlib.nullcontext()
        shell._format_exception_for_storage = lambda *_, **__: {}
        shell.displayhook.compute_format_data = self._display
        self._publish = shell.display_pub.publish
        shell.display_pub.publish = self._published
        self.output.left = self.limit
        sys.path.insert(0, "")
        warnings.filterwarnings("ignore", message="To exit: use")
        warnings.formatwarning = lambda message, category, *_: f"{category.__name__}: {message}\n"
        self._later()

    def _later(self) -> None:
        """Import one library per turn of the kernel's loop, so that a cell that comes meanwhile waits for one at
        most."""
        from tornado.ioloop import IOLoop

        def step() -> None:
            if self.waiting:
                with contextlib.suppress(Exception):  # a cell that needs it will tell
                    self._bring(next(iter(self.waiting)))
                loop.call_later(0.001, step)

        loop = IOLoop.current()
        loop.call_later(0.02, step)  # a cell that waits already goes first

    def _bring(self, library: str) -> None:
        _, bring = self.waiting.pop(library)
        bring()

    def _before(self, info: Any) -> None:
        self.output.left, self.output.dropped = self.limit, 0
        code = str(info.raw_cell)
        for library, (pattern, _) in list(self.waiting.items()):
            if pattern.search(code):
                with contextlib.suppress(Exception):  # the cell's own use of it will tell
                    self._bring(library)

    def _after(self, result: Any) -> None:
        if os.getpid() != self.pid:
            os._exit(0)  # a child that the cell forked, and that came back here: there is one kernel only
        self.shell.history_manager.outputs.clear()
        self.shell.history_manager.exceptions.clear()
        if self.gallery is not None or "matplotlib.figure" in sys.modules:
            if "matplotlib" in self.waiting:
                self._bring("matplotlib")
            quiet = bool((self.shell.get_parent().get("metadata") or {}).get(_QUIET, {}).get("quiet"))
            if self.gallery is not None:
                self.gallery.send(quiet or not result.success)
        if self.output.dropped:
            self.output.left = 200
            print(f"\n[{self.output.dropped:,} more characters of output were not kept]")

    def _display(self, value: Any) -> Any:
        if self.gallery is not None:
            from llmos.tools.sandbox_figures import figure_of

            figure = figure_of(value)
            if figure is not None:
                self.gallery.ask(figure)
                return {}, {}
        # The embedded kernel was trained on results in this form.
        from llmos.tools.sandbox_show import show

        return {"text/plain": self._cut(show(value))}, {}

    def _published(self, data: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        """What ``display`` sends: only figures and plain text, and of that as much as a cell may print."""
        if FIGURE_MIME not in data:
            data = {"text/plain": self._cut(str(data.get("text/plain", "")))}
        self._publish(data, *args, **kwargs)

    def _cut(self, text: str) -> str:
        kept = text[: max(self.output.left, 0)]
        self.output.left -= len(kept)
        self.output.dropped += len(text) - len(kept)
        return kept

    def _error(self, *_: Any, **__: Any) -> None:
        kind, error, trace = sys.exc_info()
        if kind is None or error is None:
            return
        self.shell._showtraceback(kind, error, short_traceback(error, trace))

    def _numpy(self) -> None:
        import numpy as np

        with contextlib.suppress(ImportError, AttributeError):
            # Each message has a context of its own, where options set here would not be seen: so the defaults change.
            printoptions = importlib.import_module(
                "numpy._core.printoptions"
            )  # numpy._core has a function of that name
            with np.printoptions(legacy="1.25", linewidth=110, threshold=60, edgeitems=4):
                printoptions.default_format_options_dict.update(printoptions.format_options.get())
        self.shell.user_ns.setdefault("np", np)

    def _pandas(self) -> None:
        import pandas as pd

        from llmos.tools import sandbox_load, sandbox_names

        for option, value in {
            "display.max_rows": 20,
            "display.min_rows": 10,
            "display.max_columns": 14,
            "display.width": 120,
            "display.max_colwidth": 40,
            "display.precision": 4,
        }.items():
            pd.set_option(option, value)
        # Dates on matplotlib's own axis, not pandas' periods, or what is added to a plot later lands elsewhere.
        pd.plotting.plot_params["x_compat"] = True
        sandbox_names.install(pd, pd.plotting.PlotAccessor)
        self.shell.user_ns.update({"pd": pd, "load": sandbox_load.load})
        for name in ("read_csv", "read_table", "read_json", "read_excel"):
            setattr(pd, name, _finding(getattr(pd, name)))
        self.shell.user_ns["open"] = _finding(_OPEN)
        warnings.filterwarnings("ignore", message="Could not infer format|Glyph .* missing")

    def _plots(self) -> None:
        import matplotlib
        import matplotlib.artist
        import matplotlib.font_manager

        # Texts for a manual nobody reads here: a third of the import time.
        matplotlib.artist.kwdoc = lambda artist: ""
        if hasattr(matplotlib.artist.Artist, "_update_set_signature_and_docstring"):
            matplotlib.artist.Artist._update_set_signature_and_docstring = classmethod(lambda cls: None)
        import matplotlib.pyplot as plt

        from llmos.tools import sandbox_figures, sandbox_trend

        names = matplotlib.font_manager.get_font_names()
        matplotlib.rcParams["font.family"] = ["DejaVu Sans", *(name for name in _MORE_FONTS if name in names)]
        matplotlib.use = lambda *_, **__: None
        self.gallery = sandbox_figures.Gallery(sandbox_figures.publisher(self.shell, FIGURE_MIME), self.figures)
        formatter = self.shell.display_formatter.ipython_display_formatter
        formatter.for_type(matplotlib.figure.Figure, self.gallery.ask)
        self.shell.user_ns.update({"plt": plt, "trend": sandbox_trend.trend})

    def _rehearse(self) -> None:
        """Draw a figure for nobody: fonts and caches are then ready for the first real one."""
        import matplotlib.pyplot as plt

        from llmos.tools import sandbox_figures, sandbox_finish

        figure, ax = plt.subplots()
        ax.plot([1, 2], label="a")
        ax.legend()
        sandbox_finish.finish(figure)
        sandbox_figures.picture(figure, "")
        plt.close(figure)
        self.gallery.forget()


def short_traceback(error: BaseException, trace: Any) -> list[str]:
    """An error as a person would tell it: the line of the cell, then type and message. No frames of libraries."""
    if isinstance(error, SyntaxError):
        where = f"Line {error.lineno}: {(error.text or '').strip()}"
        return [where, f"{type(error).__name__}: {error.msg}"]
    if isinstance(error, KeyboardInterrupt | SystemExit):
        return [f"{type(error).__name__}{': the cell ended itself' * isinstance(error, SystemExit)}"]
    lines = []
    for frame, number in traceback.walk_tb(trace):
        file, name = frame.f_code.co_filename, frame.f_code.co_name
        # IPython compiles cells under names in its own temporary folder.
        if "ipykernel_" in file or file.startswith(("<ipython", os.getcwd())):
            inside = "" if name.startswith("<") else f" in {name}"
            lines.append(f"Line {number}{inside}: {linecache.getline(file, number).strip()}")
    if len(lines) > 4:
        lines = [lines[0], "…", *lines[-2:]]
    message = " ".join(str(error).split("\n")[:6]) if isinstance(error, KeyError) else str(error)
    if isinstance(error, KeyError):
        message = f"{message}{_columns(trace, error)}"
    return [*lines, f"{type(error).__name__}: {message}"[:2000]]


def _columns(trace: Any, error: KeyError) -> str:
    """For a key that a DataFrame has not: the columns that it has."""
    if "pandas" not in sys.modules:
        return ""
    frame_type = sys.modules["pandas"].DataFrame
    while trace is not None:
        owner = trace.tb_frame.f_locals.get("self")
        if isinstance(owner, frame_type) and error.args and error.args[0] not in owner.columns:
            return f" is no column; the columns are: {', '.join(map(str, owner.columns[:40]))}"
        trace = trace.tb_next
    return ""


def _finding(function: Any) -> Any:
    """A reading function that also finds a session's file by its bare name."""

    def found(path: Any = None, *args: Any, **kwargs: Any) -> Any:
        reading = function is not _OPEN or not set(str(args[0] if args else kwargs.get("mode", "r"))) & set("wax+")
        if reading and isinstance(path, str | os.PathLike) and not os.path.exists(path) and "://" not in str(path):
            from llmos.tools.sandbox_load import find

            if not str(path).startswith(("/proc", "/sys", "/dev", "/etc", "/usr", "/tmp")):
                path = find(os.fspath(path))
        return function(path, *args, **kwargs) if path is not None else function(*args, **kwargs)

    found.__name__, found.__doc__ = function.__name__, function.__doc__
    return found


_OPEN = builtins.open


def _leave(*_: Any) -> None:
    """Leaving is the host's business."""
    raise RuntimeError("there is nothing to exit: the cell simply ends")
