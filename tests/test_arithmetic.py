"""Plain arithmetic over short names: what is the same answer, and prefix order there and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmos.kernel.arithmetic import TAKES, infix, prefix, worth

LEAVES = st.sampled_from(["@1", "@2", "@3", "2", "100", "0.5", "pi"])
WORDS = st.recursive(
    LEAVES.map(lambda leaf: (leaf,)),
    lambda inner: st.tuples(st.sampled_from(sorted(TAKES)), inner, inner).map(
        lambda made: (made[0], *made[1], *(made[2] if TAKES[made[0]] == 2 else ()))
    ),
    max_leaves=8,
)


def test_the_same_answer_is_one_whatever_its_order() -> None:
    assert worth("@1*@2 + @3") == worth("@3 + (@2 * @1)") != worth("@1 * (@2 + @3)")
    assert worth("@1% * @2") == worth("@2 * @1 / 100")
    assert worth("ceil(@1 / @2)") != worth("@1 / @2")


def test_what_is_no_plain_arithmetic_stands_for_itself() -> None:
    assert worth("@1 kg to pounds") == "@1kgtopounds"
    assert worth("@1 / (@2 - @2)") == "@1/(@2-@2)"
    assert worth("__import__('os')") == "__import__('os')"
    assert prefix("days(~1, ~2)") == prefix("@1 +") == prefix("2" * 300) == ()


def test_an_expression_has_its_words_in_prefix_order() -> None:
    assert prefix("(@1 - @2) / 3") == ("/", "-", "@1", "@2", "3")
    assert prefix("-@1") == ("-", "0", "@1")
    assert infix(("-", "@1", "-", "@2", "@3")) == "@1 - (@2 - @3)"
    assert infix(("max", "@1", "^", "@2", "2")) == "max(@1, @2 ^ 2)"


@given(WORDS)
def test_prefix_order_and_back_is_the_same_answer(words: tuple[str, ...]) -> None:
    told = infix(words)
    assert sorted(prefix(told)) == sorted(words)
    assert worth(infix(prefix(told))) == worth(told)


@pytest.mark.parametrize("words", [(), ("+", "@1"), ("@1", "@2")])
def test_words_that_are_no_whole_expression_are_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="expression"):
        infix(words)
