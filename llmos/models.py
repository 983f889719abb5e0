"""``llmos models``: what models there are here, which one is run, what one is made of, whether it can be trusted, and
one for other programs.

Knows the command line and the caches; loading is the kernel's.
"""

import json as jsonlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from llmos.kernel.errors import ModelError, UsageError

app = typer.Typer(
    help="List the models that are here, choose one, tell what one is made of, check one, write one for others.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Name = Annotated[str, typer.Argument(metavar="MODEL", help="embedded, a checkpoint folder or hub name, or a URL.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object.")]
Target = Annotated[
    str, typer.Argument(metavar="PATH", help="Training data (a file or folder), a checkpoint folder, or embedded.")
]
Data = Annotated[
    Path | None,
    typer.Option("--data", metavar="PATH", help="What the checkpoint was trained on: is any of it recited?"),
]
Control = Annotated[
    Path | None, typer.Option("--control", metavar="PATH", help="Lines like it that it was not trained on.")
]
Lines = Annotated[int, typer.Option("--lines", min=1, metavar="N", help="How many lines of each are tried.")]


@dataclass(frozen=True, slots=True)
class Kept:
    """A model that can be run without a download; ``bytes`` on disk."""

    name: str
    bytes: int
    chosen: bool


@app.command("list")
def show(json: Json = False) -> None:
    """List the models that are on this machine; a star marks the one that is run."""
    found = list(kept())
    if json:
        print(jsonlib.dumps({"models": [asdict(one) for one in found]}))
        return
    for one in found:
        size = f"{one.bytes / 1e6:,.0f} MB" if one.bytes else "on a server"
        print(f"{'*' if one.chosen else ' '} {one.name:40} {size}")


@app.command()
def use(name: Name) -> None:
    """Run a model by default from now on; ``embedded`` takes that back. It is loaded once, to see that it works."""
    import os

    from llmos.kernel import config

    _load(name)[0].close()
    path = Path(name).expanduser()
    kept_name = str(path.absolute()) if path.is_dir() else name
    config.choose(kept_name)
    print(f"chosen: {kept_name}")
    if os.environ.get("LLMOS_MODEL"):
        print(f"but LLMOS_MODEL is set, which goes before it: {os.environ['LLMOS_MODEL']}")


@app.command()
def info(name: Name = "", json: Json = False) -> None:
    """Load a model (by default the one that is run) and tell what it is."""
    from llmos.kernel import config

    model, told = _load(config.model_name(name or None))
    model.close()
    if json:
        print(jsonlib.dumps(told))
        return
    for key, value in told.items():
        print(f"{key:12} {value}")


@app.command()
def export(
    name: Annotated[str, typer.Argument(metavar="MODEL", help="embedded, a checkpoint folder or a hub name.")] = "",
    gguf: Annotated[str, typer.Option("--gguf", metavar="FILE", help="Where to write it, for llama.cpp.")] = "",
    kind: Annotated[str, typer.Option("--type", help="bf16, f16, f32 or q8_0; by default as stored.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
) -> None:
    """Write a model for other programs: its weights, tokenizer and chat template in one GGUF file."""
    from llmos.kernel import config
    from llmos.kernel.gguf_file import export as write
    from llmos.kernel.local import find

    chosen = config.model_name(name or None)
    if not gguf:
        raise UsageError("where to? llmos models export MODEL --gguf FILE")
    if chosen.startswith(("http://", "https://")):
        raise UsageError(f"{chosen} is on a server; name a checkpoint folder, a hub name or embedded")
    target = Path(gguf).expanduser()
    write(find(config.WEIGHTS if chosen == config.EMBEDDED else chosen), target, kind, force)
    print(f"{target}: {target.stat().st_size / 1e6:,.1f} MB")


@app.command()
def check(path: Target, data: Data = None, control: Control = None, lines: Lines = 100, json: Json = False) -> None:
    """Look for backdoors and leaks in training data or in a checkpoint. Exit code 1 where something was found."""
    from llmos.kernel import config, vault
    from llmos.kernel.secrets import Scanner
    from llmos.training.checks import check_checkpoint, check_data, is_checkpoint

    target = config.WEIGHTS if path == config.EMBEDDED else Path(path).expanduser()
    if not target.exists():
        raise UsageError(f"there is nothing at {path}; give training data, or the folder of a checkpoint")
    if control is not None and data is None:
        raise UsageError("--control goes with --data: lines that were trained on, and lines that were not")
    if is_checkpoint(target):
        told = check_checkpoint(target, data, control, lines)
    elif data is not None:
        raise UsageError(f"--data goes with a checkpoint, and {path} is none")
    else:
        told = check_data(target, Scanner(vault.known(config.home())))
    print(jsonlib.dumps(told.public(), ensure_ascii=False) if json else told.text())
    raise typer.Exit(int(told.failed))


def kept() -> Iterator[Kept]:
    """The embedded kernel, the hub's cache, and whatever else is chosen."""
    from llmos.kernel import config

    chosen = config.model_name()
    yield Kept(config.EMBEDDED, _size(config.WEIGHTS), chosen == config.EMBEDDED)
    names = {config.EMBEDDED}
    for folder in sorted(_hub().glob("models--*--*")):
        if any(folder.glob("snapshots/*/*.safetensors")):
            name = "/".join(folder.name.split("--")[1:])
            names.add(name)
            yield Kept(name, _size(folder / "snapshots"), chosen == name)
    if chosen not in names:
        path = Path(chosen)
        yield Kept(chosen, _size(path) if path.is_dir() else 0, True)


def _hub() -> Path:
    """Where the Hugging Face hub keeps what was downloaded."""
    import os

    home = os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface"
    return Path(os.environ.get("HF_HUB_CACHE") or Path(home) / "hub")


def _size(folder: Path) -> int:
    return sum(f.stat().st_size for f in folder.rglob("*.safetensors"))


def _load(name: str) -> tuple[Any, dict[str, Any]]:
    """The model and what it is. Raises ModelError when it cannot be loaded or reached."""
    from llmos.app import open_model

    if not name.strip():
        raise ModelError("no model is named")
    model: Any = open_model(name)
    told = {"model": model.name, "context": model.context_length}
    if hasattr(model, "engine"):
        about = model.engine.info
        told |= {"parameters": about.parameters, "device": about.device, "precision": about.dtype}
        told |= {"forward": " ".join(about.notes), "calls": model.wire.form.name}
    else:
        told["forward"] = "on the server"
    return model, told
