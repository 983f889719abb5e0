"""Personal data on request: found by its form, named alike within a session; plain numbers are never touched."""

import random
import string
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmos import LLMOS, Scripted, Tool, ToolCall, ToolOutput, cli
from llmos.kernel.engine import TextDelta
from llmos.kernel.redact import KINDS, Redactor, find
from llmos.kernel.types import Answer, Call, Request, Result, Text
from llmos.memory import library

PERSONAL: dict[str, list[str]] = {
    "email": [
        "bob@example.com",
        "Bob.O'Neil+tag@mail.example.co.uk",
        "x_1@sub-domain.example.museum",
        "j\u00fcrgen@m\u00fcller.example",
    ],
    "phone": [
        "+49 151 23456789",
        "+1 (415) 555-2671",
        "+4915123456789",
        "+44 20 7946 0958",
        "+33.1.23.45.67.89",
        "(415) 555-2671",
        "415-555-2671",
        "1-800-555-0199",
        "030/1234567",
        "0151-23456789",
    ],
    "iban": [
        "DE89 3704 0044 0532 0130 00",
        "DE89370400440532013000",
        "GB82WEST12345698765432",
        "FR14 2004 1010 0505 0001 3M02 606",
        "NO93 8601 1117 947",
        "MT84MALT011000012345MTLCAST001S",
    ],
    "card": ["4111 1111 1111 1111", "4111111111111111", "5555-5555-5555-4444", "378282246310005", "3782 822463 10005"],
    "ssn": ["123-45-6789", "078-05-1120"],
    "ip": ["192.168.1.17", "203.0.113.9", "10.0.0.1", "2001:db8::8a2e:370:7334", "fe80::1ff:fe23:4567:890a"],
}
CASES = [(kind, value) for kind, values in PERSONAL.items() for value in values]
FRAMES = ["{}", "write to {}, please.", "({})", "x: {}\n", '"{}"', "|{}|", "is it {}?", "name;{};42"]


@pytest.mark.parametrize(("kind", "value"), CASES)
def test_each_kind_is_found_wherever_it_stands(kind: str, value: str) -> None:
    for frame in FRAMES:
        text = frame.format(value)
        (hit,) = find(text)
        assert (hit.kind, text[hit.start : hit.end]) == (kind, value), text
        assert Redactor().redact(text) == frame.format(f"[{kind} 1]")


@pytest.mark.parametrize(
    "text", ["phone: 020 7946 0958", "Tel. 0151 2345678", "fax is 555 1234 567", "Telefon 030 123456"]
)
def test_a_word_makes_a_number_a_phone_number(text: str) -> None:
    (hit,) = find(text)
    assert hit.kind == "phone"
    assert text[: hit.start].rstrip()[-1:].isalpha() or text[: hit.start].rstrip()[-1:] in ":."


@pytest.mark.parametrize(
    "text",
    [
        # Plain numbers, of any length and form.
        "1234567890",
        "1234567890123456",
        "20240115123456",
        "1732181809",
        "1732181809123",
        "3.14159265358979",
        "0.4111111111111111",
        "4111111111111111.5",
        "-4111111111111111",
        "1 234 567 890",
        "1,234,567,890.12",
        "$5,236,789",
        "1e+12345678",
        "-2.5e+1234567",
        "5 +12345678",
        "(a)+12345678",
        "df['a']+1234567",
        "+1234567*2",
        "12345678 +4915123456",
        "6.02214076e23",
        # Dates, times, years.
        "2024-01-15",
        "2024-01-15T12:34:56+01:00",
        "12/31/2024",
        "01/02/2024 12:00:00",
        "31.12.2024",
        "2019-2024",
        "12:34:56",
        "12:34:56:78",
        "20240115-0315",
        # Versions, headings, names.
        "1.2.3.4",
        "version 203.0.113.9",
        "v10.0.0.1",
        "Chrome 124.0.6367.91",
        "Windows 10.0.19041.1",
        "numpy==1.26.4.1",
        "package-99.1.2.3",
        "section 104.3.2.1",
        "which version? 28.0.0.137",
        "999.1.1.1",
        "1.2.3.4.5",
        # Checks that fail: a card's sum, an IBAN's, an SSN that was never given out.
        "4111 1111 1111 1112",
        "DE88 3704 0044 0532 0130 00",
        "XX89 3704 0044 0532 0130 00",
        "000-12-3456",
        "666-12-3456",
        "900-12-3456",
        "123-00-4567",
        # Codes.
        "978-3-16-148410-0",
        "10.1000/xyz123",
        "ISO 8601",
        "RFC 2616",
        "007-1234",
        "AB-415-555-2671-X",
        "x[::2]",
        "a[1::3]",
        "std::vector",
        "ab::cd",
        "aa:bb:cc:dd:ee:ff",
        "00:11:22:33:44:55:66:77",
        "user@",
        "@handle",
        "a @ b",
        "matrix@vector",
        "f(x)@2.5",
    ],
)
def test_what_only_looks_alike_is_left_alone(text: str) -> None:
    for frame in FRAMES[:5]:
        assert find(frame.format(text)) == [], frame.format(text)


def tables() -> list[Path]:
    return [table.path for table in library.tables()]


@pytest.mark.parametrize("path", tables(), ids=lambda p: p.name)
def test_the_packaged_tables_are_never_touched(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text) > 200
    for form in (text, text.replace(",", "\t"), text.replace(",", "  "), text.replace(",", " | ")):
        assert Redactor().redact(form) == form


def test_random_tables_of_plain_numbers_dates_and_versions_are_never_touched() -> None:
    rng = random.Random(7)
    cells: list[Callable[[], str]] = [
        lambda: str(rng.randrange(10 ** rng.randrange(1, 13))),
        lambda: f"{rng.uniform(-1e6, 1e6):.{rng.randrange(1, 9)}f}",
        lambda: f"{rng.randrange(1900, 2100)}",
        lambda: f"{rng.randrange(1900, 2100)}-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}",
        lambda: f"{rng.randrange(24):02}:{rng.randrange(60):02}:{rng.randrange(60):02}",
        lambda: f"v{rng.randrange(30)}.{rng.randrange(30)}.{rng.randrange(999)}",
        lambda: f"{rng.randrange(30)}.{rng.randrange(30)}.{rng.randrange(30)}.{rng.randrange(30)}",
        lambda: f"{rng.randrange(10**9):,}",
        lambda: f"+{rng.randrange(10**6)}",
        lambda: f"{rng.randrange(1, 10)}e+{rng.randrange(300)}",
        lambda: rng.choice(["north", "A-1", "n/a", "x@y", "3 kg", "50%"]),
        lambda: f"{rng.randrange(1000, 10000)}",
    ]
    skipped = 0
    for _ in range(1000):
        kinds = rng.choices(cells, k=rng.randrange(1, 7))
        glue = rng.choice([",", ";", "\t", " | "])
        text = "\n".join(glue.join(kind() for kind in kinds) for _ in range(rng.randrange(2, 20)))
        # 10.x and 127.x with four small parts are addresses to anybody.
        skipped += any(p in text for p in ("10.", "127."))
        assert [hit for hit in find(text) if not hit.value.startswith(("10.", "127."))] == [], text
    assert skipped < 900


def test_columns_of_four_digits_are_no_cards_and_cards_in_a_list_are() -> None:
    rng = random.Random(3)
    lines = [" ".join(str(rng.randrange(1000, 10000)) for _ in range(4)) for _ in range(400)]
    lines += ["4111 1111 1111 1111", "1234 5678 9012 3456"]
    assert find("\n".join(lines)) == []
    assert [h.kind for h in find("4111 1111 1111 1111\n5555 5555 5555 4444\n4012 8888 8888 1881")] == ["card"] * 3
    assert find("+12 345 678 901\n 15 345 678 902") == []


def test_a_value_has_one_placeholder_in_a_session() -> None:
    redactor = Redactor()
    text = "bob@example.com, BOB@example.com, amy@example.com, +1 415 555 2671, +1-415-555-2671, 10.0.0.1"
    assert redactor.redact(text) == "[email 1], [email 1], [email 2], [phone 1], [phone 1], [ip 1]"
    assert redactor.redact("amy@example.com") == "[email 2]"
    later = Redactor(["so [email 2] wrote to [phone 4] and [card]"])
    assert later.redact("amy@example.com or +1 415 555 2671") == "[email 3] or [phone 5]"
    assert redactor.redact(redactor.redact(text)) == redactor.redact(text)


# Without v: "v 1.2.3.4" is a version, which is left alone.
words = st.text(string.ascii_lowercase.replace("v", "") + " .,\n", max_size=30)
sizes = st.lists(st.integers(1, 7), min_size=1, max_size=6)


def streamed(text: str, steps: Sequence[int]) -> list[str]:
    stream, out, at, turn = Redactor().stream(), [], 0, 0
    while at < len(text):
        size = steps[turn % len(steps)]
        out.append(stream.feed(text[at : at + size]))
        at, turn = at + size, turn + 1
    return [*out, stream.end()]


@given(words, st.sampled_from(CASES), words, st.sampled_from(CASES), sizes)
def test_in_pieces_it_comes_out_as_whole(
    before: str, one: tuple[str, str], between: str, two: tuple[str, str], steps: list[int]
) -> None:
    text = f"{before} {one[1]}; {between} {two[1]}. So."
    whole = Redactor().redact(text)
    told = streamed(text, steps)
    assert "".join(told) == whole
    assert one[1] not in whole


@given(st.text(max_size=200), sizes)
def test_in_pieces_nothing_is_lost_and_plain_text_stays(text: str, steps: list[int]) -> None:
    if not find(text):
        assert "".join(streamed(text, steps)) == text


def test_plain_words_are_not_kept_waiting() -> None:
    stream, shown = Redactor().stream(), 0
    for number, letter in enumerate("So the committee met again on Monday and found no reason for doubt. " * 5, 1):
        shown += len(stream.feed(letter))
        assert number - shown <= 14


# Through the public door.

LETTER = (
    "Dear Bob, write to amy@example.com or +49 151 23456789.\nIBAN DE89 3704 0044 0532 0130 00, since 2019, 3.5%.\n"
)
HIDDEN = ("amy@example.com", "23456789", "0532 0130")


def reader() -> Tool:
    return Tool("read", "", {"type": "object"}, lambda a, c: ToolOutput("from zoe@example.com: 42"), frozenset())


def test_on_request_the_model_reads_placeholders_and_answers_with_them(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text(LETTER)
    pieces = [TextDelta(c) for c in "ask amy@example.com or eve@example.com"]
    model = Scripted([ToolCall("x", "read", {"who": "kim@example.com"}), pieces, "again amy@example.com"])
    llmos = LLMOS(model=model, home=tmp_path / "home", tools=[reader()], redact=True)
    with llmos, llmos.session() as session:
        shown = list(session.stream("who wrote bob@example.com?", [tmp_path / "letter.txt"]))
        again = session.run("again?")
        whole = next((session.workspace / "data").rglob("letter.txt")).read_text()
    answer = shown[-1]
    assert isinstance(answer, Answer)
    seen = repr(model.seen)
    for value in (*HIDDEN, "zoe@", "bob@"):
        assert value not in seen
    assert "since 2019, 3.5%" in seen
    assert whole == LETTER  # the box computes with what is there
    (request,) = [e for e in shown if isinstance(e, Request)]
    (result,) = [e for e in shown if isinstance(e, Result)]
    (call,) = [e.call for e in shown if isinstance(e, Call)]
    assert result.result.preview.endswith(": 42")
    assert "@" not in result.result.preview
    assert isinstance(call, ToolCall)
    assert call.arguments == {"who": "kim@example.com"}
    name = answer.text.partition("ask ")[2].partition(" or")[0]
    assert name in request.attachments[0].preview
    assert again.text == f"again {name}"
    assert "".join(e.text for e in shown if isinstance(e, Text) and e.delta) == answer.text


def test_a_session_taken_up_again_does_not_use_a_placeholder_twice(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with LLMOS(model=Scripted(["ok"]), home=home, redact=True) as llmos, llmos.session() as session:
        session.run("I am amy@example.com")
    model = Scripted(["ok"])
    with LLMOS(model=model, home=home, redact=True) as llmos, llmos.session(session.id) as session:
        session.run("and this is bob@example.com")
    assert "I am [email 1]" in repr(model.seen)
    assert "this is [email 2]" in repr(model.seen)


def test_without_the_request_nothing_is_replaced(tmp_path: Path) -> None:
    model = Scripted(["ask amy@example.com"])
    with LLMOS(model=model, home=tmp_path / "home") as llmos:
        assert llmos.run("hi from bob@example.com").text == "ask amy@example.com"
    assert "bob@example.com" in repr(model.seen)


def test_the_command_line_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LLMOS_HOME", str(tmp_path / "home"))
    model = Scripted(["ask amy@example.com"])
    monkeypatch.setattr("llmos.app.open_model", lambda name: model)
    assert cli.run_command(["run", "--redact", "--quiet", "hi from bob@example.com"]) == 0
    assert capsys.readouterr().out == "ask [email 2]\n"
    assert "hi from [email 1]" in repr(model.seen)


def test_kinds_are_those_that_are_told() -> None:
    assert set(PERSONAL) == set(KINDS)


def test_a_file_whose_name_is_an_address_keeps_a_name_that_can_be_used(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("anna@example.com.csv", "+49 30 901820.csv", "sales.csv")]
    for file in files:
        file.write_text("a,b\n1,2\n3,4\n")
    model = Scripted(["done"])
    with LLMOS(model=model, home=tmp_path / "home", redact=True) as llmos, llmos.session() as session:
        session.run(
            "sum a", [tmp_path / "anna@example.com.csv", tmp_path / "+49 30 901820.csv", tmp_path / "sales.csv"]
        )
        names = {path.name for path in (session.workspace / "data").iterdir()}
    assert names == {"file.csv", "sales.csv"}
    seen = model.seen[0][-1].text
    assert seen.count("'file.csv'") == 2
    assert "example.com" not in seen
    assert "901820" not in seen
