"""Beam search and full search over small spaces, against every reply counted out."""

from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest

from llmos.kernel import wire
from llmos.kernel.branches import TorchBranch, TorchEngine
from llmos.kernel.codec import Codec
from llmos.kernel.engine import Sampling, TextDelta
from llmos.kernel.errors import BudgetError
from llmos.kernel.grammar import Grammars
from llmos.kernel.lean import Lean
from llmos.kernel.local import LocalModel
from llmos.kernel.search import beam, most_probable
from llmos.kernel.types import Message, Part, Source

PROMPT = list(range(60, 100))


@pytest.fixture(scope="module")
def engine(qwen3_folder: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> TorchEngine:
    return TorchEngine(Lean(qwen3_folder(tmp_path_factory.mktemp("search"))))


def test_the_most_probable_of_a_choice_is_found_for_sure(engine: TorchEngine, codec: Codec) -> None:
    form = wire.EmbeddedWire(codec).form
    grammars = Grammars(codec, form, engine.info.vocabulary)
    choices = ["positive", "negative", "neutral", "posi", "no"]
    root = engine.open(PROMPT)
    found = most_probable(engine, root, tuple(form.stops), grammars.choices(choices))
    assert found.whole
    assert codec.decode(found.ids[:-1]) in choices
    # Every spelling of a choice counts, not only the usual one.
    letters = {tuple(i for letter in c for i in codec.encode(letter)) for c in choices}
    spelled = {tuple(codec.encode(c)) for c in choices} | letters
    wholes = [[*ids, stop] for ids, stop in product(spelled, form.stops)]
    assert found.logprob >= max(map(sum, root.score(wholes))) - 1e-4
    assert sum(root.score([list(found.ids)])[0]) == pytest.approx(found.logprob, abs=1e-3)
    assert not most_probable(engine, root, tuple(form.stops), grammars.choices(choices), bound=1).whole


def test_a_beam_of_one_is_greedy_and_a_wider_one_is_no_worse(engine: TorchEngine) -> None:
    root = engine.open(PROMPT)
    assert isinstance(root, TorchBranch)
    greedy = [s.token for s in engine.open(PROMPT).decode(Sampling(max_tokens=8))]
    (one,) = beam(engine, root, (), width=1, most=8)
    assert list(one.ids) == greedy
    assert not one.whole
    wide = beam(engine, root, (), width=6, most=8)
    assert len(wide) == 6
    assert len({f.ids for f in wide}) == 6
    assert wide[0].logprob >= one.logprob - 1e-4
    for found in wide:
        assert sum(root.score([list(found.ids)])[0]) == pytest.approx(found.logprob, abs=1e-3)


def test_a_beam_keeps_to_its_grammar(engine: TorchEngine, codec: Codec) -> None:
    form = wire.EmbeddedWire(codec).form
    grammars = Grammars(codec, form, engine.info.vocabulary)
    root = engine.open(PROMPT)
    for found in beam(engine, root, tuple(form.stops), 3, 40, grammars.choices(["yes", "no", "maybe"])):
        if found.whole:
            assert codec.decode(found.ids[:-1]) in ("yes", "no", "maybe")


def test_a_model_tells_the_likeliest_choice_and_the_best_of_a_beam(
    qwen3_folder: Callable[..., Path], tmp_path: Path
) -> None:
    model = LocalModel(qwen3_folder(tmp_path))
    asked = [Message("user", (Part("well?", Source("user")),))]
    text, logprob = model.likeliest(asked, ["yes", "no", "maybe so"])
    assert text in ("yes", "no", "maybe so")
    # No choice in its usual spelling, up to where its end comes, is more probable.
    assert logprob < max(sum(one) for one in model.score(asked, [], ["yes", "no", "maybe so"]))
    with pytest.raises(BudgetError, match="1 beginnings do not decide"):
        model.likeliest(asked, ["yes", "no"], bound=1)
    best = model.beam(asked, width=3, most=6)
    assert len(best) == 3
    assert best[0][1] >= model.beam(asked, width=1, most=6)[0][1] - 1e-4
    assert all(said for said, _ in best)
    banned = tuple((i, -float("inf")) for i in model.ids("y") + model.ids("yes"))
    how = Sampling(choices=("yes", "no"), bias=banned)
    said = "".join(d.text for d in model.reply(asked, [], how) if isinstance(d, TextDelta))
    assert said == "no"
