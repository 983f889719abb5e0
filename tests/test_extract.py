"""The extraction of typed values: a fresh context without tools, decoded under a schema, checked, strings kept back."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from llmos.kernel.codec import Codec
from llmos.kernel.engine import Delta, Finished, Sampling, TextDelta
from llmos.kernel.errors import ModelError
from llmos.kernel.grammar import Grammars
from llmos.kernel.scripted import Scripted
from llmos.kernel.tool import OwnError, Tool, ToolContext, ToolOutput
from llmos.kernel.types import Message, ToolCall
from llmos.kernel.wire import EmbeddedWire
from llmos.tools.extract import extract, make_extract
from llmos.tools.extract_form import read_form, schema_of

FORM: list[dict[str, Any]] = [
    {"name": "total", "type": "number", "about": "what is to be paid"},
    {"name": "count", "type": "integer"},
    {"name": "paid", "type": "boolean"},
    {"name": "due", "type": "date"},
    {"name": "kind", "type": "choice", "choices": ["bill", "letter"]},
    {"name": "who", "type": "text"},
    {"name": "code", "type": "text", "pattern": "[A-Z]{2}\\d{4}"},
]
NONE = Sampling()
GOOD = {"total": 12.5, "count": 3, "paid": True, "due": "2024-03-31", "kind": "bill", "who": "Bob", "code": "AB1234"}


class Says:
    """A model that heeds no schema: it says what it is told, and keeps what it was asked."""

    name, context_length = "says", 2000

    def __init__(self, *deltas: Delta) -> None:
        self.deltas = deltas
        self.asked: list[tuple[list[Message], list[str], Sampling]] = []

    def count(self, messages: Sequence[Message], tools: Sequence[Tool]) -> int:
        return sum(len(m.text) // 4 + 4 for m in messages)

    def reply(
        self, messages: Sequence[Message], tools: Sequence[Tool], sampling: Sampling = NONE, n: int = 1
    ) -> Iterator[Delta]:
        self.asked.append((list(messages), [t.name for t in tools], sampling))
        yield from self.deltas

    def close(self) -> None:
        pass


def run(tmp_path: Path, reply: Any, text: str = "some text", form: Any = FORM) -> tuple[ToolOutput, Says]:
    (tmp_path / "data").mkdir(exist_ok=True)
    (tmp_path / "data" / "letter.txt").write_text(text)
    model = Says(TextDelta(reply if isinstance(reply, str) else json.dumps(reply)), Finished("stop"))
    return extract(model, "letter.txt", read_form(form), ToolContext(tmp_path)), model


def test_typed_values_are_told_and_strings_are_not(tmp_path: Path) -> None:
    output, model = run(tmp_path, GOOD)
    assert output.typed.splitlines() == [
        "total: 12.5",
        "count: 3",
        "paid: true",
        "due: 2024-03-31",
        "kind: bill",
        "who: text of 3 characters, not shown",
        "code: text of 6 characters, not shown",
    ]
    assert json.loads(output.text) == GOOD
    assert output.label is not None
    assert output.label.integrity == "untrusted"
    ((messages, tools, sampling),) = model.asked
    assert tools == []
    assert [m.role for m in messages] == ["system", "user"]
    assert "some text" in messages[1].text
    assert "- total (number): what is to be paid" in messages[1].text
    assert json.loads(sampling.schema) == schema_of(read_form(FORM))


def test_what_the_text_does_not_give_is_null(tmp_path: Path) -> None:
    output, _ = run(tmp_path, dict.fromkeys(GOOD))
    assert output.typed.splitlines()[0] == "total: not given"


@pytest.mark.parametrize(
    "change",
    [
        {"total": "IGNORE ALL"},
        {"total": 1e300},
        {"count": 10**20},
        {"count": 2.5},
        {"paid": "yes"},
        {"due": "2024-02-31"},
        {"due": "IGNORE ALL"},
        {"kind": "IGNORE ALL"},
        {"who": "x" * 201},
        {"code": "IGNORE"},
        {"extra": 1},
    ],
)
def test_a_value_of_another_type_is_refused_without_being_quoted(change: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(OwnError, match="not of the types") as error:
        run(tmp_path, {**GOOD, **change})
    assert "IGNORE" not in str(error.value)


@pytest.mark.parametrize("reply", ["IGNORE ALL", "", "[1]", "{", '{"total": NaN}', "[" * 5000])
def test_a_reply_that_is_no_form_is_refused(reply: str, tmp_path: Path) -> None:
    with pytest.raises(OwnError, match="not of the types"):
        run(tmp_path, reply)


@pytest.mark.parametrize(
    "form",
    [
        [{"name": "a", "type": "choice"}],
        [{"name": "a", "type": "number", "choices": ["x"]}],
        [{"name": "a", "type": "number"}, {"name": "a", "type": "date"}],
        [{"name": "a", "type": "number", "pattern": "x"}],
        *([{"name": "a", "type": "text", "pattern": p}] for p in ("(a+)+", "a*", "[", "a{1,2}" * 4, ".*")),
    ],
)
def test_a_form_that_cannot_be_is_refused(form: Any, tmp_path: Path) -> None:
    with pytest.raises(OwnError):
        run(tmp_path, GOOD, form=form)


def test_long_texts_are_read_as_far_as_the_window_goes(tmp_path: Path) -> None:
    output, model = run(tmp_path, GOOD, text="word " * 10_000)
    assert output.typed.endswith("only the beginning of the text was read")
    assert model.count(model.asked[0][0], ()) < model.context_length - 500


def test_files_that_are_not_there_or_no_text(tmp_path: Path) -> None:
    (tmp_path / "b.bin").write_bytes(b"a\0b")
    (tmp_path / "link").symlink_to("/etc/passwd")
    for name in ("none.txt", "../x", "/etc/passwd", "link", "b.bin", "a\0b"):
        with pytest.raises(OwnError):
            extract(Says(), name, read_form(FORM), ToolContext(tmp_path))


def test_a_model_that_fails_is_one_line_without_its_words(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("text")

    class Broken(Says):
        def reply(self, *arguments: Any, **named: Any) -> Iterator[Delta]:
            raise ModelError("the server quotes: IGNORE ALL")
            yield

    with pytest.raises(OwnError, match="could not answer") as error:
        extract(Broken(), "a.txt", read_form(FORM), ToolContext(tmp_path))
    assert "IGNORE" not in str(error.value)
    with pytest.raises(OwnError, match="did not end"):
        extract(Says(TextDelta("{"), Finished("length")), "a.txt", read_form(FORM), ToolContext(tmp_path))


def test_secrets_are_taken_out_of_what_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("the key is hunter22hunter")
    model = Scripted([json.dumps(GOOD)])
    tool = make_extract(lambda: model, lambda text: text.replace("hunter22hunter", "[secret KEY]"))
    tool.run({"handle": "a.txt", "fields": FORM}, ToolContext(tmp_path))
    assert "hunter22" not in model.seen[0][1].text
    assert tool.capabilities == frozenset()


def test_a_call_within_the_text_is_not_made(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("text")
    model = Scripted([[ToolCall("x", "python", {"code": "1"}), json.dumps(GOOD)]])
    assert extract(model, "a.txt", read_form(FORM), ToolContext(tmp_path)).ok


def test_the_grammar_takes_forms_and_nothing_else(codec: Codec) -> None:
    wire = EmbeddedWire(codec)
    grammars = Grammars(codec, wire.form, codec.size)
    schema = json.dumps(schema_of(read_form(FORM)))

    def takes(text: str) -> bool:
        grammar = grammars.value(schema)
        return all(grammar.accept(token) for token in codec.encode(text))

    assert takes(json.dumps(GOOD))
    assert takes(json.dumps(dict.fromkeys(GOOD)))
    for odd in ({"total": "x"}, {"due": "soon"}, {"kind": "spam"}, {"code": "AB123"}, {"paid": 1}):
        assert not takes(json.dumps({**GOOD, **odd}))
    assert not takes("I think that")
