"""``trend(ax, until=None)``: a straight line through the last series of a plot, carried on to a year or a date.

Runs inside the sandbox. A least-squares line in the data's own space: it does not know seasons, growth rates or doubt.
"""

import re
from typing import Any

import numpy as np

from llmos.tools import sandbox_record as record

_POINTS = 100  # so that it stays right when an axis is made logarithmic later
_YEAR_DAYS = 365.2425


def trend(ax: Any = None, until: Any = None) -> Any:
    """Draw the trend (dashed, its slope in the legend) of the last line, scatter or bars of ``ax``; gives ``ax`` back.

    ``until``: 2026, "2026", "2026-06", "2026-06-30", "2026 Q2" or a date; a bare year on dates means its end, a month
    its
    last day. Raises ``ValueError`` when there is nothing to fit.
    """
    ax = _axes(ax)
    x, y, color = _series(ax)
    good = np.isfinite(x) & np.isfinite(y)
    x, y = x[good], y[good]
    if len(np.unique(x)) < 2:
        raise ValueError("trend needs at least two points")
    middle = x.mean()
    slope, level = np.polyfit(x - middle, y, 1)
    end = x.max() if until is None else _position(until, x, ax)
    span = np.linspace(min(x.min(), end), max(x.max(), end), _POINTS)
    rate, unit = _rate(float(slope), x, ax)
    before = ax.get_xlim()
    (line,) = ax.plot(span, level + slope * (span - middle), "--", color=color, linewidth=1.8, zorder=3)
    line.set_label(f"trend: {_plain(rate)} per {unit}")
    line.llmos_kind = "trend"
    pad = 0.02 * (span[-1] - span[0]) * (ax.get_xscale() == "linear")
    ax.set_xlim(min(before[0], span[0] - pad), max(before[1], span[-1] + pad))
    ax.legend()
    return ax


def _axes(ax: Any) -> Any:
    if ax is None:
        import matplotlib.pyplot as plt

        return plt.gca()
    if hasattr(ax, "axes") and isinstance(ax.axes, list):  # a figure
        return ax.axes[-1]
    return np.ravel(ax)[-1] if isinstance(ax, np.ndarray | list | tuple) else ax


def _series(ax: Any) -> tuple[Any, Any, str]:
    """Positions, values and a colour for the last series drawn."""
    single = False
    boxes = {id(patch): box for box in ax.containers if hasattr(box, "patches") for patch in box.patches}
    for child in reversed(ax.get_children()):
        if id(child) in boxes:
            box = boxes[id(child)]
            if getattr(box, "orientation", "") == "horizontal":
                raise ValueError("trend needs values along y: draw standing bars or a line")
            middles = [patch.get_x() + patch.get_width() / 2 for patch in box.patches]
            tops = [patch.get_y() + patch.get_height() for patch in box.patches]
            return np.asarray(middles, float), np.asarray(tops, float), "C3"
        kind = type(child).__name__
        if kind == "Line2D" and child.get_transform() == ax.transData and not hasattr(child, "llmos_kind"):
            x, y = (np.asarray(values, dtype=float).ravel() for values in child.get_data(orig=False))
            if len(x) > 1:
                return x, y, "C3" if child.get_color() != "C3" else "C1"
            single = single or len(x) == 1
        if kind == "PathCollection" and len(child.get_offsets()) > 1:
            places: Any = np.ma.filled(np.ma.asarray(child.get_offsets(), dtype=float), np.nan)
            return places[:, 0], places[:, 1], "C3"
    if single:
        raise ValueError("trend needs at least two points")
    raise ValueError("trend found no line, scatter or bars on these axes: plot the data first")


def _position(until: Any, x: Any, ax: Any) -> float:
    """Where ``until`` lies on the x axis, in the axis' own numbers."""
    if record.is_periods(ax.xaxis):
        import pandas as pd

        return float(pd.Period(_moment(until), freq=ax.freq).ordinal)
    if record.is_dates(ax.xaxis):
        from matplotlib import dates

        convert: Any = dates.date2num
        return float(convert(_moment(until).to_pydatetime()))
    names = record.categories(ax.xaxis)
    if names:
        return _among(until, names, ax)
    if isinstance(until, int | float | np.number):
        return float(until)
    text = str(until).strip()
    if re.fullmatch(r"[-+]?\d+(\.\d+)?", text):
        return float(text)
    moment = _moment(until)
    # Whole years on the axis: a date in 2026 is 2026.
    return float(moment.year) if np.all(x == np.round(x)) else moment.year + (moment.dayofyear - 1) / _YEAR_DAYS


def _among(until: Any, names: dict[int, str], ax: Any) -> float:
    """A position on an axis of names, which are carried on beyond the last one when they are years, numbers or
    dates."""
    text = str(until).strip()
    for place, name in names.items():
        if name == text:
            return float(place)
    places = sorted(names)
    values, wanted = _scale([names[place] for place in places], until)
    step = (values[-1] - values[0]) / (places[-1] - places[0])
    end = places[-1] + (wanted - values[-1]) / step
    whole = int(np.floor(end + 1e-6))
    if whole > places[-1] and whole - places[-1] <= 400 and all(re.fullmatch(r"\d{1,4}", names[p]) for p in places):
        more = range(places[-1] + 1, whole + 1)
        labels = [names[p] for p in places] + [str(round(values[-1] + step * (p - places[-1]))) for p in more]
        ax.set_xticks([*places, *more], labels)
    return float(end)


def _scale(names: list[str], until: Any) -> tuple[list[float], float]:
    """Names as numbers (years, or days), and ``until`` among them."""
    import pandas as pd

    text = str(until).strip()
    if all(re.fullmatch(r"[-+]?\d+(\.\d+)?", name) for name in names):
        wanted = float(text) if re.fullmatch(r"[-+]?\d+(\.\d+)?", text) else float(_moment(until).year)
        return [float(name) for name in names], wanted
    try:
        days = [pd.Timestamp(name).timestamp() / 86400 for name in names]
    except ValueError:
        raise ValueError(f"until={until!r} has no place on an axis of names such as {names[0]!r}") from None
    # The names are starts of periods; so must the end be, or a year would run one period too far.
    return days, pd.Timestamp(_first(until)).timestamp() / 86400


def _first(until: Any) -> Any:
    moment = _moment(until)
    if re.fullmatch(r"\d{4}(\.0)?", str(until).strip()):
        return moment.replace(month=12, day=1)
    return moment.replace(day=1) if re.fullmatch(r"\d{4}-\d{1,2}", str(until).strip()) else moment


def _moment(until: Any) -> Any:
    """A date; a year, a quarter or a month stands for its last day."""
    import pandas as pd

    if isinstance(until, int | float | np.number):
        until = str(int(until))
    if isinstance(until, str):
        text = until.strip().replace("/", "-")
        if re.fullmatch(r"\d{4}", text):
            return pd.Timestamp(f"{text}-12-31")
        if re.fullmatch(r"\d{4}-\d{1,2}", text):
            return pd.Timestamp(f"{text}-01") + pd.offsets.MonthEnd(0)
        if re.fullmatch(r"\d{4}[ -]?[Qq][1-4]", text):
            return pd.Period(text.replace(" ", "").replace("-", ""), freq="Q").end_time.normalize()
    return pd.Timestamp(until).tz_localize(None)


def _rate(slope: float, x: Any, ax: Any) -> tuple[float, str]:
    """The slope per year where x are dates or years, else per unit of the axis' label."""
    if record.is_periods(ax.xaxis):
        import pandas as pd

        first, last = (pd.Period(ordinal=int(v), freq=ax.freq).start_time for v in (x.min(), x.max()))
        return slope * (x.max() - x.min()) / ((last - first).days / _YEAR_DAYS), "year"
    if record.is_dates(ax.xaxis):
        return slope * _YEAR_DAYS, "year"
    names = record.categories(ax.xaxis)
    if names:
        years = all(re.fullmatch(r"(1[89]|20|21)\d\d", name) for name in names.values())
        return slope, "year" if years else "step"
    if np.all(x == np.round(x)) and x.min() >= 1800 and x.max() <= 2200:
        return slope, "year"
    label = ax.get_xlabel().strip().lower()
    return slope, label if label and len(label) <= 20 else "unit"


def _plain(rate: float) -> str:
    text = f"{rate:+,.0f}" if abs(rate) >= 1000 else f"{rate:+.3g}"
    return text.replace("+-", "-")
