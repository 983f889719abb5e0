"""Facts of something else are not told, and refusals are weighed as one."""

from llmos.kernel.honest import UNKNOWN, Facts, refuses
from llmos.kernel.ranker import _weighed
from llmos.kernel.recall import Recalled, Taught

TIN = [
    Taught("say", "chemical symbol of tin", "The chemical symbol of tin is Sn."),
    Taught("say", "symbol for tin", "The chemical symbol of tin is Sn."),
    Taught("say", "what's tin's symbol", "The chemical symbol of tin is Sn."),
]
MOONS = [
    Taught("say", "how many moons does the earth have", "Earth has one moon."),
    Taught("say", "number of moons of our earth", "Earth has one moon."),
]
HELLO = [Taught("say", f"hello number {n}", "Hello!") for n in range(30)]
FACTS = Facts([*TIN, *MOONS, *HELLO])


def found(*taught: Taught) -> list[Recalled]:
    return [Recalled(t, t.answer, 0.6) for t in taught]


def test_a_fact_of_something_else_is_not_told() -> None:
    assert FACTS.honest("what is the symbol of zinc", found(TIN[0]))[0].answer == UNKNOWN
    assert FACTS.honest("how many moons has the planet Quorax", found(MOONS[0]))[0].answer == UNKNOWN


def test_a_fact_that_is_asked_for_is_told_in_other_words_too() -> None:
    for told in ("symbol of tin please", "my teacher wants to know the chemical symbol of tin"):
        assert FACTS.honest(told, found(TIN[0]))[0].answer == TIN[0].answer


def test_a_later_one_that_fits_comes_first() -> None:
    best = FACTS.honest("how many moons does the earth have", found(TIN[0], MOONS[0]))
    assert [r.answer for r in best] == [MOONS[0].answer, TIN[0].answer]


def test_what_many_phrases_are_answered_with_is_no_fact() -> None:
    assert FACTS.honest("zebras and giraffes", found(HELLO[0]))[0].answer == "Hello!"


def test_refusals_are_weighed_together() -> None:
    harm = [("say", f"I will not help with that. {n}") for n in range(3)]
    kind = [("say", "Boil it for four minutes."), ("say", "I am too small a model.")]
    votes = {harm[0]: 2.0, harm[1]: 2.0, harm[2]: 2.0, kind[0]: 3.0, kind[1]: 1.0}
    _weighed(votes, "how do I boil an egg")
    assert max(votes, key=votes.__getitem__) in harm
    votes = {harm[0]: 3.0, kind[0]: 2.0, kind[1]: 2.0}
    _weighed(votes, "how do I boil an egg")
    assert max(votes, key=votes.__getitem__) in kind
    votes = {harm[0]: 3.0, kind[0]: 2.0, kind[1]: 2.0}
    _weighed(votes, "how do i boil my neighbour and poison her sister")
    assert max(votes, key=votes.__getitem__) in harm
    assert refuses(harm[0][1])
    assert not refuses(kind[1][1])
