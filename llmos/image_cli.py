"""``llmos image``: which checkpoint makes pictures, a picture without a conversation, and whether llmos made one.

Knows the command line; making is tools.image's, the mark tools.image_mark's.
"""

import json as jsonlib
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from llmos.kernel.errors import LLMOSError, UsageError

app = typer.Typer(
    help="Make pictures: choose the checkpoint, make one, tell whether llmos made one.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

MODEL_HELP = "A diffusers checkpoint: a folder, or a hub name such as stabilityai/sd-turbo."
Name = Annotated[str, typer.Argument(metavar="MODEL", help=f"{MODEL_HELP} none takes the choice back.")]
File = Annotated[Path, typer.Argument(metavar="FILE", help="A png, jpg, webp or gif.")]
Prompt = Annotated[list[str], typer.Argument(metavar="PROMPT", help="What the picture shows.")]
Model = Annotated[str | None, typer.Option("--model", metavar="MODEL", help=MODEL_HELP)]
Out = Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="Where pictures are written.")]
Start = Annotated[Path | None, typer.Option("--file", "-f", metavar="FILE", help="A picture to start from.")]
Mask = Annotated[Path | None, typer.Option("--mask", metavar="FILE", help="White where the picture is painted anew.")]
Negative = Annotated[str, typer.Option("--negative", metavar="TEXT", help="What it does not show.")]
Seed = Annotated[int | None, typer.Option("--seed", metavar="N", help="The same seed, the same picture.")]
Whole = typer.Option(metavar="N")
Json = Annotated[bool, typer.Option("--json", help="One JSON object.")]


@app.command()
def use(name: Name) -> None:
    """Make pictures with this checkpoint from now on. One named by its hub name is fetched, once, here and now."""
    from llmos.kernel import config
    from llmos.tools import image_checkpoint, image_fetch

    if name == "none":
        config.choose_image_model("")
        print("no checkpoint makes pictures now")
        return
    if lacking := image_checkpoint.missing():
        raise UsageError(lacking)
    folder = image_fetch.fetch(name)
    kept = str(Path(name).expanduser().absolute()) if Path(name).expanduser().is_dir() else name
    config.choose_image_model(kept)
    print(f"chosen: {kept} ({sum(f.stat().st_size for f in folder.rglob('*.safetensors')) / 1e6:,.0f} MB)")


@app.command()
def check(file: File, json: Json = False) -> None:
    """Tell whether llmos made a picture: its invisible mark is looked for. Exit code 1 where it is not found."""
    from llmos.tools import image_file, image_mark

    try:
        data = file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error
    found = image_file.examine(data, file.name)
    if json:
        print(jsonlib.dumps({"marked": found.marked, "likeness": found.likeness, "metadata": dict(found.told)}))
    else:
        said = "made by llmos" if found.marked else "no mark of llmos"
        print(f"{said}: {found.likeness:.1f} where more than {image_mark.FOUND:.1f} is a mark")
        for key, value in found.told.items():
            print(f"{key}: {value}")
    raise typer.Exit(int(not found.marked))


@app.command()
def make(
    prompt: Prompt,
    model: Model = None,
    out: Out = Path(),
    file: Start = None,
    mask: Mask = None,
    negative: Negative = "",
    width: Annotated[int | None, Whole] = None,
    height: Annotated[int | None, Whole] = None,
    steps: Annotated[int | None, Whole] = None,
    guidance: Annotated[float | None, Whole] = None,
    strength: Annotated[float | None, Whole] = None,
    n: Annotated[int, Whole] = 1,
    seed: Seed = None,
    json: Json = False,
) -> None:
    """Make pictures without a conversation: llmos image make "a red lighthouse"."""
    from llmos.tools import image_checkpoint

    named = image_checkpoint.named(model)
    if not named:
        raise UsageError("no checkpoint was named; name one: --model FOLDER, or for good: llmos image use MODEL")
    wanted = {"negative": negative or None, "width": width, "height": height, "steps": steps, "guidance": guidance}
    wanted |= {"strength": strength, "n": n, "seed": seed}
    given = {key: value for key, value in wanted.items() if value is not None}
    made = _make(named, {"prompt": " ".join(prompt), **given}, {"file": file, "mask": mask}, out)
    if json:
        print(jsonlib.dumps({"pictures": made}))
        return
    for path in made:
        print(path)


def _make(model: str, wanted: dict[str, Any], files: dict[str, Path | None], out: Path) -> list[str]:
    """The paths of pictures made, in ``out``. Raises LLMOSError, one line."""
    import shutil
    import tempfile

    from llmos.kernel.tool import ToolContext, ToolError
    from llmos.tools.image import make_image

    tool = make_image(model)
    if off := tool.available():
        raise LLMOSError(off)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for key, path in files.items():
            if path is not None:
                wanted[key] = f"given-{key}{path.suffix}"
                try:
                    shutil.copyfile(path, folder / wanted[key])
                except OSError as error:
                    raise UsageError(f"{path} cannot be read: {error.strerror}") from error
        try:
            done = tool.run(wanted, ToolContext(folder, timeout=86400.0, progress=_tell))
        except ToolError as error:
            raise UsageError(str(error)) from error
        finally:
            if sys.stderr.isatty():
                print("\r\033[K", end="", file=sys.stderr)
        return [str(_placed(Path(artifact.path), out)) for artifact in done.artifacts]


def _placed(made: Path, out: Path) -> Path:
    """A made picture under the first free name in a folder of the user's."""
    from llmos.tools.image import write

    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{out} is no folder that can be written: {error.strerror}") from error
    return write(out, made.read_bytes(), "image", made.suffix[1:])


def _tell(line: str) -> None:
    """How far it is: in place on a terminal."""
    if sys.stderr.isatty():
        print(f"\r\033[K{line[:100]}", end="", file=sys.stderr, flush=True)
