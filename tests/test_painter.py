"""The painter's world, its looking, and its training: from nothing to a checkpoint that the tool loads and runs."""

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from llmos.kernel import minilm
from llmos.kernel.tool import ToolContext, ToolError
from llmos.tools import image, image_checkpoint
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
    shares = judged(asked, lambda n, scene, words: np.asarray(drawn(scene, rng)))
    assert shares["object_of"] > 40
    assert shares["relation_of"] > 20
    assert min(shares[name] for name in ("colour", "object", "count", "relation")) > 0.97
    things = [scene for scene, _ in asked if isinstance(scene, Things)]
    wrong = [(Things(s.thing, "red" if s.colour != "red" else "blue", s.count % 4 + 1, s.ground), "") for s in things]
    shares = judged(wrong, lambda n, scene, words: np.asarray(drawn(things[n], rng)))
    assert (shares["colour"], shares["count"]) == (0, 0)
    pairs = [scene for scene, _ in asked if isinstance(scene, Pair)]
    turned = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}
    shares = judged(
        [(replace(pair, relation=turned[pair.relation]), "") for pair in pairs],
        lambda n, scene, words: np.asarray(drawn(pairs[n], rng)),
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


def _stop_at_the_second(step: int, loss: object) -> None:
    if step == 2:
        raise KeyboardInterrupt


@needs_painter
def test_a_gallery_is_what_its_seed_says_and_pairs_each_picture_with_its_caption() -> None:
    import torch

    from llmos.training.painter.pool import Gallery, gallerist, share

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
