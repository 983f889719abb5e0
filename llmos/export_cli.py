"""``llmos export``: a model as files that run without llmos. A session is written to a file by ``llmos show``.

Knows the command line; what is written is the kernel's.
"""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmos.kernel.errors import UsageError

if TYPE_CHECKING:
    from llmos.kernel.tool import Tool

Bare = Annotated[
    Path | None,
    typer.Option("--bare", metavar="DIR", help="As two files: its weights, and a C program that reads them."),
]
Model = Annotated[
    str | None, typer.Option("--model", metavar="MODEL", help="A checkpoint folder or hub name; else the one in use.")
]


def export(context: typer.Context, bare: Bare = None, model: Model = None) -> None:
    """Write a model as files that run without llmos. (A session is written by llmos show ID --html FILE.)"""
    if bare is None:
        raise UsageError("export as what? llmos export --bare DIR")
    from llmos.kernel import config
    from llmos.kernel.bare import export as write
    from llmos.kernel.local import find
    from llmos.prompts import load

    name = config.model_name(model or context.obj)
    if name.startswith(("http://", "https://")):
        raise UsageError(f"{name} is a server, its weights are not here; give a checkpoint folder with --model")
    embedded = name == config.EMBEDDED
    folder = find(config.WEIGHTS if embedded else name)
    with tempfile.TemporaryDirectory(prefix="llmos-export-") as place:
        weights, program = write(folder, bare, load("system.md"), _tools(Path(place)) if embedded else ())
    print(f"written: {weights} ({weights.stat().st_size / 1e6:,.1f} MB) and {program}")
    print(f"compile: cc -O2 {program} -lm -o {bare / 'run'}")
    print(f'run:     {bare / "run"} {weights} "who are you?"')


def _tools(workspace: Path) -> "list[Tool]":
    """Those that the embedded kernel is always told of."""
    from llmos.tools.calculator import make_calculator
    from llmos.tools.python import PythonTool

    return [make_calculator(), PythonTool(workspace).tool()]
