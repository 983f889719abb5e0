"""What a plot needs to be read by a person: labels, a title, a legend, room for ticks, where the code left them out.

Runs inside the sandbox. It takes names from the pandas columns that were plotted and from labels that are there; what
the code set stays as it is.
"""

import functools
import itertools
import re
from typing import Any

import matplotlib
import numpy as np

from llmos.tools import sandbox_record as record

mpl: Any = matplotlib  # its methods are replaced below, which the type stubs do not foresee
_NAMED = ("plot", "step", "scatter", "bar", "barh", "hist", "stem", "fill_between", "errorbar")


def finish(figure: Any) -> None:
    """Complete every pair of axes of a figure that is about to leave."""
    axes = [ax for ax in figure.axes if ax.get_visible() and ax.has_data() and ax.get_label() != "<colorbar>"]
    plain = [ax for ax in axes if ax.name == "rectilinear" and not _wedges(ax)]
    for ax in plain:
        _gaps(ax)
        _label(ax)
        _legend(ax)
        _ticks(ax)
    _titles(figure, axes)
    if len(axes) > 1 and figure.get_layout_engine() is None:
        figure.tight_layout()
    figure.draw_without_rendering()
    for ax in plain:
        _uncrowd(ax)


def _titles(figure: Any, axes: list[Any]) -> None:
    if figure.get_suptitle() or any(_titled(ax) for ax in axes):
        return
    bare = [ax for index, ax in enumerate(axes) if not any(_same_place(ax, other) for other in axes[:index])]
    for ax in bare:
        ax.set_title(_title(ax))


def remember() -> None:
    """Let plotting methods note the names of the columns that they are given."""
    for name in _NAMED:
        _remember_names(name)
    _remember_pie()
    _remember_series_hist()


def _titled(ax: Any) -> bool:
    return any(ax.get_title(place) for place in ("left", "center", "right"))


def _same_place(ax: Any, other: Any) -> bool:
    """Whether one lies over the other, as the axes of a second scale do."""
    return bool(np.allclose(ax.get_position().bounds, other.get_position().bounds))


def _wedges(ax: Any) -> bool:
    return any(type(patch).__name__ == "Wedge" for patch in ax.patches)


def _gaps(ax: Any) -> None:
    """Show the points of a line that gaps leave without a neighbour: mark a few, join them where most are so."""
    for line in ax.get_lines():
        y = np.asarray(line.get_ydata(orig=False), dtype=float)
        there = np.isfinite(y)
        beside = np.zeros(len(y) + 2, dtype=bool)
        beside[1:-1] = there
        alone = there & ~beside[:-2] & ~beside[2:]
        if line.get_marker() not in ("None", None, "") or not alone.any():
            continue
        if there.sum() > 1 and alone.sum() * 2 > there.sum():
            line.set_data(*(np.asarray(values)[there] for values in line.get_data(orig=True)))
        else:
            line.set(marker="o", markersize=4)


def _label(ax: Any) -> None:
    x, y = getattr(ax, "llmos_names", ("", ""))
    labels = [text for text in ax.get_legend_handles_labels()[1] if not text.startswith("trend:")]
    drawn = len(ax.containers) + len([line for line in ax.get_lines() if not hasattr(line, "llmos_kind")])
    only = labels[0] if len(labels) == 1 and drawn <= 1 else ""
    if _is_histogram(ax):
        x, y = x or only, y or "count"
    elif _lies(ax):
        x = x or only
    else:
        y = y or only
    for get, put, name, axis in (
        (ax.get_xlabel, ax.set_xlabel, x, ax.xaxis),
        (ax.get_ylabel, ax.set_ylabel, y, ax.yaxis),
    ):
        if (get().strip() and get() != "None") or ax.images:
            continue
        value = (axis is ax.xaxis) == _lies(ax)
        put(name or ("date" if record.is_dates(axis) else "value" if value else _counted(axis)))


def _counted(axis: Any) -> str:
    if record.categories(axis):
        return "category"
    return "x" if axis is axis.axes.xaxis else "y"


def _lies(ax: Any) -> bool:
    """Whether bars lie on their side, so that their values run along x."""
    bars = [box for box in ax.containers if type(box).__name__ == "BarContainer"]
    return bool(bars) and all(getattr(box, "orientation", "") == "horizontal" for box in bars)


def _title(ax: Any) -> str:
    x, y = (ax.get_ylabel(), ax.get_xlabel()) if _lies(ax) else (ax.get_xlabel(), ax.get_ylabel())
    if _is_histogram(ax):
        return f"Distribution of {x.replace('_', ' ')}" if x != "x" else "Distribution"
    if _wedges(ax):
        return f"Shares of {y.replace('_', ' ')}" if y not in ("", "None") else "Shares"
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
    if _years(ax):
        ax.xaxis.set_major_locator(mpl.ticker.MaxNLocator(nbins="auto", integer=True))
    if record.categories(ax.xaxis):
        ax.xaxis.grid(False)
    names = [label.get_text() for label in ax.get_xticklabels()]
    if names and all(re.search(r"[T ]00:00:00(\.0+)?$", name) for name in names if name):
        ax.set_xticks(ax.get_xticks(), [re.sub(r"[T ]00:00:00(\.0+)?$", "", name) for name in names])


def _years(ax: Any) -> bool:
    """Whether x counts whole years; a tick at 2019.25 would say nothing."""
    if record.is_dates(ax.xaxis) or type(ax.xaxis.get_major_formatter()).__name__ != "ScalarFormatter":
        return False
    data = [np.asarray(line.get_xdata(orig=False), dtype=float) for line in ax.get_lines()]
    data += [np.ma.filled(cloud.get_offsets()[:, 0], np.nan) for cloud in ax.collections if len(cloud.get_offsets())]
    seen = np.concatenate(data) if data else np.array([])
    low, high = ax.get_xlim()
    whole = [values for values in data if len(values) and np.all(values == np.round(values))]
    return bool(len(seen)) and bool(whole) and low >= 1500 and high <= 2200


def _thousands(axis: Any) -> None:
    _low, high = sorted(abs(value) for value in axis.get_view_interval())
    plain = type(axis.get_major_formatter()).__name__ == "ScalarFormatter" and axis.get_scale() == "linear"
    if plain and 10_000 <= high < 1e12 and not record.is_dates(axis):
        axis.set_major_formatter(mpl.ticker.StrMethodFormatter("{x:,.0f}"))


def _uncrowd(ax: Any) -> None:
    """Turn tick labels that overlap; where there are too many names for that, keep every so many."""
    labels = [label for label in ax.get_xticklabels() if label.get_visible() and label.get_text()]
    if len(labels) < 2 or any(label.get_rotation() % 180 for label in labels):
        named = bool(labels)
    else:
        boxes = sorted((label.get_window_extent() for label in labels), key=lambda box: box.x0)
        named = any(left.x1 + 2 > right.x0 for left, right in itertools.pairwise(boxes))
        if named:
            for label in labels:
                label.set(rotation=40, ha="right", rotation_mode="anchor")
    width = ax.get_window_extent().width / ax.get_figure().dpi * 72  # points
    room = max(4, int(width / 13))
    if named and len(labels) > room and record.categories(ax.xaxis):
        step = -(-len(labels) // room)
        for index, label in enumerate(labels):
            label.set_visible(index % step == 0)


_INSIDE: list[str] = []


def _remember_names(method: str) -> None:
    """Wrap a plotting method, to note the names of the pandas columns that it was given."""
    original = getattr(mpl.axes.Axes, method)

    @functools.wraps(original)
    def wrapped(ax: Any, *args: Any, **kwargs: Any) -> Any:
        outermost = not _INSIDE  # hist calls bar, whose arguments have no names
        _INSIDE.append(method)
        try:
            result = original(ax, *args, **kwargs)
        finally:
            _INSIDE.pop()
        if not outermost:
            return result
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
