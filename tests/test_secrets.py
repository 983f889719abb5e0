"""Registered secrets are found in every spelling, in whole and in pieces, and nothing else is."""

import json
import random
import string
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from secret_spellings import MARKED, PHRASE, SCANNER, SPELLINGS, VALUE, b64

from llmos import ToolCall
from llmos.kernel import secrets
from llmos.kernel.scrub import Scrub
from llmos.kernel.secrets import Scanner, Secret, problem, repeats
from llmos.kernel.spellings import fold, opened, piece_of, placed
from llmos.kernel.types import Text

LEADS = st.text("abcXYZ019 .,\n", max_size=12)
GLUED = st.text("abcuXYZ019 .,;%&\\\n", max_size=12)

tokens = st.text(string.ascii_letters + string.digits + "-_", min_size=12, max_size=64)
values = st.one_of(tokens, st.text(string.printable.strip(), min_size=10, max_size=40))


def usable(value: str) -> bool:
    return problem("T", value) == "" and len(fold(value)) >= 10


@pytest.mark.parametrize("how", SPELLINGS)
@pytest.mark.parametrize("value", [VALUE, PHRASE, MARKED])
def test_each_known_spelling_is_found_and_taken_out(how: str, value: str) -> None:
    coded = SPELLINGS[how](value)
    if value == MARKED and how in ("dotted", "mixed separators"):
        return  # documented: with more punctuation than letters, punctuation is no separator
    for text in (coded, f"so: {coded}.", f"a={coded}&b=1"):
        assert SCANNER.find(text), (how, text)
        left = SCANNER.redact(text)
        assert "[secret " in left
        assert not SCANNER.find(left)


@given(values, st.sampled_from(sorted(SPELLINGS)), GLUED, LEADS)
def test_any_secret_in_any_spelling_at_any_place_is_found(value: str, how: str, before: str, after: str) -> None:
    assume(usable(value))
    assume(value.isascii() and (how != "html names" or ";" not in value))
    # An escape in the secret itself, or one that its neighbours complete, is another text when opened.
    assume(opened(value) == value)
    if len(fold(value)) * 2 < len(value) and how in ("dotted", "mixed separators"):
        return
    coded = SPELLINGS[how](value)
    scanner = Scanner([Secret("T", value)])
    assert scanner.find(f"{before} {coded} {after}"), coded
    assert scanner.find(f'{before}"{coded}"{after}'), coded


@given(tokens, st.data())
def test_a_piece_of_the_told_size_is_found_and_a_smaller_one_is_not(value: str, data: st.DataObject) -> None:
    letters = fold(value)
    assume(problem("T", value) == "" and len(letters) >= 12)
    assume(len(set(letters)) > 8)
    size = piece_of(len(letters))
    at = data.draw(st.integers(0, len(letters) - size))
    scanner = Scanner([Secret("T", value)])
    assert scanner.find(f"xx {letters[at : at + size]} xx")
    assert 10 <= size <= 12


def test_a_secret_in_halves_is_found_in_each_of_them() -> None:
    value = VALUE + "abcdefgh"
    scanner = Scanner([Secret("T", value)])
    half = len(value) // 2
    for piece in (value[:half], value[half:]):
        for how in ("plain", "base64", "hex", "base32", "reversed"):
            assert scanner.find(SPELLINGS[how](piece)), (how, piece)


PROSE = """the a of and to in is was for on with as by at from it this that be are have has not but or an they which one
you had her his all there been their we when who will more no if out so said what up its about into than them can only
other new some could time these two may then do first any my now such like our over man me even most made after also
did many before must through years where much your way well down should because each just those people correct battery
staple secret password token key account live number page report table figure total"""
WORDS = PROSE.split()


def everyday(rng: random.Random) -> str:
    """A text as people and tools write them: prose, a table, JSON, code, a hash, an address."""
    kind = rng.randrange(6)
    if kind == 0:
        return " ".join(rng.choice(WORDS) for _ in range(rng.randrange(20, 400))).capitalize() + "."
    if kind == 1:
        rows = (",".join(f"{rng.uniform(-1e6, 1e6):.{rng.randrange(4)}f}" for _ in range(6)) for _ in range(40))
        return "a,b,c,d,e,f\n" + "\n".join(rows)
    if kind == 2:
        return json.dumps({w: [rng.random(), rng.randrange(10**9), w.upper()] for w in rng.sample(WORDS, 20)})
    if kind == 3:
        return "\n".join(
            f"{w} = load('{v}.csv')[{rng.randrange(99)}:]" for w, v in zip(WORDS, WORDS[::-1], strict=True)
        )
    if kind == 4:
        return b64(rng.randbytes(300).hex()) + " " + rng.randbytes(64).hex()
    return " ".join(
        f"https://www.{w}.example/{v}?{w}=%20{rng.randrange(999)}" for w, v in zip(WORDS, WORDS, strict=True)
    )


def test_no_false_alarm_in_a_thousand_everyday_texts() -> None:
    rng = random.Random(4711)
    letters = string.ascii_letters + string.digits
    made = [Secret(f"T{i}", "".join(rng.choices(letters, k=rng.choice([12, 16, 24, 40, 64])))) for i in range(20)]
    scanner = Scanner([*made, Secret("PHRASE", PHRASE), Secret("KEY", VALUE), Secret("MARKED", MARKED)])
    alarms = [(text[:60], found) for text in (everyday(rng) for _ in range(1000)) if (found := scanner.find(text))]
    assert alarms == []


@pytest.mark.parametrize("text", [f"say {VALUE} now", f"{VALUE}{VALUE}", f"{VALUE} {VALUE}", VALUE.swapcase()])
def test_what_is_left_is_the_text_around(text: str) -> None:
    left = SCANNER.redact(text)
    assert "[secret KEY]" in left
    assert left.replace("[secret KEY]", "").strip() in ("say  now", "")


@given(tokens, GLUED, st.sampled_from(sorted(SPELLINGS)), GLUED, st.lists(st.integers(1, 9), min_size=1, max_size=6))
@example(VALUE, "", "percent every third", "", [1])
@example(VALUE, "abc", "html twice", "0", [1])
@example(VALUE, "", "base64 inside", "", [2, 1])
@example("havkMgbpkYxx", 'B3T "', "unicode long", '"e1', [1])
@example("PnPlz3gBCpxx", "%iN ", "percent twice", " CU", [1])
def test_in_pieces_a_text_comes_out_as_clean_as_whole(
    value: str, before: str, how: str, after: str, sizes: list[int]
) -> None:
    assume(usable(value))
    assume(len(fold(value)) * 2 >= len(value))
    scanner = Scanner([Secret("KEY", value)])
    text = f"{before} {SPELLINGS[how](value)} {after}"
    stream, out, at, turn = scanner.stream(), "", 0, 0
    while at < len(text):
        size = sizes[turn % len(sizes)]
        told = stream.feed(text[at : at + size])
        assert not scanner.find(told), "a part of the secret was shown"
        out, at, turn = out + told, at + size, turn + 1
    out += stream.end()
    assert not scanner.find(out)
    assert "[secret KEY]" in out


def test_a_whole_secret_whose_end_could_begin_another_is_not_cut_in_two() -> None:
    stream = Scanner([Secret("KEY", "abcdefghij")]).stream()
    told = [stream.feed(c) for c in "so abcdefghij"] + [stream.feed("i"), stream.feed(" z"), stream.end()]
    assert "".join(told) == "so [secret KEY]i z"


@given(st.text(max_size=200))
def test_in_pieces_nothing_else_is_changed_or_kept(text: str) -> None:
    assume(not SCANNER.find(text))
    stream = SCANNER.stream()
    assert "".join([*(stream.feed(c) for c in text), stream.end()]) == text
    silent = Scanner().stream()
    assert [silent.feed(c) for c in text] == list(text)


def test_only_what_could_be_a_beginning_waits() -> None:
    stream = SCANNER.stream()
    shown = 0
    for number, letter in enumerate(
        "The committee has met on Monday. It found, as before, no reason for doubt. " * 4, 1
    ):
        shown += len(stream.feed(letter))
        assert number - shown <= 8
    assert "sk" not in stream.feed("sk-live-7Qp")  # which is less than counts
    assert "sk-live-7Qp so" in stream.feed(" so, what now")


@given(st.text(st.sampled_from("%&#\\xuU{}0123456789abcdef;+ amplt"), max_size=60))
def test_places_of_opened_texts_are_those_of_the_text(text: str) -> None:
    plain, spans = placed(text)
    assert plain == opened(text)
    assert len(plain) == len(spans)
    assert all(0 <= a < b <= len(text) for a, b in spans)


def test_without_secrets_nothing_is_touched() -> None:
    scrub = Scrub()
    event = Text(id="e1", text=VALUE)
    assert scrub.event(event) is event
    assert not scrub.holds_secret(ToolCall("x", "mail", {"a": VALUE}))
    assert not Scanner()
    assert Scanner().redact(VALUE) == VALUE


def test_one_that_repeats_itself_is_found_in_bounded_work() -> None:
    value = "ab1d" * 1000
    scanner = Scanner([Secret("R", value)])
    assert repeats(value)
    assert not repeats(VALUE)
    assert scanner.redact(f"x {value} y") == "x [secret R] y"
    assert scanner.redact(f"x {value[:80]} y") == "x [secret R] y"
    looked = 0

    plain = secrets._stretch

    def stretch(*arguments: Any) -> tuple[int, int]:
        nonlocal looked
        looked += 1
        return plain(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(secrets, "_stretch", stretch)
        scanner.find("ab1d" * 5000)
    assert looked < 20_000  # a look for every sample and place would be two million


@pytest.mark.parametrize("unit", ["%C3%A9", "%E4%B8%AD", "%F0%9F%98%80", "%ff", "%25%C3%A9", "&amp;"])
def test_a_stream_of_escapes_is_not_held_back_whole(unit: str) -> None:
    stream, shown = SCANNER.stream(), 0
    for number, letter in enumerate(unit * 40, 1):
        shown += len(stream.feed(letter))
        assert number - shown <= 60


@pytest.mark.parametrize("text", ["%25" * 1500, "5" + "-" * 4000, "sk" + " \n" * 2000])
def test_what_waits_is_bounded_whatever_comes(text: str) -> None:
    stream, shown, most = SCANNER.stream(), 0, 3000
    for at in range(0, len(text), 100):
        shown += len(stream.feed(text[at : at + 100]))
        assert at + 100 - shown <= most
    assert shown > 0
