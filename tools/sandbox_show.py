"""How a value looks to the model: short, plain text. Runs inside the sandbox, and where training data is made.

Numbers keep seven significant digits, frames and series become comma-separated lines. Knows nothing of the sandbox.
"""

from typing import Any

ROWS = 10
ITEMS = 30


def number(value: float) -> str:
    """A float with seven significant digits and no needless zeros; integers stay whole."""
    if value != value or value in (float("inf"), float("-inf")):
        return str(value)
    if value == int(value) and abs(value) < 1e15:
        return str(int(value)) if abs(value) >= 1e6 else f"{value:g}" if abs(value) < 1e5 else str(int(value))
    text = f"{value:.7g}"
    return f"{value:.2f}" if "e+" in text and abs(value) < 1e15 else text


def cell(value: Any) -> str:
    """One value inside a table or a list."""
    if value is None or value is NotImplemented or type(value).__name__ in ("NaTType", "NAType"):
        return ""
    if type(value).__name__ == "Timestamp":
        return str(value.date()) if (value.hour, value.minute, value.second) == (0, 0, 0) else str(value)
    if isinstance(value, float) or type(value).__name__.startswith("float"):
        return "" if value != value else number(float(value))
    return str(value)


def lines(frame: Any, index: bool) -> str:
    """A frame's first rows as comma-separated lines under its header."""
    names = [str(frame.index.name or "")] * index + [cell(c) for c in frame.columns]
    rows = [",".join(names)]
    for label, values in zip(frame.index[:ROWS], frame.head(ROWS).itertuples(index=False, name=None), strict=True):
        rows.append(",".join([cell(label)] * index + [cell(v) for v in values]))
    if len(frame) > ROWS:
        rows.append(f"... {len(frame) - ROWS} more rows")
    return "\n".join(rows)


def show(value: Any) -> str:
    """``value`` as the text a cell returns; empty for None and for figures."""
    kind = type(value).__module__.split(".")[0]
    name = type(value).__name__
    if value is None or kind == "matplotlib":
        return ""
    if name == "DataFrame":
        plain = value.index.name is None and value.index.dtype.kind in "iu"
        return lines(value, not plain)
    if name == "Series":
        rows = [f"{cell(k)},{cell(v)}" for k, v in value.head(ITEMS).items()]
        return "\n".join(rows + ([f"... {len(value) - ITEMS} more"] if len(value) > ITEMS else []))
    if isinstance(value, float) or (kind == "numpy" and getattr(value, "ndim", 1) == 0):
        return number(float(value)) if name.startswith("float") else str(value)
    if name == "ndarray":
        value = value.tolist()
    if isinstance(value, list | tuple) and all(not isinstance(v, list | tuple | dict) for v in value):
        shown = [repr(v) if isinstance(v, str) else cell(v) for v in value[: 10 * ITEMS]]
        ends = "()" if isinstance(value, tuple) else "[]"
        return ends[0] + ", ".join(shown) + (", ..." if len(value) > 10 * ITEMS else "") + ends[1]
    return value if isinstance(value, str) else repr(value)
