"""A session as a Jupyter notebook (nbformat 4.5): its code cells run, in order, with the files they had.

The first cell puts the session's own data files beside the notebook and brings what the sandbox gives to code. Cells
that failed, and those that were undone, are shown as text. Running it is running that code outside of any sandbox.
"""

import base64
import json
import re
from pathlib import PurePosixPath
from typing import Any

from llmos.export import Step, Told, Turn
from llmos.kernel.types import Answer, Failure, Text, ToolCall
from llmos.written import fenced

MOST_FILE, MOST_FILES = 5_000_000, 20_000_000

SETUP = '''# What the session's Python had: its data files, np, pd, plt, load and trend.
import base64
import os
from pathlib import Path

FILES = {files}
folder = Path("llmos-{session}")
for name, data in FILES.items():
    path = folder / name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(data))
folder.mkdir(exist_ok=True)
os.chdir(folder)

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

pd.plotting.plot_params["x_compat"] = True
try:
    from llmos.tools import sandbox_names
    from llmos.tools.sandbox_load import load
    from llmos.tools.sandbox_trend import trend

    sandbox_names.install(pd, pd.plotting.PlotAccessor)
except ImportError:  # without llmos: the plain ways

    def load(name):
        """The table of a name."""
        found = [p for p in Path().rglob("*") if p.is_file() and Path(name).stem in (p.stem, p.name)]
        return pd.read_csv(found[0])

    def trend(ax=None, until=None):
        """A straight line through the last series."""
        ax = ax or plt.gca()
        line = ax.get_lines()[-1]
        x, y = np.asarray(line.get_xdata(orig=False), float), np.asarray(line.get_ydata(orig=False), float)
        ax.plot(x, np.polyval(np.polyfit(x, y, 1), x), linestyle="--")
        return ax
'''


def notebook(told: Told) -> str:
    """The whole session as the notebook's JSON."""
    cells = [_markdown(f"# {' '.join(told.turns[0].request.text.split())[:80]}"), _setup(told)]
    for turn in told.turns:
        cells += _turn(turn, told)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    book = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "cells": [{"id": f"c{n}", **cell} for n, cell in enumerate(cells)],
    }
    return json.dumps(book, indent=1, ensure_ascii=False) + "\n"


def _setup(told: Told) -> dict[str, Any]:
    files: dict[str, str] = {}
    left = MOST_FILES
    for turn in told.turns:
        for attachment in turn.request.attachments:
            name = PurePosixPath(attachment.path)
            if name.is_absolute() or ".." in name.parts or attachment.path in files:
                continue
            data = told.files.bytes(attachment.path, min(MOST_FILE, left))
            if data:
                hidden = told.files.hide(text) if (text := _text(data)) is not None else None
                files[attachment.path] = base64.b64encode(data if hidden is None else hidden.encode()).decode()
                left -= len(data)
    session = re.sub(r"[^\w-]", "", told.started.session)
    return _code(SETUP.replace("{files}", json.dumps(files, indent=4)).replace("{session}", session), [])


def _text(data: bytes) -> str | None:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _turn(turn: Turn, told: Told) -> list[dict[str, Any]]:
    asked = turn.request.text if turn.kept else f"{turn.request.text} (undone)"
    cells = [_markdown("> " + asked.replace("\n", "\n> "))]
    pictures = list(turn.end.artifacts) if isinstance(turn.end, Answer) else []
    last = max((n for n, p in enumerate(turn.parts) if isinstance(p, Step) and _ran(p)), default=-1)
    for number, part in enumerate(turn.parts):
        if isinstance(part, Step):
            if not (_ran(part) and turn.kept):
                cells.append(_markdown(_spoken(part)))
                continue
            shown = [data for a in pictures if number == last and (data := told.files.picture(a))]
            cells.append(_code(part.code, _outputs(part, shown)))
        elif isinstance(part, Text):
            cells.append(_markdown(part.text))
    if isinstance(turn.end, Failure):
        cells.append(_markdown(f"*{turn.end.kind}: {turn.end.message}*"))
    return cells


def _ran(step: Step) -> bool:
    return bool(step.code) and step.result is not None and step.result.ok


def _spoken(step: Step) -> str:
    """A step that is no code to run: another tool's, or code that failed or was undone."""
    call = step.call.call
    if not isinstance(call, ToolCall):
        return f"*a call that cannot be read: {call.problem}*"
    told = fenced(step.code, "python") if step.code else fenced(json.dumps(dict(call.arguments), ensure_ascii=False))
    result = fenced(step.result.preview) if step.result is not None else ""
    return f"**{call.name}**\n\n{told}\n\n{result}".strip()


def _outputs(step: Step, pictures: list[str]) -> list[dict[str, Any]]:
    assert step.result is not None
    outputs: list[dict[str, Any]] = []
    if step.result.preview.strip():
        outputs.append({"output_type": "stream", "name": "stdout", "text": _lines(f"{step.result.preview}\n")})
    for data in pictures:
        kind, _, body = data.removeprefix("data:").partition(";base64,")
        if kind in ("image/png", "image/jpeg"):
            outputs.append({"output_type": "display_data", "metadata": {}, "data": {kind: body}})
    return outputs


def _markdown(text: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": _lines(text)}


def _code(text: str, outputs: list[dict[str, Any]]) -> dict[str, Any]:
    source = _lines(text.rstrip())
    return {"cell_type": "code", "metadata": {}, "execution_count": None, "source": source, "outputs": outputs}


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)
