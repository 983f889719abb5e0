"""A program takes its texts and lists from the request, as literals."""

import ast
from typing import Any

import pytest

from llmos.kernel.fills import filled, told_whole

KNOWN = frozenset(
    [
        "spell",
        "backwards",
        "count",
        "the",
        "letter",
        "in",
        "bars",
        "for",
        "sort",
        "bar",
        "chart",
        "of",
        "say",
        "reverse",
    ]
)
WORD = ("spell silver backwards", "print($word[::-1])", "Backwards $word is {result}.", [("word", "silver")])
ROW = ("sort pear, fig, kiwi", "print(sorted($words))", "{result}", [("words", "pear, fig, kiwi")])
LETTER = (
    "count the letter r in silver",
    "print($word.count($letter))",
    "{result}",
    [("letter", "r"), ("word", "silver")],
)
PAIRS = ("bars for tea @1, rent @2", "d = $pairs", "Here.", [("pairs", "tea 4, rent 9")])
NUMBERS: tuple[str, str, str, list[tuple[str, str]]] = ("sort @1, @2, @3", "print(sorted($list)[:@9])", "{result}", [])


@pytest.mark.parametrize(
    ("taught", "request_text", "code"),
    [
        (WORD, "spell the word butterscotch backwards", "print('butterscotch'[::-1])"),
        (WORD, "say 'so long' backwards", "print('so long'[::-1])"),
        (ROW, "Please sort these: Wanda, Bruno, Aldo. Thanks!", "print(sorted(['Wanda', 'Bruno', 'Aldo']))"),
        (LETTER, "count the letter z in puzzle", "print('puzzle'.count('z'))"),
        (PAIRS, "bar chart of oak 3, red maple 5 and elm 2.5", "d = {'oak': 3, 'red maple': 5, 'elm': 2.5}"),
        (PAIRS, "bars for 3 dogs and 5 cats", "d = {'dogs': 3, 'cats': 5}"),
    ],
)
def test_what_the_user_wrote_fills_the_slots(taught: tuple[Any, ...], request_text: str, code: str) -> None:
    pattern, program, says, slots = taught
    made = filled(request_text, request_text, pattern, program, says, slots, KNOWN)
    assert made is not None
    assert made.code == code


def test_a_request_that_does_not_fill_a_slot_is_no_candidate() -> None:
    for pattern, program, says, slots in (WORD, ROW, LETTER, PAIRS):
        assert filled("say it", "say it", pattern, program, says, slots, KNOWN) is None
    assert filled("sort 3, 4", "sort @1, @2", *NUMBERS, KNOWN) is None  # @9 is no number of the request
    assert filled("is 'x y' odd", "is 'x y' odd", "is it odd", "print(1)", "", [], KNOWN) is None


@pytest.mark.parametrize("text", ["'); import os #", "a' + open('x') + '", "back\\slash'", "@1 and #2 and `3", "'''"])
def test_nothing_that_the_user_wrote_becomes_code(text: str) -> None:
    made = filled(f'spell "{text}" backwards', "spell it backwards", *WORD, KNOWN)
    assert made is not None
    call = ast.parse(made.code).body[0]
    constants = [n.value for n in ast.walk(call) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    assert constants == [text]
    assert not any(f"{sign}{digit}" in made.code for sign in "@#`" for digit in "123")


def test_a_result_is_told_whole() -> None:
    assert told_whole("The primes are {result}.", "[2, 3, 5]") == "The primes are 2, 3, 5."
    assert told_whole("The numbers are {result}.", "4\n9") == "The numbers:\n4\n9"
    assert told_whole("Here:\n{result}", "4\n9") == "Here:\n4\n9"
    assert told_whole("It is {result}.", "") == ""
