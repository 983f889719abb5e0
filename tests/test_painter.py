"""The painter's world, its looking, and its training: from nothing to a checkpoint that the tool loads and runs."""

import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from llmos import cli
from llmos.kernel import minilm
from llmos.kernel.tool import ToolContext, ToolError
from llmos.tools import image, image_checkpoint
from llmos.tools.image_paint import Wish, settled
from llmos.tools.painter_words import completed
from llmos.training.painter import looks
from llmos.training.painter.captions import told
from llmos.training.painter.draw import drawn
from llmos.training.painter.scenes import Pair, Scene, Things, held_out, made
from llmos.training.painter.things import COLOURS, THINGS

needs_painter = pytest.mark.skipif(
    bool(image_checkpoint.missing() or minilm.missing()), reason="diffusers or the encoder is not installed"
)


def scenes(seed: int, count: int) -> list[Scene]:
    rng = random.Random(seed)
    return [made(rng) for _ in range(count)]


def test_the_same_chance_gives_the_same_world() -> None:
    for scene in scenes(1, 60):
        one, again, other = (drawn(scene, random.Random(seed)) for seed in (1, 1, 2))
        assert one.size == (64, 64)
        assert one.tobytes() == again.tobytes() != other.tobytes()
        assert told(scene, random.Random(3)) == told(scene, random.Random(3))


def test_every_kind_of_scene_is_held_out_now_and_then_and_never_by_its_wording() -> None:
    found = scenes(2, 4000)
    kept = [scene for scene in found if held_out(scene)]
    assert 0.03 < len(kept) / len(found) < 0.1
    assert {type(scene) for scene in kept} == {type(scene) for scene in found}
    red = [held_out(Things("car", "red", 2, ground, "middle")) for ground in COLOURS]
    assert len(set(red)) == 1  # whatever the ground


def test_captions_say_what_is_there() -> None:
    rng = random.Random(4)
    assert told(Things("fish", "gray", 3, "pink"), rng).split(" fish")[0].split(" ")[-1] in ("gray", "grey")
    words = told(Pair("cat", "black", "left of", "tree", "red", "blue"), rng)
    assert words.index("black") < words.index("left of") < words.index("red")
    assert all(len(told(scene, rng).split()) < 30 for scene in scenes(5, 500))


def test_captions_for_training_leave_things_unsaid_now_and_then() -> None:
    car = Things("car", "red", 1, "blue")
    said = [told(car, random.Random(n), whole=False) for n in range(300)]
    assert all("car" in words or "automobile" in words for words in said)
    assert 15 < sum("red" not in words for words in said) < 100
    assert all("red" in told(car, random.Random(n)) for n in range(100))
    assert all("  " not in told(s, random.Random(5), whole=False).strip() for s in scenes(9, 500))


def test_looking_at_rendered_scenes_that_were_held_out_is_right() -> None:
    """What it says of painted pictures is worth as much as this."""
    from llmos.training.painter.measure import judged

    rng = random.Random(6)
    asked = [(scene, "") for scene in scenes(7, 4000) if isinstance(scene, Things | Pair) and held_out(scene)][:120]
    shares = judged(asked, [np.asarray(drawn(scene, rng)) for scene, _ in asked])
    assert shares["object_of"] > 40
    assert shares["relation_of"] > 20
    assert min(shares[name] for name in ("colour", "object", "count", "relation")) > 0.97
    things = [scene for scene, _ in asked if isinstance(scene, Things)]
    wrong = [(Things(s.thing, "red" if s.colour != "red" else "blue", s.count % 4 + 1, s.ground), "") for s in things]
    shares = judged(wrong, [np.asarray(drawn(scene, rng)) for scene in things])
    assert (shares["colour"], shares["count"]) == (0, 0)
    pairs = [scene for scene, _ in asked if isinstance(scene, Pair)]
    turned = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}
    shares = judged(
        [(replace(pair, relation=turned[pair.relation]), "") for pair in pairs],
        [np.asarray(drawn(pair, rng)) for pair in pairs],
    )
    assert shares["relation"] == 0


def test_every_thing_is_seen_in_every_colour_on_another_ground() -> None:
    rng = random.Random(8)
    for thing in THINGS:
        for colour in COLOURS:
            ground = "white" if colour != "white" else "green"
            found = looks.pieces(np.asarray(drawn(Things(thing, colour, 1, ground), rng)))
            assert len(found) == 1, (thing, colour)


@needs_painter
def test_training_goes_on_where_it_stopped_and_ends_as_a_checkpoint_that_paints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from llmos.training.painter.train import Recipe, Training, save, shaped, trained

    recipe = Recipe(steps=4, batch=2, channels=(32, 32), layers=1, pool=8, refresh=3, side=64, block=8)
    losses: list[float] = []
    whole = Training(recipe, tmp_path / "whole")
    whole.run(lambda step, loss: losses.append(float(loss)))
    first = Training(recipe, tmp_path / "parts")
    with pytest.raises(KeyboardInterrupt):
        first.run(_stop_at_the_second)
    first.keep()
    second = Training(recipe, tmp_path / "parts")
    assert second.step == 2
    again: list[float] = []
    second.run(lambda step, loss: again.append(float(loss)))
    assert again == pytest.approx(losses[2:], rel=1e-3)
    with pytest.raises(SystemExit, match="another recipe"):
        Training(Recipe(steps=9), tmp_path / "parts")
    assert 0 < save(trained(tmp_path / "whole"), tmp_path / "weights") < 4 << 20
    more = shaped(replace(recipe, block=4, channels=(64, 64)), tmp_path / "weights")
    assert more == recipe
    begun = Training(more, tmp_path / "more", tmp_path / "weights").model.state_dict()
    assert all(torch.allclose(begun[name], value.half().float()) for name, value in whole.mean.items())
    monkeypatch.setattr(image_checkpoint, "WEIGHTS", tmp_path / "weights")
    monkeypatch.delenv("LLMOS_IMAGE_MODEL", raising=False)
    monkeypatch.setenv("LLMOS_HOME", str(tmp_path / "home"))
    assert image_checkpoint.named() == "embedded"
    (tmp_path / "work").mkdir()
    tool, context = image.make_image("embedded"), ToolContext(tmp_path / "work", timeout=300)
    done = [tool.run({"prompt": "a red car", "steps": 2, "seed": 5}, context) for _ in range(2)]
    one, other = (Path(output.artifacts[0].path) for output in done)
    assert Image.open(one).size == (512, 512)
    assert one.read_bytes() == other.read_bytes()
    with pytest.raises(ToolError, match="the painter paints squares"):
        tool.run({"prompt": "a red car", "steps": 2, "width": 64, "height": 128}, context)
    assert torch.is_grad_enabled()


@needs_painter
def test_the_rate_falls_with_the_time_that_training_has(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import time

    from llmos.training.painter.__main__ import train
    from llmos.training.painter.train import Budget, Recipe, Training

    recipe = Recipe(steps=10_000, batch=2, channels=(32, 32), pool=8, refresh=10_000, block=8)
    one = Training(recipe, tmp_path / "run")
    assert not train(one, Budget(1000, until=time.monotonic() + 1))
    assert 0 < one.step < 10_000
    assert 1 <= one.seconds < 60
    assert [one._pace(share) * 200 for share in (0.0, 0.3, 1.0)] == pytest.approx([one.step + 1, one.step + 1, 0])
    again = Training(recipe, tmp_path / "run")
    whole = Budget(again.seconds + 2, folder=tmp_path / "painter")
    assert train(again, whole)
    assert again.seconds >= whole.seconds
    assert again.step > one.step
    assert float(again.rate) < recipe.rate * (again.step + 1) / 200
    assert (tmp_path / "painter" / "unet" / "diffusion_pytorch_model.safetensors").stat().st_size > 1000
    assert sum(file.is_file() for file in (tmp_path / "painter").rglob("*")) == 4
    assert f"from step {one.step}" in capsys.readouterr().out


@needs_painter
def test_what_cannot_be_compiled_or_made_a_graph_is_trained_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch

    from llmos.training.painter import train

    def fails(*given: object, **how: object) -> object:
        raise RuntimeError("no compiler\nhere")

    monkeypatch.setattr(torch, "compile", lambda function, **how: fails)
    recipe = train.Recipe(steps=1, batch=2, channels=(32, 32), pool=4, block=8)
    losses: list[float] = []
    for number, compiled in enumerate((True, False)):
        training = train.Training(recipe, tmp_path / str(number))
        training.run(lambda step, loss: losses.append(float(loss)), compiled=compiled)
    assert losses[0] == losses[1]
    assert "not compiled (no compiler)" in capsys.readouterr().out
    monkeypatch.setattr(train, "_Captured", fails)
    learn = train.captured(lambda noisy: noisy + 1, (torch.ones(1),))
    assert learn(torch.ones(1)) == 2
    assert "no graph (no compiler)" in capsys.readouterr().out


@needs_painter
def test_a_checkpoint_is_saved_from_the_state_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from llmos.training.painter import __main__ as program
    from llmos.training.painter.train import Recipe, Training

    def called(*words: str) -> None:
        monkeypatch.setattr("sys.argv", ["painter", *words, "--out", str(tmp_path / "run")])
        program.main()

    with pytest.raises(SystemExit, match="nothing was trained in"):
        called("save", "--save", str(tmp_path / "painter"))
    with pytest.raises(SystemExit, match="--save FOLDER"):
        called("save")
    Training(Recipe(batch=2, channels=(32, 32), block=8, seed=3), tmp_path / "run").keep()
    called("save", "--save", str(tmp_path / "painter"))
    assert image_checkpoint.find(str(tmp_path / "painter")) == tmp_path / "painter"


def test_what_goes_without_saying_under_a_sky_is_added_and_nothing_else() -> None:
    said = {
        "a red lighthouse under a full moon": "a red lighthouse under a full moon by the sea at night",
        "a red car at sunset": "a red car at sunset in the hills",
        "A cactus in the moonlight": "A cactus in the moonlight in the desert at night",
        "a boat on a lake with the moon at dusk": "a boat on a lake with the moon at dusk",
        "a blue cat under a yellow moon": "a blue cat under a yellow moon",
        "a red lighthouse": "a red lighthouse",
    }
    assert {words: completed(words) for words in said} == said
    rng = random.Random(10)
    whole = [told(scene, rng) for scene in scenes(11, 3000)]
    assert [words for words in whole if completed(words) != words] == []  # what is measured is as it is asked for


@needs_painter
def test_a_step_is_that_of_ddim_with_the_picture_kept_in_its_bounds() -> None:
    import torch

    from llmos.tools.painter import moments, stepped
    from llmos.training.painter.train import schedule

    theirs, chance = schedule(), torch.Generator().manual_seed(1)
    theirs.set_timesteps(20)
    for place in (1, 5, 18, 19):
        values, velocity = (torch.randn(1, 3, 8, 8, generator=chance) * 2 for _ in range(2))
        time = int(theirs.timesteps[place])
        wanted = theirs.step(velocity, time, values, use_clipped_model_output=True).prev_sample
        then = float(theirs.alphas_cumprod[time - 50]) if time >= 50 else 1.0
        made = stepped(values, velocity, float(theirs.alphas_cumprod[time]), then)
        assert torch.allclose(made, wanted, atol=1e-4), place
    for steps in (1, 2, 20, 150):
        times = moments(steps, 1000)
        assert times[0] == 999
        assert min(times) >= 0
        assert times == sorted(set(times), reverse=True)
        assert len(times) == steps


def test_processes_that_draw_load_no_network() -> None:
    code = "import sys, llmos.training.painter.shares; print('torch' in sys.modules, 'diffusers' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.split() == ["False", "False"]


@needs_painter
def test_the_shipped_painter_paints_the_same_again_and_its_mark_is_found_after_jpeg_and_a_crop(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tool, context = image.make_image("embedded"), ToolContext(tmp_path, timeout=300)
    wish = {"prompt": "a red boat", "steps": 10, "seed": 5}
    one, again, other, small = (
        Path(tool.run({**wish, **more}, context).artifacts[0].path)
        for more in ({}, {}, {"seed": 6}, {"width": 64, "height": 64})
    )
    assert one.read_bytes() == again.read_bytes() != other.read_bytes()
    for path in (one, small):
        picture = Image.open(path)
        side, off = picture.width, picture.width // 10
        picture.crop((off, off // 2, side, side - (off - off // 2))).save(tmp_path / "sent.jpg", quality=80)
        assert cli.run_command(["image", "check", str(tmp_path / "sent.jpg")]) == 0
        assert "made by llmos" in capsys.readouterr().out
    with pytest.raises(ToolError, match="this checkpoint cannot change a picture"):
        tool.run({**wish, "file": one.name}, context)


def _stop_at_the_second(step: int, loss: object) -> None:
    if step == 2:
        raise KeyboardInterrupt


@needs_painter
def test_a_gallery_is_what_its_seed_says_and_pairs_each_picture_with_its_caption() -> None:
    import torch

    from llmos.training.painter.pool import Gallery, gallerist
    from llmos.training.painter.shares import share

    made: list[Gallery] = []
    for _ in range(2):
        with gallerist(seed=3, size=500, side=16, device="cpu") as drawing:
            made.append(drawing.gallery(1))
            assert drawing.gallery(1) is made[-1]
            other = drawing.gallery(2)
    one, again = made
    assert torch.equal(one.pictures, again.pictures)
    assert not torch.equal(one.pictures, other.pictures)
    laid, pictures = share("gallery 3 1 0", 500, 16)
    assert one.pictures.numpy().tobytes() == pictures
    assert (one.real[:-1].numpy() == (laid > 0)).all()
    captions = [row.tobytes() for row in laid]
    pick, words, real = one.batch(torch.Generator().manual_seed(1), 400)
    places = [int((one.pictures == picture).flatten(1).all(1).nonzero()[0]) for picture in pick]
    untold = real.sum(1) == 2
    assert 15 < int(untold.sum()) < 75
    for n, place in enumerate(places):
        assert untold[n] or torch.equal(words[n], one.words[place].float()) or captions.count(captions[place]) > 1


@needs_painter
def test_users_pictures_take_as_many_steps_as_those_it_is_measured_by() -> None:
    from llmos.tools.painter import STEPS, PainterPipeline

    wish = Wish(prompt="a red car", seed=1)
    assert settled(wish, "embedded", PainterPipeline).steps == STEPS
    assert settled(wish, "some/checkpoint", object()).steps == 30
    assert settled(wish, "some/turbo", object()).steps == 4
