"""What a matplotlib figure shows, as JSON: so that a host, or a test, reads back exactly what was plotted.

Runs inside the sandbox. Dates come as ISO text, categories by name, missing values as null. Bounded: long series are
thinned
evenly and say how many points they had (``of``). Drawn shapes beyond lines, bars, points, pies and images are only
named.
"""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

MAX_POINTS, MAX_SERIES, MAX_AXES = 2_000, 40, 12


def figure(fig: Any) -> dict[str, Any]:
    """The record of a figure: ``title`` and ``axes``, each with its labels, scales and ``series``."""
    axes = [one(ax) for ax in fig.axes[:MAX_AXES] if ax.get_visible()]
    heading = fig.get_suptitle() or next((ax["title"] for ax in axes if ax["title"]), "")
    return {"title": heading, "axes": axes}


def one(ax: Any) -> dict[str, Any]:
    """The record of one pair of axes."""
    series = [*_bars(ax), *_lines(ax), *_points(ax), *_others(ax)]
    series = sorted(series, key=lambda item: int(item.pop("order")))[:MAX_SERIES]
    return {
        "title": ax.get_title() or ax.get_title("left") or ax.get_title("right"),
        "xlabel": ax.get_xlabel(),
        "ylabel": ax.get_ylabel(),
        "xscale": ax.get_xscale(),
        "yscale": ax.get_yscale(),
        "xlim": [_number(v) for v in ax.get_xlim()],
        "ylim": [_number(v) for v in ax.get_ylim()],
        "series": series,
    }


def values(data: Iterable[Any], axis: Any) -> list[Any]:
    """Values along an axis as they are meant: ISO dates on a date axis, names on a categorical one, else numbers."""
    return [_value(item, axis) for item in _sequence(data)]


def is_dates(axis: Any) -> bool:
    """Whether an axis shows dates (matplotlib's own or pandas')."""
    return is_periods(axis) or "Date" in type(_converter(axis)).__name__


def is_periods(axis: Any) -> bool:
    """Whether an axis counts pandas periods: its numbers are then ordinals of ``axis.axes.freq``."""
    return getattr(axis.axes, "freq", None) is not None and type(_converter(axis)).__name__ == "PeriodConverter"


def categories(axis: Any) -> dict[int, str]:
    """Position to name: of a categorical axis, or of one whose ticks were given fixed labels at whole positions."""
    mapping = getattr(getattr(axis, "units", None), "_mapping", None) or {}
    names = {int(position): str(name) for name, position in mapping.items()}
    if type(axis.get_major_formatter()).__name__ in ("FixedFormatter", "FuncFormatter"):
        places = [float(place) for place in axis.get_majorticklocs()]
        texts = [label.get_text() for label in axis.get_majorticklabels()]
        if all(place == int(place) for place in places):
            names |= {int(place): text for place, text in zip(places, texts, strict=False) if text}
    return names


def _converter(axis: Any) -> Any:
    return axis.get_converter() if hasattr(axis, "get_converter") else getattr(axis, "converter", None)


def _sequence(data: Any) -> Any:
    array = np.atleast_1d(np.ma.filled(data, np.nan) if isinstance(data, np.ma.MaskedArray) else np.asarray(data))
    return array.ravel()[:: max(1, math.ceil(array.size / MAX_POINTS))]


def _value(item: Any, axis: Any) -> Any:
    if isinstance(item, str):
        return item
    if hasattr(item, "start_time"):
        item = item.start_time
    if isinstance(item, np.datetime64):
        item = item.astype("datetime64[us]").item()
    if hasattr(item, "isoformat"):
        return _iso(item)
    number = _number(item)
    if number is None or axis is None:
        return number
    if is_periods(axis):
        import pandas as pd

        return _iso(pd.Period(ordinal=round(number), freq=axis.axes.freq).start_time)
    if is_dates(axis):
        from matplotlib import dates

        convert: Any = dates.num2date
        return _iso(convert(number).replace(tzinfo=None))
    names = categories(axis)
    return names.get(round(number), number) if names and abs(number - round(number)) < 1e-6 else number


def _iso(moment: Any) -> str:
    text: str = moment.isoformat()
    return text.removesuffix("T00:00:00")


def _number(item: Any) -> float | int | None:
    try:
        number = float(item)
    except (TypeError, ValueError):
        return None
    if not math.isfinite(number):
        return None
    return int(number) if number.is_integer() and abs(number) < 1e15 else number


def _label(artist: Any) -> str:
    label = str(artist.get_label() or "")
    return "" if label.startswith("_") else label


def _item(kind: str, artist: Any, order: int, x: Any, y: Any, ax: Any) -> dict[str, Any]:
    count = int(np.size(np.asarray(x)))
    found = {"kind": kind, "label": _label(artist), "x": values(x, ax.xaxis), "y": values(y, ax.yaxis), "order": order}
    return {**found, "of": count} if count > MAX_POINTS else found


def _orders(ax: Any) -> dict[int, int]:
    return {id(child): index for index, child in enumerate(ax.get_children())}


def _lines(ax: Any) -> list[dict[str, Any]]:
    orders = _orders(ax)
    inside = {id(part) for box in ax.containers for part in _parts(box)}
    found = []
    for line in ax.get_lines():
        if id(line) in inside or not line.get_visible():
            continue
        kind = "line" if line.get_linestyle() not in ("None", "none", "", " ") else "scatter"
        if line.get_transform() != ax.transData:  # axhline and the like
            kind = "reference"
        kind = getattr(line, "llmos_kind", kind)
        x, y = (np.asarray(line.get_data(orig=True)[which]) for which in (0, 1))
        if kind == "trend":  # straight: its ends say it all
            x, y = x[[0, -1]], y[[0, -1]]
        found.append(_item(kind, line, orders.get(id(line), 0), x, y, ax))
    return found


def _parts(container: Any) -> list[Any]:
    """The lines of an error bar or a stem plot, which are its parts and not series of their own."""
    if type(container).__name__ == "ErrorbarContainer":
        return [*container.lines[1], *container.lines[2]]
    if type(container).__name__ == "StemContainer":
        return [container.baseline]
    return []


def _bars(ax: Any) -> list[dict[str, Any]]:
    orders = _orders(ax)
    found = []
    for box in ax.containers:
        if type(box).__name__ != "BarContainer" or not box.patches:
            continue
        across = getattr(box, "orientation", "vertical") == "horizontal"
        centres = [p.get_y() + p.get_height() / 2 if across else p.get_x() + p.get_width() / 2 for p in box.patches]
        lengths = [p.get_width() if across else p.get_height() for p in box.patches]
        bases = [p.get_x() if across else p.get_y() for p in box.patches]
        kind = getattr(box, "llmos_kind", "barh" if across else "bar")
        order = orders.get(id(box.patches[0]), 0)
        spots = _spots(centres, ax.yaxis if across else ax.xaxis, ax)
        item = _item(kind, box, order, lengths if across else centres, centres if across else lengths, ax)
        item["y" if across else "x"] = spots
        if any(abs(base) > 1e-12 for base in bases):
            item["base"] = [_number(base) for base in bases[:MAX_POINTS]]
        if kind == "hist":
            item["edges"] = [_number(p.get_x()) for p in box.patches[:MAX_POINTS]] + [
                _number(box.patches[-1].get_x() + box.patches[-1].get_width())
            ]
        found.append(item)
    return found


def _spots(centres: list[float], axis: Any, ax: Any) -> list[Any]:
    """Where bars stand. Grouped bars stand beside their category: the nearest name is meant."""
    names = {} if is_dates(axis) else categories(axis)
    return [names.get(round(centre), _value(centre, axis)) for centre in centres[:MAX_POINTS]]


def _points(ax: Any) -> list[dict[str, Any]]:
    orders = _orders(ax)
    found = []
    for cloud in ax.collections:
        if type(cloud).__name__ == "PathCollection" and cloud.get_visible():
            places: Any = np.ma.filled(np.ma.asarray(cloud.get_offsets(), dtype=float), np.nan)
            found.append(_item("scatter", cloud, orders.get(id(cloud), 0), places[:, 0], places[:, 1], ax))
    return found


def _others(ax: Any) -> list[dict[str, Any]]:
    orders = _orders(ax)
    found: list[dict[str, Any]] = []
    wedges = [patch for patch in ax.patches if type(patch).__name__ == "Wedge"]
    if wedges:
        shares = [_number((wedge.theta2 - wedge.theta1) / 360) for wedge in wedges]
        amounts = getattr(ax, "llmos_pie", None) or shares
        names = [_label(wedge) for wedge in wedges]
        pie = {"kind": "pie", "label": "", "x": names, "y": amounts, "share": shares}
        found.append({**pie, "order": orders.get(id(wedges[0]), 0)})
    for image in ax.get_images():
        shape = [int(n) for n in np.shape(image.get_array())]
        found.append({"kind": "image", "label": _label(image), "shape": shape, "order": orders.get(id(image), 0)})
    for area in ax.collections:
        if type(area).__name__ in ("FillBetweenPolyCollection", "PolyCollection", "QuadMesh"):
            kind = "heatmap" if type(area).__name__ == "QuadMesh" else "area"
            found.append({"kind": kind, "label": _label(area), "order": orders.get(id(area), 0)})
    return found
