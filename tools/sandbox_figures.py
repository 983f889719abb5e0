"""Figures on their way out of the sandbox: which ones a cell made, and what they need to be read by a person.

Runs inside. A figure leaves once per cell: when it is open at the end, was shown or closed, was the last value, or was
changed after an earlier cell. Labels, a title and a legend that the code did not set are filled in from what was
plotted;
what it set stays. An empty one is told about and does not leave.
"""

import base64
import functools
import io
import itertools
import re
import weakref
from collections.abc import Callable
from typing import Any

import matplotlib
import matplotlib.pyplot as pyplot
import numpy as np

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
    "lines.linewidth": 1.8,
}
_MAX_BYTES, _MAX_PIXELS = 3_500_000, 2_400
_NAMED = ("plot", "step", "scatter", "bar", "barh", "hist", "stem", "fill_between", "errorbar")


class Gallery:
    """The figures of a session. ``publish(png, record)`` sends one to the host."""

    def __init__(self, publish: Callable[[bytes, dict[str, Any]], None], limit: int) -> None:
        self._publish, self._limit = publish, limit
        self._known: weakref.WeakSet[Any] = weakref.WeakSet()
        self._asked: list[Any] = []
        mpl.rcParams.update(STYLE)
        for name in _NAMED:
            _remember_names(name)
        _remember_pie()
        _remember_series_hist()
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
            finish(figure)
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


def finish(figure: Any) -> None:
    """Fill in what a reader needs and the code left out."""
    for ax in figure.axes:
        if ax.has_data() and ax.get_visible() and ax.get_label() != "<colorbar>" and ax.name == "rectilinear":
            _label(ax)
            _legend(ax)
            _ticks(ax)
    main = next((ax for ax in figure.axes if ax.has_data()), None)
    titled = figure.get_suptitle() or any(
        ax.get_title(loc) for ax in figure.axes for loc in ("left", "center", "right")
    )
    if main is not None and not titled:
        (main.set_title if len(figure.axes) == 1 else figure.suptitle)(_title(main))


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


def _label(ax: Any) -> None:
    x, y = getattr(ax, "llmos_names", ("", ""))
    labels = [text for text in ax.get_legend_handles_labels()[1] if not text.startswith("trend:")]
    if _is_histogram(ax) and len(labels) == 1:
        x = x or labels[0]
    for get, put, name, axis in (
        (ax.get_xlabel, ax.set_xlabel, x, ax.xaxis),
        (ax.get_ylabel, ax.set_ylabel, y, ax.yaxis),
    ):
        if (get().strip() and get() != "None") or ax.images:
            continue
        if not name and axis is ax.yaxis and len(labels) == 1:
            name = labels[0]
        put(name or ("date" if record.is_dates(axis) else "value" if axis is ax.yaxis else _counted(ax)))


def _counted(ax: Any) -> str:
    return "category" if record.categories(ax.xaxis) else "x"


def _title(ax: Any) -> str:
    x, y = ax.get_xlabel(), ax.get_ylabel()
    if _is_histogram(ax):
        return f"Distribution of {x.replace('_', ' ')}" if x != "x" else "Distribution"
    if any(type(patch).__name__ == "Wedge" for patch in ax.patches):
        return y if y != "value" else "Shares"
    if ax.images or not (x and y):
        return "Plot"
    text = f"{y} {'over time' if record.is_dates(ax.xaxis) and x.lower() == 'date' else f'by {x}'}".replace("_", " ")
    return text[:1].upper() + text[1:]


def _is_histogram(ax: Any) -> bool:
    return any(getattr(box, "llmos_kind", "") == "hist" for box in ax.containers)


def _legend(ax: Any) -> None:
    names = ax.get_legend_handles_labels()[1]
    if len(names) > 1 and ax.get_legend() is None and len(names) <= 20:
        ax.legend()


def _ticks(ax: Any) -> None:
    for axis in (ax.xaxis, ax.yaxis):
        _thousands(axis)
    names = [label.get_text() for label in ax.get_xticklabels()]
    if names and all(re.search(r"[T ]00:00:00(\.0+)?$", name) for name in names if name):
        ax.set_xticks(ax.get_xticks(), [re.sub(r"[T ]00:00:00(\.0+)?$", "", name) for name in names])
    _uncrowd(ax)


def _thousands(axis: Any) -> None:
    _low, high = sorted(abs(value) for value in axis.get_view_interval())
    plain = type(axis.get_major_formatter()).__name__ == "ScalarFormatter" and axis.get_scale() == "linear"
    if plain and 10_000 <= high < 1e12 and not record.is_dates(axis):
        axis.set_major_formatter(mpl.ticker.StrMethodFormatter("{x:,.0f}"))


def _uncrowd(ax: Any) -> None:
    """Turn tick labels that overlap; where there are too many names for that, keep every so many."""
    figure = ax.get_figure()
    figure.canvas.draw()
    labels = [label for label in ax.get_xticklabels() if label.get_visible() and label.get_text()]
    if len(labels) < 2 or any(label.get_rotation() % 180 for label in labels):
        named = bool(labels)
    else:
        boxes = sorted((label.get_window_extent() for label in labels), key=lambda box: box.x0)
        named = any(left.x1 + 2 > right.x0 for left, right in itertools.pairwise(boxes))
        if named:
            for label in labels:
                label.set(rotation=40, ha="right", rotation_mode="anchor")
    width = ax.get_window_extent().width / figure.dpi * 72  # points
    room = max(4, int(width / 13))
    if named and len(labels) > room and record.categories(ax.xaxis):
        step = -(-len(labels) // room)
        for index, label in enumerate(labels):
            label.set_visible(index % step == 0)


def _remember_names(method: str) -> None:
    """Wrap a plotting method, to note the names of the pandas columns that it was given."""
    original = getattr(mpl.axes.Axes, method)

    @functools.wraps(original)
    def wrapped(ax: Any, *args: Any, **kwargs: Any) -> Any:
        result = original(ax, *args, **kwargs)
        x, y = _names(method, args, kwargs)
        old = getattr(ax, "llmos_names", None)
        # Two different columns share an axis: neither names it.
        ax.llmos_names = (x, y) if old is None else (old[0] or x, old[1] if old[1] == y else "")
        if method == "hist":
            for box in ax.containers:
                if type(box).__name__ == "BarContainer" and box.patches and not hasattr(box, "llmos_kind"):
                    box.llmos_kind = "hist"
        return result

    setattr(mpl.axes.Axes, method, wrapped)


def _names(method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[str, str]:
    given = list(args[:2])
    for key in ("x", "y") if method != "hist" else ("x",):
        if key in kwargs:
            given.append(kwargs[key])
    named = kwargs.get("data") is not None
    names = [str(item) if named and isinstance(item, str) else _name(item) for item in given[:2]]
    if method == "hist":
        return (names[0] if names else ""), "count"
    if method == "plot" and (len(given) == 1 or (isinstance(given[1], str) and not named)):
        index = getattr(given[0], "index", None)
        return _name(index), names[0] if names else ""
    first, second = ([*names, "", ""])[:2]
    return (second, first) if method == "barh" else (first, second)


def _name(item: Any) -> str:
    name = getattr(item, "name", None)
    return name if isinstance(name, str) else ""


def _remember_pie() -> None:
    original = mpl.axes.Axes.pie

    @functools.wraps(original)
    def pie(ax: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(x, str):
            ax.llmos_pie = [float(value) for value in np.asarray(x, dtype=float).ravel()[:200]]
        return original(ax, x, *args, **kwargs)

    mpl.axes.Axes.pie = pie


def _remember_series_hist() -> None:
    """``Series.hist`` hands bare numbers to matplotlib: note the column's name here."""
    import pandas

    pd: Any = pandas
    original = pd.Series.hist

    @functools.wraps(original)
    def hist(series: Any, *args: Any, **kwargs: Any) -> Any:
        result = original(series, *args, **kwargs)
        if hasattr(result, "xaxis"):
            result.llmos_names = (_name(series), "count")
        return result

    pd.Series.hist = hist
