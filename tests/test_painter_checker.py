"""The painter's checker: what it learns from, that it learns, and what it says of pictures."""

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from llmos.training.painter import checker, measure
from llmos.training.painter.checker import FILE, Checker, Lesson, kept, learn, rough, shown
from llmos.training.painter.draw import SIDE, drawn
from llmos.training.painter.measure import checked, prompts
from llmos.training.painter.scenes import Chart, Face, Flag, Land, Logo, Pair, Scene, Things, held_out
from llmos.training.painter.things import COLOURS, THINGS

SHORT = Lesson(steps=3, batch=4)


def named(scene: Scene) -> list[str]:
    names = [*THINGS, *COLOURS, "1", "2", "3", "4"]
    return [name for name, there in zip(names, shown(scene).tolist(), strict=True) if there]


def weights(made: Checker) -> dict[str, list[float]]:
    return {name: value.flatten().tolist() for name, value in made.state_dict().items()}


def test_what_is_in_a_scene_is_told_and_of_faces_flags_and_charts_nothing() -> None:
    assert named(Things("car", "red", 3, "blue")) == ["car", "red", "3"]
    assert sorted(named(Pair("cat", "black", "above", "tree", "green", "white"))) == ["black", "cat", "green", "tree"]
    assert named(Land("sea", "night", "clear", "full moon", "boat", "red")) == ["boat", "red"]
    assert named(Logo("circle", "blue", "star", "yellow")) == ["star", "yellow"]
    nothing = Land("sea", "day", "clear", "", "", ""), Face("sad", "bald", "", "", "red"), Flag("disc", ("red", "blue"))
    assert [named(scene) for scene in (*nothing, Chart("bar", "red", 4, "rising"))] == [[]] * 4


def test_it_learns_from_rendered_scenes_of_which_none_is_held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, looked = list[Scene](), list[torch.Tensor]()

    def draws(scene: Scene, *how: Any) -> Any:
        seen.append(scene)
        return drawn(scene, *how)

    def roughened(pictures: torch.Tensor, *how: Any) -> torch.Tensor:
        looked.append(pictures)
        return rough(pictures, *how)

    monkeypatch.setattr(checker, "drawn", draws)
    monkeypatch.setattr(checker, "rough", roughened)
    learn(Lesson(steps=8, batch=25))
    assert len(seen) == 200  # one in sixteen of all scenes is held out
    assert not any(held_out(scene) for scene in seen)
    assert sum(map(len, looked)) == len(seen)  # nothing else is looked at
    assert all(held_out(scene) for scene, _ in prompts(40, 0))


def test_the_same_seed_is_the_same_checker_and_no_one_elses_chance_is_touched() -> None:
    torch.manual_seed(1)
    one, after = learn(SHORT), torch.rand(1)
    torch.manual_seed(1)
    assert torch.rand(1) == after
    torch.rand(3)
    assert weights(learn(SHORT)) == weights(one) != weights(learn(replace(SHORT, seed=1)))


def test_rendered_scenes_that_were_held_out_are_told_apart_after_a_short_lesson() -> None:
    losses, rng = list[float](), random.Random(1)
    made = learn(Lesson(steps=100, batch=16), lambda step, loss: losses.append(loss))
    assert sum(losses[-10:]) < 0.9 * sum(losses[:10])
    asked = prompts(80, 3)
    pictures = [np.asarray(drawn(scene, rng, SIDE)) for scene, _ in asked]
    shares = checked(asked, pictures, made)
    assert shares["colour_of"] == shares["object_of"] == shares["count_of"] == 48
    assert shares["colour"] > 0.4  # by chance 0.08
    assert shares["count"] > 0.5  # 0.31 of scenes have one
    assert checked(asked, pictures, Checker().eval())["colour"] < 0.3


class Knows(Checker):
    """Looks at nothing, and says that scenes are there which it is given."""

    def __init__(self, scenes: Sequence[Scene]) -> None:
        super().__init__()
        self.scenes = scenes

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        assert len(pictures) == len(self.scenes)
        return torch.stack([shown(scene) for scene in self.scenes])


def test_shares_are_of_things_alone_each_by_itself() -> None:
    asked = prompts(50, 0)
    things = [scene for scene, _ in asked if isinstance(scene, Things)]
    pictures = [np.zeros((SIDE, SIDE, 3), np.uint8)] * 50
    right = {"colour": 1.0, "object": 1.0, "count": 1.0}
    of = {"colour_of": 30, "object_of": 30, "count_of": 30}
    assert checked(asked, pictures, Knows(things)) == {**right, **of}
    more = [replace(scene, count=scene.count % 4 + 1) for scene in things[:15]]
    assert checked(asked, pictures, Knows([*more, *things[15:]])) == {**right, "count": 0.5, **of}
    others = [replace(scene, thing="car" if scene.thing != "car" else "cat") for scene in things]
    assert checked(asked, pictures, Knows(others)) == {**right, "object": 0.0, **of}


def test_roughened_pictures_are_others_within_bounds() -> None:
    pictures = torch.from_numpy(np.asarray(drawn(Things("car", "red", 1, "white"), random.Random(1), SIDE)).copy())
    clean = (pictures.permute(2, 0, 1).float() / 127.5 - 1).expand(6, -1, -1, -1)
    one, again = (rough(clean, random.Random(2), torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(one, again)
    assert one.shape == clean.shape
    assert float(one.abs().max()) <= 1
    assert all(0.005 < float((each - clean[0]).abs().mean()) < 0.5 for each in one)


def test_it_is_trained_once_and_kept_and_anew_for_another_lesson(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = kept(tmp_path / "run", SHORT)
    told = capsys.readouterr()
    assert "checker: step 3 of 3 after" in told.err
    assert told.out == ""  # where the measurement goes
    assert [file.name for file in (tmp_path / "run").iterdir()] == [FILE]
    other = kept(tmp_path / "run", replace(SHORT, seed=1))
    assert "step 3 of 3" in capsys.readouterr().err
    monkeypatch.setattr(checker, "learn", None)  # cannot be called
    assert weights(kept(tmp_path / "run", replace(SHORT, seed=1))) == weights(other) != weights(first)


def test_each_picture_is_painted_once_and_looked_at_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    rng, seeds = random.Random(4), list[int]()
    asked = prompts(10, 0)

    def paints(painter: object, words: str, seed: int) -> Any:
        seeds.append(seed)
        return np.asarray(drawn(asked[seed][0], rng, SIDE))

    monkeypatch.setattr(measure, "small", paints)
    things = [scene for scene, _ in asked if isinstance(scene, Things)]
    told = measure.report(None, Knows(things), 10, 0)
    assert seeds == list(range(10))
    for name in ("painted", "rendered"):
        pixels, learnt = told["by pixels"][name], told["by the checker"][name]
        assert (pixels["object_of"], learnt["object_of"], pixels["relation_of"]) == (6, 6, 4)
        assert [learnt[each] for each in ("colour", "object", "count")] == [1, 1, 1]
        assert pixels["relation"] > 0.5
        assert "relation" not in learnt
