"""The tool ``image`` on random checkpoints of three families: what it writes, how it stops, what it refuses to load."""

import json
import re
import runpy
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event as Flag
from typing import Any

import numpy as np
import pytest
from PIL import Image

from llmos import LLMOS, Scripted, ToolCall, cli, doctor
from llmos.kernel import config
from llmos.kernel.tool import ToolContext, ToolError
from llmos.kernel.types import Result
from llmos.tools import image, image_checkpoint, image_paint
from llmos.tools.image_subjects import refused

SMALL = {"prompt": "a red circle", "width": 64, "height": 80, "steps": 2, "seed": 5}
needs_diffusers = pytest.mark.skipif(
    bool(image_checkpoint.missing()), reason=f"diffusers is not installed: {image_checkpoint.INSTALL}"
)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a random checkpoint of a family, made once."""
    import tiny_checkpoints

    base = tmp_path_factory.mktemp("checkpoints")
    return lambda family: base / family if (base / family).exists() else tiny_checkpoints.make(family, base / family)


def paint(model: object, folder: Path, told: list[str] | None = None, **arguments: Any) -> list[Path]:
    lines = list[str]() if told is None else told
    context = ToolContext(folder, timeout=300, progress=lines.append)
    done = image.make_image(str(model)).run({**SMALL, **arguments}, context)
    return [Path(artifact.path) for artifact in done.artifacts]


@needs_diffusers
@pytest.mark.parametrize("family", ["sd", "sdxl", "flux"])
def test_each_family_paints_from_words_from_a_picture_and_in_a_mask(
    family: str, checkpoint: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, told = checkpoint(family), list[str]()
    (first,) = paint(model, tmp_path, told)
    assert (first.name, Image.open(first).size) == ("image-1.png", (64, 80))
    assert [line for line in told if line.startswith("step")] == ["step 1 of 2", "step 2 of 2"]
    again, next_one = paint(model, tmp_path, n=2)
    assert again.read_bytes() == first.read_bytes()  # the same seed
    assert next_one.read_bytes() != first.read_bytes()  # the next one
    (changed,) = paint(model, tmp_path, file="image-1.png", strength=0.9)
    assert Image.open(changed).size == (64, 80)
    assert Image.open(changed).tobytes() != Image.open(first).tobytes()
    Image.new("RGB", (64, 80), "blue").save(tmp_path / "blue.png")
    told.clear()
    one, other = (paint(model, tmp_path, told, file=f, steps=4, strength=0.5)[0] for f in ("image-1.png", "blue.png"))
    assert Image.open(one).tobytes() != Image.open(other).tobytes()  # what is given matters
    assert [line for line in told if line.startswith("step")] == ["step 1 of 2", "step 2 of 2"] * 2
    Image.new("L", (64, 80), 0).save(tmp_path / "mask.png")
    with Image.open(tmp_path / "mask.png") as mask:
        mask.paste(255, (0, 0, 32, 80))
        mask.save(tmp_path / "mask.png")
    (inside,) = paint(model, tmp_path, file="blue.png", mask="mask.png", strength=0.9)
    away = np.abs(np.asarray(Image.open(inside).convert("RGB")).astype(int) - (0, 0, 255))
    assert away[:, 32:].max() < 40 < away[:, :32].mean()  # as it was, but for the mark; and painted
    made = [f"image-{n}.png" for n in range(1, 8)]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["blue.png", *made, "mask.png"]
    # It says how it was made, and holds the mark.
    assert cli.run_command(["image", "check", str(first)]) == 0
    said = capsys.readouterr().out
    assert "made by llmos" in said
    assert f"prompt: a red circle\nseed: 5\nmodel: {model}" in said
    assert cli.run_command(["image", "check", str(tmp_path / "mask.png")]) == 1
    assert "no mark of llmos" in capsys.readouterr().out


@needs_diffusers
def test_the_example_paints_with_the_model_that_is_set(
    checkpoint: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    example = Path(__file__).parent.parent / "examples" / "image.py"
    monkeypatch.setenv("LLMOS_HOME", str(tmp_path))
    monkeypatch.setenv("LLMOS_IMAGE_MODEL", str(checkpoint("sd")))
    runpy.run_path(str(example))
    told = re.fullmatch(r"Here is your picture. (\d+) x (\d+) pixels: (.*)\n", capsys.readouterr().out)
    assert told
    assert Image.open(told[3]).size == (int(told[1]), int(told[2]))
    monkeypatch.setattr(image_checkpoint, "named", lambda given=None: "")
    runpy.run_path(str(example))
    assert capsys.readouterr().out.startswith("there is no image model here: pip install")


@needs_diffusers
def test_it_stops_between_steps_and_shows_what_comes(
    checkpoint: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_paint, "_PREVIEW", 0.0)
    seen, stop = list[tuple[int, int]](), Flag()

    def progress(line: str) -> None:
        if line.startswith("preview: "):
            seen.append(Image.open(line.removeprefix("preview: ")).size)
        if line.startswith("step 3 "):
            stop.set()

    tool = image.make_image(str(checkpoint("sd")))
    with pytest.raises(ToolError, match="stopped after step 4 of 9"):
        tool.run({**SMALL, "steps": 9}, ToolContext(tmp_path, progress=progress, cancelled=stop))
    assert seen == [(128, 160)] * 3
    # Each line that is told takes longer than the call has left.
    slow = ToolContext(tmp_path, timeout=0, progress=lambda line: time.sleep(0.6))
    with pytest.raises(ToolError, match=r"out of time after step \d of 9; ask for fewer steps"):
        tool.run({**SMALL, "steps": 9}, slow)
    assert list(tmp_path.iterdir()) == []


@needs_diffusers
def test_sessions_that_paint_at_once_do_not_disturb_each_other(
    checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    folders = [tmp_path / name for name in "abcd"]
    for folder in folders:
        folder.mkdir()
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(paint, checkpoint("sdxl"), folder, steps=3 + n % 2) for n, folder in enumerate(folders)]
        one, two, three, four = (job.result()[0].read_bytes() for job in jobs)
    assert (one, two) == (three, four)
    assert one != two


WRONG = [
    ({"prompt": " \n "}, "the prompt is empty; say what the picture shows"),
    ({"steps": 0}, "1 to 150 steps can be taken, not 0"),
    ({"width": 100_000}, "width is 16 to 2,048 pixels, not 100,000"),
    ({"width": 2048, "height": 2048}, "2048 x 2048 pixels are too many, at most 2,400,000; ask for a smaller picture"),
    ({"height": -1}, "height is 16 to 2,048 pixels, not -1"),
    ({"n": 99}, "1 to 8 pictures can be made at once, not 99"),
    ({"seed": -1}, "a seed is a whole number from 0, not -1"),
    ({"file": "none.png"}, "there is no file none.png in this session; give it with --file"),
    ({"file": "../../etc/passwd"}, "there is no file ../../etc/passwd in this session; give it with --file"),
    ({"file": "text.png"}, "text.png is no picture that can be read; give a whole png, jpg, webp or gif"),
    ({"mask": "mask.png"}, "a mask needs a file, the picture that it belongs to"),
    ({"prompt": "a fake passport"}, "no picture is made of forged papers or money; ask for another subject"),
]


@pytest.mark.parametrize(("arguments", "line"), WRONG, ids=[line[:40] for _, line in WRONG])
def test_what_cannot_be_made_is_one_line_and_nothing_is_written(
    arguments: dict[str, Any], line: str, tmp_path: Path
) -> None:
    (tmp_path / "text.png").write_text("no picture")
    Image.new("L", (64, 64)).save(tmp_path / "mask.png")
    before = sorted(p.name for p in tmp_path.iterdir())
    with pytest.raises(ToolError) as error:
        paint("none", tmp_path, **arguments)
    assert str(error.value) == line
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def _pickled(folder: Path) -> None:
    (folder / "unet" / "diffusion_pytorch_model.safetensors").rename(folder / "unet" / "diffusion_pytorch_model.bin")


def _cut(folder: Path) -> None:
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    path.write_bytes(path.read_bytes()[:5000])


def _index(folder: Path, **changed: object) -> None:
    path = folder / "model_index.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changed}))


BROKEN: list[tuple[Callable[[Path], object], str]] = [
    (_pickled, "holds unet/diffusion_pytorch_model.bin, which could run code; only safetensors are loaded"),
    (_cut, "cannot be loaded: "),
    (lambda f: shutil.rmtree(f / "vae"), "is broken: its folder vae is missing; fetch it again"),
    (lambda f: (f / "model_index.json").unlink(), "is no diffusers checkpoint: it has no model_index.json"),
    (lambda f: (f / "model_index.json").write_text("{"), "is broken: model_index.json is no JSON; fetch it again"),
    (lambda f: _index(f, unet=["os", "system"]), "wants code of its own for its unet; only"),
    (lambda f: _index(f, _class_name=["evil", "Pipeline"]), "names no pipeline"),
    (lambda f: _index(f, _class_name="NoSuchPipeline"), "cannot be loaded: "),
    (shutil.rmtree, "name a folder or a hub name such as stabilityai/sd-turbo"),
]


@needs_diffusers
@pytest.mark.parametrize(("break_it", "line"), BROKEN, ids=[line[:40] for _, line in BROKEN])
def test_a_checkpoint_that_is_broken_or_could_run_code_is_one_line(
    break_it: Callable[[Path], object], line: str, checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = shutil.copytree(checkpoint("sd"), tmp_path / "checkpoint")
    (tmp_path / "work").mkdir()
    break_it(folder)
    with pytest.raises(ToolError) as error:
        paint(folder, tmp_path / "work")
    assert line in str(error.value)
    assert "\n" not in str(error.value)
    assert list((tmp_path / "work").iterdir()) == []


@needs_diffusers
def test_weights_that_are_there_half_length_alone_are_taken(checkpoint: Callable[[str], Path], tmp_path: Path) -> None:
    folder = shutil.copytree(checkpoint("sd"), tmp_path / "checkpoint")
    for file in folder.glob("*/*.safetensors"):
        file.rename(file.with_suffix(".fp16.safetensors"))
    (tmp_path / "work").mkdir()
    assert len(paint(folder, tmp_path / "work")) == 1


@needs_diffusers
def test_the_kernel_has_the_tool_where_a_checkpoint_was_named_and_a_session_has_a_budget(
    checkpoint: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMOS_HOME", str(tmp_path))
    monkeypatch.delenv("LLMOS_IMAGE_MODEL", raising=False)
    monkeypatch.setattr(image, "PICTURES", 2)
    monkeypatch.setattr(image_checkpoint, "WEIGHTS", tmp_path / "none")  # as if no painter were shipped
    with LLMOS(model=Scripted([])) as llmos, llmos.session() as session:
        assert "image" not in {tool.name for tool in session.tools}
    assert "llmos image use MODEL" in doctor.images().mend
    assert cli.run_command(["image", "use", str(checkpoint("sd"))]) == 0
    assert config.image_model() == str(checkpoint("sd"))
    assert doctor.images().ok
    call = ToolCall("x", "image", {k: v for k, v in SMALL.items() if k != "seed"})
    with LLMOS(model=Scripted([call, "one", call, "two", call, "no"]), seed=3) as llmos, llmos.session() as session:
        first = session.run("draw a red circle")
        second = session.run("another one")
        third = session.run("and another")
        results = [e.result.preview for e in session.events() if isinstance(e, Result)]
    assert [len(answer.artifacts) for answer in (first, second, third)] == [1, 1, 0]
    assert results[0] == "[image-1.png: 64 x 80 pixels, seed 3, 2 steps]"
    assert "seed 4" in results[1]
    assert results[2] == "error: a session makes at most 2 pictures; start a new one"
    assert cli.run_command(["image", "use", "none"]) == 0
    assert config.image_model() == ""


@needs_diffusers
def test_a_picture_is_made_without_a_conversation(
    checkpoint: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["image", "make", "a red circle", "--model", str(checkpoint("sd")), "--out", str(tmp_path / "out")]
    assert cli.run_command([*line, "--width", "64", "--height", "64", "--steps", "2", "--json"]) == 0
    (path,) = json.loads(capsys.readouterr().out)["pictures"]
    assert Image.open(path).size == (64, 64)
    assert cli.run_command([*line, "--steps", "0"]) == 2
    assert capsys.readouterr().err == "llmos: 1 to 150 steps can be taken, not 0\n"


def test_subjects_that_are_refused_and_such_that_only_sound_like_them() -> None:
    assert "sexual" in refused("a nude 12-year-old")
    assert "pornography" in refused("hardcore porn")
    for fine in (
        "a child flying a kite",
        "a nude statue",
        "a passport office",
        "a teenage mutant turtle",
        "sex chromosomes",
    ):
        assert refused(fine) == ""
