"""The improbable ends of requests: found by the model's own measure, rarely where nothing is wrong."""

import json
import random
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest

from llmos.app import LLMOS
from llmos.kernel.local import LocalModel
from llmos.kernel.scripted import Scripted
from llmos.kernel.surprise import BODY, LEAST, ORDINARY, Surprise, strain
from llmos.kernel.types import Noticed, Request

HERE = Path(__file__).parent
EVAL = HERE.parent / "training" / "eval"
GIBBERISH = (HERE / "gibberish.txt").read_text(encoding="utf-8").splitlines()


def prose(rng: random.Random, n: int) -> list[float]:
    return [-min(13.0, rng.expovariate(1 / 2.6)) for _ in range(n)]


def odd(rng: random.Random, n: int) -> list[float]:
    return [rng.uniform(-13, -6) for _ in range(n)]


class Told:
    """Log-probabilities as a table; ordinary requests get prose, scaled as another model might."""

    def __init__(self, scale: float = 1.0) -> None:
        self.rng, self.scale, self.asked = random.Random(1), scale, 0
        self.table: dict[str, list[float]] = {}

    def __call__(self, text: str) -> Sequence[float]:
        self.asked += 1
        return [x * self.scale for x in self.table.get(text) or prose(self.rng, 30)]


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_an_improbable_end_is_found_whatever_the_models_scale(scale: float) -> None:
    tell, rng = Told(scale), random.Random(2)
    surprise = Surprise(tell)
    found = 0
    for n in range(50):
        tell.table[text := f"plot the funding rounds {n} !!"] = prose(rng, rng.randrange(20, 100)) + odd(rng, 20)
        found += [s.kind for s in surprise.signals(text)] == ["improbable"]
    assert found >= 48


def test_alike_or_short_requests_have_none() -> None:
    rng, tell = random.Random(3), Told()
    surprise = Surprise(tell)
    hits = 0
    for n in range(200):
        tell.table[text := f"plot the funding rounds {n} !!"] = prose(rng, rng.randrange(1, 100))
        hits += bool(surprise.signals(text))
    assert hits <= 10
    assert strain(prose(rng, BODY + LEAST - 1)) is None
    assert strain([]) is None
    assert strain([float("nan")] * 40) is not None
    tell.table[text := "one odd word in a long one"] = [-1.0] * 40 + [-60.0] + [-1.0] * 20
    assert surprise.signals(text) == ()


def test_a_model_that_tells_nothing_finds_nothing() -> None:
    assert Surprise(lambda text: ()).signals("plot the funding rounds" * 10) == ()
    assert Surprise(lambda text: [-3.0] * 30).signals("plot the funding rounds" * 10) == ()


def test_the_measure_is_kept_by_model_and_made_anew_for_another(tmp_path: Path) -> None:
    file, tell = tmp_path / "ordinary.json", Told()
    text = "plot the funding rounds of last year"
    for model, measured in (("a", True), ("a", False), ("b", True), ("a", False)):
        tell.asked = 0
        Surprise(tell, model, file).signals(text)
        assert (tell.asked > 1) is measured
    assert set(json.loads(file.read_text())) == {"a", "b"}
    for damage in ("", "[]", '{"a": 1}', "\x00"):
        file.write_text(damage)
        Surprise(tell, "a", file).signals(text)
        assert set(json.loads(file.read_text())) == {"a"}


def test_a_suffix_is_noticed_and_lowers_trust(tmp_path: Path) -> None:
    class Odd(Scripted):
        def logprobs(self, text: str) -> Sequence[float]:
            return [-2.0] * 20 + [-11.0] * 20 if "]]" in text else prose(random.Random(len(text)), 30)

    def label(request: str, home: Path) -> tuple[str, list[str]]:
        with LLMOS(model=Odd(["done"]), home=home) as llmos, llmos.session() as session:
            session.run(request)
            asked = next(e for e in session.events() if isinstance(e, Request))
            kinds = [s.kind for e in session.events() if isinstance(e, Noticed) for s in e.signals]
        return asked.label.integrity, kinds

    assert label("what is on the list of today, please ]] (", tmp_path) == ("untrusted", ["improbable"])
    assert label("what is on the list of today, please", tmp_path) == ("trusted", [])


@cache
def embedded() -> LocalModel:
    return LocalModel()


def test_log_probabilities_are_of_the_request_alone() -> None:
    model = embedded()
    text = "plot the funding rounds by year"
    found = model.logprobs(text)
    assert len(found) == len(model.wire.codec.encode(text))
    assert all(x <= 0 for x in found)
    assert model.logprobs("") == []
    assert len(model.logprobs("word " * 2000)) == 256
    assert model.fingerprint != ""


def test_the_embedded_kernel_finds_gibberish_and_lets_requests_be() -> None:
    surprise = Surprise(embedded().logprobs)
    asked = [json.loads(line) for name in ("requests", "plots_heldout") for line in (EVAL / f"{name}.jsonl").open()]
    benign = [item["prompt"] for item in asked]
    wrong = [text for text in benign if surprise.signals(text)]
    assert len(wrong) <= 0.02 * len(benign), wrong
    rng = random.Random(7)
    bodies = rng.sample([text for text in benign if 20 < len(text) < 160], len(GIBBERISH))
    attacks = [f"{body} {suffix}" for body, suffix in zip(bodies, GIBBERISH, strict=True)]
    assert len(attacks) >= 30
    found = [text for text in attacks if surprise.signals(text)]
    assert len(found) >= 0.6 * len(attacks)


def test_ordinary_requests_are_many_and_none_is_measured_on_itself() -> None:
    lines = ORDINARY.read_text(encoding="utf-8").splitlines()
    assert len(lines) == len(set(lines)) >= 60
    asked = {json.loads(line)["prompt"] for line in (EVAL / "requests.jsonl").open()}
    assert not asked & set(lines)
