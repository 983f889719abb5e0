"""The house rules that a machine can check: packages, public names, light imports, tests for tools, sizes."""

import ast
import inspect
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

import llmos

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PARTS = sorted(p.parent.name for p in ROOT.glob("*/__init__.py") if p.parent.name not in ("llmos", "tests", "build"))
MOST_LINES, MOST_FUNCTION_LINES = 400, 60
HEAVY = ("torch", "transformers", "numpy", "pandas", "matplotlib", "sympy", "rich", "typer", "pydantic", "tokenizers")


def sources() -> Iterator[Path]:
    """The product's own Python files; the folders below llmos/ are links to the others."""
    yield from sorted((ROOT / "llmos").glob("*.py"))
    for part in PARTS:
        yield from sorted((ROOT / part).rglob("*.py"))


def test_every_package_is_in_the_wheel() -> None:
    inner = [p.parent.relative_to(ROOT) for part in PARTS for p in (ROOT / part).rglob("__init__.py")]
    expected = {"llmos", *(".".join(("llmos", *path.parts)) for path in inner)}
    settings = PROJECT["tool"]["setuptools"]
    assert set(settings["packages"]) == expected
    assert settings["package-dir"] == {f"llmos.{part}": part for part in PARTS}
    for part in PARTS:
        link = ROOT / "llmos" / part
        assert link.is_symlink(), part
        assert link.resolve() == ROOT / part


def test_public_names_are_there_and_documented() -> None:
    assert sorted(llmos.__all__) == sorted(llmos._HOMES)
    for name in llmos.__all__:
        thing = getattr(llmos, name)
        # A union such as Event has no docstring of its own; its members do.
        assert inspect.getdoc(thing) or not isinstance(thing, type), name
    with pytest.raises(AttributeError, match="nothing"):
        _ = llmos.nothing
    assert PROJECT["project"]["version"] == llmos.__version__


def members() -> Iterator[tuple[str, object]]:
    """Every public name, and every public method and property of those that are classes."""
    for name in llmos.__all__:
        thing = getattr(llmos, name)
        for one in get_args(thing) or (thing,):
            yield f"{name}: {one.__name__}", one
            for owner in one.__mro__ if isinstance(one, type) else ():
                if owner.__module__.startswith("llmos"):
                    yield from ((f"{one.__name__}.{n}", m) for n, m in vars(owner).items() if not n.startswith("_"))


def test_the_whole_public_api_has_docstrings() -> None:
    found = list(members())
    assert len(found) > 100
    silent = []
    for name, thing in found:
        function = thing.fget if isinstance(thing, property) else getattr(thing, "__func__", thing)
        # Without a docstring a dataclass has its signature for one.
        own = function.__doc__ if isinstance(function, type) or inspect.isfunction(function) else "a value"
        if not own or not own.strip() or own.startswith(f"{getattr(function, '__name__', '')}("):
            silent.append(name)
    assert silent == []


def test_the_reference_is_made_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("pdoc")
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "reference.py", tmp_path], capture_output=True, text=True, timeout=300
    )
    assert (done.returncode, done.stderr) == (0, "")
    page = (tmp_path / "llmos.html").read_text()
    assert [name for name in llmos.__all__ if f'id="{name}"' not in page] == []


def test_importing_llmos_is_light_and_silent() -> None:
    code = f"import sys, llmos; dir(llmos); print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_every_tool_has_a_test() -> None:
    tools = [p.stem for p in (ROOT / "tools").glob("*.py") if "Tool(" in p.read_text()]
    assert {"calculator", "python"} <= set(tools)
    assert [t for t in tools if not list((ROOT / "tests").glob(f"test_{t}*.py"))] == []


def test_files_and_functions_stay_small() -> None:
    long = []
    for path in sources():
        text = path.read_text()
        if text.count("\n") > MOST_LINES:
            long.append(f"{path.relative_to(ROOT)}: {text.count(chr(10))} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > MOST_FUNCTION_LINES:
                    long.append(f"{path.relative_to(ROOT)}: {node.name} has {lines} lines")
    assert long == []


def test_every_module_says_what_it_does() -> None:
    silent = [str(p.relative_to(ROOT)) for p in sources() if not ast.get_docstring(ast.parse(p.read_text()))]
    assert silent == []
