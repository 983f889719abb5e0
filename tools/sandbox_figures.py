"""Figures on their way out of the sandbox: which ones a cell made, once each, as PNG bytes and a record.

Runs inside. A figure leaves when it is open at the end of a cell, was shown or closed, was the last value, or was
changed after an earlier cell. An empty one is told about and does not leave.
"""

import base64
import contextlib
import io
import weakref
from collections.abc import Callable
from typing import Any

import matplotlib
import matplotlib.pyplot as pyplot
import numpy as np

from llmos.tools import sandbox_finish
from llmos.tools import sandbox_record as record

# Their methods are replaced below, which their type stubs do not foresee.
mpl: Any = matplotlib
plt: Any = pyplot
STYLE = {
    "figure.figsize": (8, 4.8),
    "figure.dpi": 110,
    "savefig.dpi": "figure",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.alpha": 0.3,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 13,
    "axes.titlepad": 10,
    "legend.frameon": False,
    "date.converter": "concise",
    "figure.max_open_warning": 0,
    "agg.path.chunksize": 5_000,  # a line of 200,000 points would take gigabytes at once
    "lines.linewidth": 1.8,
}
_MAX_BYTES, _MAX_PIXELS = 3_500_000, 2_400


class Gallery:
    """The figures of a session. ``publish(png, record)`` sends one to the host."""

    def __init__(self, publish: Callable[[bytes, dict[str, Any]], None], limit: int) -> None:
        self._publish, self._limit = publish, limit
        self._known: weakref.WeakSet[Any] = weakref.WeakSet()
        self._asked: list[Any] = []
        mpl.rcParams.update(STYLE)
        sandbox_finish.remember()
        self._close = plt.close
        # Plain functions: matplotlib sets attributes on them.
        plt.close = lambda fig=None: self._closing(fig)
        plt.show = lambda *args, **kwargs: self._showing()

    def ask(self, figure: Any) -> None:
        """Let a figure leave at the end of this cell, changed or not."""
        if figure is not None and len(self._asked) < 4 * self._limit:
            self._asked.append(figure)

    def forget(self) -> None:
        """Let go of what was asked for so far."""
        self._asked.clear()

    def send(self, quiet: bool) -> None:
        """The end of a cell: what it drew leaves (unless ``quiet``), and no figure stays open to be drawn on by
        accident."""
        waiting: dict[int, Any] = {}
        changed = [figure for figure in self._known if figure.stale]
        for figure in (*self._asked, *map(plt.figure, plt.get_fignums()), *changed):
            waiting.setdefault(id(figure), figure)
        self._asked.clear()
        try:
            for number, figure in enumerate(waiting.values() if not quiet else ()):
                if number == self._limit:
                    print(f"{len(waiting) - number} more figures were not kept: {self._limit} per cell.")
                    break
                self._emit(figure)
        finally:
            for figure in waiting.values():
                self._known.add(figure)
                figure.stale = False
            self._close("all")

    def _emit(self, figure: Any) -> None:
        if blank(figure):
            print("The figure is empty (nothing was drawn on its axes), so there is no image.")
            return
        try:
            # Before anything is drawn: a page of 60 x 60 inches would not fit into memory.
            figure.set_dpi(min(figure.dpi, _MAX_PIXELS / max(figure.get_size_inches())))
            with contextlib.suppress(Exception):  # a plot of a kind that finish does not foresee leaves as it is
                sandbox_finish.finish(figure)
            content = record.figure(figure)
            self._publish(picture(figure, content["title"]), content)
        except Exception as error:
            print(f"error: the figure could not be drawn: {type(error).__name__}: {error}")

    def _closing(self, figure: Any = None) -> None:
        """``plt.close``: what was drawn leaves all the same."""
        numbers = plt.get_fignums() if figure == "all" else [plt.gcf().number] if plt.get_fignums() else []
        if figure is not None and figure != "all":
            number = getattr(figure, "number", figure)
            numbers = [number] if number in plt.get_fignums() else []
        for number in numbers:
            found = plt.figure(number)
            if not blank(found) and found.stale:
                self.ask(found)
        self._close(figure)

    def _showing(self) -> None:
        """``plt.show``: the open figures leave at the end of the cell, and new drawing starts a new one."""
        for number in plt.get_fignums():
            self.ask(plt.figure(number))
        self._close("all")


def figure_of(value: Any, depth: int = 0) -> Any:
    """The figure behind a value that plotting gives back (axes, lines, bars, arrays and lists of these), or None."""
    if isinstance(value, mpl.figure.Figure):
        return value
    if isinstance(value, mpl.artist.Artist):
        return value.get_figure()
    if isinstance(value, mpl.container.Container) and len(value) and depth < 3:
        return figure_of(value[0], depth + 1)
    if isinstance(value, np.ndarray) and value.dtype == object and value.size and depth < 3:
        return figure_of(value.ravel()[0], depth + 1)
    if isinstance(value, list | tuple) and value and depth < 3:
        found = [figure_of(item, depth + 1) for item in value[:3] if item is not None]
        found = [item for item in found if item is not None]
        # hist and pie give numbers beside their artists.
        return found[-1] if found else (figure_of(value[-1], depth + 1) if len(value) > 3 else None)
    if isinstance(value, dict) and value and depth < 1:
        return figure_of(next(iter(value.values())), depth + 1)
    return None


def blank(figure: Any) -> bool:
    """Whether nothing at all is drawn on a figure."""
    if figure.texts or figure.images or figure.patches or figure.lines:
        return False
    return not any(ax.has_data() or ax.texts or ax.tables or ax.images for ax in figure.axes)


def picture(figure: Any, title: str) -> bytes:
    """The PNG, with its title as metadata; the resolution is lowered until its size fits."""
    dpi = figure.dpi
    while True:
        buffer = io.BytesIO()
        figure.savefig(
            buffer, format="png", dpi=dpi, bbox_inches="tight", pad_inches=0.15, metadata={"Title": title or "plot"}
        )
        if buffer.tell() <= _MAX_BYTES or dpi < 20:
            return buffer.getvalue()
        dpi *= 0.6


def publisher(shell: Any, mime: str) -> Callable[[bytes, dict[str, Any]], None]:
    """What sends a figure out as a ``display_data`` message."""

    def publish(png: bytes, content: dict[str, Any]) -> None:
        text = base64.b64encode(png).decode()
        shell.display_pub.publish({"image/png": text, mime: content, "text/plain": content["title"]})

    return publish
