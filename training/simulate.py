"""Runs the code of training dialogues quickly, in this process: what it prints looks as the sandbox's results do.

Only code that the generator wrote is run here; a model's code always runs in the sandbox.
"""

import ast
import io
import re
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from llmos.memory.preview import render, tabulate
from llmos.tools.sandbox_show import show
from llmos.training.tables import TIME_KINDS, Table


def preview_of(table: Table) -> str:
    """The preview that the kernel sees for this table."""
    if table.preview:
        return table.preview
    cells = ([("" if v != v or v is None else str(v)) for v in row] for row in table.frame.astype(object).to_numpy())
    names = [str(n) for n in table.frame.columns]
    table.preview = render(tabulate(table.file, names, cells, source=table.source))
    return table.preview


def with_dates(table: Table) -> pd.DataFrame:
    """The table as the sandbox loads it."""
    frame = table.frame.copy()
    for column in table.columns:
        if column.kind in TIME_KINDS and column.kind != "year":
            text = frame[column.name].astype(str)
            if column.kind == "quarter":
                frame[column.name] = pd.PeriodIndex(text.str.replace(" ", ""), freq="Q").to_timestamp()
            else:
                frame[column.name] = pd.to_datetime(text)
    return frame


@dataclass
class Box:
    """A namespace with the session's tables; plots are not drawn, only numbered."""

    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    names: dict[str, Any] = field(default_factory=dict)
    figures: int = 0

    def attach(self, table: Table) -> None:
        """Make a table loadable, its time columns as dates."""
        if table.typed is None:
            table.typed = with_dates(table)
        self.tables[table.file] = table.typed

    def run(self, code: str) -> str:
        """The text a cell returns; ``error: …`` when it fails."""
        if re.search(r"\bax\b|\bplt\.|\.plot\(|\.hist\(", code):
            return self._plot(code)
        self.names |= {"np": np, "pd": pd, "load": lambda name: self.tables[name]}
        tree = ast.parse(code)
        ends = tree.body[-1] if tree.body else None
        last = ends.value if isinstance(ends, ast.Expr) else None
        if last is not None:
            tree.body.pop()
        out = io.StringIO()
        try:
            with redirect_stdout(out):
                exec(compile(tree, "cell", "exec"), self.names)
                value = None if last is None else eval(compile(ast.Expression(last), "cell", "eval"), self.names)
        except Exception as error:
            return f"error: {type(error).__name__}: {error}"
        return "\n".join(t for t in (out.getvalue().rstrip("\n"), show(value)) if t)

    def _plot(self, code: str) -> str:
        """A plot's line, without drawing; what is plotted stands in the code."""
        self.figures += 1
        for name, frame in self.tables.items():
            if f"load('{name}')" in code or f'load("{name}")' in code:
                self.names["df"] = frame
        axes = re.search(r"x='([^']+)', y='([^']+)'", code)
        return f"[plot-{self.figures}.png{f': {axes[2]} by {axes[1]}' if axes else ''}]"
