"""The ``python`` tool: code in the session's sandbox, its figures as artifacts, its text short and plain.

Knows the sandbox and the workspace. Code never runs anywhere else: where the host allows no sandbox the tool is off,
and
``available`` says why and what mends it.
"""

import builtins
import contextlib
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from llmos.kernel import beneath
from llmos.kernel.tool import Tool, ToolContext, ToolError, ToolOutput
from llmos.kernel.types import Artifact
from llmos.tools.sandbox import Execution, Figure, Limits, Sandbox, SandboxError, self_test

NAME = "python"
DESCRIPTION = "pandas and plots: load(name), trend(ax, until), np, pd, plt"
PARAMETERS: Mapping[str, Any] = {
    "type": "object",
    "properties": {"code": {"type": "string", "minLength": 1, "maxLength": 20000}},
    "required": ["code"],
    "additionalProperties": False,
}
Replaying = Callable[[], contextlib.AbstractContextManager[object]]
_EMPTY = "(no output)"
_ERRORS = frozenset(n for n, v in vars(builtins).items() if isinstance(v, type) and issubclass(v, BaseException))
_PROGRESS = 0.2  # seconds between two signs of life


class PythonTool:
    """One session's Python: variables last from call to call, and over a restart of Python by running cells again."""

    def __init__(
        self,
        workspace: Path,
        *,
        replay: Sequence[str] = (),
        limits: Limits | None = None,
        replaying: Replaying = contextlib.nullcontext,
    ) -> None:
        """``workspace``: the session's folder, an existing one. ``replay``: cells that worked before, oldest first.
        They are run again within ``replaying``, which may take back what they do to files."""
        self._workspace, self._replaying = Path(workspace), replaying
        self._sandbox = Sandbox(self._workspace, limits)
        self._lock = threading.Lock()
        self._worked = list(replay)
        self._owed = bool(self._worked)  # the cells that worked are not in this Python yet
        self._plots = 0
        self._warming: threading.Thread | None = None
        self._started = threading.Event()
        self._starts = self._closed = False

    def tool(self) -> Tool:
        """The tool as dispatch and the model know it."""
        return Tool(
            NAME, DESCRIPTION, PARAMETERS, self.run, frozenset({"exec"}), self.available, self.close, derives=True
        )

    def available(self) -> str:
        """An empty string, or one line: why Python is off on this host, and what mends it."""
        # A box that starts proves more than a test could, and is needed next.
        self.warm()
        self._started.wait()
        return "" if self._starts else self_test()

    def warm(self) -> None:
        """Start Python in the background, with the state of ``replay``; trouble shows at the first call."""
        if self._warming is None:
            self._warming = threading.Thread(target=self._warm, name="llmos-python-warm", daemon=True)
            self._warming.start()

    def _warm(self) -> None:
        with self._lock, contextlib.suppress(SandboxError):
            try:
                self._sandbox.start()
                self._starts = True
            finally:
                self._started.set()
            self._restore()

    def restore(self, codes: Sequence[str]) -> int:
        """Run earlier cells that worked again, without their figures; the number that fail this time."""
        with self._lock:
            self._worked.extend(codes)
            return self._sandbox.restore(codes)

    def rewind(self, codes: Sequence[str]) -> None:
        """End this Python; the next one has the state of these cells, and gets it at its first call."""
        self._sandbox.close()
        with self._lock:
            self._sandbox.close()  # what was under way may have started it again
            self._worked = list(codes)
            self._owed = bool(self._worked)

    def run(self, arguments: Mapping[str, Any], context: ToolContext) -> ToolOutput:
        """Run ``arguments["code"]`` for at most ``context.timeout`` seconds. Raises ToolError where there is no
        sandbox."""
        problem = self.available()
        if problem:
            raise ToolError(f"Python is off: {problem}")
        code = str(arguments["code"])
        with self._lock:
            try:
                if self._owed:
                    context.progress("restoring Python's state")
                    self._restore()
                done = self._sandbox.execute(
                    code, context.timeout, _paced(context.progress), cancelled=context.cancelled
                )
            except SandboxError as error:
                raise ToolError(str(error)) from error
            self._owed = self._owed or (done.lost and bool(self._worked))
            if done.ok:
                self._worked.append(code)
            return self._output(done)

    def close(self) -> None:
        """End Python, whatever it does; the workspace stays."""
        self._closed = True
        self._sandbox.close()
        with self._lock:  # what was under way may have started it again
            self._sandbox.close()

    def _restore(self) -> None:
        if self._owed and not self._closed:
            self._owed = False
            with self._replaying():
                self._sandbox.restore(self._worked)

    def _output(self, done: Execution) -> ToolOutput:
        artifacts, lines = self._keep(done.figures)
        pieces = [done.stdout, done.stderr, done.value, *lines, _error(done), _stopped(done, self._owed)]
        text = "\n".join(piece.strip("\n") for piece in pieces if piece.strip())
        typed = _EMPTY if not text else _blunt(done)
        return ToolOutput(text or _EMPTY, ok=done.ok, artifacts=tuple(artifacts), typed=typed)

    def _keep(self, figures: Sequence[Figure]) -> tuple[list[Artifact], list[str]]:
        """Write figures into the workspace, each with the record of what it shows; artifacts, and a line on each."""
        artifacts, lines = [], []
        for figure in figures:
            try:
                path = self._write(figure)
            except OSError as error:
                lines.append(f"[a figure could not be kept: {error.strerror or error}]")
                continue
            artifacts.append(Artifact(str(path), "image/png", figure.title))
            lines.append(describe(path.name, figure))
        return artifacts, lines

    def _write(self, figure: Figure) -> Path:
        while True:
            self._plots += 1
            with contextlib.suppress(FileExistsError):
                path = beneath.create(self._workspace, f"plot-{self._plots}.png", figure.png)
                record = json.dumps({"file": path.name, **figure.data}, ensure_ascii=False).encode()
                beneath.replace(self._workspace, f"plot-{self._plots}.json", record)
                return path.absolute()


def make_python(workspace: Path, *, replay: Sequence[str] = (), limits: Limits | None = None) -> Tool:
    """The python tool of a session whose files are in ``workspace``."""
    return PythonTool(workspace, replay=replay, limits=limits).tool()


def describe(name: str, figure: Figure) -> str:
    """A figure in one line: ``[plot-1.png: Funding rounds, x: date, y: amount_musd]``."""
    axes = figure.data.get("axes")
    first = axes[0] if isinstance(axes, list) and axes and isinstance(axes[0], dict) else {}
    labels = [f"{which}: {_short(first.get(f'{which}label'))}" for which in "xy" if _short(first.get(f"{which}label"))]
    return f"[{': '.join([name, ', '.join([_short(figure.title) or 'plot', *labels])])}]"


def _short(text: object) -> str:
    return " ".join(text.split())[:80] if isinstance(text, str) else ""


def _error(done: Execution) -> str:
    """The error with its type first, then the line of code it came from; nothing for the interrupt that we sent."""
    lines = done.error.splitlines()
    if not lines or (done.stopped and lines[-1].startswith("KeyboardInterrupt")):
        return ""
    where = [line for line in lines if line.startswith(("Line ", "…"))]
    return "\n".join(["error: " + "\n".join(lines[len(where) :]), *where])


def _blunt(done: Execution) -> str:
    """Which of Python's own errors it was, and on which line: nothing of its message, which may quote a file."""
    lines = done.error.splitlines()
    name = next((word for line in lines if (word := line.partition(":")[0]) in _ERRORS), "")
    numbers = [line.split(":")[0].split()[1] for line in lines if line.startswith("Line ")]
    where = [f"line {n}" for n in numbers if n.isdigit() and len(n) < 5][-1:]
    return ", ".join([f"error: {name or 'an exception'}", *where]) if lines else ""


def _stopped(done: Execution, replay: bool) -> str:
    if not done.stopped:
        return ""
    state = "Python state was kept"
    if done.lost:
        state = "Python was restarted, its state was lost"
        state += "; earlier cells will be run again" * replay
    return f"stopped after {done.seconds:.0f} s: the code {done.stopped}; {state}"


def _paced(progress: Callable[[str], None]) -> Callable[[str], None]:
    """Signs of life at a bearable pace: the last line printed."""
    last = [0.0]

    def tell(text: str) -> None:
        line = text.strip().rpartition("\n")[2].strip()
        if line and time.monotonic() - last[0] >= _PROGRESS:
            last[0] = time.monotonic()
            progress(line[:200])

    return tell
